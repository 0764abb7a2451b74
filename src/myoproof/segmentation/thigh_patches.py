"""Patches of single thighs for the network, and the way back to the scan's grid."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Volume
from myoproof.errors import InvalidInput
from myoproof.numerics.grids import axis_towards
from myoproof.numerics.limbs import body, find_gap

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

SIZE = 112
"""Pixels of a patch along each axis."""
PIXEL_MM = 2.0
"""Their size; both as the network was trained."""
BODY_SHARE = 0.1
"""What is darker than this share of the maximum does not count for the scale."""
BROAD = 1.45
"""Tissue this much wider than deep in one piece is two thighs that touch."""
LEAST_LEG_MM2 = 2500.0
"""A smaller cross-section is no thigh."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A scan with axes right, front, up (as far as its grid allows).

    Parameters
    ----------
    channels : ndarray, shape (2, x, y, slice), float32
        Fat and water, or one contrast twice.
    spacing_mm : ndarray, shape (3,)
    order, flips : tuple
        Which axis of the scan each is, and whether it is reversed.
    """

    channels: Images
    spacing_mm: Floats
    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def restored(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """An array of this frame on the scan's own grid."""
        turned = values[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]
        return np.ascontiguousarray(np.transpose(turned, np.argsort(self.order)))


@dataclass(frozen=True, slots=True)
class Leg:
    """One thigh: its side ("" = unknown), where it lies, and its middle in each slice it is seen in."""

    side: str
    mask: Bools
    centres: Floats
    levels: npt.NDArray[np.intp]


def make_frame(volume: Volume) -> Frame:
    """Turn a scan so that axes point right, front and up.

    Raises
    ------
    InvalidInput
        If the scan holds neither fat and water nor one image.
    """
    names = list(volume.channels)
    if {"fat", "water"} <= set(names):
        pair = [volume.channels["fat"], volume.channels["water"]]
    elif len(names) == 1 or "image" in names:
        only = volume.channels["image"] if "image" in names else volume.channels[names[0]]
        pair = [only, only]
    else:
        raise InvalidInput(f"needs fat and water, or one image; has {', '.join(names)}")
    towards = [axis_towards(volume.affine, world) for world in range(3)]
    order = (towards[0][0], towards[1][0], towards[2][0])
    flips = (towards[0][1] < 0, towards[1][1] < 0, towards[2][1] < 0)
    turned = [np.transpose(image, order) for image in pair]
    way = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    channels = np.stack([np.nan_to_num(image[way], nan=0.0, posinf=0.0, neginf=0.0) for image in turned])
    spacing = volume.spacing_mm[list(order)]
    return Frame(np.maximum(channels, 0), spacing, order, flips)


def find_legs(frame: Frame) -> list[Leg]:
    """The thighs in view, the left one first."""
    signal = frame.channels.sum(axis=0)
    tissue = body(signal)
    tissue &= ndimage.binary_opening(tissue, np.ones((3, 3, 1), dtype=bool))
    gap = find_gap(tissue, np.zeros_like(tissue))
    cut = gap.cut if gap.found else _broad_cut(tissue, frame.spacing_mm)
    columns = np.arange(signal.shape[0])[:, None]
    if cut is None:
        halves = [("", np.ones((signal.shape[0], signal.shape[2]), dtype=bool))]
    else:
        halves = [("left", columns < cut[None, :]), ("right", columns > cut[None, :])]
    legs = []
    for side, half in halves:
        mask = np.broadcast_to(half[:, None, :], signal.shape)
        leg = _leg(side, mask, tissue, frame.spacing_mm)
        if leg.levels.size:
            legs.append(leg)
    return legs


def patches(frame: Frame, leg: Leg, *, mirrored: bool) -> Images:
    """Patches of a leg, shape (level, 2, SIZE, SIZE): two millimetres a pixel, over one scale each."""
    first, second = (max(1, round(PIXEL_MM / step)) for step in frame.spacing_mm[:2])
    out = np.zeros((leg.levels.size, 2, SIZE, SIZE), dtype=np.float32)
    for number, level in enumerate(leg.levels):
        places = _places(frame, leg.centres[number])
        for channel in range(2):
            image = np.where(leg.mask[:, :, level], frame.channels[channel, :, :, level], 0.0)
            smooth = ndimage.uniform_filter(image, (first, second)) if max(first, second) > 1 else image
            out[number, channel] = _sampled(smooth, places)
        out[number] = normalised(out[number])
    return np.ascontiguousarray(out[:, :, ::-1]) if mirrored else out


def normalised(pair: Images) -> Images:
    """Both channels over the 98th percentile of the brighter one in tissue, cut at 1.5."""
    brighter = pair.max(axis=0)
    tissue = brighter[brighter > BODY_SHARE * brighter.max()]
    scale = float(np.percentile(tissue, 98)) if tissue.size else 1.0
    return np.asarray(np.clip(pair / (scale + 1e-6), 0.0, 1.5), dtype=np.float32)


def windows(frame: Frame, leg: Leg) -> Iterator[tuple[int, tuple[slice, slice], tuple[Images, Images]]]:
    """For each level: its number, the window of the scan it covers, and the interpolation onto it."""
    half = SIZE * PIXEL_MM / 2
    shape = frame.channels.shape[1:3]
    for number, centre in enumerate(leg.centres):
        spans, weights = [], []
        for axis in range(2):
            step = float(frame.spacing_mm[axis])
            start = max(0, int(np.ceil(centre[axis] - half / step)))
            stop = min(shape[axis], int(np.floor(centre[axis] + half / step)) + 1)
            spans.append(slice(start, stop))
            weights.append(_weights((np.arange(start, stop) - centre[axis]) * step))
        yield number, (spans[0], spans[1]), (weights[0], weights[1])


def _weights(offsets_mm: Floats) -> Images:
    """Linear interpolation from patch pixels to places, shape (place, SIZE)."""
    index = np.clip(offsets_mm / PIXEL_MM + (SIZE - 1) / 2, 0, SIZE - 1)
    low = np.minimum(index.astype(np.intp), SIZE - 2)
    out = np.zeros((index.size, SIZE), dtype=np.float32)
    rows = np.arange(index.size)
    out[rows, low] = 1 - (index - low)
    out[rows, low + 1] = index - low
    return out


def _places(frame: Frame, centre: Floats) -> tuple[Floats, Floats]:
    offsets = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL_MM
    return (
        centre[0] + offsets / float(frame.spacing_mm[0]),
        centre[1] + offsets / float(frame.spacing_mm[1]),
    )


def _sampled(image: Images, places: tuple[Floats, Floats]) -> Images:
    grid = np.stack(np.meshgrid(*places, indexing="ij"))
    found = ndimage.map_coordinates(image, grid, order=1, mode="constant", cval=0.0)
    return np.asarray(found, dtype=np.float32)


def _leg(side: str, mask: Bools, tissue: Bools, spacing_mm: Floats) -> Leg:
    """Middle of the largest piece of tissue in each slice, smoothed along the leg."""
    pixel_mm2 = float(spacing_mm[0] * spacing_mm[1])
    levels, centres = [], []
    for level in range(tissue.shape[2]):
        pieces, count = ndimage.label(tissue[:, :, level] & mask[:, :, level])
        if not count:
            continue
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() * pixel_mm2 < LEAST_LEG_MM2:
            continue
        solid = ndimage.binary_fill_holes(pieces == int(sizes.argmax()) + 1)
        levels.append(level)
        centres.append(ndimage.center_of_mass(solid))
    return Leg(
        side, mask, np.asarray(centres, dtype=np.float64).reshape(-1, 2), np.asarray(levels, dtype=np.intp)
    )


def _broad_cut(tissue: Bools, spacing_mm: Floats) -> Floats | None:
    """Where one piece of tissue is as broad as two thighs: its middle; None where it is not."""
    wide, deep = (np.flatnonzero(tissue.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    if not wide.size:
        return None
    breadth = (wide[-1] - wide[0] + 1) * float(spacing_mm[0])
    depth = (deep[-1] - deep[0] + 1) * float(spacing_mm[1])
    if breadth < BROAD * depth:
        return None
    counts = tissue.sum(axis=(1, 2)).astype(np.float64)
    middle = (wide[0] + wide[-1]) / 2
    reach = max(1, int(0.1 * (wide[-1] - wide[0])))
    near = np.arange(int(middle) - reach, int(middle) + reach + 1)
    return np.full(tissue.shape[2], float(near[counts[near].argmin()]) + 0.5)
