"""Lengths and angles of one frame of a longitudinal view: edges, fascicles, and what cannot be told."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.measures.architecture_edges import Edges
from myoproof.measures.architecture_params import UNSURE, Params
from myoproof.numerics.fascicles import NOTHING, FascicleFit, dominant_angle
from myoproof.numerics.fascicles_lengths import Fascicle, fascicle

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Key = tuple[str, str]

LENGTHS = (
    "thickness",
    "thickness_deep_end",
    "aponeurosis_depth_superficial",
    "aponeurosis_depth_deep",
    "fascicle_length",
    "fascicle_length_curved",
)
ANGLES = ("aponeurosis_angle", "aponeurosis_angle_deep", "fascicle_angle", "pennation_angle")
OF_FASCICLES = frozenset({"fascicle_angle", "pennation_angle", "fascicle_length", "fascicle_length_curved"})
"""Measures that stand on the fascicle direction."""
SQUARE = 0.005
"""Pixels whose sides differ by more than this share are resampled before directions are read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one frame tells.

    Parameters
    ----------
    values : mapping of (measure, at) to float
        In the image's unit of length, or degrees; NaN where it cannot be told.
    reasons : mapping of (measure, at) to str
        Why a value is NaN.
    flags : mapping of (measure, at) to frozenset of str
        Of single values.
    fit : FascicleFit
        The direction, in the image as shown.
    ends : mapping of (measure, at) to (float, float)
        Ends of the 95 % interval, where the reading itself tells them.
    """

    values: dict[Key, float]
    reasons: dict[Key, str] = field(default_factory=dict)
    flags: dict[Key, frozenset[str]] = field(default_factory=dict)
    fit: FascicleFit = NOTHING
    ends: dict[Key, tuple[float, float]] = field(default_factory=dict)


def read_longitudinal(
    grey: Bytes, muscle: Bools, edges: Edges, unit: tuple[float, float], top: float, params: Params
) -> Reading:
    """Thickness, depths, angles and fascicle lengths of a frame.

    Parameters
    ----------
    grey : ndarray of uint8, shape (row, col)
        The image.
    muscle : ndarray of bool, shape (row, col)
        Between the inner edges of its aponeuroses.
    edges : Edges
        Of the muscle.
    unit : tuple of float
        Size of a pixel along rows and columns.
    top : float
        Depth of the upper border of the tissue box, on the edges' scale.
    params : Params
        Settings.
    """
    fit = direction(grey, muscle, unit, params)
    told = fit if fit.confidence >= UNSURE else NOTHING
    upper, lower = edges.at(edges.middle)
    reading = Reading({}, fit=fit)
    values = reading.values
    values["thickness", ""] = perpendicular(edges, edges.middle)
    for share in params.places:
        key = "thickness_profile", f"width:{share:.2f}"
        place = edges.left + share * edges.width
        values[key] = perpendicular(edges, place)
        _prolonged(reading, key, edges, place, params)
    values["aponeurosis_depth_superficial", ""] = upper - top
    values["aponeurosis_depth_deep", ""] = lower - top
    for key in ("thickness", ""), ("aponeurosis_depth_superficial", ""), ("aponeurosis_depth_deep", ""):
        _prolonged(reading, key, edges, edges.middle, params)
    _directions(reading, edges, told, params)
    for key, value in values.items():
        if key[0] not in ANGLES and value < 0.0:
            values[key], reading.reasons[key] = np.nan, "out_of_domain"
    return reading


def direction(grey: Bytes, muscle: Bools, unit: tuple[float, float], params: Params) -> FascicleFit:
    """The fascicle direction of a region, in the image as shown, its pixels made square."""
    image, region = grey.astype(np.float32), np.asarray(muscle, dtype=np.bool_)
    if abs(unit[1] / unit[0] - 1.0) > SQUARE:
        size = (max(round(image.shape[1] * unit[1] / unit[0]), 1), image.shape[0])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
        region = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return dominant_angle(image, region, params=params.fascicles)


def perpendicular(edges: Edges, place: float) -> float:
    """Thickness at right angles to the line midway between the edges, through its point at a place."""
    upper, lower = edges.at(place)
    reach = edges.reach
    before, after = edges.at(place - reach), edges.at(place + reach)
    slope = float(sum(after) - sum(before)) / 2.0 / (2.0 * reach)
    length = float(np.hypot(slope, 1.0))
    middle, total = 0.5 * (upper + lower), 0.0
    for which, sign in ((0, -1.0), (1, 1.0)):
        drop = sign * ((upper, lower)[which] - middle)  # vertical distance to the edge
        for _ in range(6):
            aside = -sign * slope * drop
            drop = sign * (edges.at(place + aside)[which] - middle)
        total += drop * length
    return total


def _directions(reading: Reading, edges: Edges, fit: FascicleFit, params: Params) -> None:
    """Angles against the horizontal of the mirrored image, the deep end, and fascicle lengths."""
    values, reasons = reading.values, reading.reasons
    lean = 1.0 if fit.angle_deg >= 0 else -1.0
    if not np.isfinite(fit.angle_deg):
        names = ("thickness_deep_end", *ANGLES, "fascicle_length", "fascicle_length_curved")
        values.update({(name, ""): np.nan for name in names})
        reasons.update({(name, ""): "low_confidence" for name in names})
        return
    slopes = [-lean * float(np.degrees(np.arctan(curve.slope))) for curve in edges.curves]
    values["aponeurosis_angle", ""], values["aponeurosis_angle_deep", ""] = slopes
    values["fascicle_angle", ""] = abs(fit.angle_deg)
    values["pennation_angle", ""] = abs(fit.angle_deg) - slopes[1]
    end = edges.left if lean > 0 else edges.right
    upper, lower = edges.at(end)
    key = "thickness_deep_end", ""
    values[key] = lower - upper
    _prolonged(reading, key, edges, end, params)
    high, low = edges.at(edges.middle)
    middle = edges.middle, 0.5 * (high + low)
    upper_curve, lower_curve = edges.curves
    turn = fit.turn_deg if np.isfinite(fit.turn_deg) else 0.0
    shifts = (0.0, fit.half_width_deg, -fit.half_width_deg)
    straight = [
        fascicle(upper_curve.at, lower_curve.at, middle, fit.angle_deg + shift).length for shift in shifts
    ]
    for name, bend in (("fascicle_length", 0.0), ("fascicle_length_curved", turn)):
        one = fascicle(upper_curve.at, lower_curve.at, middle, fit.angle_deg, bend)
        _length(reading, (name, ""), one, straight, edges, params)


def _length(
    reading: Reading, key: Key, one: Fascicle, straight: list[float], edges: Edges, params: Params
) -> None:
    """A length, and its interval from the straight lengths at the angle and at the ends of its interval."""
    if not np.isfinite(one.length) or one.length > params.longest_fascicle * edges.width:
        reading.values[key], reading.reasons[key] = np.nan, "out_of_domain"
        return
    reading.values[key] = one.length
    if np.isfinite(straight).all():
        shares = [length / straight[0] for length in straight]
        reading.ends[key] = one.length * min(shares), one.length * max(shares)
    if one.left < edges.x[0] or one.right > edges.x[-1]:
        reading.flags[key] = frozenset({"extrapolated"})


def _prolonged(reading: Reading, key: Key, edges: Edges, place: float, params: Params) -> None:
    """Mark what was read where nothing is labelled; take it out where that is too far."""
    gap = edges.gap(place)
    if gap > params.longest_gap * edges.width:
        reading.values[key], reading.reasons[key] = np.nan, "low_confidence"
    elif gap > edges.reach:
        reading.flags[key] = frozenset({"extrapolated"})
