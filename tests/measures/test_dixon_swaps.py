"""Swaps without echoes: found in whole legs and few slices, in lean and in fatty legs, and not invented."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myoproof.measures import dixon
from myoproof.measures.dixon_regions import find_regions
from myoproof.measures.dixon_swaps import CERTAIN, exchanged, find_swaps
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_images import Swap, scanner_images
from myoproof.phantoms.multiecho_physics import Physics
from myoproof.segmentation import drawn, tissue
from myoproof.sources import nifti

N_SLICES = 5
THIGH = ThighParams(n_slices=N_SLICES, voxel_mm=2.0, matrix=(96, 90), gap_mm=20.0)
PATTERNS = {
    "none": (),
    "left leg": (Swap("left"),),
    "all": (Swap("both"),),
    "two slices of a leg": (Swap("right", (1, 2)),),
    "last slice": (Swap("both", (N_SLICES - 1,)),),
}


@pytest.fixture(scope="module", params=["als", "dystrophy"])
def scan(request: pytest.FixtureRequest) -> MultiechoPhantom:
    params = MultiechoParams(replace(THIGH, pattern=request.param), physics=Physics(echo_times_s=(0.001,)))
    return thighs(rng=np.random.default_rng(11), params=params)


@pytest.mark.parametrize("name", list(PATTERNS))
def test_simulated_swaps_are_found_and_nothing_else(scan: MultiechoPhantom, name: str) -> None:
    images = scanner_images(scan, rng=np.random.default_rng(2), snr=30.0, swaps=PATTERNS[name])
    volume = images.acquisition.payload
    found = find_swaps(volume, find_regions(volume, scan.segmentation))
    middle = images.swapped.shape[0] // 2
    halves = (images.swapped[:middle], images.swapped[middle:])
    true = np.array([[half[:, :, k].any() for k in range(N_SLICES)] for half in halves])
    np.testing.assert_array_equal(found.probability >= CERTAIN, true)
    muscle = scan.segmentation.labels > 0
    np.testing.assert_array_equal(found.found[muscle], images.swapped[muscle])


def test_corrected_rows_stand_beside_the_plain_ones_and_give_the_truth_back(scan: MultiechoPhantom) -> None:
    wrong = scanner_images(scan, rng=np.random.default_rng(2), swaps=(Swap("left"),)).acquisition
    right = scanner_images(scan, rng=np.random.default_rng(2)).acquisition
    rows, clean = (dixon.measure(one, scan.segmentation) for one in (wrong, right))
    assert not clean["method"].str.contains("swap").any()
    plain = rows[rows["method"] == "dixon"]
    main = clean[clean["method"] == "dixon"]
    mended = rows[rows["method"] == "dixon:swap_corrected"]
    key = ["site", "side", "at", "measure"]
    both = mended.merge(main, on=key, suffixes=("", "_clean"))
    assert len(both) == len(mended) > 0
    assert set(mended["side"]) == {"left"}
    np.testing.assert_allclose(both["value"], both["value_clean"], rtol=1e-9)
    assert mended["flags"].str.contains("fat_water_swap_corrected").all()
    assert set(mended["quality"]) == {"warn"}
    left = plain[(plain["side"] == "left") & (plain["measure"] == "fat_fraction")]
    assert left["flags"].str.contains("fat_water_swap_suspected").all()
    one, two = (frame[frame["side"] == "right"].reset_index(drop=True) for frame in (plain, main))
    same = ["site", "at", "measure", "value"]  # noise, and with it flags, is judged on the whole scan
    assert one[same].equals(two[same])


def test_exchanging_twice_changes_nothing(scan: MultiechoPhantom) -> None:
    volume = scanner_images(scan, rng=np.random.default_rng(2)).acquisition.payload
    where = np.random.default_rng(0).random(volume.shape) < 0.5
    twice = exchanged(exchanged(volume, where), where)
    for name, image in volume.channels.items():
        np.testing.assert_array_equal(twice.channels[name], image)


def test_a_mask_of_compartments_is_no_swap_and_shows_one(scan: MultiechoPhantom) -> None:
    for planted, expected in (((), False), ((Swap("both"),), True)):
        images = scanner_images(scan, rng=np.random.default_rng(2), swaps=planted).acquisition
        clean = scanner_images(scan, rng=np.random.default_rng(2)).acquisition
        mask = tissue.segment(clean)
        rows = dixon.measure(images, mask)
        lean = rows[(rows["site"] == "lean_muscle") & (rows["measure"] == "fat_fraction")]
        main = lean[(lean["method"] == "dixon") & (lean["at"] == "")]
        assert main["flags"].str.contains("fat_water_swap_suspected").all() == expected


@pytest.mark.real_data
def test_a_real_patient_has_no_swap_and_planted_ones_are_found(data_folder: Path) -> None:
    folder = data_folder / "mri_thigh_ideal"
    scan = nifti.read(folder / "Thigh_001_0000.nii.gz", folder / "Thigh_001_0001.nii.gz")
    labels, affine = nifti.read_mask(folder / "Thigh_001.nii.gz")
    regions = find_regions(
        scan.payload, drawn.segment(scan, labels, affine, drawn.read_scheme("huashan11"), rater="r")
    )
    assert np.nanmax(find_swaps(scan.payload, regions).probability) < 0.5
    n_slices = scan.payload.shape[2]
    for way, slices in (
        (-1, slice(None)),
        (1, slice(None)),
        (1, slice(3, 5)),
        (-1, slice(n_slices - 7, n_slices - 6)),
    ):
        where = np.zeros(scan.payload.shape, dtype=bool)
        where[:, :, slices] = (regions.leg == way)[:, :, slices]
        true = np.zeros((2, n_slices), dtype=bool)
        true[int(way > 0), slices] = True
        found = find_swaps(exchanged(scan.payload, where), regions).probability
        np.testing.assert_array_equal(found >= CERTAIN, true & np.isfinite(found))
