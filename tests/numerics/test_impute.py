"""Imputation: conditional means of a known Gaussian, nothing learnt from outside the rows."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.impute import complete


def correlated(n: int, p: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 1)) * 0.8 + 0.6 * rng.standard_normal((n, p))


def test_complete_data_are_only_standardised() -> None:
    x = correlated(50, 4, 1)
    np.testing.assert_allclose(complete(x), (x - x.mean(axis=0)) / x.std(axis=0), atol=1e-12)


def test_missing_values_come_near_the_conditional_mean_of_the_known_gaussian() -> None:
    x = correlated(4000, 6, 2)
    holed = x.copy()
    holed[:400, 0] = np.nan
    covariance = np.full((6, 6), 0.64) + 0.36 * np.eye(6)
    weights = np.linalg.solve(covariance[1:, 1:], covariance[1:, 0])
    expected = x[:400, 1:] @ weights
    filled = complete(holed)[:400, 0]
    slope, intercept = np.polyfit(expected, filled, 1)
    assert slope == pytest.approx(1.0, abs=0.1)
    assert intercept == pytest.approx(0.0, abs=0.05)
    assert np.corrcoef(expected, filled)[0, 1] > 0.99


def test_input_is_unchanged_and_columns_are_standard() -> None:
    x = correlated(80, 5, 3)
    x[np.random.default_rng(4).random(x.shape) < 0.1] = np.nan
    before = x.copy()
    filled = complete(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(filled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(filled.std(axis=0), 1, atol=1e-12)


def test_a_constant_column_becomes_zero() -> None:
    x = correlated(20, 3, 5)
    x[:, 1] = 7.0
    np.testing.assert_array_equal(complete(x)[:, 1], 0.0)


def test_an_empty_column_is_refused() -> None:
    x = correlated(20, 3, 6)
    x[:, 2] = np.nan
    with pytest.raises(InvalidInput, match="hold no value"):
        complete(x)
