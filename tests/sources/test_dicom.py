"""DICOM of every vendor's style: what is written is what is read, in its unit, at its place."""

from pathlib import Path

import numpy as np
import pytest
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import GE, PHILIPS, SIEMENS, XA, Grid, Part

from myoproof.core.acquisition import Echoes, Volume
from myoproof.sources import dicom

GRID = Grid()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


def only(folder: Path) -> dicom.Series:
    found = dicom.scan_folder(folder).series
    assert len(found) == 1, [(one.kind, one.channels, one.findings) for one in found]
    return found[0]


def placed(array: np.ndarray, affine: np.ndarray, grid: Grid = GRID) -> np.ndarray:
    """The array in the order of the truth's grid; every voxel's place must agree within 0.001 mm."""
    nx, ny, nz = grid.shape
    indices = np.stack(np.meshgrid(range(nx), range(ny), range(nz), indexing="ij"), axis=-1).reshape(-1, 3)
    world = indices @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    inverse = np.linalg.inv(affine)
    found = np.rint(world @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    assert np.abs(found @ affine[:3, :3].T + affine[:3, 3] - world).max() < 1e-3
    return array[tuple(found.T)].reshape(*grid.shape, *array.shape[3:])


def echo_times(count: int) -> list[float]:
    return [1.15 + 1.4 * number for number in range(count)]


def siemens_mgre(folder: Path, rng: np.random.Generator, count: int = 4) -> np.ndarray:
    """Magnitude and phase as two series; the phase 12 bits with rescale 2, -4096."""
    complex_values = []
    for echo, time in enumerate(echo_times(count)):
        magnitude, phase = make.whole(rng), make.whole(rng)
        tags = {"EchoTime": time, "EchoNumbers": echo + 1}
        make.classic(folder, magnitude, SIEMENS.but(number=5, tags=tags), word=f"e{echo}")
        look = SIEMENS.but(
            number=6,
            image_type=("ORIGINAL", "PRIMARY", "P", "ND"),
            tags={**tags, "RescaleSlope": 2, "RescaleIntercept": -4096},
        )
        make.classic(folder, phase, look, word=f"e{echo}")
        complex_values.append(magnitude * np.exp(1j * np.pi * (2.0 * phase - 4096) / 4096))
    return np.stack(complex_values, axis=-1)


def test_siemens_magnitude_and_phase_series_become_complex_echoes(tmp_path, rng) -> None:
    truth = siemens_mgre(tmp_path, rng)
    scan = only(tmp_path)
    assert (scan.kind, scan.modality, scan.channels) == ("multiecho", "multiecho", ("magnitude", "phase"))
    assert not scan.findings
    reading = dicom.read(scan, subject="p1", session="m00")
    payload = reading.acquisition.payload
    assert isinstance(payload, Echoes)
    assert payload.is_complex
    np.testing.assert_allclose(payload.echo_times_s, np.array(echo_times(4)) * 1e-3)
    np.testing.assert_allclose(placed(payload.values, payload.affine), truth, atol=2e-2)
    settings = reading.acquisition.settings
    assert settings["repetition_time_s"] == 0.01
    assert (settings["flip_angle_deg"], settings["field_strength_t"]) == (3.0, 3.0)


def test_siemens_dixon_series_are_joined(tmp_path, rng) -> None:
    truth = {}
    names = {"water": "W", "fat": "F", "in_phase": "in", "opposed_phase": "opp"}
    words = {"water": "WATER", "fat": "FAT", "in_phase": "IN_PHASE", "opposed_phase": "OPP_PHASE"}
    for number, (channel, name) in enumerate(names.items(), start=11):
        truth[channel] = make.whole(rng)
        look = SIEMENS.but(
            number=number,
            description=f"t1_vibe_dixon_tra_{name}",
            image_type=("DERIVED", "PRIMARY", "M", "DIXON", words[channel], "ND"),
            tags={"EchoTime": 1.23 if "opp" in channel else 2.46},
        )
        make.classic(tmp_path, truth[channel], look)
    scan = only(tmp_path)
    assert scan.modality == "dixon"
    payload = dicom.read_series(scan).payload
    assert isinstance(payload, Volume)
    assert set(payload.channels) == set(truth)
    for channel, values in truth.items():
        np.testing.assert_array_equal(placed(payload.channels[channel], payload.affine), values)


def test_siemens_dixon_is_told_by_the_series_name_where_the_image_type_is_silent(tmp_path, rng) -> None:
    for number, name in ((3, "W"), (4, "F")):
        look = SIEMENS.but(number=number, description=f"vibe_dixon_{name}")
        make.classic(tmp_path, make.whole(rng), look)
    scan = only(tmp_path)
    assert scan.channels == ("water", "fat")
    assert [finding.category for finding in scan.findings] == ["contrast"]


@pytest.mark.parametrize("shuffled", [False, True])
def test_philips_enhanced_dixon_frames_share_a_header(tmp_path, rng, shuffled) -> None:
    truth = {name: make.whole(rng) for name in ("water", "fat", "fat_fraction", "in_phase", "opposed_phase")}
    words = {"opposed_phase": "OUT_PHASE"}
    parts = [
        Part(
            values,
            frame_type=("DERIVED", "PRIMARY", "DIXON", words.get(name, name.upper())),
            echo_ms=0.0,
            rescale=(100 / 4095, 0.0) if name == "fat_fraction" else (0.5, 0.0),
            unit="%" if name == "fat_fraction" else "normalized",
            private=make.philips_scale(0.02),
        )
        for name, values in truth.items()
    ]
    order = rng.permutation(5 * GRID.shape[2]) if shuffled else None
    make.enhanced(tmp_path / "IM_0001", parts, PHILIPS, order=order)
    scan = only(tmp_path)
    assert set(scan.channels) == set(truth)
    channels = dicom.read_series(scan).payload.channels
    for name, values in truth.items():
        expected = values / 4095 if name == "fat_fraction" else values / 0.02
        np.testing.assert_allclose(placed(channels[name], scan.affine), expected, rtol=1e-5)


def test_philips_classic_scaling_is_undone_per_image(tmp_path, rng) -> None:
    truth = {}
    for number, (word, slope, scale) in enumerate((("W", 2.5, 0.004), ("F", 1.25, 0.008))):
        stored = make.whole(rng)
        tags = {
            "RescaleSlope": slope,
            "RescaleIntercept": 0.0,
            **make.PHILIPS_CREATOR,
            **make.philips_scale(scale),
        }
        look = PHILIPS.but(number=301, image_type=("DERIVED", "PRIMARY", word, word, "DERIVED"), tags=tags)
        make.classic(tmp_path, stored, look, word=word, first=1 + 5 * number)
        truth[word] = stored / scale
    channels = dicom.read_series(only(tmp_path)).payload.channels
    np.testing.assert_allclose(channels["water"], truth["W"], rtol=1e-5)
    np.testing.assert_allclose(channels["fat"], truth["F"], rtol=1e-5)


def test_philips_magnitude_and_phase_with_private_scaling(tmp_path, rng) -> None:
    parts, truth = [], []
    for time in echo_times(3):
        magnitude, phase = make.whole(rng), make.whole(rng)
        scale = make.philips_scale(0.01)
        parts += [
            Part(
                magnitude, ("ORIGINAL", "PRIMARY", "M_FFE", "M"), "MAGNITUDE", time, (3.0, 0.0), private=scale
            ),
            Part(
                phase,
                ("ORIGINAL", "PRIMARY", "PHASE MAP", "P"),
                "PHASE",
                time,
                (6284 / 4095, -3142),
                private=scale,
            ),
        ]
        radians = (phase * 6284 / 4095 - 3142) / 1000
        truth.append(magnitude / 0.01 * np.exp(1j * radians))
    make.enhanced(tmp_path / "x", parts, PHILIPS)
    scan = only(tmp_path)
    values = dicom.read_series(scan).payload.values
    np.testing.assert_allclose(values, np.stack(truth, axis=-1), rtol=1e-3, atol=2.0)


@pytest.mark.parametrize("chopped", [False, True])
def test_ge_real_and_imaginary_images_of_one_series(tmp_path, chopped) -> None:
    """A smooth object whose sign GE alternates from slice to slice comes back smooth."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    truth = []
    sign = np.where(np.arange(GRID.shape[2]) % 2, -1, 1) if chopped else np.ones(GRID.shape[2], int)
    for echo, time in enumerate(echo_times(3)):
        smooth = 900 * np.exp(1j * (0.4 * x + 0.3 * y + 0.2 * z + echo))
        real, imaginary = np.rint(smooth.real).astype(int), np.rint(smooth.imag).astype(int)
        truth.append(real + 1j * imaginary)
        for code, values in (
            (0, np.rint(np.abs(smooth)).astype(int)),
            (2, real * sign),
            (3, imaginary * sign),
        ):
            tags = {"EchoTime": time, "EchoNumbers": echo + 1, **make.ge_part(code)}
            look = GE.but(number=7, bits=(16, 16), signed=True, tags=tags)
            make.classic(tmp_path, values, look, word=f"e{echo}p{code}")
    scan = only(tmp_path)
    assert scan.channels == ("real", "imaginary")
    reading = dicom.read(scan)
    np.testing.assert_allclose(reading.acquisition.payload.values, np.stack(truth, axis=-1), atol=1e-3)
    assert [finding.category for finding in reading.findings] == (["alternating sign"] if chopped else [])


def test_ge_dixon_series_named_by_a_first_word(tmp_path, rng) -> None:
    truth = {"WATER": make.whole(rng), "FAT": make.whole(rng), "FatFrac": make.whole(rng, top=1001)}
    for number, (word, values) in enumerate(truth.items()):
        look = GE.but(number=500 + number, description=f"{word}: Ax IDEAL IQ", tags={"EchoTime": 0.0})
        make.classic(tmp_path, values, look)
    scan = only(tmp_path)
    reading = dicom.read(scan)
    channels = reading.acquisition.payload.channels
    np.testing.assert_array_equal(channels["water"], truth["WATER"])
    np.testing.assert_allclose(channels["fat_fraction"], truth["FatFrac"] / 1000, rtol=1e-6)
    assert "unit" in {finding.category for finding in reading.findings}


def test_siemens_xa_enhanced_echoes(tmp_path, rng) -> None:
    """Magnitude and phase are two enhanced files of two series."""
    truth = []
    magnitudes, phases = [], []
    for time in echo_times(5):
        magnitude, phase = make.whole(rng), make.whole(rng)
        magnitudes.append(Part(magnitude, component="MAGNITUDE", echo_ms=time))
        phases.append(Part(phase, ("ORIGINAL", "PRIMARY", "P", "NONE"), "PHASE", time, (2.0, -4096.0)))
        truth.append(magnitude * np.exp(1j * np.pi * (2.0 * phase - 4096) / 4096))
    make.enhanced(tmp_path / "a.dcm", magnitudes, XA.but(number=4))
    make.enhanced(tmp_path / "b.dcm", phases, XA.but(number=5), order=rng.permutation(25))
    scan = only(tmp_path)
    assert scan.kind == "multiecho"
    values = dicom.read_series(scan).payload.values
    np.testing.assert_allclose(values, np.stack(truth, axis=-1), atol=2e-2)


def test_multi_echo_spin_echo_is_magnitude_with_its_spacing(tmp_path, rng) -> None:
    tags = {"ScanningSequence": "SE", "FlipAngle": 180.0, "RepetitionTime": 3000.0, "MRAcquisitionType": "2D"}
    truth = []
    for echo in range(8):
        truth.append(make.whole(rng))
        look = SIEMENS.but(number=9, tags={**tags, "EchoTime": 10.0 * (echo + 1), "EchoNumbers": echo + 1})
        make.classic(tmp_path, truth[-1], look, word=f"e{echo}")
    scan = only(tmp_path)
    assert (scan.kind, scan.modality) == ("multi_echo_spin_echo", "t2_mapping")
    acquisition = dicom.read_series(scan)
    assert acquisition.payload.values.dtype == np.float32
    np.testing.assert_array_equal(acquisition.payload.values, np.stack(truth, axis=-1))
    assert acquisition.settings["echo_spacing_s"] == 0.01
    assert acquisition.settings["refocusing_angle_deg"] == 180.0
    assert "flip_angle_deg" not in acquisition.settings


def test_a_vendor_t2_map_and_a_plain_scan(tmp_path, rng) -> None:
    tags = {"RescaleSlope": 0.1, "RescaleIntercept": 0.0, "RescaleType": "ms"}
    stored = make.whole(rng)
    make.classic(
        tmp_path, stored, SIEMENS.but(number=2, image_type=("DERIVED", "PRIMARY", "M", "T2 MAP"), tags=tags)
    )
    plain = make.whole(rng)
    make.classic(tmp_path, plain, SIEMENS.but(number=1, tags={"ScanningSequence": "SE", "EchoTime": 11.0}))
    one, other = dicom.scan_folder(tmp_path).series
    assert (one.kind, one.modality, one.channels) == ("single", "muscle_mri", ("image",))
    np.testing.assert_array_equal(dicom.read_series(one).payload.channels["image"], plain)
    assert (other.kind, other.modality) == ("t2_map", "t2_mapping")
    np.testing.assert_allclose(dicom.read_series(other).payload.channels["t2_ms"], stored * 0.1, rtol=1e-6)


def test_phase_goes_with_the_magnitude_that_was_not_normalised(tmp_path, rng) -> None:
    """Siemens writes the magnitude twice where prescan normalisation is on; the names do not tell."""
    raw, evened = [], []
    for echo, time in enumerate(echo_times(3)):
        raw.append(make.whole(rng))
        evened.append(make.whole(rng))
        for number, words, values in (
            (3, ("M", "ND", "NORM"), evened[-1]),
            (4, ("M", "ND"), raw[-1]),
            (5, ("P", "ND"), make.whole(rng)),
        ):
            look = SIEMENS.but(
                number=number, image_type=("ORIGINAL", "PRIMARY", *words), tags={"EchoTime": time}
            )
            make.classic(tmp_path, values, look, word=f"e{echo}")
    scans = dicom.scan_folder(tmp_path).series
    found = {scan.channels: np.abs(dicom.read_series(scan).payload.values) for scan in scans}
    np.testing.assert_allclose(found["magnitude", "phase"], np.stack(raw, -1), atol=2e-2)
    np.testing.assert_allclose(found["magnitude",], np.stack(evened, -1))


@pytest.mark.parametrize("names", [("W", "F"), ("x water", "x fat")])
@pytest.mark.parametrize("changed", ["AcquisitionTime", "FrameOfReferenceUID"])
def test_pseudonymised_series_are_joined_by_name_or_by_time(tmp_path, rng, changed, names) -> None:
    for number, (name, word) in enumerate(zip(names, ("WATER", "FAT"), strict=True), start=1):
        tags = {changed: None if changed == "AcquisitionTime" else make.uid(number)}
        look = SIEMENS.but(
            number=number, description=name, image_type=("DERIVED", "PRIMARY", "DIXON", word), tags=tags
        )
        make.classic(tmp_path, make.whole(rng), look)
    scan = only(tmp_path)
    assert scan.channels == ("water", "fat")
    assert {finding.level for finding in scan.findings} <= {"info"}


def test_series_of_other_protocols_are_not_joined(tmp_path, rng) -> None:
    """Water of one scan and fat of another on the same grid: neither is completed with what is not its own."""
    for number, word, changes in ((1, "WATER", {}), (2, "FAT", {"time": "113000"})):
        look = SIEMENS.but(number=number, image_type=("DERIVED", "PRIMARY", "DIXON", word), **changes)
        make.classic(tmp_path / "time", make.whole(rng), look)
        tags = {"RepetitionTime": 10.0 * number}
        make.classic(tmp_path / "tr", make.whole(rng), look.but(time="100000", tags=tags))
        place = Grid(origin=(-120.0, -90.0 + number, 300.0))
        make.classic(tmp_path / "place", make.whole(rng), look.but(time="100000"), grid=place)
    for folder in ("time", "tr", "place"):
        scans = dicom.scan_folder(tmp_path / folder).series
        assert [scan.channels for scan in scans] == [("water",), ("fat",)]
        assert all("incomplete" in {one.category for one in scan.findings} for scan in scans)


def test_two_repetitions_of_one_protocol_stay_two_scans(tmp_path, rng) -> None:
    """Test and retest: same names, same grid, other times; each fat goes with its own water."""
    truth = {}
    for run, time in enumerate(("100000", "100500")):
        for number, word in ((1, "WATER"), (2, "FAT")):
            values = make.whole(rng)
            truth[run, word] = values
            look = SIEMENS.but(
                number=number + 2 * run, time=time, image_type=("DERIVED", "PRIMARY", "M", "DIXON", word)
            )
            make.classic(tmp_path, values, look)
    scans = dicom.scan_folder(tmp_path).series
    assert [scan.channels for scan in scans] == [("water", "fat")] * 2
    assert {scan.stack_set for scan in scans} == {""}
    for run, scan in enumerate(scans):
        channels = dicom.read_series(scan).payload.channels
        np.testing.assert_array_equal(channels["water"], truth[run, "WATER"])
        np.testing.assert_array_equal(channels["fat"], truth[run, "FAT"])


def test_repetitions_inside_one_series_are_parted(tmp_path, rng) -> None:
    truth = [make.whole(rng), make.whole(rng)]
    parts = [Part(values, temporal=number + 1, echo_ms=3.0) for number, values in enumerate(truth)]
    make.enhanced(tmp_path / "a", parts, XA)
    scans = dicom.scan_folder(tmp_path).series
    assert len(scans) == 2
    for values, scan in zip(truth, scans, strict=True):
        np.testing.assert_array_equal(dicom.read_series(scan).payload.channels["image"], values)


def test_multi_stack_scans_are_told_as_one_set(tmp_path, rng) -> None:
    lower, upper = Grid(), Grid(origin=(-120.0, -90.0, 300.0 + 4 * 4.0))
    for number, grid in ((2, upper), (1, lower)):
        make.classic(tmp_path, make.whole(rng), SIEMENS.but(number=number, time=f"10{number}000"), grid=grid)
    one, other = dicom.scan_folder(tmp_path).series
    assert (one.stack, other.stack) == (1, 2)
    assert one.stack_set == other.stack_set != ""
    parts = [
        Part(make.whole(rng), stack=str(n), grid=grid, echo_ms=2.0) for n, grid in ((1, upper), (2, lower))
    ]
    make.enhanced(tmp_path / "philips" / "a", parts, PHILIPS.but(number=8))
    one, other = dicom.scan_folder(tmp_path / "philips").series
    assert {one.stack, other.stack} == {1, 2}
    assert one.affine[2, 3] != other.affine[2, 3]


def test_identity_stays_behind(tmp_path, rng) -> None:
    """No word of the header that names the patient, the day or the place is in what is handed on."""
    tags = {"InstitutionName": "St Elsewhere", "PatientComments": "Jane of Ward 9"}
    look = SIEMENS.but(name="Doe^Jane", patient="MRN-778899", description="Doe_Jane_thigh", tags=tags)
    make.classic(tmp_path, make.whole(rng), look)
    inventory = dicom.scan_folder(tmp_path)
    scan = inventory.series[0]
    acquisition = dicom.read_series(scan, subject="s01", session="m00")
    who = dicom.identity(scan)
    assert (who.patient_id, who.study_date) == ("MRN-778899", "20240102")
    assert who.acquired == "20240102101500"
    assert who.birth_date == "19500607"
    for text in (repr(acquisition), repr(who), repr(scan), repr(scan.frames[0].origin)):
        for word in ("Doe", "Jane", "778899", "20240102", "1950", "Elsewhere"):
            assert word not in text.replace(str(tmp_path), "")
    assert acquisition.device == "SIEMENS Prisma 3 T"


def test_days_count_from_the_patients_first_study(tmp_path, rng) -> None:
    for study, day in (("b", "20240105"), ("a", "20231226")):
        make.classic(tmp_path / study, make.whole(rng), SIEMENS.but(study=study, study_date=day))
    first, second = dicom.scan_folder(tmp_path).series
    assert (first.study, first.day, second.study, second.day) == (1, 0.0, 2, 10.0)
    assert dicom.read_series(second).day == 10.0
    assert dicom.read_series(second, day=365.0).day == 365.0


def test_the_digest_is_of_the_bytes_and_not_of_names(tmp_path, rng) -> None:
    paths = make.classic(tmp_path / "a", make.whole(rng), SIEMENS)
    one = dicom.read_series(only(tmp_path / "a")).digest
    for number, path in enumerate(reversed(paths)):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / f"IM{number}").write_bytes(path.read_bytes())
    assert dicom.read_series(only(tmp_path / "b")).digest == one
