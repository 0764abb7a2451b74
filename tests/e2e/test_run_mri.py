"""A run over muscle MRI end to end: tables, pages, bad scans, kills, changes and two runs at once."""

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.e2e.interrupts import start
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import SIEMENS

from myoproof.core.table import read_table
from myoproof.delivery.nifti import write
from myoproof.errors import NotReadable, NotWritable
from myoproof.phantoms.dixon import ThighParams, thigh
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_files, mri
from myoproof.workflow.ledger import opened

BINARY = Path(sys.executable).parent / "myoproof"
SMALL = ThighParams(n_slices=3, voxel_mm=2.5, matrix=(86, 80))
SIMULATED = mri.Options(simulated=True)
QUICK = mri.How(jobs=2, tries=2)
MADE = ("tables", "delivery", "segmentations", "provenance", "derivatives")


def put_scan(folder: Path, seed: int, *, mask: bool = True) -> Path:
    phantom = thigh(rng=np.random.default_rng(seed), params=SMALL)
    for name, values in phantom.acquisition.payload.channels.items():
        write(values, phantom.acquisition.payload.affine, folder / f"{name}.nii.gz")
    if mask:
        write(phantom.segmentation.labels, phantom.segmentation.affine, folder / "mask.nii.gz")
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    for number in range(2):
        put_scan(folder / f"p{number}", number)
    return folder


@pytest.fixture(scope="module")
def reference(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    outcome = mri.run(scans, out, options=SIMULATED, how=QUICK)
    assert (outcome.done, outcome.skipped, outcome.quarantined) == (2, 0, {})
    return out


def command(scans: Path, out: Path, *more: str) -> list[str]:
    return [str(BINARY), "run", "mri", str(scans), "--out", str(out), "--simulated", *more]


def tree(out: Path) -> dict[str, str]:
    """Everything made for people and for studies, by content."""
    files = [path for place in MADE for path in (out / place).rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): ledger_files.sha256(path) for path in files}


def test_a_run_makes_a_study_folder_that_every_command_reads(reference: Path) -> None:
    cohort = study_folder.read_cohort(reference)
    assert set(cohort.subjects["subject"]) == {"sub-p0", "sub-p1"}
    rows = cohort.measurements
    assert {"fat_fraction", "volume", "cross_sectional_area"} <= set(rows["measure"])
    assert {"sartorius", "quadriceps", "subcutaneous_fat"} <= set(rows["site"])
    assert rows["flags"].str.contains("simulated").all()
    assert (rows.groupby("subject")["provenance"].nunique() == 1).all()
    records = {path.stem for path in (reference / "provenance").glob("*.json")}
    assert set(rows["provenance"]) == records
    pd.testing.assert_frame_equal(
        read_table(reference / "tables" / "measurements.csv")[["value"]], rows[["value"]], rtol=1e-12
    )


def test_every_scan_has_a_page_without_script_and_the_list_leads_to_it(reference: Path) -> None:
    listed = (reference / "delivery" / "scans.html").read_text()
    pages = sorted((reference / "delivery" / "scans").glob("*.html"))
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        assert f'href="scans/{page.name}"' in listed
        assert "<script" not in text + listed
        assert "SIMULATED DATA" in text
        assert "Not a medical device" in text
        assert page.stat().st_size < 3e6


def test_the_tables_are_the_same_for_any_number_of_jobs(scans: Path, reference: Path, tmp_path: Path) -> None:
    mri.run(scans, tmp_path / "out", options=SIMULATED, how=mri.How(jobs=1))
    assert tree(tmp_path / "out") == tree(reference)


def test_the_cli_measures_skips_and_tells(scans: Path, tmp_path: Path) -> None:
    words = command(scans / "p0", tmp_path / "out", "--no-maps")
    first = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "1 scans measured, 0 finished before" in first.stdout
    assert "1/1 sub-p0_ses-m00_dixon: done: 11 muscles by drawn, median fat fraction" in first.stderr
    assert " mL; " in first.stderr
    assert not (tmp_path / "out" / "derivatives").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "run" / "objects").rglob("*")}
    again = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "0 scans measured, 1 finished before" in again.stdout
    assert before == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "run" / "objects").rglob("*")
    }


def test_a_bad_scan_is_quarantined_with_its_reason_and_goes_on_when_mended(
    scans: Path, reference: Path, tmp_path: Path
) -> None:
    source, out = shutil.copytree(scans, tmp_path / "scans"), tmp_path / "out"
    cut = source / "p1" / "fat.nii.gz"
    cut.write_bytes(cut.read_bytes()[:5000])
    shutil.copytree(scans / "p0", source / "p2")
    write(np.zeros((4, 4, 4), np.uint16), np.eye(4), source / "p2" / "mask.nii.gz")
    done = subprocess.run(command(source, out), capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "1 scans measured" in done.stdout
    assert "quarantined: sub-p1_ses-m00_dixon" in done.stderr
    assert "the mask has shape (4, 4, 4)" in done.stderr
    assert "Traceback" not in done.stderr
    listed = (out / "delivery" / "scans.html").read_text()
    assert "Not measured" in listed
    assert "sub-p2_ses-m00_dixon" in listed
    assert set(study_folder.read_cohort(out).measurements["subject"]) == {"sub-p0"}
    shutil.copytree(scans / "p1", source / "p1", dirs_exist_ok=True)
    shutil.rmtree(source / "p2")
    outcome = mri.run(source, out, options=SIMULATED, how=QUICK)
    assert (outcome.done, outcome.skipped, outcome.quarantined) == (1, 1, {})
    assert tree(out) == tree(reference)


@pytest.mark.slow
def test_a_scan_that_wants_too_much_memory_fails_alone(scans: Path, tmp_path: Path) -> None:
    source = shutil.copytree(scans, tmp_path / "scans")
    fat = source / "p1" / "fat.nii.gz"
    header = bytearray(gzip.decompress(fat.read_bytes())[:352])
    header[40:56] = np.array([3, 30000, 30000, 300, 1, 1, 1, 1], dtype="<i2").tobytes()
    fat.write_bytes(gzip.compress(bytes(header) + bytes(100_000)))
    how = mri.How(jobs=2, tries=1, memory_gib=3.0)
    outcome = mri.run(source, tmp_path / "out", options=SIMULATED, how=how)
    assert list(outcome.quarantined) == ["sub-p1_ses-m00_dixon"]
    assert outcome.done == 1


@pytest.mark.slow
def test_changed_parameters_redo_and_changed_back_find_the_old(scans: Path, tmp_path: Path) -> None:
    source, out = scans / "p0", tmp_path / "out"
    mri.run(source, out, options=SIMULATED, how=QUICK)
    first = tree(out)
    other = mri.run(source, out, options=mri.Options(simulated=True, rater="reader2"), how=QUICK)
    assert (other.done, other.skipped) == (1, 0)
    raters = set(study_folder.read_cohort(out).measurements["rater"])
    assert "reader2" in raters
    assert "drawn" not in raters
    back = mri.run(source, out, options=SIMULATED, how=QUICK)
    assert (back.done, back.skipped) == (0, 1)
    kept = {name: digest for name, digest in tree(out).items() if name in first}
    assert kept == first


def test_a_folder_at_work_refuses_a_second_run(scans: Path, tmp_path: Path) -> None:
    study_folder.claim(tmp_path / "out", "study folder")
    with opened(tmp_path / "out"):
        done = subprocess.run(command(scans, tmp_path / "out"), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "another run is at work" in done.stderr


def test_foreign_folders_and_empty_sources_are_refused(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(NotWritable, match="holds something else"):
        mri.run(scans, tmp_path / "mine")
    with pytest.raises(NotReadable, match="no such folder"):
        mri.run(tmp_path / "absent", tmp_path / "out")


@pytest.mark.slow
def test_a_corrected_mask_of_a_run_is_never_taken_for_a_drawn_one_nor_lost(
    scans: Path, tmp_path: Path
) -> None:
    study = study_folder.claim(tmp_path / "study", "study folder")
    shutil.copytree(scans / "p0", study / "raw" / "p0")
    mri.run(study, study, options=SIMULATED, how=QUICK)
    (mask,) = (study / "segmentations").glob("*.nii.gz")
    mask.write_bytes(gzip.compress(gzip.decompress(mask.read_bytes())[:-1] + b"\x01"))
    outcome = mri.run(study, study, options=SIMULATED, how=QUICK)
    assert outcome.skipped == 1
    assert any("changed by hand" in note for note in outcome.notes)
    assert len(list((study / "segmentations").glob("*.nii.gz"))) == 2


def test_scans_without_muscles_have_absent_rows_with_a_reason(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for shift, name in enumerate(("water", "fat")):
        kind = ("DERIVED", "PRIMARY", "M", "ND", "DIXON", name.upper())
        make.classic(
            tmp_path / "export", make.whole(rng), SIEMENS.but(number=9 + shift, image_type=kind), word=name
        )
    outcome = mri.run(tmp_path / "export", tmp_path / "out", how=QUICK)
    assert (outcome.done, outcome.quarantined) == (1, {})
    rows = study_folder.read_cohort(tmp_path / "out").measurements
    muscles = rows[rows["site"] == "sartorius"]
    assert len(muscles)
    assert (muscles["absent"] == "out_of_domain").all()
    assert list((tmp_path / "out" / "raw").glob("sub-*"))
    again = mri.run(tmp_path / "export", tmp_path / "out", how=QUICK)
    assert (again.done, again.skipped) == (0, 1)


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished(scans: Path, reference: Path, tmp_path: Path) -> None:
    _stopped(scans, tmp_path / "out", signal.SIGINT, after=1)
    outcome = mri.run(scans, tmp_path / "out", options=SIMULATED, how=QUICK)
    assert outcome.skipped >= 1
    assert tree(tmp_path / "out") == tree(reference)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_one_try(scans: Path, reference: Path, tmp_path: Path) -> None:
    run = subprocess.Popen(command(scans, tmp_path / "out", "--jobs", "1"), stderr=subprocess.PIPE, text=True)
    worker = _worker_of(run.pid)
    os.kill(worker, signal.SIGKILL)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 0
    assert "its worker process was killed (SIGKILL" in told
    assert tree(tmp_path / "out") == tree(reference)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_again_and_again_ends_with_the_same_tables(
    scans: Path, reference: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        run = subprocess.Popen(
            command(scans, tmp_path / "out"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.5, 20.0))
        run.kill()
        run.wait()
    finished = _finished(tmp_path / "out")
    outcome = mri.run(scans, tmp_path / "out", options=SIMULATED, how=QUICK)
    assert outcome.skipped >= finished
    assert outcome.done + outcome.skipped == 2
    assert tree(tmp_path / "out") == tree(reference)


def _finished(out: Path) -> int:
    if not (out / "run").is_dir():
        return 0
    with opened(out) as ledger:
        return sum(entry.state == "done" for entry in ledger.entries())


def _stopped(scans: Path, out: Path, how: signal.Signals, *, after: int) -> None:
    """Start a run and stop it when so many scans are done."""
    words = command(scans, out, "--jobs", "1")
    run = start(words, stderr=subprocess.PIPE, start_new_session=True)
    assert run.stderr is not None
    for line in run.stderr:
        if f"{after}/2" in line:
            break
    os.killpg(run.pid, how)
    run.communicate(timeout=120)
    assert run.returncode == 130


def _worker_of(run: int) -> int:
    """The first worker process of a run, once it is at work."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        children = Path(f"/proc/{run}/task/{run}/children").read_text().split()
        for child in children:
            try:
                words = Path(f"/proc/{child}/cmdline").read_bytes()
                busy = sum(map(int, Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
            except OSError:
                continue
            if b"executors" in words and busy > 20:
                return int(child)
        time.sleep(0.05)
    raise AssertionError("no worker was seen")
