"""Figures of a progression study: courses, changes, the league of measures, correlations, tempo."""

from collections.abc import Mapping, Sequence
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
    VERMILION,
    Drawing,
    ForestRow,
    canvas,
    finish,
    forest,
    forest_height_in,
    style,
    wrap,
)
from myoproof.delivery.naming import (
    reason,
    short_name,
    term_name,
    term_scale,
    word,
)
from myoproof.delivery.page import (
    first,
    pick,
    records,
)
from myoproof.delivery.wording import (
    DASH,
    NO_BREAK,
    decimals_for,
    interval,
    number,
    p_cell,
    sentence_case,
    series,
    size,
)
from myoproof.vocabulary.lookup import words, worsening_sign

DAYS_PER_MONTH = 365.25 / 12
MAXIMUM_PANELS = 6
MAXIMUM_LINES = 22
_SIZES = {"mm2", "cm2", "mL", "mm3"}


def group_name(name: str) -> str:
    """A group of subjects in words.

    Parameters
    ----------
    name : str
        Value of the column group.

    Examples
    --------
    >>> group_name("als"), group_name("control")
    ('ALS', 'controls')
    """
    parts = [{"als": "ALS", "control": "controls"}.get(part, word(part)) for part in name.split(" - ")]
    return f" −{NO_BREAK}".join(parts)


def course_drawing(
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
    columns = 2 if len(shown) in (2, 4) else min(3, len(shown))
    lines = -(-len(shown) // columns)
    title = "Course by group"
    alt = " ".join(_course_alt(pick(levels, term=term), term) for term in shown)
    with style():
        figure, axes = canvas(2.5 * lines + 0.35, rows=lines, columns=columns)
        for ax, term in zip(axes, shown, strict=False):
            _course(ax, pick(levels, term=term), pick(predictions, target=f"level:{term}"), term)
            ax.set_title(wrap(sentence_case(short_name(term)), 28 if columns == 3 else 46))
        for ax in axes[len(shown) :]:
            ax.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=2.6)
        svg = finish(figure, key=f"{key}-course", title=title, alt=alt, simulated=simulated)
    counts = pick(levels, term=shown).groupby("group")["n_subjects"].agg(["min", "max"])
    held = series([f"{group_name(str(g))} {count_range(r['min'], r['max'])}" for g, r in counts.iterrows()])
    caption = f"Mean with 95 % interval by visit ({held}); thin lines are single subjects."
    return Drawing(f"{key}-course", title, caption, alt, svg)


def count_range(low: float, high: float) -> str:
    """A range of sample sizes, as ``n = 16 to 17``.

    Parameters
    ----------
    low, high : float
        Smallest and largest n.
    """
    return size(low) if low == high else f"{size(low)} to {number(high, 0)}"


def _course(ax: Axes, levels: pd.DataFrame, single: pd.DataFrame, term: str) -> None:
    scale, unit = term_scale(term, str(levels["unit"].iloc[0]))
    for _, rows in single.dropna(subset=["value", "day"]).sort_values("day").groupby("subject", sort=True):
        known = GROUPS.get(str(rows["candidate"].iloc[0]))
        thin: dict[str, Any] = {"color": known[0] if known else MUTED, "alpha": 0.28, "linewidth": 0.7}
        ax.plot(rows["day"] / DAYS_PER_MONTH, scale * rows["value"], **thin)
    groups = levels.sort_values("day").groupby("group", sort=True)
    for (name, rows), spare in zip(groups, PALETTE, strict=False):
        colour, marker, line = GROUPS.get(str(name), (spare, "o", "-"))
        months = rows["day"].to_numpy(float) / DAYS_PER_MONTH
        low, high = scale * rows["low"].to_numpy(float), scale * rows["high"].to_numpy(float)
        ax.fill_between(months, low, high, color=colour, alpha=0.2, linewidth=0)
        thick: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 2}
        ax.plot(months, scale * rows["value"], label=group_name(str(name)), **thick)
    ax.set_xlabel("months")
    ax.set_ylabel(unit)
    last = 6 * max(round(levels["day"].max() / DAYS_PER_MONTH / 6), 1)
    ax.set_xticks(range(0, last + 1, 6 if last <= 36 else 12))
    ax.grid(visible=True, axis="y")


def _course_alt(levels: pd.DataFrame, term: str) -> str:
    scale, unit = term_scale(term, str(levels["unit"].iloc[0]))
    told = []
    for name, rows in levels.sort_values("day").groupby("group", sort=True):
        start, end = rows.iloc[0], rows.iloc[-1]
        course = f"{number(scale * start['value'])} to {number(scale * end['value'])} {unit}"
        told.append(f"{group_name(str(name))} {course} ({size(end['n_subjects'])} at the last visit)")
    return f"{sentence_case(term_name(term))}: {series(told)}."


def change_drawing(
    estimates: pd.DataFrame, *, key: str, title: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Change in the patients and, below it, in the controls, for terms that belong together.

    Terms of unlike size are drawn in per cent of their group's mean at baseline; the numbers beside the plot
    stay in their own units.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of analyses ``change`` (paired t) and ``level``.
    key : str
        The figure's key.
    title : str
        What changes.
    terms : sequence of str
        Terms in order.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="change", method="paired_t", term=list(terms))
    patients = rows[rows["group"] != "control"].drop_duplicates("term").set_index("term", drop=False)
    patients = patients.reindex([term for term in terms if term in patients.index]).head(MAXIMUM_LINES)
    if not patients["value"].notna().any():
        return None
    controls = pick(rows, group="control").drop_duplicates("term").set_index("term", drop=False)
    controls = controls.reindex([term for term in patients.index if term in controls.index])
    relative = len(set(patients["unit"])) > 1 or set(patients["unit"]) <= _SIZES
    starts = _baselines(estimates) if relative else {}
    lines = _change_lines(patients, starts)
    unit = "per cent of the mean at baseline" if relative else _change_unit(patients)
    told = [f"{line.label}: {line.notes[0]}, n {line.notes[-1]}" for line in lines]
    alt = f"Change in ALS. {'; '.join(told)}" + ("." if relative else f" ({unit}).")
    with style():
        figure, (ax,) = canvas(forest_height_in(lines) + 0.1 * len(lines))
        forest(ax, lines, heads=(_head(patients), "adj. p", "n"))
        ax.set_ylim(bottom=len(lines) - 0.4)
        for row in records(controls):
            _below(ax, list(patients.index).index(row["term"]) + 0.3, _drawn(row, starts))
        ax.set_xlabel(f"change ({'% of the mean at baseline' if relative else unit})")
        svg = finish(figure, key=key, title=title, alt=alt, simulated=simulated)
    caption = _change_caption(patients, controls, unit, len(set(rows["term"])) - len(lines))
    return Drawing(key, title, caption, alt, svg)


def _head(rows: pd.DataFrame) -> str:
    alike = len(set(rows["unit"])) == 1
    unit = _change_unit(rows).replace("percentage points", "points")
    return f"Change in ALS, {unit} (95 % interval)" if alike else "Change in ALS (95 % interval)"


def _baselines(estimates: pd.DataFrame) -> dict[tuple[str, str], float]:
    levels = pick(estimates, analysis="level").dropna(subset=["value"]).sort_values("day", kind="stable")
    firsts = levels.drop_duplicates(["term", "group"])
    return {(row["term"], row["group"]): float(row["value"]) for row in records(firsts)}


def _change_unit(rows: pd.DataFrame) -> str:
    row = records(rows.head(1))[0]
    return term_scale(row["term"], row["unit"], change=True)[1]


def _drawn(
    row: Mapping[str, Any], starts: Mapping[tuple[str, str], float]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.array([row["value"], row["low"], row["high"]], dtype=np.float64)
    if starts:
        return 100 * values / abs(starts.get((row["term"], row["group"]), float("nan")))
    return term_scale(row["term"], row["unit"], change=True)[0] * values


def _change_lines(rows: pd.DataFrame, starts: Mapping[tuple[str, str], float]) -> list[ForestRow]:
    own = [_drawn(row, {}) for row in records(rows)]
    alike = len(set(rows["unit"])) == 1
    finite = [value for values in own for value in values if np.isfinite(value)]
    lines, nothing = [], float("nan")
    for row, values in zip(records(rows), own, strict=True):
        site = term_name("/".join(row["term"].split("/")[:3]), measure=False)
        label = sentence_case(site if alike else short_name(row["term"]))
        if np.isnan(values[0]):
            absent = (f"absent: {reason(row['absent'])}", "", "")
            lines.append(ForestRow(label, nothing, nothing, nothing, absent))
            continue
        places = decimals_for(*finite) if alike else decimals_for(*values)
        unit = "" if alike else term_scale(row["term"], row["unit"], change=True)[1]
        text = interval(*values, decimals=places, unit=unit)
        notes = (text, p_cell(best_p(row)), number(row["n_subjects"], 0))
        value, low, high = _drawn(row, starts)
        lines.append(ForestRow(label, value, low, high, notes, VERMILION, "o"))
    return lines


def _change_caption(patients: pd.DataFrame, controls: pd.DataFrame, unit: str, left_out: int) -> str:
    measures = {term.split("/")[0] for term in patients["term"]} & set(words("measures"))
    signs = {worsening_sign(measure) for measure in measures}
    worse = f"; {'higher' if signs == {1} else 'lower'} is worse" if len(signs) == 1 else ""
    held = controls.dropna(subset=["value"])["n_subjects"]
    beside = f" Blue squares: controls, {count_range(held.min(), held.max())}." if len(held) else ""
    more = f" {left_out} more sites are in the table only." if left_out else ""
    return f"Last visit minus baseline in {unit}, with 95 % intervals{worse}. Circles: ALS.{beside}{more}"


def _below(ax: Axes, y: float, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    value, low, high = values
    ax.plot([low, high], [y, y], color=BLUE, linewidth=1.2, linestyle="--")
    ax.plot(value, y, color=BLUE, marker="s", markersize=4.5)


def best_p(row: Mapping[Any, Any]) -> float:
    """The adjusted p of a row, or the plain one where none was adjusted.

    Parameters
    ----------
    row : mapping
        Estimate row.
    """
    adjusted = float(row["p_adjusted"])
    return float(row["p"]) if np.isnan(adjusted) else adjusted


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
    rows = rows[rows["group"] != "control"].sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return None
    shown = rows[(np.arange(len(rows)) < MAXIMUM_LINES) | (rows["flags"] == "clinical")]
    lines = [_league_line(row, estimates) for row in records(shown)]
    title = "Responsiveness of the measures"
    told = [f"{line.label}: SRM {line.notes[0]}, {line.notes[1]} per arm for a 50 % effect" for line in lines]
    alt = "; ".join(told[:8]) + "."
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, heads=("SRM (95 % interval)", "50 %", "25 %", "n"))
        ax.set_xlabel("standardised response mean (worsening positive)")
        svg = finish(figure, key=f"{key}-league", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-league", title, _league_caption(rows, len(rows) - len(shown)), alt, svg)


def _league_caption(rows: pd.DataFrame, left_out: int) -> str:
    clinical = " Open circles: clinical measures." if (rows["flags"] == "clinical").any() else ""
    more = f" {left_out} less responsive measures are in the table only." if left_out else ""
    return (
        "Standardised response mean (mean change / SD of change) with 95 % bootstrap interval,"
        f" {count_range(rows['n_subjects'].min(), rows['n_subjects'].max())}; right, patients per arm that a"
        f" trial needs to show a slowing by 50 % or 25 %.{clinical}{more} The top of a ranking is flattered"
        " by chance; see the out-of-bag value in the text."
    )


def _league_line(row: Mapping[Any, Any], estimates: pd.DataFrame) -> ForestRow:
    arms = []
    for effect in ("50%", "25%"):
        found = first(estimates, analysis="sample_size", term=row["term"], group=effect)
        arms.append(DASH if found is None else number(float(found["value"]), 0))
    notes = (
        interval(row["value"], row["low"], row["high"], decimals=2),
        *arms,
        number(row["n_subjects"], 0),
    )
    clinical = row["flags"] == "clinical"
    label = sentence_case(short_name(row["term"]))
    bounds = row["value"], row["low"], row["high"]
    return ForestRow(label, *bounds, notes, INK if clinical else BLUE, "o", not clinical)
