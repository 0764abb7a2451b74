"""Folds by subject, and harmonising inside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.errors import InvalidInput
from myoproof.numerics.combat import apply, fit
from myoproof.numerics.folds import Fold, folds, harmonised


@given(n=st.integers(6, 60), n_folds=st.integers(2, 6), seed=st.integers(0, 1000))
def test_every_row_is_tested_once_and_no_subject_is_on_both_sides(n: int, n_folds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    subjects = np.concatenate([np.arange(n_folds), rng.integers(0, n, n)])
    cut = folds(subjects, rng=rng, n_folds=n_folds)
    assert sorted(np.concatenate([fold.test for fold in cut]).tolist()) == list(range(len(subjects)))
    for fold in cut:
        assert not set(subjects[fold.train]) & set(subjects[fold.test])


def test_strata_are_spread_evenly() -> None:
    strata = np.repeat(["a", "b", "c"], 10)
    for fold in folds(np.arange(30), rng=np.random.default_rng(0), n_folds=5, strata=strata):
        assert np.unique(strata[fold.test], return_counts=True)[1].tolist() == [2, 2, 2]


def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    sites = np.repeat(["a", "b", "c"], 20)
    return rng.normal(size=(60, 6)) + (sites == "b")[:, None], sites


def test_test_rows_do_not_touch_the_fit() -> None:
    values, sites = drawn()
    cut = folds(np.arange(60), rng=np.random.default_rng(0), strata=sites)
    fold, train, test = next(harmonised(values, sites, cut))
    model = fit(values[fold.train], sites[fold.train])
    np.testing.assert_array_equal(train, apply(model, values[fold.train], sites[fold.train]))
    other = values.copy()
    other[fold.test] += 1000
    _, again, moved = next(harmonised(other, sites, cut))
    np.testing.assert_array_equal(again, train)
    assert np.abs(moved - test).min() > 100


def test_leaks_and_left_out_sites_are_refused() -> None:
    values, sites = drawn()
    with pytest.raises(InvalidInput, match="1 rows are both learnt from and tested"):
        next(harmonised(values, sites, [Fold(np.arange(50), np.arange(49, 60))]))
    with pytest.raises(InvalidInput, match="'c' was not seen"):
        next(harmonised(values, sites, [Fold(np.arange(40), np.arange(40, 60))]))
    with pytest.raises(InvalidInput, match="2 subjects cannot be cut into 5 folds"):
        folds(["a", "b", "b"], rng=np.random.default_rng(0))
