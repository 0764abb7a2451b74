"""The phenotype study in the report: its findings in words, its figures and its tables."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.delivery.flow import flow_drawing
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
from myoproof.delivery.phenotypes_figures import (
    METRICS,
    axis_drawing,
    claimed_count,
    cluster_counts,
    clusters_drawing,
    null_name,
    profile_drawing,
)
from myoproof.delivery.phenotypes_outcome import correlation_drawing, outcome_drawing
from myoproof.delivery.wording import (
    interval,
    number,
    numeral,
    p_text,
    percent,
    reason,
    sentence_case,
    series,
    size,
    term_name,
    term_scale,
    word,
)

METRIC_KEYS = ("metric", "decision", "statistic")
"""Names under which a study's method may state its decision metric, first found."""


def section(result: Result, *, key: str) -> Section:
    """The part of the report on one phenotype study.

    Parameters
    ----------
    result : Result
        Result of a study of kind ``phenotypes``; analyses that are missing are left out with a note.
    key : str
        Anchor and prefix of all keys.

    Returns
    -------
    Section
        With findings for the summary.
    """
    estimates, simulated = result.estimates, result.simulated
    claimed, outcome = is_claim(result), outcome_name(result)
    metric = _decision_metric(result)
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
            *_correlations(estimates),
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


def _decision_metric(result: Result) -> str:
    stated = [str(result.study.method[name]) for name in METRIC_KEYS if name in result.study.method]
    return next((name for name in stated if name in METRICS), "")


def _decision(estimates: pd.DataFrame) -> Statement:
    claim = first(estimates, analysis="decision", group="claim")
    if claim is None:
        return Statement(
            "Not decided", "The result holds no decision row, so nothing is said about subtypes."
        )
    tests = pick(estimates, analysis="decision")
    told = [
        f"{null_name(row['group'])}: largest excess {number(row['statistic'], 2)} SD, {p_text(row['p'])}"
        for row in records(tests[tests["group"] != "claim"])
    ]
    held = f"{'; '.join([*told, _n(estimates)])}."
    if claim["value"] > 0:
        lead = f"{numeral(claim['value'])} subtypes claimed"
        return Statement(lead, f"Every null without subtypes was rejected. {sentence_case(held)}")
    return Statement(
        "No subtypes",
        "The data are compatible with one severity continuum: not every null without subtypes was rejected."
        f" {sentence_case(held)}",
    )


def _n(estimates: pd.DataFrame) -> str:
    counted = estimates["n_subjects"].max()
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
    return [Statement(f"Groups at k = {len(sizes)}", text)]


def _outcome(result: Result) -> list[Statement]:
    estimates = result.estimates
    told = []
    rows = pick(estimates, analysis="outcome", group="adjusted")
    for row in records(rows[rows["term"].str.startswith("cluster")]):
        told.append(_difference(row, result, term_name(row["term"])))
    rows = pick(estimates, analysis="outcome", group="axis_adjusted")
    for row in records(rows[rows["term"].str.contains("axis")]):
        told.append(_difference(row, result, "per SD of the severity axis"))
    return told


def _difference(row: Mapping[str, Any], result: Result, compared: str) -> Statement:
    lead = f"{sentence_case(outcome_name(result))}, {compared}"
    if math.isnan(row["value"]):
        return Statement(lead, f"Not estimated: {reason(row['absent'])}.")
    shown = interval(row["value"], row["low"], row["high"], decimals=2, unit=term_scale("", row["unit"])[1])
    names = [word(name) for name in result.study.covariates]
    adjusted = f", adjusted for {series(names)}" if names else ""
    return Statement(lead, f"{shown}{adjusted}; {p_text(row['p'])}, {size(row['n_subjects'])}.")


def _correlations(estimates: pd.DataFrame) -> list[Statement]:
    rows = pick(estimates, analysis="correlation", group="severity_axis").dropna(subset=["value"])
    if rows.empty:
        return []
    told = [
        f"{term_name(row['term'])} r = {interval(row['value'], row['low'], row['high'], decimals=2)},"
        f" {size(row['n_subjects'])}"
        for row in records(rows)
    ]
    return [Statement("The severity axis and the clinic", f"{sentence_case('; '.join(told))}.")]


def tables(estimates: pd.DataFrame, predictions: pd.DataFrame, *, key: str) -> list[Grid]:
    """The tables of a phenotype study; those without rows are left out.

    Parameters
    ----------
    estimates, predictions : DataFrame
        Rows of the study.
    key : str
        Prefix of the tables' keys.
    """
    made = [
        _nulls_table(estimates, key),
        _metrics_table(estimates, key),
        _outcome_table(estimates, key),
        _left_out_table(estimates, key),
        _feature_table(estimates, key),
        _patients_table(predictions, key),
    ]
    return [grid for grid in made if grid]


def _bounds(rows: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(rows["low"], rows["high"], strict=True))


def _nulls_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["null", "decision"])
    rows = rows[rows["group"] != "claim"]
    if rows.empty:
        return None
    steps = [
        "decision: largest over k" if row["analysis"] == "decision" else term_name(row["term"])
        for row in records(rows)
    ]
    return Grid(
        f"{key}-nulls",
        "Held against the nulls: what data without subtypes would show",
        (
            text_column("Null", [sentence_case(null_name(name)) for name in rows["group"]]),
            text_column("Groups", steps),
            number_column("Null mean", rows["value"].where(rows["analysis"] == "null").tolist(), decimals=3),
            number_column("Null SD", rows["se"].tolist(), decimals=3),
            number_column("Excess (null SD)", rows["statistic"].tolist(), decimals=2),
            p_column("p", rows["p"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
        ),
        rows,
    )


def _metrics_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=list(METRICS))
    if rows.empty:
        return None
    return Grid(
        f"{key}-metrics",
        "Descriptive measures by number of groups (interval: 2.5 to 97.5 % of resamples)",
        (
            text_column("Measure", [METRICS[name] for name in rows["analysis"]]),
            text_column("Groups", [term_name(name) for name in rows["term"]]),
            interval_column("Value", rows["value"].tolist(), _bounds(rows)),
            count_column("n", rows["n_subjects"].tolist()),
        ),
        rows,
    )


def _outcome_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["outcome", "correlation"])
    if rows.empty:
        return None
    return Grid(
        f"{key}-outcome-rows",
        "Outcome model and correlations, every term",
        (
            text_column("Analysis", [sentence_case(word(name)) for name in rows["analysis"]]),
            text_column("Term", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Model", [word(name) for name in rows["group"]]),
            interval_column("Estimate (95 % interval)", rows["value"].tolist(), _bounds(rows)),
            p_column("p", rows["p"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=len(rows) > 12,
    )


def _left_out_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["leave_one_centre_out", "leave_one_device_out"])
    rows = rows[rows["term"] != "outcome"]
    if rows.empty:
        return None
    kinds = [name.split("_")[2] for name in rows["analysis"]]
    return Grid(
        f"{key}-left-out",
        "Agreement of the groups when one centre or device is left out",
        (
            text_column("Left out", [sentence_case(kind) for kind in kinds]),
            text_column("Which", rows["group"].tolist()),
            number_column("Adjusted Rand index", rows["value"].tolist(), decimals=3),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
    )


def _feature_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="feature")
    if rows.empty:
        return None
    profile = pick(estimates, analysis="profile")
    groups = sorted(set(profile["group"]))
    loading = pick(estimates, analysis="axis").drop_duplicates("term").set_index("term")["value"]
    by_group = [
        profile[profile["group"] == name].drop_duplicates("term").set_index("term")["value"]
        for name in groups
    ]
    terms = rows["term"]
    return Grid(
        f"{key}-features",
        "Features: what was missing, mean z-score by group, loading on the severity axis",
        (
            text_column("Feature", [sentence_case(term_name(name)) for name in terms]),
            formatted_column("Missing", rows["value"].tolist(), lambda share: percent(share, 1)),
            text_column("Use", [word(flags) for flags in rows["flags"]]),
            *(
                number_column(f"Mean z, {term_name(name)}", terms.map(values).tolist(), decimals=2)
                for name, values in zip(groups, by_group, strict=True)
            ),
            number_column("Axis loading", terms.map(loading).tolist(), decimals=2),
            count_column("n", rows["n_subjects"].tolist()),
        ),
        pick(estimates, analysis=["feature", "profile", "axis"]),
        folded=True,
    )


def _patients_table(predictions: pd.DataFrame, key: str) -> Grid | None:
    axis = pick(predictions, target="severity_axis").drop_duplicates("subject").set_index("subject")
    cluster = pick(predictions, target="cluster")
    cluster = cluster[cluster["rank"] == 1].drop_duplicates("subject").set_index("subject")
    subjects = sorted(set(axis.index) | set(cluster.index))
    if not subjects:
        return None
    axis, cluster = axis.reindex(subjects), cluster.reindex(subjects)
    return Grid(
        f"{key}-patients",
        f"Every patient ({size(len(subjects))}): group, share of resamples that agree, severity score",
        (
            text_column("Patient", subjects),
            text_column("Group", [term_name(str(name)) for name in cluster["candidate"].fillna("")]),
            formatted_column("Share of resamples", cluster["value"].tolist(), percent),
            number_column("Severity score", axis["value"].tolist(), decimals=2),
        ),
        pick(predictions, target=["severity_axis", "cluster"]),
        folded=True,
    )


def remark(row: Mapping[str, Any]) -> str:
    """Why a row is empty, or what it was flagged for, in words.

    Parameters
    ----------
    row : mapping
        Estimate row.
    """
    absent = f"absent: {reason(str(row['absent']))}" if row["absent"] else ""
    flags = ", ".join(word(flag) for flag in str(row["flags"]).split(";") if flag)
    return "; ".join(part for part in (absent, flags) if part)


def is_claim(result: Result) -> bool:
    """Whether the study claims subtypes.

    Parameters
    ----------
    result : Result
        Result of a phenotype study.
    """
    count = claimed_count(result.estimates)
    return not math.isnan(count) and count > 0
