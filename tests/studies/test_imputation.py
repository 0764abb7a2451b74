"""Completed cohorts and pooled regressions."""

import numpy as np
import pandas as pd
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.chained import Settings
from myoproof.studies.imputation import chain_table, complete, long_table, pooled_regression


def table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, n)
    sex = np.where(rng.random(n) < 0.5, "female", "male").astype(object)
    score = 40 - 0.2 * (age - 60) - 3 * (sex == "male") + rng.normal(0, 2, n)
    score[rng.random(n) < 1 / (1 + np.exp(-(age - 65) / 10))] = np.nan
    sex[::11] = ""
    return pd.DataFrame(
        {"age": age, "sex": sex, "score": score}, index=pd.Index([f"s{k}" for k in range(n)], name="subject")
    )


HOW = Settings(m=8, rounds=4)


def test_words_stay_words_and_observed_values_stay() -> None:
    holed = table()
    done = complete(holed, rng=np.random.default_rng(1), settings=HOW)
    assert done.kinds == ("number", "category", "number")
    for one in done.tables:
        assert set(one["sex"]) == {"female", "male"}
        known = holed["score"].notna()
        pd.testing.assert_series_equal(one.loc[known, "score"], holed.loc[known, "score"])
        assert (one.loc[holed["sex"] != "", "sex"] == holed.loc[holed["sex"] != "", "sex"]).all()
    assert len(long_table(done)) == 8 * 120
    chains = chain_table(done)
    assert set(chains["column"]) == {"sex", "score"}
    assert len(chains) == 2 * 8 * 4


def test_pooled_regression_recovers_the_effects() -> None:
    done = complete(table(600), rng=np.random.default_rng(1), settings=HOW)
    rows = pooled_regression(done, "score", ["age", "sex"])
    found = rows[rows["analysis"] == "pooled_regression"].set_index("term")
    assert found.loc["age", "value"] == pytest.approx(-0.2, abs=4 * found.loc["age", "se"])
    assert found.loc["sex: male", "value"] == pytest.approx(-3, abs=4 * found.loc["sex: male", "se"])
    assert (found["df"] < 597).all()
    shares = rows[rows["analysis"] == "missing_information"]["value"]
    assert shares.between(0.1, 0.9).all()


def test_complete_table_is_least_squares() -> None:
    whole = table().assign(score=np.arange(120.0), sex="x")[["age", "score"]]
    done = complete(whole, rng=np.random.default_rng(1), settings=HOW)
    found = pooled_regression(done, "score", ["age"]).set_index(["analysis", "term"])
    x = np.column_stack([np.ones(120), whole["age"]])
    beta = np.linalg.lstsq(x, whole["score"], rcond=None)[0]
    assert found.loc[("pooled_regression", "age"), "value"] == pytest.approx(beta[1])
    assert found.loc[("pooled_regression", "age"), "df"] == pytest.approx(119 / 121 * 118)


@pytest.mark.parametrize(
    ("outcome", "terms", "word"),
    [
        ("scores", ["age"], "did you mean 'score'"),
        ("score", [], "there is none"),
        ("score", ["score"], "among the terms"),
        ("sex", ["age"], "is no number"),
    ],
)
def test_questions_that_cannot_be_asked(outcome: str, terms: list[str], word: str) -> None:
    done = complete(table(), rng=np.random.default_rng(1), settings=Settings(m=2, rounds=1))
    with pytest.raises(InvalidInput, match=word):
        pooled_regression(done, outcome, terms)


def test_columns_that_cannot_be_completed() -> None:
    bad = table().assign(name=[f"n{k}" for k in range(120)])
    with pytest.raises(InvalidInput, match="name has 120 categories"):
        complete(bad, rng=np.random.default_rng(1))
    with pytest.raises(InvalidInput, match="empty holds no value"):
        complete(table().assign(empty=np.nan), rng=np.random.default_rng(1))
    done = complete(table().assign(same=1.0), rng=np.random.default_rng(1), settings=Settings(m=2, rounds=1))
    with pytest.raises(InvalidInput, match="not identified"):
        pooled_regression(done, "score", ["same"])
