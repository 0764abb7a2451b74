"""Standardised differences and association against hand-computed values."""

import math

import numpy as np
import pytest

from myoproof.numerics.describe import (
    cramers_v,
    difference_of_numbers,
    difference_of_shares,
    largest_difference,
)


def test_numbers() -> None:
    """Means 2 and 4, variances 1 and 4: -2 / sqrt(2.5)."""
    assert difference_of_numbers([1, 2, 3], [2, 4, 6]) == pytest.approx(-2 / math.sqrt(2.5))
    assert math.isnan(difference_of_numbers([1.0], [2.0, 3.0]))
    assert math.isnan(difference_of_numbers([1, 1], [2, 2]))
    assert difference_of_numbers([1, 2, 3, np.nan], [2, 4, 6]) == difference_of_numbers([1, 2, 3], [2, 4, 6])


def test_two_categories_are_austins_formula() -> None:
    p, q = 0.3, 0.45
    expected = abs(p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert difference_of_shares([30, 70], [45, 55]) == pytest.approx(expected)


def test_three_categories_by_hand() -> None:
    """Yang and Dalton: T = (p - q)[1:], S = mean of the two multinomial covariances."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    gap = (p - q)[1:]
    s = sum(np.diag(v[1:]) - np.outer(v[1:], v[1:]) for v in (p, q)) / 2
    expected = math.sqrt(gap @ np.linalg.inv(s) @ gap)
    assert difference_of_shares([50, 30, 20], [40, 40, 20]) == pytest.approx(expected)
    assert difference_of_shares([30, 20, 50], [40, 20, 40]) == pytest.approx(expected)


def test_limits() -> None:
    assert difference_of_shares([5, 5], [10, 10]) == 0
    assert difference_of_shares([5, 0], [0, 5]) == math.inf
    assert math.isnan(difference_of_shares([0, 0], [1, 2]))
    groups = [np.array([1.0, 2, 3]), np.array([2.0, 4, 6]), np.array([1.0, 2, 3])]
    assert largest_difference(groups, categories=False) == pytest.approx(2 / math.sqrt(2.5))


def test_cramers_v_takes_chance_off() -> None:
    rng = np.random.default_rng(0)
    tables = [
        np.histogram2d(rng.integers(0, 4, 60), rng.integers(0, 3, 60), bins=(4, 3))[0] for _ in range(200)
    ]
    assert np.mean([cramers_v(table) for table in tables]) < 0.1
    assert cramers_v([[20, 0], [0, 20]]) == pytest.approx(1)
    assert math.isnan(cramers_v([[3, 4]]))
