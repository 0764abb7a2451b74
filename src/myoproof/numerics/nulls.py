"""What k-means shows where there are no classes: nulls fitted to the data, replicates, excess over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.numerics.cluster import mean_silhouettes, partitions
from myoproof.numerics.factor import FactorModel, fit_factor
from myoproof.numerics.factor_shape import factor_values
from myoproof.numerics.impute import complete
from myoproof.numerics.kmeans import Floats, stream_key
from myoproof.numerics.resampling import in_spans

Draw = Callable[[np.random.Generator], Floats]

PILE_SHARE = (
    0.02  # share of a column's values at its very end from which the end is a floor or ceiling: proposal
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What k-means shows in one cohort, observed or drawn from a null.

    Parameters
    ----------
    silhouette : (m,) float64
        Mean silhouette of the best partition, for each number of clusters.
    share : float
        Share of the variance along the leading axis.
    """

    silhouette: Floats
    share: float


@dataclass(frozen=True, slots=True)
class Excess:
    """How far the observed silhouettes stand out from those of one null.

    Parameters
    ----------
    mean, deviation : (m,) float64
        What the null predicts at the observed share of variance, by number of clusters, and its SD.
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
    """Floor and ceiling of each column: its least and greatest value where many subjects share it exactly.

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
        factor = factor_values(rng.standard_normal(len(missing)), model.shape)
        latent = model.location + np.outer(factor, model.loading) + rng.standard_normal(missing.shape) @ root
        sample = np.asarray(np.clip(latent, lower, upper), dtype=np.float64)
        sample[missing] = np.nan
        return sample

    return draw


def profile(x: npt.ArrayLike, n_clusters: Sequence[int], *, key: np.uint64, n_starts: int) -> Profile:
    """Fill, standardise and cluster; the observed cohort and every null replicate pass through here.

    Parameters
    ----------
    x : (n, p) array
        NaN where missing.
    n_clusters : sequence of int
        Numbers of clusters.
    key, n_starts : uint64, int
        Stream and number of the k-means++ starts.

    Raises
    ------
    InvalidInput
        If there are too few subjects.
    """
    rows = complete(x)
    counts = np.asarray(n_clusters, dtype=np.int64)
    if counts.max() >= len(rows):
        raise InvalidInput(
            f"{counts.max()} clusters were asked of {len(rows)} subjects", mend="ask for fewer"
        )
    labels = np.empty((len(counts), len(rows)), np.int32)
    partitions(rows, counts, n_starts, key, labels)
    share = np.linalg.eigvalsh(rows.T @ rows)[-1] / rows.size
    return Profile(mean_silhouettes(rows, labels, counts), float(share))


def replicate_profiles(
    draw: Draw,
    n_clusters: Sequence[int],
    *,
    rng: np.random.Generator,
    replicates: int,
    n_starts: int,
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> list[Profile]:
    """Profiles of draws from a null; every replicate has its own generator, so threads change nothing.

    Parameters
    ----------
    draw : callable
        From :func:`gaussian_null` or :func:`unimodal_factor_null`.
    n_clusters : sequence of int
        Numbers of clusters.
    rng : numpy.random.Generator
        Its children serve the replicates.
    replicates, n_starts : int
        Draws, and k-means++ starts in each.
    threads : int
        Same bytes at any number.
    progress : callable, optional
        Told the fraction done.
    """
    key = stream_key(rng)
    generators = rng.spawn(replicates)
    found: dict[int, Profile] = {}

    def compute(first: int, last: int) -> None:
        for b in range(first, last):
            stream = key ^ np.uint64((b + 1) * 0x9E3779B97F4A7C15 % 2**64)
            found[b] = profile(draw(generators[b]), n_clusters, key=stream, n_starts=n_starts)

    in_spans(compute, replicates, threads=threads, size=3, progress=progress)
    return [found[b] for b in range(replicates)]


def excess_over(observed: Profile, replicates: Sequence[Profile]) -> Excess:
    """The largest standardised excess of the silhouettes over null replicates, with a Monte Carlo p-value.

    Silhouettes rise with the share of variance along the leading axis, which varies between draws from one
    null though it says nothing about classes. So each silhouette is compared with what the others predict,
    by linear regression, for a cohort of its own share. The observed cohort and the replicates form one
    pool and each member is treated alike: its excess is the studentised residual from a fit to all others,
    its statistic the largest excess over the numbers of clusters, and p = (1 + replicates with a statistic
    at least as large) / (B + 1).

    Parameters
    ----------
    observed : Profile
        Of the cohort.
    replicates : sequence of Profile
        Of draws from the null; nineteen or more for a level of 0.05.

    References
    ----------
    Barnard 1963, J R Stat Soc B 25:294 (Monte Carlo test); Cook & Weisberg 1982, Residuals and Influence in
    Regression, section 2.2 (studentised residuals).

    Examples
    --------
    >>> noise = np.random.default_rng(1)
    >>> null = [Profile(noise.standard_normal(4), noise.random()) for _ in range(99)]
    >>> excess_over(Profile(np.array([9.0, 0.0, 0.0, 0.0]), 0.5), null).p_value
    0.01
    """
    pool = [observed, *replicates]
    y = np.stack([member.silhouette for member in pool])
    shares = np.array([member.share for member in pool])
    centred = shares - shares.mean()
    square = float(centred @ centred)
    slope = centred @ y / square if square > 0 else np.zeros(y.shape[1])
    residual = y - y.mean(axis=0) - np.outer(centred, slope)
    leverage = (1.0 / len(pool) + centred**2 / max(square, 1e-300))[:, np.newaxis]
    rest = np.maximum((residual**2).sum(axis=0) - residual**2 / (1 - leverage), 1e-24) / (len(pool) - 3)
    predicted, deviation = y - residual / (1 - leverage), np.sqrt(rest / (1 - leverage))
    excess = (y - predicted) / deviation
    statistic = excess.max(axis=1)
    return Excess(
        mean=predicted[0],
        deviation=deviation[0],
        excess=excess[0],
        p=(1.0 + (excess[1:] >= excess[0]).sum(axis=0)) / len(pool),
        statistic=float(statistic[0]),
        p_value=float((1 + (statistic[1:] >= statistic[0]).sum()) / len(pool)),
    )
