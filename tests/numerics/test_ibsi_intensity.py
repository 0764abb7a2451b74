"""Intensity features: against scipy, against the manual's tables, against balls counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from myoproof.numerics.ibsi_intensity import PEAK_RADIUS_MM, histogram, peaks, statistics, volume_histogram


def test_moments_are_those_of_scipy() -> None:
    x = np.random.default_rng(2).gamma(2.0, size=500)
    found = statistics(x)
    assert found["intensity_skewness"] == pytest.approx(stats.skew(x))
    assert found["intensity_kurtosis"] == pytest.approx(stats.kurtosis(x))
    assert found["intensity_coefficient_of_variation"] == pytest.approx(stats.variation(x))
    assert found["intensity_median_absolute_deviation"] == pytest.approx(np.abs(x - np.median(x)).mean())


@given(st.integers(0, 2**32 - 1), st.floats(-50, 50))
@settings(max_examples=40, deadline=None)
def test_a_shift_moves_places_and_leaves_spreads(seed, shift) -> None:
    x = np.random.default_rng(seed).normal(size=60)
    ours, moved = statistics(x), statistics(x + shift)
    for name in ("mean", "median", "minimum", "maximum", "percentile_10", "percentile_90"):
        assert moved[f"intensity_{name}"] == pytest.approx(ours[f"intensity_{name}"] + shift, abs=1e-9)
    for name in (
        "variance",
        "skewness",
        "kurtosis",
        "range",
        "interquartile_range",
        "mean_absolute_deviation",
    ):
        assert moved[f"intensity_{name}"] == pytest.approx(ours[f"intensity_{name}"], rel=1e-6, abs=1e-9)


def test_one_value_has_no_spread_and_no_ratio_to_nothing() -> None:
    flat = statistics(np.zeros(5))
    assert flat["intensity_variance"] == flat["intensity_skewness"] == flat["intensity_kurtosis"] == 0.0
    assert np.isnan(flat["intensity_coefficient_of_variation"])
    assert np.isnan(flat["intensity_quartile_coefficient_of_dispersion"])


def test_the_mode_nearest_the_mean_counts() -> None:
    levels = np.array([1, 1, 4, 4, 5], dtype=np.int32)
    assert histogram(levels, 5)["intensity_histogram_mode"] == 4.0
    single = histogram(np.ones(4, dtype=np.int32), 1)
    assert single["intensity_histogram_entropy"] == 0.0
    assert single["intensity_histogram_maximum_gradient"] == 0.0


def test_the_volume_histogram_of_the_manual() -> None:
    """IBSI reference manual, table in section 3.5: the digital phantom's levels and volume fractions."""
    levels = np.repeat(np.array([1, 3, 4, 6], dtype=np.int32), [50, 1, 16, 7])
    found = volume_histogram(levels, 6, np.arange(1.0, 7.0))
    assert found["intensity_volume_fraction_10"] == pytest.approx(24 / 74)
    assert found["intensity_volume_fraction_90"] == pytest.approx(7 / 74)
    assert (found["volume_intensity_10"], found["volume_intensity_90"]) == (5.0, 2.0)
    assert found["volume_intensity_difference"] == 3.0


def test_peaks_are_means_over_balls_and_unknown_voxels_have_no_say() -> None:
    rng = np.random.default_rng(4)
    values, spacing = rng.random((9, 8, 5)), np.array([2.0, 2.5, 4.0])
    inside = np.zeros(values.shape, dtype=bool)
    inside[2:6, 1:7, 1:4] = True
    values[0, 0, 0] = np.nan
    places = np.argwhere(np.ones(values.shape)) * spacing
    means = {}
    for at in np.argwhere(inside):
        near = np.linalg.norm(places - at * spacing, axis=1) <= PEAK_RADIUS_MM
        means[tuple(at)] = np.nanmean(values.reshape(-1)[near])
    brightest = max(means, key=lambda at: values[at])
    found = peaks(values, inside, spacing)
    assert found["local_intensity_peak"] == pytest.approx(means[brightest])
    assert found["global_intensity_peak"] == pytest.approx(max(means.values()))
