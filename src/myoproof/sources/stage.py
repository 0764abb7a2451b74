"""The stage of an import: an on-disk database of bounded memory where texts become rows, rule by rule."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from myoproof.sources.identity import hashed
from myoproof.sources.sheets import Sheet
from myoproof.sources.traps import rule, rules
from myoproof.sources.units import known

LONGEST_DAYS = 36_525
"""A day further from enrolment than 100 years is no day."""
MISSING = ("", "na", "n/a", "nan", "null", "none", ".", "#n/a", "missing")
"""Texts that mean that nothing is there, in lower case."""

_MACROS = """
CREATE MACRO blank(x) AS x IS NULL OR lower(trim(x)) IN ({missing});
CREATE MACRO txt(x) AS CASE WHEN blank(x) THEN NULL ELSE trim(x) END;
CREATE MACRO ambiguous(x) AS contains(x, ',')
  AND regexp_full_match(trim(x), '-?[1-9][0-9]{{0,2}},[0-9]{{3}}');
CREATE MACRO finite(x) AS CASE WHEN isfinite(x) THEN x END;
CREATE MACRO num(x) AS CASE
  WHEN NOT contains(x, ',') THEN finite(TRY_CAST(x AS DOUBLE))
  WHEN ambiguous(x) THEN NULL ELSE finite(TRY_CAST(replace(x, ',', '.') AS DOUBLE)) END;
CREATE MACRO score(x) AS CASE WHEN blank(x) THEN NULL WHEN num(x) IN (0, 1, 2, 3, 4) THEN num(x)::TINYINT
  ELSE -1::TINYINT END;
CREATE MACRO whole(x) AS CASE WHEN abs(num(x)) <= {longest} THEN round(num(x))::INTEGER END;
CREATE MACRO person(x) AS CASE WHEN blank(x) THEN NULL ELSE regexp_replace(trim(x), '[.]0+$', '') END;
CREATE MACRO unit_key(x) AS lower(trim(x));
CREATE TABLE hits (rule VARCHAR, file VARCHAR, row BIGINT, subject VARCHAR, day INTEGER, detail VARCHAR);
CREATE TABLE dropped (form VARCHAR, row BIGINT, rule VARCHAR);
CREATE TABLE forms (form VARCHAR, file VARCHAR, rows BIGINT, kept BIGINT);
CREATE TABLE sources (subject_text VARCHAR);
"""


@dataclass(frozen=True, slots=True)
class Options:
    """How an import is done.

    Parameters
    ----------
    salt : str
        Secret: pseudonyms become a keyed hash of the source's numbers; left out, they are counted in an order
        that says nothing about the numbers.
    known : mapping
        Source number -> pseudonym of an earlier import; others are added.
    threads : int
        Threads.
    memory_gb : float
        What the database may hold in memory; beyond it, it works on disk.
    """

    salt: str = ""
    known: Mapping[str, str] | None = None
    threads: int = 1
    memory_gb: float = 2.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A database under way.

    Parameters
    ----------
    database : DuckDBPyConnection
        With tables ``hits``, ``dropped`` and ``forms``, and what an importer adds: ``subjects``, ``visits``,
        ``events``, ``covariates``, ``alsfrs`` and ``long_rows``.
    scratch : Path
        Folder for its files; removed when the stage is closed.
    options : Options
        How the import is done.
    """

    database: duckdb.DuckDBPyConnection
    scratch: Path
    options: Options

    def run(self, sql: str, *values: Any) -> None:
        """Run statements."""
        self.database.execute(sql, list(values)) if values else self.database.execute(sql)

    def frame(self, sql: str, *values: Any) -> pd.DataFrame:
        """The answer to a question."""
        answer: pd.DataFrame = self.database.execute(sql, list(values)).df()
        return answer

    def number(self, sql: str, *values: Any) -> int:
        """The one number a question is answered by."""
        found = self.database.execute(sql, list(values)).fetchone()
        return int(found[0]) if found and found[0] is not None else 0

    def has(self, table: str) -> bool:
        """Whether a table or view is there."""
        asked = "SELECT count(*) FROM information_schema.tables WHERE table_name = ?"
        return bool(self.number(asked, table))

    def hit(self, name: str, file: str, sql: str) -> None:
        """Count a rule: SQL that gives row, subject, day and detail."""
        rule(name)
        self.run(f"INSERT INTO hits SELECT '{name}', {quoted(file)}, row, subject, day, detail FROM ({sql})")

    def hit_once(self, name: str, file: str = "", detail: str = "", row: int = 0) -> None:
        """Count a rule that concerns a file or a column as a whole."""
        rule(name)
        self.run("INSERT INTO hits VALUES (?, ?, ?, '', NULL, ?)", name, file, row, detail)


@contextmanager
def opened(scratch: Path, options: Options) -> Iterator[Stage]:
    """A stage in a scratch folder, closed at the end."""
    database = duckdb.connect(str(scratch / "stage.duckdb"))
    try:
        database.execute(f"SET threads = {options.threads}")
        database.execute(f"SET memory_limit = '{options.memory_gb}GB'")
        database.execute(f"SET temp_directory = {quoted(str(scratch / 'spill'))}")
        database.execute("SET enable_progress_bar = false")
        database.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        missing = ", ".join(quoted(text) for text in MISSING)
        database.execute(_MACROS.format(missing=missing, longest=LONGEST_DAYS))
        units = ", ".join(f"({quoted(text)}, {quoted(own[0])})" for text, own in known().items())
        database.execute(f"CREATE TABLE unit_names AS SELECT * FROM (VALUES {units}) AS t(text, ucum)")
        yield Stage(database, scratch, options)
    finally:
        database.close()


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def named(text: str) -> str:
    """Text as an SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def load(stage: Stage, sheet: Sheet, table: str, names: Sequence[str]) -> None:
    """Read a sheet into a table of text, with ``row`` counted from 1.

    Parameters
    ----------
    stage : Stage
        Where to.
    sheet : Sheet
        As :func:`myoproof.sources.sheets.look` gave it.
    table : str
        Its name on the stage.
    names : sequence of str
        A name a column; "" leaves a column out.
    """
    for name, row, detail in sheet.faults:
        stage.hit_once(name, sheet.name, detail, row)
    types = ", ".join(f"{named(f'c{place}')}: 'VARCHAR'" for place in range(len(names)))
    cells = {place: named(f"c{place}") for place, name in enumerate(names) if name}
    kept = [
        f"{f'person({cell})' if names[place] == 'subject_text' else cell} AS {named(names[place])}"
        for place, cell in cells.items()
    ]
    listed = ", ".join(["row_number() OVER () AS row", *kept])
    read = (
        f"read_csv({quoted(str(sheet.path))}, header = true, auto_detect = false, quote = '\"', escape ="
        f" '\"', delim = {quoted(sheet.delimiter)}, columns = {{{types}}}, store_rejects = true,"
        " rejects_limit = 0, max_line_size = 4194304)"
    )
    stage.run(f"CREATE TABLE {named(table)} AS SELECT {listed} FROM {read}")
    rejected = "SELECT DISTINCT line - 1 AS row, '' AS subject, NULL AS day, '' AS detail"
    stage.hit("row_malformed", sheet.name, f"{rejected} FROM reject_errors")
    stage.run("DROP TABLE reject_errors; DROP TABLE reject_scans")
    stage.run("INSERT INTO sources SELECT DISTINCT subject_text FROM " + named(table))


def name_people(stage: Stage) -> None:
    """Give every source number its pseudonym: table ``people`` (subject_text, subject)."""
    texts = [
        row[0]
        for row in stage.database.execute(
            "SELECT DISTINCT subject_text FROM sources WHERE subject_text IS NOT NULL "
            "ORDER BY sha256(subject_text)"
        ).fetchall()
    ]
    known = dict(stage.options.known or {})
    if stage.options.salt:
        fresh = {text: hashed(text, stage.options.salt) for text in texts if text not in known}
    else:
        taken = [int(name[4:]) for name in known.values() if name[4:].isdigit()]
        start = max(taken, default=0)
        new = [text for text in texts if text not in known]
        width = max(3, len(str(start + len(new))))
        fresh = {text: f"sub-{start + place:0{width}d}" for place, text in enumerate(new, start=1)}
    given = known | fresh
    frame = pd.DataFrame({"subject_text": texts, "subject": [given[text] for text in texts]}, dtype=object)
    stage.database.register("people_frame", frame)
    stage.run(
        "CREATE TABLE people AS SELECT subject_text::VARCHAR AS subject_text, subject::VARCHAR AS subject "
        "FROM people_frame"
    )
    stage.database.unregister("people_frame")


def settle(stage: Stage, form: str, file: str, key: Iterable[str], content: Iterable[str]) -> None:
    """Keep one row a key of ``FORM_typed``: rows without a day, after death or repeated are dropped and told.

    Parameters
    ----------
    stage : Stage
        Holds ``FORM_typed`` with row, subject, day, day_text, and may hold ``deaths``.
    form, file : str
        Table name, and the file it came from.
    key, content : iterable of str
        Columns beside subject and day that make a row; columns that must agree where it comes again.
    """
    typed = f"{form}_typed"
    drop = {
        "day_missing": "day IS NULL AND blank(day_text)",
        "day_impossible": "day IS NULL AND NOT blank(day_text)",
    }
    for name, condition in drop.items():
        _drop(
            stage, form, file, name, f"SELECT row, subject, day, '' AS detail FROM {typed} WHERE {condition}"
        )
    if stage.has("deaths"):
        after = f"SELECT t.row, t.subject, t.day, 'death on day ' || d.day AS detail FROM {typed} t "
        after += "JOIN deaths d USING (subject) WHERE d.day IS NOT NULL AND t.day > d.day"
        _drop(stage, form, file, "assessment_after_death", after)
    keys = ", ".join(named(name) for name in ("subject", "day", *key))
    stage.run(
        f"CREATE TEMP TABLE repeated AS SELECT t.*, concat_ws('|', {_texts(content)}) AS said,"
        f" {_answered(content)} AS answered FROM {typed} t ANTI JOIN (SELECT row FROM dropped WHERE form ="
        f" {quoted(form)}) gone USING (row) SEMI JOIN (SELECT {keys} FROM {typed} WHERE day IS NOT NULL GROUP"
        f" BY ALL HAVING count(*) > 1) twice USING ({keys})"
    )
    ranked = (
        "SELECT *, row_number() OVER w AS place, first_value(said) OVER w AS first_said FROM repeated "
        f"WINDOW w AS (PARTITION BY {keys} ORDER BY answered DESC, row)"
    )
    for name, sign in (("visit_repeated", "="), ("visit_conflicting", "<>")):
        sql = (
            f"SELECT row, subject, day, '' AS detail FROM ({ranked}) WHERE place > 1 AND said {sign}"
            " first_said"
        )
        _drop(stage, form, file, name, sql)
    stage.run("DROP TABLE repeated")
    stage.run(
        f"CREATE TABLE {form}_kept AS SELECT * EXCLUDE (day_text) FROM {typed} ANTI JOIN "
        f"(SELECT row FROM dropped WHERE form = {quoted(form)}) gone USING (row)"
    )
    stage.hit(
        "before_enrolment", file, f"SELECT row, subject, day, '' AS detail FROM {form}_kept WHERE day < 0"
    )
    stage.run(
        f"INSERT INTO forms SELECT {quoted(form)}, {quoted(file)}, (SELECT count(*) FROM {form}_raw), "
        f"(SELECT count(*) FROM {form}_kept)"
    )
    stage.run(f"DROP TABLE {typed}; DROP TABLE {form}_raw")


def nameless(stage: Stage, form: str, file: str) -> None:
    """Drop the rows of ``FORM_raw`` without a subject."""
    sql = f"SELECT row, '' AS subject, NULL AS day, '' AS detail FROM {form}_raw WHERE subject_text IS NULL"
    _drop(stage, form, file, "subject_missing", sql)


def counts(stage: Stage) -> pd.DataFrame:
    """Every rule with what it met: columns rule, trap, level, rows, patients, what, done."""
    met = stage.frame(
        "SELECT rule, count(*) AS rows, count(DISTINCT nullif(subject, '')) AS patients FROM hits GROUP BY"
        " rule"
    ).set_index("rule")
    found = [
        {
            "rule": one.name,
            "trap": one.trap,
            "level": one.level,
            "rows": int(met["rows"].get(one.name, 0)),
            "patients": int(met["patients"].get(one.name, 0)),
            "what": one.what,
            "done": one.done,
        }
        for one in rules().values()
    ]
    return pd.DataFrame(found)


def _drop(stage: Stage, form: str, file: str, name: str, sql: str) -> None:
    stage.run(f"CREATE TEMP TABLE going AS {sql}")
    stage.hit(name, file, "FROM going")
    stage.run(f"INSERT INTO dropped SELECT {quoted(form)}, row, {quoted(name)} FROM going; DROP TABLE going")


def _texts(columns: Iterable[str]) -> str:
    return ", ".join(f"coalesce(t.{named(name)}::VARCHAR, '')" for name in columns)


def _answered(columns: Iterable[str]) -> str:
    return " + ".join(f"(t.{named(name)} IS NOT NULL)::INTEGER" for name in columns)
