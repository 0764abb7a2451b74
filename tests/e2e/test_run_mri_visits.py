"""Runs over visits of every sort: fat and water with T2, T2 alone, one contrast, follow-ups, maps on disk."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.delivery.nifti import write
from myoproof.phantoms import multiecho as multiecho_phantom
from myoproof.phantoms.dixon import Phantom, ThighParams, bilateral
from myoproof.phantoms.dixon_visit import Visit
from myoproof.phantoms.multiecho_physics import Physics
from myoproof.phantoms.relaxation import Phantom as SpinPhantom
from myoproof.phantoms.relaxation import RelaxationParams
from myoproof.phantoms.relaxation import thigh as t2_thigh
from myoproof.sources import bids
from myoproof.workflow import folder as study_folder
from myoproof.workflow import mri

LEGS = ThighParams(voxel_mm=2.0, matrix=(108, 98), n_slices=3, slice_mm=6.0, gap_mm=0.0, quantised=False)
MORE_FAT = 0.3
LATER = Visit(1, (0.99,) * 11, (MORE_FAT,) * 11, stack_shift_mm=2.0)
Drawn = Phantom | SpinPhantom | multiecho_phantom.MultiechoPhantom
SIMULATED = mri.Options(simulated=True, radiomics=True)
ONE = mri.How(jobs=1, tries=1)


def put(scan: Acquisition, root: Path, subject: str, session: str = "m00", day: float = 0.0) -> None:
    bids.write(replace(scan, subject=subject, session=session, run="", day=day), root)


def put_mask(phantom: Drawn, folder: Path, name: str) -> None:
    write(phantom.segmentation.labels, phantom.segmentation.affine, folder / f"{name}_dseg.nii.gz")


def legs(visit: Visit = Visit()) -> Phantom:  # noqa: B008 - frozen
    return bilateral(rng=np.random.default_rng(5), params=replace(LEGS, visit=visit))


def t1_weighted(scan: Acquisition) -> Acquisition:
    volume = scan.payload
    assert isinstance(volume, Volume)
    image = (volume.channels["fat"] + np.float32(0.35) * volume.channels["water"]).astype(np.float32)
    return replace(
        scan, modality="muscle_mri", protocol="T1w", payload=Volume({"image": image}, volume.affine)
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visit with Dixon and T2, one with T2 alone, and one with gradient echoes."""
    root, masks = tmp_path_factory.mktemp("scans"), tmp_path_factory.mktemp("masks")
    params = RelaxationParams(voxel_mm=3.0, matrix=(72, 66), n_slices=1)
    spins = t2_thigh(rng=np.random.default_rng(2), params=params)
    for subject in ("both", "spins"):
        put(spins.acquisition, root, subject)
        put_mask(spins, masks, f"sub-{subject}_ses-m00")
    put(on_grid_of(spins.dixon, spins.acquisition), root, "both")
    one_leg = multiecho_phantom.MultiechoParams(
        ThighParams(voxel_mm=3.0, matrix=(64, 60), n_slices=1, slice_mm=5.0),
        sides=("left",),
        physics=Physics(field_hz=50.0),
    )
    echoes = multiecho_phantom.thighs(rng=np.random.default_rng(1), params=one_leg)
    put(echoes.acquisition, root, "echoes")
    put_mask(echoes, masks, "sub-echoes_ses-m00")
    return measured(root, masks, tmp_path_factory.mktemp("study") / "out", 3)


@pytest.fixture(scope="module")
def legs_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visit with one contrast, for the network, and one followed up."""
    root, masks = tmp_path_factory.mktemp("scans"), tmp_path_factory.mktemp("masks")
    first, later = legs(), legs(LATER)
    put(t1_weighted(first.acquisition), root, "contrast")
    put(first.acquisition, root, "followed")
    put(later.acquisition, root, "followed", "m12", day=365.0)
    put_mask(first, masks, "sub-followed_ses-m00_desc-reader1")
    return measured(root, masks, tmp_path_factory.mktemp("study") / "out", 3)


def measured(root: Path, masks: Path, out: Path, count: int) -> Path:
    outcome = mri.run(root, out, masks=masks, options=SIMULATED, how=ONE)
    assert outcome.quarantined == {}
    assert outcome.done == count
    return out


def on_grid_of(companion: Acquisition, scan: Acquisition) -> Acquisition:
    """Fat and water by nearest voxel on the grid of the echoes, where the mask was drawn."""
    volume, echoes = companion.payload, scan.payload
    assert isinstance(volume, Volume)
    assert isinstance(echoes, Echoes)
    matrix = np.linalg.inv(volume.affine) @ echoes.affine
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in echoes.shape), indexing="ij"))
    place = np.rint(np.einsum("ij,jxyz->ixyz", matrix[:3, :3], grid) + matrix[:3, 3, None, None, None])
    nearest = [np.clip(part, 0, n - 1).astype(int) for part, n in zip(place, volume.shape, strict=True)]
    fraction = np.clip(volume.channels["fat_fraction"][tuple(nearest)], 0, 1)
    signal = echoes.values[..., 0]
    channels = {"fat": signal * fraction, "water": signal * (1 - fraction)}
    channels = {name: np.asarray(values, dtype=np.float32) for name, values in channels.items()}
    return replace(companion, modality="dixon", payload=Volume(channels, echoes.affine))


def rows_of(study: Path) -> pd.DataFrame:
    return study_folder.read_cohort(study).measurements


def of(rows: pd.DataFrame, subject: str, measure: str, **more: str) -> pd.DataFrame:
    found = rows[(rows["subject"] == f"sub-{subject}") & (rows["measure"] == measure)]
    for column, value in {"at": "", **more}.items():
        found = found[found[column] == value]
    return found


def test_water_t2_and_radiomics_stand_beside_fat(study: Path) -> None:
    rows = rows_of(study)
    water = of(rows, "both", "water_t2", method="relaxation")
    assert len(water) == 11
    held = water[water["absent"] == ""]
    assert len(held) >= 6
    assert held["value"].between(20, 60).all()
    assert (held["low"] < held["value"]).all()
    assert len(of(rows, "both", "fat_fraction", method="dixon"))
    features = rows[(rows["subject"] == "sub-both") & rows["method"].str.startswith("radiomics:fat_fraction")]
    assert features["measure"].nunique() > 100


def test_a_visit_with_spin_echoes_alone_has_size_t2_and_absent_fat(study: Path) -> None:
    rows = rows_of(study)
    own = rows[rows["subject"] == "sub-spins"]
    assert set(own["modality"]) == {"t2_mapping"}
    volume = of(rows, "spins", "volume", method="size")
    assert {"sartorius", "quadriceps"} <= set(volume["site"])
    assert (volume["low"] < volume["value"]).all()
    assert (of(rows, "spins", "fat_fraction")["absent"] == "not_imaged").all()
    water = of(rows, "spins", "water_t2", method="relaxation")
    assert water["flags"].str.contains("fat_fraction_unknown").all()
    assert of(rows, "spins", "muscle_t2")["value"].notna().any()
    assert own["method"].str.startswith("radiomics:image").any()


@pytest.mark.slow
def test_one_contrast_is_segmented_by_the_shipped_network(legs_study: Path) -> None:
    study, rows = legs_study, rows_of(legs_study)
    own = rows[(rows["subject"] == "sub-contrast") & (rows["method"] == "size") & (rows["at"] == "")]
    volume = own[
        (own["measure"] == "volume")
        & own["rater"].str.startswith("thigh@")
        & own["side"].isin(["left", "right"])
    ]
    assert len(volume[volume["value"].notna()]) >= 22
    assert (of(rows, "contrast", "water_t2")["absent"] == "not_imaged").all()
    page = (study / "delivery" / "scans" / "sub-contrast_ses-m00_T1w.html").read_text()
    assert "Expected Dice" in page
    assert "Certainty of the outlines" in page
    assert "Not measured, since no image of the visit shows it" in page
    assert "Fat plus water" not in page
    true = legs().truth
    true = true[(true["measure"] == "volume") & (true["at"] == "") & true["side"].isin(["left", "right"])]
    both = volume.merge(true, on=["site", "side"], suffixes=("", "_true"))
    assert both["value"].sum() == pytest.approx(both["value_true"].sum(), rel=0.2)


@pytest.mark.slow
def test_a_follow_up_takes_the_mask_of_the_baseline_and_tells_the_change(legs_study: Path) -> None:
    study, rows = legs_study, rows_of(legs_study)
    later = rows[(rows["subject"] == "sub-followed") & (rows["session"] == "m12")]
    muscles = later[later["method"] == "dixon"]
    assert "reader1+propagate@2" in set(muscles["rater"])
    carried = later[later["rater"] == "reader1+propagate@2"]
    assert carried["flags"].str.contains("mask_propagated").all()
    change = later[later["measure"] == "fat_fraction_change"]
    assert len(change) == 22
    assert change["value"].median() > 0.02
    assert (change["low"] < change["value"]).all()
    assert later[later["measure"] == "volume_change"]["value"].abs().median() < 0.1
    page = (study / "delivery" / "scans" / "sub-followed_ses-m12_dixon.html").read_text()
    assert "Change of fat fraction" in page
    assert "drawn at m00 was carried here" in page
    change_map = "derivatives/sub-followed/ses-m12/mr-quant/sub-followed_ses-m12_desc-dixonchange_FF.nii.gz"
    assert (study / change_map).is_file()


def test_maps_are_kept_with_their_units(study: Path) -> None:
    place = study / "derivatives" / "sub-both" / "ses-m00" / "mr-quant"
    names = {path.name.removeprefix("sub-both_ses-m00_desc-") for path in place.glob("*.nii.gz")}
    assert names == {
        "dixon_FF.nii.gz", "dixonrelaxation_T2.nii.gz", "dixonrelaxation_T2SD.nii.gz",
        "dixonrelaxation_B1.nii.gz", "dixonrelaxation_FF.nii.gz",
    }  # fmt: skip
    said = json.loads((place / "sub-both_ses-m00_desc-dixonrelaxation_T2.json").read_text())
    assert said["Units"] == "ms"
    assert said["Simulated"] is True
    values = np.asarray(nib.nifti1.load(place / "sub-both_ses-m00_desc-dixonrelaxation_T2.nii.gz").dataobj)
    assert 25 < float(np.nanmedian(values)) < 60


def test_separated_maps_and_the_bias_budget_follow_the_solver(study: Path) -> None:
    place = study / "derivatives" / "sub-echoes" / "ses-m00" / "mr-quant"
    names = {path.name.removeprefix("sub-echoes_ses-m00_desc-multiecho_") for path in place.glob("*.nii.gz")}
    assert names == {
        f"{suffix}.nii.gz" for suffix in ("WATER", "FAT", "FF", "FFSD", "R2star", "B0", "CONF")
    }  # fmt: skip
    page = (study / "delivery" / "scans" / "sub-echoes_ses-m00_multiecho.html").read_text()
    assert "phase kept: noise averages out" in page
    assert "as of metal" not in page
