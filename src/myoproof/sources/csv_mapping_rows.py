"""Mapped cells put together: days from dates, visits, one row a key, subjects, events, items."""

from collections.abc import Sequence

from myoproof.sources.csv_mapping_cells import Open
from myoproof.sources.csv_mapping_model import SUBJECT_COLUMNS
from myoproof.sources.proact_rows import ITEM_WORDS
from myoproof.sources.stage import Stage, named, quoted
from myoproof.sources.stage_rows import DAYS_PER_MONTH

NUMBERS = ("age_years", "onset_day")
KEY = 'subject, visit, modality, site, side, "at", measure, method, rater'


def finish(stage: Stage, opened: Sequence[Open]) -> None:
    """Tables ``subjects``, ``visits``, ``events``, ``covariates``, ``alsfrs`` and the view ``long_rows``.

    Parameters
    ----------
    stage : Stage
        With ``cells``, ``told`` and ``dated``.
    opened : sequence of Open
        The tables that were mapped.
    """
    stage.run(
        "CREATE TABLE baselines AS SELECT subject, coalesce(min(date) FILTER (name = ''), "
        "min(date) FILTER (name = 'visit')) AS zero FROM (SELECT subject, name, date FROM dated UNION ALL "
        "SELECT DISTINCT subject, 'visit', date FROM cells WHERE date IS NOT NULL) GROUP BY subject"
    )
    _visits(stage)
    _rows(stage)
    _people(stage, opened)
    stage.run(
        'CREATE VIEW long_rows AS SELECT subject, session, site, side, "at", measure, method, value, flags,'
        " absent, modality, rater FROM kept"
    )
    _alsfrs(stage)
    stage.run("CREATE TABLE visit_modalities AS SELECT DISTINCT subject, session, modality FROM kept")


def _visits(stage: Stage) -> None:
    """Cells with their day and the name of their visit: the one given, else the month of the day."""
    stage.run(
        "CREATE TABLE placed AS SELECT c.* EXCLUDE (day, date, session), c.session AS said_session, "
        "coalesce(c.day, c.date - b.zero)::INTEGER AS day FROM cells c LEFT JOIN baselines b USING (subject)"
    )
    stage.run("DROP TABLE cells")
    month = f"round(day / {DAYS_PER_MONTH})::INTEGER"
    stage.run(
        "CREATE TABLE day_names AS SELECT subject, day, CASE WHEN day < 0 THEN printf('before%04d', -day)"
        " WHEN place = 1 THEN printf('m%02d', month) ELSE printf('d%04d', day) END AS session FROM (SELECT"
        f" *, row_number() OVER (PARTITION BY subject, day < 0, {month} ORDER BY abs(day - {month} *"
        f" {DAYS_PER_MONTH}), day) AS place, {month} AS month FROM (SELECT DISTINCT subject, day FROM placed"
        " WHERE said_session IS NULL))"
    )
    stage.run(
        "CREATE TABLE seen AS SELECT p.* EXCLUDE (said_session), coalesce(p.said_session, n.session) AS visit"
        " FROM placed p LEFT JOIN day_names n USING (subject, day)"
    )
    stage.run("DROP TABLE placed")
    stage.run(
        "CREATE TABLE visits AS SELECT subject, visit AS session, min(day) AS day FROM seen GROUP BY subject,"
        " visit"
    )
    stage.hit(
        "before_enrolment", "", "SELECT 0 AS row, subject, day, session AS detail FROM visits WHERE day < 0"
    )


def _rows(stage: Stage) -> None:
    """Table ``kept``: one row a key, the first; the others are told."""
    stage.run(
        f"CREATE TABLE again AS SELECT * FROM seen SEMI JOIN (SELECT {KEY} FROM seen GROUP BY ALL HAVING"
        f" count(*) > 1) t USING ({KEY})"
    )
    ranked = (
        "SELECT *, row_number() OVER w AS place, first_value(value) OVER w AS first FROM again "
        f"WINDOW w AS (PARTITION BY {KEY} ORDER BY absent <> '', file, row)"
    )
    stage.run(f"CREATE TABLE surplus AS SELECT * FROM ({ranked}) WHERE place > 1")
    for rule, condition in (
        ("visit_repeated", "IS NOT DISTINCT FROM"),
        ("visit_conflicting", "IS DISTINCT FROM"),
    ):
        stage.run(
            f"INSERT INTO hits SELECT {quoted(rule)}, file, row, subject, day, measure FROM surplus "
            f"WHERE value {condition} first"
        )
    stage.run(
        "CREATE TABLE kept AS SELECT *, visit AS session FROM seen ANTI JOIN "
        f"(SELECT file, row, {KEY} FROM surplus) s USING (file, row, {KEY})"
    )
    stage.run("DROP TABLE seen")


def _people(stage: Stage, opened: Sequence[Open]) -> None:
    stage.run(
        "CREATE TABLE said AS SELECT subject, kind, name, arg_min(value, (file, row)) AS value,"
        " count(DISTINCT value) > 1 AS torn, min(row) AS row, min(file) AS file FROM told GROUP BY subject,"
        " kind, name"
    )
    stage.run(
        "INSERT INTO hits SELECT 'subject_conflicting', file, row, subject, NULL, name FROM said WHERE torn "
        "AND kind <> 'death'"
    )
    stage.run(
        "CREATE TABLE days AS SELECT d.subject, d.name, min(d.date - b.zero)::INTEGER AS day FROM dated d "
        "JOIN baselines b USING (subject) WHERE d.name <> '' GROUP BY d.subject, d.name"
    )

    for name in NUMBERS:
        stage.run(
            "INSERT INTO hits SELECT 'value_not_number', file, row, subject, NULL, name FROM said "
            f"WHERE kind = 'subjects' AND name = {quoted(name)} AND num(value) IS NULL"
        )
    _sexes(stage)
    columns = []
    for name in SUBJECT_COLUMNS:
        value = _told("subjects", name)
        if name == "onset_day":
            value = f"coalesce(num({value}), {_day('onset_day')})::DOUBLE"
        elif name in NUMBERS:
            value = f"num({value})"
        elif name == "sex":
            value = f"coalesce((SELECT x.ours FROM sexes x WHERE x.theirs = lower({value})), '')"
        else:
            value = f"coalesce({value}, '')"
        columns.append(f"{value} AS {name}")
    stage.run(
        f"CREATE TABLE subjects AS SELECT p.subject, {', '.join(columns)} FROM people p ORDER BY p.subject"
    )
    _extra(stage, opened)


def _extra(stage: Stage, opened: Sequence[Open]) -> None:
    """Tables ``covariates`` and ``events``."""
    extra = dict.fromkeys(name for one in opened for name in one.spec.covariates)
    dates = dict.fromkeys(name for one in opened for name in one.spec.dates if name != "onset_day")
    listed = [f"{_told('covariates', name)} AS {named(name)}" for name in extra]
    listed += [f"{_day(name)}::DOUBLE AS {named(name)}" for name in dates]
    stage.run(
        f"CREATE TABLE covariates AS SELECT {', '.join(['p.subject', *listed])} FROM people p ORDER BY"
        " p.subject"
    )
    died, when = _told("death", "died"), f"coalesce(whole({_told('death', 'day')}), {_day('death')})"
    stage.run(
        "CREATE TABLE events AS SELECT subject, 0.0::DOUBLE AS start_day, coalesce(gone, last)::DOUBLE AS"
        " end_day, 'death' AS kind, CASE died WHEN 'yes' THEN 1.0 WHEN 'no' THEN 0.0 END AS value, CASE WHEN"
        " died = 'yes' AND gone IS NOT NULL THEN 'observed' WHEN died = 'no' THEN 'censored' ELSE 'unknown'"
        f" END AS status FROM (SELECT p.subject, lower({died}) AS died, {when} AS gone, (SELECT max(v.day)"
        " FROM visits v WHERE v.subject = p.subject) AS last FROM people p)"
    )
    if any(one.spec.death is not None for one in opened):
        start = (
            "SELECT 0 AS row, subject, NULL AS day, '' AS detail FROM events WHERE status = 'unknown' AND"
            " value "
        )
        stage.hit("vital_status_unknown", "", start + "IS NULL")
        stage.hit("death_day_missing", "", start + "= 1")


def _told(kind: str, name: str) -> str:
    return (
        f"(SELECT s.value FROM said s WHERE s.subject = p.subject AND s.kind = {quoted(kind)} AND s.name"
        f" = {quoted(name)})"
    )


def _day(name: str) -> str:
    return f"(SELECT d.day FROM days d WHERE d.subject = p.subject AND d.name = {quoted(name)})"


def _sexes(stage: Stage) -> None:
    known = {"m": "male", "male": "male", "f": "female", "female": "female"}
    rows = ", ".join(f"({quoted(theirs)}, {quoted(ours)})" for theirs, ours in known.items())
    stage.run(f"CREATE TABLE sexes AS SELECT * FROM (VALUES {rows}) AS t(theirs, ours)")
    stage.run(
        "INSERT INTO hits SELECT 'value_unknown', file, row, subject, NULL, 'sex' FROM said WHERE kind ="
        " 'subjects' AND name = 'sex' AND lower(value) NOT IN (SELECT theirs FROM sexes)"
    )


def _alsfrs(stage: Stage) -> None:
    """Items of a visit side by side, for the scores."""
    picked = ", ".join(
        f"max(value) FILTER (measure = {quoted(word)}) AS {column}" for column, word in ITEM_WORDS.items()
    )
    listed = ", ".join(quoted(word) for word in ITEM_WORDS.values())
    both = "FROM kept WHERE measure = 'alsfrs_r_cutting' AND value IS NOT NULL GROUP BY subject, session "
    both += 'HAVING count(DISTINCT "at") > 1'
    stage.hit(
        "cutting_twice", "", f"SELECT min(row) AS row, subject, min(day) AS day, session AS detail {both}"
    )
    stage.run(
        "UPDATE kept SET value = NULL, absent = 'failed_quality' WHERE measure = 'alsfrs_r_cutting' AND "
        f"(subject, session) IN (SELECT (subject, session) {both})"
    )
    revised = "r1 IS NOT NULL OR r2 IS NOT NULL OR r3 IS NOT NULL"
    stage.run(
        f"CREATE TABLE alsfrs AS SELECT row_number() OVER () AS row, *, {revised} AS revised FROM (SELECT"
        f" subject, session, min(day) AS day, {picked}, bool_or(\"at\" = 'gastrostomy') AS gastrostomy FROM"
        f" kept WHERE measure IN ({listed}) GROUP BY subject, session)"
    )
