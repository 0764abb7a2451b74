"""A peer for the fat-water bench: plain VARPRO on a grid and QPBO of two minima, elsewhere installed.

Run by the interpreter that MYOPROOF_PEER_PYTHON names (with numpy and thinqpbo), never by the product.
Reads echoes.npy, writes fraction.npy, prints seconds.
"""

import sys
import time
from pathlib import Path

import numpy as np
import thinqpbo

PEAKS_PPM = np.array([-3.80, -3.40, -2.60, -1.94, -0.39, 0.60])
SHARES = np.array([0.087, 0.693, 0.128, 0.004, 0.039, 0.048])
FIELDS, RATES = 96, (0.0, 30.0, 60.0, 120.0, 240.0)
WEIGHT = 1e-3


def solve_slice(values, times, tesla):
    """Fat fraction of one slice (x, y, echo)."""
    fat = np.exp(2j * np.pi * np.outer(times, PEAKS_PPM * 42.577 * tesla)) @ (SHARES / SHARES.sum())
    period = 1 / (times[1] - times[0])
    grid = (np.arange(FIELDS) / FIELDS - 0.5) * period
    signal = values.reshape(-1, times.size)
    tissue = np.flatnonzero((np.abs(signal) ** 2).sum(1) > 0.02 * (np.abs(signal) ** 2).sum(1).max())
    some = signal[tissue]
    left = np.full((tissue.size, FIELDS), np.inf, np.float32)
    for rate in RATES:
        for place, field in enumerate(grid):
            basis = (
                np.stack([np.ones_like(fat), fat], 1) * np.exp((2j * np.pi * field - rate) * times)[:, None]
            )
            ortho = np.linalg.qr(basis)[0]
            rest = (np.abs(some) ** 2).sum(1) - (np.abs(some @ ortho.conj()) ** 2).sum(1)
            left[:, place] = np.minimum(left[:, place], rest)
    minima = (left < np.roll(left, 1, 1)) & (left <= np.roll(left, -1, 1))
    order = np.argsort(np.where(minima, left, np.inf), 1)[:, :2]
    cost = np.take_along_axis(left, order, 1)
    place = grid[order]
    graph = thinqpbo.QPBOFloat(tissue.size, 4 * tissue.size)
    graph.add_node(tissue.size)
    number = np.full(signal.shape[0], -1)
    number[tissue] = np.arange(tissue.size)
    number = number.reshape(values.shape[:2])
    for node in range(tissue.size):
        graph.add_unary_term(node, float(cost[node, 0]), float(cost[node, 1]))
    for one, other in ((number[:-1], number[1:]), (number[:, :-1], number[:, 1:])):
        for p, q in zip(one[(one >= 0) & (other >= 0)], other[(one >= 0) & (other >= 0)], strict=True):
            gap = np.abs(place[p][:, None] - place[q][None])
            gap = np.minimum(gap, period - gap) ** 2 * WEIGHT * min(cost[p].max(), cost[q].max())
            graph.add_pairwise_term(int(p), int(q), *(float(part) for part in gap.ravel()))
    graph.solve()
    graph.compute_weak_persistencies()
    label = np.array([max(graph.get_label(node), 0) for node in range(tissue.size)])
    chosen = place[np.arange(tissue.size), label]
    fraction = np.zeros(signal.shape[0], np.float32)
    for node, voxel in enumerate(tissue):
        best = np.inf
        for rate in RATES:
            basis = (
                np.stack([np.ones_like(fat), fat], 1)
                * np.exp((2j * np.pi * chosen[node] - rate) * times)[:, None]
            )
            parts = np.linalg.lstsq(basis, signal[voxel], rcond=None)[0]
            rest = (np.abs(signal[voxel] - basis @ parts) ** 2).sum()
            if rest < best:
                best = rest
                fraction[voxel] = np.abs(parts[1]) / np.abs(parts).sum()
    return fraction.reshape(values.shape[:2])


def main() -> None:
    """Solve echoes.npy (x, y, z, echo) of a folder slice by slice."""
    folder = Path(sys.argv[1])
    values, times = np.load(folder / "echoes.npy"), np.load(folder / "times.npy")
    start = time.perf_counter()
    out = np.stack(
        [solve_slice(values[:, :, z], times, float(sys.argv[2])) for z in range(values.shape[2])], 2
    )
    print(time.perf_counter() - start)
    np.save(folder / "fraction.npy", out)


if __name__ == "__main__":
    main()
