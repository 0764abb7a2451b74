"""Curved fascicles between two aponeuroses: direction, families of lines, true angle and lengths."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Edge = Callable[[float], float]

LEAST_DEG, MOST_DEG = 2.0, 75.0
"""Bounds of the local angle, so that every fascicle reaches both aponeuroses."""


@dataclass(frozen=True, slots=True)
class Fascicles:
    """A family of curves, shifted along x, whose angle to the horizontal changes linearly with depth.

    Parameters
    ----------
    angle_deg : float
        Angle against the horizontal at ``middle_mm``, rising towards positive x.
    turn_deg_per_mm : float
        Change of the angle with depth.
    middle_mm : float
        Depth at which ``angle_deg`` holds.
    """

    angle_deg: float
    turn_deg_per_mm: float
    middle_mm: float

    def angle_at(self, z_mm: Floats) -> Floats:
        """Local angle in degrees at some depths."""
        angle = self.angle_deg + self.turn_deg_per_mm * (z_mm - self.middle_mm)
        return np.asarray(np.clip(angle, LEAST_DEG, MOST_DEG))

    def shift(self, z_mm: Floats) -> Floats:
        """How far a fascicle has moved to the left at some depths: integral of the cotangent of the angle."""
        grid = np.arange(min(-5.0, float(np.min(z_mm)) - 1), max(100.0, float(np.max(z_mm)) + 1), 0.05)
        slope = 1.0 / np.tan(np.radians(self.angle_at(grid)))
        total = np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]) * 0.05)])
        return np.asarray(np.interp(z_mm, grid, total - np.interp(self.middle_mm, grid, total)))

    def across(self, x_mm: Images, z_mm: Images) -> Images:
        """Distance from the fascicle through (0, middle), measured across fascicles at the middle."""
        rows = np.unique(z_mm) if z_mm.size < 4096 else np.linspace(z_mm.min(), z_mm.max(), 512)
        shift = np.interp(z_mm, rows, self.shift(rows.astype(np.float64)))
        return np.asarray((x_mm + shift) * np.sin(np.radians(self.angle_deg)), dtype=np.float32)

    def along(self, x_mm: Images, z_mm: Images) -> Images:
        """Position along the fascicles, mm, growing towards positive x."""
        angle = np.radians(self.angle_deg)
        return np.asarray(
            x_mm * np.float32(np.cos(angle))
            - (z_mm - np.float32(self.middle_mm)) * np.float32(np.sin(angle)),
            dtype=np.float32,
        )

    def lengths(self, superficial: Edge, deep: Edge, start: tuple[float, float]) -> tuple[float, float]:
        """Straight distance and arc length, between the aponeuroses, of the fascicle through a point."""
        x, z = start
        table_z = np.arange(-20.0, 150.0, 0.05)
        table_x = -self.shift(table_z)
        table_x += x - np.interp(z, table_z, table_x)

        def at(depth: float) -> float:
            return float(np.interp(depth, table_z, table_x))

        upper = _crossing(lambda depth: depth - superficial(at(depth)), z, -1.0)
        lower = _crossing(lambda depth: depth - deep(at(depth)), z, 1.0)
        depths = np.linspace(upper, lower, 400)
        places = np.interp(depths, table_z, table_x)
        arc = float(np.sum(np.hypot(np.diff(depths), np.diff(places))))
        return float(np.hypot(lower - upper, places[-1] - places[0])), arc


def _crossing(gap: Callable[[float], float], start: float, step: float) -> float:
    """The depth nearest to ``start`` in the direction of ``step`` where the gap changes its sign."""
    first, here = gap(start), start
    for _ in range(400):
        after = here + 0.25 * step
        if gap(after) * first <= 0:
            return float(brentq(gap, min(here, after), max(here, after)))
        here = after
    return here
