"""Claims: decisions against their nulls and criteria written beforehand become evidence rows."""

from typing import Any

import numpy as np
import pytest

from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Feature, Study
from myoproof.errors import InvalidInput
from myoproof.evidence.claims import check, criteria


def result(rows: list[dict[str, Any]], *, accept: dict[str, Any] | None = None, **more: Any) -> Result:
    study = Study(
        name="a-study",
        title="",
        question="",
        kind="phenotypes",
        features=[Feature(measure="volume")],
        accept=accept or {},
        seed=1,
        method=more.pop("method", {}),
    )
    return Result(study, estimates_frame(rows), predictions_frame([]), **more)


def decision(p_gaussian: float, p_factor: float, claimed: float) -> list[dict[str, Any]]:
    base = {"analysis": "decision", "n_subjects": 454}
    return [
        {**base, "group": "gaussian", "statistic": 3.0, "p": p_gaussian},
        {**base, "group": "unimodal_factor", "statistic": 2.0, "p": p_factor},
        {**base, "group": "claim", "value": claimed},
    ]


@pytest.mark.parametrize(
    ("p_gaussian", "p_factor", "claimed", "verdicts"),
    [
        (0.01, 0.01, 2, ["pass", "pass", "pass"]),
        (0.01, 0.40, 0, ["pass", "inconclusive", "pass"]),
        (0.01, 0.40, 2, ["pass", "inconclusive", "fail"]),
        (0.01, 0.01, 0, ["pass", "pass", "fail"]),
        (np.nan, 0.01, 2, ["inconclusive", "pass", "inconclusive"]),
    ],
)
def test_a_claim_must_follow_from_its_nulls(
    p_gaussian: float, p_factor: float, claimed: float, verdicts: list[str]
) -> None:
    found = check(result(decision(p_gaussian, p_factor, claimed)))
    assert found["verdict"].tolist() == verdicts
    assert found["kind"].tolist() == ["claim"] * 3
    assert found["about"].str.startswith("a-study@").all()
    assert found["n"].tolist() == [454.0] * 3


def test_the_studys_own_alpha_is_used() -> None:
    rows = decision(0.03, 0.01, 0)
    assert check(result(rows, method={"alpha": 0.02}))["verdict"].tolist() == ["inconclusive", "pass", "pass"]


SRM = {
    "analysis": "srm",
    "term": "volume/thigh/both",
    "group": "als",
    "value": 1.2,
    "low": 0.7,
    "high": 1.8,
    "level": 0.95,
    "n_subjects": 17,
}


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ({"at_least": 0.5}, "pass"),
        ({"at_least": 1.0}, "inconclusive"),
        ({"at_least": 1.0, "judge": "value"}, "pass"),
        ({"at_least": 2.0}, "fail"),
        ({"at_least": 0.5, "at_most": 1.5}, "inconclusive"),
        ({"column": "low", "at_least": 0.8}, "fail"),
        ({"term": "volume/calf/both", "at_least": 0.5}, "inconclusive"),
    ],
)
def test_criteria_are_judged_by_the_interval(bounds: dict[str, Any], verdict: str) -> None:
    found = check(result([SRM], accept={"responsive": {"analysis": "srm", **bounds}}))
    assert found["verdict"].tolist() == [verdict]
    assert found["metric"].tolist() == ["responsive"]
    assert found["kind"].tolist() == ["criterion"]


def test_a_method_is_named_up_to_its_first_space() -> None:
    rows = [
        {"analysis": "change", "term": "t", "method": m, "value": -1.0, "p_adjusted": p}
        for m, p in (("paired_t", 0.01), ("paired_t_annualised", 0.3), ("rm_anova_gg df=1.5,23", 0.2))
    ]
    wanted = {"analysis": "change", "column": "p_adjusted", "at_most": 0.05}
    accept = {"t": {**wanted, "method": "paired_t"}, "f": {**wanted, "method": "rm_anova_gg"}}
    found = check(result(rows, accept=accept))
    assert found[["value", "verdict"]].to_numpy().tolist() == [[0.01, "pass"], [0.2, "fail"]]


def test_simulated_results_are_called_simulated() -> None:
    found = check(result([SRM], accept={"x": {"analysis": "srm", "at_least": 0.5}}, simulated=True))
    assert found["population"].tolist() == ["simulated cohort of the study"]


def test_nothing_claimed_gives_no_rows() -> None:
    assert check(result([SRM])).empty


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        ({"a": 0.5}, "no table"),
        ({"a": {"analysis": "srm"}}, "at_least or at_most"),
        ({"a": {"analysis": "srm", "at_leest": 1.0}}, "did you mean 'at_least'"),
        ({"a": {"analysis": "srm", "column": "q", "at_least": 1.0}}, "column"),
    ],
)
def test_criteria_that_cannot_be_understood_are_refused(accept: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        criteria(result([], accept=accept).study)


def test_all_faults_are_told_together() -> None:
    with pytest.raises(InvalidInput, match="2 faults"):
        criteria(result([], accept={"a": 1, "b": {"analysis": "srm"}}).study)
