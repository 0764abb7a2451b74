"""Slices as a radiologist reads them: turned to the radiological convention, cropped, chosen to inform."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
class Stack:
    """Images and regions of a scan, shape (slice, row, column), as a radiologist reads them.

    Parameters
    ----------
    images : mapping of str to ndarray
        Channels of the volume, and ``signal`` (fat plus water).
    tissue : ndarray of bool
        What is no air.
    labels : ndarray
        Regions; 0 where there are none.
    spacing_mm : tuple of float
        Row and column spacing.
    ends : tuple of str
        Letters at the left, right, upper and lower edge.
    heights_mm : ndarray
        Position of every slice along its normal's world axis.
    """

    images: Mapping[str, Floats]
    tissue: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.uint16]
    spacing_mm: tuple[float, float]
    ends: tuple[str, str, str, str]
    heights_mm: npt.NDArray[np.float64]


def make_stack(volume: Volume, segmentation: Segmentation | None) -> Stack:
    """Turn a scan to the radiological convention and crop it to the body.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``, or any; the first then counts as the signal.
    segmentation : Segmentation, optional
        On the same grid.

    Returns
    -------
    Stack
        Axial: anterior up, the person's right on the left. Coronal: superior up, right on the left.
        Sagittal: superior up, anterior on the left.
    """
    worlds = {axis_towards(volume.affine, world)[0]: world for world in range(3)}
    through = worlds[volume.slice_axis]
    vertical, horizontal = {2: (1, 0), 1: (2, 0), 0: (2, 1)}[through]
    order = tuple(axis_towards(volume.affine, world)[0] for world in (through, vertical, horizontal))
    signs = [axis_towards(volume.affine, world)[1] for world in (vertical, horizontal)]
    turn = (slice(None), slice(None, None, -signs[0]), slice(None, None, -signs[1]))
    images = {name: np.nan_to_num(values.transpose(order)[turn]) for name, values in volume.channels.items()}
    if {"fat", "water"} <= set(images):
        images["signal"] = images["fat"] + images["water"]
    else:
        images["signal"] = next(iter(images.values()))
    shape = images["signal"].shape
    given = np.zeros(shape, np.uint16) if segmentation is None else segmentation.labels.transpose(order)[turn]
    tissue = body(images["signal"].transpose(1, 2, 0)).transpose(2, 0, 1)
    drawn = (given > 0).any(axis=(1, 2))
    shown = tissue[drawn] if drawn.any() else tissue
    spacing = (float(volume.spacing_mm[order[1]]), float(volume.spacing_mm[order[2]]))
    crop = (slice(None), _crop(shown.sum(axis=(0, 2)), spacing[0]), _crop(shown.sum(axis=(0, 1)), spacing[1]))
    ends = (*LETTERS[horizontal], *LETTERS[vertical])
    heights = slice_heights_mm(volume)
    images = {name: np.asarray(values[crop], dtype=np.float32) for name, values in images.items()}
    return Stack(images, tissue[crop], given[crop], spacing, ends, heights)


def slice_heights_mm(volume: Volume) -> npt.NDArray[np.float64]:
    """Position of every slice's middle along the world axis nearest to its normal, shape (slice,)."""
    axis = volume.slice_axis
    world = next(world for world in range(3) if axis_towards(volume.affine, world)[0] == axis)
    places = np.tile(np.array([(length - 1) / 2 for length in volume.shape]), (volume.shape[axis], 1))
    places[:, axis] = np.arange(volume.shape[axis])
    return np.asarray((places @ volume.affine[:3, :3].T + volume.affine[:3, 3])[:, world])


def choose(stack: Stack, suspected: Sequence[int], *, count: int = 3) -> list[int]:
    """Slices to show: quartiles of the labelled stack, a suspected slice in place of the nearest of them.

    Parameters
    ----------
    stack : Stack
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
    labelled = np.flatnonzero((stack.labels > 0).any(axis=(1, 2)))
    if not labelled.size:
        return [stack.labels.shape[0] // 2]
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
