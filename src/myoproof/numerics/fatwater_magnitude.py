"""Magnitude echoes to water, fat and R2*: two fits per voxel, water or fat the larger, and the choice."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.fatwater_choice import choose
from myoproof.numerics.fatwater_confidence import binding, confidence_of
from myoproof.numerics.fatwater_messages import Ties, make_lattice
from myoproof.numerics.fatwater_noise import residual_variance
from myoproof.numerics.fatwater_solve import FEW_ECHOES_R2STAR, Solved, Task
from myoproof.numerics.fatwater_types import Progress, Workers

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

ENOUGH_ECHOES = 5
"""From this many echoes on the spectrum of fat tells which species is the larger."""
MODEL_ERROR = 0.01
"""Error of magnitudes that the choice allows for, share of the signal."""
PLACE = 1000.0
"""Units of fat fraction in which neighbours are compared."""
TIE, REACH = 1.5, 300.0
"""Cost (nats) of a jump of this much in fat fraction between neighbours, at most."""
ITERATIONS = 25


@njit(cache=True, nogil=True, fastmath=True)
def _equations(
    signal: Singles,
    times: Doubles,
    fat: npt.NDArray[np.complex128],
    floor: float,
    x: Doubles,
    normal: Doubles,
) -> float:
    """Fill the 3 x 4 normal equations (right side last) of water, fat and R2*; give the residual."""
    normal[:] = 0.0
    residual = 0.0
    row = np.empty(3)
    for e in range(signal.shape[0]):
        d2 = np.exp(-2.0 * x[2] * times[e])
        re = x[0] + x[1] * fat[e].real
        im = x[1] * fat[e].imag
        power = (re * re + im * im) * d2
        mean = np.sqrt(power + floor) + 1e-12
        row[0] = re * d2 / mean
        row[1] = (re * fat[e].real + im * fat[e].imag) * d2 / mean
        row[2] = -times[e] * power / mean
        rest = signal[e] - mean
        residual += rest * rest
        for i in range(3):
            normal[i, 3] += row[i] * rest
            for j in range(3):
                normal[i, j] += row[i] * row[j]
    return residual


@njit(cache=True, nogil=True, fastmath=True)
def _solve3(a: Doubles, damping: float, step: Doubles) -> bool:
    """Solve the damped 3 x 4 system; False where it is singular."""
    a00, a11, a22 = a[0, 0] * (1 + damping), a[1, 1] * (1 + damping), a[2, 2] * (1 + damping)
    a01, a02, a12 = a[0, 1], a[0, 2], a[1, 2]
    c00, c01, c02 = a11 * a22 - a12 * a12, a02 * a12 - a01 * a22, a01 * a12 - a02 * a11
    det = a00 * c00 + a01 * c01 + a02 * c02
    if not abs(det) > 1e-14 * abs(a00 * a11 * a22):
        return False
    c11, c12, c22 = a00 * a22 - a02 * a02, a01 * a02 - a00 * a12, a00 * a11 - a01 * a01
    b0, b1, b2 = a[0, 3], a[1, 3], a[2, 3]
    step[0] = (c00 * b0 + c01 * b1 + c02 * b2) / det
    step[1] = (c01 * b0 + c11 * b1 + c12 * b2) / det
    step[2] = (c02 * b0 + c12 * b1 + c22 * b2) / det
    return True


@njit(cache=True, nogil=True, fastmath=True)
def _descend(
    signal: Singles,
    times: Doubles,
    fat: npt.NDArray[np.complex128],
    how: tuple[float, float, float],
    x: Doubles,
    normal: Doubles,
) -> float:
    """Improve water, fat and R2* from `x`; how = (noise variance, mean and precision of R2*)."""
    noise, middle, precision = how
    trial = np.empty(3)
    step = np.empty(3)
    pull = precision * noise
    cost = _equations(signal, times, fat, noise, x, normal) + pull * (x[2] - middle) ** 2
    damping = 1e-3
    for _ in range(ITERATIONS):
        normal[2, 2] += pull
        normal[2, 3] += pull * (middle - x[2])
        if _solve3(normal, damping, step):
            for i in range(3):
                trial[i] = x[i] + step[i]
            trial[2] = min(max(trial[2], -20.0), 1000.0)
            now = _equations(signal, times, fat, noise, trial, normal) + pull * (trial[2] - middle) ** 2
        else:
            now = cost + 1.0
        if now <= cost:
            done = cost - now < 1e-6 * cost + 1e-4 * noise
            x[:] = trial
            cost = now
            damping *= 0.2
            if done:
                break
        else:
            damping = max(damping * 10.0, 1e-4)
            _equations(signal, times, fat, noise, x, normal)
            if damping > 1e8:
                break
    return float(cost)


@njit(cache=True, nogil=True, fastmath=True)
def fit_both(
    signals: Singles,
    times: Doubles,
    fat: npt.NDArray[np.complex128],
    how: tuple[float, float, float],
    out: Singles,
    bounds: tuple[int, int],
) -> None:
    """Fit voxels bounds[0] to bounds[1] from a water and from a fat start.

    Parameters
    ----------
    signals : (v, n) float32
    times : (n,) float64
    fat : (n,) complex128
    how : (noise variance, mean, precision)
        Variance of a real channel; normal prior of R2*. The mean of a magnitude A is taken as
        sqrt(A^2 + variance), its noise floor.
    out : (v, 2, 6) float32
        Written per start: water, fat, R2*, residual with prior, SD of the fat fraction and of R2*.
    bounds : (first, last + 1)
    """
    x = np.empty(3)
    normal = np.empty((3, 4))
    step = np.empty(3)
    for v in range(bounds[0], bounds[1]):
        top = 0.0
        for e in range(signals.shape[1]):
            top = max(top, float(signals[v, e]))
        for k in range(2):
            x[0], x[1], x[2] = (0.9 * top, 0.1 * top, 40.0) if k == 0 else (0.1 * top, 0.9 * top, 40.0)
            cost = _descend(signals[v], times, fat, how, x, normal)
            if x[0] + x[1] < 0:
                x[0], x[1] = -x[0], -x[1]
            _equations(signals[v], times, fat, how[0], x, normal)
            normal[2, 2] += how[2] * how[0]
            total = x[0] + x[1]
            out[v, k, 0], out[v, k, 1], out[v, k, 2], out[v, k, 3] = x[0], x[1], x[2], cost
            normal[0, 3], normal[1, 3], normal[2, 3] = -x[1] / total**2, x[0] / total**2, 0.0
            good = _solve3(normal, 0.0, step)
            spread = (-x[1] * step[0] + x[0] * step[1]) / total**2 if good else 1.0
            out[v, k, 4] = min(np.sqrt(max(spread * how[0], 0.0)), 1.0)
            normal[0, 3], normal[1, 3], normal[2, 3] = 0.0, 0.0, 1.0
            good = _solve3(normal, 0.0, step)
            out[v, k, 5] = min(np.sqrt(max(step[2] * how[0], 0.0)), 1e4) if good else 1e4


def solve_magnitudes(
    signals: Singles, energy: Singles, task: Task, each: Workers, progress: Progress
) -> Solved:
    """Separate magnitude echoes.

    Parameters
    ----------
    signals : (v, n) float32
    energy : (v,) float32
    task : Task
    each : Workers
    progress : callable

    Returns
    -------
    Solved
        Field zero. With fewer than five echoes the larger species is taken to be water, with confidence one
        half at most.
    """
    count, n = signals.shape
    progress("fit", 0.2)
    first = task.variance or float(np.median(energy)) / n * 1e-4 + 1e-20
    fits = np.zeros((count, 2, 6), np.float32)
    few = n < ENOUGH_ECHOES
    spread = {2: 1.0, 3: FEW_ECHOES_R2STAR[1], 4: 100.0}.get(n, 1e4)
    how = (first, FEW_ECHOES_R2STAR[0], spread**-2)
    times, fat = task.protocol.echo_times_s, task.protocol.fat
    each(lambda bounds: fit_both(signals, times, fat, how, fits, bounds), count)
    progress("choice", 0.7)
    variance = task.variance
    if variance == 0 and n > 3:
        variance = residual_variance(fits[:, :, 3].min(axis=1), energy, n - 3)
    part = fits[:, :, 1] / np.maximum(fits[:, :, 0] + fits[:, :, 1], 1e-20)
    if few:
        choice = np.abs(part).argmin(axis=1)
        trust = np.full(count, 0.5, np.float32)
        notes: tuple[str, ...] = (
            f"{n} magnitude echoes cannot tell water from fat: the larger is called water",
        )
    else:
        choice, trust = _choose(fits, part, energy, variance, task, each)
        notes = ()
    rows = np.arange(count)
    kept = fits[rows, choice]
    shares = np.stack([part[rows, choice], kept[:, 4], kept[:, 5]], axis=1)
    if first != variance and variance > 0:
        shares[:, 1:] *= np.sqrt(variance / first)
    zero = np.zeros(count, np.float32)
    signs = np.ones(task.shape[task.params.slice_axis], np.float32)
    water, fat_part = (kept[:, i].astype(np.complex64) for i in (0, 1))
    return Solved(water, fat_part, shares, zero, kept[:, 2], trust, signs, variance, 0.0, False, 0.0, notes)


def _choose(
    fits: Singles, part: Singles, energy: Singles, variance: float, task: Task, each: Workers
) -> tuple[npt.NDArray[np.int32], Singles]:
    """Water or fat the larger: residuals, held together by neighbours of like fat fraction."""
    n = task.protocol.echo_times_s.size
    floor = variance + MODEL_ERROR**2 * energy / n + 1e-20
    cost = 0.5 * n * np.log1p(fits[:, :, 3] / (n * floor[:, None]))
    unary = (cost - cost.min(axis=1, keepdims=True)).astype(np.float32)
    same = np.abs(part[:, 0] - part[:, 1]) < 0.05
    unary[same] = 0
    lattice = make_lattice(task.index, task.shape)
    most = np.where(lattice.ahead >= 0, np.float32(TIE), np.float32(0))
    most[task.params.slice_axis] *= 0.5
    ties = Ties(most, np.full(3, REACH, np.float32), 0.0)
    place = np.clip(part, -0.2, 1.2) * np.float32(PLACE)
    place = np.hstack([place, place[:, :1]])
    unary = np.hstack([unary, np.full((unary.shape[0], 1), 1e6, np.float32)])
    width = np.zeros_like(place)
    choice, graph = choose((place, unary, width, width), unary, lattice, ties, each)
    bound = binding(energy, variance, n)
    return choice, np.where(same, np.float32(1), confidence_of(graph, choice, bound))
