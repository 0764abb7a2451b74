"""A muscle in a longitudinal B-mode picture: between the inner edges of its aponeuroses, or refused."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.numerics.aponeuroses import Aponeuroses, Chooser, chooser_from, find
from myoproof.numerics.aponeuroses_edges import WORK_ROWS
from myoproof.numerics.aponeuroses_fat import band_thickness, skin_end

VERSION = 1
RATER = f"muscle_us@{VERSION}"
FAT, MUSCLE = 1, 2
REFUSED_BELOW = 0.6
"""Highest confidence (in steps of 0.05) below which at most 8 % of the tuning images S1-S5 lie."""
LEAST_SIDE = 48
"""Rows and columns below which no tissue box is searched."""

Labels = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Params:
    """How a muscle is looked for.

    Parameters
    ----------
    threshold : float
        Confidence below which nothing is labelled: a refusal instead of a guess.
    frames : int
        Frames of a cine that are labelled, spread evenly; a single frame is always labelled.
    """

    threshold: float = REFUSED_BELOW
    frames: int = 1


@cache
def chooser() -> Chooser:
    """The shipped weights."""
    return chooser_from(card())


@cache
def card() -> dict[str, Any]:
    """What the shipped weights are, were made from and score."""
    text = (files("myoproof.segmentation") / "weights" / "muscle_us.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def segment(
    acquisition: Acquisition,
    *,
    site: str,
    side: str = "",
    view: str = "longitudinal",
    params: Params | None = None,
) -> Segmentation:
    """Label subcutaneous fat and muscle in a longitudinal view.

    Parameters
    ----------
    acquisition : Acquisition
        With a ``Picture``; ``Picture.tissue`` keeps text and ruler out.
    site, side : str
        What was scanned: names the label, changes nothing.
    view : str
        "longitudinal".
    params : Params, optional

    Returns
    -------
    Segmentation
        Labels (frame, row, col): 1 subcutaneous fat, 2 the muscle between the inner edges of its aponeuroses;
        confidence 0-1 of each, higher is better. Where the confidence of a frame lies below the threshold the
        frame is left empty; the confidence is the lowest of the frames looked at, 0 where no pair of edges
        was found.

    Raises
    ------
    InvalidInput
        If there is no picture, or the view is another.
    """
    params = params or Params()
    picture = acquisition.payload
    if not isinstance(picture, Picture):
        raise InvalidInput("muscle_us needs a picture", where=acquisition.run)
    if view != "longitudinal":
        raise InvalidInput(f"muscle_us finds muscles in longitudinal views, not {view!r}")
    labels = np.zeros(picture.pixels.shape[:3], dtype=np.uint16)
    confidence = 1.0
    for frame in looked_at(picture.pixels.shape[0], params.frames):
        confidence = min(confidence, _label(labels[frame], picture, frame, params.threshold))
    names = {FAT: ("subcutaneous_fat", side), MUSCLE: (site, side)}
    return Segmentation(labels, np.eye(4), names, RATER, {FAT: confidence, MUSCLE: confidence})


def looked_at(frames: int, wanted: int) -> list[int]:
    """Indices of the frames that are labelled, spread evenly.

    Examples
    --------
    >>> looked_at(1, 3), looked_at(9, 1), looked_at(9, 3)
    ([0], [4], [1, 4, 7])
    """
    number = min(frames, max(wanted, 1))
    return [int((k + 0.5) * frames / number) for k in range(number)]


def _label(labels: Labels, picture: Picture, frame: int, threshold: float) -> float:
    """Fill one frame's labels; its confidence."""
    image = picture.pixels[frame, :, :, 0]
    tissue = picture.tissue if picture.tissue is not None else np.ones(image.shape, dtype=bool)
    box = tissue_box(tissue)
    inner = np.ascontiguousarray(image[box])
    if min(inner.shape) < LEAST_SIDE:
        return 0.0
    found = find(inner, chooser(), tissue=_closed(tissue[box]))
    if found is None or found.confidence < threshold:
        return 0.0 if found is None else found.confidence
    _draw(labels[box], inner, found)
    labels[~tissue_filled(tissue)] = 0
    return found.confidence


def tissue_box(tissue: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Smallest box that holds the tissue."""
    if not tissue.any():
        return slice(0, 0), slice(0, 0)
    rows, cols = np.flatnonzero(tissue.any(axis=1)), np.flatnonzero(tissue.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def tissue_filled(tissue: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tissue with its holes (text, marks) filled down each column: a boundary runs on beneath a mark."""
    down = np.maximum.accumulate(tissue, axis=0)
    up = np.maximum.accumulate(tissue[::-1], axis=0)[::-1]
    return np.asarray(down & up)


def _closed(tissue: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Small holes closed: they dim an edge, they do not end it."""
    if tissue.all():
        return tissue
    size = max(3, tissue.shape[0] // 20 | 1)
    padded = cv2.copyMakeBorder(tissue.astype(np.uint8), size, size, size, size, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    return np.asarray(closed[size:-size, size:-size] > 0)


def _draw(labels: Labels, image: npt.NDArray[np.uint8], found: Aponeuroses) -> None:
    scale = WORK_ROWS / image.shape[0]
    rows = np.arange(image.shape[0])[:, None]
    labels[(rows > found.upper) & (rows < found.lower)] = MUSCLE
    outer = found.upper - band_thickness(image, found.upper, scale=scale)
    labels[(rows > skin_end(image, found.upper)) & (rows < outer)] = FAT
