"""Sequential tree-reweighted message passing on a voxel lattice: the best candidate of every voxel."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

Triple = tuple[float, float, float]

FAR = np.float32(1e9)
ONE: Any = np.float32(1.0)
CANDIDATES = 3
"""Candidates of a node; loops over them are unrolled."""


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


class Graph(NamedTuple):
    """What messages are passed over.

    Parameters
    ----------
    unary, place : (v, 3) float32
        Cost (nats) and field (Hz, within half a period of 0 where there is one) of each candidate.
    width : (v,) float32
        SD of the field of a node, Hz.
    lattice : Lattice
    ties : Ties
    """

    unary: Singles
    place: Singles
    width: Singles
    lattice: Lattice
    ties: Ties


def make_lattice(index: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Lattice:
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
def _gather(unary: Singles, ahead: Ints, behind: Ints, messages: Singles, node: int) -> Triple:
    """Unary cost plus all incoming messages of a node."""
    a, b, c = unary[node, 0], unary[node, 1], unary[node, 2]
    for axis in range(3):
        near = behind[axis, node]
        if near >= 0:
            a += messages[axis, near, 0]
            b += messages[axis, near, 1]
            c += messages[axis, near, 2]
        if ahead[axis, node] >= 0:
            a += messages[axis, node, 0]
            b += messages[axis, node, 1]
            c += messages[axis, node, 2]
    return a, b, c


@njit(cache=True, nogil=True, fastmath=True)
def _toll(one: float, other: float, inverse: float, most: float, period: float) -> float:
    """Cost of two fields beside each other; a period far beyond all fields stands for none."""
    gap = abs(one - other)
    gap = min(gap, abs(period - gap)) * inverse
    share: float = np.float32(1.0)  # type: ignore[assignment]  # single precision in the kernel
    return most * min(share, gap * gap)


@njit(cache=True, nogil=True, fastmath=True)
def _renewed(given: Triple, here: Triple, there: float, tie: Triple) -> float:
    """Least cost of one candidate of the target; tie = (inverse reach, greatest cost, period)."""
    first: float = given[0] + _toll(here[0], there, tie[0], tie[1], tie[2])
    second: float = given[1] + _toll(here[1], there, tie[0], tie[1], tie[2])
    third: float = given[2] + _toll(here[2], there, tie[0], tie[1], tie[2])
    return min(first, second, third)


@njit(cache=True, nogil=True, fastmath=True)
def sweep(graph: Graph, messages: Singles, run: tuple[int, int, int, bool]) -> None:
    """Pass messages once through nodes run[0] to run[1], forward or backward.

    Parameters
    ----------
    graph : Graph
    messages : (3, v, 3) float32
        Rewritten: on the edge ahead of each node.
    run : (first, last + 1, limit, forward)
        With limit = last + 1 edges that leave the nodes rest. With a larger one, only the edges from these
        nodes to those from last + 1 up to the limit are renewed.

    References
    ----------
    Kolmogorov V. IEEE Trans Pattern Anal Mach Intell 2006;28:1568 (TRW-S).
    """
    unary, place, width = graph.unary, graph.place, graph.width
    ahead, behind, shares = graph.lattice.ahead, graph.lattice.behind, graph.lattice.share
    mosts, reach = graph.ties.most, graph.ties.reach_hz
    period = np.float32(graph.ties.period_hz if graph.ties.period_hz > 0 else FAR)
    first, last, limit, forward = run
    between = limit > last
    for step in range(last - first):
        here = first + step if forward else last - 1 - step
        if between and max(ahead[0, here], ahead[1, here], ahead[2, here]) < last:
            continue
        total = _gather(unary, ahead, behind, messages, here)
        for axis in range(3):
            other = ahead[axis, here] if forward or between else behind[axis, here]
            if between:
                if other < last or other >= limit:
                    continue
            elif other < first or other >= last:
                continue
            near = here if forward or between else other
            node, target = (here, other) if forward or not between else (other, here)
            given = total
            if node != here:
                given = _gather(unary, ahead, behind, messages, node)
            share = shares[node]
            given = (
                share * given[0] - messages[axis, near, 0],
                share * given[1] - messages[axis, near, 1],
                share * given[2] - messages[axis, near, 2],
            )
            tie = (
                np.float32(1.0) / (reach[axis] + width[node] + width[target]),
                mosts[axis, near],
                period,
            )
            fields = (place[node, 0], place[node, 1], place[node, 2])
            a = _renewed(given, fields, place[target, 0], tie)
            b = _renewed(given, fields, place[target, 1], tie)
            c = _renewed(given, fields, place[target, 2], tie)
            least = min(a, b, c)
            messages[axis, near, 0] = a - least
            messages[axis, near, 1] = b - least
            messages[axis, near, 2] = c - least


@njit(cache=True, nogil=True)
def decide(graph: Graph, messages: Singles, choice: Ints) -> None:
    """Label nodes in raster order, each the best given those before it and the messages from ahead.

    Parameters
    ----------
    graph : Graph
    messages : (3, v, 3) float32
    choice : (v,) int32
        Written: the candidate.
    """
    lattice, ties, place, unary = graph.lattice, graph.ties, graph.place, graph.unary
    period = np.float32(ties.period_hz if ties.period_hz > 0 else FAR)
    cost = np.empty(CANDIDATES, np.float32)
    for node in range(unary.shape[0]):
        cost[:] = unary[node]
        for axis in range(3):
            behind = lattice.behind[axis, node]
            if behind >= 0:
                inverse = np.float32(1.0) / (ties.reach_hz[axis] + graph.width[node] + graph.width[behind])
                most, there = ties.most[axis, behind], place[behind, choice[behind]]
                for i in range(CANDIDATES):
                    cost[i] += _toll(place[node, i], there, inverse, most, period)
            if lattice.ahead[axis, node] >= 0:
                for i in range(CANDIDATES):
                    cost[i] += messages[axis, node, i]
        choice[node] = np.argmin(cost)
