"""Fasciculations of a cine file: read it, find the muscle, count."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.provenance import provenance_id
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows, write_table
from myoproof.errors import Finding
from myoproof.measures import fasciculation
from myoproof.registry import load
from myoproof.vocabulary.muscles import muscle as muscle_named
from myoproof.workflow.ultrasound_read import Reader

MUSCLE = 2
WHOLE_VIEW = "whole-view"
SEGMENTERS = {"longitudinal": "muscle_us", "transverse": "muscle_us_transverse"}


@dataclass(frozen=True, slots=True)
class Counted:
    """A cine and what was counted in it.

    Parameters
    ----------
    rows : Table
        Count, rate, and the events.
    findings : tuple of Finding
        What was odd about the file.
    """

    rows: Table
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """What is known of a cine beside its pixels.

    Parameters
    ----------
    muscle : str
        Any name of the muscle.
    view : {"longitudinal", "transverse"}
        How the probe lay.
    side, subject, session : str
        Keys of the rows.
    rate_hz : float
        Frames per second where the file does not tell; 0 where it does.
    spacing_mm : float, optional
        Size of a pixel.
    whole_view : bool
        Search the whole view, not the muscle that the finder outlines.
    """

    muscle: str
    view: str = "longitudinal"
    side: str = ""
    subject: str = ""
    session: str = "m00"
    rate_hz: float = 0.0
    spacing_mm: float | None = None
    whole_view: bool = False


def measure_fasciculations(path: Path, clip: Clip, *, out: Path | None = None) -> Counted:
    """Count the fasciculations of a cine.

    Parameters
    ----------
    path : Path
        DICOM, AVI or MP4.
    clip : Clip
        What is known of it.
    out : Path, optional
        Rows are written there (CSV or Parquet).

    Raises
    ------
    NotReadable
        If the file cannot be read.
    UnknownName
        If the muscle is not known.
    """
    site = muscle_named(clip.muscle)
    with Reader() as reader:
        reading = reader.read(
            path, spacing_mm=clip.spacing_mm, subject=clip.subject, session=clip.session, run=path.stem
        )
    scan = reading.acquisition
    regions = where(scan, site, clip)
    params = fasciculation.Params(rate_hz=clip.rate_hz)
    rows = fasciculation.measure(scan, regions, params=params)
    flags = set(reading.flags) | ({"whole_view_searched"} if regions.rater == WHOLE_VIEW else set())
    about = {"site": site, "rate_hz": clip.rate_hz, "view": clip.view, "method": fasciculation.METHOD_VERSION}
    identity = provenance_id(act="measure fasciculations", parameters=about, inputs=[scan.digest])
    told = rows["flags"].map(lambda old: ";".join(sorted(flags | set(filter(None, old.split(";"))))))
    table = from_rows(rows.assign(flags=told, provenance=identity))
    if out is not None:
        write_table(table, out)
    return Counted(table, reading.findings)


def where(scan: Acquisition, site: str, clip: Clip) -> Segmentation:
    """The muscle as the finder outlines it in one frame; the whole view where it refuses or is told to."""
    assert isinstance(scan.payload, Picture)
    picture = scan.payload
    if not clip.whole_view:
        one = replace(scan, payload=replace(picture, pixels=picture.pixels[:1], times_s=None))
        found: Segmentation = load("segmenters", SEGMENTERS[clip.view])(
            one, site=site, side=clip.side, view=clip.view
        )
        if (found.labels == MUSCLE).any():
            return found
    tissue = picture.tissue if picture.tissue is not None else np.ones(picture.pixels.shape[1:3], dtype=bool)
    labels = np.where(tissue, MUSCLE, 0).astype(np.uint16)[None]
    return Segmentation(labels, np.eye(4), {MUSCLE: (site, clip.side)}, WHOLE_VIEW)
