"""Clinical scores from rows: the same numbers as the arithmetic, at the right visits, absent with a reason."""

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.table import Table, from_rows
from myoproof.errors import OutOfDomain
from myoproof.measures.clinical import ITEM_WORDS, Params, Visits, derive, disagreements


def rows_of(subject: str, session: str, items: list[float], *, fed: bool = False) -> list[dict[str, object]]:
    start = {"subject": subject, "session": session, "modality": "clinical", "method": "recorded"}
    return [
        {**start, "measure": word, "value": value, "absent": "not_recorded" if np.isnan(value) else "",
         "at": "gastrostomy" if fed and word == "alsfrs_r_cutting" else ""}
        for word, value in zip(ITEM_WORDS, items, strict=True)
    ]  # fmt: skip


@pytest.fixture
def cohort() -> Cohort:
    subjects = pd.DataFrame(
        {
            "subject": ["a", "b"],
            "age_years": [58 + 10.9 / 12, 60.0],
            "onset_day": [-331.77, np.nan],
            "onset_site": ["limb", "bulbar"],
        }
    )
    visits = [("a", "m00", 0), ("a", "m06", 183), ("b", "m00", 0)]
    acquisitions = pd.DataFrame(visits, columns=["subject", "session", "day"]).assign(modality="clinical")
    rows = [*rows_of("a", "m00", [4.0] * 11 + [3.0]), *rows_of("a", "m06", [3.0] * 12, fed=True)]
    rows += rows_of("b", "m00", [4.0, np.nan, *[4.0] * 10])
    rows.append({"subject": "a", "session": "m00", "modality": "clinical", "method": "recorded",
                 "measure": "forced_vital_capacity_predicted", "value": 0.96})  # fmt: skip
    covariates = pd.DataFrame({"subject": ["a", "b"], "diagnosis_day": [0.0, -10.0], "definite_el_escorial": 0,
                               "frontotemporal_dementia": 0, "c9orf72": 0})  # fmt: skip
    return make_cohort(subjects, acquisitions, from_rows(rows), None, covariates)


def test_scores_of_visits(cohort: Cohort) -> None:
    rows = derive(cohort.measurements, cohort)
    got = rows.set_index(["subject", "session", "measure"])["value"]
    assert got["a", "m00", "alsfrs_r"] == 47
    assert got["a", "m06", "alsfrs_r_bulbar"] == 9
    assert got["a", "m00", "kings_stage"] == 4, "respiratory insufficiency below 4"
    assert got["a", "m06", "kings_stage"] == 4
    assert got["a", "m00", "mitos_stage"] == 0
    assert got["a", "m00", "alsfrs_r_rate"] == pytest.approx(1 / (331.77 / 30.4375))
    absent = rows.set_index(["subject", "session", "measure"])["absent"]
    assert absent["b", "m00", "alsfrs_r"] == "insufficient_data"
    assert absent["b", "m00", "alsfrs_r_rate"] == "insufficient_data"
    assert set(rows["method"]) == {"clinical"}


def test_encals_is_informational_and_needs_its_covariates(cohort: Cohort) -> None:
    rows = derive(cohort.measurements, cohort)
    predictor = rows[rows["measure"] == "encals_linear_predictor"].set_index("subject")
    assert set(predictor["flags"]) == {"informational"}
    assert predictor.loc["b", "absent"] == "insufficient_data"
    assert -8 < predictor.loc["a", "value"] < -4
    bare = derive(cohort.measurements)
    assert "encals_linear_predictor" not in set(bare["measure"])
    assert bare.loc[bare["measure"] == "alsfrs_r_rate", "value"].isna().all()


def test_settings_change_the_stages_they_should() -> None:
    items = np.full((3, 12), 4.0)
    items[1, 0] = 1
    visits = Visits(items, np.full(3, np.nan), np.zeros(3, dtype=bool), np.full(3, 10.0))
    changed = disagreements(visits)
    assert changed["kings_without_region"].tolist() == [True, False, True]
    assert changed["communication"].tolist() == [False, True, False]
    with pytest.raises(OutOfDomain):
        Params(communication="xor")
    with pytest.raises(OutOfDomain):
        Params(kings_without_region=2)


def test_no_items_no_rows() -> None:
    assert derive(Table(from_rows([]))).empty
