"""What every importer ends with: visits with their names, and rows in the table's columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from myoproof.sources.stage import Stage, quoted

DAYS_PER_MONTH = 30.4375
"""365.25 / 12."""
ROW = 'subject, session, site, side, "at", measure, method, value, flags, absent, modality, rater'
"""What a row of ``long_rows`` holds."""


def name_visits(stage: Stage, tables: Sequence[str]) -> None:
    """Table ``visits`` (subject, day, session): named m06 by the month, d0190 where that is taken.

    Parameters
    ----------
    stage : Stage
        Where they are.
    tables : sequence of str
        Tables with subject and day.
    """
    days = " UNION ALL ".join(f"SELECT subject, day FROM {table}" for table in tables)
    month = f"round(day / {DAYS_PER_MONTH})::INTEGER"
    near = f"abs(day - {month} * {DAYS_PER_MONTH})"
    stage.run(
        "CREATE TABLE visits AS SELECT subject, day, CASE WHEN day < 0 THEN printf('before%04d', -day) WHEN"
        " place = 1 THEN printf('m%02d', month) ELSE printf('d%04d', day) END AS session FROM (SELECT *,"
        f" row_number() OVER (PARTITION BY subject, day < 0, {month} ORDER BY {near}, day) AS place, {month}"
        f" AS month FROM (SELECT DISTINCT subject, day FROM ({days}) WHERE day IS NOT NULL))"
    )


def attach(stage: Stage, table: str, name: str) -> None:
    """The rows of a table with the name of their visit, as another table."""
    stage.run(
        f"CREATE TABLE {name} AS SELECT k.*, v.session FROM {table} k JOIN visits v USING (subject, day)"
    )
    stage.run(f"DROP TABLE {table}")


@dataclass(frozen=True, slots=True)
class Part:
    """One SELECT of ``long_rows``: SQL expressions but for table and method.

    Parameters
    ----------
    table : str
        Where from; holds subject and session.
    measure : str
        A word, or an expression in brackets.
    value : str
        In the unit of the measure; null where absent.
    site, side, at, flags, where : str
        Expressions.
    method : str
        What computed the number.
    absent : str
        The reason where the value is null, or an expression CASE ...
    """

    table: str
    measure: str
    value: str
    site: str = "''"
    side: str = "''"
    at: str = "''"
    flags: str = "''"
    where: str = "true"
    method: str = "recorded"
    absent: str = "not_recorded"

    @property
    def sql(self) -> str:
        """The statement."""
        name = self.measure if self.measure.startswith("(") else quoted(self.measure)
        why = self.absent
        if not why.startswith("CASE"):
            why = f"CASE WHEN {self.value} IS NULL THEN {quoted(why)} ELSE '' END"
        return (
            f'SELECT subject, session, {self.site} AS site, {self.side} AS side, {self.at} AS "at", '
            f"{name} AS measure, {quoted(self.method)} AS method, ({self.value})::DOUBLE AS value, "
            f"{self.flags} AS flags, {why} AS absent, 'clinical' AS modality, '' AS rater FROM {self.table}"
            f" WHERE {self.where}"
        )
