"""Rubin's rules: estimates from several completed data sets pooled into one, with Barnard and Rubin's df."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.errors import InvalidInput

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """One estimate (or several, as arrays) over m completed data sets.

    Parameters
    ----------
    value, se : float64
        Mean of the estimates, and the root of the total variance.
    df : float64
        Degrees of freedom of t.
    within, between : float64
        Mean of the variances, and variance of the estimates.
    increase : float64
        Relative increase of the variance by what is missing (r).
    missing_information : float64
        Fraction of missing information.
    low, high, level : float64
        Interval on t with ``df``.
    p : float64
        Two-sided, against 0.
    m : int
        Completed data sets.
    """

    value: Floats
    se: Floats
    df: Floats
    within: Floats
    between: Floats
    increase: Floats
    missing_information: Floats
    low: Floats
    high: Floats
    level: float
    p: Floats
    m: int


def pool(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, *, df_complete: float = np.inf, level: float = 0.95
) -> Pooled:
    """Pool estimates of m completed data sets.

    Parameters
    ----------
    estimates, variances : (m,) or (m, q) array
        Estimate and squared standard error in each completed data set.
    df_complete : float
        Residual degrees of freedom were nothing missing (n less coefficients); infinite for a large sample.
    level : float
        Of the interval.

    Returns
    -------
    Pooled
        Fields are numbers for (m,) input and arrays (q,) else.

    Raises
    ------
    InvalidInput
        If there are fewer than two data sets, a variance is negative, or a value is not finite.

    References
    ----------
    Rubin 1987, Multiple imputation for nonresponse in surveys, ch. 3. Barnard & Rubin 1999, Biometrika
    86:948.

    Examples
    --------
    >>> found = pool([1.2, 1.5, 0.9, 1.1, 1.4], [0.04, 0.05, 0.045, 0.05, 0.04], df_complete=98)
    >>> round(float(found.value), 2), round(float(found.se) ** 2, 4), round(float(found.df), 4)
    (1.22, 0.1134, 8.5332)
    """
    q = np.asarray(estimates, dtype=np.float64)
    u = np.asarray(variances, dtype=np.float64)
    if q.shape != u.shape or q.ndim not in (1, 2) or len(q) < 2:
        raise InvalidInput("pooling needs an estimate and a variance from at least two data sets")
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u >= 0).all() and df_complete > 0):
        raise InvalidInput("an estimate or variance to be pooled is not finite, or negative")
    m = len(q)
    within, between = u.mean(axis=0), q.var(axis=0, ddof=1)
    extra = (1 + 1 / m) * between
    total = within + extra
    safe = np.where(total > 0, total, 1.0)
    share = np.where(total > 0, extra / safe, 0.0)
    increase = np.divide(extra, within, out=np.full_like(extra, np.inf), where=within > 0)
    df = _degrees_of_freedom(share, m, df_complete)
    fraction = np.where(np.isinf(increase), 1.0, share)
    finite = np.isfinite(increase)
    fraction = np.where(
        finite, (np.where(finite, increase, 0) + 2 / (df + 3)) / (np.where(finite, increase, 0) + 1), fraction
    )
    value, se = q.mean(axis=0), np.sqrt(total)
    half = stats.t.ppf((1 + level) / 2, df) * se
    statistic = np.abs(value) / np.where(se > 0, se, np.nan)
    p = np.asarray(2 * stats.t.sf(statistic, df))
    return Pooled(value, se, df, within, between, increase, fraction, value - half, value + half, level, p, m)


def _degrees_of_freedom(share: Floats, m: int, df_complete: float) -> Floats:
    """Barnard and Rubin 1999, equation 3; Rubin's 1987 where the complete-data df are infinite."""
    old = (m - 1) / np.maximum(share, 1e-12) ** 2
    if np.isinf(df_complete):
        return np.asarray(old)
    observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
    return np.asarray(old * observed / np.maximum(old + observed, 1e-300))
