"""A trial in the report: estimand, effect, drop-out and death in words, its figures and its tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.core.study import Estimand
from myoproof.delivery.naming import reason, term_name, term_scale, word
from myoproof.delivery.page import (
    Grid,
    Part,
    Statement,
    count_column,
    first,
    interval_column,
    number_column,
    p_column,
    pick,
    records,
    text_column,
)
from myoproof.delivery.progression_trial_figures import (
    arms_of,
    contrasts_drawing,
    means_drawing,
    subjects_drawing,
)
from myoproof.delivery.wording import interval, number, p_text, sentence_case, series, size

STRUCTURES: Mapping[str, str] = {
    "UN": "unstructured",
    "CS": "compound symmetry",
    "CSH": "heterogeneous compound symmetry",
    "AR1": "autoregressive",
    "ARH1": "heterogeneous autoregressive",
    "TOEP": "Toeplitz",
    "TOEPH": "heterogeneous Toeplitz",
    "ANTE": "ante-dependence",
}
DEGREES = {
    "kenward_roger": "Kenward–Roger standard errors and degrees of freedom",
    "satterthwaite": "Satterthwaite degrees of freedom",
    "residual": "residual degrees of freedom",
}
TELLING = {
    "visit_outside_windows": "measurements outside every visit window",
    "visit_without_day": "measurements without a day",
    "visit_repeated": "repeated measurements within one window",
    "negative_follow_up": "follow-up that runs backwards",
    "left_out_by_estimand": "values left out by the estimand",
    "event_not_seen": "intercurrent events never seen",
    "arm_changed": "subjects who changed arm",
    "no_data_in_arm": "visits without a value in one arm",
    "few_in_cell": "visits with too few values in one arm",
    "one_visit": "one visit only",
    "covariate_missing": "covariates with missing values",
    "covariate_constant": "covariates without spread",
    "covariate_constant_in_arm": "covariates constant within an arm",
    "covariate_separates_arms": "covariates that part the arms",
    "aliased": "columns that follow from others",
}


def is_trial(result: Result) -> bool:
    """Whether a progression result compares arms by a mixed model.

    Parameters
    ----------
    result : Result
        Result of a progression study.
    """
    return bool((result.estimates["analysis"] == "mmrm_fit").any())


def trial_parts(result: Result, *, key: str, terms: Sequence[str]) -> list[Part | tuple[str, Any]]:
    """Findings, figures and tables of a trial, in reading order.

    Parameters
    ----------
    result : Result
        Result of a trial.
    key : str
        Prefix of all keys.
    terms : sequence of str
        Terms in order of importance.
    """
    estimates = result.estimates
    drawn: dict[str, Any] = {"key": key, "terms": terms, "simulated": result.simulated}
    return [
        *_cohort(estimates),
        *_estimand(result.study.estimand),
        *_effects(result, terms),
        *_model(estimates, terms),
        *_drop_out(estimates, terms),
        *_death(estimates, terms),
        *_found(estimates),
        ("least-squares means", means_drawing(estimates, **drawn)),
        ("contrasts", contrasts_drawing(estimates, **drawn)),
        ("single subjects", subjects_drawing(estimates, result.predictions, **drawn)),
        *_tables(estimates, key),
    ]


def _cohort(estimates: pd.DataFrame) -> list[Statement]:
    told = []
    for analysis, name in zip(("flow", "flow_control"), arms_of(estimates), strict=True):
        rows = pick(estimates, analysis=analysis)
        start = first(rows, term=f"in arm {name}")
        last = rows[rows["term"].str.startswith("at the last visit")]
        if start is not None and len(last):
            told.append(
                f"{word(name)} {size(start['value'])}, {number(last['value'].iloc[0], 0)} at the last visit"
            )
    return [Statement("Cohort", f"{sentence_case('; '.join(told))}.")] if told else []


def _estimand(estimand: Estimand | None) -> list[Statement]:
    if estimand is None:
        return []
    events = [f"{word(one.event)} by {word(one.strategy)}" for one in estimand.intercurrent_events]
    told = f"{estimand.endpoint}: {estimand.summary}; {estimand.treatment}; {estimand.population}"
    after = f" Intercurrent events: {series(events)}." if events else ""
    return [Statement("Estimand", f"{sentence_case(told)}.{after}")]


def _effects(result: Result, terms: Sequence[str]) -> list[Statement]:
    estimates = result.estimates
    rows = pick(estimates, analysis="contrast")
    primary = result.study.families.get("primary", []) or list(terms[:1])
    wanted = str(result.study.method.get("mmrm", {}).get("primary_visit", ""))
    told = []
    for term in primary:
        own = pick(rows, term=term)
        if own.empty:
            continue
        named = pick(own, method=wanted)
        row = records(named if len(named) else own.tail(1))[0]
        told.append(_effect(row, estimates))
    return told


def _effect(row: Mapping[str, Any], estimates: pd.DataFrame) -> Statement:
    lead = f"{sentence_case(term_name(row['term']))} at {row['method']}"
    if math.isnan(row["value"]):
        return Statement(lead, f"No contrast could be estimated: {reason(row['absent'])}.")
    scale, unit = term_scale(row["term"], row["unit"], change=True)
    names = " − ".join(word(name) for name in arms_of(estimates))
    shown = interval(*(scale * row[name] for name in ("value", "low", "high")))
    means = pick(estimates, analysis="ls_mean", term=row["term"], method=row["method"])
    beside = [f"{word(one['group'])} {number(scale * one['value'])}" for one in records(means)]
    p = p_text(row["p"] if math.isnan(row["p_adjusted"]) else row["p_adjusted"], symbol="adjusted p")
    change = f"; mean change: {series(beside)} {unit}" if beside else ""
    return Statement(lead, f"{names}: {shown} {unit}; {p}, {size(row['n_subjects'])}{change}.")


def _model(estimates: pd.DataFrame, terms: Sequence[str]) -> list[Statement]:
    """The methods paragraph's sentence of what was fitted, for the most important term."""
    rows = pick(estimates, analysis="mmrm_fit", term=terms[0] if terms else "")
    if rows.empty:
        return []
    tried = records(rows)
    last = tried[-1]
    model, structure, *rest = str(last["method"]).split(" ")
    kind = (
        "constrained longitudinal data analysis (baseline as an outcome with one mean)"
        if model == "clda"
        else "mixed model for repeated measures of the change, with baseline by visit"
    )
    own = ", one for each arm" if "by" in rest else ""
    before = [f"{one['method'].split(' ')[1]} ({word(one['flags'])})" for one in tried if one["absent"]]
    failed = f" Tried before and not fitted: {series(before)}." if before else ""
    stands = STRUCTURES.get(structure, structure)
    if last["absent"]:
        return [Statement("Model", f"No covariance structure could be fitted.{failed}", leading=False)]
    text = (
        f"{kind}; {stands} covariance{own}, restricted maximum likelihood, {DEGREES.get(rest[-1], rest[-1])}"
    )
    return [Statement("Model", f"{sentence_case(text)}.{failed}", leading=False)]


def _drop_out(estimates: pd.DataFrame, terms: Sequence[str]) -> list[Statement]:
    rows = pick(estimates, analysis="sensitivity", term=terms[0] if terms else "").dropna(subset=["value"])
    told = []
    for row in records(rows):
        scale, unit = term_scale(row["term"], row["unit"], change=True)
        shown = interval(*(scale * row[name] for name in ("value", "low", "high")))
        told.append(f"{word(row['method'].split(' ')[0])} {shown} {unit}")
    tip = first(estimates, analysis="tipping_point", term=terms[0] if terms else "")
    if tip is not None:
        told.append(_tip(tip))
    return [Statement("Drop-out otherwise", f"{sentence_case('; '.join(told))}.")] if told else []


def _tip(row: Mapping[str, Any]) -> str:
    scale, unit = term_scale(row["term"], row["unit"], change=True)
    if row["flags"] == "not_significant_at_the_start":
        return "no tipping point, since nothing is significant at the start"
    if math.isnan(row["value"]):
        most = row["flags"].removeprefix("none_up_to_")
        return f"no worsening after drop-out up to {most} {unit} takes significance away"
    worse = f"{number(scale * row['value'])} {unit}"
    return f"significance goes where those of the first arm who left fared {worse} worse"


def _death(estimates: pd.DataFrame, terms: Sequence[str]) -> list[Statement]:
    row = first(estimates, analysis="composite", term=terms[0] if terms else "")
    if row is None or math.isnan(row["value"]):
        return []
    shown = interval(row["value"], row["low"], row["high"], decimals=2)
    text = (
        f"The chance that a subject of {word(arms_of(estimates)[0])} fares better than one of"
        f" {word(arms_of(estimates)[1])}, death before value, is {shown}; {p_text(row['p'])}"
    )
    return [Statement("Death as the worst outcome", f"{text}.")]


def _found(estimates: pd.DataFrame) -> list[Statement]:
    rows = pick(estimates, analysis="finding")
    if rows.empty:
        return []
    told = []
    for category, own in rows.groupby("method", sort=False):
        told.append(f"{TELLING.get(str(category), word(str(category)))} ({number(len(own), 0)})")
    return [Statement("Found in the data", f"{sentence_case(series(told))}; see the table.", leading=False)]


def _tables(estimates: pd.DataFrame, key: str) -> list[Grid]:
    made = [_contrast_table(estimates, key), _means_table(estimates, key), _finding_table(estimates, key)]
    return [grid for grid in made if grid is not None]


def _contrast_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    kinds = ["contrast", "random_slope", "sensitivity", "while_alive", "composite"]
    rows = pick(estimates, analysis=kinds)
    rows = rows[rows["group"].str.contains(" - ") | (rows["analysis"] != "random_slope")]
    return _grid(rows, f"{key}-contrasts", "Contrasts between the arms, all analyses")


def _means_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["ls_mean", "random_slope"])
    rows = rows[~rows["group"].str.contains(" - ")]
    return _grid(rows, f"{key}-means", "Least-squares means and slopes by arm", tested=False)


def _grid(rows: pd.DataFrame, key: str, title: str, *, tested: bool = True) -> Grid | None:
    if rows.empty:
        return None
    scales = [term_scale(row["term"], row["unit"], change=True) for row in records(rows)]
    values = [scale * row["value"] for (scale, _), row in zip(scales, records(rows), strict=True)]
    bounds = [
        (scale * row["low"], scale * row["high"])
        for (scale, _), row in zip(scales, records(rows), strict=True)
    ]
    tests = (p_column("p", rows["p"].tolist()), p_column("Adjusted p", rows["p_adjusted"].tolist()))
    return Grid(
        key,
        title,
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Arm", [" − ".join(word(x) for x in name.split(" - ")) for name in rows["group"]]),
            text_column("Analysis", [sentence_case(word(name)) for name in rows["analysis"]]),
            text_column("Visit or method", [_method(text) for text in rows["method"]]),
            interval_column("Estimate (95 % interval)", values, bounds),
            text_column("Unit", [unit for _, unit in scales]),
            number_column("df", rows["df"].tolist(), decimals=1),
            *(tests if tested else ()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [reason(name) if name else "" for name in rows["absent"]]),
        ),
        rows,
        folded=len(rows) > 24,
    )


def _method(text: str) -> str:
    return word(text.split(" m=", maxsplit=1)[0])


def _finding_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="finding")
    if rows.empty:
        return None
    return Grid(
        f"{key}-findings",
        "Found in the data",
        (
            text_column("What", [sentence_case(TELLING.get(name, word(name))) for name in rows["method"]]),
            text_column("Where", rows["group"].tolist()),
            text_column("Measure", [sentence_case(term_name(name)) if name else "" for name in rows["term"]]),
            count_column("n", rows["value"].tolist()),
        ),
        rows,
        folded=len(rows) > 12,
    )
