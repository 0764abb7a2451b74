"""Ruler ticks beside the tissue: found by their even steps; what they mean is said only where provable."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.sources.ultrasound_screen import Screen
from myoproof.sources.ultrasound_types import Box, Grey, Mask

THICKEST = 5
"""Tallest tick, pixels (proposal)."""
FEWEST, FEWEST_LONG, MOST = 4, 3, 100
"""Ticks of a ruler, and long ones among them (proposals)."""
EVEN = 0.02
"""Part of a step by which ticks may stray (proposal)."""
ROUNDED = 0.75
"""Pixels by which few ticks may stray: they are drawn on whole pixels."""
STEADY = 0.7
"""Part of the ticks that must be even, and of the even places that must hold one (proposal)."""
NARROWEST = 4
"""Fewest pixels from tick to tick."""
ALIKE = 0.3
"""Part of a column's lit pixels that may differ from its neighbour's in ticks (proposal)."""
LONGEST = 24
"""Pixels of the longest tick."""
REACH = 0.35
"""Part of the box by which a ruler may lie beside it (proposal)."""
STEPS_MM = (1.0, 2.0, 5.0, 10.0)
"""What one step may mean."""
SIZES_MM = (0.02, 0.5)
"""Sizes of a pixel that screens show."""
SPAN = 0.5
"""Part of the box's height or width that a ruler covers at least (proposal)."""
PROVEN = {2: 5.0, 10: 1.0}
"""Ratio of long to short ticks that leaves one reading: halves and tenths of a centimetre."""
STANDS_OUT = 50
"""Grey levels by which ticks stand out of the background (proposal)."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """Evenly spaced ticks.

    Parameters
    ----------
    step : float
        Pixels from tick to tick.
    ratio : int
        Every how manieth tick is longer; 0 where all are alike.
    ticks : int
        How many were seen.
    """

    step: float
    ratio: int
    ticks: int


def find(grey: Grey, screen: Screen, box: Box) -> tuple[Ruler | None, Ruler | None]:
    """Find rulers beside and below the tissue.

    Parameters
    ----------
    grey : ndarray, shape (row, column), uint8
        A frame.
    screen : Screen
        Its background.
    box : tuple of int
        The tissue.

    Returns
    -------
    down, across : Ruler or None
        Along the rows, and along the columns.
    """
    bright = _drawn(grey, screen)
    top, bottom, left, right = box
    bright[top + 3 : bottom - 3, left + 3 : right - 3] = False
    height, width = bottom - top, right - left
    rows = slice(max(0, top - height // 20), bottom + height // 20)
    columns = slice(max(0, int(left - REACH * width)), int(right + REACH * width))
    down = _best(bright[rows, columns], SPAN * height)
    rows = slice(max(0, top - height // 10), int(bottom + REACH * height))
    columns = slice(max(0, left - width // 20), right + width // 20)
    across = _best(bright[rows, columns].T, SPAN * width)
    return down, across


def reading_mm(
    ruler: Ruler, length: int, *, depth_mm: float | None = None, spacing_mm: float | None = None
) -> tuple[float, ...]:
    """The readings of one step, mm, that nothing contradicts; one alone is proof.

    Parameters
    ----------
    ruler : Ruler
        As found.
    length : int
        Rows of the tissue box.
    depth_mm : float, optional
        Depth of the image as printed or stated.
    spacing_mm : float, optional
        A stated size of a pixel.

    Examples
    --------
    >>> reading_mm(Ruler(step=57.6, ratio=2, ticks=9), 520)
    (5.0,)
    >>> reading_mm(Ruler(step=115.2, ratio=0, ticks=5), 520)
    (5.0, 10.0)
    >>> reading_mm(Ruler(step=115.2, ratio=0, ticks=5), 520, depth_mm=45)
    (10.0,)
    """
    if ruler.ratio in PROVEN:
        options: tuple[float, ...] = (PROVEN[ruler.ratio],)
    else:
        options = STEPS_MM
    left = [
        step
        for step in options
        if 10 <= step * length / ruler.step <= 200 and SIZES_MM[0] <= step / ruler.step <= SIZES_MM[1]
    ]
    if depth_mm is not None:
        left = [step for step in left if abs(step * length / ruler.step / depth_mm - 1) < 0.1]
    if spacing_mm is not None:
        left = [step for step in left if abs(step / ruler.step / spacing_mm - 1) < EVEN]
    return tuple(left)


def _drawn(grey: Grey, screen: Screen) -> Mask:
    """What is brighter than the background nearest to it in level."""
    dark = [level for level in screen.levels if level < 128]
    return np.asarray(grey > max(dark, default=0) + STANDS_OUT)


def _best(bright: Mask, span: float) -> Ruler | None:
    """The ruler of most ticks along the rows of a strip."""
    starts = np.zeros(bright.shape, bool)
    starts[1:] = bright[1:] & ~bright[:-1]
    starts[0] = bright[0]
    number, lit = _counts(starts), _counts(bright)
    alike = np.zeros(lit.size, bool)
    alike[:-1] = _counts(bright[:, 1:] ^ bright[:, :-1]) <= ALIKE * lit[:-1]
    alike[1:] |= alike[:-1]
    likely = alike & (number <= MOST) & (lit <= 4 * THICKEST * number) & (np.arange(lit.size) % 2 == 0)
    found: dict[int, tuple[float, int]] = {}
    for column in np.flatnonzero(likely & (number >= FEWEST)):
        _keep(found, int(column), _even(bright[:, column]), span)
    near = np.zeros(lit.size, bool)
    for place in found:
        near[max(0, place - LONGEST) : place + LONGEST] = True
    for column in np.flatnonzero(likely & near & (number < FEWEST) & (number >= FEWEST_LONG)):
        _keep(found, int(column), _even(bright[:, column]), span)
    return _together(found)


def _counts(mask: Mask) -> npt.NDArray[np.int32]:
    """True values of each column."""
    lit = np.ascontiguousarray(mask).view(np.uint8)
    return np.asarray(cv2.reduce(lit, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel(), dtype=np.int32)


def _keep(
    found: dict[int, tuple[float, int]], column: int, even: tuple[float, int] | None, span: float
) -> None:
    if even is not None and even[0] * (even[1] - 1) >= span:
        found[column] = even


def _even(line: Mask) -> tuple[float, int] | None:
    """Step and number of the ticks of one line, strays left out; None where too few are even."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
    begins, ends = edges[::2], edges[1::2]
    short = ends - begins <= THICKEST
    centres = (begins[short] + ends[short] - 1) / 2
    if centres.size < FEWEST_LONG:
        return None
    steps = np.diff(centres)
    wide = steps >= NARROWEST
    offsets = centres[None, :] - centres[:-1][wide, None]
    places = np.round(offsets / steps[wide, None])
    slack = np.maximum(1.0, EVEN / 2 * np.abs(offsets))
    held = np.abs(offsets - places * steps[wide, None]) <= slack
    if not held.size:
        return None
    chosen = int(np.argmax(held.sum(1)))
    order, once = np.unique(places[chosen, held[chosen]], return_index=True)
    best = centres[held[chosen]][once]
    if best.size < max(FEWEST_LONG, STEADY * centres.size) or best.size < STEADY * (order[-1] - order[0] + 1):
        return None
    slope, offset = np.polyfit(order, best, 1)
    if np.abs(best - (slope * order + offset)).max() > (1.0 if best.size > FEWEST else ROUNDED):
        return None
    return float(slope), int(best.size)


def _together(found: dict[int, tuple[float, int]]) -> Ruler | None:
    """Columns of equal step are one ruler; another step beside it is that of its long ticks."""
    if not found:
        return None
    columns = sorted(found)
    groups: list[list[int]] = [[columns[0]]]
    for column in columns[1:]:
        if column - groups[-1][-1] <= 3:
            groups[-1].append(column)
        else:
            groups.append([column])
    wide = [group for group in groups if max(found[column][1] for column in group) >= FEWEST]
    best = max(wide, key=lambda group: max(found[column][1] for column in group), default=None)
    if best is None:
        return None
    steps: Sequence[tuple[float, int]] = [found[column] for column in best]
    fine = min(step for step, _ in steps)
    finest = [(step, ticks) for step, ticks in steps if step < 1.3 * fine]
    step = float(np.median([step for step, _ in finest]))
    if len(finest) < 2 or max(abs(other / step - 1) for other, _ in finest) > EVEN / 2:
        return None
    longer = [other for other, _ in steps if other > 1.5 * fine]
    ratio = round(float(np.median(longer)) / step) if longer else 0
    return Ruler(step, ratio, max(ticks for _, ticks in finest))
