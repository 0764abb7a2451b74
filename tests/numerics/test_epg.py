"""Phase graphs against closed forms, the isochromat oracle and the laws of echo trains."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.numerics.epg import echo_train

LONG = 1e9


def turned(angle_rad: float, n_echo: int) -> npt.NDArray[np.float64]:
    """Echoes by isochromats and Rodrigues rotations, without relaxation: a second formulation."""
    spread = 2 * np.pi * np.arange(4 * n_echo) / (4 * n_echo)
    state = np.stack([np.ones_like(spread), np.zeros_like(spread), np.zeros_like(spread)])
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    pulse = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    out = []
    for _ in range(n_echo):
        for part in ("before", "after"):
            x, y = state[0].copy(), state[1].copy()
            state[0] = np.cos(spread) * x - np.sin(spread) * y
            state[1] = np.sin(spread) * x + np.cos(spread) * y
            if part == "before":
                state = pulse @ state
        out.append(state[0].mean())
    return np.array(out)


def test_ideal_refocusing_gives_one_exponential() -> None:
    times = 0.012 * np.arange(1, 13)
    train = echo_train(np.full(12, np.pi), echo_spacing_s=0.012, t1_s=1.4, t2_s=0.037)
    np.testing.assert_allclose(train, np.exp(-times / 0.037), rtol=1e-12)


@pytest.mark.parametrize("angle_deg", [30.0, 60.0, 90.0, 120.0, 150.0, 180.0])
def test_the_first_echoes_are_those_of_hennig(angle_deg: float) -> None:
    """First echo sin2(a/2); second adds the stimulated echo, sin2(a)/2 (Hennig 1988, J Magn Reson 78:397)."""
    a = np.radians(angle_deg)
    train = echo_train(np.full(2, a), echo_spacing_s=0.01, t1_s=LONG, t2_s=LONG)
    assert train[0] == pytest.approx(np.sin(a / 2) ** 2, abs=1e-9)
    assert train[1] == pytest.approx(np.sin(a / 2) ** 4 + 0.5 * np.sin(a) ** 2, abs=1e-9)


@given(st.floats(20.0, 200.0), st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_phase_graphs_equal_rotated_isochromats(angle_deg: float, n_echo: int) -> None:
    train = echo_train(np.full(n_echo, np.radians(angle_deg)), echo_spacing_s=0.01, t1_s=LONG, t2_s=LONG)
    np.testing.assert_allclose(train, turned(np.radians(angle_deg), n_echo), atol=1e-7)


def test_trains_settle_at_the_pseudo_steady_state() -> None:
    """Without relaxation echoes settle at sin(a/2) (Alsop 1997, Magn Reson Med 37:176)."""
    late = echo_train(np.full(120, np.radians(120.0)), echo_spacing_s=0.01, t1_s=LONG, t2_s=LONG)[-20:]
    assert late.std() < 0.01
    assert late.mean() == pytest.approx(np.sin(np.radians(60.0)), abs=1e-4)


@given(st.floats(0.02, 0.1), st.floats(0.3, 2.0), st.floats(60.0, 180.0))
@settings(max_examples=25, deadline=None)
def test_relaxation_only_takes_away(t2_s: float, t1_s: float, angle_deg: float) -> None:
    angles = np.full(12, np.radians(angle_deg))
    kept = echo_train(angles, echo_spacing_s=0.01, t1_s=LONG, t2_s=LONG)
    lost = echo_train(angles, echo_spacing_s=0.01, t1_s=t1_s, t2_s=t2_s)
    assert np.all(lost <= kept + 1e-9)
    longer = echo_train(angles, echo_spacing_s=0.01, t1_s=t1_s, t2_s=1.2 * t2_s)
    assert np.all(longer >= lost - 1e-12)


def test_angles_of_each_pulse_and_leading_axes_are_kept() -> None:
    angles = np.radians([[150.0, 120.0, 180.0], [60.0, 170.0, 90.0]])
    both = echo_train(angles, echo_spacing_s=0.01, t1_s=1.0, t2_s=np.array([0.03, 0.05]))
    for row, t2 in zip((0, 1), (0.03, 0.05), strict=True):
        one = echo_train(angles[row], echo_spacing_s=0.01, t1_s=1.0, t2_s=t2)
        np.testing.assert_array_equal(both[row], one)
