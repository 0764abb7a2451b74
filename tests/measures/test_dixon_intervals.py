"""Intervals: what widens and centres them, and that they hold the truth of redrawn phantoms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from myoproof.measures import dixon
from myoproof.measures.dixon_intervals import N_OFFSET, offsets_mm
from myoproof.phantoms import dixon as phantoms


def width(rows: pd.DataFrame, measure: str, site: str = "vastus_lateralis") -> float:
    row = rows[
        (rows["measure"] == measure)
        & (rows["at"] == "")
        & (rows["site"] == site)
        & (rows["method"] == "dixon")
    ]
    return float((row["high"] - row["low"]).iloc[0])


EXACT = dixon.Params(boundary_sd_mm=0.0, rim_mm=0.0, rim_voxels=0.0, rim_share_sd=0.0, roughness_sd_mm=0.0)


def test_offsets_span_the_level() -> None:
    offsets = offsets_mm(dixon.Params(level=0.95, boundary_sd_mm=0.5, boundary_mean_mm=0.1))
    assert offsets.size == N_OFFSET
    np.testing.assert_allclose(
        offsets[[0, N_OFFSET // 2, N_OFFSET - 1]], [0.1 - 0.98, 0.1, 0.1 + 0.98], atol=1e-3
    )


def test_a_rim_of_foreign_fat_is_looked_through(discs) -> None:
    """A muscle of 10 % whose border voxels hold much fat: the value has it, the interval reaches below it."""
    scan, segmentation = discs.make()
    first = min(segmentation.names)
    inside = segmentation.labels == first
    rim = inside & ~ndimage.binary_erosion(inside, np.ones((3, 3, 1), dtype=bool))
    fat, water = (scan.payload.channels[name].copy() for name in ("fat", "water"))
    truth = float((fat / np.maximum(fat + water, 1.0))[inside].mean())
    fat[rim], water[rim] = 500.0, 500.0
    spoilt = discs.with_channels(scan, fat=fat, water=water)
    rows = dixon.measure(spoilt, segmentation, params=replace(EXACT, rim_mm=2.5, rim_share_sd=0.1))
    site = segmentation.names[first][0]
    found = rows[(rows["measure"] == "fat_fraction") & (rows["at"] == "") & (rows["method"] == "dixon")]
    row = found[found["site"] == site].iloc[0]
    assert row["value"] > truth + 0.05
    assert row["low"] < truth < row["high"]
    assert row["high"] == pytest.approx(row["value"])


def test_without_noise_and_border_doubt_the_interval_is_the_value(discs) -> None:
    rows = dixon.measure(*discs.make(), params=EXACT)
    main = rows[rows["method"] == "dixon"]
    np.testing.assert_allclose(main["low"], main["value"], atol=1e-9)
    np.testing.assert_allclose(main["high"], main["value"], atol=1e-9)


def test_volume_interval_of_a_disc_is_that_of_its_radius(discs) -> None:
    params = replace(EXACT, boundary_sd_mm=0.5)
    rows = dixon.measure(*discs.make(spacing=(0.5, 0.5, 5.0)), params=params)
    row = rows[(rows["measure"] == "volume") & (rows["side"] == "left") & (rows["method"] == "dixon")].iloc[0]
    for bound, sign in (("low", -1), ("high", 1)):
        expected = row["value"] * ((discs.radius_mm + sign * 0.98) / discs.radius_mm) ** 2
        assert row[bound] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("boundary_sd_mm", "volume"),
        ("boundary_sd_mm", "functional_remaining_volume"),
        ("roughness_sd_mm", "fat_fraction"),
        ("roughness_sd_mm", "fat_fraction_signal"),
        ("roughness_sd_mm", "volume"),
        ("roughness_sd_mm", "functional_remaining_volume"),
    ],
)
def test_every_doubt_widens_every_interval(discs, name: str, measure: str) -> None:
    scan = discs.make(noise=10.0)
    plain, doubted = (dixon.measure(*scan, params=replace(EXACT, **{name: sd})) for sd in (0.0, 0.6))
    assert width(doubted, measure) > 1.05 * width(plain, measure)


def test_a_higher_level_is_wider_and_both_sides_are_surer_than_one(discs) -> None:
    scan = discs.make(noise=10.0)
    low, high = (dixon.measure(*scan, params=dixon.Params(level=level)) for level in (0.8, 0.99))
    assert width(high, "volume") > 1.5 * width(low, "volume")
    rows = dixon.measure(*scan, params=dixon.Params(side_by_side=True))
    volume = rows[(rows["measure"] == "volume") & (rows["method"] == "dixon") & (rows["site"] == "gracilis")]
    relative = ((volume["high"] - volume["low"]) / volume["value"]).to_numpy()[
        np.argsort(volume["side"] == "both")
    ]
    assert relative[2] == pytest.approx(relative[0] / np.sqrt(2), rel=0.02)


def test_noise_interval_is_the_spread_of_repeated_scans(discs) -> None:
    """The SD foretold from one noisy scan is the SD over many."""
    values, widths = [], []
    for seed in range(60):
        rows = dixon.measure(
            *discs.make(n_slices=1, spacing=(3.0, 3.0, 5.0), noise=50.0, seed=seed), params=EXACT
        )
        row = rows[
            (rows["measure"] == "fat_fraction") & (rows["at"] == "") & (rows["site"] == "gracilis")
        ].iloc[0]
        values.append(row["value"])
        widths.append((row["high"] - row["low"]) / 2 / 1.96)
    assert np.median(widths) == pytest.approx(np.std(values), rel=0.3)


def test_the_noise_floor_is_taken_off_the_interval_but_not_off_the_value(discs) -> None:
    scan, segmentation = discs.make(n_slices=6, noise=100.0)
    fat = scan.payload.channels["fat"]
    rng = np.random.default_rng(8)
    pure = np.hypot(*(rng.normal(size=(2, *fat.shape)) * 100.0)).astype(np.float32)
    lean = discs.with_channels(scan, fat=np.where(segmentation.labels == 1, pure, fat))
    rows = dixon.measure(lean, segmentation, params=EXACT)
    main = rows[(rows["measure"] == "fat_fraction") & (rows["at"] == "") & (rows["method"] == "dixon")]
    row = main[main["site"] == "vastus_lateralis"].iloc[0]
    assert row["value"] > 0.1
    assert row["low"] < 0.04
    assert row["high"] == pytest.approx(row["value"])


def test_rows_without_the_noise_floor_come_near_the_truth(discs) -> None:
    """A muscle of 10 % at a water SNR of 9: the plain rows are lifted, the corrected ones are not."""
    scan, segmentation = discs.make(n_slices=8, noise=100.0)
    params = dixon.Params(rim_mm=0.0, rim_voxels=0.0)
    rows = dixon.measure(scan, segmentation, params=params)
    site, _, fraction = discs.muscles[1]
    for measure in ("fat_fraction", "fat_fraction_signal"):
        here = rows[(rows["measure"] == measure) & (rows["at"] == "") & (rows["site"] == site)]
        by_method = here.groupby("method")[["value", "low", "high"]].mean()
        plain, corrected = by_method.loc["dixon"], by_method.loc["dixon:floor_corrected"]
        assert plain["value"] - fraction > 0.015
        assert abs(corrected["value"] - fraction) < 0.5 * (plain["value"] - fraction)
        assert corrected["low"] <= corrected["value"] <= corrected["high"]
        assert not here[here["method"] == "dixon:floor_corrected"]["flags"].str.contains("noise").any()


@pytest.mark.slow
def test_intervals_hold_the_truth_of_perturbed_phantoms() -> None:
    """A first look at coverage, with seeds of its own; the full study is in `make validate`."""
    held = []
    for seed in range(10):
        params = phantoms.ThighParams(
            pattern="dystrophy" if seed % 2 else "als", water_snr=30.0 if seed % 3 else 60.0
        )
        phantom = phantoms.thigh(rng=np.random.default_rng([77, seed]), params=params)
        rows = dixon.measure(phantom.acquisition, phantom.segmentation)
        key = ["site", "side", "at", "measure"]
        pairs = rows[(rows["method"] == "dixon") & (rows["at"] == "")].merge(
            phantom.truth, on=key, suffixes=("", "_true")
        )
        inside = (pairs["low"] <= pairs["value_true"]) & (pairs["value_true"] <= pairs["high"])
        held.append(pairs.assign(inside=inside).groupby("measure")["inside"].mean())
    coverage = pd.concat(held, axis=1).mean(axis=1)
    # 110 muscles in 10 subjects: the standard error of 95 % is about 2.5 points.
    assert (coverage > 0.88).all(), coverage


def test_a_networks_mask_is_doubted_more_than_a_readers_and_measures_the_same(discs) -> None:
    scan, mask = discs.make()
    one, two = (dixon.measure(scan, replace(mask, rater=rater)) for rater in ("reader", "thigh@2"))
    np.testing.assert_array_equal(one["value"], two["value"])
    main = (one["method"] == "dixon") & (one["at"] == "")
    wider = (two["high"] - two["low"])[main] - (one["high"] - one["low"])[main]
    assert (wider > 0).all()
