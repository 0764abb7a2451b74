"""Describe, harmonise and impute as acts: files written, pictures whole, the command line, refusals."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.cli.app import main
from myoproof.core.table import read_table, write_table
from myoproof.delivery.describe_values import raincloud_drawing
from myoproof.errors import InvalidInput, NotWritable
from myoproof.registry import load
from myoproof.workflow.describe import describe_cohort, feature_of
from myoproof.workflow.folder import SUBJECT_TABLES


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated cohort of two centres and three visits as plain tables."""
    made = load("phantoms", "als-mri")(rng=np.random.default_rng(3))
    held = getattr(made, "cohort", made)
    folder = tmp_path_factory.mktemp("study")
    for name in SUBJECT_TABLES:
        write_table(getattr(held, name), folder / f"{name}.csv")
    write_table(held.measurements, folder / "measurements.csv")
    return folder


def run(*words: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code in (0, None)


def refused(*words: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code == 2


def test_description_has_every_table_and_picture(study: Path, tmp_path: Path) -> None:
    wanted = {"features": ["fat_fraction/thigh/both", "knee_extension_strength/knee/both"]}
    page, table = describe_cohort(study, tmp_path / "out", **wanted)
    figures = {path.stem for path in (tmp_path / "out" / "figures").iterdir()}
    assert {
        "describe-flow",
        "describe-differences",
        "describe-visits",
        "describe-centre",
        "describe-device",
    } <= figures
    assert {"describe-cloud-1", "describe-course-1", "describe-missing"} <= figures
    for path in (tmp_path / "out" / "figures").iterdir():
        text = path.read_text(encoding="utf-8")
        ET.fromstring(text)
        assert "Simulated data" in text, path.name
    tables = {path.stem for path in (tmp_path / "out" / "tables").iterdir()}
    assert {"describe-table-one", "describe-flow", "describe-patterns", "describe-visits"} <= tables
    stored = pd.read_csv(tmp_path / "out" / "tables" / "describe-table-one.csv")
    assert len(stored) == len(table)
    text = page.read_text(encoding="utf-8")
    assert "SIMULATED DATA" in text
    assert "not a medical device" in text.lower()
    first = text
    describe_cohort(study, tmp_path / "out", **wanted)
    assert page.read_text(encoding="utf-8") == first


def test_description_overwrites_nothing_else(study: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(NotWritable, match="holds something else"):
        describe_cohort(study, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_feature_words() -> None:
    feature = feature_of("volume/thigh/both/slice:7")
    assert (feature.measure, feature.site, feature.side, feature.at) == ("volume", "thigh", "both", "slice:7")
    with pytest.raises(InvalidInput, match="is no feature"):
        feature_of("volume")


def test_small_and_constant_groups_draw_without_a_density() -> None:
    values = pd.Series([1.0, 2.0, 3.0] + [5.0] * 8, name="volume/thigh/both")
    groups = pd.Series(["few"] * 3 + ["same"] * 8)
    drawing = raincloud_drawing(values, groups, key="k", simulated=False)
    assert drawing is not None
    ET.fromstring(drawing.svg)
    assert raincloud_drawing(values * float("nan"), groups, key="k", simulated=False) is None


def test_harmonise_on_the_command_line(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, rows = tmp_path / "combat.json", tmp_path / "rows.csv"
    run(
        "harmonise",
        "fit",
        "--cohort",
        study,
        "--out",
        model,
        "--modality",
        "dixon",
        "--preserve",
        "age_years,diagnosis",
    )
    assert json.loads(model.read_text())["kind"] == "combat"
    figure, evidence = tmp_path / "change.svg", tmp_path / "evidence.csv"
    run(
        "harmonise",
        "apply",
        model,
        "--cohort",
        study,
        "--out",
        rows,
        "--figure",
        figure,
        "--evidence",
        evidence,
    )
    even = read_table(rows)
    assert even["method"].str.endswith(":combat").all()
    assert len(set(even["session"])) > 1
    ET.fromstring(figure.read_text(encoding="utf-8"))
    found = pd.read_csv(evidence)
    assert set(found["kind"]) == {"harmonisation"}
    assert found["population"].str.startswith("simulated").all()
    assert "next: myoproof harmonise apply" in capsys.readouterr().out
    record = json.loads(rows.with_name("rows.csv.provenance.json").read_text())
    assert set(even["provenance"]) == {record["id"]}


def test_unseen_sites_and_damaged_models_are_one_message(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "combat.json"
    run(
        "harmonise",
        "fit",
        "--cohort",
        study,
        "--out",
        model,
        "--modality",
        "dixon",
        "--preserve",
        "diagnosis",
    )
    content = json.loads(model.read_text())
    for panel in content["panels"]:
        panel["sites"] = ["elsewhere-1", "elsewhere-2"]
    model.write_text(json.dumps(content))
    refused("harmonise", "apply", model, "--cohort", study, "--out", tmp_path / "rows.csv")
    assert "was not seen" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "rows.csv").exists()
    model.write_text("{")
    refused("harmonise", "apply", model, "--cohort", study, "--out", tmp_path / "rows.csv")
    refused("harmonise", "apply", tmp_path / "none.json", "--cohort", study, "--out", tmp_path / "rows.csv")


def test_describe_and_impute_on_the_command_line(study: Path, tmp_path: Path) -> None:
    run(
        "describe",
        "--cohort",
        study,
        "--by",
        "sex",
        "--columns",
        "age_years",
        "--features",
        "grip_strength/hand",
        "--out",
        tmp_path / "d",
    )
    assert (tmp_path / "d" / "report.html").is_file()
    words = [
        "impute",
        "--cohort",
        study,
        "--columns",
        "age_years,sex,body_mass_index",
        "-m",
        3,
        "--rounds",
        2,
    ]
    run(*words, "--outcome", "body_mass_index", "--on", "age_years,sex", "--out", tmp_path / "i")
    done = pd.read_csv(tmp_path / "i" / "completed.csv")
    assert sorted(set(done["imputation"])) == [1, 2, 3]
    assert done.notna().all(axis=None)
    assert (tmp_path / "i" / "pooled.csv").is_file()
    refused(*words, "--outcome", "weight", "--on", "sex", "--out", tmp_path / "i")
    refused("describe", "--cohort", study, "--by", "nothing", "--out", tmp_path / "e")
