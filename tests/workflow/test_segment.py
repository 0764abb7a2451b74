"""Thigh muscles from files to files: mask, certainty and confidence table lie side by side."""

import numpy as np
import pandas as pd
import pytest

from myoproof.delivery.nifti import write
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.phantoms import dixon
from myoproof.sources import nifti
from myoproof.workflow import segment

COARSE = dixon.ThighParams(pattern="als", voxel_mm=2.0, matrix=(108, 98), n_slices=3, gap_mm=40.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fat and water of two simulated thighs."""
    folder = tmp_path_factory.mktemp("thigh")
    scan = dixon.bilateral(rng=np.random.default_rng(3), params=COARSE).acquisition.payload
    for name, image in scan.channels.items():
        write(image, scan.affine, folder / f"{name}.nii.gz")
    return folder


def test_mask_certainty_and_table(folder):
    scan = segment.read_images(folder / "fat.nii.gz", folder / "water.nii.gz", None)
    told = []
    out = folder / "mask.nii.gz"
    frame = segment.thigh_muscles(scan, out, progress=lambda *said: told.append(said[1]))
    labels, affine = nifti.read_mask(out)
    assert set(np.unique(labels)) == set(range(12))
    assert np.allclose(affine, scan.payload.affine)
    certainty = nifti.read_image(folder / "mask.certainty.nii.gz").payload
    image = next(iter(certainty.channels.values()))
    assert image.shape == labels.shape
    assert 0 <= image.min() < image.max() <= 1.0001
    written = pd.read_csv(folder / "mask.confidence.csv", keep_default_na=False)
    assert written["site"].tolist() == frame["site"].tolist()
    assert len(frame) == 22
    assert set(frame["side"]) == {"left", "right"}
    assert frame["expected_dice"].between(0, 1).all()
    assert set(frame["flags"]) == {""}
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_one_image_is_enough(folder):
    scan = segment.read_images(None, None, folder / "water.nii.gz")
    frame = segment.thigh_muscles(scan, folder / "single.nii.gz", refuse=False)
    assert len(frame) >= 20


@pytest.mark.parametrize("given", [(None, None, None), ("a", None, None), ("a", "b", "c"), (None, "b", "c")])
def test_images_are_a_pair_or_one(given):
    with pytest.raises(InvalidInput, match="--image"):
        segment.read_images(*given)


def test_what_is_no_thigh_leaves_no_file(tmp_path):
    write(np.zeros((40, 40, 3), np.float32), np.diag([3.0, 3.0, 8.0, 1.0]), tmp_path / "empty.nii.gz")
    scan = segment.read_images(None, None, tmp_path / "empty.nii.gz")
    with pytest.raises(OutOfDomain):
        segment.thigh_muscles(scan, tmp_path / "mask.nii.gz")
    assert not (tmp_path / "mask.nii.gz").exists()
    frame = segment.thigh_muscles(scan, tmp_path / "mask.nii.gz", refuse=False)
    assert frame.empty
    assert not nifti.read_mask(tmp_path / "mask.nii.gz")[0].any()
