"""Clusters of all subjects, mildest first, their severity axis, and how often resamples agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from myoproof.numerics.cluster import partitions
from myoproof.numerics.impute import complete
from myoproof.numerics.kmeans import stream_key
from myoproof.studies.phenotypes_features import Panel, Parameters

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clustering:
    """Partitions of all subjects, and the axis of severity.

    Parameters
    ----------
    rows : (n, p) float64
        Features filled and standardised.
    labels : (m, n) int32
        A partition for each number of clusters; cluster 0 the mildest.
    axis : (n,) float64
        First principal component, SD 1, higher is worse.
    """

    rows: Floats
    labels: npt.NDArray[np.int32]
    axis: Floats


def cluster(panel: Panel, parameters: Parameters, *, rng: np.random.Generator) -> Clustering:
    """Partition all subjects for each number of clusters, and draw the severity axis.

    Parameters
    ----------
    panel : Panel
        Subjects and features.
    parameters : Parameters
        Of the study.
    rng : numpy.random.Generator
        For the starts.
    """
    rows = complete(panel.levelled.values)
    labels = labels_of(rows, panel.worse, parameters.n_clusters, rng=rng, n_starts=parameters.starts)
    score = leading_axis(rows)
    score *= np.sign(score @ (rows @ panel.worse)) / score.std()
    return Clustering(rows, labels, score)


def leading_axis(rows: Floats) -> Floats:
    """Score of each row (n, p) on the first principal component (n,), of either sign."""
    _, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    return np.asarray(rows @ vectors[:, -1], dtype=np.float64)


def labels_of(
    rows: Floats, worse: Floats, n_clusters: tuple[int, ...], *, rng: np.random.Generator, n_starts: int
) -> npt.NDArray[np.int32]:
    """k-means partitions (m, n) with clusters numbered from the mildest to the worst mean.

    Parameters
    ----------
    rows : (n, p) float64
        Standardised features.
    worse : (p,) float64
        +1 where a higher value is worse, else -1.
    n_clusters : tuple of int
        Numbers of clusters.
    rng, n_starts : Generator, int
        Starts of k-means.
    """
    labels = np.empty((len(n_clusters), len(rows)), np.int32)
    partitions(rows, np.asarray(n_clusters, dtype=np.int64), n_starts, stream_key(rng), labels)
    severity = rows @ worse
    for q, k in enumerate(n_clusters):
        means = np.bincount(labels[q], weights=severity, minlength=k) / np.bincount(labels[q], minlength=k)
        labels[q] = np.argsort(np.argsort(means))[labels[q]]
    return labels


def membership(labels: npt.NDArray[np.int8], reference: Labels) -> Floats:
    """Share of the resamples holding a subject in which it falls in each cluster of the reference.

    Parameters
    ----------
    labels : (n_resamples, n) int8
        Partitions; -1 where a subject was not drawn.
    reference : (n,) int
        Partition of all.

    Returns
    -------
    (n, k) float64
        Rows sum to 1; NaN for a subject that no resample held.
    """
    k = int(reference.max()) + 1
    counts = np.zeros((len(reference), k))
    for found in matched(labels, reference):
        drawn = np.flatnonzero(found >= 0)
        counts[drawn, found[drawn]] += 1
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)


def matched(labels: npt.NDArray[np.int8], reference: Labels) -> Iterator[npt.NDArray[np.int8]]:
    """Each resampled partition with its clusters named as those of the reference that they share most with.

    Parameters
    ----------
    labels : (n_resamples, n) int8
        Partitions; -1 where a subject was not drawn.
    reference : (n,) int
        Partition of all.
    """
    k = int(reference.max()) + 1
    orders = np.array(list(permutations(range(k))))
    for found in labels:
        drawn = found >= 0
        table = np.zeros((k, k))
        np.add.at(table, (found[drawn], reference[drawn]), 1)
        best = orders[np.argmax(table[np.arange(k), orders].sum(axis=1))].astype(np.int8)
        yield np.where(drawn, best[found], np.int8(-1))
