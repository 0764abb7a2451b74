"""Robust curves: exact through polynomials, deaf to outliers, straight beyond their points."""

import numpy as np
import pytest

from myoproof.numerics.robust_curve import robust_curve


def test_a_parabola_is_found_among_outliers() -> None:
    x = np.linspace(0.0, 40.0, 200)
    y = 5.0 - 0.2 * x + 0.01 * x**2
    spoilt = y + np.random.default_rng(0).normal(0.0, 0.01, x.size)
    spoilt[::7] += 30.0
    assert np.abs(robust_curve(x, spoilt, 2).at(x) - y).max() < 0.02


def test_beyond_its_points_a_curve_goes_on_straight() -> None:
    x = np.linspace(0.0, 10.0, 50)
    curve = robust_curve(x, x**2, 2)
    beyond = curve.at(np.array([10.0, 11.0, 12.0]))
    assert beyond[2] - beyond[1] == pytest.approx(beyond[1] - beyond[0])
    assert beyond[1] - beyond[0] == pytest.approx(curve.slope)
    assert curve.slope == pytest.approx(10.0, abs=0.01)
