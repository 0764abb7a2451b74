"""What a result claims, as evidence: decisions against their nulls, and the criteria written beforehand."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.result import Result
from myoproof.core.study import Strict, Study, parse_strict
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.evidence.verdicts import Range, judge

METHOD = "claims"
METHOD_VERSION = 1
DEFAULT_ALPHA = 0.05


class Criterion(Strict):
    """One table ``[accept.NAME]`` of a study: which estimate, and what it must be.

    Parameters
    ----------
    analysis, term, group, method : str
        Which estimate rows; "" means any. Of `method`, the part before its first space is enough.
    column : str
        Which number of the row.
    at_least, at_most : float, optional
        Bounds, themselves allowed; at least one.
    judge : {"interval", "value"}
        Whether the row's interval must lie inside (column value only), or the number alone.
    """

    analysis: str
    term: str = ""
    group: str = ""
    method: str = ""
    column: Literal["value", "low", "high", "p", "p_adjusted", "statistic"] = "value"
    at_least: float | None = None
    at_most: float | None = None
    judge: Literal["interval", "value"] = "interval"


def check(result: Result) -> pd.DataFrame:
    """Evidence rows for the claims of a result.

    Rows of analysis ``decision`` give one evidence row a null (pass: rejected at the study's alpha;
    inconclusive: not rejected, which proves no null) and one for the claim itself (pass: subtypes are claimed
    exactly where every null is rejected). Each table of ``accept`` gives a row: pass where the interval lies
    inside the bounds, fail outside, else inconclusive.

    Parameters
    ----------
    result : Result
        Of any kind of study.

    Returns
    -------
    DataFrame
        Evidence rows of kind ``claim`` and ``criterion``, about ``study@digest``; none where none is claimed.

    Raises
    ------
    InvalidInput
        If a criterion of the study cannot be understood; see :func:`criteria`.

    Examples
    --------
    >>> from myoproof.core.result import estimates_frame, predictions_frame
    >>> from myoproof.core.study import Feature
    >>> study = Study(name="a", title="", question="", kind="progression", seed=1,
    ...               features=[Feature(measure="volume")],
    ...               accept={"responsive": {"analysis": "srm", "at_least": 0.8}})
    >>> row = {"analysis": "srm", "term": "volume/thigh/both", "value": 1.2, "low": 0.9, "high": 1.5}
    >>> check(Result(study, estimates_frame([row]), predictions_frame([])))["verdict"].tolist()
    ['pass']
    """
    asked = criteria(result.study)
    base = {
        "about": f"{result.study.name}@{result.study.digest}",
        "version": __version__,
    }
    rows = [*_decisions(result, base)]
    for name, criterion in asked.items():
        rows.extend(_criterion(result, name, criterion, base))
    return evidence_frame(rows)


def criteria(study: Study) -> dict[str, Criterion]:
    """The acceptance criteria of a study, checked; call it before a long run.

    Raises
    ------
    InvalidInput
        Naming every criterion that has an unknown key or no bound.
    """
    findings: list[Finding] = []
    found: dict[str, Criterion] = {}
    for name, content in study.accept.items():
        where = f"{study.name} [accept.{name}]"
        if not isinstance(content, dict):
            mend = "write a table with analysis, and at_least or at_most"
            findings.append(Finding("error", "accept", f"{name} is no table", where, mend))
            continue
        try:
            found[name] = parse_strict(Criterion, content, where=where)
        except InvalidInput as error:
            findings.append(Finding("error", "accept", str(error)))
            continue
        if found[name].at_least is None and found[name].at_most is None:
            findings.append(Finding("error", "accept", "no bound", where, "give at_least or at_most"))
    refuse(findings, where=study.name)
    return found


def _decisions(result: Result, base: dict[str, Any]) -> Iterator[dict[str, Any]]:
    rows = result.estimates[result.estimates["analysis"] == "decision"]
    nulls, claims = rows[rows["group"] != "claim"], rows[rows["group"] == "claim"]
    alpha = float(result.study.method.get("alpha", DEFAULT_ALPHA))
    for row in nulls.to_dict("records"):
        yield {
            **base,
            "kind": "claim",
            "metric": f"p against the null {row['group']}",
            "value": row["p"],
            "n": row["n_subjects"],
            "population": _population(result),
            "reference": row["group"],
            "criterion": f"at most {alpha:g}",
            "verdict": "pass" if row["p"] <= alpha else "inconclusive",
        }
    every = bool(len(nulls)) and bool((nulls["p"] <= alpha).all())
    for row in claims.to_dict("records"):
        claimed = row["value"] > 0
        unknown = math.isnan(row["value"]) or nulls["p"].isna().any()
        yield {
            **base,
            "kind": "claim",
            "metric": "subtypes claimed",
            "value": row["value"],
            "n": row["n_subjects"],
            "population": _population(result),
            "reference": ", ".join(nulls["group"]),
            "criterion": "subtypes are claimed exactly where every null is rejected",
            "verdict": "inconclusive" if unknown else "pass" if claimed == every else "fail",
        }


def _criterion(
    result: Result, name: str, criterion: Criterion, base: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    allowed = Range(
        at_least=-math.inf if criterion.at_least is None else criterion.at_least,
        at_most=math.inf if criterion.at_most is None else criterion.at_most,
    )
    head = {**base, "kind": "criterion", "criterion": f"{criterion.column} {allowed}"}
    rows = _matching(result.estimates, criterion)
    if rows.empty:
        yield {
            **head,
            "metric": name,
            "population": _population(result),
            "reference": "no such estimate",
            "verdict": "inconclusive",
        }
        return
    for row in rows.to_dict("records"):
        interval = criterion.column == "value" and criterion.judge == "interval"
        low, high = (row["low"], row["high"]) if interval else (math.nan, math.nan)
        value = row[criterion.column]
        yield {
            **head,
            "metric": name,
            "value": value,
            "low": low,
            "high": high,
            "level": row["level"] if interval else math.nan,
            "n": row["n_subjects"],
            "population": _population(result),
            "reference": "/".join(str(row[part]) for part in ("analysis", "term", "group") if row[part]),
            "verdict": judge(value, allowed, low=low, high=high),
        }


def _matching(estimates: pd.DataFrame, criterion: Criterion) -> pd.DataFrame:
    rows = estimates[estimates["analysis"] == criterion.analysis]
    for column in ("term", "group"):
        wanted = getattr(criterion, column)
        rows = rows[rows[column] == wanted] if wanted else rows
    if not criterion.method:
        return rows
    return rows[(rows["method"] + " ").str.startswith(criterion.method + " ")]


def _population(result: Result) -> str:
    return "simulated cohort of the study" if result.simulated else "cohort of the study"
