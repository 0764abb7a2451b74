"""Bad DICOM: mixtures, losses, copies, foreign and hostile files are named; what is left is read."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import GE, PHILIPS, SIEMENS, XA, Grid, Part

from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources import dicom, dicom_files


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def found(scan: dicom.Series | dicom.Inventory) -> dict[str, str]:
    return {finding.category: finding.level for finding in scan.findings}


def change(path: Path, **tags: object) -> None:
    dataset = pydicom.dcmread(path)
    make.put(dataset, tags)
    dataset.save_as(path)


def test_foreign_files_are_counted_and_skipped(tmp_path, rng) -> None:
    make.classic(tmp_path, make.whole(rng), SIEMENS)
    (tmp_path / "notes.txt").write_text("left leg hurts" * 50)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    (tmp_path / "link").symlink_to(tmp_path / "notes.txt")
    ct = make.header(SIEMENS, "1.2.840.10008.5.1.4.1.1.2", "ct")
    ct.Modality = "CT"
    make.save(ct, tmp_path / "ct")
    directory = make.header(SIEMENS, "1.2.840.10008.1.3.10", "dir")
    make.save(directory, tmp_path / "DICOMDIR")
    seg = make.header(SIEMENS, "1.2.840.10008.5.1.4.1.1.66.4", "seg")
    make.save(seg, tmp_path / "seg.dcm")
    inventory = dicom.scan_folder(tmp_path)
    assert len(inventory.series) == 1
    assert inventory.n_files == 11
    categories = {one.path.name: one.category for one in inventory.skipped}
    assert categories == {
        "notes.txt": "not_dicom",
        "empty": "not_dicom",
        "photo.jpg": "not_dicom",
        "ct": "not_mr",
        "DICOMDIR": "dicomdir",
        "seg.dcm": "segmentation",
    }


def test_no_folder_and_an_empty_one(tmp_path) -> None:
    with pytest.raises(NotReadable, match="no such folder"):
        dicom.scan_folder(tmp_path / "nowhere")
    with pytest.raises(NotReadable, match="empty"):
        dicom.scan_folder(tmp_path)


def test_mixed_patients_and_studies_are_listed_and_asked_about(tmp_path, rng) -> None:
    looks = [
        SIEMENS.but(patient="B", name="Roe^Richard"),
        SIEMENS.but(patient="A", study="1", study_date="20240101"),
        SIEMENS.but(patient="A", study="2", study_date="20240301"),
    ]
    for number, look in enumerate(looks):
        make.classic(tmp_path / str(number), make.whole(rng), look)
    inventory = dicom.scan_folder(tmp_path)
    assert (inventory.n_patients, inventory.n_studies) == (2, 3)
    assert found(inventory) == {"mixed patients": "warning", "mixed studies": "warning"}
    assert [(scan.patient, scan.study, scan.day) for scan in inventory.series] == [
        (1, 1, 0),
        (1, 2, 60),
        (2, 1, 0),
    ]
    with pytest.raises(
        InvalidInput, match=r"2 patients and 3 studies.*patient 1 study 2 \(1 scans\)"
    ) as caught:
        dicom.choose(inventory)
    assert "Roe" not in str(caught.value)
    assert [scan.index for scan in dicom.choose(inventory, patient=1, study=2)] == [2]
    assert [scan.index for scan in dicom.choose(inventory, series=(1, 3))] == [1, 3]
    with pytest.raises(InvalidInput, match="no scan 9"):
        dicom.choose(inventory, series=(9,))
    with pytest.raises(InvalidInput, match="one folder"):
        dicom.choose(inventory, patient=1)


def test_one_patient_id_with_two_names_is_told(tmp_path, rng) -> None:
    make.classic(tmp_path / "a", make.whole(rng), SIEMENS)
    make.classic(tmp_path / "b", make.whole(rng), SIEMENS.but(name="Roe^Jane", number=2))
    inventory = dicom.scan_folder(tmp_path)
    assert found(inventory) == {"identity": "warning"}
    assert "Roe" not in str(inventory.findings[0])


@pytest.mark.parametrize("cut", [10, 60])
def test_a_truncated_file_is_an_absent_slice(tmp_path, rng, cut) -> None:
    grid = Grid(shape=(7, 6, 9))
    truth = make.whole(rng, grid)
    path = make.classic(tmp_path, truth, SIEMENS, grid=grid)[4]
    path.write_bytes(path.read_bytes()[:-cut])
    (scan,) = dicom.scan_folder(tmp_path).series
    assert found(scan) == {"absent slices": "warning"}
    assert scan.absent_slices == (4,)
    values = dicom.read_series(scan).payload.channels["image"]
    truth[:, :, 4] = 0
    np.testing.assert_array_equal(values, truth)


def test_a_file_cut_in_its_header_is_named_and_its_slice_absent(tmp_path, rng) -> None:
    grid = Grid(shape=(7, 6, 9))
    path = make.classic(tmp_path, make.whole(rng, grid), SIEMENS, grid=grid)[4]
    path.write_bytes(path.read_bytes()[:700])
    inventory = dicom.scan_folder(tmp_path)
    assert inventory.series[0].absent_slices == (4,)
    assert [one.path for one in inventory.skipped] == [path]
    assert found(inventory) == {"unreadable file": "warning"}


def test_one_corrupt_compressed_slice_is_zero_and_named(tmp_path, rng) -> None:
    grid = Grid(shape=(7, 6, 9))
    truth = make.whole(rng, grid)
    for number, path in enumerate(make.classic(tmp_path, truth, SIEMENS, grid=grid)):
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        if number == 2:
            dataset.PixelData = pydicom.encaps.encapsulate([b"\xff" * 80])
        dataset.save_as(path)
    (scan,) = dicom.scan_folder(tmp_path).series
    reading = dicom.read(scan)
    assert [finding.category for finding in reading.findings] == ["corrupt slices"]
    assert "_002.dcm" in str(reading.findings[0])
    truth[:, :, 2] = 0
    np.testing.assert_array_equal(reading.acquisition.payload.channels["image"], truth)


def test_copies_are_dropped_and_contradictions_refused(tmp_path, rng) -> None:
    truth = make.whole(rng)
    paths = make.classic(tmp_path, truth, SIEMENS)
    (tmp_path / "copy.dcm").write_bytes(paths[1].read_bytes())
    inventory = dicom.scan_folder(tmp_path)
    assert [one.category for one in inventory.skipped] == ["duplicate"]
    np.testing.assert_array_equal(dicom.read_series(inventory.series[0]).payload.channels["image"], truth)

    (tmp_path / "again.dcm").write_bytes(paths[2].read_bytes())
    change(tmp_path / "again.dcm", SOPInstanceUID=make.uid("another"))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert found(scan) == {"duplicates": "info"}
    np.testing.assert_array_equal(dicom.read_series(scan).payload.channels["image"], truth)

    change(tmp_path / "again.dcm", PixelData=bytes(paths[2].stat().st_size % 2 + 7 * 6 * 2))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert found(scan) == {"duplicates": "error"}
    with pytest.raises(InvalidInput, match="more than once with different content"):
        dicom.read_series(scan)


def test_a_missing_echo_is_named(tmp_path, rng) -> None:
    for echo in (0, 1, 3, 4, 5):
        look = SIEMENS.but(tags={"EchoTime": 1.0 + 1.2 * echo, "EchoNumbers": echo + 1})
        make.classic(tmp_path / "numbered", make.whole(rng), look, word=str(echo))
        look = SIEMENS.but(tags={"EchoTime": 1.0 + 1.2 * echo})
        make.classic(tmp_path / "spaced", make.whole(rng), look, word=str(echo))
    (scan,) = dicom.scan_folder(tmp_path / "numbered").series
    assert found(scan) == {"missing echo": "warning"}
    assert "number 3 is missing" in str(scan.findings[0])
    (scan,) = dicom.scan_folder(tmp_path / "spaced").series
    assert "gap after 2.20 ms" in str(scan.findings[0])
    assert dicom.read_series(scan).payload.values.shape[3] == 5


def test_an_echo_without_most_of_its_slices_is_left_out_and_without_phase_too(tmp_path, rng) -> None:
    for echo in range(5):
        tags = {"EchoTime": 1.0 + 1.2 * echo}
        paths = make.classic(tmp_path, make.whole(rng), SIEMENS.but(tags=tags), word=f"m{echo}")
        look = SIEMENS.but(number=2, image_type=("ORIGINAL", "PRIMARY", "P"), tags=tags)
        paths += make.classic(tmp_path, make.whole(rng), look, word=f"p{echo}")
        if echo == 4:
            for path in paths[:4]:
                path.unlink()
    (scan,) = dicom.scan_folder(tmp_path).series
    assert len(scan.echo_times_s) == 4
    assert not scan.absent_slices
    assert {finding.category for finding in scan.findings} == {"missing echo"}
    assert dicom.read_series(scan).payload.is_complex


def test_phase_alone_is_refused_and_magnitude_alone_is_magnitude(tmp_path, rng) -> None:
    for echo in range(3):
        tags = {"EchoTime": 1.0 + echo}
        make.classic(tmp_path / "m", make.whole(rng), SIEMENS.but(tags=tags), word=str(echo))
        look = SIEMENS.but(image_type=("ORIGINAL", "PRIMARY", "P"), tags=tags)
        make.classic(tmp_path / "p", make.whole(rng), look, word=str(echo))
    (scan,) = dicom.scan_folder(tmp_path / "m").series
    assert dicom.read_series(scan).payload.values.dtype == np.float32
    (scan,) = dicom.scan_folder(tmp_path / "p").series
    assert not scan.readable
    with pytest.raises(InvalidInput, match="phase without its partner"):
        dicom.read_series(scan)


def test_parts_whose_private_tags_were_removed_are_not_taken_for_magnitudes(tmp_path, rng) -> None:
    for echo in range(3):
        look = GE.but(bits=(16, 16), signed=True, tags={"EchoTime": 1.0 + echo})
        make.classic(tmp_path, make.whole(rng) - 2048, look, word=str(echo))
    (scan,) = dicom.scan_folder(tmp_path).series
    with pytest.raises(InvalidInput, match="real, imaginary or phase images that do not say so"):
        dicom.read_series(scan)


def test_series_without_uids_are_told_apart_by_number(tmp_path, rng) -> None:
    truth = [make.whole(rng), make.whole(rng)]
    for number, values in enumerate(truth, start=1):
        look = SIEMENS.but(number=number, time=f"10{number}000", tags={"SeriesInstanceUID": None})
        make.classic(tmp_path, values, look)
    for scan, values in zip(dicom.scan_folder(tmp_path).series, truth, strict=True):
        np.testing.assert_array_equal(dicom.read_series(scan).payload.channels["image"], values)


def test_water_without_fat_is_told(tmp_path, rng) -> None:
    make.classic(tmp_path, make.whole(rng), SIEMENS.but(image_type=("DERIVED", "PRIMARY", "DIXON", "WATER")))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert found(scan) == {"incomplete": "warning"}
    assert dicom.read_series(scan).modality == "dixon"


@pytest.mark.parametrize(
    "tag",
    [
        "EchoTime",
        "RepetitionTime",
        "AcquisitionTime",
        "SeriesNumber",
        "FrameOfReferenceUID",
        "InstanceNumber",
    ],
)
def test_missing_tags_that_can_be_spared(tmp_path, rng, tag) -> None:
    truth = make.whole(rng)
    make.classic(tmp_path, truth, SIEMENS.but(tags={tag: None, "PatientID": ""}))
    (scan,) = dicom.scan_folder(tmp_path).series
    np.testing.assert_array_equal(dicom.read_series(scan).payload.channels["image"], truth)


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_images_that_cannot_be_placed_are_left_out_and_named(tmp_path, rng, tag) -> None:
    make.classic(tmp_path, make.whole(rng), SIEMENS.but(tags={tag: None}))
    inventory = dicom.scan_folder(tmp_path)
    assert not inventory.series
    assert found(inventory) == {"geometry": "warning"}
    assert "5 images have no usable" in str(inventory.findings[0])


def test_without_sequence_the_echo_spacing_tells_and_says_so(tmp_path, rng) -> None:
    for step, kind in ((9.0, "multi_echo_spin_echo"), (1.3, "multiecho")):
        for echo in range(4):
            look = SIEMENS.but(tags={"ScanningSequence": None, "EchoTime": step * (echo + 1)})
            make.classic(tmp_path / kind, make.whole(rng), look, word=str(echo))
        (scan,) = dicom.scan_folder(tmp_path / kind).series
        assert scan.kind == kind
        assert found(scan) == {"sequence": "warning"}


@pytest.mark.parametrize("word", ["MOSAIC", "MIP"])
def test_what_is_no_stack_is_listed_and_not_read(tmp_path, rng, word) -> None:
    make.classic(tmp_path, make.whole(rng), SIEMENS.but(image_type=("ORIGINAL", "PRIMARY", "M", word)))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert (scan.kind, scan.readable) == ("other", False)
    with pytest.raises(InvalidInput, match="no stack of slices"):
        dicom.read_series(scan)


def test_diffusion_images_are_listed_and_not_read(tmp_path, rng) -> None:
    for b in (0.0, 500.0):
        make.classic(tmp_path, make.whole(rng), SIEMENS.but(tags={"DiffusionBValue": b}), word=str(b))
    scans = dicom.scan_folder(tmp_path).series
    assert {scan.readable for scan in scans} == {True, False}


def test_files_without_preamble_and_of_any_name(tmp_path, rng) -> None:
    truth = make.whole(rng)
    for number, path in enumerate(
        make.classic(tmp_path / "a", truth, SIEMENS.but(syntax="1.2.840.10008.1.2"))
    ):
        dataset = pydicom.dcmread(path)
        bare = Dataset()
        bare.update({element.tag: element for element in dataset})
        (tmp_path / "b").mkdir(exist_ok=True)
        pydicom.filewriter.dcmwrite(tmp_path / "b" / f"{number}", bare, implicit_vr=True, little_endian=True)
    (scan,) = dicom.scan_folder(tmp_path / "b").series
    np.testing.assert_array_equal(dicom.read_series(scan).payload.channels["image"], truth)


def test_ge_images_of_one_position_are_told_apart_by_their_instance_alone(tmp_path, rng) -> None:
    truth = [make.whole(rng), make.whole(rng)]
    for turn, values in enumerate(truth):
        make.classic(tmp_path, values, GE.but(tags={"EchoTime": 3.0}), word=str(turn), first=1 + 5 * turn)
    scans = dicom.scan_folder(tmp_path).series
    assert [found(scan) for scan in scans] == [{"repetitions": "warning"}] * 2
    for scan, values in zip(scans, truth, strict=True):
        np.testing.assert_array_equal(dicom.read_series(scan).payload.channels["image"], values)


def test_mad_positions_are_refused_and_not_filled(tmp_path, rng) -> None:
    for k, height in enumerate((0.0, 0.03, 3e6)):
        make.classic(
            tmp_path, make.whole(rng)[:, :, :1], SIEMENS, grid=Grid(origin=(0, 0, height)), word=str(k)
        )
    (scan,) = dicom.scan_folder(tmp_path).series
    assert found(scan)["uneven spacing"] == "error"
    assert scan.shape[2] < 10


def test_files_that_are_all_cut_short_are_named(tmp_path, rng) -> None:
    for path in make.classic(tmp_path, make.whole(rng), SIEMENS):
        path.write_bytes(path.read_bytes()[:-30])
    inventory = dicom.scan_folder(tmp_path)
    assert not inventory.series
    assert found(inventory) == {"cut short": "warning"}


def test_damaged_headers_raise_nothing_but_our_errors(tmp_path, rng) -> None:
    """Bytes changed, lost or set to the largest length, in a classic and an enhanced file."""
    parts = [Part(make.whole(rng), component="MAGNITUDE", echo_ms=1.0 + echo) for echo in range(2)]
    private = make.philips_scale(0.1)
    parts.append(
        Part(
            make.whole(rng), ("DERIVED", "PRIMARY", "DIXON", "WATER"), world=(0.1, 0.0, "%"), private=private
        )
    )
    sources = [
        make.enhanced(tmp_path / "e", parts, PHILIPS).read_bytes(),
        make.classic(tmp_path / "c", make.whole(rng), GE.but(tags=make.ge_part(2)))[0].read_bytes(),
    ]
    (tmp_path / "damaged").mkdir()
    for turn in range(100):
        data = bytearray(sources[turn % 2])
        for _ in range(rng.integers(1, 12)):
            place = int(rng.integers(128, len(data)))
            change_to = (rng.bytes(1), b"\xff\xff\xff\xff", b"", b"73")[rng.integers(4)]
            data[place : place + max(1, len(change_to))] = change_to
        (tmp_path / "damaged" / "x").write_bytes(data)
        for scan in dicom.scan_folder(tmp_path / "damaged").series:
            try:
                acquisition = dicom.read_series(scan)
            except InvalidInput:
                continue
            assert acquisition.payload.shape == scan.shape


def test_hostile_files_cost_little(tmp_path, rng, monkeypatch) -> None:
    """Nested sequences, a claim of many gigabytes, a deflate bomb, and noise after a true start."""
    monkeypatch.setattr(dicom_files, "INFLATED_LIMIT", 2**23)
    make.classic(tmp_path, make.whole(rng), SIEMENS)
    nested = struct.pack("<HHI", 0x5200, 0x9229, 0xFFFFFFFF)
    nested += struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0xFFFFFFFF, 0x0008, 0x1140, 0xFFFFFFFF) * 5000
    start = make.header(SIEMENS.but(syntax="1.2.840.10008.1.2"), make.MR_IMAGE, "nest")
    make.save(start, tmp_path / "nested")
    (tmp_path / "nested").write_bytes((tmp_path / "nested").read_bytes() + nested)
    huge = make.header(SIEMENS, make.MR_IMAGE, "huge")
    huge.Rows = huge.Columns = 65535
    huge.PixelData = b"\0\0"
    huge["PixelData"].VR = "OW"
    make.save(huge, tmp_path / "huge")
    deflated = pydicom.uid.DeflatedExplicitVRLittleEndian
    small = make.header(SIEMENS.but(syntax=str(deflated)), make.MR_IMAGE, "bomb")
    make.save(small, tmp_path / "bomb")
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(squeezer.compress(bytes(2**20)) for _ in range(10)) + squeezer.flush()
    whole = (tmp_path / "bomb").read_bytes()
    (tmp_path / "bomb").write_bytes(
        whole[: whole.index(str(deflated).encode()) + len(deflated) + len(deflated) % 2] + body
    )
    (tmp_path / "noise").write_bytes(bytes(128) + b"DICM" + rng.bytes(5000))
    many = make.enhanced(tmp_path / "many", [Part(make.whole(rng))], XA.but(number=3))
    change(many, NumberOfFrames=2_000_000_000)
    inventory = dicom.scan_folder(tmp_path)
    reasons = {one.path.name: one.category for one in inventory.skipped}
    assert set(reasons.values()) <= {"unreadable", "not_mr", "no_pixels"}
    assert set(reasons) == {"nested", "huge", "bomb", "noise"}
    assert "inflates beyond 8 MiB" in {one.reason for one in inventory.skipped}
    assert [scan.n_frames for scan in inventory.series] == [5, 5]
