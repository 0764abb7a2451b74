"""Sums of fat fraction, signal and R2* over a muscle, slice by slice, under noise, border and doubts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.measures.dixon_regions import Regions
from myoproof.measures.dixon_sums import (
    AREA,
    CROSS,
    FAT,
    N_FIELD,
    RATIO,
    SIGNAL,
    VALID,
    MuscleSums,
    Scan,
    around,
    summed,
)
from myoproof.measures.multiecho_maps import Correction, Maps
from myoproof.numerics.grids import pixel_area_mm2, voxel_volume_mm3
from myoproof.numerics.regions import BorderSums, border_sums, nearest_core

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
R2STAR = N_FIELD
"""A sixth field beside those of the Dixon sums."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The maps with slices last, on the scan's crop or whole.

    Parameters
    ----------
    apparent, sd, signal, r2star, r2star_sd : ndarray
        Fat fraction of the signals, its SD, their sum; decay and its SD (0 where unknown).
    ratio : ndarray
        How much brighter than water fat is.
    valid : ndarray of bool
    """

    apparent: Floats
    sd: Floats
    signal: Floats
    r2star: Floats
    r2star_sd: Floats
    ratio: Floats
    valid: Bools


@dataclass(frozen=True, slots=True)
class MapSums:
    """The sums of one muscle.

    Parameters
    ----------
    fat, decay : MuscleSums
        Of the fat fraction; and the same with R2* in its place.
    plain : ndarray, shape (slice, field)
        Over the drawn region without any correction.
    """

    fat: MuscleSums
    decay: MuscleSums
    plain: Floats


def make_scan(maps: Maps, regions: Regions) -> Scan:
    """The grid of the maps, slices last; noise comes from the fit, voxel by voxel, not from here."""
    volume = maps.volume
    last = volume.slice_axis
    spacing = [float(width) for axis, width in enumerate(volume.spacing_mm) if axis != last]
    pixel = pixel_area_mm2(volume.affine, last)
    fat, water = (np.moveaxis(volume.channels[name], last, 2) for name in ("fat", "water"))
    return Scan(
        fat=fat,
        water=water,
        index=np.moveaxis(regions.index, last, 2),
        spacing_mm=(spacing[0], spacing[1]),
        pixel_mm2=pixel,
        slice_mm=voxel_volume_mm3(volume.affine) / pixel,
        fat_sd=0.0,
        water_sd=0.0,
    )


def make_layers(maps: Maps, correction: Correction, slice_axis: int) -> Layers:
    """Maps as numbers that can be summed: what is not valid is 0."""

    def last(values: npt.NDArray[np.float32] | None) -> Floats:
        if values is None:
            return np.zeros(np.moveaxis(maps.valid, slice_axis, 2).shape)
        clean = np.where(maps.valid & np.isfinite(values), values, 0.0)
        return np.moveaxis(clean.astype(np.float64), slice_axis, 2)

    ratio = np.broadcast_to(correction.ratio, maps.valid.shape)
    return Layers(
        last(maps.fraction),
        last(maps.fraction_sd),
        last(maps.signal),
        last(maps.r2star),
        last(maps.r2star_sd),
        np.moveaxis(ratio, slice_axis, 2),
        np.moveaxis(maps.valid, slice_axis, 2),
    )


def muscle_sums(
    scan: Scan,
    layers: Layers,
    correction: Correction,
    number: int,
    box: Sequence[slice],
    offsets_mm: Floats,
    rim_mm: float,
) -> MapSums:
    """Sum the fields over one muscle.

    Parameters
    ----------
    scan, layers : Scan, Layers
        Region numbers and grid; maps.
    correction : Correction
        Of T1 weighting, with what is doubted.
    number : int
        The muscle's region number.
    box : sequence of slice
        Its bounding box in plane.
    offsets_mm : ndarray, shape (offset,)
        Border offsets of interest, outward positive.
    rim_mm : float
        Depth of the border voxels whose signal is not the muscle's alone.

    Returns
    -------
    MapSums
    """
    crop = around(box, scan, float(np.abs(offsets_mm).max(initial=0.0)))
    part = Layers(*(getattr(layers, name)[crop] for name in Layers.__slots__))
    own = Correction(part.ratio, correction.ratio_ends, correction.spectrum, known=correction.known)
    mask = scan.index[crop] == number
    inside = mask & part.valid
    fields = _fields(part, own.fraction(part.apparent))
    core = nearest_core(mask, part.valid, scan.spacing_mm, rim_mm)
    moved = border_sums(mask, fields[:, *core], scan.spacing_mm, offsets_mm)
    drawn = summed(mask, fields)
    shifted = tuple(
        (summed(mask, _fields(part, low)), summed(mask, _fields(part, high)))
        for low, high in own.ends(part.apparent)
    )
    smaller, larger = ndimage.binary_erosion(mask, CROSS), ndimage.binary_dilation(mask, CROSS)
    noise = (
        _noise(inside, part.sd * own.slope(part.apparent), fields[SIGNAL]),
        _noise(inside, part.r2star_sd, np.zeros(mask.shape)),
    )

    def gathered(place: int) -> MuscleSums:
        columns = [AREA, VALID, RATIO if place == 0 else R2STAR, FAT, SIGNAL]
        return MuscleSums(
            drawn=drawn[:, columns],
            sums=_columns(moved, columns),
            noise=noise[place],
            floor=np.zeros((mask.shape[2], N_FIELD)),
            drawn_floor=np.zeros((mask.shape[2], N_FIELD)),
            eroded=summed(smaller, fields)[:, columns],
            dilated=summed(larger, fields)[:, columns],
            negative=0,
            zero=int((mask & ~part.valid).sum()),
            not_finite=0,
            shifted=tuple((low[:, columns], high[:, columns]) for low, high in shifted) if place == 0 else (),
        )

    plain = replace(part, ratio=np.ones(mask.shape))
    return MapSums(gathered(0), gathered(1), summed(mask, _fields(plain, part.apparent))[:, :N_FIELD])


def _fields(part: Layers, fraction: Floats) -> Floats:
    """The six fields of each voxel for given fat fractions; signals as if fat were as bright as water."""
    fields = np.zeros((N_FIELD + 1, *part.valid.shape))
    fields[AREA] = 1.0
    fields[VALID] = part.valid
    fields[RATIO] = np.where(part.valid, fraction, 0.0)
    fields[SIGNAL] = part.signal * (1.0 + part.apparent * (1.0 / part.ratio - 1.0))
    fields[FAT] = fields[RATIO] * fields[SIGNAL]
    fields[R2STAR] = part.r2star
    return fields


def _noise(inside: Bools, sd: Floats, signal: Floats) -> Floats:
    """Covariance of the sums, shape (slice, field, field), of an error of the fraction in each voxel."""
    variance = np.where(inside, sd, 0.0) ** 2
    covariance = np.zeros((inside.shape[2], N_FIELD, N_FIELD))
    for one, other, values in (
        (RATIO, RATIO, variance),
        (RATIO, FAT, variance * signal),
        (FAT, FAT, variance * signal**2),
    ):
        covariance[:, one, other] = covariance[:, other, one] = values.sum(axis=(0, 1))
    return covariance


def _columns(moved: BorderSums, columns: list[int]) -> BorderSums:
    pairs = np.ix_(columns, columns)
    border = moved.border[:, pairs[0], pairs[1]]
    return BorderSums(moved.base[:, columns], moved.moved[:, :, columns], border)
