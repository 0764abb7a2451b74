"""The outcome by cluster: adjusted, unadjusted, with the severity axis, and its correlates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.regression.linear_model import OLS

from myoproof.core.cohort import Cohort, feature_rows, subject_columns
from myoproof.core.study import Feature, Study
from myoproof.errors import InvalidInput
from myoproof.numerics.correlation import SMALLEST_N, spearman
from myoproof.vocabulary.lookup import unit

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Row = dict[str, Any]
DAYS_PER_MONTH = 365.25 / 12
DURATION = "duration_months"
AXIS = "severity_axis"
COVARIANCE = "HC3"


@dataclass(frozen=True, slots=True)
class Regression:
    """One least-squares fit: a row of each array a term.

    Parameters
    ----------
    terms : tuple of str
        Intercept left out.
    value, se, low, high, statistic, p : (m,) float64
        Coefficient, standard error, interval, t, two-sided p.
    df : float
        Residual degrees of freedom.
    n : int
        Subjects with outcome and covariates.
    """

    terms: tuple[str, ...]
    value: Floats
    se: Floats
    low: Floats
    high: Floats
    statistic: Floats
    p: Floats
    df: float
    n: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is held against the clusters.

    Parameters
    ----------
    values : (n,) float64
        NaN where not recorded.
    covariates : DataFrame, n rows
        See :func:`covariate_design`.
    name : str
        Measure of the outcome, for its unit.
    """

    values: Floats
    covariates: pd.DataFrame
    name: str


def regress(outcome: Floats, design: pd.DataFrame, *, level: float = 0.95) -> Regression | None:
    """Least squares with an intercept and HC3 standard errors over complete rows; None where not identified.

    Parameters
    ----------
    outcome : (n,) float64
        NaN where not recorded.
    design : DataFrame, n rows
        Numeric columns, NaN where not recorded; those that earlier ones and the intercept determine are
        dropped.
    level : float
        Of the intervals.
    """
    whole = np.isfinite(outcome) & design.notna().all(axis=1).to_numpy()
    used = design[whole]
    used = used[_independent(used)]
    x = np.column_stack([np.ones(len(used)), used.to_numpy(dtype=np.float64)])
    if x.shape[1] < 2 or len(used) <= x.shape[1] + 1:
        return None
    return regress_arrays(
        outcome[whole], x[:, 1:], level=level, terms=tuple(str(name) for name in used.columns)
    )


def regress_arrays(
    outcome: Floats, design: Floats, *, level: float = 0.95, terms: tuple[str, ...] = ()
) -> Regression:
    """Least squares with an intercept and HC3 standard errors; nothing missing, no column redundant.

    Parameters
    ----------
    outcome : (n,) float64
        What is explained.
    design : (n, m) array
        Columns beside the intercept.
    level : float
        Of the intervals (t on the residual degrees of freedom).
    terms : tuple of str
        Names of the columns.

    References
    ----------
    MacKinnon & White 1985, J Econom 29:305 (HC3).
    """
    x = np.column_stack([np.ones(len(design)), design]).astype(np.float64)
    fitted = OLS(outcome, x).fit(cov_type=COVARIANCE, use_t=True)
    bounds = np.asarray(fitted.conf_int(alpha=1 - level))[1:]
    return Regression(
        terms=terms,
        value=np.asarray(fitted.params)[1:],
        se=np.asarray(fitted.bse)[1:],
        low=bounds[:, 0],
        high=bounds[:, 1],
        statistic=np.asarray(fitted.tvalues)[1:],
        p=np.asarray(fitted.pvalues)[1:],
        df=float(fitted.df_resid),
        n=len(outcome),
    )


def _independent(design: pd.DataFrame) -> list[str]:
    """Columns that are no combination of the intercept and the columns before them."""
    basis = np.full((len(design), 1), 1.0 / np.sqrt(max(len(design), 1)))
    kept = []
    for name in design:
        column = design[name].to_numpy(dtype=np.float64)
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        size = np.linalg.norm(rest)
        if size > 1e-9 * max(float(np.linalg.norm(column)), 1.0):
            kept.append(str(name))
            basis = np.column_stack([basis, rest / size])
    return kept


def covariate_design(cohort: Cohort, names: Sequence[str], subjects: Sequence[str]) -> pd.DataFrame:
    """Covariates as numeric columns: numbers as they are, words as indicators against their commonest one.

    Parameters
    ----------
    cohort : Cohort
        Its subjects and covariates tables hold the columns; ``duration_months`` is onset to baseline.
    names : sequence of str
        Covariates of the study.
    subjects : sequence of str
        Rows, in order.

    Raises
    ------
    InvalidInput
        Naming every column that no table holds.
    """
    stored = subject_columns(cohort, [name for name in names if name != DURATION]).reindex(list(subjects))
    columns: dict[str, Any] = {}
    for name in names:
        if name == DURATION:
            onset = subject_columns(cohort, ["onset_day"]).reindex(list(subjects))["onset_day"]
            columns[name] = -onset.to_numpy(dtype=np.float64) / DAYS_PER_MONTH
            continue
        values = stored[name]
        if pd.api.types.is_numeric_dtype(values):
            columns[name] = values.to_numpy(dtype=np.float64)
            continue
        words = values.fillna("").astype(str).to_numpy()
        present = sorted(set(words) - {""}, key=lambda word: (-int((words == word).sum()), word))
        for word in present[1:]:
            columns[f"{name}: {word}"] = np.where(words == "", np.nan, (words == word).astype(np.float64))
    return pd.DataFrame(columns, index=list(subjects))


def values_of(cohort: Cohort, feature: Feature, subjects: Sequence[str], *, session: str | None) -> pd.Series:
    """One feature by subject, NaN where not measured.

    Raises
    ------
    InvalidInput
        If the feature names several rows a subject.
    """
    rows = feature_rows(cohort, feature, session=session)
    if rows["feature"].nunique() > 1 or rows.duplicated("subject").any():
        raise InvalidInput(
            f"{feature.measure} is {rows['feature'].nunique()} variables in session {session or 'any'}",
            where="outcome or correlates",
            mend="name one site, side and session",
        )
    return rows.set_index("subject")["value"].reindex(list(subjects)).astype(np.float64)


def cluster_columns(labels: Labels) -> dict[str, Floats]:
    """Indicators of every cluster against cluster 0."""
    return {
        f"cluster-{c} - cluster-0": (labels == c).astype(np.float64) for c in range(1, int(labels.max()) + 1)
    }


def outcome_rows(outcome: Outcome, labels: Labels, axis: Floats, *, level: float) -> Iterator[Row]:
    """The outcome regressed on the clusters: adjusted, unadjusted, and with the severity axis beside them.

    Parameters
    ----------
    outcome : Outcome
        With its covariates.
    labels : (n,) int
        Clusters, 0 the mildest.
    axis : (n,) float64
        Severity scores.
    level : float
        Of the intervals.
    """
    covariates = outcome.covariates
    clusters = pd.DataFrame(cluster_columns(labels), index=covariates.index)
    designs = {
        "adjusted": pd.concat([clusters, covariates], axis=1),
        "unadjusted": clusters,
        "axis_adjusted": pd.concat([clusters.assign(**{AXIS: axis}), covariates], axis=1),
    }
    for group, design in designs.items():
        fitted = regress(outcome.values, design, level=level)
        yield from regression_rows(fitted, "outcome", group, outcome.name, level)


def regression_rows(
    found: Regression | None, analysis: str, group: str, name: str, level: float
) -> Iterator[Row]:
    """Estimate rows of a regression; one absent row where it could not be identified."""
    shared: Row = {"analysis": analysis, "group": group, "unit": unit(name), "method": "ols_hc3"}
    if found is None:
        yield {**shared, "term": "cluster-1 - cluster-0", "absent": "insufficient_data"}
        return
    for i, term in enumerate(found.terms):
        yield {
            **shared,
            "term": term,
            "value": found.value[i],
            "se": found.se[i],
            "low": found.low[i],
            "high": found.high[i],
            "level": level,
            "statistic": found.statistic[i],
            "p": found.p[i],
            "df": found.df,
            "n_subjects": found.n,
        }


def correlation_rows(
    cohort: Cohort, study: Study, subjects: Sequence[str], scores: dict[str, Floats], *, level: float
) -> Iterator[Row]:
    """Rank correlation of every correlate with the axis and with the cluster number.

    Parameters
    ----------
    cohort, study : Cohort, Study
        Where the correlates stand and which they are.
    subjects : sequence of str
        In the order of the scores.
    scores : dict
        ``severity_axis`` and ``cluster`` -> values.
    level : float
        Of the intervals.
    """
    session = study.cohort.sessions[0] if study.cohort.sessions else None
    for feature in study.correlates:
        for term, rows in feature_rows(cohort, feature, session=session).groupby("feature", sort=True):
            values = rows.drop_duplicates("subject").set_index("subject")["value"].reindex(list(subjects))
            seen = values.notna().to_numpy()
            for group, score in scores.items():
                shared: Row = {
                    "analysis": "correlation",
                    "term": term,
                    "group": group,
                    "method": "spearman",
                    "unit": "1",
                    "n_subjects": int(seen.sum()),
                }
                if seen.sum() < SMALLEST_N:
                    yield {**shared, "absent": "insufficient_data"}
                    continue
                found = spearman(score[seen], values.to_numpy(dtype=np.float64)[seen], level=level)
                row = {"value": found.r, "low": found.low, "high": found.high, "level": level}
                yield {**shared, **row, "statistic": found.statistic, "df": found.df, "p": found.p}
