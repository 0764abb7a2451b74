"""Lossless JPEG: every predictor, precision and restart decodes to what was coded; GDCM's stream too."""

import base64
import struct

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import SIEMENS, XA, Grid, Part

from myoproof.sources import dicom
from myoproof.sources.dicom_lossless import decode

GDCM = (
    "/9j/wwALEAAFAAYBAREA/8QAGwAAAgMAAwAAAAAAAAAAAAAACgsGCQwFCBD/2gAIAQEAAQAA93wJOOsaFZmflLNilD8mqGatkVvhbTDhstm85heE"
    "ZAx+buZzmfEEGzMxMxC+A//Z"
)
"""A frame of 5 x 6 written by GDCM 3.2.6 (ImageChangeTransferSyntax, JPEGLosslessProcess14_1), base64."""


def coded_by_gdcm() -> np.ndarray:
    return np.array([(7 * k * k + 13 * k) % 4096 for k in range(30)]).reshape(6, 5).T


def test_a_stream_of_another_maker() -> None:
    np.testing.assert_array_equal(decode(base64.b64decode(GDCM), (5, 6)), coded_by_gdcm())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    rows=st.integers(1, 12),
    columns=st.integers(1, 12),
    predictor=st.integers(1, 7),
    precision=st.sampled_from([2, 8, 12, 16]),
    restart_lines=st.integers(0, 4),
    smooth=st.booleans(),
)
def test_every_coding_of_any_frame(seed, rows, columns, predictor, precision, restart_lines, smooth) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 2 if smooth else 1 << precision, (rows, columns))
    if smooth:
        samples = np.clip(samples.cumsum(axis=0) + (1 << precision) // 2, 0, (1 << precision) - 1)
    stream = make.lossless_jpeg(
        samples, predictor=predictor, precision=precision, restart_lines=restart_lines
    )
    np.testing.assert_array_equal(decode(stream, (rows, columns)), samples)


def test_a_point_transform_drops_the_low_bits() -> None:
    samples = np.random.default_rng(1).integers(0, 4096, (7, 9))
    np.testing.assert_array_equal(decode(make.lossless_jpeg(samples, shift=3), (7, 9)), samples >> 3 << 3)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(2, 101), value=st.integers(0, 255), cut=st.integers(0, 101))
def test_damage_gives_numbers_or_a_value_error(place, value, cut) -> None:
    """Nothing else may come of a damaged stream, as it may have been made to harm."""
    stream = bytearray(base64.b64decode(GDCM))
    stream[place] = value
    for damaged in (bytes(stream), bytes(stream[:cut])):
        try:
            found = decode(damaged, (5, 6))
        except (ValueError, struct.error):
            continue
        assert found.shape == (5, 6)


def test_a_stream_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="5 x 6"):
        decode(base64.b64decode(GDCM), (6, 5))


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"])
@pytest.mark.parametrize("signed", [False, True])
def test_files_of_this_syntax_are_read(tmp_path, uid, signed) -> None:
    grid = Grid(shape=(9, 8, 4))
    rng = np.random.default_rng(2)
    truth = [rng.integers(-2048 if signed else 0, 2048, grid.shape) for _ in range(4)]
    look = XA.but(signed=signed)
    parts = [
        Part(values, component="IMAGINARY" if number % 2 else "REAL", echo_ms=1.0 + number // 2)
        for number, values in enumerate(truth)
    ]
    path = make.enhanced(tmp_path / "a", parts, look, grid=grid)
    compress(path, uid)
    make.classic(tmp_path, truth[0], SIEMENS.but(number=9, signed=signed), grid=grid)
    for one in tmp_path.glob("*.dcm"):
        compress(one, uid)
    echoes, single = dicom.scan_folder(tmp_path).series
    expected = np.stack(truth[::2], axis=-1) + 1j * np.stack(truth[1::2], axis=-1)
    np.testing.assert_array_equal(dicom.read_series(echoes).payload.values, expected)
    np.testing.assert_array_equal(dicom.read_series(single).payload.channels["image"], truth[0])


def compress(path, uid: str) -> None:
    dataset = pydicom.dcmread(path)
    words = np.frombuffer(dataset.PixelData, "<u2").reshape(-1, dataset.Rows, dataset.Columns) & 0xFFF
    frames = [make.lossless_jpeg(frame) for frame in words]
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)
    dataset.save_as(path)
