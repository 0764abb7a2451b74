"""Agreement of two ways to measure: bias, limits of agreement, repeatability, minimal detectable change."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.numerics.clustered import Interval, cluster_codes

LIMIT_QUANTILE = 1.96
"""Bland and Altman's limits hold 95 % of differences: mean +- 1.96 SD."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bland-Altman analysis.

    Parameters
    ----------
    bias, lower, upper : Interval
        Mean difference and limits of agreement, each with its interval.
    sd : float
        Standard deviation of a difference (between and within subjects together).
    between_sd, within_sd : float
        Its two parts; `within_sd` is 0 with one difference a subject.
    n_subjects, n_rows : int
        Independent units, and differences.
    """

    bias: Interval
    lower: Interval
    upper: Interval
    sd: float
    between_sd: float
    within_sd: float
    n_subjects: int
    n_rows: int


def limits_of_agreement(
    differences: npt.ArrayLike, clusters: npt.ArrayLike | None = None, *, level: float = 0.95
) -> Limits:
    """Bias and limits of agreement, counted by subject.

    With one difference a subject the intervals of the limits are exact (noncentral t); with several they
    follow from variance components (MOVER). The bias is the mean of the subjects' means.

    Parameters
    ----------
    differences : array_like, shape (n,)
        Method minus reference, finite.
    clusters : array_like, shape (n,), optional
        Subject of each difference; default: each its own.
    level : float
        Level of the intervals, 0-1. The limits themselves always span 95 % of differences.

    Raises
    ------
    ValueError
        With fewer than two subjects or a value that is not finite.

    References
    ----------
    Bland and Altman, Lancet 1986;327:307, and J Biopharm Stat 2007;17:571 (several a subject). Exact
    intervals: Carkeet, Optom Vis Sci 2015;92:e71. MOVER: Zou, Stat Methods Med Res 2013;22:630, eq. 8-10.

    Examples
    --------
    >>> limits = limits_of_agreement([1.0, 2.0, 3.0])
    >>> round(limits.upper.value, 2)
    3.96
    """
    d = np.asarray(differences, dtype=np.float64).ravel()
    codes = cluster_codes(clusters, d.size)
    n = int(codes.max()) + 1 if d.size else 0
    if n < 2 or not np.isfinite(d).all():
        raise ValueError("needs finite differences of two subjects or more")
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=d) / counts
    bias, between = float(means.mean()), float(means.var(ddof=1))
    spare = d.size - n
    within = float(((d - means[codes]) ** 2).sum()) / spare if spare else 0.0
    share = 1 - float((1 / counts).mean())
    total = between + share * within
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * math.sqrt(between / n)
    centre = Interval(bias, bias - half, bias + half)
    if spare == 0:
        lower, upper = _exact_limits(bias, math.sqrt(total), n, level)
    else:
        lower, upper = _mover_limits(centre, between, share * within, (n, spare), level)
    pure = max(between - (1 - share) * within, 0.0)
    return Limits(centre, lower, upper, math.sqrt(total), math.sqrt(pure), math.sqrt(within), n, int(d.size))


def limits_interval_approximate(sd: float, n: int, *, level: float = 0.95) -> float:
    """Half-width of Bland and Altman's approximate interval of a limit of agreement.

    References
    ----------
    Bland and Altman, Lancet 1986;327:307: standard error of a limit about sqrt(3 sd^2 / n).

    Examples
    --------
    >>> round(limits_interval_approximate(38.8, 17), 1)
    34.6
    """
    return float(stats.t.ppf((1 + level) / 2, n - 1)) * math.sqrt(3 * sd * sd / n)


def within_subject_sd(differences: npt.ArrayLike) -> float:
    """Standard deviation of a single measurement, from differences of two: sqrt(mean d^2 / 2).

    References
    ----------
    Bland and Altman, BMJ 1996;313:744.

    Examples
    --------
    >>> within_subject_sd([2.0, -2.0])
    1.4142135623730951
    """
    d = np.asarray(differences, dtype=np.float64)
    return float(np.sqrt(np.mean(d * d) / 2))


def repeatability_coefficient(within_sd: float) -> float:
    """The difference that two measurements of one subject exceed once in twenty: 1.96 sqrt(2) within-SD.

    References
    ----------
    Bland and Altman, Stat Methods Med Res 1999;8:135, sec. 2.

    Examples
    --------
    >>> round(repeatability_coefficient(1.0), 3)
    2.772
    """
    return LIMIT_QUANTILE * math.sqrt(2) * within_sd


def standard_error_of_measurement(sd: float, icc: float) -> float:
    """SEM = SD sqrt(1 - ICC).

    References
    ----------
    Weir, J Strength Cond Res 2005;19:231.

    Examples
    --------
    >>> standard_error_of_measurement(10.0, 0.75)
    5.0
    """
    return sd * math.sqrt(max(0.0, 1 - icc))


def minimal_detectable_change(sem: float) -> float:
    """MDC95 = 1.96 sqrt(2) SEM.

    References
    ----------
    Weir, J Strength Cond Res 2005;19:231.

    Examples
    --------
    >>> round(minimal_detectable_change(0.23), 4)
    0.6375
    """
    return repeatability_coefficient(sem)


def _exact_limits(bias: float, sd: float, n: int, level: float) -> tuple[Interval, Interval]:
    tails = [(1 - level) / 2, (1 + level) / 2]
    shift = LIMIT_QUANTILE * math.sqrt(n)
    inner, outer = (float(stats.nct.ppf(tail, n - 1, shift)) * sd / math.sqrt(n) for tail in tails)
    reach = LIMIT_QUANTILE * sd
    return (
        Interval(bias - reach, bias - outer, bias - inner),
        Interval(bias + reach, bias + inner, bias + outer),
    )


def _mover_limits(
    bias: Interval, between: float, within: float, sizes: tuple[int, int], level: float
) -> tuple[Interval, Interval]:
    """Zou 2013: intervals of bias +- 1.96 sqrt(between + within) from those of the two variances."""
    n, spare = sizes
    variance = between + within
    tails = [(1 - level) / 2, (1 + level) / 2]
    (short, long), (short_w, long_w) = (
        [df / float(stats.chi2.ppf(tail, df)) for tail in reversed(tails)] for df in (n - 1, spare)
    )
    low = variance - math.hypot(between * (1 - short), within * (1 - short_w))
    high = variance + math.hypot(between * (long - 1), within * (long_w - 1))
    sd, low_sd, high_sd = (math.sqrt(max(part, 0.0)) for part in (variance, low, high))
    reach = LIMIT_QUANTILE * sd
    narrow = math.hypot(bias.value - bias.low, LIMIT_QUANTILE * (sd - low_sd))
    wide = math.hypot(bias.high - bias.value, LIMIT_QUANTILE * (high_sd - sd))
    return (
        Interval(bias.value - reach, bias.value - reach - wide, bias.value - reach + narrow),
        Interval(bias.value + reach, bias.value + reach - narrow, bias.value + reach + wide),
    )
