"""Compressed frames decoded into plain files, so that foreign decoders run in a process that may die."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from myoproof.sources.dicom_pixels import Undecodable, stored_pixels
from myoproof.sources.dicom_types import Encoding, Frame, Series
from myoproof.sources.dicom_wire import packed, received

Unpack = Callable[[Sequence[Frame], Path], Mapping[int, str]]
"""Frames of one file, and where their plain pixels go; why which of them could not be had."""


def unpack(argument: Mapping[str, Any]) -> dict[str, str]:
    """Decode frames of one file; the act of a child process.

    Parameters
    ----------
    argument : mapping
        ``path``; ``file``, its frames from :func:`myoproof.sources.dicom_wire.packed`; ``out``, the file to
        write.

    Returns
    -------
    dict of str to str
        Number of a frame that could not be decoded, and why.
    """
    frames = received(argument["file"], Path(argument["path"]))
    faults: dict[str, str] = {}
    assert isinstance(frames, tuple)
    with Path(argument["out"]).open("wb") as file:
        for frame, stored in stored_pixels(frames):
            if isinstance(stored, Undecodable):
                faults[str(frame.number)] = str(stored)
                continue
            words = (stored & ((1 << frame.origin.encoding.bits_stored) - 1)).astype(_word(frame))
            file.seek(frame.number * words.nbytes)
            file.write(words.tobytes())
    return faults


def as_native(series: Series, folder: Path, unpack: Unpack) -> Series:
    """The scan with its compressed files replaced by plain ones.

    Parameters
    ----------
    series : Series
        Any scan.
    folder : Path
        Where plain files go.
    unpack : callable
        What decodes the frames of one file.

    Returns
    -------
    Series
        The same scan; a frame that could not be decoded carries the reason.
    """
    by_file: dict[Path, list[Frame]] = {}
    for frame in series.frames:
        if not frame.origin.encoding.native:
            by_file.setdefault(frame.origin.path, []).append(frame)
    plain: dict[tuple[Path, int], Frame] = {}
    for number, (path, frames) in enumerate(by_file.items()):
        out = folder / str(number) / path.name
        out.parent.mkdir()
        faults = unpack(frames, out)
        for frame in frames:
            plain[path, frame.number] = _native(frame, out, faults.get(frame.number, ""))
    layers = tuple(
        replace(
            layer,
            frames=tuple(
                plain.get((frame.origin.path, frame.number), frame) if frame is not None else None
                for frame in layer.frames
            ),
        )
        for layer in series.layers
    )
    return replace(series, layers=layers)


def question(frames: Sequence[Frame], out: Path) -> dict[str, Any]:
    """The argument of :func:`unpack`."""
    return {"path": str(frames[0].origin.path), "file": packed(tuple(frames)), "out": str(out)}


def is_native(series: Series) -> bool:
    """Whether no file of the scan is compressed."""
    return all(frame.origin.encoding.native for frame in series.frames)


def _word(frame: Frame) -> np.dtype[Any]:
    return np.dtype(f"<u{_bits(frame.origin.encoding) // 8}")


def _bits(encoding: Encoding) -> int:
    return next((bits for bits in (8, 16, 32) if encoding.bits_stored <= bits), 64)


def _native(frame: Frame, path: Path, fault: str) -> Frame:
    encoding = replace(
        frame.origin.encoding,
        syntax=str(ExplicitVRLittleEndian),
        offset=0,
        native=True,
        bits_allocated=_bits(frame.origin.encoding),
        high_bit=frame.origin.encoding.bits_stored - 1,
        big_endian=False,
        fault=fault,
    )
    return replace(frame, origin=replace(frame.origin, path=path, encoding=encoding))
