"""Figures of a trial: least-squares means, contrasts by visit, every subject's course and change."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import gaussian_kde

from myoproof.delivery.figures import (
    BLUE,
    INK,
    MUTED,
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
from myoproof.delivery.naming import reason, short_name, term_name, term_scale, word
from myoproof.delivery.page import pick, records
from myoproof.delivery.wording import interval, number, p_cell, sentence_case, series, size

DAYS_PER_MONTH = 365.25 / 12
MAXIMUM_PANELS = 4
LOOKS = ((VERMILION, "o", "-"), (BLUE, "s", "--"))
"""Colour, marker and line of the treated and of the reference arm."""


def arms_of(estimates: pd.DataFrame) -> tuple[str, str]:
    """Treated and reference arm, from the name of the contrast.

    Parameters
    ----------
    estimates : DataFrame
        Rows of a trial.
    """
    names = pick(estimates, analysis="mmrm_fit")["group"]
    treated, _, reference = (names.iloc[0] if len(names) else " - ").partition(" - ")
    return treated, reference


def means_drawing(
    estimates: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Least-squares mean change by visit and arm with intervals, one panel a term.

    Parameters
    ----------
    estimates : DataFrame
        Rows of a trial: analysis ``ls_mean``.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        In order of importance; the first four with rows are drawn.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="ls_mean").dropna(subset=["value"])
    shown = [term for term in terms if term in set(rows["term"])][:MAXIMUM_PANELS]
    if not shown:
        return None
    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    title = "Change from baseline by arm: least-squares means"
    alt = " ".join(_means_alt(pick(rows, term=term), term) for term in shown)
    with style():
        figure, axes = canvas(2.8 * lines + 0.35, rows=lines, columns=columns)
        for ax, term in zip(axes, shown, strict=False):
            _means(ax, pick(rows, term=term), term, arms_of(estimates))
        for ax in axes[len(shown) :]:
            ax.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, handlelength=2.6)
        svg = finish(figure, key=f"{key}-means", title=title, alt=alt, simulated=simulated)
    caption = (
        "Estimates of the mixed model with 95 % intervals, covariates as they are in the trial; numbers below"
        " the axis are subjects with a value. Baseline is zero by definition."
    )
    return Drawing(f"{key}-means", title, caption, alt, svg)


def _means(ax: Axes, rows: pd.DataFrame, term: str, arms: tuple[str, str]) -> None:
    scale, unit = term_scale(term, str(rows["unit"].iloc[0]), change=True)
    for place, (name, (colour, marker, line)) in enumerate(zip(arms, LOOKS, strict=True)):
        own = pick(rows, group=name).sort_values("day")
        if own.empty:
            continue
        months = np.append(0.0, own["day"].to_numpy(float) / DAYS_PER_MONTH) + (0.08 if place else -0.08)
        value = np.append(0.0, scale * own["value"].to_numpy(float))
        low, high = (np.append(0.0, scale * own[side].to_numpy(float)) for side in ("low", "high"))
        ends = np.abs(np.sort([value - low, high - value], axis=0))
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 1.8}
        ax.errorbar(months, value, yerr=ends, label=word(name), capsize=2.5, **look)
        for month, n in zip(months[1:], own["n_subjects"], strict=True):
            ax.annotate(
                number(n, 0),
                xy=(month, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, -28 - 10 * place),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color=colour,
                annotation_clip=False,
            )
    ax.axhline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    ax.set_title(wrap(sentence_case(short_name(term)), 40))
    ax.set_xlabel("months", labelpad=27)
    last = int(np.ceil(rows["day"].max() / DAYS_PER_MONTH - 0.5))
    ax.set_xticks(range(0, last + 1, 3 if last <= 24 else 12))
    ax.set_ylabel(f"change ({unit})")
    ax.grid(visible=True, axis="y")


def _means_alt(rows: pd.DataFrame, term: str) -> str:
    scale, unit = term_scale(term, str(rows["unit"].iloc[0]), change=True)
    last = rows[rows["day"] == rows["day"].max()]
    told = [
        f"{word(row['group'])} {interval(*(scale * row[end] for end in ('value', 'low', 'high')))} {unit}"
        for row in records(last)
    ]
    return f"{sentence_case(term_name(term))} at the last visit: {series(told)}."


def contrasts_drawing(
    estimates: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Contrasts between the arms by visit, and below them what the primary one becomes otherwise.

    Parameters
    ----------
    estimates : DataFrame
        Rows of a trial: analyses ``contrast`` and ``sensitivity``.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        In order of importance; the first is drawn.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="contrast")
    shown = [term for term in terms if term in set(rows["term"])][:1]
    if not shown:
        return None
    term = shown[0]
    scale, unit = term_scale(term, str(pick(rows, term=term)["unit"].iloc[0]), change=True)
    others = pick(estimates, analysis=["sensitivity", "while_alive"], term=term)
    lines = [_line(row, scale, row["method"]) for row in records(pick(rows, term=term))]
    lines += [_line(row, scale, _assumption(row), filled=False) for row in records(others)]
    if all(np.isnan(line.value) for line in lines):
        return None
    names = " − ".join(word(name) for name in arms_of(estimates))
    title = f"{sentence_case(names)}: {term_name(term)}"
    told = "; ".join(f"{line.label}: {line.notes[0]}" for line in lines)
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, heads=("difference (95 % interval)", "p", "n"))
        ax.set_xlabel(f"difference in change ({unit})")
        svg = finish(
            figure, key=f"{key}-contrasts", title=title, alt=f"{told} ({unit}).", simulated=simulated
        )
    caption = "By the mixed model at every visit" + (
        "; open marks: the primary visit under other assumptions on those who left." if len(others) else "."
    )
    return Drawing(f"{key}-contrasts", title, caption, f"{told} ({unit}).", svg)


def _assumption(row: Mapping[str, Any]) -> str:
    name = str(row["method"]).split(" ")[0]
    return f"{row['analysis'].replace('_', ' ')}: {word(name)}"


def _line(row: Mapping[str, Any], scale: float, label: str, *, filled: bool = True) -> ForestRow:
    if np.isnan(row["value"]):
        return ForestRow(label, np.nan, np.nan, np.nan, (reason(row["absent"]),), colour=INK)
    value, low, high = (scale * row[name] for name in ("value", "low", "high"))
    notes = (interval(value, low, high), p_cell(row["p"]), number(row["n_subjects"], 0))
    return ForestRow(label, value, low, high, notes, colour=INK, filled=filled)


def subjects_drawing(
    estimates: pd.DataFrame, predictions: pd.DataFrame, *, key: str, terms: Sequence[str], simulated: bool
) -> Drawing | None:
    """Every subject of either arm: courses on the left, changes as points with density and box on the right.

    Parameters
    ----------
    estimates, predictions : DataFrame
        Rows of a trial: targets ``level:TERM`` and ``change:TERM``.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        In order of importance; the first is drawn.
    simulated : bool
        Whether the data are simulated.
    """
    shown = [term for term in terms if f"level:{term}" in set(predictions["target"])][:1]
    if not shown:
        return None
    term, arms = shown[0], arms_of(estimates)
    courses = pick(predictions, target=f"level:{term}").dropna(subset=["value", "day"])
    changes = pick(predictions, target=f"change:{term}").dropna(subset=["value"])
    units = pick(estimates, analysis=["level", "ls_mean"], term=term)["unit"]
    scale, unit = term_scale(term, str(units.iloc[0]) if len(units) else "")
    title = f"{sentence_case(term_name(term))}: every subject"
    alt = _subjects_alt(changes, arms, scale, unit)
    with style():
        figure, axes = canvas(2.9, columns=3, width_ratios=(1, 1, 1.15))
        for ax, name, look in zip(axes, arms, LOOKS, strict=False):
            _spaghetti(ax, pick(courses, candidate=name), name, look[0], scale)
        axes[0].set_ylabel(unit)
        bounds = [ax.get_ylim() for ax in axes[:2]]
        for ax in axes[:2]:
            ax.set_ylim(min(low for low, _ in bounds), max(high for _, high in bounds))
        for place, name in enumerate(arms):
            values = scale * pick(changes, candidate=name)["value"].to_numpy(float)
            _raincloud(axes[2], values, place, LOOKS[place][0])
        axes[2].set_yticks([0, 1], [word(name) for name in arms])
        axes[2].set_xlabel(f"last change ({unit})")
        svg = finish(figure, key=f"{key}-subjects", title=title, alt=alt, simulated=simulated)
    caption = (
        "Left: courses by day; thick line: mean of those seen at each visit, which drop-out selects. Right:"
        " each subject's last change with density, median and quartiles."
    )
    return Drawing(f"{key}-subjects", title, caption, alt, svg)


def _spaghetti(ax: Axes, rows: pd.DataFrame, name: str, colour: str, scale: float) -> None:
    for _, own in rows.sort_values("day").groupby("subject", sort=True):
        ax.plot(own["day"] / DAYS_PER_MONTH, scale * own["value"], color=colour, alpha=0.22, linewidth=0.6)
    ordered = rows.sort_values("day").assign(visit=rows.groupby("subject")["day"].rank())
    mean = ordered.groupby("visit")[["day", "value"]].mean()
    ax.plot(mean["day"] / DAYS_PER_MONTH, scale * mean["value"], color=colour, linewidth=2.2)
    ax.set_title(f"{word(name)}, {size(rows['subject'].nunique())}")
    ax.set_xlabel("months")
    last = int(np.ceil(rows["day"].max() / DAYS_PER_MONTH - 0.5)) if len(rows) else 0
    ax.set_xticks(range(0, last + 1, 3 if last <= 24 else 12))
    ax.grid(visible=True, axis="y")


def _raincloud(ax: Axes, values: np.ndarray[Any, np.dtype[np.float64]], place: int, colour: str) -> None:
    if values.size == 0:
        return
    spread = np.linspace(-1, 1, values.size) if values.size > 1 else np.zeros(1)
    order = np.argsort(np.argsort((np.arange(values.size) * 0.618034) % 1.0))
    ax.plot(values, place + 0.22 + 0.09 * spread[order], ".", color=colour, alpha=0.5, markersize=3.5)
    quarters = np.percentile(values, [25, 50, 75])
    ax.plot(quarters[[0, 2]], [place + 0.07] * 2, color=colour, linewidth=4, solid_capstyle="butt")
    ax.plot(quarters[1], place + 0.07, "|", color="white", markersize=7, markeredgewidth=1.5)
    if values.size > 4 and np.ptp(values) > 0:
        grid = np.linspace(values.min(), values.max(), 120)
        density = gaussian_kde(values)(grid)
        top = place - 0.36 * density / density.max()
        ax.fill_between(grid, top, place, color=colour, alpha=0.35, linewidth=0)
    ax.set_ylim(1.5, -0.5)
    ax.grid(visible=True, axis="x")


def _subjects_alt(changes: pd.DataFrame, arms: tuple[str, str], scale: float, unit: str) -> str:
    told = []
    for name in arms:
        values = scale * pick(changes, candidate=name)["value"]
        if len(values):
            told.append(f"{word(name)} median {number(float(values.median()))} {unit} ({size(len(values))})")
    return f"Last change: {series(told)}." if told else "No change measured."
