"""Thickness and cross-sectional area of one frame of a transverse view, from labels."""

import numpy as np
import numpy.typing as npt

from myoproof.measures.architecture_edges import largest

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

TOUCHING = 0.02
"""Share of a region's outline on the border of the tissue above which it is not wholly in view."""
TOGETHER = {
    ("biceps_brachii", "brachialis"): "biceps_brachii_brachialis",
    ("rectus_femoris", "vastus_intermedius"): "rectus_femoris_vastus_intermedius",
}
"""A muscle and the one between it and the bone, and the two as a group."""
NEAR = 0.05
"""Half width, in widths of the region, over which its edges are averaged where they are read."""


def thickness(label: Bools, unit: tuple[float, float], *, on_bone: bool = False) -> float:
    """Vertical distance of a region's edges: to fascia at its middle, to bone where the bone stands highest.

    Parameters
    ----------
    label : ndarray of bool, shape (row, col)
        The region.
    unit : tuple of float
        Size of a pixel along rows and columns.
    on_bone : bool
        Whether its lower edge is bone: it is then read where that stands highest.

    Returns
    -------
    float
        NaN where the region is empty.
    """
    piece = largest(label)
    columns, first, last = _edges(piece)
    if not columns.size:
        return float("nan")
    place = _highest(columns, last) if on_bone else _middle(piece)
    return (_near(columns, last, place) - _near(columns, first, place) + 1.0) * unit[0]


def together(upper: Bools, deeper: Bools, unit: tuple[float, float]) -> float:
    """From a muscle's upper fascia to the bone beneath another, where that stands highest; NaN if empty."""
    above, below = _edges(largest(upper)), _edges(largest(deeper))
    if not above[0].size or not below[0].size:
        return float("nan")
    place = _highest(below[0], below[2])
    if not above[0][0] <= place <= above[0][-1]:
        return float("nan")
    return (_near(below[0], below[2], place) - _near(above[0], above[1], place) + 1.0) * unit[0]


def area(label: Bools, unit: tuple[float, float]) -> float:
    """Area of a region; 0 where empty."""
    return float(np.count_nonzero(label)) * unit[0] * unit[1]


def in_view(label: Bools, tissue: Bools) -> bool:
    """Whether a whole region is seen: its outline does not run along the border of the tissue."""
    inside = np.pad(np.asarray(label, dtype=np.bool_), 1)
    seen = np.pad(np.asarray(tissue, dtype=np.bool_), 1)
    rim = cut = 0
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beside = inside & ~np.roll(inside, step, axis=axis)
        rim += int(np.count_nonzero(beside))
        cut += int(np.count_nonzero(beside & ~np.roll(seen, step, axis=axis)))
    return rim > 0 and cut <= TOUCHING * rim


def _edges(piece: Bools) -> tuple[Floats, Floats, Floats]:
    """Columns of a region, with its first and last row in each."""
    columns = np.flatnonzero(piece.any(axis=0))
    first = piece[:, columns].argmax(axis=0)
    last = piece.shape[0] - 1 - piece[::-1, columns].argmax(axis=0)
    return columns.astype(np.float64), first.astype(np.float64), last.astype(np.float64)


def _middle(piece: Bools) -> float:
    """Column of a region's centre of area."""
    return float(np.average(np.arange(piece.shape[1]), weights=piece.sum(axis=0)))


def _highest(columns: Floats, last: Floats) -> float:
    """Where the lower edge, smoothed by a parabola about its top, stands highest."""
    reach = max(0.25 * float(np.ptp(columns)), 3.0)
    top = float(np.median(columns[last <= last.min() + 1.0]))
    near = np.abs(columns - top) <= reach
    if np.count_nonzero(near) < 5:
        return top
    curve, slope, _ = np.polyfit(columns[near] - top, last[near], 2)
    return top + float(np.clip(-slope / (2.0 * curve), -reach, reach)) if curve > 1e-9 else top


def _near(columns: Floats, edge: Floats, place: float) -> float:
    """Depth of an edge at a place: a line or parabola through its neighbourhood."""
    reach = max(NEAR * float(np.ptp(columns)), 3.0)
    near = np.abs(columns - place) <= reach
    if np.count_nonzero(near) < 4:
        return float(np.interp(place, columns, edge))
    return float(np.polyfit(columns[near] - place, edge[near], 2)[-1])
