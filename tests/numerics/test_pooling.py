"""Rubin's rules against mice::pool.scalar and their limits."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.pooling import pool

Q, U = [1.2, 1.5, 0.9, 1.1, 1.4], [0.04, 0.05, 0.045, 0.05, 0.04]


def test_reference_values() -> None:
    """By mice 3.15.0: pool.scalar(Q, U, n = 100, k = 2)."""
    found = pool(Q, U, df_complete=98)
    assert found.value == pytest.approx(1.22, abs=1e-12)
    assert found.se**2 == pytest.approx(0.1134, abs=1e-12)
    assert found.df == pytest.approx(8.533248, abs=1e-6)
    assert found.increase == pytest.approx(1.52, abs=1e-12)
    assert found.missing_information == pytest.approx(0.6719888, abs=1e-7)


def test_without_spread_between_data_sets_nothing_is_missing() -> None:
    found = pool([2.0] * 4, [0.25] * 4, df_complete=30)
    assert found.se == pytest.approx(0.5)
    assert found.df == pytest.approx(31 / 33 * 30, rel=1e-9)
    assert found.increase == 0


def test_large_sample_df_are_rubins() -> None:
    share = 1.2 * np.var(Q, ddof=1) / 0.1134
    assert pool(Q, U).df == pytest.approx(4 / share**2)


def test_several_terms_at_once_are_each_pooled_alone() -> None:
    q, u = np.column_stack([Q, np.negative(Q)]), np.column_stack([U, U])
    found = pool(q, u, df_complete=98)
    one = pool(Q, U, df_complete=98)
    np.testing.assert_allclose(found.value, [one.value, -one.value])
    np.testing.assert_allclose(found.low[1], -one.high)
    np.testing.assert_allclose(found.p, one.p)


@pytest.mark.parametrize(("q", "u"), [([1.0], [1.0]), ([1.0, np.nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, -1.0])])
def test_what_cannot_be_pooled_is_refused(q: list[float], u: list[float]) -> None:
    with pytest.raises(InvalidInput):
        pool(q, u)
