"""Change over time: paired and Welch t, Wilcoxon signed rank with its shift and effect size."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
EXACT_WILCOXON_UP_TO = 50
"""The exact signed-rank null is used up to this many non-zero, untied changes (R's wilcox.test)."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """An estimate with its test.

    Parameters
    ----------
    value, se, low, high : float
        Estimate in the unit of the data, its standard error and its interval.
    statistic, df, p : float
        Test statistic, degrees of freedom and two-sided p; NaN where the data have no spread.
    n : int
        Observations that entered.
    """

    value: float
    se: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    n: int


@dataclass(frozen=True, slots=True)
class SignedRank:
    """The Wilcoxon signed-rank test of changes.

    Parameters
    ----------
    shift, low, high : float
        Hodges-Lehmann pseudo-median of the change and its exact (or normal) interval.
    statistic : float
        Sum of the ranks of the positive changes.
    effect_r : float
        z / sqrt(n), with the sign of the change; -1 to 1.
    p : float
        Two-sided p; NaN when every change is zero.
    n : int
        Changes that entered, zeros included.
    """

    shift: float
    low: float
    high: float
    statistic: float
    effect_r: float
    p: float
    n: int


def mean_contrast(change: npt.ArrayLike, *, level: float = 0.95) -> Contrast:
    """One-sample t of changes, which is the paired t of two visits.

    Parameters
    ----------
    change : array_like, shape (n,)
        Last minus first, finite; n >= 2.
    level : float
        Level of the interval, 0-1.

    Raises
    ------
    ValueError
        With fewer than two values, or a value that is not finite.

    References
    ----------
    Student, Biometrika 1908;6:1.

    Examples
    --------
    >>> mean_contrast([1.0, 2.0, 3.0]).df
    2.0
    """
    x = _finite(change, at_least=2)
    se = float(x.std(ddof=1) / math.sqrt(x.size))
    return _t_contrast(float(x.mean()), se, float(x.size - 1), level=level, n=int(x.size))


def welch_difference(first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95) -> Contrast:
    """Mean of the first sample minus mean of the second, variances not assumed equal.

    Parameters
    ----------
    first, second : array_like, shapes (n,), (m,)
        Finite values; at least two each.
    level : float
        Level of the interval, 0-1.

    Raises
    ------
    ValueError
        With fewer than two values in a sample, or a value that is not finite.

    References
    ----------
    Welch, Biometrika 1947;34:28 (Satterthwaite degrees of freedom).

    Examples
    --------
    >>> round(welch_difference([1.0, 2.0, 3.0], [0.0, 0.0, 3.0]).value, 6)
    1.0
    """
    a, b = _finite(first, at_least=2), _finite(second, at_least=2)
    parts = np.array([a.var(ddof=1) / a.size, b.var(ddof=1) / b.size])
    total = float(parts.sum())
    weights = float((parts**2 / np.array([a.size - 1, b.size - 1])).sum())
    df = total**2 / weights if weights > 0 else float(a.size + b.size - 2)
    return _t_contrast(float(a.mean() - b.mean()), math.sqrt(total), df, level=level, n=int(a.size + b.size))


def signed_rank(change: npt.ArrayLike, *, level: float = 0.95) -> SignedRank:
    """Wilcoxon signed-rank test with the Hodges-Lehmann shift and effect size r.

    Parameters
    ----------
    change : array_like, shape (n,)
        Last minus first, finite. Zeros are left out of the test (Wilcoxon 1945), not of the shift.
    level : float
        Level of the interval, 0-1.

    Raises
    ------
    ValueError
        With fewer than two values, or a value that is not finite.

    References
    ----------
    Wilcoxon, Biometrics 1945;1:80. Hodges and Lehmann, Ann Math Stat 1963;34:598.
    Effect size r = z / sqrt(n): Rosenthal, Meta-Analytic Procedures, 1991; z from the normal approximation
    with tie correction, without continuity correction.

    Examples
    --------
    >>> round(signed_rank([1.0, 2.0, 3.0, 4.0]).effect_r, 4)
    0.9129
    """
    x = _finite(change, at_least=2)
    walsh = np.sort(((x[:, None] + x[None, :]) / 2)[np.triu_indices(x.size)])
    shift = float(np.median(walsh))
    low, high = _walsh_interval(walsh, x.size, level)
    nonzero = x[x != 0]
    m = nonzero.size
    if m == 0:
        return SignedRank(shift, low, high, 0.0, 0.0, math.nan, int(x.size))
    ranks = stats.rankdata(np.abs(nonzero))
    positive = float(ranks[nonzero > 0].sum())
    z = (positive - m * (m + 1) / 4) / math.sqrt(float((ranks**2).sum()) / 4)
    exact = m <= EXACT_WILCOXON_UP_TO and np.unique(ranks).size == m and m == x.size
    p = _exact_p(positive, m) if exact else 2 * float(stats.norm.sf(abs(z)))
    return SignedRank(shift, low, high, positive, z / math.sqrt(m), p, int(x.size))


def signed_rank_null(n: int) -> Floats:
    """Exact null probabilities of the signed-rank sum 0 .. n (n + 1) / 2.

    Examples
    --------
    >>> signed_rank_null(2).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    counts = np.zeros(n * (n + 1) // 2 + 1)
    counts[0] = 1.0
    for rank in range(1, n + 1):
        shifted = np.zeros_like(counts)
        shifted[rank:] = counts[:-rank]
        counts = (counts + shifted) / 2
    return counts


def _exact_p(positive: float, n: int) -> float:
    null = signed_rank_null(n)
    total = round(positive)
    tail = min(float(null[: total + 1].sum()), float(null[total:].sum()))
    return min(1.0, 2 * tail)


def _walsh_interval(walsh: Floats, n: int, level: float) -> tuple[float, float]:
    """Order statistics of the Walsh averages; NaN where n is too small for the level."""
    tail = (1 - level) / 2
    if n <= EXACT_WILCOXON_UP_TO:
        below = int(np.searchsorted(np.cumsum(signed_rank_null(n)), tail, side="right"))
    else:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        below = math.floor(n * (n + 1) / 4 + float(stats.norm.ppf(tail)) * spread)
    if below < 1:
        return math.nan, math.nan
    return float(walsh[below - 1]), float(walsh[-below])


def _t_contrast(value: float, se: float, df: float, *, level: float, n: int) -> Contrast:
    if se == 0:
        return Contrast(value, 0.0, value, value, math.nan, df, math.nan, n)
    statistic = value / se
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    p = 2 * float(stats.t.sf(abs(statistic), df))
    return Contrast(value, se, value - half, value + half, statistic, df, p, n)


def _finite(values: npt.ArrayLike, *, at_least: int) -> Floats:
    array = np.asarray(values, dtype=np.float64).ravel()
    if array.size < at_least:
        raise ValueError(f"{array.size} values where at least {at_least} are needed")
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite")
    return array
