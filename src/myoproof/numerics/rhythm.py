"""The rhythm of a place: whether it moves once every heartbeat, and how far."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BEAT_S = (0.5, 1.45)
"""Heartbeats are this far apart: 41 to 120 a minute."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What repeats.

    Parameters
    ----------
    correlation : float
        Of the course with itself one beat later.
    frames : int
        Frames from beat to beat; 0 where nothing repeats.
    height : float
        Usual prominence of a beat, in the units of the course.
    """

    correlation: float
    frames: int
    height: float


def rhythm(course: Floats, frame: int, reach: int, rate_hz: float) -> Rhythm:
    """The rhythm of a course, without what happens round one frame.

    Parameters
    ----------
    course : ndarray, shape (frame,)
        Displacement of a place.
    frame : int
        The movement that is asked about: the course within 0.35 s of it is not used.
    reach : int
        Frames before and after a beat from which it stands out.
    rate_hz : float
        Frames per second.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(300) / 30
    >>> beats = np.maximum(np.cos(2 * np.pi * 1.2 * t), 0) ** 4
    >>> found = rhythm(beats, 150, 5, 30.0)
    >>> found.frames, bool(found.correlation > 0.9), bool(0.7 < found.height <= 1)
    (25, True, True)
    """
    width = int(1.2 * rate_hz) | 1
    slow = cv2.blur(course.astype(np.float32)[:, None], (1, width))[:, 0]
    rest = course - slow
    rest = np.clip(rest, *np.percentile(rest, [4.0, 96.0]))
    use = np.ones(course.size)
    gap = round(0.35 * rate_hz)
    use[max(0, frame - gap) : frame + gap + 1] = 0.0
    best, lag = 0.0, 0
    for candidate in range(round(BEAT_S[0] * rate_hz), min(round(BEAT_S[1] * rate_hz), course.size // 2)):
        found = _correlation(rest, use, candidate)
        if found > best:
            best, lag = found, candidate
    if lag == 0:
        return Rhythm(0.0, 0, 0.0)
    return Rhythm(best, lag, _usual_height(course, frame, reach, lag))


def _correlation(rest: Floats, use: Floats, lag: int) -> float:
    first, second = rest[:-lag], rest[lag:]
    both = use[:-lag] * use[lag:]
    power = np.sqrt(np.sum(first**2 * both) * np.sum(second**2 * both))
    return float(np.sum(first * second * both) / power) if power > 0 else 0.0


def _usual_height(course: Floats, frame: int, reach: int, lag: int) -> float:
    """Median prominence of up to three beats before and after, each found near its due time."""
    n = course.size
    at = np.arange(n)
    before, after = course[np.clip(at - reach, 0, n - 1)], course[np.clip(at + reach, 0, n - 1)]
    height = course - np.maximum(before, after)
    beats = []
    for number in (-3, -2, -1, 1, 2, 3):
        due, slack = frame + number * lag, 2 + abs(number)
        if reach <= due < n - reach:
            beats.append(float(height[max(0, due - slack) : due + slack + 1].max()))
    return float(np.median(beats)) if beats else 0.0
