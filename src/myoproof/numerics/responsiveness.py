"""Responsiveness: the standardised response mean, its bootstrap, and the honest best of several."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Selection:
    """What choosing the best of several measures on the same data does.

    Parameters
    ----------
    share : ndarray, shape (n_measures,)
        Share of bootstrap samples in which each measure was the best.
    honest, low, high : float
        SRM of whichever was best, measured on the subjects left out of each sample: mean and percentiles.
    apparent : float
        SRM of the best measure on all the data: what a league table prints.
    optimism : float
        Apparent minus honest.
    n_replicates : int
        Samples in which both parts could be measured.
    """

    share: Floats
    honest: float
    low: float
    high: float
    apparent: float
    optimism: float
    n_replicates: int


def standardised_response_mean(change: npt.ArrayLike) -> float:
    """Mean change over its standard deviation; sign the change so that worsening is positive.

    Parameters
    ----------
    change : array_like, shape (n,)
        Changes; NaN is left out.

    Returns
    -------
    float
        NaN with fewer than two changes or no spread.

    References
    ----------
    Liang, Fossel and Larson, Med Care 1990;28:632.

    Examples
    --------
    >>> standardised_response_mean([1.0, 2.0, 3.0])
    2.0
    """
    return float(column_srms(np.asarray(change, dtype=np.float64).reshape(-1, 1))[0])


def column_srms(change: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """SRM of each column, plain or for many sets of integer weights at once.

    Parameters
    ----------
    change : array_like, shape (n_subjects, n_measures)
        Changes; NaN where a subject has none.
    weights : array_like, shape (n_sets, n_subjects), optional
        How often each subject counts in each set (bootstrap counts).

    Returns
    -------
    ndarray, shape (n_measures,) or (n_sets, n_measures)
        NaN where fewer than two different subjects count or the changes have no spread.
    """
    x = np.asarray(change, dtype=np.float64)
    w = np.ones((1, x.shape[0])) if weights is None else np.asarray(weights, dtype=np.float64)
    known = np.isfinite(x)
    origin = np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, x - origin, 0.0)
    total = w @ known
    different = (w > 0).astype(np.float64) @ known
    sums, squares = w @ centred, w @ centred**2
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / total
        variance = (squares - total * mean**2) / (total - 1)
        size = np.where(variance > 1e-14 * (squares / total + origin**2), mean + origin, np.nan)
        srm = np.where(different >= 2, size / np.sqrt(variance), np.nan)
    return srm[0] if weights is None else srm


def bootstrap_counts(n: int, replicates: int, *, rng: np.random.Generator) -> Floats:
    """How often each of n subjects is drawn in each bootstrap sample, shape (replicates, n)."""
    drawn = rng.integers(n, size=(replicates, n))
    flat = drawn + n * np.arange(replicates)[:, None]
    return np.bincount(flat.ravel(), minlength=replicates * n).reshape(replicates, n).astype(np.float64)


def bca_interval(
    estimate: float, replicates: npt.ArrayLike, jackknife: npt.ArrayLike, *, level: float = 0.95
) -> tuple[float, float]:
    """Bias-corrected, accelerated bootstrap interval, expanded for small samples.

    Parameters
    ----------
    estimate : float
        The statistic on all the data.
    replicates, jackknife : array_like
        Bootstrap replicates and leave-one-out values; NaN is left out.
    level : float
        Level of the interval, 0-1.

    Returns
    -------
    tuple of float
        NaN where there is too little to resample.

    References
    ----------
    Efron, J Am Stat Assoc 1987;82:171, eq. 3.9 and 6.6. Expansion (normal quantile replaced by
    sqrt(n / (n - 1)) times the t quantile on n - 1): Hesterberg, Am Stat 2015;69:371, sec. 4.
    """
    values, left_out = (np.asarray(part, dtype=np.float64) for part in (replicates, jackknife))
    values, left_out = values[np.isfinite(values)], left_out[np.isfinite(left_out)]
    n = left_out.size
    if values.size < 2 or n < 3 or not math.isfinite(estimate):
        return math.nan, math.nan
    below = (np.sum(values < estimate) + 0.5 * np.sum(values == estimate)) / values.size
    bias = float(special.ndtri(np.clip(below, 0.5 / values.size, 1 - 0.5 / values.size)))
    away = left_out.mean() - left_out
    spread = float((away**2).sum())
    acceleration = float((away**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    reach = math.sqrt(n / (n - 1)) * float(special.stdtrit(n - 1, (1 + level) / 2))
    z = bias + np.array([-reach, reach])
    low, high = np.quantile(values, special.ndtr(bias + z / np.maximum(1 - acceleration * z, 0.1)))
    return float(low), float(high)


def srm_intervals(change: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95) -> Floats:
    """Bootstrap interval of the SRM of each column, by :func:`bca_interval`.

    Chosen by simulated coverage of a 95 % interval at n = 17, SRM 1.05 (2,000 cohorts, 1,000 replicates), for
    normal, right-skewed and left-skewed changes: expanded BCa 95, 94 and 91 %, percentile 90, 90 and 83 %.

    Parameters
    ----------
    change : array_like, shape (n_subjects, n_measures)
        Changes; NaN where a subject has none.
    counts : array_like, shape (replicates, n_subjects)
        From :func:`bootstrap_counts`.
    level : float
        Level of the interval, 0-1.

    Returns
    -------
    ndarray, shape (n_measures, 2)
        Low and high; NaN where the SRM is.
    """
    x = np.asarray(change, dtype=np.float64)
    estimates, replicates = column_srms(x), column_srms(x, counts)
    left_out = column_srms(x, 1 - np.eye(x.shape[0]))
    bounds = [
        bca_interval(estimates[j], replicates[:, j], left_out[np.isfinite(x[:, j]), j], level=level)
        for j in range(x.shape[1])
    ]
    return np.array(bounds, dtype=np.float64).reshape(-1, 2)


def small_sample_factor(n: npt.ArrayLike) -> Floats:
    """Hedges' J for an SRM of n changes: the factor that removes its upward bias under normality.

    References
    ----------
    Hedges, J Educ Stat 1981;6:107, eq. 6e with n - 1 degrees of freedom.

    Examples
    --------
    >>> small_sample_factor([17]).round(4).tolist()
    [0.9523]
    """
    df = np.asarray(n, dtype=np.float64) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        log_j = special.gammaln(df / 2) - special.gammaln((df - 1) / 2) - np.log(df / 2) / 2
    return np.where(df > 1, np.exp(log_j), np.nan)


def select_best(change: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95) -> Selection:
    """Bootstrap the choice of the most responsive measure and judge each choice on the subjects left out.

    Parameters
    ----------
    change : array_like, shape (n_subjects, n_measures)
        Changes, worsening positive; NaN where a subject has none.
    counts : array_like, shape (replicates, n_subjects)
        From :func:`bootstrap_counts`. Subjects counted zero times are the test set of their replicate.
    level : float
        Level of the percentiles of the honest SRM, 0-1.

    Returns
    -------
    Selection
        NaN where no replicate could be judged.

    Notes
    -----
    The SRM of a handful of left-out subjects is biased upwards; each is multiplied by
    :func:`small_sample_factor`. The percentiles describe single test sets of about n / e subjects and are
    therefore wide: they are no confidence interval of the mean.

    References
    ----------
    Out-of-bag assessment of a selected model: Efron and Tibshirani, J Am Stat Assoc 1997;92:548.
    """
    x = np.asarray(change, dtype=np.float64)
    w = np.asarray(counts, dtype=np.float64)
    inside = np.where(np.isfinite(column_srms(x, w)), column_srms(x, w), -np.inf)
    best = inside.argmax(axis=1)
    usable = np.isfinite(inside.max(axis=1))
    outside = (w == 0).astype(np.float64)
    rows = np.arange(w.shape[0])
    judged = column_srms(x, outside)[rows, best]
    judged = judged * small_sample_factor(outside @ np.isfinite(x))[rows, best]
    judged = judged[usable & np.isfinite(judged)]
    share = np.bincount(best[usable], minlength=x.shape[1]) / max(int(usable.sum()), 1)
    whole = column_srms(x)
    apparent = float(whole[np.isfinite(whole)].max()) if np.isfinite(whole).any() else math.nan
    if judged.size == 0:
        return Selection(share, math.nan, math.nan, math.nan, apparent, math.nan, 0)
    low, high = np.quantile(judged, [(1 - level) / 2, (1 + level) / 2])
    honest = float(judged.mean())
    return Selection(share, honest, float(low), float(high), apparent, apparent - honest, int(judged.size))
