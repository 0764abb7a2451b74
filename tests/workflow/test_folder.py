"""A study folder: parts supersede, history stays, SQL is closed to files, foreign folders are refused."""

import json
from pathlib import Path

import pandas as pd
import pytest

from myoproof.core.cohort import make_cohort
from myoproof.core.table import from_rows
from myoproof.errors import InvalidInput, NotReadable, NotWritable
from myoproof.workflow import folder as study_folder
from myoproof.workflow.reading import ask, take_cohort

ROW = {
    "subject": "s1",
    "session": "m00",
    "site": "thigh",
    "side": "left",
    "measure": "volume",
    "value": 812.0,
}


def made(tmp_path: Path) -> Path:
    rows = pd.DataFrame([ROW, {**ROW, "subject": "s2", "value": 640.0}])
    cohort = make_cohort(pd.DataFrame({"subject": ["s1", "s2"]}), pd.DataFrame(), rows)
    take_cohort(cohort, tmp_path / "study", act="read-cohort@1", inputs=("aa",))
    return tmp_path / "study"


def test_a_later_part_supersedes_equal_keys_and_history_stays(tmp_path: Path) -> None:
    folder = made(tmp_path)
    later = study_folder.Act("edit@1", {"by": "r1"}, ("bb",))
    study_folder.add_part(folder, from_rows([{**ROW, "value": 900.0}]), later)
    active = study_folder.query(
        folder, "SELECT subject, value, provenance FROM measurements ORDER BY subject"
    )
    assert active["value"].tolist() == [900.0, 640.0]
    assert active["provenance"].tolist()[0] == later.id
    assert study_folder.query(folder, "SELECT count(*) AS n FROM measurements_all")["n"].tolist() == [3]
    assert study_folder.read_cohort(folder).measurements["value"].tolist() == [900.0, 640.0]
    assert json.loads((folder / "provenance" / f"{later.id}.json").read_text())["parameters"] == {"by": "r1"}


def test_the_same_act_twice_is_one_part(tmp_path: Path) -> None:
    folder = made(tmp_path)
    act = study_folder.Act("edit@1", {}, ("bb",))
    for _ in range(2):
        study_folder.add_part(folder, from_rows([{**ROW, "value": 900.0}]), act)
    assert len(study_folder.active_parts(folder)) == 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nothing",
        "COPY measurements TO '/tmp/stolen.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "",
    ],
)
def test_bad_or_reaching_sql_is_refused(tmp_path: Path, sql: str) -> None:
    with pytest.raises(InvalidInput):
        study_folder.query(made(tmp_path), sql)


def test_a_foreign_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years", encoding="utf-8")
    with pytest.raises(NotWritable, match="holds something else"):
        study_folder.claim(tmp_path, "study folder")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.docx"]
    folder = made(tmp_path / "new")
    with pytest.raises(NotWritable, match="kind 'study folder', not of kind 'result'"):
        study_folder.claim(folder, "result")


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "tables" / "ledger.json").write_text("{", encoding="utf-8")
    with pytest.raises(NotReadable, match="ledger"):
        study_folder.read_cohort(folder)


def test_wide_export_has_a_codebook_line_for_every_column(tmp_path: Path) -> None:
    folder = made(tmp_path)
    frames = ask("", folder, wide=True, with_codebook=True, out=tmp_path / "wide.csv")
    rows, codebook = frames.values()
    assert list(codebook["column"]) == list(rows.columns)
    volume = codebook.set_index("column").loc["volume_thigh_left"]
    assert (volume["unit"], volume["worse"], volume["label"]) == ("mL", "lower", "volume, thigh, left")
    assert (tmp_path / "wide.codebook.csv").is_file()
    with pytest.raises(InvalidInput, match="either an SQL question or --wide"):
        ask("SELECT 1", folder, wide=True, with_codebook=False, out=None)
