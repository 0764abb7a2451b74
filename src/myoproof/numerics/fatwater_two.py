"""Two complex echoes: the two fat fractions that the magnitudes allow, and the choice by a smooth field."""

import numpy as np
import numpy.typing as npt

from myoproof.numerics.fatwater_choice import brightness, choose, make_ties
from myoproof.numerics.fatwater_messages import make_lattice
from myoproof.numerics.fatwater_model import R2STAR_TYPICAL
from myoproof.numerics.fatwater_solve import Solved, Task
from myoproof.numerics.fatwater_types import Progress, Workers
from myoproof.numerics.fatwater_unwrap import unwrap

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex64]

NEVER = 1e6
"""Cost of a fat fraction that does not exist."""
TRUST = 0.5
"""Two echoes hold nothing that tells an exchanged piece: no voxel is sure."""


def solve_two(signals: Complexes, energy: Singles, task: Task, each: Workers, progress: Progress) -> Solved:
    """Separate two complex echoes, R2* assumed, water and fat of one phase.

    Parameters
    ----------
    signals : (v, 2) complex64
    energy : (v,) float32
    task : Task
    each : Workers
    progress : callable

    Returns
    -------
    Solved

    References
    ----------
    Eggers H et al. Magn Reson Med 2011;65:96 (two echoes at any times); Xiang QS. Magn Reson Med 2006;56:572.
    """
    sign = task.params.precession_sign or task.params.precession_hint or 1
    if sign < 0:
        np.conjugate(signals, out=signals)
    part, valid, steep = _fractions(signals, task)
    times = task.protocol.echo_times_s
    model = (1 - part)[..., None] + part[..., None] * task.protocol.fat
    turn = np.angle(signals[:, 1] * np.conj(signals[:, 0]))[:, None] - np.angle(
        model[..., 1] * np.conj(model[..., 0])
    )
    gap_s = float(times[1] - times[0])
    field = (np.angle(np.exp(1j * turn)) / (2 * np.pi * gap_s)).astype(np.float32)
    unary = np.where(valid, 0, NEVER).astype(np.float32)
    progress("choice", 0.4)
    lattice = make_lattice(task.index, task.shape)
    bright = brightness(energy, task.variance, 4)
    ties = make_ties(lattice, bright, task.protocol, task.params.slice_axis)
    ties = ties._replace(period_hz=1.0 / gap_s)
    none = np.full((field.shape[0], 1), NEVER, np.float32)
    third = (np.hstack([field, field[:, :1]]), np.hstack([unary, none]))
    width = np.full_like(third[0], 3.0)
    choice, _ = choose((*third, width, width), third[1], lattice, ties, each)
    rows = np.arange(choice.size)
    share = part[rows, choice]
    chosen = field[rows, choice]
    decay = np.exp((2j * np.pi * chosen[:, None] - R2STAR_TYPICAL) * times) * model[rows, choice]
    size = (np.conj(decay) * signals).sum(axis=1) / (np.abs(decay) ** 2).sum(axis=1)
    noise = task.variance
    power = np.abs(signals) ** 2 + 1e-20
    relative = 2 * np.sqrt(noise * (1 / power[:, 0] + 1 / power[:, 1]))
    spread = np.minimum(np.abs(steep[rows, choice]) * relative, 1.0)
    shares = np.stack([share, spread, np.full(share.shape, 1e4)], axis=1).astype(np.float32)
    return Solved(
        (size * (1 - share)).astype(np.complex64),
        (size * share).astype(np.complex64),
        shares,
        unwrap(chosen, energy, lattice, 1.0 / gap_s),
        np.full(share.shape, R2STAR_TYPICAL, np.float32),
        np.full(share.shape, TRUST, np.float32),
        np.full(task.shape[task.params.slice_axis], sign, np.float32),
        noise,
        0.0,
        True,
        0.0,
        (f"two echoes: R2* of {R2STAR_TYPICAL:g} 1/s and the sign of precession ({sign:+d}) are assumed",),
    )


def _fractions(signals: Complexes, task: Task) -> tuple[Doubles, npt.NDArray[np.bool_], Doubles]:
    """Fat fractions (v, 2) that give the ratio of magnitudes, which exist, and d fraction / d log ratio.

    |1 - p + p c|^2 = 1 + a p + b p^2 makes the ratio of the two echoes a quadratic equation in p.
    """
    times, fat = task.protocol.echo_times_s, task.protocol.fat
    a = 2 * (fat.real - 1)
    b = np.abs(fat) ** 2 - 2 * fat.real + 1
    power = (np.abs(signals) ** 2).astype(np.float64) + 1e-20
    ratio = power[:, 1] / power[:, 0] * np.exp(2 * R2STAR_TYPICAL * (times[1] - times[0]))
    square, linear, constant = b[1] - ratio * b[0], a[1] - ratio * a[0], 1 - ratio
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0))
    square = np.where(np.abs(square) < 1e-9, 1e-9, square)
    part = np.stack([(-linear - root) / (2 * square), (-linear + root) / (2 * square)], axis=1)
    inside = np.clip(part, -0.1, 1.1)
    valid = inside == part
    valid[~valid.any(axis=1)] = True
    top, low = 1 + a[1] * inside + b[1] * inside**2, 1 + a[0] * inside + b[0] * inside**2
    slope = (a[1] + 2 * b[1] * inside) / np.maximum(top, 1e-9) - (a[0] + 2 * b[0] * inside) / np.maximum(
        low, 1e-9
    )
    return inside, valid, 1 / np.where(np.abs(slope) < 1e-3, 1e-3, slope)
