"""Fat patterns and the fine grid: ranges, textures, interpolation and what every tissue gives."""

import numpy as np
import pytest

from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms import dixon_tissue as tissue
from myoproof.phantoms.dixon_anatomy import Grid, build


def test_dystrophy_spans_the_declared_range_and_als_stays_near_normal() -> None:
    draws = {
        pattern: np.array(
            [tissue.fat_fractions(pattern, rng=np.random.default_rng(seed)) for seed in range(300)]
        )
        for pattern in ("dystrophy", "als")
    }
    low, high = const.DYSTROPHY_RANGE
    assert draws["dystrophy"].min() >= low
    assert draws["dystrophy"].max() <= high
    assert np.quantile(draws["dystrophy"], 0.05) < 0.08
    assert np.quantile(draws["dystrophy"], 0.95) > 0.7
    assert abs(np.median(draws["als"]) - const.ALS_FAT_FRACTION[0]) < 0.005
    assert np.quantile(draws["als"], 0.99) < 0.12
    # the published order: posterior and adductor muscles first, sartorius and gracilis spared
    mean = draws["dystrophy"].mean(axis=0)
    assert mean[const.MUSCLES.index("semitendinosus")] > 2 * mean[const.MUSCLES.index("sartorius")]


def test_refining_is_linear_and_keeps_the_mean() -> None:
    coarse = np.add.outer(np.arange(6.0), 2 * np.arange(5.0)).astype(np.float32)[:, :, None]
    fine = tissue.refine(coarse)
    assert fine.shape == (18, 15, 1)
    np.testing.assert_allclose(
        fine[3:-3:3, 3:-3:3], coarse[1:-1, 1:-1] - 1.0, atol=1e-5
    )  # one third back on both axes
    np.testing.assert_allclose(fine[4:-4:3, 4:-4:3], coarse[1:-1, 1:-1], atol=1e-5)


@pytest.fixture(scope="module")
def slice_and_pattern() -> tuple[tissue.FineSlice, tissue.FatPattern]:
    grid = Grid(np.arange(-95.0, 75.0), np.arange(-90.0, 75.0), np.array([[-2.0, 0.0, 2.0]]))
    rng = np.random.default_rng(11)
    anatomy = build(grid, np.ones(11), stack_centre=0.5, rng=rng)
    fractions = np.linspace(0.05, 0.75, 11)
    pattern = tissue.FatPattern(
        np.log(fractions / (1 - fractions)),
        np.zeros(11),
        ("diffuse", "streaky", "patchy") * 3 + ("diffuse",) * 2,
        np.zeros(11),
    )
    fields = tissue.texture_fields(grid, rng=rng)
    return tissue.fine_slice(anatomy, grid, 0, pattern, fields), pattern


def test_each_muscle_holds_about_the_fat_it_was_given(
    slice_and_pattern: tuple[tissue.FineSlice, tissue.FatPattern],
) -> None:
    fine, pattern = slice_and_pattern
    ratio = fine.fat / np.maximum(fine.fat + fine.water, 1e-6)
    for muscle in range(11):
        asked = 1 / (1 + np.exp(-pattern.logit[muscle]))
        assert abs(ratio[fine.tissue == muscle + 1].mean() - asked) < 0.15, const.MUSCLES[muscle]


def test_tissue_gives_its_declared_signal(
    slice_and_pattern: tuple[tissue.FineSlice, tissue.FatPattern],
) -> None:
    fine, _ = slice_and_pattern
    total = fine.water + fine.fat / np.float32(const.FAT_SIGNAL_RATIO)
    assert (total[fine.tissue == tissue.OUTSIDE] == 0).all()
    np.testing.assert_allclose(total[(fine.tissue > 0) & (fine.tissue < 12)], const.MUSCLE_WATER, rtol=1e-5)
    fat = fine.tissue == tissue.SUBCUTANEOUS
    np.testing.assert_allclose(
        fine.fat[fat], const.MUSCLE_WATER * const.ADIPOSE_FAT_FRACTION * const.FAT_SIGNAL_RATIO, rtol=1e-5
    )
    for code in (tissue.MARROW, tissue.EPIMYSIUM, tissue.BETWEEN, tissue.SKIN):
        assert (fine.tissue == code).any()


def test_muscles_that_touch_are_parted_by_the_declared_gap(
    slice_and_pattern: tuple[tissue.FineSlice, tissue.FatPattern],
) -> None:
    """No voxel of one muscle has a face neighbour of another: there is always a sheet between."""
    fine, _ = slice_and_pattern
    muscle = np.where(fine.tissue <= 11, fine.tissue, 0)
    for axis in (0, 1):
        one, two = np.moveaxis(muscle, axis, 0)[1:], np.moveaxis(muscle, axis, 0)[:-1]
        assert not ((one > 0) & (two > 0) & (one != two)).any()
