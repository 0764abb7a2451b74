"""Many ultrasound images to one table: found in folders, named, measured in worker processes."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myoproof.core.contracts import Progress, silent
from myoproof.core.table import Table, from_rows, write_table
from myoproof.errors import InvalidInput, NotReadable
from myoproof.vocabulary.lookup import unit
from myoproof.vocabulary.muscles import muscle as muscle_named
from myoproof.workflow.executors import Job, Limits, Outcome, Pool

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".ima")
CINES = (".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm")
ENDINGS = frozenset((*IMAGES, *CINES))
"""Endings of files that are taken from a folder; a file named by itself is always taken."""
IMAGES_A_WORKER = 4
"""Images from which a worker process pays for its start."""
LIMITS = Limits(memory_gib=4.0, time_s=120.0)
"""Of one file (proposal): a cine of 1 GiB and what looking at it takes."""
JOB = "myoproof.workflow.ultrasound:job"


@dataclass(frozen=True, slots=True)
class Many:
    """What came of many images.

    Parameters
    ----------
    rows : Table
        Of all images; an image that gave none has a row without value and with its reason.
    images : int
        Images looked at.
    refused : mapping of str to str
        Run to the reason why its muscle was not measured.
    faults : mapping of str to str
        Run to the message of a file that could not be read.
    remarks : mapping of str to tuple of str
        Run to what was odd.
    """

    rows: Table
    images: int
    refused: Mapping[str, str]
    faults: Mapping[str, str]
    remarks: Mapping[str, tuple[str, ...]]


def images_of(paths: Sequence[Path]) -> list[Path]:
    """Images named, and those in folders named, each once, in order.

    Raises
    ------
    NotReadable
        If a path does not exist, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and _is_image(file))
            if not inside:
                raise NotReadable("the folder holds no image", where=str(path), mend=f"endings: {_endings()}")
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise NotReadable("no such file", where=str(path))
    return list({path.resolve(): path for path in found}.values())


def _is_image(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts[-2:])
    return not hidden and (path.suffix.lower() in ENDINGS or (not path.suffix and _is_dicom(path)))


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _endings() -> str:
    return " ".join(sorted(ENDINGS))


def run_names(paths: Sequence[Path]) -> list[str]:
    """Name of each recording: the file's without its ending; where two are called so, folders before it.

    Examples
    --------
    >>> run_names([Path("a/left.png"), Path("b/left.png"), Path("b/right.png")])
    ['a/left', 'b/left', 'right']
    >>> run_names([Path("a/x.png"), Path("a/x.jpg")])
    ['a/x.png', 'a/x.jpg']
    """
    whole = [path.resolve().parts for path in paths]
    deep = [1] * len(paths)
    ended = [False] * len(paths)
    while True:
        names = [_name(parts, n, end) for parts, n, end in zip(whole, deep, ended, strict=True)]
        twice = {name for name, count in Counter(names).items() if count > 1}
        if not twice:
            return names
        for k, name in enumerate(names):
            if name not in twice:
                continue
            rivals = {whole[j][:-1] for j, other in enumerate(names) if other == name}
            if len(rivals) < names.count(name) and deep[k] > 1:
                ended[k] = True
            if len(rivals) > 1 or deep[k] == 1:
                deep[k] = min(deep[k] + 1, len(whole[k]))
            if deep[k] == len(whole[k]):
                ended[k] = True


def _name(parts: tuple[str, ...], deep: int, ended: bool) -> str:
    last = parts[-1] if ended else Path(parts[-1]).stem
    return "/".join((*parts[-deep:-1], last))


def measure_images(
    paths: Sequence[Path],
    look: Mapping[str, Any],
    *,
    out: Path | None = None,
    jobs: int = 0,
    progress: Progress = silent,
) -> Many:
    """Measure images of one muscle in worker processes, so that a file that kills its reader ends alone.

    Parameters
    ----------
    paths : sequence of Path
        Images and folders of images.
    look : mapping
        Fields of `workflow.ultrasound.Look`.
    out : Path, optional
        Rows: .csv or .parquet.
    jobs : int
        Worker processes at most; 0 takes all cores. Few images take one.
    progress : Progress

    Returns
    -------
    Many

    Raises
    ------
    UnknownName
        If no muscle is called so.
    NotReadable
        If a path does not exist, or none of the files could be read (the rows are written before).
    """
    muscle_named(str(look["muscle"]))
    if out is not None and out.suffix not in {".csv", ".parquet"}:
        raise InvalidInput(f"rows go to .csv or .parquet, not {out.name}")
    images = images_of(paths)
    names = run_names(images)
    plan = [
        Job(name, JOB, {"path": str(path), "run": name, "look": dict(look)})
        for name, path in zip(names, images, strict=True)
    ]
    workers = min(jobs or os.cpu_count() or 1, max(1, len(plan) // IMAGES_A_WORKER))
    answers = answers_of(plan, workers=workers, progress=progress)
    done = _collected(answers, names, look)
    if out is not None:
        write_table(done.rows, out)
    if len(done.faults) == len(images):
        raise NotReadable("; ".join(done.faults.values()))
    return done


def answers_of(plan: Sequence[Job], *, workers: int, progress: Progress) -> dict[str, Outcome]:
    """What came of each job, by its id; a worker that dies takes only its own job along.

    Parameters
    ----------
    plan : sequence of Job
        One an image.
    workers : int
        Processes.
    progress : Progress
        Told the id of each job that ended and the share done.
    """
    waiting, answers = list(plan)[::-1], {}
    with Pool(workers, limits=LIMITS) as pool:
        flying = 0
        while waiting or flying:
            while waiting and flying < pool.slots:
                pool.submit(waiting.pop())
                flying += 1
            outcome = pool.wait()
            flying -= 1
            answers[outcome.id] = outcome
            progress(outcome.id, len(answers) / len(plan))
    return answers


def _collected(answers: Mapping[str, Outcome], names: Sequence[str], look: Mapping[str, Any]) -> Many:
    records: list[dict[str, Any]] = []
    refused, faults, remarks = {}, {}, {}
    for name in names:
        outcome = answers[name]
        if outcome.kind == "done":
            value = outcome.value
        elif outcome.kind in {"refused", "died", "late"}:
            told = f"{name}: {outcome.reason}"
            value = {"rows": [], "remarks": [], "fault": told, "reason": "unreadable"}
        else:
            raise InvalidInput(outcome.reason, where=name, mend=outcome.detail)
        if value["fault"]:
            faults[name] = value["fault"]
            records.append(_lost(name, look, value["reason"]))
        records += value["rows"]
        absent = [
            row["absent"] for row in value["rows"] if row["measure"] == "thickness" and row.get("absent")
        ]
        if absent:
            refused[name] = str(absent[0])
        if value["remarks"]:
            remarks[name] = tuple(value["remarks"])
    return Many(from_rows(records), len(names), refused, faults, remarks)


def _lost(run: str, look: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The row of an image that gave none."""
    key = {"subject": look.get("subject", ""), "session": look.get("session", "m00"), "run": run}
    what = {"modality": "ultrasound", "site": muscle_named(str(look["muscle"])), "side": look.get("side", "")}
    pixels = (
        {"unit": "px", "flags": "uncalibrated"} if look.get("pixels_only") else {"unit": unit("thickness")}
    )
    made = {"measure": "thickness", "method": "architecture", "quality": "fail", "absent": reason}
    return key | what | pixels | made
