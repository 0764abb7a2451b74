"""BIDS tables: participants, sessions and phenotype files of a data set become one cohort."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.errors import NotReadable
from myoproof.sources.csv_mapping import Source, bring
from myoproof.sources.csv_mapping_model import Cell, TableMap, Value, read_mapping
from myoproof.sources.sheets import Sheet, look
from myoproof.sources.stage import Stage
from myoproof.sources.tables import IDENTITY
from myoproof.vocabulary.lookup import words

Told = Callable[[str, float], None]
SUBJECT, SESSION = "participant_id", "session_id"
PEOPLE = {
    "sex": "sex",
    "gender": "sex",
    "age": "age_years",
    "group": "arm",
    "diagnosis": "diagnosis",
    "site": "centre",
}
"""Column of participants.tsv -> column of the subjects table."""
SEXES = {"m": "male", "male": "male", "f": "female", "female": "female"}


def read(
    stage: Stage,
    source: Path,
    *,
    mapping: Path | None = None,
    progress: Told = lambda _what, _share: None,
) -> tuple[str, ...]:
    """Bring the tables of a BIDS data set onto the stage.

    Parameters
    ----------
    stage : Stage
        An open stage, empty.
    source : Path
        The data set: ``participants.tsv``, ``phenotype/*.tsv`` with JSON sidecars,
        ``sub-*/sub-*_sessions.tsv``.
    mapping : Path, optional
        Mapping file for phenotype tables (``file = "phenotype/alsfrs.tsv"``). Without it a column that bears
        a word of the vocabulary is read as that measure, in the unit its sidecar gives.
    progress : callable
        Told what is done, and the share of the whole.

    Returns
    -------
    tuple of str
        Digests of the files read. Participants keep their names: in BIDS these are pseudonyms already, and
        they tie the tables to the images.

    Raises
    ------
    NotReadable
        If there is no ``participants.tsv``, or a file is no readable text.
    InvalidInput
        If the mapping has unknown keys.

    References
    ----------
    BIDS 1.10: participants file, sessions file, phenotypic and assessment data.
    """
    folder = Path(source)
    people = folder / "participants.tsv"
    if not people.is_file():
        raise NotReadable(
            "holds no participants.tsv", where=str(folder), mend="give the folder of a BIDS data set"
        )
    given = {spec.file: spec for spec in read_mapping(mapping).table} if mapping is not None else {}
    sheet = look(people, stage.scratch)
    tables = [Source(given.get("participants.tsv") or _people(sheet, _sidecar(people)), _quiet(sheet))]
    for path in sorted((folder / "phenotype").glob("*.tsv")):
        own = look(path, stage.scratch)
        name = path.relative_to(folder).as_posix()
        tables.append(Source(given.get(name) or _phenotype(own, _sidecar(path)), _quiet(own)))
    names = sorted({row[SUBJECT] for row in _rows(people)} - {""})
    known = {name: name for name in names}
    own_stage = replace(stage, options=replace(stage.options, known=known))
    digests = bring(own_stage, [_with_subject(table) for table in tables], progress=progress)
    _days(stage, folder)
    return digests


def _quiet(sheet: Sheet) -> Sheet:
    """Tabs are what BIDS asks for: no remark."""
    return replace(sheet, faults=tuple(one for one in sheet.faults if one[0] != "delimiter"))


def _sidecar(path: Path) -> Mapping[str, Any]:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise NotReadable(f"is no JSON ({error})", where=str(beside)) from error
    return content if isinstance(content, dict) else {}


def _levels(sidecar: Mapping[str, Any], column: str) -> dict[str, str]:
    about = sidecar.get(column)
    levels = about.get("Levels") if isinstance(about, dict) else None
    return {str(code): str(text) for code, text in levels.items()} if isinstance(levels, dict) else {}


def _people(sheet: Sheet, sidecar: Mapping[str, Any]) -> TableMap:
    subjects: dict[str, str | Cell] = {}
    covariates: dict[str, str | Cell] = {}
    for column in sheet.columns:
        ours = PEOPLE.get(column.lower())
        levels = _levels(sidecar, column)
        if ours == "sex":
            told = {code: SEXES[text.lower()] for code, text in levels.items() if text.lower() in SEXES}
            subjects[ours] = Cell(column=column, values={**SEXES, **told})
        elif ours:
            subjects[ours] = Cell(column=column, values=levels)
        elif column != SUBJECT and not IDENTITY.search(column):
            covariates[column.lower()] = Cell(column=column, values=levels)
    return TableMap(subject=SUBJECT, subjects=subjects, covariates=covariates)


def _phenotype(sheet: Sheet, sidecar: Mapping[str, Any]) -> TableMap:
    values = []
    for column in sheet.columns:
        if column.lower() in words("measures"):
            about = sidecar.get(column)
            unit = str(about.get("Units", "")) if isinstance(about, dict) else ""
            values.append(Value(column=column, measure=column.lower(), unit=unit))
    return TableMap(subject=SUBJECT, measure=values)


def _with_subject(table: Source) -> Source:
    spec = table.spec
    session = spec.session or (SESSION if SESSION in table.sheet.columns else "")
    return replace(
        table, spec=spec.model_copy(update={"subject": spec.subject or SUBJECT, "session": session})
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [
            {name: (text or "").strip() for name, text in row.items() if name}
            for row in csv.DictReader(stream, delimiter="\t")
        ]


def _days(stage: Stage, folder: Path) -> None:
    """Days of visits from the dates of the sessions files; the dates stay on the stage."""
    found = []
    for path in sorted(folder.glob("sub-*/sub-*_sessions.tsv")):
        for row in _rows(path):
            when = row.get("acq_time", "")
            found.append(
                {"subject_text": path.parent.name, "session": row.get(SESSION, ""), "date": when[:10]}
            )
    stage.run("UPDATE visits SET session = regexp_replace(session, '^ses-', '')")
    stage.run("UPDATE kept SET session = regexp_replace(session, '^ses-', '')")
    stage.run("UPDATE alsfrs SET session = regexp_replace(session, '^ses-', '')")
    stage.run("UPDATE visit_modalities SET session = regexp_replace(session, '^ses-', '')")
    if not found:
        return
    stage.database.register("dates_frame", pd.DataFrame(found))
    stage.run(
        "CREATE TABLE session_dates AS SELECT p.subject, regexp_replace(d.session, '^ses-', '') AS session, "
        "try_cast(d.date AS DATE) AS date FROM dates_frame d JOIN people p ON p.subject_text = d.subject_text"
    )
    stage.database.unregister("dates_frame")
    stage.run(
        "UPDATE visits SET day = (SELECT s.date - z.zero FROM session_dates s JOIN (SELECT subject, min(date)"
        " AS zero FROM session_dates GROUP BY subject) z USING (subject) WHERE s.subject = visits.subject AND"
        " s.session = visits.session) WHERE day IS NULL"
    )
    stage.run(
        "UPDATE alsfrs SET day = (SELECT v.day FROM visits v WHERE v.subject = alsfrs.subject AND "
        "v.session = alsfrs.session) WHERE day IS NULL"
    )
