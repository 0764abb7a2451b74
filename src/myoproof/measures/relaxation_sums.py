"""Sums of water T2 over a muscle, slice by slice, with what noise and border do to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.measures.relaxation_maps import Scan
from myoproof.measures.relaxation_params import Params
from myoproof.numerics.regions import BorderSums, border_sums, nearest_core

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

VOXELS, WATER, COUNTED, USED, WEIGHTED, SQUARED, NOISE, FIELD_SD = range(8)
"""Fields: voxels; water; water of voxels that count; that times its certainty; the last times T2, times T2
squared, times the noise variance; and voxels times the SD of the transmit field."""
N_FIELD = 8
CERTAIN_MS = 6.0
"""Voxels of a larger SD count less, as 1 / (1 + (SD / this)**2): far from certain, their T2 is skewed
(proposal)."""
N_OFFSET = 9


@dataclass(frozen=True, slots=True)
class Layers:
    """Maps of a scan with the slice axis last, and the region of every voxel.

    Parameters
    ----------
    t2_ms, t2_sd_ms, b1, share, snr : ndarray, shape (a, b, slice), float32
        Water T2, its SD, transmit field, fat share, and proton density over noise; NaN where not fitted.
    fields : ndarray, shape (field, a, b, slice)
        What is summed.
    noise : ndarray, shape (a, b, slice)
        Squares of water times the SD of T2, for the variance of sums.
    index : ndarray, shape (a, b, slice), int32
        Region numbers.
    spacing_mm : tuple of float
        In-plane spacing.
    """

    t2_ms: Floats32
    t2_sd_ms: Floats32
    b1: Floats32
    share: Floats32
    snr: Floats32
    fields: Floats
    noise: Floats
    index: npt.NDArray[np.int32]
    spacing_mm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MuscleSums:
    """Everything the rows of one muscle depend on.

    Parameters
    ----------
    drawn : ndarray, shape (slice, field)
        Sums over the drawn region as it is.
    border : BorderSums
        Sums over the drawn region, over regions of a moved border, and border products, rim and surroundings
        taking the values of the nearest core voxel of their slice.
    noise : ndarray, shape (slice,)
        Variance of the weighted sum from voxel noise.
    b1, snr, share : tuple of ndarray
        Median of the whole and of each slice.
    """

    drawn: Floats
    border: BorderSums
    noise: Floats
    b1: Floats
    snr: Floats
    share: Floats


def make_layers(scan: Scan, index: npt.NDArray[np.int32], params: Params) -> Layers:
    """Turn the maps so that slices come last, and make the fields that are summed."""
    last = scan.echoes.slice_axis
    found = scan.fitted

    def turned(values: Floats32) -> Floats32:
        return np.moveaxis(scan.on_grid(values), last, 2)

    t2, sd = turned(1e3 * found.t2_s), turned(1e3 * scan.expected_sd_s)
    b1, share = turned(found.b1), turned(found.fat_share)
    used = usable(t2, sd, share, params)
    water = np.where(np.isfinite(share), np.clip(1.0 - share, 0.0, 1.0), 0.0).astype(np.float64)
    value = np.where(used, t2, 0.0).astype(np.float64)
    noise = np.where(used, sd, 0.0).astype(np.float64) ** 2
    counts = water * used / (1.0 + noise / CERTAIN_MS**2)
    fields = np.stack(
        [
            np.ones(t2.shape),
            water,
            water * used,
            counts,
            counts * value,
            counts * value**2,
            counts * noise,
            np.nan_to_num(turned(scan.field_sd)),
        ]
    )
    spacing = [float(width) for axis, width in enumerate(scan.echoes.spacing_mm) if axis != last]
    snr = turned(found.density / np.float32(max(scan.noise_sd, 1e-12)))
    return Layers(
        t2,
        sd,
        b1,
        share,
        snr,
        fields,
        counts**2 * noise,
        np.moveaxis(index, last, 2),
        (spacing[0], spacing[1]),
    )


def usable(t2_ms: Floats32, sd_ms: Floats32, share: Floats32, params: Params) -> Bools:
    """Voxels that count: fitted, certain enough, and holding enough water."""
    with np.errstate(invalid="ignore"):
        certain = (sd_ms > 0) & (sd_ms < 1e3 * params.largest_sd_s) & (share <= params.largest_share)
    return np.asarray(np.isfinite(t2_ms) & certain, dtype=bool)


def muscle_sums(layers: Layers, number: int, box: Sequence[slice], params: Params) -> MuscleSums:
    """Sum the fields over one muscle.

    Parameters
    ----------
    layers : Layers
        Maps.
    number : int
        The muscle's region number.
    box : sequence of slice
        Its in-plane bounding box.
    params : Params
        Border model.
    """
    offsets = offsets_mm(params)
    crop = _grown(box, layers.spacing_mm, float(np.abs(offsets).max()))
    mask = layers.index[crop] == number
    fields = layers.fields[:, *crop]
    rim_mm = params.rim_mm + params.rim_voxels * float(np.sqrt(np.prod(layers.spacing_mm)))
    core = nearest_core(mask, fields[USED] > 0, layers.spacing_mm, rim_mm)
    sums = border_sums(mask, fields[:, *core], layers.spacing_mm, offsets)
    drawn = np.asarray((fields * mask).sum(axis=(1, 2)).T, dtype=np.float64)
    medians = [_medians(part[crop], mask) for part in (layers.b1, layers.snr, layers.share)]
    return MuscleSums(drawn, sums, _noise(layers.noise[crop], mask, core), *medians)


def _noise(variance: Floats, mask: Bools, core: tuple[npt.NDArray[np.intp], ...]) -> Floats:
    """Variance of the weighted sum in each slice; a core voxel that stands for others counts as often."""
    n = int(np.prod(mask.shape))
    times = np.bincount(np.ravel_multi_index(tuple(part[mask] for part in core), mask.shape), minlength=n)
    return np.asarray((times.reshape(mask.shape) ** 2 * variance).sum(axis=(0, 1)), dtype=np.float64)


def offsets_mm(params: Params) -> Floats:
    """Border offsets over the central ``level`` of their distribution, shape (N_OFFSET,)."""
    half = float(stats.norm.ppf(0.5 + params.level / 2)) * params.boundary_sd_mm
    return np.linspace(-half, half, N_OFFSET)


def _grown(
    box: Sequence[slice], spacing_mm: tuple[float, float], reach_mm: float
) -> tuple[slice, slice, slice]:
    margins = [int(np.ceil(reach_mm / width)) + 2 for width in spacing_mm]
    first, second = (
        slice(max(0, part.start - margin), part.stop + margin)
        for part, margin in zip(box[:2], margins, strict=True)
    )
    return first, second, slice(None)


def _medians(values: Floats32, mask: Bools) -> Floats:
    """Median over the whole region, then over its part in each slice; NaN where it is not."""
    held = mask & np.isfinite(values)
    parts = [values[held], *(values[:, :, k][held[:, :, k]] for k in range(mask.shape[2]))]
    return np.array([float(np.median(part)) if part.size else np.nan for part in parts])
