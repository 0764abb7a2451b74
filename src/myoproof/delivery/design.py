"""The design study in the report: how many patients, by which method, and how sure the pilot is of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from myoproof.core.result import Result
from myoproof.delivery.figures import (
    MARKERS,
    PALETTE,
    Drawing,
    ForestRow,
    canvas,
    finish,
    forest,
    forest_height_in,
    style,
    wrap,
)
from myoproof.delivery.flow import flow_drawing
from myoproof.delivery.naming import reason, short_name, term_name
from myoproof.delivery.page import (
    Grid,
    Section,
    Statement,
    arranged,
    count_column,
    first,
    interval_column,
    number_column,
    pick,
    records,
    text_column,
)
from myoproof.delivery.wording import DASH, interval, number, percent, sentence_case, size

METHODS: Mapping[str, str] = {
    "t_test": "t test on the change",
    "t_test_shrunken": "t test, shrunken for selection",
    "edland": "random slopes (Edland)",
    "diggle": "slopes by GLS (Diggle)",
    "mmrm": "MMRM at the last visit (Lu)",
}
DAYS_PER_MONTH = 365.25 / 12
OPEN_REACH = 6.0
"""An interval without an upper bound is drawn to this many times the estimate."""
MOST_STATEMENTS = 4
FOLDED_ABOVE = 24


def section(result: Result, *, key: str, measurements: pd.DataFrame | None = None) -> Section:
    """The part of the report on one design study.

    Parameters
    ----------
    result : Result
        Result of a study of kind ``design``.
    key : str
        Anchor and prefix of all keys.
    measurements : DataFrame, optional
        Not needed.

    Returns
    -------
    Section
        With findings for the summary.
    """
    del measurements
    estimates, simulated = result.estimates, result.simulated
    terms = modelled(estimates)
    effect = largest_effect(estimates)
    drawn: dict[str, Any] = {"key": key, "simulated": simulated}
    parts = arranged(
        [
            *_answers(result, terms, effect),
            ("cohort flow", flow_drawing(estimates, **drawn)),
            ("sample sizes", size_drawing(estimates, terms=terms, effect=effect, **drawn)),
            *_shrinkage(estimates, terms, effect),
            ("sample size by trial length", curve_drawing(estimates, terms=terms, effect=effect, **drawn)),
            *_power(estimates, terms, effect),
            *_entry(estimates, effect),
            *_prognosis(estimates, effect),
            *tables(estimates, key=key),
        ]
    )
    return Section(key, result.study.title, parts, result.study.question)


def modelled(estimates: pd.DataFrame) -> list[str]:
    """Terms with models behind their sizes, else all.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    """
    sizes = pick(estimates, analysis="sample_size")
    with_models = pick(sizes, method=["edland", "diggle", "mmrm"])
    return list(dict.fromkeys((with_models if len(with_models) else sizes)["term"]))


def largest_effect(estimates: pd.DataFrame) -> str:
    """The largest effect counted for, as ``50%``.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    """
    held = sorted(
        set(pick(estimates, analysis="sample_size")["group"]), key=lambda text: float(text[:-1] or 0)
    )
    return held[-1] if held else ""


def _answers(result: Result, terms: Sequence[str], effect: str) -> list[Statement]:
    method = result.study.method
    told = []
    for term in terms[:MOST_STATEMENTS]:
        row = first(result.estimates, analysis="sample_size", term=term, group=effect, method="t_test")
        if row is None:
            continue
        lead = sentence_case(term_name(term))
        if math.isnan(row["value"]):
            told.append(Statement(lead, f"No sample size: {reason(row['absent'])}."))
            continue
        whole = first(result.estimates, analysis="randomise", term=term, group=effect, method="t_test")
        left = float(method.get("dropout", 0.15))
        everyone = (
            ""
            if whole is None
            else f"; {number(whole['value'], 0)} to randomise with {percent(left)} drop-out"
        )
        text = (
            f"{_bounded(row)} controls must complete to show a {spaced(effect)} slowing (two-sample t test,"
            f" {_sides(method)} alpha {method.get('alpha', 0.05):g},"
            f" power {percent(method.get('power', 0.8))}){everyone}. The pilot has {size(row['n_subjects'])}."
        )
        told.append(Statement(lead, text))
    return told


def spaced(effect: str) -> str:
    """An effect as a figure prints it.

    Examples
    --------
    >>> spaced("50%").replace("\N{NO-BREAK SPACE}", "_").replace("\N{NARROW NO-BREAK SPACE}", "_")
    '50_%'
    """
    return percent(float(effect.removesuffix("%")) / 100) if effect else ""


def _sides(method: Mapping[str, Any]) -> str:
    return "one-sided" if method.get("sides", 2) == 1 else "two-sided"


def _bounded(row: Mapping[str, Any]) -> str:
    """A size with its interval; an open upper bound is said."""
    if math.isnan(row["high"]) and not math.isnan(row["low"]):
        return f"{number(row['value'], 0)} ({number(row['low'], 0)} to no upper bound)"
    return interval(row["value"], row["low"], row["high"], decimals=0)


def _shrinkage(estimates: pd.DataFrame, terms: Sequence[str], effect: str) -> list[Statement]:
    told = []
    for term in terms[:MOST_STATEMENTS]:
        plain = first(estimates, analysis="sample_size", term=term, group=effect, method="t_test")
        shrunk = first(estimates, analysis="sample_size", term=term, group=effect, method="t_test_shrunken")
        if plain is None or shrunk is None or math.isnan(shrunk["value"]) or math.isnan(plain["value"]):
            continue
        told.append(f"{term_name(term)} {number(plain['value'], 0)} becomes {_bounded(shrunk)}")
    if not told:
        return []
    n = pick(estimates, analysis="pilot", method="t_test")["term"].nunique()
    return [Statement("Winner's curse", f"Shrunken for having been looked at among {n}: {'; '.join(told)}.")]


def _power(estimates: pd.DataFrame, terms: Sequence[str], effect: str) -> list[Statement]:
    told = []
    for term in terms[:MOST_STATEMENTS]:
        row = first(estimates, analysis="power", term=term, group=effect, method="resampled shift")
        none = first(estimates, analysis="power", term=term, group=effect, method="resampled no effect")
        if row is not None and none is not None:
            told.append(
                f"{term_name(term)} {percent(row['value'])} (without effect {percent(none['value'], 1)})"
            )
    if not told:
        return []
    drawn = "Trials of the planned size drawn from the pilot's own changes find the effect in"
    text = f"{drawn}: {'; '.join(told)}."
    return [Statement("Power by simulation", text, leading=False)]


def _entry(estimates: pd.DataFrame, effect: str) -> list[Statement]:
    told = []
    for row in records(pick(estimates, analysis="enrichment", group=effect)):
        if math.isnan(row["value"]):
            continue
        share = first(estimates, analysis="enrichment_share", term=row["term"], method=row["method"])
        let_in = "" if share is None else f", which lets in {percent(share['value'])}"
        told.append(f"{term_name(row['term'])} with {row['method']}{let_in}: {_bounded(row)}")
    return [Statement("Entry rules", f"{'; '.join(told)}.", leading=False)] if told else []


def _prognosis(estimates: pd.DataFrame, effect: str) -> list[Statement]:
    told = []
    for row in records(pick(estimates, analysis="sample_size_adjusted", group=effect)):
        r = first(estimates, analysis="prognostic", term=row["term"], method="r left out")
        if r is None:
            continue
        found = f"r {interval(r['value'], r['low'], r['high'], decimals=2)} in patients left out"
        if math.isnan(row["value"]):
            told.append(f"{term_name(row['term'])} refused, {found}")
        else:
            told.append(f"{term_name(row['term'])} {_bounded(row)}, {found}")
    return [Statement("Adjusted for prognosis, n (1 − r²)", f"{'; '.join(told)}.")] if told else []


# ---------------------------------------------------------------- figures


def size_drawing(
    estimates: pd.DataFrame, *, key: str, terms: Sequence[str], effect: str, simulated: bool
) -> Drawing | None:
    """Controls who must complete, by method, with the pilot's interval; logarithmic axis.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        What is shown.
    effect : str
        As in column ``group``.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="sample_size", group=effect, term=list(terms)).dropna(subset=["value"])
    if rows.empty:
        return None
    lines = [_line(row, list(terms)) for row in records(rows)]
    title = f"Patients per arm to show a {spaced(effect)} slowing"
    alt = "; ".join(f"{line.label.replace(chr(10), ' ')}: {line.notes[0]}" for line in lines)
    with style():
        figure, (ax,) = canvas(forest_height_in(lines))
        forest(ax, lines, reference=math.nan, heads=("n per arm (95 % interval)",))
        _logarithmic(ax)
        ax.set_xlabel("controls who must complete (logarithmic)")
        svg = finish(figure, key=f"{key}-sizes", title=title, alt=f"{title}. {alt}.", simulated=simulated)
    caption = (
        "One line a method: the estimate from the pilot with its bootstrap interval. A line that ends"
        " without a number for its upper bound has none: the pilot does not rule out that nothing worsens."
    )
    return Drawing(f"{key}-sizes", title, caption, f"{title}. {alt}.", svg)


def _line(row: Mapping[str, Any], terms: list[str]) -> ForestRow:
    place = terms.index(row["term"]) % len(PALETTE)
    high = row["high"] if not math.isnan(row["high"]) else OPEN_REACH * row["value"]
    low = row["low"] if not math.isnan(row["low"]) else row["value"]
    label = f"{sentence_case(short_name(row['term']))}: {METHODS.get(row['method'], row['method'])}"
    return ForestRow(
        label,
        row["value"],
        low,
        high,
        (_bounded(row),),
        colour=PALETTE[place],
        marker=MARKERS[place],
        filled=row["method"] != "t_test_shrunken",
    )


def _logarithmic(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def curve_drawing(
    estimates: pd.DataFrame, *, key: str, terms: Sequence[str], effect: str, simulated: bool
) -> Drawing | None:
    """Controls by trial length, a line a spacing of visits, a panel a term.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    key : str
        Prefix of the figure's key.
    terms : sequence of str
        What is shown; the first three with rows.
    effect : str
        As in column ``group``.
    simulated : bool
        Whether the data are simulated.
    """
    rows = pick(estimates, analysis="curve", group=effect).dropna(subset=["value"])
    shown = [term for term in terms if term in set(rows["term"])][:3]
    if not shown:
        return None
    title = f"Patients per arm by trial length, {spaced(effect)} slowing"
    told = []
    with style():
        figure, axes = canvas(2.7, columns=len(shown), sharey=True)
        for ax, term in zip(axes, shown, strict=True):
            for place, (method, own) in enumerate(pick(rows, term=term).groupby("method", sort=False)):
                months = own["day"].to_numpy(float) / DAYS_PER_MONTH
                label = str(method).removeprefix("edland ")
                look: dict[str, Any] = {"marker": MARKERS[place % 6], "color": PALETTE[place % 6]}
                ax.plot(months, own["statistic"], label=label, linewidth=1.8, **look)
                low, high = (number(own["value"].iloc[end], 0) for end in (0, -1))
                span = f"{low} at {months[0]:.0f} months to {high} at {months[-1]:.0f}"
                told.append(f"{term_name(term)}, visits {label}: {span}")
            ax.set_title(wrap(sentence_case(short_name(term)), 40))
            ax.set_xlabel("months")
            ax.set_xticks(sorted({round(day / DAYS_PER_MONTH) for day in pick(rows, term=term)["day"]}))
            ax.grid(visible=True, axis="y")
        axes[0].set_ylim(0, 1.08 * float(pick(rows, term=shown)["statistic"].max()))
        axes[0].set_ylabel("controls who complete")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, handlelength=2.6)
        alt = f"{title}. {'; '.join(told)}."
        svg = finish(figure, key=f"{key}-curve", title=title, alt=alt, simulated=simulated)
    caption = (
        "Random slopes as the pilot has them (Edland), drop-out not included. Beyond the pilot's own length"
    )
    return Drawing(f"{key}-curve", title, f"{caption} the straight line is an assumption.", alt, svg)


# ---------------------------------------------------------------- tables


def tables(estimates: pd.DataFrame, *, key: str) -> list[Grid]:
    """Sample sizes by term, effect and method.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    key : str
        Prefix of the tables' keys.
    """
    rows = pick(estimates, analysis="sample_size")
    if rows.empty:
        return []
    everyone = pick(estimates, analysis="randomise").set_index(["term", "group", "method"])["value"]
    shown = records(rows)
    total = [float(everyone.get((row["term"], row["group"], row["method"]), math.nan)) for row in shown]
    return [
        Grid(
            f"{key}-table",
            "Sample sizes",
            (
                text_column("Outcome", [sentence_case(term_name(row["term"])) for row in shown]),
                text_column("Effect", [row["group"] for row in shown]),
                text_column("Method", [METHODS.get(row["method"], row["method"]) for row in shown]),
                interval_column(
                    "Controls who complete (95 % interval)",
                    [row["value"] for row in shown],
                    [(row["low"], row["high"]) for row in shown],
                    decimals=0,
                ),
                number_column("To randomise, both arms", total, decimals=0),
                count_column("Pilot n", [row["n_subjects"] for row in shown]),
                text_column("Remark", [_remark(row) for row in shown]),
            ),
            rows,
            folded=len(rows) > FOLDED_ABOVE,
        )
    ]


def _remark(row: Mapping[str, Any]) -> str:
    if row["absent"]:
        return sentence_case(reason(row["absent"]))
    return "Upper bound open" if row["flags"] == "upper_bound_open" else DASH
