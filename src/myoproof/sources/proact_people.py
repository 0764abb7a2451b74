"""PRO-ACT: who the patients are, when the disease began, whether they died, and what is not known of it."""

from collections.abc import Mapping

from myoproof.sources.proact_forms import FORMS
from myoproof.sources.stage import Stage, nameless, quoted

DAYS_PER_MONTH = 30.4375
"""365.25 / 12, as everywhere in this house; PRO-ACT papers often take 30.44."""
SHORTEST_ONSET_DAYS = 30
"""An onset nearer to enrolment is taken for an error (no trial enrols within a month of onset)."""
OLDEST_YEARS = 120
_SITES = {
    "bulbar": "bulbar",
    "limb": "limb",
    "limb and bulbar": "limb_and_bulbar",
    "other": "other",
    "spine": "spinal",
    "spinal": "spinal",
}
_BOXES = ("site_limb_and_bulbar", "site_bulbar", "site_limb", "site_spinal", "site_other")
_CRITERIA = ("definite", "probable", "probable_laboratory_supported", "possible", "suspected")


def people(stage: Stage, present: Mapping[str, str]) -> None:
    """Tables ``history``, ``who``, ``deaths``, ``drug``, ``arms`` and ``criteria``, one row a patient.

    Parameters
    ----------
    stage : Stage
        With the raw forms and ``people``.
    present : mapping
        Form -> file name.
    """
    for name in FORMS:
        if name not in present:
            columns = ", ".join(f"NULL::VARCHAR AS {column}" for column in FORMS[name].columns)
            listed = f", {columns}" if columns else ""
            stage.run(
                f"CREATE TABLE {name}_raw AS SELECT 0::BIGINT AS row, NULL::VARCHAR AS subject_text{listed}"
                " WHERE false"
            )
    for name in ("demographics", "alshistory", "deathdata", "riluzole", "treatment", "elescorial"):
        nameless(stage, name, present.get(name, ""))
    _who(stage, present.get("demographics", ""))
    _history(stage, present.get("alshistory", ""))
    _deaths(stage, present.get("deathdata", ""))
    _treatment(stage, present)
    kept = {
        "demographics": "who",
        "alshistory": "history",
        "deathdata": "deaths",
        "riluzole": "drug",
        "treatment": "arms",
        "elescorial": "criteria",
    }
    for form, table in kept.items():
        if form in present:
            stage.run(
                f"INSERT INTO forms SELECT {quoted(form)}, {quoted(present[form])}, "
                f"(SELECT count(*) FROM {form}_raw), (SELECT count(*) FROM {table})"
            )


def _who(stage: Stage, file: str) -> None:
    stage.run(
        "CREATE TABLE who_typed AS SELECT r.row, p.subject, num(r.age) AS age, txt(r.age) AS age_text, "
        "txt(r.sex) AS sex_text, CASE WHEN lower(txt(r.sex)) IN ('m', 'male') THEN 'male' "
        "WHEN lower(txt(r.sex)) IN ('f', 'female') THEN 'female' END AS sex "
        "FROM demographics_raw r JOIN people p ON p.subject_text = r.subject_text"
    )
    stage.hit(
        "value_unknown",
        file,
        "SELECT row, subject, NULL AS day, 'Sex: ' || sex_text AS detail "
        "FROM who_typed WHERE sex IS NULL AND sex_text IS NOT NULL",
    )
    bad = f"age_text IS NOT NULL AND NOT coalesce(age BETWEEN 0 AND {OLDEST_YEARS}, false)"
    stage.hit(
        "value_out_of_range",
        file,
        f"SELECT row, subject, NULL AS day, 'Age: ' || age_text AS detail FROM who_typed WHERE {bad}",
    )
    _repeated(stage, file, "who_typed", ("age_text", "sex_text"))
    stage.run(
        "CREATE TABLE who AS SELECT subject, coalesce(arg_min(sex, row) FILTER (sex IS NOT NULL), '') AS"
        f" sex, arg_min(age, row) FILTER (age BETWEEN 0 AND {OLDEST_YEARS}) AS age_years, bool_or({bad}) AS"
        " odd_age FROM who_typed GROUP BY subject"
    )
    stage.hit(
        "age_missing",
        file,
        "SELECT 0 AS row, p.subject, NULL AS day, '' AS detail FROM people p LEFT JOIN who w USING (subject) "
        "WHERE w.age_years IS NULL AND NOT coalesce(w.odd_age, false)",
    )


def _repeated(stage: Stage, file: str, table: str, content: tuple[str, ...]) -> None:
    said = ", ".join(f"coalesce({name}::VARCHAR, '')" for name in content)
    ranked = (
        f"SELECT *, row_number() OVER w AS place, concat_ws('|', {said}) AS said, "
        f"first_value(concat_ws('|', {said})) OVER w AS first_said FROM {table} "
        "WINDOW w AS (PARTITION BY subject ORDER BY row)"
    )
    for name, sign in (("subject_repeated", "="), ("subject_conflicting", "<>")):
        stage.hit(
            name,
            file,
            f"SELECT row, subject, NULL AS day, '' AS detail FROM ({ranked}) "
            f"WHERE place > 1 AND said {sign} first_said",
        )


def _history(stage: Stage, file: str) -> None:
    known = " ".join(f"WHEN {quoted(text)} THEN {quoted(site)}" for text, site in _SITES.items())
    boxes = " ".join(
        f"WHEN NOT blank(r.{box}) AND trim(r.{box}) <> '0' THEN {quoted(box[5:])}" for box in _BOXES
    )
    both = (
        "NOT blank(r.site_bulbar) AND trim(r.site_bulbar) <> '0' AND NOT blank(r.site_limb) AND"
        " trim(r.site_limb) <> '0'"
    )
    stage.run(
        "CREATE TABLE history_typed AS SELECT r.row, p.subject, txt(r.onset) AS onset_text, whole(r.onset)"
        " AS onset, txt(r.diagnosis) AS diagnosis_text, whole(r.diagnosis) AS diagnosis, txt(r.site) AS"
        f" site_text, CASE regexp_replace(lower(trim(r.site)), '^onset: *', '') {known} END AS told, CASE"
        f" WHEN {both} THEN 'limb_and_bulbar' {boxes} END AS box FROM alshistory_raw r JOIN people p ON"
        " p.subject_text = r.subject_text"
    )
    stage.hit(
        "value_unknown",
        file,
        "SELECT row, subject, NULL AS day, 'Site_of_Onset' AS detail FROM history_typed "
        "WHERE told IS NULL AND site_text IS NOT NULL",
    )
    for name in ("onset", "diagnosis"):
        stage.hit(
            "day_impossible",
            file,
            f"SELECT row, subject, NULL AS day, '{name}: ' || {name}_text AS detail "
            f"FROM history_typed WHERE {name} IS NULL AND {name}_text IS NOT NULL",
        )
    stage.run(
        "CREATE TABLE history_all AS SELECT subject, min(row) AS row, count(*) AS n, coalesce(arg_min(told,"
        " row) FILTER (told IS NOT NULL), arg_min(box, row) FILTER (box IS NOT NULL), '') AS onset_site,"
        " arg_min(onset, row) FILTER (onset IS NOT NULL) AS onset, arg_min(diagnosis, row) FILTER (diagnosis"
        " IS NOT NULL) AS diagnosis, count(DISTINCT coalesce(told, box)) > 1 OR count(DISTINCT told) > 1 OR"
        " bool_or(told <> box) AS mixed, count(DISTINCT onset) > 1 OR count(DISTINCT diagnosis) > 1 AS torn"
        " FROM history_typed GROUP BY subject"
    )
    _onset(stage, file)


def _onset(stage: Stage, file: str) -> None:
    """Table ``history``: onset and diagnosis where their days are possible."""
    base = "SELECT row, subject, NULL AS day, {} AS detail FROM history_all WHERE {}"
    days = "concat('onset ', onset, ', diagnosis ', diagnosis)"
    conditions = {
        "history_rows": ("concat(n, ' rows')", "n > 1"),
        "onset_site_conflicting": ("onset_site", "mixed"),
        "subject_conflicting": ("'onset or diagnosis'", "torn"),
        "onset_after_enrolment": (days, "onset > 0"),
        "diagnosis_after_enrolment": (days, "diagnosis > 0"),
        "onset_after_diagnosis": (days, "onset <= 0 AND diagnosis <= 0 AND onset > diagnosis"),
        "onset_too_recent": (
            days,
            (
                f"onset <= 0 AND onset > -{SHORTEST_ONSET_DAYS} AND "
                "NOT coalesce(diagnosis <= 0 AND onset > diagnosis, false)"
            ),
        ),
    }
    for name, (detail, condition) in conditions.items():
        stage.hit(name, file, base.format(detail, condition))
    wrong = "coalesce(onset <= 0 AND diagnosis <= 0 AND onset > diagnosis, false)"
    stage.run(
        "CREATE TABLE history AS SELECT subject, onset_site, "
        f"CASE WHEN onset <= -{SHORTEST_ONSET_DAYS} AND NOT {wrong} THEN onset END AS onset_day, "
        f"CASE WHEN diagnosis <= 0 AND NOT {wrong} THEN diagnosis END AS diagnosis_day FROM history_all"
    )
    stage.hit(
        "entered_late",
        file,
        "SELECT 0 AS row, subject, NULL AS day, '' AS detail FROM history WHERE onset_day IS NOT NULL",
    )


def _deaths(stage: Stage, file: str) -> None:
    stage.run(
        "CREATE TABLE deaths_typed AS SELECT r.row, p.subject, txt(r.died) AS died_text, "
        "CASE WHEN lower(txt(r.died)) IN ('yes', 'y', '1', 'true') THEN true "
        "WHEN lower(txt(r.died)) IN ('no', 'n', '0', 'false') THEN false END AS died, "
        "txt(r.death) AS death_text, whole(r.death) AS day "
        "FROM deathdata_raw r JOIN people p ON p.subject_text = r.subject_text"
    )
    stage.hit(
        "value_unknown",
        file,
        "SELECT row, subject, NULL AS day, 'Subject_Died' AS detail FROM deaths_typed "
        "WHERE died IS NULL AND died_text IS NOT NULL",
    )
    stage.hit(
        "day_impossible",
        file,
        "SELECT row, subject, NULL AS day, 'Death_Days: ' || death_text AS detail "
        "FROM deaths_typed WHERE day IS NULL AND death_text IS NOT NULL",
    )
    same = (
        "SELECT subject, count(DISTINCT concat_ws('|', died::VARCHAR, coalesce(day::VARCHAR, ''))) AS kinds, "
    )
    same += "min(row) AS first_row FROM deaths_typed GROUP BY subject"
    stage.run(f"CREATE TABLE deaths_said AS {same}")
    for name, condition in (
        ("death_repeated", "kinds = 1 AND row > first_row"),
        ("death_conflicting", "kinds > 1"),
    ):
        stage.hit(
            name,
            file,
            "SELECT row, subject, day, died_text AS detail FROM deaths_typed "
            f"JOIN deaths_said USING (subject) WHERE {condition}",
        )
    stage.run(
        "CREATE TABLE deaths AS SELECT subject, CASE WHEN kinds = 1 THEN died END AS died, "
        "CASE WHEN kinds = 1 AND died THEN day END AS day FROM deaths_typed JOIN deaths_said USING (subject) "
        "WHERE row = first_row"
    )
    stage.hit(
        "death_day_missing",
        file,
        "SELECT 0 AS row, subject, NULL AS day, '' AS detail FROM deaths WHERE died AND day IS NULL",
    )
    stage.hit(
        "vital_status_unknown",
        file,
        "SELECT 0 AS row, subject, NULL AS day, '' AS detail FROM people ANTI JOIN deaths USING (subject)",
    )


def _treatment(stage: Stage, present: Mapping[str, str]) -> None:
    joined = "FROM {}_raw r JOIN people p ON p.subject_text = r.subject_text"
    stage.run(
        "CREATE TABLE drug AS SELECT p.subject, bool_or(lower(txt(r.used)) IN ('yes', 'y', '1', 'true')) AS"
        " yes, bool_or(lower(txt(r.used)) IN ('no', 'n', '0', 'false')) AS no "
        + joined.format("riluzole")
        + " WHERE NOT blank(r.used) GROUP BY p.subject"
    )
    stage.run(
        "CREATE TABLE arms AS SELECT p.subject, arg_min(lower(txt(r.arm)), r.row) FILTER (NOT blank(r.arm))"
        " AS arm " + joined.format("treatment") + " GROUP BY p.subject"
    )
    told = "regexp_replace(lower(trim(r.criteria)), '[^a-z]+', '_', 'g')"
    listed = ", ".join(quoted(word) for word in _CRITERIA)
    stage.run(
        f"CREATE TABLE criteria AS SELECT p.subject, arg_min({told}, r.row) FILTER ({told} IN ({listed})) AS"
        " criteria " + joined.format("elescorial") + " GROUP BY p.subject"
    )
    stage.hit(
        "value_unknown",
        present.get("elescorial", ""),
        f"SELECT r.row, p.subject, NULL AS day, 'el_escorial' AS detail {joined.format('elescorial')} "
        f"WHERE NOT blank(r.criteria) AND {told} NOT IN ({listed})",
    )
    lacking = "SELECT 0 AS row, subject, NULL AS day, '' AS detail FROM people ANTI JOIN {} USING (subject)"
    stage.hit(
        "riluzole_unknown", present.get("riluzole", ""), lacking.format("(FROM drug WHERE yes OR no) d")
    )
    if stage.number("SELECT count(*) FROM drug WHERE yes") and not stage.number(
        "SELECT count(*) FROM drug WHERE no"
    ):
        stage.hit_once("riluzole_never_no", present["riluzole"])
    stage.hit(
        "arm_unknown", present.get("treatment", ""), lacking.format("(FROM arms WHERE arm IS NOT NULL) a")
    )
