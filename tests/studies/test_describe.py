"""Table 1, patterns of missing values, flow, windows and balance of a small cohort counted by hand."""

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.study import Feature
from myoproof.errors import InvalidInput
from myoproof.studies import describe

PEOPLE = pd.DataFrame(
    {
        "subject": ["s1", "s2", "s3", "s4", "s5", "s6"],
        "sex": ["female", "male", "male", "female", "", "male"],
        "age_years": [50.0, 60.0, 70.0, 40.0, np.nan, 60.0],
        "diagnosis": "ALS",
        "centre": ["a", "a", "b", "b", "b", "b"],
        "arm": ["drug", "drug", "drug", "placebo", "placebo", ""],
    }
)
VISITS = pd.DataFrame(
    {
        "subject": ["s1", "s1", "s2", "s3", "s4", "s5"],
        "session": ["m00", "m06", "m00", "m00", "m00", "m06"],
        "modality": "dixon",
        "day": [0.0, 190.0, 0.0, 40.0, 0.0, 240.0],
        "device": ["x", "x", "y", "y", "y", "x"],
    }
)
ROWS = pd.DataFrame(
    {
        "subject": ["s1", "s1", "s2", "s3", "s4"],
        "session": ["m00", "m06", "m00", "m00", "m00"],
        "modality": "dixon",
        "measure": "volume",
        "site": "thigh",
        "side": "both",
        "value": [800.0, 780.0, 900.0, 700.0, 650.0],
    }
)
VOLUME = Feature(measure="volume", site="thigh", side="both")


@pytest.fixture
def cohort() -> Cohort:
    return make_cohort(PEOPLE, VISITS, ROWS)


@pytest.fixture
def base(cohort: Cohort) -> describe.Baseline:
    return describe.baseline(cohort, columns=["age_years", "sex"], features=[VOLUME])


def test_table_one_counts(base: describe.Baseline) -> None:
    table = describe.table_one(base).set_index(["variable", "level", "group"])
    age = table.loc[("age_years", "", "all")]
    assert (age["n"], age["missing"], age["mean"], age["median"]) == (5, 1, 56.0, 60.0)
    drug = table.loc[("age_years", "", "drug")]
    assert (drug["n"], drug["mean"], drug["sd"]) == (3, 60.0, 10.0)
    placebo = table.loc[("age_years", "", "placebo")]
    assert (placebo["n"], placebo["missing"]) == (1, 1)
    assert np.isnan(placebo["sd"])
    women = table.loc[("sex", "female", "drug")]
    assert (women["count"], women["n"]) == (1, 3)
    assert women["share"] == pytest.approx(1 / 3)
    assert table.loc[("volume/thigh/both", "", "all"), "missing"] == 2
    assert table.loc[("sex", "female", "all"), "difference"] == pytest.approx(2)  # 1/3 against 1


def test_patterns_are_counted_most_frequent_first(base: describe.Baseline) -> None:
    found = describe.missing_patterns(base)
    assert found["n"].tolist() == [4, 1, 1]
    assert found["n"].sum() == len(base.table)
    assert found.iloc[0][["age_years", "sex", "volume/thigh/both"]].tolist() == [0, 0, 0]
    last = found.iloc[2][["age_years", "sex", "volume/thigh/both"]].tolist()
    assert last == [1, 1, 1]


def test_nothing_missing_gives_no_pattern(cohort: Cohort) -> None:
    base = describe.baseline(cohort, columns=["diagnosis"])
    assert describe.missing_patterns(base).empty


def test_flow_tells_who_left(cohort: Cohort, base: describe.Baseline) -> None:
    steps = describe.flow(cohort, base)
    assert [n for _, n, _ in steps] == [6, 5, 4, 1]
    assert steps[-1][2] == "single_visit"


def test_windows_are_judged_by_the_name_of_the_visit(cohort: Cohort) -> None:
    visits = describe.visit_windows(cohort).set_index(["subject", "session"])
    assert visits.loc[("s1", "m06"), "nominal_day"] == pytest.approx(182.625)
    assert bool(visits.loc[("s1", "m06"), "on_time"])
    assert not visits.loc[("s3", "m00"), "on_time"]
    assert not visits.loc[("s5", "m06"), "on_time"]
    other = make_cohort(PEOPLE, VISITS.assign(session="screening" + VISITS["session"]), ROWS.iloc[:0])
    assert describe.visit_windows(other)["on_time"].isna().all()


def test_balance_counts_subjects_on_each_device(cohort: Cohort, base: describe.Baseline) -> None:
    counts, found = describe.balance(cohort, base, "device")
    table = counts.pivot_table(index="device", columns="group", values="n")
    assert table.loc["x"].tolist() == [1, 1]
    assert table.loc["y"].tolist() == [2, 1]
    assert 0 <= found["cramers_v"] <= 1
    counts, found = describe.balance(make_cohort(PEOPLE.assign(centre=""), VISITS, ROWS), base, "centre")
    assert counts.empty
    assert np.isnan(found["p"])
    with pytest.raises(InvalidInput, match="is no place"):
        describe.balance(cohort, base, "city")


def test_groups_of_a_study_and_bad_groups(cohort: Cohort) -> None:
    clusters = describe.baseline(
        cohort, by="cluster", columns=["sex"], groups={"s1": "cluster-0", "s4": "cluster-1"}
    )
    assert clusters.names == ["cluster-0", "cluster-1"]
    with pytest.raises(InvalidInput, match="did you mean 'arm'"):
        describe.baseline(cohort, by="arms")
    with pytest.raises(InvalidInput, match="no subject has a genotype"):
        describe.baseline(cohort, by="genotype")
    many = pd.DataFrame({"subject": [f"p{k}" for k in range(30)], "age_years": np.arange(30.0)})
    with pytest.raises(InvalidInput, match="age_years has 30 values"):
        describe.baseline(make_cohort(many, pd.DataFrame(), pd.DataFrame()), by="age_years")


def test_usual_columns_are_those_that_say_something(cohort: Cohort) -> None:
    assert list(describe.baseline(cohort).table) == ["age_years", "sex", "centre"]
