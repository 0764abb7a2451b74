"""The shape of one factor: a bell of any skew, with a floor and a ceiling of its own; its fit on a grid."""

import math
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]

# the factor has mean 0 and variance 1 and its longer tail is turned upwards
GRID = np.linspace(-5.0, 8.2, 67)
_Z = np.linspace(-6.0, 6.0, 481)
_MASS = np.exp(-0.5 * _Z * _Z) / np.exp(-0.5 * _Z * _Z).sum()
_BOUNDS = ((-1.2, 1.2), (0.0, 0.25), (0.0, 0.45), (0.0, 0.45))
_STEPS = (0.15, 0.05, 0.08, 0.08)
_STARTS = ((0.0, 0.0), (0.15, 0.0), (0.0, 0.15), (0.15, 0.15), (0.3, 0.3))  # shares at floor and ceiling


@dataclass(frozen=True, slots=True)
class FactorShape:
    """Tukey's g-and-h distribution, cut at a floor and a ceiling and scaled to mean 0 and variance 1.

    Parameters
    ----------
    skew, tail : float
        g (0 symmetric; 0.65 is the lognormal exp(0.65 z)) and h >= 0 (0 the tails of g alone): one bell.
    floor, ceiling : float
        Shares of the subjects that stand at the least and at the greatest value (0 to 0.45).
    """

    skew: float = 0.0
    tail: float = 0.0
    floor: float = 0.0
    ceiling: float = 0.0


def factor_values(z: npt.ArrayLike, shape: FactorShape) -> Floats:
    """Factor values that belong to standard normal ones.

    Parameters
    ----------
    z : array
        Standard normal values.
    shape : FactorShape
        Of the factor.

    References
    ----------
    Hoaglin 1985, in Exploring Data Tables, Trends, and Shapes (Wiley), ch. 11 (g-and-h).

    Examples
    --------
    >>> factor_values([-1.0, 1.0], FactorShape()).round(6).tolist()
    [-1.0, 1.0]
    """
    raw = _raw(_Z, shape)
    mean = float(_MASS @ raw)
    deviation = math.sqrt(float(_MASS @ (raw - mean) ** 2))
    return (_raw(np.asarray(z, dtype=np.float64), shape) - mean) / deviation


def grid_masses(shape: FactorShape) -> Floats:
    """Probability of each grid point, mass between two points shared by nearness."""
    place = np.clip((factor_values(_Z, shape) - GRID[0]) / (GRID[1] - GRID[0]), 0, len(GRID) - 1.001)
    left = place.astype(np.int64)
    part = place - left
    masses = np.bincount(left, _MASS * (1 - part), len(GRID)) + np.bincount(left + 1, _MASS * part, len(GRID))
    return np.asarray(masses + 1e-300)


def fit_bell(log_likelihood: Floats, start: FactorShape) -> FactorShape:
    """Skew and tail of greatest likelihood; floor and ceiling stay as in `start`.

    Parameters
    ----------
    log_likelihood : (n, grid) float64
        Of each subject at each grid point.
    start : FactorShape
        Where the search begins.
    """
    return _search(log_likelihood, start, (0, 1))[0]


def fit_bounds(log_likelihood: Floats, start: FactorShape) -> FactorShape:
    """As :func:`fit_bell` with a floor and a ceiling of the factor, where the data show them.

    They must earn their keep by the Bayesian information criterion, and must explain the data better than
    two Gaussian classes would: subjects at a floor stand at one place, subjects of a class are spread.
    Otherwise the null would take classes for a floor and a ceiling.

    Parameters
    ----------
    log_likelihood : (n, grid) float64
        Of each subject at each grid point.
    start : FactorShape
        Where the search begins.

    References
    ----------
    Schwarz 1978, Ann Stat 6:461.
    """
    price = 0.5 * math.log(len(log_likelihood))
    bell, least = _search(log_likelihood, FactorShape(start.skew, start.tail), (0, 1))
    best = bell
    for free in ((0, 1, 2), (0, 1, 3), (0, 1, 2, 3)):
        shares = (*_STARTS, (start.floor, start.ceiling))
        starts = {(floor * (2 in free), ceiling * (3 in free)) for floor, ceiling in shares}
        for floor, ceiling in sorted(starts - {(0.0, 0.0)}):
            found, loss = _search(log_likelihood, FactorShape(start.skew, start.tail, floor, ceiling), free)
            if loss + price * (len(free) - 2) < least:
                best, least = found, loss + price * (len(free) - 2)
    return bell if least >= _class_loss(log_likelihood) else best


def _class_loss(log_likelihood: Floats) -> float:
    """Least minus log likelihood of two Gaussian classes of one variance, over their share and distance."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))

    def loss(values: Floats) -> float:
        share, distance = values
        spread = 1.0 / math.sqrt(1.0 + share * (1.0 - share) * distance**2)
        first, second = ((GRID / spread - distance * (c - share)) for c in (0.0, 1.0))
        masses = (1.0 - share) * np.exp(-0.5 * first**2) + share * np.exp(-0.5 * second**2)
        return -float(np.log(likelihood @ (masses / masses.sum()) + 1e-300).sum())

    found = [
        minimize(
            loss,
            [share, 2.5],
            method="Nelder-Mead",
            bounds=[(0.05, 0.95), (0.0, 8.0)],
            options={"maxiter": 120},
        )
        for share in (0.3, 0.5, 0.7)
    ]
    return min(float(one.fun) for one in found)


def _search(log_likelihood: Floats, start: FactorShape, free: tuple[int, ...]) -> tuple[FactorShape, float]:
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    fixed = list(astuple(start))

    def shape_of(values: Floats) -> FactorShape:
        numbers = list(fixed)
        for place, value in zip(free, values, strict=True):
            numbers[place] = float(value)
        return FactorShape(*numbers)

    def loss(values: Floats) -> float:
        return -float(np.log(likelihood @ grid_masses(shape_of(values)) + 1e-300).sum())

    first = np.array([fixed[place] for place in free])
    low, high = np.array([_BOUNDS[place] for place in free]).T
    simplex = np.clip(np.vstack([first, first + np.diag([_STEPS[place] for place in free])]), low, high)
    found = minimize(
        loss,
        first,
        method="Nelder-Mead",
        bounds=list(zip(low, high, strict=True)),
        options={"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-3, "maxiter": 40 * len(free)},
    )
    return shape_of(found.x), float(found.fun)


def _raw(z: Floats, shape: FactorShape) -> Floats:
    low = ndtri(shape.floor) if shape.floor > 0 else -np.inf
    high = -ndtri(shape.ceiling) if shape.ceiling > 0 else np.inf
    kept = np.clip(z, low, high)
    bent = np.expm1(shape.skew * kept) / shape.skew if abs(shape.skew) > 1e-6 else kept
    return np.asarray(bent * np.exp(0.5 * shape.tail * kept * kept))
