"""Decision curves: dcurves' published treat-all values, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.decision_curve import net_benefit, treat_all

AT = np.array([0.1, 0.2, 0.3])


def test_treat_all_of_the_dcurves_example() -> None:
    """Values of dcurves 1.1.7, df_binary: 105 cancers among 750 (14 %); treating all at .1, .2, .3."""
    events = np.arange(750) < 105
    np.testing.assert_allclose(treat_all(events, AT), [0.04444444, -0.075, -0.22857143], atol=5e-9)


def test_net_benefit_of_a_marker_with_the_counts_of_the_dcurves_example() -> None:
    """Net benefits .08740741, .06733333, .05466667 fix the counts: TP - FP t/(1-t) = 750 x benefit."""
    benefit = np.array([0.08740741, 0.06733333, 0.05466667])
    for threshold, value in zip(AT, benefit, strict=True):
        odds = threshold / (1 - threshold)
        fitting = [
            (hits, false)
            for hits in range(106)
            for false in range(646)
            if abs((hits - odds * false) / 750 - value) < 5e-9
        ]
        assert fitting
        hits, false = fitting[0]
        events = np.arange(750) < 105
        chances = np.where(events, np.arange(750) < hits, np.arange(750) - 105 < false).astype(float)
        assert net_benefit(events, chances, [threshold])[0] == pytest.approx(value, abs=5e-9)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=30), st.floats(0, 0.95))
def test_nothing_beats_knowing(rows: list[tuple[bool, float]], threshold: float) -> None:
    events, chances = (np.array(part) for part in zip(*rows, strict=True))
    best = net_benefit(events, events.astype(float), [max(threshold, 1e-9)])[0]
    assert best == pytest.approx(events.mean())
    assert net_benefit(events, chances, [threshold])[0] <= best + 1e-12


def test_at_threshold_zero_everyone_is_treated() -> None:
    events, chances = [1, 0, 1, 0], [0.0, 0.2, 0.9, 0.4]
    assert net_benefit(events, chances, [0.0]) == treat_all(events, [0.0]) == [0.5]


@pytest.mark.parametrize(
    ("events", "chances", "thresholds"),
    [
        ([1, 0], [0.5], [0.1]),
        ([], [], [0.1]),
        ([1], [1.5], [0.1]),
        ([1], [0.5], [1.0]),
        ([1], [np.nan], [0.1]),
    ],
)
def test_what_makes_no_sense_is_refused(
    events: list[int], chances: list[float], thresholds: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        net_benefit(events, chances, thresholds)
