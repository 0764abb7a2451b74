"""Radiomics as a command: files in, rows and all settings out."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.cli import main
from myoproof.core.table import read_table
from myoproof.delivery.nifti import write
from myoproof.errors import InvalidInput
from myoproof.phantoms.dixon import ThighParams, thigh
from myoproof.workflow.radiomics import RadiomicsFiles, measure_radiomics, summary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("radiomics")
    scan = thigh(rng=np.random.default_rng(4), params=ThighParams(voxel_mm=2.0, matrix=(108, 98), n_slices=5))
    volume = scan.acquisition.payload
    for name, values in volume.channels.items():
        write(values, volume.affine, place / f"{name}.nii.gz")
    write(scan.exact.labels, volume.affine, place / "mask.nii.gz")
    return place


def test_the_command_writes_rows_and_every_setting(folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "rows.csv"
    words = ["measure", "radiomics", "--fat", folder / "fat.nii.gz", "--water", folder / "water.nii.gz"]
    words += [
        "--segmentation",
        folder / "mask.nii.gz",
        "--bin-width",
        "0.05",
        "--bin-start",
        "0",
        "--jobs",
        "2",
    ]
    words += ["--aggregation", "3d_merged", "--range", "0", "1", "--replicates", "10", "--out", out]
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    assert not stopped.value.code
    assert "fbs0.05:3d_merged" in capsys.readouterr().out
    rows = read_table(out)
    assert len(summary(rows)) == 5
    assert set(rows["modality"]) == {"dixon"}
    record = json.loads((tmp_path / "rows.csv.provenance.json").read_text())
    assert record["act"] == "radiomics@2"
    assert record["parameters"]["intensity_range"] == [0.0, 1.0]
    assert record["parameters"]["replicates"] == 10
    assert set(rows["provenance"]) == {record["id"]}
    assert rows.loc[rows["absent"] == "", "low"].notna().mean() > 0.9
    stable = pd.read_csv(tmp_path / "rows.csv.stability.csv")
    assert len(stable) == rows.groupby(["method", "measure"]).ngroups
    assert stable["icc"].max() > 0.9


def test_one_image_is_its_own_channel_and_jobs_change_nothing(folder: Path, tmp_path: Path) -> None:
    files = RadiomicsFiles(folder / "mask.nii.gz", image=folder / "water.nii.gz", subject="p1", rater="r1")
    few = {"families": ("statistics", "glcm"), "replicates": 10}
    rows = measure_radiomics(files, into=tmp_path / "study", options=few, jobs=2)
    again = measure_radiomics(files, options=few)
    assert rows.equals(again)
    assert set(rows["modality"]) == {"muscle_mri"}
    assert "radiomics:image:fbn32:2_5d_merged" in set(rows["method"])
    assert (tmp_path / "study" / "tables" / "measurements.csv").exists()
    other = measure_radiomics(files, options=few | {"bins": 16})
    assert not set(other["provenance"]) & set(rows["provenance"])


def test_one_image_or_a_pair_but_not_both(folder: Path) -> None:
    image, mask = folder / "fat.nii.gz", folder / "mask.nii.gz"
    for files in (RadiomicsFiles(mask), RadiomicsFiles(mask, image=image, fat=image, water=image),
                  RadiomicsFiles(mask, fat=image)):  # fmt: skip
        with pytest.raises(InvalidInput, match="either one image, or fat and water"):
            measure_radiomics(files)
