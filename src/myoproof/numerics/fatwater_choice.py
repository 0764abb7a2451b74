"""The choice among candidate fields: evidence of voxels, ties of neighbours, messages, confidence."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from myoproof.numerics.fatwater_curves import NEVER
from myoproof.numerics.fatwater_messages import Graph, Lattice, Ties, decide, sweep
from myoproof.numerics.fatwater_model import MAIN_PEAK_PPM, R2STAR_SPREAD, R2STAR_TYPICAL, Protocol
from myoproof.numerics.fatwater_types import Workers

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Candidates = tuple[Singles, Singles, Singles, Singles]

MODEL_ERROR = 0.02
"""Model error below which residuals are taken as exact, share of own and of typical signal."""
GREATEST_EVIDENCE = 20.0
"""No voxel speaks louder than this for one candidate over another, nats."""
LEAST_TIE, GREATEST_TIE = 1.0, 1000.0
"""Greatest cost of an edge: the first between dark voxels, the sum between bright ones, nats."""
DARK = 0.05
"""Noise over signal at which a voxel counts as half dark."""
REACH = 0.35
"""Field difference at which that cost is reached, as a share of the fat-water shift."""
ACROSS_SLICES = 0.2
"""Ties between slices, which lie further apart, over those within."""
MOST_ROUNDS, LOOK, STILL = 160, 6, 1e-5
"""Sweeps there and back, at most; every LOOK the labels are compared, and when fewer change it ends."""
SLAB = 65536
"""Nodes that messages run through in one go; slabs run side by side, the answer is the same."""


def typical_energy(energy: Singles) -> float:
    """Median energy of voxels that are not dark."""
    if energy.size == 0:
        return 1.0
    return float(np.median(energy[energy > 0.1 * np.quantile(energy, 0.9)]))


def evidence(found: Candidates, spread: Singles, energy: Singles, variance: float, channels: int) -> Singles:
    """Cost of each candidate: minus log likelihood with a variance that the voxel itself may inflate.

    Parameters
    ----------
    found : Candidates
        Their second part holds half the residual over ``spread`` plus the prior of R2*.
    spread, energy : (v,) float32
    variance : float
        Noise variance of a real channel.
    channels : int
        Real channels of a voxel.

    Returns
    -------
    (v, k) float32
        At least 0 for the best; the log of Student's t, so that a voxel no candidate fits says little.
    """
    prior = 0.5 * ((found[3] - np.float32(R2STAR_TYPICAL)) / np.float32(R2STAR_SPREAD)) ** 2
    residual = np.maximum(found[1] - prior, 0) * (2 * spread[:, None])
    floor = variance + MODEL_ERROR**2 * (energy + typical_energy(energy)) / channels
    cost = 0.5 * channels * np.log1p(residual / (channels * floor[:, None])) + prior
    cost -= np.where(found[1] < NEVER, cost, NEVER).min(axis=1, keepdims=True)
    cost = np.minimum(cost, np.float32(GREATEST_EVIDENCE))
    return np.where(found[1] < NEVER, cost, NEVER).astype(np.float32)


def brightness(energy: Singles, variance: float, channels: int) -> Singles:
    """0 for dark to 1 for bright voxels: the square of energy over energy plus what is typical."""
    dark = typical_energy(energy) + channels * variance / DARK**2
    return np.asarray((energy / (energy + np.float32(dark))) ** 2, dtype=np.float32)


def make_ties(lattice: Lattice, bright: Singles, protocol: Protocol, slice_axis: int) -> Ties:
    """Ties that are strong between bright voxels and weak through dark ones, where fields may jump."""
    most = np.zeros(lattice.ahead.shape, np.float32)
    for axis in range(3):
        ahead = lattice.ahead[axis]
        pair = np.minimum(bright, bright[ahead])
        factor = ACROSS_SLICES if axis == slice_axis else 1.0
        most[axis] = np.where(ahead >= 0, factor * (LEAST_TIE + GREATEST_TIE * pair), 0)
    reach = np.full(3, REACH * MAIN_PEAK_PPM * protocol.larmor_hz_per_ppm, np.float32)
    return Ties(most, reach, protocol.period_hz if protocol.circular else 0.0)


def choose(
    found: Candidates, unary: Singles, lattice: Lattice, ties: Ties, each: Workers
) -> tuple[Ints, Graph]:
    """Best candidate of every voxel.

    Parameters
    ----------
    found : Candidates
    unary : (v, k) float32
    lattice : Lattice
    ties : Ties
    each : Workers

    Returns
    -------
    choice : (v,) int32
    graph : Graph
        What was decided upon.
    """
    count = unary.shape[0]
    place = found[0]
    if ties.period_hz > 0:
        period = np.float32(ties.period_hz)
        place = np.asarray(place - period * np.round(place / period), dtype=np.float32)
    rows = np.arange(count)
    width = np.minimum(found[2][rows, unary.argmin(axis=1)], 0.25 * ties.reach_hz[0])
    graph = Graph(unary, np.ascontiguousarray(place), width.astype(np.float32), lattice, ties)
    messages = np.zeros((3, *unary.shape), np.float32)
    choice = np.zeros(count, np.int32)
    for turn in range(MOST_ROUNDS):
        for forward in (True, False):
            each(_passing(graph, messages, forward), count, SLAB)
            for first in range(0, count, SLAB):
                sweep(graph, messages, (first, min(first + SLAB, count), count + 1, forward))
        if turn % LOOK == LOOK - 1:
            before = choice.copy()
            decide(graph, messages, choice)
            if turn > LOOK and np.count_nonzero(before != choice) <= STILL * count:
                break
    return choice, graph


def _passing(graph: Graph, messages: Singles, forward: bool) -> Callable[[tuple[int, int]], None]:
    return lambda bounds: sweep(graph, messages, (*bounds, bounds[1], forward))
