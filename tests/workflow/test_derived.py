"""Derived measures as a command, and repeatability from files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.cli import main
from myoproof.core.table import read_table
from myoproof.delivery.nifti import write
from myoproof.phantoms.dixon import ThighParams, thigh
from myoproof.workflow import derived


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("derived")
    params = ThighParams(voxel_mm=2.0, matrix=(108, 98), n_slices=4, gap_mm=20.0)
    scan = thigh(rng=np.random.default_rng(4), params=params)
    volume = scan.acquisition.payload
    for name, values in volume.channels.items():
        write(values, volume.affine, place / f"{name}.nii.gz")
    write(scan.exact.labels, volume.affine, place / "mask.nii.gz")
    return place


def test_the_command_writes_every_kind_of_derived_row(folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "derived.csv"
    words = ["measure", "derived", "--fat", folder / "fat.nii.gz", "--water", folder / "water.nii.gz"]
    words += ["--segmentation", folder / "mask.nii.gz", "--femur", "-200", "200", "--out", out]
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    assert not stopped.value.code
    assert "derived measures" in capsys.readouterr().out
    rows = read_table(out)
    kinds = set(derived.summary(rows)["kind"])
    assert kinds == {"dixon", "heterogeneity", "fat_volume"}  # one leg: no asymmetry
    assert {"quadriceps", "thigh", "subcutaneous_fat", "intermuscular_fat"} <= set(rows["site"])
    assert rows["at"].str.startswith("femur:").any()
    record = json.loads((tmp_path / "derived.csv.provenance.json").read_text())
    assert record["parameters"]["femur_mm"] == [-200.0, 200.0]
    assert set(rows["provenance"]) == {record["id"]}


def test_repeatability_reads_one_file_or_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"subject": f"s{i}", "run": run, "site": "soleus", "side": "left", "measure": "volume", "method": "m",
         "value": 100 + 10 * i + rng.normal()}
        for i in range(8) for run in ("1", "2")
    )  # fmt: skip
    rows.to_csv(tmp_path / "both.csv", index=False)
    for run in ("1", "2"):
        rows[rows["run"] == run].to_csv(tmp_path / f"{run}.csv", index=False)
    one = derived.repeatability_of(tmp_path / "both.csv", out=tmp_path / "evidence.csv")
    two = derived.repeatability_of(tmp_path / "1.csv", tmp_path / "2.csv")
    pd.testing.assert_frame_equal(one, two)
    assert set(one["metric"]) >= {"minimal_detectable_change_95", "icc_a1"}
    assert len(pd.read_csv(tmp_path / "evidence.csv")) == len(one)
