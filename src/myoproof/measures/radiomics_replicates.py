"""How far the features of a region move with its border and with noise: replicates, intervals, stability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage, stats

from myoproof.measures.dixon_params import Params as Border
from myoproof.measures.radiomics_features import Found, Image, expected, features, first_level, methods
from myoproof.measures.radiomics_params import Params
from myoproof.numerics.icc import icc_value
from myoproof.numerics.regions import signed_distance_mm

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

ROOM_MM = 16.0
"""Kept around a region: the ball of the intensity peaks, and the way that a border may move."""
BORDER_FACTOR = 1.4
"""What replicates of a border spread is taken this many times (set on two development thighs)."""
FEWEST = 5
"""Fewer replicates that have a feature give it no interval."""
FEWEST_REGIONS = 3
"""With fewer regions in a scan a feature's interval is held against the value itself."""
MEANINGLESS = 0.5
"""Then a half-width beyond this share of the value is flagged (proposal)."""


@dataclass(frozen=True, slots=True)
class Replicates:
    """Features of replicate regions; columns in the order of :func:`columns`.

    Parameters
    ----------
    middle : ndarray, shape (feature,)
        With the border at its mean offset: those of the region itself where that is 0.
    core : ndarray, shape (feature,)
        Of the region without its rim, where drawing takes in foreign tissue; ``middle`` for features of
        shape.
    border : ndarray, shape (replicate, feature)
        With the border moved at random.
    noise : ndarray, shape (replicate, feature)
        Of the region itself with noise added to the image; no rows where its SD is not known.
    """

    middle: Floats
    core: Floats
    border: Floats
    noise: Floats


def columns(params: Params) -> list[tuple[str, str]]:
    """Method word and feature word of every column."""
    return [(method, name) for method, names in expected(params).items() for name in names]


def as_row(found: Found, params: Params) -> Floats:
    """Features as one row; NaN where there is none."""
    return np.array([found.get(method, {}).get(name, np.nan) for method, name in columns(params)])


def replicate(
    image: Image,
    noise_sd: Floats32 | None,
    mask: Bools,
    params: Params,
    border: Border,
    *,
    rng: np.random.Generator,
) -> Replicates:
    """Measure a region again and again with its border moved, and with noise added.

    Parameters
    ----------
    image : Image
        The whole image, slices last.
    noise_sd : ndarray, shape of the image, optional
        SD of the noise of every voxel; half as many replicates as of the border get such noise.
    mask : ndarray of bool, shape of the image
        The region, not empty.
    params : Params
        Settings; ``replicates`` of the border.
    border : dixon_params.Params
        Border model: one offset for the whole border, and a roughness of its own in every slice.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Replicates
    """
    box = _box(mask, image.spacing_mm)
    own, inside = Image(image.values[box], image.spacing_mm), mask[box]
    distance = _distance(inside, image.spacing_mm)
    place = _place(border)

    def measured(values: Image, region: Bools) -> Floats:
        return as_row(features(values, region, params)[0] if region.any() else {}, params)

    middle = measured(own, distance < place[0] if place[0] else inside)
    core = measured(own, distance < place[0] - _rim_mm(border, image.spacing_mm))
    of_shape = np.array([method == methods(params)[0] for method, _ in columns(params)])
    core = np.where(of_shape | ~np.isfinite(core), middle, core)
    moved = []
    for _ in range(params.replicates):
        common = place[0] + place[1] * rng.standard_normal()
        local = border.roughness_sd_mm * _rough(inside.shape, image.spacing_mm, border, rng)
        moved.append(measured(own, distance < common + local))
    noisy = []
    start = first_level(params) if params.bin_width is not None else None
    lowest = -np.inf if start is None else start
    for _ in range(params.replicates // 2 if noise_sd is not None else 0):
        assert noise_sd is not None
        sd = np.nan_to_num(noise_sd[box])
        values = np.maximum(own.values + sd * rng.standard_normal(sd.shape, dtype=np.float32), lowest)
        noisy.append(measured(Image(values.astype(np.float32), image.spacing_mm), inside))
    n = middle.size
    return Replicates(middle, core, np.array(moved).reshape(-1, n), np.array(noisy).reshape(-1, n))


def intervals(value: Floats, of: Replicates, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Low and high of what the features of the true region are.

    Parameters
    ----------
    value : ndarray, shape (feature,)
        As published.
    of : Replicates
        Of the same region.
    level : float
        Coverage.

    Returns
    -------
    low, high : ndarray, shape (feature,)
        Normal, with Student's quantile, on the logarithmic scale where all replicates have one sign. What is
        foreign in the rim of a drawn region rules ranges and textures: features other than of shape are
        centred at the core's, and doubted by the whole difference. Features of shape are centred so that what
        moving the border shifts on average is taken off: drawing has done it once (Davison and Hinkley 1997,
        section 2.1). Noise adds its variance alone: what is meant is the feature at the noise of this
        protocol. Widened to hold the value; NaN with fewer than five replicates.
    """
    every = np.vstack([value[None], of.middle[None], of.core[None], of.border, of.noise])
    with np.errstate(invalid="ignore"):
        sign = np.where(np.nan_to_num(every, nan=1.0).min(axis=0) > 0, 1.0, 0.0)
        sign = np.where(np.nan_to_num(every, nan=-1.0).max(axis=0) < 0, -1.0, sign)
    logs = sign != 0.0

    def forth(x: Floats) -> Floats:
        return np.where(logs, np.log(np.where(logs, sign * x, 1.0)), x)

    counts = np.isfinite(of.border).sum(axis=0)
    told = (counts >= FEWEST) & np.isfinite(value) & np.isfinite(of.middle)
    moved, middle = forth(of.border)[:, told], forth(of.middle)[told]
    rim = forth(of.core)[told] - middle
    variance = BORDER_FACTOR**2 * np.nanvar(moved, axis=0, ddof=1) + rim**2
    if of.noise.shape[0] >= FEWEST:
        variance = variance + np.nan_to_num(np.nanvar(forth(of.noise)[:, told], axis=0, ddof=1))
    half = stats.t.ppf(0.5 + level / 2, counts[told] - 1) * np.sqrt(variance)
    centre = np.where(rim == 0.0, 2.0 * middle - np.nanmean(moved, axis=0), middle + rim)
    low, high = np.full(value.size, np.nan), np.full(value.size, np.nan)
    ends = np.stack([centre - half, centre + half])
    ends = np.where(logs[told], sign[told] * np.exp(np.where(logs[told], ends, 0.0)), ends)
    low[told] = np.minimum(ends.min(axis=0), value[told])
    high[told] = np.maximum(ends.max(axis=0), value[told])
    return low, high


def unstable(values: Floats, low: Floats, high: Floats) -> Bools:
    """Where an interval says nothing: it is wider than regions of the scan differ.

    Parameters
    ----------
    values, low, high : ndarray, shape (region, feature)
        Of one scan.

    Returns
    -------
    ndarray of bool, same shape
        Half-width above the SD over regions; with fewer than three of them above half of the value.

    Examples
    --------
    >>> values = np.array([[1.0], [2.0], [3.0]])
    >>> unstable(values, values - 0.5, values + np.array([[0.5], [0.5], [4.0]])).ravel().tolist()
    [False, False, True]
    """
    half = 0.5 * (high - low)
    told = np.isfinite(values)
    counts = told.sum(axis=0)
    mean = np.where(told, values, 0.0).sum(axis=0) / np.maximum(counts, 1)
    spread = np.sqrt((np.where(told, values - mean, 0.0) ** 2).sum(axis=0) / np.maximum(counts - 1, 1))
    allowed = np.where(counts >= FEWEST_REGIONS, spread, MEANINGLESS * np.abs(np.where(told, values, np.nan)))
    return np.asarray(np.isfinite(half) & (half > allowed), dtype=bool)


def stability(regions: Sequence[Replicates], params: Params) -> pd.DataFrame:
    """How much of what a feature varies over a scan's regions is theirs and not the border's.

    Parameters
    ----------
    regions : sequence of Replicates
        Of every measured region of a scan.
    params : Params
        Settings.

    Returns
    -------
    DataFrame
        ``method``, ``measure``, ``icc`` (one-way, single rating: regions against border replicates; 0-1,
        higher is more stable) and ``n_regions``; NaN with fewer than three regions.
    """
    rows: list[Mapping[str, object]] = []
    for place, (method, name) in enumerate(columns(params)):
        every = [region.border[:, place] for region in regions]
        held = np.array([values for values in every if values.size and np.isfinite(values).all()])
        value = icc_value(held, "1,1") if len(held) >= FEWEST_REGIONS and held.shape[1] > 1 else np.nan
        rows.append({"method": method, "measure": name, "icc": value, "n_regions": len(held)})
    return pd.DataFrame(rows)


def _box(mask: Bools, spacing_mm: Floats) -> tuple[slice, ...]:
    room = np.ceil(ROOM_MM / spacing_mm).astype(int)
    return tuple(
        slice(max(0, int(where.min()) - int(more)), int(where.max()) + int(more) + 1)
        for where, more in zip(np.nonzero(mask), room, strict=True)
    )


def _distance(mask: Bools, spacing_mm: Floats) -> Floats:
    """Distance from the border in each slice, negative inside; a slice without the region stays without."""
    out = np.full(mask.shape, np.inf)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        own = signed_distance_mm(mask[:, :, k], (float(spacing_mm[0]), float(spacing_mm[1])))
        out[:, :, k] = np.where(mask[:, :, k], np.minimum(own, -1e-6), np.maximum(own, 1e-6))
    return out


def _place(border: Border) -> tuple[float, float]:
    """Mean and SD of the offset of the whole border."""
    return border.boundary_mean_mm, border.boundary_sd_mm


def _rim_mm(border: Border, spacing_mm: Floats) -> float:
    """Depth of the rim: the border model's, and one SD of its roughness."""
    pixel = float(np.sqrt(spacing_mm[0] * spacing_mm[1]))
    return border.rim_mm + border.rim_voxels * pixel + border.roughness_sd_mm


def _rough(shape: tuple[int, ...], spacing_mm: Floats, border: Border, rng: np.random.Generator) -> Floats:
    """A smooth field of unit SD in each slice, its correlation along a line integrating to the length."""
    width = border.roughness_length_mm / (2.0 * np.sqrt(np.pi))
    sigma = [width / spacing_mm[0], width / spacing_mm[1], 0.0]
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return np.asarray(field / field.std(), dtype=np.float64)
