"""The factor's shape: the distribution it assumes, and telling a floor and ceiling of severity from classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from myoproof.numerics.factor_shape import GRID, FactorShape, factor_values, fit_bell, fit_bounds, grid_masses

NOISE = 0.22  # standard error of a severity score from 30 features


def log_likelihood(factor: np.ndarray) -> np.ndarray:
    observed = factor + NOISE * np.random.default_rng(99).standard_normal(len(factor))
    return -0.5 * ((observed[:, np.newaxis] - GRID) / NOISE) ** 2


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def test_g_of_the_lognormal_sigma_is_the_lognormal() -> None:
    z = np.linspace(-2, 2, 9)
    mean, deviation = stats.lognorm(0.65).mean(), stats.lognorm(0.65).std()
    expected = (np.exp(0.65 * z) - mean) / deviation
    np.testing.assert_allclose(factor_values(z, FactorShape(0.65)), expected, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.floats(-1, 1), st.floats(0, 0.2), st.floats(0, 0.4), st.floats(0, 0.4))
def test_values_are_standard_and_never_fall(skew: float, tail: float, floor: float, ceiling: float) -> None:
    grid = np.linspace(-6, 6, 4001)
    mass = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum()
    values = factor_values(grid, FactorShape(skew, tail, floor, ceiling))
    assert mass @ values == pytest.approx(0.0, abs=2e-2)
    assert mass @ values**2 == pytest.approx(1.0, abs=5e-2)
    assert (np.diff(values) >= -1e-9).all()
    assert mass[values == values.min()].sum() >= floor - 0.01
    assert grid_masses(FactorShape(skew, tail, floor, ceiling)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("skew", [0.0, 0.33, 0.65])
def test_bell_recovers_skew(skew: float) -> None:
    factor = factor_values(np.random.default_rng(1).standard_normal(900), FactorShape(skew))
    found = fit_bell(log_likelihood(factor), FactorShape(0.2))
    assert found.skew == pytest.approx(skew, abs=0.1)
    assert found.floor == found.ceiling == 0.0


def test_floor_and_ceiling_of_severity_are_found() -> None:
    z = np.random.default_rng(2).standard_normal(3000)
    found = fit_bounds(log_likelihood(standard(np.clip(z, -0.9, 1.3))), FactorShape())
    assert found.floor == pytest.approx(stats.norm.cdf(-0.9), abs=0.06)
    assert found.ceiling == pytest.approx(stats.norm.sf(1.3), abs=0.06)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_bell_has_no_floor_and_no_ceiling(seed: int) -> None:
    factor = np.random.default_rng(seed).standard_normal(454)
    found = fit_bounds(log_likelihood(factor), FactorShape())
    assert max(found.floor, found.ceiling) < 0.06


@pytest.mark.parametrize("distance", [3.0, 4.0])
def test_two_classes_are_not_taken_for_a_floor_and_a_ceiling(distance: float) -> None:
    rng = np.random.default_rng(6)
    factor = standard(rng.standard_normal(454) + distance * (np.arange(454) < 166))
    found = fit_bounds(log_likelihood(factor), FactorShape())
    assert found.floor == found.ceiling == 0.0
