"""One muscle or nerve of a visit: its frames measured, their mean, readers' masks, and what people see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.cohort import ACQUISITIONS
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows, write_table
from myoproof.errors import Finding, InvalidInput, NotReadable
from myoproof.measures import architecture, echogenicity
from myoproof.measures import nerve as nerve_measure
from myoproof.measures.replicates import mean_rows, numbered
from myoproof.registry import load, load_module, names
from myoproof.segmentation import nerve
from myoproof.sources import ultrasound_masks
from myoproof.sources.ultrasound import UltrasoundReading, reading
from myoproof.sources.ultrasound_export import blacked_out, not_clean
from myoproof.workflow import nerve as nerve_workflow
from myoproof.workflow import ultrasound as muscle_workflow
from myoproof.workflow.folder import write_json
from myoproof.workflow.ledger_tasks import Task
from myoproof.workflow.ultrasound_names import is_nerve
from myoproof.workflow.verbs import mark_simulated

RANKS = {"ok": 0, "warn": 1, "fail": 2}
SHOWN = {
    "muscle": ("thickness", "thickness_deep_end", "fascicle_angle", "echogenicity", "subcutaneous_thickness"),
    "nerve": ("nerve_cross_sectional_area", "echogenicity", "nerve_fascicle_ratio"),
}
"""Measures whose values stand below an image."""
LOST = {
    "muscle": ("thickness", architecture.METHOD),
    "nerve": ("nerve_cross_sectional_area", nerve_measure.METHOD),
}
"""Measure and method of the row that stands for a frame that could not be read."""
FASCICULATION = "fasciculation"


@dataclass(frozen=True, slots=True)
class Frame:
    """What came of one file.

    Parameters
    ----------
    number : int
        From 1.
    name : str
        The file, for people.
    rows : Table
        Of the segmenter's regions, without the number in ``at``.
    drawn_rows : Table
        Of readers' masks.
    reading : UltrasoundReading, optional
        None where the file could not be read.
    regions : Segmentation, optional
        As found.
    drawings : tuple of Segmentation
        As drawn.
    findings : tuple of Finding
        What was odd.
    """

    number: int
    name: str
    rows: Table
    drawn_rows: Table
    reading: UltrasoundReading | None = None
    regions: Segmentation | None = None
    drawings: tuple[Segmentation, ...] = ()
    findings: tuple[Finding, ...] = ()


def look(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the frames of one muscle or nerve of one visit.

    Parameters
    ----------
    argument : mapping
        ``task``: the record of a task planned by :func:`myoproof.workflow.ultrasound_run.plan`; ``staging``:
        an empty folder.

    Returns
    -------
    dict
        Plain JSON for the run's tables and report.

    Raises
    ------
    MyoproofError
        If something other than a file of it is at fault; a frame that cannot be read is an absent row.
    """
    task, staging = Task.of(argument["task"]), Path(argument["staging"])
    frames = [_frame(task, image, number) for number, image in enumerate(task.work["images"], 1)]
    rows = _rows(task, frames)
    record = {"id": task.id, "act": task.act, "parameters": dict(task.parameters)}
    record |= {"inputs": list(task.inputs), "parents": list(task.parents)}
    write_table(rows, staging / "tables" / "measurements" / f"{task.id}.parquet")
    write_json(record, staging / "provenance" / f"{task.id}.json")
    cleaned = list(_write_images(task, frames, staging))
    return {
        "acquisition": _acquisition(task, frames),
        "rows": len(rows),
        "frames": [_told(task, frame) for frame in frames],
        "quality": _worst(task, rows, frames),
        "absent": _absent(rows),
        "images": cleaned,
        "simulated": bool(task.parameters["options"]["simulated"]),
    }


def _frame(task: Task, image: Mapping[str, Any], number: int) -> Frame:
    """Read one file and measure what it shows; a fault of the file is a row, not an error."""
    who = {name: str(task.parameters[name]) for name in ("subject", "session", "run")}
    try:
        read = reading(
            image["path"],
            spacing_mm=task.parameters["options"]["spacing_mm"],
            depth_mm=image["depth_mm"],
            pixels_only=task.parameters["options"]["pixels_only"],
            **who,
        )
    except (NotReadable, InvalidInput) as fault:
        reason = "unreadable" if isinstance(fault, NotReadable) else "failed_quality"
        told = (Finding("error", reason, fault.what, "", fault.mend),)
        return Frame(number, image["name"], _lost(task, reason), from_rows([]), findings=told)
    read = replace(read, acquisition=_with_protocol(read.acquisition, task, image))
    regions, rows = _measured(task, read)
    drawings, drawn_rows, faults = _drawn(task, read, image)
    return Frame(number, image["name"], rows, drawn_rows, read, regions, drawings, (*read.findings, *faults))


def _with_protocol(acquisition: Acquisition, task: Task, image: Mapping[str, Any]) -> Acquisition:
    return replace(
        acquisition,
        day=float(task.parameters["day"]),
        device=image["device"] or acquisition.device,
        preset=image["preset"] or acquisition.preset,
        protocol=str(task.parameters["view"]),
    )


def _measured(task: Task, read: UltrasoundReading) -> tuple[Segmentation, Table]:
    site, side = str(task.parameters["site"]), str(task.parameters["side"])
    if is_nerve(site):
        found = nerve.find(read.acquisition, params=nerve.Params(site=site, side=side))
        return found.segmentation, nerve_workflow.measured(read.acquisition, found, flags=read.flags)
    asked = _asked(task)
    regions = muscle_workflow.segmented(read.acquisition, site, asked)
    rows = muscle_workflow.measured(read.acquisition, regions, asked, read.flags)
    return regions, _with_twitches(read, regions, rows)


def _with_twitches(read: UltrasoundReading, regions: Segmentation, rows: Table) -> Table:
    """Fasciculations, where the file is a cine whose frame times are known."""
    picture = read.acquisition.payload
    assert isinstance(picture, Picture)
    if picture.times_s is None or FASCICULATION not in names("measures"):
        return rows
    more: Table = load("measures", FASCICULATION)(read.acquisition, regions)
    told = [set(text.split(";")) - {""} | set(read.flags) for text in more["flags"]]
    more = Table(more.assign(flags=[";".join(sorted(flags)) for flags in told]))
    return from_rows(pd.concat([rows, more], ignore_index=True))


def _asked(task: Task) -> muscle_workflow.Look:
    return muscle_workflow.Look(
        muscle=str(task.parameters["site"]),
        view=str(task.parameters["view"]),
        side=str(task.parameters["side"]),
        subject=str(task.parameters["subject"]),
        session=str(task.parameters["session"]),
    )


def _drawn(
    task: Task, read: UltrasoundReading, image: Mapping[str, Any]
) -> tuple[tuple[Segmentation, ...], Table, list[Finding]]:
    """Readers' masks through the same measures; a mask that does not fit is told."""
    site, side = str(task.parameters["site"]), str(task.parameters["side"])
    picture = read.acquisition.payload
    assert isinstance(picture, Picture)
    regions, tables, faults = [], [], []
    for mask in image["drawn"]:
        try:
            drawing = ultrasound_masks.read(
                Path(mask["path"]), picture, labels_of(site, side), rater=mask["reader"]
            )
        except (NotReadable, InvalidInput) as fault:
            faults.append(
                Finding("warning", "drawing", f"mask of {mask['reader']}: {fault.what}", "", fault.mend)
            )
            continue
        regions.append(drawing)
        if is_nerve(site):
            params = nerve_measure.Params(flags=read.flags)
            parts = [
                nerve_measure.measure(read.acquisition, drawing, params=params),
                echogenicity.measure(read.acquisition, drawing),
            ]
            tables.append(from_rows(pd.concat(parts, ignore_index=True)))
        else:
            tables.append(muscle_workflow.measured(read.acquisition, drawing, _asked(task), read.flags))
    rows = from_rows(pd.concat(tables, ignore_index=True)) if tables else from_rows([])
    return tuple(regions), rows, faults


def labels_of(site: str, side: str) -> dict[int, tuple[str, str]]:
    """What the labels of a mask mean, the muscle or nerve first."""
    if is_nerve(site):
        return {1: (site, side), 2: ("vessel", side)}
    return {2: (site, side), 1: ("subcutaneous_fat", side)}


def _lost(task: Task, reason: str) -> Table:
    site = str(task.parameters["site"])
    measure, method = LOST["nerve" if is_nerve(site) else "muscle"]
    key = {name: task.parameters[name] for name in ("subject", "session", "run", "site", "side")}
    what = {"modality": "ultrasound", "measure": measure, "method": method}
    return from_rows([{**key, **what, "quality": "fail", "absent": reason}])


def _rows(task: Task, frames: Sequence[Frame]) -> Table:
    """Rows of the frames and of their mean; a single frame is its own mean."""
    if len(frames) == 1:
        tables = [frames[0].rows, frames[0].drawn_rows]
    else:
        tables = [mean_rows([frame.rows for frame in frames])]
        tables.append(mean_rows([frame.drawn_rows for frame in frames if len(frame.drawn_rows)]))
        for frame in frames:
            tables += [numbered(frame.rows, frame.number), numbered(frame.drawn_rows, frame.number)]
    rows = from_rows(pd.concat([table for table in tables if len(table)], ignore_index=True), where=task.key)
    table = Table(rows.assign(provenance=task.id))
    return mark_simulated(table) if task.parameters["options"]["simulated"] else table


def _acquisition(task: Task, frames: Sequence[Frame]) -> dict[str, Any]:
    read = next((frame.reading.acquisition for frame in frames if frame.reading is not None), None)
    given = dict(task.parameters) | {"modality": "ultrasound", "protocol": task.parameters["view"]}
    for name in ("device", "preset", "digest"):
        given[name] = getattr(read, name) if read is not None else ""
    given["centre"] = ""
    return {name: given[name] for name in ACQUISITIONS}


def _told(task: Task, frame: Frame) -> dict[str, Any]:
    """What the report shows of a frame."""
    own = frame.rows[(frame.rows["at"] == "")]
    kind = "nerve" if is_nerve(str(task.parameters["site"])) else "muscle"
    values = [
        {name: row[name] for name in ("measure", "method", "value", "unit", "low", "high")}
        for measure in SHOWN[kind]
        for row in own[(own["measure"] == measure) & own["value"].notna()].head(1).to_dict("records")
    ]
    flags = sorted({word for text in own["flags"] for word in text.split(";") if word})
    picture = "" if frame.reading is None else _tile(task, frame)
    return {
        "number": frame.number,
        "name": frame.name,
        "values": values,
        "flags": flags,
        "absent": _absent(own),
        "quality": _worst(task, own, [frame]),
        "tile": picture,
        "readers": sorted({drawing.rater for drawing in frame.drawings}),
        "doubtful": "" if frame.reading is None else not_clean(frame.reading),
        "findings": [asdict(finding) for finding in frame.findings],
    }


def _tile(task: Task, frame: Frame) -> str:
    tiles = load_module("writers", "ultrasound-tiles")
    assert frame.reading is not None
    main = 1 if is_nerve(str(task.parameters["site"])) else 2
    lines = _lines(frame, main) if main == 2 else ()
    drawn = tiles.Drawn(frame.regions, main, frame.drawings, lines)
    told: str = tiles.address(tiles.tile(frame.reading.acquisition.payload, drawn))
    return told


def _lines(frame: Frame, main: int) -> tuple[tuple[tuple[float, float], tuple[float, float]], ...]:
    """Where the deep end is measured, and the direction of fascicles through the middle of the muscle."""
    if frame.regions is None:
        return ()
    muscle = frame.regions.labels[0] == main
    own = frame.rows[(frame.rows["at"] == "") & frame.rows["value"].notna()].set_index("measure")
    if not muscle.any() or "fascicle_angle" not in own.index:
        return ()
    assert frame.reading is not None
    picture = frame.reading.acquisition.payload
    assert isinstance(picture, Picture)
    mirrored = _falls(picture.pixels[0, ..., 0], muscle)
    columns = np.flatnonzero(muscle.any(0))
    edge = int(columns[-1] if mirrored else columns[0])
    inside = np.flatnonzero(muscle[:, edge])
    middle = columns.size // 2
    rows = np.flatnonzero(muscle[:, columns[middle]])
    reach = 0.25 * columns.size
    rise = (
        np.tan(np.radians(float(own.loc[["fascicle_angle"], "value"].iloc[0])))
        * (-1 if mirrored else 1)
        * reach
    )
    row, column = float(rows.mean()), float(columns[middle])
    return (
        ((float(inside[0]), float(edge)), (float(inside[-1]), float(edge))),
        ((row + rise, column - reach), (row - rise, column + reach)),
    )


def _falls(grey: np.ndarray[Any, np.dtype[np.uint8]], muscle: np.ndarray[Any, np.dtype[np.bool_]]) -> bool:
    """Whether streaks fall to the right: there the gradients across and down have opposite signs."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 2)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    return bool((across * down)[muscle].sum() < 0)


def _write_images(task: Task, frames: Sequence[Frame], staging: Path) -> Iterator[str]:
    """Regions as masks, and the cleaned image where it is asked for and nothing speaks against it."""
    for frame in frames:
        name = f"{task.key}_{frame.number}"
        if frame.regions is not None and frame.regions.labels.any():
            rater = "".join(letter for letter in frame.regions.rater if letter.isalnum())
            _png(
                frame.regions.labels[0].astype(np.uint8),
                staging / "segmentations" / f"{name}_desc-{rater}_dseg.png",
            )
        if not task.parameters["options"]["images"] or frame.reading is None or not_clean(frame.reading):
            continue
        picture = frame.reading.acquisition.payload
        assert isinstance(picture, Picture)
        place = f"derivatives/images/{name}.png"
        _png(blacked_out(picture).pixels[0, ..., 0], staging / place)
        yield place


def _png(values: np.ndarray[Any, np.dtype[np.uint8]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", values)
    path.write_bytes(data.tobytes())


def _absent(rows: pd.DataFrame) -> str:
    """Why the first measure of the site is absent; "" where it is there."""
    firsts = {measure for measure, _ in LOST.values()}
    main = rows[rows["measure"].isin(firsts) & (rows["at"] == "")]
    return str(main["absent"].iloc[0]) if len(main) and main["value"].isna().all() else ""


def _worst(task: Task, rows: pd.DataFrame, frames: Sequence[Frame]) -> str:
    """The worst of what is shown of the muscle or nerve and of what reading found."""
    site = str(task.parameters["site"])
    shown = rows["measure"].isin(SHOWN["nerve" if is_nerve(site) else "muscle"]) & (rows["site"] == site)
    rows = rows[shown]
    levels = {"error": "fail", "warning": "warn", "info": "ok"}
    told = [levels[finding.level] for frame in frames for finding in frame.findings]
    return max([*rows["quality"], *told], key=RANKS.__getitem__, default="ok")
