"""Complex echoes to maps: sign, bipolar phase, candidates, choice, fit, fat fraction, confidence."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.numerics.fatwater_bipolar import alternation, smooth_factor
from myoproof.numerics.fatwater_choice import brightness, choose, evidence, make_ties
from myoproof.numerics.fatwater_confidence import binding, confidence_of
from myoproof.numerics.fatwater_curves import empty_candidates, scan
from myoproof.numerics.fatwater_messages import CANDIDATES, make_lattice
from myoproof.numerics.fatwater_model import (
    MAIN_PEAK_PPM,
    R2STAR_SPREAD,
    R2STAR_TYPICAL,
    Protocol,
    make_grid,
)
from myoproof.numerics.fatwater_noise import model_error, residual_variance
from myoproof.numerics.fatwater_refine import Model, fractions, polish, refine
from myoproof.numerics.fatwater_survey import evaluate, find_signs, find_turn, take_sample
from myoproof.numerics.fatwater_types import FatWaterParams, Progress, Workers
from myoproof.numerics.fatwater_unwrap import unwrap

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex64]

TOLERANCE = 0.03
"""Model error that the search for candidates allows for, share of the signal."""
HOPELESS = 2000.0
"""Candidates that cost so much more (nats) than the best on the grid are not moved."""
FEW_ECHOES_R2STAR = (40.0, 60.0)
"""Mean and SD of the prior of R2* (1/s) of three echoes or fewer, before the mean moves."""
NEAR_VOXELS = 1.0
"""SD, in voxels within the slice, of the neighbourhood whose R2* is that prior's mean."""
COMMON_PHASE = 0.2
"""Greatest unexplained SD (rad) of the phase between water and fat at which the phase is kept."""
POLISHINGS = 3
"""How often the smooth phase of bipolar readouts is improved by the fit's residual."""
BRIGHT = 4e5
"""Voxels that the bipolar phase is improved from, at most."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be separated.

    Parameters
    ----------
    index : (v,) int64
        Flat indices of the foreground in a volume of ``shape``.
    shape : (x, y, z)
    protocol : Protocol
    params : FatWaterParams
    variance : float
        Noise variance of a real channel as air tells it; 0 where unknown.
    """

    index: npt.NDArray[np.int64]
    shape: tuple[int, ...]
    protocol: Protocol
    params: FatWaterParams
    variance: float

    @property
    def place(self) -> npt.NDArray[np.int64]:
        """Voxel indices (v, 3)."""
        return np.stack(np.unravel_index(self.index, self.shape), axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Solved:
    """Foreground voxels solved; arrays of length v, as in the result of the separation."""

    water: Complexes
    fat: Complexes
    shares: Singles
    field: Singles
    r2star: Singles
    confidence: Singles
    signs: Singles
    variance: float
    error: float
    phase_kept: bool
    bipolar_rad: float
    notes: tuple[str, ...]


def solve(signals: Complexes, energy: Singles, task: Task, each: Workers, progress: Progress) -> Solved:
    """Separate the foreground.

    Parameters
    ----------
    signals : (v, n) complex64
        Changed in place: conjugated where precession runs the other way, bipolar phase taken out.
    energy : (v,) float32
    task : Task
    each : Workers
    progress : callable

    Returns
    -------
    Solved
    """
    signs = _turn_signs(signals, energy, task)
    plane = _turn_bipolar(signals, energy, task)
    progress("candidates", 0.1)
    variance = task.variance
    channels = 2 * signals.shape[1]
    spread = (variance + TOLERANCE**2 * energy / channels + 1e-20).astype(np.float32)
    found = _candidates(signals, spread, task, each)
    progress("choice", 0.4)
    lattice = make_lattice(task.index, task.shape)
    bright = brightness(energy, variance, channels)
    ties = make_ties(lattice, bright, task.protocol, task.params.slice_axis)
    unary = evidence(found, spread, energy, variance, channels)
    choice, graph = choose(found, unary, lattice, ties, each)
    trust = confidence_of(graph, choice, binding(energy, variance, channels))
    progress("fit", 0.7)
    rows = np.arange(choice.size)
    start = (found[0][rows, choice], found[3][rows, choice])
    del found, unary, graph
    model, hold = _model(task, choice.size)
    fitted = np.zeros((choice.size, 7), np.float32)
    each(lambda bounds: refine(signals, model, start, spread, hold, fitted, bounds), choice.size)
    turned = 0.0
    if plane is not None:
        left = _improve_bipolar(signals, energy, fitted, (model, hold, spread), task, each)
        turned = float(np.sqrt(np.mean((evaluate(plane, task.place.astype(np.float64)) + left.imag) ** 2)))
    if hold.any():
        hold = _local_decay(signals, fitted, (model, hold, spread), task, each)
        start = (fitted[:, 4].copy(), fitted[:, 5].copy())
        each(_fitting(signals, model, start, spread, hold, fitted), choice.size)
    done = _finish(signals, energy, fitted, (model, hold), task, each)
    field = unwrap(fitted[:, 4], energy, lattice, task.protocol.period_hz)
    return replace(done, field=field, confidence=trust, signs=signs, bipolar_rad=turned)


def _turn_signs(signals: Complexes, energy: Singles, task: Task) -> Singles:
    """Find the precession of every slice and conjugate those that run the other way."""
    axis = task.params.slice_axis
    count = task.shape[axis]
    if task.params.precession_sign:
        signs = np.full(count, task.params.precession_sign, np.float32)
    else:
        sample = take_sample(signals, energy, task.place, task.variance, axis)
        signs = find_signs(sample, task.protocol, count, axis, task.params.precession_hint)
    if (signs < 0).all():
        np.conjugate(signals, out=signals)
    elif (signs < 0).any():
        other = signs[task.place[:, axis]] < 0
        signals[other] = np.conjugate(signals[other])
    return signs


def _turn_bipolar(signals: Complexes, energy: Singles, task: Task) -> Doubles | None:
    """Take the plane of bipolar phase out of the signals; None where there is none to take."""
    if task.params.bipolar is False or signals.shape[1] < 4 or energy.size == 0:
        return None
    sample = take_sample(signals, energy, task.place, task.variance, task.params.slice_axis)
    plane = find_turn(sample, task.protocol, task.shape, told=bool(task.params.bipolar))
    if not plane.any():
        return plane if task.params.bipolar else None
    turn = np.exp(-1j * evaluate(plane, task.place.astype(np.float64))).astype(np.complex64)
    signals[:, 0::2] *= turn[:, None]
    signals[:, 1::2] *= np.conj(turn)[:, None]
    return plane


def _candidates(
    signals: Complexes, spread: Singles, task: Task, each: Workers
) -> tuple[Singles, Singles, Singles, Singles]:
    """Candidate fields of every voxel, moved into their minima."""
    grid = make_grid(task.protocol)
    found = empty_candidates(signals.shape[0], CANDIDATES)
    times = task.protocol.echo_times_s
    high = task.params.r2star_bounds[1]
    near = Model(
        times, task.protocol.even_s, task.protocol.fat, 0.0, high, 0.2 / float(times[-1] - times[0]), 5
    )
    prior = (R2STAR_TYPICAL, R2STAR_SPREAD**-2)
    reach = 0.25 * MAIN_PEAK_PPM * task.protocol.larmor_hz_per_ppm

    def search(bounds: tuple[int, int]) -> None:
        scan(grid, signals, spread, found, bounds)
        polish(signals, near, spread, prior, found, (reach, HOPELESS), bounds)

    each(search, signals.shape[0])
    return found


def _model(task: Task, count: int) -> tuple[Model, Singles]:
    times = task.protocol.echo_times_s
    low, high = task.params.r2star_bounds
    model = Model(
        times, task.protocol.even_s, task.protocol.fat, low, high, 0.2 / float(times[-1] - times[0]), 12
    )
    hold = np.zeros((count, 2), np.float32)
    if times.size <= 3:
        hold[:] = FEW_ECHOES_R2STAR[0], FEW_ECHOES_R2STAR[1] ** -2
    return model, hold


def _local_decay(
    signals: Complexes, fitted: Singles, parts: tuple[Model, Singles, Singles], task: Task, each: Workers
) -> Singles:
    """Prior of R2* of each voxel from what its neighbours' echoes say of theirs (empirical Bayes).

    Three echoes tell little of the decay of one voxel, but something of that of a neighbourhood: a prior of
    one mean for all would pull fast decay back and, with it, shift the fat fraction.
    """
    model, hold, spread = parts
    shares = np.zeros((fitted.shape[0], 3), np.float32)
    turn = np.ones(fitted.shape[0], np.complex64)
    each(lambda bounds: fractions(signals, model, fitted, (turn, spread, hold), shares, bounds), turn.size)
    mean, prior = hold[:, 0], hold[:, 1]
    told = np.maximum(1 / np.maximum(shares[:, 2], 1e-3) ** 2 - prior, 0.0)
    around = [NEAR_VOXELS] * 3
    around[task.params.slice_axis] = 0.0

    def gathered(values: Singles) -> Singles:
        dense = np.zeros(task.shape, np.float32)
        dense.reshape(-1)[task.index] = values
        smooth = ndimage.gaussian_filter(dense, around, mode="constant", truncate=2.0)
        return np.asarray(smooth.reshape(-1)[task.index] * 2 * np.pi * NEAR_VOXELS**2, np.float32)

    free = fitted[:, 5] * (told + prior) - mean * prior
    near = (gathered(free) + mean * prior) / (gathered(told) + prior)
    return np.stack([near, prior], axis=1).astype(np.float32)


def _improve_bipolar(
    signals: Complexes,
    energy: Singles,
    fitted: Singles,
    parts: tuple[Model, Singles, Singles],
    task: Task,
    each: Workers,
) -> npt.NDArray[np.complex128]:
    """Take the smooth factor that the fit leaves between odd and even echoes out, refitting each time."""
    model, hold, spread = parts
    place = task.place.astype(np.float64)
    total = np.zeros(energy.size, np.complex128)
    bright = np.flatnonzero(energy >= np.median(energy))
    bright = bright[:: max(1, int(bright.size // BRIGHT))]
    step = np.empty(bright.size, np.complex64)
    weight = np.empty(bright.size, np.float32)
    for _ in range(POLISHINGS):
        alternation(np.ascontiguousarray(signals[bright]), model, fitted[bright], step, weight)
        factor = smooth_factor(step, weight, place[bright], place)
        total += factor
        signals[:, 0::2] *= np.exp(-factor)[:, None].astype(np.complex64)
        signals[:, 1::2] *= np.exp(factor)[:, None].astype(np.complex64)
        start = (fitted[:, 4].copy(), fitted[:, 5].copy())
        each(_fitting(signals, model, start, spread, hold, fitted), energy.size)
    return total


def _fitting(*parts: object) -> Callable[[tuple[int, int]], None]:
    return lambda bounds: refine(*parts, bounds)


def _finish(
    signals: Complexes,
    energy: Singles,
    fitted: Singles,
    parts: tuple[Model, Singles],
    task: Task,
    each: Workers,
) -> Solved:
    """Noise, model error, fat fraction and its precision."""
    model, hold = parts
    variance, channels = task.variance, 2 * signals.shape[1]
    freedom = channels - 6
    if variance == 0 and freedom > 0:
        variance = residual_variance(fitted[:, 6], energy, freedom)
    error = model_error(fitted[:, 6], energy, variance, freedom, channels)
    spread = (variance + error**2 * energy / channels + 1e-20).astype(np.float32)
    water = (fitted[:, 0] + 1j * fitted[:, 1]).astype(np.complex64)
    fat = (fitted[:, 2] + 1j * fitted[:, 3]).astype(np.complex64)
    offset = complex(np.sum(np.conj(water) * fat))
    turn = np.full(energy.size, np.conj(offset) / max(abs(offset), 1e-30), np.complex64)
    shares = np.zeros((energy.size, 3), np.float32)
    each(lambda bounds: fractions(signals, model, fitted, (turn, spread, hold), shares, bounds), energy.size)
    kept = task.params.pdff == "phase"
    if task.params.pdff == "auto":
        kept = _phase_excess(water, fat, shares) <= COMMON_PHASE
    notes: tuple[str, ...] = ()
    if not kept:
        shares[:, 0] = np.abs(fat) / np.maximum(np.abs(fat) + np.abs(water), 1e-30)
        if task.params.pdff == "auto":
            notes = ("water and fat have no common phase: fat fractions are of magnitudes, lifted by noise",)
    zero = np.zeros(energy.size, np.float32)
    return Solved(water, fat, shares, zero, fitted[:, 5], zero, zero, variance, error, kept, 0.0, notes)


def _phase_excess(water: Complexes, fat: Complexes, shares: Singles) -> float:
    """SD (rad) of the phase between water and fat of mixed voxels that noise does not explain."""
    size = np.abs(water) + np.abs(fat)
    part = np.abs(fat) / np.maximum(size, 1e-30)
    expected = shares[:, 1] / np.maximum(part * (1 - part), 1e-6)
    mixed = expected < 0.2
    if mixed.sum() < 200:
        return 0.0
    turn = np.exp(1j * np.angle(np.conj(water[mixed]) * fat[mixed]))
    angle = np.angle(turn * np.conj(turn.mean()))
    found = 1.4826 * float(np.median(np.abs(angle)))
    return float(np.sqrt(max(found**2 - float(np.median(expected[mixed] ** 2)), 0.0)))
