"""Spin-echo trains by rotating isochromats: the oracle of the phase graphs, sharing no code with them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TIME_BANDWIDTH = 2.7
GAUSS_WIDTH = 0.22
REFOCUSING_WIDTH = 1.2
"""Pulse shape: sinc of this time-bandwidth product under a Gaussian (SD as a share of the duration), the
refocused slice 1.2 times the excited one. Proposals; scanners differ and rarely tell."""
N_HARD = 96
"""Hard pulses per shaped pulse."""
N_PLACE = 35
"""Places across the slice, both halves."""
REACH = 1.4
"""Half width of the simulated slice, in thicknesses."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A multi-echo spin-echo sequence.

    Parameters
    ----------
    echo_spacing_s, repetition_time_s : float
        The first echo comes at the echo spacing.
    n_echo : int
        Echoes.
    """

    echo_spacing_s: float = 0.010
    repetition_time_s: float = 3.0
    n_echo: int = 17


def echoes(t2_s: Floats, t1_s: float, b1: Floats, sequence: Sequence) -> Floats:
    """Echo amplitudes of one tissue.

    Parameters
    ----------
    t2_s : ndarray, shape (t2,)
        Transverse relaxation times.
    t1_s : float
        Longitudinal one.
    b1 : ndarray, shape (field,)
        Transmit field over the nominal one.
    sequence : Sequence
        Timing.

    Returns
    -------
    ndarray, shape (field, t2, echo)
        Magnitude of the magnetisation summed over the slice; 1 at time 0 and nominal field. The repetition
        time is not in it: see :func:`saturation`.

    References
    ----------
    Bloch F. Phys Rev 1946;70:460. Every place of the slice holds isochromats that the crushers spread evenly
    over whole turns; each refocusing pulse is a product of rotations.
    """
    place = np.linspace(-REACH, REACH, N_PLACE)
    rephase = _best_rephasing(place)
    whole = abs(_excited(1.0, place, rephase).sum())
    spread = 2.0 * np.pi * np.arange(2 * sequence.n_echo + 6) / (2 * sequence.n_echo + 6)
    out = np.empty((b1.size, t2_s.size, sequence.n_echo))
    for k, field in enumerate(b1):
        start = _excited(float(field), place, rephase) / whole
        turn = _refocusing(float(field), place / REFOCUSING_WIDTH)
        out[k] = _train(start, turn, spread, t2_s, t1_s, sequence)
    return out


def saturation(t1_s: float, sequence: Sequence) -> float:
    """Share of the magnetisation that has recovered when the next train starts; the train leaves none."""
    rest = sequence.repetition_time_s - sequence.echo_spacing_s * (sequence.n_echo + 0.5)
    return float(1.0 - np.exp(-max(rest, 0.0) / t1_s))


def _train(
    start: npt.NDArray[np.complex128],
    turn: Floats,
    spread: Floats,
    t2_s: Floats,
    t1_s: float,
    sequence: Sequence,
) -> Floats:
    """Follow (t2, place, isochromat) through the train."""
    shape = (t2_s.size, start.size, spread.size)
    transverse = np.broadcast_to(start[None, :, None], shape).astype(np.complex128)
    along = np.zeros(shape)
    half = 0.5 * sequence.echo_spacing_s
    fade = np.exp(-half / t2_s)[:, None, None] * np.exp(1j * spread)[None, None, :]
    keep = float(np.exp(-half / t1_s))
    r = turn[:, :, :, None]
    out = np.empty((t2_s.size, sequence.n_echo))
    for echo in range(sequence.n_echo):
        transverse = transverse * fade
        along = along * keep
        x, y = transverse.real, transverse.imag
        transverse = (r[0, 0] * x + r[0, 1] * y + r[0, 2] * along) + 1j * (
            r[1, 0] * x + r[1, 1] * y + r[1, 2] * along
        )
        along = (r[2, 0] * x + r[2, 1] * y + r[2, 2] * along) * keep
        transverse = transverse * fade
        out[:, echo] = np.abs(transverse.mean(axis=2).sum(axis=1))
    return out


def _shape() -> Floats:
    time = (np.arange(N_HARD) + 0.5) / N_HARD - 0.5
    pulse = np.sinc(TIME_BANDWIDTH * time) * np.exp(-0.5 * (time / GAUSS_WIDTH) ** 2)
    return np.asarray(pulse / pulse.sum())


def _rotations(angle_rad: float, place: Floats) -> Floats:
    """Matrices (3, 3, place) of a pulse about x under its slice gradient, from half steps of precession."""
    precess = 2.0 * np.pi * TIME_BANDWIDTH * place / N_HARD
    turn_z = _about_z(0.5 * precess)
    total = np.tile(np.eye(3)[:, :, None], (1, 1, place.size))
    for share in _shape():
        total = _times(turn_z, _times(_about_x(angle_rad * share, place.size), _times(turn_z, total)))
    return total


def _about_z(angle_rad: Floats) -> Floats:
    c, s, zero, one = np.cos(angle_rad), np.sin(angle_rad), 0.0 * angle_rad, 1.0 + 0.0 * angle_rad
    return np.asarray([[c, -s, zero], [s, c, zero], [zero, zero, one]])


def _about_x(angle_rad: float, n: int) -> Floats:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.repeat(np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])[:, :, None], n, axis=2)


def _times(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("ijp,jkp->ikp", one, other))


def _excited(b1: float, place: Floats, rephase: float) -> npt.NDArray[np.complex128]:
    """Transverse magnetisation turned so that it lies along the refocusing axis in the middle."""
    last = _rotations(b1 * np.pi / 2.0, place)[:, 2]
    return np.asarray((last[0] + 1j * last[1]) * 1j * np.exp(-1j * rephase * place))


def _best_rephasing(place: Floats) -> float:
    """The rephasing moment that gives the largest signal at nominal field, as a scanner is adjusted."""
    tried = np.pi * TIME_BANDWIDTH * np.linspace(0.8, 1.2, 161)
    signal = [abs(_excited(1.0, place, float(moment)).sum()) for moment in tried]
    return float(tried[int(np.argmax(signal))])


def _refocusing(b1: float, place: Floats) -> Floats:
    """The refocusing pulse with the halves of its own gradient balanced before and after it."""
    back = _about_z(-np.pi * TIME_BANDWIDTH * place)
    return _times(back, _times(_rotations(b1 * np.pi, place), back))
