"""A multi-echo measurement from files to files: rows, budget and provenance, and faults told."""

import json
from pathlib import Path

import numpy as np
import pytest

from myoproof.cli.app import main
from myoproof.core.table import read_table
from myoproof.delivery.nifti import write as write_image
from myoproof.errors import InvalidInput
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_physics import Physics
from myoproof.sources.bids_write import write as write_scan
from myoproof.workflow.multiecho import MultiechoFiles, measure_multiecho, summary

THIGH = ThighParams(voxel_mm=3.0, matrix=(64, 60), n_slices=1, subject="001", run="")


@pytest.fixture(scope="module")
def scan() -> MultiechoPhantom:
    params = MultiechoParams(THIGH, physics=Physics(flip_angle_deg=10.0, b1=0.9))
    return thighs(rng=np.random.default_rng(2), params=params)


@pytest.fixture(scope="module")
def folder(scan: MultiechoPhantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("multiecho")
    write_scan(scan.acquisition, place / "echoes")
    write_image(scan.segmentation.labels, scan.segmentation.affine, place / "mask.nii.gz")
    write_image(scan.maps.b1 * 100, scan.segmentation.affine, place / "b1.nii.gz")
    return place


def test_rows_budget_and_provenance_are_written(folder: Path) -> None:
    files = MultiechoFiles(
        (folder / "echoes",), folder / "mask.nii.gz", b1=folder / "b1.nii.gz", subject="p1"
    )
    options = {"side_by_side": True, "t1_water_s": 1.4}
    found = measure_multiecho(files, out=folder / "rows.csv", options=options)
    rows = read_table(folder / "rows.csv")
    assert set(rows["subject"]) == {"p1"}
    assert {"multiecho", "multiecho:uncorrected"} <= set(rows["method"])
    record = json.loads((folder / "rows.csv.provenance.json").read_text())
    assert set(rows["provenance"]) == {record["id"]}
    assert record["parameters"]["relaxation"]["t1_water_s"] == 1.4
    assert len(record["inputs"]) == 4
    assert (folder / "rows.bias.csv").exists()
    assert "T1 weighting" in set(found.budget["source"])
    table = summary(found.rows)
    assert {"fat_fraction", "r2star_per_s", "volume_ml"} <= set(table.columns)
    assert len(table) == 33


def test_a_b1_map_in_per_cent_is_one_in_shares(folder: Path, scan: MultiechoPhantom) -> None:
    write_image(scan.maps.b1, scan.segmentation.affine, folder / "share.nii.gz")
    values = []
    for name in ("b1.nii.gz", "share.nii.gz"):
        files = MultiechoFiles((folder / "echoes",), folder / "mask.nii.gz", b1=folder / name)
        values.append(measure_multiecho(files).rows["value"].to_numpy())
    np.testing.assert_allclose(values[0], values[1], atol=1e-5)


def test_own_relaxation_without_a_field_strength_is_refused(folder: Path) -> None:
    files = MultiechoFiles((folder / "echoes",), folder / "mask.nii.gz", settings={"field_strength_t": 0.3})
    with pytest.raises(InvalidInput, match="relaxation times"):
        measure_multiecho(files, options={"t1_fat_s": 0.3})


def test_the_command_prints_rows_and_budget(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "cli.csv"
    words = ["measure", "multiecho", str(folder / "echoes"), "--segmentation", str(folder / "mask.nii.gz")]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--out", str(out), "--jobs", "1"])
    assert stop.value.code in (0, None)
    told = capsys.readouterr().out
    assert "bias budget" in told
    assert f"rows: {out}" in told
    assert len(read_table(out)) > 300
