"""Low-order curves through points with outliers: bisquare-weighted polynomials, prolonged straight."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TUNING = 4.685
"""Bisquare constant: 95 % efficiency where errors are Gaussian (Holland 1977, Commun Stat A6:813)."""
MAD_TO_SD = 1.4826
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """A polynomial in (x - centre) / scale, prolonged straight beyond the points it was fitted to.

    Parameters
    ----------
    coefficients : tuple of float
        Highest power first.
    centre, scale : float
        Of x.
    first, last : float
        Range of the points; beyond it the curve goes on along ``slope``.
    slope : float
        Slope of the least-squares line of the curve over its range.
    """

    coefficients: tuple[float, ...]
    centre: float
    scale: float
    first: float
    last: float
    slope: float

    def at(self, x: npt.ArrayLike) -> Floats:
        """The curve's height at some places."""
        place = np.asarray(x, dtype=np.float64)
        held = np.clip(place, self.first, self.last)
        within = np.polyval(self.coefficients, (held - self.centre) / self.scale)
        return np.asarray(within + self.slope * (place - held))


def robust_curve(x: Floats, y: Floats, order: int) -> Curve:
    """A polynomial through points, outliers set aside.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Points; n above ``order``.
    order : int
        Of the polynomial.

    Returns
    -------
    Curve

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(10.0)
    >>> y = 2.0 + 0.5 * x
    >>> y[4] = 40.0
    >>> round(float(robust_curve(x, y, 1).at(4.0)), 6)
    4.0
    """
    centre, scale = float(np.mean(x)), max(float(np.ptp(x)) / 2.0, 1e-9)
    unit = (x - centre) / scale
    fit = np.polyfit(unit, y, order)
    small = max(1e-3 * float(np.std(y)), 1e-9)
    for _ in range(ROUNDS):  # least absolute differences, so that the start is not drawn to outliers
        off = np.abs(y - np.polyval(fit, unit))
        fit = np.polyfit(unit, y, order, w=1.0 / np.sqrt(np.maximum(off, small)))
    for _ in range(ROUNDS):
        off = y - np.polyval(fit, unit)
        spread = MAD_TO_SD * float(np.median(np.abs(off - np.median(off))))
        if spread < 1e-9:
            spread = max(1e-9, float(np.mean(np.abs(off))))
        weight = np.clip(1.0 - (off / (TUNING * spread)) ** 2, 0.0, None)
        if np.count_nonzero(weight) <= order + 1:
            break
        fit = np.polyfit(unit, y, order, w=weight)
    grid = np.linspace(float(x.min()), float(x.max()), 64)
    slope = float(np.polyfit(grid, np.polyval(fit, (grid - centre) / scale), 1)[0]) if np.ptp(x) > 0 else 0.0
    return Curve(tuple(float(c) for c in fit), centre, scale, float(x.min()), float(x.max()), slope)
