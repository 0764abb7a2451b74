"""Multiple imputation by chained equations: numbers by predictive mean matching, words by logistic draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.chained_draws import draw_category, draw_match

Floats = npt.NDArray[np.float64]
Kind = Literal["number", "category"]
FEWEST_SEEN = 5
"""Observed values below which a column cannot be modelled: as many as there are donors."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How imputation is done.

    Parameters
    ----------
    m : int
        Completed data sets; 20 keeps the Monte Carlo error of intervals small at up to half missing.
    rounds : int
        Passes over the columns before a data set is taken.
    donors : int
        Nearest observed rows that one is drawn from.
    """

    m: int = 20
    rounds: int = 10
    donors: int = 5


@dataclass(frozen=True, slots=True)
class Imputed:
    """Completed data sets, and how the chains ran.

    Parameters
    ----------
    values : (m, n, p) float64
        Observed values as they were; nothing missing.
    missing : (n, p) bool
        What was imputed.
    chain_means : (m, rounds, p) float64
        Mean of the imputed values of each column after every round; NaN where none is missing.
    remarks : tuple of Finding
        What a reader should know.
    """

    values: Floats
    missing: npt.NDArray[np.bool_]
    chain_means: Floats
    remarks: tuple[Finding, ...]


def impute(
    values: npt.ArrayLike,
    kinds: Sequence[Kind],
    *,
    rng: np.random.Generator,
    settings: Settings | None = None,
    names: Sequence[str] = (),
) -> Imputed:
    """Complete a table several times, so that what is not known shows as spread between the completions.

    Each column with missing values is drawn in turn given all others, columns with fewest missing first,
    parameters drawn from their posterior in every pass. Numbers take the value of an observed row with a like
    prediction, so they never leave what was observed; categories are drawn from a multinomial logistic model.
    Valid where missingness depends on what the table holds (missing at random).

    Parameters
    ----------
    values : (n, p) array
        NaN where missing; categories as codes 0, 1, 2 ... Not changed. Put the outcome of the later analysis
        among the columns.
    kinds : sequence of {"number", "category"}
        One a column.
    rng : numpy.random.Generator
        The only source of randomness; each completed data set has its own child.
    settings : Settings, optional
        Defaults of :class:`Settings`.
    names : sequence of str, optional
        Columns, for messages.

    Returns
    -------
    Imputed
        The completed data sets.

    Raises
    ------
    InvalidInput
        Naming every column that cannot be imputed.

    References
    ----------
    van Buuren & Groothuis-Oudshoorn 2011, J Stat Softw 45(3). Little 1988, J Bus Econ Stat 6:287 (matching).

    Examples
    --------
    >>> table = [[1.0, 2.1], [2.0, 3.9], [3.0, float("nan")], [4.0, 8.1], [5.0, 9.9], [6.0, 12.0]]
    >>> done = impute(table, ["number", "number"], rng=np.random.default_rng(0), settings=Settings(m=3))
    >>> done.values.shape, bool(np.isfinite(done.values).all())
    ((3, 6, 2), True)
    """
    x, how = np.array(values, dtype=np.float64), settings or Settings()
    if x.ndim != 2 or x.shape[1] != len(kinds) or min(how.m, how.rounds, how.donors) < 1:
        raise InvalidInput("imputation needs rows by columns, a kind for every column, and counts above 0")
    labels = list(names) or [f"column {j}" for j in range(x.shape[1])]
    findings = column_findings(x, kinds, labels, donors=how.donors)
    refuse(findings, where="imputation")
    missing = np.isnan(x)
    chains = [_chain(x, missing, kinds, how, child) for child in rng.spawn(how.m)]
    remarks = tuple(finding for finding in findings if finding.level != "error")
    return Imputed(
        np.array([done for done, _ in chains]), missing, np.array([means for _, means in chains]), remarks
    )


def column_findings(
    x: Floats, kinds: Sequence[Kind], names: Sequence[str], *, donors: int = 5
) -> list[Finding]:
    """What forbids imputation, or weakens it: ``empty_column``, ``few_values``, ``infinite``, ``codes``,
    ``constant_column``, ``mostly_missing``, ``nothing_observed``.

    Parameters
    ----------
    x : (n, p) float64
        NaN where missing.
    kinds, names : sequence of str
        Of the columns.
    donors : int
        Rows that a draw needs.
    """  # fmt: skip
    findings = []
    for j, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        seen = x[~np.isnan(x[:, j]), j]
        lost = len(x) - len(seen)
        if np.isinf(seen).any():
            findings.append(Finding("error", "infinite", f"{name} holds infinite values"))
        elif len(seen) == 0:
            findings.append(Finding("error", "empty_column", f"{name} holds no value", mend="leave it out"))
        elif lost and len(seen) < max(donors, FEWEST_SEEN):
            message = f"{name} holds {len(seen)} values; imputation needs {max(donors, FEWEST_SEEN)}"
            findings.append(Finding("error", "few_values", message, mend="leave it out"))
        elif kind == "category" and (np.any(seen != np.rint(seen)) or seen.min() < 0):
            findings.append(Finding("error", "codes", f"categories of {name} are not codes 0, 1, 2 ..."))
        elif lost and len(np.unique(seen)) == 1:
            message = f"{name} has one value only; its {lost} missing values become this value"
            findings.append(Finding("warning", "constant_column", message))
        elif lost > len(x) / 2:
            message = f"{lost} of {len(x)} values of {name} are missing: what is imputed rests on the model"
            findings.append(Finding("warning", "mostly_missing", message))
    bare = np.isnan(x).all(axis=1).sum()
    if bare:
        message = f"{bare} rows hold no value at all and add nothing"
        findings.append(Finding("warning", "nothing_observed", message, mend="leave them out"))
    return findings


def _chain(
    x: Floats,
    missing: npt.NDArray[np.bool_],
    kinds: Sequence[Kind],
    how: Settings,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """One completed data set and the means of its imputed values, a line a round."""
    done = x.copy()
    for j in np.flatnonzero(missing.any(axis=0)).tolist():
        done[missing[:, j], j] = rng.choice(x[~missing[:, j], j], missing[:, j].sum())
    counts = missing.sum(axis=0)
    order = [int(j) for j in np.argsort(counts, kind="stable") if counts[j]]
    means = np.full((how.rounds, x.shape[1]), np.nan)
    for r in range(how.rounds):
        for j in order:
            lost = missing[:, j]
            design = _design(done, kinds, j)
            if kinds[j] == "category":
                done[lost, j] = draw_category(done[~lost, j], design[~lost], design[lost], rng=rng)
            else:
                done[lost, j] = draw_match(
                    done[~lost, j], design[~lost], design[lost], rng=rng, donors=how.donors
                )
            means[r, j] = done[lost, j].mean()
    return done, means


def _design(done: Floats, kinds: Sequence[Kind], without: int) -> Floats:
    """All other columns, categories as indicators, standardised; constant ones left out."""
    columns = []
    for j, kind in enumerate(kinds):
        if j == without:
            continue
        if kind == "category":
            codes = np.unique(done[:, j])[1:]
            columns.append((done[:, j, None] == codes).astype(np.float64))
        else:
            columns.append(done[:, j, None])
    x = np.column_stack([*columns]) if columns else np.empty((len(done), 0))
    deviation = x.std(axis=0)
    vary = deviation > 1e-12
    return np.asarray((x[:, vary] - x[:, vary].mean(axis=0)) / deviation[vary])
