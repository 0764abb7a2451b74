"""Sequential tree-reweighted message passing on a voxel lattice: uniform labels, or candidates per node."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

FAR = np.float32(1e9)


class Lattice(NamedTuple):
    """Nodes in raster order and their neighbours along three axes.

    Parameters
    ----------
    ahead, behind : (3, v) int32
        The next and the previous node along each axis, -1 where there is none.
    share : (v,) float32
        1 / the larger of the number of neighbours ahead and behind.
    """

    ahead: Ints
    behind: Ints
    share: Singles


class Ties(NamedTuple):
    """How neighbours are held together: cost = most * min(1, (difference / (reach + spreads))^2).

    Parameters
    ----------
    most : (3, v) float32
        Greatest cost of the edge ahead of each node along each axis, nats.
    reach_hz : (3,) float32
        Difference at which that is reached.
    period_hz : float
        Period of the field; 0 where it has none.
    """

    most: Singles
    reach_hz: Singles
    period_hz: float


def make_lattice(index: npt.NDArray[np.int64], shape: tuple[int, int, int]) -> Lattice:
    """Neighbours of the voxels with flat indices ``index`` (increasing) in a volume of ``shape``."""
    number = np.full(int(np.prod(shape)), -1, dtype=np.int32)
    number[index] = np.arange(index.size, dtype=np.int32)
    ahead = np.full((3, index.size), -1, dtype=np.int32)
    behind = np.full((3, index.size), -1, dtype=np.int32)
    _neighbours(index, number, np.asarray(shape, dtype=np.int64), ahead, behind)
    degree = np.maximum((ahead >= 0).sum(axis=0), (behind >= 0).sum(axis=0))
    return Lattice(ahead, behind, (1.0 / np.maximum(degree, 1)).astype(np.float32))


@njit(cache=True, nogil=True)
def _neighbours(
    index: npt.NDArray[np.int64], number: Ints, shape: npt.NDArray[np.int64], ahead: Ints, behind: Ints
) -> None:
    """Fill the neighbours of every node."""
    strides = (shape[1] * shape[2], shape[2], 1)
    for v in range(index.shape[0]):
        flat = index[v]
        place = (flat // strides[0], (flat // strides[1]) % shape[1], flat % shape[2])
        for axis in range(3):
            if place[axis] + 1 < shape[axis]:
                other = number[flat + strides[axis]]
                ahead[axis, v] = other
                if other >= 0:
                    behind[axis, other] = v


@njit(cache=True, nogil=True, fastmath=True)
def _slide(
    total: Singles, old: Singles, share: float, most: float, toll: Singles, circular: bool, padded: Singles
) -> None:
    """Turn `old` into the new message: min over labels of share * total - old + toll of the difference."""
    n = total.shape[0]
    w = (toll.shape[0] - 1) // 2
    least = FAR
    part = np.float32(share)
    for i in range(n):
        value = part * total[i] - old[i]
        padded[w + i] = value
        least = min(least, value)
    for j in range(w):
        padded[j] = padded[n + j] if circular else FAR
        padded[w + n + j] = padded[w + j] if circular else FAR
    height = np.float32(most)
    for i in range(n):
        old[i] = height
    for j in range(toll.shape[0]):
        cost = height * toll[j] - least
        for i in range(n):
            old[i] = min(old[i], padded[i + j] + cost)


@njit(cache=True, nogil=True)
def pass_labels(
    unary: Singles,
    lattice: Lattice,
    most: Singles,
    tolls: tuple[Singles, Singles, Singles],
    circular: bool,
    rounds: int,
) -> Singles:
    """Min-marginals of evenly spaced labels after `rounds` sweeps there and back.

    Parameters
    ----------
    unary : (v, g) float32
    lattice : Lattice
    most : (3, v) float32
        Greatest cost of the edge ahead of each node along each axis, nats.
    tolls : three (2 w + 1,) float32
        Share of that, 0-1, for a label difference of -w to w along each axis; beyond, all of it.
    circular : bool
    rounds : int

    Returns
    -------
    (v, g) float32

    References
    ----------
    Kolmogorov V. IEEE Trans Pattern Anal Mach Intell 2006;28:1568 (TRW-S).
    """
    v, g = unary.shape
    messages = np.zeros((3, v, g), np.float32)
    padded = np.empty(3 * g, np.float32)
    total = np.empty(g, np.float32)
    for sweep in range(2 * rounds):
        forward = sweep % 2 == 0
        for step in range(v):
            node = step if forward else v - 1 - step
            _gather(unary[node], lattice, messages, node, total)
            for axis in range(3):
                ahead, behind = lattice.ahead[axis, node], lattice.behind[axis, node]
                target = ahead if forward else behind
                if target < 0:
                    continue
                near = node if forward else behind
                edge = messages[axis, near]
                _slide(total, edge, lattice.share[node], most[axis, near], tolls[axis], circular, padded)
    marginals = np.empty((v, g), np.float32)
    for node in range(v):
        _gather(unary[node], lattice, messages, node, marginals[node])
    return marginals


@njit(cache=True, nogil=True, fastmath=True)
def _gather(unary: Singles, lattice: Lattice, messages: Singles, node: int, total: Singles) -> None:
    """Write unary cost plus all incoming messages of a node."""
    n = unary.shape[0]
    for i in range(n):
        total[i] = unary[i]
    for axis in range(3):
        behind = lattice.behind[axis, node]
        if behind >= 0:
            message = messages[axis, behind]
            for i in range(n):
                total[i] += message[i]
        if lattice.ahead[axis, node] >= 0:
            message = messages[axis, node]
            for i in range(n):
                total[i] += message[i]


@njit(cache=True, nogil=True, fastmath=True)
def _apart(one: float, other: float, period: float) -> float:
    """Distance of two fields, round the period where there is one."""
    gap = abs(one - other)
    if period > 0:
        gap -= period * np.floor(gap / period)
        gap = min(gap, period - gap)
    return gap


@njit(cache=True, nogil=True, fastmath=True)
def _toll(place: Singles, width: Singles, p: int, i: int, q: int, j: int, axis: int, ties: Ties) -> float:
    """Cost of candidate i of node p beside candidate j of node q, as a share of the edge's greatest."""
    gap = _apart(place[p, i], place[q, j], ties.period_hz)
    ratio = gap / (ties.reach_hz[axis] + width[p, i] + width[q, j])
    return min(1.0, ratio * ratio)


@njit(cache=True, nogil=True)
def pass_candidates(
    unary: Singles, place: Singles, width: Singles, lattice: Lattice, ties: Ties, rounds: int
) -> tuple[Ints, Singles]:
    """Best candidate of every node and the min-marginals after `rounds` sweeps there and back.

    Parameters
    ----------
    unary, place, width : (v, k) float32
        Cost (nats), field (Hz) and SD of the field (Hz) of each candidate.
    lattice : Lattice
    ties : Ties
    rounds : int

    Returns
    -------
    choice : (v,) int32
    marginals : (v, k) float32
    """
    v, k = unary.shape
    messages = np.zeros((3, v, k), np.float32)
    total = np.empty(k, np.float32)
    fresh = np.empty(k, np.float32)
    for sweep in range(2 * rounds):
        forward = sweep % 2 == 0
        for step in range(v):
            node = step if forward else v - 1 - step
            _gather(unary[node], lattice, messages, node, total)
            for axis in range(3):
                ahead, behind = lattice.ahead[axis, node], lattice.behind[axis, node]
                target = ahead if forward else behind
                if target < 0:
                    continue
                near = node if forward else behind
                edge = messages[axis, near]
                most = ties.most[axis, near]
                least = FAR
                for j in range(k):
                    best = FAR
                    for i in range(k):
                        cost = lattice.share[node] * total[i] - edge[i]
                        best = min(best, cost + most * _toll(place, width, node, i, target, j, axis, ties))
                    fresh[j] = best
                    least = min(least, best)
                for j in range(k):
                    edge[j] = fresh[j] - least
    marginals = np.empty((v, k), np.float32)
    for node in range(v):
        _gather(unary[node], lattice, messages, node, marginals[node])
    return _decide(unary, place, width, lattice, ties, messages), marginals


@njit(cache=True, nogil=True)
def _decide(
    unary: Singles, place: Singles, width: Singles, lattice: Lattice, ties: Ties, messages: Singles
) -> Ints:
    """Labels in raster order: each the best given the labels before it and the messages from ahead."""
    v, k = unary.shape
    choice = np.zeros(v, np.int32)
    for node in range(v):
        best = FAR
        for i in range(k):
            cost = unary[node, i]
            for axis in range(3):
                behind = lattice.behind[axis, node]
                if behind >= 0:
                    cost += ties.most[axis, behind] * _toll(
                        place, width, node, i, behind, choice[behind], axis, ties
                    )
                if lattice.ahead[axis, node] >= 0:
                    cost += messages[axis, node, i]
            if cost < best:
                best = cost
                choice[node] = i
    return choice
