"""A file that kills, fills or stalls the process that parses it is named and left out; the others are read."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, RLELossless
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import SIEMENS, XA, Grid, Part

from myoproof.sources import dicom
from myoproof.workflow import executors, read_child, read_folder

FAULTS = """
import os, time
from pathlib import Path
from myoproof.sources import dicom_unpack, dicom_wire

def ill(path):
    name = Path(path).name
    if "_002" in name: KIND()

def crash(): os.abort()
def hoard(): bytearray(2**40)
def stall(): time.sleep(60)
def hang_up(): os._exit(0)

KIND = {kind}

def parse(argument):
    for path in argument["paths"]: ill(path)
    return dicom_wire.parse(argument)

def unpack(argument):
    ill(argument["path"])
    return dicom_unpack.unpack(argument)
"""
GRID = Grid(shape=(7, 6, 9))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes the child fall ill over the third file in a way of choice."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))

    def set_(kind: str) -> None:
        (tmp_path / "path" / "faults.py").write_text(FAULTS.replace("{kind}", kind))
        monkeypatch.setattr(read_child, "PARSE", "faults:parse")
        monkeypatch.setattr(read_child, "UNPACK", "faults:unpack")
        if kind == "stall":
            monkeypatch.setattr(read_child, "HEADERS_S", 7.0)
            monkeypatch.setattr(read_child, "PIXELS_S", 7.0)

    return set_


def compress(path: Path, syntax: str = RLELossless) -> None:
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("crash", "was killed (SIGABRT)"),
        ("hang_up", "ended by itself (exit code 0)"),
        ("hoard", "ran out of memory"),
        pytest.param("stall", "took longer than 7 s", marks=pytest.mark.slow),
    ],
)
def test_a_file_that_kills_the_parser_leaves_the_others_read(kind, said, fault, tmp_path, rng) -> None:
    make.classic(tmp_path / "in", make.whole(rng, GRID), SIEMENS, grid=GRID)
    fault(kind)
    found = read_folder.look(tmp_path / "in")
    (scan,) = found.scans
    assert scan.parts[0].absent_slices == (2,)
    (finding,) = [one for one in found.findings if one.category == "unreadable file"]
    assert said in finding.message
    assert Path(finding.where).name.endswith("_002.dcm")


@pytest.mark.parametrize("kind", ["crash", pytest.param("stall", marks=pytest.mark.slow)])
def test_a_file_that_kills_its_decoder_is_an_absent_slice(kind, fault, tmp_path, rng) -> None:
    truth = make.whole(rng, GRID)
    for path in make.classic(tmp_path / "in", truth, SIEMENS, grid=GRID):
        compress(path)
    (scan,) = dicom.scan_folder(tmp_path / "in").series
    fault(kind)
    reading = read_child.read(scan)
    (finding,) = reading.findings
    assert finding.category == "corrupt slices"
    assert "_002.dcm: cannot be decoded" in finding.message
    truth[:, :, 2] = 0
    np.testing.assert_array_equal(reading.acquisition.payload.channels["image"], truth)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("signed", [False, True])
def test_decoded_in_a_child_or_here_is_the_same(syntax, signed, tmp_path, rng) -> None:
    grid = Grid(shape=(70, 66, 3))
    truth = rng.integers(-2048 if signed else 0, 2048, grid.shape)
    for path in make.classic(tmp_path, truth, SIEMENS.but(signed=signed), grid=grid):
        dataset = pydicom.dcmread(path)
        if signed:
            dataset.PixelData = truth[:, :, dataset.InstanceNumber - 1].T.astype("<i2").tobytes()
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    (scan,) = dicom.scan_folder(tmp_path).series
    here, there = dicom.read(scan), read_child.read(scan)
    np.testing.assert_array_equal(there.acquisition.payload.channels["image"], truth)
    np.testing.assert_array_equal(here.acquisition.payload.channels["image"], truth)
    assert there.acquisition.digest == here.acquisition.digest
    assert there.findings == here.findings


def test_a_compressed_enhanced_file_with_one_bad_frame(tmp_path, rng) -> None:
    grid = Grid(shape=(20, 16, 12))
    truth = make.whole(rng, grid)
    path = make.enhanced(tmp_path / "a", [Part(truth)], XA, grid=grid, order=np.arange(12))
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=12))
    frames[4] = b"\xff" * 80
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset.save_as(path)
    (scan,) = dicom.scan_folder(tmp_path).series
    here, there = dicom.read(scan), read_child.read(scan)
    assert there.findings == here.findings
    assert "1 of 12 slices cannot be read" in here.findings[0].message
    truth[:, :, 4] = 0
    np.testing.assert_array_equal(there.acquisition.payload.channels["image"], truth)
    np.testing.assert_array_equal(here.acquisition.payload.channels["image"], truth)


def test_a_child_grants_no_more_than_its_parent_has(tmp_path, rng) -> None:
    """`run mri` reads in a process of little memory, whose children may not ask for more."""
    make.classic(tmp_path / "in", make.whole(rng, GRID), SIEMENS, grid=GRID)
    job = executors.Job("look", "tests.workflow.test_read_child:count", {"folder": str(tmp_path / "in")})
    with executors.Pool(1, limits=executors.Limits(memory_gib=2.0)) as pool:
        pool.submit(job)
        outcome = pool.wait()
    assert outcome.value == 1, outcome


def count(argument: dict[str, str]) -> int:
    """The scans of a folder."""
    return len(read_folder.look(Path(argument["folder"])).scans)
