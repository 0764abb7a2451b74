"""The phenotype study in the report: what it says follows from the rows alone."""

from dataclasses import replace

import pandas as pd
import pytest

from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.delivery import phenotypes
from myoproof.delivery.page import Section, Statement
from myoproof.delivery.phenotypes_outcome import clinic_drawing


def _said(result: Result) -> dict[str, str]:
    return {part.lead: part.text for part in phenotypes.section(result, key="p").statements}


def _changed(result: Result, change: dict[str, object], **where: object) -> Result:
    rows = result.estimates.copy()
    at = pd.Series(True, index=rows.index)
    for column, value in where.items():
        at &= rows[column] == value
    assert at.any()
    for column, value in change.items():
        rows.loc[at, column] = value
    return replace(result, estimates=rows)


@pytest.mark.usefixtures("words_only")
def test_a_continuum_is_called_one_with_every_null_and_its_p(continuum: Result) -> None:
    said = _said(continuum)["No subtypes"]
    assert (
        "one severity continuum: 1 of 2 nulls without subtypes were rejected, and a claim needs all." in said
    )
    assert "one Gaussian 8.20 SD" not in said
    assert "one Gaussian 0.80 SD (p\u00a0=\u00a0.010)" in said
    assert "one unimodal factor 0.80 SD (p\u00a0=\u00a0.43)" in said
    assert "n\u00a0=\u00a060 patients" in said


@pytest.mark.usefixtures("words_only")
def test_subtypes_are_claimed_only_where_the_claim_row_says_so(subtypes: Result) -> None:
    said = _said(subtypes)
    assert said["Two subtypes claimed"].startswith("Every null without subtypes was rejected.")
    assert "No subtypes" not in said
    assert "Groups at k = 2" in said
    three = _changed(subtypes, {"value": 3.0}, analysis="decision", group="claim")
    assert "Three subtypes claimed" in _said(three)


@pytest.mark.usefixtures("words_only")
def test_without_a_decision_row_nothing_is_decided(continuum: Result) -> None:
    rows = continuum.estimates[continuum.estimates["analysis"] != "decision"]
    said = _said(replace(continuum, estimates=rows))
    assert "nothing is said about subtypes" in said["Not decided"]


@pytest.mark.usefixtures("words_only")
def test_the_outcome_sentence_follows_its_row(continuum: Result) -> None:
    lead = "ALSFRS-R, cluster 1 − cluster 0"
    assert _said(continuum)[lead].startswith(
        "−3.84\u00a0points (−5.41 to −2.27), adjusted for age, sex, body mass index"
    )
    change = {"value": -1.25, "low": -2.5, "high": 0.004, "p": 0.0512}
    other = _changed(continuum, change, analysis="outcome", group="adjusted", term="cluster-1 - cluster-0")
    assert _said(other)[lead].startswith("−1.25\u00a0points (−2.50 to 0.00)")
    assert "p\u00a0=\u00a0.051, n\u00a0=\u00a060." in _said(other)[lead]


@pytest.mark.usefixtures("words_only")
@pytest.mark.parametrize(
    ("low", "verdict"), [(-3.0, "add nothing that shows"), (0.4, "add to what severity says")]
)
def test_groups_are_held_beside_the_axis(continuum: Result, low: float, verdict: str) -> None:
    beside = {
        "analysis": "outcome", "term": "cluster-1 - cluster-0", "group": "axis_adjusted", "value": 0.9, "low": low,
        "high": 3.0, "p": 0.4, "n_subjects": 60, "unit": "{score}",
    }  # fmt: skip
    rows = pd.concat([continuum.estimates, estimates_frame([beside])], ignore_index=True)
    said = _said(replace(continuum, estimates=rows))["Groups beside severity"]
    assert verdict in said
    assert "one SD of the axis: −2.90\u00a0points (−3.60 to −2.20)" in said


def test_every_analysis_has_its_figure_and_description(continuum: Result) -> None:
    drawings = {drawing.key: drawing for drawing in phenotypes.section(continuum, key="p").drawings}
    assert set(drawings) == {"p-flow", "p-clusters", "p-axis", "p-profile", "p-outcome", "p-correlation"}
    assert "Silhouette 0.30 at k = 2" in drawings["p-clusters"].alt
    assert "Cluster 1 − cluster 0, adjusted: −3.84 (−5.41 to −2.27)" in drawings["p-outcome"].alt
    assert "Without centre B" in drawings["p-outcome"].svg
    assert "cuts through one continuum" in drawings["p-profile"].caption
    assert "absent: too few observations for this estimate" in drawings["p-correlation"].svg


def test_with_subtypes_the_profile_is_no_cut_through_a_continuum(subtypes: Result) -> None:
    drawings = {drawing.key: drawing for drawing in phenotypes.section(subtypes, key="p").drawings}
    assert "continuum" not in drawings["p-profile"].caption


def test_the_bands_of_the_nulls_stand_in_the_panel_of_the_decision_metric(continuum: Result) -> None:
    without = _changed(continuum, {"method": "another_metric"}, analysis="null")
    one, other = (phenotypes.section(r, key="p").drawings[1] for r in (continuum, without))
    assert "Coloured bands in the panel of silhouette" in one.caption
    assert "Coloured bands" not in other.caption
    assert "excess of the another metric" in other.svg


def test_missing_analyses_leave_a_note_and_no_figure(continuum: Result) -> None:
    rows = continuum.estimates[continuum.estimates["analysis"].isin(["decision", "flow"])]
    section = phenotypes.section(
        replace(continuum, estimates=rows, predictions=predictions_frame([])), key="p"
    )
    assert [drawing.key for drawing in section.drawings] == ["p-flow"]
    notes = [part for part in section.parts if isinstance(part, str)]
    assert notes == [
        "No figure, because the result holds no usable rows for it: number of groups, severity axis, profile,"
        " outcome and correlations."
    ]


def test_an_empty_result_still_makes_a_section(continuum: Result) -> None:
    empty = replace(continuum, estimates=estimates_frame([]), predictions=predictions_frame([]))
    section = phenotypes.section(empty, key="p")
    assert isinstance(section, Section)
    assert [type(part) for part in section.parts] == [Statement, str]


@pytest.mark.usefixtures("words_only")
def test_sizes_given_as_counts_or_shares_read_the_same(continuum: Result) -> None:
    rows = continuum.estimates.copy()
    sized = rows["analysis"] == "cluster_size"
    rows.loc[sized, "value"] /= 60
    rows.loc[sized, "n_subjects"] = 60
    shares = _said(replace(continuum, estimates=rows))["Groups at k = 2, described only"]
    assert shares == _said(continuum)["Groups at k = 2, described only"]
    assert "cluster 0 n\u00a0=\u00a038 (63\u00a0%)" in shares


@pytest.mark.usefixtures("words_only")
def test_patients_and_features_have_tables(continuum: Result) -> None:
    grids = {grid.key: grid for grid in phenotypes.section(continuum, key="p").grids}
    assert len(grids["p-patients"].lines) == 60
    assert len(grids["p-features"].lines) == 8
    remarks = [cell.text for line in grids["p-outcome-rows"].lines for cell in line]
    assert "absent: too few observations for this estimate" in remarks


def test_single_patients_are_drawn_where_their_measurements_are_given(continuum: Result) -> None:
    subjects = [f"sub-{i:03d}" for i in range(60)]
    rows = pd.DataFrame(
        {
            "subject": subjects,
            "session": "m00",
            "measure": "alsfrs_r",
            "site": "total",
            "side": "",
            "value": 40.0,
        }
    )
    rows.loc[:4, "value"] = float("nan")
    keys = [drawing.key for drawing in phenotypes.section(continuum, key="p", measurements=rows).drawings]
    assert "p-clinic" in keys
    drawing = clinic_drawing(continuum, rows, key="p", simulated=True)
    assert drawing is not None
    assert "ALSFRS-R, whole body, n\u00a0=\u00a055 patients" in drawing.alt
    assert clinic_drawing(continuum, rows[:2], key="p", simulated=True) is None
