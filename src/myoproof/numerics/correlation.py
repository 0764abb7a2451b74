"""Correlation with intervals: Pearson by Fisher's z, Spearman by Bonett and Wright."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

SMALLEST_N = 5
"""Below five pairs Fisher's interval spans nearly everything."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation coefficient with interval and two-sided p.

    Parameters
    ----------
    r, low, high, statistic, df, p : float
        Coefficient, interval, t and its degrees of freedom, p. NaN where a variable is constant.
    n : int
        Pairs.
    """

    r: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    n: int


def pearson(x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95) -> Correlation:
    """Product-moment correlation with Fisher's z interval.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite pairs, n >= 5.
    level : float
        Level of the interval, 0-1.

    Raises
    ------
    ValueError
        With fewer than five pairs, unequal lengths or a value that is not finite.

    References
    ----------
    Fisher, Metron 1921;1:3: variance of z = 1 / (n - 3).

    Examples
    --------
    >>> round(pearson([1, 2, 3, 4, 5], [1, 3, 2, 5, 4]).r, 3)
    0.8
    """
    a, b = _pairs(x, y)
    return _correlate(a, b, level=level, variance=lambda _: 1.0)


def spearman(x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95) -> Correlation:
    """Rank correlation (mid-ranks) with the interval of Bonett and Wright; p from t on n - 2.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite pairs, n >= 5.
    level : float
        Level of the interval, 0-1.

    Raises
    ------
    ValueError
        With fewer than five pairs, unequal lengths or a value that is not finite.

    References
    ----------
    Bonett and Wright, Psychometrika 2000;65:23: variance of z = (1 + r^2 / 2) / (n - 3).

    Examples
    --------
    >>> round(spearman([1, 2, 3, 4, 50], [1, 3, 2, 5, 4]).r, 3)
    0.8
    """
    a, b = _pairs(x, y)
    return _correlate(stats.rankdata(a), stats.rankdata(b), level=level, variance=lambda r: 1.0 + r * r / 2)


def _correlate(
    a: npt.NDArray[np.float64],
    b: npt.NDArray[np.float64],
    *,
    level: float,
    variance: Callable[[float], float],
) -> Correlation:
    n = int(a.size)
    nothing = Correlation(math.nan, math.nan, math.nan, math.nan, float(n - 2), math.nan, n)
    a, b = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    if spread == 0:
        return nothing
    r = max(-1.0, min(1.0, float(a @ b) / spread))
    if abs(r) > 1 - 1e-12:
        return Correlation(math.copysign(1.0, r), r, r, math.copysign(math.inf, r), float(n - 2), 0.0, n)
    statistic = r * math.sqrt((n - 2) / (1 - r * r))
    half = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance(r) / (n - 3))
    z = math.atanh(r)
    p = 2 * float(stats.t.sf(abs(statistic), n - 2))
    return Correlation(r, math.tanh(z - half), math.tanh(z + half), statistic, float(n - 2), p, n)


def _pairs(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    a, b = np.asarray(x, dtype=np.float64).ravel(), np.asarray(y, dtype=np.float64).ravel()
    if a.size != b.size:
        raise ValueError(f"{a.size} values against {b.size}")
    if a.size < SMALLEST_N:
        raise ValueError(f"{a.size} pairs where at least {SMALLEST_N} are needed")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a value is not finite")
    return a, b
