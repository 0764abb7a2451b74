"""Slices of a scan that hold nothing: lost on the way, and left out of every size."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Volume
from myoproof.errors import Finding

FLAG = "slice_missing"
SUMS = ("volume", "functional_remaining_volume", "fat_volume", "volume_change")
"""Measures that are wrong without the slice, and not only less sure."""
WORSE = {"ok": "warn", "warn": "warn", "fail": "fail"}


def empty_slices(volume: Volume) -> list[int]:
    """Slices without any signal between slices that hold some.

    Parameters
    ----------
    volume : Volume
        Magnitudes; all channels are looked at.

    Examples
    --------
    >>> image = np.ones((2, 2, 4), np.float32)
    >>> image[:, :, 2] = 0
    >>> empty_slices(Volume({"image": image}, np.diag([1.0, 1.0, 5.0, 1.0])))
    [2]
    """
    others = tuple(axis for axis in range(3) if axis != volume.slice_axis)
    held = np.any(
        [(np.nan_to_num(values) != 0).any(axis=others) for values in volume.channels.values()], axis=0
    )
    places = np.flatnonzero(held)
    return [] if not places.size else [int(k) for k in range(places[0], places[-1]) if not held[k]]


def finding(levels: Sequence[int]) -> Finding:
    """What is missing, in words."""
    shown = ", ".join(map(str, levels))
    text = f"no signal in slices {shown}: they are missing or cut short, and volumes lack them"
    return Finding("error", "missing slices", text, mend="fetch the series again from the archive")


def mark(rows: pd.DataFrame, levels: Sequence[int]) -> pd.DataFrame:
    """Flags and quality of rows that such slices lie within.

    Parameters
    ----------
    rows : DataFrame
        Rows of the scan.
    levels : sequence of int
        From :func:`empty_slices`. Rows of whole regions are flagged: sums fail, others are warned of.
    """
    if not levels:
        return rows
    whole = ~rows["at"].str.startswith("slice:") & (rows["absent"] == "")
    flags, grades = [], []
    for here, measure, text, grade in zip(
        whole, rows["measure"], rows["flags"], rows["quality"], strict=True
    ):
        flags.append(";".join(sorted({*filter(None, text.split(";")), FLAG})) if here else text)
        grades.append(grade if not here else "fail" if measure in SUMS else WORSE[grade])
    return rows.assign(flags=flags, quality=grades)
