"""PRO-ACT: strength and laboratory tests in newtons and UCUM units, and what came after the last visit."""

from collections.abc import Mapping

from myoproof.sources.stage import Stage, nameless, quoted, settle
from myoproof.sources.units import factors

JOINTS = ("wrist", "elbow", "shoulder", "knee", "ankle", "hip", "neck", "finger", "thumb")
MOVEMENTS = (
    "flexion", "extension", "abduction", "adduction", "dorsiflexion", "plantar_flexion", "eversion",
    "inversion", "internal_rotation", "external_rotation", "pronation", "supination",
)  # fmt: skip
LABORATORY = {
    "creatinine": ("creatinine", ("creatinine", "serum creatinine")),
    "creatine_kinase": ("creatine_kinase", ("ck", "creatine kinase", "cpk", "creatine phosphokinase")),
    "alanine_aminotransferase": ("alanine_aminotransferase", ("alt", "alt(sgpt)", "alt (sgpt)", "sgpt")),
    "aspartate_aminotransferase": ("aspartate_aminotransferase", ("ast", "ast(sgot)", "ast (sgot)", "sgot")),
    "albumin": ("albumin", ("albumin",)),
}
"""Measure -> measure, test names in lower case. Other tests have no word in the vocabulary yet."""
UNITS = {
    "creatinine": "umol/L",
    "creatine_kinase": "U/L",
    "alanine_aminotransferase": "U/L",
    "aspartate_aminotransferase": "U/L",
    "albumin": "g/L",
    "neurofilament_light": "pg/mL",
}
CREATININE_UMOL_PER_MG = 1000 / 113.12
"""1 mg of creatinine, C4H7N3O, 113.12 g/mol."""
MATRICES = {
    "serum": "serum",
    "plasma": "plasma",
    "csf": "cerebrospinal_fluid",
    "cerebrospinal fluid": "cerebrospinal_fluid",
}
ASSESSMENTS = ("alsfrs", "fvc", "svc", "vitalsigns", "handgripstrength", "musclestrength")
"""Whoever had one of these was alive and followed: they alone set the day of censoring."""
_JOIN = "JOIN people p ON p.subject_text = r.subject_text"
_DAY = "r.row, p.subject, whole(r.day_text) AS day, r.day_text"


def strength(stage: Stage, form: str, file: str) -> None:
    """Table ``FORM_best``: the best trial of each site, side and movement of a day, in newtons."""
    nameless(stage, form, file)
    _values(stage, "to_newton", factors("N"))
    joint = "regexp_replace(lower(trim(r.location)), '[ _]*joints?$', '')"
    move = "regexp_replace(trim(split_part(lower(r.test), ',', -1)), '[ -]+', '_', 'g')"
    move = f"replace({move}, 'plantarflexion', 'plantar_flexion')"
    grip = form == "handgripstrength"
    site = "'hand'" if grip else joint
    movement = "''" if grip else move
    readable = "true" if grip else (f"{joint} IN ({_listed(JOINTS)}) AND {move} IN ({_listed(MOVEMENTS)})")
    stage.run(
        f"CREATE TABLE {form}_typed AS SELECT {_DAY}, {site} AS site, {movement} AS movement, CASE"
        " lower(trim(r.laterality)) WHEN 'left' THEN 'left' WHEN 'right' THEN 'right' WHEN 'both' THEN"
        " 'both' ELSE '' END AS side, coalesce(txt(r.trial), 'row ' || r.row) AS trial, blank(r.trial) AS"
        " no_trial, num(r.result) AS said, txt(r.result) AS said_text, txt(r.unit) AS unit, num(r.result) *"
        f" u.factor AS newton, coalesce({readable}, false) AS readable FROM {form}_raw r {_JOIN} LEFT JOIN"
        " to_newton u ON u.text = unit_key(r.unit)"
    )
    settle(stage, form, file, ("site", "movement", "side", "trial"), ("said", "unit"))
    base = f"SELECT row, subject, day, {{}} AS detail FROM {form}_kept WHERE {{}}"
    conditions = {
        "strength_unread": ("''", "NOT readable"),
        "strength_in_pounds": (
            "''",
            "unit_key(unit) IN ('pounds', 'pound', 'lb', 'lbs', '[lb_av]') AND readable",
        ),
        "strength_trial_missing": ("''", "no_trial AND readable"),
        "value_not_number": ("'Test_Result'", "said IS NULL AND said_text IS NOT NULL"),
        "value_out_of_range": ("said_text", "newton < 0"),
        "unit_missing": ("'Test_Unit'", "said IS NOT NULL AND unit IS NULL AND readable"),
        "unit_unknown": ("unit", "said IS NOT NULL AND unit IS NOT NULL AND newton IS NULL AND readable"),
    }
    for name, (detail, condition) in conditions.items():
        stage.hit(name, file, base.format(detail, condition))
    stage.run(
        f"CREATE TABLE {form}_best AS SELECT subject, day, site, movement, side, max(newton) AS newton, "
        f"count(*) > 1 AS several FROM {form}_kept WHERE readable AND newton >= 0 GROUP BY ALL"
    )


def laboratory(stage: Stage, file: str) -> None:
    """Table ``labs_kept``: the tests the vocabulary has words for."""
    nameless(stage, "labs", file)
    tests = ", ".join(
        f"({quoted(text)}, {quoted(measure)})" for measure, texts in LABORATORY.values() for text in texts
    )
    stage.run(f"CREATE TABLE lab_tests AS SELECT * FROM (VALUES {tests}) AS t(text, measure)")
    stage.hit(
        "laboratory_unread",
        file,
        f"SELECT r.row, p.subject, NULL AS day, lower(trim(r.test)) AS detail FROM labs_raw r {_JOIN} "
        "ANTI JOIN lab_tests t ON t.text = lower(trim(r.test))",
    )
    _typed(stage, "labs", "JOIN lab_tests t ON t.text = lower(trim(r.test))", "t.measure", "''")
    _settled(stage, "labs", file)


def neurofilament(stage: Stage, file: str) -> None:
    """Table ``neurofilament_kept``, in pg/mL; the form has no unit column."""
    nameless(stage, "neurofilament", file)
    cases = " ".join(f"WHEN {quoted(text)} THEN {quoted(at)}" for text, at in MATRICES.items())
    _typed(
        stage,
        "neurofilament",
        "",
        "'neurofilament_light'",
        f"CASE lower(trim(r.test)) {cases} ELSE '' END",
        "pg/mL",
    )
    _settled(stage, "neurofilament", file)


def _typed(stage: Stage, form: str, join: str, measure: str, at: str, unit: str = "") -> None:
    rows = {
        (name, text): number for name, target in UNITS.items() for text, number in factors(target).items()
    }
    rows |= {("creatinine", "mg/dl"): 10 * CREATININE_UMOL_PER_MG, ("creatinine", "mmol/l"): 1000.0}
    if not stage.has("lab_units"):
        listed = ", ".join(
            f"({quoted(name)}, {quoted(text)}, {number!r})" for (name, text), number in rows.items()
        )
        stage.run(f"CREATE TABLE lab_units AS SELECT * FROM (VALUES {listed}) AS t(measure, text, factor)")
    bare = "regexp_replace(trim(result), '^[<>]=? *', '')"
    told = (
        f"CASE WHEN blank(unit) THEN {quoted(unit.lower())} ELSE unit_key(unit) END"
        if unit
        else "unit_key(unit)"
    )
    stage.run(
        f"CREATE TABLE {form}_typed AS WITH t AS (SELECT {_DAY}, {measure} AS measure, {at} AS at, r.result,"
        f" r.unit FROM {form}_raw r {_JOIN} {join}) SELECT t.row, t.subject, t.day, t.day_text, t.measure,"
        f" t.at, num({bare}) AS said, txt(t.result) AS said_text, num({bare}) * u.factor AS value,"
        " txt(t.unit) AS unit, regexp_matches(trim(t.result), '^[<>]') AS bound, u.factor IS NULL AS"
        f" odd_unit FROM t LEFT JOIN lab_units u ON u.measure = t.measure AND u.text = {told}"
    )


def _settled(stage: Stage, form: str, file: str) -> None:
    settle(stage, form, file, ("measure", "at"), ("said_text", "unit"))
    base = f"SELECT row, subject, day, {{}} AS detail FROM {form}_kept WHERE {{}}"
    conditions = {
        "laboratory_bound": ("measure", "bound AND said IS NOT NULL"),
        "laboratory_text": ("measure", "said IS NULL AND said_text IS NOT NULL"),
        "unit_unknown": ("concat(measure, ': ', unit)", "odd_unit AND unit IS NOT NULL AND said IS NOT NULL"),
        "unit_missing": ("measure", "odd_unit AND unit IS NULL AND said IS NOT NULL"),
        "value_out_of_range": ("measure", "value < 0"),
    }
    for name, (detail, condition) in conditions.items():
        stage.hit(name, file, base.format(detail, condition))
    stage.run(f"DELETE FROM {form}_kept WHERE value IS NULL OR value < 0")


def last_days(stage: Stage, present: Mapping[str, str]) -> None:
    """Table ``last_seen``: the day of the last assessment; what lies later elsewhere is counted, not used."""
    days = " UNION ALL ".join(f"SELECT subject, day FROM {form}_kept" for form in ASSESSMENTS)
    stage.run(f"CREATE TABLE last_seen AS SELECT subject, max(day) AS day FROM ({days}) GROUP BY subject")
    late = "SELECT k.row, k.subject, k.day, '' AS detail FROM {} k LEFT JOIN last_seen s USING (subject) "
    late += "WHERE k.day > coalesce(s.day, 0)"
    for form in ("labs", "neurofilament"):
        if form in present:
            stage.hit("late_record", present[form], late.format(f"{form}_kept"))
    for form in ("conmeds", "adverseevents"):
        if form in present:
            inner = f"(SELECT r.row, p.subject, round(num(r.day_text)) AS day FROM {form}_raw r {_JOIN})"
            sql = late.format(inner).replace("k.day,", "least(k.day, 2000000000)::INTEGER AS day,")
            stage.hit("late_record", present[form], sql)


def _values(stage: Stage, name: str, rows: Mapping[str, float]) -> None:
    if not stage.has(name):
        listed = ", ".join(f"({quoted(text)}, {number!r})" for text, number in rows.items())
        stage.run(f"CREATE TABLE {name} AS SELECT * FROM (VALUES {listed}) AS t(text, factor)")


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(quoted(word) for word in words)
