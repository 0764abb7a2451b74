"""The rater: follows the outline when errors are nought, and errs by what is declared when they are not."""

import numpy as np
import pytest

from myoproof.phantoms.rater import RaterParams, dice, draw, follow

AXIS = np.arange(-40.0, 40.0, 1.0)
ALONE = np.float32(99.0)


def discs(radius_mm: float, centres: tuple[float, ...], n_slices: int) -> np.ndarray:
    """Signed distances of discs of one radius on the x axis."""
    planes = [np.hypot(AXIS[:, None] - x, AXIS[None, :]) - radius_mm for x in centres]
    return np.stack([np.repeat(plane[:, :, None], n_slices, axis=2) for plane in planes]).astype(np.float32)


def quiet(**changes: float) -> RaterParams:
    nought = dict.fromkeys(
        ("offset_sd_mm", "slice_sd_mm", "inward_fat_mm", "wobble_fat_mm", "wobble_muscle_mm"), 0.0
    )
    return RaterParams(**{**nought, **changes})


def test_without_errors_the_outline_is_followed() -> None:
    outline = discs(12.0, (0.0,), 3)
    drawn = draw(outline, np.full_like(outline, ALONE), (AXIS, AXIS), quiet(), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(drawn, follow(outline))
    assert abs((drawn == 1).sum() / 3 - np.pi * 144) < 0.05 * np.pi * 144


def test_a_whole_muscle_offset_moves_the_area_by_perimeter_times_offset() -> None:
    outline = discs(14.0, (0.0,), 1)
    areas = []
    for seed in range(300):
        drawn = draw(
            outline,
            np.full_like(outline, ALONE),
            (AXIS, AXIS),
            quiet(offset_sd_mm=0.4),
            rng=np.random.default_rng(seed),
        )
        areas.append((drawn == 1).sum())
    expected = 2 * np.pi * 14.0 * 0.4
    assert abs(np.std(areas) / expected - 1) < 0.2


def test_the_local_wobble_is_wide_towards_a_muscle_and_narrow_towards_fat() -> None:
    outline = discs(15.0, (0.0,), 1)
    params = quiet(wobble_fat_mm=0.3, wobble_muscle_mm=1.5)
    distance = outline[0, :, :, 0]

    def depth_of_errors(neighbour_mm: float) -> float:
        wrong = []
        for seed in range(40):
            neighbour = np.full_like(outline, neighbour_mm)
            drawn = draw(outline, neighbour, (AXIS, AXIS), params, rng=np.random.default_rng(seed))[:, :, 0]
            wrong.append(((drawn == 1) != (distance < 0)).sum())
        return float(np.mean(wrong)) / (2 * np.pi * 15.0)

    # mean absolute displacement of a normal error of SD s is 0.8 s
    assert 0.1 < depth_of_errors(50.0) < 0.4
    assert 0.9 < depth_of_errors(0.0) < 1.5


def test_a_shared_outline_moves_as_one() -> None:
    """Two muscles side by side: what one gains the other loses, so that no gap opens at their seam."""
    x = np.repeat(AXIS[:, None, None], len(AXIS), axis=1).astype(np.float32)
    outline = np.stack([x, -x])  # half planes that meet at x = 0
    drawn = draw(
        outline,
        np.zeros_like(outline),
        (AXIS, AXIS),
        quiet(wobble_muscle_mm=1.5),
        rng=np.random.default_rng(3),
    )
    assert (drawn == 0).mean() < 0.03
    assert (drawn[:, :, 0] != follow(outline)[:, :, 0]).mean() > 0.005


def test_small_sections_are_not_drawn() -> None:
    outline = discs(2.0, (0.0,), 1)
    drawn = draw(
        outline, np.full_like(outline, ALONE), (AXIS, AXIS), RaterParams(), rng=np.random.default_rng(0)
    )
    assert not drawn.any()


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (5, 0.5), (10, 0.0)])
def test_dice_of_shifted_blocks(shift: int, expected: float) -> None:
    one, two = np.zeros((2, 30), dtype=np.uint16)
    one[:10] = 1
    two[shift : shift + 10] = 1
    assert dice(one, two, 1) == expected


def test_dice_of_nothing_is_not_a_number() -> None:
    assert np.isnan(dice(np.zeros(3, dtype=np.uint16), np.zeros(3, dtype=np.uint16), 1))
