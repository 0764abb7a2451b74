"""Isochromats: limits of the spin-echo train that need no second program."""

import numpy as np
import pytest

from myoproof.phantoms.relaxation_bloch import Sequence, echoes, saturation


def test_longer_t2_gives_larger_echoes_and_fields_change_their_pattern() -> None:
    found = echoes(np.array([0.03, 0.06]), 1.42, np.array([0.7, 1.0]), Sequence(n_echo=8))
    assert found.shape == (2, 2, 8)
    assert np.all(found[:, 1] > found[:, 0])
    assert found[0, 1, 1] > found[0, 1, 0], "at low field the second echo, stimulated, exceeds the first"


def test_t2_alone_scales_echoes_of_long_t1() -> None:
    """With T1 = T2 every pathway loses the same, so that echoes are those without relaxation times exp(-t/T2)."""
    sequence = Sequence(n_echo=6)
    times = sequence.echo_spacing_s * np.arange(1, 7)
    lossless = echoes(np.array([1e9]), 1e9, np.array([0.8]), sequence)[0, 0]
    both = echoes(np.array([0.05]), 0.05, np.array([0.8]), sequence)[0, 0]
    np.testing.assert_allclose(both, lossless * np.exp(-times / 0.05), rtol=1e-9)


def test_saturation_grows_with_t1() -> None:
    assert saturation(0.371, Sequence()) > saturation(1.42, Sequence())
    assert saturation(1.42, Sequence(repetition_time_s=100.0)) == pytest.approx(1.0)
