"""Intervals that count subjects, not rows: jackknife over subjects and shares of clustered rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval.

    Parameters
    ----------
    value, low, high : float
        NaN bounds where there is too little to tell.
    """

    value: float
    low: float
    high: float


def cluster_jackknife(
    statistic: Callable[[npt.NDArray[np.bool_]], float],
    clusters: npt.ArrayLike,
    *,
    scale: Literal["plain", "log", "fisher"] = "plain",
    level: float = 0.95,
) -> Interval:
    """A statistic of rows with an interval that counts subjects: delete one subject at a time.

    Parameters
    ----------
    statistic : callable
        Boolean mask of rows -> number.
    clusters : array_like, shape (n_rows,)
        Subject of each row.
    scale : {"plain", "log", "fisher"}
        The scale on which the interval is symmetric: log for spreads, atanh for correlations.
    level : float
        Level of the interval (t on subjects - 1), 0-1.

    References
    ----------
    Efron and Stein, Ann Stat 1981;9:586.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0, 6.0])
    >>> cluster_jackknife(lambda mask: float(x[mask].mean()), [0, 1, 2, 3]).value
    3.0
    """
    codes = cluster_codes(clusters, np.asarray(clusters).size)
    n = int(codes.max()) + 1
    value = statistic(np.ones(codes.size, dtype=bool))
    if n < 3 or not math.isfinite(value):
        return Interval(value, math.nan, math.nan)
    forward, back = _SCALES[scale]
    left_out = np.array([statistic(codes != code) for code in range(n)])
    with np.errstate(divide="ignore", invalid="ignore"):
        moved, centre = forward(left_out), float(forward(np.array(value)))
    if not (np.isfinite(moved).all() and math.isfinite(centre)):
        return Interval(value, math.nan, math.nan)
    se = math.sqrt((n - 1) / n * float(((moved - moved.mean()) ** 2).sum()))
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * se
    return Interval(value, float(back(np.array(centre - half))), float(back(np.array(centre + half))))


def clustered_share(hits: npt.ArrayLike, clusters: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """A share of rows with a Wilson interval whose sample size is reduced by the clustering.

    Parameters
    ----------
    hits : array_like of bool, shape (n_rows,)
        What is counted.
    clusters : array_like, shape (n_rows,)
        Subject of each row.
    level : float
        Level of the interval, 0-1.

    Notes
    -----
    Where every row (or none) is a hit, the effective sample size is the number of subjects.

    References
    ----------
    Wilson, J Am Stat Assoc 1927;22:209. Effective sample size: Korn and Graubard, Surv Methodol
    1998;24:193.

    Examples
    --------
    >>> clustered_share([True] * 20, list(range(20))).low > 0.83
    True
    """
    hit = np.asarray(hits, dtype=bool).ravel().astype(np.float64)
    codes = cluster_codes(clusters, hit.size)
    n = int(codes.max()) + 1
    share = float(hit.mean())
    scores = np.bincount(codes, weights=hit - share) / hit.size
    variance = float((scores**2).sum()) * n / max(n - 1, 1)
    effective = share * (1 - share) / variance if variance > 0 else float(n)
    effective = min(effective, float(hit.size))
    z = float(stats.norm.ppf((1 + level) / 2))
    centre = (share + z * z / (2 * effective)) / (1 + z * z / effective)
    half = (
        z / (1 + z * z / effective) * math.sqrt(share * (1 - share) / effective + z * z / (4 * effective**2))
    )
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def cluster_codes(clusters: npt.ArrayLike | None, n: int) -> npt.NDArray[np.intp]:
    """Subjects as integers 0 .. n_subjects - 1; each row its own where none are given."""
    if clusters is None:
        return np.arange(n)
    labels = np.asarray(clusters).ravel()
    if labels.size != n:
        raise ValueError(f"{labels.size} clusters for {n} rows")
    return np.unique(labels, return_inverse=True)[1]


def _as_is(values: Floats) -> Floats:
    return values


_SCALES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "plain": (_as_is, _as_is),
    "log": (np.log, np.exp),
    "fisher": (np.arctanh, np.tanh),
}
