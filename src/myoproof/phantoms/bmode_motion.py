"""Movement in a simulated cine: twitches, arterial pulse, breathing, tremor, slips, contraction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

TWITCH, PULSE, TREMOR, SLIP, CONTRACTION = "fasciculation", "pulse", "pseudotremor", "slip", "contraction"
TWITCH_S, RISE_SHARE, TWITCH_MM = (0.2, 0.7), (0.3, 0.45), (0.35, 1.5)
"""Duration, share of it until the peak, and amplitude of a twitch. Proposals, durations as reported."""
ALONG_MM, ACROSS_MM = (7.0, 13.0), (3.0, 5.0)
"""Half widths (SD) of the twitching region along and across fascicles. Proposal."""
APART_S, MARGIN_S = 0.2, 0.3
"""Least distance of the peaks of two twitches, and of a twitch from either end of the cine."""


@dataclass(frozen=True, slots=True)
class Event:
    """One movement.

    Parameters
    ----------
    kind : str
        ``fasciculation``, ``pulse`` (one beat), ``pseudotremor``, ``slip`` or ``contraction``.
    start_s, peak_s, end_s : float
        When it begins, is greatest, and ends.
    x_mm, z_mm : float
        Its centre; 0 where the whole picture moves.
    amplitude_mm : float
        Greatest displacement.
    """

    kind: str
    start_s: float
    peak_s: float
    end_s: float
    x_mm: float
    z_mm: float
    amplitude_mm: float


@dataclass(frozen=True, slots=True)
class Mover:
    """One movement as a field in space times courses in time.

    Parameters
    ----------
    field : ndarray, shape (2, sample, beam), or shape (2, 1, 1)
        Displacement to the right and down, in mm, at course 1.
    course : ndarray, shape (frame,)
        Its course.
    """

    field: Images
    course: Floats


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What moves beside fasciculations; False or 0 switches off. Amplitudes are proposals.

    Parameters
    ----------
    pulse_mm, breathing_mm, tremor_mm, slip_mm, contraction_mm : float
        Amplitude of the arterial pulse, breathing, pseudotremor (a tremor of the hand or the limb that moves
        the whole picture at 6-10 Hz for 1-3 s), the slip of the probe, and one voluntary contraction.
    """

    pulse_mm: float = 0.35
    breathing_mm: float = 0.6
    tremor_mm: float = 0.25
    slip_mm: float = 2.0
    contraction_mm: float = 3.0


NOTHING = Disturbances(0.0, 0.0, 0.0, 0.0, 0.0)
"""A still probe on a still limb."""


def bump(times_s: Floats, start_s: float, peak_s: float, end_s: float) -> Floats:
    """0 outside, 1 at the peak, half cosines between."""
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((times_s - start_s) / (peak_s - start_s), 0.0, 1.0))
    fall = 0.5 + 0.5 * np.cos(np.pi * np.clip((times_s - peak_s) / (end_s - peak_s), 0.0, 1.0))
    return np.asarray(np.where(times_s <= peak_s, rise, fall))


def twitches(
    inside: Sequence[tuple[float, float]],
    angle_deg: float,
    seconds: float,
    n: int,
    *,
    rng: np.random.Generator,
) -> list[tuple[Event, float, tuple[float, float]]]:
    """Fasciculations drawn at random.

    Parameters
    ----------
    inside : sequence of (x, z)
        Places to choose from.
    angle_deg : float
        Direction of the fascicles in the picture, rising to the right.
    seconds : float
        Length of the cine.
    n : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    list of (Event, direction in degrees, (along, across) in mm)
        In the order of their peaks; fewer than ``n`` where they do not fit.
    """
    peaks: list[float] = []
    for _ in range(200 * n if seconds > 2.0 * MARGIN_S else 0):
        if len(peaks) == n:
            break
        peak = float(rng.uniform(MARGIN_S, seconds - MARGIN_S))
        if all(abs(peak - other) >= APART_S for other in peaks):
            peaks.append(peak)
    found = []
    for peak in sorted(peaks):
        duration, share = float(rng.uniform(*TWITCH_S)), float(rng.uniform(*RISE_SHARE))
        x, z = inside[int(rng.integers(len(inside)))]
        way = angle_deg + float(rng.normal(0.0, 12.0)) + (180.0 if rng.random() < 0.5 else 0.0)
        amplitude = float(np.exp(rng.uniform(*np.log(TWITCH_MM))))
        event = Event(TWITCH, peak - share * duration, peak, peak + (1 - share) * duration, x, z, amplitude)
        found.append((event, way, (float(rng.uniform(*ALONG_MM)), float(rng.uniform(*ACROSS_MM)))))
    return found


def twitch_field(
    x: Images, z: Images, event: Event, way_deg: float, widths_mm: tuple[float, float], tilt_deg: float
) -> Images:
    """Displacement of a twitch at course 1: one direction, falling off along and across the fascicles."""
    right, up = x - np.float32(event.x_mm), np.float32(event.z_mm) - z
    cos, sin = np.float32(np.cos(np.radians(tilt_deg))), np.float32(np.sin(np.radians(tilt_deg)))
    along, across = right * cos + up * sin, up * cos - right * sin
    reach = np.exp(-0.5 * ((along / widths_mm[0]) ** 2 + (across / widths_mm[1]) ** 2))
    way = np.radians(way_deg)
    step = event.amplitude_mm * np.array([np.cos(way), -np.sin(way)])
    return np.asarray(step[:, None, None] * reach, dtype=np.float32)


def disturb(
    x: Images,
    z: Images,
    times_s: Floats,
    what: Disturbances,
    muscle_mm: tuple[float, float],
    *,
    rng: np.random.Generator,
) -> tuple[list[Mover], list[Event]]:
    """Everything that moves beside fasciculations.

    Parameters
    ----------
    x, z : ndarray, shape (sample, beam)
        Where the samples lie.
    times_s : ndarray, shape (frame,)
        When frames are made.
    what : Disturbances
        Amplitudes.
    muscle_mm : tuple of float
        Depth of the muscle's upper and lower edge.
    rng : numpy.random.Generator
        Source of randomness; every kind draws from a stream of its own.
    """
    streams = rng.spawn(5)
    movers, events = [], []
    for stream, amplitude, make in zip(
        streams,
        (what.pulse_mm, what.breathing_mm, what.tremor_mm, what.slip_mm, what.contraction_mm),
        (_pulse, _breathing, _tremor, _slip, _contraction),
        strict=True,
    ):
        if amplitude > 0:
            mover, told = make(x, z, times_s, amplitude, muscle_mm, stream)
            movers.append(mover)
            events.extend(told)
    return movers, events


Made = tuple[Mover, list[Event]]
Span = tuple[float, float]


def _pulse(
    x: Images, z: Images, times: Floats, amplitude: float, muscle: Span, rng: np.random.Generator
) -> Made:
    """A vessel widens with every beat and pushes away what lies round it."""
    middle = float(rng.uniform(-0.7, 0.7)) * float(x.max()), float(rng.uniform(*muscle))
    beat, size = float(rng.uniform(0.65, 1.05)), float(rng.uniform(1.5, 2.5))
    right, down = x - np.float32(middle[0]), z - np.float32(middle[1])
    far = np.maximum(np.hypot(right, down), 1e-3)
    push = np.minimum(far / size, size / far)
    field = amplitude * push * np.stack([right / far, down / far])
    course, events, start = np.zeros_like(times), [], float(rng.uniform(-beat, 0.0))
    while start < times[-1]:
        rise, fall = 0.12, 0.40
        strength = float(rng.normal(1.0, 0.08))
        course += strength * bump(times, start, start + rise, start + rise + fall)
        events.append(Event(PULSE, start, start + rise, start + rise + fall, *middle, amplitude * strength))
        start += beat * float(rng.normal(1.0, 0.03))
    return Mover(field.astype(np.float32), course), events


def _breathing(
    x: Images, z: Images, times: Floats, amplitude: float, muscle: Span, rng: np.random.Generator
) -> Made:
    """Tissue is pressed against the probe and moves sideways, slowly."""
    del muscle
    share = (z / z.max()).astype(np.float32)
    sideways = float(rng.uniform(-0.6, 0.6))
    course = np.sin(2.0 * np.pi * (float(rng.uniform(0.2, 0.33)) * times + rng.random()))
    field = amplitude * np.stack([sideways * np.ones_like(x), share])
    return Mover(field.astype(np.float32), course - course[0]), []


def _tremor(
    x: Images, z: Images, times: Floats, amplitude: float, muscle: Span, rng: np.random.Generator
) -> Made:
    """The whole picture shakes for a while."""
    del x, z, muscle
    length = float(rng.uniform(1.0, 3.0))
    start = float(rng.uniform(0.0, max(times[-1] - length, 0.1)))
    window = bump(times, start, start + length / 2.0, start + length)
    course = window * np.sin(2.0 * np.pi * float(rng.uniform(6.0, 10.0)) * times)
    way = float(rng.uniform(0.0, 2.0 * np.pi))
    field = amplitude * np.array([np.cos(way), np.sin(way)], dtype=np.float32)[:, None, None]
    return Mover(field, course), [
        Event(TREMOR, start, start + length / 2, start + length, 0.0, 0.0, amplitude)
    ]


def _slip(
    x: Images, z: Images, times: Floats, amplitude: float, muscle: Span, rng: np.random.Generator
) -> Made:
    """The probe jumps sideways and stays there."""
    del x, z, muscle
    start, length = float(rng.uniform(0.5, max(times[-1] - 0.5, 0.6))), float(rng.uniform(0.08, 0.2))
    course = 0.5 - 0.5 * np.cos(np.pi * np.clip((times - start) / length, 0.0, 1.0))
    sideways = amplitude * (1.0 if rng.random() < 0.5 else -1.0)
    field = np.array([sideways, 0.15 * sideways], dtype=np.float32)[:, None, None]
    return Mover(field, course), [Event(SLIP, start, start + length / 2, start + length, 0.0, 0.0, amplitude)]


def _contraction(
    x: Images, z: Images, times: Floats, amplitude: float, muscle: Span, rng: np.random.Generator
) -> Made:
    """The muscle shortens and relaxes: depths slide over each other, all at once."""
    length = float(rng.uniform(0.9, 1.6))
    start = float(rng.uniform(0.2, max(times[-1] - length - 0.2, 0.3)))
    peak = start + length * float(rng.uniform(0.35, 0.6))
    del x
    depth = (z - np.float32(muscle[0])) / np.float32(max(muscle[1] - muscle[0], 1.0))
    slide = 1.0 / (1.0 + np.exp(-6.0 * (depth - 0.5)))
    sign = 1.0 if rng.random() < 0.5 else -1.0
    field = amplitude * np.stack([sign * slide, 0.25 * np.clip(depth, 0.0, 1.0)])
    told = [Event(CONTRACTION, start, peak, start + length, 0.0, 0.0, amplitude)]
    return Mover(field.astype(np.float32), bump(times, start, peak, start + length)), told
