"""Fascicle lengths: a straight or curved fascicle from the middle of a muscle to its aponeuroses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Edge = Callable[[npt.ArrayLike], Floats]

LEAST_DEG = 0.5
"""Smallest local angle of a curved fascicle: one that turns level never arrives."""
STEPS = 1000
STEP_SHARE = 0.02
"""Steps of the curve, and their length in shares of the muscle's thickness."""


@dataclass(frozen=True, slots=True)
class Fascicle:
    """One fascicle between two edges, in the frame where x grows to the right and depth grows downwards.

    Parameters
    ----------
    length : float
        Along its course, from edge to edge; NaN where it does not reach both.
    left, right : float
        x of its lower and of its upper end (of its ends, from left to right).
    """

    length: float
    left: float
    right: float


NO_FASCICLE = Fascicle(np.nan, np.nan, np.nan)


def fascicle(
    upper: Edge, lower: Edge, middle: tuple[float, float], angle_deg: float, turn_deg: float = 0.0
) -> Fascicle:
    """The fascicle through a point.

    Parameters
    ----------
    upper, lower : callable
        Depth of the edges at x.
    middle : tuple of float
        x and depth of the point, between the edges.
    angle_deg : float
        Angle at mid-depth against the horizontal, positive where it rises to the right.
    turn_deg : float
        Growth of the angle's magnitude from the upper to the lower edge, linear in depth; 0: straight.

    Returns
    -------
    Fascicle

    Examples
    --------
    >>> import numpy as np
    >>> upper, lower = (lambda x: np.asarray(x) * 0.0), (lambda x: np.asarray(x) * 0.0 + 20.0)
    >>> flat = fascicle(upper, lower, (0.0, 10.0), 30.0)
    >>> round(flat.length, 6), round(flat.right - flat.left, 6)
    (40.0, 34.641016)
    """
    x = middle[0]
    height = float(lower(x)) - float(upper(x))
    if not np.isfinite(angle_deg) or abs(angle_deg) < LEAST_DEG or height <= 0 or not np.isfinite(turn_deg):
        return NO_FASCICLE
    lean = 1.0 if angle_deg > 0 else -1.0
    ends = []
    for way in (1.0, -1.0):  # towards the upper edge, then towards the lower one
        end = _walk((upper, lower), middle, (abs(angle_deg), turn_deg, lean), way, height)
        if end is None:
            return NO_FASCICLE
        ends.append(end)
    (high_x, high_length), (low_x, low_length) = ends
    return Fascicle(high_length + low_length, min(low_x, high_x), max(low_x, high_x))


def _walk(
    edges: tuple[Edge, Edge],
    start: tuple[float, float],
    course: tuple[float, float, float],
    way: float,
    height: float,
) -> tuple[float, float] | None:
    """Place of the end (x) and length of the way to it; None where the edge is never reached.

    The angle is told by the depth between the edges, as found at the place itself.
    """
    upper, lower = edges
    angle, turn, lean = course
    if turn == 0.0:
        return _straight(upper if way > 0 else lower, start, np.radians(angle), lean * way, way, height)
    step = STEP_SHARE * height
    x, depth = start
    done, before = 0.0, _room(edges, x, depth, way)
    for _ in range(STEPS):
        top, bottom = float(upper(x)), float(lower(x))
        share = (depth - top) / (bottom - top) - 0.5 if bottom > top else 0.0
        local = np.radians(np.clip(angle + turn * share, LEAST_DEG, 89.0))
        x, depth = x + lean * way * step * np.cos(local), depth - way * step * np.sin(local)
        room = _room(edges, x, depth, way)
        if room <= 0:
            part = before / (before - room)
            end = x - lean * way * step * np.cos(local) * (1.0 - part)
            return float(end), float(done + part * step)
        done, before = done + step, room
    return None


def _room(edges: tuple[Edge, Edge], x: float, depth: float, way: float) -> float:
    """Vertical distance left to the edge one walks towards."""
    return depth - float(edges[0](x)) if way > 0 else float(edges[1](x)) - depth


def _straight(
    edge: Edge, start: tuple[float, float], angle: float, sideways: float, way: float, height: float
) -> tuple[float, float] | None:
    """The first crossing of a straight line with an edge, by sampling and interpolation."""
    lengths = np.linspace(0.0, STEPS * STEP_SHARE * height, STEPS + 1)
    x = start[0] + sideways * lengths * np.cos(angle)
    room = way * (start[1] - way * lengths * np.sin(angle) - edge(x))
    crossed = np.flatnonzero(room <= 0)
    if not crossed.size or crossed[0] == 0:
        return None
    after = int(crossed[0])
    part = room[after - 1] / (room[after - 1] - room[after])
    length = float(lengths[after - 1] + part * (lengths[after] - lengths[after - 1]))
    return float(start[0] + sideways * length * np.cos(angle)), length
