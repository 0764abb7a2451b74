"""A study folder: immutable Parquet parts, a ledger of the active ones, and SQL over them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.atomic import atomic_path
from myoproof.core.cohort import ACQUISITIONS, EVENTS, SUBJECTS, Cohort, make_cohort
from myoproof.core.provenance import digest_files, provenance_id
from myoproof.core.table import KEY, Table, read_frame, read_table, write_table
from myoproof.errors import InvalidInput, NotReadable, NotWritable
from myoproof.registry import load

MARKER = "myoproof.json"
FORMAT = 1
KEY_SQL = ", ".join(f'"{column}"' for column in KEY)
SUBJECT_TABLES = ("subjects", "acquisitions", "events", "covariates")


@dataclass(frozen=True, slots=True)
class Act:
    """What was done to make some rows: the record behind a provenance id."""

    act: str
    parameters: Mapping[str, Any]
    inputs: tuple[str, ...]
    parents: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; see :func:`myoproof.core.provenance.provenance_id`."""
        return provenance_id(
            act=self.act, parameters=self.parameters, inputs=self.inputs, parents=self.parents
        )

    @property
    def record(self) -> dict[str, Any]:
        """What is kept of the act, as JSON."""
        kept = {"id": self.id, "act": self.act, "parameters": dict(self.parameters)}
        return kept | {"inputs": list(self.inputs), "parents": list(self.parents)}


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write JSON atomically.

    Raises
    ------
    NotWritable
        If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def claim(folder: Path, kind: str) -> Path:
    """Take an output folder: new, empty, or one that myoproof made for the same kind of content.

    Parameters
    ----------
    folder : Path
        The output folder.
    kind : str
        What it will hold, for example "study folder" or "demo".

    Raises
    ------
    NotWritable
        If the folder holds something else, or cannot be made.
    """
    folder = Path(folder)
    refuse_foreign(folder, kind)
    if not (folder / MARKER).exists():
        write_json({"format": FORMAT, "kind": kind}, folder / MARKER)
    return folder


def refuse_foreign(folder: Path, kind: str) -> None:
    """Raise where an output folder holds anything that is not myoproof's own of this kind.

    Raises
    ------
    NotWritable
        If the path is a file, or the folder holds something else.
    """
    if folder.is_file():
        raise NotWritable("is a file, not a folder", where=str(folder), mend="choose another output folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    held = kind_of(folder)
    if held != kind:
        what = f"a myoproof folder of kind '{held}'" if held else "something else"
        raise NotWritable(
            f"holds {what}, not of kind '{kind}'", where=str(folder), mend="choose an empty output folder"
        )


def kind_of(folder: Path) -> str:
    """What a folder of ours holds; "" where it is not ours."""
    try:
        content = json.loads((Path(folder) / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(content.get("kind", "")) if isinstance(content, dict) else ""


def write_subjects(folder: Path, cohort: Cohort) -> None:
    """Write the subject-level tables of a cohort, as Parquet and CSV."""
    for name in SUBJECT_TABLES:
        frame: pd.DataFrame = getattr(cohort, name)
        write_table(frame, folder / "tables" / f"{name}.parquet")
        write_table(frame, folder / "tables" / f"{name}.csv")


def add_acquisition(folder: Path, acquisition: Acquisition) -> None:
    """Enter an acquisition, and its subject where new, into a study folder; the folder is made where absent.

    Raises
    ------
    NotWritable
        If the folder holds something else or cannot be written.
    """
    claim(folder, "study folder")
    frames = {name: _subject_table(folder, name) for name in SUBJECT_TABLES}
    visit = {name: getattr(acquisition, name) for name in ACQUISITIONS}
    key = ["subject", "session", "run", "modality"]
    known = frames["acquisitions"]
    same = (known[key] == [visit[name] for name in key]).all(axis=1)
    frames["acquisitions"] = _appended(known[~same], pd.DataFrame([visit]))
    if acquisition.subject not in set(frames["subjects"]["subject"]):
        person = pd.DataFrame([{"subject": acquisition.subject, "centre": acquisition.centre}])
        frames["subjects"] = _appended(frames["subjects"], person)
        frames["covariates"] = _appended(frames["covariates"], person[["subject"]])
    tables = [frames["events"], frames["covariates"]]
    write_subjects(folder, make_cohort(frames["subjects"], frames["acquisitions"], pd.DataFrame(), *tables))


def keep(rows: Table, act: Act, acquisition: Acquisition, *, out: Path | None, into: Path | None) -> None:
    """Keep the rows of one scan where they are asked for.

    Parameters
    ----------
    rows : Table
        With their provenance.
    act : Act
        What made them.
    acquisition : Acquisition
        What they were made of.
    out : Path, optional
        File for the rows, CSV or Parquet; the provenance record is written beside it.
    into : Path, optional
        Study folder that they are added to.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    if out is not None:
        write_table(rows, out)
        write_json(act.record, out.with_name(out.name + ".provenance.json"))
    if into is not None:
        add_acquisition(into, acquisition)
        add_part(into, rows, act)


def add_part(folder: Path, rows: Table, act: Act) -> str:
    """Add measurement rows as one immutable part; equal keys of earlier parts are superseded.

    The part is written first and enters the ledger last, each by atomic rename: an interrupt leaves the
    earlier state. The same act again replaces its own part.

    Returns
    -------
    str
        The provenance id, which every row of the part carries.
    """
    stamped = rows.assign(provenance=act.id)
    write_table(stamped, folder / "tables" / "measurements" / f"{act.id}.parquet")
    write_json(act.record, folder / "provenance" / f"{act.id}.json")
    active = [part for part in active_parts(folder) if part != act.id] + [act.id]
    write_json({"format": FORMAT, "active": active}, folder / "tables" / "ledger.json")
    with connect(folder) as connection:
        view = connection.sql(f"SELECT * FROM measurements ORDER BY {KEY_SQL}").df()
    write_table(view, folder / "tables" / "measurements.csv")
    return act.id


def active_parts(folder: Path) -> list[str]:
    """Ids of the active parts, oldest first.

    Raises
    ------
    NotReadable
        If the ledger is damaged.
    """
    ledger = Path(folder) / "tables" / "ledger.json"
    if not ledger.is_file():
        return []
    try:
        return [str(part) for part in json.loads(ledger.read_text(encoding="utf-8"))["active"]]
    except (OSError, ValueError, KeyError) as error:
        raise NotReadable(f"the ledger is damaged ({error})", where=str(ledger)) from error


def read_cohort(folder: Path) -> Cohort:
    """The cohort of a study folder, or of a folder of plain tables.

    Raises
    ------
    NotReadable
        If it is neither.
    InvalidInput
        If a table breaks its laws.
    """
    folder = Path(folder)
    if not active_parts(folder):
        cohort: Cohort = load("sources", "cohort-tables")(folder)
        return cohort
    with connect(folder) as connection:
        frames = {name: connection.sql(f"SELECT * FROM {name}").df() for name in SUBJECT_TABLES}
        rows = connection.sql(f"SELECT * FROM measurements ORDER BY {KEY_SQL}").df()
    return make_cohort(
        frames["subjects"], frames["acquisitions"], rows, frames["events"], frames["covariates"]
    )


def read_cohort_and_rows(folder: Path, rows_path: Path | None) -> tuple[Cohort, Table]:
    """A cohort, and its measurement rows or those of another file.

    Parameters
    ----------
    folder : Path
        Study folder, or folder of plain tables.
    rows_path : Path, optional
        Rows instead of the cohort's own, of its subjects.

    Raises
    ------
    NotReadable, InvalidInput
        For faulty files, or rows of subjects that the cohort does not hold.
    """
    cohort = read_cohort(folder)
    rows = cohort.measurements if rows_path is None else read_table(rows_path)
    strangers = sorted(set(rows["subject"]) - set(cohort.subjects["subject"]))
    if strangers:
        message = f"{len(strangers)} subjects are not in the cohort, for example {strangers[0]!r}"
        raise InvalidInput(message, where=str(rows_path))
    return cohort, rows


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB over a study folder or plain tables, closed to files and network afterwards.

    Views: ``subjects``, ``acquisitions``, ``events``, ``covariates``, ``measurements`` (active rows) and
    ``measurements_all`` (the history, with ``part`` counted from 0).
    """
    folder = Path(folder)
    parts = active_parts(folder)
    connection = duckdb.connect(":memory:")
    if not parts:
        cohort: Cohort = load("sources", "cohort-tables")(folder)
        for name in (*SUBJECT_TABLES, "measurements"):
            _register(connection, name, getattr(cohort, name))
        connection.execute("CREATE VIEW measurements_all AS SELECT *, 0 AS part FROM measurements")
    else:
        for name in SUBJECT_TABLES:
            _register(connection, name, _subject_table(folder, name))
        for number, part in enumerate(parts):
            file = folder / "tables" / "measurements" / f"{part}.parquet"
            verb = f"CREATE TABLE measurements_all AS SELECT *, {number} AS part" if number == 0 else ""
            verb = verb or f"INSERT INTO measurements_all SELECT *, {number} AS part"
            connection.execute(f"{verb} FROM read_parquet(?)", [str(file)])
        rank = f"row_number() OVER (PARTITION BY {KEY_SQL} ORDER BY part DESC)"
        connection.execute(
            "CREATE VIEW measurements AS SELECT * EXCLUDE (part, age) FROM "
            f"(SELECT *, {rank} AS age FROM measurements_all) WHERE age = 1"
        )
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def query(folder: Path, sql: str) -> pd.DataFrame:
    """The answer to one SQL question over a folder's tables.

    Raises
    ------
    InvalidInput
        If the SQL cannot be run; the message is the database's.
    """
    with connect(folder) as connection:
        try:
            answer: pd.DataFrame = connection.sql(sql).df()
        except (duckdb.Error, AttributeError) as error:
            raise InvalidInput(
                f"the query cannot be run: {error}",
                mend="tables: subjects, acquisitions, events, covariates, measurements, measurements_all; "
                'the column "at" is written in double quotes',
            ) from error
        return answer


def input_digests(folder: Path) -> tuple[str, ...]:
    """Digests of the table files a cohort is read from; measurement parts are named by the ledger instead.

    Raises
    ------
    NotReadable
        If there are no tables.
    """
    folder = Path(folder)
    in_study = bool(active_parts(folder))
    place = folder / "tables" if in_study else folder
    stems = SUBJECT_TABLES if in_study else (*SUBJECT_TABLES, "measurements")
    files = [place / f"{stem}{suffix}" for stem in stems for suffix in (".parquet", ".csv")]
    present = [file for file in files if file.is_file()]
    if not present:
        raise NotReadable(
            "holds no cohort tables", where=str(folder), mend="subjects.csv and measurements.csv"
        )
    return tuple(digest_files(file) for file in present)


def _subject_table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / "tables" / f"{name}.parquet"
    columns = {"subjects": SUBJECTS, "acquisitions": ACQUISITIONS, "events": EVENTS}.get(
        name, {"subject": ""}
    )
    return read_frame(path) if path.is_file() else pd.DataFrame(columns=list(columns), dtype=object)


def _appended(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows below a frame; an empty frame gives no column types of its own."""
    return pd.concat([frame, rows], ignore_index=True) if len(frame) else rows


def _register(connection: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame) -> None:
    connection.register(f"{name}_frame", frame)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_frame")
