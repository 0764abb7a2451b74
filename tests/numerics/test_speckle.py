"""Speckle statistics: against numpy, and intervals against simulated speckle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from myoproof.numerics.speckle import blocks_of, correlation_length, grey_statistics

SIGMA = (2.5, 4.0)


def speckle(rng: np.random.Generator, shape: tuple[int, int] = (160, 240)) -> np.ndarray:
    """Log-compressed Rayleigh speckle of unit power, 60 dB, a mean of about 80."""
    unit = 1 / np.sqrt(2 * 4 * np.pi * SIGMA[0] * SIGMA[1] / (4 * np.pi * SIGMA[0] * SIGMA[1]) ** 2)
    parts = [ndimage.gaussian_filter(rng.normal(size=shape), SIGMA) * unit for _ in range(2)]
    level = 20 * np.log10(np.hypot(*parts) + 1e-12)
    return np.clip(90 + level * 255 / 60, 0, 255).round().astype(np.uint8)


@given(st.integers(0, 10_000), st.integers(2, 300))
@settings(max_examples=20, deadline=None)
def test_values_are_those_of_numpy(seed: int, n: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, n).astype(np.uint8)
    made = grey_statistics(values, blocks_of(np.ones((1, n), bool), (1.0, 2.0)))
    assert made["mean"].value == pytest.approx(values.mean())
    assert made["sd"].value == pytest.approx(values.std(ddof=1))
    for percent in (5, 25, 50, 75, 95):
        assert made[f"percentile_{percent}"].value == pytest.approx(np.percentile(values, percent))
    assert made["share_black"].value == pytest.approx((values == 0).mean())
    assert made["share_white"].value == pytest.approx((values == 255).mean())
    _, counts = np.unique(values, return_counts=True)
    share = counts / n
    assert made["entropy"].value == pytest.approx(-(share * np.log2(share)).sum())


def test_correlation_length_is_that_of_the_point_spread() -> None:
    lengths = [correlation_length(speckle(np.random.default_rng(k)).astype(float), np.ones((160, 240), bool))
               for k in range(4)]  # fmt: skip
    down, across = np.mean(lengths, axis=0)
    # Log-compressed Rayleigh speckle is narrower than its field (sqrt(4 pi) sigma = 8.9 and 14.2 for the field's
    # own correlation, whose square that of the intensity is: 6.3 and 10.0).
    assert 4 < down < 7
    assert 7 < across < 11


def test_layers_are_no_speckle() -> None:
    image = speckle(np.random.default_rng(0)).astype(float)
    layered = image + 100 * (np.arange(160) // 40 % 2)[:, None]
    whole = np.ones(image.shape, bool)
    plain, other = (correlation_length(array, whole) for array in (image, layered))
    assert other == pytest.approx(plain, rel=0.15)


def test_blocks_cover_the_region_and_pair_neighbours() -> None:
    region = np.zeros((60, 100), bool)
    region[10:50, 5:95] = True
    blocks = blocks_of(region, (5.0, 5.0))
    assert len(blocks.codes) == region.sum()
    assert set(np.unique(blocks.codes)) == set(range(blocks.codes.max() + 1))
    rows, cols = np.nonzero(region)
    for one, other in blocks.pairs:
        assert cols[blocks.codes == other].min() == cols[blocks.codes == one].max() + 1
        assert rows[blocks.codes == other].min() == rows[blocks.codes == one].min()


@pytest.fixture(scope="module")
def many() -> tuple[list[dict], dict]:
    """Statistics of 40 patches of speckle, and those of all of them together."""
    made, images = [], []
    whole = np.ones((120, 160), bool)
    for k in range(40):
        image = speckle(np.random.default_rng([1, k]), whole.shape)
        images.append(image.ravel())
        made.append(
            grey_statistics(image[whole], blocks_of(whole, correlation_length(image.astype(float), whole)))
        )
    everything = np.concatenate(images)
    return made, grey_statistics(everything, blocks_of(np.ones((1, len(everything)), bool), (1.0, 999.0)))


@pytest.mark.parametrize("name", ["mean", "sd", "percentile_50", "percentile_95"])
def test_intervals_hold_the_expected_statistic(many: tuple[list[dict], dict], name: str) -> None:
    made, true = [one[name] for one in many[0]], many[1][name].value
    assert np.mean([one.low <= true <= one.high for one in made]) >= 0.85
    assert np.mean([one.high - one.low for one in made]) < 8 * np.std([one.value for one in made])


def test_neighbouring_pixels_are_not_counted_as_independent() -> None:
    image = speckle(np.random.default_rng(3))
    whole = np.ones(image.shape, bool)
    made = grey_statistics(image[whole], blocks_of(whole, correlation_length(image.astype(float), whole)))[
        "mean"
    ]
    naive = 2 * 1.96 * image.std() / np.sqrt(image.size)
    assert made.high - made.low > 3 * naive


def test_a_region_of_one_block_has_no_interval() -> None:
    made = grey_statistics(np.array([7], dtype=np.uint8), blocks_of(np.ones((1, 1), bool), (1.0, 1.0)))
    assert made["mean"].value == 7
    assert np.isnan(made["mean"].low)
