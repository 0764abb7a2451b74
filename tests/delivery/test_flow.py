"""The cohort flow: n at every step, and why the others left."""

import pandas as pd

from myoproof.core.result import estimates_frame
from myoproof.delivery.flow import Step, flow_drawing, flow_steps


def _rows() -> pd.DataFrame:
    return estimates_frame(
        [
            {"analysis": "flow", "term": "enrolled", "value": 36},
            {"analysis": "flow", "term": "in arm als", "value": 20, "group": "other arm"},
            {"analysis": "flow", "term": "at_the_last_visit", "value": 17, "group": "dropped_out"},
            {"analysis": "flow", "term": "analysed", "value": 17},
            {"analysis": "srm", "term": "x", "value": 3},
        ]
    )


def test_every_step_knows_who_left_before_it_and_why() -> None:
    assert flow_steps(_rows()) == [
        Step("Enrolled", 36, 0, ""),
        Step("In arm ALS", 20, 16, "other arm"),
        Step("At the last visit", 17, 3, "the subject left the study"),
        Step("Analysed", 17, 0, ""),
    ]


def test_the_figure_and_its_description_carry_every_n() -> None:
    drawing = flow_drawing(_rows(), key="study", simulated=False)
    assert drawing is not None
    for n in (36, 20, 17, 16, 3):
        assert f"{n}" in drawing.alt
    assert drawing.svg.count("n\u00a0=\u00a017") == 4, "two boxes, and twice in the description"
    assert "n\u00a0=\u00a03 left: the subject left the study" in drawing.svg
    assert "Simulated" not in drawing.svg


def test_without_flow_rows_there_is_no_figure() -> None:
    assert flow_drawing(estimates_frame([]), key="study", simulated=True) is None
