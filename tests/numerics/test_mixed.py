"""The mixed model: sleepstudy, statsmodels, the paired t as a special case, and simulated slopes."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM

from myoproof.numerics.longitudinal import mean_contrast
from myoproof.numerics.mixed import fit_slope

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)


def visits(rng: np.random.Generator, *, n: int = 17, slope_sd: float = 4.0, leave: int = 4) -> tuple:
    """Values, years and subjects of n people seen at 0, 0.5 and 1 year; `leave` of them without the last."""
    years = np.tile([0.0, 0.5, 1.0], (n, 1)) + np.append(
        np.zeros((n, 1)), rng.normal(0, 0.03, (n, 2)), axis=1
    )
    slopes = rng.normal(-5.0, slope_sd, n)
    values = rng.normal(100, 20, n)[:, None] + slopes[:, None] * years + rng.normal(0, 1.5, (n, 3))
    seen = np.ones((n, 3), dtype=bool)
    seen[:leave, 2] = False
    return values[seen], years[seen], np.repeat(np.arange(n), 3).reshape(n, 3)[seen]


def test_sleepstudy() -> None:
    reaction = np.array(REFERENCE["data"]["sleepstudy"]["reaction_ms"])
    n, days = reaction.shape
    found = fit_slope(reaction.ravel(), np.tile(np.arange(days), n), np.repeat(np.arange(n), days))
    assert found.model == "random_slope"
    for name, answer in REFERENCE["sleepstudy"].items():
        assert getattr(found, name) == pytest.approx(answer["value"], abs=answer["tolerance"]), name


def test_statsmodels_agrees_on_unequal_visits() -> None:
    values, years, who = visits(np.random.default_rng(3))
    design = np.column_stack([np.ones_like(years), years])
    other = MixedLM(values, design, groups=who, exog_re=design).fit(reml=True, method="lbfgs")
    found = fit_slope(values, years, who)
    assert found.slope == pytest.approx(other.params[1], rel=1e-5)
    assert found.se == pytest.approx(other.bse[1], rel=1e-3)
    assert found.residual_sd == pytest.approx(np.sqrt(other.scale), rel=1e-3)


def test_two_visits_are_the_paired_t() -> None:
    rng = np.random.default_rng(8)
    before, change = rng.normal(50, 10, 12), rng.normal(-2, 3, 12)
    values = np.column_stack([before, before + change]).ravel()
    found = fit_slope(values, np.tile([0.0, 1.0], 12), np.repeat(np.arange(12), 2))
    t = mean_contrast(change)
    assert found.model == "random_intercept"
    assert (found.slope, found.se, found.p) == pytest.approx((t.value, t.se, t.p), rel=1e-4)
    assert found.df == pytest.approx(11, abs=0.01)


def test_a_fit_without_slope_variance_falls_back_and_says_so() -> None:
    rng = np.random.default_rng(1)
    models = {fit_slope(*visits(rng, slope_sd=0.0)).model for _ in range(12)}
    assert "random_intercept" in models
    assert models <= {"random_intercept", "random_slope", "random_slope_uncorrelated"}


def test_without_any_difference_between_subjects_it_is_ordinary_least_squares() -> None:
    rng = np.random.default_rng(2)
    years = np.tile([0.0, 0.5, 1.0], 10)
    values = 3 * years + np.tile([0.1, -0.2, 0.1], 10) + rng.normal(0, 1e-3, 30)
    values -= np.repeat(values.reshape(10, 3).mean(axis=1), 3)
    found = fit_slope(values, years, np.repeat(np.arange(10), 3))
    assert found.model == "independent"
    assert found.slope == pytest.approx(np.polyfit(years, values, 1)[0])


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(0.1, 400.0))
@settings(max_examples=15, deadline=None)
def test_units_of_value_and_time_only_rescale(offset: float, scale: float, per_year: float) -> None:
    values, years, who = visits(np.random.default_rng(4))
    before, after = fit_slope(values, years, who), fit_slope(offset + scale * values, years * per_year, who)
    assert after.slope == pytest.approx(before.slope * scale / per_year, rel=1e-4)
    assert after.p == pytest.approx(before.p, rel=1e-2)


def test_the_order_of_rows_is_irrelevant() -> None:
    rng = np.random.default_rng(6)
    values, years, who = visits(rng)
    order = rng.permutation(values.size)
    before, after = fit_slope(values, years, who), fit_slope(values[order], years[order], who[order])
    assert after.slope == pytest.approx(before.slope, rel=1e-7)


def test_slope_and_coverage_are_recovered_with_dropout() -> None:
    rng = np.random.default_rng(99)
    fits = [fit_slope(*visits(rng)) for _ in range(200)]
    assert np.mean([fit.slope for fit in fits]) == pytest.approx(-5.0, abs=0.25)
    assert 0.91 <= np.mean([fit.low <= -5.0 <= fit.high for fit in fits]) <= 0.98
    assert np.mean([fit.slope_sd for fit in fits]) == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize(
    ("values", "times", "subjects", "message"),
    [
        ([1, 2, 3], [0, 1, 2], [0, 1, 2], "twice"),
        ([1, 2, 3, 4], [0, 1, 0, 1], [0, 0, 1, 1], "three subjects"),
        ([1, 2, 3, 4, 5, 6], [1] * 6, [0, 0, 1, 1, 2, 2], "spread"),
        ([1, np.nan, 3, 4, 5, 6], [0, 1] * 3, [0, 0, 1, 1, 2, 2], "finite"),
        ([1, 2, 3, 4, 5, 6], [0, 1] * 3, [0, 0, 1, 1, 2, 2], "within subjects"),
        ([1, 2], [0, 1, 2], [0, 0, 1], "length"),
    ],
)
def test_what_cannot_be_fitted_is_refused(values: list, times: list, subjects: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_slope(values, times, subjects)
