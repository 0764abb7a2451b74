"""The Dixon phantom: same seed same bytes, sides, noise, and truth that an independent count agrees with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from myoproof.core.table import validate
from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon import Phantom, ThighParams, bilateral, demo_scans, rescans, thigh
from myoproof.phantoms.dixon_visit import Visit
from myoproof.phantoms.rater import RaterParams, dice

SMALL = ThighParams(n_slices=3, gap_mm=40.0, voxel_mm=2.0, matrix=(108, 98))


@pytest.fixture(scope="module")
def leg() -> Phantom:
    return thigh(rng=np.random.default_rng(2), params=replace(SMALL, voxel_mm=1.0, matrix=(216, 196)))


def same(one: Phantom, two: Phantom) -> bool:
    pairs = [
        *(
            (one.acquisition.payload.channels[c], two.acquisition.payload.channels[c])
            for c in ("fat", "water")
        ),
        (one.segmentation.labels, two.segmentation.labels),
        (one.exact.labels, two.exact.labels),
    ]
    return all(a.tobytes() == b.tobytes() for a, b in pairs) and one.truth.equals(two.truth)


def test_same_seed_same_bytes_and_another_seed_another_leg() -> None:
    one, two, other = (thigh(rng=np.random.default_rng(seed), params=SMALL) for seed in (5, 5, 6))
    assert same(one, two)
    assert not same(one, other)


def test_another_snr_is_the_same_leg_with_another_noise() -> None:
    loud, quiet = (
        thigh(rng=np.random.default_rng(5), params=replace(SMALL, water_snr=snr)) for snr in (20.0, 80.0)
    )
    assert loud.truth.equals(quiet.truth)
    np.testing.assert_array_equal(loud.segmentation.labels, quiet.segmentation.labels)
    assert not np.array_equal(
        loud.acquisition.payload.channels["fat"], quiet.acquisition.payload.channels["fat"]
    )
    first = rescans(rng=np.random.default_rng(5), params=SMALL, water_snrs=(20.0, 80.0))[0]
    assert same(first, loud)


def test_truth_rows_obey_the_table_and_name_the_phantom_as_method_and_rater(leg: Phantom) -> None:
    rows = validate(leg.truth)
    assert set(rows["method"]) == {"truth"}
    assert set(rows["rater"]) == {"truth"}
    assert set(rows["side"]) == {"left"}
    assert set(rows["site"]) == set(const.MUSCLES)


def test_exact_mask_gives_the_true_areas(leg: Phantom) -> None:
    """Counting voxels whose middle lies inside recovers the fine-grid volume of large muscles within 2 %."""
    rows = leg.truth[leg.truth["measure"] == "volume"].set_index("site")["value"]
    spacing = leg.acquisition.payload.spacing_mm
    for label, (site, _) in leg.exact.names.items():
        counted = (leg.exact.labels == label).sum() * spacing.prod() / 1000.0
        if rows[site] > 20:
            assert counted == pytest.approx(rows[site], rel=0.02), site


def test_air_is_rayleigh_with_the_declared_sigma(leg: Phantom) -> None:
    for name in ("fat", "water"):
        air = leg.acquisition.payload.channels[name][:12, :12].ravel()
        sigma = const.MUSCLE_WATER / ThighParams().water_snr
        assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.1)
        # rounding to whole units is small against sigma, so the distribution may be tested
        assert stats.kstest(air, "rayleigh", args=(0, sigma)).pvalue > 1e-4


def test_images_hold_whole_numbers_when_quantised() -> None:
    plain = thigh(rng=np.random.default_rng(1), params=replace(SMALL, quantised=False))
    whole = thigh(rng=np.random.default_rng(1), params=SMALL)
    a, b = (p.acquisition.payload.channels["fat"] for p in (plain, whole))
    assert np.abs(a - b).max() <= 0.5
    assert (b == np.rint(b)).all()


def test_a_left_leg_is_the_mirror_of_a_right_one_and_lies_on_the_left() -> None:
    left, right = (
        thigh(rng=np.random.default_rng(9), params=replace(SMALL, side=side)) for side in ("left", "right")
    )
    np.testing.assert_array_equal(left.segmentation.labels, right.segmentation.labels[::-1])
    columns = ["site", "measure", "at", "value"]
    assert left.truth[columns].equals(right.truth[columns])
    for phantom, sign in ((left, -1), (right, 1)):
        voxels = np.argwhere(phantom.exact.labels > 0).mean(axis=0)
        assert sign * (phantom.exact.affine @ [*voxels, 1.0])[0] > 0, "RAS: the patient's right is +x"


def test_the_outside_of_each_leg_faces_away_from_the_other() -> None:
    scan = bilateral(rng=np.random.default_rng(4), params=SMALL)
    assert set(scan.truth["side"]) == {"left", "right", "both"}
    assert all(side == "" for _, side in scan.segmentation.names.values())
    half = scan.exact.labels.shape[0] // 2
    lateralis, gracilis = (const.MUSCLES.index(name) + 1 for name in ("vastus_lateralis", "gracilis"))
    for part, sign in ((scan.exact.labels[:half], -1), (scan.exact.labels[half:], 1)):
        outer, inner = (np.argwhere(part == label)[:, 0].mean() for label in (lateralis, gracilis))
        assert sign * (outer - inner) > 0
    truth = scan.truth[scan.truth["measure"] == "volume"].pivot(index="site", columns="side", values="value")
    np.testing.assert_allclose(truth["both"], truth["left"] + truth["right"], rtol=1e-9)


def test_the_rater_misses_the_outline_like_a_person(leg: Phantom) -> None:
    overlaps = [dice(leg.segmentation.labels, leg.exact.labels, label) for label in range(1, 12)]
    assert 0.85 < np.nanmean(overlaps) < 0.97


def test_no_errors_no_difference() -> None:
    still = RaterParams(0.0, 0.0, 0.0, 0.0, 0.0, smallest_section_mm2=0.0)
    scan = thigh(rng=np.random.default_rng(3), params=replace(SMALL, rater=still))
    np.testing.assert_array_equal(scan.segmentation.labels, scan.exact.labels)


def test_demo_scans_are_bilateral_and_named() -> None:
    scans = demo_scans(rng=np.random.default_rng(1), n=2)
    assert [scan.acquisition.subject for scan in scans] == ["sim-mri-01", "sim-mri-02"]
    shape = scans[0].acquisition.payload.shape
    assert shape[0] > 1.5 * shape[1]
    assert scans[0].segmentation.labels.shape == shape
    fractions = [
        scan.truth[(scan.truth["measure"] == "fat_fraction") & (scan.truth["side"] == "both")][
            "value"
        ].median()
        for scan in scans
    ]
    assert fractions[0] < 0.1 < fractions[1]


def test_a_second_visit_is_the_same_person():
    params = replace(SMALL, n_slices=3, gap_mm=10.0)
    first, again, later = (
        thigh(rng=np.random.default_rng(4), params=replace(params, visit=visit))
        for visit in (Visit(), Visit(number=1), Visit(1, (0.97,) * 11, (0.3,) * 11))
    )
    plain = [scan.truth[scan.truth["measure"] != "fat_fraction_signal"] for scan in (first, again)]
    pd.testing.assert_frame_equal(*plain)  # the signal-weighted one sees another receive field
    assert not np.array_equal(
        first.acquisition.payload.channels["fat"], again.acquisition.payload.channels["fat"]
    )
    both = first.truth.merge(later.truth, on=["site", "side", "at", "measure"])
    both = both[both["at"] == ""]
    volume, fat = (both[both["measure"] == name] for name in ("volume", "fat_fraction"))
    assert (volume["value_y"] / volume["value_x"]).between(0.9, 0.995).all()
    assert (fat["value_y"] - fat["value_x"] > 0).all()
