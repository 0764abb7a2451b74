"""A cohort completed several times, and regressions pooled over the completions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.result import estimates_frame
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.chained import Imputed, Kind, Settings, impute
from myoproof.numerics.pooling import pool
from myoproof.vocabulary.lookup import near

MOST_CATEGORIES = 12
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Completed:
    """A table completed m times.

    Parameters
    ----------
    tables : tuple of DataFrame
        Index subject, columns as given; words are words again.
    imputed : Imputed
        Arrays behind them, chains and remarks.
    kinds : tuple of str
        ``number`` or ``category``, a column each.
    """

    tables: tuple[pd.DataFrame, ...]
    imputed: Imputed
    kinds: tuple[Kind, ...]


def complete(table: pd.DataFrame, *, rng: np.random.Generator, settings: Settings | None = None) -> Completed:
    """Complete a table of subjects by variables, numbers by matching and words by logistic draws.

    Parameters
    ----------
    table : DataFrame
        Index subject; numbers with NaN, words with "" where missing. Not changed. Put the outcome in.
    rng : numpy.random.Generator
        The only source of randomness.
    settings : Settings, optional
        Number of completions, rounds, donors.

    Returns
    -------
    Completed
        The completions.

    Raises
    ------
    InvalidInput
        Naming every column that cannot be imputed: empty, infinite, too few values, too many categories.
    """
    findings: list[Finding] = []
    arrays: list[Floats] = []
    levels: list[list[str]] = []
    kinds: list[Kind] = []
    for name, column in table.items():
        if pd.api.types.is_numeric_dtype(column):
            arrays.append(column.to_numpy(dtype=np.float64))
            levels.append([])
            kinds.append("number")
            continue
        texts = column.fillna("").astype(str)
        known = sorted(set(texts) - {""})
        if len(known) > MOST_CATEGORIES:
            message = f"{name} has {len(known)} categories; imputation models at most {MOST_CATEGORIES}"
            findings.append(Finding("error", "many_categories", message, mend="join them or leave it out"))
        codes = {word: float(code) for code, word in enumerate(known)}
        arrays.append(np.array([codes.get(word, np.nan) for word in texts], dtype=np.float64))
        levels.append(known)
        kinds.append("category")
    refuse(findings, where="imputation")
    if not arrays:
        raise InvalidInput("there is no column to complete", where="imputation")
    names = [str(name) for name in table]
    done = impute(np.column_stack(arrays), kinds, rng=rng, settings=settings, names=names)
    tables = tuple(_named(values, table, levels) for values in done.values)
    return Completed(tables, done, tuple(kinds))


def pooled_regression(
    completed: Completed, outcome: str, terms: Sequence[str], *, level: float = 0.95
) -> pd.DataFrame:
    """Least squares in every completion, pooled by Rubin's rules with Barnard and Rubin's degrees of freedom.

    Parameters
    ----------
    completed : Completed
        From :func:`complete`.
    outcome : str
        A column of numbers.
    terms : sequence of str
        Columns; words become indicators against their first level.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Estimate rows of analysis ``pooled_regression`` (method ``rubin``), one a coefficient, the intercept
        first, and ``missing_information`` for each.

    Raises
    ------
    InvalidInput
        If a column is not there, the outcome is no number, or the design is not identified.
    """
    columns = [str(name) for name in completed.tables[0]]
    open_names = dict.fromkeys(columns)
    refuse(
        [
            Finding("error", "column", f"no column {name!r} was completed", mend=near(name, open_names))
            for name in (outcome, *terms)
            if name not in open_names
        ],
        where="regression",
    )
    if outcome in terms or not terms:
        raise InvalidInput("the outcome stands among the terms, or there is none", where="regression")
    if completed.kinds[columns.index(outcome)] != "number":
        raise InvalidInput(f"the outcome {outcome!r} is no number", where="regression")
    words = {
        name: sorted({word for table in completed.tables for word in set(table[name])})
        for name in terms
        if completed.kinds[columns.index(name)] == "category"
    }
    fits = [_fit(table, outcome, terms, words) for table in completed.tables]
    names, df = fits[0][2], fits[0][3]
    estimates, variances = [fit[0] for fit in fits], [fit[1] for fit in fits]
    found = pool(estimates, variances, df_complete=df, level=level)
    base: dict[str, Any] = {"group": outcome, "method": "rubin", "n_rows": found.m}
    base |= {"n_subjects": len(completed.tables[0])}
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(names):
        row = {**base, "analysis": "pooled_regression", "term": name, "value": found.value[k]}
        row |= {"se": found.se[k], "df": found.df[k], "p": found.p[k], "level": level}
        row |= {"low": found.low[k], "high": found.high[k]}
        rows.append({**row, "statistic": found.value[k] / found.se[k] if found.se[k] > 0 else np.nan})
    for k, name in enumerate(names):
        row = {**base, "analysis": "missing_information", "term": name, "unit": "1"}
        rows.append({**row, "value": found.missing_information[k]})
    return estimates_frame(rows)


def long_table(completed: Completed) -> pd.DataFrame:
    """All completions under one another, with a column ``imputation`` from 1.

    Parameters
    ----------
    completed : Completed
        From :func:`complete`.
    """
    parts = [table.reset_index().assign(imputation=k + 1) for k, table in enumerate(completed.tables)]
    joined = pd.concat(parts, ignore_index=True)
    return joined[["imputation", *(name for name in joined if name != "imputation")]]


def chain_table(completed: Completed) -> pd.DataFrame:
    """Mean of the imputed values by completion and round: chains that mix show no trend.

    Parameters
    ----------
    completed : Completed
        From :func:`complete`.
    """
    names = [str(name) for name in completed.tables[0]]
    means = completed.imputed.chain_means
    return pd.DataFrame(
        {"imputation": k + 1, "round": r + 1, "column": names[j], "mean": means[k, r, j]}
        for j in np.flatnonzero(completed.imputed.missing.any(axis=0)).tolist()
        for k in range(means.shape[0])
        for r in range(means.shape[1])
    )


def _named(values: Floats, table: pd.DataFrame, levels: list[list[str]]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for j, name in enumerate(table):
        own = values[:, j]
        columns[str(name)] = np.array(levels[j], dtype=object)[own.astype(int)] if levels[j] else own
    return pd.DataFrame(columns, index=table.index)


def _fit(
    table: pd.DataFrame, outcome: str, terms: Sequence[str], words: dict[str, list[str]]
) -> tuple[Floats, Floats, list[str], float]:
    names = ["intercept"]
    columns: list[Floats] = [np.ones(len(table))]
    for name in terms:
        for word in words.get(name, [])[1:]:
            names.append(f"{name}: {word}")
            columns.append(np.asarray(table[name] == word, dtype=np.float64))
        if name not in words:
            names.append(name)
            columns.append(table[name].to_numpy(dtype=np.float64))
    x = np.column_stack(columns)
    y = table[outcome].to_numpy(dtype=np.float64)
    df = len(y) - x.shape[1]
    if df < 1 or np.linalg.matrix_rank(x) < x.shape[1]:
        mend = "leave out constant terms, or terms that others determine"
        raise InvalidInput("the regression is not identified", where="regression", mend=mend)
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    rest = y - x @ beta
    return beta, float(rest @ rest) / df * np.diag(inverse), names, float(df)
