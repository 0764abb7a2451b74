"""Maximum-likelihood fit of water, fat, field and R2* per voxel, with its Fisher information.

The model s(t) = (W + F c(t)) exp(p t), p = i 2 pi field - R2*, is analytic in three complex unknowns, so that
the Gauss-Newton step of p is one complex number: <v, r> / <v, v>, r the residual and v the derivative t s(t),
both outside the span of water and fat (variable projection; Golub GH, Pereyra V. SIAM J Numer Anal
1973;10:413).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Signals = npt.NDArray[np.complex64]

COLUMNS = ("water_re", "water_im", "fat_re", "fat_im", "field_hz", "r2star", "residual")
"""What :func:`refine` writes per voxel."""


class Model(NamedTuple):
    """What the fit reads besides the data.

    Parameters
    ----------
    times : (n,) float64
        Echo times, s.
    spacing_s : float
        Between echoes where they are even; else 0.
    fat : (n,) complex128
    r2star_low, r2star_high : float
        Bounds of R2*, 1/s.
    stride_hz : float
        Longest step of the field, Hz.
    iterations : int
    """

    times: Doubles
    spacing_s: float
    fat: npt.NDArray[np.complex128]
    r2star_low: float
    r2star_high: float
    stride_hz: float
    iterations: int


@njit(cache=True, nogil=True, fastmath=True)
def _project(
    signal: Signals, model: Model, p: complex, out: npt.NDArray[np.complex128], terms: Doubles
) -> complex:
    """Fit water and fat at p = i 2 pi field - R2*; give <v, r>, the gradient in p.

    `out` gets water, fat, and how they move with p: d(water), d(fat) = -out[2] dp, -out[3] dp. `terms` gets
    the residual sum of squares, the energy of v outside the span, and the normal matrix (water-water,
    fat-fat, real and imaginary part of water-fat).
    """
    aw = af = vw = vf = rv = 0j
    ww = ff = 0.0
    wf = 0j
    ss = vv = 0.0
    n = signal.shape[0]
    even = model.spacing_s > 0
    turn = np.exp(p * model.times[0])
    ratio = np.exp(p * model.spacing_s)
    for e in range(n):
        if e > 0:
            turn = turn * ratio if even else np.exp(p * model.times[e])
        d2 = turn.real * turn.real + turn.imag * turn.imag
        c = model.fat[e]
        u = np.conj(turn) * signal[e]
        ww += d2
        wf += d2 * c
        ff += d2 * (c.real * c.real + c.imag * c.imag)
        aw += u
        af += np.conj(c) * u
        ss += signal[e].real * signal[e].real + signal[e].imag * signal[e].imag
    det = ww * ff - (wf.real * wf.real + wf.imag * wf.imag)
    water = (ff * aw - wf * af) / det
    fat = (ww * af - np.conj(wf) * aw) / det
    turn = np.exp(p * model.times[0])
    for e in range(n):
        if e > 0:
            turn = turn * ratio if even else np.exp(p * model.times[e])
        c = model.fat[e]
        m = (water + fat * c) * turn
        v = model.times[e] * m
        r = signal[e] - m
        u = np.conj(turn) * v
        vw += u
        vf += np.conj(c) * u
        vv += v.real * v.real + v.imag * v.imag
        rv += np.conj(v) * r
    kw = (ff * vw - wf * vf) / det
    kf = (ww * vf - np.conj(wf) * vw) / det
    inside = (np.conj(vw) * kw + np.conj(vf) * kf).real
    out[0], out[1] = water, fat
    terms[0] = ss - (np.conj(water) * aw + np.conj(fat) * af).real
    terms[1] = max(vv - inside, 1e-30)
    terms[2], terms[3], terms[4], terms[5] = ww, ff, wf.real, wf.imag
    out[2], out[3] = kw, kf
    return rv


@njit(cache=True, nogil=True, fastmath=True)
def _fit(
    signal: Signals,
    model: Model,
    start: tuple[float, float],
    noise: float,
    hold: tuple[float, float],
    parts: npt.NDArray[np.complex128],
    terms: Doubles,
) -> tuple[float, float]:
    """Field and R2* of least cost near a start; `parts` and `terms` are left as :func:`_project` has them."""
    tau = 2 * np.pi
    field = float(start[0])
    rate = min(max(float(start[1]), model.r2star_low), model.r2star_high)
    pull = hold[1] * noise
    grad = _project(signal, model, complex(-rate, tau * field), parts, terms)
    cost = terms[0] + pull * (rate - hold[0]) ** 2
    for _ in range(model.iterations):
        move_field = grad.imag / terms[1] / tau
        move_rate = (-grad.real - pull * (rate - hold[0])) / (terms[1] + pull)
        move_field = min(max(move_field, -model.stride_hz), model.stride_hz)
        scale = 1.0
        now = cost
        f2, r2 = field, rate
        for _ in range(4):
            f2 = field + scale * move_field
            r2 = min(max(rate + scale * move_rate, model.r2star_low), model.r2star_high)
            grad = _project(signal, model, complex(-r2, tau * f2), parts, terms)
            now = terms[0] + pull * (r2 - hold[0]) ** 2
            if now <= cost * 1.000001:
                break
            scale *= 0.3
        gain = cost - now
        field, rate, cost = f2, r2, now
        if gain < 1e-3 * noise:
            break
    return field, rate


@njit(cache=True, nogil=True, fastmath=True)
def refine(
    signals: Signals,
    model: Model,
    start: tuple[Singles, Singles],
    variance: Singles,
    hold: Singles,
    out: Singles,
    bounds: tuple[int, int],
) -> None:
    """Fit voxels bounds[0] to bounds[1] from a field and an R2* each.

    Parameters
    ----------
    signals : (v, n) complex64
    model : Model
    start : two (v,) float32
        Field (Hz) and R2* (1/s).
    variance : (v,) float32
        Noise variance of a real channel.
    hold : (v, 2) float32
        Mean and precision of a normal prior of R2*; precision 0 leaves it free.
    out : (v, 7) float32
        Written: ``COLUMNS``.
    bounds : (first, last + 1)
    """
    parts = np.empty(4, np.complex128)
    terms = np.empty(6)
    for v in range(bounds[0], bounds[1]):
        field, rate = _fit(
            signals[v], model, (start[0][v], start[1][v]), variance[v], (hold[v, 0], hold[v, 1]), parts, terms
        )
        out[v, 0], out[v, 1] = parts[0].real, parts[0].imag
        out[v, 2], out[v, 3] = parts[1].real, parts[1].imag
        out[v, 4], out[v, 5], out[v, 6] = field, rate, terms[0]


@njit(cache=True, nogil=True, fastmath=True)
def polish(
    signals: Signals,
    model: Model,
    variance: Singles,
    hold: tuple[float, float],
    found: tuple[Singles, Singles, Singles, Singles],
    limits: tuple[float, float],
    bounds: tuple[int, int],
) -> None:
    """Move the candidates of voxels bounds[0] to bounds[1] into their minima and cost them exactly.

    A candidate that would move too far was no minimum: its field stays.

    Parameters
    ----------
    signals : (v, n) complex64
    model : Model
        Its bounds of R2* hold for all candidates.
    variance : (v,) float32
    hold : (mean, precision)
        Prior of R2*.
    found : four (v, k) float32
        Field (Hz), cost (nats), SD of the field (Hz), R2* (1/s); rewritten.
    limits : (reach_hz, hopeless)
        Longest way to a minimum; what candidates may cost (nats) beyond the first and still be moved.
    bounds : (first, last + 1)
    """
    reach_hz, hopeless = limits
    parts = np.empty(4, np.complex128)
    terms = np.empty(6)
    for v in range(bounds[0], bounds[1]):
        noise = variance[v]
        for k in range(found[0].shape[1]):
            if found[1][v, k] > hopeless + found[1][v, 0]:
                continue
            field, rate = _fit(signals[v], model, (found[0][v, k], found[3][v, k]), noise, hold, parts, terms)
            if abs(field - found[0][v, k]) > reach_hz:
                continue
            cost = 0.5 * terms[0] / noise + 0.5 * hold[1] * (rate - hold[0]) ** 2
            found[0][v, k], found[3][v, k], found[1][v, k] = field, rate, cost
            found[2][v, k] = np.sqrt(noise / terms[1]) / (2 * np.pi)


@njit(cache=True, nogil=True, fastmath=True)
def fractions(
    signals: Signals,
    model: Model,
    fitted: Singles,
    how: tuple[Signals, Singles, Singles],
    out: Singles,
    bounds: tuple[int, int],
) -> None:
    """Fat fraction with the phase kept, its SD and that of R2*, of fitted voxels.

    With f = fat turned by `turn` and s = water + f, the fraction is Re(f conj s) / |s|^2: unbiased where one
    species is absent, slightly outside 0-1 by noise. Its variance is that of the fit: the inverse of the
    Fisher information, through the derivatives of the fraction.

    Parameters
    ----------
    signals : (v, n) complex64
    model : Model
    fitted : (v, 7) float32
        What :func:`refine` wrote.
    how : (turn, variance, hold)
        Unit numbers (v,) that bring fat to the phase of water; variance (v,) of a real channel; prior of R2*
        (v, 2) as in :func:`refine`.
    out : (v, 3) float32
        Written: fat fraction, its SD, SD of R2* (1/s).
    bounds : (first, last + 1)
    """
    turn, variance, hold = how
    parts = np.empty(4, np.complex128)
    terms = np.empty(6)
    for v in range(bounds[0], bounds[1]):
        p = complex(-fitted[v, 5], 2 * np.pi * fitted[v, 4])
        _project(signals[v], model, p, parts, terms)
        fat = parts[1] * turn[v]
        total = parts[0] + fat
        size = total.real * total.real + total.imag * total.imag
        if size <= 0:
            out[v, 0], out[v, 1], out[v, 2] = 0.0, 1.0, 1e4
            continue
        share = (fat.real * total.real + fat.imag * total.imag) / size
        unit = np.conj(total) / size
        # d share = Re(unit ((1 - share) d fat - share d water)), to first order at equal phases
        gw, gf = -share * unit, (1.0 - share) * unit * turn[v]
        wf = complex(terms[4], terms[5])
        det = terms[2] * terms[3] - (wf.real * wf.real + wf.imag * wf.imag)
        linear = terms[3] * abs(gw) ** 2 + terms[2] * abs(gf) ** 2 - 2 * (np.conj(gf) * np.conj(wf) * gw).real
        k = gw * parts[2] + gf * parts[3]
        noise = float(variance[v])
        free = terms[1] + hold[v, 1] * noise
        spread = linear / det + k.imag * k.imag / terms[1] + k.real * k.real / free
        out[v, 0] = share
        out[v, 1] = min(np.sqrt(max(spread, 0.0) * noise), 1.0)
        out[v, 2] = min(np.sqrt(noise / free), 1e4)
