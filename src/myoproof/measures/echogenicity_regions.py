"""Which pixels of a picture are a region of interest: labels, the rule, tissue, and what lies around."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Picture
from myoproof.core.segmentation import Segmentation

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
SUBCUTANEOUS = "subcutaneous_fat"
BAND = 1.5
"""How far below a muscle its bone is looked for, in the muscle's own thickness (proposal)."""
SMOOTH = 3
"""Bone is looked for in means of this many pixels square."""


@dataclass(frozen=True, slots=True)
class Region:
    """One site and side.

    Parameters
    ----------
    site, side : str
        Which.
    labels : tuple of int
        Its labels; several where a segmenter tells parts apart.
    confidence : float
        The least that the segmenter states for them; 1 where it states none.
    """

    site: str
    side: str
    labels: tuple[int, ...]
    confidence: float


def find_regions(segmentation: Segmentation) -> list[Region]:
    """The regions of a segmentation, in the order of its names; labels of one site and side are one region.

    Parameters
    ----------
    segmentation : Segmentation
        Names and confidence.
    """
    held: dict[tuple[str, str], list[int]] = {}
    for label, name in segmentation.names.items():
        held.setdefault(name, []).append(label)
    return [
        Region(site, side, tuple(labels), min(segmentation.confidence.get(label, 1.0) for label in labels))
        for (site, side), labels in held.items()
    ]


def pixels_of(outline: Bools, tissue: Bools, rule: str, inset: float) -> Bools:
    """The pixels that count by a rule.

    Parameters
    ----------
    outline : ndarray of bool, shape (row, col)
        The label.
    tissue : ndarray of bool, shape (row, col)
        Pixels that show tissue.
    rule : {"whole", "central", "drawn"}
        ``central`` leaves out what lies nearer to the outline than ``inset`` x the region's thickness (the
        diameter of its largest inscribed circle); edges of the image and of the tissue are no outline.
    inset : float
        See there.
    """
    if rule != "central":
        return outline & tissue
    padded = np.pad(outline | ~tissue, 1, mode="edge")
    if padded.all():
        return outline & tissue
    distance = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    thickness = 2 * float(distance[outline].max(initial=0.0))
    return np.asarray(outline & tissue & (distance > inset * thickness))


def subcutaneous_mm(picture: Picture, segmentation: Segmentation, frame: int) -> float | None:
    """Thickness of the subcutaneous tissue: median over columns; None where no label or no scale tells it.

    Parameters
    ----------
    picture : Picture
        For its scale.
    segmentation : Segmentation
        With a label of site ``subcutaneous_fat``.
    frame : int
        Which.
    """
    labels = [label for label, (site, _) in segmentation.names.items() if site == SUBCUTANEOUS]
    if picture.spacing_mm is None or not labels:
        return None
    heights = np.isin(segmentation.labels[frame], labels).sum(axis=0)
    return float(np.median(heights[heights > 0]) * picture.spacing_mm[0]) if heights.any() else None


def bone_echo(grey: Bytes, outline: Bools, tissue: Bools) -> float | None:
    """How much brighter the brightest line below a muscle is than the muscle: median over columns.

    Parameters
    ----------
    grey : ndarray of uint8, shape (row, col)
        The image.
    outline : ndarray of bool, shape (row, col)
        The muscle.
    tissue : ndarray of bool, shape (row, col)
        Pixels that show tissue.

    Returns
    -------
    float or None
        Grey levels; None where less than half of the columns show anything below the muscle.
    """
    columns = np.flatnonzero(outline.any(axis=0))
    if not len(columns) or not (outline & tissue).any():
        return None
    smooth = ndimage.uniform_filter(grey.astype(np.float64), SMOOTH)
    smooth = np.where(tissue, smooth, np.nan)
    last = outline.shape[0] - 1 - outline[::-1].argmax(axis=0)
    reach = int(np.ceil(BAND * np.median(outline.sum(axis=0)[columns])))
    below = [smooth[last[column] + 1 : last[column] + 1 + reach, column] for column in columns]
    peaks = [float(np.nanmax(own)) for own in below if np.isfinite(own).sum() >= SMOOTH]
    if len(peaks) < len(columns) / 2:
        return None
    return float(np.median(peaks) - grey[outline & tissue].mean())


def tissue_of(picture: Picture) -> Bools:
    """The tissue of a picture; everything where nobody looked."""
    return np.ones(picture.pixels.shape[1:3], dtype=np.bool_) if picture.tissue is None else picture.tissue


def frames_of(segmentation: Segmentation, region: Region) -> Mapping[int, Bools]:
    """Frame -> outline, of the frames in which a region was labelled."""
    found = np.isin(segmentation.labels, region.labels)
    return {int(frame): found[frame] for frame in np.flatnonzero(found.any(axis=(1, 2)))}
