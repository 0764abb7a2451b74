"""Fat volume: how much fat lies within a muscle, under the skin or between muscles, from its rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import KEY, Table, from_rows

METHOD = "fat_volume"
METHOD_VERSION = 1


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of fat volumes.

    Parameters
    ----------
    level : float
        Only rows whose interval has this level are joined.
    """

    level: float = 0.95


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:
    """Volume times fat fraction of every region that has both.

    Parameters
    ----------
    rows : Table
        Measurement rows with ``volume`` and ``fat_fraction`` of whole regions: muscles, muscle groups, and
        compartments such as ``subcutaneous_fat`` and ``intermuscular_fat``.
    cohort : Cohort
        Not used.
    params : Params
        Settings.

    Returns
    -------
    Table
        ``fat_volume`` (mL) by method ``fat_volume:METHOD`` of the rows joined. The interval adds what volume
        and fat fraction contribute in quadrature, as if their errors were independent.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table.
    """
    del cohort
    whole = rows[(rows["at"] == "") & rows["measure"].isin(["volume", "fat_fraction"])]
    key = [column for column in KEY if column != "measure"]
    parts = [whole[whole["measure"] == name].drop(columns="measure") for name in ("volume", "fat_fraction")]
    both = parts[0].merge(parts[1], on=key, suffixes=("", "_fat"))
    both = both[(both["method"] != "") & ~both["method"].str.startswith("fat_volume")]
    return from_rows([_row(row, params) for _, row in both.iterrows()])


def _row(row: pd.Series, params: Params) -> dict[str, object]:
    flags = sorted({*row["flags"].split(";"), *row["flags_fat"].split(";")} - {""})
    worst = max((row["quality"], row["quality_fat"]), key=("ok", "warn", "fail").index)
    out = {column: row[column] for column in KEY if column != "measure"}
    out |= {"measure": METHOD, "method": f"{METHOD}:{row['method']}", "method_version": METHOD_VERSION}
    out |= {"flags": ";".join(flags), "quality": worst, "provenance": row["provenance"]}
    absent = row["absent"] or row["absent_fat"]
    if absent:
        return {**out, "absent": absent}
    volume, fraction = float(row["value"]), float(row["value_fat"])
    value = volume * fraction
    if not (row["level"] == params.level and row["level_fat"] == params.level):
        return {**out, "value": value}
    down = np.hypot(fraction * (volume - row["low"]), volume * (fraction - row["low_fat"]))
    up = np.hypot(fraction * (row["high"] - volume), volume * (row["high_fat"] - fraction))
    return {**out, "value": value, "low": max(value - down, 0.0), "high": value + up, "level": params.level}
