"""Simulated echoes for the tests of the solver, written apart from the solver's own signal model."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIX_ECHOES_S = 1.15e-3 + 0.96e-3 * np.arange(6)
UNEVEN_S = np.array([1.1e-3, 2.0e-3, 3.3e-3, 4.0e-3, 5.6e-3, 6.3e-3])
PEAKS_PPM = np.array([-3.80, -3.40, -2.60, -1.94, -0.39, 0.60])
SHARES = np.array([0.087, 0.693, 0.128, 0.004, 0.039, 0.048])
SHARES_OF_ONE = SHARES / SHARES.sum()


@dataclass(frozen=True)
class Scene:
    """Echoes with the truth they were made from."""

    values: npt.NDArray[np.complex64]
    echo_times_s: npt.NDArray[np.float64]
    pdff: npt.NDArray[np.float64]
    r2star: npt.NDArray[np.float64]
    field_hz: npt.NDArray[np.float64]
    tissue: npt.NDArray[np.bool_]


def fat(echo_times_s, field_strength_t):
    hertz = PEAKS_PPM * 42.577478518 * field_strength_t
    return sum(
        share * np.exp(2j * np.pi * f * echo_times_s) for share, f in zip(SHARES_OF_ONE, hertz, strict=True)
    )


def echoes(pdff, r2star, field_hz, *, times=SIX_ECHOES_S, tesla=3.0, size=1.0, phase=0.4):
    """Noise-free signal (..., echo)."""
    pdff, r2star, field_hz = (np.asarray(part, dtype=float)[..., None] for part in (pdff, r2star, field_hz))
    signal = (1 - pdff) + pdff * fat(times, tesla)
    turn = np.exp(2j * np.pi * field_hz * times - r2star * times + 1j * phase)
    return np.asarray(size)[..., None] * signal * turn


def legs(*, rng, n=96, slices=3, snr=50.0, times=SIX_ECHOES_S, tesla=3.0, field=250.0, level=0.12):
    """Two disconnected round legs: fatty rim, muscle with streaks of fat, marrow; a steep smooth field."""
    x, y, z = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), np.arange(slices), indexing="ij")
    pdff = np.zeros(x.shape)
    tissue = np.zeros(x.shape, dtype=bool)
    for centre in (-0.5, 0.5):
        radius = np.hypot((x - centre) / 0.42, y / 0.8)
        tissue |= radius < 1
        muscle = np.clip(level + 0.25 * np.sin(9 * x + 2 * z) * np.cos(7 * y), 0, 1)
        pdff = np.where(radius < 1, 0.95, pdff)
        pdff = np.where(radius < 0.8, muscle, pdff)
        pdff = np.where(radius < 0.15, 0.9, pdff)
    bend = field * (0.6 * x + 0.5 * y**2 - 0.3 * x * y + 0.05 * z)
    r2star = 40 + 30 * np.cos(4 * x) * np.cos(3 * y)
    clean = echoes(pdff, r2star, bend, times=times, tesla=tesla, size=tissue.astype(float))
    noise = rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape)
    values = (100 * (clean + noise / snr)).astype(np.complex64)
    return Scene(values, times, pdff, r2star, bend, tissue)


def bound(pdff, r2star, *, times=SIX_ECHOES_S, tesla=3.0, snr=50.0):
    """Cramer-Rao bound (SD) of the fat fraction: water, fat, common phase, field and R2* unknown."""
    c = fat(times, tesla)
    decay = np.exp(-r2star * times)
    signal = ((1 - pdff) + pdff * c) * decay
    columns = np.stack([decay, c * decay, 1j * signal, 2j * np.pi * times * signal, -times * signal], axis=1)
    covariance = np.linalg.inv((columns.conj().T @ columns).real) / snr**2
    slope = np.array([-pdff, 1 - pdff, 0, 0, 0])
    return float(np.sqrt(slope @ covariance @ slope))
