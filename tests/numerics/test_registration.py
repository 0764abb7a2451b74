"""Registration: the height is found though the limb has shrunk, and neighbours that part are followed apart."""

import numpy as np
import pytest
from scipy import ndimage

from myoproof.numerics.border_shift import Pair, border_shift, prefilter, sample
from myoproof.numerics.registration import Stack, find_rigid, settle

STEP_MM = 1.25
AFFINE = np.diag([STEP_MM, STEP_MM, 6.0, 1.0])
FINE = 25
SLOPE = 0.2


def cone(depth: int, *, higher_mm: float, scale: float) -> np.ndarray:
    """A limb that widens and wanders with height, with a bone; shape (1, x, y, slice)."""
    axis = (np.arange(64) - 31.5) * STEP_MM
    x, y = np.meshgrid(axis, axis, indexing="ij")
    slices = []
    for level in range(depth):
        height = level * 6.0 + higher_mm
        limb = scale * (24 + 0.08 * height) - np.hypot(x, y)
        bone = 6 - np.hypot(x - 4 - 0.15 * height, y + 5 - 0.2 * height)
        slices.append(np.clip(0.5 + limb / STEP_MM, 0, 1) - 0.8 * np.clip(0.5 + bone / STEP_MM, 0, 1))
    return np.stack(slices, axis=-1)[None].astype(np.float32)


@pytest.mark.parametrize("higher_mm", [-4.0, 0.0, 2.5])
def test_a_loss_of_tissue_is_not_taken_for_a_shift_along_the_limb(higher_mm: float) -> None:
    moving = Stack(cone(8, higher_mm=0.0, scale=1.0), AFFINE)
    fixed = Stack(cone(8, higher_mm=higher_mm, scale=0.99), AFFINE)
    rigid = find_rigid(moving, fixed)
    settled, doubt = settle(moving, fixed, rigid)
    assert settled.move_mm[2] == pytest.approx(higher_mm, abs=0.5)
    assert abs(settled.move_mm[2] - higher_mm) < abs(rigid.move_mm[2] - higher_mm)
    assert 0 < doubt < 1


def two_slabs(left_edge_mm: float, right_edge_mm: float, fat: float = 0.0) -> np.ndarray:
    """Two muscles with a dark oblique seam between two edges: fat and water, averaged over the voxel."""
    fine = (np.arange(60 * FINE) + 0.5) / FINE * STEP_MM - 30 * STEP_MM
    x = fine[:, None] - SLOPE * (np.arange(24) - 11.5) * STEP_MM
    left, right, ends = x < left_edge_mm, x > right_edge_mm, np.abs(x) > 30
    fatty = np.where(ends, 0.9, np.where(left, fat, 0.0))
    water = np.where(ends, 0.1, np.where(left, 1 - fat, np.where(right, 1.0, 0.2)))
    lines = np.stack([fatty, water]).reshape(2, 60, FINE, 24).mean(axis=2)
    images = np.broadcast_to(lines[..., None], (2, 60, 24, 3))
    return np.asarray(ndimage.gaussian_filter(images, (0, 0.6, 0.6, 0)), dtype=np.float32)


@pytest.mark.parametrize("fat", [0.0, 0.05])
def test_neighbours_that_part_are_followed_apart_though_one_turns_fatty(fat: float) -> None:
    before, after = two_slabs(-0.6, 0.6), two_slabs(-0.9, 0.8, fat)
    x_mm = (np.arange(60) - 29.5)[:, None, None] * STEP_MM
    at = np.broadcast_to(x_mm - SLOPE * (np.arange(24)[:, None] - 11.5) * STEP_MM, (60, 24, 3))
    distance = {
        1: np.maximum(at + 0.6, -30 - at).astype(np.float32),
        2: np.maximum(0.6 - at, at - 30).astype(np.float32),
    }
    places = np.indices((60, 24, 3), dtype=np.float64)
    linear = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    covered = np.ones((60, 24, 3), dtype=bool)
    steps = np.array([STEP_MM, STEP_MM, 6.0])
    shifts = border_shift(Pair(prefilter(before), after, places, linear, covered, steps), distance)
    moved = {}
    for label, shift in shifts.items():
        seam = (np.abs(distance[label][shift.window]) < 1) & (np.abs(at[shift.window]) < 5)
        moved[label] = float(shift.move[0][seam].mean()) * STEP_MM
    assert moved[1] == pytest.approx(0.3, abs=0.12)
    assert moved[2] == pytest.approx(-0.2, abs=0.12)
    assert moved[1] - moved[2] == pytest.approx(0.5, abs=0.05)


def test_images_are_met_at_their_voxels_and_between_slices_linearly() -> None:
    images = np.random.default_rng(3).standard_normal((2, 12, 9, 4)).astype(np.float32)
    index = np.indices((12, 9, 4), dtype=np.float64)
    assert np.allclose(sample(prefilter(images), index), images, atol=1e-4)
    index[2] = np.minimum(index[2], 2) + 0.25
    between = 0.75 * images[..., [0, 1, 2, 2]] + 0.25 * images[..., [1, 2, 3, 3]]
    assert np.allclose(sample(prefilter(images), index), between, atol=1e-4)
