"""A run over ultrasound end to end: tables, contact sheet, replicates, readers, bad files, kills and changes."""

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.e2e.interrupts import start

from myoproof.core.segmentation import Segmentation
from myoproof.core.table import read_table
from myoproof.delivery.ultrasound_files import write
from myoproof.errors import InvalidInput, NotReadable
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_files, ultrasound_run

BINARY = Path(sys.executable).parent / "myoproof"
SIMULATED = ultrasound_run.Options(simulated=True, images=True)
QUICK = ultrasound_run.How(jobs=2, tries=2)
MADE = ("tables", "delivery", "segmentations", "provenance", "derivatives")


def put(
    path: Path, *, site: str = "vastus_lateralis", view: str = "longitudinal", seed: int = 0
) -> Segmentation:
    """A simulated image as a file; its true regions."""
    params = BmodeParams(site=site, view=view, screen=path.suffix != ".dcm")
    made = frame(rng=np.random.default_rng(seed), params=params)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(made.acquisition, path)
    return made.segmentation


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in (1, 2, 3):
        truth = put(folder / "sub-01" / "ses-m00" / f"VL_left_{number}.png", seed=number)
        if number == 1:
            mask = truth.labels[0].astype(np.uint8)
            cv2.imwrite(str(folder / "sub-01" / "ses-m00" / "VL_left_1.anna.png"), mask)
    put(folder / "sub-02" / "ses-m06" / "median wrist right.dcm", site="median_wrist", view="nerve", seed=7)
    (folder / "sub-02" / "ses-m06" / "VL_right.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    return folder


@pytest.fixture(scope="module")
def reference(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    outcome = ultrasound_run.run(images, out, options=SIMULATED, how=QUICK)
    assert (outcome.done, outcome.skipped, outcome.quarantined) == (3, 0, {})
    return out


def tree(out: Path) -> dict[str, str]:
    """Everything made for people and for studies, by content."""
    files = [path for place in MADE for path in (out / place).rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): ledger_files.sha256(path) for path in files}


def rows_of(out: Path) -> pd.DataFrame:
    return study_folder.read_cohort(out).measurements


def test_a_run_makes_a_study_folder_that_every_command_reads(reference: Path) -> None:
    cohort = study_folder.read_cohort(reference)
    assert set(cohort.subjects["subject"]) == {"sub-01", "sub-02"}
    rows = cohort.measurements
    assert {"thickness", "fascicle_angle", "echogenicity", "nerve_cross_sectional_area"} <= set(
        rows["measure"]
    )
    assert rows["flags"].str.contains("simulated").all()
    assert set(rows["provenance"]) == {path.stem for path in (reference / "provenance").glob("*.json")}
    visits = cohort.acquisitions.set_index("run")
    assert visits.loc["vastus_lateralis-left-longitudinal", "protocol"] == "longitudinal"
    assert visits.loc["median_wrist-right-transverse", "device"] == "device-a"
    assert visits.loc["median_wrist-right-transverse", "session"] == "m06"


def test_frames_are_replicates_with_their_mean(reference: Path) -> None:
    rows = rows_of(reference)
    own = rows[(rows["measure"] == "thickness") & (rows["rater"] != "anna") & (rows["subject"] == "sub-01")]
    by_place = own.set_index("at")["value"]
    frames = by_place[["image:1", "image:2", "image:3"]]
    assert by_place[""] == pytest.approx(frames.mean())
    repeated = pd.read_csv(reference / "tables" / "repeatability.csv")
    mine = repeated[
        repeated["population"].str.contains(r" thickness \[mm\]")
        & (repeated["metric"] == "standard_error_of_measurement")
    ]
    assert mine["value"].iloc[0] == pytest.approx(frames.std(), rel=1e-6)


def test_a_readers_mask_becomes_rows_of_another_rater(reference: Path) -> None:
    rows = rows_of(reference)
    drawn = rows[(rows["rater"] == "anna") & (rows["measure"] == "thickness")]
    assert set(drawn["at"]) == {"", "image:1"}
    truth = frame(
        rng=np.random.default_rng(1),
        params=BmodeParams(site="vastus_lateralis", view="longitudinal", screen=True),
    ).rows
    expected = truth[(truth["measure"] == "thickness") & (truth["at"] == "")]["value"].iloc[0]
    assert drawn["value"].iloc[0] == pytest.approx(expected, rel=0.03)


def test_a_damaged_file_is_an_absent_row_and_stops_nothing(reference: Path) -> None:
    rows = rows_of(reference)
    lost = rows[rows["run"] == "vastus_lateralis-right-longitudinal"]
    assert lost["absent"].tolist() == ["unreadable"]
    assert "could not be read" in (reference / "delivery" / "ultrasound.html").read_text()


def test_the_contact_sheet_shows_every_image_without_script(reference: Path) -> None:
    text = (reference / "delivery" / "ultrasound.html").read_text()
    assert text.count('src="data:image/jpeg;base64,') == 4
    for told in (
        "SIMULATED DATA",
        "Not a medical device",
        "VL_left_2.png",
        "drawn by anna",
        "fascicle angle",
    ):
        assert told in text
    assert "<script" not in text
    assert "NOBODY" not in text


def test_kept_images_show_tissue_alone(reference: Path, images: Path) -> None:
    kept = sorted((reference / "derivatives" / "images").glob("sub-01*.png"))
    assert len(kept) == 3
    before = cv2.imread(str(images / "sub-01" / "ses-m00" / "VL_left_1.png"), 0)
    after = cv2.imread(str(kept[0]), 0)
    assert before[:40].max() > 200
    assert after[:40].max() == 0


@pytest.mark.slow
def test_the_cli_skips_what_is_finished_and_the_answer_is_the_same_for_any_jobs(
    images: Path, reference: Path, tmp_path: Path
) -> None:
    words = [str(BINARY), "run", "ultrasound", str(images), "--out", str(tmp_path / "out")]
    words += ["--simulated", "--images", "--jobs", "1"]
    first = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "3 muscles or nerves measured, 0 finished before" in first.stdout
    assert "3 images, thickness" in first.stderr
    assert tree(tmp_path / "out") == tree(reference)
    again = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "0 muscles or nerves measured, 3 finished before" in again.stdout


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(images: Path, reference: Path, tmp_path: Path) -> None:
    words = [str(BINARY), "run", "ultrasound", str(images), "--out", str(tmp_path / "out")]
    words += ["--simulated", "--images", "--jobs", "1"]
    with start(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as run:
        assert run.stderr is not None
        assert "1/3" in run.stderr.readline()
        run.kill()
    outcome = ultrasound_run.run(images, tmp_path / "out", options=SIMULATED, how=QUICK)
    assert outcome.skipped >= 1
    assert outcome.done + outcome.skipped == 3
    assert tree(tmp_path / "out") == tree(reference)


def test_unclear_names_are_told_all_at_once_with_a_manifest_to_fill_in(tmp_path: Path) -> None:
    for name in ("img_1.png", "img_2.png", "sub-03/VL and TA left.png"):
        put(tmp_path / "in" / name)
    with pytest.raises(InvalidInput, match="3 images") as told:
        ultrasound_run.run(tmp_path / "in", tmp_path / "out", how=QUICK)
    assert "img_2.png (whose, which muscle or nerve)" in str(told.value)
    assert "tibialis_anterior and vastus_lateralis are both named" in str(told.value)
    template = tmp_path / "out" / ultrasound_run.TEMPLATE
    filled = template.read_text().replace("img_1.png,,,,,,", "img_1.png,sub-09,m00,0,BB,left,trans")
    with template.open(newline="") as stream:
        assert [row["file"] for row in csv.DictReader(stream)] == [
            "img_1.png",
            "img_2.png",
            "sub-03/VL and TA left.png",
        ]
    assert filled != template.read_text()


def test_a_manifest_says_what_images_show(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.dcm")
    table = tmp_path / "manifest.csv"
    table.write_text(
        "file;subject;session;day;muscle;side;device;preset\n"
        "a.dcm;sub-09;m03;91;vastus lateralis;re;Maker X;MSK\n"
    )
    what = ultrasound_run.What(manifest=table)
    outcome = ultrasound_run.run(tmp_path / "in", tmp_path / "out", what=what, how=QUICK)
    assert outcome.done == 1
    visit = study_folder.read_cohort(tmp_path / "out").acquisitions.iloc[0]
    assert (visit["subject"], visit["session"], visit["day"]) == ("sub-09", "m03", 91)
    assert (visit["device"], visit["preset"]) == ("Maker X", "MSK")
    rows = read_table(tmp_path / "out" / "tables" / "measurements.csv")
    assert set(rows["side"]) == {"right"}
    assert set(rows["at"].str.startswith("image:")) == {False}


def test_faults_of_a_manifest_are_told_all_at_once(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.png")
    table = tmp_path / "manifest.csv"
    what = ultrasound_run.What(manifest=table)
    table.write_text(
        "file,subject,muscle,side,day\na.png,s1,vastus laterlis,left,0\nb.png,s1,TA,up,soon\na.png,s1,TA,left,0\n"
    )
    with pytest.raises(InvalidInput) as told:
        ultrasound_run.run(tmp_path / "in", tmp_path / "out", what=what)
    for fault in ("vastus_lateralis", "no file 'b.png'", "side is 'up'", "day is 'soon'", "named twice"):
        assert fault in str(told.value)
    table.write_text("file,subjekt\na.png,s1\n")
    with pytest.raises(InvalidInput, match="'subjekt' is not known"):
        ultrasound_run.run(tmp_path / "in", tmp_path / "out", what=what)


def test_folders_without_images_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(NotReadable, match="no image"):
        ultrasound_run.run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(NotReadable, match="no such folder"):
        ultrasound_run.run(tmp_path / "nowhere", tmp_path / "out")
