"""Rows at standard heights of the thigh: slices interpolated to shares of the femur's length."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import KEY, Table, from_rows
from myoproof.errors import InvalidInput
from myoproof.measures import dixon

METHOD = "femur"
METHOD_VERSION = 1
MEASURES = ("cross_sectional_area", "functional_remaining_area", "fat_fraction")
POSITIONS = (0.30, 0.40, 0.50, 0.60, 0.70)
"""Shares of the femur's length from its distal end (proposal)."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of positions along the femur.

    Parameters
    ----------
    femur_distal_mm, femur_proximal_mm : float, optional
        Heights (world z, RAS+ mm) of the ends of the femur: the lowest point of the condyles and the highest
        of the head, or of the greater trochanter, as the study defines it for all its scans.
    positions : tuple of float
        Shares of the length, 0 = distal (knee), 1 = proximal (hip).
    border : myoproof.measures.dixon.Params
        Settings of the Dixon measure, where no rows are given.
    """

    femur_distal_mm: float | None = None
    femur_proximal_mm: float | None = None
    positions: tuple[float, ...] = POSITIONS
    border: dixon.Params = field(default_factory=dixon.Params)


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),
) -> Table:
    """Area, remaining area and fat fraction at shares of the femur's length.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume, for the heights of its slices.
    segmentation : Segmentation
        Drawn on the same grid.
    context : DataFrame
        Rows of this scan with ``at`` = ``slice:N``; measured here where there are none.
    params : Params
        The femur's ends, and which positions.

    Returns
    -------
    Table
        Rows with ``at`` = ``femur:0.50``, of the method of the slices' rows: the two slices next to the
        position weighted by nearness, their intervals likewise (errors of neighbouring borders are alike).
        ``empty_label`` where one of the two does not hold the muscle, ``out_of_domain`` where the position
        lies beyond the stack.

    Raises
    ------
    InvalidInput
        If the femur's ends are not given or exchanged, or a position lies outside 0-1.
    """
    low, high = _ends(params)
    volume = acquisition.payload
    if not isinstance(volume, Volume):
        raise InvalidInput("positions along the femur need a volume", where=acquisition.subject)
    if context is not None and not isinstance(context, pd.DataFrame):
        raise InvalidInput("the context of femur positions is a table of rows", where=acquisition.subject)
    rows = context
    if rows is None:
        rows = dixon.measure(acquisition, segmentation, params=params.border)
    share = (slice_heights_mm(volume) - low) / (high - low)
    slices = rows[rows["measure"].isin(MEASURES) & rows["at"].str.startswith("slice:")]
    slices = slices.assign(level_number=slices["at"].str.removeprefix("slice:").astype(int))
    key = [column for column in KEY if column != "at"]
    out = []
    for names, own in slices.groupby(key, sort=False):
        start = dict(zip(key, names, strict=True))
        known = own.set_index("level_number")
        out += [_row(start, known, share, position) for position in params.positions]
    return from_rows(out)


def slice_heights_mm(volume: Volume) -> npt.NDArray[np.float64]:
    """World height (z, RAS+ mm) of the middle of each slice.

    Examples
    --------
    >>> affine = np.diag([1.0, 1.0, 5.0, 1.0])
    >>> slice_heights_mm(Volume({"image": np.zeros((4, 4, 3), np.float32)}, affine)).tolist()
    [0.0, 5.0, 10.0]
    """
    n = volume.shape[volume.slice_axis]
    middle = np.repeat((np.array(volume.shape, dtype=np.float64)[None] - 1) / 2, n, axis=0)
    middle[:, volume.slice_axis] = np.arange(n)
    return np.asarray(middle @ volume.affine[2, :3] + volume.affine[2, 3], dtype=np.float64)


def _ends(params: Params) -> tuple[float, float]:
    low, high = params.femur_distal_mm, params.femur_proximal_mm
    if low is None or high is None:
        raise InvalidInput(
            "the ends of the femur are not known",
            where="femur",
            mend="give femur_distal_mm and femur_proximal_mm",
        )
    if not low < high:
        raise InvalidInput(f"the femur's distal end ({low:g} mm) is not below its proximal end ({high:g} mm)")
    odd = [position for position in params.positions if not 0 <= position <= 1]
    if odd:
        raise InvalidInput(f"positions {odd} are no shares of the femur's length", mend="give 0-1")
    return low, high


def _row(start: Row, known: pd.DataFrame, share: npt.NDArray[np.float64], position: float) -> Row:
    first = known.iloc[0]
    out = {**start, "at": f"femur:{position:.2f}", "method_version": int(first["method_version"])}
    out |= {"provenance": first["provenance"]}
    order = np.argsort(share)
    place = int(np.searchsorted(share[order], position))
    if share.size < 2 or position < share.min() or position > share.max():
        return {**out, "absent": "out_of_domain"}
    below, above = order[max(place - 1, 0)], order[min(max(place, 1), share.size - 1)]
    weight = float((position - share[below]) / (share[above] - share[below]))
    used = [(int(level), part) for level, part in ((below, 1 - weight), (above, weight)) if part > 1e-9]
    if any(level not in known.index for level, _ in used):
        return {**out, "absent": "empty_label"}
    rows = [(known.loc[level], part) for level, part in used]
    absent = next((row["absent"] for row, _ in rows if row["absent"]), "")
    flags = {flag for row, _ in rows for flag in row["flags"].split(";")} - {""}
    worst = max((row["quality"] for row, _ in rows), key=("ok", "warn", "fail").index)
    out |= {"flags": ";".join(sorted(flags)), "quality": worst}
    if absent:
        return {**out, "absent": absent}
    numbers = {name: sum(part * float(row[name]) for row, part in rows) for name in ("value", "low", "high")}
    return {**out, **numbers, "level": first["level"]}
