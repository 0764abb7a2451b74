"""Grids: displacement, axes and voxel sizes against hand calculation and random affines."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.grids import axis_towards, displacement_mm, pixel_area_mm2, voxel_volume_mm3


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    out = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = (k for k in range(3) if k != axis)
        turn[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        out = out @ turn
    return out


@given(st.lists(st.floats(-5, 5), min_size=12, max_size=12))
def test_displacement_is_the_largest_over_all_voxels(entries: list[float]) -> None:
    one, other, shape = np.eye(4), np.eye(4), (4, 3, 5)
    other[:3] += np.reshape(entries, (3, 4))
    voxels = np.array([(*v, 1.0) for v in itertools.product(*map(range, shape))])
    largest = np.linalg.norm((voxels @ (one - other).T)[:, :3], axis=1).max()
    assert displacement_mm(one, other, shape) == pytest.approx(largest, abs=1e-9)


@given(
    st.permutations(range(3)),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_axes_survive_any_storage_order_and_small_tilts(order: list[int], signs, angles) -> None:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for voxel_axis, world in enumerate(order):
        affine[world, voxel_axis] = signs[voxel_axis] * (1 + voxel_axis)
    affine[:3, :3] = rotation(angles) @ affine[:3, :3]
    for voxel_axis, world in enumerate(order):
        assert axis_towards(affine, world) == (voxel_axis, signs[voxel_axis])


@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(0.3, 20)] * 3))
def test_area_times_spacing_is_volume_under_rotation(angles, spacing) -> None:
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) @ np.diag(spacing)
    assert pixel_area_mm2(affine, 2) == pytest.approx(spacing[0] * spacing[1])
    assert voxel_volume_mm3(affine) == pytest.approx(np.prod(spacing))
