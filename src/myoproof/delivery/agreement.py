"""Measured rows held against reference rows: Bland-Altman figures, coverage of the intervals, their table."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import beta

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
    style,
)
from myoproof.delivery.page import Grid, Section, count_column, formatted_column, number_column, text_column
from myoproof.delivery.wording import bounds_text, number, percent, sentence_case, series, size, term_name, term_scale
from myoproof.errors import InvalidInput

COLUMNS = ("subject", "measure", "site", "side", "value", "truth")
"""Columns that pairs must have; ``low``, ``high``, ``level``, ``unit``, ``at`` are read where present."""


class Agreement(NamedTuple):
    """How one measure agrees with its reference, in stored units.

    ``bias`` and ``lower``, ``upper`` are the mean difference (measured minus reference) and the limits of
    agreement, bias ± 1.96 SD (Bland & Altman 1986, Lancet 327:307); rows of one subject count as separate.
    """

    measure: str
    bias: float
    lower: float
    upper: float
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
    whole = pairs[pairs["at"].fillna("") == ""] if "at" in pairs else pairs
    whole = whole if not whole.empty else pairs
    usable = whole.dropna(subset=["value", "truth"])
    if usable.empty:
        return Section(key, "Measured against reference", parts=("No row has both a value and a reference.",))
    measures = list(dict.fromkeys(usable["measure"]))
    summaries = [summarise(usable[usable["measure"] == name], name) for name in measures]
    drawn = [_bland_altman(usable, summaries, key, simulated), _coverage(usable, key, simulated)]
    parts: list[Drawing | Grid | str] = [drawing for drawing in drawn if drawing]
    reference = "the known truth of the simulation" if simulated else "the reference"
    return Section(
        key=key,
        title="Measured against reference",
        findings=tuple(_told(summary, reference) for summary in summaries),
        parts=(*parts, _table(summaries, key), _rows_table(usable, key)),
        leading=True,
    )


def summarise(pairs: pd.DataFrame, measure: str) -> Agreement:
    """Bias, limits of agreement and coverage of one measure.

    Parameters
    ----------
    pairs : DataFrame
        Rows with ``value`` and ``truth``, and ``low``, ``high`` where there are intervals.
    measure : str
        Its name.

    Examples
    --------
    >>> rows = pd.DataFrame({"subject": ["a", "b"], "value": [1.0, 3.0], "truth": [1.5, 2.0]})
    >>> round(summarise(rows, "volume").bias, 3)
    0.25
    """
    difference = (pairs["value"] - pairs["truth"]).to_numpy(float)
    bias = float(difference.mean())
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else float("nan")
    judged = pairs.dropna(subset=["low", "high"]) if {"low", "high"} <= set(pairs) else pairs.iloc[:0]
    covered = int(((judged["low"] <= judged["truth"]) & (judged["truth"] <= judged["high"])).sum()) if len(judged) else 0
    return Agreement(
        measure, bias, bias - 1.96 * spread, bias + 1.96 * spread, covered, len(judged), len(pairs), pairs["subject"].nunique()
    )


def _told(summary: Agreement, reference: str) -> str:
    scale, unit = term_scale(summary.measure, change=True)
    name = sentence_case(term_name(summary.measure))
    limits = bounds_text(scale * summary.lower, scale * summary.upper)
    held = f"limits of agreement {limits}, {summary.n_rows} rows of {summary.n_subjects} subjects"
    told = f"{name} against {reference}: bias {number(scale * summary.bias)} {unit} ({held})."
    if summary.counted:
        share = percent(summary.covered / summary.counted, 1)
        told += f" Its intervals hold the reference in {share} ({summary.covered} of {summary.counted} rows)."
    return told


def _bland_altman(pairs: pd.DataFrame, summaries: list[Agreement], key: str, simulated: bool) -> Drawing:
    columns = min(2, len(summaries))
    lines = -(-len(summaries) // columns)
    title = "Measured minus reference (Bland–Altman)"
    with style():
        figure, axes = canvas(2.6 * lines + 0.3, rows=lines, columns=columns)
        for ax, summary in zip(axes, summaries, strict=False):
            _differences(ax, pairs[pairs["measure"] == summary.measure], summary)
        for ax in axes[len(summaries) :]:
            ax.set_axis_off()
        alt = " ".join(_told(summary, "reference") for summary in summaries)
        svg = finish(figure, key=f"{key}-bland-altman", title=title, alt=alt, simulated=simulated)
    counted = series([f"{term_name(s.measure)} {s.n_rows} rows of {s.n_subjects} subjects" for s in summaries])
    caption = f"Solid line: bias; dashed lines: limits of agreement, bias ± 1.96 SD. n: {counted}."
    return Drawing(f"{key}-bland-altman", title, caption, alt, svg)


def _differences(ax: Axes, rows: pd.DataFrame, summary: Agreement) -> None:
    scale, unit = term_scale(summary.measure, change=True)
    level = term_scale(summary.measure)[1]
    middle = scale * (rows["value"] + rows["truth"]) / 2
    ax.plot(middle, scale * (rows["value"] - rows["truth"]), linestyle="none", marker="o", color=BLUE, alpha=0.55, markersize=3.6, markeredgewidth=0)
    ax.axhline(0, color=MUTED, linewidth=0.7)
    ax.axhline(scale * summary.bias, color=VERMILION, linewidth=1.6)
    for limit in (summary.lower, summary.upper):
        ax.axhline(scale * limit, color=VERMILION, linewidth=1.1, linestyle="--")
    ax.set_title(sentence_case(term_name(summary.measure)))
    ax.set_xlabel(f"mean of measured and reference ({level})")
    ax.set_ylabel(f"difference ({'points' if unit == 'percentage points' else unit})")
    ax.grid(visible=True, axis="y")


def _coverage(pairs: pd.DataFrame, key: str, simulated: bool) -> Drawing | None:
    if not {"low", "high"} <= set(pairs):
        return None
    judged = pairs.dropna(subset=["low", "high"])
    if judged.empty:
        return None
    inside = (judged["low"] <= judged["truth"]) & (judged["truth"] <= judged["high"])
    level = float(judged["level"].dropna().iloc[0]) if "level" in judged and judged["level"].notna().any() else 0.95
    rows, measures = [], list(dict.fromkeys(judged["measure"]))
    for place, measure in enumerate(measures):
        for site in dict.fromkeys(judged.loc[judged["measure"] == measure, "site"]):
            chosen = inside[(judged["measure"] == measure) & (judged["site"] == site)]
            label = sentence_case(term_name(f"{measure}/{site}", measure=len(measures) > 1))
            rows.append(_coverage_row(label, int(chosen.sum()), len(chosen), place))
    title = "Do the intervals hold what they promise?"
    alt = f"Share of {percent(level)} intervals that hold the reference: " + "; ".join(f"{r.label} {r.notes[0]} of {r.notes[1]}" for r in rows) + "."
    with style():
        figure, (ax,) = canvas(0.25 * len(rows) + 1.0)
        forest(ax, rows, reference=100 * level, heads=("covered", "rows"))
        ax.set_xlim(right=100.8)
        ax.set_xlabel("intervals that hold the reference (%)")
        svg = finish(figure, key=f"{key}-coverage", title=title, alt=alt, simulated=simulated)
    caption = (
        f"Share of intervals that hold the reference, with exact 95 % binomial intervals; dashed line: the promised {percent(level)}."
        f" {len(judged)} rows of {judged['subject'].nunique()} subjects."
    )
    return Drawing(f"{key}-coverage", title, caption, alt, svg)


def _coverage_row(label: str, covered: int, counted: int, place: int) -> ForestRow:
    # Clopper & Pearson 1934, Biometrika 26:404.
    low = float(beta.ppf(0.025, covered, counted - covered + 1)) if covered else 0.0
    high = float(beta.ppf(0.975, covered + 1, counted - covered)) if covered < counted else 1.0
    share = covered / counted
    colour = (INK, *PALETTE)[place % 7]
    return ForestRow(label, 100 * share, 100 * low, 100 * high, (percent(share), str(counted)), colour, MARKERS[place % 6])


def _table(summaries: list[Agreement], key: str) -> Grid:
    scales = [term_scale(summary.measure, change=True) for summary in summaries]
    shown = [
        (scale * s.bias, scale * s.lower, scale * s.upper) for (scale, _), s in zip(scales, summaries, strict=True)
    ]
    shares = [s.covered / s.counted if s.counted else float("nan") for s in summaries]
    return Grid(
        f"{key}-summary",
        "Agreement with the reference, by measure",
        (
            text_column("Measure", [sentence_case(term_name(s.measure)) for s in summaries]),
            number_column("Bias", [values[0] for values in shown]),
            number_column("Lower limit", [values[1] for values in shown]),
            number_column("Upper limit", [values[2] for values in shown]),
            text_column("Unit", [unit for _, unit in scales]),
            formatted_column("Coverage", shares, lambda share: percent(share, 1)),
            count_column("Rows", [float(s.n_rows) for s in summaries]),
            count_column("Subjects (n)", [float(s.n_subjects) for s in summaries]),
        ),
        pd.DataFrame(summaries),
    )


def _rows_table(pairs: pd.DataFrame, key: str) -> Grid:
    scales = [term_scale(name) for name in pairs["measure"]]
    factor = np.array([scale for scale, _ in scales])
    places = [sentence_case(term_name(f"{r.measure}/{r.site}/{r.side}")) for r in pairs.itertuples()]
    return Grid(
        f"{key}-rows",
        f"Every measured row with its reference ({len(pairs)} rows)",
        (
            text_column("Subject", pairs["subject"].astype(str).tolist()),
            text_column("Measure and site", places),
            number_column("Measured", (factor * pairs["value"].to_numpy(float)).tolist()),
            number_column("Reference", (factor * pairs["truth"].to_numpy(float)).tolist()),
            text_column("Unit", [unit for _, unit in scales]),
        ),
        pairs.reset_index(drop=True),
        folded=True,
    )
