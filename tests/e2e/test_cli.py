"""The command line end to end: what it prints, what it writes, and how it refuses bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from tests.e2e.interrupts import start

from myoproof.delivery.nifti import write
from myoproof.phantoms.dixon import demo_scans
from myoproof.workflow.templates import write_example

BINARY = Path(sys.executable).parent / "myoproof"


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BINARY), *(str(argument) for argument in arguments)]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


def refused(*arguments: object, cwd: Path) -> str:
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    return done.stderr


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan")
    phantom = demo_scans(rng=np.random.default_rng(5), n=1)[0]
    for name, values in phantom.acquisition.payload.channels.items():
        write(values, phantom.acquisition.payload.affine, folder / f"{name}.nii.gz")
    write(phantom.segmentation.labels, phantom.segmentation.affine, folder / "mask.nii.gz")
    return folder


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "set"
    write_example("als-nmus-phenotypes", folder)
    return folder


def dixon(scan: Path, **changed: Path | str) -> list[object]:
    files: dict[str, object] = {
        "fat": scan / "fat.nii.gz",
        "water": scan / "water.nii.gz",
        "segmentation": scan / "mask.nii.gz",
        "labels": "huashan11",
        **changed,
    }
    return [part for name, value in files.items() for part in (f"--{name}", value)]


def rewrite(source: Path, target: Path, change: object) -> Path:
    image = nib.load(source)
    values = np.asanyarray(image.dataobj).astype(np.float32)
    changed, affine = change(values, image.affine.copy())  # type: ignore[operator]
    nib.save(nib.Nifti1Image(changed, affine), target)
    return target


def test_measure_writes_rows_a_record_and_a_picture(scan: Path, tmp_path: Path) -> None:
    done = run(
        "measure",
        "dixon",
        *dixon(scan),
        "--out",
        "rows.csv",
        "--qc",
        "qc.svg",
        "--side-by-side",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "sartorius" in done.stdout
    rows = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False)
    assert {"left", "right", "both"} <= set(rows["side"])
    assert rows["provenance"].nunique() == 1
    assert (tmp_path / "qc.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "qc.svg",
        "rows.csv",
        "rows.csv.provenance.json",
    ]


def test_provenance_follows_parameters_and_raw_files(scan: Path, tmp_path: Path) -> None:
    for name, more in (("a", []), ("b", ["--side-by-side"]), ("c", ["--rater", "second"])):
        assert (
            run("measure", "dixon", *dixon(scan), *more, "--out", f"{name}.csv", cwd=tmp_path).returncode == 0
        )
    ids = {name: pd.read_csv(tmp_path / f"{name}.csv")["provenance"].iloc[0] for name in "abc"}
    assert len(set(ids.values())) == 3
    record = json.loads((tmp_path / "b.csv.provenance.json").read_text(encoding="utf-8"))
    assert record["id"] == ids["b"]
    assert record["parameters"]["side_by_side"] is True
    assert len(record["inputs"]) == 3


def test_rows_of_several_readers_and_subjects_meet_in_one_study_folder(scan: Path, tmp_path: Path) -> None:
    for subject, rater in (("p1", "r1"), ("p1", "r2"), ("p2", "r1")):
        who = ["--subject", subject, "--rater", rater]
        done = run(
            "measure", "dixon", *dixon(scan), *who, "--out", "rows.csv", "--into", "study", cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    sql = "SELECT subject, rater, count(*) > 100 AS many FROM measurements GROUP BY ALL ORDER BY ALL"
    done = run("query", sql, "--cohort", "study", cwd=tmp_path)
    assert done.stdout.split() == ["subject,rater,many", "p1,r1,True", "p1,r2,True", "p2,r1,True"]
    done = run(
        "query",
        "SELECT count(*) AS n, min(length(digest)) AS d FROM acquisitions",
        "--cohort",
        "study",
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["n,d", "2,16"]
    refused("measure", "dixon", *dixon(scan), "--out", "rows.csv", "--into", str(scan), cwd=tmp_path)


def test_same_scan_twice_gives_the_same_bytes(scan: Path, tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        assert run("measure", "dixon", *dixon(scan), "--out", name, cwd=tmp_path).returncode == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_disk_that_fills_leaves_the_earlier_rows(scan: Path, tmp_path: Path, name: str) -> None:
    """A limit on file size stands for the full disk: the write fails in its middle."""
    (tmp_path / name).write_text("earlier", encoding="utf-8")
    command = ["bash", "-c", 'ulimit -f 8; exec "$@"', "limited", str(BINARY), "measure", "dixon"]
    command += [*map(str, dixon(scan)), "--out", name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {name}: cannot be written")
    assert (tmp_path / name).read_text(encoding="utf-8") == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def bad_scans(scan: Path, folder: Path) -> dict[str, tuple[list[object], str]]:
    def grid(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        affine[0, 3] += 0.01
        return values, affine

    def hole(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mask = np.asanyarray(nib.load(scan / "mask.nii.gz").dataobj)
        values[tuple(np.argwhere(mask == 3)[0])] = np.nan
        return values, affine

    def negative(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mask = np.asanyarray(nib.load(scan / "mask.nii.gz").dataobj)
        spots = np.argwhere(mask == 3)
        values[tuple(spots[: len(spots) // 20].T)] = -1
        return values, affine

    fat = scan / "fat.nii.gz"
    (folder / "cut.nii.gz").write_bytes(fat.read_bytes()[:2000])
    (folder / "text.nii").write_text("not an image", encoding="utf-8")
    (folder / "labels.csv").write_text("label,site,side\n1,sartorius,left\n", encoding="utf-8")
    return {
        "shape": (dixon(scan, fat=rewrite(fat, folder / "a.nii.gz", lambda v, a: (v[:-1], a))), "shape"),
        "grid": (dixon(scan, fat=rewrite(fat, folder / "b.nii.gz", grid)), "mm"),
        "4-D": (
            dixon(scan, fat=rewrite(fat, folder / "c.nii.gz", lambda v, a: (np.stack([v, v], 3), a))),
            "4 dimensions",
        ),
        "nan": (dixon(scan, fat=rewrite(fat, folder / "d.nii.gz", hole)), "not finite"),
        "negative": (dixon(scan, fat=rewrite(fat, folder / "e.nii.gz", negative)), "negative"),
        "truncated": (dixon(scan, fat=folder / "cut.nii.gz"), "cut.nii.gz"),
        "foreign": (dixon(scan, fat=folder / "text.nii"), "text.nii"),
        "absent": (dixon(scan, fat=folder / "nowhere.nii"), "nowhere.nii"),
        "label": (dixon(scan, labels=folder / "labels.csv"), "scheme"),
        "scheme": (dixon(scan, labels="huashan12"), "huashan11"),
    }


def test_bad_scans_are_refused_and_nothing_is_written(scan: Path, tmp_path: Path) -> None:
    inputs, outputs = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    outputs.mkdir()
    for name, (arguments, word) in bad_scans(scan, inputs).items():
        message = refused("measure", "dixon", *arguments, "--out", "rows.csv", "--qc", "qc.svg", cwd=outputs)
        assert word in message, f"{name}: {message}"
        assert list(outputs.iterdir()) == [], name


def test_bad_studies_are_refused(example: Path, tmp_path: Path) -> None:
    toml = next(example.glob("*.toml")).read_text(encoding="utf-8")
    cohort = example / "cohort"
    cases = {
        "unknown key": (toml.replace("seed =", "sead ="), "did you mean 'seed'"),
        "missing feature": (toml.replace('measure = "echogenicity"', 'measure = "muscle_t2"'), "muscle_t2"),
        "outcome is a feature": (toml.replace('measure = "nerve_cross_sectional_area"', 'measure = "alsfrs_r"'), "outcome"),
        "nobody left": (toml.replace('arm = ["als"]', 'arm = ["sma"]'), "no subject is left"),
    }  # fmt: skip
    for name, (text, word) in cases.items():
        assert text != toml, name
        (tmp_path / "study.toml").write_text(text, encoding="utf-8")
        message = refused("study", "run", "study.toml", "--cohort", cohort, "--out", "result", cwd=tmp_path)
        assert word in message, f"{name}: {message}"
        assert not (tmp_path / "result").exists(), name


def test_bad_cohorts_are_refused(example: Path, tmp_path: Path) -> None:
    toml = next(example.glob("*.toml"))
    rows = pd.read_csv(example / "cohort" / "measurements.csv", keep_default_na=False, dtype=str)
    people = pd.read_csv(example / "cohort" / "subjects.csv", keep_default_na=False, dtype=str)
    few = people.head(3)
    cases: dict[str, tuple[pd.DataFrame, pd.DataFrame, str]] = {
        "key twice": (pd.concat([rows, rows.head(1)]), people, "a key occurs twice"),
        "wrong unit": (
            rows.assign(unit=rows["unit"].replace("mm", "cm")),
            people,
            "wrong unit for thickness",
        ),
        "stranger": (rows, people.iloc[1:], "not in the subjects table"),
        "identity": (rows, people.assign(date_of_birth="1961-02-03"), "identity"),
        "few": (rows[rows["subject"].isin(few["subject"])], few, "subjects"),
    }
    for name, (measurements, subjects, word) in cases.items():
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(example / "cohort", folder)
        measurements.to_csv(folder / "measurements.csv", index=False)
        subjects.to_csv(folder / "subjects.csv", index=False)
        if name in ("stranger", "few"):
            for table in ("acquisitions", "covariates", "events"):
                frame = pd.read_csv(folder / f"{table}.csv")
                frame[frame["subject"].isin(subjects["subject"])].to_csv(folder / f"{table}.csv", index=False)
        message = refused("study", "run", toml, "--cohort", folder, "--out", "result", cwd=tmp_path)
        assert word in message, f"{name}: {message}"
        assert not (tmp_path / "result").exists(), name


def test_foreign_output_folders_are_refused(example: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.docx").write_text("years", encoding="utf-8")
    toml = next(example.glob("*.toml"))
    for arguments in (
        ("study", "run", toml, "--cohort", example / "cohort", "--out", "thesis"),
        ("study", "template", "als-mri-progression", "--example", "thesis"),
        ("demo", "--out", "thesis"),
    ):
        assert "holds something else" in refused(*arguments, cwd=tmp_path)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.docx"]


def test_an_interrupt_leaves_the_earlier_result(example: Path, tmp_path: Path) -> None:
    result = tmp_path / "result"
    result.mkdir()
    (result / "myoproof.json").write_text('{"format": 1, "kind": "result"}', encoding="utf-8")
    (result / "earlier.txt").write_text("earlier", encoding="utf-8")
    text = next(example.glob("*.toml")).read_text(encoding="utf-8")
    toml = tmp_path / "long.toml"
    toml.write_text(text.replace("\nresamples = 1000 ", "\nresamples = 1000000 "), encoding="utf-8")
    command = [
        str(BINARY),
        "study",
        "run",
        str(toml),
        "--cohort",
        str(example / "cohort"),
        "--out",
        str(result),
    ]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(8)
        assert process.poll() is None, "the run ended before it could be interrupted"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.strip() == "interrupted; what was finished before is unchanged"
    assert sorted(path.name for path in result.iterdir()) == ["earlier.txt", "myoproof.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.toml", "result"]


def test_validate_and_query_and_list(scan: Path, example: Path, tmp_path: Path) -> None:
    assert run("measure", "dixon", *dixon(scan), "--out", "a.csv", cwd=tmp_path).returncode == 0
    assert (
        run("measure", "dixon", *dixon(scan), "--rater", "other", "--out", "b.csv", cwd=tmp_path).returncode
        == 0
    )
    done = run(
        "validate", "a.csv", "--against", "b.csv", "--across", "rater", "--out", "evidence.csv", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    evidence = pd.read_csv(tmp_path / "evidence.csv")
    bias = evidence[evidence["metric"].str.contains("bias")]
    assert len(bias) > 0
    assert (bias["value"] == 0).all()
    done = run("query", "SELECT count(*) AS n FROM subjects", "--cohort", example / "cohort", cwd=tmp_path)
    assert done.stdout.split() == ["n", "454"]
    for kind in (
        "sources",
        "phantoms",
        "segmenters",
        "measures",
        "studies",
        "checks",
        "writers",
        "templates",
    ):
        listed = run("list", kind, cwd=tmp_path)
        assert listed.returncode == 0
        assert listed.stdout.strip(), kind
    assert "did you mean 'studies'" in refused("list", "studys", cwd=tmp_path)
