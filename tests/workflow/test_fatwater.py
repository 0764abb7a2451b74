"""`fatwater` as an act: maps on the input grid, provenance, and clean refusals; through the command too."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.io import savemat
from tests.numerics import fatwater_scenes as scenes

from myoproof.cli.app import main
from myoproof.errors import InvalidInput, UnknownName
from myoproof.workflow.fatwater import MAPS, FatWaterOptions, fatwater


@pytest.fixture(scope="module")
def scene():
    return scenes.legs(rng=np.random.default_rng(1), n=48, slices=2, field=100.0)


def mat(path: Path, scene, **changes) -> Path:
    fields = {"images": scene.values[:, :, :, None], "TE": scene.echo_times_s, "FieldStrength": 3.0} | changes
    savemat(path, {"imDataParams": fields})
    return path


def test_maps_lie_on_the_input_grid_with_their_provenance(tmp_path: Path, scene) -> None:
    done = fatwater([mat(tmp_path / "a.mat", scene)], tmp_path / "maps", jobs=2)
    for name in MAPS:
        image = nib.load(tmp_path / "maps" / f"{name}.nii.gz")
        assert image.shape == scene.pdff.shape
        assert (image.affine == np.eye(4)).all()
    pdff = nib.load(tmp_path / "maps" / "pdff.nii.gz").get_fdata()
    assert np.median(np.abs(pdff - scene.pdff)[scene.tissue]) < 0.02
    assert not pdff[nib.load(tmp_path / "maps" / "confidence.nii.gz").get_fdata() == 0].any()
    record = json.loads((tmp_path / "maps" / "fatwater.json").read_text())
    assert record["act"] == "fatwater@1"
    assert record["found"]["precession sign"] == "+1"
    assert len(done.budget) > 2


def test_the_command_prints_what_it_did(tmp_path: Path, scene, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fatwater", str(mat(tmp_path / "a.mat", scene)), "--out", str(tmp_path / "maps"), "-j", "1"]
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    told = capsys.readouterr().out
    assert "6 at 1.15" in told
    assert "precession sign" in told
    assert "1/s" in told


def test_unknown_choices_and_a_missing_field_strength_are_refused(tmp_path: Path, scene) -> None:
    path = mat(tmp_path / "a.mat", scene)
    with pytest.raises(UnknownName, match="hamilton"):
        fatwater([path], tmp_path / "maps", options=FatWaterOptions(spectrum="butter"))
    with pytest.raises(InvalidInput, match="FieldStrength"):
        fatwater([mat(tmp_path / "b.mat", scene, FieldStrength=np.zeros(0))], tmp_path / "maps")
    assert not (tmp_path / "maps").exists()
