"""Figures that describe a cohort: differences at baseline, missing values, visits, balance."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from myoproof.delivery.figures import (
    BLUE,
    GROUPS,
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    RULE,
    VERMILION,
    WASH,
    Drawing,
    canvas,
    finish,
    ink_on,
    style,
)
from myoproof.delivery.naming import term_name, word
from myoproof.delivery.wording import number, percent, sentence_case, series, size

LIMIT = 0.1
"""Standardised difference that is commonly taken as negligible (Austin 2009, Stat Med 28:3083)."""
PATTERNS = 15
VARIABLES = 24
NAME_CHARACTERS = 34


def look(group: str, at: int) -> tuple[str, str]:
    """Colour and marker of a group: the house's own for known names, else by order.

    Parameters
    ----------
    group : str
        Its name.
    at : int
        Its place among the groups.
    """
    if group in GROUPS:
        return GROUPS[group][0], GROUPS[group][1]
    return PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)]


def named(variable: str) -> str:
    """A variable of a table in words, cut where it is long.

    Parameters
    ----------
    variable : str
        Column or feature name.

    Examples
    --------
    >>> named("age_years"), named("fat_fraction/thigh/left")
    ('Age', 'Fat fraction, thigh left')
    """
    text = sentence_case(term_name(variable))
    return text if len(text) <= NAME_CHARACTERS else text[: NAME_CHARACTERS - 1] + "…"


def differences_drawing(table: pd.DataFrame, *, key: str, by: str, simulated: bool) -> Drawing | None:
    """Largest standardised difference between groups, a line a variable.

    Parameters
    ----------
    table : DataFrame
        Table 1 in long form.
    key, by : str
        Prefix of the figure's key, and what the groups are.
    simulated : bool
        Whether the data are simulated.
    """
    rows = table.dropna(subset=["difference"])
    if rows.empty:
        return None
    rows = rows[np.isfinite(rows["difference"])].sort_values("difference", kind="stable", ascending=False)
    rows = rows.head(VARIABLES)
    if rows.empty:
        return None
    title = f"Differences between groups of {word(by)}"
    above = [named(name) for name in rows.loc[rows["difference"] > LIMIT, "variable"]]
    told = f"{len(above)} of {len(rows)} variables differ by more than {LIMIT:g} SD"
    alt = told + (f": {series(above[:5])}." if above else ".")
    caption = (
        f"Largest absolute standardised difference between two groups; dashed: {LIMIT:g}, commonly taken as "
        "negligible. No p-values: they would follow the number of subjects."
    )
    with style():
        figure, (ax,) = canvas(0.9 + 0.24 * len(rows))
        places = np.arange(len(rows))
        values = rows["difference"].to_numpy(dtype=float)
        ax.hlines(places, 0, values, color="#c3cbd4", linewidth=2)
        ax.plot(values, places, "o", color=BLUE)
        ax.axvline(LIMIT, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        ax.set_yticks(places, [named(name) for name in rows["variable"]])
        _lines(ax, len(rows))
        ax.set_xlim(0, max(1.06 * float(values.max()), 2 * LIMIT))
        ax.set_xlabel("standardised difference")
        svg = finish(figure, key=f"{key}-differences", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-differences", title, caption, alt, svg)


def missing_drawing(patterns: pd.DataFrame, *, key: str, n: int, simulated: bool) -> Drawing | None:
    """Which variables are missing together, the most frequent patterns on top.

    Parameters
    ----------
    patterns : DataFrame
        From :func:`myoproof.studies.describe.missing_patterns`.
    key : str
        Prefix of the figure's key.
    n : int
        Subjects.
    simulated : bool
        Whether the data are simulated.
    """
    names = [str(name) for name in patterns if name not in ("pattern", "n", "share")]
    if not names:
        return None
    counts = pd.Series({name: float(patterns.loc[patterns[name] == 1, "n"].sum()) for name in names})
    names = [str(name) for name in counts.sort_values(ascending=False, kind="stable").index[:VARIABLES]]
    shown = patterns.head(PATTERNS)
    whole = float(patterns.loc[patterns[names].sum(axis=1) == 0, "n"].sum())
    title = "Missing values"
    worst = series([f"{named(name)} {percent(counts[name] / n)}" for name in names[:3]])
    alt = f"{size(whole)} of {int(n)} subjects lack nothing. Most often missing: {worst}."
    left = len(patterns) - len(shown)
    caption = (
        f"Patterns of missing values, {size(n, 'subjects')}: a line is a pattern, a filled cell a missing "
        "value; right, subjects with that pattern; above, missing of each variable."
    )
    caption += f" {left} rarer patterns are not drawn." if left else ""
    with style():
        figure, axes = canvas(2.6 + 0.21 * len(shown), columns=2, width_ratios=[2.1, 1], sharey=True)
        _cells(axes[0], shown[names].to_numpy(dtype=float), [counts[name] / n for name in names])
        axes[0].set_xticks(np.arange(len(names)), [named(name) for name in names], rotation=90, fontsize=7.8)
        _bars(axes[1], shown["n"].to_numpy(dtype=float))
        svg = finish(figure, key=f"{key}-missing", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-missing", title, caption, alt, svg)


def _cells(ax: Axes, values: npt.NDArray[np.float64], shares: list[float]) -> None:
    for line, own in enumerate(values.tolist()):
        for column, missing in enumerate(own):
            colour = VERMILION if missing else WASH
            span = [column - 0.42, column + 0.42]
            ax.fill_between(span, line - 0.4, line + 0.4, color=colour, linewidth=0)
    text: dict[str, Any] = {"ha": "center", "va": "bottom", "rotation": 90, "fontsize": 7.5, "color": INK}
    for place, share in enumerate(shares):
        ax.text(float(place), -0.75, percent(share), **text)
    ax.set_xlim(-0.6, values.shape[1] - 0.4)
    ax.set_ylim(len(values) - 0.5, -3.0)
    ax.set_yticks(range(len(values)), [str(k + 1) for k in range(len(values))])
    ax.set_ylabel("pattern")
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _bars(ax: Axes, counts: npt.NDArray[np.float64]) -> None:
    places = np.arange(len(counts))
    ax.barh(places, counts, height=0.72, color=BLUE)
    for place, n in enumerate(counts.tolist()):
        ax.text(n + 0.015 * float(counts.max()), float(place), f"{n:.0f}", va="center", fontsize=8)
    ax.set_xlim(0, 1.16 * counts.max())
    ax.set_xlabel("subjects")
    ax.tick_params(axis="y", length=0, labelleft=False)
    ax.spines["left"].set_visible(False)


def visits_drawing(visits: pd.DataFrame, *, key: str, window_days: float, simulated: bool) -> Drawing | None:
    """The day of every visit, by visit, with the window around its nominal day.

    Parameters
    ----------
    visits : DataFrame
        From :func:`myoproof.studies.describe.visit_windows`.
    key : str
        Prefix of the figure's key.
    window_days : float
        Days around the nominal day that count as on time.
    simulated : bool
        Whether the data are simulated.
    """
    sessions = sorted(set(visits["session"]))
    if len(sessions) < 2:
        return None
    title = "Visits and their windows"
    judged = visits.dropna(subset=["on_time"])
    late = int((~judged["on_time"].astype(bool)).sum())
    alt = (
        f"{late} of {len(judged)} visits lie outside {window_days:g} days around their nominal day. "
        + "; ".join(
            f"{name}: {size(len(own))}, day {number(own['day'].min(), 0)} to {number(own['day'].max(), 0)}"
            for name, own in visits.groupby("session")
        )
    )
    caption = (
        f"A point a visit; band: nominal day ± {window_days:g} days; open, vermilion: outside it. "
        f"{size(visits['subject'].nunique(), 'subjects')}, {len(visits)} visits."
    )
    with style():
        figure, (ax,) = canvas(0.9 + 0.42 * len(sessions))
        for place, name in enumerate(sessions):
            own = visits[visits["session"] == name].sort_values("day")
            _visit(ax, own, place, window_days)
        counts = visits.groupby("session")["subject"].nunique()
        ax.set_yticks(range(len(sessions)), [f"{name}, {size(counts[name])}" for name in sessions])
        _lines(ax, len(sessions))
        ax.set_xlabel("days since baseline")
        svg = finish(figure, key=f"{key}-visits", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-visits", title, caption, alt, svg)


def _visit(ax: Axes, own: pd.DataFrame, place: int, window_days: float) -> None:
    nominal = own["nominal_day"].iloc[0]
    if np.isfinite(nominal):
        band = [nominal - window_days, nominal + window_days]
        ax.fill_between(band, place - 0.36, place + 0.36, color=WASH, linewidth=0, zorder=0)
        ax.plot([nominal, nominal], [place - 0.36, place + 0.36], color=RULE, linewidth=1.2, zorder=1)
    heights = place + scatter_heights(len(own), 0.3)
    on_time = own["on_time"].map(lambda known: known is not False).to_numpy(dtype=bool)
    days = own["day"].to_numpy(dtype=float)
    dots: dict[str, Any] = {"linestyle": "none", "markersize": 3.2, "zorder": 2}
    ax.plot(days[on_time], heights[on_time], "o", color=BLUE, alpha=0.65, markeredgewidth=0, **dots)
    ax.plot(days[~on_time], heights[~on_time], "o", color=VERMILION, markerfacecolor="white", **dots)


def balance_drawing(
    counts: pd.DataFrame, found: dict[str, float], *, key: str, place: str, by: str, simulated: bool
) -> Drawing | None:
    """Groups within each centre or device, as shares with their counts.

    Parameters
    ----------
    counts : DataFrame
        Columns of the place, group and n.
    found : dict
        ``cramers_v`` and ``p``.
    key, place, by : str
        Prefix of the figure's key, ``centre`` or ``device``, what the groups are.
    simulated : bool
        Whether the data are simulated.
    """
    if counts.empty:
        return None
    table = counts.pivot_table(index=place, columns="group", values="n", fill_value=0, sort=True)
    table = table.loc[table.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    title = f"Balance over {word(place)}s"
    v = found["cramers_v"]
    told = f"Cramér's V {number(v, 2)}" if np.isfinite(v) else "one group or one place only"
    alt = f"Groups of {word(by)} in {len(table)} {word(place)}s, {told}."
    caption = (
        f"Share of the groups of {word(by)} at each {word(place)}, with counts; {told} "
        f"(0 unrelated, 1 determined; chance taken off)."
    )
    with style():
        figure, (ax,) = canvas(1.15 + 0.3 * len(table))
        start = np.zeros(len(table))
        totals = table.sum(axis=1).to_numpy(dtype=float)
        for k, group in enumerate(table.columns):
            share = table[group].to_numpy(dtype=float) / totals
            colour = look(str(group), k)[0]
            places = np.arange(len(table))
            bar: dict[str, Any] = {"color": colour, "edgecolor": "white", "linewidth": 0.8, "height": 0.74}
            ax.barh(places, share, left=start, label=str(group), **bar)
            for line, (own, n) in enumerate(zip(share, table[group], strict=True)):
                if own > 0.04:
                    text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
                    ax.text(start[line] + own / 2, line, f"{n:.0f}", color=ink_on(colour), **text)
            start = start + share
        ax.set_yticks(
            range(len(table)), [f"{name}, {size(n)}" for name, n in zip(table.index, totals, strict=True)]
        )
        _lines(ax, len(table))
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
        figure.legend(loc="outside upper center", ncols=min(len(table.columns), 6))
        svg = finish(figure, key=f"{key}-{place}", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-{place}", title, caption, alt, svg)


def scatter_heights(n: int, half: float) -> npt.NDArray[np.float64]:
    """Offsets that spread points evenly and look random, without chance: the golden-ratio sequence.

    Parameters
    ----------
    n : int
        Points.
    half : float
        Largest offset either way.

    Examples
    --------
    >>> bool((abs(scatter_heights(50, 0.3)) <= 0.3).all())
    True
    """
    golden = (np.sqrt(5) - 1) / 2
    return np.asarray(half * (2 * np.mod(golden * np.arange(1, n + 1), 1) - 1))


def _lines(ax: Axes, n: int) -> None:
    ax.set_ylim(n - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="x")
