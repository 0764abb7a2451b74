"""Cohorts: checked as a whole, selected with a flow, spread into feature matrices."""

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, feature_matrix, make_cohort, select, subject_columns
from myoproof.core.study import CohortFilter, Feature
from myoproof.errors import InvalidInput


def small_cohort() -> Cohort:
    subjects = pd.DataFrame(
        {"subject": ["s1", "s2", "s3"], "sex": ["male", "female", ""], "arm": ["als", "als", "control"]}
    )
    rows = [
        {"subject": subject, "session": "m00", "modality": "ultrasound", "measure": "thickness",
         "site": site, "side": side, "value": 10.0 + number + (side == "right")}
        for number, subject in enumerate(["s1", "s2"])
        for site in ("deltoid", "biceps_brachii")
        for side in ("left", "right")
    ]  # fmt: skip
    covariates = pd.DataFrame({"subject": ["s1", "s2", "s3"], "body_mass_index": [22.0, 25.0, 31.0]})
    return make_cohort(subjects, pd.DataFrame(), pd.DataFrame(rows), covariates=covariates)


def test_feature_matrix_spreads_sites_and_means_sides() -> None:
    matrix = feature_matrix(small_cohort(), [Feature(measure="thickness", side="mean")])
    assert list(matrix.columns) == ["thickness/biceps_brachii/mean", "thickness/deltoid/mean"]
    assert matrix.loc["s2"].tolist() == [11.5, 11.5]
    assert matrix.loc["s3"].isna().all()


def test_feature_matrix_names_every_missing_feature() -> None:
    wanted = [Feature(measure="thickness", site="deltiod"), Feature(measure="echogenicity")]
    with pytest.raises(InvalidInput, match="2 faults") as caught:
        feature_matrix(small_cohort(), wanted)
    assert "did you mean 'deltoid'" in str(caught.value)
    assert "no rows for feature echogenicity" in str(caught.value)


def test_two_methods_for_one_feature_are_refused() -> None:
    cohort = small_cohort()
    twice = pd.concat([cohort.measurements, cohort.measurements.assign(method="other")])
    doubled = make_cohort(cohort.subjects, pd.DataFrame(), twice)
    with pytest.raises(InvalidInput, match="name the method or the rater"):
        feature_matrix(doubled, [Feature(measure="thickness", side="left")])
    one = feature_matrix(doubled, [Feature(measure="thickness", side="left", method="other")])
    assert one.loc["s1"].tolist() == [10.0, 10.0]


def test_select_counts_who_left() -> None:
    chosen, flow = select(small_cohort(), CohortFilter(arm=["als", "control"], modality="ultrasound"))
    assert [step[1] for step in flow] == [3, 3, 2]
    assert list(chosen.subjects["subject"]) == ["s1", "s2"]
    assert list(chosen.covariates["subject"]) == ["s1", "s2"]


def test_select_refuses_an_empty_cohort() -> None:
    with pytest.raises(InvalidInput, match="no subject is left"):
        select(small_cohort(), CohortFilter(diagnosis=["SMA"]))


def test_strangers_and_doubles_are_told_together() -> None:
    cohort = small_cohort()
    people = pd.concat([cohort.subjects.iloc[:1], cohort.subjects.iloc[:1]])
    with pytest.raises(InvalidInput, match="2 faults") as caught:
        make_cohort(people, pd.DataFrame(), cohort.measurements)
    assert "s1 occurs twice" in str(caught.value)
    assert "1 subjects are not in the subjects table, for example 's2'" in str(caught.value)


def test_covariates_come_from_both_tables() -> None:
    frame = subject_columns(small_cohort(), ["sex", "body_mass_index"])
    assert frame.loc["s2"].tolist() == ["female", 25.0]
    with pytest.raises(InvalidInput, match="did you mean 'body_mass_index'"):
        subject_columns(small_cohort(), ["body_mas_index"])


def test_mean_of_sides_needs_both() -> None:
    cohort = small_cohort()
    rows = cohort.measurements.copy()
    rows.loc[(rows["subject"] == "s1") & (rows["side"] == "left"), ["value", "absent"]] = [
        np.nan,
        "not_measured",
    ]
    broken = make_cohort(cohort.subjects, pd.DataFrame(), rows)
    matrix = feature_matrix(broken, [Feature(measure="thickness", side="mean")])
    assert matrix.loc["s1"].isna().all()
    assert matrix.loc["s2"].notna().all()
