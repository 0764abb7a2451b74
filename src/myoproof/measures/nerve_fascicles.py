"""The dark fascicles of a nerve: which share of its area they take."""

import cv2
import numpy as np
import numpy.typing as npt

LEAST_PIXELS = 120
"""Smaller nerves show no fascicles."""
SMOOTH = 0.05
"""Smoothing over the radius of a disc of the nerve's area (proposal)."""
FASCICLE_SD = 0.08
"""SD of the ratio about the truth of simulated nerves (benchmarks/calibrate_nerve.py)."""


def fascicle_ratio(grey: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """Share of a nerve's area that is dark: below the threshold that parts its grey levels best.

    Parameters
    ----------
    grey : ndarray, shape (row, col), float32
        Grey levels 0-255.
    mask : ndarray, shape (row, col), bool
        The nerve.

    Returns
    -------
    float
        0-1. It depends on gain and dynamic range little, on resolution more: small fascicles are filled by
        their surroundings.

    References
    ----------
    Otsu N. IEEE Trans Syst Man Cybern 1979;9:62 (the threshold).

    Examples
    --------
    >>> grey = np.full((40, 40), 100, np.float32)
    >>> grey[10:30, 10:20] = 20
    >>> round(fascicle_ratio(grey, np.ones((40, 40), bool)), 1)
    0.1
    """
    radius = float(np.sqrt(mask.sum() / np.pi))
    smooth = cv2.GaussianBlur(grey, (0, 0), max(SMOOTH * radius, 0.3))
    inside = np.clip(np.rint(smooth[mask]), 0, 255).astype(np.int64)
    share = np.bincount(inside, minlength=256) / inside.size
    below = np.cumsum(share)
    sums = np.cumsum(share * np.arange(256))
    apart = (sums[-1] * below - sums) ** 2 / np.maximum(below * (1 - below), 1e-12)
    best = np.flatnonzero(apart[:-1] >= apart[:-1].max() * (1 - 1e-9))
    threshold = (best[0] + best[-1]) / 2
    return float((inside <= threshold).mean())
