"""Water T2 from files: echoes, masks and companions read, rows, maps and provenance written."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from myoproof.cli.app import app
from myoproof.core.table import read_table
from myoproof.delivery.nifti import write
from myoproof.errors import InvalidInput
from myoproof.phantoms.relaxation import Phantom, RelaxationParams, thigh
from myoproof.workflow.relaxation import RelaxationFiles, measure_relaxation, summary


@pytest.fixture(scope="module")
def scan() -> Phantom:
    params = RelaxationParams(n_slices=1, voxel_mm=3.0, matrix=(72, 66), pattern="als")
    return thigh(rng=np.random.default_rng(8), params=params)


@pytest.fixture(scope="module")
def folder(scan: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("t2")
    echoes, dixon = scan.acquisition.payload, scan.dixon.payload
    write(echoes.values, echoes.affine, place / "mese.nii.gz")
    told = {"EchoTime": echoes.echo_times_s.tolist(), "RepetitionTime": 3.0}
    (place / "mese.json").write_text(json.dumps(told))
    write(scan.segmentation.labels, echoes.affine, place / "mask.nii.gz")
    for name in ("fat", "water"):
        write(dixon.channels[name], dixon.affine, place / f"{name}.nii.gz")
    write(100 * dixon.channels["fat_fraction"], dixon.affine, place / "ff.nii.gz")
    write(scan.field.payload.channels["b1"], echoes.affine, place / "b1.nii.gz")
    flat = pd.DataFrame({"excitation_deg": [90.0] * 3, "refocusing_deg": [180.0] * 3})
    flat.to_csv(place / "profile.csv", index=False)
    return place


def files(folder: Path, **more: object) -> RelaxationFiles:
    return RelaxationFiles((folder / "mese.nii.gz",), folder / "mask.nii.gz", subject="p01", **more)


def test_rows_maps_and_provenance_are_written(folder: Path, tmp_path: Path) -> None:
    given = files(folder, fat_fraction=folder / "ff.nii.gz", b1=folder / "b1.nii.gz")
    rows = measure_relaxation(given, out=tmp_path / "rows.csv", maps=tmp_path / "maps")
    kept = read_table(tmp_path / "rows.csv")
    assert len(kept) == len(rows)
    assert set(kept["subject"]) == {"p01"}
    record = json.loads((tmp_path / "rows.csv.provenance.json").read_text())
    assert record["id"] == kept["provenance"].iloc[0]
    assert record["parameters"]["profile"]["time_bandwidth"] == 2.7
    found = nib.load(tmp_path / "maps" / "water_t2_ms.nii.gz")
    assert found.shape == (72, 66, 1)
    shown = summary(rows)
    assert shown["water_t2_ms"].between(25, 70).sum() >= 8
    assert set(shown["side"]) == {"left"}


def test_the_command_prints_what_it_did(folder: Path, tmp_path: Path) -> None:
    words = [
        "measure",
        "relaxation",
        str(folder / "mese.nii.gz"),
        "--segmentation",
        str(folder / "mask.nii.gz"),
    ]
    words += ["--fat", str(folder / "fat.nii.gz"), "--water", str(folder / "water.nii.gz")]
    words += ["--b1", str(folder / "b1.nii.gz"), "--out", str(tmp_path / "rows.csv"), "--jobs", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "with a Dixon fat fraction" in done.output
    assert (tmp_path / "rows.csv").is_file()


def test_companions_and_profiles_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="fat and water together"):
        measure_relaxation(files(folder, fat=folder / "fat.nii.gz"))
    wrong = tmp_path / "profile.csv"
    wrong.write_text("excitation_deg\n90\n")
    with pytest.raises(InvalidInput, match="refocusing_deg"):
        measure_relaxation(files(folder, profile=wrong))
    flat = files(folder, b1=folder / "b1.nii.gz", profile=folder / "profile.csv")
    assert len(measure_relaxation(flat)) > 0
