"""Why a Dixon row may mislead: truncation, gaps, swaps of fat and water, and voxels left out."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Volume
from myoproof.measures.dixon_params import Params
from myoproof.measures.dixon_regions import Regions

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

WARNING = frozenset(
    {
        "field_of_view_truncated",
        "low_confidence",
        "muscle_cut_by_stack_end",
        "negative_values_excluded",
        "noise_floor",
        "t1_weighting_unknown",
    }
)
"""Flags that make a row's quality ``warn``."""
FAILURE = frozenset({"fat_water_swap_suspected"})
"""Flags that make it ``fail``."""
NOISE_FLOOR_SHIFT = 0.005
"""A fat fraction lifted by more than half a point by the noise floor is flagged (the accuracy asked for)."""
OTHER_TISSUE = frozenset({"subcutaneous_fat", "intermuscular_fat", "bone", "skin", "femur"})
"""Sites that a mask of compartments names and that are no muscle."""
RING_MM = (3.0, 7.0)
"""Depth below the skin of the ring that holds subcutaneous fat (proposal)."""
COARSE_MM = 1.5
"""The ring is looked for on a grid of about this spacing."""
LEAST_RING = 50
"""Fewer ring pixels than this tell nothing."""
SWAPPED_RING = 0.4
"""Below this median fat fraction, subcutaneous fat is none, unless the leg is very lean (proposal)."""
SWAPPED_CONTRAST = 0.25
"""... and muscle then exceeds it by more than this where fat and water are exchanged (proposal)."""
JUMP = 0.4
"""A slice whose muscle differs by this from both neighbours, one way, is suspected (proposal)."""


def quality(flags: frozenset[str]) -> str:
    """``fail``, ``warn`` or ``ok``, by the gravest flag."""
    if flags & FAILURE:
        return "fail"
    return "warn" if flags & WARNING else "ok"


def border_flags(volume: Volume, regions: Regions) -> Mapping[int, Mapping[int, frozenset[str]]]:
    """Where regions touch the edges of the image.

    Parameters
    ----------
    volume : Volume
        For the slice axis.
    regions : Regions
        Muscles.

    Returns
    -------
    mapping of region number to mapping of slice to flags
        ``field_of_view_truncated`` where a slice's region touches the in-plane edge,
        ``muscle_cut_by_stack_end`` where it lies in the first or last slice of a stack of several.
    """
    index = np.moveaxis(regions.index, volume.slice_axis, 2)
    found: dict[int, dict[int, frozenset[str]]] = {item.index: {} for item in regions.items if item.index}
    edge = np.ones(index.shape[:2], dtype=bool)
    edge[1:-1, 1:-1] = False
    depth = index.shape[2]
    for level in range(depth):
        here = index[:, :, level]
        for number in np.unique(here[edge]):
            if number:
                found[int(number)][level] = frozenset({"field_of_view_truncated"})
    for level in {0, depth - 1} if depth > 1 else set():
        for number in np.unique(index[:, :, level]):
            if number:
                earlier = found[int(number)].get(level, frozenset())
                found[int(number)][level] = earlier | {"muscle_cut_by_stack_end"}
    return found


def scan_flags(volume: Volume, params: Params) -> frozenset[str]:
    """``gap_between_slices`` where slices are farther apart than contiguous protocols make them."""
    apart = float(volume.spacing_mm[volume.slice_axis])
    return frozenset({"gap_between_slices"}) if apart > params.gap_spacing_mm else frozenset()


def is_muscle(index: npt.NDArray[np.int32], regions: Regions) -> Bools:
    """Voxels of muscles: labelled, and not as fat, bone or skin."""
    other = [item.index for item in regions.items if item.index and item.site in OTHER_TISSUE]
    return np.asarray((index > 0) & ~np.isin(index, other))


def swapped_slices(volume: Volume, regions: Regions) -> Mapping[int, frozenset[int]]:
    """Slices in which fat and water seem exchanged, per region.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``.
    regions : Regions
        Muscles, tissue and legs.

    Returns
    -------
    mapping of region number to slices
        A whole leg in a slice is suspected where the ring below its skin holds little fat and the muscles
        much more; a muscle in a slice where its fat fraction jumps against both neighbouring slices. A
        swapped muscle in a leg without subcutaneous fat is not seen.
    """
    fraction = _fraction(volume)
    index, tissue = (
        np.moveaxis(regions.index, volume.slice_axis, 2),
        np.moveaxis(regions.tissue, volume.slice_axis, 2),
    )
    leg = np.moveaxis(regions.leg, volume.slice_axis, 2)
    medians = _medians(fraction, index, len(regions.items))
    suspected = {number: _jumps(medians[number]) for number in np.unique(index[index > 0]).tolist()}
    widths = [float(width) for axis, width in enumerate(volume.spacing_mm) if axis != volume.slice_axis]
    first, second = (max(1, int(COARSE_MM / width)) for width in widths)
    spacing = (first * widths[0], second * widths[1])
    for level in np.flatnonzero((index > 0).any(axis=(0, 1))):
        place = (slice(None, None, first), slice(None, None, second), int(level))
        ratio, numbers, body, side = fraction[place], index[place], tissue[place], leg[place]
        depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(body), sampling=spacing)
        muscle = is_muscle(numbers, regions)
        ring = (depth > RING_MM[0]) & (depth <= RING_MM[1]) & ~muscle
        for way in np.unique(side):
            if _leg_swapped(ratio, ring & (side == way), muscle & (side == way)):
                for number in np.unique(numbers[(numbers > 0) & (side == way)]):
                    suspected[int(number)].add(int(level))
    return {number: frozenset(levels) for number, levels in suspected.items()}


def _fraction(volume: Volume) -> Floats32:
    fat, water = (np.moveaxis(volume.channels[name], volume.slice_axis, 2) for name in ("fat", "water"))
    signal = fat + water
    out = np.full(signal.shape, np.nan, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        np.divide(fat, signal, out=out, where=np.isfinite(signal) & (signal > 0))
    return out


def _medians(fraction: Floats32, index: npt.NDArray[np.int32], count: int) -> Floats:
    """Median fat fraction of each region in each slice, shape (region + 1, slice); NaN where it is not."""
    out = np.full((count + 1, index.shape[2]), np.nan)
    for level in range(index.shape[2]):
        numbers, values = index[:, :, level], fraction[:, :, level]
        used = (numbers > 0) & np.isfinite(values)
        present = np.unique(numbers[used])
        if present.size:
            out[present, level] = ndimage.median(values[used], numbers[used], present)
    return out


def _leg_swapped(fraction: Floats32, ring: Bools, muscle: Bools) -> bool:
    below_skin, inside = (fraction[mask & np.isfinite(fraction)] for mask in (ring, muscle))
    if min(below_skin.size, inside.size) < LEAST_RING:
        return False
    level = float(np.median(below_skin))
    return level < SWAPPED_RING and float(np.median(inside)) - level > SWAPPED_CONTRAST


def _jumps(medians: Floats) -> set[int]:
    before, here, behind = medians[:-2], medians[1:-1], medians[2:]
    both = (here - before > JUMP) & (here - behind > JUMP) | (before - here > JUMP) & (behind - here > JUMP)
    return {int(level) + 1 for level in np.flatnonzero(both)}
