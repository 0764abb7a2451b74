"""Generalised pairwise comparison: by hand, against Mann and Whitney, and where deaths decide."""

import numpy as np
import pytest
from scipy import stats

from myoproof.numerics.pairwise import Fates, compare

NOBODY = np.full(3, np.nan)


def test_without_deaths_it_is_the_mann_whitney_statistic() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.5, 1, (30, 1)), rng.normal(0, 1, (40, 1))
    found = compare(
        Fates(first, np.full(30, np.nan), np.full(30, 90.0)),
        Fates(second, np.full(40, np.nan), np.full(40, 90.0)),
    )
    u = stats.mannwhitneyu(first.ravel(), second.ravel()).statistic
    assert found.value == pytest.approx(u / 1200)
    reference = stats.brunnermunzel(second.ravel(), first.ravel())
    assert found.p == pytest.approx(reference.pvalue, rel=1e-6)
    assert found.low < found.value < found.high
    assert found.decided_by_value == pytest.approx(1.0)


def test_the_last_visit_that_both_have_decides() -> None:
    first = Fates(np.array([[1.0, np.nan], [9.0, np.nan], [9.0, 1.0]]), NOBODY, np.full(3, 90.0))
    second = Fates(np.array([[2.0, 8.0], [2.0, np.nan], [np.nan, 8.0]]), NOBODY, np.full(3, 90.0))
    # rows: 1 v 2 loses, 1 v 2 loses, nothing shared; 9 v 2 wins twice, nothing shared; 1 v 8 loses,
    # 9 v 2 wins, 1 v 8 loses
    found = compare(first, second)
    assert found.value == pytest.approx((0 + 0 + 0.5 + 1 + 1 + 0.5 + 0 + 1 + 0) / 9)
    assert found.tied == pytest.approx(2 / 9)


def test_death_comes_before_value_and_only_where_the_other_was_known_alive() -> None:
    high, low = np.array([[9.0], [9.0]]), np.array([[1.0], [1.0]])
    dead = Fates(high, np.array([50.0, 60.0]), np.array([50.0, 60.0]))
    alive = Fates(low, np.full(2, np.nan), np.array([90.0, 55.0]))
    found = compare(dead, alive)
    # known alive to day 90: beats both; to day 55: beats the death at 50, the value decides against 60
    assert found.value == pytest.approx((0 + 0 + 0 + 1) / 4)
    assert found.decided_by_death == pytest.approx(3 / 4)
    both = compare(
        Fates(high, np.array([50.0, 80.0]), np.array([50.0, 80.0])),
        Fates(low, np.array([60.0, 70.0]), np.array([60.0, 70.0])),
    )
    assert both.value == pytest.approx(0.5)


def test_sides_mirror_and_one_subject_is_refused() -> None:
    rng = np.random.default_rng(2)
    parts = [
        Fates(rng.normal(size=(12, 3)), np.where(rng.random(12) < 0.3, 40.0, np.nan), np.full(12, 90.0))
        for _ in range(2)
    ]
    one, other = compare(parts[0], parts[1]), compare(parts[1], parts[0])
    assert one.value + other.value == pytest.approx(1.0)
    assert one.p == pytest.approx(other.p)
    with pytest.raises(ValueError, match="two subjects"):
        compare(Fates(np.ones((1, 1)), NOBODY[:1], np.ones(1)), parts[1])
