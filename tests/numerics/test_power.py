"""Sample sizes against R power.t.test and published trials, and properties."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.numerics.power import (
    Aim,
    Arms,
    adjusted,
    inflated,
    normal_power,
    normal_size,
    t_power,
    t_size,
)
from myoproof.numerics.samplesize import two_sample_size


def test_becker_needs_59() -> None:
    assert t_size(0.52).control == pytest.approx(59.03, abs=0.005)


@pytest.mark.parametrize(
    ("change", "spread", "published"),
    [(2.0, 2.0, 1.0), (1.6, 2.1, 0.76), (2.7, 2.3, 1.17)],
    ids=["CMTX1", "CMT1B and CMT2A", "baseline fat fraction 10 to 70 per cent"],
)
def test_entry_rules_of_cmt(change: float, spread: float, published: float) -> None:
    """Calf fat fraction a year, PMC10963306: the narrower entry needs fewer patients."""
    assert change / spread == pytest.approx(published, abs=0.005)
    assert t_size(0.5 * 2.7 / 2.3).control <= t_size(0.5 * change / spread).control


# ---------------------------------------------------------------- properties


@given(st.floats(0.1, 2.0), st.sampled_from([0.8, 0.9]), st.sampled_from([0.05, 0.01]))
@settings(deadline=None, max_examples=15)
def test_equal_arms_are_the_plain_two_sample_size(delta: float, power: float, alpha: float) -> None:
    found = t_size(delta, Aim(power, alpha))
    assert found.control == pytest.approx(two_sample_size(delta, power=power, alpha=alpha), rel=1e-8)


@given(st.floats(0.1, 1.5), st.floats(0.3, 4.0), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=20)
def test_any_allocation_reaches_its_power_and_equal_arms_are_cheapest(
    delta: float, ratio: float, sides: int
) -> None:
    aim = Aim(sides=sides, ratio=ratio)
    found = t_size(delta, aim)
    if found.control > max(2, 2 / ratio) + 1e-6:
        assert t_power(delta, found.control, aim) == pytest.approx(0.8, abs=1e-7)
    assert found.treated == pytest.approx(ratio * found.control)
    plan = normal_size(delta, 1.0, aim)
    assert normal_power(delta, 1.0, plan.control, aim) == pytest.approx(0.8, abs=1e-9)
    assert normal_size(delta, 1.0, Aim(sides=sides)).total <= plan.total + 1e-9


def test_dropout_and_prognosis() -> None:
    assert inflated(Arms(80, 160), 0.2) == Arms(100, 200)
    assert adjusted(Arms(223, 223), 0.44).control == pytest.approx(179.8, abs=0.05)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: t_size(0.0),
        lambda: normal_size(float("nan"), 1.0),
        lambda: normal_size(1.0, 0.0),
        lambda: normal_size(1.0, 1.0, Aim(power=0.04)),
        lambda: normal_size(1.0, 1.0, Aim(ratio=0.0)),
        lambda: normal_size(1.0, 1.0, Aim(sides=3)),
        lambda: inflated(Arms(1, 1), 1.0),
        lambda: adjusted(Arms(1, 1), 1.0),
    ],
)
def test_questions_without_an_answer_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bad()  # type: ignore[operator]
