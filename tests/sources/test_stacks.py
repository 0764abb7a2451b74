"""Stacks joined: a scan cut in stacks comes back as it was; gaps, steps and shifts are told."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.errors import InvalidInput
from myoproof.sources import stacks

TURN = np.deg2rad(4.0)
AFFINE = np.array(
    [
        [-0.8 * np.cos(TURN), 0.0, 5.0 * np.sin(TURN), 60.0],
        [0.0, -0.8, 0.0, 70.0],
        [0.8 * np.sin(TURN), 0.0, 5.0 * np.cos(TURN), -300.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
SHAPE = (16, 14, 24)


def smooth(seed: int = 0) -> np.ndarray:
    """A smooth positive image."""
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return (200 + 800 * ndimage.gaussian_filter(noise, 2.0)).astype(np.float32)


def cut(whole: np.ndarray, begin: int, end: int, **more: np.ndarray) -> Acquisition:
    affine = AFFINE.copy()
    affine[:3, 3] += AFFINE[:3, 2] * begin
    channels = {"fat": whole[..., begin:end].copy()} | {
        name: one[..., begin:end] for name, one in more.items()
    }
    return Acquisition("s", "m00", "", "dixon", Volume(channels, affine), digest=f"{begin:016x}")


@given(
    cuts=st.lists(st.integers(3, 21), min_size=1, max_size=3, unique=True),
    overlap=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
def test_a_scan_cut_in_stacks_comes_back(cuts: list[int], overlap: int, order) -> None:
    whole = smooth()
    edges = [0, *sorted(cuts), SHAPE[2]]
    parts = [cut(whole, low, min(high + overlap, SHAPE[2])) for low, high in itertools.pairwise(edges)]
    order.shuffle(parts)
    joined, findings = stacks.join(parts)
    np.testing.assert_allclose(joined.payload.channels["fat"], whole, rtol=1e-5)
    np.testing.assert_allclose(joined.payload.affine, AFFINE, atol=1e-9)
    assert {one.category for one in findings} <= {"intensity step"}
    assert joined.digest == stacks.join(parts[::-1])[0].digest


def test_overlaps_change_over_smoothly_and_the_step_is_told() -> None:
    low, high = cut(np.full(SHAPE, 100, np.float32), 0, 14), cut(np.full(SHAPE, 120, np.float32), 8, 24)
    joined, findings = stacks.join([low, high])
    profile = joined.payload.channels["fat"][3, 3]
    assert profile[:8] == pytest.approx(100)
    assert profile[14:] == pytest.approx(120)
    assert np.all(np.diff(profile[7:15]) > 0)
    step = next(one for one in findings if one.category == "intensity step")
    assert step.level == "warning"
    assert "fat: +20.0% brighter than the stack below, over 6 shared slices" in step.message


def test_maps_have_no_intensity_step() -> None:
    ones = np.ones(SHAPE, np.float32)
    one = cut(ones, 0, 14, fat_fraction=ones * 0.2)
    _, findings = stacks.join([one, cut(ones, 8, 24, fat_fraction=ones * 0.3)])
    assert not [finding for finding in findings if "fraction" in finding.message]


def test_a_gap_is_zero_and_told() -> None:
    whole = smooth()
    joined, findings = stacks.join([cut(whole, 0, 10), cut(whole, 13, 24)])
    assert joined.payload.shape == SHAPE
    assert not joined.payload.channels["fat"][..., 10:13].any()
    (gap,) = [one for one in findings if one.category == "gap"]
    assert "slices 10 to 12 (15.0 mm)" in gap.message


def test_absent_slices_are_filled_from_the_other_stack_or_told() -> None:
    whole = smooth()
    low, high = cut(whole, 0, 14), cut(whole, 8, 24)
    low.payload.channels["fat"][..., 9] = 0
    high.payload.channels["fat"][..., 12] = 0
    joined, findings = stacks.join([low, high])
    np.testing.assert_allclose(joined.payload.channels["fat"][..., 9], whole[..., 9], rtol=1e-6)
    assert "slices 20 hold no signal" in findings[0].message
    np.testing.assert_allclose(joined.payload.channels["fat"][..., 21:], whole[..., 21:], rtol=1e-6)


def test_shifted_stacks_are_resampled_and_that_is_told() -> None:
    """The second stack was made half a voxel aside: a linear ramp is met exactly."""
    x, y, z = np.indices(SHAPE, dtype=np.float32)
    ramp = 100 + 3 * x + 2 * y + z
    low, high = cut(ramp, 0, 14), cut(ramp + 0.5 * 3, 12, 24)
    affine = high.payload.affine.copy()
    affine[:3, 3] += 0.5 * AFFINE[:3, 0]
    high = replace(high, payload=Volume(high.payload.channels, affine))
    joined, findings = stacks.join([low, high])
    np.testing.assert_allclose(joined.payload.channels["fat"][1:], ramp[1:], rtol=1e-5)
    (told,) = [one for one in findings if one.category == "resampled"]
    assert "0.4 mm off the first stack's voxels" in told.message
    assert told.where == "stack 2"


def test_a_stack_between_the_slices_is_met_where_it_lies() -> None:
    """The second stack starts 12.3 slices up: the joined slices keep the first stack's lattice."""
    x, y, z = np.indices(SHAPE, dtype=np.float32)
    low, high = cut(100 + 3 * x + y + 5 * z, 0, 14), cut(100 + 3 * x + y + 5 * (z + 0.3), 12, 24)
    affine = high.payload.affine.copy()
    affine[:3, 3] += 0.3 * AFFINE[:3, 2]
    joined, findings = stacks.join([low, replace(high, payload=Volume(high.payload.channels, affine))])
    x, y, z = np.indices(joined.payload.shape, dtype=np.float32)
    np.testing.assert_allclose(
        joined.payload.channels["fat"][..., 1:-1], (100 + 3 * x + y + 5 * z)[..., 1:-1], rtol=2e-3
    )
    assert joined.payload.shape == SHAPE
    assert "resampled" in {one.category for one in findings}


def test_complex_echoes_change_over_without_cancelling() -> None:
    """Stacks of opposite phase: nothing may vanish where they overlap."""
    times = np.array([1e-3, 2e-3])
    value = np.ones((*SHAPE, 2), np.complex64)
    low, high = cut(smooth(), 0, 14), cut(smooth(), 8, 24)
    low = replace(low, modality="multiecho", payload=Echoes(value[..., :14, :], times, low.payload.affine))
    high = replace(high, modality="multiecho", payload=Echoes(-value[..., 8:, :], times, high.payload.affine))
    joined, _ = stacks.join([low, high])
    np.testing.assert_allclose(np.abs(joined.payload.values), 1)
    assert joined.payload.values[2, 2, 10, 0] == 1
    assert joined.payload.values[2, 2, 11, 0] == -1


def test_what_is_no_stack_of_the_scan_is_refused_together() -> None:
    one = cut(smooth(), 0, 10)
    turned = one.payload.affine.copy()
    turned[:3, :3] = turned[:3, :3] @ np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    others = [
        replace(one, payload=Volume({"water": one.payload.channels["fat"]}, one.payload.affine)),
        replace(one, payload=Volume(one.payload.channels, turned)),
    ]
    with pytest.raises(
        InvalidInput, match=r"(?s)stack 2: holds other images.*stack 3: is turned 90.0 degrees"
    ):
        stacks.join([one, *others])


def test_inputs_are_not_changed() -> None:
    parts = [cut(smooth(), 0, 14), cut(smooth(), 8, 24)]
    before = [one.payload.channels["fat"].copy() for one in parts]
    stacks.join(parts)
    for one, copy in zip(parts, before, strict=True):
        np.testing.assert_array_equal(one.payload.channels["fat"], copy)
