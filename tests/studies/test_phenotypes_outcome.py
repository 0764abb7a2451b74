"""Least squares of the outcome: HC3 by its definition, covariates as columns, what cannot be identified."""

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.studies.phenotypes_outcome import (
    Outcome,
    covariate_design,
    outcome_rows,
    regress,
    regress_arrays,
)


def test_hc3_by_its_definition() -> None:
    rng = np.random.default_rng(1)
    design = rng.standard_normal((60, 3))
    outcome = design @ [1.0, -2.0, 0.5] + rng.standard_normal(60) * (1 + design[:, 0] ** 2)
    found = regress_arrays(outcome, design)
    x = np.column_stack([np.ones(60), design])
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ outcome
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    weighted = x * ((outcome - x @ beta) / (1 - leverage))[:, np.newaxis]
    covariance = inverse @ (weighted.T @ weighted) @ inverse
    np.testing.assert_allclose(found.value, beta[1:])
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(covariance))[1:])
    assert found.df == 56


def test_rows_with_missing_values_and_redundant_columns_are_left_out() -> None:
    rng = np.random.default_rng(2)
    a = rng.standard_normal(50)
    design = pd.DataFrame({"a": a, "twice": 2 * a + 1, "constant": 3.0, "b": rng.standard_normal(50)})
    design.loc[0, "b"] = np.nan
    outcome = a + rng.standard_normal(50)
    outcome[1] = np.nan
    found = regress(outcome, design)
    assert found is not None
    assert found.terms == ("a", "b")
    assert found.n == 48


def test_too_few_rows_give_an_absent_row() -> None:
    labels, axis = np.array([0, 1, 0]), np.zeros(3)
    outcome = Outcome(np.arange(3.0), pd.DataFrame(index=range(3)), "alsfrs_r")
    rows = list(outcome_rows(outcome, labels, axis, level=0.95))
    assert {row["absent"] for row in rows} == {"insufficient_data"}


@pytest.fixture
def cohort() -> Cohort:
    subjects = pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d"],
            "sex": ["male", "female", "male", ""],
            "onset_day": [-365.25, -730.5, np.nan, -30.4375],
            "centre": ["x", "x", "y", "z"],
        }
    )
    return make_cohort(subjects, pd.DataFrame(), pd.DataFrame())


def test_covariates_become_columns(cohort: Cohort) -> None:
    design = covariate_design(cohort, ["duration_months", "sex", "centre"], ["d", "b", "a", "c"])
    assert list(design) == ["duration_months", "sex: female", "centre: y", "centre: z"]
    np.testing.assert_allclose(design["duration_months"], [1.0, 24.0, 12.0, np.nan])
    np.testing.assert_array_equal(design["sex: female"], [np.nan, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(design["centre: z"], [1.0, 0.0, 0.0, 0.0])
