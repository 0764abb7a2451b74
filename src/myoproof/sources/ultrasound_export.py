"""Ultrasound pictures for others: all but the tissue blacked out, and which files that does not clean."""

from dataclasses import replace

import cv2
import numpy as np

from myoproof.core.acquisition import Picture
from myoproof.errors import InvalidInput
from myoproof.sources.ultrasound import UltrasoundReading

LETTERS_APART = 9
"""Pixels between strokes that are blacked out with them, so that no letter can be read from its gap."""
ON_TISSUE = "letters or marks lie on the tissue"


def blacked_out(picture: Picture) -> Picture:
    """A picture with every pixel black that is not tissue.

    Parameters
    ----------
    picture : Picture
        With its ``tissue``.

    Returns
    -------
    Picture
        All frames; letters on the tissue are black together with the space between their strokes.

    Raises
    ------
    InvalidInput
        If nobody looked for the tissue.
    """
    if picture.tissue is None:
        raise InvalidInput("the tissue of this picture is not known", mend="read it from its file")
    holes = cv2.morphologyEx(
        (~picture.tissue).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((LETTERS_APART, LETTERS_APART), np.uint8)
    )
    shown = np.asarray(holes) == 0
    pixels = picture.pixels * shown[None, :, :, None].astype(np.uint8)
    return replace(picture, pixels=pixels, tissue=shown)


def not_clean(reading: UltrasoundReading) -> str:
    """Why a file may show a name even after blacking out; "" where nothing speaks for it.

    Parameters
    ----------
    reading : UltrasoundReading
        As it was read.
    """
    categories = {finding.category for finding in reading.findings}
    if "photo" in categories:
        return "a photo of a screen: what is written on it may be anywhere"
    if "text" in categories:
        return ON_TISSUE
    if reading.shape == "free":
        return "the outline of the image is not clear"
    return "several images on one screen" if "dual image" in categories else ""
