"""Nerve and vessel in ultrasound images, from files to masks and rows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.contracts import Progress, silent
from myoproof.core.provenance import provenance_id
from myoproof.core.table import Table, from_rows, write_table
from myoproof.errors import InvalidInput, MyoproofError, NotReadable
from myoproof.measures import nerve as nerve_measure
from myoproof.registry import load
from myoproof.segmentation import nerve
from myoproof.sources import ultrasound
from myoproof.vocabulary.lookup import near, words
from myoproof.workflow.executors import Job, Outcome
from myoproof.workflow.ultrasound_many import answers_of, images_of, run_names

WORTH_A_SECOND = 8
"""Images from which a second worker process pays for its start."""
JOB = "myoproof.workflow.nerve:job"
ROWS = "rows.csv"
LOST = "nerve_cross_sectional_area"
"""The measure of the row that stands for an image that could not be read."""


@dataclass(frozen=True, slots=True)
class Look:
    """How images are looked at.

    Parameters
    ----------
    site, side : str
        The nerve, a word of the vocabulary, and the side of the body.
    subject, session : str
        Pseudonym and visit.
    spacing_mm, depth_mm : float, optional
        Size of a pixel, or depth of the image as printed on it.
    pixels_only : bool
        Use no scale at all.
    """

    site: str = "nerve"
    side: str = ""
    subject: str = ""
    session: str = "m00"
    spacing_mm: float | None = None
    depth_mm: float | None = None
    pixels_only: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """What came of many images.

    Parameters
    ----------
    rows : Table
        Of all images; one that could not be read has a row without value and with its reason.
    images : int
        Images looked at.
    outside : mapping of str to str
        Run to the reason why its image lies outside the training domain.
    faults : mapping of str to str
        Run to the message of a file that could not be read.
    remarks : mapping of str to tuple of str
        Run to what was odd.
    """

    rows: Table
    images: int
    outside: Mapping[str, str]
    faults: Mapping[str, str]
    remarks: Mapping[str, tuple[str, ...]]


def segment_images(
    paths: Sequence[Path], look: Look, *, out: Path, jobs: int = 0, progress: Progress = silent
) -> Many:
    """Find nerve and vessel in images; write a mask for each, and the rows of all.

    Parameters
    ----------
    paths : sequence of Path
        Images and folders of images.
    look : Look
        Names and scale.
    out : Path
        Folder: ``NAME.png`` (one band of 8 bit, as large as the image; 1 nerve, 2 vessel) for each image,
        ``NAME_N.png`` for frame N (from 1) of a cine, and ``rows.csv``. Of images of one name the parent
        folder goes into NAME.
    jobs : int
        Worker processes at most; 0 takes all cores. Few images take one.
    progress : Progress

    Returns
    -------
    Many

    Raises
    ------
    UnknownName
        If the site is no nerve of the vocabulary, or the side no side.
    NotReadable
        If a path does not exist, or none of the files could be read (the rows are written before).
    NotWritable
        If the folder cannot be written.
    """
    _check(look)
    images = images_of(paths)
    runs = run_names(images)
    targets = mask_names(runs)
    plan = [
        Job(run, JOB, {"path": str(path), "run": run, "look": _plain(look), "target": str(out / target)})
        for run, path, target in zip(runs, images, targets, strict=True)
    ]
    cores = jobs or os.cpu_count() or 1
    workers = max(1, min(cores, len(plan) // 4 if len(plan) >= WORTH_A_SECOND else 1))
    done = _collected(answers_of(plan, workers=workers, progress=progress), runs, look)
    write_table(done.rows, out / ROWS)
    if len(done.faults) == len(images):
        raise NotReadable("; ".join(done.faults.values()))
    return done


def mask_names(runs: Sequence[str]) -> list[str]:
    """File names of masks, without ending: runs with their folders joined on, all different.

    Examples
    --------
    >>> mask_names(["a/left", "b/left", "right"])
    ['a_left', 'b_left', 'right']
    >>> mask_names(["a/left", "a_left"])
    ['a_left', 'a_left_2']
    """
    names: list[str] = []
    for run in runs:
        name, number = run.replace("/", "_"), 1
        while name.casefold() in {earlier.casefold() for earlier in names}:
            number += 1
            name = f"{run.replace('/', '_')}_{number}"
        names.append(name)
    return names


def job(task: Mapping[str, Any]) -> dict[str, Any]:
    """One image in a worker process: its mask is written, its rows are the answer.

    Parameters
    ----------
    task : mapping
        ``path``, ``run``, ``look`` (fields of :class:`Look`) and ``target`` (the mask, without ending).
    """
    options, run = Look(**task["look"]), str(task["run"])
    try:
        reading = ultrasound.reading(
            Path(task["path"]),
            spacing_mm=options.spacing_mm,
            depth_mm=options.depth_mm,
            pixels_only=options.pixels_only,
            subject=options.subject,
            session=options.session,
            run=run,
        )
    except InvalidInput as fault:  # an image, but not one to measure: upside down, no tissue
        row = _lost(run, options) | {"absent": "out_of_domain", "flags": "outside_training_domain"}
        return {"rows": [row], "remarks": [], "fault": str(fault), "outside": ""}
    except MyoproofError as fault:
        return {"rows": [_lost(run, options)], "remarks": [], "fault": str(fault), "outside": ""}
    found = nerve.find(reading.acquisition, params=nerve.Params(site=options.site, side=options.side))
    rows = measured(reading.acquisition, found, flags=reading.flags)
    labels = found.segmentation.labels
    for number, frame in enumerate(labels, start=1):
        ending = ".png" if len(labels) == 1 else f"_{number}.png"
        load("writers", "label-image")(frame, Path(task["target"] + ending))
    remarks = [finding.message for finding in reading.findings]
    records = rows.to_dict("records")
    return {"rows": records, "remarks": remarks, "fault": "", "outside": found.outside}


def measured(acquisition: Acquisition, found: nerve.Found, *, flags: Sequence[str] = ()) -> Table:
    """Rows of what was found.

    Parameters
    ----------
    acquisition : Acquisition
        The picture.
    found : myoproof.segmentation.nerve.Found
        Nerve and vessel in it.
    flags : sequence of str
        Of the reader.

    Returns
    -------
    Table
        As :func:`myoproof.measures.nerve.measure`; outside the training domain every row has the flag
        ``outside_training_domain`` and fails.
    """
    said = (*flags, *(["outside_training_domain"] if found.outside else []))
    params = nerve_measure.Params(flags=tuple(sorted(set(said))))
    rows = nerve_measure.measure(acquisition, found.segmentation, params=params)
    picture = acquisition.payload
    assert isinstance(picture, Picture)
    settings = {"site": found.segmentation.names[nerve.NERVE][0], "rater": nerve.RATER}
    mark = provenance_id(act="segment nerve", parameters=settings, inputs=[acquisition.digest])
    return from_rows(rows.assign(provenance=mark))


def _check(look: Look) -> None:
    sites = words("sites")
    if look.site not in sites or sites[look.site]["kind"] != "nerve":
        nerves = {name: row for name, row in sites.items() if row["kind"] == "nerve"}
        raise InvalidInput(f"{look.site!r} is no nerve of the vocabulary", mend=near(look.site, nerves))
    if look.side and look.side not in words("sides"):
        raise InvalidInput(f"{look.side!r} is no side", mend=near(look.side, words("sides")))


def _plain(look: Look) -> dict[str, Any]:
    return {name: getattr(look, name) for name in Look.__dataclass_fields__}


def _collected(answers: Mapping[str, Outcome], runs: Sequence[str], look: Look) -> Many:
    records: list[dict[str, Any]] = []
    outside: dict[str, str] = {}
    faults: dict[str, str] = {}
    remarks: dict[str, tuple[str, ...]] = {}
    for run in runs:
        outcome = answers[run]
        if outcome.kind == "done":
            value = outcome.value
        elif outcome.kind in {"refused", "died", "late"}:
            fault = f"{run}: {outcome.reason}"
            value = {"rows": [_lost(run, look)], "remarks": [], "fault": fault, "outside": ""}
        else:
            raise InvalidInput(outcome.reason, where=run, mend=outcome.detail)
        records += value["rows"]
        for told, key in ((outside, "outside"), (faults, "fault")):
            if value[key]:
                told[run] = str(value[key])
        if value["remarks"]:
            remarks[run] = tuple(value["remarks"])
    return Many(from_rows(pd.DataFrame(records)), len(runs), outside, faults, remarks)


def _lost(run: str, look: Look) -> dict[str, Any]:
    who = {"subject": look.subject, "session": look.session, "run": run, "modality": "ultrasound"}
    what = {"site": look.site, "side": look.side, "measure": LOST, "method": nerve_measure.METHOD}
    return who | what | {"unit": "mm2", "rater": nerve.RATER, "quality": "fail", "absent": "unreadable"}
