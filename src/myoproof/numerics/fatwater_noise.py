"""Noise and foreground of multi-echo images: from air where it was recorded, else from residuals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

Singles = npt.NDArray[np.float32]

SAMPLE = 200_000
"""Voxels that noise is estimated from."""
AIR_TAIL = 0.999
"""Quantile of the energy of air within which voxels still count as air."""
LEAST_AIR = 0.02
"""A smaller share of air than this says nothing about noise."""
FALSE_TISSUE = 1e-3
"""Share of air that passes for tissue."""
DIMMEST = 0.01
"""Tissue is brighter than this share of the 99.5th percentile of root mean square signal."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of a real channel, and whether air said so.

    Parameters
    ----------
    variance : float
        0 where there was no air to tell.
    """

    variance: float


@njit(cache=True, nogil=True)
def energies(values: npt.NDArray[Any], out: Singles, bounds: tuple[int, int]) -> None:
    """Write the sum over echoes of squared magnitudes, voxels bounds[0] to bounds[1]; NaN gives 0."""
    for v in range(bounds[0], bounds[1]):
        total = np.float32(0.0)
        for e in range(values.shape[1]):
            size = abs(values[v, e])
            total += size * size
        out[v] = total if np.isfinite(total) else np.float32(0.0)


def air_noise(energy: Singles, channels: int) -> Noise:
    """Noise variance of a real channel from the dimmest voxels.

    Parameters
    ----------
    energy : (v,) float32
        Sum of squares over the channels of every voxel.
    channels : int
        Real channels per voxel: two per echo.

    Returns
    -------
    Noise
        Energy over variance of air is chi-squared with ``channels`` degrees of freedom: the mean of the voxels
        under its 99.9th percentile is taken until it stands. Exact zeros are masked, not air.
    """
    sample = energy[:: max(1, energy.size // SAMPLE)]
    positive = np.sort(sample[sample > 0].astype(np.float64))
    if positive.size < 200:
        return Noise(0.0)
    low = special.chdtri(channels, 1 - 0.05)
    variance = float(np.quantile(positive, 0.02)) / float(low)
    ceiling = float(special.chdtri(channels, 1 - AIR_TAIL))
    share = 0.0
    for _ in range(60):
        inside = positive[: int(np.searchsorted(positive, variance * ceiling))]
        if inside.size < 50:
            return Noise(0.0)
        fresh = float(inside.mean()) / channels
        share = inside.size / sample.size
        done = abs(fresh - variance) < 1e-4 * variance
        variance = fresh
        if done:
            break
    spread = float(inside.std()) / (variance * np.sqrt(2.0 * channels))
    return Noise(variance if share >= LEAST_AIR and 0.6 < spread < 2.5 else 0.0)


def foreground(energy: Singles, channels: int, noise: Noise) -> npt.NDArray[np.bool_]:
    """Voxels whose energy is beyond air and not negligible beside the brightest.

    Parameters
    ----------
    energy : (v,) float32
    channels : int
    noise : Noise

    Returns
    -------
    (v,) bool
    """
    sample = energy[:: max(1, energy.size // SAMPLE)]
    positive = sample[sample > 0]
    if positive.size == 0:
        return np.zeros(energy.shape, dtype=bool)
    floor = float(np.quantile(positive, 0.995)) * DIMMEST**2
    air = noise.variance * float(special.chdtri(channels, FALSE_TISSUE))
    return np.asarray(energy > max(floor, air), dtype=bool)


def residual_variance(residual: Singles, energy: Singles, freedom: float) -> float:
    """Noise variance of a real channel from the residuals of the dimmer half of the foreground.

    Parameters
    ----------
    residual : (v,) float32
        Sum of squares that the best fit leaves.
    energy : (v,) float32
    freedom : float
        Real channels less unknowns.

    Returns
    -------
    float
    """
    dim = residual[energy <= np.median(energy)]
    median = float(special.chdtri(freedom, 0.5))
    return float(np.median(dim)) / median if dim.size else 0.0


def model_error(residual: Singles, energy: Singles, variance: float, freedom: float, channels: int) -> float:
    """Residual that noise does not explain, as a share of the root mean square signal.

    Parameters
    ----------
    residual, energy : (v,) float32
    variance : float
        Noise variance of a real channel.
    freedom : float
        Real channels less unknowns.
    channels : int

    Returns
    -------
    float
    """
    bright = energy > max(float(np.median(energy)), 0.0)
    if not bright.any() or freedom <= 0:
        return 0.0
    median = float(special.chdtri(freedom, 0.5))
    excess = residual[bright] / median - variance
    share = float(np.median(excess / (energy[bright] / channels)))
    return float(np.sqrt(max(share, 0.0)))
