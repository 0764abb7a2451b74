"""Chained equations: reference values, laws, refusals."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.chained import Settings, column_findings, impute
from myoproof.numerics.chained_draws import draw_category, nearest
from myoproof.numerics.pooling import pool

NAN = np.nan
# Schafer 1997, Analysis of incomplete multivariate data, p. 237: age group, body mass index, hypertension (1 no,
# 2 yes), cholesterol of 25 people.
NHANES = np.array(
    [
        [1, NAN, NAN, NAN], [2, 22.7, 1, 187], [1, NAN, 1, 187], [3, NAN, NAN, NAN], [1, 20.4, 1, 113],
        [3, NAN, NAN, 184], [1, 22.5, 1, 118], [1, 30.1, 1, 187], [2, 22.0, 1, 238], [2, NAN, NAN, NAN],
        [1, NAN, NAN, NAN], [2, NAN, NAN, NAN], [3, 21.7, 1, 206], [2, 28.7, 2, 204], [1, 29.6, 1, NAN],
        [1, NAN, NAN, NAN], [3, 27.2, 2, 284], [2, 26.3, 2, 199], [1, 35.3, 1, 218], [3, 25.5, 2, NAN],
        [1, NAN, NAN, NAN], [1, 33.2, 1, 229], [1, 27.5, 1, 131], [3, 24.9, 1, NAN], [2, 27.4, 1, 186],
    ]
)  # fmt: skip


def regressed(done: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cholesterol on age and body mass index by least squares: coefficients and squared standard errors."""
    x = np.column_stack([np.ones(len(done)), done[:, 0], done[:, 1]])
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ done[:, 3]
    rest = done[:, 3] - x @ beta
    return beta, rest @ rest / (len(done) - 3) * np.diag(inverse)


def test_nhanes_agrees_with_mice() -> None:
    """By mice 3.15.0, R 4.2.2: mice(nhanes, m = 500, maxit = 10, seed = 1, method = "pmm"), lm(chl ~ age + bmi)."""
    done = impute(NHANES, ["number"] * 4, rng=np.random.default_rng(1), settings=Settings(m=300, rounds=8))
    fits = [regressed(one) for one in done.values]
    found = pool([beta for beta, _ in fits], [variance for _, variance in fits], df_complete=22)
    np.testing.assert_allclose(found.value[1:], [32.951, 5.608], rtol=0.10)
    np.testing.assert_allclose(found.se, [67.72, 11.019, 2.107], rtol=0.10)
    np.testing.assert_allclose(found.df, [13.25, 12.34, 14.05], atol=1.5)
    np.testing.assert_allclose(found.missing_information, [0.424, 0.468, 0.386], atol=0.08)


def test_nhanes_means_of_a_category_and_numbers_agree_with_mice() -> None:
    """By mice 3.15.0 with hyp as a factor by logreg: mean share 0.2594, bmi 26.586, cholesterol 193.15."""
    table = NHANES - [0, 0, 1, 0]
    kinds = ["number", "number", "category", "number"]
    done = impute(table, kinds, rng=np.random.default_rng(2), settings=Settings(m=300, rounds=8)).values
    means = done.mean(axis=(0, 1))
    assert (np.abs(means[1:] - [26.586, 0.2594, 193.15]) < [0.3, 0.04, 3.0]).all()


def holed(n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(5)
    x = rng.normal(size=n)
    group = (rng.random(n) < 1 / (1 + np.exp(-2 * x))).astype(float) + (rng.random(n) < 0.3)
    table = np.column_stack([x, 2 * x + rng.normal(size=n), group])
    table[rng.random(n) < 1 / (1 + np.exp(-x)), 1] = NAN
    table[rng.random(n) < 0.2, 2] = NAN
    return table


KINDS = ["number", "number", "category"]


def test_observed_values_stay_and_imputed_ones_were_observed() -> None:
    table = holed()
    kept = table.copy()
    done = impute(table, KINDS, rng=np.random.default_rng(0), settings=Settings(m=3, rounds=3))
    np.testing.assert_array_equal(table, kept)
    for one in done.values:
        np.testing.assert_array_equal(one[~done.missing], table[~done.missing])
        for j in range(3):
            assert np.isin(one[:, j], table[:, j]).all()
    assert np.isnan(done.chain_means[:, :, 0]).all()
    assert np.isfinite(done.chain_means[:, :, 1:]).all()


def test_same_seed_same_values_and_data_sets_differ() -> None:
    one, two = (
        impute(holed(), KINDS, rng=np.random.default_rng(9), settings=Settings(m=2, rounds=2))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.values, two.values)
    assert (one.values[0] != one.values[1]).any()
    more = impute(holed(), KINDS, rng=np.random.default_rng(9), settings=Settings(m=4, rounds=2))
    np.testing.assert_array_equal(more.values[:2], one.values)


def test_bias_of_complete_cases_is_taken_away() -> None:
    table = holed(2000)
    done = impute(table, KINDS, rng=np.random.default_rng(3), settings=Settings(m=5, rounds=5))
    assert np.nanmean(table[:, 1]) < -0.5
    assert abs(done.values[:, :, 1].mean()) < 0.15


def test_separated_categories_stay_finite() -> None:
    x = np.linspace(-2, 2, 40)[:, None]
    y = (x[:, 0] > 0).astype(float)
    drawn = draw_category(y, x, np.array([[-2.0], [2.0]]), rng=np.random.default_rng(0))
    assert set(drawn) <= {0.0, 1.0}


def test_nearest_are_the_nearest() -> None:
    rng = np.random.default_rng(4)
    of, to = rng.normal(size=60).round(1), rng.normal(size=30)
    found = np.abs(of[nearest(of, to, 5, rng=rng)] - to[:, None])
    expected = np.sort(np.abs(of - to[:, None]), axis=1)[:, :5]
    np.testing.assert_allclose(np.sort(found, axis=1), expected)


def column(**changes: float) -> np.ndarray:
    table = holed(30)
    for name, value in changes.items():
        table[:, int(name[1:])] = value
    return table


FEW = np.where(np.arange(30) < 3, 1.0 * np.arange(30), NAN)


@pytest.mark.parametrize(
    ("word", "table"),
    [
        ("empty_column", np.column_stack([holed(30)[:, :2], np.full(30, NAN)])),
        ("few_values", np.column_stack([FEW, holed(30)[:, 1:]])),
        ("infinite", np.column_stack([np.full(30, np.inf), holed(30)[:, 1:]])),
        ("codes", np.column_stack([holed(30)[:, :2], np.linspace(0, 1, 30)])),
    ],
)
def test_columns_that_cannot_be_imputed_are_named(word: str, table: np.ndarray) -> None:
    found = {finding.category: finding for finding in column_findings(table, KINDS, ["a", "b", "c"])}
    assert found[word].level == "error"
    with pytest.raises(InvalidInput, match="column"):
        impute(table, KINDS, rng=np.random.default_rng(0))


def test_constant_columns_and_bare_rows_are_remarks() -> None:
    table = holed(30)
    table[:, 0] = np.where(np.arange(30) % 7 == 0, NAN, 4.0)
    table[3] = NAN
    done = impute(table, KINDS, rng=np.random.default_rng(0), settings=Settings(m=2, rounds=2))
    assert {"constant_column", "nothing_observed"} <= {remark.category for remark in done.remarks}
    assert (done.values[:, :, 0] == 4.0).all()
    assert np.isfinite(done.values).all()
