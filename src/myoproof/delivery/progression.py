"""The progression study in the report: its findings in words, its figures and its tables."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.delivery.flow import flow_drawing, flow_steps
from myoproof.delivery.page import (
    Grid,
    Section,
    Statement,
    arranged,
    count_column,
    first,
    formatted_column,
    interval_column,
    number_column,
    p_column,
    pick,
    records,
    text_column,
)
from myoproof.delivery.phenotypes import remark
from myoproof.delivery.progression_clinical import chosen_correlations, correlation_drawing, tempo_drawing
from myoproof.delivery.progression_figures import (
    best_p,
    change_drawing,
    count_range,
    course_drawing,
    group_name,
    league_drawing,
)
from myoproof.delivery.wording import (
    DASH,
    interval,
    number,
    p_text,
    percent,
    reason,
    sentence_case,
    size,
    term_name,
    term_scale,
    word,
)
from myoproof.vocabulary.lookup import words

MAXIMUM_STATEMENTS = 6
FOLDED_ABOVE = 24


def section(result: Result, *, key: str) -> Section:
    """The part of the report on one progression study.

    Parameters
    ----------
    result : Result
        Result of a study of kind ``progression``; analyses that are missing are left out with a note.
    key : str
        Anchor and prefix of all keys.

    Returns
    -------
    Section
        With findings for the summary.
    """
    estimates, simulated = result.estimates, result.simulated
    terms, primary = ordered_terms(result), primary_terms(result)
    drawn: dict[str, Any] = {"key": key, "simulated": simulated}
    changes = [
        (f"change in {term_name(measure)}", change_drawing(estimates, measure=measure, terms=terms, **drawn))
        for measure in dict.fromkeys(term.split("/")[0] for term in _changed(estimates, terms))
    ]
    controls = flow_drawing(estimates, analysis="flow_control", title="Flow of the controls", **drawn)
    parts = arranged(
        [
            *_flow(estimates),
            ("cohort flow", flow_drawing(estimates, **drawn)),
            *([controls] if controls else []),
            *_changes(result),
            ("course", course_drawing(estimates, result.predictions, terms=terms, **drawn)),
            *changes,
            *_best(estimates),
            ("responsiveness", league_drawing(estimates, **drawn)),
            *_correlations(estimates, primary),
            ("correlations", correlation_drawing(estimates, terms=primary, **drawn)),
            ("fast and slow progressors", tempo_drawing(estimates, terms=terms, **drawn)),
            *tables(estimates, key=key),
        ]
    )
    return Section(key, result.study.title, parts, result.study.question)


def primary_terms(result: Result) -> list[str]:
    """The terms that the study names as its primary family.

    Parameters
    ----------
    result : Result
        Result of a progression study.
    """
    return list(result.study.families.get("primary", []))


def ordered_terms(result: Result) -> list[str]:
    """All terms with a change or a level: the primary family first, then whole regions, then muscles.

    Parameters
    ----------
    result : Result
        Result of a progression study.
    """
    rows = pick(result.estimates, analysis=["change", "level", "srm"])
    regions = {name for name, columns in words("sites").items() if columns["kind"] == "region"}
    whole = [term for term in rows["term"] if [*term.split("/"), ""][1] in regions]
    held = set(rows["term"])
    first_ones = [term for term in primary_terms(result) if term in held]
    return list(dict.fromkeys([*first_ones, *whole, *rows["term"]]))


def _changed(estimates: pd.DataFrame, terms: list[str]) -> list[str]:
    held = set(pick(estimates, analysis="change", method="paired_t")["term"])
    return [term for term in terms if term in held]


def _flow(estimates: pd.DataFrame) -> list[Statement]:
    steps = flow_steps(estimates)
    if not steps:
        return []
    told = "; ".join(f"{step.label.lower()} {size(step.n)}" for step in (steps[0], *steps[-3:][1:]))
    controls = flow_steps(estimates, analysis="flow_control")
    beside = f" Controls: {controls[-1].label.lower()} {size(controls[-1].n)}." if controls else ""
    return [Statement("Cohort", f"{sentence_case(told)}.{beside}")]


def _changes(result: Result) -> list[Statement]:
    estimates, primary = result.estimates, primary_terms(result)
    rows = pick(estimates, analysis="change", method="paired_t")
    rows = rows[rows["group"] != "control"]
    main = rows[rows["term"].isin(primary)] if primary else rows
    told = [_change(row, estimates) for row in records(main.head(MAXIMUM_STATEMENTS))]
    others = rows[~rows["term"].isin(primary) & rows["value"].notna()] if primary else rows.iloc[:0]
    if len(others):
        held = int((others["p_adjusted"] < 0.05).sum())
        counted = count_range(others["n_subjects"].min(), others["n_subjects"].max())
        text = f"{held} of {len(others)} have an adjusted p below .05 ({counted})."
        told.append(Statement("Other changes", text))
    return told


def _change(row: Mapping[Any, Any], estimates: pd.DataFrame) -> Statement:
    lead = sentence_case(term_name(row["term"]))
    who = f" in {group_name(row['group'])}" if row["group"] else ""
    if math.isnan(row["value"]):
        return Statement(lead, f"No estimate of change{who}: {reason(row['absent'])}.")
    scale, unit = term_scale(row["term"], row["unit"], change=True)
    value, low, high = (scale * row[name] for name in ("value", "low", "high"))
    shown = interval(value, low, high) if value > 0 else interval(-value, -high, -low)
    p = p_text(best_p(row), symbol="p" if math.isnan(row["p_adjusted"]) else "adjusted p")
    verb = "Rose" if value > 0 else "Fell"
    text = (
        f"{verb}{who} by {shown} {unit}; {p}, {size(row['n_subjects'])}.{_contrast(estimates, row['term'])}"
    )
    return Statement(lead, text)


def _contrast(estimates: pd.DataFrame, term: str) -> str:
    row = first(estimates, analysis="difference", term=term)
    if row is None or math.isnan(row["value"]):
        return ""
    scale, unit = term_scale(term, row["unit"], change=True)
    shown = interval(scale * row["value"], scale * row["low"], scale * row["high"])
    name = group_name(row["group"]) if row["group"] else "ALS − controls"
    return f" {name}: {shown} {unit}."


def _best(estimates: pd.DataFrame) -> list[Statement]:
    rows = pick(estimates, analysis="srm").dropna(subset=["value"])
    rows = rows[rows["group"] != "control"]
    if rows.empty:
        return []
    best = rows.sort_values("value", ascending=False, kind="stable").iloc[0]
    shown = interval(best["value"], best["low"], best["high"], decimals=2)
    told = f"{sentence_case(term_name(best['term']))}: SRM {shown}, {size(best['n_subjects'])}"
    arm = first(estimates, analysis="sample_size", term=best["term"], group="50%")
    if arm is not None and not math.isnan(arm["value"]):
        arms = interval(arm["value"], arm["low"], arm["high"], decimals=0)
        told += f"; {arms} patients per arm would show a 50 % slowing"
    return [Statement("Most responsive measure", f"{told}.{_honest(estimates, str(best['term']))}")]


def _honest(estimates: pd.DataFrame, term: str) -> str:
    rows = pick(estimates, analysis="selection")
    share = first(rows[rows["group"] != "honest"], term=term)
    told = "" if share is None else f" It comes out best in {percent(share['value'])} of bootstrap samples."
    honest = first(rows, group="honest", term="srm")
    if honest is not None and not math.isnan(honest["value"]):
        shown = interval(honest["value"], honest["low"], honest["high"], decimals=2)
        told += f" A measure chosen so and judged out of bag has an SRM of {shown}"
        arm = first(rows, group="honest", term="n per arm, 50% effect")
        told += f" and needs {number(arm['value'], 0)} patients per arm." if arm is not None else "."
    return told


def _correlations(estimates: pd.DataFrame, primary: list[str]) -> list[Statement]:
    rows = chosen_correlations(estimates, primary)
    if rows.empty:
        return []
    top = rows.reindex(rows["value"].abs().sort_values(ascending=False, kind="stable").index).head(3)
    told = [
        f"{term_name(row['term'])} with {term_name(row['group'])} r ="
        f" {interval(row['value'], row['low'], row['high'], decimals=2)}, {size(row['n_subjects'])}"
        for row in records(top)
    ]
    of = f"Strongest of {len(rows)}{' with a primary measure' if primary else ''}"
    return [Statement("Imaging change and clinical change", f"{of}: {'; '.join(told)}.")]


def tables(estimates: pd.DataFrame, *, key: str) -> list[Grid]:
    """The tables of a progression study; those without rows are left out.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    key : str
        Prefix of the tables' keys.
    """
    made = [
        _change_table(estimates, key),
        _league_table(estimates, key),
        _anova_table(estimates, key),
        _correlation_table(estimates, key),
        _level_table(estimates, key),
    ]
    return [grid for grid in made if grid]


def _shown(rows: pd.DataFrame, *, change: bool) -> tuple[list[float], list[tuple[float, float]], list[str]]:
    values, bounds, units = [], [], []
    for row in records(rows):
        scale, unit = term_scale(row["term"], row["unit"], change=change)
        values.append(scale * row["value"])
        bounds.append((scale * row["low"], scale * row["high"]))
        units.append(unit)
    return values, bounds, units


def _change_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["change", "difference", "mixed_model", "fast_slow"])
    if rows.empty:
        return None
    values, bounds, units = _shown(rows, change=True)
    kinds = [f"{word(r['analysis'])} {_bracketed(r['method'])}".strip() for r in records(rows)]
    return Grid(
        f"{key}-changes",
        "Change from baseline, all analyses",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            text_column("Analysis", [sentence_case(kind) for kind in kinds]),
            interval_column("Estimate (95 % interval)", values, bounds),
            text_column("Unit", units),
            p_column("p", rows["p"].tolist()),
            p_column("Adjusted p", rows["p_adjusted"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=len(rows) > FOLDED_ABOVE,
    )


def _bracketed(method: str) -> str:
    return f"({word(method)})" if method else ""


def _league_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="srm").sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return None
    arms = {
        effect: pick(estimates, analysis="sample_size", group=effect)
        .drop_duplicates("term")
        .set_index("term")
        for effect in ("50%", "25%")
    }
    chosen = pick(estimates, analysis="selection")
    share = chosen[chosen["group"] != "honest"].drop_duplicates("term").set_index("term")["value"]
    return Grid(
        f"{key}-responsiveness",
        "Responsiveness league: standardised response mean and patients per arm",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            interval_column(
                "SRM (95 % interval)",
                rows["value"].tolist(),
                list(zip(rows["low"], rows["high"], strict=True)),
            ),
            *(
                count_column(f"n per arm, {effect[:-1]} % effect", rows["term"].map(table["value"]).tolist())
                for effect, table in arms.items()
            ),
            formatted_column("Best in bootstrap", rows["term"].map(share).tolist(), percent),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        pick(estimates, analysis=["srm", "sample_size", "selection"]),
        folded=len(rows) > FOLDED_ABOVE,
    )


def _anova_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="rm_anova")
    if rows.empty:
        return None
    return Grid(
        f"{key}-anova",
        "Repeated-measures analysis of variance: F, partial eta squared, degrees of freedom and visits used",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            number_column("F", rows["statistic"].tolist(), decimals=2),
            text_column("Correction, df, visits", [_anova_words(text) for text in rows["method"]]),
            number_column("Partial eta squared", rows["value"].tolist(), decimals=3),
            p_column("p", rows["p"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
        ),
        rows,
        folded=len(rows) > FOLDED_ABOVE,
    )


def _anova_words(text: str) -> str:
    return (
        text.removeprefix("rm_anova_").replace("gg ", "Greenhouse–Geisser, ", 1).replace(",", ", ")
        if text
        else DASH
    )


def _correlation_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="correlation")
    if rows.empty:
        return None
    return Grid(
        f"{key}-correlations",
        "Correlation of relative change with clinical change",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Clinical measure", [sentence_case(term_name(name)) for name in rows["group"]]),
            text_column("Method", [sentence_case(name) for name in rows["method"]]),
            interval_column(
                "r (95 % interval)", rows["value"].tolist(), list(zip(rows["low"], rows["high"], strict=True))
            ),
            p_column("p", rows["p"].tolist()),
            p_column("Adjusted p", rows["p_adjusted"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=len(rows) > FOLDED_ABOVE,
    )


def _level_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="level")
    if rows.empty:
        return None
    values, bounds, units = _shown(rows, change=False)
    return Grid(
        f"{key}-levels",
        "Mean level by visit",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            number_column("Day", rows["day"].tolist(), decimals=0),
            interval_column("Mean (95 % interval)", values, bounds),
            text_column("Unit", units),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=True,
    )
