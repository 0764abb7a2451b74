"""Two limbs in one image: where the gap between them runs, and which side a voxel lies on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

DEPTH = 0.5
"""A valley this deep, as a share of the lower of its two peaks, is the gap between limbs (proposal)."""
LEAST_AREA = 0.15
"""Each limb holds at least this share of a level's body (proposal): a hand beside a thigh does not."""
LEAST_LEVELS = 0.2
"""Two limbs are believed where at least this share of the levels shows a gap (proposal)."""
SMOOTHING = 0.02
"""Width of the running mean over the projection, as a share of the columns."""
WINDOW = 0.08
"""The cut is moved at most this share of the columns to pass between labelled regions."""
STRADDLE = 0.2
"""A region with at least this share on either side of the cut is cut through, not assigned as a whole."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap between two limbs.

    Parameters
    ----------
    found : bool
        False where the image shows one limb only.
    cut : ndarray, shape (n_level,)
        Column of the cut per level, between columns (x.5); NaN where nothing was found.
    """

    found: bool
    cut: Floats


def body(signal: npt.NDArray[np.float32]) -> Bools:
    """Voxels that hold tissue, by a threshold per level.

    Parameters
    ----------
    signal : ndarray, shape (column, row, level)
        Fat plus water; not finite counts as no signal.

    Returns
    -------
    ndarray of bool, same shape
        Threshold = 4 times the 10th percentile (background), kept between 6 and 25 % of the 98th (tissue).
    """
    clean = np.nan_to_num(signal, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(clean[::2, ::2], (10, 98), axis=(0, 1))
    threshold = np.clip(4 * low, 0.06 * high, 0.25 * high)
    tissue: Bools = (clean > threshold) & (clean > 0)
    return tissue


def find_gap(tissue: Bools, labelled: Bools) -> Gap:
    """Find the gap between two limbs, level by level.

    Parameters
    ----------
    tissue, labelled : ndarray of bool, shape (column, row, level)
        Columns run from one side of the person to the other, levels along the body.

    Returns
    -------
    Gap
        Per level the deepest valley of the tissue projected on the columns; levels without one (pelvis, one
        limb out of view) take the straight line through the others; then the cut moves to the nearest column
        with the fewest labelled voxels.
    """
    counts = tissue.sum(axis=1).astype(np.float64)
    valleys = np.array([_valley(counts[:, level]) for level in range(counts.shape[1])])
    filled = counts.sum(axis=0) > 0
    shown = np.isfinite(valleys)
    if not filled.any() or shown.sum() < max(1, LEAST_LEVELS * filled.sum()):
        return Gap(False, np.full(counts.shape[1], np.nan))
    cut = _straight(valleys)
    projected = labelled.sum(axis=1)
    for level in range(cut.size):
        cut[level] = _between(projected[:, level], cut[level])
    return Gap(True, cut)


def assign_sides(labels: npt.NDArray[np.uint16], gap: Gap) -> npt.NDArray[np.int8]:
    """Side of every labelled voxel.

    Parameters
    ----------
    labels : ndarray, shape (column, row, level)
        0 = background.
    gap : Gap
        Found.

    Returns
    -------
    ndarray of int8, same shape
        -1 before the cut, +1 behind it, 0 where there is no label. A connected region of a level goes as a
        whole to the side of its centre, unless much of it lies on both sides.
    """
    sides = np.zeros(labels.shape, dtype=np.int8)
    for label in np.unique(labels[labels > 0]):
        for level in np.flatnonzero((labels == label).any(axis=(0, 1))):
            mask = labels[:, :, level] == label
            sides[:, :, level] += _sides_of_level(mask, float(gap.cut[level]))
    return sides


def _sides_of_level(mask: Bools, cut: float) -> npt.NDArray[np.int8]:
    columns, rows = np.nonzero(mask)
    behind = columns > cut
    out = np.zeros(mask.shape, dtype=np.int8)
    out[columns, rows] = np.where(behind, 1, -1)
    if behind.all() or not behind.any():
        return out
    islands, count = ndimage.label(mask, structure=np.ones((3, 3)))
    which = islands[columns, rows]
    share = np.bincount(which, weights=behind, minlength=count + 1) / np.maximum(
        np.bincount(which, minlength=count + 1), 1
    )
    share[(share < 1 - STRADDLE) & (share > STRADDLE)] = np.nan
    whole = np.isfinite(share[which])
    out[columns[whole], rows[whole]] = np.where(share[which[whole]] > 0.5, 1, -1)
    return out


def _valley(counts: Floats) -> float:
    """Column of the deepest valley between two peaks of a projection; NaN where there is none."""
    width = max(1, round(SMOOTHING * counts.size))
    smooth = ndimage.uniform_filter1d(counts, width, mode="constant")
    if smooth.max() <= 0:
        return np.nan
    before = np.maximum.accumulate(smooth)
    behind = np.maximum.accumulate(smooth[::-1])[::-1]
    lower = np.minimum(before, behind)
    depth = np.where(lower > 0, (lower - smooth) / np.maximum(lower, 1e-12), 0.0) * (
        lower > 0.2 * smooth.max()
    )
    best = depth.max()
    if best < DEPTH:
        return np.nan
    place = float(np.flatnonzero(depth >= best - 1e-9).mean())
    share = counts[: int(place) + 1].sum() / counts.sum()
    return place if LEAST_AREA <= share <= 1 - LEAST_AREA else np.nan


def _straight(valleys: Floats) -> Floats:
    """Valleys of all levels: the missing and the outlying ones from a robust line through the others."""
    levels = np.arange(valleys.size, dtype=np.float64)
    known = np.isfinite(valleys)
    if known.sum() < 3:
        return np.where(known, valleys, np.median(valleys[known]))
    slope, intercept, _, _ = stats.theilslopes(valleys[known], levels[known])
    line = np.asarray(intercept + slope * levels)
    near = known & (np.abs(np.nan_to_num(valleys) - line) <= max(2.0, WINDOW * valleys.size))
    return np.where(near, valleys, line)


def _between(projected: npt.NDArray[np.int_], cut: float) -> float:
    """The column boundary near a cut that passes through the fewest labelled voxels."""
    reach = max(1, round(WINDOW * projected.size))
    start, stop = max(0, round(cut) - reach), min(projected.size, round(cut) + reach + 1)
    window = projected[start:stop]
    if window.size == 0 or window[min(max(round(cut) - start, 0), window.size - 1)] == window.min():
        return round(cut) + 0.5
    places = np.flatnonzero(window == window.min()) + start
    return float(places[np.abs(places - cut).argmin()]) + 0.5
