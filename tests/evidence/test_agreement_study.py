"""The agreement study: published coefficients, simulated readers with known truth, and refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.result import Result
from myoproof.core.study import Study, parse_study
from myoproof.delivery.agreement_study import section
from myoproof.errors import InvalidInput
from myoproof.evidence.agreement_study import run
from myoproof.phantoms.readers import ReadersParams, cohort
from myoproof.workflow.templates import TEMPLATES

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Shrout and Fleiss, Psychol Bull 1979;86:420, table 2; coefficients with psych 2.2.9 in R 4.2.2."""


def study(**method: object) -> Study:
    ready = parse_study(TEMPLATES["reader-agreement"].text)
    return ready.model_copy(update={"method": {**ready.method, **method}})


def answered(given: Cohort, **method: object) -> Result:
    return run(given, study(**method), rng=np.random.default_rng(1))


def published() -> Cohort:
    rows = [
        {
            "subject": f"s{i}", "session": "m00", "modality": "ultrasound", "measure": "thickness",
            "site": "deltoid", "side": "left", "rater": f"r{j}", "value": float(value),
        }
        for i, row in enumerate(SHROUT_FLEISS)
        for j, value in enumerate(row)
    ]  # fmt: skip
    people = pd.DataFrame({"subject": [f"s{i}" for i in range(6)]})
    scans = people.assign(session="m00", modality="ultrasound", day=0.0)
    return make_cohort(people, scans, pd.DataFrame(rows))


def pick(result: Result, analysis: str) -> pd.DataFrame:
    return result.estimates[result.estimates["analysis"] == analysis]


def test_the_published_coefficients() -> None:
    icc = pick(answered(published()), "icc").set_index("group")
    known = {
        "1,1": 0.165742,
        "A,1": 0.289764,
        "C,1": 0.714841,
        "1,k": 0.442797,
        "A,k": 0.620051,
        "C,k": 0.909316,
    }
    for form, value in known.items():
        assert icc.loc[form, "value"] == pytest.approx(value, abs=5e-7)
    assert icc.loc["A,1", "low"] == pytest.approx(0.018787, abs=5e-7)
    assert icc.loc["A,1", "high"] == pytest.approx(0.761084, abs=5e-7)


def test_sem_is_the_mean_square_within_and_mdc_follows() -> None:
    found = answered(published())
    within = np.sqrt(np.var(SHROUT_FLEISS, axis=1, ddof=1).mean())
    (sem,) = pick(found, "sem")["value"]
    (mdc,) = pick(found, "mdc95")["value"]
    assert sem == pytest.approx(within)
    assert mdc == pytest.approx(1.96 * np.sqrt(2) * within, rel=1e-3)


def test_simulated_readers_are_recovered() -> None:
    params = ReadersParams(n=300)
    found = answered(cohort(rng=np.random.default_rng(8), params=params))
    bias = pick(found, "bias").query("term == 'thickness/vastus_lateralis/mean'").set_index("group")
    row = bias.loc["reader-2 - reader-1"]
    assert abs(row["value"] - 0.3) < row["high"] - row["low"], "within about four standard errors"
    assert row["n_subjects"] == 300
    assert row["n_rows"] == 600
    icc = pick(found, "icc").query("group == 'A,1' and term == 'thickness/vastus_lateralis/mean'").iloc[0]
    spread = 4.5**2 + params.side_sd_mm**2
    truth = spread / (spread + np.var(params.bias_mm, ddof=1) + params.error_sd_mm**2)
    assert abs(icc["value"] - truth) < icc["high"] - icc["low"]
    upper = pick(found, "upper_limit_of_agreement").query("term == 'thickness/vastus_lateralis/mean'")
    row = upper.set_index("group").loc["reader-2 - reader-1"]
    assert abs(row["value"] - (0.3 + 1.96 * np.sqrt(2) * 0.6)) < row["high"] - row["low"]


def test_a_reference_and_single_sides() -> None:
    given = cohort(rng=np.random.default_rng(8))
    found = answered(given, reference="reader-3")
    assert set(pick(found, "bias")["group"]) == {"reader-1 - reader-3", "reader-2 - reader-3"}
    one = study()
    apart = one.model_copy(update={"features": [one.features[0].model_copy(update={"side": "*"})]})
    terms = set(pick(run(given, apart, rng=np.random.default_rng(1)), "icc")["term"])
    assert "thickness/vastus_lateralis/left" in terms
    assert len(terms) == 4


def test_repeats_of_one_subject_widen_the_interval() -> None:
    """Three identical copies of each row under three `at` are no new subjects."""
    given = published()
    rows = given.measurements
    thrice = pd.concat([rows.assign(at=f"image:{place}") for place in (1, 2, 3)], ignore_index=True)
    found = answered(replace(given, measurements=thrice))
    assert set(pick(found, "icc")["n_subjects"]) == {6.0}
    once = pick(answered(given), "bias").iloc[0]
    again = pick(found, "bias").iloc[0]
    assert (again["low"], again["high"]) == pytest.approx((once["low"], once["high"]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"across": "method"}, "rows of one method only"),
        ({"reference": "reader-9"}, "no rows of the reference 'reader-9'"),
        ({"acros": "rater"}, "did you mean 'across'"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        answered(cohort(rng=np.random.default_rng(8)), **change)


def test_two_subjects_are_too_few() -> None:
    given = cohort(rng=np.random.default_rng(8), params=ReadersParams(n=2))
    found = answered(given)
    assert set(pick(found, "icc")["absent"]) == {"insufficient_data"}
    assert "Not estimated" in str(section(found, key="a").statements[0])


def test_the_report_says_and_draws() -> None:
    found = answered(cohort(rng=np.random.default_rng(8)))
    shown = section(found, key="a")
    assert {drawing.key for drawing in shown.drawings} == {"a-icc", "a-limits"}
    assert "MDC95" in shown.statements[0].text
    assert "simulated" in shown.drawings[0].svg.lower()
