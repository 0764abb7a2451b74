"""Slice-selective pulses: angles in the middle, smallness at the edges, user's profiles."""

import numpy as np
import pytest

from myoproof.numerics.epg_pulse import Pulses, SliceProfile, envelope, response, spinor


def test_the_middle_of_the_slice_turns_by_the_nominal_angle() -> None:
    found = response(Pulses(), [0.6, 1.0])
    assert np.degrees(found.refocusing_rad[:, 0]) == pytest.approx([108.0, 180.0], abs=1e-3)


def test_beyond_180_degrees_the_angle_goes_on_in_the_middle() -> None:
    angles = np.degrees(response(Pulses(), [1.0, 1.2]).refocusing_rad)
    assert angles[1, 0] == pytest.approx(216.0, abs=1e-3)
    turned_over = np.sin(np.radians(angles) / 2)
    assert np.abs(np.diff(turned_over, axis=1)).max() < 0.12, "no jump across the slice"
    assert angles[:, -1].max() < 10.0


def test_the_excited_slice_has_about_its_thickness_and_sums_to_one() -> None:
    pulses = Pulses()
    excited = response(pulses, [1.0]).excited[0]
    assert excited.sum() == pytest.approx(1.0)
    place = np.linspace(0, pulses.reach, pulses.n_position)
    half = np.interp(0.5, (excited / excited[1])[::-1], place[::-1])
    assert 0.4 < half < 0.65
    assert abs(excited[-1]) < 0.01 * excited[1]


def test_rotations_are_unitary_and_small_angles_follow_the_fourier_transform() -> None:
    pulses = Pulses()
    place = np.linspace(0, 1.2, 13)
    alpha, beta = spinor(pulses, np.array([0.01, 3.0]), place)
    np.testing.assert_allclose(np.abs(alpha) ** 2 + np.abs(beta) ** 2, 1.0, atol=1e-10)
    time = (np.arange(128) + 0.5) / 128 - 0.5
    wave = np.exp(2j * np.pi * pulses.time_bandwidth * place[:, None] * time[None, :])
    np.testing.assert_allclose(2 * np.abs(beta[0]), 0.01 * np.abs(wave @ envelope(pulses)), atol=2e-6)


def test_a_given_profile_scales_with_the_field() -> None:
    profile = SliceProfile(np.array([45.0, 90.0, 45.0]), np.array([90.0, 180.0, 90.0]))
    found = response(profile, [1.0, 0.5])
    assert found.excited[0].sum() == pytest.approx(1.0)
    assert np.degrees(found.refocusing_rad[1]) == pytest.approx([45.0, 90.0, 45.0])
