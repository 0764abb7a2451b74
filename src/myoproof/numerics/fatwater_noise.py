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
BRIGHTER = 10.0
"""Energy of bright tissue over that of air, at least."""
AIR_TAIL = 0.001
"""Share of air that is brighter than what still counts as air."""
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


@njit(cache=True, nogil=True)
def coherence(values: npt.NDArray[np.complex64], energy: Singles, most: float) -> float:
    """Mean squared correlation of successive echoes, over energy squared, of voxels dimmer than `most`.

    Air gives about (n - 1) / n^2 with n echoes, tissue ((n - 1) / n)^2.
    """
    total = 0.0
    count = 0
    n = values.shape[1]
    stride = max(1, values.shape[0] // SAMPLE)
    for v in range(0, values.shape[0], stride):
        if energy[v] <= 0 or energy[v] > most:
            continue
        along = 0j
        for e in range(n - 1):
            along += np.conj(values[v, e]) * values[v, e + 1]
        total += (along.real**2 + along.imag**2) / float(energy[v]) ** 2
        count += 1
    return total / max(count, 1)


def air_noise(energy: Singles, values: npt.NDArray[Any]) -> Noise:
    """Noise variance of a real channel from the dimmest voxels.

    Parameters
    ----------
    energy : (v,) float32
        Sum of squared magnitudes over the echoes of every voxel.
    values : (v, n) complex64 or float32
        The echoes.

    Returns
    -------
    Noise
        Energy over variance of air is chi-squared with two degrees of freedom an echo: the mean of the voxels
        under its 99.9th percentile is taken until it stands. Exact zeros are masked, not air; voxels whose
        echoes agree, or which are not far dimmer than the rest, are dark tissue, not air.
    """
    n = values.shape[1]
    channels = 2 * n
    sample = energy[:: max(1, energy.size // SAMPLE)]
    positive = np.sort(sample[sample > 0].astype(np.float64))
    if positive.size < 200:
        return Noise(0.0)
    variance = float(np.quantile(positive, 0.02)) / float(special.chdtri(channels, 0.95))
    ceiling = float(special.chdtri(channels, AIR_TAIL))
    inside = positive
    for _ in range(60):
        inside = positive[: int(np.searchsorted(positive, variance * ceiling))]
        if inside.size < 50:
            return Noise(0.0)
        fresh = float(inside.mean()) / channels
        done = abs(fresh - variance) < 1e-4 * variance
        variance = fresh
        if done:
            break
    spread = float(inside.std()) / (variance * np.sqrt(2.0 * channels))
    dim = float(np.quantile(positive, 0.99)) > BRIGHTER * variance * channels
    if inside.size < LEAST_AIR * sample.size or not 0.6 < spread < 2.5 or not dim:
        return Noise(0.0)
    if values.dtype.kind == "c" and n > 2:
        air, tissue = (n - 1) / n**2, ((n - 1) / n) ** 2
        if coherence(values, energy, variance * ceiling) > 0.5 * (air + tissue):
            return Noise(0.0)
    return Noise(variance)


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
