"""Ultrasound files for tests: simulated frames on screens, two beside one another, photographed, turned, cut."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from myoproof.core.acquisition import Acquisition
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams

Grey = npt.NDArray[np.uint8]


@cache
def simulated(device: str = "device-a", *, seed: int = 0, screen: bool = False) -> Acquisition:
    """A longitudinal frame of a muscle."""
    params = BmodeParams(device=device, screen=screen)
    return frame(rng=np.random.default_rng(seed), params=params).acquisition


def bare(seed: int = 1) -> Grey:
    """A frame of a linear probe without screen, shape (384, 512)."""
    return simulated(seed=seed).payload.pixels[0, ..., 0]


def save(pixels: npt.NDArray[np.generic], path: Path) -> Path:
    """Pixels as a picture file."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    return path


def on_black(*images: tuple[Grey, int, int], shape: tuple[int, int]) -> Grey:
    """Images at their rows and columns on a black screen."""
    screen = np.zeros(shape, np.uint8)
    for image, row, column in images:
        screen[row : row + image.shape[0], column : column + image.shape[1]] = image
    return screen


def ruled(*, step: float, every: int = 0, left: int = 540, across: float = 0.0) -> Grey:
    """A bare image at row 60, column 20, with ticks beside it, and below it where a step across is given."""
    screen = on_black((bare(), 60, 20), shape=(520, 640))
    for tick in range(int(384 / step) + 1):
        row = 60 + round(tick * step)
        long = 10 if every and tick % every == 0 else 5
        screen[row : row + 2, left : left + long] = 220
    for tick in range(int(512 / across) + 1 if across else 0):
        column = 20 + round(tick * across)
        screen[456:461, column : column + 2] = 220
    return screen


def m_mode(line: Grey, *, rows: int = 200, columns: int = 512) -> Grey:
    """A trace of one line over time."""
    column = cv2.resize(line[:, None], (1, rows))
    noise = np.random.default_rng(0).normal(0, 6, (rows, columns))
    return np.clip(np.repeat(column, columns, axis=1) + noise, 0, 255).astype(np.uint8)


def photographed(screen: Grey) -> npt.NDArray[np.uint8]:
    """A screen as a camera sees it: from aside, lit, noisy, before a desk."""
    rows, columns = (2 * size for size in screen.shape)
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    moved = corners + np.array([[120, 90], [-60, 40], [-20, -80], [60, -20]], np.float32)
    view = cv2.warpPerspective(
        cv2.cvtColor(cv2.resize(screen, (columns, rows)), cv2.COLOR_GRAY2RGB).astype(np.float64),
        cv2.getPerspectiveTransform(corners, moved),
        (columns, rows),
        borderValue=(90, 80, 70),
    )
    row, column = np.mgrid[:rows, :columns]
    light = 12 * np.sin(column / 90) + 10 * row / rows
    noise = np.random.default_rng(1).normal(0, 5, view.shape)
    return np.clip(0.75 * view + np.array([20, 24, 28]) + light[..., None] + noise, 0, 255).astype(np.uint8)


def video(frames: list[Grey], path: Path, *, rate_hz: float = 25.0) -> Path:
    """Frames as a clip."""
    code = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, rate_hz, frames[0].shape[::-1])
    for one in frames:
        writer.write(cv2.cvtColor(one, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path
