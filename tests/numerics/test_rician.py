"""Rician noise: the mean against quadrature and simulation, the SD recovered, the floor found."""

import numpy as np
import pytest
from scipy import stats

from myoproof.numerics.rician import floor_excess, noise_sd, rician_mean


@pytest.mark.parametrize("sigma", [0.5, 2.0])
@pytest.mark.parametrize("amplitude", [0.0, 0.3, 1.0, 3.0, 40.0, 5000.0])
def test_mean_is_that_of_scipys_rice_distribution(amplitude: float, sigma: float) -> None:
    # Far above the noise SciPy's own mean overflows; there the mean is A + sigma^2 / 2A to second order.
    near = amplitude < 10 * sigma
    expected = (
        stats.rice.mean(amplitude / sigma, scale=sigma) if near else amplitude + sigma**2 / 2 / amplitude
    )
    assert rician_mean(np.array([amplitude]), sigma)[0] == pytest.approx(expected, rel=1e-5)


def test_mean_without_noise_is_the_amplitude() -> None:
    np.testing.assert_array_equal(rician_mean(np.array([0.0, 2.0]), 0.0), [0.0, 2.0])


def simulated(amplitude: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    real, imaginary = np.random.default_rng(seed).normal(size=(2, *amplitude.shape)) * sigma
    return np.hypot(amplitude + real, imaginary).astype(np.float32)


def scene(level: float, shape=(80, 80, 6)) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    body = np.repeat((np.hypot(x - 40, y - 40) < 24)[:, :, None], shape[2], axis=2)
    ramp = 1 + 0.3 * np.sin(x / 25)[:, :, None]
    return np.where(body, level * ramp, 0.0), body


@pytest.mark.parametrize("background", ["noisy", "zeroed"])
@pytest.mark.parametrize("sigma", [2.0, 10.0])
def test_sd_is_recovered_with_and_without_background(background: str, sigma: float) -> None:
    amplitude, body = scene(300.0)
    image = simulated(amplitude, sigma, 3)
    if background == "zeroed":
        image = np.where(body, image, 0).astype(np.float32)
    assert noise_sd(image, body, body) == pytest.approx(sigma, rel=0.05)


def test_sd_of_a_noise_free_image_is_zero() -> None:
    flat = np.where(scene(1.0)[1], 300.0, 0.0).astype(np.float32)
    assert noise_sd(flat, flat > 0, flat > 0) == pytest.approx(0.0, abs=1e-9)
    assert noise_sd(flat, flat > 0, np.zeros(flat.shape, bool)) == 0.0


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 3.0])
def test_floor_is_found_from_the_images_alone(ratio: float) -> None:
    sigma = 5.0
    amplitude = np.full((60, 60, 5), ratio * sigma)
    excess = floor_excess(simulated(amplitude, sigma, 4).astype(float), np.ones(amplitude.shape, bool), sigma)
    expected = rician_mean(np.array([ratio * sigma]), sigma)[0] - ratio * sigma
    # The root of an average over 81 voxels errs by up to a sixth of sigma near the floor.
    assert excess.mean() == pytest.approx(expected, abs=0.17 * sigma if ratio <= 1 else 0.02 * sigma)
