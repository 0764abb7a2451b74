"""Ultrasound DICOM: scales of regions believed only where they hold, every pixel coding, cine times, no identity."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless
from tests.sources.ultrasound_makers import simulated

from myoproof.core.acquisition import Picture
from myoproof.delivery.ultrasound_files import dicom
from myoproof.errors import NotReadable
from myoproof.sources.ultrasound import UltrasoundReading, reading

Change = Callable[[Any], None]


def file(folder: Path, *changes: Change) -> Path:
    """The simulated frame as DICOM, changed."""
    header = dicom(simulated())
    for change in changes:
        change(header)
    header.save_as(folder / "a.dcm", enforce_file_format=True)
    return folder / "a.dcm"


def region(**values: Any) -> Change:
    """A change of the file's region."""

    def change(header: Any) -> None:
        for name, value in values.items():
            setattr(header.SequenceOfUltrasoundRegions[0], name, value)

    return change


def without_regions(header: Any) -> None:
    del header.SequenceOfUltrasoundRegions


def picture(found: UltrasoundReading) -> Picture:
    assert isinstance(found.acquisition.payload, Picture)
    return found.acquisition.payload


def told(found: UltrasoundReading) -> str:
    return " | ".join(finding.message for finding in found.findings)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"RegionLocationMaxX1": 900}, "outside the image"),
        ({"RegionLocationMaxY1": 700, "RegionLocationMaxX1": 1000}, "2 times as large"),
        ({"PhysicalDeltaX": 0.02}, "not square"),
        ({"PhysicalDeltaX": 0.0, "PhysicalDeltaY": 0.0}, "zero"),
        ({"PhysicalDeltaX": 0.2, "PhysicalDeltaY": 0.2}, "depth of"),
        ({"PhysicalDeltaX": 0.0005, "PhysicalDeltaY": 0.0005}, "depth of"),
        ({"PhysicalUnitsXDirection": 4}, "no region"),
        ({"RegionSpatialFormat": 2}, "no region"),
        ({"RegionDataType": 10}, "no region"),
    ],
)
def test_a_region_that_cannot_be_is_refused_and_told(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    def also_spaced(header: Any) -> None:
        header.PixelSpacing = [0.1, 0.1]

    found = reading(file(tmp_path, region(**values), also_spaced))
    assert picture(found).spacing_mm is None
    assert message in told(found)
    assert "uncalibrated" in found.flags


def test_where_regions_are_absent_pixel_spacing_counts(tmp_path: Path) -> None:
    def spaced(header: Any) -> None:
        header.PixelSpacing = [0.1, 0.1]

    found = reading(file(tmp_path, without_regions, spaced))
    assert (picture(found).spacing_mm, picture(found).spacing_source) == ((0.1, 0.1), "pixel_spacing")
    plain = reading(file(tmp_path, without_regions))
    assert picture(plain).spacing_mm is None


def test_a_given_size_against_the_region_is_told_and_not_used(tmp_path: Path) -> None:
    path = file(tmp_path)
    right = picture(reading(path)).spacing_mm
    found = reading(path, spacing_mm=0.5)
    assert picture(found).spacing_mm == right
    assert "0.5 mm were given" in told(found)


def test_scales_that_change_between_frames_are_refused(tmp_path: Path) -> None:
    def frames(header: Any) -> None:
        groups = []
        for step in (0.01, 0.012):
            item = Dataset()
            own = deepcopy(header.SequenceOfUltrasoundRegions[0])
            own.PhysicalDeltaX = own.PhysicalDeltaY = step
            item.SequenceOfUltrasoundRegions = [own]
            groups.append(item)
        header.PerFrameFunctionalGroupsSequence = groups

    assert "frame to frame" in told(reading(file(tmp_path, frames)))


def test_a_trace_region_beside_the_tissue_does_no_harm(tmp_path: Path) -> None:
    def trace(header: Any) -> None:
        other = deepcopy(header.SequenceOfUltrasoundRegions[0])
        other.RegionSpatialFormat, other.RegionDataType = 4, 10
        other.RegionLocationMaxY1 = 5000
        header.SequenceOfUltrasoundRegions = [other, header.SequenceOfUltrasoundRegions[0]]

    assert picture(reading(file(tmp_path, trace))).spacing_source == "region"


def test_the_two_files_with_regions_outside_stay_in_pixels() -> None:
    palette = reading(get_testdata_file("examples_palette.dcm"))
    assert picture(palette).spacing_mm is None
    assert "rows 60-518" in told(palette)
    assert palette.shape == "sector"
    assert palette.acquisition.device == "Philips Medical Systems CX50"
    assert palette.acquisition.preset == "OB_GENERAL, C5-1"
    cine = reading(get_testdata_file("examples_ybr_color.dcm"))
    assert picture(cine).spacing_mm is None
    assert "2 times as large, with pixels of 1.021 mm" in told(cine)
    assert picture(cine).pixels.shape == (30, 240, 320, 1)
    assert picture(cine).times_s == pytest.approx(np.arange(30) * 0.033333)
    assert cine.shape == "sector"


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_jpeg2k.dcm"])
def test_power_doppler_is_left_out(name: str) -> None:
    found = reading(get_testdata_file(name))
    assert {"colour_masked", "dual_image"} <= set(found.flags)
    assert found.acquisition.device == "G.E. Medical Systems LOGIQ 700"
    assert found.secrets


def test_compressed_syntaxes_give_the_same_grey(tmp_path: Path) -> None:
    plain = picture(reading(file(tmp_path))).pixels[0, ..., 0]
    for syntax in (RLELossless, JPEG2000Lossless):
        header = dicom(simulated())
        header.compress(syntax)
        header.save_as(tmp_path / "b.dcm", enforce_file_format=True)
        assert np.array_equal(picture(reading(tmp_path / "b.dcm")).pixels[0, ..., 0], plain)


def test_jpeg_baseline_is_read(tmp_path: Path) -> None:
    from_jpeg = tmp_path / "a.jpg"
    plain = picture(reading(file(tmp_path))).pixels[0, ..., 0]
    Image.fromarray(plain).save(from_jpeg, quality=95)
    header = dicom(simulated())
    header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    header.PixelData = encapsulate([from_jpeg.read_bytes()])
    header["PixelData"].VR = "OB"
    header.LossyImageCompression = "01"
    header.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    found = picture(reading(tmp_path / "b.dcm")).pixels[0, ..., 0].astype(int)
    assert np.abs(found - plain).mean() < 3


def test_deep_and_inverted_pixels(tmp_path: Path) -> None:
    plain = picture(reading(file(tmp_path))).pixels[0, ..., 0]

    def deep(header: Any) -> None:
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
        header.PixelData = (plain.astype("<u2") << 4).tobytes()

    def inverted(header: Any) -> None:
        header.PhotometricInterpretation = "MONOCHROME1"
        header.PixelData = (255 - plain).tobytes()

    found = reading(file(tmp_path, deep))
    assert np.array_equal(picture(found).pixels[0, ..., 0], plain)
    assert "12 bits" in told(found)
    assert np.array_equal(picture(reading(file(tmp_path, inverted))).pixels[0, ..., 0], plain)


def cine(frames: int) -> Change:
    def change(header: Any) -> None:
        one = header.PixelData
        header.NumberOfFrames = frames
        header.PixelData = one * frames

    return change


def test_cine_times_by_vector_show_dropped_frames(tmp_path: Path) -> None:
    def vector(header: Any) -> None:
        header.FrameTimeVector = [0, 40, 40, 120, 40, 40]

    found = reading(file(tmp_path, cine(6), vector))
    assert picture(found).times_s == pytest.approx([0, 0.04, 0.08, 0.2, 0.24, 0.28])
    assert "2 of 8 frames are missing" in told(found)
    assert "frames_dropped" in found.flags


def test_cine_without_times_and_with_one_frame(tmp_path: Path) -> None:
    def untimed(header: Any) -> None:
        for name in ("FrameTime", "CineRate", "FrameTimeVector", "RecommendedDisplayFrameRate"):
            if name in header:
                delattr(header, name)

    found = reading(file(tmp_path, cine(3), untimed))
    assert picture(found).times_s is None
    assert "no frame times" in told(found)

    def single(header: Any) -> None:
        header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
        header.NumberOfFrames = 1

    assert "one frame only" in told(reading(file(tmp_path, single)))


def test_settings_of_the_header_are_kept_and_people_are_not(tmp_path: Path) -> None:
    def whose(header: Any) -> None:
        header.PatientName, header.PatientID = "Mustermann^Erika", "4711-0815"
        header.ProcessingFunction = "MSK mustermann"
        header.DepthOfScanField = 45
        header.Manufacturer, header.ManufacturerModelName = "Maker", "Model 1"
        header.SequenceOfUltrasoundRegions[0].TransducerFrequency = 12000

    found = reading(file(tmp_path, whose))
    assert found.acquisition.settings["depth_mm"] == 45
    assert found.acquisition.settings["transmit_frequency_hz"] == 12e6
    assert found.acquisition.device == "Maker Model 1"
    assert found.acquisition.preset == ""
    words = repr(found.acquisition) + told(found)
    assert "ustermann" not in words
    assert "4711" not in words


@pytest.mark.parametrize(
    ("name", "message"), [("CT_small.dcm", "not an ultrasound"), ("rtplan.dcm", "not an ultrasound")]
)
def test_other_objects_are_named(name: str, message: str) -> None:
    with pytest.raises(NotReadable, match=message):
        reading(get_testdata_file(name))


def test_a_claim_of_terabytes_is_refused(tmp_path: Path) -> None:
    def huge(header: Any) -> None:
        header.Rows = header.Columns = 65000
        header.NumberOfFrames = 1000

    with pytest.raises(NotReadable, match="claims"):
        reading(file(tmp_path, huge))


def test_frames_that_are_cut_off_are_told(tmp_path: Path) -> None:
    header = dicom(simulated())
    cine(4)(header)
    header.FrameTime = 40
    header.compress(RLELossless)
    path = tmp_path / "a.dcm"
    header.save_as(path, enforce_file_format=True)
    broken = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(broken.PixelData, number_of_frames=4))
    broken.PixelData = encapsulate([*frames[:2], b"\x00" * 64, frames[3]], has_bot=False)
    broken.save_as(path, enforce_file_format=True)
    found = reading(path)
    assert picture(found).pixels.shape[0] == 2
    assert "2 of 4 frames are missing" in told(found)
