"""Generalised pairwise comparison of two arms: who fared better, death before value."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of each subject.

    Parameters
    ----------
    values : ndarray, shape (n, t)
        Goodness by visit, higher is better; NaN where missing.
    death_day : ndarray, shape (n,)
        NaN where no death was seen.
    known_day : ndarray, shape (n,)
        Last day known alive.
    """

    values: Floats
    death_day: Floats
    known_day: Floats


@dataclass(frozen=True, slots=True)
class WinProbability:
    """Chance that a subject of the first arm fares better than one of the second, ties counting half.

    Parameters
    ----------
    value, se, low, high : float
        Probability with its interval.
    statistic, df, p : float
        Test against one half.
    decided_by_death, decided_by_value, tied : float
        Shares of pairs.
    """

    value: float
    se: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    decided_by_death: float
    decided_by_value: float
    tied: float


def compare(first: Fates, second: Fates, *, level: float = 0.95) -> WinProbability:
    """Compare every subject of one arm with every one of the other.

    Who died first fares worse, if the other was then known alive; where neither death decides, the value at
    the last visit that both have decides.

    Raises
    ------
    ValueError
        With fewer than two subjects in an arm.

    References
    ----------
    Buyse, Stat Med 2010;29:3245. Finkelstein and Schoenfeld, Stat Med 1999;18:1341. Variance of the
    two-sample U statistic by placements and its t: Brunner and Munzel, Biom J 2000;42:17.

    Examples
    --------
    >>> nobody = np.full(3, np.nan)
    >>> better = Fates(np.array([[5.0], [6], [7]]), nobody, np.full(3, 90.0))
    >>> worse = Fates(np.array([[1.0], [5], [2]]), nobody, np.full(3, 90.0))
    >>> round(compare(better, worse).value, 3)
    0.944
    """
    n, m = len(first.known_day), len(second.known_day)
    if min(n, m) < 2:
        raise ValueError("needs two subjects or more in each arm")
    by_death = _by_death(first, second)
    by_value = np.where(by_death == 0, _by_value(first.values, second.values), 0.0)
    wins = 0.5 + (by_death + by_value) / 2
    value = float(wins.mean())
    own, other = wins.mean(axis=1), wins.mean(axis=0)
    parts = float(own.var(ddof=1)) / n, float(other.var(ddof=1)) / m
    variance = sum(parts)
    shares = (float((by_death != 0).mean()), float((by_value != 0).mean()))
    tied = 1 - sum(shares)
    if not variance > 0:
        nan = math.nan
        return WinProbability(value, 0.0, nan, nan, nan, nan, nan, *shares, tied)
    se = math.sqrt(variance)
    df = variance**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    statistic = (value - 0.5) / se
    p = 2 * float(stats.t.sf(abs(statistic), df))
    low, high = _logit_interval(value, se, float(stats.t.ppf((1 + level) / 2, df)))
    return WinProbability(value, se, low, high, statistic, df, p, *shares, tied)


def _by_death(first: Fates, second: Fates) -> Floats:
    """+1 where the first outlived the second for certain, -1 the other way round."""
    mine, theirs = first.death_day[:, None], second.death_day[None]
    lived, they_lived = first.known_day[:, None], second.known_day[None]
    won = np.isfinite(theirs) & (np.where(np.isfinite(mine), mine, lived) > theirs)
    lost = np.isfinite(mine) & (np.where(np.isfinite(theirs), theirs, they_lived) > mine)
    return np.asarray(won.astype(np.float64) - lost)


def _by_value(first: Floats, second: Floats) -> Floats:
    """Sign of the difference at the last visit that both have; 0 where there is none."""
    found = np.zeros((len(first), len(second)))
    done = np.zeros(found.shape, dtype=np.bool_)
    for visit in range(first.shape[1] - 1, -1, -1):
        gap = first[:, None, visit] - second[None, :, visit]
        here = np.isfinite(gap) & ~done
        found = np.where(here, np.sign(np.where(here, gap, 0.0)), found)
        done |= here
    return found


def _logit_interval(value: float, se: float, quantile: float) -> tuple[float, float]:
    if not 0 < value < 1:
        return math.nan, math.nan
    centre, spread = math.log(value / (1 - value)), se / (value * (1 - value))
    bounds = [1 / (1 + math.exp(-(centre + sign * quantile * spread))) for sign in (-1, 1)]
    return bounds[0], bounds[1]
