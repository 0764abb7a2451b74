"""What on a screen is drawn by the machine and what may be tissue: flat backgrounds found, content left."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.sources.ultrasound_types import Grey, Mask

PATCH = 7
"""Side of the patch, pixels, that must be flat to count as background (proposal)."""
LEVEL_SHARE = 0.007
"""Part of the picture that a grey level must fill with flat patches to be a background (proposal)."""
LEVELS = 6
LARGE = 0.01
"""Part of the picture that a flat area fills which is background wherever it lies (proposal)."""
LARGE_SCREEN = 1100
"""Longer side, pixels, from which every second pixel does for finding backgrounds (proposal)."""
COARSE = 400
"""Longer side, cells, of the grid on which shapes are searched (proposal)."""
NOISE = {False: 1, True: 4}
"""Grey levels by which a background varies, without and with lossy compression (proposals)."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A picture parted into background and content.

    Parameters
    ----------
    grey : ndarray, shape (row, column), uint8
        The picture.
    content : ndarray, shape (row, column), bool
        Pixels that are no background.
    share : ndarray, shape (row // cell, column // cell), float32
        Part of each cell that is content.
    cell : int
        Pixels of a cell's side.
    levels : tuple of int
        Grey levels of the backgrounds, the largest first.
    tolerance : int
        Grey levels by which a background may vary.
    """

    grey: Grey
    content: Mask
    share: npt.NDArray[np.float32]
    cell: int
    levels: tuple[int, ...]
    tolerance: int


def survey(grey: Grey, *, lossy: bool) -> Screen:
    """Part a picture into background and content.

    Parameters
    ----------
    grey : ndarray, shape (row, column), uint8
        One frame, or the brightest of several.
    lossy : bool
        Whether flat areas carry compression noise.
    """
    tolerance = NOISE[lossy]
    cell = max(1, round(max(grey.shape) / COARSE))
    step = 1 if max(grey.shape) < LARGE_SCREEN else 2
    patch = PATCH if step == 1 else PATCH // 2
    content, levels = _content(np.ascontiguousarray(grey[::step, ::step]), tolerance, cell // step, patch)
    if step > 1:
        content = cv2.resize(content, grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
    rows, columns = (size // cell * cell for size in grey.shape)
    share = cv2.resize(
        content[:rows, :columns], (columns // cell, rows // cell), interpolation=cv2.INTER_AREA
    )
    return Screen(grey, content > 0, share.astype(np.float32) / 255, cell, levels, tolerance)


def _content(grey: Grey, tolerance: int, cell: int, patch: int) -> tuple[Grey, tuple[int, ...]]:
    """Pixels that are no background, as 255, and the levels of the backgrounds."""
    square = np.ones((patch, patch), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, square), cv2.erode(grey, square))
    flat = cv2.compare(spread, 2 * tolerance, cv2.CMP_LE)
    counts = cv2.calcHist([grey], [0], flat, [256], [0, 256]).ravel()
    content = np.full(grey.shape, 255, np.uint8)
    kept = []
    for level in _levels(counts, grey.size, tolerance):
        near = cv2.inRange(grey, max(level - tolerance, 0), min(level + tolerance, 255))
        near = cv2.morphologyEx(near, cv2.MORPH_OPEN, square)
        outer = _outer(near, cell)
        if outer is not None:
            kept.append(level)
            content = cv2.subtract(content, cv2.bitwise_and(near, outer))
    for turn in range(4):
        _trimmed(np.rot90(content, turn), np.rot90(grey, turn), tolerance)
    return content, tuple(kept)


def _trimmed(content: Grey, grey: Grey, tolerance: int) -> None:
    """Even lines at the first edge are background, however few."""
    for line in range(PATCH):
        if int(grey[line].max()) - int(grey[line].min()) > 2 * tolerance:
            return
        content[line] = 0


def _levels(counts: npt.NDArray[np.float32], size: int, tolerance: int) -> tuple[int, ...]:
    """Grey levels that fill enough flat patches, the commonest first."""
    left = counts.astype(np.float64)
    levels: list[int] = []
    while len(levels) < LEVELS:
        near = np.convolve(left, np.ones(2 * tolerance + 1), "same")
        level = int(np.argmax(near))
        if near[level] < LEVEL_SHARE * size:
            break
        start = max(level - tolerance, 0)
        centre = start + int(np.argmax(left[start : level + tolerance + 1]))
        levels.append(centre)
        left[max(centre - 2 * tolerance, 0) : centre + 2 * tolerance + 1] = 0
    return tuple(levels)


def _outer(near: Grey, cell: int) -> Grey | None:
    """Areas that reach the picture's edge or are large; None where most of the level is in neither.

    Smooth dark tissue is flat in many small places, and a background in few large ones.
    """
    rows, columns = near.shape
    small = cv2.resize(near, (-(-columns // cell), -(-rows // cell)), interpolation=cv2.INTER_NEAREST)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(small, connectivity=4)
    left, top, wide, high, area = (stats[:, place] for place in range(5))
    outer = (left == 0) | (top == 0) | (left + wide == small.shape[1]) | (top + high == small.shape[0])
    outer = (outer & (area > LARGE / 10 * small.size)) | (area > LARGE * small.size)
    outer[0] = False
    if area[outer].sum() < 0.5 * area[1:].sum():
        return None
    mask = cv2.dilate((outer[labels] * 255).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
