"""Signals of water and fat over T2 and transmit field, as local expansions that leave no grid bias."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.numerics.epg import echo_train
from myoproof.numerics.epg_pulse import Pulses, SliceProfile, response

Floats = npt.NDArray[np.float64]

T1_WATER_S = 1.42
T1_FAT_S = 0.371
"""Muscle water and fat at 3 T (Gold GE et al. AJR 2004;183:343)."""
FAT_T2_S = 0.151
"""Apparent T2 of fat in such trains (default of Santini F et al. Front Neurol 2021;12:630387)."""
T2_RANGE_S = (0.012, 0.200)
"""No muscle has a water T2 near the lower end; it leaves noise room, so that a mean is not pushed up."""
B1_RANGE = (0.40, 1.40)
LOG_T2_STEP = 0.04
B1_STEP = 0.02
"""Half a step to the third power, over 6, is the expansions' error: below 1e-5 of the signal."""
PAD = 2
"""Nodes beyond the range that the derivatives need."""
FIRST = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12.0
SECOND = np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12.0
"""Fourth-order differences (Fornberg B. Math Comp 1988;51:699)."""


@dataclass(frozen=True, slots=True)
class Train:
    """A multi-echo spin-echo train.

    Parameters
    ----------
    echo_spacing_s : float
        The first echo comes at this time.
    n_echo : int
        Echoes.
    skip : int
        Leading echoes that are left out of every fit.
    profile : Pulses or SliceProfile
        Pulses, or angles across the slice.
    refocusing_deg : tuple of float
        Nominal angle of each refocusing pulse; empty: that of the pulses, for all.
    t1_water_s, t1_fat_s, t2_fat_s : float
        Relaxation times that are taken as known.
    """

    echo_spacing_s: float
    n_echo: int
    skip: int = 0
    profile: Pulses | SliceProfile = field(default_factory=Pulses)
    refocusing_deg: tuple[float, ...] = ()
    t1_water_s: float = T1_WATER_S
    t1_fat_s: float = T1_FAT_S
    t2_fat_s: float = FAT_T2_S


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Expansions of the signals of unit water and unit fat about grid nodes.

    Parameters
    ----------
    log_t2 : ndarray, shape (t2,)
        Natural logarithm of T2 in seconds.
    b1 : ndarray, shape (b1,)
        Transmit field over the nominal one.
    water : ndarray, shape (t2, b1, 6, echo)
        Value and derivatives: log T2, B1, log T2 twice, both, B1 twice.
    fat : ndarray, shape (b1, 3, echo)
        Value and first and second derivative with B1.
    """

    log_t2: Floats
    b1: Floats
    water: Floats
    fat: Floats


def signals(train: Train, t2_s: npt.ArrayLike, b1: npt.ArrayLike, *, t1_s: float) -> Floats:
    """Echoes of one tissue, summed over the slice.

    Parameters
    ----------
    train : Train
        All its echoes are computed; ``skip`` applies afterwards.
    t2_s : array_like, shape (t2,)
    b1 : array_like, shape (b1,)
    t1_s : float

    Returns
    -------
    ndarray, shape (t2, b1, echo - skip)
        1 at time 0 and nominal transmit field.

    Raises
    ------
    InvalidInput
        If the number of refocusing angles is not that of the echoes.
    """
    fields = np.atleast_1d(np.asarray(b1, dtype=np.float64))
    excited, angles = _slice_angles(train, fields)
    times = np.atleast_1d(np.asarray(t2_s, dtype=np.float64))[:, None]
    out = np.empty((times.size, fields.size, train.n_echo - train.skip))
    for place in range(fields.size):
        echoes = echo_train(angles[place], echo_spacing_s=train.echo_spacing_s, t1_s=t1_s, t2_s=times)
        out[:, place] = np.einsum("p,tpe->te", excited[place], echoes)[:, train.skip :]
    return out


def build(train: Train, *, t2_range_s: tuple[float, float] = T2_RANGE_S) -> Dictionary:
    """The dictionary of a train.

    Parameters
    ----------
    train : Train
        Echoes, pulses and what is known of relaxation.
    t2_range_s : tuple of float
        Smallest and largest water T2.

    Returns
    -------
    Dictionary
        Steps of 4 % in T2 and 0.02 in transmit field.
    """
    low, high = np.log(t2_range_s)
    n = int(np.ceil((high - low) / LOG_T2_STEP))
    log_t2 = np.asarray(low + LOG_T2_STEP * np.arange(-PAD, n + 1 + PAD), dtype=np.float64)
    count = round((B1_RANGE[1] - B1_RANGE[0]) / B1_STEP)
    b1 = np.asarray(B1_RANGE[0] + B1_STEP * np.arange(-PAD, count + 1 + PAD), dtype=np.float64)
    water = signals(train, np.exp(log_t2), b1, t1_s=train.t1_water_s)
    fat = signals(train, [train.t2_fat_s], b1, t1_s=train.t1_fat_s)[0]
    inner = slice(PAD, -PAD)
    by_t2 = _differences(water, FIRST, 0) / LOG_T2_STEP
    parts = [
        water[inner, inner],
        by_t2[:, inner],
        _differences(water, FIRST, 1)[inner] / B1_STEP,
        _differences(water, SECOND, 0)[:, inner] / LOG_T2_STEP**2,
        _differences(by_t2, FIRST, 1) / B1_STEP,
        _differences(water, SECOND, 1)[inner] / B1_STEP**2,
    ]
    fats = [fat[inner], _differences(fat, FIRST, 0) / B1_STEP, _differences(fat, SECOND, 0) / B1_STEP**2]
    return Dictionary(
        np.asarray(log_t2[inner], dtype=np.float64),
        b1[inner],
        np.ascontiguousarray(np.stack(parts, axis=2)),
        np.stack(fats, axis=1),
    )


def _slice_angles(train: Train, fields: Floats) -> tuple[Floats, Floats]:
    """In-phase excitation (field, position) and refocusing angles (field, position, echo)."""
    main = response(train.profile, fields)
    if not train.refocusing_deg:
        return main.excited, np.repeat(main.refocusing_rad[..., None], train.n_echo, axis=-1)
    if len(train.refocusing_deg) != train.n_echo:
        raise InvalidInput(f"{len(train.refocusing_deg)} refocusing angles for {train.n_echo} echoes")
    nominal = _nominal_deg(train.profile)
    columns = [
        response(train.profile, fields * angle / nominal).refocusing_rad for angle in train.refocusing_deg
    ]
    return main.excited, np.stack(columns, axis=-1)


def _nominal_deg(profile: Pulses | SliceProfile) -> float:
    return profile.refocusing_deg if isinstance(profile, Pulses) else float(profile.refocusing_deg.max())


def _differences(values: Floats, weights: Sequence[float] | Floats, axis: int) -> Floats:
    """Weighted sum of five neighbours along an axis, which loses two nodes at each end."""
    moved = np.moveaxis(values, axis, 0)
    n = moved.shape[0] - 2 * PAD
    total = sum(weight * moved[place : place + n] for place, weight in enumerate(weights))
    return np.moveaxis(np.asarray(total, dtype=np.float64), 0, axis)
