"""Other ways of asking how many groups: consensus, gap, Gaussian mixtures, and clusters beyond severity."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from myoproof.numerics.cluster import adjusted_rand_index, partitions
from myoproof.numerics.consensus import ambiguous_share
from myoproof.numerics.gap import gap_statistic
from myoproof.numerics.impute import complete
from myoproof.numerics.kmeans import stream_key
from myoproof.numerics.nulls import excess_over, gaussian_null, profile, replicate_profiles
from myoproof.numerics.resampling import Resampling, Stability, stability
from myoproof.studies.phenotypes_clusters import leading_axis
from myoproof.studies.phenotypes_features import Parameters

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
COVARIANCES = ("full", "tied", "diag", "spherical")
RIDGE = 0.05
"""Added to the variances of standardised features in a mixture, so that no component collapses (proposal)."""
NULL_RESAMPLES = 100
"""Resamples of a null cohort, and as many of the observed one beside it."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What the further looks need.

    Parameters
    ----------
    values : (n, p) float64
        Levelled features of the sampled subjects, NaN where missing.
    labels : (m, n) int32
        Their clusters, for each number of clusters.
    found : Stability
        Their resampled partitions.
    parameters : Parameters
        Of the study.
    threads : int
        The result does not depend on it.
    """

    values: Floats
    labels: npt.NDArray[np.int32]
    found: Stability
    parameters: Parameters
    threads: int = 1


def depth_rows(depth: Depth, *, rng: np.random.Generator) -> Iterator[Row]:
    """Rows ``consensus``, ``gap``, ``mixture`` and ``beyond_severity``; they describe and decide nothing.

    Parameters
    ----------
    depth : Depth
        Subjects, clusters and resamples.
    rng : numpy.random.Generator
        Every look has its own child.
    """
    consensus, gap, mixture, residual = rng.spawn(4)
    yield from _consensus_rows(depth, consensus)
    yield from _gap_rows(depth, gap)
    yield from _mixture_rows(depth, mixture)
    yield from _residual_rows(depth, residual)


def _consensus_rows(depth: Depth, rng: np.random.Generator) -> Iterator[Row]:
    """Share of ambiguous pairs by number of clusters; ``se`` and ``statistic`` against Gaussian cohorts."""
    parameters, n = depth.parameters, len(depth.values)
    labels = depth.found.labels
    draw = gaussian_null(depth.values)
    how = Resampling(
        min(NULL_RESAMPLES, len(labels)), parameters.resample_fraction, parameters.resample_starts
    )
    null = np.array(
        [_null_shares(draw(rng), depth, how, rng) for _ in range(parameters.consensus_nulls)]
    ).reshape(parameters.consensus_nulls, -1)
    for q, k in enumerate(parameters.n_clusters):
        same_size = ambiguous_share(labels[: how.n_resamples, q])
        mean, deviation = null[:, q].mean(), null[:, q].std(ddof=1)
        yield {
            "analysis": "consensus",
            "term": f"k={k}",
            "group": "ambiguous_pairs",
            "value": ambiguous_share(labels[:, q]),
            "unit": "1",
            "se": deviation,
            "statistic": (same_size - mean) / deviation if deviation > 0 else np.nan,
            "n_subjects": n,
            "n_rows": len(labels),
        }
        yield {
            "analysis": "consensus",
            "term": f"k={k}",
            "group": "gaussian",
            "value": mean,
            "unit": "1",
            "se": deviation,
            "n_subjects": n,
            "n_rows": parameters.consensus_nulls,
        }


def _null_shares(drawn: Floats, depth: Depth, how: Resampling, rng: np.random.Generator) -> list[float]:
    rows = complete(drawn)
    counts = np.asarray(depth.parameters.n_clusters, dtype=np.int64)
    labels = np.empty((len(counts), len(rows)), np.int32)
    partitions(rows, counts, depth.parameters.null_starts, stream_key(rng), labels)
    found = stability(drawn, labels, rng=rng, how=how, threads=depth.threads)
    return [ambiguous_share(found.labels[:, q]) for q in range(len(counts))]


def _gap_rows(depth: Depth, rng: np.random.Generator) -> Iterator[Row]:
    parameters, rows = depth.parameters, complete(depth.values)
    found = gap_statistic(rows, parameters.k_max, rng=rng, references=parameters.gap_references)
    for k, (value, se) in enumerate(zip(found.gap, found.se, strict=True), start=1):
        yield {
            "analysis": "gap",
            "term": f"k={k}",
            "value": value,
            "unit": "1",
            "se": se,
            "n_subjects": len(rows),
            "n_rows": parameters.gap_references,
            "flags": "chosen" if k == found.n_clusters else "",
        }


def _mixture_rows(depth: Depth, rng: np.random.Generator) -> Iterator[Row]:
    """The best covariance for each number of Gaussians, by BIC; lower is better, one is allowed to win."""
    rows = complete(depth.values)
    seeds = rng.integers(2**31, size=depth.parameters.k_max)
    best = [_best_mixture(rows, k, int(seeds[k - 1])) for k in range(1, depth.parameters.k_max + 1)]
    least = min(value for value, _ in best)
    for k, (value, covariance) in enumerate(best, start=1):
        yield {
            "analysis": "mixture",
            "term": f"k={k}",
            "group": covariance,
            "method": "bic",
            "value": value,
            "statistic": value - least,
            "unit": "1",
            "n_subjects": len(rows),
            "flags": "chosen" if value == least else "",
        }


def _best_mixture(rows: Floats, k: int, seed: int) -> tuple[float, str]:
    found = []
    for covariance in COVARIANCES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GaussianMixture(
                k, covariance_type=covariance, reg_covar=RIDGE, n_init=2, random_state=seed, max_iter=200
            ).fit(rows)
        found.append((float(model.bic(rows)), covariance))
    return min(found)


def _residual_rows(depth: Depth, rng: np.random.Generator) -> Iterator[Row]:
    """Clusters of what the severity axis leaves: silhouette, p by a null, agreement with those of all."""
    parameters, rows = depth.parameters, complete(depth.values)
    axis = leading_axis(rows)
    left = rows - np.outer(axis, rows.T @ axis / (axis @ axis))
    observed = profile(left, parameters.n_clusters, key=stream_key(rng), n_starts=parameters.null_starts)
    replicates = replicate_profiles(
        gaussian_null(left),
        parameters.n_clusters,
        rng=rng,
        replicates=parameters.residual_replicates,
        n_starts=parameters.null_starts,
        threads=depth.threads,
    )
    excess = excess_over(observed, replicates)
    counts = np.asarray(parameters.n_clusters, dtype=np.int64)
    labels = np.empty((len(counts), len(rows)), np.int32)
    partitions(complete(left), counts, parameters.starts, stream_key(rng), labels)
    for q, k in enumerate(parameters.n_clusters):
        row: Row = {"analysis": "beyond_severity", "term": f"k={k}", "unit": "1", "n_subjects": len(rows)}
        yield {
            **row,
            "group": "silhouette",
            "value": observed.silhouette[q],
            "statistic": excess.excess[q],
            "p": excess.p_value,
            "n_rows": parameters.residual_replicates,
        }
        same = adjusted_rand_index(labels[q], depth.labels[q])
        yield {**row, "group": "agreement_with_clusters", "value": same}
