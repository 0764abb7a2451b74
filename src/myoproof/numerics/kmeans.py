"""k-means: greedy k-means++ starts and Lloyd's iterations to full convergence, one stream per start."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Marks = npt.NDArray[np.int32]

MAX_ITERATIONS = 300


@dataclass(frozen=True, slots=True)
class KMeansFit:
    """The best of several k-means runs.

    Parameters
    ----------
    labels : (n,) int64
        Cluster of each point, 0 to k-1 in order of first appearance.
    centres : (k, p) float64
        Cluster means.
    inertia : float
        Sum of squared distances to the own centre.
    iterations : int
        Lloyd iterations of the best run.
    """

    labels: Labels
    centres: Floats
    inertia: float
    iterations: int


@njit(cache=True, nogil=True)
def next_uniform(state: npt.NDArray[np.uint64]) -> float:
    """A float64 in [0, 1) and one step of the stream: splitmix64 (Steele, Lea & Flood 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def seed_stream(state: npt.NDArray[np.uint64], key: np.uint64, index: int) -> None:
    """Put a stream at the place that belongs to (key, index), so that no stream depends on another."""
    state[0] = key ^ (np.uint64(index) * np.uint64(0xD1342543DE82EF95))
    next_uniform(state)
    next_uniform(state)


@njit(cache=True, nogil=True, fastmath=True)
def _cross(columns: Singles, centre: Singles, half_norm: float, out: Singles) -> None:
    """Write |c|^2/2 - x.c of every point of feature-major data; six features a pass spare the memory."""
    p, n = columns.shape
    start = np.float32(half_norm)
    for i in range(n):
        out[i] = start
    whole = p // 6 * 6
    for j in range(0, whole, 6):
        a, b, c = centre[j], centre[j + 1], centre[j + 2]
        d, e, f = centre[j + 3], centre[j + 4], centre[j + 5]
        r0, r1, r2 = columns[j], columns[j + 1], columns[j + 2]
        r3, r4, r5 = columns[j + 3], columns[j + 4], columns[j + 5]
        for i in range(n):
            out[i] -= (a * r0[i] + b * r1[i] + c * r2[i]) + (d * r3[i] + e * r4[i] + f * r5[i])
    for j in range(whole, p):
        a = centre[j]
        row = columns[j]
        for i in range(n):
            out[i] -= a * row[i]


@njit(cache=True, nogil=True, fastmath=True)
def _nearest(columns: Singles, centres: Floats, work: Singles, labels: Marks) -> None:
    """Write the nearest centre of every point to `labels`; ties go to the lower number."""
    k, p = centres.shape
    n = columns.shape[1]
    score, best = work[0], work[1]
    centre = np.empty(p, np.float32)
    for c in range(k):
        half = 0.0
        for j in range(p):
            centre[j] = centres[c, j]
            half += 0.5 * centres[c, j] * centres[c, j]
        if c == 0:
            _cross(columns, centre, half, best)
            labels[:] = 0
            continue
        _cross(columns, centre, half, score)
        mark = np.int32(c)
        for i in range(n):
            closer = score[i] < best[i]
            labels[i] = mark if closer else labels[i]
            best[i] = score[i] if closer else best[i]


@njit(cache=True, nogil=True)
def _first_above(cumulative: Singles, target: float) -> int:
    """Index of the first cumulative weight above a target; the last one where there is none."""
    low, high = 0, cumulative.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > target:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, nogil=True)
def _copy(source: Singles, target: Singles) -> None:
    for i in range(source.shape[0]):
        target[i] = source[i]


@njit(cache=True, nogil=True)
def _plus_plus(
    columns: Singles, norms: Singles, chosen: Labels, state: npt.NDArray[np.uint64], work: Singles
) -> None:
    """Greedy k-means++: of 2 + ln k points drawn by squared distance keep the best; write their indices."""
    n = columns.shape[1]
    k = chosen.shape[0]
    closest, trial, kept, cumulative = work[0], work[1], work[2], work[3]
    trials = 2 + int(math.log(k))
    chosen[0] = min(int(next_uniform(state) * n), n - 1)
    closest[:] = np.inf
    _squared(columns, norms, chosen[0], closest, kept)
    _copy(kept, closest)
    for c in range(1, k):
        total = np.float32(0.0)
        for i in range(n):
            total += closest[i]
            cumulative[i] = total
        best_potential = np.inf
        for _ in range(trials):
            target = np.float32(next_uniform(state) * total)
            drawn = _first_above(cumulative, target)
            potential = _squared(columns, norms, drawn, closest, trial)
            if potential < best_potential:
                best_potential = potential
                chosen[c] = drawn
                _copy(trial, kept)
        _copy(kept, closest)


@njit(cache=True, nogil=True, fastmath=True)
def _squared(columns: Singles, norms: Singles, point: int, cap: Singles, out: Singles) -> float:
    """Squared distances to one of the points, at most `cap`, and their sum."""
    p, n = columns.shape
    centre = np.empty(p, np.float32)
    for j in range(p):
        centre[j] = columns[j, point]
    _cross(columns, centre, 0.5 * norms[point], out)
    total = np.float32(0.0)
    two, zero = np.float32(2.0), np.float32(0.0)
    for i in range(n):
        d = two * out[i] + norms[i]
        d = d if d > zero else zero
        d = d if d < cap[i] else cap[i]
        out[i] = d
        total += d
    return float(total)


@njit(cache=True, nogil=True, fastmath=True)
def _move(rows: Floats, old: Marks, new: Marks, sums: Floats, counts: Labels) -> int:
    """Carry the points that changed cluster from one sum to the other; the number of changes."""
    n, p = rows.shape
    changed = 0
    for i in range(n):
        if new[i] != old[i]:
            changed += 1
            a, b = old[i], new[i]
            counts[b] += 1
            for j in range(p):
                sums[b, j] += rows[i, j]
            if a >= 0:
                counts[a] -= 1
                for j in range(p):
                    sums[a, j] -= rows[i, j]
            old[i] = b
    return changed


@njit(cache=True, nogil=True, fastmath=True)
def _exact_centres(rows: Floats, labels: Marks, centres: Floats, counts: Labels) -> float:
    """Means from scratch (no drift of the carried sums) and the within sum of squares about them."""
    n, p = rows.shape
    k = centres.shape[0]
    centres[:] = 0.0
    counts[:] = 0
    for i in range(n):
        counts[labels[i]] += 1
        for j in range(p):
            centres[labels[i], j] += rows[i, j]
    for c in range(k):
        for j in range(p):
            centres[c, j] /= max(counts[c], 1)
    inertia = 0.0
    for i in range(n):
        for j in range(p):
            d = rows[i, j] - centres[labels[i], j]
            inertia += d * d
    return inertia


@njit(cache=True, nogil=True)
def _refill(rows: Floats, centres: Floats, labels: Marks, new: Marks, counts: Labels, sums: Floats) -> None:
    """Give an empty cluster the point farthest from its centre, so that k clusters remain k."""
    n, p = rows.shape
    for c in range(counts.shape[0]):
        if counts[c] > 0:
            continue
        farthest, at = -1.0, 0
        for i in range(n):
            if counts[labels[i]] < 2:
                continue
            d = 0.0
            for j in range(p):
                d += (rows[i, j] - centres[labels[i], j]) ** 2
            if d > farthest:
                farthest, at = d, i
        for i in range(n):
            new[i] = labels[i]
        new[at] = c
        _move(rows, labels, new, sums, counts)


@njit(cache=True, nogil=True)
def lloyd(rows: Floats, columns: Singles, centres: Floats, labels: Marks, work: Singles) -> tuple[float, int]:
    """Lloyd's iterations from `centres` until no label changes; the within sum of squares and the iterations.

    `centres` and `labels` are written in place.
    """
    n, p = rows.shape
    k = centres.shape[0]
    new = np.empty(n, np.int32)
    sums = np.zeros((k, p))
    counts = np.zeros(k, np.int64)
    labels[:] = -1
    iterations = 0
    while iterations < MAX_ITERATIONS:
        iterations += 1
        _nearest(columns, centres, work, new)
        if _move(rows, labels, new, sums, counts) == 0:
            break
        for c in range(k):
            if counts[c] == 0:
                _refill(rows, centres, labels, new, counts, sums)
        for c in range(k):
            for j in range(p):
                centres[c, j] = sums[c, j] / counts[c]
    return _exact_centres(rows, labels, centres, counts), iterations


@njit(cache=True, nogil=True)
def fit(rows: Floats, k: int, n_starts: int, key: np.uint64, index: int, labels: Marks) -> tuple[float, int]:
    """The best of `n_starts` independent starts; start s uses the stream (key, index * n_starts + s).

    `labels` (n,) is written in place; the within sum of squares and the iterations come back. Distances are
    compared in float32, sums and the within sum of squares are float64; centred columns keep float32 exact
    enough. There is no argument for a start to begin from: a warm start is impossible by construction.
    """
    n, p = rows.shape
    columns = np.empty((p, n), np.float32)
    norms = np.zeros(n, np.float32)
    for j in range(p):
        for i in range(n):
            columns[j, i] = rows[i, j]
            norms[i] += columns[j, i] * columns[j, i]
    work = np.empty((4, n), np.float32)
    state = np.empty(1, np.uint64)
    chosen = np.empty(k, np.int64)
    trial = np.empty(n, np.int32)
    centres = np.empty((k, p))
    best, best_iterations = np.inf, 0
    for start in range(n_starts):
        seed_stream(state, key, index * n_starts + start)
        _plus_plus(columns, norms, chosen, state, work)
        for c in range(k):
            for j in range(p):
                centres[c, j] = rows[chosen[c], j]
        inertia, iterations = lloyd(rows, columns, centres, trial, work)
        if inertia < best:
            best, best_iterations = inertia, iterations
            for i in range(n):
                labels[i] = trial[i]
    return best, best_iterations


def kmeans(x: npt.ArrayLike, n_clusters: int, *, rng: np.random.Generator, n_starts: int = 10) -> KMeansFit:
    """k-means by greedy k-means++ starts and Lloyd's iterations, in float64, to full convergence.

    Parameters
    ----------
    x : (n, p) array
        Points by features; no missing value.
    n_clusters : int
        Number of clusters, 1 to n.
    rng : numpy.random.Generator
        One number is drawn from it; every start has its own stream derived from that number.
    n_starts : int
        Independent starts, of which the lowest within sum of squares is kept.

    Returns
    -------
    KMeansFit

    Raises
    ------
    InvalidInput
        If there are fewer points than clusters, or a value is not finite.

    References
    ----------
    Lloyd 1982, IEEE Trans Inf Theory 28:129; Arthur & Vassilvitskii 2007, SODA (k-means++, its greedy form).

    Examples
    --------
    >>> points = [[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]]
    >>> found = kmeans(points, 2, rng=np.random.default_rng(1))
    >>> found.labels.tolist(), found.inertia
    ([0, 0, 1, 1], 1.0)
    """
    rows = checked_points(x, n_clusters)
    labels = np.empty(len(rows), np.int32)
    inertia, iterations = fit(rows - rows.mean(axis=0), n_clusters, n_starts, stream_key(rng), 0, labels)
    ordered = first_appearance(labels)
    centres = np.stack([rows[ordered == c].mean(axis=0) for c in range(n_clusters)])
    return KMeansFit(ordered, centres, float(inertia), int(iterations))


def first_appearance(labels: Marks | Labels) -> Labels:
    """`labels` renumbered in order of first appearance.

    Examples
    --------
    >>> first_appearance(np.array([2, 2, 0, 1, 0])).tolist()
    [0, 0, 1, 2, 1]
    """
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def stream_key(rng: np.random.Generator) -> np.uint64:
    """One number from `rng` from which all streams of a computation are derived."""
    return np.uint64(rng.integers(0, 2**64, dtype=np.uint64))


def checked_points(x: npt.ArrayLike, n_clusters: int) -> Floats:
    """`x` as a contiguous float64 matrix.

    Raises
    ------
    InvalidInput
        If it is not two-dimensional and finite, or holds fewer points than clusters.
    """
    rows = np.ascontiguousarray(x, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise InvalidInput("k-means needs a finite matrix of points by features", where="x")
    if not 1 <= n_clusters <= len(rows):
        raise InvalidInput(
            f"{n_clusters} clusters were asked of {len(rows)} subjects",
            where="n_clusters",
            mend="ask for fewer",
        )
    return rows
