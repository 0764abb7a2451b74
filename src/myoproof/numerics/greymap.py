"""Inverse grey maps: from a region's mean grey level to dB, through phantom targets, with its error."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GreyMap:
    """Targets of a phantom as one machine shows them, from dark to bright.

    Parameters
    ----------
    grey : ndarray, shape (n,), float64
        Mean grey level of each target, strictly increasing.
    grey_se : ndarray, shape (n,), float64
        Its standard error over captures.
    db : ndarray, shape (n,), float64
        Backscatter of the target relative to the phantom's reference, strictly increasing.
    db_sd : ndarray, shape (n,), float64
        What the maker of the phantom leaves open.
    """

    grey: Floats
    grey_se: Floats
    db: Floats
    db_sd: Floats


def to_db(
    grey_map: GreyMap, grey: float, half_width: float = 0.0, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Backscatter of a region, with an interval that joins speckle and the targets.

    Parameters
    ----------
    grey_map : GreyMap
        Targets.
    grey : float
        Mean grey level of the region.
    half_width : float
        Half the width of its interval.
    level : float
        Coverage of both intervals.

    Returns
    -------
    db, low, high : float
        Linear between the neighbouring targets; NaN outside them.

    Examples
    --------
    >>> none = np.zeros(3)
    >>> targets = GreyMap(np.array([20.0, 80.0, 140.0]), none, np.array([-9.0, 0.0, 9.0]), none)
    >>> to_db(targets, 60.0, 2.0)
    (-3.0, -3.3, -2.7)
    """
    if not grey_map.grey[0] <= grey <= grey_map.grey[-1]:
        return float("nan"), float("nan"), float("nan")
    upper = int(np.clip(np.searchsorted(grey_map.grey, grey), 1, len(grey_map.grey) - 1))
    pair = slice(upper - 1, upper + 1)
    (g0, g1), (d0, d1) = grey_map.grey[pair], grey_map.db[pair]
    slope = (d1 - d0) / (g1 - g0)
    share = (grey - g0) / (g1 - g0)
    weights = np.array([1 - share, share])
    variance = (weights**2 * (grey_map.db_sd[pair] ** 2 + (slope * grey_map.grey_se[pair]) ** 2)).sum()
    half = float(np.hypot(slope * half_width, ndtri((1 + level) / 2) * np.sqrt(variance)))
    db = float(d0 + slope * (grey - g0))
    return db, db - half, db + half
