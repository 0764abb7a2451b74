"""Parts that every report has: rows of any study, evidence with its verdicts, provenance."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.delivery.flow import flow_drawing
from myoproof.delivery.naming import opened, term_name, word
from myoproof.delivery.page import (
    Grid,
    Section,
    Statement,
    count_column,
    interval_column,
    p_column,
    records,
    text_column,
    verdict_column,
)
from myoproof.delivery.phenotypes_tables import remark
from myoproof.delivery.wording import (
    number,
    sentence_case,
    series,
    size,
)


def rows_section(result: Result, *, key: str, measurements: pd.DataFrame | None = None) -> Section:
    """The part of the report on a study of a kind that has no page of its own: its rows as a table.

    Parameters
    ----------
    result : Result
        Any result.
    key : str
        Anchor and prefix of all keys.
    measurements : DataFrame, optional
        Not needed.
    """
    del measurements
    rows = result.estimates
    bounds = list(zip(rows["low"], rows["high"], strict=True))
    grid = Grid(
        f"{key}-estimates",
        f"All estimates ({size(len(rows), 'rows')})",
        (
            text_column("Analysis", [sentence_case(word(name)) for name in rows["analysis"]]),
            text_column("Term", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [word(name) for name in rows["group"]]),
            interval_column("Estimate (interval)", rows["value"].tolist(), bounds),
            text_column("Unit", rows["unit"].tolist()),
            p_column("p", rows["p"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
    )
    drawing = flow_drawing(rows, key=key, simulated=result.simulated)
    parts = (drawing, grid) if drawing else (grid,)
    return Section(key, result.study.title, parts, result.study.question)


def evidence_section(evidence: pd.DataFrame, current: Mapping[str, str]) -> Section:
    """The evidence rows with their verdicts, stale ones marked.

    Parameters
    ----------
    evidence : DataFrame
        Evidence rows.
    current : mapping
        Method or study -> current version or digest.
    """
    stale = [is_stale(about, current) for about in evidence["about"]]
    rows = evidence.assign(state=["stale" if old else "current" for old in stale])
    judged = rows["verdict"] != ""
    grids = [
        _evidence_grid("evidence-judged", "Judged by a criterion set beforehand", rows[judged], folded=False),
        _evidence_grid(
            "evidence-described", "Described without judging", rows[~judged], folded=bool(judged.any())
        ),
    ]
    return Section("evidence", "Evidence", (*_verdicts(evidence, stale), *(g for g in grids if len(g.rows))))


def _evidence_grid(key: str, title: str, rows: pd.DataFrame, *, folded: bool) -> Grid:
    bounds = list(zip(rows["low"], rows["high"], strict=True))
    populations = [opened(text) for text in _joined(rows, "population", "reference", "; against ")]
    return Grid(
        key,
        title,
        (
            text_column("About", rows["about"].tolist()),
            verdict_column("Verdict", rows["verdict"].tolist()),
            text_column("Metric", [_metric(row) for row in records(rows)]),
            interval_column("Value (interval)", rows["value"].tolist(), bounds),
            text_column("Criterion", rows["criterion"].tolist()),
            text_column("State", rows["state"].tolist()),
            count_column("n", rows["n"].tolist()),
            text_column("Population and reference", populations),
            text_column("Date, version", _joined(rows, "date", "version", ", ")),
        ),
        rows.drop(columns="state"),
        folded=folded,
    )


def _joined(rows: pd.DataFrame, one: str, other: str, between: str) -> list[str]:
    return [between.join(filter(None, pair)) for pair in zip(rows[one], rows[other], strict=True)]


def _metric(row: Any) -> str:
    return sentence_case(
        f"{word(row['kind'])}: {word(row['metric'])}" if row["kind"] else word(row["metric"])
    )


def is_stale(about: str, current: Mapping[str, str]) -> bool:
    """Whether evidence speaks of a version that is no longer the current one.

    Parameters
    ----------
    about : str
        ``method@version`` or ``study@digest``.
    current : mapping
        Name -> current version or digest; names it does not hold are not judged.

    Examples
    --------
    >>> is_stale("dixon@1", {"dixon": "2"}), is_stale("dixon@2", {"dixon": "2"}), is_stale("t2@1", {})
    (True, False, False)
    """
    name, _, version = about.partition("@")
    return name in current and bool(version) and str(current[name]) != version


def _verdicts(evidence: pd.DataFrame, stale: Sequence[bool]) -> list[Statement]:
    counts = evidence["verdict"].value_counts()
    told = [
        f"{int(counts[name])} {text}"
        for name, text in (
            ("pass", "pass"),
            ("fail", "fail"),
            ("inconclusive", "inconclusive"),
            ("", "descriptive"),
        )
        if counts.get(name, 0)
    ]
    statements = [Statement(f"{len(evidence)} evidence rows", f"{sentence_case(series(told))}.")]
    failed = evidence[evidence["verdict"] == "fail"]
    if len(failed):
        statements.append(Statement("Failed", " ".join(_failures(failed))))
    if any(stale):
        text = f"{sum(stale)} evidence rows were made with another version than is used here."
        statements.append(Statement("Stale", text))
    return statements


def _failures(failed: pd.DataFrame) -> list[str]:
    """A sentence a population: what failed there, and by which value."""
    sentences = []
    for (about, population), rows in failed.groupby(["about", "population"], sort=False):
        named = series([f"{word(row['metric'])} {number(row['value'])}" for row in records(rows)])
        count = size(rows["n"].max())
        sentences.append(f"{about}, {population or 'population not stated'} ({count}): {named}.")
    return sentences


def provenance_section(records: Sequence[Mapping[str, Any]]) -> Section:
    """What was done, with which inputs, as ids that can be traced.

    Parameters
    ----------
    records : sequence of mapping
        One an act; any keys.
    """
    rows = pd.DataFrame([{str(k): _flat(v) for k, v in record.items()} for record in records]).fillna("")
    columns = tuple(
        text_column(sentence_case(word(str(name))), rows[name].astype(str).tolist()) for name in rows
    )
    return Section(
        "provenance-rows", "Provenance", (Grid("provenance-acts", "Acts and their inputs", columns, rows),)
    )


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_flat(item)}" for name, item in value.items())
    if isinstance(value, list | tuple | set):
        return ", ".join(_flat(item) for item in value)
    return "" if value is None else str(value)
