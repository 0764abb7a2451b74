"""Regions on a scan: what the labels are called, on which grid, and what they were made from."""

from pathlib import Path

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.delivery import nifti as writer
from myoproof.errors import InvalidInput
from myoproof.sources import masks
from myoproof.workflow import regions

AFFINE = np.diag([-1.0, -1.0, 5.0, 1.0])
SHAPE = (6, 5, 4)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    labels = np.zeros(SHAPE, np.uint16)
    labels[1:3, 1:3], labels[4, 4] = 1, 2
    writer.write(labels, AFFINE, tmp_path / "mask.nii.gz")
    return tmp_path / "mask.nii.gz"


def images(affine: np.ndarray = AFFINE) -> Acquisition:
    return Acquisition("s", "m00", "", "dixon", Volume({"fat": np.ones(SHAPE, np.float32)}, affine))


def test_numbers_of_nifti_mean_the_usual_scheme_unless_said(mask: Path, tmp_path: Path) -> None:
    usual = regions.read(mask, images(), rater="reader-1")
    assert usual.segmentation.names[1] == ("sartorius", "")
    assert usual.segmentation.rater == "reader-1"
    (tmp_path / "own.csv").write_text("label,site,side\n1,soleus,left\n2,soleus,right\n")
    own = regions.read(mask, images(), labels=str(tmp_path / "own.csv"))
    assert dict(own.segmentation.names) == {1: ("soleus", "left"), 2: ("soleus", "right")}
    assert own.inputs[0] == usual.inputs[0]
    assert own.inputs[1] != usual.inputs[1]


def test_labels_override_the_names_of_the_file(mask: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = masks.read_mask
    own = {1: ("gracilis", "left"), 2: ("gracilis", "right")}

    def read_mask(path: Path, acquisition: Acquisition) -> masks.Mask:
        plain = real(path, acquisition)
        return masks.Mask(plain.labels, plain.affine, own)

    monkeypatch.setattr(masks, "read_mask", read_mask)
    assert dict(regions.read(mask, images()).segmentation.names) == own
    assert regions.read(mask, images(), labels="huashan11").segmentation.names[1] == ("sartorius", "")


def test_regions_on_echoes(mask: Path) -> None:
    payload = Echoes(np.ones((*SHAPE, 2), np.complex64), np.array([1e-3, 2e-3]), AFFINE)
    scan = Acquisition("s", "m00", "", "multiecho", payload)
    assert int((regions.read(mask, scan).segmentation.labels == 1).sum()) == 16


def test_another_grid_is_refused_unless_any_will_do(mask: Path) -> None:
    moved = AFFINE.copy()
    moved[2, 3] = 2.0
    with pytest.raises(InvalidInput, match="differ by up to 2 mm"):
        regions.read(mask, images(moved))
    kept = regions.read(mask, images(moved), any_grid=True)
    np.testing.assert_allclose(kept.segmentation.affine, AFFINE)
