"""The joint model in the report: the finding, the table, and a refusal in words."""

import pandas as pd

from myoproof.core.result import estimates_frame
from myoproof.delivery.page import Grid, Statement
from myoproof.delivery.progression_joint import joint_parts

TERM = "alsfrs_r/total/"


def rows(**changes: object) -> pd.DataFrame:
    model = {"analysis": "joint_model", "term": TERM, "n_subjects": 195, "p": 0.006}
    return estimates_frame(
        [
            {**model, "method": "longitudinal/time", "value": -8.4, "low": -9.5, "high": -7.3, "unit": "{score}/a"},
            {**model, "method": "association/value", "value": -0.1, "low": -0.2, "high": 0.0, **changes},
            {**model, "method": "log_likelihood", "value": -2295.0},
            {**model, "analysis": "joint_naive", "method": "longitudinal/time", "value": -8.1, "unit": "{score}/a"},
        ]
    )  # fmt: skip


def plain(text: object) -> str:
    return str(text).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_the_finding_tells_the_hazard_and_both_slopes() -> None:
    statement, grid = joint_parts(rows(), key="k")
    assert isinstance(statement, Statement)
    assert isinstance(grid, Grid)
    told = plain(statement).replace("\N{MINUS SIGN}", "-")
    assert "factor of 0.90 (0.82 to 1.00)" in told
    assert "-8.40 (-9.50 to -7.30) points a year" in told
    assert "-8.10 where the event is ignored" in told
    assert len(grid.lines) == 3
    assert "points a year" in {cell.text for line in grid.lines for cell in line}


def test_a_refusal_says_why() -> None:
    refused = rows(value=float("nan"), low=float("nan"), high=float("nan"), absent="insufficient_data")
    why = {
        "analysis": "joint_flow",
        "term": TERM,
        "method": "not estimated",
        "value": 0,
        "flags": "3 events where 5 are needed",
    }
    statement = joint_parts(estimates_frame([*refused.to_dict("records"), why]), key="k")[0]
    assert "3 events where 5 are needed" in plain(statement)


def test_a_study_without_it_shows_nothing() -> None:
    assert joint_parts(estimates_frame([{"analysis": "change", "value": 1.0}]), key="k") == []
