"""Quadrature rules: exact where they must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from myoproof.numerics.quadrature import hermite_grid, kronrod


@pytest.mark.parametrize(("nodes", "degree"), [(7, 11), (15, 23)])
def test_kronrod_is_exact_up_to_its_degree(nodes: int, degree: int) -> None:
    at, weight = kronrod(nodes)
    assert (np.diff(at) > 0).all()
    for power in range(degree + 1):
        assert weight @ at**power == pytest.approx((1 + (-1) ** power) / (power + 1), abs=1e-14)
    assert abs(weight @ at ** (degree + 1) - 2 / (degree + 2)) > 1e-12


def test_kronrod_agrees_with_quadpack() -> None:
    at, weight = kronrod(15)
    found = 0.5 * weight @ np.exp(np.sin(3 * (at + 1) / 2))
    assert found == pytest.approx(integrate.quad(lambda t: np.exp(np.sin(3 * t)), 0, 1)[0], abs=1e-11)


@given(nodes=st.integers(3, 9), dimensions=st.integers(1, 3))
def test_hermite_gives_the_moments_of_the_normal(nodes: int, dimensions: int) -> None:
    at, log_weights = hermite_grid(nodes, dimensions)
    weights = np.exp(log_weights)
    assert at.shape == (nodes**dimensions, dimensions)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        (weights[:, None, None] * at[:, :, None] * at[:, None, :]).sum(axis=0), np.eye(dimensions), atol=1e-12
    )
    assert weights @ at[:, 0] ** 4 == pytest.approx(3)
