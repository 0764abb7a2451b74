"""Nulls: draws keep what they should keep, and the Monte Carlo test has its level."""

import numpy as np
import pytest
from scipy import stats

from myoproof.errors import InvalidInput
from myoproof.numerics.impute import complete
from myoproof.numerics.nulls import (
    Profile,
    excess_over,
    gaussian_null,
    pile_ups,
    profile,
    replicate_profiles,
    unimodal_factor_null,
)


def skewed(n: int = 400, p: int = 8) -> np.ndarray:
    rng = np.random.default_rng(1)
    factor = (rng.standard_gamma(2.0, n) - 2) / np.sqrt(2)
    return np.outer(factor, np.full(p, 0.8)) + 0.6 * rng.standard_normal((n, p))


def test_gaussian_null_keeps_covariance_and_missing_cells_but_no_skew() -> None:
    x = skewed()
    x[np.random.default_rng(2).random(x.shape) < 0.03] = np.nan
    draw = gaussian_null(x)
    samples = [draw(np.random.default_rng(seed)) for seed in range(60)]
    assert all((np.isnan(sample) == np.isnan(x)).all() for sample in samples)
    observed = np.corrcoef(complete(x).T)
    drawn = np.mean([np.corrcoef(complete(sample).T) for sample in samples], axis=0)
    np.testing.assert_allclose(drawn, observed, atol=0.05)
    assert abs(np.mean([stats.skew(np.nanmean(sample, axis=1)) for sample in samples])) < 0.1


def test_unimodal_null_keeps_skew_covariance_and_floor() -> None:
    x = np.maximum(skewed(), -0.9)
    lower, upper = pile_ups(x)
    np.testing.assert_array_equal(lower, -0.9)
    assert np.isinf(upper).all()
    draw = unimodal_factor_null(x, np.broadcast_to(lower, x.shape), np.broadcast_to(upper, x.shape))
    samples = [draw(np.random.default_rng(seed)) for seed in range(40)]
    observed, drawn = (x == -0.9).mean(), np.mean([(sample == -0.9).mean() for sample in samples])
    assert drawn == pytest.approx(observed, abs=0.04)
    skew = np.mean([stats.skew(sample.mean(axis=1)) for sample in samples])
    assert skew == pytest.approx(stats.skew(x.mean(axis=1)), abs=0.3)
    correlation = np.mean([np.corrcoef(sample.T)[0, 1:].mean() for sample in samples])
    assert correlation == pytest.approx(np.corrcoef(x.T)[0, 1:].mean(), abs=0.05)


def test_pile_ups_need_more_than_a_chance_tie() -> None:
    x = np.round(np.random.default_rng(4).standard_normal((300, 3)), 1)
    lower, upper = pile_ups(x)
    assert np.isinf(lower).all()
    assert np.isinf(upper).all()


def test_level_of_the_monte_carlo_test_is_exact_for_exchangeable_cohorts() -> None:
    rng = np.random.default_rng(5)
    p = np.empty(600)
    for i in range(len(p)):
        shares = 0.4 + 0.02 * rng.standard_normal(40)
        widths = 2 * shares[:, np.newaxis] + rng.standard_gamma(2.0, (40, 4))
        pool = [Profile(width, share) for width, share in zip(widths, shares, strict=True)]
        p[i] = excess_over(pool[0], pool[1:]).p_value
    assert stats.kstest(p - rng.random(len(p)) / 40, "uniform").pvalue > 0.01


def test_silhouette_that_follows_the_leading_share_is_no_excess() -> None:
    rng = np.random.default_rng(6)
    null = [
        Profile(np.full(2, 3 * share) + 0.01 * rng.standard_normal(2), share)
        for share in 0.4 + 0.03 * rng.standard_normal(99)
    ]
    along = excess_over(Profile(np.full(2, 3 * 0.46), 0.46), null)
    above = excess_over(Profile(np.full(2, 3 * 0.46), 0.40), null)
    assert abs(along.statistic) < 2
    assert along.p_value > 0.05
    assert above.p_value == 0.01
    np.testing.assert_allclose(along.mean, 3 * 0.46, atol=0.01)


def test_replicates_are_the_same_at_one_and_two_threads() -> None:
    x = skewed(120)
    draw = unimodal_factor_null(x, np.full(x.shape, -np.inf), np.full(x.shape, np.inf))
    found = [
        replicate_profiles(
            draw, (2, 3), rng=np.random.default_rng(1), replicates=12, n_starts=2, threads=threads
        )
        for threads in (1, 2)
    ]
    for one, two in zip(*found, strict=True):
        assert one.silhouette.tobytes() == two.silhouette.tobytes()
        assert one.share == two.share


def test_more_clusters_than_subjects_are_refused() -> None:
    with pytest.raises(InvalidInput):
        profile(np.random.default_rng(1).standard_normal((4, 3)), (5,), key=np.uint64(1), n_starts=1)
