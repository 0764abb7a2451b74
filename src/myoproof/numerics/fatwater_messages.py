"""Sequential tree-reweighted message passing on a voxel lattice: the best candidate of every voxel."""

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
    """How neighbours are held together: cost = most * min(1, (difference / (reach + widths))^2).

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
def _tolls(one: Singles, other: Singles, inverse: float, most: float, period: float, out: Singles) -> None:
    """Write the cost of candidate i of one node beside candidate j of another."""
    inv = np.float32(inverse)
    top = np.float32(most)
    turn = np.float32(period)
    for i in range(one.shape[0]):
        for j in range(other.shape[0]):
            gap = abs(one[i] - other[j])
            if turn > 0:
                gap = min(gap, abs(turn - gap))
            gap *= inv
            out[i, j] = top * min(np.float32(1.0), gap * gap)


@njit(cache=True, nogil=True, fastmath=True)
def sweep_candidates(
    unary: Singles,
    place: Singles,
    width: Singles,
    lattice: Lattice,
    ties: Ties,
    messages: Singles,
    run: tuple[int, int, bool],
) -> None:
    """Pass messages once through nodes run[0] to run[1], forward or backward; edges that leave them rest.

    Parameters
    ----------
    unary, place : (v, k) float32
        Cost (nats) and field (Hz, within half a period of 0 where there is one) of each candidate.
    width : (v,) float32
        SD of the field of a node, Hz.
    lattice : Lattice
    ties : Ties
    messages : (3, v, k) float32
        Rewritten: on the edge ahead of each node.
    run : (first, last + 1, forward)

    References
    ----------
    Kolmogorov V. IEEE Trans Pattern Anal Mach Intell 2006;28:1568 (TRW-S).
    """
    first, last, forward = run
    k = unary.shape[1]
    total = np.empty(k, np.float32)
    fresh = np.empty(k, np.float32)
    toll = np.empty((k, k), np.float32)
    for step in range(last - first):
        node = first + step if forward else last - 1 - step
        _gather(unary[node], lattice, messages, node, total)
        share = lattice.share[node]
        for axis in range(3):
            target = lattice.ahead[axis, node] if forward else lattice.behind[axis, node]
            if target < first or target >= last:
                continue
            near = node if forward else target
            edge = messages[axis, near]
            inverse = np.float32(1.0) / (ties.reach_hz[axis] + width[node] + width[target])
            _tolls(place[node], place[target], inverse, ties.most[axis, near], ties.period_hz, toll)
            least = FAR
            for j in range(k):
                best = FAR
                for i in range(k):
                    best = min(best, share * total[i] - edge[i] + toll[i, j])
                fresh[j] = best
                least = min(least, best)
            for j in range(k):
                edge[j] = fresh[j] - least


@njit(cache=True, nogil=True)
def bridge_candidates(
    unary: Singles,
    place: Singles,
    width: Singles,
    lattice: Lattice,
    ties: Ties,
    messages: Singles,
    run: tuple[int, int, bool],
) -> None:
    """Renew the messages of edges that lead from nodes run[0] to run[1] into later nodes (or back)."""
    first, last, forward = run
    k = unary.shape[1]
    total = np.empty(k, np.float32)
    fresh = np.empty(k, np.float32)
    toll = np.empty((k, k), np.float32)
    for near in range(first, last):
        for axis in range(3):
            far = lattice.ahead[axis, near]
            if far < last:
                continue
            node, target = (near, far) if forward else (far, near)
            _gather(unary[node], lattice, messages, node, total)
            edge = messages[axis, near]
            inverse = np.float32(1.0) / (ties.reach_hz[axis] + width[node] + width[target])
            _tolls(place[node], place[target], inverse, ties.most[axis, near], ties.period_hz, toll)
            least = FAR
            for j in range(k):
                best = FAR
                for i in range(k):
                    best = min(best, lattice.share[node] * total[i] - edge[i] + toll[i, j])
                fresh[j] = best
                least = min(least, best)
            for j in range(k):
                edge[j] = fresh[j] - least


@njit(cache=True, nogil=True)
def decide(
    unary: Singles,
    place: Singles,
    width: Singles,
    lattice: Lattice,
    ties: Ties,
    messages: Singles,
    out: tuple[Ints, Singles],
) -> None:
    """Label nodes in raster order, each the best given those before it and the messages from ahead.

    Parameters
    ----------
    unary, place, width, lattice, ties, messages
        As in :func:`sweep_candidates`.
    out : (v,) int32 and (v,) float32
        Written: the candidate, and by how much the min-marginal of the best other exceeds its own, nats.
    """
    choice, gap = out
    v, k = unary.shape
    toll = np.empty((k, k), np.float32)
    cost = np.empty(k, np.float32)
    whole = np.empty(k, np.float32)
    for node in range(v):
        cost[:] = unary[node]
        for axis in range(3):
            behind = lattice.behind[axis, node]
            if behind >= 0:
                inverse = np.float32(1.0) / (ties.reach_hz[axis] + width[node] + width[behind])
                most = ties.most[axis, behind]
                _tolls(place[node], place[behind], inverse, most, ties.period_hz, toll)
                for i in range(k):
                    cost[i] += toll[i, choice[behind]]
            if lattice.ahead[axis, node] >= 0:
                for i in range(k):
                    cost[i] += messages[axis, node, i]
        best = np.argmin(cost)
        choice[node] = best
        _gather(unary[node], lattice, messages, node, whole)
        other = FAR
        for i in range(k):
            apart = abs(place[node, i] - place[node, best])
            if ties.period_hz > 0:
                apart = min(apart, abs(np.float32(ties.period_hz) - apart))
            if i != best and apart > np.float32(0.3) * ties.reach_hz[0]:
                other = min(other, whole[i])
        gap[node] = other - whole[best]
