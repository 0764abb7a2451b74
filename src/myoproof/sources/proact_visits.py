"""PRO-ACT: what each visit assessed: ALSFRS of either scale, vital capacity, weight, height, pulse."""

from myoproof.sources.proact_forms import ITEMS
from myoproof.sources.stage import Stage, nameless, quoted, settle
from myoproof.sources.units import factors

SMALLEST_KG, LARGEST_KG = 25, 300
SHORTEST_CM, TALLEST_CM = 80, 240
INCHES = (48, 84)
"""A height in this span that is none under its own unit is one in inches (122 to 213 cm)."""
COMMON = ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9")
REVISED = ("r1", "r2", "r3")
_JOIN = "JOIN people p ON p.subject_text = r.subject_text"
_DAY = "r.row, p.subject, whole(r.day_text) AS day, r.day_text"
_VITALS = {
    "systolic": ("systolic_blood_pressure", 0, 400),
    "diastolic": ("diastolic_blood_pressure", 0, 300),
    "pulse": ("pulse_rate", 0, 400),
    "breaths": ("respiratory_rate", 0, 150),
}


def alsfrs(stage: Stage, file: str) -> None:
    """Table ``alsfrs_kept``: items q1 to q9, q10 of the old scale, r1 to r3, -1 where an item is no score."""
    nameless(stage, "alsfrs", file)
    items = ", ".join(f"score(r.{item}) AS {item}" for item in ITEMS)
    sums = " + ".join(f"nullif({item}, -1)" for item in COMMON)
    inner = (
        f"SELECT {_DAY}, {items}, num(r.total) AS total, num(r.r_total) AS r_total FROM alsfrs_raw r {_JOIN}"
    )
    stage.run(
        "CREATE TABLE alsfrs_typed AS SELECT *, CASE WHEN q5a IS NOT NULL AND q5b IS NOT NULL THEN"
        " -1::TINYINT ELSE coalesce(q5a, q5b) END AS q5, q5b IS NOT NULL AS gastrostomy, r1 IS NOT NULL OR"
        f" r2 IS NOT NULL OR r3 IS NOT NULL OR q10 IS NULL AS revised FROM ({inner})"
    )
    content = [item for item in ITEMS] + ["total", "r_total"]
    settle(stage, "alsfrs", file, (), content)
    common = f"({sums})"
    stage.run(
        f"CREATE TABLE alsfrs_checked AS SELECT *, coalesce(revised AND r_total <> {common} + nullif(r1, -1)"
        " + nullif(r2, -1) + nullif(r3, -1), false) AS r_differs, coalesce(q10 IS NOT NULL AND total <>"
        f" {common} + nullif(q10, -1), false) AS differs FROM alsfrs_kept"
    )
    stage.run("DROP TABLE alsfrs_kept; ALTER TABLE alsfrs_checked RENAME TO alsfrs_kept")
    base = "SELECT row, subject, day, {} AS detail FROM alsfrs_kept WHERE {}"
    conditions = {
        "ten_item_scale": ("''", "q10 IS NOT NULL AND NOT revised"),
        "both_scales": ("''", "q10 IS NOT NULL AND revised"),
        "cutting_twice": ("concat('Q5a ', q5a, ', Q5b ', q5b)", "q5a IS NOT NULL AND q5b IS NOT NULL"),
        "cutting_gastrostomy": ("''", "q5b IS NOT NULL AND q5a IS NULL"),
        "total_differs": ("concat('ALSFRS ', total, ', ALSFRS-R ', r_total)", "r_differs OR differs"),
    }
    for name, (detail, condition) in conditions.items():
        stage.hit(name, file, base.format(detail, condition))
    for item in ITEMS:
        stage.hit("item_out_of_range", file, base.format(quoted(item), f"{item} = -1"))


def capacity(stage: Stage, form: str, file: str) -> None:
    """Table ``FORM_kept`` of forced (``fvc``) or slow (``svc``) vital capacity: litres and share."""
    nameless(stage, form, file)
    litres = _unit_table(stage, "L")
    stage.run(
        f"CREATE TABLE {form}_typed AS SELECT {_DAY}, txt(r.unit) AS unit, greatest(num(r.l1), num(r.l2),"
        " num(r.l3)) * CASE WHEN blank(r.unit) THEN 1 ELSE u.factor END AS litres, greatest(num(r.p1),"
        " num(r.p2), num(r.p3)) / 100 AS told, num(r.normal) * CASE WHEN blank(r.unit) THEN 1 ELSE u.factor"
        " END AS predicted, NOT blank(r.unit) AND u.factor IS NULL AS odd_unit, (num(r.l1) IS NOT"
        " NULL)::INTEGER + (num(r.l2) IS NOT NULL)::INTEGER + (num(r.l3) IS NOT NULL)::INTEGER > 1 AS"
        f" several FROM {form}_raw r {_JOIN} LEFT JOIN {litres} u ON u.text = unit_key(r.unit)"
    )
    stage.hit(
        "file_order",
        file,
        "SELECT first_row AS row, subject, first_day AS day, '' AS detail FROM (SELECT subject, min(row) AS"
        f" first_row, arg_min(day, row) AS first_day, min(day) AS least FROM {form}_typed WHERE day IS NOT"
        " NULL GROUP BY subject) WHERE first_day > least",
    )
    settle(stage, form, file, (), ("litres", "told", "predicted"))
    stage.run(
        f"CREATE TABLE {form}_checked AS SELECT *, told IS NULL AND litres IS NOT NULL AND predicted > 0 AS"
        " computed, CASE WHEN told IS NOT NULL THEN told WHEN predicted > 0 THEN litres / predicted END AS"
        f" share FROM {form}_kept"
    )
    stage.run(f"DROP TABLE {form}_kept; ALTER TABLE {form}_checked RENAME TO {form}_kept")
    base = f"SELECT row, subject, day, {{}} AS detail FROM {form}_kept WHERE {{}}"
    conditions = {
        "unit_unknown": ("unit", "odd_unit"),
        "capacity_unit_missing": ("''", "unit IS NULL AND litres IS NOT NULL"),
        "percent_from_litres": ("''", "computed"),
        "percent_unknown": ("''", "share IS NULL AND litres IS NOT NULL"),
        "reference_equation_unknown": ("''", "told IS NOT NULL"),
        "value_out_of_range": (
            "concat(litres, ' L, ', share)",
            "litres NOT BETWEEN 0 AND 15 OR share NOT BETWEEN 0 AND 3",
        ),
    }
    for name, (detail, condition) in conditions.items():
        stage.hit(name, file, base.format(detail, condition))
    stage.run(
        f"UPDATE {form}_kept SET litres = CASE WHEN litres BETWEEN 0 AND 15 THEN litres END, "
        "share = CASE WHEN share BETWEEN 0 AND 3 THEN share END "
        "WHERE litres NOT BETWEEN 0 AND 15 OR share NOT BETWEEN 0 AND 3"
    )


def slow_only(stage: Stage, file: str) -> None:
    """Count the patients with slow but no forced vital capacity."""
    stage.hit(
        "slow_only",
        file,
        "SELECT 0 AS row, subject, NULL AS day, '' AS detail FROM "
        "(SELECT DISTINCT subject FROM svc_kept) ANTI JOIN fvc_kept USING (subject)",
    )


def vitals(stage: Stage, file: str) -> None:
    """Table ``vitalsigns_kept``: kg, cm, mm[Hg], beats and breaths a minute."""
    nameless(stage, "vitalsigns", file)
    mass, length = _unit_table(stage, "kg"), _unit_table(stage, "cm")
    plain = ", ".join(f"num(r.{name}) AS {name}" for name in _VITALS)
    stage.run(
        f"CREATE TABLE vitalsigns_typed AS SELECT {_DAY}, num(r.weight) AS weight_said, "
        "txt(r.weight_unit) AS weight_unit, num(r.weight) * w.factor AS kg, num(r.height) AS height_said, "
        "txt(r.height_unit) AS height_unit, num(r.height) * h.factor AS cm, "
        f"{plain} FROM vitalsigns_raw r {_JOIN} LEFT JOIN {mass} w ON w.text = unit_key(r.weight_unit) "
        f"LEFT JOIN {length} h ON h.text = unit_key(r.height_unit)"
    )
    settle(stage, "vitalsigns", file, (), ("weight_said", "height_said", *_VITALS))
    fits = f"coalesce(cm BETWEEN {SHORTEST_CM} AND {TALLEST_CM}, false)"
    inches = f"NOT {fits} AND height_said BETWEEN {INCHES[0]} AND {INCHES[1]}"
    base = "SELECT row, subject, day, {} AS detail FROM vitalsigns_kept WHERE {}"
    heavy = f"kg NOT BETWEEN {SMALLEST_KG} AND {LARGEST_KG}"
    said = "concat({0}_said, ' ', {0}_unit)"
    conditions = [
        ("weight_impossible", said.format("weight"), heavy),
        ("height_in_inches", said.format("height"), inches),
        ("height_impossible", said.format("height"), f"cm IS NOT NULL AND NOT {fits} AND NOT ({inches})"),
    ]
    for name, other in (("weight", "true"), ("height", f"NOT ({inches})")):
        value = "kg" if name == "weight" else "cm"
        conditions += [
            ("unit_missing", quoted(name), f"{name}_said IS NOT NULL AND {name}_unit IS NULL AND {other}"),
            (
                "unit_unknown",
                f"{name}_unit",
                f"{name}_said IS NOT NULL AND {name}_unit IS NOT NULL AND {value} IS NULL AND {other}",
            ),
        ]
    for column, (_, low, high) in _VITALS.items():
        conditions.append(("value_out_of_range", quoted(column), f"{column} NOT BETWEEN {low} AND {high}"))
    for name, detail, condition in conditions:
        stage.hit(name, file, base.format(detail, condition))
    for name in ("weight", "height"):
        _mixed(stage, file, f"{name}_unit", f"{name}_said")
    bounded = ", ".join(
        f"CASE WHEN {column} BETWEEN {low} AND {high} THEN {column} END AS {column}"
        for column, (_, low, high) in _VITALS.items()
    )
    stage.run(
        f"CREATE TABLE vitalsigns_checked AS SELECT row, subject, day, CASE WHEN NOT ({heavy}) THEN kg END AS"
        f" kg, {inches} AS inches, CASE WHEN {fits} THEN cm WHEN {inches} THEN height_said * 2.54 END AS cm,"
        f" {bounded} FROM vitalsigns_kept"
    )
    stage.run("DROP TABLE vitalsigns_kept; ALTER TABLE vitalsigns_checked RENAME TO vitalsigns_kept")


def _mixed(stage: Stage, file: str, unit: str, value: str) -> None:
    """The rows of every unit of a column but the most frequent; spellings of one unit count as one."""
    stage.run(
        f"CREATE TEMP TABLE kinds AS SELECT row, subject, day, {unit} AS unit, coalesce(n.ucum, {unit}) AS"
        f" ucum FROM vitalsigns_kept LEFT JOIN unit_names n ON n.text = unit_key({unit}) WHERE {value} IS NOT"
        f" NULL AND {unit} IS NOT NULL"
    )
    stage.hit(
        "units_mixed",
        file,
        f"SELECT row, subject, day, {quoted(unit + ': ')} || unit AS detail FROM kinds "
        "WHERE ucum <> (SELECT ucum FROM kinds GROUP BY ucum ORDER BY count(*) DESC, ucum LIMIT 1)",
    )
    stage.run("DROP TABLE kinds")


def _unit_table(stage: Stage, target: str) -> str:
    """A table of unit texts and their factors to a unit; its name."""
    name = f"unit_to_{target.lower()}"
    if not stage.has(name):
        rows = ", ".join(f"({quoted(text)}, {number!r})" for text, number in factors(target).items())
        stage.run(f"CREATE TABLE {name} AS SELECT * FROM (VALUES {rows}) AS t(text, factor)")
    return name
