"""The inner edges of a muscle's aponeuroses, read from its label column by column and smoothed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from myoproof.numerics.robust_curve import Curve, robust_curve

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEAST_COLUMNS = 16
"""Labelled columns below which there are no edges."""
NARROW = 0.4
"""Share of the tissue's width below which an edge is taken to be straight where it is prolonged."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Two edges over the columns of an image, in its unit of length (mm, or px where it has no scale).

    Parameters
    ----------
    x, upper, lower : ndarray, shape (n,)
        Places of the columns from the first to the last labelled, and smoothed depths of the two edges
        there, counted from the centre of the image's first pixel.
    curves : tuple of Curve
        Robust curves of both over all columns, for what lies beyond them.
    left, right : float
        Outermost columns of the tissue.
    reach : float
        Half width over which edges were smoothed.
    """

    x: Floats
    upper: Floats
    lower: Floats
    curves: tuple[Curve, Curve]
    left: float
    right: float
    reach: float

    @property
    def width(self) -> float:
        """Of the tissue."""
        return self.right - self.left

    @property
    def middle(self) -> float:
        """Of the tissue."""
        return 0.5 * (self.left + self.right)

    def gap(self, place: float) -> float:
        """Distance from a place to the nearest labelled column; 0 among them."""
        return float(max(self.x[0] - place, place - self.x[-1], 0.0))

    def at(self, place: float) -> tuple[float, float]:
        """Depths of both edges at a place: smoothed, or prolonged where nothing is labelled."""
        if self.gap(place) > 0.0:
            return float(self.curves[0].at(place)), float(self.curves[1].at(place))
        return float(np.interp(place, self.x, self.upper)), float(np.interp(place, self.x, self.lower))


def edges_of(label: Bools, tissue: Bools, unit: tuple[float, float], window: float) -> Edges | None:
    """The edges of the largest piece of a label.

    In each column the upper edge lies half a pixel above the first labelled pixel's centre and the lower one
    half a pixel below the last's; holes are ignored. Both are smoothed by a running median and a running
    line, whose last full window holds up to the outermost column.

    Parameters
    ----------
    label, tissue : ndarray of bool, shape (row, col)
        The muscle; pixels that show tissue.
    unit : tuple of float
        Size of a pixel along rows (down) and columns (across).
    window : float
        Half width of the smoothing, in shares of the tissue's width.

    Returns
    -------
    Edges or None
        None where fewer than ``LEAST_COLUMNS`` columns are labelled.
    """
    piece = largest(label)
    columns = np.flatnonzero(piece.any(axis=0))
    if columns.size < LEAST_COLUMNS:
        return None
    first = piece[:, columns].argmax(axis=0).astype(np.float64)
    last = piece.shape[0] - 1 - piece[::-1, columns].argmax(axis=0).astype(np.float64)
    rows = np.flatnonzero(piece.any(axis=1))
    shown = np.flatnonzero(tissue[rows[0] : rows[-1] + 1].any(axis=0) | piece.any(axis=0))
    left, right = int(shown[0]), int(shown[-1])
    half = max(round(window * (right - left)), 4)
    order = 2 if columns[-1] - columns[0] >= NARROW * (right - left) else 1
    places = np.asarray(columns * unit[1], dtype=np.float64)
    curves = [robust_curve(places, edge, order) for edge in ((first - 0.5) * unit[0], (last + 0.5) * unit[0])]
    grid = np.arange(columns[0], columns[-1] + 1)
    smooth = [_smoothed(np.interp(grid, columns, edge), half) * unit[0] for edge in (first - 0.5, last + 0.5)]
    across = unit[1]
    return Edges(
        grid * across,
        smooth[0],
        smooth[1],
        (curves[0], curves[1]),
        left * across,
        right * across,
        half * across,
    )


def _smoothed(edge: Floats, half: int) -> Floats:
    """A running median against spikes, then a running line; the window shrinks to short edges."""
    window = min(2 * half + 1, edge.size - 1 + edge.size % 2)
    if window < 5:
        return edge
    calm = ndimage.median_filter(edge, size=max(window // 3, 3), mode="nearest")
    return np.asarray(signal.savgol_filter(calm, window, 1, mode="interp"), dtype=np.float64)


def largest(label: Bools) -> Bools:
    """The largest connected piece of a mask."""
    pieces, count = ndimage.label(label)
    if count <= 1:
        return np.asarray(label, dtype=np.bool_)
    sizes = np.bincount(pieces.ravel())[1:]
    return np.asarray(pieces == 1 + int(sizes.argmax()))
