"""Simulated cines: what moves is what the truth says, and speckle decorrelates instead of sliding."""

import numpy as np
import pytest

from myoproof.core.provenance import digest_arrays
from myoproof.errors import InvalidInput
from myoproof.phantoms.bmode_cine import CineParams, cine
from myoproof.phantoms.bmode_motion import NOTHING, Disturbances, bump
from myoproof.phantoms.bmode_scene import BmodeParams

VIEW = BmodeParams(shape=(96, 128), depth_mm=40.0)
STILL = CineParams(view=VIEW, seconds=2.0, n_fasciculations=1, disturbances=NOTHING)


def test_pixels_change_most_at_the_peak_and_where_the_twitch_is() -> None:
    made = cine(rng=np.random.default_rng(5), params=STILL)
    (event,) = made.events
    frames = made.acquisition.payload.pixels[..., 0].astype(float)
    change = np.abs(frames - frames[0])
    peak = round(event.peak_s * 30)
    moving = change.mean(axis=(1, 2))
    assert abs(int(np.argmax(moving)) - peak) <= 2
    pixel = made.acquisition.payload.spacing_mm[0]
    row, col = event.z_mm / pixel, event.x_mm / pixel + 64
    rows, cols = np.indices((96, 128))
    near = np.hypot(rows - row, cols - col) < 4.0 / pixel
    assert change[peak][near].mean() > 2.0 * change[peak][~near].mean()


def test_truth_rows_tell_count_rate_peaks_and_spans() -> None:
    made = cine(rng=np.random.default_rng(5), params=STILL)
    rows = made.rows.set_index(["measure", "at"]).sort_index()
    (event,) = made.events
    assert rows.loc[("fasciculation_count", ""), "value"] == 1
    assert rows.loc[("fasciculation_rate", ""), "value"] == pytest.approx(5.0)
    peak = rows.loc[("fasciculation_peak_time", "event:1")]
    assert peak["value"] == pytest.approx(event.peak_s)
    assert peak["low"] <= peak["value"] <= peak["high"]
    assert 0.2 <= event.end_s - event.start_s <= 0.7
    assert rows.loc[("fasciculation_peak_frame", "event:1"), "value"] == round(event.peak_s * 30)


def test_every_disturbance_is_told() -> None:
    made = cine(rng=np.random.default_rng(6), params=CineParams(view=VIEW, seconds=2.0, n_fasciculations=0))
    assert {event.kind for event in made.events} == {"pulse", "pseudotremor", "slip", "contraction"}


def test_without_movement_only_noise_differs() -> None:
    params = CineParams(view=VIEW, seconds=0.2, n_fasciculations=0, disturbances=NOTHING)
    frames = (
        cine(rng=np.random.default_rng(7), params=params).acquisition.payload.pixels[..., 0].astype(float)
    )
    bright = frames.mean(axis=0) > 80
    assert np.abs(frames[1] - frames[0])[bright].mean() < 3.0


def test_a_slip_moves_the_picture_by_its_amplitude() -> None:
    what = Disturbances(0.0, 0.0, 0.0, 2.5, 0.0)
    made = cine(rng=np.random.default_rng(8), params=CineParams(VIEW, 30.0, 2.0, 0, 6.0, what))
    frames = made.acquisition.payload.pixels[..., 0].astype(float)
    pixel = made.acquisition.payload.spacing_mm[0]
    first, last = frames[0] - frames[0].mean(), frames[-1] - frames[-1].mean()
    lags = [(down, right) for down in range(-2, 3) for right in range(-12, 13)]
    alike = [
        (first * np.roll(last, (-down, -right), axis=(0, 1)))[4:-4, 12:-12].sum() for down, right in lags
    ]
    moved = np.hypot(*lags[int(np.argmax(alike))]) * pixel
    assert moved == pytest.approx(2.5, abs=1.5 * pixel)


def test_same_seed_same_bytes() -> None:
    short = CineParams(view=VIEW, seconds=0.3)
    made = [cine(rng=np.random.default_rng(9), params=short).acquisition.payload.pixels for _ in range(2)]
    assert digest_arrays(made[0]) == digest_arrays(made[1])


def test_a_bump_is_1_at_its_peak_and_0_outside() -> None:
    times = np.array([0.0, 1.0, 1.5, 2.0, 4.0])
    np.testing.assert_allclose(bump(times, 1.0, 2.0, 4.0), [0.0, 0.0, 0.5, 1.0, 0.0], atol=1e-12)


def test_a_cine_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput):
        CineParams(seconds=0.0)
