"""Write an ultrasound recording as a clinic's files: PNG, DICOM with its region, or a video."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.atomic import atomic_path
from myoproof.core.provenance import digest_arrays
from myoproof.errors import InvalidInput

SINGLE_FRAME, MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"
"""Ultrasound Image Storage and Ultrasound Multi-frame Image Storage."""
VIDEO_CODES = {".avi": "MJPG", ".mp4": "mp4v"}
DEFAULT_RATE_HZ = 30.0
PICTURES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
DICOMS = (".dcm", "")
MM_PER_CM = 10.0


def write(acquisition: Acquisition, path: Path, *, calibrated: bool = True) -> None:
    """Write pixels as they stand, in the format that the file's ending names.

    Parameters
    ----------
    acquisition : Acquisition
        Payload: ``Picture``, grey or colour.
    path : Path
        ``.png .bmp .tif .jpg``: the first frame, no scale. ``.dcm``: DICOM, all frames, with its region in
        cm per pixel. ``.avi .mp4``: all frames at their rate.
    calibrated : bool
        Whether DICOM carries the region (its box is that of the tissue) and thereby the scale.

    Raises
    ------
    InvalidInput
        If the payload is no picture, the ending is not known, or a scale is asked for that nobody knows.
    NotWritable
        If the file cannot be written.
    """
    picture, path = acquisition.payload, Path(path)
    if not isinstance(picture, Picture):
        raise InvalidInput(f"no picture in a {acquisition.modality} acquisition", where=path.name)
    suffix = path.suffix.lower()
    if suffix not in (*PICTURES, *DICOMS, *VIDEO_CODES):
        known = ", ".join(sorted((*PICTURES, ".dcm", *VIDEO_CODES)))
        raise InvalidInput(f"no way to write {suffix}", where=path.name, mend=f"use one of {known}")
    with atomic_path(path) as temporary:
        if suffix in PICTURES:
            _, data = cv2.imencode(suffix, _colours_for_opencv(picture.pixels[0]))
            temporary.write_bytes(data.tobytes())
        elif suffix in DICOMS:
            dicom(acquisition, calibrated=calibrated).save_as(temporary, enforce_file_format=True)
        else:
            _video(picture, acquisition, temporary, VIDEO_CODES[suffix])


def dicom(acquisition: Acquisition, *, calibrated: bool = True) -> FileDataset:
    """The acquisition as a DICOM data set; the same content gives the same bytes.

    Raises
    ------
    InvalidInput
        If a scale is asked for that nobody knows.
    """
    picture = acquisition.payload
    assert isinstance(picture, Picture)
    frames, rows, cols, bands = picture.pixels.shape
    digest = digest_arrays(picture.pixels)
    kind = SINGLE_FRAME if frames == 1 else MULTI_FRAME
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = kind, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[digest, acquisition.run])
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID = generate_uid(entropy_srcs=[acquisition.subject, acquisition.session, "study"])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[acquisition.subject, acquisition.session, "series"])
    data.Modality, data.PatientID, data.PatientName = "US", acquisition.subject, acquisition.subject
    data.ManufacturerModelName, data.ProtocolName = acquisition.device, acquisition.preset
    data.BurnedInAnnotation = "NO"
    data.Rows, data.Columns, data.SamplesPerPixel = rows, cols, bands
    data.PhotometricInterpretation = "MONOCHROME2" if bands == 1 else "RGB"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    if bands == 3:
        data.PlanarConfiguration = 0
    if frames > 1:
        data.NumberOfFrames, data.FrameTime = frames, round(1000.0 / rate_hz(acquisition), 6)
        data.FrameIncrementPointer = 0x00181063
    if calibrated:
        data.SequenceOfUltrasoundRegions = [_region(picture, acquisition)]
    pixels = picture.pixels.tobytes()
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data["PixelData"].VR = "OB"
    return data


def rate_hz(acquisition: Acquisition) -> float:
    """Frames per second: from the frames' times, else the settings, else 30."""
    picture = acquisition.payload
    if isinstance(picture, Picture) and picture.times_s is not None and picture.times_s.size > 1:
        return float(1.0 / np.median(np.diff(picture.times_s)))
    return float(acquisition.settings.get("frame_rate_hz", DEFAULT_RATE_HZ))


def _region(picture: Picture, acquisition: Acquisition) -> Dataset:
    if picture.spacing_mm is None:
        raise InvalidInput("no scale to write", mend="write with calibrated=False")
    rows, cols = picture.pixels.shape[1:3]
    tissue = np.ones((rows, cols), dtype=bool) if picture.tissue is None else picture.tissue
    down, across = np.flatnonzero(tissue.any(axis=1)), np.flatnonzero(tissue.any(axis=0))
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = int(across[0]), int(across[-1])
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = int(down[0]), int(down[-1])
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = (
        picture.spacing_mm[1] / MM_PER_CM,
        picture.spacing_mm[0] / MM_PER_CM,
    )
    if "transmit_frequency_hz" in acquisition.settings:
        region.TransducerFrequency = round(acquisition.settings["transmit_frequency_hz"] / 1e3)
    return region


def _video(picture: Picture, acquisition: Acquisition, path: Path, code: str) -> None:
    """OpenCV chooses the container by the ending, which a temporary name may lack."""
    named = path.with_name(path.name + (".avi" if code == "MJPG" else ".mp4"))
    rows, cols = picture.pixels.shape[1:3]
    fourcc = cv2.VideoWriter.fourcc(code[0], code[1], code[2], code[3])
    video = cv2.VideoWriter(str(named), fourcc, rate_hz(acquisition), (cols, rows))
    try:
        for one in picture.pixels:
            video.write(np.ascontiguousarray(np.broadcast_to(_colours_for_opencv(one), (rows, cols, 3))))
    finally:
        video.release()
    if not named.exists():
        raise InvalidInput(f"this OpenCV writes no {code} video", where=path.name, mend="write .avi or .dcm")
    named.replace(path)


def _colours_for_opencv(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Red, green, blue to OpenCV's order; grey as it is."""
    return pixels[..., ::-1] if pixels.shape[-1] == 3 else pixels
