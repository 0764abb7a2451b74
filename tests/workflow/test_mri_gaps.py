"""Slices without signal: found between others, and rows that lack them say so."""

import numpy as np

from myoproof.core.acquisition import Volume
from myoproof.core.table import from_rows
from myoproof.workflow import mri_gaps

AFFINE = np.diag([1.0, 1.0, 5.0, 1.0])


def volume(*empty: int) -> Volume:
    image = np.ones((3, 3, 6), np.float32)
    image[:, :, list(empty)] = 0
    return Volume({"fat": image, "water": 2 * image}, AFFINE)


def test_only_slices_between_others_are_missing() -> None:
    assert mri_gaps.empty_slices(volume()) == []
    assert mri_gaps.empty_slices(volume(0, 2, 3, 5)) == [2, 3]
    assert mri_gaps.empty_slices(volume(*range(6))) == []
    half = volume(2)
    half.channels["water"][:, :, 2] = 1
    assert mri_gaps.empty_slices(half) == []


def test_sums_fail_means_are_warned_of_and_slices_stay() -> None:
    start = {"subject": "s", "site": "gracilis", "side": "left", "method": "dixon", "value": 0.5}
    rows = from_rows(
        [
            {**start, "measure": "volume"},
            {**start, "measure": "fat_fraction", "flags": "noise_floor", "quality": "warn"},
            {**start, "measure": "fat_fraction", "at": "slice:1"},
        ]
    )
    marked = from_rows(mri_gaps.mark(rows, [2]))
    assert marked["quality"].tolist() == ["fail", "warn", "ok"]
    assert marked["flags"].tolist() == ["slice_missing", "noise_floor;slice_missing", ""]
    assert mri_gaps.mark(rows, []).equals(rows)
    assert "slices 2" in mri_gaps.finding([2]).message
