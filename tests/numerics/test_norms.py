"""Norms: against statsmodels, the mixed part against its closed form, intervals against simulated truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.regression.mixed_linear_model import MixedLM

from myoproof.errors import InvalidInput
from myoproof.numerics.norms import check_fit, fit, predict, z_intervals, z_scores


def controls(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [np.ones(n), rng.normal(50, 15, n), rng.random(n) < 0.5, rng.normal(75, 12, n)]
    ).astype(float)
    return x, x @ [30, 0.4, -3, 0.1] + rng.normal(0, 7, n)


@pytest.mark.parametrize("seed", range(5))
def test_z_is_that_of_an_independent_prediction_interval(seed: int) -> None:
    x, y = controls(seed)
    new = controls(seed + 100, 40)[0]
    values = np.random.default_rng(seed).normal(60, 15, 40)
    theirs = sm.OLS(y, x).fit().get_prediction(new)
    ours = z_scores(fit(x, y), new, values)
    assert np.abs(ours - (values - theirs.predicted_mean) / theirs.se_obs).max() < 1e-9
    mean, variance = predict(fit(x, y), new)
    assert np.allclose(mean, theirs.predicted_mean, rtol=1e-10)
    assert np.allclose(np.sqrt(variance), theirs.se_mean, rtol=1e-9)


def test_checks_are_those_of_statsmodels() -> None:
    x, y = controls(0)
    theirs = sm.OLS(y, x).fit()
    ours = check_fit(fit(x, y), x, y)
    influence = theirs.get_influence()
    assert ours.rmse == pytest.approx(np.sqrt(theirs.scale))
    assert ours.r_squared == pytest.approx(theirs.rsquared)
    assert ours.leverage == pytest.approx(influence.cooks_distance[0].max())
    assert ours.spread_p == pytest.approx(sm.stats.diagnostic.het_breuschpagan(theirs.resid, x)[1])
    one = np.arange(60) != 7
    left = sm.OLS(y[one], x[one]).fit().get_prediction(x[7:8])
    spread = np.sqrt(left.se_mean**2 / left.var_resid * theirs.scale + theirs.scale)
    assert ours.left_out_z[7] == pytest.approx(((y[7] - left.predicted_mean) / spread)[0])


def test_sides_of_one_person_are_not_two_people() -> None:
    """Both sides of everybody, unbalanced by some missing ones: REML as in statsmodels."""
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(40), 2)[:-9]
    age = rng.normal(50, 12, 40)[people]
    x = np.column_stack([np.ones(len(people)), age, np.arange(len(people)) % 2])
    y = x @ [30, 0.4, 1] + rng.normal(0, 5, 40)[people] + rng.normal(0, 3, len(people))
    ours, theirs = fit(x, y, people), MixedLM(y, x, people).fit(reml=True)
    assert ours.coefficients == pytest.approx(theirs.fe_params, rel=1e-5)
    assert ours.between == pytest.approx(theirs.cov_re[0, 0], rel=1e-3)
    assert ours.within == pytest.approx(theirs.scale, rel=1e-3)
    assert np.asarray(theirs.cov_params())[:3, :3] == pytest.approx(ours.covariance, rel=1e-2, abs=1e-3)
    assert ours.n_subjects == 36
    assert ours.df < len(people) - 3
    naive = fit(x, y)
    assert ours.covariance[1, 1] > 1.3 * naive.covariance[1, 1]


def test_a_balanced_table_is_the_analysis_of_means() -> None:
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(30), 2)
    y = 50 + rng.normal(0, 5, 30)[people] + rng.normal(0, 3, 60)
    made = fit(np.ones((60, 1)), y, people)
    means = y.reshape(30, 2).mean(axis=1)
    within = float(((y.reshape(30, 2) - means[:, None]) ** 2).sum() / 30)
    assert made.coefficients[0] == pytest.approx(means.mean())
    assert made.within == pytest.approx(within, rel=1e-5)
    assert made.between == pytest.approx(means.var(ddof=1) - within / 2, rel=1e-5)
    assert made.covariance[0, 0] == pytest.approx(means.var(ddof=1) / 30, rel=1e-5)


def test_equal_sides_leave_no_variance_between_where_there_is_none() -> None:
    rng = np.random.default_rng(5)
    made = fit(
        np.ones((80, 1)),
        np.where(np.arange(80) % 2, 1.0, -1.0) + rng.normal(0, 0.1, 80),
        np.repeat(np.arange(40), 2),
    )
    assert made.between == 0
    assert made.variance > 0


@pytest.mark.parametrize("n", [20])
def test_intervals_of_z_hold_the_truth(n: int) -> None:
    """True coefficients and SD, an error-free value: 300 small norms with a gain error of 1.5 dB at 60 dB."""
    gain, held = 1.5 * 255 / 60, []
    for replicate in range(300):
        rng = np.random.default_rng([n, replicate])
        x = np.column_stack([np.ones(n), rng.normal(50, 12, n)])
        made = fit(x, x @ [40, 0.3] + rng.normal(0, 7, n))
        new = np.array([[1.0, rng.uniform(30, 70)]])
        true = rng.normal(1, 2)
        value = new @ [40, 0.3] + 7 * true + rng.normal(0, gain)
        low, high = z_intervals(made, new, value, np.array([gain]))
        held.append(low[0] <= true <= high[0])
    assert 0.93 <= np.mean(held) <= 0.975


def test_intervals_widen_with_the_gain_error_and_hold_z() -> None:
    x, y = controls(1)
    made = fit(x, y)
    values = np.array([40.0, 70.0, 110.0])
    z = z_scores(made, x[:3], values)
    none, some = (z_intervals(made, x[:3], values, np.full(3, sd)) for sd in (0.0, 5.0))
    assert ((none[0] < z) & (z < none[1])).all()
    assert ((some[1] - some[0]) > (none[1] - none[0])).all()


def test_too_few_controls_and_doubled_terms_are_refused() -> None:
    x, y = controls(2, 5)
    with pytest.raises(InvalidInput, match="5 subjects for 4 coefficients"):
        fit(x, y)
    x, y = controls(2)
    with pytest.raises(InvalidInput, match="combination of others"):
        fit(np.column_stack([x, x[:, 1] * 2]), y)
