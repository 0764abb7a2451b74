"""Ultrasound files: what is written is what a reader of that format finds."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.delivery.ultrasound_files import write
from myoproof.errors import InvalidInput

ROWS, COLS, FRAMES = 40, 64, 5


@pytest.fixture
def cine() -> Acquisition:
    rng = np.random.default_rng(1)
    pixels = cv2.GaussianBlur(rng.integers(0, 255, (FRAMES, ROWS, COLS)).astype(np.float32), (0, 0), 2.0)
    tissue = np.zeros((ROWS, COLS), dtype=bool)
    tissue[4:30, 10:60] = True
    picture = Picture(
        pixels.astype(np.uint8)[..., None], (0.2, 0.3), "phantom", np.arange(FRAMES) / 25.0, tissue
    )
    return Acquisition(
        "s1", "m00", "1", "ultrasound", picture, device="device-a", settings={"transmit_frequency_hz": 12e6}
    )


def test_png_holds_the_first_frame(cine: Acquisition, tmp_path: Path) -> None:
    write(cine, tmp_path / "a.png")
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), cine.payload.pixels[0, ..., 0]
    )


def test_colour_keeps_its_order(tmp_path: Path) -> None:
    pixels = np.zeros((1, ROWS, COLS, 3), dtype=np.uint8)
    pixels[..., 0] = 200  # red
    write(Acquisition("s", "m00", "1", "ultrasound", Picture(pixels, None)), tmp_path / "a.png")
    assert cv2.imread(str(tmp_path / "a.png"))[0, 0].tolist() == [0, 0, 200]  # OpenCV: blue first


def test_dicom_cine_carries_pixels_scale_and_rate(cine: Acquisition, tmp_path: Path) -> None:
    write(cine, tmp_path / "a.dcm")
    data = pydicom.dcmread(tmp_path / "a.dcm")
    np.testing.assert_array_equal(data.pixel_array, cine.payload.pixels[..., 0])
    region = data.SequenceOfUltrasoundRegions[0]
    assert (region.PhysicalDeltaX, region.PhysicalDeltaY) == pytest.approx((0.03, 0.02))
    assert (region.RegionLocationMinX0, region.RegionLocationMaxX1) == (10, 59)
    assert (region.RegionLocationMinY0, region.RegionLocationMaxY1) == (4, 29)
    assert float(data.FrameTime) == pytest.approx(40.0)
    assert region.TransducerFrequency == 12000


def test_dicom_without_a_scale(cine: Acquisition, tmp_path: Path) -> None:
    write(cine, tmp_path / "a.dcm", calibrated=False)
    assert "SequenceOfUltrasoundRegions" not in pydicom.dcmread(tmp_path / "a.dcm")


def test_avi_keeps_frames_and_rate(cine: Acquisition, tmp_path: Path) -> None:
    write(cine, tmp_path / "a.avi")
    video = cv2.VideoCapture(str(tmp_path / "a.avi"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(25.0)
    frames = [video.read()[1][..., 0] for _ in range(FRAMES)]
    assert not video.read()[0]
    difference = np.abs(np.stack(frames).astype(float) - cine.payload.pixels[..., 0])
    assert difference.mean() < 3.0  # lossy


def test_same_content_same_bytes(cine: Acquisition, tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        write(cine, tmp_path / name)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_what_cannot_be_written_is_refused(cine: Acquisition, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no way to write"):
        write(cine, tmp_path / "a.docx")
    unscaled = replace(cine, payload=replace(cine.payload, spacing_mm=None))
    with pytest.raises(InvalidInput, match="no scale"):
        write(unscaled, tmp_path / "a.dcm")
    assert not list(tmp_path.iterdir())
