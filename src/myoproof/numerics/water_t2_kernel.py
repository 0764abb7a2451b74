"""The compiled fit of one voxel: coarse search, then Fisher scoring of the Rician likelihood with priors."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.water_t2_rician import STEP, X_END, information_at, ratio_at

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

LOG_T2, B1, TOTAL, SHARE = range(4)
"""Parameters: log T2, transmit field, proton density in noise SDs, fat share of it."""
OUT_T2, OUT_SD, OUT_B1, OUT_B1_SD, OUT_SHARE, OUT_TOTAL, OUT_COST, OUT_BIAS = range(8)
N_OUT = 8
MOST_STEPS = 14
TWO_PI = 2.0 * np.pi
LARGE = 1e200
CONVERGED = 1e-4
"""Newton decrement at which the next step is below a hundredth of a standard deviation."""
COARSE_T2, COARSE_B1 = 6, 5
"""Every so many nodes are tried at the start."""
KNOWN_SHARE = 0.1
"""A fat share with a smaller SD than this is held at its prior in the coarse search."""
SHORT_T2_S, LONGER_T2_S = 0.022, 0.030
"""Where a fit ends below the first, another starts from the second up: see ``_longer``."""
LONGER_COST, LONGER_BY = 2.0, 0.2
"""A peak at a T2 longer by this (in its logarithm) is taken unless this much less likely (minus log
likelihood; proposal), where the fat share is known: muscle has no such short T2, but beside half fat noise
makes one of 1-4 % of voxels. Where it is not known, the second peak is fat in the place of water."""
KNOWN_B1 = 0.05
"""With a smaller SD than this one start is enough."""


@njit(cache=True, nogil=True)
def fit_rows(
    values: Floats32,
    rows: npt.NDArray[np.int64],
    priors: Floats32,
    grid: tuple[Floats, Floats, Floats, Floats],
    tables: tuple[Floats, Floats, Floats],
    limits: Floats,
    out: Floats32,
) -> None:
    """Fit some voxels.

    ``values`` (voxel, echo); ``priors`` (row, 4): fat share, its SD, B1, its SD (infinite: free, 0: fixed);
    ``limits``: lowest and highest fat share, fat's signal over water's at equal density, noise SD; ``out``
    (row, N_OUT).
    """
    n_echo, sigma = values.shape[1], limits[3]
    y, scratch = np.empty(n_echo), np.empty((7, n_echo))
    theta, best = np.empty(4), np.empty(4)
    gradient, hessian, inverse = np.empty(4), np.empty((4, 4)), np.empty((4, 4))
    starts = np.empty((2, 5))
    for row in range(rows.size):
        for echo in range(n_echo):
            y[echo] = values[rows[row], echo] / sigma
        prior = priors[row]
        work = (scratch, gradient, hessian, inverse)
        found = np.inf
        for lowest in range(2):
            if lowest == 1 and (best[LOG_T2] > np.log(SHORT_T2_S) or prior[1] >= KNOWN_SHARE):
                break
            n_start = _coarse(y, prior, grid, limits, scratch, starts, lowest)
            for start in range(n_start):
                theta[:] = starts[start, :4]
                cost = _refine(y, theta, prior, grid, tables, limits, work)
                if cost < found or (lowest == 1 and _longer(theta, best, cost, found)):
                    found = cost
                    best[:] = theta
                    _report(best, cost, inverse, grid, limits[2], work, out[row])
                    out[row, OUT_TOTAL] *= sigma


@njit(cache=True, nogil=True, inline="always")
def _longer(theta, best, cost, found):  # type: ignore[no-untyped-def]
    """Whether a second peak is at a longer T2 and nearly as likely."""
    return theta[LOG_T2] > best[LOG_T2] + LONGER_BY and cost < found + LONGER_COST


@njit(cache=True, nogil=True, fastmath=True)
def _coarse(y, prior, grid, limits, scratch, starts, long_only):  # type: ignore[no-untyped-def]
    """The best node, or the best on either side of the nominal field where the field is free."""
    log_t2, b1, water, fat = grid
    amplitude, n_echo = scratch[0], y.size
    for echo in range(n_echo):
        amplitude[echo] = np.sqrt(max(y[echo] * y[echo] - 2.0, 0.0))
    step = b1[1] - b1[0]
    middle = min(max(int(np.round((prior[2] - b1[0]) / step)), 0), b1.size - 1)
    wide = prior[3] > KNOWN_B1
    reach = min(int(2.5 * min(prior[3], 10.0) / step), b1.size)
    first = max(middle - reach, 0) if wide else middle
    last = min(middle + reach, b1.size - 1) if wide else middle
    starts[:, 4] = -1.0
    for j in range(first, last + 1, COARSE_B1):
        half = 1 if wide and b1[j] > 1.0 else 0
        for i in range(0, log_t2.size, COARSE_T2):
            if long_only == 1 and log_t2[i] < np.log(LONGER_T2_S):
                continue
            gain, total, share = _amplitudes(amplitude, water[i, j, 0], fat[j, 0], prior, limits)
            if gain > starts[half, 4]:
                starts[half, 0], starts[half, 1] = log_t2[i], b1[j]
                starts[half, 2], starts[half, 3], starts[half, 4] = total, share, gain
    if not wide:
        starts[0, 1] = prior[2]
    if starts[0, 4] < 0.0:
        starts[0] = starts[1]
        return 1
    return 2 if starts[1, 4] >= 0.0 else 1


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _amplitudes(y, water, fat, prior, limits):  # type: ignore[no-untyped-def]
    """Gain in the sum of squares, total density and fat share of the best amplitudes at one node."""
    ww, wf, ff, wy, fy = 0.0, 0.0, 0.0, 0.0, 0.0
    for echo in range(y.size):
        ww += water[echo] * water[echo]
        wf += water[echo] * fat[echo]
        ff += fat[echo] * fat[echo]
        wy += water[echo] * y[echo]
        fy += fat[echo] * y[echo]
    scale = limits[2]
    if prior[1] < KNOWN_SHARE:
        share = min(max(prior[0], limits[0], 0.0), limits[1], 0.98)
        a, b = 1.0 - share, scale * share
        norm = a * a * ww + 2.0 * a * b * wf + b * b * ff
        along = a * wy + b * fy
        return along * along / norm, max(along / norm, 1e-3), share
    determinant = max(ww * ff - wf * wf, 1e-9 * ww * ff)
    w, f = (ff * wy - wf * fy) / determinant, (ww * fy - wf * wy) / determinant
    if f < 0.0:
        w, f = wy / ww, 0.0
    elif w < 0.0:
        w, f = 0.0, fy / ff
    total = max(w + f / scale, 1e-3)
    return w * wy + f * fy, total, min(f / scale / total, 0.95)


@njit(cache=True, nogil=True)
def _refine(y, theta, prior, grid, tables, limits, work):  # type: ignore[no-untyped-def]
    """Damped Fisher scoring in place; the cost at the end. ``inverse`` holds the covariance."""
    _scratch, gradient, hessian, inverse = work
    trial, step = np.empty(4), np.empty(4)
    free = np.empty(4, dtype=np.bool_)
    damping = 0.0
    cost = evaluate(y, theta, prior, grid, tables, limits[2], work)
    for _ in range(MOST_STEPS):
        _free(theta, gradient, prior, grid, limits, free)
        decrement = solve(hessian, gradient, free, damping, step, inverse)
        trial[:] = theta + step
        _confine(trial, theta, grid, limits)
        if damping == 0.0 and decrement < CONVERGED:
            theta[:] = trial
            break
        before = gradient.copy(), hessian.copy()
        found = evaluate(y, trial, prior, grid, tables, limits[2], work)
        if found <= cost + 1e-6:
            theta[:] = trial
            cost = found
            damping = 0.0 if damping < 1e-2 else damping * 0.1
        else:
            gradient[:], hessian[:] = before[0], before[1]
            damping = 1e-1 if damping == 0.0 else damping * 10.0
    _free(theta, gradient, prior, grid, limits, free)
    solve(hessian, gradient, free, 0.0, step, inverse)
    return cost


@njit(cache=True, nogil=True)
def _free(theta, gradient, prior, grid, limits, free):  # type: ignore[no-untyped-def]
    """Which parameters may move: not those that are known, nor those held by a limit."""
    log_t2, b1 = grid[0], grid[1]
    free[TOTAL] = True
    free[LOG_T2] = not (
        (theta[LOG_T2] <= log_t2[0] and gradient[LOG_T2] < 0.0)
        or (theta[LOG_T2] >= log_t2[-1] and gradient[LOG_T2] > 0.0)
    )
    free[B1] = prior[3] > 0.0 and not (
        (theta[B1] <= b1[0] and gradient[B1] < 0.0) or (theta[B1] >= b1[-1] and gradient[B1] > 0.0)
    )
    free[SHARE] = prior[1] > 0.0 and not (
        (theta[SHARE] <= limits[0] and gradient[SHARE] < 0.0)
        or (theta[SHARE] >= limits[1] and gradient[SHARE] > 0.0)
    )


@njit(cache=True, nogil=True)
def _confine(trial, theta, grid, limits):  # type: ignore[no-untyped-def]
    """Keep a step short and inside the limits."""
    log_t2, b1 = grid[0], grid[1]
    trial[LOG_T2] = min(max(trial[LOG_T2], theta[LOG_T2] - 0.5), theta[LOG_T2] + 0.5)
    trial[LOG_T2] = min(max(trial[LOG_T2], log_t2[0]), log_t2[-1])
    trial[B1] = min(max(trial[B1], theta[B1] - 0.15), theta[B1] + 0.15)
    trial[B1] = min(max(trial[B1], b1[0]), b1[-1])
    trial[TOTAL] = min(max(trial[TOTAL], 0.3 * theta[TOTAL]), 3.0 * theta[TOTAL] + 1.0)
    trial[SHARE] = min(max(trial[SHARE], limits[0]), limits[1])


@njit(cache=True, nogil=True, fastmath=True)
def evaluate(y, theta, prior, grid, tables, scale, work):  # type: ignore[no-untyped-def]
    """Cost (minus log likelihood, less a constant), its negative gradient and the Fisher information."""
    scratch, gradient, hessian, _ = work
    model(theta, grid, scale, scratch)
    ratios, logs, informations = tables
    amplitude, residual, weight = scratch[0], scratch[5], scratch[6]
    cost, product = 0.0, 1.0
    for echo in range(y.size):
        a = amplitude[echo]
        x = a * y[echo]
        residual[echo] = y[echo] * ratio_at(ratios, x) - a
        weight[echo] = information_at(informations, a)
        cost += 0.5 * (y[echo] - a) ** 2
        if x < X_END:
            place = x / STEP
            low = int(place)
            cost -= logs[low] + (place - low) * (logs[low + 1] - logs[low])
        else:
            product *= TWO_PI * x
            cost -= (0.125 + 0.0625 / x) / x
            if product > LARGE:
                cost += 0.5 * np.log(product)
                product = 1.0
    cost += 0.5 * np.log(product)
    for i in range(4):
        gradient[i] = 0.0
        for j in range(i + 1):
            hessian[i, j] = 0.0
    for i in range(4):
        slope = scratch[1 + i]
        total = 0.0
        for echo in range(y.size):
            total += slope[echo] * residual[echo]
        gradient[i] = total
        for j in range(i + 1):
            other, total = scratch[1 + j], 0.0
            for echo in range(y.size):
                total += slope[echo] * other[echo] * weight[echo]
            hessian[i, j] = total
            hessian[j, i] = total
    return cost + _add_priors(theta, prior, gradient, hessian)


@njit(cache=True, nogil=True, inline="always")
def _add_priors(theta, prior, gradient, hessian):  # type: ignore[no-untyped-def]
    """Normal priors of fat share and transmit field."""
    cost = 0.0
    for place, parameter in ((0, SHARE), (2, B1)):
        sd = prior[place + 1]
        if 0.0 < sd < 1e3:
            away = (theta[parameter] - prior[place]) / sd
            cost += 0.5 * away * away
            gradient[parameter] -= away / sd
            hessian[parameter, parameter] += 1.0 / (sd * sd)
    return cost


@njit(cache=True, nogil=True, fastmath=True)
def model(theta, grid, scale, scratch):  # type: ignore[no-untyped-def]
    """Amplitudes (row 0) and their derivatives with the four parameters (rows 1-4)."""
    log_t2, b1, water, fat = grid
    i = int((theta[LOG_T2] - log_t2[0]) / (log_t2[1] - log_t2[0]) + 0.5)
    j = int((theta[B1] - b1[0]) / (b1[1] - b1[0]) + 0.5)
    u, b = theta[LOG_T2] - log_t2[i], theta[B1] - b1[j]
    total, share = theta[TOTAL], theta[SHARE]
    w, f = water[i, j], fat[j]
    part, rest = total * (1.0 - share), total * share * scale
    for echo in range(w.shape[1]):
        in_t2 = w[1, echo] + u * w[3, echo] + b * w[4, echo]
        in_b1 = w[2, echo] + u * w[4, echo] + b * w[5, echo]
        of_water = w[0, echo] + 0.5 * (u * (in_t2 + w[1, echo]) + b * (in_b1 + w[2, echo]))
        fat_b1 = f[1, echo] + b * f[2, echo]
        of_fat = f[0, echo] + 0.5 * b * (fat_b1 + f[1, echo])
        scratch[0, echo] = max(part * of_water + rest * of_fat, 1e-12)
        scratch[1, echo] = part * in_t2
        scratch[2, echo] = part * in_b1 + rest * fat_b1
        scratch[3, echo] = (1.0 - share) * of_water + share * scale * of_fat
        scratch[4, echo] = total * (scale * of_fat - of_water)


@njit(cache=True, nogil=True)
def solve(hessian, gradient, free, damping, step, inverse):  # type: ignore[no-untyped-def]
    """Step = inverse(H + damping diag H) g over the free parameters; returns the Newton decrement."""
    n = 0
    places = np.empty(4, dtype=np.int64)
    for i in range(4):
        step[i] = 0.0
        for j in range(4):
            inverse[i, j] = 0.0
        if free[i]:
            places[n] = i
            n += 1
    small = np.zeros((4, 4))
    for i in range(n):
        for j in range(n):
            small[i, j] = hessian[places[i], places[j]]
        small[i, i] = small[i, i] * (1.0 + damping) + 1e-12
    _invert(small, n)
    decrement = 0.0
    for i in range(n):
        total = 0.0
        for j in range(n):
            inverse[places[i], places[j]] = small[i, j]
            total += small[i, j] * gradient[places[j]]
        step[places[i]] = total
        decrement += total * gradient[places[i]]
    return decrement


@njit(cache=True, nogil=True)
def _invert(a, n):  # type: ignore[no-untyped-def]
    """Invert a small symmetric positive matrix in place (Gauss-Jordan on its diagonal)."""
    for k in range(n):
        pivot = 1.0 / a[k, k]
        for i in range(n):
            if i != k:
                factor = a[i, k] * pivot
                for j in range(n):
                    if j != k:
                        a[i, j] -= factor * a[k, j]
        for i in range(n):
            if i != k:
                a[i, k] *= -pivot
                a[k, i] *= pivot
        a[k, k] = pivot


@njit(cache=True, nogil=True, fastmath=True)
def _report(theta, cost, inverse, grid, scale, work, out):  # type: ignore[no-untyped-def]
    """Write estimates, standard deviations and the second-order bias of T2 (Box 1971)."""
    scratch = work[0]
    t2 = np.exp(theta[LOG_T2])
    model(theta, grid, scale, scratch)
    _curvature(theta, grid, scale, inverse, scratch)
    bias = 0.0
    for echo in range(scratch.shape[1]):
        along = 0.0
        for k in range(4):
            along += inverse[LOG_T2, k] * scratch[1 + k, echo]
        bias -= 0.5 * along * scratch[6, echo] * scratch[5, echo]
    out[OUT_T2], out[OUT_SD] = t2, t2 * np.sqrt(inverse[LOG_T2, LOG_T2])
    out[OUT_B1], out[OUT_B1_SD] = theta[B1], np.sqrt(inverse[B1, B1])
    out[OUT_SHARE], out[OUT_TOTAL], out[OUT_COST] = theta[SHARE], theta[TOTAL], cost
    out[OUT_BIAS] = t2 * (bias + 0.5 * inverse[LOG_T2, LOG_T2])


@njit(cache=True, nogil=True, fastmath=True)
def _curvature(theta, grid, scale, covariance, scratch):  # type: ignore[no-untyped-def]
    """Trace of covariance times second derivatives of each amplitude, into row 5 of the scratch."""
    log_t2, b1, water, fat = grid
    i = int((theta[LOG_T2] - log_t2[0]) / (log_t2[1] - log_t2[0]) + 0.5)
    j = int((theta[B1] - b1[0]) / (b1[1] - b1[0]) + 0.5)
    u, b = theta[LOG_T2] - log_t2[i], theta[B1] - b1[j]
    total, share = theta[TOTAL], theta[SHARE]
    w, f = water[i, j], fat[j]
    part, rest = total * (1.0 - share), total * share * scale
    c = covariance
    for echo in range(w.shape[1]):
        in_t2 = w[1, echo] + u * w[3, echo] + b * w[4, echo]
        in_b1 = w[2, echo] + u * w[4, echo] + b * w[5, echo]
        fat_b1 = f[1, echo] + b * f[2, echo]
        trace = c[0, 0] * part * w[3, echo] + c[1, 1] * (part * w[5, echo] + rest * f[2, echo])
        mixed = c[0, 1] * part * w[4, echo] + c[0, 2] * (1.0 - share) * in_t2 - c[0, 3] * total * in_t2
        mixed += c[1, 2] * ((1.0 - share) * in_b1 + share * scale * fat_b1)
        mixed += c[1, 3] * total * (scale * fat_b1 - in_b1) + c[2, 3] * scratch[4, echo] / total
        scratch[5, echo] = trace + 2.0 * mixed
