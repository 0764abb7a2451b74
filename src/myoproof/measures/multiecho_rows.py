"""The rows of a multi-echo scan: those of the Dixon measure, R2*, and the fat fraction without correction."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from myoproof.measures.dixon_intervals import plain_values, read_out
from myoproof.measures.dixon_params import Params as BorderParams
from myoproof.measures.dixon_rows import CORRECTED, Row
from myoproof.measures.dixon_sums import Scan
from myoproof.measures.multiecho_sums import MapSums

UNCORRECTED: Final = "uncorrected"
"""Appended to the method where T1 weighting was left in the value."""
DECAY: Final = "r2star"
FRACTIONS: Final = ("fat_fraction", "fat_fraction_signal")


def without_floor(rows: Sequence[Row]) -> list[Row]:
    """Rows less those of the noise floor: complex echoes have none to take off."""
    return [row for row in rows if not row["method"].endswith(f":{CORRECTED}")]


def decay_rows(
    rows: Sequence[Row],
    sums: Mapping[tuple[str, str], Sequence[MapSums]],
    scan: Scan,
    params: BorderParams,
) -> list[Row]:
    """R2* beside every fat fraction of the main method, whole and by slice.

    Parameters
    ----------
    rows : sequence of dict
        All rows so far; flags and reasons of absence are taken from the fat fraction.
    sums : mapping of (site, side) to sums
    scan : Scan
    params : BorderParams
        Level and border model.

    Returns
    -------
    list of dict
        The interval carries the border and, where known, the noise; not what is common to all voxels.
    """
    found: list[Row] = []
    readings = {key: read_out([part.decay for part in parts], scan, params) for key, parts in sums.items()}
    for row in rows:
        if row["measure"] != "fat_fraction" or ":" in row["method"]:
            continue
        own = {name: value for name, value in row.items() if name not in ("value", "low", "high", "level")}
        own["measure"] = DECAY
        reading = readings.get((row["site"], row["side"]))
        if "value" not in row or reading is None:
            found.append(own)
            continue
        place = reading.names.index(("fat_fraction", row["at"]))
        value = float(reading.value[place])
        low, high = min(float(reading.low[place]), value), max(float(reading.high[place]), value)
        found.append({**own, "value": value, "low": max(low, 0.0), "high": high, "level": params.level})
    return found


def uncorrected_rows(
    rows: Sequence[Row], sums: Mapping[tuple[str, str], Sequence[MapSums]], scan: Scan
) -> list[Row]:
    """The fat fractions of the whole muscle with T1 weighting left in, without an interval."""
    found: list[Row] = []
    for row in rows:
        if row["measure"] not in FRACTIONS or row["at"] or ":" in row["method"]:
            continue
        parts = sums.get((row["site"], row["side"]))
        if "value" not in row or parts is None:
            continue
        own = {name: value for name, value in row.items() if name not in ("low", "high", "level")}
        value = plain_values(np.sum([part.plain for part in parts], axis=0), scan)[row["measure"]]
        own |= {"method": f"{row['method']}:{UNCORRECTED}", "value": float(np.clip(value, 0.0, 1.0))}
        found.append(own)
    return found


def within_range(rows: Sequence[Row]) -> list[Row]:
    """Rows whose fat fractions, which noise may carry past the ends, are kept between 0 and 1."""
    kept = []
    for row in rows:
        if row["measure"] in FRACTIONS and "value" in row:
            kept.append({**row, "value": float(np.clip(row["value"], 0.0, 1.0))})
        else:
            kept.append(row)
    return kept
