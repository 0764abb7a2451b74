"""The surface of a region: closed, turned one way, blind to how the image lies, right on balls and boxes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import marching_cubes

from myoproof.numerics.ibsi_mesh import area_mm2, surface, volume_mm3

masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((5, 4, 6)) > 0.5)


@given(masks)
@settings(max_examples=25, deadline=None)
def test_every_edge_is_met_once_from_each_side(mask) -> None:
    corners = np.rint(2 * surface(mask, np.ones(3))).astype(int)
    edges = Counter()
    for triangle in corners:
        for k in range(3):
            edges[tuple(triangle[k - 1]), tuple(triangle[k])] += 1
    assert all(edges[two, one] == n for (one, two), n in edges.items())


@given(masks, st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
@settings(max_examples=25, deadline=None)
def test_volume_and_area_do_not_depend_on_how_the_image_lies(mask, order, flips) -> None:
    turned = mask.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    ours, theirs = surface(mask, np.ones(3)), surface(turned, np.ones(3))
    assert volume_mm3(ours) == pytest.approx(volume_mm3(theirs))
    assert area_mm2(ours) == pytest.approx(area_mm2(theirs))


def test_a_box_loses_its_edges_and_corners_only() -> None:
    """A box of a x b x c voxels: each edge voxel loses a prism of 1/8, each corner what a tetrahedron leaves."""
    for a, b, c in ((2, 2, 2), (3, 4, 5)):
        mesh = surface(np.ones((a, b, c), dtype=bool), np.ones(3))
        edges = 4 * ((a - 1) + (b - 1) + (c - 1))
        corners = 8 * (1 / 8 - 1 / 48)
        assert volume_mm3(mesh) == pytest.approx(a * b * c - edges / 8 - corners)


def test_a_ball_is_near_its_volume_and_near_the_classic_tables() -> None:
    """The classic tables (scikit-image) fill rings otherwise: under 1 % apart."""
    ball = np.linalg.norm(np.indices((45, 45, 45)) - 22.0, axis=0) <= 18.0
    spacing = np.array([1.0, 1.0, 2.0])
    mesh = surface(ball, spacing)
    assert volume_mm3(mesh) == pytest.approx(2 * 4 / 3 * np.pi * 18**3, rel=0.01)
    corners, faces, _, _ = marching_cubes(np.pad(ball, 1).astype(float), 0.5, spacing=tuple(spacing))
    classic = corners[faces].astype(np.float64)
    assert volume_mm3(mesh) == pytest.approx(volume_mm3(classic), rel=0.006)
    assert area_mm2(mesh) == pytest.approx(area_mm2(classic), rel=0.006)


def test_nothing_has_no_surface() -> None:
    mesh = surface(np.zeros((3, 3, 3), dtype=bool), np.ones(3))
    assert mesh.shape == (0, 3, 3)
    assert volume_mm3(mesh) == 0.0
    assert area_mm2(mesh) == 0.0
