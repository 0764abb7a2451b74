"""The design study in the report: sentences, figures and tables hold the numbers of the rows."""

import pandas as pd
import pytest

from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import parse_study
from myoproof.delivery.design import curve_drawing, largest_effect, modelled, section, size_drawing, tables
from myoproof.workflow.templates import template

TERM = "volume/thigh/both"
OTHER = "volume/calf/both"


def rows() -> list[dict[str, object]]:
    size = {"analysis": "sample_size", "term": TERM, "group": "50%", "unit": "1", "n_subjects": 17}
    return [
        {"analysis": "flow", "term": "in the cohort", "value": 20, "n_subjects": 20},
        {"analysis": "pilot", "term": TERM, "method": "t_test", "value": 1.2, "low": 0.8, "high": 1.7},
        {"analysis": "pilot", "term": OTHER, "method": "t_test", "value": 0.9, "low": 0.4, "high": 1.3},
        {**size, "method": "t_test", "value": 39, "low": 22, "high": 72},
        {**size, "method": "t_test_shrunken", "value": 55, "low": 36, "high": 97},
        {**size, "method": "edland", "value": 36, "low": 19, "high": 65},
        {**size, "analysis": "randomise", "method": "t_test", "value": 92, "low": 52, "high": 170},
        {**size, "term": OTHER, "method": "t_test", "value": 78, "low": 39, "flags": "upper_bound_open"},
        {**size, "term": OTHER, "method": "edland", "absent": "out_of_domain"},
        {"analysis": "power", "term": TERM, "group": "50%", "method": "resampled shift", "value": 0.82},
        {"analysis": "power", "term": TERM, "group": "50%", "method": "resampled no effect", "value": 0.051},
        {"analysis": "enrichment", "term": TERM, "group": "50%", "method": "fat", "value": 31, "low": 13, "high": 70},
        {"analysis": "enrichment_share", "term": TERM, "method": "fat", "value": 0.55},
        {"analysis": "prognostic", "term": TERM, "method": "r left out", "value": 0.49, "low": 0.01, "high": 0.78},
        {"analysis": "sample_size_adjusted", "term": TERM, "group": "50%", "value": 30, "low": 15, "high": 39},
        *(
            {"analysis": "curve", "term": TERM, "group": "50%", "method": f"edland every {every} months",
             "day": day, "value": 40 - day / 100, "statistic": 40 - day / 100}
            for every in (3, 6)
            for day in (182.6, 365.2, 730.5)
        ),
    ]  # fmt: skip


@pytest.fixture
def result() -> Result:
    study = parse_study(template("als-mri-design").text)
    return Result(study, estimates_frame(rows()), predictions_frame([]), simulated=True)


def test_the_findings_give_sizes_with_intervals_and_what_was_asked(result: Result) -> None:
    told = " ".join(str(statement) for statement in section(result, key="d").statements).replace(
        "\u202f", " "
    )
    told = told.replace("\u00a0", " ")
    assert "39 (22 to 72)" in told
    assert "two-sided alpha 0.05" in told
    assert "power 80 %" in told
    assert "92 to randomise" in told
    assert "78 (39 to no upper bound)" in told
    assert "39 becomes 55 (36 to 97)" in told
    assert "lets in 55 %" in told
    assert "30 (15 to 39)" in told


def test_every_figure_and_table_is_there(result: Result) -> None:
    made = section(result, key="d")
    assert [drawing.key for drawing in made.drawings] == ["d-flow", "d-sizes", "d-curve"]
    assert all("Simulated data" in drawing.svg for drawing in made.drawings)
    (grid,) = made.grids
    assert len(grid.lines) == 5
    assert any("Upper bound open" in cell.text for line in grid.lines for cell in line)


def test_figures_without_rows_are_left_out() -> None:
    empty = estimates_frame([])
    assert largest_effect(empty) == ""
    assert modelled(empty) == []
    assert tables(empty, key="d") == []
    for draw in (size_drawing, curve_drawing):
        assert draw(empty, key="d", terms=[], effect="", simulated=False) is None


def test_the_largest_effect_and_the_modelled_terms_lead() -> None:
    frame = estimates_frame([*rows(), {**rows()[3], "group": "100%", "value": 12}])
    assert largest_effect(frame) == "100%"
    plain = frame[frame["method"] != "edland"]
    assert modelled(frame) == [TERM, OTHER]
    assert modelled(pd.DataFrame(plain)) == [TERM, OTHER]


def test_rows_stay_as_they_are(result: Result) -> None:
    before = result.estimates.copy()
    section(result, key="d")
    pd.testing.assert_frame_equal(before, result.estimates)
