"""Sizes of trials with repeated measures against R longpower 1.0.27, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.power import Aim, detectable
from myoproof.numerics.power_repeated import (
    change_variance,
    diggle_size,
    edland_size,
    gls_slope_variance,
    mmrm_size,
    mmrm_variance,
)

DIGGLE = {
    100: (312.38, 195.24, 78.10),
    200: (624.76, 390.48, 156.19),
    300: (937.15, 585.72, 234.29),
}
"""Diggle et al. 2002, p. 30, as longpower prints it: variance -> sizes at correlations .2, .5, .8."""
QUARTER = 0.25 ** np.abs(np.subtract.outer(range(4), range(4)))
LEAVING = [1.0, 0.9, 0.8, 0.7]


@pytest.mark.parametrize("variance", DIGGLE)
def test_the_table_of_diggle(variance: float) -> None:
    found = [
        diggle_size(0.5, [0, 2, 5], variance * (r + (1 - r) * np.eye(3)), Aim(sides=1)).control
        for r in (0.2, 0.5, 0.8)
    ]
    np.testing.assert_allclose(found, DIGGLE[variance], atol=0.005)


def test_sleepstudy_by_both_formulas() -> None:
    """lme4's fit of sleepstudy, 30 % change, days 0 to 9: 68.47 an arm (longpower lmmpower)."""
    days = np.arange(10.0)
    design = np.stack([np.ones(10), days], axis=1)
    between = np.array([[612.10016, 9.60441], [9.60441, 35.07171]])
    covariance = design @ between @ design.T + 654.94001 * np.eye(10)
    delta = 0.3 * 10.46728596
    assert diggle_size(delta, days, covariance).control == pytest.approx(68.47, abs=0.005)
    assert edland_size(delta, days, 35.07171, 654.94001).control == pytest.approx(68.47, abs=0.005)


def test_edland() -> None:
    alzheimer = edland_size(1.5, np.arange(0, 1.51, 0.25), 24, 10)
    als = edland_size(0.25, range(0, 13, 2), 0.25, 4)
    assert alzheimer.control == pytest.approx(207.31, abs=0.005)
    assert als.control == pytest.approx(71.76, abs=0.005)
    by_hand = 2 * (1.959964 + 0.8416212) ** 2 * (0.25 + 4 / 112) / 0.25**2
    assert als.control == pytest.approx(by_hand, rel=1e-6)


def test_mmrm_of_lu() -> None:
    assert detectable(mmrm_variance(QUARTER, LEAVING), 50) == pytest.approx(0.66695, abs=5e-6)
    assert mmrm_size(0.5, QUARTER, LEAVING).control == pytest.approx(88.96, abs=0.005)
    first_order = 0.6 ** np.abs(np.subtract.outer(range(4), range(4)))
    assert mmrm_size(0.9, first_order, LEAVING).control == pytest.approx(25.99, abs=0.005)


@given(st.lists(st.floats(0.4, 1.0), min_size=3, max_size=3), st.floats(0.0, 0.9))
def test_leaving_costs_patients_and_correlation_pays_some_back(shares: list[float], r: float) -> None:
    held = sorted(shares, reverse=True)
    covariance = r ** np.abs(np.subtract.outer(range(3), range(3)))
    found = mmrm_variance(covariance, held)
    assert 1 - 1e-9 <= found <= 1 / held[-1] + 1e-9
    assert mmrm_variance(np.eye(3), held) == pytest.approx(1 / held[-1])


def test_slope_variance_is_the_same_by_both_roads() -> None:
    times = np.array([0, 0.5, 1.0, 2.0])
    design = np.stack([np.ones(4), times], axis=1)
    covariance = design @ np.array([[2.0, 0.3], [0.3, 0.5]]) @ design.T + 0.7 * np.eye(4)
    spread = ((times - times.mean()) ** 2).sum()
    assert gls_slope_variance(times, covariance) == pytest.approx(0.5 + 0.7 / spread)


def test_two_visits_make_slope_and_change_one() -> None:
    assert gls_slope_variance([0, 2], 4.0 * np.eye(2)) * 4 == pytest.approx(change_variance(2.0, 0.0, 4.0))


@pytest.mark.parametrize(
    "bad",
    [
        lambda: edland_size(1.0, [1, 1], 1.0, 1.0),
        lambda: edland_size(1.0, [0, 1], -1.0, 1.0),
        lambda: diggle_size(1.0, [0, 1], np.ones((2, 2))),
        lambda: gls_slope_variance([1, 1], np.eye(2)),
        lambda: mmrm_variance(QUARTER, [1, 0.9, 0.95, 0.7]),
        lambda: mmrm_variance(QUARTER, [1, 0.9]),
        lambda: mmrm_variance(np.ones((2, 2)), [1, 1]),
    ],
)
def test_questions_without_an_answer_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bad()  # type: ignore[operator]
