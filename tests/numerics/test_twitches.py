"""Twitches in made-up local motion: found where they are, and nothing else found."""

import numpy as np
import pytest

from myoproof.numerics.motion_local import LocalMotion
from myoproof.numerics.twitches import TwitchParams, find_twitches, prominence

RATE, ROWS, COLS = 30.0, 20, 28
INSIDE = np.ones((ROWS, COLS), dtype=bool)


def course(frames: int, peak: int, rise: int, fall: int) -> np.ndarray:
    at = np.arange(frames) - peak
    up = 0.5 + 0.5 * np.cos(np.pi * np.clip(at / rise, -1, 0))
    down = 0.5 + 0.5 * np.cos(np.pi * np.clip(at / fall, 0, 1))
    return np.where(at <= 0, up, down)


def moving(rng: np.random.Generator, frames: int = 240, noise: float = 0.02) -> np.ndarray:
    steps = rng.normal(0.0, noise, (frames, ROWS, COLS, 2))
    return np.cumsum(steps, axis=0).astype(np.float32)


def blob(row: int, col: int) -> np.ndarray:
    down, across = np.indices((ROWS, COLS))
    return np.exp(-0.5 * (((across - col) / 5.0) ** 2 + ((down - row) / 3.0) ** 2))


def found(path: np.ndarray) -> list[tuple[int, int, int]]:
    still = np.zeros((path.shape[0] - 1, ROWS, COLS, 2), dtype=np.float32)
    twitches = find_twitches(LocalMotion(path.astype(np.float32), still), INSIDE, RATE)
    return [(one.frame, one.row, one.col) for one in twitches if one.score >= TwitchParams().threshold]


def test_noise_holds_no_twitch() -> None:
    assert found(moving(np.random.default_rng(1))) == []


def test_twitches_are_found_at_their_peaks_and_places() -> None:
    path = moving(np.random.default_rng(2))
    for peak, row, col in ((60, 6, 9), (130, 12, 18), (190, 8, 14)):
        path[..., 0] += 1.5 * course(240, peak, 5, 9)[:, None, None] * blob(row, col)
    told = found(path)
    assert len(told) == 3
    for (frame, row, col), truth in zip(told, ((60, 6, 9), (130, 12, 18), (190, 8, 14)), strict=True):
        assert abs(frame - truth[0]) <= 1
        assert np.hypot(row - truth[1], col - truth[2]) < 4


def test_the_way_of_a_twitch_is_told() -> None:
    path = moving(np.random.default_rng(3))
    path += np.array([1.2, -1.2]) * (course(240, 100, 5, 9)[:, None, None] * blob(10, 14))[..., None]
    still = np.zeros((239, ROWS, COLS, 2), dtype=np.float32)
    (one,) = find_twitches(LocalMotion(path.astype(np.float32), still), INSIDE, RATE)
    assert one.direction_deg == pytest.approx(45.0, abs=6.0)  # right and up
    assert 92 <= one.start <= 98
    assert 104 <= one.end <= 112


def test_a_jump_that_stays_is_none() -> None:
    path = moving(np.random.default_rng(4))
    path[..., 0] += 2.0 * np.clip((np.arange(240) - 100) / 4, 0, 1)[:, None, None] * blob(10, 14)
    assert found(path) == []


def test_one_cell_that_cannot_be_followed_is_none() -> None:
    path = moving(np.random.default_rng(5))
    path[100:104, 10, 14, 0] += 6.0
    assert found(path) == []


def test_a_pulse_is_told_apart_and_a_twitch_over_it_is_not() -> None:
    path = moving(np.random.default_rng(6))
    beats = sum(course(240, peak, 4, 10) for peak in range(12, 240, 26))
    path[..., 1] += 0.9 * np.asarray(beats)[:, None, None] * blob(10, 14)
    still = np.zeros((239, ROWS, COLS, 2), dtype=np.float32)
    all_of_it = find_twitches(LocalMotion(path.astype(np.float32), still), INSIDE, RATE)
    assert len(all_of_it) >= 5  # beats stand out ...
    assert sum(one.score >= TwitchParams().threshold for one in all_of_it) <= 1  # ... and are explained
    path[..., 0] += 3.0 * course(240, 130, 5, 9)[:, None, None] * blob(6, 18)
    assert any(abs(frame - 130) <= 1 for frame, _, _ in found(path))


def test_a_short_cine_and_an_empty_region_hold_none() -> None:
    still = np.zeros((4, ROWS, COLS, 2), dtype=np.float32)
    assert find_twitches(LocalMotion(np.zeros((5, ROWS, COLS, 2), np.float32), still), INSIDE, RATE) == []
    nowhere = np.zeros((ROWS, COLS), dtype=bool)
    path = moving(np.random.default_rng(7))
    assert find_twitches(LocalMotion(path, np.zeros((239, ROWS, COLS, 2), np.float32)), nowhere, RATE) == []


def test_prominence_of_a_peak_is_the_smaller_side() -> None:
    path = np.zeros((9, 1, 1, 2), dtype=np.float32)
    path[:, 0, 0, 0] = [0, 0, 0, 2, 5, 4, 3, 3, 3]
    height, way = prominence(path, 3)
    assert height[4, 0, 0] == pytest.approx(2.0)
    np.testing.assert_allclose(way[4, 0, 0], [1.0, 0.0], atol=1e-6)
