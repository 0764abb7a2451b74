"""The page of a null run: what a study finds really, beside what it finds where there is nothing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.study import Study
from myoproof.delivery.figures import MUTED, PALETTE, Drawing, canvas, finish, style
from myoproof.delivery.naming import term_name, word
from myoproof.delivery.page import (
    Grid,
    Section,
    Statement,
    arranged,
    count_column,
    number_column,
    p_column,
    text_column,
)
from myoproof.delivery.report import Report, render
from myoproof.delivery.wording import bounds_text, percent, sentence_case, series

KEY = "null"
SHOWN = 40
"""Findings in null cohorts that the page lists; the CSV has all."""


def write(
    study: Study, what: str, summary: pd.DataFrame, found: pd.DataFrame, *, simulated: bool, out: Path
) -> Path:
    """Write the page.

    Parameters
    ----------
    study : Study
        The study that was run.
    what : str
        What was taken away from the cohort.
    summary, found : DataFrame
        Of :class:`myoproof.workflow.study_null.NullRun`.
    simulated : bool
        Whether the cohort given was simulated itself.
    out : Path
        The file.

    Raises
    ------
    NotWritable
        If it cannot be written.
    """
    n = int(summary["n_cohorts"].max()) if len(summary) else 0
    parts: list[Statement | Grid | str | tuple[str, Drawing | None]] = [
        _statement(what, summary, n),
        f"The study {study.name}@{study.digest} was run on its cohort and on {n} null cohorts: {what}. "
        "Whatever it finds in a null cohort is false. A finding is a test whose p-value, adjusted within its "
        "family where the study adjusts, is at most 0.05, or a claim of subtypes.",
        ("findings", _drawing(summary, found, simulated=simulated)),
        _summary_grid(summary),
        _found_grid(found[found["cohort"] > 0]),
    ]
    section = Section(KEY, "Where there is nothing to find", arranged(parts), study.question)
    text = render(Report(f"{study.title}: null cohorts", simulated, ()), [section])
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(out)


def _statement(what: str, summary: pd.DataFrame, n: int) -> Statement:
    if summary.empty:
        return Statement("The study makes no test", "No row has a p-value, and nothing is claimed.")
    told = [
        f"{sentence_case(word(row['analysis']))}: {row['found_really']} of {row['tests']} really, "
        f"{row['found_under_null']:.2g} on average in a null cohort"
        for _, row in summary.iterrows()
    ]
    worst = summary.sort_values("share_of_cohorts", kind="stable").iloc[-1]
    share = percent(worst["share_of_cohorts"])
    lead = f"{share} of {n} null cohorts hold a false finding of {word(worst['analysis'])}"
    return Statement(lead, f"{series(told)}. In them, {what}.")


def _drawing(summary: pd.DataFrame, found: pd.DataFrame, *, simulated: bool) -> Drawing | None:
    """Findings in each null cohort as dots, in the real one as a diamond."""
    if summary.empty:
        return None
    analyses: Sequence[str] = list(summary["analysis"])
    n = int(summary["n_cohorts"].max())
    counts = found.groupby(["analysis", "cohort"]).size()
    title = "Findings in null cohorts and in the real one"
    alt = "; ".join(
        f"{word(row['analysis'])}: {row['found_really']} really, {row['found_under_null']:.2g} under the null"
        for _, row in summary.iterrows()
    )
    with style():
        figure, (ax,) = canvas(1.1 + 0.42 * len(analyses))
        for place, analysis in enumerate(analyses):
            here = [int(counts.get((analysis, cohort), 0)) for cohort in range(1, n + 1)]
            offset = np.linspace(-0.25, 0.25, n) if n > 1 else np.zeros(1)
            real = int(counts.get((analysis, 0), 0))
            ax.plot(
                here, place + offset, "o", color=MUTED, markersize=3, label="_" * (place > 0) + "null cohort"
            )
            ax.plot(
                [real], [place], "D", color=PALETTE[0], markersize=7, label="_" * (place > 0) + "cohort given"
            )
        ax.set_yticks(range(len(analyses)), [sentence_case(word(name)) for name in analyses])
        ax.set_ylim(len(analyses) - 0.5, -0.5)
        ax.set_xlabel("number of findings")
        ax.set_xlim(left=-0.5)
        figure.legend(loc="outside upper center", ncols=2)
        svg = finish(figure, key=KEY, title=title, alt=alt, simulated=simulated)
    caption = "Each dot is one null cohort, the diamond the cohort as it was given."
    return Drawing(KEY, title, caption, alt, svg)


def _summary_grid(summary: pd.DataFrame) -> Grid:
    share = [
        f"{percent(row['share_of_cohorts'])} ({bounds_text(100 * row['low'], 100 * row['high'], decimals=0)})"
        for _, row in summary.iterrows()
    ]
    columns = (
        text_column("Analysis", [sentence_case(word(name)) for name in summary["analysis"]]),
        count_column("Tests", summary["tests"].astype(float).tolist()),
        count_column("Found really", summary["found_really"].astype(float).tolist()),
        number_column("Found under the null, mean", summary["found_under_null"].tolist(), decimals=2),
        text_column("Null cohorts with a finding, % (95 % interval)", share),
    )
    return Grid("null-summary", "What was found, really and where there is nothing", columns, summary)


def _found_grid(found: pd.DataFrame) -> Grid | str:
    if found.empty:
        return "Nothing was found in any null cohort."
    shown = found.sort_values(["p", "cohort"], kind="stable").head(SHOWN)
    columns = (
        count_column("Null cohort", shown["cohort"].astype(float).tolist()),
        text_column("Analysis", [sentence_case(word(name)) for name in shown["analysis"]]),
        text_column("Term", [term_name(str(term)) for term in shown["term"]]),
        text_column("Group", [word(str(group)) for group in shown["group"]]),
        number_column("Value", shown["value"].tolist()),
        p_column("p", shown["p"].tolist()),
    )
    title = "What would have been found: the smallest p-values in null cohorts"
    return Grid("null-found", title, columns, found, folded=True)
