"""Imputation after drop-out: what each assumption does to the means, and the analysis after it."""

import numpy as np
import pytest

from myoproof.numerics.pooling import pool
from myoproof.numerics.reference_imputation import Assumption, TwoArms, ancova, complete

SD = 2.0


def trial(n: int = 400, effect: float = 3.0, lost: float = 0.3) -> TwoArms:
    """Arms that part by `effect` a visit; a share of the treated leaves before the last visit."""
    rng = np.random.default_rng(5)
    treated = np.arange(n) % 2 == 1
    baseline = rng.normal(0, 1, n)
    person = rng.normal(0, SD, n)
    steps = np.array([1.0, 2.0, 3.0])
    values = person[:, None] + baseline[:, None] - steps + rng.normal(0, 1, (n, 3))
    values = values + effect / 3 * steps * treated[:, None]
    leaves = (rng.random(n) < lost) & treated
    values[leaves, 2] = np.nan
    values[leaves & (rng.random(n) < 0.5), 1] = np.nan
    values[0, 1] = np.nan
    return TwoArms(values, treated, baseline[:, None])


def contrast(assumption: Assumption, seen: TwoArms) -> float:
    done = complete(seen, assumption, rng=np.random.default_rng(1), imputations=12)
    assert done.given_up == 0
    assert np.isfinite(done.values).all()
    held = np.isfinite(seen.values)
    np.testing.assert_array_equal(done.values[:, held], np.broadcast_to(seen.values[held], (12, held.sum())))
    found = ancova(done.values[..., -1], seen.treated, seen.covariates)
    return float(pool(*found, df_complete=397).value)


def test_every_assumption_moves_the_effect_as_it_says() -> None:
    seen = trial()
    lost = float(seen.after[seen.treated, -1].mean())
    at_random = contrast("missing_at_random", seen)
    jump = contrast("jump_to_reference", seen)
    copy = contrast("copy_reference", seen)
    increments = contrast("copy_increments_in_reference", seen)
    assert at_random == pytest.approx(3.0, abs=0.5)
    assert jump == pytest.approx(at_random - 3.0 * lost, abs=0.5)
    assert jump < copy < at_random
    assert jump < increments < at_random


def test_gaps_between_visits_are_filled_at_random_under_every_assumption() -> None:
    rng = np.random.default_rng(3)
    seen = trial(lost=0.0)
    seen.values[rng.random(400) < 0.3, 1] = np.nan
    assert not seen.after.any()
    assert contrast("jump_to_reference", seen) == pytest.approx(contrast("missing_at_random", seen))


def test_ancova_is_least_squares() -> None:
    seen = trial(lost=0.0)
    whole = np.nan_to_num(seen.values[:, -1])
    estimates, variances = ancova(whole[None], seen.treated, seen.covariates)
    design = np.column_stack([np.ones(400), seen.treated, seen.covariates])
    beta, rest, *_ = np.linalg.lstsq(design, whole, rcond=None)
    assert estimates[0] == pytest.approx(beta[1])
    assert variances[0] == pytest.approx(rest[0] / 397 * np.linalg.inv(design.T @ design)[1, 1])


def test_what_cannot_be_fitted_is_given_up() -> None:
    values = np.full((8, 2), np.nan)
    values[:4, 0], values[4:, 1] = np.arange(4), np.arange(4)
    done = complete(
        TwoArms(values, np.arange(8) % 2 == 1, np.zeros((8, 0))),
        "missing_at_random",
        rng=np.random.default_rng(0),
        imputations=2,
    )
    assert done.given_up == 2
    assert done.values.shape == (0, 8, 2)
