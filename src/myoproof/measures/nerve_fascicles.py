"""The dark fascicles of a nerve: which share of its area they take."""

import cv2
import numpy as np
import numpy.typing as npt

LEAST_PIXELS = 120
"""Smaller nerves show no fascicles."""
SMOOTH = 0.06
"""Smoothing over the radius of a disc of the nerve's area (proposal)."""
DARK, BRIGHT, BETWEEN = 4.0, 90.0, 0.45
"""Percentiles of grey that stand for fascicles and for what lies between them, and how far from the first to
the second the threshold lies; set on simulated nerves of other seeds than the calibration's (proposal)."""
FASCICLE_SD = 0.055
"""SD of the ratio about the truth of simulated nerves (benchmarks/calibrate_nerve.py)."""


def fascicle_ratio(grey: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """Share of a nerve's area that is dark: below a level between that of fascicles and that of their bed.

    Parameters
    ----------
    grey : ndarray, shape (row, col), float32
        Grey levels 0-255.
    mask : ndarray, shape (row, col), bool
        The nerve.

    Returns
    -------
    float
        0-1. Gain and offset of grey do not matter; resolution does: small fascicles are filled by their
        surroundings.

    References
    ----------
    Boom J, Visser LH. Clin Neurophysiol 2012;123:1446 (the share of dark area as a measure; threshold ours).

    Examples
    --------
    >>> grey = np.full((40, 40), 100, np.float32)
    >>> grey[10:30, 10:20] = 20
    >>> round(fascicle_ratio(grey, np.ones((40, 40), bool)), 1)
    0.1
    """
    radius = float(np.sqrt(mask.sum() / np.pi))
    inside = cv2.GaussianBlur(grey, (0, 0), max(SMOOTH * radius, 0.3))[mask]
    dark, bright = np.percentile(inside, [DARK, BRIGHT])
    return float((inside <= dark + BETWEEN * (bright - dark)).mean()) if bright > dark else 0.0
