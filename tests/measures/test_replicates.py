"""Replicates: frames get their number, means are means, and what is missing is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.table import Table, from_rows
from myoproof.measures.replicates import mean_rows, numbered


def frame(value: float | None, *, half: float = 1.0, **more: object) -> Table:
    row = {"subject": "s", "measure": "thickness", "site": "vastus_lateralis", "method": "architecture"}
    given = {"value": value, "low": value - half, "high": value + half, "level": 0.95} if value else {}
    absent = {} if value else {"absent": "low_confidence", "quality": "fail"}
    return from_rows([{**row, **given, **absent, **more}])


def test_frames_are_numbered_before_their_place() -> None:
    rows = numbered(
        from_rows([*frame(20.0).to_dict("records"), *frame(21.0, at="width:0.50").to_dict("records")]), 2
    )
    assert rows["at"].tolist() == ["image:2", "image:2/width:0.50"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(1, 90), min_size=1, max_size=5), st.floats(0.1, 0.9))
def test_the_mean_lies_between_and_its_interval_is_as_wide_as_a_frames(
    values: list[float], half: float
) -> None:
    row = mean_rows([frame(value, half=half) for value in values]).iloc[0]
    assert row["value"] == pytest.approx(np.mean(values))
    assert row["high"] - row["low"] == pytest.approx(2 * half)
    assert "replicates_missing" not in row["flags"]


def test_a_missing_frame_is_said_and_the_worst_quality_counts() -> None:
    row = mean_rows([frame(20.0, flags="uncalibrated"), frame(None), frame(22.0, quality="warn")]).iloc[0]
    assert row["value"] == 21.0
    assert row["flags"] == "replicates_missing;uncalibrated"
    assert row["quality"] == "warn"


def test_without_any_value_the_reason_stays() -> None:
    row = mean_rows([frame(None), frame(None)]).iloc[0]
    assert (row["absent"], row["quality"]) == ("low_confidence", "fail")
    assert np.isnan(row["value"])


def test_millimetres_are_not_averaged_with_pixels() -> None:
    row = mean_rows([frame(150.0, unit="px"), frame(22.0, unit="mm"), frame(160.0, unit="px")]).iloc[0]
    assert (row["value"], row["unit"]) == (22.0, "mm")
    assert row["flags"] == "replicates_missing"
    assert len(mean_rows([])) == 0


def test_events_of_several_cines_have_no_mean() -> None:
    rows = mean_rows([frame(1.0, at="event:1"), frame(2.0, at="event:1")])
    assert len(rows) == 0
