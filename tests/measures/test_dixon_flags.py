"""Flags: truncation, gaps and swaps are said where they are, and nowhere else."""

import numpy as np
import pandas as pd
import pytest

from myoproof.measures import dixon
from myoproof.measures.dixon_flags import quality


def flagged(rows: pd.DataFrame, flag: str) -> pd.DataFrame:
    return rows[rows["flags"].str.split(";").map(lambda flags: flag in flags)]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (set(), "ok"),
        ({"gap_between_slices", "sides_split_by_geometry"}, "ok"),
        ({"muscle_cut_by_stack_end"}, "warn"),
        ({"noise_floor", "fat_water_swap_suspected"}, "fail"),
    ],
)
def test_quality_is_that_of_the_gravest_flag(flags: set[str], expected: str) -> None:
    assert quality(frozenset(flags)) == expected


def test_muscles_in_the_first_or_last_slice_are_cut(discs) -> None:
    scan, segmentation = discs.make(n_slices=5)
    labels = segmentation.labels.copy()
    labels[:, :, [0, 4]] = np.where(labels[:, :, [0, 4]] == 2, 0, labels[:, :, [0, 4]])
    labels[:, :, 0] = 0
    rows = dixon.measure(scan, type(segmentation)(labels, segmentation.affine, segmentation.names, "r"))
    cut = flagged(rows, "muscle_cut_by_stack_end")
    assert set(cut["site"]) == {"vastus_lateralis"}
    assert not cut["at"].str.startswith("slice").any()
    assert {"fat_fraction", "volume"} <= set(cut["measure"])


def test_a_single_slice_is_not_a_cut_stack(discs) -> None:
    rows = dixon.measure(*discs.make(n_slices=1, spacing=(2.0, 2.0, 8.0)))
    assert flagged(rows, "muscle_cut_by_stack_end").empty


def test_a_region_at_the_edge_of_the_image_is_truncated(discs) -> None:
    scan, segmentation = discs.make(legs=(-50.0, 60.0), half_width_mm=86.0)
    rows = dixon.measure(scan, segmentation)
    truncated = flagged(rows, "field_of_view_truncated")
    assert set(truncated["side"]) == {"right"}
    assert set(truncated["site"]) == {"vastus_lateralis"}
    assert "slice:2" in set(truncated["at"])
    assert (truncated["quality"] == "warn").all()


@pytest.mark.parametrize(("spacing_mm", "apart"), [(10.0, False), (12.0, True), (24.0, True)])
def test_slices_far_apart_are_said_of_slice_sums_alone(discs, spacing_mm: float, apart: bool) -> None:
    rows = dixon.measure(*discs.make(spacing=(2.0, 2.0, spacing_mm)))
    gaps = flagged(rows, "gap_between_slices")
    assert set(gaps["measure"]) == ({"volume", "functional_remaining_volume"} if apart else set())


def swapped(discs, where: tuple[slice, slice, slice]) -> pd.DataFrame:
    scan, segmentation = discs.make(n_slices=5, noise=10.0)
    fat, water = (scan.payload.channels[name].copy() for name in ("fat", "water"))
    fat[where], water[where] = water[where].copy(), fat[where].copy()
    return dixon.measure(discs.with_channels(scan, fat=fat, water=water), segmentation)


def test_a_whole_swapped_scan_a_leg_and_a_slice_are_suspected(discs) -> None:
    everything = slice(None)
    whole = flagged(swapped(discs, (everything, everything, everything)), "fat_water_swap_suspected")
    assert set(whole["side"]) == {"left", "right"}
    leg = flagged(swapped(discs, (slice(0, 55), everything, everything)), "fat_water_swap_suspected")
    assert set(leg["side"]) == {"right"}
    one = flagged(swapped(discs, (everything, everything, slice(2, 3))), "fat_water_swap_suspected")
    assert {at for at in one["at"] if at.startswith("slice")} == {"slice:2"}


def test_a_swapped_muscle_in_one_slice_jumps(discs) -> None:
    scan, segmentation = discs.make(n_slices=5)
    where = (segmentation.labels == 1) & (np.arange(5) == 3)
    fat, water = (scan.payload.channels[name].copy() for name in ("fat", "water"))
    fat[where], water[where] = water[where].copy(), fat[where].copy()
    rows = dixon.measure(discs.with_channels(scan, fat=fat, water=water), segmentation)
    found = flagged(rows, "fat_water_swap_suspected")
    assert set(found["site"]) == {"vastus_lateralis"}
    assert {at for at in found["at"] if at.startswith("slice")} == {"slice:3"}


def test_an_unswapped_scan_is_not_suspected(discs) -> None:
    assert flagged(dixon.measure(*discs.make(noise=20.0)), "fat_water_swap_suspected").empty


def test_the_noise_floor_is_said_of_lean_muscle_in_noisy_images(discs) -> None:
    lean = dixon.measure(*discs.make(noise=100.0))
    found = flagged(lean, "noise_floor")
    assert "vastus_lateralis" in set(found["site"])
    assert set(found["measure"]) <= {"fat_fraction", "fat_fraction_signal"}
    assert flagged(dixon.measure(*discs.make(noise=2.0)), "noise_floor").empty
