"""One-way repeated-measures analysis of variance with sphericity corrections and effect sizes."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True, slots=True)
class RepeatedMeasures:
    """One-way repeated-measures ANOVA.

    Parameters
    ----------
    f, df_visit, df_error : float
        F and its uncorrected degrees of freedom.
    epsilon_gg, epsilon_hf : float
        Greenhouse-Geisser and Huynh-Feldt epsilon; the latter is capped at 1.
    p, p_gg, p_hf : float
        p without correction and with each.
    partial_eta2, generalised_eta2 : float
        SS_visit / (SS_visit + SS_error) and SS_visit / SS_total.
    n_subjects, n_visits : int
        Complete subjects and visits.
    """

    f: float
    df_visit: float
    df_error: float
    epsilon_gg: float
    epsilon_hf: float
    p: float
    p_gg: float
    p_hf: float
    partial_eta2: float
    generalised_eta2: float
    n_subjects: int
    n_visits: int


def repeated_measures(values: npt.ArrayLike) -> RepeatedMeasures:
    """One within-subject factor (visit), balanced and complete.

    Parameters
    ----------
    values : array_like, shape (n_subjects, n_visits)
        Finite values; at least two visits and more subjects than visits.

    Returns
    -------
    RepeatedMeasures
        NaN F and p where the values have no within-subject spread.

    Raises
    ------
    ValueError
        If a value is not finite or there are too few subjects or visits.

    References
    ----------
    Greenhouse and Geisser, Psychometrika 1959;24:95. Huynh and Feldt, J Educ Stat 1976;1:69.
    Olejnik and Algina, Psychol Methods 2003;8:434 (generalised eta squared).

    Examples
    --------
    >>> repeated_measures([[1, 2], [2, 4], [3, 3], [4, 6]]).df_error
    3.0
    """
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 2 or y.shape[1] < 2 or y.shape[0] <= y.shape[1]:
        raise ValueError(f"needs two visits or more, and more subjects than visits; got {y.shape}")
    if not np.isfinite(y).all():
        raise ValueError("a value is not finite; leave incomplete subjects out")
    n, k = y.shape
    grand = y.mean()
    ss_visit = n * float(((y.mean(axis=0) - grand) ** 2).sum())
    ss_subject = k * float(((y.mean(axis=1) - grand) ** 2).sum())
    residual = y - y.mean(axis=0) - y.mean(axis=1)[:, None] + grand
    ss_error = float((residual**2).sum())
    df_visit, df_error = float(k - 1), float((n - 1) * (k - 1))
    gg, hf = sphericity(y)
    scale = float(np.abs(y).max()) ** 2 * n * k
    f = ss_visit / df_visit / (ss_error / df_error) if ss_error > 1e-24 * scale else math.nan
    corrected = [float(stats.f.sf(f, e * df_visit, e * df_error)) for e in (1.0, gg, hf)]
    within, total = ss_visit + ss_error, ss_visit + ss_error + ss_subject
    return RepeatedMeasures(
        f=f,
        df_visit=df_visit,
        df_error=df_error,
        epsilon_gg=gg,
        epsilon_hf=hf,
        p=corrected[0],
        p_gg=corrected[1],
        p_hf=corrected[2],
        partial_eta2=ss_visit / within if within > 0 else math.nan,
        generalised_eta2=ss_visit / total if total > 0 else math.nan,
        n_subjects=n,
        n_visits=k,
    )


def sphericity(values: npt.ArrayLike) -> tuple[float, float]:
    """Greenhouse-Geisser and Huynh-Feldt epsilon of a complete (n_subjects, n_visits) table.

    References
    ----------
    Box, Ann Math Stat 1954;25:484. Huynh and Feldt 1976 for one group:
    (n (k-1) e - 2) / ((k-1) (n-1 - (k-1) e)).

    Examples
    --------
    >>> sphericity([[1, 2], [2, 4], [3, 3]])
    (1.0, 1.0)
    """
    y = np.asarray(values, dtype=np.float64)
    n, k = y.shape
    if k == 2:
        return 1.0, 1.0
    centre = np.eye(k) - 1.0 / k
    covariance = centre @ np.cov(y, rowvar=False) @ centre
    spread = float((covariance**2).sum())
    if spread == 0:
        return 1.0, 1.0
    gg = min(1.0, float(np.trace(covariance)) ** 2 / ((k - 1) * spread))
    below = (k - 1) * (n - 1 - (k - 1) * gg)
    hf = (n * (k - 1) * gg - 2) / below if below > 0 else 1.0
    return gg, float(min(1.0, max(gg, hf)))


def t_from_partial_eta2(partial_eta2: float, df_error: float) -> float:
    """Absolute t of a one-degree-of-freedom contrast with a given partial eta squared.

    References
    ----------
    partial eta squared = t^2 / (t^2 + df): Cohen, Educ Psychol Meas 1973;33:107.

    Examples
    --------
    >>> round(t_from_partial_eta2(0.54, 16), 2)
    4.33
    """
    return math.sqrt(partial_eta2 * df_error / (1 - partial_eta2))
