"""Whether an image is of the kind the nerve network learnt: its frame, its look, the network's own view."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.segmentation.nerve_frame import WIDTH, Box, Canvas

BANDS, BAND_ROWS = 7, 12
"""Depth bands whose grey is described: the first 84 rows, which every training image has."""
SEAM_REACH = 6
"""Columns to each side with which a step is compared."""

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]


def look(canvas: Canvas) -> Floats:
    """Numbers that describe an image's look, the same for its mirror image.

    Parameters
    ----------
    canvas : Canvas
        The tissue at the fixed width.

    Returns
    -------
    ndarray, shape (feature,)
        Grey and its spread by depth, percentiles, the skin's rows, gradients across and down at three
        scales, the strongest seams, and skewness of grey about its surroundings.
    """
    high = min(
        canvas.rows, max(BANDS * BAND_ROWS, round((canvas.box.bottom - canvas.box.top) * canvas.box.scale))
    )
    grey = np.sqrt(canvas.grey[:high].astype(np.float32) / 255)
    if high < BANDS * BAND_ROWS:
        grey = np.pad(grey, ((0, BANDS * BAND_ROWS - high), (0, 0)))
    bands = grey[: BANDS * BAND_ROWS].reshape(BANDS, BAND_ROWS * WIDTH)
    middle = cv2.GaussianBlur(grey, (0, 0), 6)
    local = grey - middle
    out = [*bands.mean(axis=1), *bands.std(axis=1), *np.percentile(grey, [2, 10, 25, 50, 75, 90, 98])]
    out += [grey[:3].mean(), grey[3:10].mean(), float((grey < 0.1).mean())]
    spread = float(local.std()) + 1e-3
    out += [float((local**3).mean()) / spread**3, spread]
    for sigma in (0.75, 2.0, 4.5):
        smooth = cv2.GaussianBlur(grey, (0, 0), sigma)
        down, across = np.diff(smooth, axis=0), np.diff(smooth, axis=1)
        out += [np.log(down.std() + 1e-4), np.log(across.std() + 1e-4), _skewness(down[3:])]
    for step in (np.abs(np.diff(grey, axis=1)).mean(axis=0), np.abs(np.diff(grey, axis=0)).mean(axis=1)[12:]):
        out.append(np.log((step.max() + 1e-3) / (np.median(step) + 1e-3)))
    return np.array(out, dtype=np.float64)


def _skewness(values: npt.NDArray[np.float32]) -> float:
    return float((values**3).mean() / (values.std() + 1e-4) ** 3)


def seam(grey: Bytes, box: Box) -> float:
    """The strongest step between neighbouring columns over those around it; about 2, at a cut 10 and more.

    Parameters
    ----------
    grey : ndarray, shape (row, col), uint8
        The image.
    box : Box
        Its tissue.
    """
    part = np.sqrt(grey[box.top : box.bottom, box.left : box.right].astype(np.float32))
    part = cv2.GaussianBlur(part, (1, 19), sigmaX=0.01, sigmaY=3)
    step = np.abs(np.diff(part, axis=1)).mean(axis=0)
    window = np.ones(2 * SEAM_REACH + 1)
    window[SEAM_REACH] = 0
    around = np.convolve(step, window / window.sum(), mode="same")
    ratio = step / (around + 0.02)
    return float(ratio[SEAM_REACH:-SEAM_REACH].max())


def frame_doubts(grey: Bytes, canvas: Canvas, limits: Mapping[str, Any]) -> list[str]:
    """What is odd about where the tissue lies in its image.

    Parameters
    ----------
    grey : ndarray, shape (row, col), uint8
        The image.
    canvas : Canvas
        Its tissue.
    limits : mapping
        ``frame`` of the card: ``middle`` and ``most_off_middle`` (heights), ``most_off_centre`` (widths),
        ``most_rest``, ``brightest_dark``, ``strongest_seam``, ``least_deep``, ``most_deep``.

    Returns
    -------
    list of str
        Empty where nothing is odd.
    """
    high, wide = canvas.shape
    box = canvas.box
    lit = np.flatnonzero((grey[:, box.left : box.right] > 0).mean(axis=1) > 0.02)
    middle = (box.top + (int(lit[-1]) + 1 if lit.size else box.bottom)) / 2 / high
    off_centre = abs(box.left - (wide - box.right)) / wide
    deep = (box.bottom - box.top) / (box.right - box.left)
    darkest = float(np.percentile(grey, 1))
    cut = seam(grey, box)
    said = (
        (
            abs(middle - limits["middle"]) > limits["most_off_middle"],
            f"tissue's middle at {middle:.0%} of height",
        ),
        (off_centre > limits["most_off_centre"], f"tissue {off_centre:.0%} of the width off centre"),
        (canvas.rest > limits["most_rest"], "tissue in two parts"),
        (not limits["least_deep"] <= deep <= limits["most_deep"], f"tissue {deep:.2f} times as deep as wide"),
        (darkest > limits["brightest_dark"], f"nothing is dark (grey {darkest:.0f})"),
        (cut > limits["strongest_seam"], "a seam down the image"),
    )
    return [text for odd, text in said if odd]


def distance(values: Floats, model: Mapping[str, Any]) -> float:
    """How far features lie from the training images' cloud.

    Parameters
    ----------
    values : ndarray, shape (feature,)
    model : mapping
        Of the card: ``mean``, ``scale`` (feature,), ``axes`` (axis, feature), orthonormal, ``spread`` (axis,)
        along them, and ``rest``, the root mean square of what the axes leave.

    Returns
    -------
    float
        Root mean square over axes, and of what they leave, in units of the training images: about 1 for
        them; higher is stranger.
    """
    axes = np.asarray(model["axes"], dtype=np.float64)
    own = (values - np.asarray(model["mean"])) / np.asarray(model["scale"])
    along = axes @ own
    left = float(np.sqrt(((own - axes.T @ along) ** 2).mean())) / float(model["rest"])
    inside = float(((along / np.asarray(model["spread"])) ** 2).mean())
    return float(np.sqrt((inside + left**2) / 2))


def doubts(grey: Bytes, canvas: Canvas, deep: Floats, domain: Mapping[str, Any]) -> tuple[list[str], float]:
    """Why an image is not like those learnt, and how strange it is.

    Parameters
    ----------
    grey : ndarray, shape (row, col), uint8
        The image.
    canvas : Canvas
        Its tissue.
    deep : ndarray, shape (channel,)
        The network's deepest features.
    domain : mapping
        Of the card: ``frame``, ``look`` and ``deep`` (each with ``mean``, ``axes``, ``most``).

    Returns
    -------
    (doubts, strangeness)
        Texts, none where the image is like the training images; the larger of the two distances over their
        limits (above 1 is outside).
    """
    said = frame_doubts(grey, canvas, domain["frame"])
    far = {
        name: distance(values, domain[name]) / domain[name]["most"]
        for name, values in (("look", look(canvas)), ("deep", deep))
    }
    texts = {"look": "grey values and texture", "deep": "what the network sees"}
    said += [
        f"{texts[name]} {value:.1f} times as far off as allowed" for name, value in far.items() if value > 1
    ]
    return said, max(far.values())
