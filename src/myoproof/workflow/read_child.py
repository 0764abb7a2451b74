"""DICOM files of strangers parsed and decoded in a child process: what kills it is named and left out."""

import resource
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from myoproof.sources import dicom, dicom_unpack, dicom_wire
from myoproof.sources.dicom import Reading, Series, Skipped
from myoproof.sources.dicom_pixels import digest_of
from myoproof.sources.dicom_types import Frame
from myoproof.workflow.executors import Job, Limits, Outcome, Pool

PARSE = "myoproof.sources.dicom_wire:parse"
UNPACK = "myoproof.sources.dicom_unpack:unpack"
BATCH = 64
"""Files that are parsed at a time."""
MEMORY_GIB = 4.0
"""Memory of the child (proposal): headers of 10,000 frames, or one decoded file at a time."""
HEADERS_S = 120.0
"""Time for the headers of a batch (proposal)."""
PIXELS_S = 600.0
"""Time to decode one file (proposal)."""


def parse(paths: Sequence[Path]) -> Iterator[tuple[Frame, ...] | Skipped]:
    """Parse files in a child process.

    Parameters
    ----------
    paths : sequence of Path
        Any files.

    Yields
    ------
    tuple of Frame, or Skipped
        For each file in order; a file that ends, stalls or fills the child is skipped as unreadable.
    """
    with Pool(1, limits=_limits(HEADERS_S)) as pool:
        for start in range(0, len(paths), BATCH):
            yield from _parsed(pool, paths[start : start + BATCH])


def read(series: Series) -> Reading:
    """Read a scan as :func:`myoproof.sources.dicom.read` does; compressed files are decoded in a child.

    Parameters
    ----------
    series : Series
        From :func:`myoproof.sources.dicom.scan_folder`.

    Returns
    -------
    Reading
        A file whose decoder dies or stalls is an absent slice, with a finding that names it.

    Raises
    ------
    InvalidInput
        As :func:`myoproof.sources.dicom.read`.
    """
    if dicom_unpack.is_native(series):
        return dicom.read(series)
    with tempfile.TemporaryDirectory(prefix="myoproof-") as folder, Pool(1, limits=_limits(PIXELS_S)) as pool:
        reading = dicom.read(dicom_unpack.as_native(series, Path(folder), partial(_unpacked, pool)))
    return replace(reading, acquisition=replace(reading.acquisition, digest=digest_of(series.files)))


def _parsed(pool: Pool, paths: Sequence[Path]) -> Iterator[tuple[Frame, ...] | Skipped]:
    """What files hold; where a batch does not come through, each file by itself."""
    outcome = _ask(pool, PARSE, {"paths": [str(path) for path in paths]})
    if outcome.kind == "done":
        yield from map(dicom_wire.received, outcome.value, paths)
    elif len(paths) > 1:
        for path in paths:
            yield from _parsed(pool, [path])
    else:
        yield Skipped(paths[0], "unreadable", f"cannot be read as DICOM: {outcome.reason}")


def _unpacked(pool: Pool, frames: Sequence[Frame], out: Path) -> Mapping[int, str]:
    outcome = _ask(pool, UNPACK, dicom_unpack.question(frames, out))
    if outcome.kind == "done":
        return {int(number): str(reason) for number, reason in outcome.value.items()}
    out.touch()
    return {frame.number: f"cannot be decoded: {outcome.reason}" for frame in frames}


def _ask(pool: Pool, function: str, argument: Mapping[str, object]) -> Outcome:
    pool.submit(Job("file", function, argument))
    return pool.wait()


def _limits(time_s: float) -> Limits:
    """Of a child; what this process may use itself is the most that it can grant."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    own = MEMORY_GIB if most == resource.RLIM_INFINITY else min(MEMORY_GIB, most / 2**30)
    return Limits(memory_gib=own, time_s=time_s)
