"""Resampling, re-segmentation and discretisation: what must not change, does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.numerics.ibsi_grey import discretise, resample, resegment

images = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=(6, 5, 4)))


@given(images, st.floats(0.01, 50), st.floats(-100, 100), st.integers(2, 64))
@settings(max_examples=40, deadline=None)
def test_a_fixed_number_of_bins_knows_no_scale_and_no_shift(image, scale, shift, bins) -> None:
    mask = np.ones(image.shape, dtype=bool)
    ours = discretise(image, mask, how="number", amount=bins)
    moved = discretise(image * scale + shift, mask, how="number", amount=bins)
    assert (np.abs(ours - moved) <= 1).all()
    assert (ours != moved).mean() < 0.02  # rounding at a bin's edge alone
    assert ours.min() == 1
    assert ours.max() == bins


@given(images, st.integers(-40, 40), st.sampled_from([0.125, 0.25, 0.5]))
@settings(max_examples=40, deadline=None)
def test_fixed_bins_follow_a_shift_by_whole_bins(image, bins, width) -> None:
    image = np.round(image * 64) / 64  # exact in binary, so that no value crosses an edge by rounding
    mask = np.ones(image.shape, dtype=bool)
    start = float(np.floor(image.min()))
    ours = discretise(image, mask, how="width", amount=width, lowest=start)
    moved = discretise(image + bins * width, mask, how="width", amount=width, lowest=start + bins * width)
    assert np.array_equal(ours, moved)
    if bins >= 0:
        later = discretise(image + bins * width, mask, how="width", amount=width, lowest=start)
        assert np.array_equal(later, ours + bins)


def test_levels_are_those_of_the_manual() -> None:
    """IBSI reference manual 2.7: floor((x - min) / w) + 1, and the maximum joins the last bin."""
    values = np.array([0.0, 0.24, 0.25, 0.99, 1.0])
    inside = np.ones(5, dtype=bool)
    assert discretise(values, inside, how="number", amount=4).tolist() == [1, 1, 2, 4, 4]
    assert discretise(values, inside, how="width", amount=0.25).tolist() == [1, 1, 2, 4, 5]
    assert discretise(np.full(5, 3.0), inside, how="number", amount=4).tolist() == [1] * 5
    assert discretise(values, values > 0.5, how="number", amount=2).tolist() == [0, 0, 0, 1, 2]
    assert not discretise(values, np.zeros(5, dtype=bool), how="number", amount=2).any()


def test_bins_that_mean_nothing_are_refused() -> None:
    values, inside = np.arange(3.0), np.ones(3, dtype=bool)
    with pytest.raises(ValueError, match="positive"):
        discretise(values, inside, how="width", amount=0.0)
    with pytest.raises(ValueError, match="below the first bin"):
        discretise(values, inside, how="width", amount=1.0, lowest=0.5)


def test_resegmentation_keeps_the_range_and_drops_outliers_and_unknowns() -> None:
    values = np.array([*(np.arange(-49, 50) / 49), 50.0, np.nan])
    region = np.ones(101, dtype=bool)
    assert not resegment(values, region)[-1]
    assert resegment(values, region, outlier_sd=3.0).sum() == 99
    ranged = resegment(values, region, bounds=(0.0, 50.0))
    assert ranged.sum() == 51
    assert ranged[49]
    assert ranged[-2]
    assert not resegment(values, ~region, outlier_sd=3.0).any()


@given(images, st.tuples(*[st.floats(0.5, 3.0)] * 3))
@settings(max_examples=40, deadline=None)
def test_resampling_keeps_constants_and_ramps_and_the_centre(image, ratio) -> None:
    spacing = np.array([1.0, 1.5, 4.0])
    mask = np.ones(image.shape, dtype=bool)
    flat, inside, known = resample(np.full(image.shape, 7.0), mask, spacing, spacing * ratio)
    assert np.allclose(flat, 7.0)
    assert inside.all()
    assert known.all()
    away = (np.arange(6) - 2.5)[:, None, None] * np.ones(image.shape)
    ramp, _, _ = resample(away, mask, spacing, spacing * ratio)
    assert abs(ramp.mean()) < 1e-9
    inner = np.abs(ramp) < 2.4
    wanted = (
        (np.arange(ramp.shape[0]) - (ramp.shape[0] - 1) / 2)[:, None, None] * ratio[0] * np.ones(ramp.shape)
    )
    assert np.allclose(ramp[inner], wanted[inner])


def test_resampling_to_the_same_spacing_changes_nothing_and_spreads_no_unknowns() -> None:
    rng = np.random.default_rng(1)
    image, mask = rng.normal(size=(5, 6, 3)), rng.random((5, 6, 3)) > 0.5
    same, inside, known = resample(image, mask, np.ones(3), np.ones(3))
    assert np.allclose(same, image)
    assert np.array_equal(inside, mask)
    image[0, 0, 0] = np.nan
    holed, _, known = resample(image, mask, np.ones(3), np.ones(3))
    assert np.isnan(holed).sum() == 1
    assert not known[0, 0, 0]
    finer, _, _ = resample(image, mask, np.ones(3), np.full(3, 0.5))
    assert np.nanmax(finer) <= np.nanmax(image)


def test_a_resampled_ball_keeps_its_volume() -> None:
    far = np.linalg.norm(np.indices((41, 41, 41)) - 20.0, axis=0)
    mask = far <= 15
    for step in (0.7, 1.3, 2.0):
        _, inside, _ = resample(far, mask, np.ones(3), np.full(3, step))
        assert inside.sum() * step**3 == pytest.approx(mask.sum(), rel=0.02)
