"""Colour pictures to one grey band, and which pixels are coloured beside the picture's own tint."""

from typing import Literal

import cv2
import numpy as np

from myoproof.sources.ultrasound_types import Grey, Mask

COLOURED = 40
"""Distance of red or blue from green, beyond the tint, that is colour (proposal); JPEG errs by 20."""
TINTED = 6
"""Median distance of red or blue from green at which a picture is taken as tinted (proposal)."""
SQUARE = 8
BINS = 16
"""Brightness bins in which a tint is measured."""
LUMA = {"rgb": cv2.COLOR_RGB2GRAY, "bgr": cv2.COLOR_BGR2GRAY}
DARKEST = 24
"""Darker pixels show no colour that could be told."""


def grey_and_colour(picture: Grey, *, order: Literal["rgb", "bgr"] = "rgb") -> tuple[Grey, Mask | None]:
    """One grey band and the coloured pixels of a picture.

    Parameters
    ----------
    picture : ndarray, shape (row, column, 3), uint8
        Contiguous.
    order : {"rgb", "bgr"}
        Of its bands.

    Returns
    -------
    grey : ndarray, shape (row, column), uint8
        Luma; of grey pictures exactly their values.
    colour : ndarray, shape (row, column), bool, or None
        Coloured pixels; None where all bands are equal. A tint of the whole picture is not colour.

    References
    ----------
    ITU-R BT.601-7 (luma).
    """
    red, green, blue = cv2.split(picture)
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return np.ascontiguousarray(green), None
    grey = np.asarray(cv2.cvtColor(picture, LUMA[order]), dtype=np.uint8)
    colour = np.zeros(grey.shape, dtype=bool)
    for band in (blue, red):
        tint = _tint(band, green)
        if tint is None:
            colour |= cv2.absdiff(band, green) > COLOURED
        else:
            expected = cv2.LUT(green, tint)
            colour |= cv2.absdiff(band, np.asarray(expected)) > COLOURED
    colour &= cv2.max(cv2.max(blue, green), red) > DARKEST
    return grey, colour


def tinge(picture: Grey) -> Grey:
    """How far a picture is from grey, or from its own tint, in squares of eight pixels.

    Parameters
    ----------
    picture : ndarray, shape (row, column, 3), uint8
        Red, green, blue.
    """
    red, green, blue = cv2.split(picture)
    far = np.zeros(green.shape, np.uint8)
    for band in (blue, red):
        tint = _tint(band, green)
        far = cv2.max(far, cv2.absdiff(band, green if tint is None else cv2.LUT(green, tint)))
    rows, columns = green.shape
    size = (max(1, columns // SQUARE), max(1, rows // SQUARE))
    return np.asarray(cv2.resize(far, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _tint(band: Grey, green: Grey) -> Grey | None:
    """Expected band value for each green value; None where the picture has no tint."""
    sample, by = band[::8, ::8].ravel().astype(np.int16), green[::8, ::8].ravel()
    bright = by > DARKEST
    if not bright.any() or abs(float(np.median(sample[bright] - by[bright]))) < TINTED:
        return None
    width = 256 // BINS
    shift = np.zeros(BINS)
    for level in range(BINS):
        inside = sample[by // width == level] - by[by // width == level]
        shift[level] = np.median(inside) if inside.size > 30 else (shift[level - 1] if level else 0.0)
    levels = np.arange(256)
    smooth = np.interp(levels, np.arange(BINS) * width + width / 2, shift)
    return np.clip(levels + smooth, 0, 255).astype(np.uint8)
