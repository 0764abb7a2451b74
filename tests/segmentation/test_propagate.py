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
    assert abs(carried.shift_mm[0]) < 0.3
    rows = change(first.exact, carried)
    assert len(rows) == 11
    assert rows["volume_change"].abs().max() < 0.015
    assert rows["fat_fraction_change"].abs().max() < 0.004
    assert (rows["agreement"] > 0.8).all()


def test_a_leg_that_lies_otherwise_is_found(first):
    moved = leg(Visit(1, shift_mm=(6.0, -4.0), turn_rad=0.08))
    carried = propagate(first.acquisition, first.exact, moved.acquisition)
    assert mean_dice(carried.segmentation.labels, moved.exact.labels) > 0.9
    assert mean_dice(first.exact.labels, moved.exact.labels) < 0.75


def test_a_stack_one_slice_higher_leaves_the_last_slice_empty(first):
    higher = leg(Visit(1, stack_shift_mm=8.0))
    carried = propagate(first.acquisition, first.exact, higher.acquisition)
    assert carried.shift_mm[0] == pytest.approx(8.0, abs=0.8)
    assert not carried.segmentation.labels[:, :, -1].any()
    assert np.isnan(carried.fat_fraction[:, :, -1]).all()
    rows = change(first.exact, carried)
    assert (rows["slices"] == 5).all()
    assert rows["volume_change"].abs().max() < 0.02


def test_more_fat_is_seen_as_more_fat(first):
    fatter = leg(Visit(1, logit_shift=(0.5,) * 11))
    carried = propagate(first.acquisition, first.exact, fatter.acquisition)
    rows = change(first.exact, carried).set_index("site")
    whole = [
        scan.truth[(scan.truth["at"] == "") & (scan.truth["measure"] == "fat_fraction")]
        for scan in (first, fatter)
    ]
    true = whole[1].set_index("site")["value"] - whole[0].set_index("site")["value"]
    assert (rows["fat_fraction_change"] - true).abs().max() < 0.012
    difference = fat_change(fatter.acquisition, carried)
    assert np.nanmean(difference) == pytest.approx(true.mean(), abs=0.03)
    assert np.isnan(difference[carried.segmentation.labels == 0]).all()


def test_muscles_that_shrink_are_seen_to_shrink_and_the_interval_says_how_well(first):
    factors = (0.98, 0.97, 1.0, 0.985, 0.975, 0.98, 0.99, 0.97, 0.98, 0.985, 0.99)
    thinner = leg(Visit(1, radius_factor=factors, stack_shift_mm=3.0))
    carried = propagate(first.acquisition, first.exact, thinner.acquisition)
    rows = change(first.exact, carried).set_index("site")
    true = common_volume(thinner, 3.0, later=True) / common_volume(first, 3.0, later=False) - 1
    error = rows["volume_change"] - true
    assert true.mean() < -0.01
    assert error.abs().max() < 0.025
    assert abs(error.mean()) < 0.01
    wide = rows["volume_change_high"] - rows["volume_change_low"]
    assert ((wide > 0.002) & (wide < 0.08)).all()


def common_volume(scan, higher_mm, *, later):
    """True volume (mm3 per mm) of the section that stacks ``higher_mm`` apart both hold."""
    rows = scan.truth[
        (scan.truth["measure"] == "cross_sectional_area") & scan.truth["at"].str.startswith("slice:")
    ]
    edge = PARAMS.slice_mm * rows["at"].str.removeprefix("slice:").astype(int) + higher_mm * later
    low, high = higher_mm, PARAMS.slice_mm * PARAMS.n_slices
    share = np.clip(np.minimum(edge + PARAMS.slice_mm, high) - np.maximum(edge, low), 0, None)
    return (rows["value"] * share).groupby(rows["site"]).sum()


def thick(scan):
    """The same scan in slices of twice the thickness."""
    volume = scan.acquisition.payload
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] / 2
    affine[:3, 2] *= 2
    channels = {name: (part[:, :, ::2] + part[:, :, 1::2]) / 2 for name, part in volume.channels.items()}
    mask = replace(scan.exact, labels=scan.exact.labels[:, :, ::2], affine=affine)
    return replace(scan.acquisition, payload=Volume(channels, affine)), mask


def test_another_coverage_and_slice_distance_are_matched_by_height():
    """Slices of half the thickness, the lowest three left out, the leg moved, another origin of the scanner."""
    thin = {"slice_mm": 4.0, "n_slices": 12}
    earlier, mask = thick(leg(**thin))
    scan = leg(Visit(1, shift_mm=(4.0, 3.0)), **thin)
    volume, cut = scan.acquisition.payload, (slice(4, None), slice(0, -2), slice(3, None))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [4, 0, 3] + [7.0, -30.0, 240.0]
    channels = {name: part[cut] for name, part in volume.channels.items()}
    later = replace(scan.acquisition, payload=Volume(channels, affine))
    carried = propagate(earlier, mask, later)
    above_the_first_thick_one = 3 * 4.0 - 2.0
    heights_mm = above_the_first_thick_one + 4.0 * np.arange(9)
    assert carried.limbs[0].heights_mm == pytest.approx(heights_mm, abs=0.6)
    assert mean_dice(carried.segmentation.labels, scan.exact.labels[cut]) > 0.94
    rows = change(mask, carried)
    assert (rows["slices"] == 8).all()  # the highest thin slice lies above the middle of the last thick one
    assert rows["volume_change"].abs().max() < 0.03


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
