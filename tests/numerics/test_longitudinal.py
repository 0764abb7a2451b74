"""Paired and Welch t, Wilcoxon: published answers, scipy as a second opinion, errors at their nominal rate."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from myoproof.numerics.longitudinal import mean_contrast, signed_rank, signed_rank_null, welch_difference

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)
CHANGES = arrays(np.float64, st.integers(6, 30), elements=st.integers(-50, 50).map(float)).filter(
    lambda x: np.ptp(x) > 0
)


def agrees(found: object, group: str) -> None:
    for name, answer in REFERENCE[group].items():
        assert getattr(found, name) == pytest.approx(answer["value"], abs=answer["tolerance"]), name


def test_paired_t_of_student() -> None:
    data = REFERENCE["data"]["student_sleep"]
    agrees(mean_contrast(np.subtract(data["first"], data["second"])), "student_paired")


def test_welch_of_student() -> None:
    data = REFERENCE["data"]["student_sleep"]
    agrees(welch_difference(data["first"], data["second"]), "student_welch")


def test_signed_rank_of_hollander_and_wolfe() -> None:
    data = REFERENCE["data"]["hollander_wolfe"]
    agrees(signed_rank(np.subtract(data["first"], data["second"]), level=0.96), "hollander_wolfe")


def test_ties_and_zeros_take_the_normal_approximation_of_scipy() -> None:
    change = [0.0, 1.0, 1.0, 2.0, -1.0, 3.0, 4.0, 4.0, -2.0, 5.0]
    other = stats.wilcoxon(change, method="asymptotic", correction=False, zero_method="wilcox")
    found = signed_rank(change)
    assert found.p == pytest.approx(other.pvalue, rel=1e-12)
    assert found.n == 10


def test_effect_r_divides_by_the_pairs_that_moved() -> None:
    found = signed_rank(np.arange(1.0, 18.0))
    z = (153 - 76.5) / np.sqrt(17 * 18 * 35 / 24)
    assert found.effect_r == pytest.approx(z / np.sqrt(17))


@given(CHANGES)
@settings(deadline=None)
def test_scipy_agrees(change: np.ndarray) -> None:
    found, other = mean_contrast(change), stats.ttest_1samp(change, 0.0)
    assert found.p == pytest.approx(other.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(other.confidence_interval()), rel=1e-9, abs=1e-9)


@given(CHANGES, st.integers(-40, 40))
@settings(deadline=None)
def test_a_shift_moves_the_estimates_and_nothing_else(change: np.ndarray, shift: int) -> None:
    before, after = mean_contrast(change), mean_contrast(change + shift)
    assert after.se == pytest.approx(before.se)
    assert after.value - before.value == pytest.approx(shift, abs=1e-9)
    ranks = signed_rank(change + shift).shift - signed_rank(change).shift
    assert ranks == pytest.approx(shift, abs=1e-9)


@given(CHANGES)
@settings(deadline=None)
def test_turning_the_sign_turns_the_effect(change: np.ndarray) -> None:
    up, down = signed_rank(change), signed_rank(-change)
    assert up.effect_r == pytest.approx(-down.effect_r)
    assert up.p == pytest.approx(down.p, nan_ok=True)
    assert (up.low, up.high) == pytest.approx((-down.high, -down.low), nan_ok=True)


def test_the_exact_null_is_a_distribution() -> None:
    null = signed_rank_null(12)
    assert null.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(null, null[::-1])


def test_no_spread_gives_no_p() -> None:
    found = mean_contrast([2.0, 2.0, 2.0])
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)
    assert np.isnan(found.p)
    assert np.isnan(signed_rank([0.0, 0.0, 0.0]).p)
    assert np.isnan(welch_difference([1.0, 1.0], [3.0, 3.0]).p)


@pytest.mark.parametrize("bad", [[1.0], [1.0, np.nan]])
def test_too_few_or_not_finite_is_refused(bad: list[float]) -> None:
    for compute in (mean_contrast, signed_rank, lambda x: welch_difference(x, [1.0, 2.0])):
        with pytest.raises(ValueError, match="value"):
            compute(bad)


def test_type_one_error_and_coverage_at_the_size_of_the_study() -> None:
    rng = np.random.default_rng(20250801)
    cohorts = rng.standard_normal((2500, 17))
    paired = np.mean([mean_contrast(x).p <= 0.05 for x in cohorts])
    ranks = np.mean([signed_rank(x).p <= 0.05 for x in cohorts])
    assert paired == pytest.approx(0.05, abs=0.013)
    assert ranks == pytest.approx(0.0448, abs=0.013)  # the attainable level of the exact test at n = 17
    covered = [f.low <= 0.4 <= f.high for f in (signed_rank(x + 0.4) for x in cohorts)]
    assert np.mean(covered) == pytest.approx(0.9552, abs=0.013)


def test_welch_holds_its_level_where_spreads_and_sizes_differ() -> None:
    rng = np.random.default_rng(11)
    pairs = ((rng.normal(0, 3, 17), rng.normal(0, 1, 16)) for _ in range(3000))
    assert 0.04 <= np.mean([welch_difference(a, b).p <= 0.05 for a, b in pairs]) <= 0.06
