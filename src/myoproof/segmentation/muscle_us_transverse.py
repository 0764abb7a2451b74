"""A muscle cut across in a B-mode picture, within its fascia, over a deeper muscle and bone; or refused."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.numerics.aponeuroses_fat import skin_end
from myoproof.numerics.bone_surface import bone_surface
from myoproof.numerics.outlines import Outline, Work, find_outline, prepare
from myoproof.segmentation.muscle_us import looked_at

VERSION = 1
RATER = f"muscle_us_transverse@{VERSION}"
FAT, MUSCLE, DEEPER = 1, 2, 3
UNDER = {
    "biceps_brachii": "brachialis",
    "biceps_brachii_brachialis": "brachialis",
    "rectus_femoris": "vastus_intermedius",
    "rectus_femoris_vastus_intermedius": "vastus_intermedius",
}
"""The muscle between another and the bone."""
UPPER = {"biceps_brachii_brachialis": "biceps_brachii", "rectus_femoris_vastus_intermedius": "rectus_femoris"}
"""The muscle on top of a group."""
TRUST = (-8.30, 4.08, 5.85, -3.90)
"""Logistic coefficients of (1, along, complete, even): 80 simulated pictures of four muscles on four devices,
healthy to severe (seeds 61000 on), of which 85 % had the right outline before refusal."""
LEAST_SIDE = 64

Labels = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Params:
    """How a muscle is looked for.

    Parameters
    ----------
    threshold : float
        Confidence below which nothing is labelled: a refusal instead of a guess.
    frames : int
        Frames of a cine that are labelled, spread evenly.
    """

    threshold: float = 0.65
    frames: int = 1


def segment(
    acquisition: Acquisition,
    *,
    site: str,
    side: str = "",
    view: str = "transverse",
    params: Params | None = None,
) -> Segmentation:
    """Label subcutaneous fat, a muscle and the one beneath it in a transverse view.

    Parameters
    ----------
    acquisition : Acquisition
        With a ``Picture``.
    site, side : str
        What was scanned; ``biceps_brachii`` and ``rectus_femoris`` (or their groups with the muscle beneath)
        also label the muscle between them and the bone.
    view : str
        "transverse".
    params : Params, optional

    Returns
    -------
    Segmentation
        Labels (frame, row, col): 1 subcutaneous fat, 2 the muscle within the inner edge of its fascia,
        3 the deeper muscle down to the bone; confidence 0-1 of each, higher is better. Below the threshold a
        label is empty.

    Raises
    ------
    InvalidInput
        If there is no picture, or the view is another.
    """
    params = params or Params()
    picture = acquisition.payload
    if not isinstance(picture, Picture):
        raise InvalidInput("muscle_us_transverse needs a picture", where=acquisition.run)
    if view != "transverse":
        raise InvalidInput(f"muscle_us_transverse finds muscles in transverse views, not {view!r}")
    shape = picture.pixels.shape[:3]
    labels = np.zeros(shape, dtype=np.uint16)
    tissue = np.ones(shape[1:], dtype=bool) if picture.tissue is None else picture.tissue
    names = {FAT: ("subcutaneous_fat", side), MUSCLE: (UPPER.get(site, site), side)}
    if site in UNDER:
        names[DEEPER] = (UNDER[site], side)
    sure = dict.fromkeys(names, 1.0)
    for frame in looked_at(shape[0], params.frames):
        found = _label(
            labels[frame], picture.pixels[frame, :, :, 0], tissue, DEEPER in names, params.threshold
        )
        sure = {label: min(sure[label], found[label]) for label in names}
    return Segmentation(labels, np.eye(4), names, RATER, sure)


def trust(found: Outline) -> float:
    """Chance that the thickness within an outline is within 10 %, calibrated on phantoms."""
    score = TRUST[0] + TRUST[1] * found.along + TRUST[2] * found.complete + TRUST[3] * found.even
    return float(1.0 / (1.0 + np.exp(-score)))


def _label(
    labels: Labels, image: npt.NDArray[np.uint8], tissue: Bools, deeper: bool, threshold: float
) -> dict[int, float]:
    """Fill one frame's labels; the confidence of each."""
    none = dict.fromkeys((FAT, MUSCLE, DEEPER), 0.0)
    if min(image.shape) < LEAST_SIDE or not tissue.any():
        return none
    work = prepare(image, tissue)
    found = find_outline(work)
    if found is None:
        return none
    sure = trust(found)
    if sure < threshold:
        return dict.fromkeys(none, sure)
    size = (image.shape[1], image.shape[0])
    inside = _filled(found.x, found.y, work, size) & tissue
    sheet = _filled(found.outer[:, 0], found.outer[:, 1], work, size)
    bone, confidence = None, 0.0
    if deeper:
        bone = bone_surface(work.image, _lowest(found, work.image.shape))
        confidence = sure if np.isfinite(bone).any() else 0.0
    _paint(labels, image, (inside, sheet, tissue), work, bone)
    return {FAT: sure, MUSCLE: sure, DEEPER: confidence}


def _paint(
    labels: Labels,
    image: npt.NDArray[np.uint8],
    masks: tuple[Bools, Bools, Bools],
    work: Work,
    bone: npt.NDArray[np.float64] | None,
) -> None:
    """Labels of the fat above the fascia, of the muscle within it, and of what lies between it and bone."""
    inside, sheet, tissue = masks
    rows = np.arange(labels.shape[0])[:, None]
    columns = np.flatnonzero(sheet.any(axis=0))
    top = np.full(labels.shape[1], -1.0)
    top[columns] = sheet[:, columns].argmax(axis=0)
    upper = np.where(top >= 0, top, np.median(top[columns]) if columns.size else 0.0)
    box = int(np.flatnonzero(tissue.any(axis=1))[0])
    first = box + skin_end(np.ascontiguousarray(image[box:]), upper - box)
    labels[(rows > first) & (rows < top) & tissue] = FAT
    labels[inside] = MUSCLE
    if bone is not None:
        x = (np.arange(labels.shape[1]) + 0.5) * work.scale - 0.5
        surface = np.interp(x, np.arange(bone.size), bone, left=np.nan, right=np.nan)
        surface = (surface + 0.5) / work.scale - 0.5
        bottom = labels.shape[0] - 1 - sheet[::-1].argmax(axis=0)
        beneath = sheet.any(axis=0) & np.isfinite(surface)
        labels[(rows > bottom) & (rows < np.where(beneath, surface, -1.0)) & tissue] = DEEPER


def _filled(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], work: Work, size: tuple[int, int]
) -> Bools:
    """Pixels of the image within an outline of the working image."""
    points = np.stack([(x + 0.5) / work.scale - 0.5, (y + 0.5) / work.scale - 0.5], axis=1)
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 1, shift=4)
    return np.asarray(mask > 0)


def _lowest(found: Outline, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Row of the fascia's lower outer edge over columns; the centre's where the outline does not reach."""
    lower = found.outer[: found.outer.shape[0] // 2 + 1]
    order = np.argsort(lower[:, 0])
    return np.asarray(np.interp(np.arange(shape[1]), lower[order, 0], lower[order, 1]))
