"""Measured rows held against reference rows: Bland-Altman figures, coverage of intervals, tables."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from myoproof.delivery.figures import (
    BLUE,
    INK,
    MARKERS,
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
)
from myoproof.delivery.naming import (
    term_name,
    term_scale,
)
from myoproof.delivery.page import (
    Grid,
    Section,
    Statement,
    arranged,
    count_column,
    formatted_column,
    number_column,
    text_column,
)
from myoproof.delivery.wording import (
    bounds_text,
    decimals_for,
    number,
    percent,
    sentence_case,
    series,
)
from myoproof.errors import InvalidInput
from myoproof.numerics.agreement import limits_of_agreement
from myoproof.numerics.clustered import Interval, clustered_share

COLUMNS = ("subject", "measure", "site", "side", "value", "truth")
"""Columns that pairs must have; ``low``, ``high``, ``level``, ``at`` are read where present."""
LEADING = 3
"""Measures that the summary speaks of; the others stand in their section."""
COVERAGE_BY_SITE_FROM = 20
"""Rows a site needs before its own coverage says anything."""
NOT_KNOWN = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one measure agrees with its reference, in stored units, counted by subject.

    Parameters
    ----------
    measure : str
        Its name.
    bias, lower, upper : Interval
        Mean difference, measured minus reference, and the limits of agreement (NaN below two subjects).
    share : Interval
        Share of the measured intervals that hold the reference.
    level : float
        Level that those intervals promise.
    covered, counted : int
        Rows whose interval holds the reference, of how many.
    n_rows, n_subjects : int
        Rows and subjects.
    """

    measure: str
    bias: Interval
    lower: Interval
    upper: Interval
    share: Interval
    level: float
    covered: int
    counted: int
    n_rows: int
    n_subjects: int


def section(pairs: pd.DataFrame, *, key: str, simulated: bool) -> Section:
    """The part of the report on measured against reference rows.

    Parameters
    ----------
    pairs : DataFrame
        One row a measured value with its ``truth``; the columns of ``COLUMNS``.
    key : str
        Anchor and prefix of all keys.
    simulated : bool
        Whether the data are simulated: the reference is then the known truth.

    Raises
    ------
    InvalidInput
        If a column is missing.
    """
    missing = [name for name in COLUMNS if name not in pairs]
    if missing:
        raise InvalidInput(f"agreement pairs lack {', '.join(missing)}", mend=f"give {', '.join(COLUMNS)}")
    usable = pairs.dropna(subset=["value", "truth"])
    title = "Measured against reference"
    if usable.empty:
        return Section(key, title, ("No row has both a value and a reference.",))
    summaries = [
        summarise(usable[usable["measure"] == name], str(name)) for name in dict.fromkeys(usable["measure"])
    ]
    reference = "the known truth of the simulation" if simulated else "the reference"
    parts = arranged(
        [
            *(replace(_told(s), leading=place < LEADING) for place, s in enumerate(summaries)),
            _bland_altman(usable, summaries, key, simulated),
            ("coverage of the intervals", _coverage(usable, key, simulated)),
            _table(summaries, key),
            _rows_table(usable, key),
        ]
    )
    return Section(key, title, parts, f"How do measured rows compare with {reference}?")


def summarise(pairs: pd.DataFrame, measure: str) -> Agreement:
    """Bias, limits of agreement and coverage of one measure.

    Parameters
    ----------
    pairs : DataFrame
        Rows with ``subject``, ``value`` and ``truth``, and ``low``, ``high`` where there are intervals.
    measure : str
        Its name.

    Examples
    --------
    >>> rows = pd.DataFrame({"subject": ["a", "b"], "value": [1.0, 3.0], "truth": [1.5, 2.0]})
    >>> round(summarise(rows, "volume").bias.value, 3)
    0.25
    """
    difference = (pairs["value"] - pairs["truth"]).to_numpy(float)
    subjects = pairs["subject"].astype(str).to_numpy()
    n_subjects = len(set(subjects))
    if n_subjects > 1:
        limits = limits_of_agreement(difference, subjects)
        bias, lower, upper = limits.bias, limits.lower, limits.upper
    else:
        bias, lower, upper = Interval(float(difference.mean()), *[float("nan")] * 2), NOT_KNOWN, NOT_KNOWN
    judged = _judged(pairs)
    inside = _inside(judged)
    share = clustered_share(inside, judged["subject"]) if len(judged) else NOT_KNOWN
    stated = judged["level"].dropna() if "level" in judged else pd.Series(dtype=float)
    level = float(stated.iloc[0]) if len(stated) else 0.95
    counts = (int(inside.sum()), len(judged), len(pairs), n_subjects)
    return Agreement(measure, bias, lower, upper, share, level, *counts)


def _judged(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.dropna(subset=["low", "high"]) if {"low", "high"} <= set(pairs) else pairs.iloc[:0]


def _inside(judged: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if judged.empty:
        return np.zeros(0, dtype=np.bool_)
    return ((judged["low"] <= judged["truth"]) & (judged["truth"] <= judged["high"])).to_numpy(bool)


def _told(summary: Agreement) -> Statement:
    scale, unit = term_scale(summary.measure, change=True)
    shown = [scale * part for part in (summary.bias.value, summary.bias.low, summary.bias.high)]
    limits = [scale * summary.lower.value, scale * summary.upper.value]
    places = decimals_for(*limits, *shown)
    bounds = bounds_text(shown[1], shown[2], decimals=places)
    text = f"Bias {number(shown[0], places)} {unit}" + (f" ({bounds})" if bounds else "")
    text += f", limits of agreement {bounds_text(*limits, decimals=places)}" if limits[0] == limits[0] else ""
    text += f"; {summary.n_rows} rows of {summary.n_subjects} subjects."
    if summary.counted:
        text += (
            f" {percent(summary.share.value, 1)} of the {percent(summary.level)} intervals hold the reference"
            f" ({summary.covered} of {summary.counted} rows)."
        )
    return Statement(sentence_case(term_name(summary.measure)), text)


def _bland_altman(pairs: pd.DataFrame, summaries: list[Agreement], key: str, simulated: bool) -> Drawing:
    columns = min(2, len(summaries))
    lines = -(-len(summaries) // columns)
    title = "Measured minus reference (Bland–Altman)"
    alt = " ".join(str(_told(summary)) for summary in summaries)
    with style():
        figure, axes = canvas(2.6 * lines + 0.3, rows=lines, columns=columns)
        for ax, summary in zip(axes, summaries, strict=False):
            _differences(ax, pairs[pairs["measure"] == summary.measure], summary)
        for ax in axes[len(summaries) :]:
            ax.set_axis_off()
        svg = finish(figure, key=f"{key}-bland-altman", title=title, alt=alt, simulated=simulated)
    counted = series(
        [f"{term_name(s.measure)} {s.n_rows} rows of {s.n_subjects} subjects" for s in summaries]
    )
    caption = (
        "Solid line: bias, the mean of the subjects' means; dashed: limits of agreement (95 % of differences,"
        f" several rows a subject allowed for). n: {counted}."
    )
    return Drawing(f"{key}-bland-altman", title, caption, alt, svg)


def _differences(ax: Axes, rows: pd.DataFrame, summary: Agreement) -> None:
    scale, unit = term_scale(summary.measure, change=True)
    level = term_scale(summary.measure)[1]
    middle = scale * (rows["value"] + rows["truth"]) / 2
    dots: dict[str, Any] = {
        "linestyle": "none",
        "marker": "o",
        "alpha": 0.6,
        "markersize": 3.6,
        "markeredgewidth": 0,
    }
    ax.plot(middle, scale * (rows["value"] - rows["truth"]), color=BLUE, **dots)
    ax.axhline(0, color=MUTED, linewidth=0.7)
    ax.axhline(scale * summary.bias.value, color=VERMILION, linewidth=1.6)
    for limit in (summary.lower.value, summary.upper.value):
        if np.isfinite(limit):
            ax.axhline(scale * limit, color=VERMILION, linewidth=1.1, linestyle="--")
    ax.set_title(sentence_case(term_name(summary.measure)))
    ax.set_xlabel(f"mean of measured and reference ({level})")
    ax.set_ylabel(f"difference ({'points' if unit == 'percentage points' else unit})")
    ax.grid(visible=True, axis="y")


def _coverage(pairs: pd.DataFrame, key: str, simulated: bool) -> Drawing | None:
    judged = _judged(pairs)
    if judged.empty:
        return None
    inside = _inside(judged)
    whole = summarise(judged, "")
    rows = []
    measures = list(dict.fromkeys(judged["measure"]))
    for place, measure in enumerate(measures):
        of_measure = (judged["measure"] == measure).to_numpy()
        rows.append(_share_row(sentence_case(term_name(measure)), inside, judged, of_measure, place))
        for site in dict.fromkeys(judged.loc[of_measure, "site"]):
            chosen = of_measure & (judged["site"] == site).to_numpy()
            if chosen.sum() < COVERAGE_BY_SITE_FROM:
                continue
            label = sentence_case(term_name(f"{measure}/{site}", measure=False))
            rows.append(_share_row(f"  {label}", inside, judged, chosen, place))
    title = "Do the intervals hold what they promise?"
    alt = f"Share of {percent(whole.level)} intervals that hold the reference: "
    alt += "; ".join(f"{row.label.strip()} {row.notes[0]} of {row.notes[1]} rows" for row in rows) + "."
    with style():
        figure, (ax,) = canvas(forest_height_in(rows))
        forest(ax, rows, reference=100 * whole.level, heads=("covered", "rows", "subjects"))
        ax.set_xlim(right=101)
        ax.set_xlabel("intervals that hold the reference (%)")
        svg = finish(figure, key=f"{key}-coverage", title=title, alt=alt, simulated=simulated)
    caption = (
        "Share of intervals that hold the reference, with 95 % Wilson intervals that allow for several rows a"
        f" subject; dashed line: the promised {percent(whole.level)}."
        f" {len(judged)} rows of {whole.n_subjects} subjects."
    )
    return Drawing(f"{key}-coverage", title, caption, alt, svg)


def _share_row(
    label: str,
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]],
    judged: pd.DataFrame,
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
    place: int,
) -> ForestRow:
    subjects = judged["subject"].to_numpy()[chosen]
    share = clustered_share(inside[chosen], subjects)
    notes = (percent(share.value), str(int(chosen.sum())), str(len(set(subjects))))
    colour = (INK, *PALETTE)[place % (len(PALETTE) + 1)]
    marker = MARKERS[place % len(MARKERS)]
    bold = not label.startswith(" ")
    return ForestRow(label, 100 * share.value, 100 * share.low, 100 * share.high, notes, colour, marker, bold)


def _table(summaries: list[Agreement], key: str) -> Grid:
    scales = [term_scale(summary.measure, change=True) for summary in summaries]
    stored = pd.DataFrame(
        {
            "measure": [s.measure for s in summaries],
            **{
                f"{name}_{part}".removesuffix("_value"): [getattr(getattr(s, name), part) for s in summaries]
                for name in ("bias", "lower", "upper", "share")
                for part in ("value", "low", "high")
            },
            **{name: [getattr(s, name) for s in summaries] for name in ("covered", "counted")},
            **{name: [getattr(s, name) for s in summaries] for name in ("n_rows", "n_subjects")},
        }
    )
    factor = np.array([scale for scale, _ in scales])
    return Grid(
        f"{key}-summary",
        "Agreement with the reference, by measure",
        (
            text_column("Measure", [sentence_case(term_name(s.measure)) for s in summaries]),
            number_column("Bias", (factor * stored["bias"]).tolist(), decimals=2),
            number_column("Lower limit", (factor * stored["lower"]).tolist(), decimals=2),
            number_column("Upper limit", (factor * stored["upper"]).tolist(), decimals=2),
            text_column("Unit", [unit for _, unit in scales]),
            formatted_column("Coverage", stored["share"].tolist(), lambda share: percent(share, 1)),
            count_column("Rows", stored["n_rows"].tolist()),
            count_column("Subjects (n)", stored["n_subjects"].tolist()),
        ),
        stored,
    )


def _rows_table(pairs: pd.DataFrame, key: str) -> Grid:
    scales = [term_scale(name) for name in pairs["measure"]]
    factor = np.array([scale for scale, _ in scales])
    at = pairs["at"].fillna("") if "at" in pairs else pd.Series("", index=pairs.index)
    names = pairs["measure"] + "/" + pairs["site"] + "/" + pairs["side"].fillna("") + "/" + at
    return Grid(
        f"{key}-rows",
        f"Every measured row with its reference ({len(pairs)} rows)",
        (
            text_column("Subject", pairs["subject"].astype(str).tolist()),
            text_column("Measure and site", [sentence_case(term_name(name)) for name in names]),
            number_column("Measured", (factor * pairs["value"].to_numpy(float)).tolist()),
            number_column("Reference", (factor * pairs["truth"].to_numpy(float)).tolist()),
            text_column("Unit", [unit for _, unit in scales]),
        ),
        pairs.reset_index(drop=True),
        folded=True,
    )
