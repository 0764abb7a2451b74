"""The trial part of a progression study: estimand, windows, arms by visit, drop-out, death, and bad input."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.result import Result
from myoproof.core.study import Study, parse_study
from myoproof.core.table import Table
from myoproof.errors import InvalidInput
from myoproof.numerics.mmrm import fit_mmrm
from myoproof.numerics.mmrm_inference import estimate, infer
from myoproof.numerics.mmrm_layout import Observations
from myoproof.phantoms.trial import TrialParams
from myoproof.phantoms.trial import cohort as simulated_trial
from myoproof.studies.progression import run

TEMPLATE = Path(__file__).parents[2] / "src/myoproof/studies/templates/als-trial-mmrm.toml"
SCORE, LEFT = "alsfrs_r/total/", "volume/thigh/left"
CONTRAST = "active - placebo"


def question(**changes: Any) -> Study:
    """The template with one feature and few imputations."""
    study = parse_study(TEMPLATE.read_text(encoding="utf-8"))
    content = study.model_dump()
    content["features"] = [{"measure": "alsfrs_r"}]
    content["method"].pop("sensitivity")
    content["method"]["mmrm"]["slopes"] = False
    method = changes.pop("method", {})
    mmrm = changes.pop("mmrm", {})
    content |= changes
    content["method"] |= method
    content["method"]["mmrm"] |= mmrm
    return Study.model_validate(content)


def answer(cohort: Cohort, study: Study | None = None) -> Result:
    study = study or question()
    return run(cohort, study, rng=np.random.default_rng(study.seed))


def rows(result: Result, analysis: str, **where: str) -> pd.DataFrame:
    found = result.estimates[result.estimates["analysis"] == analysis]
    for column, value in where.items():
        found = found[found[column] == value]
    return found


def one(result: Result, analysis: str, **where: str) -> pd.Series:
    found = rows(result, analysis, **where)
    assert len(found) == 1, (analysis, where, len(found))
    return found.iloc[0]


def finding(result: Result, category: str) -> pd.DataFrame:
    return rows(result, "finding", method=category)


@pytest.fixture(scope="module")
def trial() -> Cohort:
    return simulated_trial(rng=np.random.default_rng(11), params=TrialParams(per_arm=50))


@pytest.fixture(scope="module")
def plain(trial: Cohort) -> Result:
    return answer(trial)


def with_values(cohort: Cohort, change: Any) -> Cohort:
    frame = cohort.measurements.copy()
    frame["value"] = change(frame)
    frame["absent"] = np.where(frame["value"].isna(), "not_measured", "")
    return replace(cohort, measurements=Table(frame))


def in_arm(cohort: Cohort, frame: pd.DataFrame, arm: str) -> "pd.Series[bool]":
    return frame["subject"].map(cohort.subjects.set_index("subject")["arm"]) == arm


def test_contrasts_are_those_of_the_model_by_hand(trial: Cohort, plain: Result) -> None:
    """The same design built from the tables without the study's own code."""
    frame = trial.measurements[trial.measurements["measure"] == "alsfrs_r"]
    days = trial.acquisitions.drop_duplicates(["subject", "session"]).set_index(["subject", "session"])["day"]
    day = days.reindex(pd.MultiIndex.from_frame(frame[["subject", "session"]])).to_numpy()
    planned = np.array([0, 91, 183, 274, 365])
    place = np.abs(day[:, None] - planned).argmin(axis=1)
    distance = np.abs(day - planned[place])
    usable = frame.assign(visit=place, far=distance)[distance <= np.where(place == 0, 14, 30)]
    usable = usable.sort_values("far").drop_duplicates(["subject", "visit"])
    wide = usable.pivot(index="subject", columns="visit", values="value")
    people = trial.subjects.set_index("subject").reindex(wide.index)
    treated = (people["arm"] == "active").to_numpy()
    limb = (people["onset_site"] == "limb").to_numpy(dtype=np.float64)
    start = wide[0].to_numpy()
    change = wide[[1, 2, 3, 4]].to_numpy() - start[:, None]
    who, visit = np.nonzero(np.isfinite(change))
    steps = np.eye(4)[visit]
    columns = [steps, steps * treated[who, None], steps * (start - start.mean())[who, None]]
    design = np.column_stack([*columns, (limb - limb.mean())[who]])
    fit = fit_mmrm(Observations(change[who, visit], design, who, visit))
    judged = infer(fit, "kenward_roger")
    for number, session in enumerate(("m03", "m06", "m09", "m12")):
        expected = estimate(judged, np.eye(design.shape[1])[4 + number])
        row = one(plain, "contrast", term=SCORE, method=session)
        for name in ("value", "se", "df", "p", "low", "high"):
            assert row[name] == pytest.approx(getattr(expected, name), rel=1e-6), (session, name)
        assert row["n_subjects"] == int((visit == number).sum())


def test_least_squares_means_differ_by_the_contrast(plain: Result) -> None:
    for session in ("m03", "m12"):
        active, placebo = (one(plain, "ls_mean", group=arm, method=session) for arm in ("active", "placebo"))
        contrast = one(plain, "contrast", method=session)
        assert active["value"] - placebo["value"] == pytest.approx(contrast["value"])
        assert active["value"] > placebo["value"]
        assert placebo["value"] < 0


def test_the_template_holds_every_part(trial: Cohort) -> None:
    study = parse_study(TEMPLATE.read_text(encoding="utf-8"))
    content = study.model_dump()
    content["method"]["sensitivity"]["imputations"] = 20
    result = answer(trial, Study.model_validate(content))
    held = set(result.estimates["analysis"])
    assert held >= {
        "finding", "mmrm_fit", "mmrm_covariance", "ls_mean", "contrast", "contrast_joint", "random_slope",
        "composite", "sensitivity", "tipping_point", "change", "difference", "flow", "flow_control",
    }  # fmt: skip
    assert "srm" not in held
    assert set(rows(result, "sensitivity")["term"]) == {SCORE}
    values = {
        text.split()[0]: value for text, value in rows(result, "sensitivity")[["method", "value"]].to_numpy()
    }
    assert values["jump_to_reference"] < values["missing_at_random"]
    slope = one(result, "random_slope", term=SCORE, group=CONTRAST)
    assert slope["method"] == "random_slope kenward_roger"
    assert slope["value"] > 0
    assert 0.5 < one(result, "composite", term=SCORE)["value"] < 1
    tip = one(result, "tipping_point", term=SCORE)
    assert tip["value"] > 0 or tip["absent"] or tip["flags"]


def test_constrained_analysis_agrees_and_uses_those_without_later_visits(
    trial: Cohort, plain: Result
) -> None:
    result = answer(trial, question(mmrm={"model": "clda", "df": "satterthwaite"}))
    assert one(result, "mmrm_fit")["method"] == "clda UN reml satterthwaite"
    assert one(result, "mmrm_fit")["n_subjects"] == 100
    last, other = (one(found, "contrast", method="m12") for found in (result, plain))
    assert last["value"] == pytest.approx(other["value"], abs=0.8 * other["se"])
    assert last["se"] == pytest.approx(other["se"], rel=0.1)


def test_covariances_by_arm_and_balanced_margins(trial: Cohort, plain: Result) -> None:
    result = answer(trial, question(mmrm={"by_arm": True, "margins": "balanced"}))
    spread = rows(result, "mmrm_covariance")
    assert set(spread["group"]) == {"active", "placebo"}
    values = trial.measurements[trial.measurements["measure"] == "alsfrs_r"]
    assert len(values)
    sd = {
        arm: float(one(result, "mmrm_covariance", group=arm, method="sd m12")["value"])
        for arm in ("active", "placebo")
    }
    assert sd["placebo"] > sd["active"]
    mean, other = (one(found, "ls_mean", group="placebo", method="m12")["value"] for found in (result, plain))
    assert mean != pytest.approx(other, abs=1e-6)


def test_windows_give_visits_by_day(trial: Cohort) -> None:
    result = answer(trial)
    told = finding(result, "visit_outside_windows")
    unscheduled = trial.acquisitions[trial.acquisitions["session"] == "unscheduled"]["subject"].nunique()
    assert len(told) == 1
    assert told["value"].iloc[0] >= unscheduled
    assert "trial-" in told["group"].iloc[0]
    levels = rows(result, "level", term=SCORE)
    assert set(levels["method"]) == {"m00", "m03", "m06", "m09", "m12"}


@pytest.mark.parametrize(("rule", "expected"), [("nearest", 30.0), ("last", 20.0), ("worst", 10.0)])
def test_of_several_in_a_window_the_rule_decides(trial: Cohort, rule: str, expected: float) -> None:
    name = trial.subjects["subject"].iloc[0]
    more = pd.DataFrame(
        {"subject": name, "session": ["x1", "x2", "x3"], "modality": "clinical", "day": [85.0, 91.0, 99.0]}
    )
    scores = pd.DataFrame(
        {
            "subject": name, "session": ["x1", "x2", "x3"], "modality": "clinical", "measure": "alsfrs_r",
            "site": "total", "unit": "{score}", "value": [10.0, 30.0, 20.0],
        }
    )  # fmt: skip
    old = trial.measurements
    kept = old[~((old["subject"] == name) & (old["session"] == "m03"))]
    cohort = make_cohort(
        trial.subjects,
        pd.concat([trial.acquisitions, more], ignore_index=True),
        pd.concat([kept, scores], ignore_index=True),
        trial.events,
        trial.covariates,
    )
    result = answer(cohort, question(method={"visit_rule": rule}))
    levels = result.predictions[result.predictions["subject"] == name]
    found = levels[(levels["target"] == f"level:{SCORE}") & levels["day"].between(80, 100)]
    assert found["value"].tolist() == [expected]
    assert finding(result, "visit_repeated")["n_rows"].iloc[0] >= 2


def test_windows_that_overlap_are_refused_together(trial: Cohort) -> None:
    visits = [
        {"session": "m00", "day": 0.0, "earliest": -10.0, "latest": 50.0},
        {"session": "m03", "day": 91.0, "earliest": 40.0, "latest": 80.0},
        {"session": "m03", "day": 180.0, "earliest": 150.0, "latest": 200.0},
    ]
    with pytest.raises(InvalidInput) as told:
        answer(trial, question(method={"visits": visits}))
    for words in ("overlap", "outside its window", "named twice"):
        assert words in str(told.value)


def test_strategies_decide_which_values_count(trial: Cohort) -> None:
    def asked(strategy: str) -> Result:
        estimand = {
            "population": "all", "treatment": "active", "endpoint": "score", "summary": "difference",
            "intercurrent_events": [{"event": "treatment_stop", "strategy": strategy}],
        }  # fmt: skip
        return answer(trial, question(estimand=estimand))

    policy, hypothetical = asked("treatment_policy"), asked("hypothetical")
    assert finding(policy, "left_out_by_estimand").empty
    left = finding(hypothetical, "left_out_by_estimand")
    assert left["n_rows"].iloc[0] >= 1
    lost = one(policy, "mmrm_fit")["n_rows"] - one(hypothetical, "mmrm_fit")["n_rows"]
    assert lost == left["n_rows"].iloc[0]
    alive = answer(
        trial,
        question(
            estimand={
                "population": "all", "treatment": "active", "endpoint": "score", "summary": "difference",
                "intercurrent_events": [{"event": "death", "strategy": "while_alive"}],
            }
        ),
    )  # fmt: skip
    assert rows(alive, "composite").empty
    assert one(alive, "while_alive")["value"] > 0


def test_an_event_with_two_strategies_is_refused() -> None:
    text = TEMPLATE.read_text(encoding="utf-8").replace('event = "treatment_stop"', 'event = "death"')
    with pytest.raises(InvalidInput, match="two strategies"):
        parse_study(text)


def test_a_trial_without_second_arm_and_drop_out_without_trial_are_refused(trial: Cohort) -> None:
    with pytest.raises(InvalidInput, match="two arms"):
        answer(trial, question(method={"controls": ""}))
    content = question(method={"sensitivity": {}}).model_dump()
    content["method"].pop("mmrm")
    with pytest.raises(InvalidInput, match="trials only"):
        answer(trial, Study.model_validate(content))


def test_structures_are_tried_in_order_until_one_converges(trial: Cohort) -> None:
    """Month 12 is month 9 again: their covariance is singular."""
    frame = trial.measurements
    scores = frame["measure"] == "alsfrs_r"
    nine = frame[scores & (frame["session"] == "m09")].set_index("subject")["value"]
    twelve = scores & (frame["session"] == "m12")

    def twin(held: pd.DataFrame) -> "pd.Series[float]":
        return held["value"].where(~twelve, held["subject"].map(nine))

    result = answer(with_values(trial, twin))
    fits = rows(result, "mmrm_fit")
    assert fits["absent"].iloc[0] == "not_converged"
    assert fits["flags"].iloc[0] == "singular_covariance"
    assert fits["absent"].iloc[-1] == ""
    assert len(fits) > 1
    alone = answer(with_values(trial, twin), question(mmrm={"structures": ["UN"]}))
    assert (rows(alone, "contrast")["absent"] == "not_converged").all()


def test_nothing_in_one_arm_is_told_and_not_estimated(trial: Cohort) -> None:
    def emptied(frame: pd.DataFrame) -> "pd.Series[float]":
        late = (frame["session"] != "m00") & in_arm(trial, frame, "placebo")
        return frame["value"].where(~late)

    result = answer(with_values(trial, emptied))
    assert (rows(result, "contrast")["absent"] == "not_measured").all()
    assert len(finding(result, "no_data_in_arm")) == 4

    def thinned(frame: pd.DataFrame) -> "pd.Series[float]":
        late = (
            (frame["session"] == "m12") & in_arm(trial, frame, "placebo") & (frame["subject"] > "trial-008")
        )
        return frame["value"].where(~late)

    few = answer(with_values(trial, thinned))
    cell = finding(few, "few_in_cell")
    assert cell["group"].str.contains("placebo at m12").all()
    last = one(few, "contrast", method="m12")
    assert last["absent"] == ("insufficient_data" if len(cell) else "not_measured")
    assert np.isfinite(one(few, "contrast", method="m09")["value"])


def test_covariates_that_say_nothing_or_part_the_arms_are_named(trial: Cohort) -> None:
    arm = trial.subjects["arm"]
    extra = trial.covariates.assign(
        flat=1.0,
        twin=(arm == "active").astype(float).to_numpy(),
        apart=np.where(arm == "active", "yes", "no"),
        half=np.where(arm == "active", 3.0, np.arange(len(arm))),
    )
    cohort = replace(trial, covariates=extra)
    flat = answer(cohort, question(covariates=["flat"]))
    assert len(finding(flat, "covariate_constant")) == 1
    assert np.isfinite(one(flat, "contrast", method="m12")["value"])
    half = answer(cohort, question(covariates=["half"]))
    assert len(finding(half, "covariate_constant_in_arm")) == 1
    for name in ("twin", "apart"):
        parted = answer(cohort, question(covariates=[name]))
        assert len(finding(parted, "covariate_separates_arms")) == 1
        assert (rows(parted, "contrast")["absent"] == "not_estimable").all()
        assert rows(parted, "contrast_joint")["absent"].iloc[0] == "not_estimable"


def test_one_visit_alone_is_told(trial: Cohort) -> None:
    early = replace(trial, measurements=Table(trial.measurements[trial.measurements["session"] == "m00"]))
    result = answer(early)
    assert len(finding(result, "one_visit")) == 1
    assert (rows(result, "contrast")["absent"] == "single_visit").all()
    two = trial.measurements[trial.measurements["session"].isin(["m00", "m06"])]
    single = answer(replace(trial, measurements=Table(two)))
    assert "only m06 after baseline" in finding(single, "one_visit")["group"].iloc[0]
    assert np.isfinite(one(single, "contrast", method="m06")["value"])


def test_backward_follow_up_and_changed_arms_are_told(trial: Cohort) -> None:
    name = trial.subjects["subject"].iloc[3]
    events = pd.DataFrame(
        [
            {"subject": name, "start_day": 0.0, "end_day": -5.0, "kind": "dropout", "status": "observed"},
            {"subject": name, "start_day": 0.0, "end_day": 99.0, "kind": "arm_change", "status": "observed"},
        ]
    )
    cohort = replace(trial, events=pd.concat([trial.events, events], ignore_index=True))
    result = answer(cohort)
    assert name in finding(result, "negative_follow_up")["group"].iloc[0]
    changed = finding(result, "arm_changed")
    assert changed["value"].tolist() == [1.0]
    assert "counted in the arm assigned" in changed["group"].iloc[0]
    visits = trial.acquisitions.copy()
    visits.loc[(visits["subject"] == name) & (visits["session"] == "m03"), "day"] = -20.0
    plain = question(cohort={"sessions": ["m00", "m03", "m06"]}, method={"visits": []})
    backward = answer(replace(trial, acquisitions=visits), plain)
    told = finding(backward, "negative_follow_up")
    assert name in told["group"].iloc[0]
    assert told["term"].iloc[0] == SCORE


def test_both_legs_count_as_one_patient(trial: Cohort) -> None:
    study = question(
        features=[{"measure": "volume", "site": "thigh", "side": "*"}],
        correlates=[{"measure": "alsfrs_r"}],
        families={},
        method={"adjust": {}},
    )
    result = answer(trial, study)
    joined = one(result, "correlation", term="volume/thigh/left+right", method="pearson_by_subject")
    left = one(result, "correlation", term=LEFT, method="pearson")
    assert joined["n_rows"] == 2 * joined["n_subjects"]
    assert joined["df"] == joined["n_subjects"] - 1
    assert joined["value"] == pytest.approx(left["value"], abs=0.25)
    slope = one(result, "correlation", term="volume/thigh/left+right", method="slope_by_subject")
    assert slope["value"] > 0
    assert slope["df"] < joined["n_rows"] - 2


def test_one_seed_one_answer_and_inputs_stay(trial: Cohort, plain: Result) -> None:
    before = trial.measurements.copy()
    again = answer(trial)
    pd.testing.assert_frame_equal(again.estimates, plain.estimates)
    pd.testing.assert_frame_equal(trial.measurements, before)
