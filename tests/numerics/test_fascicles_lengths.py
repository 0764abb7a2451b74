"""Fascicle lengths: trigonometry for straight ones, the arc of a circle-like course for curved ones."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.fascicles_lengths import NO_FASCICLE, fascicle


def level(depth: float, slope: float = 0.0):  # type: ignore[no-untyped-def]
    def edge(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return depth + slope * np.asarray(x, dtype=np.float64)

    return edge


@given(st.floats(5.0, 60.0), st.floats(8.0, 40.0), st.sampled_from([-1.0, 1.0]))
def test_between_parallel_edges_the_length_is_height_over_sine(
    angle: float, height: float, lean: float
) -> None:
    one = fascicle(level(0.0), level(height), (0.0, height / 2), lean * angle)
    assert one.length == pytest.approx(height / np.sin(np.radians(angle)), rel=1e-6)
    assert one.right == pytest.approx(-one.left, rel=1e-6)


def test_a_sloping_deep_edge_gives_the_length_of_the_triangle() -> None:
    slope, angle = np.tan(np.radians(-4.0)), np.radians(20.0)  # the deep edge rises by 4 deg to the right
    one = fascicle(level(0.0), level(20.0, slope), (0.0, 10.0), 20.0)
    up = 10.0 / np.sin(angle)
    down = 10.0 / (np.sin(angle) - np.sin(np.radians(4.0)) / np.cos(np.radians(4.0)) * np.cos(angle))
    assert one.length == pytest.approx(up + down, rel=1e-4)


def test_a_curved_fascicle_is_the_integral_of_its_course() -> None:
    height, angle, turn = 20.0, 25.0, 10.0
    one = fascicle(level(0.0), level(height), (0.0, 10.0), angle, turn)
    depth = np.linspace(0.0, height, 20001)
    local = np.radians(angle + turn * (depth / height - 0.5))
    assert one.length == pytest.approx(np.trapezoid(1.0 / np.sin(local), depth), rel=5e-3)
    straight = fascicle(level(0.0), level(height), (0.0, 10.0), angle)
    assert one.length > straight.length


def test_what_never_arrives_has_no_length() -> None:
    assert fascicle(level(0.0), level(20.0), (0.0, 10.0), 0.0) is NO_FASCICLE
    assert fascicle(level(0.0), level(20.0), (0.0, 10.0), np.nan) is NO_FASCICLE
    away = level(20.0, np.tan(np.radians(15.0)))  # falls to the right as steeply as the fascicle rises there
    assert np.isnan(fascicle(level(0.0), away, (0.0, 10.0), -10.0).length)
