"""Payloads refuse what no scanner makes."""

import numpy as np
import pytest

from myoproof.core.acquisition import Echoes, Volume
from myoproof.errors import InvalidInput

TIMES_S = np.array([1.2e-3, 2.4e-3])


def test_echoes_know_their_grid():
    echoes = Echoes(np.zeros((4, 5, 6, 2), np.complex64), TIMES_S, np.diag([1.0, 2.0, 8.0, 1.0]))
    assert echoes.shape == (4, 5, 6)
    assert echoes.is_complex
    assert echoes.slice_axis == 2
    np.testing.assert_allclose(echoes.spacing_mm, [1, 2, 8])


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (np.zeros((4, 5, 6), np.complex64), TIMES_S),
        (np.zeros((4, 5, 6, 2), np.float64), TIMES_S),
        (np.zeros((4, 5, 6, 3), np.float32), TIMES_S),
        (np.zeros((4, 5, 6, 2), np.float32), TIMES_S[::-1]),
        (np.zeros((4, 5, 6, 2), np.float32), np.array([1e-3, np.nan])),
    ],
)
def test_echoes_refuse_what_does_not_fit(values, times):
    with pytest.raises(InvalidInput, match="echo"):
        Echoes(values, times, np.eye(4))


def test_a_flat_affine_is_refused():
    with pytest.raises(InvalidInput, match="affine"):
        Echoes(np.zeros((2, 2, 2, 2), np.float32), TIMES_S, np.diag([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(InvalidInput, match="affine"):
        Volume({"fat": np.zeros((2, 2, 2), np.float32)}, np.diag([1.0, 0.0, 1.0, 1.0]))
