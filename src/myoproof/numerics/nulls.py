"""What k-means shows where there are no classes: null models fitted to the data, replicates, standardised excess."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.numerics.cluster import in_spans, mean_silhouettes, partitions
from myoproof.numerics.factor import FactorModel, fit_factor, g_and_h
from myoproof.numerics.impute import complete
from myoproof.numerics.kmeans import Floats, Marks, stream_key

Draw = Callable[[np.random.Generator], Floats]

PILE_SHARE = (
    0.02  # share of a column's values at its very end from which the end is a floor or ceiling: proposal
)


@dataclass(frozen=True, slots=True)
class Excess:
    """How far the observed clusters stand out from those of one null.

    Parameters
    ----------
    mean, deviation : (m,) float64
        Of the replicates, by number of clusters.
    excess : (m,) float64
        (observed - mean) / deviation.
    p : (m,) float64
        One-sided p-value for each number of clusters by itself; described, never decisive.
    statistic, p_value : float
        The largest excess, and its p-value over all numbers of clusters together.
    """

    mean: Floats
    deviation: Floats
    excess: Floats
    p: Floats
    statistic: float
    p_value: float


def pile_ups(x: npt.ArrayLike, *, share: float = PILE_SHARE) -> tuple[Floats, Floats]:
    """Floor and ceiling of each column: its least and greatest value where many subjects share exactly that value.

    Parameters
    ----------
    x : (n, p) array
        As recorded, before any adjustment; NaN where missing.
    share : float
        Share of the values that must stand at the end.

    Returns
    -------
    lower, upper : (p,) float64
        -inf and inf where there is no pile-up.

    Examples
    --------
    >>> lower, upper = pile_ups([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [5.0, 4.0]], share=0.5)
    >>> lower.tolist(), upper.tolist()
    ([0.0, -inf], [inf, inf])
    """
    values = np.asarray(x, dtype=np.float64)
    least, greatest = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    needed = np.maximum(share * np.isfinite(values).sum(axis=0), 2.0)
    at_floor, at_ceiling = (values == least).sum(axis=0), (values == greatest).sum(axis=0)
    return np.where(at_floor >= needed, least, -np.inf), np.where(at_ceiling >= needed, greatest, np.inf)


def gaussian_null(x: npt.ArrayLike) -> Draw:
    """Replicates of one Gaussian with the covariance of `x`, missing where `x` is.

    Parameters
    ----------
    x : (n, p) array
        Standardised columns, NaN where missing.

    References
    ----------
    Liu, Hayes, Nobel & Marron 2008, J Am Stat Assoc 103:1281 (SigClust, whose null this is).
    """
    values = np.asarray(x, dtype=np.float64)
    root = np.linalg.cholesky(np.cov(complete(values).T) + 1e-9 * np.eye(values.shape[1]))
    missing = np.isnan(values)

    def draw(rng: np.random.Generator) -> Floats:
        sample = rng.standard_normal(values.shape) @ root.T
        sample[missing] = np.nan
        return sample

    return draw


def unimodal_factor_null(x: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> Draw:
    """Replicates of one unimodal factor with the skew of `x`, its floor and ceiling, missing where `x` is.

    Parameters
    ----------
    x : (n, p) array
        Standardised columns, NaN where missing.
    lower, upper : (n, p) array
        Floor and ceiling of every cell on the scale of `x`; -inf and inf where there is none.

    Notes
    -----
    What columns share beyond the factor is kept as a Gaussian with the observed residual correlation.
    """
    values = np.asarray(x, dtype=np.float64)
    return factor_draw(fit_factor(values, lower, upper), np.isnan(values), lower, upper)


def factor_draw(
    model: FactorModel, missing: npt.NDArray[np.bool_], lower: npt.ArrayLike, upper: npt.ArrayLike
) -> Draw:
    """Replicates of a fitted factor model; see :func:`unimodal_factor_null`."""
    values, vectors = np.linalg.eigh(model.residual_correlation)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))).T * np.sqrt(model.uniqueness)

    def draw(rng: np.random.Generator) -> Floats:
        factor = g_and_h(rng.standard_normal(len(missing)), model.skew, model.tail)
        latent = model.location + np.outer(factor, model.loading) + rng.standard_normal(missing.shape) @ root
        sample = np.clip(latent, lower, upper)
        sample[missing] = np.nan
        return sample

    return draw


def profile(
    x: npt.ArrayLike, n_clusters: Sequence[int], *, key: np.uint64, n_starts: int, metric: str
) -> tuple[Floats, Marks, Floats]:
    """A metric of the best k-means partition for each number of clusters, after filling and standardising.

    The observed cohort and every null replicate pass through this one function.

    Parameters
    ----------
    x : (n, p) array
        NaN where missing.
    n_clusters : sequence of int
        Numbers of clusters.
    key, n_starts : uint64, int
        Stream and number of the k-means++ starts.
    metric : {"within_dispersion", "silhouette"}
        Minus the log of the within sum of squares (as in the gap statistic), or the mean silhouette. Higher means
        tighter clusters.

    Returns
    -------
    metric : (m,) float64
    labels : (m, n) int32
    rows : (n, p) float64
        Filled and standardised.

    Raises
    ------
    InvalidInput
        If there are too few subjects.

    References
    ----------
    Tibshirani, Walther & Hastie 2001, J R Stat Soc B 63:411 (log within dispersion); Rousseeuw 1987.
    """
    rows = complete(x)
    counts = np.asarray(n_clusters, dtype=np.int64)
    if counts.max() >= len(rows):
        raise InvalidInput(
            f"{counts.max()} clusters were asked of {len(rows)} subjects", mend="ask for fewer"
        )
    labels = np.empty((len(counts), len(rows)), np.int32)
    inertia = partitions(rows, counts, n_starts, key, labels)
    if metric == "silhouette":
        return mean_silhouettes(rows, labels, counts), labels, rows
    return -np.log(inertia), labels, rows


def replicate_profiles(
    draw: Draw,
    n_clusters: Sequence[int],
    *,
    rng: np.random.Generator,
    replicates: int,
    n_starts: int,
    metric: str,
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Floats:
    """Profiles (replicates, m) of draws from a null; every replicate has its own generator."""
    key = stream_key(rng)
    generators = rng.spawn(replicates)
    out = np.empty((replicates, len(n_clusters)))

    def compute(first: int, last: int) -> None:
        for b in range(first, last):
            stream = key ^ np.uint64((b + 1) * 0x9E3779B97F4A7C15 % 2**64)
            out[b] = profile(draw(generators[b]), n_clusters, key=stream, n_starts=n_starts, metric=metric)[0]

    in_spans(compute, replicates, threads=threads, size=3, progress=progress)
    return out


def excess_over(observed: npt.ArrayLike, replicates: npt.ArrayLike) -> Excess:
    """The largest standardised excess of a profile over null replicates, with a Monte Carlo p-value.

    The observed profile and the replicates form one pool; each member is standardised by the mean and SD of all
    others, and its largest value over the numbers of clusters is its statistic. So the observed cohort is treated as
    every replicate is, and under the null its rank is uniform: p = (1 + number of replicates at least as large) / (B + 1).

    Parameters
    ----------
    observed : (m,) array
        The metric for each number of clusters.
    replicates : (B, m) array
        The same under the null, B >= 19.

    References
    ----------
    Barnard 1963, J R Stat Soc B 25:294; Davison & Hinkley 1997, Bootstrap Methods and their Application, ch. 4.

    Examples
    --------
    >>> null = np.random.default_rng(1).standard_normal((99, 4))
    >>> excess_over([9.0, 0.0, 0.0, 0.0], null).p_value
    0.01
    """
    seen, null = np.asarray(observed, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    pool = np.vstack([seen, null])
    others = len(pool) - 1
    mean = (pool.sum(axis=0) - pool) / others
    square = ((pool**2).sum(axis=0) - pool**2) / others - mean**2
    deviation = np.sqrt(np.maximum(square * others / (others - 1), 1e-24))
    excess = (pool - mean) / deviation
    statistic = excess.max(axis=1)
    return Excess(
        mean=mean[0],
        deviation=deviation[0],
        excess=excess[0],
        p=(1.0 + (null >= seen).sum(axis=0)) / len(pool),
        statistic=float(statistic[0]),
        p_value=float((1 + (statistic[1:] >= statistic[0]).sum()) / len(pool)),
    )
