"""The progression study in the report: its findings in words, its figures and its tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.delivery.flow import flow_drawing, flow_steps
from myoproof.delivery.naming import (
    reason,
    term_name,
    term_scale,
)
from myoproof.delivery.page import (
    Section,
    Statement,
    arranged,
    first,
    pick,
    records,
)
from myoproof.delivery.progression_clinical import chosen_correlations, correlation_drawing, tempo_drawing
from myoproof.delivery.progression_figures import (
    best_p,
    change_drawing,
    count_range,
    course_drawing,
    group_name,
    league_drawing,
)
from myoproof.delivery.progression_joint import joint_parts
from myoproof.delivery.progression_tables import tables
from myoproof.delivery.progression_trial import is_trial, trial_parts
from myoproof.delivery.wording import (
    interval,
    number,
    p_text,
    percent,
    sentence_case,
    size,
)
from myoproof.vocabulary.lookup import words

MAXIMUM_STATEMENTS = 6


def section(result: Result, *, key: str, measurements: pd.DataFrame | None = None) -> Section:
    """The part of the report on one progression study.

    Parameters
    ----------
    result : Result
        Result of a study of kind ``progression``; analyses that are missing are left out with a note.
    key : str
        Anchor and prefix of all keys.
    measurements : DataFrame, optional
        Not needed: the prediction rows hold every subject's course.

    Returns
    -------
    Section
        With findings for the summary.
    """
    del measurements
    estimates, simulated = result.estimates, result.simulated
    terms, primary = ordered_terms(result), primary_terms(result)
    if is_trial(result):
        return _trial(result, terms, key)
    drawn: dict[str, Any] = {"key": key, "simulated": simulated}
    changes = [
        (
            f"change in {name}",
            change_drawing(
                estimates, key=f"{key}-change-{place}", title=title, terms=own, simulated=simulated
            ),
        )
        for place, (name, title, own) in enumerate(change_groups(estimates, terms), start=1)
    ]
    beside: dict[str, Any] = {**drawn, "analysis": "flow_control", "title": "Flow of the controls"}
    someone_left = any(step.left for step in flow_steps(estimates, analysis="flow_control"))
    controls = flow_drawing(estimates, **beside) if someone_left else None
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
            *joint_parts(estimates, key=key),
            *tables(estimates, key=key),
        ]
    )
    return Section(key, result.study.title, parts, result.study.question)


def _trial(result: Result, terms: list[str], key: str) -> Section:
    """A trial: flow and arms compared, then the changes of each arm."""
    estimates = result.estimates
    drawn: dict[str, Any] = {"key": key, "simulated": result.simulated}
    beside: dict[str, Any] = {**drawn, "analysis": "flow_control", "title": "Flow of the reference arm"}
    parts = arranged(
        [
            ("cohort flow", flow_drawing(estimates, **drawn)),
            ("flow of the reference arm", flow_drawing(estimates, **beside)),
            *trial_parts(result, key=key, terms=terms),
            *joint_parts(estimates, key=key),
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


def change_groups(estimates: pd.DataFrame, terms: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Which changes share a figure, as (name, title, terms): one a measure, the clinical measures together.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    terms : sequence of str
        Terms in order.
    """
    rows = pick(estimates, analysis="change", method="paired_t")
    clinical = set(rows.loc[rows["flags"] == "clinical", "term"])
    held = set(rows["term"])
    groups: dict[str, list[str]] = {}
    for term in terms:
        if term in held:
            groups.setdefault("" if term in clinical else term.split("/")[0], []).append(term)
    named = [(term_name(measure), own) for measure, own in groups.items() if measure]
    if "" in groups:
        named.append(("the clinical measures", groups[""]))
    return [(name, f"Change in {name}", own) for name, own in named]


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
    ranked = rows.sort_values("value", ascending=False, kind="stable")
    best = records(ranked)[0]
    told = [
        Statement("Most responsive measure", _responsive(best, estimates) + _honest(estimates, best["term"]))
    ]
    imaging = records(ranked[ranked["flags"] != "clinical"])
    if imaging and best["flags"] == "clinical":
        told.append(Statement("Most responsive imaging measure", _responsive(imaging[0], estimates)))
    return told


def _responsive(row: Mapping[str, Any], estimates: pd.DataFrame) -> str:
    shown = interval(row["value"], row["low"], row["high"], decimals=2)
    told = f"{sentence_case(term_name(row['term']))}: SRM {shown}, {size(row['n_subjects'])}"
    arm = first(estimates, analysis="sample_size", term=row["term"], group="50%")
    if arm is not None and not math.isnan(arm["value"]):
        arms = interval(arm["value"], arm["low"], arm["high"], decimals=0)
        told += f"; {arms} patients per arm would show a 50 % slowing"
    return told + "."


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
