"""T1 weighting: the published bias, the exact inverse, the slope, and the interval of what is not known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.t1_weighting import (
    Protocol,
    Relaxation,
    corrected,
    fat_over_water,
    ratio_interval,
    slope,
    steady_state,
    weighted,
)

SHARE = st.floats(0.0, 1.0)
RATIO = st.floats(0.3, 6.0)
PUBLISHED = Relaxation()


@pytest.mark.parametrize(
    ("protocol", "points"),
    [
        (Protocol(0.010, 3.0), 3.2),
        (Protocol(0.010, 5.0), 7.5),
        (Protocol(0.010, 10.0), 16.9),
        (Protocol(0.008, 15.0), 23.3),
        (Protocol(0.100, 10.0), 3.5),
    ],
)
def test_bias_at_half_fat_of_usual_protocols(protocol: Protocol, points: float) -> None:
    """From an independent computation of the steady state at 3 T (T1 1420 and 371 ms), points at 50 % fat."""
    found = 100 * (float(weighted(0.5, fat_over_water(protocol, PUBLISHED))) - 0.5)
    assert found == pytest.approx(points, abs=0.06)


def test_steady_state_against_a_simulated_train_of_pulses() -> None:
    """Magnetisation iterated pulse by pulse, transverse part spoiled."""
    t1, repetition, angle = 0.7, 0.012, np.deg2rad(12.0)
    along = 1.0
    for _ in range(2000):
        signal = along * np.sin(angle)
        along = 1 - (1 - along * np.cos(angle)) * np.exp(-repetition / t1)
    assert float(steady_state(t1, Protocol(repetition, 12.0))) == pytest.approx(signal, rel=1e-9)


@given(SHARE, RATIO)
def test_correction_is_the_inverse_of_weighting(fraction: float, ratio: float) -> None:
    assert float(corrected(weighted(fraction, ratio), ratio)) == pytest.approx(fraction, abs=1e-12)


@given(st.floats(0.01, 0.99), RATIO)
def test_slope_is_the_derivative_of_the_correction(apparent: float, ratio: float) -> None:
    step = 1e-6
    numeric = (corrected(apparent + step, ratio) - corrected(apparent - step, ratio)) / (2 * step)
    assert float(slope(apparent, ratio)) == pytest.approx(float(numeric), rel=1e-5)


@given(SHARE, st.floats(1.0, 5.0), st.floats(1.0, 5.0))
def test_a_brighter_fat_lowers_the_corrected_fraction(apparent: float, one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert corrected(apparent, high) <= corrected(apparent, low) + 1e-12


def test_nothing_doubted_is_no_interval() -> None:
    known = Relaxation(t1_water_sd_s=0.0, t1_fat_sd_s=0.0, b1_sd=0.0)
    low, high = ratio_interval(Protocol(0.010, 10.0), known)
    assert low == high == pytest.approx(float(fat_over_water(Protocol(0.010, 10.0), known)))


@pytest.mark.parametrize("angle", [3.0, 10.0])
def test_interval_holds_95_per_cent_of_drawn_subjects(angle: float) -> None:
    rng = np.random.default_rng(4)
    n, protocol = 20_000, Protocol(0.010, angle)
    field = np.maximum(rng.normal(1.0, 0.15, n), 0.1)
    fat, water = rng.normal(0.371, 0.040, n), rng.normal(1.420, 0.150, n)
    ratio = steady_state(fat, protocol, field) / steady_state(water, protocol, field)
    low, high = ratio_interval(protocol, PUBLISHED)
    assert np.mean((low <= ratio) & (ratio <= high)) == pytest.approx(0.95, abs=0.007)
    error = corrected(weighted(0.5, ratio), fat_over_water(protocol, PUBLISHED)) - 0.5
    assert abs(error.mean()) < 0.005


def test_a_wider_level_is_a_wider_interval() -> None:
    protocol = Protocol(0.010, 10.0)
    narrow, wide = (ratio_interval(protocol, PUBLISHED, level=level) for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
