"""Pearson and Spearman: scipy gives the same coefficients, the intervals cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from myoproof.numerics.correlation import pearson, spearman

PAIRS = arrays(
    np.float64, st.tuples(st.integers(6, 25), st.just(2)), elements=st.integers(-20, 20).map(float)
)


@given(PAIRS)
@settings(deadline=None)
def test_scipy_agrees(pairs: np.ndarray) -> None:
    x, y = pairs.T
    if np.ptp(x) == 0 or np.ptp(y) == 0 or abs(np.corrcoef(x, y)[0, 1]) > 0.999:
        return
    found, other = pearson(x, y), stats.pearsonr(x, y)
    assert (found.r, found.p) == pytest.approx((other.statistic, other.pvalue), rel=1e-6, abs=1e-9)
    bounds = other.confidence_interval()
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), abs=1e-9)
    ranked, other = spearman(x, y), stats.spearmanr(x, y)
    assert ranked.r == pytest.approx(other.statistic, abs=1e-9)


@given(PAIRS)
@settings(deadline=None)
def test_ranks_do_not_see_a_monotone_change(pairs: np.ndarray) -> None:
    x, y = pairs.T
    assert spearman(np.exp(x / 10), y).r == pytest.approx(spearman(x, y).r, abs=1e-9, nan_ok=True)
    assert pearson(y, x).r == pytest.approx(pearson(x, y).r, abs=1e-9, nan_ok=True)


def test_edges() -> None:
    x = np.arange(6.0)
    assert pearson(x, 3 * x).r == 1.0
    assert pearson(x, -x).p == 0.0
    assert np.isnan(pearson(x, np.ones(6)).r)
    with pytest.raises(ValueError, match="pairs"):
        pearson(x[:3], x[:3])
    with pytest.raises(ValueError, match="against"):
        pearson(x, x[:5])
    with pytest.raises(ValueError, match="finite"):
        spearman(x, [0, 1, np.nan, 3, 4, 5])


@pytest.mark.parametrize("rho", [0.0, 0.68, 0.78])
def test_intervals_cover_at_the_size_of_the_study(rho: float) -> None:
    rng = np.random.default_rng(17)
    ranked = 6 / np.pi * np.arcsin(rho / 2)
    linear = monotone = 0
    for _ in range(1500):
        x, noise = rng.standard_normal((2, 17))
        y = rho * x + np.sqrt(1 - rho**2) * noise
        p, s = pearson(x, y), spearman(x, y)
        linear += p.low <= rho <= p.high
        monotone += s.low <= ranked <= s.high
    assert linear / 1500 == pytest.approx(0.95, abs=0.018)
    assert monotone / 1500 == pytest.approx(0.95, abs=0.03)
