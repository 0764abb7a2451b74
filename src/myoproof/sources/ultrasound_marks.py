"""Marks drawn over the tissue: letters, calipers, lines, told from speckle by their upright sharp edges."""

import cv2
import numpy as np

from myoproof.sources.ultrasound_types import Grey, Mask

STROKE = 5
"""Widest stroke, pixels, of letters and calipers (proposal)."""
SHARP = 90
"""Grey levels by which a stroke stands out left and right (proposal); speckle is wider than strokes."""
BRIGHT = 150
"""Darkest stroke that counts."""
LETTERS = 12
"""Fewest such pixels near one another (proposal)."""
NEAR = 15
HALO = 2
"""Pixels around a mark that its smoothing touches."""


def marks(grey: Grey, region: Mask) -> Mask:
    """Pixels of marks within the tissue.

    Parameters
    ----------
    grey : ndarray, shape (row, column), uint8
        One frame, or the darkest of several, in which only what stays is bright.
    region : ndarray, shape (row, column), bool
        The tissue.

    Returns
    -------
    ndarray, shape (row, column), bool
        Marks and a halo of two pixels.
    """
    upright = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((1, STROKE), np.uint8))
    sharp = (np.asarray(upright) > SHARP) & (grey > BRIGHT) & region
    nothing = np.zeros(grey.shape, bool)
    if sharp.sum() < LETTERS:
        return nothing
    together = cv2.dilate(sharp.astype(np.uint8), np.ones((NEAR, NEAR), np.uint8))
    count, labels = cv2.connectedComponents(together, connectivity=4)
    sizes = np.bincount(labels[sharp], minlength=count)
    kept = sizes >= LETTERS
    kept[0] = False
    if not kept.any():
        return nothing
    strokes = (grey > BRIGHT) & kept[labels] & _thin(grey) & region
    return widened(strokes)


def widened(mask: Mask) -> Mask:
    """A mask and its halo."""
    halo = np.ones((2 * HALO + 1, 2 * HALO + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), halo)) > 0


def _thin(grey: Grey) -> Mask:
    """Strokes of any direction."""
    square = np.ones((STROKE + 2, STROKE + 2), np.uint8)
    return np.asarray(np.asarray(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square)) > SHARP)
