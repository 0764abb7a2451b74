"""Fields beyond their period: whole periods added voxel by voxel, most reliable neighbours first."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.fatwater_messages import Lattice

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def unwrap(field: Singles, energy: Singles, lattice: Lattice, period: float) -> Singles:
    """Field without jumps of a period between neighbours.

    Parameters
    ----------
    field : (v,) float32
        Hz.
    energy : (v,) float32
        Brighter voxels are joined first.
    lattice : Lattice
    period : float
        Hz; 0 leaves the field as it is.

    Returns
    -------
    (v,) float32
        Each connected piece is set so that its median lies nearest to 0.

    References
    ----------
    Herraez MA et al. Appl Opt 2002;41:7437 (sorting by reliability).
    """
    if period <= 0 or field.size == 0:
        return field
    base = field - np.float32(period) * np.round(field / np.float32(period))
    jumps = [
        np.flatnonzero((ahead >= 0) & (np.abs(base - base[ahead]) > 0.5 * period)) for ahead in lattice.ahead
    ]
    if sum(jump.size for jump in jumps) == 0:
        return np.asarray(base, dtype=np.float32)
    near = np.concatenate([np.flatnonzero(ahead >= 0) for ahead in lattice.ahead])
    far = np.concatenate([ahead[ahead >= 0] for ahead in lattice.ahead]).astype(np.int64)
    order = np.argsort(-np.minimum(energy[near], energy[far]), kind="stable")
    turns, root = _join(base, near[order], far[order], float(period))
    whole = base + np.float32(period) * turns.astype(np.float32)
    pieces = np.argsort(root, kind="stable")
    for piece in np.split(pieces, np.flatnonzero(np.diff(root[pieces])) + 1):
        whole[piece] -= np.float32(period) * np.round(np.median(whole[piece]) / np.float32(period))
    return np.asarray(whole, dtype=np.float32)


@njit(cache=True, nogil=True)
def _join(field: Singles, near: Ints, far: Ints, period: float) -> tuple[Ints, Ints]:
    """Union-find with the number of turns of each voxel against its root."""
    count = field.shape[0]
    parent = np.arange(count)
    turns = np.zeros(count, np.int64)
    size = np.ones(count, np.int64)
    for k in range(near.shape[0]):
        a, b = near[k], far[k]
        ra, ta = _root(parent, turns, a)
        rb, tb = _root(parent, turns, b)
        if ra == rb:
            continue
        step = int(np.round((field[a] + period * ta - field[b] - period * tb) / period))
        if size[ra] >= size[rb]:
            parent[rb], turns[rb] = ra, step
            size[ra] += size[rb]
        else:
            parent[ra], turns[ra] = rb, -step
            size[rb] += size[ra]
    root = np.empty(count, np.int64)
    total = np.empty(count, np.int64)
    for v in range(count):
        root[v], total[v] = _root(parent, turns, v)
    return total, root


@njit(cache=True, nogil=True)
def _root(parent: Ints, turns: Ints, v: int) -> tuple[int, int]:
    """Root of a voxel and its turns against it; paths are halved on the way."""
    total = 0
    while parent[v] != v:
        up = parent[v]
        if parent[up] != up:
            turns[v] += turns[up]
            parent[v] = parent[up]
            up = parent[v]
        total += turns[v]
        v = up
    return v, total
