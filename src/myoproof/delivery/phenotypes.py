"""The phenotype study in the report: its findings in words, its figures and its tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.delivery.flow import flow_drawing
from myoproof.delivery.naming import (
    reason,
    term_name,
    term_scale,
    word,
)
from myoproof.delivery.page import (
    Section,
    Statement,
    arranged,
    first,
    pick,
    records,
)
from myoproof.delivery.phenotypes_figures import (
    METRICS,
    axis_drawing,
    claimed_count,
    cluster_counts,
    clusters_drawing,
    null_name,
    profile_drawing,
)
from myoproof.delivery.phenotypes_outcome import clinic_drawing, correlation_drawing, outcome_drawing
from myoproof.delivery.phenotypes_tables import tables
from myoproof.delivery.wording import (
    interval,
    number,
    numeral,
    p_text,
    percent,
    sentence_case,
    series,
    size,
)


def section(result: Result, *, key: str, measurements: pd.DataFrame | None = None) -> Section:
    """The part of the report on one phenotype study.

    Parameters
    ----------
    result : Result
        Result of a study of kind ``phenotypes``; analyses that are missing are left out with a note.
    key : str
        Anchor and prefix of all keys.
    measurements : DataFrame, optional
        Rows of the measurement table, for the figure of single patients.

    Returns
    -------
    Section
        With findings for the summary.
    """
    estimates, simulated = result.estimates, result.simulated
    clinic = clinic_drawing(result, measurements, key=key, simulated=simulated)
    claimed, outcome = is_claim(result), outcome_name(result)
    metric = _decision_metric(estimates)
    parts = arranged(
        [
            _decision(estimates),
            ("cohort flow", flow_drawing(estimates, key=key, simulated=simulated)),
            ("number of groups", clusters_drawing(estimates, key=key, decision=metric, simulated=simulated)),
            ("severity axis", axis_drawing(estimates, result.predictions, key=key, simulated=simulated)),
            *_groups(estimates),
            ("profile", profile_drawing(estimates, key=key, claimed=claimed, simulated=simulated)),
            *_outcome(result),
            ("outcome", outcome_drawing(estimates, key=key, outcome=outcome, simulated=simulated)),
            *_offer(estimates),
            *_correlations(estimates),
            *([clinic] if clinic else []),
            ("correlations", correlation_drawing(estimates, key=key, simulated=simulated)),
            *tables(estimates, result.predictions, key=key),
        ]
    )
    return Section(key, result.study.title, parts, result.study.question)


def outcome_name(result: Result) -> str:
    """The outcome of a study in words.

    Parameters
    ----------
    result : Result
        Of any kind.
    """
    return "outcome" if result.study.outcome is None else term_name(result.study.outcome.measure)


def _decision_metric(estimates: pd.DataFrame) -> str:
    row = first(estimates, analysis="null")
    return "" if row is None else str(row["method"])


def _decision(estimates: pd.DataFrame) -> Statement:
    claim = first(estimates, analysis="decision", group="claim")
    if claim is None:
        return Statement(
            "Not decided", "The result holds no decision row, so nothing is said about subtypes."
        )
    tests = pick(estimates, analysis="decision")
    tests = tests[tests["group"] != "claim"]
    rejected = int((tests["flags"] == "rejected").sum())
    told = [
        f"{null_name(row['group'])} {number(row['statistic'], 2)} SD ({p_text(row['p'])})"
        for row in records(tests)
    ]
    of = f" of the {word(_decision_metric(estimates))}" if _decision_metric(estimates) else ""
    held = f"Largest excess{of} over {'; '.join([*told, _n(estimates)])}."
    if claim["value"] > 0:
        lead = f"{numeral(claim['value'])} subtypes claimed"
        return Statement(lead, f"Every null without subtypes was rejected. {held}")
    return Statement(
        "No subtypes",
        f"The data are compatible with one severity continuum: {rejected} of {len(tests)} nulls without"
        f" subtypes were rejected, and a claim needs all. {held}",
    )


def _n(estimates: pd.DataFrame) -> str:
    judged = pick(estimates, analysis=["decision", "null"])["n_subjects"].max()
    counted = pick(estimates, analysis=list(METRICS))["n_subjects"].max() if math.isnan(judged) else judged
    return size(counted, "patients")


def _groups(estimates: pd.DataFrame) -> list[Statement]:
    sizes = pick(estimates, analysis="cluster_size")
    if sizes.empty:
        return []
    counts = cluster_counts(estimates)
    whole = sum(counts.values())
    named = series([f"{term_name(t)} {size(n)} ({percent(n / whole)})" for t, n in counts.items()])
    text = f"Cluster 0 is the milder: {named}."
    stability = first(estimates, analysis="stability", term=f"k={len(sizes)}")
    if stability is not None:
        bounds = float(stability["low"]), float(stability["high"])
        ari = interval(float(stability["value"]), *bounds, decimals=2)
        text += (
            f" Mean adjusted Rand index on resampling {ari}; a tidy cut through a continuum is stable too."
        )
    lead = f"Groups at k = {len(sizes)}"
    return [Statement(lead if claimed_count(estimates) > 0 else f"{lead}, described only", text)]


def _outcome(result: Result) -> list[Statement]:
    estimates = result.estimates
    told = []
    rows = pick(estimates, analysis="outcome", group="adjusted")
    for row in records(rows[rows["term"].str.startswith("cluster")]):
        told.append(_difference(row, result, term_name(row["term"])))
    rows = pick(estimates, analysis="outcome", group="axis_adjusted").dropna(subset=["value"])
    axis = [row for row in records(rows) if "axis" in row["term"]]
    beside = [row for row in records(rows) if row["term"].startswith("cluster")]
    if axis and beside:
        told.append(_beside_axis(axis[0], beside))
    elif axis:
        told.append(_difference(axis[0], result, "per SD of the severity axis"))
    return told


def _beside_axis(axis: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]]) -> Statement:
    unit = term_scale("", axis["unit"])[1]
    named = [f"{term_name(row['term'])}: {_estimate(row, unit)}" for row in clusters]
    adds = any(row["low"] > 0 or row["high"] < 0 for row in clusters)
    verdict = "add to what severity says" if adds else "add nothing that shows beyond severity"
    text = f"In one model with the severity axis the groups {verdict}: {'; '.join(named)};"
    return Statement("Groups beside severity", f"{text} one SD of the axis: {_estimate(axis, unit)}.")


def _estimate(row: Mapping[str, Any], unit: str) -> str:
    shown = interval(row["value"], row["low"], row["high"], decimals=2, unit=unit)
    return f"{shown}, {p_text(row['p'])}, {size(row['n_subjects'])}"


def _difference(row: Mapping[str, Any], result: Result, compared: str) -> Statement:
    lead = f"{sentence_case(outcome_name(result))}, {compared}"
    if math.isnan(row["value"]):
        return Statement(lead, f"Not estimated: {reason(row['absent'])}.")
    shown = interval(row["value"], row["low"], row["high"], decimals=2, unit=term_scale("", row["unit"])[1])
    names = [word(name) for name in result.study.covariates]
    adjusted = f", adjusted for {series(names)}" if names else ""
    return Statement(lead, f"{shown}{adjusted}; {p_text(row['p'])}, {size(row['n_subjects'])}.")


def _offer(estimates: pd.DataFrame) -> list[Statement]:
    rows = {row["term"]: row for row in records(pick(estimates, analysis="axis_or_clusters"))}
    decision = rows.pop("decision", None)
    if decision is None or math.isnan(decision["value"]):
        return []
    told = [f"{word(name)} {number(row['value'], 3)}" for name, row in rows.items()]
    offered = decision["flags"] == "axis_offered"
    lead = "The severity axis may stand for the groups" if offered else "The groups tell more than the axis"
    text = (
        f"R² of the outcome in patients held out, with the covariates: {series(told)}; axis less groups "
        f"{number(decision['value'], 3)} (SE {number(decision['se'], 3)}), {size(decision['n_subjects'])}."
    )
    return [Statement(lead, text, leading=False)]


def _correlations(estimates: pd.DataFrame) -> list[Statement]:
    rows = pick(estimates, analysis="correlation", group="severity_axis").dropna(subset=["value"])
    if rows.empty:
        return []
    told = [
        f"{term_name(row['term'])} {interval(row['value'], row['low'], row['high'], decimals=2)},"
        f" {size(row['n_subjects'])}"
        for row in records(rows)
    ]
    method = sentence_case(str(rows["method"].iloc[0])) or "Correlation"
    return [Statement("The severity axis and the clinic", f"{method} r with {'; '.join(told)}.")]


def is_claim(result: Result) -> bool:
    """Whether the study claims subtypes.

    Parameters
    ----------
    result : Result
        Result of a phenotype study.
    """
    count = claimed_count(result.estimates)
    return not math.isnan(count) and count > 0
