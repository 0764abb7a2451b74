"""Heterogeneity: noise does not count as fat, evenness is zero, the core is free of the border."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures import heterogeneity
from myoproof.phantoms.dixon import ThighParams, rescans, thigh

CORE = "heterogeneity:core"


def leg(spread: float, noise: float, seed: int = 0) -> tuple[Acquisition, Segmentation]:
    """A round leg of fat with a round muscle of fat fraction 0.4, patches of 5 x 5 voxels differing by spread."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(100) - 49.5, np.arange(100) - 49.5, indexing="ij")
    far = np.hypot(x, y)[:, :, None] * np.ones(4)
    patches = np.kron(rng.choice([-1.0, 1.0], (20, 20, 4)), np.ones((5, 5, 1)))
    muscle = far < 25
    fraction = np.where(muscle, 0.4 + spread * patches, 0.92)
    signal = np.where(far < 42, 1000.0, 0.0)
    images = {
        name: np.hypot(part + noise * rng.normal(size=far.shape), noise * rng.normal(size=far.shape))
        for name, part in (("fat", signal * fraction), ("water", signal * (1 - fraction)))
    }
    affine = np.diag([1.0, 1.0, 6.0, 1.0])
    volume = Volume({name: image.astype(np.float32) for name, image in images.items()}, affine)
    regions = Segmentation(muscle.astype(np.uint16), affine, {1: ("soleus", "left")}, "r")
    return Acquisition("s", "m00", "", "dixon", volume), regions


def one(rows: pd.DataFrame, measure: str, method: str = CORE, site: str = "soleus") -> pd.Series:
    found = rows[(rows["measure"] == measure) & (rows["method"] == method) & (rows["site"] == site)]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("noise", [5.0, 30.0, 60.0])
def test_the_spread_is_that_of_the_fat_whatever_the_noise(noise) -> None:
    rows = heterogeneity.measure(*leg(0.05, noise))
    row = one(rows, "fat_fraction_sd")
    assert row["value"] == pytest.approx(0.05, abs=0.004)
    assert row["low"] <= 0.05 <= row["high"]
    assert row["flags"] == "muscle_cut_by_stack_end"


def test_an_even_muscle_has_no_spread() -> None:
    rows = heterogeneity.measure(*leg(0.0, 20.0))
    assert one(rows, "fat_fraction_sd")["value"] < 0.006
    assert one(rows, "fat_fraction_sd", "heterogeneity")["value"] < 0.006
    clean = heterogeneity.measure(*leg(0.0, 0.0))
    assert one(clean, "fat_fraction_sd")["value"] == pytest.approx(0.0, abs=1e-6)
    assert one(clean, "fat_fraction_entropy")["value"] == 0.0


def test_more_uneven_is_more_in_every_measure() -> None:
    found = [heterogeneity.measure(*leg(spread, 20.0)) for spread in (0.02, 0.08, 0.2)]
    for measure in heterogeneity.MEASURES:
        values = [one(rows, measure)["value"] for rows in found]
        assert values == sorted(values)


def test_a_border_drawn_too_wide_spoils_the_region_but_not_its_core() -> None:
    acquisition, regions = leg(0.05, 10.0)
    x, y = np.meshgrid(np.arange(100) - 49.5, np.arange(100) - 49.5, indexing="ij")
    wide = (np.hypot(x, y)[:, :, None] * np.ones(4) < 26).astype(np.uint16)
    rows = heterogeneity.measure(acquisition, replace(regions, labels=wide))
    assert one(rows, "fat_fraction_sd", "heterogeneity")["value"] > 0.1
    assert one(rows, "fat_fraction_sd")["value"] == pytest.approx(0.05, abs=0.005)
    assert np.isnan(one(rows, "fat_fraction_sd", "heterogeneity")["low"])


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.2))
@settings(deadline=None)
def test_noise_never_adds_spread_and_a_shift_changes_none(seed, noise) -> None:
    x = np.random.default_rng(seed).uniform(0.2, 0.6, 80)
    less = heterogeneity.spread(x, np.full(80, noise**2))
    none = heterogeneity.spread(x, np.zeros(80))
    assert (less[:2] <= none[:2] + 1e-12).all()
    assert heterogeneity.spread(x + 0.1, np.zeros(80))[:2] == pytest.approx(none[:2])
    assert 0 <= less[2] <= np.log2(20)


def test_rescans_of_a_fatty_thigh_agree() -> None:
    params = ThighParams(n_slices=2, voxel_mm=1.5, matrix=(144, 130))
    noisy, clean = rescans(rng=np.random.default_rng(103), params=params, water_snrs=(30.0, 1e6))
    both = heterogeneity.measure(noisy.acquisition, noisy.exact).merge(
        heterogeneity.measure(clean.acquisition, clean.exact), on=["site", "measure", "method"]
    )
    both = both[(both["measure"] == "fat_fraction_sd") & (both["method"] == CORE)]
    both = both[~both["flags_x"].str.contains("noise_floor")]
    assert len(both) >= 5
    assert both["value_x"].to_numpy() == pytest.approx(both["value_y"].to_numpy(), abs=0.01)


def test_rows_near_the_noise_floor_are_flagged_and_have_no_interval() -> None:
    params = ThighParams(pattern="als", n_slices=2, voxel_mm=1.5, matrix=(144, 130), water_snr=25.0)
    scan = thigh(rng=np.random.default_rng(3), params=params)
    rows = heterogeneity.measure(scan.acquisition, scan.exact)
    floored = rows[rows["flags"].str.contains("noise_floor")]
    assert len(floored) > 0
    assert floored["low"].isna().all()
    assert set(floored["quality"]) == {"warn"}


def test_a_given_voxel_sd_is_used_instead_of_the_images_noise() -> None:
    acquisition, regions = leg(0.05, 5.0)
    fat, water = acquisition.payload.channels["fat"], acquisition.payload.channels["water"]
    fraction = fat / np.maximum(fat + water, 1e-6)
    noisy = fraction + np.random.default_rng(1).normal(size=fat.shape).astype(np.float32) * 0.08
    channels = {"fat": fat, "water": water, "fat_fraction": noisy.astype(np.float32),
                "fat_fraction_sd": np.full(fat.shape, 0.08, np.float32)}  # fmt: skip
    given_sd = replace(acquisition, payload=replace(acquisition.payload, channels=channels))
    assert one(heterogeneity.measure(given_sd, regions), "fat_fraction_sd")["value"] == pytest.approx(
        0.05, abs=0.01
    )


def test_empty_and_small_regions_and_faulty_inputs() -> None:
    acquisition, regions = leg(0.05, 5.0)
    empty = heterogeneity.measure(acquisition, replace(regions, labels=np.zeros_like(regions.labels)))
    assert set(empty["absent"]) == {"empty_label"}
    few = np.zeros_like(regions.labels)
    few[50:54, 50:54, 0] = 1
    assert set(heterogeneity.measure(acquisition, replace(regions, labels=few))["absent"]) == {
        "insufficient_data"
    }
    with pytest.raises(InvalidInput, match="another grid"):
        heterogeneity.measure(acquisition, replace(regions, affine=np.diag([2.0, 1.0, 6.0, 1.0])))
    with pytest.raises(InvalidInput, match="shape"):
        heterogeneity.measure(acquisition, replace(regions, labels=regions.labels[1:]))
    bare = replace(acquisition, payload=Volume({"fat": acquisition.payload.channels["fat"]}, regions.affine))
    with pytest.raises(InvalidInput, match="fat and water"):
        heterogeneity.measure(bare, regions)
