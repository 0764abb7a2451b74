"""How sure the choice is: the evidence of a voxel, and of the piece of continuous field it is in."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.fatwater_choice import typical_energy
from myoproof.numerics.fatwater_messages import FAR, Graph

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

LEAST_BOUND = 0.3
"""Binding, 0-1, from which a voxel belongs to a piece."""
DARK_SHARE, DARK_SNR = 0.05, 4.0
"""A voxel is half bound at this share of the typical energy, or at this signal over noise."""
CONTINUOUS = 0.3
"""Neighbours of one piece differ in field by less than this share of the reach of ties."""
CLUMP = 8.0
"""Neighbouring voxels err alike: so many count as one witness."""
SLOPE = 0.8
"""Log odds per nat of evidence; 1 were the likelihood exact."""
MOST = 20.0
"""Nats beyond which nothing is gained."""


def binding(energy: Singles, variance: float, channels: int) -> Singles:
    """How far a voxel is bound to its piece: 0 where it is lost in noise or among bright neighbours, to 1."""
    dark = DARK_SHARE * typical_energy(energy) + DARK_SNR**2 * channels * variance
    return np.asarray(energy / (energy + np.float32(dark)), dtype=np.float32)


def confidence_of(graph: Graph, choice: Ints, bound: Singles) -> Singles:
    """Probability that the chosen candidate is not the exchange of water and fat.

    Parameters
    ----------
    graph : Graph
    choice : (v,) int32
    bound : (v,) float32
        See :func:`binding`.

    Returns
    -------
    (v,) float32
        Above 0. From the voxel's own evidence against its best other candidate, and as far as it is bound
        from the mean evidence of its piece times its witnesses. Checked on simulated scenes
        (``docs/fatwater.md``).
    """
    own = np.empty(choice.size, np.float32)
    _own_evidence(graph, choice, own)
    root = np.arange(choice.size)
    rows = np.arange(choice.size)
    reach = np.float32(CONTINUOUS * graph.ties.reach_hz[0])
    period = np.float32(graph.ties.period_hz if graph.ties.period_hz > 0 else FAR)
    field = np.ascontiguousarray(graph.place[rows, choice])
    _join(field, bound, graph.lattice.ahead, (float(reach), float(period)), root)
    told = np.where(bound >= LEAST_BOUND, own, 0).astype(np.float64)
    size = np.bincount(root, minlength=root.size)
    total = np.bincount(root, weights=told, minlength=root.size)
    piece = np.clip(total / CLUMP, -MOST, MOST)[root]
    alone = size[root] == 1
    support = np.where(alone, 0, piece * bound)
    odds = SLOPE * np.clip(own + support, -MOST, MOST)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float32)


@njit(cache=True, nogil=True)
def _own_evidence(graph: Graph, choice: Ints, out: Singles) -> None:
    """Write by how much (nats) the best other candidate costs more than the chosen one."""
    unary, place = graph.unary, graph.place
    apart = np.float32(CONTINUOUS) * graph.ties.reach_hz[0]
    period = np.float32(graph.ties.period_hz if graph.ties.period_hz > 0 else FAR)
    for v in range(unary.shape[0]):
        best = np.float32(MOST)
        here = choice[v]
        for i in range(unary.shape[1]):
            gap = abs(place[v, i] - place[v, here])
            gap = min(gap, abs(period - gap))
            if i != here and gap > apart:
                best = min(best, unary[v, i] - unary[v, here])
        out[v] = max(best, np.float32(-MOST))


@njit(cache=True, nogil=True)
def _join(
    field: Singles, bound: Singles, ahead: Ints, how: tuple[float, float], root: npt.NDArray[np.int64]
) -> None:
    """Write the root of the piece of every voxel; how = (reach, period)."""
    reach, period = how
    for v in range(field.shape[0]):
        if bound[v] < LEAST_BOUND:
            continue
        for axis in range(3):
            other = ahead[axis, v]
            if other < 0 or bound[other] < LEAST_BOUND:
                continue
            gap = abs(field[v] - field[other])
            if min(gap, abs(period - gap)) > reach:
                continue
            a, b = _find(root, v), _find(root, other)
            if a < b:
                root[b] = a
            elif b < a:
                root[a] = b
    for v in range(field.shape[0]):
        root[v] = _find(root, v)


@njit(cache=True, nogil=True)
def _find(root: npt.NDArray[np.int64], v: int) -> int:
    """Root of a voxel; the path is halved on the way."""
    while root[v] != v:
        root[v] = root[root[v]]
        v = root[v]
    return v
