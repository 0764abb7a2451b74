"""Ultrasound DICOM, one frame or cine, plain or compressed, to grey frames, stated scales and settings."""

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from myoproof.errors import Finding, NotReadable
from myoproof.sources import dicom_lossless
from myoproof.sources.dicom_files import UNREADABLE
from myoproof.sources.ultrasound_colour import grey_and_colour
from myoproof.sources.ultrasound_header import (
    device,
    names_in,
    pixel_spacing,
    preset,
    regions,
    settings,
    times,
)
from myoproof.sources.ultrasound_picture import BYTES_LIMIT, PIXELS_LIMIT
from myoproof.sources.ultrasound_types import Grey, Mask, Raw, Stated

AGAIN = "copy the file again from the archive"
CONVERT = "convert it with gdcmconv --raw, or export it uncompressed"
IMAGES = {
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.4",
}
"""Ultrasound and secondary capture, single and multi-frame, retired ones included; PS3.4 table B.5-1."""


def load(data: bytes, *, where: str) -> Raw:
    """Decode an ultrasound file.

    Parameters
    ----------
    data : bytes
        The file.
    where : str
        Its name, for messages.

    Returns
    -------
    Raw
        Frames, regions and settings; nothing of the patient.

    Raises
    ------
    NotReadable
        If it is not DICOM, holds no ultrasound image, or no frame can be decoded.

    References
    ----------
    DICOM PS3.3, C.8.5.5 (ultrasound region calibration), C.8.5.6 (ultrasound image), C.7.6.5 (cine).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = _header(data, where)
        _check(header, where)
        wanted = int(header.get("NumberOfFrames") or 1)
        frames, colour, fault = _frames(header, wanted)
        if not frames:
            raise _undecodable(header, fault, where)
        seconds, doubts = times(header, len(frames), where)
        found, differ = regions(header)
        names = names_in(header)
        return Raw(
            "dicom",
            np.stack(frames),
            colour,
            lossy=str(header.get("LossyImageCompression", "")) == "01",
            times_s=seconds,
            stated=Stated(found, differ, pixel_spacing(header)),
            device=device(header, names),
            preset=preset(header, names),
            settings=settings(header, found, seconds),
            secrets=str(header.get("BurnedInAnnotation", "")).upper() == "YES",
            findings=(*_deep(header, where), *_cut(len(frames), wanted, where), *doubts),
        )


def _header(data: bytes, where: str) -> Any:
    if DeflatedExplicitVRLittleEndian.encode() in data[:4096]:
        raise NotReadable("its deflated transfer syntax is not read", where=where, mend=CONVERT)
    try:
        return pydicom.dcmread(BytesIO(data), force=data[128:132] != b"DICM")
    except UNREADABLE as fault:
        raise NotReadable(
            f"cannot be read as DICOM ({type(fault).__name__})", where=where, mend=AGAIN
        ) from fault


def _check(header: Any, where: str) -> None:
    kind = str(header.get("SOPClassUID", "") or "")
    modality = str(header.get("Modality", "") or "")
    if (kind and kind not in IMAGES) or modality not in {"US", "OT", "IVUS", ""}:
        name = UID(kind).name if kind else modality
        raise NotReadable(f"{name} ({modality}), not an ultrasound image", where=where)
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    frames = int(header.get("NumberOfFrames") or 1)
    if not rows or not columns or "PixelData" not in header:
        mend = AGAIN if rows else ""
        raise NotReadable("holds no image, or the file ends before it", where=where, mend=mend)
    if rows * columns > PIXELS_LIMIT or rows * columns * frames > BYTES_LIMIT:
        raise NotReadable(f"claims {frames} frames of {rows} x {columns} pixels", where=where)


def _frames(header: Any, wanted: int) -> tuple[list[Grey], Mask | None, BaseException | None]:
    frames: list[Grey] = []
    colour: Mask | None = None
    try:
        for stored in _stored(header, wanted):
            grey, coloured = _grey(stored, header)
            frames.append(grey)
            if coloured is not None:
                colour = coloured if colour is None else colour | coloured
    except (*UNREADABLE, RuntimeError) as fault:
        return frames, colour, fault
    return frames, colour, None


def _stored(header: Any, wanted: int) -> Iterator[npt.NDArray[Any]]:
    if str(header.file_meta.get("TransferSyntaxUID", "")) in dicom_lossless.SYNTAXES:
        shape = (int(header.Rows), int(header.Columns))
        for number in range(wanted):
            yield dicom_lossless.decode(get_frame(header.PixelData, number, number_of_frames=wanted), shape)
    else:
        yield from iter_pixels(header)


def _grey(stored: npt.NDArray[Any], header: Any) -> tuple[Grey, Mask | None]:
    meaning = str(header.get("PhotometricInterpretation", ""))
    if meaning == "PALETTE COLOR":
        coloured = apply_color_lut(stored, header)[..., :3]
        eight = coloured if coloured.dtype == np.uint8 else coloured >> 8
        return grey_and_colour(np.ascontiguousarray(eight, dtype=np.uint8))
    bits = int(header.get("BitsStored") or 8)
    numbers = stored.astype(np.int64)
    if int(header.get("PixelRepresentation") or 0):
        numbers += 1 << (bits - 1)
    eight = np.clip(numbers >> max(bits - 8, 0), 0, 255).astype(np.uint8)
    if eight.ndim == 3:
        return grey_and_colour(np.ascontiguousarray(eight))
    return (255 - eight if meaning == "MONOCHROME1" else eight), None


def _undecodable(header: Any, fault: BaseException | None, where: str) -> NotReadable:
    syntax = UID(str(header.file_meta.get("TransferSyntaxUID", ""))).name
    if isinstance(fault, RuntimeError | NotImplementedError):
        return NotReadable(f"no decoder here reads its {syntax} data", where=where, mend=CONVERT)
    told = f" ({fault})" if isinstance(fault, ValueError) else ""
    return NotReadable(f"its {syntax} data is cut short or damaged{told}", where=where, mend=AGAIN)


def _deep(header: Any, where: str) -> Sequence[Finding]:
    bits = int(header.get("BitsStored") or 8)
    if bits <= 8:
        return []
    return [Finding("info", "deep", f"{bits} bits a pixel, of which the 8 highest are taken", where)]


def _cut(frames: int, wanted: int, where: str) -> Sequence[Finding]:
    if frames >= wanted:
        return []
    message = f"{wanted - frames} of {wanted} frames are missing: the file is cut short or damaged"
    return [Finding("warning", "frames dropped", message, where, AGAIN)]
