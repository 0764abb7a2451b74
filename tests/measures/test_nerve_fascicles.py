"""The fascicle ratio: dark discs in a bright nerve, whatever the gain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.measures.nerve_fascicles import fascicle_ratio


def nerve(count: int, radius: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Grey, mask and true share of dark discs in a disc of radius 60."""
    yy, xx = np.mgrid[:140, :140].astype(np.float32) - 70
    mask = yy**2 + xx**2 < 60**2
    dark = np.zeros_like(mask)
    for k in range(count):
        angle = 2 * np.pi * k / count
        dark |= (yy - 36 * np.sin(angle)) ** 2 + (xx - 36 * np.cos(angle)) ** 2 < radius**2
    grey = np.where(dark, 50, 140) + np.random.default_rng(2).normal(0, 12, mask.shape)
    return grey.astype(np.float32), mask, float(dark[mask].mean())


@pytest.mark.parametrize("count", [3, 5, 7])
def test_dark_discs_are_found(count: int) -> None:
    grey, mask, truth = nerve(count, 14)
    assert fascicle_ratio(grey, mask) == pytest.approx(truth, abs=0.04)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 1.5), st.floats(0, 40))
def test_gain_does_not_matter(gain: float, offset: float) -> None:
    grey, mask, truth = nerve(5, 14)
    assert fascicle_ratio(grey * np.float32(gain) + np.float32(offset), mask) == pytest.approx(
        truth, abs=0.05
    )


def test_more_dark_is_a_higher_ratio() -> None:
    ratios = [fascicle_ratio(*nerve(5, radius)[:2]) for radius in (9, 13, 17)]
    assert ratios == sorted(ratios)
