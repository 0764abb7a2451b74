"""The factor model: recovery of a known factor behind skew, floor, ceiling and missing values."""

import numpy as np
import pytest

from myoproof.numerics.factor import FactorModel, fit_factor
from myoproof.numerics.factor_shape import FactorShape, factor_values

INFINITE = np.inf


def simulated(skew: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(12)
    factor = factor_values(rng.standard_normal(600), FactorShape(skew))
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
    assert model.shape.skew == pytest.approx(skew, abs=0.15)


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
