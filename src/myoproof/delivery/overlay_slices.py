"""Slices as a radiologist reads them: turned to the radiological convention, cropped, chosen to inform."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Volume
from myoproof.core.segmentation import Segmentation
from myoproof.numerics.grids import axis_towards
from myoproof.numerics.limbs import body

Floats = npt.NDArray[np.float32]

MARGIN_MM = 8.0
"""Air left around the body."""
STRAY_SHARE = 0.04
"""Rows and columns with less tissue than this share of the fullest are ghosts or noise."""
LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
"""Ends of the world axes, the positive one first."""


@dataclass(frozen=True, slots=True)
class View:
    """Two images and a mask, shape (slice, row, column), as they are shown.

    Parameters
    ----------
    signal, fraction : ndarray
        Fat plus water, and fat fraction (NaN in air).
    labels : ndarray
        The mask.
    spacing_mm : tuple of float
        Row and column spacing.
    ends : tuple of str
        Letters at the left, right, upper and lower edge.
    numbers : ndarray
        Voxel slice index of every slice shown.
    heights_mm : ndarray
        Position of every slice along its normal's world axis.
    """

    signal: Floats
    fraction: Floats
    labels: npt.NDArray[np.uint16]
    spacing_mm: tuple[float, float]
    ends: tuple[str, str, str, str]
    numbers: npt.NDArray[np.intp]
    heights_mm: npt.NDArray[np.float64]


def make_view(volume: Volume, segmentation: Segmentation) -> View:
    """Turn a scan to the radiological convention and crop it to the body.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``.
    segmentation : Segmentation
        On the same grid.

    Returns
    -------
    View
        Axial: anterior up, the person's right on the left. Coronal: superior up, right on the left.
        Sagittal: superior up, anterior on the left.
    """
    worlds = {axis_towards(volume.affine, world)[0]: world for world in range(3)}
    through = worlds[volume.slice_axis]
    vertical, horizontal = {2: (1, 0), 1: (2, 0), 0: (2, 1)}[through]
    order = tuple(axis_towards(volume.affine, world)[0] for world in (through, vertical, horizontal))
    signs = [axis_towards(volume.affine, world)[1] for world in (vertical, horizontal)]
    turn = (slice(None), slice(None, None, -signs[0]), slice(None, None, -signs[1]))

    def turned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array.transpose(order)[turn]

    fat, water = (np.nan_to_num(turned(volume.channels[name])) for name in ("fat", "water"))
    signal, labels = fat + water, turned(segmentation.labels)
    tissue = body(signal.transpose(1, 2, 0)).transpose(2, 0, 1)
    fraction = np.divide(
        fat, signal, out=np.full(signal.shape, np.nan, np.float32), where=tissue & (signal > 0)
    )
    spacing = (float(volume.spacing_mm[order[1]]), float(volume.spacing_mm[order[2]]))
    drawn = (labels > 0).any(axis=(1, 2))
    shown = tissue[drawn] if drawn.any() else tissue
    crop = (slice(None), _crop(shown.sum(axis=(0, 2)), spacing[0]), _crop(shown.sum(axis=(0, 1)), spacing[1]))
    middle = np.array([(length - 1) / 2 for length in volume.shape])
    places = np.tile(middle, (signal.shape[0], 1))
    places[:, volume.slice_axis] = np.arange(signal.shape[0])
    heights = (places @ volume.affine[:3, :3].T + volume.affine[:3, 3])[:, through]
    ends = (LETTERS[horizontal][0], LETTERS[horizontal][1], LETTERS[vertical][0], LETTERS[vertical][1])
    return View(
        signal[crop], fraction[crop], labels[crop], spacing, ends, np.arange(signal.shape[0]), heights
    )


def choose(view: View, suspected: Sequence[int], *, count: int = 3) -> list[int]:
    """Slices to show: quartiles of the labelled stack, a suspected slice in place of the nearest of them.

    Parameters
    ----------
    view : View
        The scan.
    suspected : sequence of int
        Slices in which something is doubtful.
    count : int
        How many to show.

    Returns
    -------
    list of int
        Increasing; fewer where fewer are labelled, the middle slice where none is.
    """
    labelled = np.flatnonzero((view.labels > 0).any(axis=(1, 2)))
    if not labelled.size:
        return [view.labels.shape[0] // 2]
    places = np.linspace(0, labelled.size - 1, count + 2)[1:-1]
    chosen = {int(labelled[round(place)]) for place in places}
    doubtful = sorted(set(suspected) & set(labelled.tolist()) - chosen)
    if doubtful and not set(suspected) & chosen:
        middle = doubtful[len(doubtful) // 2]
        nearest = min(sorted(chosen), key=lambda level: abs(level - middle))
        chosen = (chosen - {nearest}) | {middle}
    return sorted(chosen)


def window(image: Floats) -> tuple[float, float]:
    """Grey window of one slice: 0 to the 98th percentile of what is not air.

    Parameters
    ----------
    image : ndarray, shape (row, column)
        Fat plus water.
    """
    bright = image[image > 0.1 * float(image.max(initial=0.0))]
    return 0.0, float(np.percentile(bright, 98)) if bright.size else 1.0


def _crop(counts: npt.NDArray[np.int_], width_mm: float) -> slice:
    """The span that holds tissue, stray ghosts apart, with a margin."""
    places = np.flatnonzero(counts > STRAY_SHARE * counts.max(initial=0))
    if not places.size:
        return slice(None)
    margin = int(np.ceil(MARGIN_MM / width_mm))
    return slice(max(0, int(places[0]) - margin), int(places[-1]) + margin + 1)
