"""A cine file becomes rows: read in a child, muscle outlined, events counted; the command says so."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from myoproof.cli.app import app
from myoproof.core.table import read_table
from myoproof.delivery.ultrasound_files import write
from myoproof.errors import UnknownName
from myoproof.phantoms.bmode_cine import CineParams, cine
from myoproof.phantoms.bmode_motion import NOTHING
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.workflow.fasciculation import Clip, measure_fasciculations


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    view = BmodeParams(shape=(120, 160), depth_mm=40.0, site="biceps_brachii")
    params = CineParams(view, 30.0, 2.0, 1, disturbances=NOTHING)
    path = tmp_path_factory.mktemp("cine") / "clip.dcm"
    write(cine(rng=np.random.default_rng(1), params=params).acquisition, path)
    return path


def test_a_file_becomes_rows_with_provenance(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    done = measure_fasciculations(file, Clip("biceps", side="left", subject="s1", whole_view=True), out=out)
    rows = read_table(out)
    assert rows["value"].tolist() == done.rows["value"].tolist()
    assert set(rows["rater"]) == {"whole-view"}
    assert rows["flags"].str.contains("whole_view_searched").all()
    assert set(rows["run"]) == {"clip"}
    assert set(rows["site"]) == {"biceps_brachii"}
    assert rows["provenance"].str.len().eq(12).all()


def test_the_command_counts(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    arguments = ["measure", "fasciculations", str(file), "--muscle", "BIC", "--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "fasciculation_count" in done.output
    assert "fasciculation_count" in set(read_table(out)["measure"])


def test_an_unknown_muscle_is_refused(file: Path) -> None:
    with pytest.raises(UnknownName):
        measure_fasciculations(file, Clip("bicepts majorus"))
