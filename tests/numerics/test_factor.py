"""The factor model: the distribution it assumes, and recovery of a known factor behind floor and ceiling."""

import numpy as np
import pytest
from scipy import stats

from myoproof.numerics.factor import FactorModel, fit_factor, g_and_h

INFINITE = np.inf


def test_g_of_the_lognormal_sigma_is_the_lognormal() -> None:
    z = np.linspace(-2, 2, 9)
    mean, deviation = stats.lognorm(0.65).mean(), stats.lognorm(0.65).std()
    np.testing.assert_allclose(g_and_h(z, 0.65, 0.0), (np.exp(0.65 * z) - mean) / deviation, rtol=1e-4)


@pytest.mark.parametrize(("skew", "tail"), [(0.0, 0.0), (0.4, 0.0), (-0.3, 0.1), (0.0, 0.2)])
def test_transform_is_standard_and_rises(skew: float, tail: float) -> None:
    grid = np.linspace(-6, 6, 4001)
    mass = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum()
    values = g_and_h(grid, skew, tail)
    assert mass @ values == pytest.approx(0.0, abs=2e-3)
    assert mass @ values**2 == pytest.approx(1.0, abs=5e-3)
    assert (np.diff(values) > 0).all()


def simulated(skew: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(12)
    factor = g_and_h(rng.standard_normal(600), skew, 0.0)
    loading = np.linspace(0.5, 0.85, 12) * np.where(np.arange(12) % 3 == 0, -1, 1)
    x = np.outer(factor, loading) + rng.standard_normal((600, 12)) * np.sqrt(1 - loading**2)
    return np.clip(x, low, high), loading, factor


def recovered(model: FactorModel, loading: np.ndarray, factor: np.ndarray) -> None:
    turned = np.sign(model.loading @ loading)
    np.testing.assert_allclose(turned * model.loading, loading, atol=0.12)
    np.testing.assert_allclose(model.uniqueness, 1 - loading**2, atol=0.15)
    assert turned * np.corrcoef(model.scores, factor)[0, 1] > 0.93


@pytest.mark.parametrize("skew", [0.0, 0.33, 0.65])
def test_recovers_loadings_and_skew(skew: float) -> None:
    x, loading, factor = simulated(skew, -INFINITE, INFINITE)
    model = fit_factor(x, -INFINITE, INFINITE)
    recovered(model, loading, factor)
    assert model.skew == pytest.approx(skew, abs=0.15)


def test_recovers_loadings_behind_floor_and_ceiling_and_missing_values() -> None:
    x, loading, factor = simulated(0.0, -0.9, 1.1)
    assert ((x == -0.9) | (x == 1.1)).mean() > 0.25
    x[np.random.default_rng(1).random(x.shape) < 0.05] = np.nan
    model = fit_factor(x, -0.9, 1.1)
    recovered(model, loading, factor)
    naive = np.abs(np.corrcoef(np.nan_to_num(x[:, 1:3]).T)[0, 1])
    assert naive < abs(model.loading[1] * model.loading[2]), (
        "clipping hides correlation that the model restores"
    )


def test_residual_correlation_finds_what_pairs_share() -> None:
    rng = np.random.default_rng(3)
    x, _, _ = simulated(0.0, -INFINITE, INFINITE)
    shared = rng.standard_normal(len(x))
    x[:, 0] += 0.6 * shared
    x[:, 1] += 0.6 * shared
    correlation = fit_factor(x, -INFINITE, INFINITE).residual_correlation
    np.testing.assert_allclose(np.diag(correlation), 1.0)
    off = np.triu(correlation, 1)
    assert np.unravel_index(off.argmax(), off.shape) == (0, 1)
    assert off[0, 1] > 0.2
