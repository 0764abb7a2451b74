"""Figures of a phenotype study: number of clusters against nulls, profile, severity axis, outcome."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from myoproof.delivery.figures import (
    BLUE,
    DIVERGING,
    GREEN,
    INK,
    MUTED,
    PALETTE,
    PURPLE,
    VERMILION,
    Drawing,
    ForestRow,
    canvas,
    finish,
    forest,
    ink_on,
    style,
)
from myoproof.delivery.naming import (
    short_name,
    term_name,
    word,
)
from myoproof.delivery.page import (
    first,
    pick,
    records,
)
from myoproof.delivery.wording import (
    number,
    p_text,
    sentence_case,
    series,
    size,
)

METRICS = {
    "silhouette": "Silhouette",
    "prediction_strength": "Prediction strength",
    "stability": "Stability (adjusted Rand index)",
}
NULL_NAMES = {
    "gaussian": "one Gaussian",
    "unimodal_factor": "one unimodal factor",
}
_NULL_LOOKS = ((BLUE, "s", "--"), (VERMILION, "^", ":"), (GREEN, "D", "-."), (PURPLE, "v", "--"))
MAXIMUM_LABELS = 34


def null_name(name: str) -> str:
    """A null model in words.

    Parameters
    ----------
    name : str
        Group of the ``null`` and ``decision`` rows.
    """
    return NULL_NAMES.get(name, word(name))


def clusters_drawing(estimates: pd.DataFrame, *, key: str, decision: str, simulated: bool) -> Drawing | None:
    """Silhouette, prediction strength and stability by k, and the excess over every null.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of the study.
    key : str
        Prefix of the figure's key.
    decision : str
        The decision metric; the bands of the nulls are drawn where it is shown. "" when unknown.
    simulated : bool
        Whether the data are simulated.
    """
    shown = [name for name in METRICS if not pick(estimates, analysis=name).empty]
    nulls = pick(estimates, analysis="null")
    if not shown and nulls.empty:
        return None
    title = "How many groups do the data hold?"
    panels = len(shown) + (not nulls.empty)
    with style():
        lines = (panels + 1) // 2
        figure, axes = canvas(2.5 * lines + 0.3, rows=lines, columns=min(2, panels))
        for ax, name in zip(axes, shown, strict=False):
            _metric(ax, pick(estimates, analysis=name), METRICS[name])
            if name == decision:
                _bands(ax, nulls)
        if not nulls.empty:
            _excess(axes[len(shown)], nulls, word(decision))
        for ax in axes[panels:]:
            ax.set_axis_off()
        _shared_legend(figure, axes)
        alt = _clusters_alt(estimates, shown)
        svg = finish(figure, key=f"{key}-clusters", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-clusters", title, _clusters_caption(estimates, decision), alt, svg)


def _k_of(rows: pd.DataFrame) -> list[int]:
    return [int(str(term).split("=")[-1]) for term in rows["term"]]


def _metric(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    k = _k_of(rows)
    ax.fill_between(k, rows["low"], rows["high"], color=INK, alpha=0.12, linewidth=0)
    ax.plot(k, rows["value"], color=INK, marker="o", label="observed")
    ax.set_title(name)
    ax.set_xlabel("number of groups, k")
    ax.set_xticks(k)
    ax.grid(visible=True, axis="y")
    if float(rows["value"].max()) > 0:
        ax.set_ylim(bottom=min(0.0, float(rows[["value", "low"]].min().min())))


def _bands(ax: Axes, nulls: pd.DataFrame) -> None:
    for (name, rows), (colour, marker, line) in zip(
        nulls.groupby("group", sort=True), _NULL_LOOKS, strict=False
    ):
        k = _k_of(rows)
        mean, spread = rows["value"].to_numpy(), 1.96 * rows["se"].to_numpy()
        ax.fill_between(k, mean - spread, mean + spread, color=colour, alpha=0.16, linewidth=0)
        label = f"null: {null_name(str(name))}"
        ax.plot(k, mean, color=colour, linestyle=line, marker=marker, label=label, markersize=4)


def _excess(ax: Axes, nulls: pd.DataFrame, metric: str) -> None:
    for (name, rows), (colour, marker, line) in zip(
        nulls.groupby("group", sort=True), _NULL_LOOKS, strict=False
    ):
        k = _k_of(rows)
        label = f"null: {null_name(str(name))}"
        ax.plot(k, rows["statistic"], color=colour, linestyle=line, marker=marker, label=label)
        if rows["statistic"].notna().any():
            top = int(np.nanargmax(rows["statistic"]))
            ring: dict[str, Any] = {"marker": "o", "markersize": 11, "fillstyle": "none", "linestyle": "none"}
            ax.plot(k[top], rows["statistic"].iloc[top], color=colour, **ring)
    ax.axhspan(-1.96, 1.96, color=MUTED, alpha=0.13, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.set_title(f"Decision: excess of the {metric}" if metric else "Decision: excess over the null")
    ax.set_xlabel("number of groups, k")
    ax.set_ylabel("null standard deviations")
    ax.set_xticks(sorted(set(_k_of(nulls))))
    ax.grid(visible=True, axis="y")


def _shared_legend(figure: Figure, axes: list[Axes]) -> None:
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        figure.legend(list(found.values()), list(found), loc="outside upper left", ncols=4, handlelength=2.6)


def _clusters_alt(estimates: pd.DataFrame, shown: list[str]) -> str:
    told = []
    for name in shown:
        rows = pick(estimates, analysis=name)
        values = series(
            [f"{number(v, 2)} at k = {k}" for v, k in zip(rows["value"], _k_of(rows), strict=True)]
        )
        told.append(f"{METRICS[name]} {values}.")
    for row in records(pick(estimates, analysis="decision")):
        if row["group"] != "claim":
            excess = f"largest excess {number(row['statistic'], 2)} standard deviations, {p_text(row['p'])}"
            told.append(f"Null of {null_name(row['group'])}: {excess}.")
    return " ".join(told)


def _clusters_caption(estimates: pd.DataFrame, decision: str) -> str:
    counted = pick(estimates, analysis=list(METRICS))["n_subjects"].max()
    banded = decision in METRICS
    bands = (
        f" Coloured bands in the panel of {word(decision)}: mean ± 1.96 SD of each null." if banded else ""
    )
    return (
        f"Descriptive measures by number of groups (black; grey band: 2.5 to 97.5 % of resamples), "
        f"{size(counted)}.{bands} The decision rests on one statistic alone: the largest standardised excess"
        " over each null (ringed; grey band: where 95 % of one null's draws lie at a single k)."
    )


def profile_drawing(estimates: pd.DataFrame, *, key: str, claimed: bool, simulated: bool) -> Drawing | None:
    """Mean z of every feature in every cluster as a heat map.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    key : str
        Prefix of the figure's key.
    claimed : bool
        Whether subtypes were claimed; otherwise the caption says that the groups cut a continuum.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="profile")
    if rows.empty:
        return None
    table = rows.pivot_table(index="term", columns="group", values="value", sort=False)
    table = table[sorted(table.columns)]
    spread = table.max(axis=1) - table.min(axis=1)
    order = (table.iloc[:, -1] - table.iloc[:, 0]).sort_values(ascending=False).index
    kept = [term for term in order if term in set(spread.nlargest(MAXIMUM_LABELS).index)]
    table = table.loc[kept]
    sizes = cluster_counts(estimates)
    title = "Profile of the groups"
    largest = ", ".join(term_name(str(term)) for term in spread.nlargest(3).index)
    features = len(set(rows["term"]))
    alt = f"Mean z-score of {features} features in {table.shape[1]} groups. Largest differences: {largest}."
    left_out = len(spread) - len(table)
    caption = _profile_caption(claimed) + (
        f" {left_out} features with smaller differences are not drawn." if left_out else ""
    )
    with style():
        figure, (ax,) = canvas(0.205 * len(table) + 1.1)
        _heat(figure, ax, table, sizes)
        svg = finish(figure, key=f"{key}-profile", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-profile", title, caption, alt, svg)


def _profile_caption(claimed: bool) -> str:
    base = "Mean z-score of each feature in each group; 0 is the mean of the cohort. Cluster 0 is the milder."
    return (
        base if claimed else base + " No subtypes are claimed: these groups are cuts through one continuum."
    )


def cluster_counts(estimates: pd.DataFrame) -> dict[str, float]:
    """Cluster -> how many subjects; a size stored as a share is turned into a count where n is known.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows of analysis ``cluster_size``.
    """
    rows = pick(estimates, analysis="cluster_size")
    shares = float(rows["value"].sum()) <= 1.5 if len(rows) else False
    counts = rows["value"] * rows["n_subjects"].max() if shares else rows["value"]
    return {str(term): float(np.rint(n)) for term, n in zip(rows["term"], counts, strict=True)}


def _heat(figure: Figure, ax: Axes, table: pd.DataFrame, sizes: dict[str, float]) -> None:
    values = table.to_numpy(float)
    limit = max(float(np.nanmax(np.abs(values))), 0.5)
    image = ax.pcolormesh(values, cmap=DIVERGING, vmin=-limit, vmax=limit, edgecolors="white", linewidth=1.2)
    for (line, column), value in np.ndenumerate(values):
        behind = DIVERGING((value / limit + 1) / 2)
        colour = ink_on(behind)
        centre: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
        ax.text(column + 0.5, line + 0.5, number(value, 2), color=colour, **centre)
    ax.set_yticks(np.arange(len(table)) + 0.5, [sentence_case(short_name(str(term))) for term in table.index])
    heads = [f"{term_name(str(name))}\n{size(sizes.get(str(name), np.nan))}" for name in table.columns]
    ax.set_xticks(np.arange(table.shape[1]) + 0.5, heads)
    ax.xaxis.tick_top()
    ax.invert_yaxis()
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(
        image, ax=ax, orientation="vertical", fraction=0.03, aspect=30, label="mean z-score"
    )
    bar.outline.set_visible(False)


def axis_drawing(
    estimates: pd.DataFrame, predictions: pd.DataFrame, *, key: str, simulated: bool
) -> Drawing | None:
    """Distribution of the severity axis by group, and the features that carry it.

    Parameters
    ----------
    estimates, predictions : DataFrame
        Rows of the study.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.
    """
    scores: pd.Series = pick(predictions, target="severity_axis").set_index("subject")["value"].dropna()
    loadings = pick(estimates, analysis="axis")
    if scores.empty:
        return None
    members = pick(predictions, target="cluster", rank=1)
    assigned: pd.Series = members.set_index("subject")["candidate"]
    title = "Severity axis"
    strongest = loadings.reindex(loadings["value"].abs().sort_values(ascending=False).index).head(10)
    carried = series(
        [f"{term_name(str(r['term']))} {number(r['value'], 2)}" for r in records(strongest.head(3))]
    )
    middle = number(float(scores.median()), 2)
    alt = f"Severity score of {size(len(scores), 'patients')}, median {middle}, {_ranges(scores)}."
    alt += f" Strongest loadings: {carried}." if carried else ""
    counted = size(len(scores))
    caption = (
        f"Score of each patient (higher is worse), {counted}; right, the strongest loadings of the axis."
    )
    with style():
        figure, axes = canvas(3.5, columns=2, width_ratios=[1, 0.8])
        _histogram(axes[0], scores, assigned)
        _loadings(axes[1], strongest)
        svg = finish(figure, key=f"{key}-axis", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-axis", title, caption, alt, svg)


def _ranges(scores: pd.Series) -> str:
    return f"range {number(float(scores.min()), 2)} to {number(float(scores.max()), 2)}"


def _histogram(ax: Axes, scores: pd.Series, assigned: pd.Series) -> None:
    edges = np.histogram_bin_edges(scores.to_numpy(float), bins=24)
    groups = assigned.reindex(scores.index).fillna("").astype(str)
    names = sorted(set(groups))
    below = np.zeros(len(edges) - 1)
    for place, name in enumerate(names):
        own = scores[groups == name].to_numpy(float)
        counts = np.histogram(own, bins=edges)[0]
        label = f"{term_name(name)}, {size(len(own))}" if name else "all"
        look: dict[str, Any] = {"color": PALETTE[place], "edgecolor": "white", "linewidth": 0.5}
        look["hatch"] = ("", "////", "....", "xxxx", "----")[place % 5]
        ax.bar(edges[:-1], counts, width=np.diff(edges), bottom=below, align="edge", label=label, **look)
        below = below + counts
    ax.set_title("Patients along the axis")
    ax.set_xlabel("severity score (higher is worse)")
    ax.set_ylabel("patients")
    if len(names) > 1:
        ax.set_ylim(top=1.12 * float(below.max()) + 0.09 * len(names) * float(below.max()))
        ax.legend(loc="upper right")


def _loadings(ax: Axes, strongest: pd.DataFrame) -> None:
    if strongest.empty:
        ax.set_axis_off()
        return
    rows = [
        ForestRow(sentence_case(short_name(row["term"])), row["value"], row["low"], row["high"])
        for row in records(strongest)
    ]
    for place, row in enumerate(rows):
        ax.plot([0, row.value], [place, place], color="#9aa5b1", linewidth=1.2, zorder=1)
    forest(ax, rows)
    ax.set_title("Strongest loadings")
    ax.set_xlabel("loading")


def claimed_count(estimates: pd.DataFrame) -> float:
    """How many subtypes the study claims; 0 for none, NaN when no decision was recorded.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    """
    row = first(estimates, analysis="decision", group="claim")
    return float("nan") if row is None else float(row["value"])
