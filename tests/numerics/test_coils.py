"""Coil combination: the phase between echoes survives, and noise is averaged."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.coils import combine


def profiles(n: int, coils: int) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), indexing="ij")
    angles = 2 * np.pi * np.arange(coils) / coils
    return np.stack(
        [np.exp(-((x - np.cos(a)) ** 2) - (y - np.sin(a)) ** 2 + 1j * (a + x * y)) for a in angles], -1
    )


def test_phase_between_echoes_is_kept_and_noise_falls() -> None:
    rng = np.random.default_rng(1)
    coils = profiles(40, 6)[:, :, None, :, None]
    turn = np.exp(1j * np.array([0.0, 0.7, 1.9, -2.0]))
    clean = coils * turn
    noise = rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape)
    got = combine((clean + 0.05 * noise).astype(np.complex64))
    relative = got * np.conj(got[..., :1])
    assert np.abs(np.angle(relative * np.conj(turn))).mean() < 0.06
    strength = np.sqrt((np.abs(coils) ** 2).sum(axis=3))
    assert np.abs(np.abs(got) / strength - 1).mean() < 0.05


def test_one_coil_is_handed_through_and_nan_becomes_zero() -> None:
    values = np.ones((3, 3, 2, 1, 2), np.complex64)
    values[0, 0, 0, 0, 0] = np.nan
    got = combine(values)
    assert got[0, 0, 0, 0] == 0
    assert (got[1:] == 1).all()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="coil, echo"):
        combine(np.ones((3, 3, 2, 2), np.complex64))
