"""A folder of scans into a study: what enters is whole, found again, and holds no identity in any byte."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import GE, SIEMENS, Grid, Look

from myoproof.cli.app import main
from myoproof.core.table import read_frame
from myoproof.errors import InvalidInput, NotReadable, NotWritable
from myoproof.sources import bids, bids_write, dicom
from myoproof.workflow import folder as study_folder
from myoproof.workflow import read_child, read_folder
from myoproof.workflow.read_folder import Options

TIMES_MS = (1.15, 2.55, 3.95)


def echoes(
    folder: Path, look: Look, *, seed: int = 0, grid: Grid | None = None, word: str = ""
) -> np.ndarray:
    """Magnitude and phase in two series; returns the complex truth (column, row, slice, echo)."""
    rng = np.random.default_rng(seed)
    truth = []
    for number, echo_ms in enumerate(TIMES_MS):
        magnitude, phase = make.whole(rng, grid), make.whole(rng, grid)
        tags = {"EchoTime": echo_ms, "EchoNumbers": number + 1}
        make.classic(folder, magnitude, look.but(tags=tags), grid=grid, word=f"{word}m{number}")
        turned = look.but(
            number=look.number + 1,
            image_type=("ORIGINAL", "PRIMARY", "P", "ND"),
            tags={**tags, "RescaleSlope": 2, "RescaleIntercept": -4096},
        )
        make.classic(folder, phase, turned, grid=grid, word=f"{word}p{number}")
        truth.append(magnitude * np.exp(1j * np.pi * (2.0 * phase - 4096) / 4096))
    return np.stack(truth, axis=-1)


def dixon(folder: Path, look: Look, *, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    channels = {"water": make.whole(rng), "fat": make.whole(rng)}
    for shift, (name, values) in enumerate(channels.items()):
        kind = ("DERIVED", "PRIMARY", "M", "ND", "DIXON", name.upper())
        make.classic(folder, values, look.but(number=look.number + shift, image_type=kind), word=name)
    return channels


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse here: what a child is for is tested with it, and each costs half a second."""
    monkeypatch.setattr(read_child, "parse", dicom.here)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """One visit of one patient: echoes and a Dixon scan."""
    echoes(tmp_path / "in", SIEMENS.but(number=5))
    dixon(tmp_path / "in", SIEMENS.but(number=9))
    return tmp_path / "in"


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_looking_shows_and_writes_nothing(export: Path) -> None:
    before = everything(export.parent)
    found = read_folder.look(export)
    assert list(found.table["scan"]) == [1, 2]
    assert set(found.table["kind"]) == {"multiecho", "dixon"}
    assert list(found.table["echoes"]) == [3, 0]
    assert set(found.table["matrix"]) == {"7x6x5"}
    assert found.ambiguous == ""
    assert everything(export.parent) == before


def test_a_folder_enters_a_study(export: Path, tmp_path: Path) -> None:
    taken = read_folder.take(export, tmp_path / "study")
    assert list(taken.scans["state"]) == ["new", "new"]
    assert set(taken.scans["subject"]) == {"sub-001"}
    assert set(taken.scans["session"]) == {"m00"}
    table = read_frame(tmp_path / "study" / "tables" / "acquisitions.parquet")
    assert sorted(table["modality"]) == ["dixon", "multiecho"]
    assert study_folder.kind_of(tmp_path / "study") == "study folder"
    root = tmp_path / "study" / "raw"
    assert json.loads((root / "dataset_description.json").read_text())["DatasetType"] == "raw"
    assert (root / "participants.tsv").read_text() == "participant_id\nsub-001\n"
    visits = (root / "sub-001" / "sub-001_sessions.tsv").read_text()
    assert visits == "session_id\tdays_since_baseline\nses-m00\t0\n"


def test_what_enters_is_what_the_scanner_stored(export: Path, tmp_path: Path) -> None:
    """Values in place and in the world, through DICOM, NIfTI and JSON."""
    read_folder.take(export, tmp_path / "study")
    for scan in bids.scans(tmp_path / "study" / "raw"):
        straight = next(
            dicom.read_series(one) for one in dicom.scan_folder(export).series if one.modality == scan.kind
        )
        back = bids.read(scan)
        np.testing.assert_allclose(back.payload.affine, straight.payload.affine, atol=1e-4)
        assert back.digest == straight.digest
        assert dict(back.settings) == pytest.approx(dict(straight.settings))
        if scan.kind == "multiecho":
            scale = np.abs(straight.payload.values).max()
            np.testing.assert_allclose(back.payload.values, straight.payload.values, atol=1e-6 * scale)
            np.testing.assert_allclose(back.payload.echo_times_s, np.array(TIMES_MS) / 1000)
        else:
            for name, values in straight.payload.channels.items():
                np.testing.assert_array_equal(back.payload.channels[name], values)


def test_the_same_folder_again_changes_nothing(export: Path, tmp_path: Path) -> None:
    read_folder.take(export, tmp_path / "study")
    before = everything(tmp_path / "study" / "raw")
    taken = read_folder.take(export, tmp_path / "study")
    assert list(taken.scans["state"]) == ["known", "known"]
    assert everything(tmp_path / "study" / "raw") == before
    assert len(read_frame(tmp_path / "study" / "tables" / "acquisitions.parquet")) == 2


def test_jobs_do_not_change_the_study(export: Path, tmp_path: Path) -> None:
    for jobs in (1, 3):
        read_folder.take(export, tmp_path / str(jobs), jobs=jobs)
    assert everything(tmp_path / "1" / "raw") == everything(tmp_path / "3" / "raw")


def test_a_repeated_scan_is_a_further_run(tmp_path: Path) -> None:
    for number in (1, 2):
        make.classic(
            tmp_path / "in",
            make.whole(np.random.default_rng(number)),
            SIEMENS.but(number=number, time=f"1{number}0000"),
        )
    taken = read_folder.take(tmp_path / "in", tmp_path / "study", jobs=2)
    assert sorted(taken.scans["run"]) == ["", "02"]
    assert len(bids.scans(tmp_path / "study" / "raw")) == 2


def mixed(folder: Path) -> Path:
    """Jane at two visits and John at one."""
    echoes(folder / "a", SIEMENS.but(number=1), seed=1)
    echoes(folder / "b", SIEMENS.but(number=1, study="2", study_date="20240704"), seed=2)
    echoes(
        folder / "c",
        GE.but(number=1, patient="P2", name="Roe^John", study_date="20240301", image_type=SIEMENS.image_type),
        seed=3,
    )
    return folder


def test_mixed_patients_are_listed_and_asked_for(tmp_path: Path) -> None:
    folder = mixed(tmp_path / "in")
    found = read_folder.look(folder)
    assert "2 patients in 3 studies" in found.ambiguous
    with pytest.raises(InvalidInput, match=r"2 patients in 3 studies.*--choose 1,3 or --choose all"):
        read_folder.take(folder, tmp_path / "study")
    assert not (tmp_path / "study").exists()
    taken = read_folder.take(folder, tmp_path / "study", Options(choose="2"))
    assert list(taken.scans["session"]) == ["m00"]


def test_visits_become_days_since_baseline(tmp_path: Path) -> None:
    taken = read_folder.take(mixed(tmp_path / "in"), tmp_path / "study", Options(choose="all"))
    rows = {(row.subject, row.session, row.day) for row in taken.scans.itertuples()}
    assert rows == {("sub-001", "m00", 0.0), ("sub-001", "m06", 184.0), ("sub-002", "m00", 0.0)}
    sessions = (tmp_path / "study/raw/sub-001/sub-001_sessions.tsv").read_text()
    assert sessions.endswith("ses-m00\t0\nses-m06\t184\n")


def split(tmp_path: Path) -> tuple[Path, Path]:
    """Baseline and follow-up in folders of their own."""
    echoes(tmp_path / "first", SIEMENS.but(number=1), seed=1)
    echoes(tmp_path / "second", SIEMENS.but(number=1, study="2", study_date="20240704"), seed=2)
    return tmp_path / "first", tmp_path / "second"


def test_a_follow_up_without_a_key_needs_its_day(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    study = tmp_path / "study"
    read_folder.take(first, study, Options(subject="a7"))
    with pytest.raises(
        InvalidInput, match="sub-a7 is in the study, but the days since its baseline are unknown"
    ):
        read_folder.take(second, study, Options(subject="a7"))
    taken = read_folder.take(second, study, Options(subject="a7", day=184))
    assert list(taken.scans["session"]) == ["m06"]


def test_a_follow_up_is_known_again_by_the_baseline_beside_it(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    study = tmp_path / "study"
    read_folder.take(first, study)
    first.rename(second / "first")
    taken = read_folder.take(second, study, Options(choose="all"))
    assert {(row.subject, row.session, row.state) for row in taken.scans.itertuples()} == {
        ("sub-001", "m00", "known"),
        ("sub-001", "m06", "new"),
    }


def test_a_key_file_knows_who_is_who(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    study, key = tmp_path / "study", tmp_path / "key.csv"
    read_folder.take(first, study, Options(key=key))
    taken = read_folder.take(second, study, Options(key=key))
    assert list(taken.scans[["subject", "session", "day"]].iloc[0]) == ["sub-001", "m06", 184.0]
    assert "P1" in key.read_text()
    with pytest.raises(InvalidInput, match="inside the study folder"):
        read_folder.take(first, study, Options(key=study / "key.csv"))


def test_salted_pseudonyms_are_the_same_in_every_study(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    one = read_folder.take(first, tmp_path / "one", Options(salt="s"))
    two = read_folder.take(second, tmp_path / "two", Options(salt="s"))
    other = read_folder.take(first, tmp_path / "three", Options(salt="t"))
    assert one.scans["subject"][0] == two.scans["subject"][0] != other.scans["subject"][0]


def test_one_pseudonym_for_two_patients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="one subject for the scans of 2 patients"):
        read_folder.take(mixed(tmp_path / "in"), tmp_path / "study", Options(choose="all", subject="a"))


def test_a_pseudonym_that_is_the_patients_name_is_refused(export: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a text of the patient's identity"):
        read_folder.take(export, tmp_path / "study", Options(subject="jane"))


STACK = Grid(shape=(7, 6, 6))


def test_stacks_of_one_scan_enter_as_one(tmp_path: Path) -> None:
    """Two stacks of one series that overlap by two slices."""
    grids = [STACK, Grid(shape=(7, 6, 6), origin=tuple(STACK.position(4)))]
    ramp = np.add.outer(np.arange(42).reshape(7, 6) * 20, np.arange(10) * 100)
    for number, grid in enumerate(grids):
        begin = 4 * number
        tags = {"StackID": str(number + 1)}
        make.classic(
            tmp_path / "in",
            ramp[..., begin : begin + 6],
            SIEMENS.but(number=3 + number, time=f"10{number}000", tags=tags),
            grid=grid,
            word=f"s{number}",
        )
    found = read_folder.look(tmp_path / "in")
    taken = read_folder.take(tmp_path / "in", tmp_path / "study")
    assert list(found.table["stacks"]) == [2]
    assert len(taken.scans) == 1
    (scan,) = bids.scans(tmp_path / "study" / "raw")
    np.testing.assert_allclose(bids.read(scan).payload.channels["image"], ramp, rtol=1e-5)


PLANTED = [f"zq{number:03d}xk" for number in range(60)]
"""Texts that occur nowhere by chance."""


def planted(dataset_tags: dict[object, object]) -> None:
    """Identity in every corner of a header: names, dates, places, UIDs, private and nested elements."""
    word = iter(PLANTED)
    for keyword in [
        "PatientID",
        "OtherPatientIDs",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "AccessionNumber",
        "StudyID",
        "ReferringPhysicianName",
        "PerformingPhysicianName",
        "OperatorsName",
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "StationName",
        "DeviceSerialNumber",
        "PatientComments",
        "ImageComments",
        "StudyDescription",
        "SeriesDescription",
        "ProtocolName",
        "RequestedProcedureDescription",
        "PerformedProcedureStepID",
        "PatientMotherBirthName",
        "EthnicGroup",
        "Occupation",
        "AdditionalPatientHistory",
        "DerivationDescription",
    ]:
        dataset_tags[keyword] = next(word)
    dataset_tags["PatientName"] = f"{next(word)}^{next(word)}"
    dataset_tags["SoftwareVersions"] = next(word)
    dataset_tags["StudyInstanceUID"], dataset_tags["SeriesInstanceUID"] = "1.2.99.4242.1", "1.2.99.4242.2"
    dataset_tags["FrameOfReferenceUID"] = "1.2.99.4242.3"
    dataset_tags["StudyDate"] = dataset_tags["SeriesDate"] = dataset_tags["AcquisitionDate"] = "19870605"
    dataset_tags["ContentDate"], dataset_tags["PatientBirthDate"] = "19870604", "19320203"
    dataset_tags["StudyTime"] = "134729.123456"
    nested = Dataset()
    nested.PatientName = next(word)
    dataset_tags["RequestAttributesSequence"] = Items([nested])
    dataset_tags[0x00991001] = ("LO", next(word))
    dataset_tags[0x00990010] = ("LO", next(word))
    inner = Dataset()
    inner[0x00990010] = DataElement(0x00990010, "LO", next(word))
    dataset_tags[0x00992000] = ("SQ", Items([inner]))


SECRETS = [*PLANTED, "19870605", "19870604", "19320203", "1987-06-05", "1932-02-03", "1.2.99.4242", "134729"]


def test_no_byte_of_a_study_holds_identity(tmp_path: Path) -> None:
    tags: dict[object, object] = {}
    planted(tags)
    rng = np.random.default_rng(1)
    for shift, name in enumerate(("WATER", "FAT")):
        look = SIEMENS.but(number=4, image_type=("DERIVED", "PRIMARY", "M", "ND", "DIXON", name), tags=tags)
        make.classic(tmp_path / PLANTED[-1], make.whole(rng), look, word=f"{PLANTED[-2]}{name}{shift}")
    make.classic(tmp_path / PLANTED[-1], make.whole(rng), SIEMENS.but(number=7, tags=tags), word="plain")
    study = tmp_path / "study"
    taken = read_folder.take(tmp_path / PLANTED[-1], study, jobs=2)
    assert set(taken.scans["state"]) == {"new"}
    told = " ".join(map(str, taken.findings)) + taken.scans.to_csv()
    for name, content in {**everything(study), "told": told.encode()}.items():
        if name.endswith(".gz"):
            assert content[4:8] * 2 == b"\0" * 8  # no time in the gzip header
        unpacked = gzip.decompress(content) if name.endswith(".gz") else content
        for secret in SECRETS:
            assert secret.encode() not in unpacked.lower(), f"{secret} in {name}"
            assert secret not in name.lower()
    assert str(tmp_path).encode() not in b"".join(everything(study / "raw").values())


def test_burnt_in_text_is_warned_of(tmp_path: Path) -> None:
    look = SIEMENS.but(tags={"BurnedInAnnotation": "YES"})
    make.classic(tmp_path / "in", make.whole(np.random.default_rng(1)), look)
    taken = read_folder.take(tmp_path / "in", tmp_path / "study")
    assert "burnt-in text" in {one.category for one in taken.findings}


def test_a_scan_that_cannot_be_read_is_a_line_and_the_others_enter(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dicom.read

    def read(series: dicom.Series, **options: object) -> dicom.Reading:
        if series.kind == "dixon":
            raise InvalidInput("the slices cannot be decoded")
        return real(series, **options)

    monkeypatch.setattr(dicom, "read", read)
    taken = read_folder.take(export, tmp_path / "study")
    assert dict(zip(taken.scans["kind"], taken.scans["state"], strict=True)) == {
        "multiecho": "new",
        "dixon": "refused",
    }
    assert "cannot be decoded" in taken.scans["reason"][taken.scans["kind"] == "dixon"].iloc[0]
    assert [one.kind for one in bids.scans(tmp_path / "study" / "raw")] == ["multiecho"]


def test_an_interrupt_keeps_what_was_finished_and_goes_on_later(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study"
    real = bids_write.enter
    count = []

    def enter(*arguments: object, **options: object) -> bids_write.Entered:
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(bids_write, "enter", enter)
    with pytest.raises(KeyboardInterrupt):
        read_folder.take(export, study)
    monkeypatch.undo()
    assert len(bids.scans(study / "raw")) == 1
    taken = read_folder.take(export, study)
    assert list(taken.scans["state"]) == ["known", "new"]
    assert not [path for path in study.rglob(".*") if path.name != ".bidsignore"]


@pytest.mark.slow
def test_a_killed_process_leaves_no_half_scan(export: Path, tmp_path: Path) -> None:
    """SIGKILL at six moments; what is finished stays, the rest is made good by the next run."""
    read_folder.take(export, tmp_path / "whole")
    whole = everything(tmp_path / "whole" / "raw")
    study = tmp_path / "study"
    words = [sys.executable, "-W", "ignore", "-m", "myoproof.cli", "read", str(export), "--out", str(study)]
    for share in (0.3, 0.5, 0.7, 0.8, 0.9, 0.97):
        began = time.monotonic()
        subprocess.run([*words[:-1], str(tmp_path / f"timed{share}")], check=True, capture_output=True)
        took = time.monotonic() - began
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(share * took)
        running.send_signal(signal.SIGKILL)
        running.wait()
        held = everything(study / "raw") if study.exists() else {}
        for name in [name for name in held if name.endswith(".json") and "/mr-" in name]:
            assert held[name] == whole[name]
            image = name.replace(".json", ".nii.gz")
            assert held[image] == whole[image]
    read_folder.take(export, study)
    for hidden in (study / "raw").glob(".writing-*"):
        shutil.rmtree(hidden)
    assert everything(study / "raw") == whole
    assert len(read_frame(study / "tables" / "acquisitions.parquet")) == 2


def test_nifti_with_bids_names_enters_likewise(export: Path, tmp_path: Path) -> None:
    read_folder.take(export, tmp_path / "one")
    taken = read_folder.take(tmp_path / "one" / "raw", tmp_path / "two")
    assert list(taken.scans["state"]) == ["new", "new"]
    one, two = (everything(tmp_path / name / "raw") for name in ("one", "two"))
    assert {name for name in one if name.startswith("sub-001/ses")} <= set(two)
    assert (
        one["sub-001/ses-m00/mr-quant/sub-001_ses-m00_FAT.nii.gz"]
        == two["sub-001/ses-m00/mr-quant/sub-001_ses-m00_FAT.nii.gz"]
    )


def test_folders_of_something_else_are_refused(export: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="there is no such folder"):
        read_folder.look(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotReadable, match="the folder is empty"):
        read_folder.look(tmp_path / "empty")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("hello")
    with pytest.raises(NotWritable, match="holds something else"):
        read_folder.take(export, tmp_path / "other")
    with pytest.raises(InvalidInput, match="holds no scan that can be read"):
        read_folder.take(tmp_path / "other", tmp_path / "study")


def command(*words: object) -> int:
    """Exit code of a command line."""
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command_shows_then_writes(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("read", export) == 0
    assert "Nothing was written. To write a study: --out STUDY" in capsys.readouterr().out
    key = tmp_path / "key.csv"
    assert command("read", export, "--out", tmp_path / "study", "--key", key, "-j", 1) == 0
    said = capsys.readouterr()
    assert "2 new in" in said.out
    assert "keep it apart from the study" in said.err.replace("\n", " ")
    assert key.is_file()


def test_the_command_asks_where_patients_are_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = mixed(tmp_path / "in")
    assert command("read", folder) == 0
    assert "2 patients in 3 studies" in capsys.readouterr().out.replace("\n", " ")
    assert command("read", folder, "--out", tmp_path / "study") == 2
    assert "--choose 1,3 or --choose all" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "study").exists()


@pytest.mark.real_data
def test_a_real_thigh_from_end_to_end(data_folder: Path, tmp_path: Path) -> None:
    """TCIA soft-tissue sarcoma STS_001 (CC BY 3.0, via oncoray/mirp): 59 slices and an RTSTRUCT."""
    taken = read_folder.take(data_folder / "mri_dicom_thigh_t1", tmp_path / "study")
    assert list(taken.scans["state"]) == ["new"]
    back = bids.read(bids.scans(tmp_path / "study" / "raw")[0])
    assert back.payload.shape == (174, 158, 59)
    np.testing.assert_allclose(back.payload.spacing_mm, [0.9765625, 0.9765625, 3.27], atol=1e-3)
    content = b"".join(
        gzip.decompress(one) if name.endswith(".gz") else one
        for name, one in everything(tmp_path / "study").items()
    )
    for secret in (b"STS_001", b"20000907", b"1965292013600439", b"1.3.6.1.4.1.14519"):
        assert secret not in content
