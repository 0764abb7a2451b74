"""Stored integers: every bit layout, sign, byte order and compression gives the numbers that were written."""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from openjpeg.utils import encode_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import SIEMENS, XA, Grid, Part

from myoproof.errors import InvalidInput
from myoproof.sources import dicom


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def image(folder: Path) -> np.ndarray:
    (scan,) = dicom.scan_folder(folder).series
    return dicom.read_series(scan).payload.channels["image"]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize(
    ("bits", "signed"),
    [((16, 12), False), ((16, 12), True), ((16, 16), True), ((8, 8), False), ((32, 32), True)],
)
def test_native_layouts(tmp_path, rng, syntax, bits, signed) -> None:
    low, high = (-(1 << (bits[1] - 1)), 1 << (bits[1] - 1)) if signed else (0, 1 << bits[1])
    truth = rng.integers(low, high, Grid().shape)
    truth.flat[:2] = low, high - 1
    make.classic(tmp_path, truth, SIEMENS.but(bits=bits, signed=signed, syntax=str(syntax)))
    np.testing.assert_array_equal(image(tmp_path), truth.astype(np.float32))


@pytest.mark.parametrize("signed", [False, True])
def test_bits_beside_the_stored_ones_are_ignored(tmp_path, rng, signed) -> None:
    """Overlay bits above, and a high bit that is not the last stored one."""
    truth = rng.integers(-2048 if signed else 0, 2048, Grid().shape)
    for path in make.classic(tmp_path, truth, SIEMENS.but(signed=signed)):
        dataset = pydicom.dcmread(path)
        words = np.frombuffer(dataset.PixelData, "<u2").astype(np.uint32)
        dataset.HighBit = 13
        dataset.PixelData = ((words << 2) | 0xC001).astype("<u2").tobytes()
        dataset.save_as(path)
    np.testing.assert_array_equal(image(tmp_path), truth)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("signed", [False, True])
def test_compressed_syntaxes(tmp_path, rng, syntax, signed) -> None:
    grid = Grid(shape=(70, 66, 3))
    truth = rng.integers(-2048 if signed else 0, 2048, grid.shape)
    for path in make.classic(tmp_path, truth, SIEMENS.but(signed=signed), grid=grid):
        dataset = pydicom.dcmread(path)
        if signed:
            dataset.PixelData = truth[:, :, dataset.InstanceNumber - 1].T.astype("<i2").tobytes()
        if syntax == JPEG2000Lossless:
            words = dataset.pixel_array
            codestream = encode_array(words, bits_stored=12)
            dataset.PixelData = pydicom.encaps.encapsulate([bytes(codestream)])
            dataset["PixelData"].VR = "OB"
            dataset["PixelData"].is_undefined_length = True
            dataset.file_meta.TransferSyntaxUID = syntax
        else:
            dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    np.testing.assert_array_equal(image(tmp_path), truth)


def test_a_compressed_enhanced_file_is_read_frame_by_frame(tmp_path, rng) -> None:
    grid = Grid(shape=(20, 16, 3))
    truth = [make.whole(rng, grid) for _ in range(3)]
    parts = [Part(values, echo_ms=1.0 + number) for number, values in enumerate(truth)]
    path = make.enhanced(tmp_path / "a", parts, XA, grid=grid, order=rng.permutation(9))
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    (scan,) = dicom.scan_folder(tmp_path).series
    np.testing.assert_array_equal(dicom.read_series(scan).payload.values, np.stack(truth, axis=-1))


def test_deflated_files(tmp_path, rng) -> None:
    truth = make.whole(rng)
    for path in make.classic(tmp_path, truth, SIEMENS):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
    np.testing.assert_array_equal(image(tmp_path), truth)


def test_an_undecodable_syntax_is_named_with_a_way_out(tmp_path, rng) -> None:
    for path in make.classic(tmp_path, make.whole(rng), SIEMENS):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8" + b"\0" * 30])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(
            "1.2.840.10008.1.2.4.201"
        )  # high-throughput JPEG 2000
        dataset.save_as(path)
    (scan,) = dicom.scan_folder(tmp_path).series
    with pytest.raises(InvalidInput, match=r"High-Throughput JPEG 2000.*convert the files"):
        dicom.read_series(scan)


def test_memory_is_the_result_and_one_frame(tmp_path, rng) -> None:
    """A file eight times larger than what one scan of it needs is never held."""
    grid = Grid(shape=(128, 128, 20))
    stored = np.zeros(grid.shape, int)
    parts = [Part(stored, ("DERIVED", "PRIMARY", "DIXON", word), echo_ms=1.0) for word in ("WATER", "FAT")]
    parts += [Part(stored, component="MAGNITUDE", echo_ms=1.0 + n) for n in range(14)]
    path = make.enhanced(tmp_path / "a", parts, XA, grid=grid)
    size = path.stat().st_size
    image_bytes = 2 * 4 * stored.size
    tracemalloc.start()
    scans = dicom.scan_folder(tmp_path).series
    headers = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    dicom.read_series(next(scan for scan in scans if scan.kind == "dixon"))
    peak = tracemalloc.get_traced_memory()[1] - headers
    tracemalloc.stop()
    assert peak < image_bytes + 20 * 8 * 128 * 128 < size / 2
    assert sys.getsizeof(scans) < 1000
