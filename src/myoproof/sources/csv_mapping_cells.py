"""Mapped columns become cells: one row a measurement, in the measure's unit, with every fault told."""

import re
from dataclasses import dataclass

from myoproof.sources.csv_mapping_model import Cell, Long, TableMap, Value
from myoproof.sources.grades import GRADES
from myoproof.sources.stage import Stage, named, quoted
from myoproof.sources.units import factor, factors
from myoproof.vocabulary.lookup import words

FIRST_EXCEL_DAY, LAST_EXCEL_DAY = 20_000, 60_000
"""1954 to 2064 as spreadsheets count days from 1899-12-30."""
GRADE_UNITS = ("mrc", "mmt", "kendall")


@dataclass(frozen=True, slots=True)
class Open:
    """A table on the stage under the names x_COLUMN.

    Parameters
    ----------
    spec : TableMap
        What its columns are.
    file, raw : str
        The file's name, and the table's.
    held : frozenset of str
        Mapped columns that are there, lower case.
    """

    spec: TableMap
    file: str
    raw: str
    held: frozenset[str]

    def has(self, column: str) -> bool:
        """Whether a column is named and there."""
        return bool(column) and column.lower() in self.held

    @property
    def base(self) -> str:
        """SELECT of the rows that count: row, subject, day, date, session and the columns."""
        spec = self.spec
        day = f"whole({own(spec.day)})" if self.has(spec.day) else "NULL::INTEGER"
        date = parsed(own(spec.date), spec.date_format) if self.has(spec.date) else "NULL::DATE"
        session = f"txt({own(spec.session)})" if self.has(spec.session) else "NULL::VARCHAR"
        return (
            f"SELECT r.* EXCLUDE (subject_text), p.subject, {day} AS day, {date} AS date, {session} AS"
            f" session FROM {self.raw} r JOIN people p ON p.subject_text = r.subject_text WHERE"
            f" {self.rows}"
        )

    @property
    def rows(self) -> str:
        """Condition on the rows of this table."""
        asked = [
            f"coalesce(trim({own(column)}), '') = {quoted(text)}"
            for column, text in self.spec.where.items()
            if self.has(column)
        ]
        return " AND ".join(asked) or "true"


def own(column: str) -> str:
    """A column of the file on the stage, as SQL."""
    return named(f"x_{column.lower()}")


def parsed(column: str, form: str) -> str:
    """A date from text in a format, or from a spreadsheet's day number, as SQL; null where it is none."""
    number = f"num({column})"
    return (
        f"coalesce(try_strptime(trim({column}), {quoted(form)})::DATE, "
        f"CASE WHEN {number} BETWEEN {FIRST_EXCEL_DAY} AND {LAST_EXCEL_DAY} "
        f"THEN DATE '1899-12-30' + floor({number})::INTEGER END)"
    )


def make_tables(stage: Stage) -> None:
    """The tables that mapped files fill."""
    stage.run(
        "CREATE TABLE cells (file VARCHAR, row BIGINT, subject VARCHAR, day INTEGER, date DATE, session"
        ' VARCHAR, site VARCHAR, side VARCHAR, "at" VARCHAR, measure VARCHAR, method VARCHAR, modality'
        " VARCHAR, rater VARCHAR, value DOUBLE, flags VARCHAR, absent VARCHAR);CREATE TABLE told (file"
        " VARCHAR, row BIGINT, subject VARCHAR, kind VARCHAR, name VARCHAR, value VARCHAR);CREATE TABLE dated"
        " (file VARCHAR, row BIGINT, subject VARCHAR, name VARCHAR, date DATE)"
    )
    grades = ", ".join(f"({quoted(text)}, {number!r})" for text, number in GRADES.items())
    stage.run(f"CREATE TABLE grades AS SELECT * FROM (VALUES {grades}) AS t(text, number)")


def people_of(stage: Stage, one: Open) -> None:
    """What a table says about persons, and which of its rows have no subject, day or date."""
    spec = one.spec
    nobody = (
        f"SELECT row, '' AS subject, NULL AS day, '' AS detail FROM {one.raw} r WHERE subject_text IS NULL"
    )
    stage.hit("subject_missing", one.file, f"{nobody} AND {one.rows}")
    if one.has(spec.day):
        stage.hit(
            "day_impossible",
            one.file,
            f"SELECT row, subject, NULL AS day, {quoted(spec.day)} AS detail "
            f"FROM ({one.base}) WHERE day IS NULL AND NOT blank({own(spec.day)})",
        )
        stage.hit(
            "day_missing",
            one.file,
            f"SELECT row, subject, NULL AS day, '' AS detail FROM ({one.base}) "
            f"WHERE session IS NULL AND date IS NULL AND blank({own(spec.day)})",
        )
    dates = [spec.date, spec.baseline, *spec.dates.values(), spec.death.date if spec.death else ""]
    for column in filter(one.has, dict.fromkeys(dates)):
        read = parsed(own(column), spec.date_format)
        stage.hit(
            "date_impossible",
            one.file,
            f"SELECT row, subject, NULL AS day, {quoted(column)} AS detail "
            f"FROM ({one.base}) WHERE {read} IS NULL AND NOT blank({own(column)})",
        )
        excel = f"try_strptime(trim({own(column)}), {quoted(spec.date_format)}) IS NULL"
        stage.hit(
            "excel_date",
            one.file,
            f"SELECT row, subject, NULL AS day, {quoted(column)} AS detail "
            f"FROM ({one.base}) WHERE {read} IS NOT NULL AND {excel}",
        )
    for kind, cells in (("subjects", spec.subjects), ("covariates", spec.covariates)):
        for name, cell in cells.items():
            _tell(stage, one, kind, name, Cell(column=cell) if isinstance(cell, str) else cell)
    named_dates = {**spec.dates, **({"": spec.baseline} if spec.baseline else {})}
    if spec.death is not None:
        _tell(stage, one, "death", "died", spec.death.died)
        if one.has(spec.death.day):
            _tell(stage, one, "death", "day", Cell(column=spec.death.day))
        if one.has(spec.death.date):
            named_dates["death"] = spec.death.date
    for name, column in named_dates.items():
        if one.has(column):
            read = parsed(own(column), spec.date_format)
            stage.run(
                f"INSERT INTO dated SELECT {quoted(one.file)}, row, subject, {quoted(name)}, {read} "
                f"FROM ({one.base}) WHERE {read} IS NOT NULL"
            )
    stage.run(
        f"INSERT INTO forms SELECT {quoted(one.raw)}, {quoted(one.file)}, "
        f"(SELECT count(*) FROM {one.raw} r WHERE {one.rows}), (SELECT count(*) FROM ({one.base}))"
    )


def _tell(stage: Stage, one: Open, kind: str, name: str, cell: Cell) -> None:
    if not one.has(cell.column):
        return
    text = f"txt({own(cell.column)})"
    value = text
    if cell.values:
        cases = " ".join(
            f"WHEN {quoted(theirs.lower())} THEN {quoted(ours)}" for theirs, ours in cell.values.items()
        )
        value = f"CASE lower({text}) {cases} END"
        stage.hit(
            "value_unknown",
            one.file,
            f"SELECT row, subject, NULL AS day, {quoted(cell.column)} AS detail "
            f"FROM ({one.base}) WHERE {text} IS NOT NULL AND {value} IS NULL",
        )
    stage.run(
        f"INSERT INTO told SELECT {quoted(one.file)}, row, subject, {quoted(kind)}, {quoted(name)}, {value} "
        f"FROM ({one.base}) WHERE {value} IS NOT NULL"
    )


def cells_of_value(stage: Stage, one: Open, value: Value) -> None:
    """The rows of one mapped column."""
    if not one.has(value.column) or value.measure not in words("measures"):
        return
    column = own(value.column)
    unit = words("measures")[value.measure]["unit"]
    fixed = {
        name: quoted(getattr(value, name))
        for name in ("site", "side", "at", "measure", "method", "modality", "rater")
    }
    if value.values:
        cases = " ".join(
            f"WHEN {quoted(text.lower())} THEN {number!r}" for text, number in value.values.items()
        )
        number = f"CASE lower(txt({column})) {cases} END"
        _unread(stage, one, "value_unknown", column, number)
    elif value.unit.lower() in GRADE_UNITS:
        number = f"(SELECT g.number FROM grades g WHERE g.text = lower(replace(trim({column}), ' ', '')))"
        _unread(stage, one, "value_unknown", column, number)
    else:
        number = f"num({column})"
        _unread(
            stage, one, "value_not_number", f"CASE WHEN NOT ambiguous({column}) THEN {column} END", number
        )
        _unread(stage, one, "number_ambiguous", f"CASE WHEN ambiguous({column}) THEN {column} END", "NULL")
        number = _converted(stage, one, value, unit, number)
    _insert(stage, one, fixed, number, column)


def _converted(stage: Stage, one: Open, value: Value, unit: str, number: str) -> str:
    """The number in the measure's unit, as SQL."""
    if one.has(value.unit_column):
        told = own(value.unit_column)
        _units(stage, one, told, own(value.column), unit)
        return (
            f"{number} * (SELECT u.factor FROM {_factor_table(stage, unit)} u WHERE u.text ="
            f" unit_key({told}))"
        )
    times = factor(value.unit, unit) if value.unit else 1.0
    if times is None:
        stage.hit_once("unit_unknown", one.file, f"{value.column}: {value.unit} is not {unit}")
        return "NULL"
    return f"{number} * {times!r}"


def _factor_table(stage: Stage, unit: str) -> str:
    name = f'"factors {unit}"'
    if not stage.has(f"factors {unit}"):
        rows = (
            ", ".join(f"({quoted(text)}, {times!r})" for text, times in factors(unit).items()) or "('', 1.0)"
        )
        stage.run(f"CREATE TABLE {name} AS SELECT * FROM (VALUES {rows}) AS t(text, factor)")
    return name


def _units(stage: Stage, one: Open, told: str, value: str, unit: str, where: str = "true") -> None:
    """Faults of a column of units."""
    table = _factor_table(stage, unit)
    rows = f"FROM ({one.base}) WHERE NOT blank({value}) AND {where}"
    start = "SELECT row, subject, day, {} AS detail "
    stage.hit("unit_missing", one.file, f"{start.format(repr(''))}{rows} AND blank({told})")
    stage.hit(
        "unit_unknown",
        one.file,
        f"{start.format(told)}{rows} AND NOT blank({told}) AND unit_key({told}) NOT IN (SELECT text FROM"
        f" {table})",
    )
    kind = f"coalesce((SELECT n.ucum FROM unit_names n WHERE n.text = unit_key({told})), {told})"
    inner = f"SELECT row, subject, day, {told} AS unit, {kind} AS ucum {rows} AND NOT blank({told})"
    stage.hit(
        "units_mixed",
        one.file,
        f"WITH k AS ({inner}) SELECT row, subject, day, unit AS detail FROM k "
        "WHERE ucum <> (SELECT ucum FROM k GROUP BY ucum ORDER BY count(*) DESC, ucum LIMIT 1)",
    )


def cells_of_long(stage: Stage, one: Open, long: Long) -> None:
    """The rows of a table with one measurement a row."""
    if not (one.has(long.measure) and one.has(long.value)):
        return
    known = words("measures")
    theirs = f"lower(txt({own(long.measure)}))"
    listed = ", ".join(quoted(text.lower()) for text in long.measures) or "''"
    stage.hit(
        "word_unknown",
        one.file,
        f"SELECT row, subject, day, {own(long.measure)} AS detail FROM ({one.base}) "
        f"WHERE {theirs} IS NOT NULL AND {theirs} NOT IN ({listed})",
    )
    for text, measure in long.measures.items():
        if measure not in known:
            continue
        where = f"{theirs} = {quoted(text.lower())}"
        number = f"num({own(long.value)})"
        _unread(stage, one, "value_not_number", own(long.value), number, where)
        unit = known[measure]["unit"]
        if one.has(long.unit):
            _units(stage, one, own(long.unit), own(long.value), unit, where)
            number = (
                f"{number} * (SELECT u.factor FROM {_factor_table(stage, unit)} u WHERE u.text ="
                f" unit_key({own(long.unit)}))"
            )
        fixed = {"measure": quoted(measure), "at": "''"}
        fixed |= {name: quoted(getattr(long, name)) for name in ("method", "modality", "rater")}
        fixed["site"] = _translated(stage, one, long.site, long.sites, where)
        fixed["side"] = _translated(stage, one, long.side, long.sides, where)
        _insert(stage, one, fixed, number, own(long.value), where)


def _translated(stage: Stage, one: Open, column: str, table: dict[str, str], where: str) -> str:
    if not one.has(column):
        return "''"
    text = f"lower(txt({own(column)}))"
    if not table:
        return f"coalesce({text}, '')"
    cases = " ".join(f"WHEN {quoted(theirs.lower())} THEN {quoted(ours)}" for theirs, ours in table.items())
    found = f"CASE {text} {cases} END"
    stage.hit(
        "value_unknown",
        one.file,
        f"SELECT row, subject, day, {own(column)} AS detail FROM ({one.base}) "
        f"WHERE {where} AND {text} IS NOT NULL AND {found} IS NULL",
    )
    return f"coalesce({found}, '')"


def _unread(stage: Stage, one: Open, rule: str, column: str, number: str, where: str = "true") -> None:
    """Tell the rows whose text gives no number; the text itself stays on the stage: it may be anything."""
    stage.hit(
        rule,
        one.file,
        f"SELECT row, subject, day, {quoted(_name_of(column))} AS detail FROM ({one.base}) "
        f"WHERE {where} AND NOT blank({column}) AND {number} IS NULL",
    )


def _name_of(expression: str) -> str:
    """The file's column an expression reads."""
    found = re.search(r'"x_([^"]+)"', expression)
    return found.group(1) if found else ""


def _insert(
    stage: Stage, one: Open, fixed: dict[str, str], number: str, column: str, where: str = "true"
) -> None:
    measure = fixed["measure"].strip("'")
    row = words("measures")[measure]
    low, high = row["low"] or "-1e308", row["high"] or "1e308"
    fits = f"v BETWEEN {low} AND {high}"
    item = row["high"] == "4" and measure.startswith("alsfrs")
    if item:
        fits += " AND v = floor(v)"
    given = f"SELECT *, {number} AS v FROM ({one.base}) WHERE {where} AND NOT blank({column})"
    stage.hit(
        "item_out_of_range" if item else "value_out_of_range",
        one.file,
        f"SELECT row, subject, day, concat({quoted(measure + ' ')}, v) AS detail FROM ({given}) WHERE NOT"
        f" ({fits})",
    )
    stage.hit(
        "decimal_comma",
        one.file,
        f"SELECT row, subject, day, {column} AS detail FROM ({given}) "
        f"WHERE contains({column}, ',') AND v IS NOT NULL",
    )
    stage.run(
        f"INSERT INTO cells SELECT {quoted(one.file)}, row, subject, day, date, session, {fixed['site']},"
        f" {fixed['side']}, {fixed['at']}, {fixed['measure']}, {fixed['method']}, {fixed['modality']},"
        f" {fixed['rater']}, CASE WHEN {fits} THEN v END, '', CASE WHEN coalesce({fits}, false) THEN '' ELSE"
        f" 'failed_quality' END FROM ({given}) WHERE session IS NOT NULL OR day IS NOT NULL OR date IS NOT"
        " NULL"
    )
