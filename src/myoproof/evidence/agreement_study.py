"""The agreement study: readers, methods or repeats of the same thing, with ICC, limits, SEM and MDC95."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from myoproof.core.cohort import Cohort, select
from myoproof.core.contracts import Progress, silent
from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Feature, Strict, Study, parse_strict
from myoproof.core.table import KEY, is_simulated
from myoproof.errors import Finding, refuse
from myoproof.numerics.agreement import limits_of_agreement, minimal_detectable_change
from myoproof.numerics.clustered import Interval, cluster_jackknife
from myoproof.numerics.icc import IccForm, icc_value, intraclass_correlation
from myoproof.vocabulary.lookup import unit

METHOD = "agreement"
METHOD_VERSION = 1
Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
FEWEST = 3
"""Subjects below which no coefficient is given."""


class Parameters(Strict):
    """Parameters of an agreement study, the table ``[method]`` of its TOML.

    Parameters
    ----------
    across : {"rater", "method", "session", "run"}
        What differs: readers, methods, visits (test and retest) or repetitions.
    reference : str
        The reader, method or visit that others are held against; "" compares each pair.
    forms : list
        Intraclass correlations: one-way, two-way agreement (A), two-way consistency (C); single or mean.
    level : float
        Of the intervals.
    """

    across: Literal["rater", "method", "session", "run"] = "rater"
    reference: str = ""
    forms: list[IccForm] = Field(default=["1,1", "A,1", "C,1", "1,k", "A,k", "C,k"], min_length=1)
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95


def run(
    cohort: Cohort,
    study: Study,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Say how well readers, methods or repeats agree.

    Rows meet where their keys agree in all but `across`. All intervals count subjects: with one row a subject
    they are exact (F, noncentral t), with several (both sides, three images) they come from the jackknife
    over subjects, and the limits of agreement from variance components.

    Parameters
    ----------
    cohort : Cohort
        With the rows of each reader, method or visit.
    study : Study
        Features and the parameters of :class:`Parameters`.
    rng, threads : Generator, int
        Taken for the contract; nothing is drawn.
    progress : callable, optional
        Told (what, share done).

    Returns
    -------
    Result
        Estimate rows ``icc`` (group: the form), ``bias``, ``lower_limit_of_agreement``,
        ``upper_limit_of_agreement`` (group: "second - first"), ``sem`` (root of the mean square within
        targets, systematic differences included) and ``mdc95`` (1.96 sqrt(2) SEM). Predictions hold the
        values that were compared.

    Raises
    ------
    InvalidInput
        If a feature has no rows, fewer than two readers, or not the reference.

    References
    ----------
    McGraw and Wong 1996, Psychol Methods 1:30. Bland and Altman 2007, J Biopharm Stat 17:571. de Vet et al.
    2006, J Clin Epidemiol 59:1033 (SEM of agreement).
    """
    del rng, threads
    tell = progress or silent
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    chosen, flow = select(cohort, study.cohort)
    tables = _tables(chosen, study.features, parameters)
    rows: list[Row] = [
        {"analysis": "flow", "term": step, "group": reason, "value": n, "n_subjects": n}
        for step, n, reason in flow
    ]
    for place, (term, table) in enumerate(tables.items()):
        tell(term, place / len(tables))
        rows += _term_rows(term, table, parameters)
    tell("done", 1.0)
    return Result(
        study=study,
        estimates=estimates_frame(rows),
        predictions=predictions_frame(_values(tables)),
        simulated=is_simulated(chosen.measurements),
    )


def _tables(cohort: Cohort, features: Sequence[Feature], parameters: Parameters) -> dict[str, pd.DataFrame]:
    """Term -> targets (index: subject and the rest of the key) by readers, all complete rows and others."""
    found: dict[str, pd.DataFrame] = {}
    findings = []
    for feature in features:
        rows = _rows_of(cohort, feature)
        side = rows["side"] if feature.side == "*" else feature.side
        named = rows["measure"] + "/" + rows["site"] + "/" + side
        if rows.empty:
            findings.append(Finding("error", "feature", f"no rows of {feature.measure} with a value"))
        for term, part in rows.groupby(named, sort=True):
            table = _table(part, parameters)
            readers = list(table.columns)
            if len(readers) < 2:
                text = f"{term} has rows of one {parameters.across} only ({', '.join(readers)})"
                findings.append(Finding("error", "readers", text))
            elif parameters.reference and parameters.reference not in readers:
                text = f"{term} has no rows of the reference {parameters.reference!r}"
                findings.append(Finding("error", "reference", text, mend=f"it has {', '.join(readers)}"))
            else:
                found[str(term)] = table
    refuse(findings, where="features")
    return found


def _rows_of(cohort: Cohort, feature: Feature) -> pd.DataFrame:
    rows = cohort.measurements
    rows = rows[(rows["measure"] == feature.measure) & (rows["unit"] == unit(feature.measure))]
    sites = [feature.site] if isinstance(feature.site, str) else feature.site
    if "*" not in sites:
        rows = rows[rows["site"].isin(sites)]
    if feature.side not in ("*", "mean"):
        rows = rows[rows["side"] == feature.side]
    for column in ("modality", "method", "rater", "session", "at"):
        if wanted := getattr(feature, column):
            rows = rows[rows[column] == wanted]
    return rows[rows["value"].notna()]


def _table(rows: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    along = {"rater": "method", "method": "rater"}.get(parameters.across, "")
    keys = [key for key in KEY if key not in {parameters.across, along, "measure", "site"}]
    wide = rows.pivot_table(index=keys, columns=parameters.across, values="value", aggfunc="mean")
    wide.columns = [str(name) for name in wide.columns]
    return wide.reset_index("subject")[["subject", *wide.columns]].set_index("subject")


def _term_rows(term: str, table: pd.DataFrame, parameters: Parameters) -> Iterator[Row]:
    whole = table.dropna()
    subjects = whole.index.to_numpy(dtype=str)
    n = len(set(subjects))
    base: Row = {"term": term, "unit": unit(term.split("/", maxsplit=1)[0]), "level": parameters.level}
    counted = {"n_subjects": n, "n_rows": len(whole)}
    if n < FEWEST:
        yield {**base, **counted, "analysis": "icc", "group": "A,1", "absent": "insufficient_data"}
    else:
        for form in parameters.forms:
            icc = _icc(whole.to_numpy(), subjects, form, parameters.level)
            yield {**_shown(icc), **base, **counted, "analysis": "icc", "group": form, "unit": "1"}
        sem = cluster_jackknife(
            lambda mask: _within(whole.to_numpy()[mask]), subjects, scale="log", level=parameters.level
        )
        yield {**_shown(sem), **base, **counted, "analysis": "sem"}
        mdc = Interval(*(minimal_detectable_change(part) for part in (sem.value, sem.low, sem.high)))
        yield {**_shown(mdc), **base, **counted, "analysis": "mdc95"}
    for first, second in _pairs(list(table.columns), parameters.reference):
        yield from _limit_rows(base, table[[first, second]].dropna(), parameters)


def _pairs(readers: list[str], reference: str) -> list[tuple[str, str]]:
    if reference:
        return [(reference, name) for name in readers if name != reference]
    return list(combinations(readers, 2))


def _limit_rows(base: Row, pair: pd.DataFrame, parameters: Parameters) -> Iterator[Row]:
    first, second = pair.columns
    subjects = pair.index.to_numpy(dtype=str)
    n = len(set(subjects))
    row: Row = {**base, "group": f"{second} - {first}", "n_subjects": n, "n_rows": len(pair)}
    if n < FEWEST:
        yield {**row, "analysis": "bias", "absent": "insufficient_data"}
        return
    limits = limits_of_agreement(pair[second] - pair[first], subjects, level=parameters.level)
    yield {**_shown(limits.bias), **row, "analysis": "bias", "se": limits.sd / math.sqrt(n)}
    yield {**_shown(limits.lower), **row, "analysis": "lower_limit_of_agreement"}
    yield {**_shown(limits.upper), **row, "analysis": "upper_limit_of_agreement"}


def _icc(values: Floats, subjects: npt.NDArray[np.str_], form: IccForm, level: float) -> Interval:
    if len(set(subjects)) == len(values):
        return intraclass_correlation(values, form, level=level)
    return cluster_jackknife(
        lambda mask: icc_value(values[mask], form), subjects, scale="fisher", level=level
    )


def _within(values: Floats) -> float:
    """Root of the mean square within targets."""
    return float(np.sqrt(values.var(axis=1, ddof=1).mean()))


def _shown(found: Interval) -> Row:
    absent = "" if math.isfinite(found.value) else "not_defined"
    return {"value": found.value, "low": found.low, "high": found.high, "absent": absent}


def _values(tables: dict[str, pd.DataFrame]) -> Iterator[Row]:
    for term, table in tables.items():
        for reader in table.columns:
            for place, (subject, value) in enumerate(table[reader].items()):
                if math.isfinite(value):
                    yield {
                        "subject": str(subject), "target": term, "candidate": reader, "value": value,
                        "rank": place + 1,
                    }  # fmt: skip
