"""Where on a screen the tissue is: its box, rectangle, trapezoid or sector, and further images beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.sources.ultrasound_screen import Screen
from myoproof.sources.ultrasound_sector import polygon
from myoproof.sources.ultrasound_types import Box, Mask

Shape = Literal["rectangle", "trapezoid", "sector", "free"]

SMALLEST = 0.03
"""Part of the picture that an image must fill to be taken for tissue (proposal)."""
SECOND = 0.35
"""Part of the largest image's area that makes another a second image (proposal)."""
UPRIGHT = 0.02
"""Part of the width by which sides may lean in a rectangle (proposal)."""
LEANS, SURE = 0.05, 0.95
"""By how much sides come together, and how well the outline fits, in a turned image (proposals)."""
DEPTHS = 20
"""Grey level up to which rows below may be dark depths (proposal)."""
FULL, DARK = 0.3, 0.06
"""Part of a line of the box that content fills at its sides and top, and at its dark far end (proposals)."""


@dataclass(frozen=True, slots=True)
class Tissue:
    """Where the tissue is.

    Parameters
    ----------
    box : tuple of int
        Rows and columns around the region, half-open.
    region : ndarray, shape (row, column), bool
        The region, without its outermost pixels.
    shape : {"rectangle", "trapezoid", "sector", "free"}
        Its outline; free where none of the others fits.
    others : tuple of Box
        Further images on the screen.
    turned : bool
        Whether the sides come together with depth, as in no image that stands upright.
    """

    box: Box
    region: Mask
    shape: Shape
    others: tuple[Box, ...] = ()
    turned: bool = False


def find(screen: Screen, *, within: Box | None = None) -> Tissue | None:
    """Find the tissue on a screen.

    Parameters
    ----------
    screen : Screen
        From :func:`myoproof.sources.ultrasound_screen.survey`.
    within : tuple of int, optional
        Region that the file states; only it is searched.

    Returns
    -------
    Tissue or None
        The largest image; None where there is none.
    """
    share = screen.share.copy()
    cell = screen.cell
    if within is not None:
        top, bottom, left, right = within
        outside = np.ones(share.shape, bool)
        outside[top // cell : -(-bottom // cell), left // cell : -(-right // cell)] = False
        share[outside] = 0
    parts = _parts(share)
    if not parts:
        return None
    first, *rest = _image_first(parts)
    found = _outlined(first, screen)
    others = tuple(
        box
        for part in rest
        if part.sum() > SECOND * first.sum() and _solid(part)
        for box in [_scaled(_bounds(part), cell, screen.content.shape)]
    )
    return replace(found, others=others)


def _parts(share: npt.NDArray[np.float32]) -> list[Mask]:
    """Connected content large enough to be an image, the largest first; lines of text do not count."""
    solid = (share > 0.25).astype(np.uint8)
    border = 4
    solid = cv2.copyMakeBorder(solid, border, border, border, border, cv2.BORDER_REPLICATE)
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    solid = solid[border:-border, border:-border]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(solid), connectivity=4)
    order = sorted(range(1, count), key=lambda part: -int(stats[part, 4]))
    return [np.asarray(labels == part) for part in order if stats[part, 4] >= SMALLEST * share.size]


def _image_first(parts: list[Mask]) -> list[Mask]:
    """Of two that lie one above the other, the image is above and the trace (M-mode, Doppler) below."""
    first = parts[0]
    top, _, left, right = _bounds(first)
    for other in parts[1:]:
        above = _bounds(other)
        shared = min(right, above[3]) - max(left, above[2])
        if above[1] <= top + 2 and shared > 0.6 * min(right - left, above[3] - above[2]):
            large = other.sum() > SECOND * first.sum() and _solid(other)
            return [other, *(part for part in parts if part is not other)] if large else parts
    return parts


def _solid(part: Mask) -> bool:
    top, bottom, left, right = _bounds(part)
    return bool(part.sum() > 0.4 * (bottom - top) * (right - left))


def _outlined(part: Mask, screen: Screen) -> Tissue:
    box = _bounds(part)
    if _is_upright(part, box):
        exact = _to_the_end(_exact(_scaled(box, screen.cell, screen.content.shape), screen), screen)
        return Tissue(exact, _filled(exact, screen), "rectangle", turned=_is_turned(part, box))
    outline = polygon(part)
    shape: Shape = "free" if outline is None else outline[1]
    points = _hull(part) if outline is None else outline[0]
    mask = np.zeros(screen.content.shape, np.uint8)
    corners = np.round((points + 0.5) * screen.cell - 0.5).astype(np.int32)
    cv2.fillPoly(mask, [corners.reshape(-1, 1, 2)], 1)
    size = 2 * (screen.cell // 2 + 1) + 1
    mask = cv2.erode(mask, np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    around = (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    return Tissue(around, mask > 0, shape)


def _bounds(part: Mask) -> Box:
    """Rows and columns of a part that enough of it fills, so that spurs and specks do not widen it."""
    columns = _from_to(part.sum(0) / max(1, int(part.sum(0).max())), FULL, FULL)
    rows = _from_to(part[:, slice(*columns)].mean(1), FULL, DARK)
    return (*rows, *columns)


def _from_to(filled: npt.NDArray[np.float64], start: float, end: float) -> tuple[int, int]:
    first = int(np.argmax(filled >= start))
    last = filled.size - int(np.argmax(filled[::-1] >= end))
    return first, max(last, first + 1)


def _is_upright(part: Mask, box: Box) -> bool:
    """Whether the sides stay where they are from the top down: near tissue is bright out to the corners."""
    top, bottom, left, right = box
    inside = part[top:bottom, left:right]
    near = inside[: max(2, (bottom - top) // 5)]
    lean = UPRIGHT * (right - left) + 1
    begins = np.argmax(near, axis=1)
    ends = np.argmax(near[:, ::-1], axis=1)
    held = near.any(1)
    return bool(np.median(begins[held]) <= lean and np.median(ends[held]) <= lean)


def _is_turned(part: Mask, box: Box) -> bool:
    """Whether the part is a trapezoid or sector that stands on its head."""
    top, bottom, left, right = box
    last = part[bottom - max(2, (bottom - top) // 12) : bottom, left:right]
    if _is_upright(part[::-1], (part.shape[0] - bottom, part.shape[0] - top, left, right)):
        return False
    held = last.any(1)
    inset = min(np.median(np.argmax(last[held], 1)), np.median(np.argmax(last[held, ::-1], 1)))
    outline = polygon(np.ascontiguousarray(part[::-1])) if inset > LEANS * (right - left) else None
    if outline is None:
        return False
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline[0]).astype(np.int32).reshape(-1, 1, 2)], 1)
    inside = mask[::-1] > 0
    return bool((inside & part).sum() > SURE * (inside | part).sum())


def _scaled(box: Box, cell: int, shape: Sequence[int]) -> Box:
    top, bottom, left, right = (edge * cell for edge in box)
    rows, columns = shape
    if rows - bottom < cell:
        bottom = rows
    if columns - right < cell:
        right = columns
    return top, bottom, left, right


def _exact(box: Box, screen: Screen) -> Box:
    """Edges to the pixel: where content falls to half of what it is inside."""
    top, bottom, left, right = box
    reach = 2 * screen.cell + 1
    rows = screen.content[:, left:right].mean(1)
    columns = screen.content[top:bottom].mean(0)
    return (
        _edge(rows, top, reach),
        rows.size - _edge(rows[::-1], rows.size - bottom, reach),
        _edge(columns, left, reach),
        columns.size - _edge(columns[::-1], columns.size - right, reach),
    )


def _to_the_end(box: Box, screen: Screen) -> Box:
    """Down through dark depths, where what lies beside the image shows that the screen is another grey."""
    top, bottom, left, right = box
    grey = screen.grey
    sides = [grey[top:bottom, max(0, left - 8) : max(0, left - 3)], grey[top:bottom, right + 3 : right + 8]]
    beside = np.concatenate([side.ravel() for side in sides])
    if beside.size == 0 or bottom >= grey.shape[0]:
        return box
    screen_level = float(np.median(beside))
    rows = np.median(grey[bottom:, left:right:4], axis=1)
    deep = (rows <= DEPTHS) & (np.abs(rows - screen_level) > 2 * screen.tolerance + 2)
    return top, bottom + int(np.argmin(np.append(deep, False))), left, right


def _edge(filled: npt.NDArray[np.float64], near: int, reach: int) -> int:
    start, end = max(0, near - reach), min(filled.size, near + reach + 1)
    window = filled[start:end]
    return start + int(np.argmax(window >= window.max() / 2))


def _filled(box: Box, screen: Screen) -> Mask:
    """The box without its outermost pixels, where the picture goes on beyond them."""
    rows, columns = screen.content.shape
    rim = 2 if screen.tolerance > 1 else 1
    top, bottom, left, right = box
    mask = np.zeros((rows, columns), bool)
    mask[
        top + rim * (top > 0) : bottom - rim * (bottom < rows),
        left + rim * (left > 0) : right - rim * (right < columns),
    ] = True
    return mask


def _hull(part: Mask) -> npt.NDArray[np.float64]:
    points = np.argwhere(part)[:, ::-1].astype(np.int32)
    return np.asarray(cv2.convexHull(points).reshape(-1, 2), dtype=np.float64)
