"""Compartments of discs whose areas are known, of simulated thighs, and of a real one."""

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.errors import InvalidInput
from myoproof.phantoms import dixon
from myoproof.segmentation import tissue
from myoproof.sources import nifti

LABELS = {name: label for label, (name, _) in tissue.NAMES.items()}
RADII_MM = {"bone": 13.0, "fascia": 55.0, "body": 70.0}


def _discs(noise_rng, *, voxel_mm=1.25, wedge_deg=0.0, flipped=False):
    """Two limbs of concentric discs: marrow, cortex, muscle (fat within a wedge), fat, skin."""
    x, y = np.meshgrid(np.arange(-90, 90, voxel_mm), np.arange(-80, 80, voxel_mm), indexing="ij")
    radius, angle = np.hypot(x, y), np.degrees(np.abs(np.arctan2(y, x)))
    fraction = np.where(radius < RADII_MM["fascia"], np.where(angle < wedge_deg / 2, 0.9, 0.05), 0.92)
    fraction = np.where(radius < RADII_MM["bone"] - 4, 0.9, fraction)
    fraction = np.where(radius > RADII_MM["body"] - 2, 0.1, fraction)
    signal = 1000.0 * (radius < RADII_MM["body"])
    signal[(radius < RADII_MM["bone"]) & (radius > RADII_MM["bone"] - 4)] = 30.0
    limb = np.stack([signal * fraction, signal * (1 - fraction)])[..., None].repeat(3, axis=-1)
    noisy = np.abs(np.concatenate([limb, limb], axis=1) + 20 * noise_rng.standard_normal((2, 288, 128, 3)))
    affine = np.diag([voxel_mm, voxel_mm, 8.0, 1.0])
    if flipped:
        noisy, affine = noisy[:, ::-1], affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    fat, water = noisy.astype(np.float32)
    return Acquisition("s", "m00", "1", "dixon", Volume({"fat": fat, "water": water}, affine))


def _area_mm2(labels, name, voxel_mm=1.25):
    return (labels[:, :, 1] == LABELS[name]).sum() * voxel_mm**2 / 2


@pytest.mark.parametrize("wedge_deg", [0.0, 40.0, 120.0])
def test_areas_of_discs(wedge_deg):
    found = tissue.segment(_discs(np.random.default_rng(1), wedge_deg=wedge_deg)).labels
    circle = {name: np.pi * radius**2 for name, radius in RADII_MM.items()}
    muscle = circle["fascia"] - circle["bone"]
    assert _area_mm2(found, "bone") == pytest.approx(circle["bone"], rel=0.15)
    assert _area_mm2(found, "lean_muscle") == pytest.approx(muscle * (1 - wedge_deg / 360), rel=0.03)
    assert _area_mm2(found, "intermuscular_fat") == pytest.approx(muscle * wedge_deg / 360, abs=0.05 * muscle)
    fat = circle["body"] - circle["fascia"]
    assert _area_mm2(found, "subcutaneous_fat") + _area_mm2(found, "skin") == pytest.approx(fat, rel=0.05)


def test_a_mirrored_array_gives_mirrored_labels():
    rng = np.random.default_rng(2)
    one = tissue.segment(_discs(rng)).labels
    other = tissue.segment(_discs(np.random.default_rng(2), flipped=True)).labels
    assert np.mean(one == other[::-1]) > 0.999


def test_drawn_muscles_of_a_simulated_thigh_lie_within_the_fascia():
    params = dixon.ThighParams(pattern="dystrophy", voxel_mm=1.5, matrix=(144, 128), n_slices=4, gap_mm=30.0)
    scan = dixon.bilateral(rng=np.random.default_rng(5), params=params)
    found = tissue.segment(scan.acquisition).labels
    muscle = scan.exact.labels > 0
    inside = np.isin(found, [LABELS["lean_muscle"], LABELS["intermuscular_fat"]])
    assert inside[muscle].mean() > 0.93
    fat, water = (scan.acquisition.payload.channels[name] for name in ("fat", "water"))
    lean = muscle & (fat < 0.3 * water)
    assert (found[lean] == LABELS["lean_muscle"]).mean() > 0.95


def test_a_limb_without_lean_tissue_stays_empty():
    scan = _discs(np.random.default_rng(3))
    swapped = Volume(
        {
            "fat": np.maximum(*scan.payload.channels.values()),
            "water": np.full_like(scan.payload.channels["fat"], 10.0),
        },
        scan.payload.affine,
    )
    found = tissue.segment(Acquisition("s", "m00", "1", "dixon", swapped)).labels
    assert not (found == LABELS["lean_muscle"]).any()
    assert not (found == LABELS["subcutaneous_fat"]).any()


def test_a_single_contrast_is_refused():
    scan = Acquisition(
        "s", "m00", "1", "muscle_mri", Volume({"image": np.ones((4, 4, 2), np.float32)}, np.eye(4))
    )
    with pytest.raises(InvalidInput, match="fat and a water"):
        tissue.segment(scan)


@pytest.mark.real_data
def test_the_real_thigh(data_folder):
    folder = data_folder / "mri_thigh_ideal"
    scan = nifti.read(folder / "Thigh_001_0000.nii.gz", folder / "Thigh_001_0001.nii.gz")
    drawn, _ = nifti.read_mask(folder / "Thigh_001.nii.gz")
    found = tissue.segment(scan).labels
    inside = np.isin(found, [LABELS["lean_muscle"], LABELS["intermuscular_fat"]])
    assert inside[drawn > 0].mean() > 0.9
    levels = np.flatnonzero((drawn > 0).any(axis=(0, 1)))
    bony = (found == LABELS["bone"]).any(axis=(0, 1))[levels]
    assert bony.mean() > 0.8
