"""Outlines with leaning sides: trapezoids of steered beams and sectors of curved and phased arrays."""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.sources.ultrasound_types import Mask

Points = npt.NDArray[np.float64]

STEEPEST = 70.0
"""Degrees from the vertical up to which a side of an image may lean."""
POINTS = 64
BINS = 48
FITS = 0.75
"""Overlap of outline and content below which the outline is not believed (proposal)."""


def polygon(part: Mask) -> tuple[Points, Literal["trapezoid", "sector"]] | None:
    """The outline of an image with leaning sides.

    Parameters
    ----------
    part : ndarray, shape (row, column), bool
        Its content, dark places missing.

    Returns
    -------
    points : ndarray, shape (point, 2)
        Column and row of the outline.
    shape : {"trapezoid", "sector"}
        A sector where the top or the bottom is an arc about the point in which the sides meet; or None where
        no such outline fits.
    """
    sides = _sides(part)
    if sides is None:
        return None
    (left, left_at), (right, right_at) = sides
    if not right > left:
        return None
    apex_row = (left_at - right_at) / (right - left)
    apex = np.array([left * apex_row + left_at, apex_row])
    points = np.argwhere(part)[:, ::-1].astype(np.float64)
    angles = (np.arctan(left), np.arctan(right))
    top, curved_top = _end(points, apex, angles, far=False)
    bottom, curved_bottom = _end(points, apex, angles, far=True)
    if not top < bottom and curved_top == curved_bottom:
        return None
    upper = _curve(apex, angles, top, curved_top)
    lower = _curve(apex, angles, bottom, curved_bottom)
    outline = np.vstack([upper, lower[::-1]])
    rows, columns = part.shape
    outline = np.clip(outline, 0, [columns - 1, rows - 1])
    if _overlap(outline, part) < FITS:
        return None
    return outline, "sector" if curved_top or curved_bottom else "trapezoid"


def _sides(part: Mask) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Left and right side as (slope, offset): column = slope x row + offset; from the hull."""
    points = np.argwhere(part)[:, ::-1].astype(np.int32)
    hull = cv2.convexHull(points)
    corners = np.asarray(cv2.approxPolyDP(hull, 1.5, True), dtype=np.float64).reshape(-1, 2)
    centre = points.mean(0)
    best: dict[str, tuple[float, float, float]] = {}
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        across, down = end - start
        if abs(down) < 2 or np.degrees(np.arctan(abs(across / down))) > STEEPEST:
            continue
        side = "left" if (start[0] + end[0]) / 2 < centre[0] else "right"
        slope = across / down
        outward = -slope if side == "left" else slope
        if outward > -0.02 and abs(down) > best.get(side, (0.0,))[0]:
            best[side] = (abs(down), slope, start[0] - slope * start[1])
    if len(best) < 2:
        return None
    return best["left"][1:], best["right"][1:]


def _end(points: Points, apex: Points, angles: tuple[float, float], *, far: bool) -> tuple[float, bool]:
    """Where the image begins or ends: a row, or a distance from the apex, whichever varies less."""
    offset = points - apex
    angle = np.arctan2(offset[:, 0], offset[:, 1])
    inside = (angle > angles[0]) & (angle < angles[1])
    place = np.floor((angle[inside] - angles[0]) / (angles[1] - angles[0]) * BINS).astype(int)
    place = np.clip(place, 0, BINS - 1)
    distance = np.hypot(*offset[inside].T)
    row = points[inside, 1]
    worst = -np.inf if far else np.inf
    reach, rows = np.full(BINS, worst), np.full(BINS, worst)
    pick = np.maximum if far else np.minimum
    pick.at(reach, place, distance)
    pick.at(rows, place, row)
    held = np.isfinite(reach)
    middle = held & (np.abs(np.arange(BINS) - BINS / 2 + 0.5) < BINS * 0.4)
    if middle.sum() < BINS // 4:
        middle = held
    spread = [float(np.subtract(*np.percentile(values[middle], [85, 15]))) for values in (reach, rows)]
    curved = spread[0] < spread[1]
    values = (reach if curved else rows)[middle]
    return float(np.percentile(values, 85 if far else 15)), bool(curved)


def _curve(apex: Points, angles: tuple[float, float], at: float, curved: bool) -> Points:
    across = np.linspace(*angles, POINTS)
    if curved:
        return np.stack([apex[0] + at * np.sin(across), apex[1] + at * np.cos(across)], axis=1)
    return np.stack([apex[0] + (at - apex[1]) * np.tan(across), np.full(POINTS, at)], axis=1)


def _overlap(outline: Points, part: Mask) -> float:
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32).reshape(-1, 1, 2)], 1)
    inside = mask > 0
    return float((inside & part).sum() / max(1, part.sum()))
