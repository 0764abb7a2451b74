"""What a pilot says for planning: covariance with drop-out, shrinkage, prognosis, resampled power."""

import numpy as np
import pytest
from scipy import stats

from myoproof.numerics.power import Aim, t_size
from myoproof.numerics.power_pilot import prognosis, resampled_power, shrunken_srms, visit_moments

RNG = np.random.default_rng


def test_complete_visits_have_their_plain_moments() -> None:
    y = RNG(1).normal(size=(30, 3))
    mean, covariance = visit_moments(y)
    np.testing.assert_allclose(mean, y.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(y, rowvar=False))


def test_em_reaches_the_maximum_of_the_likelihood() -> None:
    rng = RNG(2)
    y = rng.multivariate_normal([0, 1, 2], [[1, 0.5, 0.4], [0.5, 1, 0.6], [0.4, 0.6, 1.5]], 60)
    y[rng.random(60) < 0.4, 2] = np.nan
    y[:5, 1] = np.nan
    mean, covariance = visit_moments(y)
    covariance = covariance * 59 / 60

    def likelihood(mu: np.ndarray, sigma: np.ndarray) -> float:
        total = 0.0
        for row in y:
            seen = np.isfinite(row)
            total += stats.multivariate_normal(mu[seen], sigma[np.ix_(seen, seen)]).logpdf(row[seen])
        return total

    best = likelihood(mean, covariance)
    for place in range(3):
        move = 0.02 * np.eye(3)[place]
        assert likelihood(mean + move, covariance) < best
        assert likelihood(mean - move, covariance) < best
        assert likelihood(mean, covariance + np.outer(move, move) * 40) < best


def test_drop_out_that_follows_what_was_seen_biases_the_plain_mean_alone() -> None:
    rng = RNG(3)
    y = rng.multivariate_normal([0, 1], [[1, 0.8], [0.8, 1]], 4000)
    seen = y.copy()
    seen[y[:, 0] > 0.3, 1] = np.nan
    assert visit_moments(seen)[0][1] == pytest.approx(1.0, abs=0.06)
    assert np.nanmean(seen[:, 1]) < 0.75


def test_too_few_subjects_are_named() -> None:
    with pytest.raises(ValueError, match="too few"):
        visit_moments(np.zeros((4, 3)))


# ---------------------------------------------------------------- shrinkage


def test_shrinkage_takes_the_luck_out_of_the_winner() -> None:
    """Twelve correlated measures of one cohort: the best owes part of its place to chance."""
    rng = RNG(4)
    spread, n, k = 0.2, 17, 12
    plain, shrunk = [], []
    for _ in range(300):
        truth = rng.normal(0.8, spread, k)
        common = rng.normal(size=(n, 1))
        change = truth + np.sqrt(0.4) * common + np.sqrt(0.6) * rng.normal(size=(n, k))
        srms = change.mean(axis=0) / change.std(axis=0, ddof=1)
        r = np.corrcoef(change, rowvar=False)
        covariance = r / n + r**2 * np.outer(srms, srms) / (2 * n)
        best = int(srms.argmax())
        plain.append(srms[best] - truth[best])
        shrunk.append(shrunken_srms(srms, covariance).values[best] - truth[best])
    assert np.mean(plain) > 0.2
    assert abs(np.mean(shrunk)) < 0.3 * np.mean(plain)
    assert np.std(shrunk) < np.std(plain) * 1.05


def test_measures_without_noise_are_left_alone_and_pure_noise_becomes_one() -> None:
    y = np.array([0.4, 0.8, 1.2, 1.6])
    np.testing.assert_allclose(shrunken_srms(y, 1e-8 * np.eye(4)).values, y, atol=1e-5)
    noise = shrunken_srms([0.79, 0.8, 0.81, np.nan], np.eye(4))
    np.testing.assert_allclose(noise.values[:3], 0.8, atol=1e-3)
    assert np.isnan(noise.values[3])
    assert noise.spread < 0.02


def test_errors_in_common_widen_the_interval_and_shrink_nothing() -> None:
    y = np.array([0.5, 0.8, 1.1])
    alone = shrunken_srms(y, 0.02 * np.eye(3))
    common = shrunken_srms(y, 0.02 * np.eye(3) + 0.1)
    np.testing.assert_allclose(common.values, alone.values, atol=1e-3)
    assert (common.high - common.low > alone.high - alone.low).all()


def test_two_measures_are_not_shrunken() -> None:
    found = shrunken_srms([1.0, 0.5], 0.1 * np.eye(2))
    np.testing.assert_array_equal(found.values, [1.0, 0.5])
    assert np.isnan(found.spread)


# ---------------------------------------------------------------- prognosis


def test_left_out_predictions_are_those_of_refitting() -> None:
    rng = RNG(5)
    x, y = rng.normal(size=(15, 2)), rng.normal(size=15)
    predicted = []
    for place in range(15):
        kept = np.arange(15) != place
        design = np.column_stack([np.ones(14), x[kept]])
        beta = np.linalg.lstsq(design, y[kept], rcond=None)[0]
        predicted.append(np.r_[1, x[place]] @ beta)
    assert prognosis(y, x).r == pytest.approx(np.corrcoef(y, predicted)[0, 1])


def test_prognosis_does_not_flatter_itself() -> None:
    rng = RNG(6)
    found = [prognosis(rng.normal(size=25), rng.normal(size=(25, 5))).r for _ in range(200)]
    assert np.mean(found) < 0
    y = rng.normal(size=3000)
    x = 0.44 * y + np.sqrt(1 - 0.44**2) * rng.normal(size=3000)
    assert prognosis(y, x).r == pytest.approx(0.44, abs=0.04)


@pytest.mark.parametrize(
    ("y", "x", "what"),
    [
        (np.arange(5.0), np.ones((5, 1)), "too few"),
        (np.arange(9.0), np.ones((9, 1)), "constant"),
        (np.ones(9), np.arange(9.0)[:, None], "no spread"),
    ],
)
def test_prognosis_that_cannot_be_told_is_named(y: np.ndarray, x: np.ndarray, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        prognosis(y, x)


# ---------------------------------------------------------------- resampled power


def test_resampled_trials_of_a_normal_pilot_have_the_planned_power() -> None:
    rng = RNG(7)
    pilot = rng.normal(size=4000)
    pilot = 1.0 + (pilot - pilot.mean()) / pilot.std(ddof=1)
    aim = Aim(ratio=2.0)
    n = round(t_size(0.5, aim).control)
    assert resampled_power(pilot, 0.5, n, rng=rng, aim=aim, trials=4000) == pytest.approx(0.8, abs=0.025)
    assert resampled_power(pilot, 0.0, n, rng=rng, aim=aim, trials=4000) == pytest.approx(0.05, abs=0.015)
    assert resampled_power(pilot, 0.5, n, rng=rng, aim=aim, proportional=True, trials=4000) > 0.85


def test_one_sided_trials_look_to_the_side_of_worsening() -> None:
    pilot = RNG(8).normal(-1.0, 1.0, 500)
    found = resampled_power(pilot, 0.8, 40, rng=RNG(9), aim=Aim(sides=1), trials=500)
    assert found > 0.9
