"""Rician tables against simulation and limits."""

import numpy as np
import pytest
from scipy import special

from myoproof.numerics.water_t2_rician import information, information_at, ratio_at, tables


@pytest.mark.parametrize("x", [0.0, 0.013, 1.7, 39.99, 40.01, 500.0])
def test_the_bessel_ratio_is_that_of_scipy(x: float) -> None:
    assert ratio_at(tables()[0], x) == pytest.approx(special.ive(1, x) / special.ive(0, x), abs=2e-5)


@pytest.mark.parametrize("amplitude", [0.5, 2.0, 6.0])
def test_information_is_the_variance_of_the_score(amplitude: float) -> None:
    noise = np.random.default_rng(6).standard_normal((2, 400_000))
    y = np.hypot(amplitude + noise[0], noise[1])
    score = y * special.ive(1, amplitude * y) / special.ive(0, amplitude * y) - amplitude
    assert abs(score.mean()) < 0.01
    assert information(np.array([amplitude]))[0] == pytest.approx(score.var(), rel=0.02)
    assert information_at(tables()[2], amplitude) == pytest.approx(score.var(), rel=0.02)
