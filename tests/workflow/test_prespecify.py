"""An answer stands: the same study gives the same numbers, and what moved is told and amended with a reason."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.core.result import ESTIMATES, Result, estimates_frame, load_result, predictions_frame
from myoproof.core.study import read_study
from myoproof.core.table import read_table, write_table
from myoproof.delivery.methods import amendments
from myoproof.errors import InvalidInput, NotReadable
from myoproof.workflow.prespecify import AMENDMENTS, CHANGES, changes, read_log
from myoproof.workflow.templates import write_example
from myoproof.workflow.verbs import run_study

QUICK = {
    "null_replicates = 99": "null_replicates = 19",
    "resamples = 1000": "resamples = 20",
    "splits = 25": "splits = 2",
    "starts = 10 ": "starts = 2 ",
    "null_starts = 5": "null_starts = 1",
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A quick study and its simulated cohort."""
    folder = tmp_path_factory.mktemp("asked")
    toml = write_example("als-nmus-phenotypes", folder / "set")
    text = toml.read_text()
    for slow, quick in QUICK.items():
        assert slow in text
        text = text.replace(slow, quick)
    toml.write_text(text)
    cohort = folder / "set" / "cohort"
    some = pd.read_csv(cohort / "subjects.csv")["subject"][:90]
    for path in cohort.glob("*.csv"):
        table = pd.read_csv(path, keep_default_na=False)
        if "subject" in table:
            table[table["subject"].isin(some)].to_csv(path, index=False)
    return toml, cohort


@pytest.fixture(scope="module")
def answered(asked: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("answered") / "result"
    run_study(*asked, out)
    return out


def test_each_row_of_each_table_carries_the_study(answered: Path) -> None:
    study = load_result(answered).study
    for name in ("estimates", "predictions"):
        for suffix in ("csv", "parquet"):
            path = answered / f"{name}.{suffix}"
            table = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
            assert set(table["study"]) == {f"{study.name}@{study.digest}"}
    assert list(load_result(answered).estimates) == list(ESTIMATES)


def test_the_same_again_changes_nothing(asked: tuple[Path, Path], answered: Path) -> None:
    before = (answered / "estimates.csv").read_bytes()
    run_study(*asked, answered)
    assert (answered / "estimates.csv").read_bytes() == before
    assert not (answered / AMENDMENTS).exists()
    run_study(*asked, answered, amend="nothing did change")
    assert read_log(answered) == []


def test_moved_numbers_fail_with_a_diff_and_an_amendment_replaces_them(
    asked: tuple[Path, Path], tmp_path: Path
) -> None:
    toml, cohort = asked
    out, moved = tmp_path / "result", tmp_path / "cohort"
    run_study(toml, cohort, out)
    before = (out / "estimates.csv").read_bytes()
    moved.mkdir()
    for path in cohort.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    rows = read_table(moved / "measurements.csv")
    rows.loc[rows["measure"] == "alsfrs_r", "value"] = rows["value"].clip(upper=40)
    write_table(rows, moved / "measurements.csv")
    with pytest.raises(
        InvalidInput, match=r"numbers moved since the answer that stands.*outcome.*changed.csv"
    ):
        run_study(toml, moved, out)
    assert (out / "estimates.csv").read_bytes() == before
    told = pd.read_csv(out / CHANGES)
    assert set(told["table"]) == {"estimates"}
    run_study(toml, moved, out, amend="scores were capped")
    (entry,) = read_log(out)
    assert entry["reason"] == "scores were capped"
    assert entry["numbers_changed"] == len(told)
    assert entry["study_changes"] == []
    assert "scores were capped" in amendments({"s": [entry]})[0]


def test_a_question_changed_after_its_answer_is_refused(
    asked: tuple[Path, Path], answered: Path, tmp_path: Path
) -> None:
    toml, cohort = asked
    other = tmp_path / "other.toml"
    other.write_text(toml.read_text().replace("alpha = 0.05", "alpha = 0.10"))
    with pytest.raises(InvalidInput, match=r"changed after its answer \(method.alpha: 0.05 -> 0.1\)"):
        run_study(other, cohort, answered)
    out = tmp_path / "copy"
    run_study(toml, cohort, out)
    run_study(other, cohort, out, amend="a wider level")
    assert load_result(out).study.digest == read_study(other).digest
    assert read_log(out)[0]["study_changes"] == [["method.alpha", "0.05", "0.1"]]


def test_changes_name_each_cell_and_forgive_the_last_digits(answered: Path) -> None:
    stands = load_result(answered)
    assert changes(stands, stands).empty
    estimates = stands.estimates.copy()
    estimates["value"] *= 1 + 1e-11
    assert changes(stands, Result(stands.study, estimates, stands.predictions)).empty
    estimates.loc[3, "value"] *= 1.001
    estimates.loc[4, "flags"] = "moved"
    shorter = Result(stands.study, estimates, stands.predictions.iloc[1:])
    told = changes(stands, shorter)
    assert told["column"].tolist() == ["value", "flags", "row"]
    assert told["now"].tolist()[1:] == ["moved", "absent"]


def test_rows_of_one_key_are_told_apart(answered: Path) -> None:
    row = {"analysis": "a", "term": "t", "value": 1.0}
    study = load_result(answered).study
    one = Result(study, estimates_frame([row, {**row, "value": 2.0}]), predictions_frame([]))
    two = Result(study, estimates_frame([row, {**row, "value": 3.0}]), predictions_frame([]))
    told = changes(one, two)
    assert told["row"].tolist() == ["a/t///#2"]
    assert float(told["before"][0]) == 2.0
    assert np.isclose(float(told["now"][0]), 3.0)


def test_a_damaged_log_is_told(tmp_path: Path) -> None:
    (tmp_path / AMENDMENTS).write_text("[")
    with pytest.raises(NotReadable, match="amendments is damaged"):
        read_log(tmp_path)
    (tmp_path / AMENDMENTS).write_text(json.dumps([]))
    assert read_log(tmp_path) == []
