"""Lossless JPEG (ITU-T T.81 process 14), the compression most archives use: one frame to whole numbers."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

SYNTAXES = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
"""JPEG Lossless, and the same with first-order prediction."""

SOF3, DHT, SOS, DRI, EOI = 0xC3, 0xC4, 0xDA, 0xDD, 0xD9
RESTARTS = range(0xD0, 0xD8)
OTHER_FRAMES = {0xC0, 0xC1, 0xC2, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
"""Start of frame of the other JPEG processes."""
ALONE = {0x01, 0xD8, *RESTARTS}
"""Markers without a length."""


@dataclass(frozen=True, slots=True)
class _Head:
    precision: int
    rows: int
    columns: int
    predictor: int
    shift: int
    restart: int
    """Samples between restarts; 0 for none."""
    counts: npt.NDArray[np.int64]
    """How many Huffman codes there are of each length 1-16."""
    symbols: npt.NDArray[np.int64]
    start: int
    """Where the coded samples begin."""


def decode(data: bytes, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Decode one grey frame.

    Parameters
    ----------
    data : bytes
        A JPEG stream, start to end of image.
    shape : tuple of int
        Rows and columns that the DICOM header states.

    Returns
    -------
    ndarray, shape (row, column), int64
        Unsigned numbers as coded.

    Raises
    ------
    ValueError
        If the stream is not lossless JPEG of one component and this shape, or ends too soon.

    References
    ----------
    ITU-T T.81 (1992), annex H (lossless), F.2.2 (Huffman decoding), B.2 (markers).
    """
    head = _head(data)
    if (head.rows, head.columns) != shape:
        raise ValueError(f"the stream is {head.rows} x {head.columns}")
    if head.restart % head.columns:
        raise ValueError("restarts inside a line")
    samples = np.zeros(shape, dtype=np.int64)
    lines = head.restart // head.columns or head.rows
    parts = _parts(data[head.start :])
    for number, first in enumerate(range(0, head.rows, lines)):
        if number >= len(parts) or not _fill(
            parts[number],
            samples[first : first + lines],
            head.counts,
            head.symbols,
            head.predictor,
            head.precision - head.shift,
        ):
            raise ValueError("the stream ends too soon or holds an unknown code")
    return samples << head.shift


def _head(data: bytes) -> _Head:
    frame, table, restart = None, None, 0
    for marker, body, end in _segments(data):
        if marker in {SOF3, SOS} and len(body) < 6:
            raise ValueError("a segment is too short")
        if marker == SOF3:
            frame = struct.unpack(">BHHB", body[:6])
        elif marker in OTHER_FRAMES:
            raise ValueError("not coded as lossless JPEG")
        elif marker == DHT and table is None:
            table = _table(body)
        elif marker == DRI:
            restart = struct.unpack(">H", body[:2])[0]
        elif marker == SOS:
            if frame is None or table is None or frame[3] != 1 or body[0] != 1 or not 1 <= body[3] <= 7:
                raise ValueError("not one grey component with its table")
            precision, rows, columns = frame[:3]
            counts, symbols = table
            return _Head(precision, rows, columns, body[3], body[5] & 15, restart, counts, symbols, end)
    raise ValueError("holds no scan")


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end of each segment up to the coded samples."""
    place = 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        place += 1 if marker == 0xFF else 2
        if marker in ALONE or marker == 0xFF:
            continue
        length = struct.unpack(">H", data[place : place + 2])[0]
        yield marker, data[place + 2 : place + length], place + length
        place += length


def _table(body: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    counts = np.frombuffer(body[1:17], dtype=np.uint8).astype(np.int64)
    symbols = np.frombuffer(body[17 : 17 + int(counts.sum())], dtype=np.uint8).astype(np.int64)
    if counts.size != 16 or symbols.size != counts.sum() or (symbols > 16).any():
        raise ValueError("a Huffman table that is none")
    return counts, symbols


def _parts(coded: bytes) -> list[npt.NDArray[np.uint8]]:
    """Coded samples between restart markers, stuffed zeros taken out."""
    parts, begun, place = [], 0, coded.find(b"\xff")
    while 0 <= place < len(coded) - 1:
        following = coded[place + 1]
        if following in RESTARTS or following == EOI:
            parts.append(coded[begun:place])
            begun = place + 2
            if following == EOI:
                break
        place = coded.find(b"\xff", place + (1 if following == 0xFF else 2))
    else:
        parts.append(coded[begun:])
    return [np.frombuffer(part.replace(b"\xff\x00", b"\xff"), dtype=np.uint8) for part in parts]


def _bits_plain(data: npt.NDArray[np.uint8], place: int, many: int) -> int:
    """The next bits as a whole number."""
    out = 0
    for bit in range(place, place + many):
        out = (out << 1) | ((data[bit >> 3] >> (7 - (bit & 7))) & 1)
    return out


_bits = numba.njit(cache=True)(_bits_plain)


def _size_plain(
    data: npt.NDArray[np.uint8], place: int, counts: npt.NDArray[np.int64], symbols: npt.NDArray[np.int64]
) -> tuple[int, int]:
    """The next Huffman symbol and the length of its code; -1 where the data end or no code fits."""
    code = first = index = 0
    for length in range(16):
        if place + length >= 8 * data.size:
            return -1, 0
        code = (code << 1) | _bits(data, place + length, 1)
        many = counts[length]
        if code - first < many:
            return symbols[index + code - first], length + 1
        index += many
        first = (first + many) << 1
    return -1, 0


_size = numba.njit(cache=True)(_size_plain)


def _difference_plain(bits: int, size: int) -> int:
    """The signed number of a category (T.81 tables H.2 and F.1)."""
    if size == 16:
        return 32768
    return bits if size == 0 or bits >= (1 << (size - 1)) else bits + 1 - (1 << size)


_difference = numba.njit(cache=True)(_difference_plain)


def _guess_plain(left: int, above: int, corner: int, predictor: int) -> int:
    """What the neighbours predict (T.81 table H.1)."""
    if predictor < 4:
        return left if predictor == 1 else above if predictor == 2 else corner
    if predictor == 4:
        return left + above - corner
    if predictor == 5:
        return left + ((above - corner) >> 1)
    return above + ((left - corner) >> 1) if predictor == 6 else (left + above) >> 1


_guess = numba.njit(cache=True)(_guess_plain)


def _fill_plain(
    data: npt.NDArray[np.uint8],
    out: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    symbols: npt.NDArray[np.int64],
    predictor: int,
    precision: int,
) -> bool:
    """Decode differences and predict, line by line; False where the data end or a code is unknown."""
    place = 0
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            size, length = _size(data, place, counts, symbols)
            place += length
            extra = size if size < 16 else 0
            if size < 0 or place + extra > 8 * data.size:
                return False
            difference = _difference(_bits(data, place, extra), size)
            place += extra
            if row == 0:
                guess = out[0, column - 1] if column else 1 << (precision - 1)
            elif column == 0:
                guess = out[row - 1, 0]
            else:
                guess = _guess(
                    out[row, column - 1], out[row - 1, column], out[row - 1, column - 1], predictor
                )
            out[row, column] = (guess + difference) & 0xFFFF
    return True


_fill = numba.njit(cache=True)(_fill_plain)
