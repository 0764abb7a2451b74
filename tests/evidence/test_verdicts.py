"""Verdicts: inside passes, outside fails, across is open."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.evidence.verdicts import Range, judge

FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.5, 0.4, 0.6, "pass"),
        (0.5, 0.0, 1.0, "pass"),
        (0.5, -0.1, 0.6, "inconclusive"),
        (1.5, 1.2, 1.8, "fail"),
        (0.9, 0.7, 1.2, "inconclusive"),
        (-1.0, math.nan, math.nan, "fail"),
        (0.5, math.nan, 0.6, "pass"),
        (math.nan, math.nan, math.nan, "inconclusive"),
    ],
)
def test_cases(value: float, low: float, high: float, verdict: str) -> None:
    assert judge(value, Range(0.0, 1.0), low=low, high=high) == verdict


@given(FINITE, FINITE, FINITE)
@settings(deadline=None)
def test_a_wider_range_never_turns_a_pass(low: float, high: float, bound: float) -> None:
    low, high = sorted((low, high))
    tight, wide = Range(at_least=bound), Range(at_least=bound - 1.0)
    if judge(low, tight, low=low, high=high) == "pass":
        assert judge(low, wide, low=low, high=high) == "pass"
    if judge(low, wide, low=low, high=high) == "fail":
        assert judge(low, tight, low=low, high=high) == "fail"


def test_ranges_speak() -> None:
    assert str(Range(at_least=0.93, at_most=0.97)) == "at least 0.93 and at most 0.97"
    assert str(Range()) == "any value"
