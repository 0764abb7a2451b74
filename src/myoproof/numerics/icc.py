"""Intraclass correlation: the six forms of McGraw and Wong with their intervals."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.numerics.clustered import Interval

Floats = npt.NDArray[np.float64]
IccForm = Literal["1,1", "A,1", "C,1", "1,k", "A,k", "C,k"]


def intraclass_correlation(ratings: npt.ArrayLike, form: IccForm = "A,1", *, level: float = 0.95) -> Interval:
    """One of the six intraclass correlations of McGraw and Wong.

    Parameters
    ----------
    ratings : array_like, shape (n_targets, n_raters)
        Complete and finite; two or more of each.
    form : {"1,1", "A,1", "C,1", "1,k", "A,k", "C,k"}
        One-way, two-way absolute agreement, two-way consistency; single or average rating. Shrout and
        Fleiss call them ICC(1,1), (2,1), (3,1), (1,k), (2,k), (3,k).
    level : float
        Level of the interval, 0-1.

    Returns
    -------
    Interval
        NaN where all ratings are equal.

    Raises
    ------
    ValueError
        If the table is incomplete or too small, or the form unknown.

    References
    ----------
    Shrout and Fleiss, Psychol Bull 1979;86:420. McGraw and Wong, Psychol Methods 1996;1:30, tables 4 and 7.

    Examples
    --------
    >>> round(intraclass_correlation([[1, 1.1], [2, 2.1], [3, 2.9]]).value, 3)
    0.994
    """
    y = _checked(ratings, form)
    n, k = y.shape
    rows, columns, error, within = _mean_squares(y)
    if rows == 0 and within == 0:
        return Interval(math.nan, math.nan, math.nan)
    value = _icc(form[0], rows, columns, error, within, n, k)
    if form[0] == "A":
        low, high = _absolute_bounds(value, rows, columns, error, n, k, level)
    else:
        low, high = _ratio_bounds(form[0], rows, error, within, n, k, level)
    if form.endswith("k"):
        return Interval(*(_stepped_up(single, k) for single in (value, low, high)))
    return Interval(value, low, high)


def icc_value(ratings: npt.ArrayLike, form: IccForm = "A,1") -> float:
    """An intraclass correlation without its interval; see :func:`intraclass_correlation`.

    Examples
    --------
    >>> icc_value([[1, 1], [2, 2], [3, 3]])
    1.0
    """
    y = _checked(ratings, form)
    n, k = y.shape
    rows, columns, error, within = _mean_squares(y)
    if rows == 0 and within == 0:
        return math.nan
    single = _icc(form[0], rows, columns, error, within, n, k)
    return _stepped_up(single, k) if form.endswith("k") else single


def _checked(ratings: npt.ArrayLike, form: str) -> Floats:
    y = np.asarray(ratings, dtype=np.float64)
    if y.ndim != 2 or min(y.shape) < 2 or not np.isfinite(y).all():
        raise ValueError(f"needs a complete table of two targets and raters or more, got {y.shape}")
    if form not in ("1,1", "A,1", "C,1", "1,k", "A,k", "C,k"):
        raise ValueError(f"unknown form {form!r} of the intraclass correlation")
    return y


def _mean_squares(y: Floats) -> tuple[float, float, float, float]:
    """Mean squares of targets, raters, residual and within targets."""
    n, k = y.shape
    grand, target, rater = y.mean(), y.mean(axis=1), y.mean(axis=0)
    rows = k * float(((target - grand) ** 2).sum()) / (n - 1)
    columns = n * float(((rater - grand) ** 2).sum()) / (k - 1)
    error = float(((y - target[:, None] - rater + grand) ** 2).sum()) / ((n - 1) * (k - 1))
    within = float(((y - target[:, None]) ** 2).sum()) / (n * (k - 1))
    return rows, columns, error, within


def _icc(form: str, rows: float, columns: float, error: float, within: float, n: int, k: int) -> float:
    if form == "1":
        return (rows - within) / (rows + (k - 1) * within)
    if form == "C":
        return (rows - error) / (rows + (k - 1) * error)
    return (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)


def _ratio_bounds(
    form: str, rows: float, error: float, within: float, n: int, k: int, level: float
) -> tuple[float, float]:
    below, df = (within, n * (k - 1)) if form == "1" else (error, (n - 1) * (k - 1))
    if below == 0:
        return 1.0, 1.0
    ratio, tail = rows / below, (1 + level) / 2
    low = ratio / float(stats.f.ppf(tail, n - 1, df))
    high = ratio * float(stats.f.ppf(tail, df, n - 1))
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _absolute_bounds(
    icc: float, rows: float, columns: float, error: float, n: int, k: int, level: float
) -> tuple[float, float]:
    """McGraw and Wong 1996, table 7, case 2A: Satterthwaite df of the mixed mean square."""
    if icc >= 1:
        return 1.0, 1.0
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    mixed = a * columns + b * error
    parts = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    df = mixed**2 / parts if parts > 0 else 1.0
    tail = (1 + level) / 2
    upper_f = float(stats.f.ppf(tail, n - 1, df))
    lower_f = float(stats.f.ppf(tail, df, n - 1))
    rest = k * columns + (k * n - k - n) * error
    low = n * (rows - upper_f * error) / (upper_f * rest + n * rows)
    high = n * (lower_f * rows - error) / (rest + n * lower_f * rows)
    return low, high


def _stepped_up(single: float, k: int) -> float:
    """Spearman-Brown: reliability of the mean of k ratings."""
    return k * single / (1 + (k - 1) * single)
