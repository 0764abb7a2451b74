"""A mask carried to a later visit: same person found again, shifts along the limb, change with its sign."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.errors import InvalidInput
from myoproof.phantoms.dixon import ThighParams, bilateral, thigh
from myoproof.phantoms.dixon_visit import Visit
from myoproof.phantoms.rater import dice
from myoproof.segmentation.propagate import change, fat_change, propagate

PARAMS = ThighParams(voxel_mm=2.0, matrix=(108, 98), n_slices=6, slice_mm=8.0, gap_mm=0.0, water_snr=50.0)


FIRST = Visit()


def leg(visit=FIRST, **changes):
    return thigh(rng=np.random.default_rng([4, 1]), params=replace(PARAMS, visit=visit, **changes))


@pytest.fixture(scope="module")
def first():
    return leg()


def mean_dice(found, truth):
    return np.mean([dice(found, truth, label) for label in range(1, 12)])


def test_the_same_leg_again_keeps_its_mask(first):
    again = leg(Visit(1))
    carried = propagate(first.acquisition, first.exact, again.acquisition)
    assert mean_dice(carried.segmentation.labels, first.exact.labels) > 0.99
    assert abs(carried.shift_mm[0]) < 0.5
    rows = change(first.acquisition, first.exact, again.acquisition, carried)
    assert len(rows) == 11
    assert rows["volume_change"].abs().max() < 0.02
    assert rows["fat_fraction_change"].abs().max() < 0.005
    assert (rows["agreement"] > 0.8).all()


def test_a_leg_that_lies_otherwise_is_found(first):
    moved = leg(Visit(1, shift_mm=(6.0, -4.0), turn_rad=0.08))
    carried = propagate(first.acquisition, first.exact, moved.acquisition)
    assert mean_dice(carried.segmentation.labels, moved.exact.labels) > 0.9
    assert mean_dice(first.exact.labels, moved.exact.labels) < 0.75


def test_a_stack_one_slice_higher_leaves_the_last_slice_empty(first):
    higher = leg(Visit(1, stack_shift_mm=8.0))
    carried = propagate(first.acquisition, first.exact, higher.acquisition)
    assert carried.shift_mm[0] == pytest.approx(8.0, abs=1.5)
    assert not carried.segmentation.labels[:, :, -1].any()
    assert np.isnan(carried.fat_fraction[:, :, -1]).all()
    rows = change(first.acquisition, first.exact, higher.acquisition, carried)
    assert (rows["slices"] == 5).all()
    assert rows["volume_change"].median() == pytest.approx(0.0, abs=0.05)


def test_more_fat_is_seen_as_more_fat(first):
    fatter = leg(Visit(1, logit_shift=(0.5,) * 11))
    carried = propagate(first.acquisition, first.exact, fatter.acquisition)
    rows = change(first.acquisition, first.exact, fatter.acquisition, carried).set_index("site")
    whole = [
        scan.truth[(scan.truth["at"] == "") & (scan.truth["measure"] == "fat_fraction")]
        for scan in (first, fatter)
    ]
    true = whole[1].set_index("site")["value"] - whole[0].set_index("site")["value"]
    assert (rows["fat_fraction_change"] - true).abs().max() < 0.02
    difference = fat_change(fatter.acquisition, carried)
    assert np.nanmean(difference) == pytest.approx(true.mean(), abs=0.03)
    assert np.isnan(difference[carried.segmentation.labels == 0]).all()


def test_scans_that_do_not_fit_are_refused(first):
    image = Acquisition(
        "s", "m00", "1", "muscle_mri", Volume({"image": np.ones((4, 4, 2), np.float32)}, np.eye(4))
    )
    with pytest.raises(InvalidInput, match="no fat and water"):
        propagate(first.acquisition, first.exact, image)
    both = bilateral(rng=np.random.default_rng(1), params=PARAMS)
    with pytest.raises(InvalidInput, match="limb"):
        propagate(first.acquisition, first.exact, both.acquisition)
    with pytest.raises(InvalidInput, match="mask"):
        propagate(first.acquisition, both.exact, first.acquisition)
