"""The surface of a bone in a B-mode image: a bright line with a shadow beneath, over neighbouring columns."""

import cv2
import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

ECHO_ROWS, GAP_ROWS, SHADOW_ROWS = 4, 8, 40
"""Rows of the echo, from it to the shadow, and of the shadow, in a working image of 240 rows. Proposals."""
LEAST_FALL = 0.30
"""Fall of grey level (0-1) from the echo to the shadow."""
DARKEST = 0.12
"""Grey level above which nothing is a shadow."""
LEAST_COLUMNS = 0.06
"""Width of the surface, in widths of the image."""
STEP_ROWS = 4.0
"""Neighbouring columns of one surface differ by no more."""
SURFACE_SHARE = 0.8
"""Share of the echo's height at which its surface lies; fixed on phantoms."""


def bone_surface(image: Images, below: Floats) -> Floats:
    """Row of the bone's surface in each column; NaN where none is seen.

    Parameters
    ----------
    image : ndarray, shape (row, col), float32
        Grey levels 0-1, 240 rows high.
    below : ndarray, shape (col,)
        The surface is looked for below these rows.

    Returns
    -------
    ndarray, shape (col,)
        Of the widest run of columns that make one surface.
    """
    smooth = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), dtype=np.float32)
    height = image.shape[0]
    sums = np.concatenate([np.zeros((1, image.shape[1])), np.cumsum(smooth, axis=0, dtype=np.float64)])

    def mean(first: int, rows: int) -> Floats:
        start = np.clip(np.arange(height) + first, 0, height - 1)
        stop = np.clip(start + rows, 1, height)
        return np.asarray((sums[stop] - sums[start]) / (stop - start)[:, None])

    dark = mean(GAP_ROWS, SHADOW_ROWS)
    fall = mean(-ECHO_ROWS // 2, ECHO_ROWS) - dark
    rows = np.arange(height)[:, None]
    fall = np.where((rows > below) & (dark < DARKEST) & (rows < height - GAP_ROWS), fall, -np.inf)
    best = fall.argmax(axis=0)
    columns = np.arange(image.shape[1])
    there = fall[best, columns] > LEAST_FALL
    run = _widest(best, there)
    surface = np.full(image.shape[1], np.nan)
    if run is None:
        return surface
    for column in range(*run):
        surface[column] = _upper_edge(smooth[:, column], int(best[column]))
    return surface


def _widest(rows: npt.NDArray[np.intp], there: npt.NDArray[np.bool_]) -> tuple[int, int] | None:
    """First and last (exclusive) column of the widest run without gap or jump."""
    linked = there[1:] & there[:-1] & (np.abs(np.diff(rows)) <= STEP_ROWS)
    starts = np.flatnonzero(np.concatenate([there[:1], there[1:] & ~linked]))
    best = None
    for start in starts:
        offset = 1 if start else 0
        first = int(start) + offset if not there[start] else int(start)
        stop = first
        while stop < linked.size and linked[stop]:
            stop += 1
        if best is None or stop + 1 - first > best[1] - best[0]:
            best = first, stop + 1
    if best is None or best[1] - best[0] < LEAST_COLUMNS * rows.size:
        return None
    return best


def _upper_edge(profile: Images, crest: int) -> float:
    """Where the echo begins, going up from its crest."""
    low = max(crest - 4, 0)
    top = low + int(profile[low : crest + 5].argmax())
    above = profile[max(top - 16, 0) : max(top - 5, 1)]
    floor = float(np.median(above)) if above.size else float(profile[top])
    wanted = floor + SURFACE_SHARE * (float(profile[top]) - floor)
    row = top
    while row > 0 and profile[row] >= wanted:
        row -= 1
    step = float(profile[row + 1] - profile[row]) if row < top else 0.0
    return row + (float(wanted - profile[row]) / step if step > 0 else 0.0)
