"""Figures of a progression study against the clinic: correlations of change, fast and slow progressors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from myoproof.delivery.figures import Drawing, ForestRow, canvas, finish, forest, forest_height_in, style
from myoproof.delivery.naming import (
    short_name,
    term_scale,
)
from myoproof.delivery.page import (
    pick,
    records,
)
from myoproof.delivery.progression_figures import MAXIMUM_LINES, best_p
from myoproof.delivery.wording import (
    interval,
    number,
    p_cell,
    sentence_case,
)


def correlation_drawing(
    estimates: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Correlation of imaging change with clinical change.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of analysis ``correlation``; Pearson where both methods are given.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        The primary terms, drawn whole; where there are none, the strongest correlations are drawn.
    simulated : bool
        Whether the data are simulated.
    """
    rows = chosen_correlations(estimates, terms)
    if rows.empty:
        return None
    lines = [_correlation_line(row) for row in records(rows.head(MAXIMUM_LINES))]
    title = "Imaging change and clinical change"
    alt = "; ".join(f"{line.label}: r = {line.notes[0]}, n {line.notes[2]}" for line in lines) + "."
    method = sentence_case(str(rows["method"].iloc[0]))
    which = "primary measures, by clinical measure" if terms else "strongest first"
    caption = f"Correlation ({method}) of change in imaging with change in the clinic: {which}."
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, heads=("r (95 % interval)", "adj. p", "n"))
        ax.set_xlim(-1.02, 1.02)
        ax.set_xlabel("correlation")
        svg = finish(figure, key=f"{key}-correlation", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-correlation", title, caption, alt, svg)


def _correlation_line(row: Mapping[Any, Any]) -> ForestRow:
    bounds = row["value"], row["low"], row["high"]
    notes = (interval(*bounds, decimals=2), p_cell(best_p(row)), number(row["n_subjects"], 0))
    label = f"{sentence_case(short_name(row['group']))} – {short_name(row['term'])}"
    return ForestRow(label, *bounds, notes)


def chosen_correlations(estimates: pd.DataFrame, terms: Sequence[str]) -> pd.DataFrame:
    """The correlations worth showing: all of the primary terms, else by strength.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    terms : sequence of str
        Primary terms; empty where the study names none.
    """
    rows = pick(estimates, analysis="correlation").dropna(subset=["value"])
    rows = pick(rows, method="pearson") if "pearson" in set(rows["method"]) else rows
    primary = pick(rows, term=list(terms))
    if len(primary):
        return primary.sort_values(["group", "term"], kind="stable")
    return rows.reindex(rows["value"].abs().sort_values(ascending=False, kind="stable").index)


def tempo_drawing(
    estimates: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Difference in change between fast and slow progressors, each line on its own scale.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of analysis ``fast_slow``.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        Terms in order of importance.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="fast_slow").dropna(subset=["value"]).set_index("term", drop=False)
    rows = rows.reindex([term for term in terms if term in rows.index]).head(12)
    if rows.empty:
        return None
    lines = [_tempo_line(row) for row in records(rows)]
    title = "Fast and slow progressors"
    alt = "; ".join(f"{line.label}: {line.notes[0]}, n {line.notes[2]}" for line in lines) + "."
    caption = (
        "Change in fast minus change in slow progressors with 95 % intervals; each line has its own scale,"
        " its numbers stand beside it."
    )
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, heads=("Fast − slow (95 % interval)", "adj. p", "n"))
        ax.set_xlim(-1.05, 1.05)
        ax.set_xticks([0], ["no difference"])
        svg = finish(figure, key=f"{key}-tempo", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-tempo", title, caption, alt, svg)


def _tempo_line(row: Mapping[Any, Any]) -> ForestRow:
    scale, unit = term_scale(row["term"], row["unit"], change=True)
    value, low, high = (scale * float(row[name]) for name in ("value", "low", "high"))
    width = float(np.nanmax(np.abs([value, low, high]))) or 1.0
    text = interval(value, low, high, unit="points" if unit == "percentage points" else unit)
    notes = (text, p_cell(best_p(row)), number(row["n_subjects"], 0))
    return ForestRow(sentence_case(short_name(row["term"])), value / width, low / width, high / width, notes)
