"""The gap statistic: within-cluster dispersion beside that of a structureless box; one cluster may win."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.numerics.kmeans import fit, stream_key

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gap:
    """What the gap statistic says.

    Parameters
    ----------
    gap : (k_max,) float64
        Mean log sum of squares of the references less that of the data, for 1..k_max clusters.
    se : (k_max,) float64
        Simulation error of each: SD of the references x sqrt(1 + 1 / B).
    n_clusters : int
        The least number whose gap is at least the next one's less its error; k_max where none is.
    """

    gap: Floats
    se: Floats
    n_clusters: int


def gap_statistic(
    x: npt.ArrayLike, k_max: int, *, rng: np.random.Generator, references: int = 20, n_starts: int = 3
) -> Gap:
    """Compare within-cluster dispersion with that of uniform points in the box along the principal axes.

    Parameters
    ----------
    x : (n, p) array
        Points, nothing missing.
    k_max : int
        Largest number of clusters; one is always tried.
    rng : numpy.random.Generator
        For the references and the starts.
    references, n_starts : int
        Uniform data sets, and k-means++ starts in each.

    Raises
    ------
    InvalidInput
        If there are not more points than clusters.

    References
    ----------
    Tibshirani, Walther & Hastie 2001, J R Stat Soc B 63:411 (reference (b), the principal-axis box, and the
    rule k = least with Gap(k) >= Gap(k + 1) - s(k + 1)).
    """
    points = np.ascontiguousarray(x, dtype=np.float64)
    if len(points) <= k_max:
        raise InvalidInput(f"{k_max} clusters were asked of {len(points)} points", where="x")
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    scores = centred @ axes.T
    low, high = scores.min(axis=0), scores.max(axis=0)
    observed = _log_dispersion(scores, k_max, stream_key(rng), n_starts)
    drawn = np.stack(
        [
            _log_dispersion(rng.uniform(low, high, scores.shape), k_max, stream_key(rng), n_starts)
            for _ in range(references)
        ]
    )
    gap = drawn.mean(axis=0) - observed
    se = drawn.std(axis=0) * np.sqrt(1 + 1 / references)
    enough = np.flatnonzero(gap[:-1] >= gap[1:] - se[1:])
    return Gap(gap, se, int(enough[0]) + 1 if len(enough) else k_max)


def _log_dispersion(points: Floats, k_max: int, key: np.uint64, n_starts: int) -> Floats:
    labels = np.empty(len(points), np.int32)
    one = float(((points - points.mean(axis=0)) ** 2).sum())
    rows = np.ascontiguousarray(points)
    more = [fit(rows, k, n_starts, key, k, labels)[0] for k in range(2, k_max + 1)]
    return np.asarray(np.log([one, *more]), dtype=np.float64)
