"""Intraclass correlation: Shrout and Fleiss, and what must hold for any ratings."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myoproof.numerics.icc import icc_value, intraclass_correlation

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)
RATINGS = REFERENCE["data"]["shrout_fleiss"]["ratings"]
FORMS = {"icc1": "1,1", "icca1": "A,1", "iccc1": "C,1", "icc1k": "1,k", "iccak": "A,k", "iccck": "C,k"}
TABLES = arrays(
    np.float64, st.tuples(st.integers(3, 12), st.integers(2, 4)), elements=st.integers(-20, 20).map(float)
).filter(lambda y: np.ptp(y.mean(axis=1)) > 0)


@pytest.mark.parametrize("name", FORMS)
def test_shrout_and_fleiss(name: str) -> None:
    answer = REFERENCE["icc"][name]
    found = intraclass_correlation(RATINGS, FORMS[name])
    assert found.value == pytest.approx(answer["value"], abs=answer["tolerance"])
    assert icc_value(RATINGS, FORMS[name]) == found.value


def test_interval_of_shrout_and_fleiss() -> None:
    found = intraclass_correlation(RATINGS, "A,1")
    for name, value in (("icca1_low", found.low), ("icca1_high", found.high)):
        answer = REFERENCE["icc"][name]
        assert value == pytest.approx(answer["value"], abs=answer["tolerance"])


@given(TABLES)
@settings(deadline=None)
def test_a_rater_agrees_with_itself(y: np.ndarray) -> None:
    same = np.repeat(y[:, :1], 2, axis=1)
    if np.ptp(same) == 0:
        return
    for form in FORMS.values():
        assert intraclass_correlation(same, form).value == pytest.approx(1.0)


@given(TABLES, st.integers(1, 50))
@settings(deadline=None)
def test_a_rater_who_adds_a_constant_is_consistent_but_agrees_less(y: np.ndarray, shift: int) -> None:
    moved = y - y.mean(axis=0)
    if np.ptp(moved.mean(axis=1)) < 1e-9:
        return
    shifted = moved.copy()
    shifted[:, 0] += shift
    before, after = (intraclass_correlation(table, "C,1").value for table in (moved, shifted))
    assert after == pytest.approx(before, abs=1e-9)
    agreement = [intraclass_correlation(table, "A,1").value for table in (moved, shifted)]
    assert abs(agreement[1]) <= abs(agreement[0]) + 1e-9


@given(TABLES, st.permutations(range(3)))
@settings(deadline=None)
def test_order_is_irrelevant(y: np.ndarray, order: list[int]) -> None:
    shuffled = y[[*order, *range(3, len(y))]][:, ::-1]
    for form in FORMS.values():
        expected = intraclass_correlation(y, form)
        found = intraclass_correlation(shuffled, form)
        assert found.value == pytest.approx(expected.value, rel=1e-6, abs=1e-6)


def test_interval_covers_the_population_value() -> None:
    """Twenty targets, two raters, target SD 2, rater bias SD 0 (consistency), error SD 1: ICC(C,1) = 0.8."""
    rng = np.random.default_rng(79)
    covered = 0
    for _ in range(1500):
        y = rng.normal(0, 2, (20, 1)) + rng.normal(0, 1, (20, 2))
        found = intraclass_correlation(y, "C,1")
        covered += found.low <= 0.8 <= found.high
    assert covered / 1500 == pytest.approx(0.95, abs=0.018)


def test_what_cannot_be_rated_is_refused() -> None:
    with pytest.raises(ValueError, match="complete"):
        intraclass_correlation([[1.0, np.nan], [2.0, 3.0]])
    with pytest.raises(ValueError, match="form"):
        intraclass_correlation(RATINGS, "B,1")
    assert np.isnan(intraclass_correlation(np.ones((4, 2))).value)
