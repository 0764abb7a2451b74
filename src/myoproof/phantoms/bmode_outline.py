"""Closed outlines of muscles, nerves and vessels, and the round surface of a bone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

FAR_MM = 1000.0
"""Depth of a bone's surface where there is no bone."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A rounded shape: an ellipse with waves, as its radius over the angle.

    Parameters
    ----------
    x_mm, z_mm : float
        Centre.
    across_mm, down_mm : float
        Half axes.
    waves : tuple of (order, share, phase)
        Relative waves of the radius.
    """

    x_mm: float
    z_mm: float
    across_mm: float
    down_mm: float
    waves: tuple[tuple[int, float, float], ...] = ()

    def radius(self, angle: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Distance of the outline from the centre; angle 0 points to +x, a right angle to +z."""
        ellipse = 1.0 / np.hypot(np.cos(angle) / self.across_mm, np.sin(angle) / self.down_mm)
        wave = np.ones_like(ellipse)
        for order, share, phase in self.waves:
            wave = wave + share * np.cos(order * angle + phase)
        return np.asarray(ellipse * wave)

    def inside_mm(self, x: Images, z: Images) -> Images:
        """How far inside the outline, along the ray from the centre; negative outside."""
        right, down = x - np.float32(self.x_mm), z - np.float32(self.z_mm)
        reach = np.hypot(right, down)
        table = self.radius(np.linspace(-np.pi, np.pi, 1441)).astype(np.float32)
        at = (np.arctan2(down, right) + np.float32(np.pi)) * np.float32(1440 / (2 * np.pi))
        low = np.clip(at.astype(np.int32), 0, 1439)
        share = at - low
        radius = table[low] * (1.0 - share) + table[low + 1] * share
        return np.asarray(radius - reach, dtype=np.float32)

    @property
    def area_mm2(self) -> float:
        """Area."""
        radius = self.radius(np.linspace(0.0, 2.0 * np.pi, 3601)[:-1])
        return float(np.mean(radius**2) * np.pi)

    def scaled(self, factor: float) -> "Outline":
        """The same shape round the same centre."""
        return Outline(self.x_mm, self.z_mm, self.across_mm * factor, self.down_mm * factor, self.waves)

    def edge(self, x_mm: float, sign: float) -> float:
        """Depth of the lower (+1) or upper (-1) outline at some x."""
        angle = sign * np.linspace(0.0, np.pi, 3601)
        radius = self.radius(angle)
        x, z = self.x_mm + radius * np.cos(angle), self.z_mm + radius * np.sin(angle)
        order = np.argsort(x)
        return float(np.interp(x_mm, x[order], z[order]))


@dataclass(frozen=True, slots=True)
class Bone:
    """The upper surface of a round bone: its highest point and its radius."""

    x_mm: float
    top_mm: float
    radius_mm: float

    def surface(self, x: npt.NDArray[np.floating]) -> Images:
        """Depth of the surface over x; far below beside the bone."""
        away = (x - self.x_mm) / self.radius_mm
        height = np.sqrt(np.maximum(1.0 - away**2, 0.0))
        depth = self.top_mm + self.radius_mm * (1.0 - height)
        return np.asarray(np.where(np.abs(away) < 0.97, depth, FAR_MM), dtype=np.float32)


def rough_outline(
    centre_mm: tuple[float, float],
    axes_mm: tuple[float, float],
    roughness: float,
    *,
    rng: np.random.Generator,
) -> Outline:
    """An ellipse with three random waves of the radius, each of about ``roughness``."""
    waves = tuple(
        (order, float(rng.normal(0.0, roughness / (order - 1))), float(rng.uniform(0.0, 2.0 * np.pi)))
        for order in (2, 3, 4)
    )
    return Outline(*centre_mm, *axes_mm, waves)
