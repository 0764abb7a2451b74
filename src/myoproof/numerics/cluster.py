"""How good a partition is and how alike two are: silhouette and adjusted Rand index."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.errors import InvalidInput
from myoproof.numerics.kmeans import Floats, Labels, Marks, checked_points, fit


@njit(cache=True, nogil=True)
def pair_index(a: Marks, b: Marks) -> float:
    """Adjusted Rand index of two labelings with labels from 0; see :func:`adjusted_rand_index`."""
    ka = kb = 1
    for i in range(a.shape[0]):
        ka, kb = max(ka, a[i] + 1), max(kb, b[i] + 1)
    table = np.zeros((ka, kb))
    for i in range(a.shape[0]):
        table[a[i], b[i]] += 1.0
    n = float(a.shape[0])
    together = first = second = 0.0
    for r in range(ka):
        total = 0.0
        for c in range(kb):
            total += table[r, c]
            together += table[r, c] * (table[r, c] - 1.0) / 2.0
        first += total * (total - 1.0) / 2.0
    for c in range(kb):
        total = 0.0
        for r in range(ka):
            total += table[r, c]
        second += total * (total - 1.0) / 2.0
    expected = first * second / max(n * (n - 1.0) / 2.0, 1.0)
    highest = 0.5 * (first + second)
    if highest == expected:
        return 1.0
    return (together - expected) / (highest - expected)


def adjusted_rand_index(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Agreement of two partitions beyond chance: 1 for equal partitions, about 0 for unrelated ones.

    Parameters
    ----------
    a, b : (n,) array
        Labels of any kind.

    Raises
    ------
    InvalidInput
        If they are of different length or empty.

    References
    ----------
    Hubert & Arabie 1985, J Classif 2:193, eq. 5.

    Examples
    --------
    >>> round(adjusted_rand_index([0, 0, 1, 1], [0, 0, 1, 2]), 6)
    0.571429
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise InvalidInput("two partitions of the same subjects are needed", where="a, b")
    codes = [np.unique(labels, return_inverse=True)[1].astype(np.int32) for labels in (first, second)]
    return float(pair_index(codes[0], codes[1]))


@njit(cache=True, nogil=True, fastmath=True)
def _distances(columns: Floats, point: Floats, out: Floats) -> None:
    """Euclidean distance of one point to all points of feature-major data, four features a pass."""
    p, n = columns.shape
    out[:] = 0.0
    whole = p // 4 * 4
    for j in range(0, whole, 4):
        a, b, c, d = point[j], point[j + 1], point[j + 2], point[j + 3]
        r0, r1, r2, r3 = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
        for m in range(n):
            e, f, g, h = r0[m] - a, r1[m] - b, r2[m] - c, r3[m] - d
            out[m] += (e * e + f * f) + (g * g + h * h)
    for j in range(whole, p):
        value, row = point[j], columns[j]
        for m in range(n):
            e = row[m] - value
            out[m] += e * e
    for m in range(n):
        out[m] = np.sqrt(out[m])


@njit(cache=True, nogil=True)
def _mean_width(sums: Floats, labels: Marks, counts: Floats) -> float:
    """Mean silhouette from the summed distances (cluster, point); a point alone in its cluster counts 0."""
    total = 0.0
    for i in range(labels.shape[0]):
        own = labels[i]
        if counts[own] < 2.0:
            continue
        inner = sums[own, i] / (counts[own] - 1.0)
        outer = np.inf
        for c in range(counts.shape[0]):
            if c != own and counts[c] > 0.0:
                outer = min(outer, sums[c, i] / counts[c])
        largest = max(inner, outer)
        total += (outer - inner) / largest if largest > 0.0 else 0.0
    return float(total / labels.shape[0])


@njit(cache=True, nogil=True)
def mean_silhouettes(rows: Floats, labels: Marks, n_clusters: Labels) -> Floats:
    """Mean silhouette of several partitions (m, n) of the same points; the distances are computed once."""
    n = rows.shape[0]
    tried, largest = labels.shape[0], 0
    for q in range(tried):
        largest = max(largest, n_clusters[q])
    columns = np.empty((rows.shape[1], n))
    for i in range(n):
        for j in range(rows.shape[1]):
            columns[j, i] = rows[i, j]
    counts, sums = np.zeros((tried, largest)), np.zeros((tried, largest, n))
    distance = np.empty(n)
    for i in range(n):
        _distances(columns, rows[i], distance)
        for q in range(tried):
            counts[q, labels[q, i]] += 1.0
            row = sums[q, labels[q, i]]
            for m in range(n):
                row[m] += distance[m]
    widths = np.empty(tried)
    for q in range(tried):
        widths[q] = _mean_width(sums[q], labels[q], counts[q])
    return widths


def silhouette(x: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean silhouette width of a partition, exact, with Euclidean distances; a cluster of one counts 0.

    Parameters
    ----------
    x : (n, p) array
        Points by features.
    labels : (n,) array
        Cluster of each point; at least two clusters.

    Raises
    ------
    InvalidInput
        If there is one cluster only, or lengths differ.

    References
    ----------
    Rousseeuw 1987, J Comput Appl Math 20:53.

    Examples
    --------
    >>> round(silhouette([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]), 6)
    0.888545
    """
    rows = checked_points(x, 1)
    codes = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int32)
    if len(codes) != len(rows) or codes.max(initial=0) < 1:
        raise InvalidInput("a silhouette needs one label a point and at least two clusters", where="labels")
    counts = np.array([codes.max() + 1], dtype=np.int64)
    return float(mean_silhouettes(rows, codes[np.newaxis], counts)[0])


def partitions(rows: Floats, n_clusters: Labels, n_starts: int, key: np.uint64, labels: Marks) -> Floats:
    """Write the best partition for each number of clusters to `labels` (m, n); within sums of squares."""
    return np.array([fit(rows, int(k), n_starts, key, q, labels[q])[0] for q, k in enumerate(n_clusters)])
