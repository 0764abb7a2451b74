"""Readings of a muscle from its sums, and their intervals under noise and an uncertain border."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.measures.dixon_params import Params
from myoproof.measures.dixon_sums import AREA, FAT, N_FIELD, RATIO, SIGNAL, VALID, MuscleSums, Scan

Floats = npt.NDArray[np.float64]

N_OFFSET = 9
"""Border offsets at which the readings are evaluated, from -z to +z standard deviations."""
MM3_PER_ML = 1000.0
N_WHOLE = 6
REMAINING_MAXIMUM = 5
"""Readings before those of the slices; among them the functional area at the widest slice."""
FRACTIONS = ("fat_fraction", "fat_fraction_signal")


@dataclass(frozen=True, slots=True)
class Readings:
    """What a muscle measures.

    Parameters
    ----------
    names : tuple of (measure, at)
        One per reading.
    value : ndarray, shape (reading,)
        As published; NaN where no voxel holds signal.
    low, high : ndarray, shape (reading,)
        Interval of what is true; it need not hold the value (see :func:`interval`).
    floor_shift : ndarray, shape (reading,)
        How far the noise floor lifts the value on average.
    """

    names: tuple[tuple[str, str], ...]
    value: Floats
    low: Floats
    high: Floats
    floor_shift: Floats


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which slices are read: those that hold the muscle, and among them the one of largest area."""

    present: npt.NDArray[np.intp]
    widest: int
    pixel_mm2: float
    slice_mm: float


def fat_doubt(params: Params, fat_fraction: float) -> float:
    """How many times more is doubted of a muscle so fatty; an unknown fat fraction (NaN) counts as 0."""
    return 1.0 + params.fat_doubt * float(np.nan_to_num(np.clip(fat_fraction, 0.0, 1.0))) ** 2


def offsets_mm(params: Params, fat_fraction: float = 0.0) -> Floats:
    """Border offsets of a muscle so fatty over the central ``level`` of their distribution, the mean amid.

    Shape (N_OFFSET,).
    """
    sd_mm = params.boundary_sd_mm * fat_doubt(params, fat_fraction)
    half = float(stats.norm.ppf(0.5 + params.level / 2)) * sd_mm
    return params.boundary_mean_mm + np.linspace(-half, half, N_OFFSET)


def read_out(parts: Sequence[MuscleSums], scan: Scan, params: Params) -> Readings:
    """All readings of the union of some muscles, with intervals.

    Parameters
    ----------
    parts : sequence of MuscleSums
        One muscle of one side, or both sides, whose borders move independently.
    scan : Scan
        For pixel area and slice spacing.
    params : Params
        Border model and level.

    Returns
    -------
    Readings
        For a reading T: the centre is T with the border at its mean offset, of sums whose rim is filled from
        the core, less the noise floor. Each border's common offset gives the range of T while the offset runs
        through its central ``level``; so do doubts that the whole scan shares; shares of the rim's
        and of the noise floor's correction, roughness of the border and voxel noise give variances.
        Half-widths add in quadrature, lower and upper apart.
    """
    drawn = np.sum([part.drawn for part in parts], axis=0)
    base = np.sum([part.sums.base for part in parts], axis=0)
    layout = _layout(drawn, scan)
    value = _evaluate(drawn, layout)
    core = _filled(_evaluate(base, layout), value)
    clean = _evaluate(base - np.sum([part.floor for part in parts], axis=0), layout)
    floor = core - _filled(clean, core)
    middle = np.sum([part.sums.moved[N_OFFSET // 2] for part in parts], axis=0)
    centre = _filled(_evaluate(middle, layout), core)
    z = float(stats.norm.ppf(0.5 + params.level / 2))
    spread = z**2 * (
        _variance(parts, base, layout, params)
        + (params.rim_share_sd * (value - core)) ** 2
        + (params.floor_share_sd * floor) ** 2
    )
    down, up = np.zeros(value.size), np.zeros(value.size)
    for part in parts:
        ways = _evaluate(middle - part.sums.moved[N_OFFSET // 2] + part.sums.moved, layout)
        down += (centre - np.fmin.reduce([*ways, centre])) ** 2
        up += (np.fmax.reduce([*ways, centre]) - centre) ** 2
    for part in parts if params.contents_share > 0 else ():
        share = params.contents_share * fat_doubt(params, _fat(part.drawn))
        turned = [
            value + share * (_filled(_evaluate(drawn - part.drawn + held, layout), value) - value)
            for held in (_contents(part.drawn, part.eroded), _contents(part.drawn, part.dilated))
        ]
        down += (value - np.minimum.reduce([*turned, value])) ** 2
        up += (np.maximum.reduce([*turned, value]) - value) ** 2
    for ends in zip(*(part.shifted for part in parts), strict=True):
        sides = [_filled(_evaluate(np.sum(side, axis=0), layout), value) for side in zip(*ends, strict=True)]
        down += (value - np.minimum.reduce([*sides, value])) ** 2
        up += (np.maximum.reduce([*sides, value]) - value) ** 2
    spread = np.maximum(spread, 0.0)
    spread[REMAINING_MAXIMUM] += z**2 * _slice_doubt(centre, np.sqrt(spread) / z, layout)
    low, high = centre - floor - np.sqrt(down + spread), centre - floor + np.sqrt(up + spread)
    without = _evaluate(drawn - np.sum([part.drawn_floor for part in parts], axis=0), layout)
    return Readings(_names(layout), value, low, high, value - _filled(without, value))


def _fat(drawn: Floats) -> float:
    total = drawn.sum(axis=0)
    return float(_ratio(total[RATIO], total[VALID]))


def _contents(drawn: Floats, moved: Floats) -> Floats:
    """The drawn sums with what a smaller or larger region holds in each voxel on average."""
    scale = _ratio(drawn[:, VALID], moved[:, VALID])[:, None]
    held = np.where(np.isfinite(scale), moved * np.nan_to_num(scale), drawn)
    return np.stack([drawn[:, AREA], drawn[:, VALID], *held[:, RATIO:].T], axis=1)


def interval(readings: Readings, place: int, value: float) -> tuple[float, float]:
    """The interval of one reading, widened to hold the value it stands beside, within the measure's range."""
    top = 1.0 if readings.names[place][0] in FRACTIONS else np.inf
    low, high = np.fmin(readings.low[place], value), np.fmax(readings.high[place], value)
    return float(np.clip(low, 0.0, top)), float(np.clip(high, 0.0, top))


def _slice_doubt(centre: Floats, sd: Floats, layout: _Layout) -> float:
    """Variance of the functional area at the widest slice because another may be the widest.

    A slice counts by the chance that errors of its own, roughness ``sd``, put the other before it, and by how
    far its share of functional muscle is from the widest slice's: areas that compete are nearly equal.
    """
    n = layout.present.size
    area, remaining = centre[N_WHOLE : N_WHOLE + n], centre[N_WHOLE + n : N_WHOLE + 2 * n]
    behind = (area[layout.widest] - area) / (np.sqrt(2.0) * max(float(sd[N_WHOLE + layout.widest]), 1e-12))
    weight = stats.norm.cdf(-np.maximum(behind, 0.0))
    weight[layout.widest] = 1.0
    share = _ratio(remaining, area)
    away = area[layout.widest] * np.nan_to_num(share - share[layout.widest])
    return float(weight @ away**2 / weight.sum())


def _filled(values: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isfinite(values), values, otherwise)


def plain_values(sums: Floats, scan: Scan) -> dict[str, float]:
    """Fat fractions and volume of some sums, without intervals; NaN where no voxel is left."""
    total = sums.sum(axis=0)
    volume_ml = total[AREA] * scan.pixel_mm2 * scan.slice_mm / MM3_PER_ML
    return {
        "fat_fraction": float(_ratio(total[RATIO], total[VALID])),
        "fat_fraction_signal": float(_ratio(total[FAT], total[SIGNAL])),
        "volume": float(volume_ml) if total[AREA] > 0 else float("nan"),
    }


def _layout(base: Floats, scan: Scan) -> _Layout:
    present = np.flatnonzero(base[:, AREA] > 0)
    return _Layout(present, int(np.argmax(base[present, AREA])), scan.pixel_mm2, scan.slice_mm)


def _names(layout: _Layout) -> tuple[tuple[str, str], ...]:
    whole = [(name, "") for name in (*FRACTIONS, "volume", "functional_remaining_volume")]
    areas = ("cross_sectional_area", "functional_remaining_area")
    per_slice = [(name, f"slice:{level}") for name in (*areas, "fat_fraction") for level in layout.present]
    return (*whole, *((name, "maximum") for name in areas), *per_slice)


def _evaluate(sums: Floats, layout: _Layout) -> Floats:
    """Readings of sums of shape (..., slice, field), shape (..., reading), in the order of :func:`_names`."""
    here = sums[..., layout.present, :]
    total = here.sum(axis=-2)
    area = here[..., AREA] * layout.pixel_mm2
    fraction = _ratio(here[..., RATIO], here[..., VALID])
    remaining = np.where(area > 0, area * (1.0 - fraction), 0.0)
    thick = layout.slice_mm / MM3_PER_ML
    whole = [
        _ratio(total[..., RATIO], total[..., VALID]),
        _ratio(total[..., FAT], total[..., SIGNAL]),
        area.sum(axis=-1) * thick,
        remaining.sum(axis=-1) * thick,
        area[..., layout.widest],
        remaining[..., layout.widest],
    ]
    return np.concatenate([np.stack(whole, axis=-1), area, remaining, fraction], axis=-1)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _variance(parts: Sequence[MuscleSums], base: Floats, layout: _Layout, params: Params) -> Floats:
    """Variance of the readings from voxel noise and local roughness, by their gradient."""
    slices = layout.present
    steps = np.maximum(np.abs(base[slices]).max(axis=0), 1.0) * 1e-6
    shifts = np.zeros((slices.size, N_FIELD, *base.shape))
    for place, level in enumerate(slices):
        shifts[place, np.arange(N_FIELD), level, np.arange(N_FIELD)] = steps
    change = _evaluate(base + shifts, layout) - _evaluate(base - shifts, layout)
    gradient = np.nan_to_num(change / (2.0 * steps[:, None]))
    factor = params.roughness_sd_mm**2 * params.roughness_length_mm
    covariance = np.sum([part.noise + factor * part.sums.border for part in parts], axis=0)[slices]
    return np.asarray(np.einsum("sir,sij,sjr->r", gradient, covariance, gradient), dtype=np.float64)
