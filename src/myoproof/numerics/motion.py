"""Motion in a cine: optical flow on a grid of cells, and what is left of it after the whole view's motion."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MotionParams:
    """How motion is followed.

    Parameters
    ----------
    width_px : int
        Wider frames are made this wide first; in narrower ones the next two shrink in proportion.
    cell_px : int
        Distance of the points that are followed.
    window_px : int
        Width of the square round a point that is matched.
    presmooth_px : float
        SD of the blur before matching.
    """

    width_px: int = 320
    cell_px: int = 8
    window_px: int = 25
    presmooth_px: float = 0.8


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion from each frame to the next, on a grid of cells.

    Parameters
    ----------
    step : ndarray, shape (frame - 1, row, col, 2), float32
        To the right and down, in pixels of the matched (perhaps narrowed) frames, the view's shift included.
    doubt : ndarray, shape (frame - 1, row, col), float32
        How far following there and back misses the start, in the same pixels.
    shift : ndarray, shape (frame - 1, 2), float32
        Shift of the whole view.
    cell_px : float
        Distance of cells in pixels of the original frames.
    pixel : float
        Original pixels per pixel of the matched frames.
    """

    step: Images
    doubt: Images
    shift: Images
    cell_px: float
    pixel: float


def track(frames: Bytes, tissue: Bools, params: MotionParams = MotionParams()) -> Motion:
    """Follow a grid of points from frame to frame.

    The shift of the whole view is found first by phase correlation; from there pyramidal Lucas-Kanade follows
    every point forwards and back.

    Parameters
    ----------
    frames : ndarray, shape (frame, row, col), uint8
        Two or more.
    tissue : ndarray of bool, shape (row, col)
        Where the view shows tissue; elsewhere nothing counts for the shift.
    params : MotionParams
        How.

    References
    ----------
    Bouguet 2001, Pyramidal implementation of the Lucas Kanade feature tracker. Forward-backward error: Kalal
    2010 ICPR 2756.
    """
    small, pixel = _narrowed(frames, params.width_px)
    rows, cols = small.shape[1:]
    seen = cv2.resize(tissue.astype(np.float32), (cols, rows), interpolation=cv2.INTER_AREA)
    window = cv2.createHanningWindow((cols, rows), cv2.CV_32F) * seen
    share = min(1.0, cols / params.width_px)
    cell, window_px = max(4, round(params.cell_px * share)), max(13, round(params.window_px * share) | 1)
    half = cell / 2.0
    across = np.arange(half - 0.5, cols - half, cell)
    down = np.arange(half - 0.5, rows - half, cell)
    points = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 1, 2).astype(np.float32)
    steps, doubts, shifts = [], [], []
    before = cv2.GaussianBlur(small[0], (0, 0), params.presmooth_px)
    for frame in small[1:]:
        after = cv2.GaussianBlur(frame, (0, 0), params.presmooth_px)
        shift = _shift(before, after, window)
        moved, doubt = _followed(before, after, points, shift, window_px)
        steps.append((moved - points).reshape(down.size, across.size, 2))
        doubts.append(doubt.reshape(down.size, across.size))
        shifts.append(shift)
        before = after
    return Motion(np.stack(steps), np.stack(doubts), np.stack(shifts), cell * pixel, pixel)


def cells_within(mask: Bools, shape: tuple[int, int]) -> Images:
    """Share of each cell that lies within a mask, shape (row, col) of cells."""
    share = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(share, dtype=np.float32)


def _narrowed(frames: Bytes, width_px: int) -> tuple[Bytes, float]:
    rows, cols = frames.shape[1:]
    if cols <= width_px:
        return frames, 1.0
    size = (width_px, max(1, round(rows * width_px / cols)))
    return np.stack(
        [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    ), cols / width_px


def _shift(before: Bytes, after: Bytes, window: Images) -> Images:
    """Shift of the whole view; shifts below a third of a pixel are left to the points."""
    found, _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    shift = np.asarray(found, dtype=np.float32)
    reach = 0.25 * min(before.shape)
    return shift if 0.3 <= float(np.hypot(*shift)) <= reach else np.zeros(2, dtype=np.float32)


def _followed(
    before: Bytes, after: Bytes, points: Images, shift: Images, window_px: int
) -> tuple[Images, Images]:
    """Where points went, and how far the way back misses them."""
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.03)

    def follow(first: Bytes, second: Bytes, start: Images, guess: Images) -> Images:
        found, _, _ = cv2.calcOpticalFlowPyrLK(
            first, second, start, guess, winSize=(window_px, window_px), maxLevel=1, criteria=stop,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW, minEigThreshold=1e-6,
        )  # fmt: skip
        return np.asarray(found, dtype=np.float32)

    there = follow(before, after, points, points + shift)
    back = follow(after, before, there, points.copy())
    doubt = np.linalg.norm(back - points, axis=-1)
    return there, np.asarray(np.nan_to_num(doubt, nan=1e3, posinf=1e3), dtype=np.float32)
