"""The progression study in the report: what it says follows from the rows alone."""

from dataclasses import replace

import pandas as pd
import pytest

from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.delivery import progression
from myoproof.delivery.progression import change_groups, ordered_terms


def _said(result: Result) -> dict[str, str]:
    return {part.lead: part.text for part in progression.section(result, key="m").statements}


@pytest.mark.usefixtures("words_only")
def test_a_change_is_told_with_direction_interval_adjusted_p_and_n(course: Result) -> None:
    said = _said(course)["Fat fraction, thigh"]
    assert said.startswith(
        "Rose in ALS by 1.20 (0.60 to 1.80) percentage points; adjusted p\u00a0=\u00a0.001, n\u00a0=\u00a017."
    )
    assert "ALS − controls: 1.08 (0.48 to 1.68) percentage points." in said


@pytest.mark.usefixtures("words_only")
def test_a_fall_is_told_with_turned_bounds(course: Result) -> None:
    rows = course.estimates.copy()
    at = (
        (rows["analysis"] == "change") & (rows["term"] == "fat_fraction/calf/both") & (rows["group"] == "als")
    )
    rows.loc[at, ["value", "low", "high"]] = [-0.02, -0.05, 0.01]
    said = _said(replace(course, estimates=rows))["Fat fraction, calf"]
    assert said.startswith("Fell in ALS by 2.00 (−1.00 to 5.00) percentage points")


@pytest.mark.usefixtures("words_only")
def test_the_most_responsive_measure_is_told_with_what_its_choice_costs(course: Result) -> None:
    said = _said(course)["Most responsive measure"]
    assert said.startswith(
        "Fat fraction, thigh: SRM 1.05 (0.71 to 1.49), n\u00a0=\u00a017; 58 (30 to 190) patients per arm"
    )
    assert "best in 55\u00a0% of bootstrap samples" in said
    assert "judged out of bag has an SRM of 0.91 (0.50 to 1.30)" in said


@pytest.mark.usefixtures("words_only")
def test_where_a_clinical_measure_leads_the_best_image_is_named_too(course: Result) -> None:
    rows = course.estimates.copy()
    rows.loc[(rows["analysis"] == "srm") & (rows["term"] == "fat_fraction/thigh/both"), "flags"] = "clinical"
    said = _said(replace(course, estimates=rows))
    assert said["Most responsive measure"].startswith("Fat fraction, thigh: SRM 1.05")
    assert said["Most responsive imaging measure"].startswith("Fat fraction, calf: SRM 0.95 (0.61 to 1.39)")
    assert "Most responsive imaging measure" not in _said(course)


@pytest.mark.usefixtures("words_only")
def test_correlations_speak_of_the_primary_terms(course: Result) -> None:
    said = _said(course)["Imaging change and clinical change"]
    assert said.startswith(
        "Strongest of 2 with a primary measure: fat fraction, thigh with knee extension strength, knee r = 0.77"
    )


def test_the_figures_of_a_full_result(course: Result) -> None:
    section = progression.section(course, key="m")
    keys = [drawing.key for drawing in section.drawings]
    assert keys == ["m-flow", "m-course", "m-change-1", "m-change-2", "m-league", "m-correlation", "m-tempo"]
    notes = [part for part in section.parts if isinstance(part, str)]
    assert notes == ["No figure, because the result holds no usable rows for it: change in muscle T2."]


def test_fractions_are_drawn_in_points_and_volumes_relative_to_baseline(course: Result) -> None:
    fat, volume = progression.section(course, key="m").drawings[2:4]
    assert "change (percentage points)" in fat.svg
    assert "change (% of the mean at baseline)" in volume.svg
    assert "−90.0 (−135.0 to −45.0)" in volume.svg
    assert "Change in ALS, mL (95 % interval)" in volume.svg


@pytest.mark.usefixtures("words_only")
def test_terms_come_primary_first_then_regions(course: Result) -> None:
    assert ordered_terms(course)[:2] == ["fat_fraction/thigh/both", "fat_fraction/calf/both"]
    rows = course.estimates.copy()
    rows["term"] = rows["term"].str.replace("/thigh/", "/soleus/")
    terms = ordered_terms(replace(course, estimates=rows))
    assert terms.index("functional_remaining_volume/calf/both") < terms.index("fat_fraction/soleus/both")


@pytest.mark.usefixtures("words_only")
def test_clinical_measures_share_one_figure(course: Result) -> None:
    clinical = [
        {
            "analysis": "change", "term": f"{name}/{site}/both", "group": "als", "method": "paired_t", "value": -3.0,
            "low": -5.0, "high": -1.0, "unit": unit, "n_subjects": 17, "flags": "clinical",
        }
        for name, site, unit in (("grip_strength", "hand", "N"), ("alsfrs_r", "total", "{score}"))
    ]  # fmt: skip
    rows = pd.concat([course.estimates, estimates_frame(clinical)], ignore_index=True)
    groups = change_groups(rows, [*ordered_terms(course), *(row["term"] for row in clinical)])
    assert groups[-1] == (
        "the clinical measures",
        "Change in the clinical measures",
        ["grip_strength/hand/both", "alsfrs_r/total/both"],
    )


@pytest.mark.usefixtures("words_only")
def test_an_absent_row_shows_its_reason_in_the_table(course: Result) -> None:
    grid = next(grid for grid in progression.section(course, key="m").grids if grid.key == "m-changes")
    line = next(line for line in grid.lines if line[0].text.startswith("Muscle T2"))
    assert "absent: the measurement was not made" in [cell.text for cell in line]


def test_an_empty_result_still_makes_a_section(course: Result) -> None:
    empty = replace(course, estimates=estimates_frame([]), predictions=predictions_frame([]))
    section = progression.section(empty, key="m")
    assert section.drawings == []
    assert section.grids == []
