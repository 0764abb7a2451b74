"""Sums of fat and water over a muscle, slice by slice, with what noise and border do to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Volume
from myoproof.measures.dixon_regions import Regions
from myoproof.numerics.grids import pixel_area_mm2, voxel_volume_mm3
from myoproof.numerics.regions import BorderSums, border_sums, nearest_core
from myoproof.numerics.rician import floor_excess, noise_sd

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

AREA, VALID, RATIO, FAT, SIGNAL = range(5)
"""Fields that are summed: voxels, voxels with signal, fat / (fat + water), fat, fat + water."""
N_FIELD = 5
CROSS = ndimage.generate_binary_structure(2, 1)[:, :, None]
"""In-plane neighbours of a voxel."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The two images with the slice axis last, and what is needed of their grid and noise.

    Parameters
    ----------
    fat, water : ndarray, shape (a, b, slice), float32
        Magnitudes.
    index : ndarray, same shape, int32
        Region numbers.
    spacing_mm : tuple of float
        In-plane pixel spacing.
    pixel_mm2, slice_mm : float
        Pixel area, and slice spacing such that their product is the voxel's volume.
    fat_sd, water_sd : float
        Noise SD of each channel.
    """

    fat: npt.NDArray[np.float32]
    water: npt.NDArray[np.float32]
    index: npt.NDArray[np.int32]
    spacing_mm: tuple[float, float]
    pixel_mm2: float
    slice_mm: float
    fat_sd: float
    water_sd: float


@dataclass(frozen=True, slots=True)
class MuscleSums:
    """Everything the readings of one muscle depend on.

    Parameters
    ----------
    drawn : ndarray, shape (slice, field)
        Sums of the five fields over the drawn region: what is reported.
    sums : BorderSums
        The same, and their dependence on the border, with the signal of the rim and of what lies beyond it
        replaced by that of the nearest voxel of the core: what the muscle itself would give.
    noise : ndarray, shape (slice, field, field)
        Covariance of the sums due to voxel noise.
    floor, drawn_floor : ndarray, shape (slice, field)
        What the noise floor adds to ``sums.base`` and to ``drawn`` on average.
    eroded, dilated : ndarray, shape (slice, field)
        Sums over the region one in-plane voxel smaller and larger.
    negative, zero, not_finite : int
        Voxels of the region with negative, without and with undefined signal.
    shifted : tuple of pairs of ndarray, shape (slice, field)
        ``drawn`` at the lower and upper end of each doubt that all voxels and muscles of a scan share: such
        doubts do not average out.
    """

    drawn: Floats
    sums: BorderSums
    noise: Floats
    floor: Floats
    drawn_floor: Floats
    eroded: Floats
    dilated: Floats
    negative: int
    zero: int
    not_finite: int
    shifted: tuple[tuple[Floats, Floats], ...] = ()


def make_scan(volume: Volume, regions: Regions) -> Scan:
    """Turn a volume so that slices come last, and estimate its noise.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``.
    regions : Regions
        Muscles and tissue on the same grid.

    Returns
    -------
    Scan
    """
    last = volume.slice_axis
    fat, water = (np.moveaxis(volume.channels[name], last, 2) for name in ("fat", "water"))
    index, tissue = np.moveaxis(regions.index, last, 2), np.moveaxis(regions.tissue, last, 2)
    spacing = [float(width) for axis, width in enumerate(volume.spacing_mm) if axis != last]
    pixel = pixel_area_mm2(volume.affine, last)
    return Scan(
        fat=fat,
        water=water,
        index=index,
        spacing_mm=(spacing[0], spacing[1]),
        pixel_mm2=pixel,
        slice_mm=voxel_volume_mm3(volume.affine) / pixel,
        fat_sd=noise_sd(fat, tissue, tissue & (fat > water)),
        water_sd=noise_sd(water, tissue, tissue & (water > fat)),
    )


def fat_shares(scan: Scan) -> Floats:
    """Share of the signal that is fat of every region, by number; NaN where a region has no signal."""
    size = int(scan.index.max(initial=0)) + 1
    inside = (scan.index > 0) & np.isfinite(scan.fat) & np.isfinite(scan.water)
    number, fat, water = scan.index[inside], scan.fat[inside], scan.water[inside]
    fat_sum, water_sum = (np.bincount(number, np.abs(part), minlength=size) for part in (fat, water))
    whole = fat_sum + water_sum
    return np.where(whole > 0, fat_sum / np.where(whole > 0, whole, 1.0), np.nan)


def muscle_sums(
    scan: Scan, number: int, box: Sequence[slice], offsets_mm: Floats, rim_mm: float
) -> MuscleSums:
    """Sum the fields over one muscle.

    Parameters
    ----------
    scan : Scan
        Images and region numbers.
    number : int
        The muscle's region number.
    box : sequence of slice
        Its bounding box.
    offsets_mm : ndarray, shape (offset,)
        Border offsets of interest, outward positive.
    rim_mm : float
        Depth within the drawn border of the voxels whose signal is not the muscle's alone.

    Returns
    -------
    MuscleSums
        Over all slices of the stack, those without the muscle being 0.
    """
    crop = around(box, scan, float(np.abs(offsets_mm).max(initial=0.0)))
    mask = scan.index[crop] == number
    fat, water = scan.fat[crop].astype(np.float64), scan.water[crop].astype(np.float64)
    finite = np.isfinite(fat) & np.isfinite(water)
    negative = finite & ((fat < 0) | (water < 0))
    valid = finite & ~negative & (fat + water > 0)
    fat, water = np.where(valid, fat, 0.0), np.where(valid, water, 0.0)
    fields = _fields(fat, water, valid)
    inside = mask & valid
    excess = _excess(fat, water, inside, scan)
    core = nearest_core(mask, valid, scan.spacing_mm, rim_mm)
    return MuscleSums(
        drawn=summed(mask, fields),
        sums=border_sums(mask, fields[:, *core], scan.spacing_mm, offsets_mm),
        noise=_noise(fat, water, inside, scan),
        floor=summed(mask, excess[:, *core]),
        drawn_floor=summed(mask, excess),
        eroded=summed(ndimage.binary_erosion(mask, CROSS), fields),
        dilated=summed(ndimage.binary_dilation(mask, CROSS), fields),
        negative=int((mask & negative).sum()),
        zero=int((mask & finite & ~negative & ~valid).sum()),
        not_finite=int((mask & ~finite).sum()),
    )


def around(box: Sequence[slice], scan: Scan, reach_mm: float) -> tuple[slice, slice, slice]:
    """The in-plane box with room for the border to move, over all slices."""
    margins = [int(np.ceil(reach_mm / width)) + 2 for width in scan.spacing_mm]
    first, second = (
        slice(max(0, part.start - margin), part.stop + margin)
        for part, margin in zip(box[:2], margins, strict=True)
    )
    return first, second, slice(None)


def _fields(fat: Floats, water: Floats, valid: Bools) -> Floats:
    fields = np.zeros((N_FIELD, *fat.shape))
    fields[AREA] = 1.0
    fields[VALID] = valid
    fields[FAT] = fat
    fields[SIGNAL] = fat + water
    np.divide(fat, fields[SIGNAL], out=fields[RATIO], where=valid)
    return fields


def summed(mask: Bools, fields: Floats) -> Floats:
    """Sums of fields (field, a, b, slice) over a mask, shape (slice, field)."""
    return np.asarray((fields * mask).sum(axis=(1, 2)).T, dtype=np.float64)


def _noise(fat: Floats, water: Floats, inside: Bools, scan: Scan) -> Floats:
    """Covariance of the sums, from the first-order propagation of independent noise in fat and water."""
    signal = np.where(inside, fat + water, 1.0)
    var_fat, var_water = scan.fat_sd**2, scan.water_sd**2
    ratio_fat, ratio_water = water / signal**2, -fat / signal**2
    entries = {
        (RATIO, RATIO): ratio_fat**2 * var_fat + ratio_water**2 * var_water,
        (RATIO, FAT): ratio_fat * var_fat,
        (RATIO, SIGNAL): ratio_fat * var_fat + ratio_water * var_water,
        (FAT, FAT): np.full(fat.shape, var_fat),
        (FAT, SIGNAL): np.full(fat.shape, var_fat),
        (SIGNAL, SIGNAL): np.full(fat.shape, var_fat + var_water),
    }
    covariance = np.zeros((fat.shape[2], N_FIELD, N_FIELD))
    for (one, other), values in entries.items():
        covariance[:, one, other] = covariance[:, other, one] = np.where(inside, values, 0.0).sum(axis=(0, 1))
    return covariance


def _excess(fat: Floats, water: Floats, inside: Bools, scan: Scan) -> Floats:
    """Mean excess of each field over the noise-free one, shape (field, a, b, slice); 0 outside the muscle."""
    more_fat = floor_excess(fat, inside, scan.fat_sd)
    more_water = floor_excess(water, inside, scan.water_sd)
    signal = np.where(inside, fat + water, 1.0)
    excess = np.zeros((N_FIELD, *fat.shape))
    excess[RATIO] = (water * more_fat - fat * more_water) / signal**2
    excess[FAT] = more_fat
    excess[SIGNAL] = more_fat + more_water
    return excess
