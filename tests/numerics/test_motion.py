"""Following cells: known shifts are found, and the view's motion is taken out of what is local."""

import cv2
import numpy as np
import pytest

from myoproof.numerics.motion import MotionParams, cells_within, track
from myoproof.numerics.motion_local import local_motion
from myoproof.numerics.motion_view import view_motion

SHAPE = (96, 128)
TISSUE = np.ones(SHAPE, dtype=bool)


def speckle(rng: np.random.Generator, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    rough = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), sigmaX=2.0, sigmaY=1.3)
    return np.clip(110 + 45 * rough / rough.std(), 0, 255)


def warped(image: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    rows, cols = np.indices(image.shape).astype(np.float32)
    at = ((cols - right).astype(np.float32), (rows - down).astype(np.float32))
    return np.rint(cv2.remap(image.astype(np.float32), *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


@pytest.mark.parametrize("shift", [(0.4, -0.6), (5.0, 2.0)])
def test_the_shift_of_the_view_is_found(shift: tuple[float, float]) -> None:
    image = speckle(np.random.default_rng(1))
    frames = np.stack([image, warped(image, *np.full((2, *SHAPE), 1.0) * np.array(shift)[:, None, None])])
    motion = track(np.clip(frames, 0, 255).astype(np.uint8), TISSUE)
    inner = motion.step[0, 2:-2, 2:-2]
    assert np.median(inner[..., 0]) == pytest.approx(shift[0], abs=0.05)
    assert np.median(inner[..., 1]) == pytest.approx(shift[1], abs=0.05)
    assert np.median(motion.doubt) < 0.1


def test_local_motion_is_what_the_view_does_not_do() -> None:
    rng = np.random.default_rng(2)
    image = speckle(rng)
    down, across = np.indices(SHAPE)
    local = np.exp(-0.5 * (((across - 64) / 18.0) ** 2 + ((down - 48) / 12.0) ** 2))
    frames = []
    for k in range(12):
        right = 0.7 * k + 2.0 * local * (k == 6)
        frames.append(warped(image, right, 0.2 * k + np.zeros(SHAPE)))
    motion = track(np.clip(np.stack(frames), 0, 255).astype(np.uint8), TISSUE)
    cells = cells_within(TISSUE, motion.step.shape[1:3])
    path = local_motion(motion, cells).path
    middle = path[:, motion.step.shape[1] // 2, motion.step.shape[2] // 2, 0]
    assert middle[6] - 0.5 * (middle[5] + middle[7]) > 0.4  # smoothing over cells takes more than half
    corner = path[:, 2, 3]
    assert np.abs(np.diff(corner, axis=0)).max() < 0.5


def test_wide_frames_are_narrowed() -> None:
    image = speckle(np.random.default_rng(3), (120, 400))
    motion = track(
        np.stack([image, image]).astype(np.uint8), np.ones((120, 400), bool), MotionParams(width_px=200)
    )
    assert motion.pixel == pytest.approx(2.0)
    assert motion.cell_px == pytest.approx(16.0)


def test_what_the_view_does_is_named() -> None:
    inside = np.ones((6, 8), dtype=bool)
    still = np.zeros((150, 6, 8, 2), dtype=np.float32)
    assert view_motion(still, inside, 30.0).flags == frozenset()
    shaking = still.copy()
    shaking[40:100, ..., 1] = np.diff(1.5 * np.sin(2 * np.pi * 8 * np.arange(61) / 30))[:, None, None]
    assert view_motion(shaking, inside, 30.0).flags == {"pseudotremor"}
    sliding = still.copy()
    sliding[60:90, 3:, :, 0] = 0.6
    assert view_motion(sliding, inside, 30.0).flags == {"gross_motion"}
