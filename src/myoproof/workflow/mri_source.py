"""Where a run's scans come from: images as they lie, or a scanner's export that is read in first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myoproof.errors import InvalidInput, NotReadable, NotWritable
from myoproof.workflow import mri_find, read_folder
from myoproof.workflow.executors import Job, Limits, Pool

READ = "myoproof.workflow.mri_source:take"


@dataclass(frozen=True, slots=True)
class Source:
    """What a run has before it.

    Parameters
    ----------
    findings : mri_find.Findings
        Scans to measure, and those left out.
    refused : mapping of str to str
        Scans of the export that cannot be read, and why.
    notes : tuple of str
        What was remarkable while reading.
    """

    findings: mri_find.Findings
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """How a scanner's export is read.

    Parameters
    ----------
    choose : str
        Numbers of its scans, or ``all``; "" where there is nothing to choose.
    jobs : int
        Scans read at a time.
    limits : Limits
        Of the process that reads.
    """

    choose: str = ""
    jobs: int = 1
    limits: Limits = Limits()  # noqa: RUF009 - frozen


def open_source(
    source: Path, out: Path, *, masks: Path | None, export: Export, without: Collection[Path] = ()
) -> Source:
    """Find the scans of a source; DICOM is read into the study folder first, by a process of its own.

    Parameters
    ----------
    source, out : Path
        Where scans lie, and the study folder.
    masks : Path, optional
        Where drawn masks lie.
    export : Export
        How DICOM is read.
    without : collection of Path
        Files that are no input.

    Returns
    -------
    Source

    Raises
    ------
    NotReadable, InvalidInput
        If there is no scan, or patients are mixed and none is chosen.
    NotWritable
        If the study folder cannot be written.
    """
    if _holds_images(source):
        return Source(mri_find.find(source, masks=masks, without=without))
    told = _read(source, out, export)
    found = mri_find.find(out, masks=masks, without=without)
    return Source(found, told["refused"], tuple(told["notes"]))


def _holds_images(source: Path) -> bool:
    """Whether the folder holds NIfTI images that are no masks."""
    if not source.is_dir():
        raise NotReadable("no such folder", where=str(source))
    masks = {mask.path for mask in mri_find.mask_files(source)}
    return any(
        path not in masks and path.name.lower().endswith((*mri_find.IMAGES, ".hdr"))
        for path in source.rglob("*")
    )


def _read(source: Path, out: Path, export: Export) -> Any:
    argument = {"source": str(source), "out": str(out), "choose": export.choose, "jobs": export.jobs}
    with Pool(1, limits=export.limits) as pool:
        pool.submit(Job("read", READ, argument))
        outcome = pool.wait()
    if outcome.kind == "done":
        return outcome.value
    if outcome.kind == "refused":
        raise InvalidInput(outcome.reason)
    if outcome.kind == "no_room":
        raise NotWritable(outcome.reason, where=str(out), mend="free space and run again")
    raise NotReadable(f"cannot be read: {outcome.reason}", where=str(source))


def take(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Read a scanner's export into a study folder.

    Parameters
    ----------
    argument : mapping
        ``source``, ``out``, ``choose``, ``jobs``.

    Returns
    -------
    dict
        ``refused``: scans that cannot be read, with the reason; ``notes``.

    Raises
    ------
    MyoproofError
        As :func:`myoproof.workflow.read_folder.take`.
    """
    options = read_folder.Options(choose=argument["choose"])
    taken = read_folder.take(Path(argument["source"]), Path(argument["out"]), options, jobs=argument["jobs"])
    lost = taken.scans[taken.scans["state"] == "refused"]
    return {
        "refused": {
            f"{row.subject}_ses-{row.session} scan {row.scan}": str(row.reason) for row in lost.itertuples()
        },
        "notes": [str(finding) for finding in taken.findings if finding.level != "info"],
    }
