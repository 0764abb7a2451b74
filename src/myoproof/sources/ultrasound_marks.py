"""Marks drawn over the tissue: letters, calipers, lines, told from speckle by their upright sharp edges."""

import cv2
import numpy as np

from myoproof.sources.ultrasound_types import Box, Grey, Mask

STROKE = 5
"""Widest stroke, pixels, of letters and calipers (proposal)."""
SHARP = 90
"""Grey levels by which a stroke stands out left and right (proposal); speckle is wider than strokes."""
BRIGHT = 150
"""Darkest stroke that counts."""
LETTERS = 12
"""Fewest such pixels near one another (proposal)."""
NEAR = 31
RIM = 0.03
"""Part of the height, along the image's edges, where ticks lie."""
WORD = 250
"""Pixels, halo included, from which marks may be a word (proposal)."""
SAME_INK = 20
"""Grey levels within which letters are of one ink (proposal)."""
TALLEST = 60
"""Pixels of the largest letter."""
WORDS_LONG = 12
"""Letters beside letters beside letters, at most."""
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
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    found = np.zeros(grey.shape, bool)
    found[inner] = _marks(np.ascontiguousarray(grey[inner]), region[inner])
    return found


def _marks(grey: Grey, region: Mask) -> Mask:
    upright = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((1, STROKE), np.uint8))
    sharp = cv2.bitwise_and(cv2.compare(upright, SHARP, cv2.CMP_GT), cv2.compare(grey, BRIGHT, cv2.CMP_GT))
    sharp = cv2.bitwise_and(sharp, cv2.compare(np.ascontiguousarray(region).view(np.uint8), 0, cv2.CMP_GT))
    if cv2.countNonZero(sharp) < LETTERS:
        return np.zeros(grey.shape, bool)
    number = cv2.boxFilter(cv2.min(sharp, 1), cv2.CV_32F, (NEAR, NEAR), normalize=False)
    crowded = cv2.compare(number, LETTERS - 0.5, cv2.CMP_GT)
    if not crowded.any():
        return np.zeros(grey.shape, bool)
    around = cv2.dilate(crowded, np.ones((NEAR, NEAR), np.uint8))
    square = np.ones((STROKE + 2, STROKE + 2), np.uint8)
    thin = cv2.compare(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square), SHARP, cv2.CMP_GT)
    strokes = cv2.bitwise_and(cv2.bitwise_and(thin, around), cv2.compare(grey, BRIGHT, cv2.CMP_GT))
    ink = int(np.median(grey[sharp > 0]))
    inked = cv2.inRange(grey, max(ink - SAME_INK, BRIGHT), min(ink + SAME_INK, 255))
    rows, columns = np.flatnonzero(strokes.any(1)), np.flatnonzero(strokes.any(0))
    if not rows.size:
        return np.zeros(grey.shape, bool)
    near = (
        slice(max(0, rows[0] - 2 * TALLEST), rows[-1] + 2 * TALLEST),
        slice(max(0, columns[0] - WORDS_LONG * TALLEST), columns[-1] + WORDS_LONG * TALLEST),
    )
    found = strokes > 0
    found[near] |= _letters(np.ascontiguousarray(inked[near]), np.ascontiguousarray(strokes[near]))
    return widened(found & region)


def _letters(inked: Grey, strokes: Grey) -> Mask:
    """Letters of the same ink beside strokes, whatever their width, and letters beside those."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked, connectivity=8)
    small = (stats[:, 2] <= TALLEST) & (stats[:, 3] <= TALLEST) & (stats[:, 4] >= LETTERS)
    small[0] = False
    taken = strokes
    for _ in range(WORDS_LONG):
        near = cv2.dilate(taken, np.ones((NEAR, NEAR), np.uint8)) > 0
        inside = np.bincount(labels[near], minlength=small.size)
        grown = np.asarray((small & (inside > 0))[labels] | (strokes > 0))
        if grown.sum() == (taken > 0).sum():
            break
        taken = grown.astype(np.uint8)
    return taken > 0


def legible(found: Mask, box: Box) -> bool:
    """Whether marks are enough for letters; ticks at the image's edge and a probe's mark are not."""
    top, bottom, left, right = box
    rim = round(RIM * (bottom - top))
    return bool(found[top + rim : bottom - rim, left + rim : right - rim].sum() >= WORD)


def widened(mask: Mask) -> Mask:
    """A mask and its halo."""
    halo = np.ones((2 * HALO + 1, 2 * HALO + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), halo)) > 0
