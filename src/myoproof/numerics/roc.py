"""Area under the ROC curve with DeLong's variance, alone and compared on the same people."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit, logit, ndtri

from myoproof.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Area:
    """An area, or a difference of areas.

    Parameters
    ----------
    value, se, low, high : float
        Estimate, standard error and interval.
    """

    value: float
    se: float
    low: float
    high: float


def area(scores: Floats, ill: Bools, *, level: float = 0.95) -> Area:
    """Area under the ROC curve.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Higher says ill.
    ill : ndarray of bool, shape (n,)
        Who is.
    level : float
        Coverage of the interval, which is symmetric on the logit scale.

    Returns
    -------
    Area

    Raises
    ------
    InvalidInput
        If nobody is ill or nobody is well.

    References
    ----------
    DeLong ER et al. Biometrics 1988;44:837.

    Examples
    --------
    >>> made = area(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))
    >>> made.value
    0.75
    """
    values, placed = _placements(scores[np.newaxis], ill)
    value, se = float(values[0]), float(np.sqrt(_covariance(*placed)[0, 0]))
    if not 0 < value < 1 or se == 0:
        return Area(value, se, value, value)
    half = ndtri((1 + level) / 2) * se / (value * (1 - value))
    return Area(value, se, *(float(expit(logit(value) + side * half)) for side in (-1, 1)))


def area_difference(one: Floats, other: Floats, ill: Bools, *, level: float = 0.95) -> Area:
    """Area of one score less that of another on the same people.

    Parameters
    ----------
    one, other : ndarray, shape (n,)
        Scores.
    ill : ndarray of bool, shape (n,)
        Who is ill.
    level : float
        Coverage.

    Returns
    -------
    Area

    Raises
    ------
    InvalidInput
        As :func:`area`.
    """
    values, placed = _placements(np.stack([one, other]), ill)
    covariance = _covariance(*placed)
    se = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    value = float(values[0] - values[1])
    half = float(ndtri((1 + level) / 2)) * se
    return Area(value, se, value - half, value + half)


def _placements(scores: Floats, ill: Bools) -> tuple[Floats, tuple[Floats, Floats]]:
    """Areas, and the share of the well below each ill person and of the ill above each well one."""
    m, n = int(ill.sum()), int((~ill).sum())
    if m == 0 or n == 0:
        raise InvalidInput(f"{m} ill and {n} well", where="area under the ROC curve", mend="both are needed")
    together = stats.rankdata(scores, axis=1)
    above = (together[:, ill] - stats.rankdata(scores[:, ill], axis=1)) / n
    below = 1 - (together[:, ~ill] - stats.rankdata(scores[:, ~ill], axis=1)) / m
    return above.mean(axis=1), (above, below)


def _covariance(above: Floats, below: Floats) -> Floats:
    parts = [
        np.atleast_2d(np.cov(part)) / part.shape[1] if part.shape[1] > 1 else np.zeros((len(part),) * 2)
        for part in (above, below)
    ]
    return np.asarray(parts[0] + parts[1])
