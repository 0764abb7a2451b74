"""Slice-selective pulses: what angle each place across the slice sees, at each transmit field."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

N_SAMPLE = 128
"""Hard pulses that stand for one shaped pulse."""
RANGE = np.linspace(0.8, 1.25, 46)
"""Rephasing moments that are tried, over half the area of the slice gradient."""


@dataclass(frozen=True, slots=True)
class Pulses:
    """Shape and thickness of the excitation and the refocusing pulse.

    Parameters
    ----------
    time_bandwidth : float
        Duration x bandwidth of both; a sinc has this many zero crossings. Proposal: 2.7, a usual spin-echo
        pulse.
    gauss_width : float
        SD of the Gaussian that tapers the sinc, as a share of the duration. Proposal.
    excitation_deg, refocusing_deg : float
        Nominal angles.
    refocusing_width : float
        Slice thickness of the refocusing pulse over that of the excitation. Proposal: 1.2.
    reach : float
        Half width over which the slice is summed, in excitation thicknesses.
    n_position : int
        Places from the middle of the slice to its edge; the other half mirrors them.
    """

    time_bandwidth: float = 2.7
    gauss_width: float = 0.22
    excitation_deg: float = 90.0
    refocusing_deg: float = 180.0
    refocusing_width: float = 1.2
    reach: float = 1.4
    n_position: int = 29


@dataclass(frozen=True, slots=True)
class SliceProfile:
    """A measured or simulated profile that replaces the pulses.

    Parameters
    ----------
    excitation_deg, refocusing_deg : ndarray, shape (position,)
        Angles across the slice at nominal transmit field, evenly spaced; they scale with the field.
    """

    excitation_deg: Floats
    refocusing_deg: Floats


@dataclass(frozen=True, slots=True)
class Response:
    """What a slice does at each transmit field.

    Parameters
    ----------
    excited : ndarray, shape (field, position)
        Transverse magnetisation along the axis of refocusing, times the weight of the place, normalised to
        sum to 1 at nominal field.
    refocusing_rad : ndarray, shape (field, position)
        Angle of the refocusing pulse.
    """

    excited: Floats
    refocusing_rad: Floats


def response(profile: Pulses | SliceProfile, b1: npt.ArrayLike) -> Response:
    """Angles across the slice at given transmit fields.

    Parameters
    ----------
    profile : Pulses or SliceProfile
        Pulses are simulated; a profile is taken as it is and scaled with the field.
    b1 : array_like, shape (field,)
        Transmit field over the nominal one.

    Returns
    -------
    Response

    References
    ----------
    Pauly J et al. IEEE Trans Med Imaging 1991;10:53 (rotations as spinors); Lebel RM, Wilman AH. Magn Reson
    Med 2010;64:1005 (slice profile in the T2 of multi-echo trains).

    Examples
    --------
    >>> flat = SliceProfile(np.full(5, 90.0), np.full(5, 180.0))
    >>> response(flat, [0.5]).refocusing_rad.round(3).tolist()
    [[1.571, 1.571, 1.571, 1.571, 1.571]]
    """
    fields = np.atleast_1d(np.asarray(b1, dtype=np.float64))
    if isinstance(profile, SliceProfile):
        nominal = np.sin(np.radians(profile.excitation_deg)).sum()
        excited = np.sin(np.radians(fields[:, None] * profile.excitation_deg)) / nominal
        return Response(excited, np.radians(fields[:, None] * profile.refocusing_deg))
    place = np.linspace(0.0, profile.reach, profile.n_position)
    weight = np.ones(place.size)
    weight[0] = weight[-1] = 0.5
    with_nominal = np.append(fields, 1.0)
    first = spinor(profile, with_nominal * np.radians(profile.excitation_deg), place)
    excited = _excited(profile, first, place, weight) * weight
    thinner = place / profile.refocusing_width
    second = spinor(profile, fields * np.radians(profile.refocusing_deg), thinner)
    return Response(excited[:-1] / excited[-1].sum(), _angles(profile, second, thinner))


def envelope(pulses: Pulses) -> Floats:
    """Sinc times Gaussian, normalised to sum to 1, shape (N_SAMPLE,)."""
    time = (np.arange(N_SAMPLE) + 0.5) / N_SAMPLE - 0.5
    shape = np.sinc(pulses.time_bandwidth * time) * np.exp(-0.5 * (time / pulses.gauss_width) ** 2)
    return np.asarray(shape / shape.sum(), dtype=np.float64)


def spinor(pulses: Pulses, angle_rad: Floats, place: Floats) -> tuple[Complexes, Complexes]:
    """Cayley-Klein parameters of the pulse, each of shape (angle, place); place in slice thicknesses."""
    turn_z = 2.0 * np.pi * pulses.time_bandwidth * place[None, :] / N_SAMPLE
    alpha = np.ones((angle_rad.size, place.size), dtype=np.complex128)
    beta = np.zeros_like(alpha)
    for share in envelope(pulses):
        turn_x = angle_rad[:, None] * share
        whole = np.maximum(np.hypot(turn_x, turn_z), 1e-15)
        sine = np.sin(0.5 * whole) / whole
        a = np.cos(0.5 * whole) - 1j * turn_z * sine
        b = -1j * turn_x * sine
        alpha, beta = a * alpha - np.conj(b) * beta, b * alpha + np.conj(a) * beta
    return alpha, beta


def _angles(pulses: Pulses, rotation: tuple[Complexes, Complexes], place: Floats) -> Floats:
    """Refocusing angles: from what the pulse turns over, beyond 180 degrees where it has turned too far."""
    alpha, beta = rotation
    angle = 2.0 * np.arcsin(np.clip(np.abs(beta), 0.0, 1.0))
    balanced = alpha * np.exp(1j * np.pi * pulses.time_bandwidth * place)
    return np.asarray(np.where(balanced.real < 0.0, 2.0 * np.pi - angle, angle), dtype=np.float64)


def _excited(pulses: Pulses, rotation: tuple[Complexes, Complexes], place: Floats, weight: Floats) -> Floats:
    """In-phase transverse magnetisation after the rephasing gradient, shape (angle, place).

    The rephasing is the one that gives the largest signal at nominal field (the last angle), as scanners are
    adjusted. What is out of phase is odd across the slice and sums to 0.
    """
    alpha, beta = rotation
    transverse = 1j * 2.0 * np.conj(alpha) * beta
    transverse = transverse * np.conj(transverse[-1, 0] / abs(transverse[-1, 0]))
    moments = np.pi * pulses.time_bandwidth * RANGE
    signal = (np.exp(-1j * moments[:, None] * place) * transverse[-1] * weight).sum(axis=1).real
    best = int(np.clip(signal.argmax(), 1, signal.size - 2))
    before, here, behind = signal[best - 1 : best + 2]
    bend = 2.0 * here - before - behind
    moment = moments[best] + (moments[1] - moments[0]) * 0.5 * (behind - before) / max(bend, 1e-12)
    return np.asarray((transverse * np.exp(-1j * moment * place)).real, dtype=np.float64)
