"""One ultrasound image to rows: read it, find the muscle, measure its architecture and its echogenicity."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, NotReadable
from myoproof.measures import architecture, echogenicity
from myoproof.registry import load
from myoproof.sources.ultrasound import UltrasoundReading, reading
from myoproof.vocabulary.muscles import muscle as muscle_named

VIEWS = {"longitudinal": "muscle_us", "transverse": "muscle_us_transverse"}
"""View -> the segmenter that finds muscles in it."""
SIDES = ("", "left", "right")


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of an image beside its pixels.

    Parameters
    ----------
    muscle : str
        Any name of the muscle (`vocabulary.muscles.muscle`).
    view : {"longitudinal", "transverse"}
        How the probe lay.
    side : {"", "left", "right"}
        Side of the body.
    spacing_mm : float or tuple of float, optional
        Size of a pixel, or of rows and columns.
    depth_mm : float, optional
        Depth printed on the image.
    pixels_only : bool
        Lengths in pixels although the file tells a scale.
    subject, session : str
        Pseudonym and visit.
    """

    muscle: str
    view: str = "longitudinal"
    side: str = ""
    spacing_mm: float | tuple[float, float] | None = None
    depth_mm: float | None = None
    pixels_only: bool = False
    subject: str = ""
    session: str = "m00"

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise InvalidInput(f"no view {self.view!r}", mend=f"known: {', '.join(VIEWS)}")
        if self.side not in SIDES:
            raise InvalidInput(f"side is left or right, not {self.side!r}")


@dataclass(frozen=True, slots=True)
class Measured:
    """An image and all that was made of it.

    Parameters
    ----------
    rows : Table
        Architecture and echogenicity; a refusal is a row without value and with its reason.
    reading : UltrasoundReading
        As it was read.
    segmentation : Segmentation
        Where the muscle was found; empty where refused.
    findings : tuple of Finding
        What was odd on the way.
    """

    rows: Table
    reading: UltrasoundReading
    segmentation: Segmentation
    findings: tuple[Finding, ...] = field(default=())


def measure_image(path: Path | str, look: Look, *, run: str = "") -> Measured:
    """Read an image and measure the muscle in it, unattended.

    Parameters
    ----------
    path : Path or str
        DICOM, PNG, JPEG, TIFF, BMP, MP4 or AVI.
    look : Look
        Muscle, view, side, scale and key.
    run : str
        Key of the recording; "" takes the file's name without its ending.

    Returns
    -------
    Measured

    Raises
    ------
    UnknownName
        If no muscle is called so.
    NotReadable, InvalidInput
        If the file cannot be read or shows no ultrasound.
    """
    site = muscle_named(look.muscle)
    read = reading(
        path,
        spacing_mm=look.spacing_mm,
        depth_mm=look.depth_mm,
        pixels_only=look.pixels_only,
        subject=look.subject,
        session=look.session,
        run=run or Path(path).stem,
    )
    acquisition = replace(read.acquisition, protocol=look.view)
    regions = segmented(acquisition, site, look)
    rows = measured(acquisition, regions, look, read.flags)
    return Measured(rows, replace(read, acquisition=acquisition), regions, read.findings)


def segmented(acquisition: Acquisition, site: str, look: Look) -> Segmentation:
    """Regions of the view's segmenter."""
    segmenter: Callable[..., Segmentation] = load("segmenters", VIEWS[look.view])
    return segmenter(acquisition, site=site, side=look.side, view=look.view)


def measured(acquisition: Acquisition, regions: Segmentation, look: Look, flags: Sequence[str] = ()) -> Table:
    """Rows of architecture and echogenicity of given regions; a reader's drawing goes through the same.

    Parameters
    ----------
    acquisition : Acquisition
    regions : Segmentation
    look : Look
    flags : sequence of str
        Of the image; every row gets them.
    """
    params = replace(architecture.Params(), view=look.view)
    tables = [
        architecture.measure(acquisition, regions, params=params),
        echogenicity.measure(acquisition, regions),
    ]
    rows = pd.concat([table for table in tables if len(table)], ignore_index=True)
    if flags:
        rows["flags"] = [_joined(text, flags) for text in rows["flags"]]
    return from_rows(rows, where=acquisition.run)


def _joined(text: str, more: Sequence[str]) -> str:
    return ";".join(sorted({word for word in text.split(";") if word} | set(more)))


def job(argument: Mapping[str, Any]) -> dict[str, Any]:
    """One image in a worker process: plain JSON in and out.

    Parameters
    ----------
    argument : mapping
        path, run and look (the fields of `Look`).

    Returns
    -------
    dict
        rows (records), remarks (texts), fault ("" where it was measured) and the reason of its absence.
    """
    look = Look(**argument["look"])
    run = str(argument["run"])
    try:
        done = measure_image(argument["path"], look, run=run)
    except (NotReadable, InvalidInput) as fault:
        reason = "unreadable" if isinstance(fault, NotReadable) else "failed_quality"
        return {"rows": [], "remarks": [], "fault": str(fault), "reason": reason}
    records = json.loads(done.rows.to_json(orient="records", double_precision=15))
    return {
        "rows": records,
        "remarks": [finding.message for finding in done.findings],
        "fault": "",
        "reason": "",
    }
