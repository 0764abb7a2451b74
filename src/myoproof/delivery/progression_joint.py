"""The joint model in the report of a progression study: decline and death together, the naive beside."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from myoproof.delivery.naming import reason, term_name, term_scale, word
from myoproof.delivery.page import (
    Grid,
    Part,
    Statement,
    count_column,
    first,
    interval_column,
    p_column,
    pick,
    records,
    text_column,
)
from myoproof.delivery.wording import interval, number, p_text, sentence_case, size

SHOWN: Mapping[str, str] = {
    "joint_model": "joint model",
    "joint_dense": "joint model, denser quadrature",
    "joint_naive": "mixed model that ignores the event",
    "joint_cox": "plain Cox regression",
}
PARTS: Mapping[str, str] = {
    "longitudinal": "Trajectory",
    "hazard": "Hazard (log ratio)",
    "association": "Association (log hazard ratio a unit)",
}


def joint_parts(estimates: pd.DataFrame, *, key: str) -> list[Part]:
    """Findings and a table of the joint model; nothing where the study has none.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    key : str
        Prefix of the table's key.
    """
    rows = pick(estimates, analysis=list(SHOWN))
    if rows.empty:
        return []
    return [*_findings(estimates), _table(rows, key)]


def _findings(estimates: pd.DataFrame) -> list[Statement]:
    row = first(estimates, analysis="joint_model", method="association/value")
    row = row or first(estimates, analysis="joint_model", method="association/slope")
    if row is None:
        return []
    lead = f"Event and {term_name(row['term'])} together"
    if math.isnan(row["value"]):
        why = first(estimates, analysis="joint_flow", method="not estimated")
        told = reason(row["absent"]) if why is None else str(why["flags"])
        return [Statement(lead, f"The joint model gives no answer: {told}.")]
    ratio = interval(*(math.exp(row[name]) for name in ("value", "low", "high")), decimals=2)
    what = "unit of its slope" if row["method"].endswith("slope") else "unit of the true value"
    text = (
        f"The hazard changes by a factor of {ratio} a {what}; {p_text(row['p'])}, {size(row['n_subjects'])}."
    )
    slope = first(estimates, analysis="joint_model", method="longitudinal/time")
    alone = first(estimates, analysis="joint_naive", method="longitudinal/time")
    if slope is not None and alone is not None:
        scale, unit = term_scale(slope["term"], slope["unit"].removesuffix("/a"))
        shown = interval(*(scale * slope[name] for name in ("value", "low", "high")))
        ignoring = number(scale * alone["value"])
        text += f" Slope {shown} {unit} a year, {ignoring} where the event is ignored."
    return [Statement(lead, text)]


def _table(rows: pd.DataFrame, key: str) -> Grid:
    shown = [row for row in records(rows) if row["method"] != "log_likelihood"]
    return Grid(
        f"{key}-joint",
        "Trajectory and event: joint model, and what ignores the other half",
        (
            text_column("Model", [sentence_case(SHOWN[row["analysis"]]) for row in shown]),
            text_column("Part", [_part(row) for row in shown]),
            text_column("Term", [_name(row) for row in shown]),
            interval_column(
                "Estimate (95 % interval)",
                [_scale(row) * row["value"] for row in shown],
                [(_scale(row) * row["low"], _scale(row) * row["high"]) for row in shown],
            ),
            text_column("Unit", [_unit(row) for row in shown]),
            p_column("p", [row["p"] for row in shown]),
            count_column("n", [row["n_subjects"] for row in shown]),
        ),
        rows,
        folded=True,
    )


def _scale(row: Mapping[str, Any]) -> float:
    """Per cent for fractions, where the row is about the trajectory itself."""
    about_values = row["method"].startswith(("longitudinal", "residual"))
    return term_scale(row["term"], row["unit"].removesuffix("/a"))[0] if about_values else 1.0


def _unit(row: Mapping[str, Any]) -> str:
    if not row["method"].startswith(("longitudinal", "residual")):
        return ""
    unit = term_scale(row["term"], row["unit"].removesuffix("/a"))[1]
    return f"{unit} a year" if row["unit"].endswith("/a") else unit


def _part(row: Mapping[str, Any]) -> str:
    return PARTS.get(row["method"].split("/")[0], "Residual SD")


def _name(row: Mapping[str, Any]) -> str:
    name = row["method"].partition("/")[2]
    return word(name) if name else ""
