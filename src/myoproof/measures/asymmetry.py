"""Asymmetry: how far left and right differ, from their rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import KEY, Table, from_rows

METHOD = "asymmetry"
METHOD_VERSION = 1

RELATIVE = (
    "volume",
    "cross_sectional_area",
    "functional_remaining_area",
    "functional_remaining_volume",
)
"""Sizes: the difference counts against the mean of the sides."""
ABSOLUTE = ("fat_fraction", "fat_fraction_signal", "water_t2")
"""Of these the plain difference is given: against a small mean it would explode."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of asymmetry.

    Parameters
    ----------
    slices : bool
        Also rows of single slices (``slice:N``); off, because left and right need not lie in one slice alike.
    """

    slices: bool = False


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:
    """Left against right.

    Parameters
    ----------
    rows : Table
        Measurement rows of both sides.
    cohort : Cohort
        Not used.
    params : Params
        Settings.

    Returns
    -------
    Table
        Rows with side ``both`` and method ``asymmetry:METHOD`` of the rows compared. ``volume_asymmetry`` and
        those of other sizes: (left - right) / mean of the two, between -2 and 2. ``fat_fraction_asymmetry``
        and ``water_t2_asymmetry``: left - right. Positive: left is larger. Low and high propagate the
        intervals of the sides in first order as independent: errors that a whole scan shares cancel in truth,
        so these intervals are on the wide side. A side without a value gives an absent row with its reason.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table.

    Examples
    --------
    >>> sides = [{"measure": "volume", "side": side, "value": value, "method": "dixon"}
    ...          for side, value in (("left", 90.0), ("right", 110.0))]
    >>> derive(from_rows(sides))[["measure", "side", "value"]].to_dict("records")
    [{'measure': 'volume_asymmetry', 'side': 'both', 'value': -0.2}]
    """
    del cohort
    known = rows[rows["measure"].isin([*RELATIVE, *ABSOLUTE])]
    if not params.slices:
        known = known[~known["at"].str.startswith("slice:")]
    key = [column for column in KEY if column != "side"]
    left, right = (known[known["side"] == side].drop(columns="side") for side in ("left", "right"))
    both = left.merge(right, on=key, suffixes=("", "_right"))
    return from_rows([_row(row) for _, row in both.iterrows()])


def _row(row: pd.Series) -> Mapping[str, object]:
    flags = sorted({*row["flags"].split(";"), *row["flags_right"].split(";")} - {""})
    worst = max((row["quality"], row["quality_right"]), key=("ok", "warn", "fail").index)
    out = {column: row[column] for column in KEY if column != "side"}
    out |= {"side": "both", "measure": f"{row['measure']}_asymmetry", "method": f"{METHOD}:{row['method']}"}
    out |= {"method_version": METHOD_VERSION, "flags": ";".join(flags), "quality": worst}
    out |= {"provenance": row["provenance"]}
    absent = row["absent"] or row["absent_right"]
    if absent:
        return {**out, "absent": absent}
    left, right = float(row["value"]), float(row["value_right"])
    if row["measure"] in RELATIVE:
        if left + right <= 0:
            return {**out, "absent": "not_defined"}
        value = 2 * (left - right) / (left + right)
        slopes = 4 * right / (left + right) ** 2, 4 * left / (left + right) ** 2
        ends = (-2.0, 2.0)
    else:
        value, slopes = left - right, (1.0, 1.0)
        ends = (-1.0, 1.0) if row["measure"].startswith("fat_fraction") else (-np.inf, np.inf)
    if np.isnan([row["low"], row["high"], row["low_right"], row["high_right"]]).any():
        return {**out, "value": value}
    down = np.hypot(slopes[0] * (left - row["low"]), slopes[1] * (row["high_right"] - right))
    up = np.hypot(slopes[0] * (row["high"] - left), slopes[1] * (right - row["low_right"]))
    low, high = float(np.clip(value - down, *ends)), float(np.clip(value + up, *ends))
    return {**out, "value": value, "low": low, "high": high, "level": row["level"]}
