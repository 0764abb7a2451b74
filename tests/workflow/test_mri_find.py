"""What a folder holds for a run: scans, their companions and their masks."""

import json
from pathlib import Path

import numpy as np
import pytest

from myoproof.delivery.nifti import write
from myoproof.errors import NotReadable
from myoproof.workflow import mri_find

AFFINE = np.diag([1.0, 1.0, 5.0, 1.0])


def image(path: Path, sidecar: dict[str, object] | None = None) -> Path:
    write(np.ones((4, 4, 2), np.float32), AFFINE, path)
    if sidecar is not None:
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))
    return path


def visit(root: Path, subject: str, session: str) -> Path:
    folder = root / f"sub-{subject}" / f"ses-{session}" / "mr-quant"
    for suffix in ("FAT", "WATER"):
        image(folder / f"sub-{subject}_ses-{session}_{suffix}.nii.gz")
    return folder


def test_plain_folders_are_subjects(tmp_path: Path) -> None:
    for name in ("fat", "water", "mask"):
        image(tmp_path / "p 01" / f"{name}.nii.gz")
    (found,) = mri_find.find(tmp_path).scans
    assert (found.key, found.scan.kind) == ("sub-p01_ses-m00_dixon", "dixon")
    assert [mask.path.name for mask in found.masks] == ["mask.nii.gz"]


def test_masks_belong_to_their_visit(tmp_path: Path) -> None:
    for session in ("m00", "m12"):
        visit(tmp_path / "raw", "01", session)
        image(tmp_path / "masks" / f"sub-01_ses-{session}_desc-reader2_dseg.nii.gz")
    found = mri_find.find(tmp_path, masks=tmp_path / "masks").scans
    assert [one.key for one in found] == ["sub-01_ses-m00_dixon", "sub-01_ses-m12_dixon"]
    for one in found:
        (mask,) = one.masks
        assert mask.session == one.scan.session
        assert mask.rater == "reader2"


def test_a_mask_without_visit_fits_a_single_visit_only(tmp_path: Path) -> None:
    visit(tmp_path / "raw", "01", "m00")
    image(tmp_path / "masks" / "sub-01_dseg.nii.gz")
    assert len(mri_find.find(tmp_path, masks=tmp_path / "masks").scans[0].masks) == 1
    visit(tmp_path / "raw", "01", "m12")
    assert [one.masks for one in mri_find.find(tmp_path, masks=tmp_path / "masks").scans] == [(), ()]


def test_masks_that_a_run_wrote_are_no_input(tmp_path: Path) -> None:
    visit(tmp_path / "raw", "01", "m00")
    own = image(tmp_path / "segmentations" / "sub-01_ses-m00_dixon_desc-thigh1_dseg.nii.gz")
    assert len(mri_find.find(tmp_path).scans[0].masks) == 1
    assert mri_find.find(tmp_path, without={own.absolute()}).scans[0].masks == ()


def test_companions_are_of_the_same_visit_and_others_are_left_out(tmp_path: Path) -> None:
    times = {"EchoTime": [0.01, 0.02], "MagneticFieldStrength": 3}
    for session in ("m00", "m12"):
        anatomy = tmp_path / "sub-01" / f"ses-{session}" / "mr-anat"
        image(anatomy / f"sub-01_ses-{session}_MESE.nii.gz", times)
    visit(tmp_path, "01", "m00")
    found = mri_find.find(tmp_path)
    first, alone = found.scans
    assert first.t2 is not None
    assert first.t2.session == "m00"
    assert (alone.key, alone.t2) == ("sub-01_ses-m12_t2_mapping", None)
    assert found.left_out == {}


def test_a_visit_without_fat_is_measured_on_its_best_contrast(tmp_path: Path) -> None:
    anatomy = tmp_path / "sub-01" / "ses-m00" / "mr-anat"
    for suffix in ("STIR", "T2w", "T1w", "MESE"):
        times: dict[str, object] = {"EchoTime": [0.01, 0.02]} if suffix == "MESE" else {}
        image(anatomy / f"sub-01_ses-m00_{suffix}.nii.gz", times)
    found = mri_find.find(tmp_path)
    (scan,) = found.scans
    assert scan.key == "sub-01_ses-m00_T1w"
    assert scan.t2 is not None
    assert sorted(found.left_out) == ["sub-01_ses-m00_STIR", "sub-01_ses-m00_T2w"]
    visit(tmp_path, "01", "m00")
    assert [one.key for one in mri_find.find(tmp_path).scans] == ["sub-01_ses-m00_dixon"]


def test_a_later_visit_without_mask_follows_the_first_drawn_one(tmp_path: Path) -> None:
    for session in ("m00", "m06", "m12"):
        visit(tmp_path / "raw", "01", session)
    visit(tmp_path / "raw", "02", "m00")
    for session in ("m06", "m12"):
        image(tmp_path / "masks" / f"sub-01_ses-{session}_dseg.nii.gz")
    found = {one.key: one for one in mri_find.find(tmp_path, masks=tmp_path / "masks").scans}
    assert all(one.baseline is None for one in found.values())
    (tmp_path / "masks" / "sub-01_ses-m12_dseg.nii.gz").unlink()
    found = {one.key: one for one in mri_find.find(tmp_path, masks=tmp_path / "masks").scans}
    baseline = found["sub-01_ses-m12_dixon"].baseline
    assert baseline is not None
    assert baseline.key == "sub-01_ses-m06_dixon"
    assert found["sub-01_ses-m00_dixon"].baseline is None


def test_plain_visits_and_single_contrasts(tmp_path: Path) -> None:
    for session in ("m00", "ses-m06"):
        for name in ("fat", "water"):
            image(tmp_path / "p01" / session / f"{name}.nii.gz")
    image(tmp_path / "p01" / "m00" / "mask.nii.gz")
    image(tmp_path / "p02" / "t1w.nii.gz")
    found = {one.key: one for one in mri_find.find(tmp_path).scans}
    assert sorted(found) == ["sub-p01_ses-m00_dixon", "sub-p01_ses-m06_dixon", "sub-p02_ses-m00_T1w"]
    assert len(found["sub-p01_ses-m00_dixon"].masks) == 1
    assert found["sub-p01_ses-m06_dixon"].masks == ()


def test_derivatives_and_what_a_run_wrote_are_no_scans(tmp_path: Path) -> None:
    visit(tmp_path, "01", "m00")
    place = tmp_path / "sub-01" / "derivatives"
    image(place / "sub-01_ses-m00_desc-multiecho_FF.nii.gz")
    own = image(tmp_path / "sub-01" / "sub-01_ses-m00_desc-old_FF.nii.gz")
    found = mri_find.find(tmp_path, without={own.absolute()})
    assert [one.key for one in found.scans] == ["sub-01_ses-m00_dixon"]


def test_one_unreadable_subject_stands_for_itself(tmp_path: Path) -> None:
    visit(tmp_path, "01", "m00")
    bad = visit(tmp_path, "02", "m00")
    (bad / "sub-02_ses-m00_FAT.json").write_text("{no json")
    found = {one.scan.subject: one for one in mri_find.find(tmp_path).scans}
    assert found["sub-01"].fault == ""
    assert "JSON" in found["sub-02"].fault


def test_what_is_found_survives_json(tmp_path: Path) -> None:
    visit(tmp_path, "01", "m00")
    scan = mri_find.find(tmp_path).scans[0].scan
    record = json.loads(json.dumps(mri_find.to_json(scan)))
    assert mri_find.from_json(record) == scan


def test_nothing_to_measure_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="no such folder"):
        mri_find.find(tmp_path / "absent")
    with pytest.raises(NotReadable, match="no muscle scan"):
        mri_find.find(tmp_path)
