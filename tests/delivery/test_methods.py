"""Methods and limitations: generated from the study file and the rows."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.core.evidence import evidence_frame
from myoproof.core.result import Result
from myoproof.core.study import Study, parse_study
from myoproof.delivery import methods

_VALUE = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text(),
    st.lists(st.integers(0, 9), max_size=3), st.dictionaries(st.text(min_size=1), st.text(), max_size=2),
)  # fmt: skip


@given(st.text(), st.dictionaries(st.text(min_size=1), _VALUE, max_size=4))
def test_a_study_reads_back_from_the_toml_in_the_report(question: str, method: dict[str, object]) -> None:
    study = Study.model_validate(
        {
            "name": "a",
            "title": "A",
            "question": question,
            "kind": "k",
            "features": [{"measure": "volume"}],
            "seed": 1,
            "method": method,
        }
    )
    assert parse_study(methods.study_toml(study)) == study


def test_the_templates_read_back(continuum: Result, course: Result) -> None:
    for result in (continuum, course):
        assert parse_study(methods.study_toml(result.study)).digest == result.study.digest


def test_methods_tell_question_features_covariates_seed_and_software(continuum: Result) -> None:
    told = dict(methods.methods(continuum.study, {"numpy": "2.0.0", "myoproof": "0.1.0"}))
    assert told["Question"] == continuum.study.question
    assert told["Adjusted for"] == "Age, sex, body mass index and centre"
    assert told["Seed"] == "7"
    assert told["Software"] == "numpy 2.0.0 and myoproof 0.1.0"
    assert "echogenicity" in told["Features"]
    assert "k 2, 3, 4 and 5" in told["Parameters"]
    assert "never built with the outcome" in told["Analysis"]


@pytest.mark.parametrize(("claimed", "word"), [(0, "Not rejecting"), (2, "Rejecting")])
def test_the_limit_of_the_claim_fits_the_claim(
    continuum: Result, subtypes: Result, claimed: int, word: str
) -> None:
    result = subtypes if claimed else continuum
    told = methods.limitations([result], evidence_frame([]), simulated=True)
    assert [line.split(" a null")[0].split(" these")[0] for line in told[1:2]] == [word]
    assert told[0] == "The data are simulated. Nothing here is a finding about patients."


def test_limits_count_who_left_what_is_absent_and_what_failed(course: Result, evidence: pd.DataFrame) -> None:
    told = " ".join(methods.limitations([course], evidence, simulated=False))
    assert "left out on the way were n\u00a0=\u00a03 (the subject left the study)" in told
    assert "1 estimates (" in told
    assert "the measurement was not made (1)" in told
    assert "2 of 4 evidence rows failed or are inconclusive" in told
    assert "simulated" not in told
