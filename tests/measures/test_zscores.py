"""z-scores: rows against norms, refusals, every fault of a norm file, norms learnt from a cohort."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.table import from_rows
from myoproof.errors import InvalidInput, NotReadable
from myoproof.measures.zscores import Params, derive
from myoproof.measures.zscores_design import parse_terms
from myoproof.measures.zscores_fit import Params as FitParams
from myoproof.measures.zscores_fit import learn
from myoproof.measures.zscores_norms import Norm, NormFile, from_json, to_json

NORM = {
    "measure": "echogenicity", "site": "biceps_brachii", "view": "transverse", "method": "echogenicity:whole",
    "device": "device-a", "preset": "muscle",
    "terms": [{"name": "intercept"}, {"name": "age_years"}, {"name": "sex", "word": "male"}],
    "coefficients": [30.0, 0.4, -3.0],
    "covariance": [[4.0, -0.06, -0.5], [-0.06, 0.0012, 0.001], [-0.5, 0.001, 1.5]],
    "variance_between": 49.0, "df": 57.0, "n_subjects": 60, "n_rows": 60, "ranges": {"age_years": [20.0, 80.0]},
    "dynamic_range_db": 60.0, "gain_sd_db": 1.5,
}  # fmt: skip


def file_of(**changes: object) -> NormFile:
    return NormFile((Norm.model_validate(NORM | changes),))


def text_of(**changes: object) -> str:
    return json.dumps({"format": "myoproof-norm", "version": 1, "norms": [NORM | changes]})


def clinic(**changes: object) -> tuple[pd.DataFrame, Cohort]:
    """One man of 50 with a biceps of 60 grey levels, 120 days after his baseline."""
    row = {"subject": "p1", "session": "m00", "modality": "ultrasound", "site": "biceps_brachii", "side": "left",
           "measure": "echogenicity", "method": "echogenicity:whole", "value": 60.0}  # fmt: skip
    visit = {"subject": "p1", "session": "m00", "modality": "ultrasound", "day": 0.0, "device": "device-a",
             "preset": "muscle", "protocol": "transverse"}  # fmt: skip
    person = {"subject": "p1", "age_years": 50.0, "sex": "male"}
    parts = [{k: changes.get(k, v) for k, v in part.items()} for part in (row, visit, person)]
    parts[0] |= {k: v for k, v in changes.items() if k in ("low", "high", "level", "absent", "run")}
    if "run" in changes:
        parts[1]["run"] = changes["run"]
    rows = from_rows([parts[0]])
    return rows, make_cohort(pd.DataFrame([parts[2]]), pd.DataFrame([parts[1]]), rows)


def scored(file: NormFile | None = None, params: Params | None = None, **changes: object) -> pd.Series:
    rows, cohort = clinic(**changes)
    params = params or Params(files=(file or file_of(),))
    made = derive(rows, cohort, params=params)
    assert len(made) == 1
    return made.iloc[0]


def test_z_by_hand() -> None:
    own = scored()
    x = np.array([1.0, 50.0, 1.0])
    spread = np.sqrt(x @ np.array(NORM["covariance"]) @ x + 49)
    assert own["value"] == pytest.approx((60 - (30 + 20 - 3)) / spread)
    assert own["measure"] == "echogenicity_z"
    assert own["method"] == "zscore:echogenicity:whole"
    assert own["low"] < own["value"] < own["high"]


def test_age_is_that_at_the_visit() -> None:
    later = scored(day=3652.5)
    assert later["value"] < scored()["value"]
    assert later["value"] == pytest.approx(scored(age_years=60.0)["value"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": "device-b"}, "unknown_device"),
        ({"preset": "nerve"}, "unknown_device"),
        ({"device": ""}, "unknown_device"),
        ({"site": "soleus"}, "no_norm"),
        ({"protocol": "longitudinal"}, "no_norm"),
        ({"method": "echogenicity:central"}, "no_norm"),
        ({"age_years": 81.0}, "out_of_domain"),
        ({"age_years": np.nan}, "not_recorded"),
        ({"sex": ""}, "not_recorded"),
        ({"value": np.nan, "absent": "empty_label"}, "empty_label"),
    ],
)
def test_refusals_are_absent_rows(changes: dict, reason: str) -> None:
    own = scored(**changes)
    assert own["absent"] == reason
    assert np.isnan(own["value"])


def test_gain_error_widens_the_interval_and_its_absence_is_told() -> None:
    stated, none = scored(), scored(file_of(gain_sd_db=0.0))
    unknown = scored(file_of(gain_sd_db=None))
    width = [row["high"] - row["low"] for row in (stated, none, unknown)]
    assert width[0] > 2 * width[1]
    assert width[1] == pytest.approx(width[2])
    assert "gain_error_unknown" in unknown["flags"]
    assert "gain_error_unknown" not in none["flags"]
    other = scored(params=Params(files=(file_of(),), gain_sd_db=0.0))
    assert other["high"] - other["low"] == pytest.approx(width[1])
    # 1.5 dB of 60 dB are 6.375 grey levels, 0.91 residual SD.
    assert width[0] == pytest.approx(2 * 1.96 * np.hypot(6.375 / 7, width[1] / 3.92), rel=0.03)


def test_the_interval_of_the_row_enters() -> None:
    own = scored(file_of(gain_sd_db=0.0), low=52.0, high=68.0, level=0.95)
    rows, cohort = clinic(low=52.0, high=68.0, level=0.95)
    without = derive(rows, cohort, params=Params((file_of(gain_sd_db=0.0),), own_error=False)).iloc[0]
    assert own["high"] - own["low"] > 1.5 * (without["high"] - without["low"])


def test_a_side_and_a_log_norm() -> None:
    left = scored(file_of(side="left"))
    assert left["value"] == pytest.approx(scored()["value"])
    assert scored(file_of(side="right"))["absent"] == "no_norm"
    both = NormFile((*file_of().norms, *file_of(side="left", coefficients=[20.0, 0.4, -3.0]).norms))
    assert scored(both)["value"] > left["value"] + 1
    log = scored(file_of(value_transform="log", coefficients=[4.0, 0.0, 0.0], covariance=np.diag([1e-4, 1e-9, 1e-4]).tolist(),
                         variance_between=0.01))  # fmt: skip
    assert log["value"] == pytest.approx((np.log(60) - 4) / np.sqrt(0.01 + 2e-4 + 2500e-9))


def test_thickness_needs_no_device() -> None:
    file = file_of(measure="thickness", method="architecture", device="", preset="", gain_sd_db=None)
    own = scored(file, measure="thickness", method="architecture", device="anything", value=45.0)
    assert np.isfinite(own["value"])
    assert own["flags"] == ""


def test_files_survive_json() -> None:
    file = replace(file_of(), title="t", source="s", simulated=True)
    again = from_json(to_json(file))
    assert again == file
    assert scored(again)["flags"] == "simulated"


def test_every_fault_of_a_norm_file_is_told_together() -> None:
    broken = text_of(
        coefficients=[30.0, None, -3.0],
        covariance=[[4.0, -0.06, -0.5], [-0.05, 0.0012, 0.001], [-0.5, 0.001, 1.5]],
        variance_between=-1.0,
        ranges={"age_years": [80.0, 20.0]},
        preset="",
    )
    with pytest.raises(InvalidInput) as told:
        from_json(broken, where="norms.json")
    for part in (
        "norms.json", "no coefficient of age_years", "not symmetric (intercept and age_years)", "variance_between is -1",
        "range of age_years is 80 to 20", "device and preset",
    ):  # fmt: skip
        assert part in str(told.value), part


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"coefficients": [30.0, 0.4]}, "2 coefficients for 3 terms"),
        ({"covariance": [[1.0, 0.0], [0.0, 1.0]]}, "2 lines of 2, not 3 of 3"),
        ({"covariance": [[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]}, "not positive"),
        ({"covariance": [[1.0, None, 0.0], [None, 1.0, 0.0], [0.0, 0.0, 1.0]]}, "empty cells"),
        ({"measure": "echogenicty"}, "did you mean 'echogenicity'"),
        ({"ranges": {}}, "no range of age_years"),
        ({"devices": "x"}, "did you mean 'device'"),
        ({"df": 0.0}, "df is 0"),
        ({"terms": [{"name": "intercept"}, {"name": "age_years"}, {"name": "sex"}]}, "names no word"),
    ],
)
def test_single_faults(changes: dict, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        from_json(text_of(**changes))


def test_other_files_are_told_from_norms() -> None:
    with pytest.raises(NotReadable, match="no JSON"):
        from_json("{")
    with pytest.raises(InvalidInput, match="twice"):
        from_json(json.dumps({"format": "myoproof-norm", "version": 1, "norms": [NORM, NORM]}))
    with pytest.raises(InvalidInput, match="is other 2"):
        from_json(json.dumps({"format": "other", "version": 2, "norms": [NORM]}))


def controls(n: int = 60, *, sides: int = 2, seed: int = 0, visits: int = 1) -> Cohort:
    rng = np.random.default_rng(seed)
    people, scans, rows = [], [], []
    for k in range(n):
        name, age, male = f"c{k:03d}", rng.uniform(20, 80), bool(k % 2)
        people.append({"subject": name, "age_years": age, "sex": "male" if male else "female",
                       "arm": "control" if k < n - 10 else "als"})  # fmt: skip
        own = rng.normal(0, 5)
        for visit in range(visits):
            scans.append({"subject": name, "session": f"m{visit:02d}", "modality": "ultrasound", "day": 30.0 * visit,
                          "device": "device-a", "preset": "muscle", "protocol": "transverse"})  # fmt: skip
            for side in ("left", "right")[:sides]:
                value = 30 + 0.4 * age - 3 * male + own + rng.normal(0, 3) + 100 * visit
                rows.append({"subject": name, "session": f"m{visit:02d}", "modality": "ultrasound", "side": side,
                             "site": "biceps_brachii", "measure": "echogenicity", "method": "echogenicity:whole",
                             "value": value})  # fmt: skip
    return make_cohort(pd.DataFrame(people), pd.DataFrame(scans), pd.DataFrame(rows))


def test_norms_are_learnt_from_controls_alone_first_visits_and_both_sides() -> None:
    cohort = controls(visits=2)
    made = learn(
        cohort.measurements, cohort, params=FitParams(gain_sd_db={"": 1.0}, dynamic_range_db={"device-a": 60})
    )
    norm = made.file.norms[0]
    assert (norm.n_subjects, norm.n_rows) == (50, 100)
    assert norm.coefficients[1] == pytest.approx(0.4, abs=0.15)
    assert norm.variance_between + norm.variance_within == pytest.approx(34, rel=0.4)
    assert (norm.gain_sd_db, norm.dynamic_range_db, norm.view) == (1.0, 60.0, "transverse")
    line = made.checks.iloc[0]
    assert line["left_out_sd"] == pytest.approx(1, abs=0.2)
    assert line["beyond_low"] < 0.05 < line["beyond_high"]
    own = derive(cohort.measurements, cohort, params=Params(files=(from_json(to_json(made.file)),)))
    first = own[own["session"] == "m00"].dropna(subset=["value"])
    assert first["value"].std() == pytest.approx(1, abs=0.2)


def test_a_curve_is_seen() -> None:
    cohort = controls()
    age = cohort.measurements["subject"].map(cohort.subjects.set_index("subject")["age_years"])
    bent = cohort.measurements.assign(value=cohort.measurements["value"] + 0.03 * (age - 50) ** 2)
    straight, curved = (learn(bent, cohort, params=FitParams(terms=terms)).checks.iloc[0]
                        for terms in (("age_years", "sex"), ("age_years", "age_years^2", "sex")))  # fmt: skip
    assert straight["age_curve_p"] < 1e-4
    assert curved["rmse"] < straight["rmse"]


def test_what_cannot_be_learnt_is_told() -> None:
    cohort = controls(20)
    with pytest.raises(InvalidInput, match="10 controls"):
        learn(cohort.measurements, cohort)
    with pytest.raises(InvalidInput, match="nobody has arm 'healthy'"):
        learn(cohort.measurements, cohort, params=FitParams(controls={"arm": "healthy"}))
    with pytest.raises(InvalidInput, match="no column 'weigth_kg'"):
        learn(cohort.measurements, cohort, params=FitParams(terms=("weigth_kg",)))
    bare = replace(cohort, acquisitions=cohort.acquisitions.assign(device=""))
    with pytest.raises(InvalidInput, match="no device or no preset"):
        learn(cohort.measurements, bare, params=FitParams(fewest=5))
    with pytest.raises(InvalidInput, match="term 'exp"):
        parse_terms(["exp(age_years)"])


def test_derivation_needs_norms_and_a_cohort() -> None:
    rows, cohort = clinic()
    with pytest.raises(InvalidInput, match="need norms"):
        derive(rows, cohort)
    with pytest.raises(InvalidInput, match="need norms"):
        derive(rows, None, params=Params(files=(file_of(),)))
