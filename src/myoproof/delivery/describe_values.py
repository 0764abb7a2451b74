"""Figures of single measures: rainclouds by group at one visit, spaghetti over time."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from myoproof.delivery.describe_figures import look, named, scatter_heights
from myoproof.delivery.figures import INK, MUTED, Drawing, canvas, finish, style
from myoproof.delivery.naming import term_name, term_scale
from myoproof.delivery.wording import number, sentence_case, size

FEWEST_FOR_CLOUD = 5
MOST_GROUPS = 6
FEWEST_FOR_MEAN = 3


def raincloud_drawing(values: pd.Series, groups: pd.Series, *, key: str, simulated: bool) -> Drawing | None:
    """One measure by group: density, median with quartiles, and every subject.

    Parameters
    ----------
    values : Series
        Named as the feature; index subject.
    groups : Series
        Group of each subject; "" is left out.
    key : str
        Of the figure.
    simulated : bool
        Whether the data are simulated.
    """
    term = str(values.name)
    factor, unit = term_scale(term)
    known = pd.DataFrame({"value": factor * values, "group": groups.reindex(values.index).fillna("")})
    known = known[known["value"].notna() & (known["group"] != "")]
    names = sorted(set(known["group"]))[:MOST_GROUPS]
    if not names:
        return None
    title = f"{named(term)} by group"
    parts = {name: known.loc[known["group"] == name, "value"].to_numpy(dtype=float) for name in names}
    told = "; ".join(
        f"{name} {number(float(np.median(own)))}, {size(len(own))}" for name, own in parts.items()
    )
    alt = f"Median of {named(term)}{f' ({unit})' if unit else ''}: {told}."
    caption = f"Density, median with quartiles, and every subject. {sum(map(len, parts.values()))} subjects."
    with style():
        figure, (ax,) = canvas(0.75 + 0.95 * len(names))
        for place, (name, own) in enumerate(parts.items()):
            _cloud(ax, own, place, look(name, place)[0])
        ax.set_yticks(range(len(names)), [f"{name}\n{size(len(own))}" for name, own in parts.items()])
        ax.set_ylim(len(names) - 0.45, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(visible=True, axis="x")
        ax.set_xlabel(f"{sentence_case(term_name(term))}{f', {unit}' if unit else ''}")
        svg = finish(figure, key=key, title=title, alt=alt, simulated=simulated)
    return Drawing(key, title, caption, alt, svg)


def _cloud(ax: Axes, own: npt.NDArray[np.float64], place: int, colour: str) -> None:
    if len(own) >= FEWEST_FOR_CLOUD and own.std() > 0:
        density = stats.gaussian_kde(own)
        spread = 0.6 * own.std()
        at = np.linspace(own.min() - spread, own.max() + spread, 160)
        height = density(at)
        top = place - 0.1 - 0.42 * height / height.max()
        ax.fill_between(at, place - 0.1, top, color=colour, alpha=0.35, linewidth=0)
        ax.plot(at, top, color=colour, linewidth=1.1)
    q1, median, q3 = np.quantile(own, [0.25, 0.5, 0.75])
    ax.plot([q1, q3], [place, place], color=INK, linewidth=3.2, solid_capstyle="butt")
    ax.plot(median, place, "o", color="white", markeredgecolor=INK, markersize=5.5, zorder=4)
    heights = place + 0.24 + scatter_heights(len(own), 0.13)
    small = 4.0 if len(own) < 60 else 2.6
    ax.plot(np.sort(own), heights, "o", color=colour, markersize=small, alpha=0.6, markeredgewidth=0)


def spaghetti_drawing(rows: pd.DataFrame, *, term: str, key: str, simulated: bool) -> Drawing | None:
    """Every subject's course, and the mean of each group at each visit.

    Parameters
    ----------
    rows : DataFrame
        subject, session, day, value, group.
    term : str
        Feature name.
    key : str
        Of the figure.
    simulated : bool
        Whether the data are simulated.
    """
    factor, unit = term_scale(term)
    known = rows[rows["value"].notna() & rows["day"].notna() & (rows["group"] != "")]
    known = known.assign(value=factor * known["value"]).sort_values(["subject", "day"])
    visits = known.groupby("subject")["day"].nunique()
    names = sorted(set(known["group"]))[:MOST_GROUPS]
    if not (visits > 1).any():
        return None
    title = f"{named(term)} over time"
    counts = {name: known.loc[known["group"] == name, "subject"].nunique() for name in names}
    told = "; ".join(f"{name} {size(n)}" for name, n in counts.items())
    alt = f"Course of {named(term)}{f' ({unit})' if unit else ''} of every subject and group means: {told}."
    caption = (
        f"Thin: a subject; thick: mean of the group at a visit, with its 95 % interval ({told}). Means of "
        "those seen: who left no longer counts."
    )
    with style():
        figure, axes = canvas(3.1, columns=len(names), sharey=True, sharex=True)
        for ax, (place, name) in zip(axes, enumerate(names), strict=True):
            own = known[known["group"] == name]
            colour = look(name, place)[0]
            for _, line in own.groupby("subject"):
                ax.plot(line["day"], line["value"], color=colour, linewidth=0.7, alpha=0.35)
            _means(ax, own, colour)
            ax.set_title(f"{name}, {size(counts[name])}")
            ax.set_xlabel("days since baseline")
            ax.grid(visible=True, axis="y")
        axes[0].set_ylabel(f"{named(term)}{f', {unit}' if unit else ''}")
        svg = finish(figure, key=key, title=title, alt=alt, simulated=simulated)
    return Drawing(key, title, caption, alt, svg)


def _means(ax: Axes, own: pd.DataFrame, colour: str) -> None:
    found = own.groupby("session").agg(day=("day", "median"), mean=("value", "mean"), sd=("value", "std"),
                                       n=("value", "size"))  # fmt: skip
    found = found[found["n"] >= FEWEST_FOR_MEAN].sort_values("day")
    if found.empty:
        return
    n = found["n"].to_numpy(dtype=float)
    half = stats.t.ppf(0.975, n - 1) * found["sd"].to_numpy(dtype=float) / np.sqrt(n)
    line: dict[str, Any] = {"color": colour, "linewidth": 2.4, "marker": "o", "markersize": 5.5}
    ax.errorbar(found["day"], found["mean"], yerr=half, capsize=0, markeredgecolor="white", zorder=5,
                ecolor=MUTED, elinewidth=1.3, **line)  # fmt: skip
