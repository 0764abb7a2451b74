"""A follow-up visit: the mask drawn on an earlier visit carried over, and what changed since."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, MyoproofError
from myoproof.measures.dixon_flags import quality
from myoproof.segmentation import propagate
from myoproof.workflow import regions
from myoproof.workflow.ledger_tasks import Task
from myoproof.workflow.mri_read import opened

METHOD = "propagate"
FLAG = "mask_propagated"
CHANGES = ("volume_change", "fat_fraction_change")
POOR = 0.5
"""Correlation of both visits' fat fractions around a muscle below which its mask is doubted (proposal)."""
Tell = Callable[[Finding], None]


@dataclass(frozen=True, slots=True)
class Carried:
    """A mask of an earlier visit on this one, and what changed since.

    Parameters
    ----------
    session : str
        The earlier visit.
    found : Propagated
        The carried mask and what belongs to it.
    change : DataFrame
        From :func:`myoproof.segmentation.propagate.change`.
    """

    session: str
    found: propagate.Propagated
    change: pd.DataFrame

    @property
    def segmentation(self) -> Segmentation:
        """The mask on the later scan."""
        return self.found.segmentation


def carry(task: Task, later: Acquisition, tell: Tell) -> Carried | None:
    """Carry the mask of the baseline visit to this one.

    Parameters
    ----------
    task : Task
        Its ``work["baseline"]`` names the earlier scan and its mask; None where there is none.
    later : Acquisition
        This visit: a Volume with ``fat`` and ``water``.
    tell : callable
        Told how well the visits fit, or why the mask could not be carried.

    Returns
    -------
    Carried or None
        None where there is no baseline, or it cannot be carried.
    """
    given = task.work["baseline"]
    if given is None:
        return None
    visit = given["who"]["session"] or "the earlier visit"
    try:
        earlier = opened(given["scan"], given["who"], lambda _: None).images
        labels, rater = task.parameters["options"]["labels"], given["mask"]["rater"]
        mask = regions.read(Path(given["mask"]["path"]), earlier, labels=labels, rater=rater).segmentation
        found = propagate.propagate(earlier, mask, later)
        change = propagate.change(mask, found)
    except MyoproofError as error:
        what = f"the mask drawn at {visit} could not be carried here ({error.what}); the network was asked"
        tell(Finding("warning", "propagation", what))
        return None
    fit = float(np.median(change["agreement"])) if len(change) else 0.0
    shifts = " and ".join(f"{shift:+.1f}" for shift in found.shift_mm)
    what = (
        f"the mask drawn at {visit} was carried here: the stack lies {shifts} mm higher than then, "
        f"images agree to {fit:.2f} (median over muscles, 1 is best)"
    )
    tell(Finding("warning" if fit < POOR else "info", "propagation", what))
    return Carried(given["who"]["session"], found, change)


def rows(carried: Carried, scan: Acquisition) -> Table:
    """Change of volume and of fat fraction, a row a muscle and side.

    Parameters
    ----------
    carried : Carried
        From :func:`carry`.
    scan : Acquisition
        This visit.

    Returns
    -------
    Table
        ``volume_change`` (later / earlier less 1) and ``fat_fraction_change`` (later less earlier, of the
        signals), over the slices that both visits show, with the intervals of the propagation.
    """
    start = {name: getattr(scan, name) for name in ("subject", "session", "run", "modality")}
    start |= {"method": METHOD, "method_version": propagate.VERSION, "rater": carried.segmentation.rater}
    return from_rows({**start, **row} for line in carried.change.to_dict("records") for row in _changes(line))


def _changes(line: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    flags = frozenset({"low_confidence"} if float(line["agreement"]) < POOR else ())
    for name in CHANGES:
        row = {"site": line["site"], "side": line["side"], "measure": name}
        row |= {"flags": ";".join(sorted(flags)), "quality": quality(flags)}
        if np.isnan(line[name]):
            yield {**row, "absent": "insufficient_data"}
        else:
            ends = {end: float(line[f"{name}_{end}"]) for end in ("low", "high")}
            yield {**row, "value": float(line[name]), **ends, "level": propagate.LEVEL}


def marked(table: pd.DataFrame, carried: Carried | None) -> pd.DataFrame:
    """The rows with ``mask_propagated`` on those that rest on a carried mask."""
    if carried is None:
        return table
    own = table["rater"] == carried.segmentation.rater
    flags = [
        ";".join(sorted({*filter(None, text.split(";")), FLAG})) if here else text
        for text, here in zip(table["flags"], own, strict=True)
    ]
    return table.assign(flags=flags)
