"""Tables of a phenotype study."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from myoproof.delivery.naming import (
    reason,
    term_name,
    word,
)
from myoproof.delivery.page import (
    Grid,
    count_column,
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
    null_name,
)
from myoproof.delivery.wording import (
    percent,
    sentence_case,
    size,
)


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
        _looks_table(estimates, key),
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


LOOKS = {
    "consensus": "share of pairs neither together nor apart (PAC)",
    "gap": "gap statistic",
    "mixture": "BIC of the Gaussian mixture, less the lowest",
    "beyond_severity": "after the severity axis was taken out",
}


def _looks_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=list(LOOKS))
    if rows.empty:
        return None
    shown = rows["value"].where(rows["analysis"] != "mixture", rows["statistic"])
    plain = rows["analysis"].isin(["gap", "mixture"])
    groups = [
        word(str(name)) for name in rows["group"].where(~plain, "").replace("gaussian", "Gaussian_cohorts")
    ]
    chosen = ["chosen" if "chosen" in flags else "" for flags in rows["flags"]]
    return Grid(
        f"{key}-looks",
        "Other looks at the number of groups: they describe, and decide nothing",
        (
            text_column("Look", [LOOKS[name] for name in rows["analysis"]]),
            text_column("Groups", [term_name(name) for name in rows["term"]]),
            text_column("Of", groups),
            number_column("Value", shown.tolist(), decimals=3),
            number_column("SE or null SD", rows["se"].tolist(), decimals=3),
            p_column("p", rows["p"].tolist()),
            text_column("By its rule", chosen),
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
            interval_column("Value", rows["value"].tolist(), _bounds(rows), decimals=2),
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
            interval_column("Estimate (95 % interval)", rows["value"].tolist(), _bounds(rows), decimals=2),
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
