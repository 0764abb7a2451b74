"""The joint model as an analysis: gathering, codes, flow, and what cannot be estimated."""

import numpy as np
import pandas as pd
import pytest
from benchmarks.joint_data import simulated

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.study import Feature
from myoproof.errors import InvalidInput
from myoproof.studies.progression_joint import JointParameters, joint_rows

YEAR = 365.25
WANTED = JointParameters(feature=Feature(measure="alsfrs_r"), knots=1)


def cohort(n: int = 90, *, seed: int = 3, late: bool = False) -> Cohort:
    """Simulated subjects as tables: the score falls, and with it the hazard of death rises."""
    rows, survival = simulated(seed, n, alpha=-0.6, late=late)
    rng = np.random.default_rng(seed)
    names = [f"s{place:03d}" for place in range(survival.times.size)]
    start = np.zeros(len(names)) if survival.entry is None else survival.entry
    visits = pd.DataFrame({"subject": [names[i] for i in rows.subjects], "years": rows.times})
    visits["session"] = "v" + visits.groupby("subject").cumcount().astype(str)
    day = YEAR * (rows.times - start[rows.subjects])
    return make_cohort(
        pd.DataFrame(
            {
                "subject": names,
                "arm": "als",
                "sex": rng.choice(["female", "male"], len(names)),
                "age_years": rng.normal(60, 10, len(names)),
                "onset_day": -YEAR * start,
            }
        ),
        visits[["subject", "session"]].assign(modality="clinical", day=day),
        visits[["subject", "session"]].assign(
            modality="clinical", measure="alsfrs_r", method="items", value=30 + 4 * rows.values
        ),
        pd.DataFrame(
            {
                "subject": names,
                "start_day": 0.0,
                "end_day": YEAR * (survival.times - start),
                "kind": "death",
                "status": np.where(survival.events, "observed", "censored"),
            }
        ),
    )


def frame(held: Cohort, wanted: JointParameters = WANTED) -> pd.DataFrame:
    return pd.DataFrame(list(joint_rows(held, wanted, group="als")))


def value(rows: pd.DataFrame, analysis: str, method: str, column: str = "value") -> float:
    found = rows[(rows["analysis"] == analysis) & (rows["method"] == method)]
    assert len(found) == 1, (analysis, method)
    return float(found[column].iloc[0])


def test_all_answers_stand_side_by_side() -> None:
    rows = frame(
        cohort(),
        JointParameters(feature=Feature(measure="alsfrs_r"), knots=1, hazard_by=["age_years", "sex"]),
    )
    truth = -0.6 / 4
    assert value(rows, "joint_model", "association/value", "low") < truth
    assert truth < value(rows, "joint_model", "association/value", "high")
    assert {"joint_model", "joint_dense", "joint_naive", "joint_cox", "joint_flow"} == set(rows["analysis"])
    for analysis in ("joint_model", "joint_cox"):
        assert np.isfinite(value(rows, analysis, "hazard/sex[male]"))
        assert np.isfinite(value(rows, analysis, "hazard/age_years"))
    assert np.isfinite(value(rows, "joint_cox", "association/first_value"))
    plain, dense = (value(rows, name, "association/value") for name in ("joint_model", "joint_dense"))
    assert plain == pytest.approx(dense, rel=0.01)
    units = rows[rows["analysis"] == "joint_model"].set_index("method")["unit"]
    assert units["longitudinal/time"] == "{score}/a"
    assert value(rows, "joint_naive", "longitudinal/time") != value(rows, "joint_model", "longitudinal/time")


def test_death_is_an_event_and_leaving_is_not() -> None:
    held = cohort()
    dropped = held.events.assign(kind="dropout", status="observed")
    events = pd.concat([held.events, dropped], ignore_index=True)
    plain, beside = (
        frame(held),
        frame(Cohort(held.subjects, held.acquisitions, held.measurements, events, held.covariates)),
    )
    pd.testing.assert_frame_equal(plain, beside)


def test_flow_counts_who_is_censored_without_being_known_alive() -> None:
    held = cohort()
    events = held.events.copy()
    alive = events.index[events["status"] == "censored"][:5]
    events.loc[alive, "status"] = "unknown"
    rows = frame(Cohort(held.subjects, held.acquisitions, held.measurements, events, held.covariates))
    flow = rows[rows["analysis"] == "joint_flow"].set_index("method")["value"]
    assert flow["status unknown, censored at the last measurement"] >= 4
    assert flow["death seen"] == (held.events["status"] == "observed").sum()


def test_time_from_onset_enters_late() -> None:
    held = cohort(140, late=True)
    wanted = JointParameters(feature=Feature(measure="alsfrs_r"), knots=0, origin="onset")
    rows = frame(held, wanted)
    assert abs(value(rows, "joint_model", "longitudinal/time") + 0.8 * 4) < 1.0
    assert value(rows, "joint_model", "longitudinal/intercept") == pytest.approx(30, abs=1.5)
    without = held.subjects.assign(onset_day=held.subjects["onset_day"].mask(held.subjects.index < 3))
    fewer = frame(Cohort(without, held.acquisitions, held.measurements, held.events, held.covariates), wanted)
    assert fewer["n_subjects"].max() == rows["n_subjects"].max() - 3


def test_measurements_after_death_are_cut_and_counted() -> None:
    held = cohort()
    died = held.events.loc[held.events["status"] == "observed", "subject"].iloc[0]
    late = held.acquisitions.assign(
        day=held.acquisitions["day"].where(
            (held.acquisitions["subject"] != died) | (held.acquisitions["session"] == "v0"), 9999.0
        )
    )
    rows = frame(Cohort(held.subjects, late, held.measurements, held.events, held.covariates))
    flow = rows[rows["analysis"] == "joint_flow"].set_index("method")["value"]
    assert flow["measurements after the event, cut"] > 0
    assert not rows[rows["analysis"] == "joint_model"].empty


def test_too_few_events_leave_a_row_that_says_so() -> None:
    held = cohort()
    few = held.events.copy()
    few.loc[few.index[few["status"] == "observed"][3:], "status"] = "censored"
    rows = frame(Cohort(held.subjects, held.acquisitions, held.measurements, few, held.covariates))
    assert rows.loc[rows["analysis"] == "joint_model", "absent"].tolist() == ["insufficient_data"]
    assert "3 events where 5 are needed" in set(rows["flags"].dropna())


def test_a_covariate_that_is_constant_is_named_in_the_flow() -> None:
    held = cohort()
    people = held.subjects.assign(age_years=60.0)
    wanted = JointParameters(feature=Feature(measure="alsfrs_r"), hazard_by=["age_years"])
    rows = frame(Cohort(people, held.acquisitions, held.measurements, held.events, held.covariates), wanted)
    assert rows.loc[rows["analysis"] == "joint_model", "absent"].tolist() == ["insufficient_data"]
    assert rows["flags"].str.contains("constant").any()


def test_slope_and_level_by_a_covariate() -> None:
    wanted = JointParameters(
        feature=Feature(measure="alsfrs_r"), knots=0, level_by=["sex"], slope_by=["sex"], association="both"
    )
    rows = frame(cohort(120), wanted)
    methods = set(rows.loc[rows["analysis"] == "joint_model", "method"])
    assert {"longitudinal/sex[male]", "longitudinal/time:sex[male]", "association/slope"} <= methods


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"events": ["death", "tracheostomy"]}, "no events of kind tracheostomy"),
        ({"hazard_by": ["age"]}, "no column 'age'"),
        ({"feature": Feature(measure="fat_fraction")}, "no rows for feature"),
    ],
)
def test_what_the_cohort_lacks_is_named(changes: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        frame(cohort(30), WANTED.model_copy(update=changes))
