"""Which files of a folder are MR images: found by content, opened with limits, the rest with a reason."""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian

from myoproof.sources.dicom_types import Skipped

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    MemoryError,
    AssertionError,
    zlib.error,
    struct.error,
    InvalidDicomError,
    BytesLengthException,
)
"""What pydicom raises for truncated, corrupt and hostile files."""

INFLATED_LIMIT = 256 * 2**20
"""Bytes to which a deflated file may grow (proposal); a small file can claim gigabytes."""

PIXELS_LIMIT = 2**26
"""Largest rows x columns of one frame (proposal): 8192 x 8192."""

IMAGES = {
    "1.2.840.10008.5.1.4.1.1.4": "MR image",
    "1.2.840.10008.5.1.4.1.1.4.1": "enhanced MR image",
    "1.2.840.10008.5.1.4.1.1.4.4": "legacy converted enhanced MR image",
}
"""SOP classes that are read; PS3.4 table B.5-1."""

OTHERS = {
    "1.2.840.10008.1.3.10": ("dicomdir", "a DICOMDIR; the files it lists are found by themselves"),
    "1.2.840.10008.5.1.4.1.1.66.4": ("segmentation", "a segmentation, not an image"),
    "1.2.840.10008.5.1.4.1.1.66.7": ("segmentation", "a label map segmentation, not an image"),
    "1.2.840.10008.5.1.4.1.1.481.3": ("structure_set", "an RT structure set, not an image"),
}
"""SOP class -> category and reason of files that are expected beside images."""

TAGS = [
    *(0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080020, 0x00080022, 0x0008002A, 0x00080032),
    *(0x00080060, 0x00080070, 0x00081030, 0x0008103E, 0x00081090, 0x00089208),
    *(0x00100010, 0x00100020, 0x00100030),
    *(0x00180020, 0x00180021, 0x00180023, 0x00180024, 0x00180050, 0x00180080, 0x00180081, 0x00180082),
    *(0x00180083, 0x00180084, 0x00180086, 0x00180087, 0x00180088, 0x00180091, 0x00180095, 0x00181030),
    *(0x00181314, 0x00189008, 0x00189073, 0x00189082, 0x00189087, 0x00189098),
    *(0x0020000D, 0x0020000E, 0x00200011, 0x00200012, 0x00200013, 0x00200032, 0x00200037, 0x00200052),
    *(0x00200100, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280100),
    *(0x00280101, 0x00280102, 0x00280103, 0x00281052, 0x00281053, 0x00281054, 0x00409096),
    *(0x00430010, 0x0043102F, 0x20050010, 0x20050011, 0x20050012, 0x20050014, 0x2005100D, 0x2005100E),
    *(0x52009229, 0x52009230),
]
"""The only tags that are read of the top level; all others stay in the file."""


def find(folder: Path) -> list[Path]:
    """Every regular file below a folder, sorted; links are not followed."""
    found: list[Path] = []
    waiting = [Path(folder)]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.is_symlink():
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                found.append(path)
    return sorted(found)


def open_header(path: Path) -> tuple[Any, int] | Skipped:
    """The header of an MR image and where it ends, or why the file is not one.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    header : Dataset, int
        Wanted tags only, and the offset in bytes at which the pixel data element begins; or a ``Skipped``.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = file.read(132)
            if not _looks_like_dicom(start):
                return Skipped(path, "not_dicom", "not a DICOM file")
            file.seek(0)
            if start[128:] == b"DICM" and _inflates_too_far(file):
                return Skipped(path, "unreadable", f"inflates beyond {INFLATED_LIMIT >> 20} MiB")
            file.seek(0)
            header = pydicom.dcmread(
                file, stop_before_pixels=True, force=start[128:] != b"DICM", specific_tags=TAGS
            )
            return _accepted(header, path) or (header, file.tell())
    except UNREADABLE as fault:
        return Skipped(path, "unreadable", f"cannot be read as DICOM ({type(fault).__name__})")


def _looks_like_dicom(start: bytes) -> bool:
    if start[128:] == b"DICM":
        return True
    if len(start) < 132:
        return False
    group, element = struct.unpack("<HH", start[:4])
    return group in {0x0002, 0x0008} and element <= 0x0018


def _inflates_too_far(file: BinaryIO) -> bool:
    """Whether a deflated file is larger than the limit once inflated; the limit is all that is inflated."""
    if not _skip_meta(file):
        return False
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    while size <= INFLATED_LIMIT and (chunk := file.read(65536)):
        while chunk and size <= INFLATED_LIMIT:
            size += len(inflater.decompress(chunk, 2**22))
            chunk = inflater.unconsumed_tail
    return size > INFLATED_LIMIT


def _skip_meta(file: BinaryIO) -> bool:
    """Read past the preamble and the elements of group 0002; whether they name the deflated syntax."""
    file.seek(132)
    deflated = False
    while (start := file.read(8)) and start[:2] == b"\x02\x00" and len(start) == 8:
        length = struct.unpack("<H", start[6:])[0]
        if start[4:6] in {b"OB", b"OW", b"UN", b"UT"}:
            length = struct.unpack("<I", file.read(4))[0]
        value = file.read(min(length, 64))
        file.seek(length - len(value), 1)
        deflated |= (
            start[2:4] == b"\x10\x00" and value.rstrip(b"\0 ").decode() == DeflatedExplicitVRLittleEndian
        )
    file.seek(-len(start), 1)
    return deflated


def _accepted(header: Any, path: Path) -> Skipped | None:
    sop_class = str(header.get("SOPClassUID", "") or header.file_meta.get("MediaStorageSOPClassUID", ""))
    if sop_class in OTHERS:
        return Skipped(path, *OTHERS[sop_class])
    modality = str(header.get("Modality", "") or "")
    if sop_class not in IMAGES and not (sop_class == "" and modality == "MR"):
        name = pydicom.uid.UID(sop_class).name if sop_class else modality or "unknown object"
        return Skipped(path, "not_mr", f"{name}, not an MR image")
    rows, columns = header.get("Rows"), header.get("Columns")
    if not rows or not columns:
        return Skipped(path, "no_pixels", "holds no image")
    if int(rows) * int(columns) > PIXELS_LIMIT:
        return Skipped(path, "unreadable", f"claims {rows} x {columns} pixels")
    if int(header.get("SamplesPerPixel") or 1) != 1:
        return Skipped(path, "colour", "a colour picture, not an MR image")
    return None
