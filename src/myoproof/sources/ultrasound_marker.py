"""The probe's orientation mark beside the top of the image; on the right it tells that sides are swapped."""

from typing import Literal

import cv2
import numpy as np

from myoproof.sources.ultrasound_screen import Screen
from myoproof.sources.ultrasound_types import Box, Grey

SIZE = (0.012, 0.09)
"""Height and width of a mark as part of the image's height (proposal)."""
BESIDE, ABOVE, BELOW = 0.12, 0.08, 0.1
"""Where a mark lies: part of the height beside the image, above and below its top (proposals)."""
STANDS_OUT = 50
"""Grey levels by which a mark stands out of the background (proposal)."""


def side(grey: Grey, screen: Screen, box: Box) -> Literal["left", "right", ""]:
    """Which top corner bears a mark that stands alone; "" where none or both do.

    Parameters
    ----------
    grey : ndarray, shape (row, column), uint8
        A frame.
    screen : Screen
        Its background.
    box : tuple of int
        The image.
    """
    top, bottom, left, right = box
    height = bottom - top
    reach = round(BESIDE * height)
    rows = slice(max(0, round(top - ABOVE * height)), round(top + BELOW * height))
    corners = {
        "left": slice(max(0, left - reach), left + reach // 2),
        "right": slice(max(0, right - reach // 2), right + reach),
    }
    dark = max((level for level in screen.levels if level < 128), default=0)
    held = [name for name, columns in corners.items() if _mark(grey, rows, columns, box, dark)]
    if held == ["left"]:
        return "left"
    return "right" if held == ["right"] else ""


def _mark(grey: Grey, rows: slice, columns: slice, box: Box, dark: int) -> bool:
    """One compact thing in a corner that the tissue does not fill, and nothing else there."""
    top, bottom, left, right = box
    drawn = grey[rows, columns] > dark + STANDS_OUT
    height, wide = drawn.shape
    inside = np.zeros((height, wide), bool)
    inside[max(0, top - 2 - rows.start) :, max(0, left - 2 - columns.start) : right + 2 - columns.start] = (
        True
    )
    drawn &= ~inside
    count, _, stats, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(drawn.astype(np.uint8), np.ones((3, 3), np.uint8)), connectivity=8
    )
    least, most = (part * (bottom - top) for part in SIZE)
    things = [stats[thing] for thing in range(1, count) if stats[thing, 4] > 16]
    if len(things) != 1:
        return False
    wide, high = float(things[0][2]), float(things[0][3])
    return least <= wide <= most and least <= high <= most and 0.5 <= wide / high <= 2.0
