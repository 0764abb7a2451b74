"""Simulated people: marginals near the constants, links in the stated direction, ages and durations that agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.phantoms.constants import constant
from myoproof.phantoms.people import draw_people, enrolled_in_time, lost_points, subject_names

N = 40_000


def test_marginals_follow_the_constants() -> None:
    people = draw_people(N, rng=np.random.default_rng(1))
    assert people.bulbar.mean() == pytest.approx(constant("person.bulbar_share"), abs=0.01)
    assert people.male.mean() == pytest.approx(constant("person.male_share"), abs=0.01)
    rate = people.rate_points_per_month
    assert rate.mean() == pytest.approx(0.89, abs=0.01)  # PRECISION-ALS 2025
    low, high = np.percentile(rate, [2.5, 97.5])
    assert 0.04 < low < 0.3, "published 95 % range 0.04-1.96"
    assert 1.8 < high < 2.2
    delay = people.duration_months
    assert np.corrcoef(np.log(delay), rate)[0, 1] < -0.3, "fast progressors come sooner"


@given(n=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_people_are_possible(n: int, seed: int) -> None:
    people = draw_people(n, rng=np.random.default_rng(seed))
    onset = people.age_years - people.duration_months / 12
    assert ((onset >= 19.9) & (onset <= 90.1)).all()
    assert ((people.body_mass_index >= 15) & (people.body_mass_index <= 42)).all()
    assert (people.onset_day <= -30).all()
    assert (people.rate_points_per_month > 0).all()


def test_points_are_lost_ever_more_slowly() -> None:
    people = draw_people(50, rng=np.random.default_rng(2))
    lost = lost_points(people, np.tile([0.0, 12.0, 24.0], (50, 1)))
    assert (lost[:, 0] == 0).all()
    assert (np.diff(lost, axis=1) > 0).all()
    assert (np.diff(lost, n=2, axis=1) < 0).all()
    np.testing.assert_allclose(lost[:, 1], lost_points(people, np.full(50, 12.0)))


def test_nobody_enters_too_late() -> None:
    people = draw_people(5000, rng=np.random.default_rng(3))
    entered = enrolled_in_time(people, 20.0)
    lost = lost_points(entered, entered.duration_months)
    changed = entered.duration_months < people.duration_months
    assert 0 < changed.mean() < 0.3
    assert lost.max() <= 20.0 + 1e-6
    np.testing.assert_array_equal(entered.duration_months[~changed], people.duration_months[~changed])
    assert (entered.age_years <= people.age_years).all()


def test_names_sort_as_they_count() -> None:
    names = subject_names(454, "us")
    assert sorted(names) == names
    assert len(set(names)) == 454
