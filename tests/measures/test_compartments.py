"""Muscle groups: unions of voxels, not means of rows; what is lacking is told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures import compartments, compartments_fat, dixon
from myoproof.phantoms.dixon import ThighParams, bilateral

SMALL = ThighParams(voxel_mm=2.5, matrix=(88, 80), n_slices=4, gap_mm=20.0)


@pytest.fixture(scope="module")
def phantom():
    return bilateral(rng=np.random.default_rng(5), params=SMALL)


@pytest.fixture(scope="module")
def groups(phantom) -> pd.DataFrame:
    return compartments.measure(phantom.acquisition, phantom.exact)


def one(rows: pd.DataFrame, **where: str) -> pd.Series:
    for column, text in {"at": "", "method": "dixon", **where}.items():
        rows = rows[rows[column] == text]
    assert len(rows) == 1, where
    return rows.iloc[0]


@pytest.mark.parametrize("group", ["quadriceps", "hamstrings", "adductors", "thigh"])
@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_a_group_has_the_volume_and_the_fat_of_its_muscles_together(phantom, groups, group, side) -> None:
    """Truth of a union: volumes add up, fat fractions weigh with them; masks are the exact ones."""
    truth = phantom.truth[
        phantom.truth["site"].isin(compartments.GROUPS[group]) & (phantom.truth["at"] == "")
    ]
    truth = truth[truth["side"] == side].pivot_table(index="site", columns="measure", values="value")
    volume = truth["volume"].sum()
    fat = (truth["volume"] * truth["fat_fraction"]).sum() / volume
    row = one(groups, site=group, side=side, measure="volume")
    assert row["value"] == pytest.approx(volume, rel=0.06)
    assert row["low"] <= volume <= row["high"]
    row = one(groups, site=group, side=side, measure="fat_fraction")
    assert row["value"] == pytest.approx(fat, abs=0.05)
    assert row["rater"] == "truth"


def test_a_union_is_known_better_than_its_muscles_apart(phantom, groups) -> None:
    """Borders between members cancel: half-widths of volume are less than those of the muscles added up."""
    single = dixon.measure(phantom.acquisition, phantom.exact)
    parts = [one(single, site=site, side="left", measure="volume") for site in compartments.QUADRICEPS]
    whole = one(groups, site="quadriceps", side="left", measure="volume")
    assert whole["value"] == pytest.approx(sum(part["value"] for part in parts))
    assert whole["high"] - whole["low"] < sum(part["high"] - part["low"] for part in parts)


def test_groups_that_share_a_muscle_are_measured_apart(phantom) -> None:
    unions = compartments.united(phantom.acquisition.payload, phantom.exact)
    held = [{site for site, _ in union.segmentation.names.values()} for union in unions]
    assert held == [{"quadriceps", "hamstrings", "adductors"}, {"thigh"}]
    inside = phantom.exact.labels > 0
    assert np.array_equal(unions[1].segmentation.labels > 0, inside)
    assert unions[0].sides == {"sides_split_by_geometry"}


def test_a_lacking_muscle_is_flagged_on_its_side_alone(phantom) -> None:
    labels = phantom.exact.labels.copy()
    label = next(k for k, (site, _) in phantom.exact.names.items() if site == "rectus_femoris")
    half = labels.shape[0] // 2
    labels[:half][labels[:half] == label] = 0  # RAS: the left leg has the lower x
    rows = compartments.measure(phantom.acquisition, replace(phantom.exact, labels=labels))
    for side, told in (("left", True), ("right", False), ("both", True)):
        row = one(rows, site="quadriceps", side=side, measure="volume")
        assert ("partial_group" in row["flags"].split(";")) == told
        assert row["quality"] == "warn"  # all of them reach the end of the stack
    assert "partial_group" not in one(rows, site="hamstrings", side="left", measure="volume")["flags"]


def test_no_muscle_no_group_and_no_such_group(phantom) -> None:
    other = replace(phantom.exact, names={k: ("masseter", "") for k in phantom.exact.names})
    assert len(compartments.measure(phantom.acquisition, other)) == 0
    with pytest.raises(InvalidInput, match="no muscle group 'quads'"):
        compartments.measure(
            phantom.acquisition, phantom.exact, params=compartments.Params(groups=("quads",))
        )
    bare = replace(phantom.acquisition, payload=replace(phantom.acquisition.payload, channels={
        "image": phantom.acquisition.payload.channels["fat"]}))  # fmt: skip
    with pytest.raises(InvalidInput, match="fat and water"):
        compartments.measure(bare, phantom.exact)


def test_inputs_stay_as_they_are(phantom) -> None:
    before = phantom.exact.labels.copy()
    regions: Segmentation = phantom.exact
    compartments.united(phantom.acquisition.payload, regions)
    assert np.array_equal(regions.labels, before)


def test_fat_volume_is_volume_times_fat_and_its_interval_holds_both_doubts(groups) -> None:
    found = compartments_fat.derive(groups)
    row = one(found, site="thigh", side="left", measure="fat_volume", method="fat_volume:dixon")
    volume, fat = (
        one(groups, site="thigh", side="left", measure=name) for name in ("volume", "fat_fraction")
    )
    assert row["value"] == pytest.approx(volume["value"] * fat["value"])
    remaining = one(groups, site="thigh", side="left", measure="functional_remaining_volume")
    assert row["value"] == pytest.approx(volume["value"] - remaining["value"], rel=0.02)
    assert row["low"] < row["value"] <= row["high"]
    assert row["unit"] == "mL"
    assert not found["method"].str.contains("fat_volume:fat_volume").any()
    assert set(compartments_fat.derive(found)["value"]) == set()


def test_fat_volume_of_an_absent_part_says_why(groups) -> None:
    rows = groups[(groups["site"] == "thigh") & (groups["at"] == "")].copy()
    gone = rows["measure"] == "fat_fraction"
    rows.loc[gone, ["value", "low", "high", "level"]] = np.nan
    rows.loc[gone, "absent"] = "no_signal"
    assert set(compartments_fat.derive(rows)["absent"]) == {"no_signal"}
