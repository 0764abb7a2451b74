"""`myoproof measure ultrasound` end to end: rows, names of runs, refusals, and bad input."""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.e2e.test_cli import refused, run

from myoproof.delivery.ultrasound_files import write
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two muscles, the second mirrored too, one of a name that occurs twice, one without a muscle, one cut short."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "left").mkdir()
    (folder / "right").mkdir()
    one = frame(rng=np.random.default_rng(3), params=BmodeParams(rises="right")).acquisition
    two = frame(rng=np.random.default_rng(5), params=BmodeParams(device="device-c")).acquisition
    write(one, folder / "one.dcm")
    write(one, folder / "left" / "vl.png")
    write(two, folder / "right" / "vl.png")
    grey = cv2.imread(str(folder / "right" / "vl.png"), 0)
    cv2.imwrite(str(folder / "mirrored.png"), np.ascontiguousarray(grey[:, ::-1]))
    write(
        frame(rng=np.random.default_rng(1), params=BmodeParams(view="reference")).acquisition,
        folder / "empty.png",
    )
    whole = (folder / "left" / "vl.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="module")
def done(scans: Path) -> tuple[subprocess.CompletedProcess[str], pd.DataFrame]:
    answer = run(
        "measure", "ultrasound", scans, "--muscle", "VL", "--side", "left", "--out", "rows.csv", cwd=scans
    )
    assert answer.returncode == 0, answer.stderr
    return answer, pd.read_csv(scans / "rows.csv", keep_default_na=False, na_values={"value": [""]})


def value(rows: pd.DataFrame, run: str, measure: str) -> float:
    here = rows[(rows["run"] == run) & (rows["measure"] == measure) & (rows["at"] == "")]
    assert len(here) == 1
    return float(here["value"].iloc[0])


def test_a_row_set_per_image_under_the_file_name(
    done: tuple[subprocess.CompletedProcess[str], pd.DataFrame],
) -> None:
    rows = done[1]
    assert set(rows["run"]) == {"one", "left/vl", "right/vl", "mirrored", "empty", "cut"}
    muscle = rows[rows["site"] == "vastus_lateralis"]
    assert set(muscle["side"]) == {"left"}
    for measure in ("thickness", "thickness_deep_end", "fascicle_angle", "aponeurosis_angle", "echogenicity"):
        assert measure in set(muscle.loc[muscle["run"] == "one", "measure"])


def test_millimetres_where_the_file_tells_a_scale_and_pixels_elsewhere(
    done: tuple[subprocess.CompletedProcess[str], pd.DataFrame],
) -> None:
    rows = done[1]
    thickness = rows[rows["measure"] == "thickness"].set_index("run")
    assert thickness.loc["one", "unit"] == "mm"
    assert 8 < thickness.loc["one", "value"] < 60
    assert thickness.loc["left/vl", "unit"] == "px"
    assert "uncalibrated" in thickness.loc["left/vl", "flags"]


def test_a_mirrored_image_measures_the_same(
    done: tuple[subprocess.CompletedProcess[str], pd.DataFrame],
) -> None:
    rows = done[1]
    for measure, tolerance in (("thickness", 2.0), ("thickness_deep_end", 3.0), ("fascicle_angle", 1.0)):
        assert value(rows, "mirrored", measure) == pytest.approx(
            value(rows, "right/vl", measure), abs=tolerance
        )


def test_no_muscle_and_a_cut_file_are_rows_with_reasons_and_are_told(
    done: tuple[subprocess.CompletedProcess[str], pd.DataFrame],
) -> None:
    answer, rows = done
    empty = rows[(rows["run"] == "empty") & (rows["measure"] == "thickness")]
    assert empty["value"].isna().all()
    assert set(empty["absent"]) <= {"no_muscle_found", "low_confidence"}
    assert rows.loc[rows["run"] == "cut", "absent"].tolist() == ["unreadable"]
    assert "6 images, 1 refused, 1 unreadable" in answer.stdout
    assert "cut short" in answer.stderr
    assert "refused: empty" in answer.stderr


def test_pixels_wins_over_the_files_scale(scans: Path, tmp_path: Path) -> None:
    answer = run(
        "measure",
        "ultrasound",
        scans / "one.dcm",
        "--muscle",
        "VL",
        "--pixels",
        "--out",
        "px.csv",
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    rows = pd.read_csv(tmp_path / "px.csv")
    assert set(rows.loc[rows["measure"] == "thickness", "unit"]) == {"px"}
    assert set(rows["run"]) == {"one"}


def test_bad_input_is_one_message(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    told = refused("measure", "ultrasound", scans, "--muscle", "vastus_laterlis", "--out", out, cwd=tmp_path)
    assert "did you mean 'vastus_lateralis'" in told
    shutil.copy(scans / "cut.png", tmp_path / "cut.png")
    assert "cut short" in refused(
        "measure", "ultrasound", "cut.png", "--muscle", "VL", "--out", out, cwd=tmp_path
    )
    assert out.exists()
    assert "no such file" in refused(
        "measure", "ultrasound", "no.png", "--muscle", "VL", "--out", out, cwd=tmp_path
    )
