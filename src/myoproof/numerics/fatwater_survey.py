"""A look at some bright voxels first: the sign of precession and the phase of bipolar readouts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.numerics.fatwater_choice import MODEL_ERROR
from myoproof.numerics.fatwater_curves import empty_candidates, scan
from myoproof.numerics.fatwater_model import (
    MAIN_PEAK_PPM,
    R2STAR_SPREAD,
    R2STAR_TYPICAL,
    Grid,
    Protocol,
    make_grid,
)
from myoproof.numerics.fatwater_refine import Model, polish

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex64]

PER_SLICE = 400
MOST = 6000
"""Voxels looked at, per slice and in all."""
CLUMP = 8.0
"""Neighbouring voxels say the same: as many count as one."""
SURE = 3.0
"""Evidence over its standard error from which the data decide."""
TURNS = 9
"""Phases between odd and even echoes that are tried."""
LEAST_TURN = 0.04
"""Phases below this (rad) are left to the fit."""
LEAST_GAIN = 0.15
"""Share of the cost that a phase must explain to be believed where no file tells of bipolar readouts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Bright voxels, evenly spread.

    Parameters
    ----------
    signals : (v, n) complex64
    place : (v, 3) int64
        Voxel indices.
    variance : float
        Noise variance of a real channel.
    """

    signals: Complexes
    place: npt.NDArray[np.int64]
    variance: float


def take_sample(
    signals: Complexes,
    energy: Singles,
    place: npt.NDArray[np.int64],
    variance: float,
    slice_axis: int,
) -> Sample:
    """Voxels brighter than the median of their slice, at most ``PER_SLICE`` of each and ``MOST`` in all."""
    kept = []
    order = np.argsort(place[:, slice_axis], kind="stable")
    edges = np.flatnonzero(np.diff(place[order, slice_axis])) + 1
    groups = [group for group in np.split(order, edges) if group.size]
    most = max(40, min(PER_SLICE, MOST // max(1, len(groups)))) if len(groups) > 4 else MOST // 4
    for group in groups:
        bright = np.sort(group[energy[group] >= np.median(energy[group])])
        kept.append(bright[:: max(1, bright.size // most)][:most])
    chosen = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    return Sample(np.ascontiguousarray(signals[chosen]), place[chosen], variance)


def least_cost(signals: Complexes, protocol: Protocol, grid: Grid, variance: float) -> Doubles:
    """Cost of the best fit of each voxel, nats; a variance that the voxel may inflate, as in the choice."""
    count, channels = signals.shape[0], 2 * signals.shape[1]
    energy = (signals.real**2 + signals.imag**2).sum(axis=1)
    floor = (variance + MODEL_ERROR**2 * 2 * energy / channels + 1e-20).astype(np.float32)
    found = empty_candidates(count, 2)
    scan(grid, signals, floor, found, (0, count))
    times = protocol.echo_times_s
    model = Model(times, protocol.even_s, protocol.fat, 0.0, 1500.0, 0.2 / float(times[-1] - times[0]), 6)
    reach = 0.25 * MAIN_PEAK_PPM * protocol.larmor_hz_per_ppm
    polish(signals, model, floor, (R2STAR_TYPICAL, R2STAR_SPREAD**-2), found, (reach, 1e5), (0, count))
    cost = found[1].min(axis=1)
    return np.asarray(0.5 * channels * np.log1p(2 * cost / channels), dtype=np.float64)


def find_signs(sample: Sample, protocol: Protocol, n_slices: int, slice_axis: int, hint: int) -> Singles:
    """Sign of precession of every slice.

    Parameters
    ----------
    sample : Sample
    protocol : Protocol
    n_slices : int
    slice_axis : {0, 1, 2}
    hint : {0, 1, -1}
        Decides where the data do not.

    Returns
    -------
    (n_slices,) float32 of +1 and -1
        One sign for all, but for slices that contradict it surely (GE alternates by slice).
    """
    if sample.signals.shape[0] == 0:
        return np.full(n_slices, hint or 1, np.float32)
    grid = make_grid(protocol)
    plus = least_cost(sample.signals, protocol, grid, sample.variance)
    minus = least_cost(np.conjugate(sample.signals), protocol, grid, sample.variance)
    speaks = minus - plus
    total, sure = _weigh(speaks)
    sign = 1 if total >= 0 else -1
    if hint and sure < SURE:
        sign = hint
    signs = np.full(n_slices, sign, np.float32)
    for place in range(n_slices):
        own = speaks[sample.place[:, slice_axis] == place]
        mean, certain = _weigh(own)
        if own.size >= 40 and mean * sign < 0 and certain > SURE and abs(mean) > 0.3 * abs(total):
            signs[place] = -sign
    return signs


def _weigh(speaks: Doubles) -> tuple[float, float]:
    """Mean of what voxels say, and its size over the standard error."""
    if speaks.size < 2:
        return 0.0, 0.0
    mean = float(np.mean(speaks))
    error = float(np.std(speaks)) / np.sqrt(max(speaks.size / CLUMP, 1.0))
    return mean, abs(mean) / max(error, 1e-12)


def find_turn(sample: Sample, protocol: Protocol, shape: tuple[int, ...], *, told: bool = False) -> Doubles:
    """Phase by which bipolar readouts turn even and odd echoes apart, as a plane over the volume.

    Parameters
    ----------
    sample : Sample
        Of the right sign of precession.
    protocol : Protocol
    shape : (x, y, z)
    told : bool
        Whether a file tells that readouts alternate; else a small phase is not believed.

    Returns
    -------
    (4,) float64
        Constant (rad) and slopes (rad per voxel); echo n is turned by (-1)^n of it. All zero where the data
        show none. Defined to a quarter turn: half a turn between echoes is a field.
    """
    none = np.zeros(4)
    if sample.signals.shape[1] < 4 or sample.signals.shape[0] < 50:
        return none
    grid = make_grid(protocol)
    flips = (-1.0) ** np.arange(sample.signals.shape[1])
    turns = np.linspace(-np.pi / 4, np.pi / 4, TURNS, endpoint=False)
    some = slice(None, None, max(1, sample.signals.shape[0] // 2000))
    signals, place = sample.signals[some], sample.place[some].astype(np.float64)
    costs = np.stack(
        [
            least_cost(
                (signals * np.exp(-1j * turn * flips)).astype(np.complex64), protocol, grid, sample.variance
            )
            for turn in turns
        ]
    )
    wave = (np.exp(4j * turns)[:, None] * -(costs - costs.mean(axis=0))).sum(axis=0)
    plane = _plane(wave, place, shape)
    size = float(np.sqrt(np.mean(evaluate(plane, place) ** 2)))
    if size <= LEAST_TURN or told:
        return plane if told else none
    turn = np.exp(-1j * evaluate(plane, place)[:, None] * flips)
    before = least_cost(signals, protocol, grid, sample.variance).mean()
    after = least_cost((signals * turn).astype(np.complex64), protocol, grid, sample.variance).mean()
    return plane if after < (1 - LEAST_GAIN) * before else none


def _plane(wave: npt.NDArray[np.complex128], place: Doubles, shape: tuple[int, ...]) -> Doubles:
    """Plane of phase / 4 that lines up the waves best: slopes by search along each axis in turn."""
    plane = np.zeros(4)
    left = wave.copy()
    for axis in range(3):
        if shape[axis] < 8:
            continue
        slopes = np.linspace(-2 * np.pi, 2 * np.pi, 129) / shape[axis]
        score = [abs((left * np.exp(-1j * slope * place[:, axis])).sum()) for slope in slopes]
        slope = float(slopes[int(np.argmax(score))])
        left = left * np.exp(-1j * slope * place[:, axis])
        plane[1 + axis] = slope / 4
    plane[0] = float(np.angle(left.sum())) / 4
    return plane


def evaluate(plane: Doubles, place: Doubles) -> Doubles:
    """The plane at voxel indices (v, 3)."""
    return np.asarray(plane[0] + place @ plane[1:], dtype=np.float64)
