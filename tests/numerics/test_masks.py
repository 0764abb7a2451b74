"""Dice and surface distances by hand, and their properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.evidence.masks import check
from myoproof.numerics.masks import dice, hausdorff_95, mean_surface_distance, surface_distances

SQUARES = arrays(np.bool_, (8, 9), elements=st.booleans())


def square(row: int, column: int, side: int = 5) -> np.ndarray:
    mask = np.zeros((16, 16), dtype=bool)
    mask[row : row + side, column : column + side] = True
    return mask


def test_a_square_moved_by_one_pixel() -> None:
    a, b = square(3, 3), square(3, 4)
    assert dice(a, b) == pytest.approx(20 / 25)
    forth, back = surface_distances(a, b, (1.0, 0.5))
    assert forth.size == back.size == 16
    assert forth.max() == 0.5
    assert hausdorff_95(a, b, (1.0, 0.5)) == 0.5
    assert mean_surface_distance(a, b, (1.0, 0.5)) == pytest.approx(np.concatenate([forth, back]).mean())


def test_one_pixel_far_away_moves_the_maximum_but_not_the_95_percent() -> None:
    a = np.zeros((40, 40), dtype=bool)
    a[5:30, 5:30] = True
    b = a.copy()
    b[39, 39] = True
    assert surface_distances(a, b, (1.0, 1.0))[1].max() > 12
    assert hausdorff_95(a, b, (1.0, 1.0)) == 0


@given(SQUARES, SQUARES)
def test_symmetry_and_bounds(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_equal(dice(a, b), dice(b, a))
    np.testing.assert_equal(hausdorff_95(a, b, (1.0, 2.0)), hausdorff_95(b, a, (1.0, 2.0)))
    if a.any() and b.any():
        assert 0 <= dice(a, b) <= 1
        assert mean_surface_distance(a, b, (1.0, 2.0)) <= surface_distances(a, b, (1.0, 2.0))[0].max() + 30
        assert mean_surface_distance(a, a, (1.0, 2.0)) == 0
        assert mean_surface_distance(a, b, (2.0, 4.0)) == pytest.approx(
            2 * mean_surface_distance(a, b, (1.0, 2.0))
        )


def test_empty_masks_and_other_grids() -> None:
    nothing = np.zeros((4, 4), dtype=bool)
    assert np.isnan(dice(nothing, nothing))
    assert np.isnan(hausdorff_95(nothing, ~nothing, (1.0, 1.0)))
    with pytest.raises(InvalidInput, match="shapes"):
        dice(nothing, np.zeros((3, 4), dtype=bool))
    with pytest.raises(InvalidInput, match="1 spacings for 2 axes"):
        surface_distances(nothing, nothing, (1.0,))


def drawn(mask: np.ndarray, names: dict[int, tuple[str, str]], rater: str) -> Segmentation:
    affine = np.diag([1.0, 0.5, 0.5, 1.0])
    return Segmentation(mask[np.newaxis].astype(np.uint16), affine, names, rater)


def test_regions_meet_by_name() -> None:
    a = square(3, 3).astype(int) + 2 * square(10, 10)
    b = 2 * square(3, 4).astype(int) + square(10, 10)
    names = {1: ("sartorius", "left"), 2: ("gracilis", "left")}
    turned = {2: ("sartorius", "left"), 1: ("gracilis", "left")}
    found = check(drawn(a, names, "ours"), drawn(b, turned, "theirs"), spacing_mm=(1.0, 0.5, 0.5))
    values = found.set_index(["metric", "population"])["value"]
    assert values[("dice", "sartorius left")] == pytest.approx(0.8)
    assert values[("dice", "gracilis left")] == 1
    assert values[("hausdorff_95", "sartorius left")] == 0.5
    assert values[("dice", "mean of regions")] == pytest.approx(0.9)
    with pytest.raises(InvalidInput, match="no region is named in both"):
        check(drawn(a, names, "a"), drawn(b, {1: ("soleus", ""), 2: ("tongue", "")}, "b"))
