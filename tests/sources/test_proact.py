"""PRO-ACT: every planted trap is found and counted to the row, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest

from myoproof.phantoms.proact import ProactParams, export, write
from myoproof.sources.proact import read
from myoproof.sources.proact_forms import plain
from myoproof.sources.sheets import look
from myoproof.sources.stage import Options, counts, opened
from myoproof.sources.traps import rules

PLANTED = {
    "ten_item_scale", "both_scales", "cutting_twice", "cutting_gastrostomy", "total_differs", "visit_repeated",
    "visit_conflicting", "before_enrolment", "vital_status_unknown", "death_day_missing", "death_repeated",
    "death_conflicting", "assessment_after_death", "late_record", "history_rows", "onset_site_conflicting",
    "onset_after_diagnosis", "onset_after_enrolment", "diagnosis_after_enrolment", "onset_too_recent",
    "percent_from_litres", "percent_unknown", "capacity_unit_missing", "slow_only", "file_order",
    "reference_equation_unknown", "weight_impossible", "height_in_inches", "height_impossible", "units_mixed",
    "unit_missing", "unit_unknown", "laboratory_bound", "laboratory_text", "laboratory_unread", "riluzole_unknown",
    "arm_unknown", "trial_unknown", "strength_in_pounds", "strength_unread", "strength_trial_missing",
    "age_missing", "follow_up_column", "entered_late", "item_out_of_range", "value_out_of_range",
    "value_unknown", "subject_missing", "subject_repeated", "subject_conflicting", "day_missing", "day_impossible",
}  # fmt: skip
"""Rules with a trap in the simulated export; the others belong to other kinds of input."""


def met(folder: Path, scratch: Path) -> dict[str, tuple[int, int]]:
    scratch.mkdir()
    with opened(scratch, Options()) as stage:
        read(stage, folder)
        found = counts(stage)
    found = found[found["rows"] > 0]
    return {row["rule"]: (int(row["rows"]), int(row["patients"])) for row in found.to_dict("records")}


@pytest.mark.parametrize(("prefix", "mark", "each"), [("PROACT_", False, 2), ("F_PROACT_", True, 4)])
def test_every_planted_trap_is_counted_to_the_row(tmp_path: Path, prefix: str, mark: bool, each: int) -> None:
    made = export(rng=np.random.default_rng(each), params=ProactParams(each=each))
    write(made, tmp_path / "in", prefix=prefix, mark=mark)
    found = met(tmp_path / "in", tmp_path / "scratch")
    assert found == dict(made.planted)
    assert set(found) == PLANTED


def test_a_clean_export_meets_nothing_but_what_is_always_so(tmp_path: Path) -> None:
    made = export(rng=np.random.default_rng(1), params=ProactParams(patients=30, each=0))
    write(made, tmp_path / "in")
    found = met(tmp_path / "in", tmp_path / "scratch")
    assert found == dict(made.planted)
    assert all(rules()[name].level == "info" for name in found)


def test_riluzole_that_is_never_no_is_told(tmp_path: Path) -> None:
    made = export(rng=np.random.default_rng(1), params=ProactParams(patients=10, each=0, forms=("RILUZOLE",)))
    made.forms["RILUZOLE"]["Subject_used_Riluzole"] = "Yes"
    write(made, tmp_path / "in")
    found = met(tmp_path / "in", tmp_path / "scratch")
    assert found["riluzole_never_no"] == (1, 0)
    assert found["form_missing"] == (7, 0)


def test_spellings_are_one() -> None:
    assert plain("Subject_Liters__Trial_2_") == plain("Subject_Liters_Trial_2")
    assert plain("Slow_vital_Capacity_Delta") == plain("Slow_Vital_Capacity_Delta")


def test_a_malformed_line_is_told_and_the_others_stay(tmp_path: Path) -> None:
    made = export(
        rng=np.random.default_rng(1), params=ProactParams(patients=10, each=0, forms=("DEMOGRAPHICS",))
    )
    (path,) = write(made, tmp_path / "in")
    path.write_text(path.read_text() + "123,0\n124,0,50,Male,one,two\n")
    found = met(tmp_path / "in", tmp_path / "scratch")
    assert found["row_malformed"] == (2, 0)
    assert "age_missing" not in found, "the ten whole lines arrived"
    assert found["form_missing"] == (6, 0)
    assert look(path, tmp_path).columns == ("subject_id", "Demographics_Delta", "Age", "Sex")
