"""True rows: computed here by hand from a fine slice small enough to check."""

import numpy as np
import pytest

from myoproof.phantoms.dixon_tissue import FineSlice
from myoproof.phantoms.dixon_truth import both_sides, sum_slice, sum_slices, truth_rows

KEY = {"subject": "s", "session": "m00", "run": "1"}


def block(label: int, fat: float, water: float, n: int) -> FineSlice:
    """Fine voxels of one muscle with the given signals, one sub-slice."""
    shape = (n, 1, 1)
    ones = np.ones(shape, dtype=np.float32)
    return FineSlice(np.full(shape, label, dtype=np.uint8), fat * ones, water * ones)


def test_truth_is_the_functional_over_the_fine_voxels() -> None:
    coil = np.ones((8, 1, 1), dtype=np.float32)
    slices = [sum_slice(block(1, 100, 900, 4), coil, 2.0), sum_slice(block(1, 300, 100, 8), coil, 2.0)]
    rows = truth_rows({"left": sum_slices(slices)}, 10.0, KEY).set_index(["site", "measure", "at"])["value"]
    here = rows["sartorius"]
    assert here["fat_fraction", ""] == pytest.approx((4 * 0.1 + 8 * 0.75) / 12)
    assert here["fat_fraction_signal", ""] == pytest.approx((4 * 100 + 8 * 300) / (4 * 1000 + 8 * 400))
    assert here["volume", ""] == pytest.approx((4 * 2 + 8 * 2) * 10 / 1000)
    assert here["cross_sectional_area", "maximum"] == 16.0
    assert here["functional_remaining_area", "maximum"] == pytest.approx(16 * 0.25)
    assert here["functional_remaining_volume", ""] == pytest.approx((8 * 0.9 + 16 * 0.25) * 10 / 1000)
    assert here["cross_sectional_area", "slice:0"] == 8.0


def test_the_coil_enters_the_signal_weighted_fraction_alone() -> None:
    fine = block(2, 100, 300, 2)
    fine.fat[1], fine.water[1] = 300, 100
    coil = np.array([1.0, 3.0], dtype=np.float32).reshape(2, 1, 1)
    sums = sum_slices([sum_slice(fine, coil, 1.0)])
    rows = truth_rows({"left": sums}, 1.0, KEY).set_index(["site", "measure", "at"])["value"]
    assert rows["rectus_femoris", "fat_fraction", ""] == pytest.approx(0.5)
    assert rows["rectus_femoris", "fat_fraction_signal", ""] == pytest.approx((100 + 900) / (400 + 1200))


def test_a_muscle_outside_the_stack_has_absent_rows() -> None:
    sums = sum_slices([sum_slice(block(1, 1, 1, 3), np.ones((3, 1, 1), dtype=np.float32), 1.0)])
    rows = truth_rows({"right": sums}, 5.0, KEY)
    missing = rows[rows["site"] == "gracilis"]
    assert set(missing["absent"]) == {"empty_label"}
    assert missing["value"].isna().all()


def test_both_sides_is_the_union() -> None:
    coil = np.ones((9, 1, 1), dtype=np.float32)
    left, right = (sum_slices([sum_slice(block(1, f, 100, n), coil, 1.0)]) for f, n in ((100, 3), (0, 9)))
    rows = truth_rows({"both": both_sides(left, right)}, 1.0, KEY).set_index(["site", "measure", "at"])[
        "value"
    ]
    assert rows["sartorius", "fat_fraction", ""] == pytest.approx(0.5 * 3 / 12)
    assert rows["sartorius", "cross_sectional_area", "maximum"] == 12.0
