"""True rows of a simulated longitudinal view, from its geometry alone."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from scipy.optimize import brentq

from myoproof.phantoms.bmode_fascicles import Fascicles

PROFILE = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Shares of the tissue's width, from the left of the picture, at which the profile is told."""


class Curve(Protocol):
    """An aponeurosis' inner edge."""

    def at(self, x_mm: Any) -> Any:
        """Depth over x."""
        ...


class Geometry(Protocol):
    """What the rows need to know, in the frame where fascicles rise to +x."""

    @property
    def superficial(self) -> Curve:
        """Upper."""
        ...

    @property
    def deep(self) -> Curve:
        """Lower."""
        ...

    @property
    def fascicles(self) -> Fascicles:
        """Between them."""
        ...

    @property
    def skin_mm(self) -> float:
        """Skin."""
        ...

    @property
    def sheets_mm(self) -> tuple[float, float]:
        """Both aponeuroses."""
        ...

    @property
    def mirror(self) -> float:
        """+1 or -1."""
        ...


def true_rows(geometry: Geometry, site: str, half_width_mm: float, top_mm: float) -> list[dict[str, Any]]:
    """Rows of a view whose tissue is twice ``half_width_mm`` wide and begins at ``top_mm``.

    Angles are against the image's horizontal and positive where they rise to the right after the image was
    mirrored so that fascicles rise to the right; those of aponeuroses are of the least-squares line over the
    width. The fascicle angle is the mean over the muscle shown; lengths are of the fascicle through the
    middle of the muscle. The deep end is the edge of the tissue towards which fascicles descend.
    """
    x = np.linspace(-half_width_mm, half_width_mm, 201)
    upper, lower = geometry.superficial.at(x), geometry.deep.at(x)
    slopes = [float(np.degrees(np.arctan(-np.polyfit(x, edge, 1)[0]))) for edge in (upper, lower)]
    start = (0.0, float(upper[100] + lower[100]) / 2.0)
    straight, arc = geometry.fascicles.lengths(_edge(geometry.superficial), _edge(geometry.deep), start)
    fascicle = _mean_angle(geometry, x)
    values = {
        ("thickness", ""): perpendicular(geometry, 0.0),
        ("thickness_deep_end", ""): float(lower[0] - upper[0]),
        ("aponeurosis_depth_superficial", ""): float(upper[100]) - top_mm,
        ("aponeurosis_depth_deep", ""): float(lower[100]) - top_mm,
        ("aponeurosis_angle", ""): slopes[0],
        ("aponeurosis_angle_deep", ""): slopes[1],
        ("fascicle_angle", ""): fascicle,
        ("pennation_angle", ""): fascicle - slopes[1],
        ("fascicle_length", ""): straight,
        ("fascicle_length_curved", ""): arc,
    }
    for share in PROFILE:
        place = geometry.mirror * (2.0 * share - 1.0) * half_width_mm
        values[("thickness_profile", f"width:{share:.2f}")] = perpendicular(geometry, place)
    rows = [{"site": site, "measure": name, "at": at, "value": value} for (name, at), value in values.items()]
    fat = float(upper[100]) - geometry.sheets_mm[0] - geometry.skin_mm
    return [*rows, {"site": "subcutaneous_fat", "measure": "subcutaneous_thickness", "at": "", "value": fat}]


def perpendicular(geometry: Geometry, x_mm: float) -> float:
    """Thickness at right angles to the line midway between the aponeuroses, through its point at ``x_mm``."""
    upper, lower = _edge(geometry.superficial), _edge(geometry.deep)

    def middle(x: float) -> float:
        return 0.5 * (upper(x) + lower(x))

    slope = (middle(x_mm + 0.05) - middle(x_mm - 0.05)) / 0.1
    normal = np.array([-slope, 1.0]) / np.hypot(slope, 1.0)
    here = np.array([x_mm, middle(x_mm)])

    def distance(edge: Callable[[float], float], sign: float) -> float:
        def gap(step: float) -> float:
            x, z = here + sign * step * normal
            return float(z - edge(float(x)))

        return float(brentq(gap, 0.0, 60.0))

    return distance(upper, -1.0) + distance(lower, 1.0)


def _edge(curve: Curve) -> Callable[[float], float]:
    def at(x: float) -> float:
        return float(curve.at(np.float64(x)))

    return at


def _mean_angle(geometry: Geometry, x: Any) -> float:
    z = np.linspace(0.0, 80.0, 801)[:, None]
    inside = (z > geometry.superficial.at(x)) & (z < geometry.deep.at(x))
    return float(np.sum(geometry.fascicles.angle_at(z) * inside.sum(axis=1, keepdims=True)) / inside.sum())
