"""Sides by geometry: the person's left and right, one leg or two, whatever the mask calls them."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.measures.dixon_regions import find_regions


def found(scan, segmentation) -> dict[tuple[str, str], np.ndarray]:
    """Mean RAS position of every region."""
    regions = find_regions(scan.payload, segmentation)
    affine = scan.payload.affine
    return {
        (item.site, item.side): affine[:3, :3] @ np.argwhere(regions.index == item.index).mean(axis=0)
        + affine[:3, 3]
        for item in regions.items
        if item.index
    }


def test_right_is_at_positive_x(discs) -> None:
    places = found(*discs.make())
    assert set(places) == {
        (site, side) for site in ("vastus_lateralis", "gracilis") for side in ("left", "right")
    }
    assert all((place[0] > 0) == (side == "right") for (_, side), place in places.items())


@pytest.mark.parametrize("legs", [(-70.0, 20.0), (-20.0, 75.0)])
def test_the_gap_need_not_be_in_the_middle(discs, legs: tuple[float, float]) -> None:
    places = found(*discs.make(legs=legs, half_width_mm=125.0))
    for (_, side), place in places.items():
        assert abs(place[0] - legs[side == "right"]) < 25


@pytest.mark.parametrize(
    ("centre", "side"), [(-50.0, "left"), (50.0, "right"), (3.0, "right"), (-3.0, "left")]
)
def test_one_leg_is_told_by_its_muscles(discs, centre: float, side: str) -> None:
    scan, segmentation = discs.make(legs=(centre,))
    assert {way for _, way in found(scan, segmentation)} == {side}
    assert find_regions(scan.payload, segmentation).flags == {"sides_split_by_geometry"}


def test_one_leg_without_telling_muscles_keeps_no_side(discs) -> None:
    scan, segmentation = discs.make(legs=(20.0,))
    plain = replace(segmentation, names={1: ("my_muscle", ""), 2: ("gracilis", "")})
    regions = find_regions(scan.payload, plain)
    assert {item.side for item in regions.items} == {""}
    assert regions.flags == {"single_side_assumed"}


def test_one_drawn_leg_of_two_has_no_rows_for_the_other(discs) -> None:
    scan, segmentation = discs.make(labels_at=(50.0,))
    regions = find_regions(scan.payload, segmentation)
    assert {item.side for item in regions.items} == {"right"}


def test_named_sides_are_kept_even_against_geometry(discs) -> None:
    scan, segmentation = discs.make()
    named = replace(segmentation, names={1: ("vastus_lateralis", "left"), 2: ("gracilis", "left")})
    regions = find_regions(scan.payload, named)
    assert {item.side for item in regions.items} == {"left"}
    assert not regions.flags


def test_a_label_on_one_side_only_is_absent_on_the_other(discs) -> None:
    scan, segmentation = discs.make()
    labels = segmentation.labels.copy()
    labels[:55][labels[:55] == 2] = 0
    regions = find_regions(scan.payload, replace(segmentation, labels=labels))
    state = {(item.site, item.side): item.index > 0 for item in regions.items}
    assert state[("gracilis", "left")]
    assert not state[("gracilis", "right")]
