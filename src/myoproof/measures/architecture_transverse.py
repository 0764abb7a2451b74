"""Thickness and cross-sectional area of one frame of a transverse view, from labels."""

import numpy as np
import numpy.typing as npt

from myoproof.measures.architecture_edges import largest

Bools = npt.NDArray[np.bool_]

TOUCHING = 0.02
"""Share of a region's outline on the border of the tissue above which it is not wholly in view."""


def thickness(label: Bools, unit: tuple[float, float]) -> float:
    """Greatest vertical distance of a region's edges, smoothed over a tenth of its width; NaN where empty."""
    piece = largest(label)
    columns = np.flatnonzero(piece.any(axis=0))
    if not columns.size:
        return float("nan")
    first = piece[:, columns].argmax(axis=0)
    last = piece.shape[0] - 1 - piece[::-1, columns].argmax(axis=0)
    height = (last - first + 1).astype(np.float64)
    window = max(columns.size // 10, 1)
    smooth = np.convolve(height, np.full(window, 1.0 / window), mode="valid")
    return float(smooth.max() * unit[0])


def area(label: Bools, unit: tuple[float, float]) -> float:
    """Area of a region; 0 where empty."""
    return float(np.count_nonzero(label)) * unit[0] * unit[1]


def in_view(label: Bools, tissue: Bools) -> bool:
    """Whether a whole region is seen: its outline does not run along the border of the tissue."""
    inside = np.pad(np.asarray(label, dtype=np.bool_), 1)
    seen = np.pad(np.asarray(tissue, dtype=np.bool_), 1)
    beside = np.zeros_like(inside)
    cut = 0
    rim = 0
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        neighbour = np.roll(inside, step, axis=axis)
        beside = inside & ~neighbour
        rim += int(np.count_nonzero(beside))
        cut += int(np.count_nonzero(beside & ~np.roll(seen, step, axis=axis)))
    return rim > 0 and cut <= TOUCHING * rim
