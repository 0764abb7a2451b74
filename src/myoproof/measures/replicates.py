"""Replicates: the rows of several frames of one muscle, and their mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.table import KEY, Table, from_rows
from myoproof.vocabulary.lookup import unit as vocabulary_unit

RANKS = {"ok": 0, "warn": 1, "fail": 2}
ALIKE = [name for name in KEY if name != "at"]
MISSING = "replicates_missing"
EVENT = "event:"
"""Events of one recording are no replicates of those of another."""


def numbered(rows: Table, number: int) -> Table:
    """The rows of one frame with its number in ``at``: ``image:2``, ``image:2/width:0.50`` for a place in it.

    Parameters
    ----------
    rows : Table
        Of one frame.
    number : int
        From 1.
    """
    at = [f"image:{number}/{place}" if place else f"image:{number}" for place in rows["at"]]
    return Table(rows.assign(at=at))


def mean_rows(frames: Sequence[Table]) -> Table:
    """The mean of each measure over frames.

    Parameters
    ----------
    frames : sequence of Table
        Rows of each frame, without its number in ``at``.

    Returns
    -------
    Table
        One row for each key. Its interval is as wide as those of single frames are in the root mean square:
        frames share the errors of scale, device and observer, so that more of them do not narrow it. Where
        some frames gave no value the row says so; where frames differ in unit (mm and px), millimetres count.
    """
    given = [frame for frame in frames if len(frame)]
    if not given:
        return from_rows([])
    rows = pd.concat(given, ignore_index=True)
    rows = rows[~rows["at"].str.startswith(EVENT)]
    together = rows.groupby([*ALIKE, "at"], sort=False, dropna=False)
    return from_rows([_mean(own, len(frames)) for _, own in together])


def _mean(own: pd.DataFrame, frames: int) -> dict[str, Any]:
    valued = own[own["value"].notna()]
    row = {str(name): cell for name, cell in own.iloc[0].items()}
    if valued.empty:
        return row
    usual = vocabulary_unit(str(row["measure"]))
    unit = usual if (valued["unit"] == usual).any() else str(valued["unit"].iloc[0])
    valued = valued[valued["unit"] == unit]
    value = float(valued["value"].mean())
    flags = {word for text in valued["flags"] for word in text.split(";") if word}
    flags |= {MISSING} if len(valued) < frames else set()
    below, above = (_half(valued["value"] - valued["low"]), _half(valued["high"] - valued["value"]))
    return row | {
        "value": value,
        "unit": unit,
        "low": value - below,
        "high": value + above,
        "level": float(valued["level"].iloc[0]),
        "quality": max(valued["quality"], key=RANKS.__getitem__),
        "flags": ";".join(sorted(flags)),
        "absent": "",
    }


def _half(widths: pd.Series) -> float:
    return float(np.sqrt(np.mean(np.square(widths.to_numpy(dtype=np.float64)))))
