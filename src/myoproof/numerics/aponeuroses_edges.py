"""Aponeurosis edges: long, nearly straight steps of brightness across a B-mode image, along all slopes."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.float64]

WORK_ROWS = 320
"""Height to which an image is brought (proposal): an aponeurosis is then 5-15 rows thick."""
STEP = 4
"""Columns that are averaged into one before lines are sought (proposal)."""
SLOPES = np.arange(-0.26, 0.2601, 0.02)
"""Rows per column; +-15 degrees covers what probes along a muscle show (proposal)."""
THICKNESSES = ((5, 7), (11, 16))
"""Rows of the bright side and of the dark side over which a step is averaged (proposal)."""
LOCAL_SD = 16.0
CONTRAST_FLOOR = 0.08
CLIP = (-0.5, 1.5)
CANDIDATES = (12, 20)
"""Upper and lower edges kept: fascicles that end at the deep aponeurosis make many lower ones (proposal)."""
UPPER_WITHIN, LOWER_WITHIN = (0.0, 0.65), (0.2, 1.0)
"""Share of the image height in which an edge's middle lies (proposal)."""
REACH = 12
TOLL = 0.12


@dataclass(frozen=True, slots=True)
class Work:
    """An image at working size.

    Parameters
    ----------
    image : ndarray, shape (row, col), float32
        Grey levels 0-1, height ``WORK_ROWS``.
    normal : ndarray, shape (row, node), float32
        Local contrast: grey minus its neighbourhood's mean, over its SD; ``STEP`` columns to a node.
    valid : ndarray, shape (row, node), bool, optional
        Where tissue is seen; None where everywhere.
    scale : float
        Working rows per image row.
    """

    image: Array
    normal: Array
    valid: npt.NDArray[np.bool_] | None
    scale: float


@dataclass(frozen=True, slots=True)
class Edges:
    """Candidate edges.

    Parameters
    ----------
    rows : ndarray, shape (candidate, node)
        Position of the step, in working rows (pixel centres are whole rows).
    strength : ndarray, shape (candidate, node)
        Step of local contrast there, clipped.
    """

    rows: Rows
    strength: Rows


def prepare(image: npt.NDArray[np.uint8], tissue: npt.NDArray[np.bool_] | None = None) -> Work:
    """Bring an image to working size and take its local contrast.

    Parameters
    ----------
    image : ndarray, shape (row, col), uint8
        The tissue box.
    tissue : ndarray, shape (row, col), bool, optional
        False where text, colour or nothing is shown.

    Returns
    -------
    Work
    """
    scale = WORK_ROWS / image.shape[0]
    cols = max(round(image.shape[1] * scale), 16 * STEP)
    small = cv2.resize(image, (cols, WORK_ROWS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    if tissue is None or bool(tissue.all()):
        return Work(small, _fewer(_contrast(small, None)), None, scale)
    seen = cv2.resize(tissue.astype(np.float32), (cols, WORK_ROWS), interpolation=cv2.INTER_AREA)
    weight = (seen > 0.99).astype(np.float32)
    normal = _contrast(small, weight)
    return Work(small * weight, _fewer(normal), _fewer(weight) > 0.5, scale)


def edges(work: Work, *, count: tuple[int, int] = CANDIDATES) -> tuple[Edges, Edges]:
    """Strongest edges of both polarities, each followed from side to side.

    Parameters
    ----------
    work : Work
    count : tuple of int
        At most so many upper and lower edges.

    Returns
    -------
    upper, lower : Edges
        Bright above and dark below (the lower side of a superficial aponeurosis), and the reverse (the
        upper side of a deep one). Strongest first; may be empty.
    """
    above, below = _lines(work, count)
    slopes = {slope for slope, _ in (*above, *below)}
    steps = {slope: _responses(work.normal, work.valid, slope, STEP, 5) for slope in slopes}
    return (
        _followed(work, [(slope, steps[slope][0], steps[slope][2], y) for slope, y in above]),
        _followed(work, [(slope, steps[slope][1], steps[slope][2], y) for slope, y in below]),
    )


def _lines(work: Work, count: tuple[int, int]) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """Slope and row of the strongest straight edges of both polarities, sought on twice as coarse columns."""
    half = (max(work.normal.shape[1] // 2, 4), WORK_ROWS)
    coarse = cv2.resize(work.normal, half, interpolation=cv2.INTER_AREA)
    valid = None
    if work.valid is not None:
        valid = cv2.resize(work.valid.astype(np.float32), half, interpolation=cv2.INTER_AREA) > 0.99
    means: tuple[list[Rows], list[Rows]] = ([], [])
    for slope in SLOPES:
        *steps, seen = _responses(coarse, valid, slope, 2 * STEP, 1)
        for each, step in zip(means, steps, strict=True):
            each.append(_row_means(step, seen))
    cols = work.image.shape[1]
    upper = _peaks(np.array(means[0]), UPPER_WITHIN, count[0], cols)
    return upper, _peaks(np.array(means[1]), LOWER_WITHIN, count[1], cols)


def _contrast(image: Array, weight: Array | None) -> Array:
    if weight is None:
        mean = cv2.GaussianBlur(image, (0, 0), LOCAL_SD)
        square = cv2.GaussianBlur(image * image, (0, 0), LOCAL_SD)
    else:
        total = np.maximum(cv2.GaussianBlur(weight, (0, 0), LOCAL_SD), 1e-3)
        mean = cv2.GaussianBlur(image * weight, (0, 0), LOCAL_SD) / total
        square = cv2.GaussianBlur(image * image * weight, (0, 0), LOCAL_SD) / total
    normal = (image - mean) / (np.sqrt(np.maximum(square - mean * mean, 0)) + CONTRAST_FLOOR)
    return np.asarray(normal if weight is None else normal * weight, dtype=np.float32)


def _fewer(image: Array) -> Array:
    size = (max(image.shape[1] // STEP, 8), image.shape[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _sheared(image: Array, rise: float) -> Array:
    rows, cols = image.shape
    matrix = np.array([[1, 0, 0], [rise, 1, -rise * (cols - 1) / 2]], dtype=np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(image, matrix, (cols, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    )


def _responses(
    normal: Array, valid: npt.NDArray[np.bool_] | None, slope: float, step: int, run: int
) -> tuple[Array, Array, Array | None]:
    """Steps of contrast (bright above, bright below) along one slope, and where they are seen.

    Row y is the boundary between rows y - 1 and y.
    """
    straight = _sheared(normal, slope * step)
    if run > 1:
        straight = cv2.blur(straight, (run, 1))
    rows = straight.shape[0]
    most = max(max(pair) for pair in THICKNESSES)
    padded = cv2.copyMakeBorder(straight, most, most, 0, 0, cv2.BORDER_REPLICATE)
    total = np.zeros((padded.shape[0] + 1, padded.shape[1]), dtype=np.float32)
    np.cumsum(padded, axis=0, out=total[1:])
    here = total[most : most + rows]
    under = {t: (total[most + t : most + t + rows] - here) / t for pair in THICKNESSES for t in pair}
    over = {t: (here - total[most - t : most - t + rows]) / t for pair in THICKNESSES for t in pair}
    (thin, near), (thick, far) = THICKNESSES
    above = np.clip(np.maximum(over[thin] - under[near], over[thick] - under[far]), *CLIP)
    below = np.clip(np.maximum(under[thin] - over[near], under[thick] - over[far]), *CLIP)
    if valid is None:
        return above, below, None
    seen = cv2.erode(valid.astype(np.uint8), np.ones((2 * most + 1, 3), np.uint8)).astype(np.float32)
    return above, below, (_sheared(seen, slope * step) > 0.5).astype(np.float32)


def _row_means(step: Array, seen: Array | None) -> Rows:
    if seen is None:
        return np.asarray(step.mean(axis=1), dtype=np.float64)
    share = seen.mean(axis=1)
    means = (step * seen).mean(axis=1) / np.maximum(share, 0.1)
    return np.where(share > 0.3, means, -1.0)


def _peaks(means: Rows, within: tuple[float, float], count: int, cols: int) -> list[tuple[float, int]]:
    """Slope and row of the strongest lines that differ by five rows or more between them."""
    left = means.copy()
    rows = np.arange(means.shape[1])
    left[:, (rows < max(4, within[0] * rows.size)) | (rows > min(rows.size - 4, within[1] * rows.size))] = -1
    found: list[tuple[float, int]] = []
    while len(found) < count:
        s, y = np.unravel_index(int(np.argmax(left)), left.shape)
        if left[s, y] < 0.05:
            break
        found.append((float(SLOPES[s]), int(y)))
        across = (SLOPES - SLOPES[s])[:, None] * (cols - 1) / 2
        apart = (rows - y)[None, :]
        left[np.maximum(np.abs(across), np.abs(apart + 0 * across)) < 5] = -1
    return found


def _followed(work: Work, lines: list[tuple[float, Array, Array | None, int]]) -> Edges:
    """Let each line bend: the path of largest step within reach, a row per two nodes at most, at a toll."""
    count = work.normal.shape[1]
    if not lines:
        return Edges(np.zeros((0, count)), np.zeros((0, count)))
    nodes = np.arange(1, count, 2)
    offsets = np.arange(-REACH, REACH + 1)
    gains = np.stack([_reachable(step, seen, y + offsets, nodes) for _, step, seen, y in lines])
    paths, values = _best_paths(gains)
    bend = offsets[paths].astype(np.float64)
    bend = np.stack(
        [cv2.GaussianBlur(b[None], (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)[0] for b in bend]
    )
    every = np.arange(count)
    run = (every - (count - 1) / 2) * STEP
    rows = [
        y + slope * run + np.interp(every, nodes, b) - 0.5
        for (slope, _, _, y), b in zip(lines, bend, strict=True)
    ]
    return Edges(np.array(rows), np.array([np.interp(every, nodes, v) for v in values]))


def _reachable(
    step: Array, seen: Array | None, rows: npt.NDArray[np.int64], nodes: npt.NDArray[np.int64]
) -> Rows:
    inside = (rows >= 0) & (rows < step.shape[0])
    held = np.clip(rows, 0, step.shape[0] - 1)
    gains = step[held][:, nodes].T.astype(np.float64)
    if seen is not None:
        gains = gains * seen[held][:, nodes].T
    gains[:, ~inside] = -1
    return gains


def _best_paths(gains: Rows) -> tuple[npt.NDArray[np.int64], Rows]:
    """Viterbi over (candidate, node, offset)."""
    n, nodes, width = gains.shape
    best = gains[:, 0].copy()
    back = np.zeros((n, nodes, width), dtype=np.int64)
    index = np.arange(width)
    choices = np.full((3, n, width), -1e9)
    for t in range(1, nodes):
        choices[0] = best
        choices[1, :, 1:] = best[:, :-1] - TOLL
        choices[2, :, :-1] = best[:, 1:] - TOLL
        pick = choices.argmax(axis=0)
        best = gains[:, t] + np.take_along_axis(choices, pick[None], axis=0)[0]
        back[:, t] = index - (pick == 1) + (pick == 2)
    paths = np.empty((n, nodes), dtype=np.int64)
    last = best.argmax(axis=1)
    for t in range(nodes - 1, -1, -1):
        paths[:, t] = last
        last = back[np.arange(n), t, last]
    values = np.take_along_axis(gains, paths[:, :, None], axis=2)[:, :, 0]
    return paths, values
