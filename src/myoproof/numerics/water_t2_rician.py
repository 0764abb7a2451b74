"""Rician likelihood in compiled loops: Bessel ratio, logarithm and Fisher information from tables."""

from functools import cache

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

Floats = npt.NDArray[np.float64]

STEP = 0.02
X_END = 40.0
"""Products of magnitude and amplitude tabulated; beyond, asymptotic series."""
A_END = 20.0
"""Amplitudes (in noise SDs) tabulated; beyond, a Rician variable carries what a normal one does."""


@cache
def tables() -> tuple[Floats, Floats, Floats]:
    """Ratio I1/I0 and log(exp(-x) I0) at x = 0, STEP ... X_END; Fisher information at 0, STEP ... A_END.

    References
    ----------
    Information on a Rician amplitude: Karlsen OT et al. Magn Reson Med 1999;41:614.
    """
    x = np.arange(0.0, X_END + 1.5 * STEP, STEP)
    ratio = special.ive(1, x) / special.ive(0, x)
    amplitude = np.arange(0.0, A_END + 1.5 * STEP, STEP)
    return ratio, np.log(special.ive(0, x)), information(amplitude)


def information(amplitude: Floats) -> Floats:
    """Fisher information of one magnitude on its noise-free value, noise SD 1; 1 where there is no floor.

    Examples
    --------
    >>> information(np.array([0.0, 5.0])).round(2).tolist()
    [0.0, 0.98]
    """
    offset = np.linspace(-8.0, 8.0, 801)
    y = np.maximum(amplitude[:, None] + offset, 0.0)
    x = y * amplitude[:, None]
    density = y * np.exp(-0.5 * (y - amplitude[:, None]) ** 2) * special.ive(0, x)
    score = y * special.ive(1, x) / special.ive(0, x) - amplitude[:, None]
    return np.asarray(np.trapezoid(score**2 * density, y, axis=1), dtype=np.float64)


@njit(cache=True, nogil=True, inline="always")
def ratio_at(table: Floats, x: float) -> float:
    """I1(x) / I0(x)."""
    if x >= X_END:
        inverse = 1.0 / x
        return 1.0 - inverse * (0.5 + inverse * (0.125 + 0.125 * inverse))
    place = x / STEP
    low = int(place)
    return float(table[low] + (place - low) * (table[low + 1] - table[low]))


@njit(cache=True, nogil=True, inline="always")
def information_at(table: Floats, amplitude: float) -> float:
    """Fisher information on the amplitude."""
    if amplitude >= A_END:
        return 1.0
    place = amplitude / STEP
    low = int(place)
    return float(table[low] + (place - low) * (table[low + 1] - table[low]))
