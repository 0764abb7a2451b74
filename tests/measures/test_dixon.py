"""The Dixon measure: published and simulated truth, its rows, its refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures import dixon
from myoproof.segmentation import drawn
from myoproof.sources import nifti

PUBLISHED = {
    "SA": 0.1828, "RF": 0.5370, "VL": 0.3092, "VI": 0.3434, "VM": 0.3005, "AM": 0.6488,
    "GR": 0.2353, "BL": 0.6398, "ST": 0.6494, "SM": 0.6176, "BB": 0.4183,
}  # fmt: skip
"""Hirriririir/Rapid-automatic-fat-quantification-for-thigh-muscle-degeneration, README table, Thigh_001."""


def one(rows: pd.DataFrame, **where: str) -> pd.Series:
    picked = rows[rows["method"] == where.pop("method", "dixon")]
    for column, text in {"at": "", **where}.items():
        picked = picked[picked[column] == text]
    assert len(picked) == 1, where
    return picked.iloc[0]


@pytest.fixture(scope="module")
def real(data_folder: Path):
    folder = data_folder / "mri_thigh_ideal"
    scan = nifti.read(folder / "Thigh_001_0000.nii.gz", folder / "Thigh_001_0001.nii.gz", subject="Thigh_001")
    labels, affine = nifti.read_mask(folder / "Thigh_001.nii.gz")
    return scan, drawn.segment(scan, labels, affine, drawn.read_scheme("huashan11"), rater="nnu-net")


@pytest.fixture(scope="module")
def real_rows(real) -> pd.DataFrame:
    return dixon.measure(*real, params=dixon.Params(side_by_side=True))


@pytest.mark.real_data
def test_the_eleven_published_fat_fractions(real, real_rows) -> None:
    scheme = drawn.read_scheme("huashan11")
    found = {
        abbreviation: round(
            one(real_rows, site=scheme[label][0], side="both", measure="fat_fraction")["value"], 4
        )
        for label, abbreviation in enumerate(PUBLISHED, start=1)
    }
    assert found == PUBLISHED


@pytest.mark.real_data
def test_the_real_scan_has_two_whole_legs_and_no_swap(real, real_rows) -> None:
    flags = set(";".join(real_rows["flags"]).split(";")) - {""}
    assert flags == {"sides_split_by_geometry", "gap_between_slices", "muscle_cut_by_stack_end"}
    main = real_rows[
        (real_rows["method"] == "dixon") & (real_rows["at"] == "") & (real_rows["measure"] == "volume")
    ]
    volumes = main.pivot(index="site", columns="side", values="value")
    np.testing.assert_allclose(volumes["left"] + volumes["right"], volumes["both"], rtol=1e-12)
    assert ((volumes["left"] / volumes["right"]).between(0.7, 1.4)).all()
    assert volumes["both"].sum() == pytest.approx(
        (real[1].labels > 0).sum() * 0.7422**2 * 24.0006e-3, rel=1e-3
    )
    # The muscles of the right leg lie at positive x of a RAS+ affine.
    assert (main["absent"] == "").all()


@pytest.mark.real_data
def test_a_leg_with_fat_and_water_exchanged_is_suspected_and_the_other_not(real, discs) -> None:
    scan, segmentation = real
    swap = np.zeros(scan.payload.shape, bool)
    swap[:260, :, 2:5] = True
    fat, water = scan.payload.channels["fat"], scan.payload.channels["water"]
    exchanged = discs.with_channels(scan, fat=np.where(swap, water, fat), water=np.where(swap, fat, water))
    rows = dixon.measure(exchanged, segmentation)
    suspected = rows[rows["flags"].str.contains("swap_suspected")]
    # Columns run from the person's right to the left in this scan.
    assert set(suspected["side"]) == {"right"}
    assert {"slice:2", "slice:3", "slice:4"} <= set(suspected["at"])
    assert not set(suspected["at"]) & {"slice:1", "slice:6", "slice:8"}
    assert (suspected["quality"] == "fail").all()
    assert not suspected["measure"].isin(["volume", "cross_sectional_area"]).any()


def test_known_discs_are_measured(discs) -> None:
    scan, segmentation = discs.make(spacing=(0.5, 0.5, 5.0), n_slices=2)
    rows = dixon.measure(scan, segmentation)
    for label, (site, _, share) in discs.muscles.items():
        area = (segmentation.labels[:, :, 0] == label).sum() * 0.25 / 2
        for side in ("left", "right"):
            own = {"site": site, "side": side}
            assert one(rows, **own, measure="fat_fraction")["value"] == pytest.approx(share, abs=1e-6)
            assert one(rows, **own, measure="fat_fraction_signal")["value"] == pytest.approx(share, abs=1e-6)
            assert one(rows, **own, measure="fat_fraction", at="slice:1")["value"] == pytest.approx(
                share, abs=1e-6
            )
            found = one(rows, **own, measure="cross_sectional_area", at="maximum")["value"]
            assert found == pytest.approx(area, rel=0.01)
            assert area == pytest.approx(np.pi * 81, rel=0.01)
            assert one(rows, **own, measure="volume")["value"] == pytest.approx(found * 10 / 1000)
            remaining = one(rows, **own, measure="functional_remaining_area", at="maximum")["value"]
            assert remaining == pytest.approx(found * (1 - share), rel=1e-6)
            remaining_volume = one(rows, **own, measure="functional_remaining_volume")["value"]
            assert remaining_volume == pytest.approx(found * (1 - share) / 100, rel=1e-6)


def test_key_and_constants_of_the_rows(discs) -> None:
    scan, segmentation = discs.make()
    rows = dixon.measure(scan, segmentation, params=dixon.Params(level=0.9))
    assert set(rows["subject"]) == {"s1"}
    assert set(rows["rater"]) == {"reader"}
    assert set(rows["method"]) == {dixon.METHOD, "dixon:eroded", "dixon:dilated", "dixon:floor_corrected"}
    assert set(rows["provenance"]) == {""}, "provenance is given where raw files are known, in workflow"
    main = rows[rows["method"] == "dixon"]
    assert (main["level"] == 0.9).all()
    assert ((main["low"] <= main["value"]) & (main["value"] <= main["high"])).all()
    assert rows[rows["method"].isin(["dixon:eroded", "dixon:dilated"])]["low"].isna().all()


def test_eroding_and_dilating_bounds_bracket_a_disc_in_fat(discs) -> None:
    scan, segmentation = discs.make()
    rows = dixon.measure(scan, segmentation)
    own = {"site": "vastus_lateralis", "side": "left"}
    areas = [
        one(rows, **own, measure="volume", method=m)["value"]
        for m in ("dixon:eroded", "dixon", "dixon:dilated")
    ]
    assert areas == sorted(areas)
    assert areas[0] < areas[1] < areas[2]
    assert one(rows, **own, measure="fat_fraction", method="dixon:eroded")["value"] == pytest.approx(
        0.1, abs=1e-6
    )
    dilated = one(rows, **own, measure="fat_fraction", method="dixon:dilated")["value"]
    share = 1 - areas[1] / areas[2]
    assert dilated == pytest.approx(0.1 * (1 - share) + discs.fat_fraction * share, abs=1e-6)


def test_both_sides_are_the_union_also_of_masks_with_sides(discs) -> None:
    scan, segmentation = discs.make()
    columns = np.arange(segmentation.labels.shape[0])[:, None, None]
    split = np.where(
        (segmentation.labels > 0) & (columns > 54), segmentation.labels + 10, segmentation.labels
    )
    names = {
        label + shift: (site, side)
        for label, (site, *_) in discs.muscles.items()
        for shift, side in ((0, "right"), (10, "left"))
    }
    named = Segmentation(split.astype(np.uint16), segmentation.affine, names, "reader")
    params = dixon.Params(side_by_side=True)
    from_sides = dixon.measure(scan, named, params=params)
    from_geometry = dixon.measure(scan, segmentation, params=params)
    key = ["site", "side", "at", "measure", "method"]
    merged = from_sides.merge(from_geometry, on=key)
    assert len(merged) == len(from_sides) == len(from_geometry)
    np.testing.assert_allclose(merged["value_x"], merged["value_y"])
    assert not from_sides["flags"].str.contains("geometry").any()
    single = from_geometry[from_geometry["side"].isin(["left", "right"])]
    assert single["flags"].str.contains("sides_split_by_geometry").all()


def test_muscles_of_the_midline_have_no_union(discs) -> None:
    scan, segmentation = discs.make(legs=(0.0,))
    named = replace(segmentation, names={1: ("tongue", "midline"), 2: ("masseter", "left")})
    rows = dixon.measure(scan, named, params=dixon.Params(side_by_side=True))
    assert set(rows[["site", "side"]].itertuples(index=False, name=None)) == {
        ("tongue", "midline"),
        ("masseter", "left"),
        ("masseter", "both"),
    }


def test_labels_of_one_name_are_one_muscle(discs) -> None:
    scan, segmentation = discs.make()
    split = segmentation.labels.copy()
    split[:, :, 2:][split[:, :, 2:] == 1] = 5
    names = {**segmentation.names, 5: segmentation.names[1]}
    rows = dixon.measure(scan, replace(segmentation, labels=split, names=names))
    whole = dixon.measure(scan, segmentation)
    np.testing.assert_allclose(rows["value"], whole["value"])


def test_an_empty_label_has_absent_rows(discs) -> None:
    scan, segmentation = discs.make()
    names = {**segmentation.names, 9: ("soleus", "")}
    rows = dixon.measure(scan, replace(segmentation, names=names), params=dixon.Params(side_by_side=True))
    gone = rows[rows["site"] == "soleus"]
    assert len(gone) == 18
    assert set(gone["side"]) == {"left", "right", "both"}
    assert (gone["absent"] == "empty_label").all()
    assert (gone["flags"] == "empty_label").all()


def test_a_mask_without_any_voxel_has_only_absent_rows(discs) -> None:
    scan, segmentation = discs.make()
    rows = dixon.measure(scan, replace(segmentation, labels=np.zeros_like(segmentation.labels)))
    assert (rows["absent"] == "empty_label").all()


def test_no_signal_leaves_sizes(discs) -> None:
    scan, segmentation = discs.make()
    fat, water = (scan.payload.channels[name].copy() for name in ("fat", "water"))
    fat[segmentation.labels == 1] = water[segmentation.labels == 1] = 0
    rows = dixon.measure(discs.with_channels(scan, fat=fat, water=water), segmentation)
    own = {"site": "vastus_lateralis", "side": "left"}
    assert one(rows, **own, measure="fat_fraction")["absent"] == "no_signal"
    assert one(rows, **own, measure="functional_remaining_volume")["absent"] == "no_signal"
    assert one(rows, **own, measure="volume")["value"] > 0


def test_few_negative_and_empty_voxels_are_left_out_and_flagged(discs) -> None:
    scan, segmentation = discs.make(spacing=(1.0, 1.0, 5.0))
    fat, water = (scan.payload.channels[name].copy() for name in ("fat", "water"))
    place = tuple(np.argwhere(segmentation.labels == 1)[0])
    other = tuple(np.argwhere(segmentation.labels == 2)[0])
    fat[place], fat[other], water[other] = -50.0, 0.0, 0.0
    rows = dixon.measure(discs.with_channels(scan, fat=fat, water=water), segmentation)
    flagged = rows[rows["flags"].str.contains("negative")]
    assert set(flagged["site"]) == {"vastus_lateralis"}
    assert set(flagged["at"]) == {"", "maximum", f"slice:{place[2]}"}
    assert set(rows[rows["flags"].str.contains("zero_signal")]["site"]) == {"gracilis"}
    for row in rows[(rows["measure"] == "fat_fraction") & (rows["method"] == "dixon")].itertuples():
        share = {site: share for site, _, share in discs.muscles.values()}[row.site]
        assert row.value == pytest.approx(share, abs=1e-6)


def test_undefined_and_negative_muscles_are_refused_together(discs) -> None:
    scan, segmentation = discs.make()
    fat, water = (scan.payload.channels[name].copy() for name in ("fat", "water"))
    fat[segmentation.labels == 1] *= -1
    water[segmentation.labels == 2] = np.nan
    with pytest.raises(InvalidInput) as caught:
        dixon.measure(discs.with_channels(scan, fat=fat, water=water), segmentation)
    text = str(caught.value)
    for part in (
        "vastus_lateralis left",
        "vastus_lateralis right",
        "gracilis left",
        "gracilis right",
        "not finite",
        "negative",
    ):
        assert part in text


def test_nan_outside_the_muscles_is_no_fault(discs) -> None:
    scan, segmentation = discs.make()
    fat = scan.payload.channels["fat"].copy()
    air = (fat == 0) & (segmentation.labels == 0)
    fat[air] = np.nan
    plain = dixon.measure(scan, segmentation)
    rows = dixon.measure(discs.with_channels(scan, fat=fat), segmentation)
    pd.testing.assert_series_equal(rows["value"], plain["value"])


@pytest.mark.parametrize("channel", ["fat", "water"])
def test_the_mask_given_as_an_image_is_recognised(channel: str, discs) -> None:
    scan, segmentation = discs.make()
    swapped = discs.with_channels(scan, **{channel: segmentation.labels.astype(np.float32)})
    with pytest.raises(InvalidInput, match=f"the {channel} image is the mask itself"):
        dixon.measure(swapped, segmentation)


def test_another_grid_or_shape_is_refused(discs) -> None:
    scan, segmentation = discs.make()
    moved = segmentation.affine.copy()
    moved[0, 3] += 2e-3
    with pytest.raises(InvalidInput, match="another grid"):
        dixon.measure(scan, replace(segmentation, affine=moved))
    with pytest.raises(InvalidInput, match="has shape"):
        dixon.measure(scan, replace(segmentation, labels=segmentation.labels[:, :, :2]))


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(3)), flips=st.tuples(*[st.booleans()] * 3))
def test_values_do_not_depend_on_storage_order(order: list[int], flips, discs) -> None:
    """Transposed and mirrored storage with the affine to match: the same person, the same numbers."""
    scan, segmentation = discs.make(n_slices=3, noise=5.0)
    volume = scan.payload
    turn = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    change = np.zeros((4, 4))
    for new, old in enumerate(order):
        change[old, new] = -1 if flips[new] else 1
        change[old, 3] += volume.shape[old] - 1 if flips[new] else 0
    change[3, 3] = 1
    affine = volume.affine @ change

    def stored(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array.transpose(order)[turn])

    channels = {name: stored(array) for name, array in volume.channels.items()}
    other = replace(scan, payload=replace(volume, channels=channels, affine=affine))
    rows = dixon.measure(other, replace(segmentation, labels=stored(segmentation.labels), affine=affine))
    plain = dixon.measure(scan, segmentation)
    key = ["site", "side", "measure", "method"]
    merged = plain[plain["at"] == ""].merge(rows[rows["at"] == ""], on=key, validate="one_to_one")
    assert len(merged) == (plain["at"] == "").sum()
    # the noise is estimated in every so many slices, which the corrected values depend on
    plainly = merged["method"] != "dixon:floor_corrected"
    np.testing.assert_allclose(merged["value_x"][plainly], merged["value_y"][plainly], rtol=1e-9)
    np.testing.assert_allclose(merged["value_x"], merged["value_y"], rtol=1e-3)
    # of equally near core voxels, the order of storage decides which fills the rim
    np.testing.assert_allclose(merged["high_x"], merged["high_y"], rtol=1e-2)


def test_inputs_are_not_changed(discs) -> None:
    scan, segmentation = discs.make(noise=5.0)
    before = {name: array.copy() for name, array in scan.payload.channels.items()}
    labels = segmentation.labels.copy()
    dixon.measure(scan, segmentation)
    for name, array in scan.payload.channels.items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_array_equal(segmentation.labels, labels)
