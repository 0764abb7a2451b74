"""SRM, its bootstrap interval and the honest best: published SRMs, coverage and unbiasedness on simulated truth."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myoproof.numerics.responsiveness import (
    bca_interval,
    bootstrap_counts,
    column_srms,
    select_best,
    small_sample_factor,
    srm_intervals,
    standardised_response_mean,
)

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)
CHANGES = arrays(np.float64, st.integers(4, 25), elements=st.integers(-30, 30).map(float)).filter(
    lambda x: np.ptp(x) > 0
)


@pytest.mark.parametrize("name", list(REFERENCE["cmt"]))
def test_published_means_and_spreads(name: str) -> None:
    answer = REFERENCE["cmt"][name]
    unit = np.array([-1.0, 0.0, 1.0])
    change = answer["mean"] + answer["sd"] * unit / unit.std(ddof=1)
    assert standardised_response_mean(change) == pytest.approx(answer["value"], abs=answer["tolerance"])


@given(CHANGES, st.floats(0.01, 100))
@settings(deadline=None)
def test_scale_and_order_change_nothing(change: np.ndarray, scale: float) -> None:
    srm = standardised_response_mean(change)
    assert standardised_response_mean(scale * change) == pytest.approx(srm, rel=1e-9, abs=1e-12)
    assert standardised_response_mean(change[::-1]) == pytest.approx(srm, rel=1e-9, abs=1e-12)
    assert standardised_response_mean(-change) == pytest.approx(-srm, rel=1e-9, abs=1e-12)


def test_counts_are_resamples() -> None:
    rng = np.random.default_rng(0)
    change = rng.normal(1, 1, (12, 3))
    change[0, 1] = np.nan
    counts = bootstrap_counts(12, 50, rng=rng)
    assert (counts.sum(axis=1) == 12).all()
    repeated = np.array([column_srms(np.repeat(change, row.astype(int), axis=0)) for row in counts])
    np.testing.assert_allclose(column_srms(change, counts), repeated, rtol=1e-9)


def test_a_column_without_spread_or_with_one_subject_has_no_srm() -> None:
    change = np.column_stack([np.full(5, 2.0), [1.0, np.nan, np.nan, np.nan, np.nan]])
    assert np.isnan(column_srms(change)).all()
    found = srm_intervals(change, bootstrap_counts(5, 200, rng=np.random.default_rng(0)))
    assert np.isnan(found).all()


def test_small_sample_factor_removes_the_bias() -> None:
    rng = np.random.default_rng(1)
    srms = column_srms(rng.normal(1.0, 1.0, (6, 40_000)))
    assert srms.mean() > 1.1
    assert (srms * small_sample_factor([6])).mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("n", "srm"), [(17, 0.3), (17, 1.05), (40, 1.05)])
def test_interval_covers_a_slow_and_a_fast_marker(n: int, srm: float) -> None:
    rng = np.random.default_rng(n)
    change = rng.normal(srm, 1.0, (n, 600))
    bounds = np.concatenate(
        [srm_intervals(part, bootstrap_counts(n, 600, rng=rng)) for part in np.split(change, 60, axis=1)]
    )
    covered = (bounds[:, 0] <= srm) & (srm <= bounds[:, 1])
    assert 0.915 <= covered.mean() <= 0.98


def test_bca_is_the_percentile_interval_where_nothing_is_skewed() -> None:
    replicates = np.linspace(-1, 1, 2001)
    low, high = bca_interval(0.0, replicates, np.linspace(-1, 1, 10_001))
    assert (low, high) == pytest.approx((-0.95, 0.95), abs=0.002)


def test_the_chosen_best_is_judged_without_optimism() -> None:
    """Twenty measures of one true SRM of 0.6: the best looks twice as good as it is, the honest one does not."""
    rng = np.random.default_rng(2)
    found = [
        select_best(rng.normal(0.6, 1.0, (17, 20)), bootstrap_counts(17, 400, rng=rng)) for _ in range(100)
    ]
    assert np.mean([f.apparent for f in found]) > 1.0
    assert np.mean([f.honest for f in found]) == pytest.approx(0.6, abs=0.08)
    assert all(f.share.sum() == pytest.approx(1.0) for f in found)


def test_a_clear_winner_is_always_chosen() -> None:
    rng = np.random.default_rng(3)
    change = np.column_stack([rng.normal(0, 1, 17), rng.normal(5, 1, 17), np.full(17, np.nan)])
    found = select_best(change, bootstrap_counts(17, 300, rng=rng))
    assert found.share.tolist() == [0.0, 1.0, 0.0]
    assert found.apparent == pytest.approx(column_srms(change)[1])


def test_nothing_to_choose_from() -> None:
    found = select_best(np.full((6, 2), np.nan), bootstrap_counts(6, 200, rng=np.random.default_rng(0)))
    assert found.n_replicates == 0
    assert np.isnan(found.honest)
