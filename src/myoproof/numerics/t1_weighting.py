"""T1 weighting of fat and water in a spoiled gradient echo: bias of the fat fraction, correction, doubt."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

N_NODE = (21, 15, 61)
"""Nodes of the grid over T1 of water, T1 of fat and B1 on which the spread of their ratio is counted."""
REACH = 4.0
"""Standard deviations that the grid reaches to either side."""
SHORTEST_T1_S = 0.02
SMALLEST_B1 = 0.1
"""The spread is cut off below these: neither tissue nor a coil goes there."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A spoiled gradient echo.

    Parameters
    ----------
    repetition_time_s, flip_angle_deg : float
        Both positive.
    """

    repetition_time_s: float
    flip_angle_deg: float


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Longitudinal relaxation and transmit field, and how well they are known in one subject.

    Parameters
    ----------
    t1_water_s, t1_fat_s, b1 : float
        Expected values; B1 = 1 is the nominal flip angle.
    t1_water_sd_s, t1_fat_sd_s, b1_sd : float
        SD between subjects of what is expected; 0 = known.
    """

    t1_water_s: float = 1.420
    t1_fat_s: float = 0.371
    b1: float = 1.0
    t1_water_sd_s: float = 0.150
    t1_fat_sd_s: float = 0.040
    b1_sd: float = 0.15


def steady_state(t1_s: npt.ArrayLike, protocol: Protocol, b1: npt.ArrayLike = 1.0) -> Floats:
    """Signal per proton in the steady state.

    Parameters
    ----------
    t1_s : array_like
        Longitudinal relaxation time.
    protocol : Protocol
        Repetition time and nominal flip angle.
    b1 : array_like
        Transmit field, 1 = nominal; broadcast against ``t1_s``.

    Returns
    -------
    ndarray
        Between 0 and 1, without decay.

    References
    ----------
    Ernst and Anderson, Rev Sci Instrum 1966;37:93.

    Examples
    --------
    >>> float(steady_state(1.42, Protocol(1000.0, 90.0)).round(6))
    1.0
    """
    angle = np.deg2rad(protocol.flip_angle_deg) * np.asarray(b1, dtype=np.float64)
    lost = -np.expm1(-protocol.repetition_time_s / np.asarray(t1_s, dtype=np.float64))
    return np.asarray(np.sin(angle) * lost / (lost + (1.0 - lost) * (1.0 - np.cos(angle))))


def fat_over_water(protocol: Protocol, relaxation: Relaxation, b1: npt.ArrayLike | None = None) -> Floats:
    """How much brighter than the same amount of water fat is.

    Parameters
    ----------
    protocol : Protocol
        Repetition time and nominal flip angle.
    relaxation : Relaxation
        Its expected values are used.
    b1 : array_like, optional
        A measured transmit field in place of the expected one.

    Returns
    -------
    ndarray
        Shape of ``b1``. Above 1, since fat relaxes faster.

    Examples
    --------
    >>> float(fat_over_water(Protocol(0.010, 10.0), Relaxation()).round(3))
    2.024
    """
    field = relaxation.b1 if b1 is None else b1
    fat = steady_state(relaxation.t1_fat_s, protocol, field)
    return np.asarray(fat / steady_state(relaxation.t1_water_s, protocol, field))


def weighted(fat_fraction: npt.ArrayLike, ratio: npt.ArrayLike) -> Floats:
    """The fat fraction that T1-weighted signals show of a proton-density fat fraction.

    Parameters
    ----------
    fat_fraction : array_like
        Of protons, 0-1.
    ratio : array_like
        :func:`fat_over_water`.

    References
    ----------
    Liu et al., Magn Reson Med 2007;58:354.

    Examples
    --------
    >>> ratio = fat_over_water(Protocol(0.010, 10.0), Relaxation())
    >>> float(weighted(0.5, ratio).round(3))
    0.669
    """
    part, times = np.asarray(fat_fraction, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    return np.asarray(part * times / (1.0 + part * (times - 1.0)))


def corrected(apparent: npt.ArrayLike, ratio: npt.ArrayLike) -> Floats:
    """The proton-density fat fraction behind a T1-weighted one: the inverse of :func:`weighted`.

    Parameters
    ----------
    apparent : array_like
        Of signals; values slightly outside 0-1 are carried through.
    ratio : array_like
        :func:`fat_over_water`.

    Examples
    --------
    >>> float(corrected(weighted(0.3, 2.0), 2.0).round(6))
    0.3
    """
    return weighted(apparent, 1.0 / np.asarray(ratio, dtype=np.float64))


def slope(apparent: npt.ArrayLike, ratio: npt.ArrayLike) -> Floats:
    """Change of the corrected fat fraction per change of the apparent one: what noise is multiplied by.

    Examples
    --------
    >>> float(slope(0.0, 2.0)), float(slope(1.0, 2.0))
    (0.5, 2.0)
    """
    part, times = np.asarray(apparent, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    return np.asarray(times / (times + part * (1.0 - times)) ** 2)


def ratio_interval(protocol: Protocol, relaxation: Relaxation, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of :func:`fat_over_water` in one subject whose T1 and B1 are known to their SD only.

    Parameters
    ----------
    protocol : Protocol
        Repetition time and nominal flip angle.
    relaxation : Relaxation
        Expected values and their SD, taken as independent and normal.
    level : float
        Share of subjects between the bounds, 0-1.

    Returns
    -------
    low, high : float
        Quantiles on a grid over the three. As the fat fraction falls steadily with the ratio, that of any
        voxel, muscle or mean lies between its values at the two bounds with the same probability.

    Examples
    --------
    >>> low, high = ratio_interval(Protocol(0.010, 10.0), Relaxation())
    >>> low < 2.024 < high
    True
    """
    water, p_water = _nodes(relaxation.t1_water_s, relaxation.t1_water_sd_s, N_NODE[0], least=SHORTEST_T1_S)
    fat, p_fat = _nodes(relaxation.t1_fat_s, relaxation.t1_fat_sd_s, N_NODE[1], least=SHORTEST_T1_S)
    field, p_field = _nodes(relaxation.b1, relaxation.b1_sd, N_NODE[2], least=SMALLEST_B1)
    by_fat = steady_state(fat[:, None], protocol, field)
    by_water = steady_state(water[:, None], protocol, field)
    ratio = (by_fat[None] / by_water[:, None]).ravel()
    chance = (p_water[:, None, None] * p_fat[:, None] * p_field).ravel()
    order = np.argsort(ratio)
    reached = np.cumsum(chance[order]) - 0.5 * chance[order]
    low, high = np.interp([(1 - level) / 2, (1 + level) / 2], reached / chance.sum(), ratio[order])
    return float(low), float(high)


def _nodes(middle: float, sd: float, count: int, *, least: float) -> tuple[Floats, Floats]:
    """Values and their probabilities."""
    if sd <= 0:
        return np.array([middle]), np.ones(1)
    steps = np.linspace(-REACH, REACH, count)
    values = np.maximum(middle + sd * steps, least)
    return values, np.asarray(stats.norm.pdf(steps))
