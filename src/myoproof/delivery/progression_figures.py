"""Figures of a progression study: trajectories, changes, the league of measures, correlations, tempo."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from myoproof.delivery.figures import (
    BLUE,
    GROUPS,
    INK,
    MUTED,
    PALETTE,
    Drawing,
    ForestRow,
    canvas,
    finish,
    forest,
    signed_ticks,
    style,
)
from myoproof.delivery.page import first, pick
from myoproof.delivery.wording import (
    FRACTION_MEASURES,
    interval,
    number,
    p_cell,
    sentence_case,
    series,
    size,
    term_name,
    term_scale,
    word,
)

MAXIMUM_PANELS = 6
MAXIMUM_LINES = 30


def group_name(name: str) -> str:
    """A group of subjects in words.

    Parameters
    ----------
    name : str
        Value of the column group.
    """
    return {"als": "ALS", "control": "controls"}.get(name, word(name))


def trajectories_drawing(
    estimates: pd.DataFrame, predictions: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Every subject's course with the mean of each group and its interval, one panel a term.

    Parameters
    ----------
    estimates, predictions : DataFrame
        Rows of the study: analysis ``level``, target ``level:TERM``.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        Candidates in order of importance; the first six that have rows are drawn.
    simulated : bool
        Whether the data are simulated.
    """
    levels = pick(estimates, analysis="level").dropna(subset=["value", "day"])
    shown = [term for term in terms if term in set(levels["term"])][:MAXIMUM_PANELS]
    if not shown:
        return None
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    title = "Course by group"
    with style():
        figure, axes = canvas(2.35 * lines + 0.35, rows=lines, columns=columns)
        for ax, term in zip(axes, shown, strict=False):
            _course(ax, pick(levels, term=term), pick(predictions, target=f"level:{term}"), term)
        for ax in axes[len(shown) :]:
            ax.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=2.6)
        alt = " ".join(_course_alt(pick(levels, term=term), term) for term in shown)
        svg = finish(figure, key=f"{key}-course", title=title, alt=alt, simulated=simulated)
    counts = pick(levels, term=shown).groupby("group")["n_subjects"].agg(["min", "max"])
    held = series([f"{group_name(str(g))} {_range(r['min'], r['max'])}" for g, r in counts.iterrows()])
    caption = f"Mean with 95 % interval by visit ({held}); thin lines are single subjects."
    return Drawing(f"{key}-course", title, caption, alt, svg)


def _range(low: float, high: float) -> str:
    return size(low) if low == high else f"{size(low)} to {number(high, 0)}"


def _course(ax: Axes, levels: pd.DataFrame, single: pd.DataFrame, term: str) -> None:
    scale, unit = term_scale(term, str(levels["unit"].iloc[0]))
    for _, rows in single.dropna(subset=["value"]).sort_values("day").groupby("subject", sort=True):
        known = GROUPS.get(str(rows["candidate"].iloc[0]))
        ax.plot(rows["day"] / 30.4375, scale * rows["value"], color=known[0] if known else MUTED, alpha=0.28, linewidth=0.7)
    for (name, rows), spare in zip(levels.sort_values("day").groupby("group", sort=True), PALETTE, strict=False):
        colour, marker, line = GROUPS.get(str(name), (spare, "o", "-"))
        months = rows["day"].to_numpy() / 30.4375
        low, high = scale * rows["low"].to_numpy(), scale * rows["high"].to_numpy()
        ax.fill_between(months, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(months, scale * rows["value"], color=colour, marker=marker, linestyle=line, label=group_name(str(name)), linewidth=2)
    ax.set_title(sentence_case(_short(term)))
    ax.set_xlabel("months")
    ax.set_ylabel(unit)
    ax.set_xticks(sorted({round(day / 30.4375) for day in levels["day"]}))
    ax.grid(visible=True, axis="y")


def _short(term: str) -> str:
    kind = term.split("/")[0]
    place = term_name(term, measure=False)
    shown = {"fat_fraction_signal": "fat fraction (signal)", "functional_remaining_volume": "remaining volume"}
    shown |= {"functional_remaining_area": "remaining area", "cross_sectional_area": "CSA"}
    name = shown.get(kind, term_name(kind))
    return f"{name}, {place}" if place != term_name(kind) else name


def _course_alt(levels: pd.DataFrame, term: str) -> str:
    scale, unit = term_scale(term, str(levels["unit"].iloc[0]))
    told = []
    for name, rows in levels.sort_values("day").groupby("group", sort=True):
        start, end = rows.iloc[0], rows.iloc[-1]
        course = f"{number(scale * start['value'])} to {number(scale * end['value'])} {unit}"
        told.append(f"{group_name(str(name))} {course} ({size(end['n_subjects'])} at the last visit)")
    return f"{sentence_case(term_name(term))}: {series(told)}."


def change_drawing(
    estimates: pd.DataFrame, *, key: str, measure: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Change within groups and between them for every term of one measure.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows: analyses ``change`` (paired t) and ``difference``.
    key : str
        Prefix of the figure's key.
    measure : str
        The measure, first part of the terms.
    terms : sequence of str
        Terms in order; those of other measures are passed over.
    simulated : bool
        Whether the data are simulated.
    """
    wanted = [term for term in terms if term.split("/")[0] == measure]
    rows = pick(estimates, analysis="change", method="paired_t", term=wanted)
    if rows.empty:
        return None
    scale, unit = term_scale(measure, str(rows["unit"].iloc[0]), change=True)
    lines: list[ForestRow] = []
    for term in wanted:
        for row in pick(rows, term=term).itertuples():
            lines.append(_change_line(row, term, scale, group_name(row.group)))
        for row in pick(estimates, analysis="difference", term=term).head(1).itertuples():
            lines.append(_change_line(row, term, scale, "ALS − controls"))
    lines = lines[:MAXIMUM_LINES]
    title = f"Change in {term_name(measure)}"
    alt = "; ".join(f"{line.label}: {line.notes[0]}, adjusted p {line.notes[1]}, n {line.notes[2]}" for line in lines) + f" ({unit})."
    worse = "higher is worse" if measure in (*FRACTION_MEASURES, "muscle_t2", "echogenicity") else "lower is worse"
    caption = f"Last visit minus baseline in {unit} with 95 % intervals; {worse}. Squares: controls; open diamonds: ALS minus controls."
    with style():
        figure, (ax,) = canvas(0.25 * len(lines) + 1.0)
        forest(ax, lines, heads=("Change (95 % interval)", "adj. p", "n"))
        ax.set_xlabel(f"change ({unit})")
        signed_ticks(ax)
        svg = finish(figure, key=f"{key}-change-{measure}", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-change-{measure}", title, caption, alt, svg)


def _change_line(row: Any, term: str, scale: float, group: str) -> ForestRow:
    label = f"{sentence_case(term_name(term, measure=False))}, {group}"
    if row.value != row.value:
        return ForestRow(label, row.value, row.low, row.high, (f"absent: {word(row.absent)}", "", ""))
    value, low, high = scale * row.value, scale * row.low, scale * row.high
    shown = row.p_adjusted if row.p_adjusted == row.p_adjusted else row.p
    notes = (interval(value, low, high), p_cell(shown), number(row.n_subjects, 0))
    colour, marker, _ = GROUPS.get(row.group, (INK, "D", "-"))
    contrast = row.analysis == "difference"
    return ForestRow(label, value, low, high, notes, INK if contrast else colour, "D" if contrast else marker, not contrast)


def league_drawing(estimates: pd.DataFrame, *, key: str, simulated: bool) -> Drawing | None:
    """Measures ranked by standardised response mean, with the sample size per arm they ask for.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows: analyses ``srm`` and ``sample_size``.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="srm").dropna(subset=["value"])
    rows = rows[rows["group"].isin(["", "als"])].sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return None
    left_out = max(len(rows) - MAXIMUM_LINES, 0)
    lines = [_league_line(row, estimates) for row in rows.head(MAXIMUM_LINES).itertuples()]
    title = "Responsiveness of the measures"
    alt = "; ".join(f"{line.label}: SRM {line.notes[0]}, {line.notes[1]} per arm for a 50 % effect" for line in lines[:8]) + "."
    caption = (
        f"Standardised response mean (mean change / SD of change, worsening positive) with 95 % bootstrap interval, "
        f"{_range(rows['n_subjects'].min(), rows['n_subjects'].max())}; right, patients per arm for a trial to show "
        "a 50 % and a 25 % slowing." + (f" The {left_out} least responsive are in the table only." if left_out else "")
    )
    with style():
        figure, (ax,) = canvas(0.25 * len(lines) + 1.05)
        forest(ax, lines, heads=("SRM (95 % interval)", "50 %", "25 %", "n"))
        ax.set_xlabel("standardised response mean")
        signed_ticks(ax)
        svg = finish(figure, key=f"{key}-league", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-league", title, caption, alt, svg)


def _league_line(row: Any, estimates: pd.DataFrame) -> ForestRow:
    arms = []
    for effect in ("50%", "25%"):
        found = first(estimates, analysis="sample_size", term=row.term, group=effect)
        arms.append("–" if found is None else number(float(found["value"]), 0))
    notes = (interval(row.value, row.low, row.high, decimals=2), *arms, number(row.n_subjects, 0))
    return ForestRow(sentence_case(_short(row.term)), row.value, row.low, row.high, notes, BLUE, "o")


def correlation_drawing(estimates: pd.DataFrame, *, key: str, simulated: bool) -> Drawing | None:
    """Correlation of imaging change with clinical change.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of analysis ``correlation``; Pearson where both methods are given.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="correlation").dropna(subset=["value"])
    if rows.empty:
        return None
    method = "pearson" if "pearson" in set(rows["method"]) else str(rows["method"].iloc[0])
    rows = pick(rows, method=method)
    rows = rows.reindex(rows["value"].abs().sort_values(ascending=False, kind="stable").index).head(MAXIMUM_LINES)
    lines = [
        ForestRow(
            f"{sentence_case(_short(row.term))} ~ {_short(row.group)}",
            row.value, row.low, row.high,
            (interval(row.value, row.low, row.high, decimals=2), p_cell(row.p_adjusted if row.p_adjusted == row.p_adjusted else row.p), number(row.n_subjects, 0)),
        )
        for row in rows.itertuples()
    ]  # fmt: skip
    title = "Imaging change and clinical change"
    alt = "; ".join(f"{line.label}: r = {line.notes[0]}, n {line.notes[2]}" for line in lines[:8]) + "."
    caption = f"Correlation ({sentence_case(method)}) of change in imaging with change in the clinical measure, strongest first."
    with style():
        figure, (ax,) = canvas(0.25 * len(lines) + 1.0)
        forest(ax, lines, heads=("r (95 % interval)", "adj. p", "n"))
        ax.set_xlim(-1.02, 1.02)
        ax.set_xlabel("correlation")
        signed_ticks(ax)
        svg = finish(figure, key=f"{key}-correlation", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-correlation", title, caption, alt, svg)


def tempo_drawing(estimates: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool) -> Drawing | None:
    """Difference in change between fast and slow progressors, each in its own SD-free unit.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of analysis ``fast_slow``.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        Terms to show, in order.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="fast_slow", term=list(terms)).dropna(subset=["value"]).head(MAXIMUM_LINES)
    if rows.empty:
        return None
    lines = []
    for row in rows.itertuples():
        scale, unit = term_scale(row.term, row.unit, change=True)
        width = max(abs(row.low), abs(row.high), abs(row.value)) or 1.0
        notes = (interval(scale * row.value, scale * row.low, scale * row.high, unit=unit), p_cell(row.p), number(row.n_subjects, 0))
        lines.append(ForestRow(sentence_case(_short(row.term)), row.value / width, row.low / width, row.high / width, notes))
    title = "Fast and slow progressors"
    alt = "; ".join(f"{line.label}: {line.notes[0]}, n {line.notes[2]}" for line in lines) + "."
    caption = "Change in fast minus change in slow progressors with 95 % intervals; each line on its own scale, its numbers beside it."
    with style():
        figure, (ax,) = canvas(0.25 * len(lines) + 1.0)
        forest(ax, lines, heads=("Fast − slow (95 % interval)", "p", "n"))
        ax.set_xlim(-1.05, 1.05)
        ax.set_xticks([0], ["no difference"])
        svg = finish(figure, key=f"{key}-tempo", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-tempo", title, caption, alt, svg)


def has_values(rows: pd.DataFrame) -> bool:
    """Whether any row holds a finite value.

    Parameters
    ----------
    rows : DataFrame
        Estimate rows.
    """
    return bool(np.isfinite(rows["value"]).any())
