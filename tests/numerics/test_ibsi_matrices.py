"""Texture matrices: against other packages, and the sums that they must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.feature import graycomatrix

from myoproof.numerics.ibsi_matrices import (
    border_distance,
    cooccurrence,
    dependences,
    directions,
    runs,
    tone_differences,
    zones,
)

N = 4
images = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, N + 1, size=(6, 5, 4)).astype(np.int32)
)


def test_directions_are_half_of_the_neighbours() -> None:
    for dimension, count in ((2, 8), (3, 26)):
        both = np.concatenate([directions(dimension), -directions(dimension)])
        assert len({tuple(step) for step in both}) == count


@given(images)
@settings(max_examples=20, deadline=None)
def test_cooccurrence_in_a_slice_is_that_of_scikit_image(levels) -> None:
    ours = cooccurrence(levels, N, 2, per_slice=True, per_direction=True)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    for k in range(levels.shape[2]):
        theirs = graycomatrix(levels[:, :, k].astype(np.uint8), [1], angles, levels=N + 1, symmetric=True)
        assert np.array_equal(ours[k].sum(axis=0), theirs[1:, 1:, 0].sum(axis=2))


@given(images)
@settings(max_examples=20, deadline=None)
def test_runs_hold_every_voxel_once_in_each_direction(levels) -> None:
    for dimension in (2, 3):
        counts = runs(levels, N, dimension, per_slice=False, per_direction=True)[0]
        lengths = np.arange(1, counts.shape[2] + 1)
        voxels = np.bincount(levels[levels > 0], minlength=N + 1)[1:]
        assert np.array_equal(counts @ lengths, np.tile(voxels, (len(directions(dimension)), 1)))


@given(images)
@settings(max_examples=20, deadline=None)
def test_zones_are_connected_components(levels) -> None:
    outline = np.ones(levels.shape, dtype=bool)
    for dimension in (2, 3):
        near = ndimage.generate_binary_structure(3, 3)
        if dimension == 2:
            near[:, :, [0, 2]] = False
        wanted = []
        for level in range(1, N + 1):
            labelled, n = ndimage.label(levels == level, near)
            sizes = np.bincount(labelled.reshape(-1), minlength=n + 1)[1:]
            distance = ndimage.minimum(border_distance(outline, dimension), labelled, np.arange(1, n + 1))
            wanted += [(level, size, far) for size, far in zip(sizes, distance, strict=True)]
        found = zones(levels, outline, dimension)[:, 1:]
        assert sorted(map(tuple, found.tolist())) == sorted((a, int(b), int(c)) for a, b, c in wanted)


def test_the_distance_from_the_outside_counts_city_blocks_and_the_edge_of_the_array() -> None:
    mask = np.ones((5, 5, 3), dtype=bool)
    assert border_distance(mask, 2)[2, 2].tolist() == [3, 3, 3]
    assert border_distance(mask, 3)[2, 2].tolist() == [1, 2, 1]
    mask[2, 3, :] = False
    assert border_distance(mask, 2)[2, 2, 0] == 1


@given(images)
@settings(max_examples=20, deadline=None)
def test_dependences_hold_every_voxel_and_slices_add_up(levels) -> None:
    for dimension in (2, 3):
        counts = dependences(levels, N, dimension, per_slice=False)
        assert counts.sum() == (levels > 0).sum()
        assert np.array_equal(dependences(levels, N, dimension, per_slice=True).sum(axis=0), counts[0])
    alike = dependences(levels, N, 3, per_slice=False, coarseness=N)
    pairs = cooccurrence(levels, N, 3, per_slice=False, per_direction=False)
    assert alike[0].sum(axis=0) @ np.arange(alike.shape[2]) == pytest.approx(pairs.sum())


def test_tone_differences_are_distances_from_the_neighbours_mean() -> None:
    levels = np.array([[1, 2], [4, 0]], dtype=np.int32)[:, :, None]
    found = tone_differences(levels, 4, 2, per_slice=False)[0]
    assert found[:, 0].tolist() == [1, 1, 0, 1]
    assert found[:, 1].tolist() == [2.0, 0.5, 0.0, 2.5]
    alone = np.zeros((3, 3, 1), dtype=np.int32)
    alone[1, 1] = 2
    assert not tone_differences(alone, 2, 2, per_slice=False).any()
