"""Left and right: the gap is found in drawn bodies of one and two legs, wherever they lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.numerics.limbs import assign_sides, body, find_gap


def legs(centres, radii, shape=(120, 60, 8), bridge=()) -> np.ndarray:
    x, y = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    out = np.zeros(shape, bool)
    for centre, radius in zip(centres, radii, strict=True):
        out |= (np.hypot(x - centre, y - shape[1] / 2) < radius)[:, :, None]
    for level in bridge:
        out[centres[0] : centres[1], 10:50, level] = True
    return out


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 42), st.integers(50, 90), st.integers(13, 19), st.integers(13, 19))
def test_the_gap_lies_between_the_legs(one: int, distance: int, first: int, second: int) -> None:
    tissue = legs((one, one + distance), (first, second), shape=(160, 60, 5))
    gap = find_gap(tissue, np.zeros_like(tissue))
    assert gap.found
    assert (gap.cut > one + first - 2).all()
    assert (gap.cut < one + distance - second + 2).all()


def test_levels_where_the_legs_meet_take_the_line_of_the_others() -> None:
    tissue = legs((35, 85), (18, 18), bridge=(6, 7))
    np.testing.assert_allclose(find_gap(tissue, np.zeros_like(tissue)).cut, 60, atol=3)


def test_one_leg_has_no_gap_even_beside_a_hand() -> None:
    assert not find_gap(legs((60,), (25,)), legs((60,), (25,))).found
    assert not find_gap(legs((50, 110), (28, 7)), legs((50,), (20,))).found
    nothing = np.zeros((10, 10, 2), bool)
    assert not find_gap(nothing, nothing).found


def test_the_cut_moves_between_labels() -> None:
    tissue = legs((35, 85), (24, 24))
    labelled = np.zeros_like(tissue)
    labelled[20:63, 30] = True
    labelled[66:100, 30] = True
    cut = find_gap(tissue, labelled).cut
    assert ((cut > 62) & (cut < 66)).all()


def test_pieces_go_whole_to_the_side_of_most_of_them_unless_they_straddle() -> None:
    tissue = legs((30, 90), (20, 20))
    gap = find_gap(tissue, np.zeros_like(tissue))
    labels = np.zeros(tissue.shape, np.uint16)
    labels[20:64, 10:20] = 1
    labels[80:100, 10:20] = 1
    labels[40:80, 40:50] = 2
    sides = assign_sides(labels, gap)
    assert (sides[20:64, 10:20] == -1).all()
    assert (sides[80:100, 10:20] == 1).all()
    assert set(np.unique(sides[40:80, 40:50])) == {-1, 1}
    assert (sides[labels == 0] == 0).all()


@pytest.mark.parametrize("noise", [0.0, 30.0])
def test_body_is_found_above_noise_and_shading(noise: float) -> None:
    tissue = legs((35, 85), (18, 18))
    shading = np.linspace(0.5, 1.5, tissue.shape[0])[:, None, None]
    noises = np.random.default_rng(2).normal(size=(4, *tissue.shape)) * noise
    half = np.where(tissue, 500 * shading, 0)
    signal = sum(np.hypot(half + noises[k], noises[k + 1]) for k in (0, 2)).astype(np.float32)
    signal[0, 0, 0] = np.nan
    assert (body(signal) == tissue).mean() > 0.995
