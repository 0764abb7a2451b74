"""The stored integers of frames, one at a time: native files by offset, compressed ones by their decoder."""

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import iter_pixels, pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, RLELossless

from myoproof.sources import dicom_lossless
from myoproof.sources.dicom_files import UNREADABLE
from myoproof.sources.dicom_types import Encoding, Frame

Stored = npt.NDArray[np.int64]

CHUNK_BYTES = 2**20
GIVE_UP = 3
"""After so many frames in a row that cannot be decoded, the rest of their file is not tried."""


class Undecodable(Exception):
    """A frame whose pixels cannot be had; the text says why and what would help."""


def stored_pixels(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Stored | Undecodable]]:
    """The stored integers of each frame, sign and unused bits accounted for.

    Parameters
    ----------
    frames : iterable of Frame
        Any order; each file is opened once.

    Yields
    ------
    frame, pixels
        Integers of shape (row, column), or an ``Undecodable`` in their place. One frame is in memory at
        a time.
    """
    by_file: dict[Path, list[Frame]] = {}
    for frame in frames:
        by_file.setdefault(frame.origin.path, []).append(frame)
    for path, wanted in sorted(by_file.items()):
        wanted.sort(key=lambda frame: frame.number)
        if wanted[0].origin.encoding.native:
            yield from _native(path, wanted)
        else:
            yield from _compressed(path, wanted)


def digest_of(paths: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits of the files' bytes, the same for any file names and order."""
    total = hashlib.sha256()
    for digest in sorted(_file_digest(path) for path in paths):
        total.update(digest)
    return total.hexdigest()[:16]


def _file_digest(path: Path) -> bytes:
    one = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            one.update(chunk)
    return one.digest()


def _native(path: Path, wanted: list[Frame]) -> Iterator[tuple[Frame, Stored | Undecodable]]:
    encoding = wanted[0].origin.encoding
    stored = np.dtype(f"{'>' if encoding.big_endian else '<'}u{encoding.bits_allocated // 8}")
    with path.open("rb") as file:
        for frame in wanted:
            if frame.origin.encoding.fault:
                yield frame, Undecodable(frame.origin.encoding.fault)
                continue
            size = frame.rows * frame.columns * stored.itemsize
            file.seek(encoding.offset + frame.number * size)
            raw = file.read(size)
            if len(raw) < size:
                yield frame, Undecodable("the file ends before the frame does")
                continue
            words = np.frombuffer(raw, dtype=stored).reshape(frame.rows, frame.columns)
            yield frame, _whole_numbers(words, encoding)


def _whole_numbers(words: npt.NDArray[np.unsignedinteger], encoding: Encoding) -> Stored:
    """Take the stored bits out of the allocated ones, and their sign."""
    low = encoding.high_bit + 1 - encoding.bits_stored
    bits = (words.astype(np.int64) >> low) & ((1 << encoding.bits_stored) - 1)
    if encoding.signed:
        bits -= (bits >> (encoding.bits_stored - 1)) << encoding.bits_stored
    return bits


def _compressed(path: Path, wanted: list[Frame]) -> Iterator[tuple[Frame, Stored | Undecodable]]:
    left, in_a_row = list(wanted), 0
    while left:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for array in _decoded(path, list(left)):
                    yield left[0], _checked(array, left[0])
                    left.pop(0)
                    in_a_row = 0
            if left:
                raise EOFError
        except (*UNREADABLE, RuntimeError) as fault:
            in_a_row += 1
            lost = left if in_a_row == GIVE_UP else left[:1]
            reason = _why(wanted[0].origin.encoding.syntax, fault)
            for frame in lost:
                yield frame, Undecodable(reason)
            left = left[len(lost) :]


def _decoded(path: Path, wanted: list[Frame]) -> Iterator[npt.NDArray[np.integer]]:
    numbers = [frame.number for frame in wanted]
    encoding = wanted[0].origin.encoding
    if encoding.syntax in dicom_lossless.SYNTAXES:
        with path.open("rb") as file:
            for frame in wanted:
                file.seek(encoding.offset)
                data = get_frame(file, frame.number, number_of_frames=encoding.frames)
                yield dicom_lossless.decode(data, (frame.rows, frame.columns))
    elif encoding.syntax == DeflatedExplicitVRLittleEndian:
        whole = pydicom.dcmread(path)
        yield from (pixel_array(whole, index=number, raw=True) for number in numbers)
    else:
        yield from iter_pixels(path, indices=numbers, raw=True)


def _checked(array: npt.NDArray[np.integer], frame: Frame) -> Stored | Undecodable:
    if array.shape != (frame.rows, frame.columns):
        return Undecodable(f"the decoder gave shape {array.shape}, not {(frame.rows, frame.columns)}")
    encoding = frame.origin.encoding
    if encoding.syntax != RLELossless:
        encoding = replace(encoding, high_bit=encoding.bits_stored - 1)
    words = array.astype(np.int64) & ((1 << encoding.bits_allocated) - 1)
    return _whole_numbers(words.astype(np.uint64), encoding)


def _why(syntax: str, fault: BaseException) -> str:
    name = UID(syntax).name
    if isinstance(fault, RuntimeError | NotImplementedError):
        return (
            f"no decoder for {name} ({syntax}) could read it; convert the files with gdcmconv --raw or "
            "dcmdjpeg, or export them uncompressed"
        )
    return f"its {name} data cannot be decoded ({type(fault).__name__})"
