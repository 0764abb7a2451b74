"""The agreement study in the report: coefficients, differences against means, and the change to be seen."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from myoproof.core.result import Result
from myoproof.delivery.figures import (
    INK,
    MUTED,
    PALETTE,
    Drawing,
    ForestRow,
    canvas,
    finish,
    forest,
    forest_height_in,
    style,
)
from myoproof.delivery.naming import reason, short_name, term_name, term_scale
from myoproof.delivery.page import (
    Grid,
    Section,
    Statement,
    arranged,
    count_column,
    first,
    interval_column,
    pick,
    records,
    text_column,
)
from myoproof.delivery.wording import interval, number, sentence_case, size

SHOWN = 6
"""Pairs of readers whose differences are drawn."""
LINES = ("bias", "lower_limit_of_agreement", "upper_limit_of_agreement")
FORMS = {
    "1,1": "one-way, single",
    "A,1": "two-way agreement, single",
    "C,1": "two-way consistency, single",
    "1,k": "one-way, mean",
    "A,k": "two-way agreement, mean",
    "C,k": "two-way consistency, mean",
}
"""McGraw and Wong's forms in words."""


def section(result: Result, *, key: str, measurements: pd.DataFrame | None = None) -> Section:
    """The part of the report on one agreement study.

    Parameters
    ----------
    result : Result
        Of a study of kind ``agreement``.
    key : str
        Anchor and prefix of all keys.
    measurements : DataFrame, optional
        Not used; the values that were compared are among the predictions.
    """
    del measurements
    estimates = result.estimates
    parts = arranged(
        [
            *_told(estimates),
            ("coefficients", _forest(estimates, key, simulated=result.simulated)),
            ("differences", _bland_altman(result, key)),
            _icc_grid(estimates, key),
            _limits_grid(estimates, key),
        ]
    )
    return Section(key, result.study.title, parts, result.study.question)


def _told(estimates: pd.DataFrame) -> list[Statement]:
    told = []
    for term in dict.fromkeys(pick(estimates, analysis="icc")["term"]):
        row = first(estimates, analysis="icc", term=term, group="A,1") or first(
            estimates, analysis="icc", term=term
        )
        mdc = first(estimates, analysis="mdc95", term=term)
        if row is None or mdc is None or math.isnan(row["value"]):
            why = reason(str(row["absent"])) if row is not None else "not estimated"
            told.append(Statement(sentence_case(term_name(term)), f"Not estimated: {why}."))
            continue
        scale, unit = term_scale(term, mdc["unit"], change=True)
        icc = interval(row["value"], row["low"], row["high"], decimals=2)
        parts = [scale * mdc[name] for name in ("value", "low", "high")]
        told.append(
            Statement(
                sentence_case(term_name(term)),
                f"ICC ({row['group']}) {icc}; a change"
                f" below {interval(*parts, decimals=2, unit=unit)} cannot be told from error in one"
                f" patient (MDC95); {size(row['n_subjects'], 'subjects')}.",
            )
        )
    return told


def _forest(estimates: pd.DataFrame, key: str, *, simulated: bool) -> Drawing | None:
    rows = pick(estimates, analysis="icc").dropna(subset=["value"])
    forms = list(dict.fromkeys(rows["group"]))
    rows = rows[rows["group"] == ("A,1" if "A,1" in forms else forms[0])] if forms else rows
    if rows.empty:
        return None
    lines = [
        ForestRow(term_name(row["term"]), row["value"], row["low"], row["high"], (size(row["n_subjects"]),))
        for row in records(rows)
    ]
    form = str(rows["group"].iloc[0])
    title = f"Intraclass correlation ({form})"
    alt = "; ".join(f"{line.label} {line.value:.2f} ({line.low:.2f} to {line.high:.2f})" for line in lines)
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, reference=1.0, heads=("",))
        ax.set_xlabel(f"ICC, {FORMS[form]}")
        svg = finish(figure, key=f"{key}-icc", title=title, alt=alt, simulated=simulated)
    caption = "Points are estimates, lines their intervals; 1 is perfect agreement."
    return Drawing(f"{key}-icc", title, caption, alt, svg)


def _bland_altman(result: Result, key: str) -> Drawing | None:
    bias = pick(result.estimates, analysis="bias").dropna(subset=["value"]).head(SHOWN)
    if bias.empty:
        return None
    columns = min(2, len(bias))
    lines = -(-len(bias) // columns)
    title = "Differences against means (Bland–Altman)"
    alt = "; ".join(
        f"{short_name(row['term'])}, {row['group']}: bias {number(row['value'], 2)}" for row in records(bias)
    )
    with style():
        figure, axes = canvas(2.7 * lines + 0.3, rows=lines, columns=columns)
        for ax, row in zip(axes, records(bias), strict=False):
            _panel(ax, result, str(row["term"]), str(row["group"]))
        for ax in axes[len(bias) :]:
            ax.set_axis_off()
        svg = finish(figure, key=f"{key}-limits", title=title, alt=alt, simulated=result.simulated)
    more = len(pick(result.estimates, analysis="bias")) - len(bias)
    caption = "Solid line: bias; dashed: limits of agreement; bands: their intervals; dots: pairs of values."
    caption += f" {more} more pairs are in the table." * (more > 0)
    return Drawing(f"{key}-limits", title, caption, alt, svg)


def _panel(ax: Axes, result: Result, term: str, pair: str) -> None:
    second, _, reader = pair.partition(" - ")
    values = pick(result.predictions, target=term)
    wide = values.pivot_table(index=["subject", "rank"], columns="candidate", values="value")
    both = wide[[reader, second]].dropna()
    scale, unit = term_scale(term, str(pick(result.estimates, analysis="bias", term=term)["unit"].iloc[0]))
    difference = scale * (both[second] - both[reader])
    ax.plot(scale * both.mean(axis=1), difference, "o", color=PALETTE[0], markersize=3, alpha=0.7)
    for analysis, line in (
        ("bias", "-"),
        ("lower_limit_of_agreement", "--"),
        ("upper_limit_of_agreement", "--"),
    ):
        row = first(result.estimates, analysis=analysis, term=term, group=pair)
        if row is None or math.isnan(row["value"]):
            continue
        ax.axhline(scale * row["value"], color=INK, linestyle=line, linewidth=0.9)
        if np.isfinite(row["low"]):
            ax.axhspan(scale * row["low"], scale * row["high"], color=MUTED, alpha=0.15, linewidth=0)
    ax.set_title(f"{short_name(term)}\n{pair}", fontsize=8.5)
    ax.set_xlabel(f"mean of the two{', ' + unit if unit else ''}")
    ax.set_ylabel(f"difference{', ' + unit if unit else ''}")


def _bounds(rows: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(rows["low"], rows["high"], strict=True))


def _icc_grid(estimates: pd.DataFrame, key: str) -> Grid | str:
    rows = pick(estimates, analysis=["icc", "sem", "mdc95"])
    if rows.empty:
        return "No coefficient could be estimated."
    names = {"sem": "SEM", "mdc95": "MDC95"}
    what = [
        names.get(row["analysis"], f"ICC, {FORMS.get(row['group'], row['group'])}") for row in records(rows)
    ]
    return Grid(
        f"{key}-coefficients",
        "Coefficients, standard error of measurement and minimal detectable change",
        (
            text_column("Term", [term_name(term) for term in rows["term"]]),
            text_column("What", what),
            interval_column("Value", rows["value"].tolist(), _bounds(rows), decimals=3),
            count_column("Subjects", rows["n_subjects"].tolist()),
            count_column("Rows", rows["n_rows"].tolist()),
        ),
        rows,
    )


def _limits_grid(estimates: pd.DataFrame, key: str) -> Grid | str:
    rows = pick(estimates, analysis=list(LINES))
    if rows.empty:
        return "No pair could be compared."
    return Grid(
        f"{key}-limits-rows",
        "Bias and limits of agreement of each pair",
        (
            text_column("Term", [term_name(term) for term in rows["term"]]),
            text_column("Pair", rows["group"].tolist()),
            text_column("What", [sentence_case(name.replace("_", " ")) for name in rows["analysis"]]),
            interval_column("Value", rows["value"].tolist(), _bounds(rows), decimals=3),
            count_column("Subjects", rows["n_subjects"].tolist()),
            count_column("Rows", rows["n_rows"].tolist()),
        ),
        rows,
    )
