"""Import end to end: PRO-ACT, plain CSV, REDCap and BIDS become a study that reads back, or nothing at all."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort
from myoproof.errors import InvalidInput, NotReadable, NotWritable
from myoproof.phantoms.proact import Export, ProactParams, export, write
from myoproof.workflow.folder import read_cohort
from myoproof.workflow.importing import Imported, Settings, refuse_faults, rule_table, run


def imported(kind: str, source: Path, out: Path, **extra: object) -> tuple[Imported, Cohort]:
    found = run(kind, source, Settings(out=out, go_on=True, extra=extra))
    assert found.act
    return found, read_cohort(out)


def met(found: Imported) -> dict[str, int]:
    rows = found.rules[found.rules["rows"] > 0]
    return dict(zip(rows["rule"], rows["rows"].astype(int), strict=True))


def values(cohort: Cohort, measure: str, **key: str) -> list[float]:
    rows = cohort.measurements
    for column, value in {"measure": measure, **key}.items():
        rows = rows[rows[column] == value]
    return rows.sort_values(["subject", "session"])["value"].dropna().tolist()


@pytest.fixture(scope="module")
def clean() -> Export:
    params = ProactParams(patients=12, visits=4, each=0)
    return export(rng=np.random.default_rng(5), params=params)


@pytest.fixture(scope="module")
def study(clean: Export, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Imported]:
    place = tmp_path_factory.mktemp("proact")
    write(clean, place / "release" / "2025_PROACT_ALL_FORMS", prefix="F_PROACT_", mark=True)
    key = place / "key.csv"
    return place, run("proact", place / "release", Settings(out=place / "study", key=key, simulated=True))


def test_every_row_of_a_clean_export_arrives(clean: Export, study: tuple[Path, Imported]) -> None:
    place, found = study
    cohort = read_cohort(place / "study")
    assert found.faults.empty
    who = pd.read_csv(place / "key.csv", dtype=str).set_index("patient_id")["subject"]
    rows = cohort.measurements
    days = cohort.acquisitions.set_index(["subject", "session"])["day"]
    totals = rows[(rows["measure"] == "alsfrs_r") & (rows["method"] == "clinical")].copy()
    totals["day"] = days.loc[list(zip(totals["subject"], totals["session"], strict=True))].to_numpy()
    got = totals.set_index(["subject", "day"])["value"]
    for number, identifier in enumerate(clean.identifiers):
        for visit, day in enumerate(clean.days[number]):
            assert got[who[str(identifier)], day] == clean.items[number, visit].sum()
    recorded = rows[(rows["measure"] == "alsfrs_r") & (rows["method"] == "recorded")]
    assert len(recorded) == len(totals) == clean.days.size
    speech = rows[rows["measure"] == "alsfrs_r_speech"]
    assert speech["value"].sum() == clean.items[:, :, 0].sum()
    assert (rows["flags"].str.contains("simulated")).all()


def test_no_number_of_the_registry_leaves(clean: Export, study: tuple[Path, Imported]) -> None:
    place, _ = study
    assert set(pd.read_csv(place / "key.csv", dtype=str)["patient_id"]) == set(map(str, clean.identifiers))
    for path in (place / "study").rglob("*"):
        if path.suffix in (".csv", ".json"):
            frame = (
                pd.read_csv(path, dtype=str)
                if path.suffix == ".csv"
                else pd.DataFrame({"t": [path.read_text()]})
            )
            assert not set(frame.to_numpy().ravel()) & set(map(str, clean.identifiers)), path.name


def test_the_same_key_gives_the_same_names(
    clean: Export, study: tuple[Path, Imported], tmp_path: Path
) -> None:
    place, found = study
    again = run(
        "proact", place / "release", Settings(out=tmp_path / "again", key=place / "key.csv", simulated=True)
    )
    assert again.act == found.act
    for name in ("subjects", "measurements", "acquisitions", "events", "covariates"):
        assert (tmp_path / "again/tables" / f"{name}.csv").read_bytes() == (
            place / "study/tables" / f"{name}.csv"
        ).read_bytes()
    salted = run("proact", place / "release", Settings(out=tmp_path / "salted", salt="of this study"))
    assert salted.act != found.act
    assert read_cohort(tmp_path / "salted").subjects["subject"].str.match(r"^sub-[0-9a-f]{10}$").all()


def test_absent_in_the_death_form_is_unknown_not_alive(clean: Export, tmp_path: Path) -> None:
    """Public pipelines read absent as alive."""
    kept = clean.forms["DEATHDATA"].iloc[3:]
    forms = {**clean.forms, "DEATHDATA": kept}
    write(Export(forms, {}, clean.items, clean.days, clean.identifiers, frozenset()), tmp_path / "in")
    found, cohort = imported("proact", tmp_path / "in", tmp_path / "out")
    assert met(found)["vital_status_unknown"] == 3
    assert (cohort.events["status"] == "unknown").sum() == 3
    unknown = cohort.events[cohort.events["status"] == "unknown"]
    assert unknown["value"].isna().all()
    assert (cohort.events["status"] == "censored").sum() == (kept["Subject_Died"] == "No").sum()


def test_gastrostomy_keeps_its_points(clean: Export, tmp_path: Path) -> None:
    """Public pipelines fill Q5a with 0 and lose up to 4 points a patient."""
    frame = clean.forms["ALSFRS"].copy()
    frame["Q5b_Cutting_with_Gastrostomy"] = frame["Q5a_Cutting_without_Gastrostomy"]
    frame["Q5a_Cutting_without_Gastrostomy"] = None
    forms = {**clean.forms, "ALSFRS": frame}
    write(Export(forms, {}, clean.items, clean.days, clean.identifiers, frozenset()), tmp_path / "in")
    found, cohort = imported("proact", tmp_path / "in", tmp_path / "out")
    assert met(found)["cutting_gastrostomy"] == len(frame)
    assert "total_differs" not in met(found)
    assert sum(values(cohort, "alsfrs_r", method="clinical")) == clean.items.sum()
    assert set(values(cohort, "kings_stage")) == {4.0}, "gastrostomy is stage 4"
    assert (cohort.measurements.query("measure == 'alsfrs_r_cutting'")["at"] == "gastrostomy").all()


def test_heights_in_inches_become_centimetres(clean: Export, tmp_path: Path) -> None:
    """A public pipeline converts inches and then overwrites them with the raw value, and deletes the person."""
    frame = clean.forms["VITALSIGNS"].astype(object)
    first = frame["Height"].notna()
    frame.loc[first, "Height"] = 70
    frame.loc[first, "Height_Units"] = "Inches"
    frame.loc[frame.index[first][:4], "Height_Units"] = "cm"
    forms = {**clean.forms, "VITALSIGNS": frame}
    write(Export(forms, {}, clean.items, clean.days, clean.identifiers, frozenset()), tmp_path / "in")
    found, cohort = imported("proact", tmp_path / "in", tmp_path / "out")
    assert values(cohort, "body_height") == pytest.approx([177.8] * 12)
    assert met(found)["height_in_inches"] == 4
    assert met(found)["units_mixed"] == 4
    assert (cohort.measurements["flags"] == "unit_inferred").sum() == 4


def test_faults_are_told_together_and_nothing_is_written(tmp_path: Path) -> None:
    planted = export(rng=np.random.default_rng(2))
    write(planted, tmp_path / "in")
    found = run("proact", tmp_path / "in", Settings(out=tmp_path / "study", report=tmp_path / "report"))
    assert not found.act
    assert not (tmp_path / "study").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".import")] == []
    with pytest.raises(InvalidInput) as raised:
        refuse_faults(found, "in")
    assert all(
        rule in str(raised.value) for rule in ("cutting_twice", "death_conflicting", "weight_impossible")
    )
    listed = pd.read_csv(tmp_path / "report" / "rows.csv")
    assert listed.groupby("rule").size().to_dict() == met(found)
    assert "<svg" in (tmp_path / "report" / "flow.svg").read_text()


def test_flow_counts_patients_down(study: tuple[Path, Imported]) -> None:
    _, found = study
    assert found.flow["patients"].tolist() == [12] * 6
    forms = found.forms.set_index(["form", "step"])["rows"]
    assert forms["alsfrs", "read"] == forms["alsfrs", "kept"] == 48


def test_a_folder_with_something_else_is_refused(tmp_path: Path, study: tuple[Path, Imported]) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(NotWritable, match="something else"):
        run("proact", study[0] / "release", Settings(out=tmp_path / "other"))
    with pytest.raises(NotReadable, match="no PRO-ACT form"):
        run("proact", tmp_path / "other", Settings())


def test_rules_are_listed() -> None:
    table = rule_table()
    assert {str(number) for number in range(1, 21)} <= set(table["trap"])
    assert set(table["level"]) == {"error", "warning", "info"}


MAP = """
[[table]]
file = "visits.csv"
subject = "Patient"
date = "Date"
date_format = "%d.%m.%Y"
[table.subjects]
sex = {column = "Gender", values = {"w" = "female", "m" = "male"}}
age_years = "Age"
[[table.measure]]
column = "FVC"
measure = "forced_vital_capacity"
unit_column = "FVC unit"
[[table.measure]]
column = "Biceps"
measure = "muscle_grade"
unit = "MRC"
site = "elbow"
side = "left"
at = "flexion"
[[table]]
file = "software.csv"
subject = "case"
session = "scan"
[table.long]
measure = "parameter"
measures = {"FF" = "fat_fraction"}
value = "result"
unit = "unit"
site = "muscle"
sites = {"VL" = "vastus_lateralis"}
side = "side"
sides = {"L" = "left", "R" = "right"}
method = "vendor@3"
modality = "dixon"
"""


def test_plain_tables_with_semicolons_commas_excel_dates_and_a_vendors_rows(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_text(
        "Patient;Date;Gender;Age;FVC;FVC unit;Biceps\n"
        "A1;01.02.2020;w;61,5;3,25;L;4+\n"
        "A1;44044;w;61,5;2900;mL;4\n"
        "B2;31.02.2020;m;70;3,1;L;5\n"
        "B2;01.03.2020;m;70;9 litres;L;7\n"
        "B2;01.04.2020;m;71;1,234;L;n/a\n",
        encoding="cp1252",
    )
    (tmp_path / "software.csv").write_text(
        "case,scan,muscle,side,parameter,result,unit\n"
        "A1,m00,VL,L,FF,12.5,%\nA1,m00,VL,R,FF,14,%\nA1,m00,XX,L,FF,10,%\nA1,m00,VL,L,Volume,400,mL\n"
        "A1,m06,VL,L,FF,130,%\n"
    )
    (tmp_path / "map.toml").write_text(MAP)
    found, cohort = imported("csv", tmp_path, tmp_path / "study", mapping=tmp_path / "map.toml")
    assert values(cohort, "forced_vital_capacity") == pytest.approx([3.25, 2.9])
    assert values(cohort, "muscle_grade") == [9.0, 8.0]
    assert values(cohort, "fat_fraction", site="vastus_lateralis", side="left", session="m00") == [0.125]
    software = cohort.measurements[cohort.measurements["measure"] == "fat_fraction"]
    assert set(software["method"]) == {"vendor@3"}
    assert set(software["modality"]) == {"dixon"}
    days = cohort.acquisitions.dropna(subset="day")["day"].tolist()
    assert 0 in days
    assert 182 in days, "2020-02-01 to Excel day 44044, 2020-08-01"
    assert met(found)["value_unknown"] == 2, "grade 7 and muscle XX"
    assert met(found)["date_impossible"] == 1
    assert met(found)["excel_date"] == 1
    assert met(found)["units_mixed"] == 1
    assert met(found)["number_ambiguous"] == 1
    assert met(found)["word_unknown"] == 1
    assert met(found)["value_out_of_range"] == 1
    assert cohort.subjects.set_index("subject")["sex"].tolist().count("female") == 1
    for path in (tmp_path / "study").rglob("*.csv"):
        text = path.read_text()
        assert "2020-" not in text, f"a date in {path.name}"
        assert "A1" not in text, f"a patient in {path.name}"


def test_recorded_totals_count_where_no_items_came(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/visits.csv").write_text(
        "id,date,total\n1,01.02.2021,44\n1,01.05.2021,42\n2,01.02.2021,40\n", encoding="utf-8"
    )
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        '[[table]]\nfile = "visits.csv"\nsubject = "id"\ndate = "date"\ndate_format = "%d.%m.%Y"\n'
        '[[table.measure]]\ncolumn = "total"\nmeasure = "alsfrs_r"\nunit = "{score}"\n',
        encoding="utf-8",
    )
    found, _ = imported("csv", tmp_path / "in", tmp_path / "study", mapping=mapping)
    left = found.flow.set_index("step")["patients"]
    assert left["with an ALSFRS-R visit"] == 2
    assert left["with two ALSFRS-R totals or more"] == 1


def test_a_mapping_is_checked_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,fvc\n1,3\n")
    (tmp_path / "bad.toml").write_text('[[table]]\nsubjekt = "id"\nfile = "t.csv"\n')
    with pytest.raises(InvalidInput, match="did you mean 'subject'"):
        run("csv", tmp_path, Settings(extra={"mapping": tmp_path / "bad.toml"}))
    (tmp_path / "map.toml").write_text(
        '[[table]]\nfile = "t.csv"\nsubject = "id"\nsession = "visit"\n'
        'covariates = {home = "address"}\n'
        '[[table.measure]]\ncolumn = "FVCC"\nmeasure = "forced_vital_capacity"\n'
        '[[table.measure]]\ncolumn = "fvc"\nmeasure = "forced_vitl_capacity"\n'
    )
    found = run("csv", tmp_path, Settings(out=tmp_path / "s", extra={"mapping": tmp_path / "map.toml"}))
    assert {"column_missing": 3, "word_unknown": 1, "identity_column": 1}.items() <= met(found).items()
    told = " ".join(found.listing["detail"])
    assert "did you mean fvc?" in told
    assert "did you mean 'forced_vital_capacity'" in told
    assert not (tmp_path / "s").exists()


DICTIONARY = """"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels","Text Validation Min","Text Validation Max"
record_id,base,text,Record,,,
sex,base,radio,Sex,"1, Male | 2, Female",,
symptoms,base,checkbox,Symptoms,"1, Cramps | -1, Other",,
speech,alsfrs,radio,Speech,"4, Normal | 3, Detectable | 2, Intelligible | 1, Combined | 0, Loss",,
fvc,alsfrs,text,FVC (L),,0.3,8
visit_day,alsfrs,text,Day,,,
gone,base,text,Gone,,,
"""
REDCAP_MAP = """
[[table]]
[table.subjects]
sex = {column = "sex", values = {"1" = "male", "2" = "female"}}
[table.covariates]
cramps = "symptoms___1"
other = "symptoms____1"
[[table]]
file = "alsfrs"
day = "visit_day"
[[table.measure]]
column = "speech"
measure = "alsfrs_r_speech"
[[table.measure]]
column = "fvc"
measure = "forced_vital_capacity"
"""


@pytest.mark.parametrize("labels", [False, True])
def test_redcap_codes_and_labels_give_the_same_study(tmp_path: Path, labels: bool) -> None:
    male, female, normal, loss = ("Male", "Female", "Normal", "Loss") if labels else ("1", "2", "4", "0")
    yes, no = ("Checked", "Unchecked") if labels else ("1", "0")
    head = "record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,sex,symptoms___1,symptoms____1,base_complete,speech,fvc,visit_day,stray"
    (tmp_path / "export.csv").write_text(
        f"{head}\n"
        f"7,baseline_arm_1,,,{male},{yes},{no},2,,,,\n"
        f"7,baseline_arm_1,alsfrs,1,,,,,{normal},3.1,0,\n"
        f"7,baseline_arm_1,alsfrs,2,,,,,{loss},9.5,182,\n"
        f"8,baseline_arm_1,,,{female},{no},{no},0,,,,\n"
        "8,baseline_arm_1,alsfrs,1,,,,,5,2.5,0,\n"
    )
    (tmp_path / "dd.csv").write_text(DICTIONARY)
    (tmp_path / "map.toml").write_text(REDCAP_MAP)
    extra = {"mapping": tmp_path / "map.toml", "dictionary": tmp_path / "dd.csv"}
    found, cohort = imported("redcap", tmp_path / "export.csv", tmp_path / "study", **extra)
    speech = cohort.measurements[cohort.measurements["measure"] == "alsfrs_r_speech"]
    assert sorted(speech["value"].dropna()) == [0.0, 4.0]
    assert sorted(cohort.measurements.query("measure == 'forced_vital_capacity'")["value"].dropna()) == [
        2.5,
        3.1,
    ]
    assert sorted(cohort.subjects["sex"]) == ["female", "male"]
    assert sorted(cohort.covariates["cramps"].astype(float)) == [0, 1]
    assert {"dictionary_range": 1, "dictionary_choice_unknown": 1, "dictionary_field_missing": 1,
            "dictionary_field_unknown": 1, "form_incomplete": 1}.items() <= met(found).items()  # fmt: skip
    assert ("label_export" in met(found)) == labels
    assert set(speech["session"]) == {"m00", "m06"}


def test_bids_tables_keep_their_names_and_lose_their_dates(tmp_path: Path) -> None:
    root = tmp_path / "bids"
    (root / "phenotype").mkdir(parents=True)
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\thandedness\tname\nsub-01\t61\tF\tR\tn/a\nsub-02\tn/a\tM\tL\tx\n"
    )
    (root / "phenotype" / "lung.tsv").write_text(
        "participant_id\tsession_id\tforced_vital_capacity\nsub-01\tses-m00\t3100\nsub-01\tses-m06\t2900\nsub-02\tses-m00\tn/a\n"
    )
    about = {"forced_vital_capacity": {"Units": "mL"}}
    (root / "phenotype" / "lung.json").write_text(json.dumps(about))
    (root / "sub-01").mkdir()
    (root / "sub-01" / "sub-01_sessions.tsv").write_text(
        "session_id\tacq_time\nses-m00\t2019-05-01T10:00:00\nses-m06\t2019-11-01T10:00:00\n"
    )
    found, cohort = imported("bids", root, tmp_path / "study")
    assert found.faults.empty
    assert cohort.subjects["subject"].tolist() == ["sub-01", "sub-02"]
    assert cohort.subjects["sex"].tolist() == ["female", "male"]
    assert values(cohort, "forced_vital_capacity") == pytest.approx([3.1, 2.9])
    assert cohort.acquisitions["day"].tolist() == [0, 184]
    assert cohort.covariates["handedness"].tolist() == ["R", "L"]
    assert "name" not in cohort.covariates
