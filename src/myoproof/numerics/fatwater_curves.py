"""Residual of the fat-water model over the field, per voxel, and its local minima: the candidates."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.fatwater_model import Grid

Singles = npt.NDArray[np.float32]
Signals = npt.NDArray[np.complex64]

NEVER = np.float32(1e6)
"""Cost of a candidate that does not exist."""


@njit(cache=True, nogil=True, fastmath=True)
def _explained(grid: Grid, r: int, signal: Signals, work: Singles, out: Singles) -> None:
    """Write to `out` the signal energy that water and fat, each of its own phase, explain at every field."""
    n, g = grid.turn_re.shape
    wr, wi, fr, fi = work[0], work[1], work[2], work[3]
    wr[:] = 0
    wi[:] = 0
    fr[:] = 0
    fi[:] = 0
    for e in range(n):
        d = grid.decay[r, e]
        sr = signal[e].real * d
        si = signal[e].imag * d
        cr = grid.fat_re[e]
        ci = -grid.fat_im[e]
        pr = sr * cr - si * ci
        pi = sr * ci + si * cr
        tr = grid.turn_re[e]
        ti = grid.turn_im[e]
        for i in range(g):
            wr[i] += sr * tr[i] - si * ti[i]
            wi[i] += sr * ti[i] + si * tr[i]
            fr[i] += pr * tr[i] - pi * ti[i]
            fi[i] += pr * ti[i] + pi * tr[i]
    ww, ff = grid.normal[r, 0], grid.normal[r, 1]
    mr, mi = grid.normal[r, 2], grid.normal[r, 3]
    inverse = np.float32(1.0) / (ww * ff - mr * mr - mi * mi)
    for i in range(g):
        ar, ai, br, bi = wr[i], wi[i], fr[i], fi[i]
        cr = ar * br + ai * bi
        ci = ar * bi - ai * br
        both = ff * (ar * ar + ai * ai) + ww * (br * br + bi * bi) - 2 * (mr * cr - mi * ci)
        out[i] = both * inverse


@njit(cache=True, nogil=True, fastmath=True)
def _curve(
    grid: Grid, signal: Signals, scale: float, work: Singles, curve: Singles, rates: Singles
) -> np.float32:
    """Write to `curve` half the residual over variance plus prior, best over R2*; give the energy."""
    energy = np.float32(0.0)
    for e in range(signal.shape[0]):
        energy += signal[e].real ** 2 + signal[e].imag ** 2
    factor = np.float32(scale)
    value = work[4]
    for r in range(grid.r2star.shape[0]):
        _explained(grid, r, signal, work, value)
        extra = grid.penalty[r]
        rate = grid.r2star[r]
        for i in range(curve.shape[0]):
            cost = (energy - value[i]) * factor + extra
            if r == 0 or cost < curve[i]:
                curve[i] = cost
                rates[i] = rate
    return energy


@njit(cache=True, nogil=True)
def _candidates(
    grid: Grid, curve: Singles, rates: Singles, field: Singles, cost: Singles, spread: Singles, rate: Singles
) -> None:
    """Write the lowest local minima of a curve, best first: field (Hz), cost, SD of field (Hz), R2*."""
    g = curve.shape[0]
    k = field.shape[0]
    step = grid.field_hz[1] - grid.field_hz[0]
    for j in range(k):
        cost[j] = NEVER
        field[j] = 0.0
        spread[j] = 1e4
        rate[j] = 40.0
    for i in range(g):
        if grid.circular:
            left = curve[i - 1 if i > 0 else g - 1]
            right = curve[i + 1 if i < g - 1 else 0]
        else:
            left = curve[i - 1] if i > 0 else curve[i] + np.float32(1e-3)
            right = curve[i + 1] if i < g - 1 else curve[i] + np.float32(1e-3)
        here = curve[i]
        if not (here < left and here <= right):
            continue
        bend = left - 2 * here + right
        shift = np.float32(0.5) * (left - right) / bend
        low = here - np.float32(0.25) * (left - right) * shift
        j = k
        while j > 0 and low < cost[j - 1]:
            j -= 1
        if j == k:
            continue
        for m in range(k - 1, j, -1):
            cost[m] = cost[m - 1]
            field[m] = field[m - 1]
            spread[m] = spread[m - 1]
            rate[m] = rate[m - 1]
        cost[j] = low
        field[j] = grid.field_hz[i] + shift * step
        spread[j] = step / np.sqrt(max(bend, np.float32(1e-6)))
        rate[j] = rates[i]
    if cost[0] < NEVER and cost[k - 1] >= NEVER:
        _exchanged(grid, curve, rates, field, cost, spread, rate)


@njit(cache=True, nogil=True)
def _exchanged(
    grid: Grid, curve: Singles, rates: Singles, field: Singles, cost: Singles, spread: Singles, rate: Singles
) -> None:
    """Fill empty places with the lowest points near the best field less and plus the fat-water shift.

    An exchange of water and fat need not be a local minimum, yet the choice must be able to take it.
    """
    k = field.shape[0]
    step = grid.field_hz[1] - grid.field_hz[0]
    reach = int(grid.shift_hz / (4 * step))
    place = 0
    while place < k and cost[place] < NEVER:
        place += 1
    for side in (1, -1):
        if place >= k:
            return
        centre = int(np.round((field[0] + side * grid.shift_hz - grid.field_hz[0]) / step))
        best = _lowest(curve, centre, reach, grid.circular)
        fresh = best >= 0
        for j in range(place):
            gap = abs(grid.field_hz[max(best, 0)] - field[j])
            if grid.circular:
                gap = min(gap, abs(curve.shape[0] * step - gap))
            fresh = fresh and gap > reach * step
        if fresh:
            field[place] = grid.field_hz[best]
            cost[place] = curve[best]
            spread[place] = np.float32(0.25) * grid.shift_hz
            rate[place] = rates[best]
            place += 1


@njit(cache=True, nogil=True)
def _lowest(curve: Singles, centre: int, reach: int, circular: bool) -> int:
    """Index of the lowest point within `reach` of a centre; -1 where that is outside the curve."""
    g = curve.shape[0]
    best = -1
    for offset in range(-reach, reach + 1):
        i = centre + offset
        if circular:
            i %= g
        elif i < 0 or i >= g:
            continue
        if best < 0 or curve[i] < curve[best]:
            best = i
    return best


@njit(cache=True, nogil=True)
def scan(
    grid: Grid,
    signals: Signals,
    variance: Singles,
    found: tuple[Singles, Singles, Singles, Singles],
    bounds: tuple[int, int],
) -> None:
    """Candidates of voxels bounds[0] to bounds[1].

    Parameters
    ----------
    grid : Grid
    signals : (v, n) complex64
    variance : (v,) float32
        Variance of a real channel, model error included.
    found : four (v, k) float32
        Written: field (Hz), cost (nats), SD of the field (Hz), R2* (1/s).
    bounds : (first, last + 1)
    """
    g = grid.field_hz.shape[0]
    work = np.empty((5, g), np.float32)
    curve = np.empty(g, np.float32)
    rates = np.empty(g, np.float32)
    for v in range(bounds[0], bounds[1]):
        _curve(grid, signals[v], np.float32(0.5) / variance[v], work, curve, rates)
        _candidates(grid, curve, rates, found[0][v], found[1][v], found[2][v], found[3][v])


@njit(cache=True, nogil=True)
def least_residual(grid: Grid, signals: Signals, out: Singles) -> None:
    """Write the least residual sum of squares of each voxel, without any prior."""
    g = grid.field_hz.shape[0]
    work = np.empty((5, g), np.float32)
    for v in range(signals.shape[0]):
        best = np.float32(-1.0)
        energy = np.float32(0.0)
        for e in range(signals.shape[1]):
            energy += signals[v, e].real ** 2 + signals[v, e].imag ** 2
        for r in range(grid.r2star.shape[0]):
            _explained(grid, r, signals[v], work, work[4])
            for i in range(g):
                best = max(best, work[4, i])
        out[v] = energy - best


def empty_candidates(count: int, k: int) -> tuple[Singles, Singles, Singles, Singles]:
    """Room for the candidates of ``count`` voxels."""
    value, place, width, rate = (np.empty((count, k), np.float32) for _ in range(4))
    return value, place, width, rate
