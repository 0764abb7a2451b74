"""From image files to masks and rows: names, scales, foreign and broken files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from myoproof.cli.app import app
from myoproof.core.acquisition import Picture
from myoproof.core.table import read_table
from myoproof.errors import InvalidInput, NotReadable
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation.nerve import RATER
from myoproof.workflow import nerve


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of one name, an inverted one, and a text that calls itself an image."""
    place = tmp_path_factory.mktemp("nerves")
    params = BmodeParams(view="nerve", site="median_wrist", shape=(240, 256))
    picture = frame(rng=np.random.default_rng(4), params=params).acquisition.payload
    assert isinstance(picture, Picture)
    grey = picture.pixels[0, ..., 0]
    for name in ("left", "right"):
        (place / name).mkdir()
        cv2.imwrite(str(place / name / "wrist.png"), grey)
    cv2.imwrite(str(place / "turned.png"), 255 - grey)
    (place / "broken.png").write_text("no image")
    return place


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[nerve.Many, Path]:
    out = tmp_path_factory.mktemp("masks") / "new"
    look = nerve.Look(site="median_wrist", side="left", subject="p1", spacing_mm=0.1)
    return nerve.segment_images([folder], look, out=out, jobs=1), out


def test_each_image_has_a_mask_of_its_size(done: tuple[nerve.Many, Path]) -> None:
    _, out = done
    assert {path.name for path in out.iterdir()} == {
        "left_wrist.png",
        "right_wrist.png",
        "turned.png",
        "rows.csv",
    }
    for name in ("left_wrist", "turned"):
        mask = cv2.imread(str(out / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert (mask.dtype, mask.shape) == (np.uint8, (240, 256))
        assert set(np.unique(mask)) <= {0, 1, 2}


def test_rows_are_written_with_scale_names_and_flags(done: tuple[nerve.Many, Path]) -> None:
    many, out = done
    rows = read_table(out / "rows.csv")
    assert len(rows) == len(many.rows)
    assert set(rows["run"]) == {"left/wrist", "right/wrist", "turned", "broken"}
    assert set(rows["rater"]) == {RATER}
    area = rows[(rows["measure"] == "nerve_cross_sectional_area") & (rows["run"] != "broken")]
    assert set(area["unit"]) == {"mm2"}
    assert set(area["site"]) == {"median_wrist"}
    turned = rows[rows["run"] == "turned"]
    assert all("outside_training_domain" in flags for flags in turned["flags"])
    assert set(turned["quality"]) == {"fail"}


def test_a_broken_file_is_a_row_with_its_reason_and_stops_nothing(done: tuple[nerve.Many, Path]) -> None:
    many, _ = done
    assert set(many.faults) == {"broken"}
    lost = many.rows[many.rows["run"] == "broken"]
    assert list(lost["absent"]) == ["unreadable"]
    assert many.images == 4


def test_nothing_readable_is_an_error_and_its_rows_are_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match=r"broken\.png"):
        nerve.segment_images([folder / "broken.png"], nerve.Look(), out=tmp_path)
    assert list(read_table(tmp_path / "rows.csv")["absent"]) == ["unreadable"]


@pytest.mark.parametrize(
    ("look", "text"),
    [
        (nerve.Look(site="median_wirst"), "median_wrist"),
        (nerve.Look(site="sartorius"), "no nerve"),
        (nerve.Look(side="up"), "no side"),
    ],
)
def test_unknown_names_are_refused_before_any_file(look: nerve.Look, text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=text):
        nerve.segment_images([tmp_path / "absent.png"], look, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_says_how_many_and_where(folder: Path, tmp_path: Path) -> None:
    images = [str(folder / "left" / "wrist.png"), str(folder / "broken.png")]
    said = CliRunner().invoke(
        app, ["segment", "nerve", *images, "--out", str(tmp_path), "--pixels", "-j", "1"]
    )
    assert said.exit_code == 0, said.output
    assert "2 images" in said.output
    assert "1 unreadable" in said.output
    rows = read_table(tmp_path / "rows.csv")
    assert "px2" in set(rows["unit"])
    assert (tmp_path / "wrist.png").exists()


def test_an_image_upside_down_is_out_of_domain(folder: Path, tmp_path: Path) -> None:
    grey = cv2.imread(str(folder / "left" / "wrist.png"), 0)
    cv2.imwrite(str(tmp_path / "turned.png"), np.ascontiguousarray(grey[::-1]))
    task = {
        "path": str(tmp_path / "turned.png"),
        "run": "turned",
        "look": {},
        "target": str(tmp_path / "mask"),
    }
    rows = nerve.job(task)["rows"]
    assert all("outside_training_domain" in row["flags"] for row in rows)
    assert {row["quality"] for row in rows} == {"fail"}


@pytest.mark.real_data
def test_real_nerves_are_inside_and_muscle_is_not(data_folder: Path, tmp_path: Path) -> None:
    nerves = sorted((data_folder / "us_nerve" / "images").glob("*.png"))[::40]
    muscles = sorted((data_folder / "us_muscle" / "dataset 1" / "S1").glob("*.png"))[:3]
    many = nerve.segment_images([*nerves, *muscles], nerve.Look(), out=tmp_path, jobs=1)
    assert {path.stem for path in muscles} <= set(many.outside)
    assert len(many.outside) <= len(muscles) + 1, "one image in twenty of those learnt is flagged"
    for path in nerves:
        drawn = cv2.imread(str(path.parents[1] / "masks" / path.name))[..., 2] > 64
        found = cv2.imread(str(tmp_path / path.name), cv2.IMREAD_UNCHANGED) == 1
        assert 2 * (drawn & found).sum() / (drawn.sum() + found.sum()) > 0.5, "an image it has learnt"
