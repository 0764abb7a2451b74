"""Figures of a phenotype study against the clinic: the outcome by group, correlates of the axis."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from myoproof.core.result import Result
from myoproof.delivery.figures import (
    BLUE,
    GREEN,
    INK,
    MARKERS,
    PALETTE,
    Drawing,
    ForestRow,
    canvas,
    finish,
    forest,
    forest_height_in,
    style,
    wrap,
)
from myoproof.delivery.naming import reason, short_name, term_name, term_scale, word
from myoproof.delivery.page import (
    pick,
    records,
)
from myoproof.delivery.wording import interval, number, p_cell, sentence_case, series, size

MAXIMUM_PANELS = 3
_GROUP_NAMES = {
    "adjusted": "adjusted",
    "unadjusted": "unadjusted",
    "axis_adjusted": "beside the severity axis",
    "complete_cases": "complete cases, adjusted",
}


def outcome_drawing(estimates: pd.DataFrame, *, key: str, outcome: str, simulated: bool) -> Drawing | None:
    """The difference in the outcome: adjusted, unadjusted, complete cases and with each centre left out.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    key : str
        Prefix of the figure's key.
    outcome : str
        Outcome in words.
    simulated : bool
        Whether the data are simulated.
    """
    lines = _outcome_lines(estimates)
    if not lines:
        return None
    title = f"Difference in {outcome}"
    drawn = [line for line in lines if line.value == line.value]
    alt = "; ".join(f"{line.label}: {interval(line.value, line.low, line.high)}" for line in drawn) + "."
    unit = pick(estimates, analysis="outcome")["unit"].iloc[0]
    _, shown = term_scale(outcome, unit)
    caption = (
        f"Estimates with 95 % intervals{', in ' + shown if shown else ''}; left of the dashed line is lower."
        " Below the adjusted estimate, the same analysis in other ways (open markers)."
    )
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, heads=("Estimate (95 % interval)", "p", "n"))
        ax.set_xlabel(f"difference in {outcome}" + (f" ({shown})" if shown else ""))
        svg = finish(figure, key=f"{key}-outcome", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-outcome", title, caption, alt, svg)


def _outcome_lines(estimates: pd.DataFrame) -> list[ForestRow]:
    rows = pick(estimates, analysis="outcome")
    wanted = rows[rows["term"].str.startswith("cluster") | (rows["group"] == "axis_adjusted")]
    wanted = wanted[wanted["term"].str.contains("cluster|axis")]
    lines = []
    for place, row in enumerate(records(wanted)):
        name = _GROUP_NAMES.get(row["group"], word(row["group"]))
        cluster = row["term"].startswith("cluster")
        label = f"{term_name(row['term'])}, {name}" if cluster else "severity axis, per SD, beside the groups"
        lines.append(_line(row, sentence_case(label), INK, "o", place == 0))
    for left_out, colour, marker in (("centre", BLUE, "s"), ("device", GREEN, "D")):
        for row in records(pick(estimates, analysis=f"leave_one_{left_out}_out", term="outcome")):
            label = f"Without {left_out} {row['group'].removeprefix(left_out + '-')}"
            lines.append(_line(row, label, colour, marker, False))
    return lines


def _line(row: Mapping[str, Any], label: str, colour: str, marker: str, filled: bool) -> ForestRow:
    value, low, high, p, n = (float(row[name]) for name in ("value", "low", "high", "p", "n_subjects"))
    if math.isnan(value):
        return ForestRow(label, value, low, high, (f"absent: {reason(str(row['absent']))}", "", ""))
    notes = (interval(value, low, high, decimals=2), p_cell(p), number(n, 0))
    return ForestRow(label, value, low, high, notes, colour, marker, filled)


def correlation_drawing(estimates: pd.DataFrame, *, key: str, simulated: bool) -> Drawing | None:
    """Correlations of the severity axis with variables that did not build it.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="correlation", group="severity_axis")
    if rows.empty:
        rows = pick(estimates, analysis="correlation")
    if rows.empty:
        return None
    lines = [_line(row, sentence_case(term_name(row["term"])), INK, "o", True) for row in records(rows)]
    title = "The severity axis and the clinical state"
    told = [f"{line.label}: r = {line.notes[0]}, n = {line.notes[2]}" for line in lines if line.notes[1]]
    alt = "; ".join(told) + "."
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, heads=("r (95 % interval)", "p", "n"))
        ax.set_xlim(-1, 1)
        ax.set_xlabel("correlation with the severity score")
        svg = finish(figure, key=f"{key}-correlation", title=title, alt=alt, simulated=simulated)
    caption = "Correlation of the severity score with clinical variables that took no part in building it."
    return Drawing(f"{key}-correlation", title, caption, alt, svg)


def clinic_drawing(
    result: Result, measurements: pd.DataFrame | None, *, key: str, simulated: bool
) -> Drawing | None:
    """The severity score of every patient against the outcome and the correlates.

    Parameters
    ----------
    result : Result
        Result of a phenotype study.
    measurements : DataFrame, optional
        Rows of the measurement table; without them there is no figure.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.
    """
    scores = pick(result.predictions, target="severity_axis").set_index("subject")["value"].dropna()
    if measurements is None or scores.empty:
        return None
    panels = _clinical_values(result, measurements, scores)
    if not panels:
        return None
    members = pick(result.predictions, target="cluster", rank=1).set_index("subject")["candidate"]
    title = "Severity score and clinical state, patient by patient"
    told = [f"{term_name(term)}, {size(len(values), 'patients')}" for term, values in panels]
    alt = f"Scatter of the severity score against {series(told)}; points marked by group."
    with style():
        figure, axes = canvas(2.9, columns=len(panels))
        for ax, (term, values) in zip(axes, panels, strict=True):
            _cloud(ax, scores, values, members.reindex(values.index).fillna("").astype(str))
            ax.set_title(wrap(sentence_case(short_name(term)), 27))
            ax.set_ylabel(term_scale(term)[1])
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=5)
        svg = finish(figure, key=f"{key}-clinic", title=title, alt=alt, simulated=simulated)
    caption = f"One point a patient: {series(told)}. The next figure holds the correlations."
    return Drawing(f"{key}-clinic", title, caption, alt, svg)


def _clinical_values(
    result: Result, measurements: pd.DataFrame, scores: pd.Series
) -> list[tuple[str, pd.Series]]:
    wanted = [result.study.outcome, *result.study.correlates]
    names = list(dict.fromkeys(feature.measure for feature in wanted if feature is not None))
    sessions = result.study.cohort.sessions[:1]
    rows = measurements[measurements["measure"].isin(names) & measurements["subject"].isin(scores.index)]
    rows = rows[rows["session"].isin(sessions)] if sessions else rows
    rows = rows.dropna(subset=["value"])
    terms = rows["measure"] + "/" + rows["site"] + "/" + rows["side"]
    panels: list[tuple[str, pd.Series]] = []
    for name in names:
        term = next(iter(dict.fromkeys(terms[rows["measure"] == name])), "")
        values = rows[terms == term].drop_duplicates("subject").set_index("subject")["value"]
        if len(values) > 2:
            panels.append((term, values))
    return panels[:MAXIMUM_PANELS]


def _cloud(ax: Axes, scores: pd.Series, values: pd.Series, groups: pd.Series) -> None:
    for place, name in enumerate(sorted(set(groups))):
        own = values[groups == name]
        look: dict[str, Any] = {
            "marker": MARKERS[place % len(MARKERS)],
            "color": PALETTE[place % len(PALETTE)],
        }
        look |= {"linestyle": "none", "alpha": 0.5, "markersize": 3.4, "markeredgewidth": 0}
        ax.plot(scores.reindex(own.index), own, label=term_name(name) if name else "all", **look)
    ax.set_xlabel("severity score (higher is worse)")
    ax.grid(visible=True)
