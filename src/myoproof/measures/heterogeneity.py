"""Heterogeneity: how unevenly fat is spread through a muscle, voxel noise taken off."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.dixon_flags import border_flags, quality, swapped_slices
from myoproof.measures.dixon_params import BOUNDARY_SD_MM, RIM_MM, RIM_VOXELS
from myoproof.measures.dixon_regions import Region, Regions, find_regions
from myoproof.measures.dixon_sums import Scan, around, make_scan
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm
from myoproof.numerics.regions import signed_distance_mm
from myoproof.numerics.rician import rician_mean

METHOD = "heterogeneity"
METHOD_VERSION = 1
MEASURES = ("fat_fraction_sd", "fat_fraction_interquartile_range", "fat_fraction_entropy")
BIN_WIDTH = 0.05
"""Bins of the entropy: 20 from 0 to 1 (proposal)."""

STRONG = 20.0
"""Above this many noise SD a magnitude varies as the noise does."""
DOUBT: Mapping[str, tuple[float, float, float]] = {
    "fat_fraction_sd": (0.40, 0.05, 0.003),
    "fat_fraction_interquartile_range": (0.12, 0.09, 0.006),
    "fat_fraction_entropy": (0.16, 0.04, 0.05),
}
"""What rough drawing does to the rows of the core: half-widths of 95 % down and up as shares of the value,
and one that does not shrink with it; set on 8 simulated thighs (proposal; validation in docs/derived.md).
Downwards it is more, because what strays into a region is fat or another muscle."""
FLOOR_SD, FLOOR_SHARE = 3.0, 0.1
"""Where more than this share of voxels has a fat or water signal below so many noise SD, the noise floor
presses fat fractions together: the spread is too small and the rows are flagged (proposal)."""

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of heterogeneity.

    Parameters
    ----------
    level : float
        Coverage that the intervals aim at.
    boundary_sd_mm : float
        SD of a muscle's common boundary offset, as in the Dixon measure.
    rim_mm, rim_voxels : float
        Depth of the rim that rows of method ``heterogeneity:core`` leave out, in mm plus in-plane voxels.
    noise_sd_share : float
        Relative SD to which the noise SD is known (proposal).
    least_voxels : int
        Smaller regions have absent rows.
    """

    level: float = 0.95
    boundary_sd_mm: float = BOUNDARY_SD_MM
    rim_mm: float = RIM_MM
    rim_voxels: float = RIM_VOXELS
    noise_sd_share: float = 0.05
    least_voxels: int = 50


@dataclass(frozen=True, slots=True)
class _Voxels:
    """A region's surroundings: fat fraction (NaN where unknown), its noise variance, signed distance from the
    border, the region, and whether many of its voxels lie near the noise floor.
    """

    fraction: Floats
    variance: Floats
    distance_mm: Floats
    mask: npt.NDArray[np.bool_]
    floored: bool


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),
) -> Table:
    """Spread of the fat fraction over the voxels of each region.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channels ``fat`` and ``water``; ``fat_fraction`` and ``fat_fraction_sd`` are used
        where both are known.
    segmentation : Segmentation
        Drawn on the same grid.
    context : object
        Not used.
    params : Params
        Border, noise and rim.

    Returns
    -------
    Table
        ``fat_fraction_sd``: root of the variance over voxels less the mean noise variance of a voxel.
        ``fat_fraction_interquartile_range`` and ``fat_fraction_entropy`` (bits, 20 bins of 0.05): of the
        voxels' values after they were drawn towards their mean until their SD is the corrected one. Method
        ``heterogeneity`` is over the drawn region, ``heterogeneity:core`` without its rim, whose voxels
        straddle the border: prefer it; it alone has intervals, which join what the border's common offset,
        the doubt about the noise and rough drawing do, in quadrature. Higher is more uneven.

    Raises
    ------
    InvalidInput
        If the acquisition holds no fat and water on the segmentation's grid.

    Notes
    -----
    Where spread and noise are alike, the corrected SD is 0 at the least and the entropy that of one value.
    Near the noise floor the spread comes out too small by an unknown amount; these rows
    carry ``noise_floor`` and no interval.
    """
    del context
    volume = _checked(acquisition, segmentation)
    regions = find_regions(volume, segmentation)
    scan = make_scan(volume, regions)
    flags = _flags(volume, regions)
    boxes = ndimage.find_objects(regions.index)
    in_plane = [axis for axis in range(3) if axis != volume.slice_axis]
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"rater": segmentation.rater, "method_version": METHOD_VERSION}
    rows: list[Row] = []
    for item in regions.items:
        own = {**start, "site": item.site, "side": item.side, **flags[item.index]}
        if not item.index:
            rows += [
                {**own, "measure": name, "method": method, "absent": "empty_label"}
                for method in (METHOD, f"{METHOD}:core")
                for name in MEASURES
            ]
            continue
        box = [boxes[item.index - 1][axis] for axis in in_plane]
        voxels = _voxels(volume, scan, item, box, params)
        rows += _rows(own | (_with_floor(own) if voxels.floored else {}), voxels, scan, params)
    return from_rows(rows)


def spread(fraction: Floats, variance: Floats) -> Floats:
    """Corrected SD, interquartile range and entropy of voxels.

    Parameters
    ----------
    fraction, variance : ndarray, shape (voxel,)
        Fat fraction, and the variance of its noise.

    Returns
    -------
    ndarray, shape (3,)

    Examples
    --------
    >>> spread(np.array([0.1, 0.3]), np.zeros(2)).round(3).tolist()
    [0.1, 0.1, 1.0]
    """
    mean, raw = float(fraction.mean()), float(fraction.var())
    true = max(raw - float(variance.mean()), 0.0)
    shrunk = mean + (fraction - mean) * (np.sqrt(true / raw) if raw > 0 else 0.0)
    lower, upper = np.percentile(shrunk, [25, 75])
    bins = np.clip(np.floor(shrunk / BIN_WIDTH + 1e-9), 0, round(1 / BIN_WIDTH) - 1).astype(np.int64)
    share = np.bincount(bins) / bins.size
    share = share[share > 0]
    return np.array([np.sqrt(true), upper - lower, -float(share @ np.log2(share)) + 0.0])


def _rows(own: Row, voxels: _Voxels, scan: Scan, params: Params) -> Iterator[Row]:
    z = float(stats.norm.ppf(0.5 + params.level / 2))
    offsets = z * params.boundary_sd_mm * np.array([-1.0, -0.5, 0.5, 1.0])
    rim = params.rim_mm + params.rim_voxels * float(np.sqrt(scan.pixel_mm2))
    known = np.isfinite(voxels.fraction)
    for method, depth in ((METHOD, 0.0), (f"{METHOD}:core", rim)):
        inside = known & (voxels.mask if depth == 0 else voxels.mask & (voxels.distance_mm < -depth))
        start = {**own, "method": method}
        if inside.sum() < params.least_voxels:
            yield from ({**start, "measure": name, "absent": "insufficient_data"} for name in MEASURES)
            continue
        value = spread(voxels.fraction[inside], voxels.variance[inside])
        moved = [known & (voxels.distance_mm < offset - depth) for offset in offsets]
        ways = [value, *(spread(voxels.fraction[m], voxels.variance[m]) for m in moved if m.any())]
        doubt = [
            spread(
                voxels.fraction[inside], voxels.variance[inside] * (1 + way * z * params.noise_sd_share) ** 2
            )
            for way in (-1.0, 1.0)
        ]
        if depth == 0 or voxels.floored:
            yield from (
                {**start, "measure": name, "value": float(middle)}
                for name, middle in zip(MEASURES, value, strict=True)
            )
            continue
        low, high = _interval(value, ways, doubt, z)
        for name, middle, below, above in zip(MEASURES, value, low, high, strict=True):
            ends = {"low": float(below), "high": float(above), "level": params.level}
            yield {**start, "measure": name, "value": float(middle), **ends}


def _interval(value: Floats, ways: list[Floats], doubt: list[Floats], z: float) -> tuple[Floats, Floats]:
    """What the border's offset, the noise and rough drawing do, in quadrature, down and up apart."""
    share_down, share_up, rest = (np.array(part) for part in zip(*DOUBT.values(), strict=True))
    scale = z / float(stats.norm.ppf(0.975))
    down = (value - np.min(ways, axis=0), value - np.min([value, *doubt], axis=0))
    up = (np.max(ways, axis=0) - value, np.max([value, *doubt], axis=0) - value)
    below = np.sqrt(down[0] ** 2 + down[1] ** 2 + (scale * (share_down * value + rest)) ** 2)
    above = np.sqrt(up[0] ** 2 + up[1] ** 2 + (scale * (share_up * value + rest)) ** 2)
    return np.maximum(value - below, 0.0), value + above


def _voxels(volume: Volume, scan: Scan, item: Region, box: list[slice], params: Params) -> _Voxels:
    reach = 3.0 * params.boundary_sd_mm
    crop = around(box, scan, reach)
    mask = scan.index[crop] == item.index
    fat, water = scan.fat[crop].astype(np.float64), scan.water[crop].astype(np.float64)
    signal = fat + water
    valid = np.isfinite(signal) & (fat >= 0) & (water >= 0) & (signal > 0)
    safe = np.where(valid, signal, 1.0)
    fraction = np.where(valid, fat / safe, np.nan)
    inside = mask & valid
    sds = (scan.fat_sd, scan.water_sd)
    amplitudes = [local_amplitude(image, inside, sd) for image, sd in zip((fat, water), sds, strict=True)]
    noise = [rician_variance(own, sd) for own, sd in zip(amplitudes, sds, strict=True)]
    near = np.any([own < FLOOR_SD * sd for own, sd in zip(amplitudes, sds, strict=True)], axis=0)
    variance = np.where(valid, (water**2 * noise[0] + fat**2 * noise[1]) / safe**4, 0.0)
    if {"fat_fraction", "fat_fraction_sd"} <= set(volume.channels):
        given, sd = (
            np.moveaxis(volume.channels[name], volume.slice_axis, 2)[crop].astype(np.float64)
            for name in ("fat_fraction", "fat_fraction_sd")
        )
        fraction, variance = np.where(valid & np.isfinite(sd), given, np.nan), np.nan_to_num(sd) ** 2
    distance = np.full(mask.shape, np.inf)
    for level in np.flatnonzero(mask.any(axis=(0, 1))):
        distance[:, :, level] = signed_distance_mm(mask[:, :, level], scan.spacing_mm)
    return _Voxels(fraction, variance, distance, mask, bool(near[inside].mean() > FLOOR_SHARE))


def local_amplitude(image: Floats, inside: npt.NDArray[np.bool_], sigma: float) -> Floats:
    """Noise-free signal around each voxel: root of the mean square of a 9 x 9 box less that of the noise."""
    box = (9, 9, 1)
    weight = ndimage.uniform_filter(inside.astype(np.float64), box, mode="constant")
    power = ndimage.uniform_filter(np.where(inside, image, 0.0) ** 2, box, mode="constant")
    square = np.where(weight > 1e-9, power / np.maximum(weight, 1e-9), image**2)
    return np.asarray(np.sqrt(np.maximum(square - 2.0 * sigma**2, 0.0)), dtype=np.float64)


def rician_variance(amplitude: Floats, sigma: float) -> Floats:
    """Variance of a magnitude whose noise-free value is given: less than that of the noise near zero.

    References
    ----------
    Gudbjartsson and Patz, Magn Reson Med 1995;34:910.

    Examples
    --------
    >>> rician_variance(np.array([0.0, 100.0]), 1.0).round(2).tolist()
    [0.43, 1.0]
    """
    weak = np.minimum(amplitude, STRONG * sigma)
    near = np.maximum(weak**2 + 2.0 * sigma**2 - rician_mean(weak, sigma) ** 2, 0.0)
    return np.asarray(np.where(amplitude < STRONG * sigma, near, sigma**2), dtype=np.float64)


def _flags(volume: Volume, regions: Regions) -> Mapping[int, Row]:
    edges, swapped = border_flags(volume, regions), swapped_slices(volume, regions)
    told: dict[int, Row] = {}
    for item in regions.items:
        own = set(regions.flags).union(*edges.get(item.index, {}).values())
        own |= {"fat_water_swap_suspected"} if swapped.get(item.index) else set()
        own |= set() if item.index else {"empty_label"}
        told[item.index] = {"flags": ";".join(sorted(own)), "quality": quality(frozenset(own))}
    return told


def _with_floor(own: Row) -> Row:
    flags = frozenset(filter(None, own["flags"].split(";"))) | {"noise_floor"}
    return {"flags": ";".join(sorted(flags)), "quality": quality(flags)}


def _checked(acquisition: Acquisition, segmentation: Segmentation) -> Volume:
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("heterogeneity needs the channels fat and water", where=acquisition.subject)
    findings = []
    if segmentation.labels.shape != volume.shape:
        message = f"the mask has shape {segmentation.labels.shape} but the images {volume.shape}"
        findings.append(Finding("error", "shape", message))
    elif displacement_mm(segmentation.affine, volume.affine, volume.shape) > GRID_TOLERANCE_MM:
        findings.append(Finding("error", "grid", "the mask lies on another grid than the images"))
    refuse(findings, where=acquisition.subject)
    return volume
