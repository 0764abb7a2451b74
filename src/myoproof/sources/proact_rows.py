"""PRO-ACT: the kept forms put together: subjects, events, covariates at baseline, and rows of the table."""

from collections.abc import Mapping

from myoproof.sources.proact_visits import _VITALS
from myoproof.sources.stage import Stage, quoted
from myoproof.sources.stage_rows import Part, attach, name_visits

BASELINE_DAYS = 31
"""A baseline value is the last one up to enrolment, else the first within this many days: never later."""
ITEM_WORDS = {
    "q1": "alsfrs_r_speech",
    "q2": "alsfrs_r_salivation",
    "q3": "alsfrs_r_swallowing",
    "q4": "alsfrs_r_handwriting",
    "q5": "alsfrs_r_cutting",
    "q6": "alsfrs_r_dressing",
    "q7": "alsfrs_r_turning",
    "q8": "alsfrs_r_walking",
    "q9": "alsfrs_r_climbing",
    "r1": "alsfrs_r_dyspnea",
    "r2": "alsfrs_r_orthopnea",
    "r3": "alsfrs_r_respiratory_insufficiency",
    "q10": "alsfrs_respiratory",
}
"""Column of the form -> word of the vocabulary."""
DATED = ("alsfrs", "fvc", "svc", "vitalsigns", "handgripstrength", "musclestrength", "labs", "neurofilament")


def cohort(stage: Stage, present: Mapping[str, str]) -> None:
    """Tables ``subjects``, ``visits``, ``events``, ``covariates``, ``alsfrs`` and the view ``long_rows``."""
    stage.run("DROP TABLE handgripstrength_kept; DROP TABLE musclestrength_kept")
    stage.run("ALTER TABLE handgripstrength_best RENAME TO handgripstrength_kept")
    stage.run("ALTER TABLE musclestrength_best RENAME TO musclestrength_kept")
    name_visits(stage, [f"{form}_kept" for form in DATED])
    stage.run(
        "CREATE TABLE subjects AS SELECT p.subject, coalesce(w.sex, '') AS sex, w.age_years, 'ALS' AS"
        " diagnosis, '' AS genotype, h.onset_day::DOUBLE AS onset_day, coalesce(h.onset_site, '') AS"
        " onset_site, '' AS centre, coalesce(a.arm, '') AS arm, '' AS analysis_sets FROM people p LEFT JOIN"
        " who w USING (subject) LEFT JOIN history h USING (subject) LEFT JOIN arms a USING (subject) ORDER BY"
        " subject"
    )
    stage.run(
        "CREATE TABLE events AS SELECT p.subject, 0.0::DOUBLE AS start_day, coalesce(d.day, s.day)::DOUBLE AS"
        " end_day, 'death' AS kind, CASE WHEN d.died THEN 1.0 WHEN NOT d.died THEN 0.0 END AS value, CASE"
        " WHEN d.died AND d.day IS NOT NULL THEN 'observed' WHEN NOT d.died THEN 'censored' ELSE 'unknown'"
        " END AS status FROM people p LEFT JOIN deaths d USING (subject) LEFT JOIN last_seen s USING"
        " (subject) ORDER BY subject"
    )
    _covariates(stage, present)
    for form in DATED:
        attach(stage, f"{form}_kept", form)
    stage.run("CREATE VIEW visit_modalities AS SELECT subject, session, 'clinical' AS modality FROM visits")
    stage.run(f"CREATE VIEW long_rows AS {' UNION ALL '.join(one.sql for one in _parts())}")


def _covariates(stage: Stage, present: Mapping[str, str]) -> None:
    def baseline(table: str, value: str) -> str:
        """The value nearest to enrolment from before it, else the first within the window."""
        order = "CASE WHEN day <= 0 THEN -day ELSE 100000 + day END"
        return (
            f"SELECT subject, arg_min({value}, {order}) AS v FROM {table} "
            f"WHERE {value} IS NOT NULL AND day <= {BASELINE_DAYS} GROUP BY subject"
        )

    patterns = []
    for form in sorted(present):
        for table in (
            f"{form}_kept",
            {
                "demographics": "who",
                "alshistory": "history",
                "deathdata": "deaths",
                "riluzole": "drug",
                "treatment": "arms",
                "elescorial": "criteria",
            }.get(form, ""),
        ):
            if table and stage.has(table):
                patterns.append(f"SELECT DISTINCT subject, {quoted(form)} AS form FROM {table}")
    patterns = patterns or ["SELECT subject, '' AS form FROM people"]
    stage.run(
        "CREATE TABLE covariates AS SELECT p.subject, h.diagnosis_day::DOUBLE AS diagnosis_day, "
        "CASE WHEN g.yes THEN 'yes' WHEN g.no THEN 'no' ELSE '' END AS riluzole, "
        "coalesce(c.criteria, '') AS el_escorial, kg.v AS body_weight_kg, cm.v AS body_height_cm, "
        "round(kg.v / (cm.v / 100) ^ 2, 2) AS body_mass_index, coalesce(f.pattern, '') AS form_pattern "
        "FROM people p LEFT JOIN history h USING (subject) LEFT JOIN drug g USING (subject) "
        "LEFT JOIN criteria c USING (subject) "
        f"LEFT JOIN ({baseline('vitalsigns_kept', 'kg')}) kg USING (subject) "
        f"LEFT JOIN ({baseline('vitalsigns_kept', 'cm')}) cm USING (subject) "
        "LEFT JOIN (SELECT subject, string_agg(form, '+' ORDER BY form) AS pattern FROM "
        f"({' UNION ALL '.join(patterns)}) GROUP BY subject) f USING (subject) ORDER BY p.subject"
    )


def _parts() -> list[Part]:
    parts: list[Part] = []
    for column, word in ITEM_WORDS.items():
        where = {"q10": "q10 IS NOT NULL", "r1": "revised", "r2": "revised", "r3": "revised"}.get(
            column, "true"
        )
        why = (
            f"CASE WHEN {column} IS NULL THEN 'not_recorded' WHEN {column} < 0 THEN 'failed_quality' ELSE"
            " '' END"
        )
        at = (
            "CASE WHEN gastrostomy AND q5a IS NULL THEN 'gastrostomy' ELSE '' END" if column == "q5" else "''"
        )
        parts.append(Part("alsfrs", word, f"nullif({column}, -1)", at=at, absent=why, where=where))
    flag = "CASE WHEN {} THEN 'recorded_total_differs' ELSE '' END"
    for total, word, most, differs in (
        ("r_total", "alsfrs_r", 48, "r_differs"),
        ("total", "alsfrs", 40, "differs"),
    ):
        bounded = f"{total} BETWEEN 0 AND {most}" + (" AND q10 IS NOT NULL" if word == "alsfrs" else "")
        parts.append(Part("alsfrs", word, total, flags=flag.format(differs), where=bounded))
    for form, word in (("fvc", "forced_vital_capacity"), ("svc", "slow_vital_capacity")):
        best = "CASE WHEN several THEN 'best_of_trials' ELSE '' END"
        parts.append(Part(form, word, "litres", flags=best))
        computed = "CASE WHEN computed THEN 'from_litres' ELSE '' END"
        parts.append(Part(form, f"{word}_predicted", "share", flags=computed))
    parts.append(Part("vitalsigns", "body_weight", "kg", where="kg IS NOT NULL"))
    inferred = "CASE WHEN inches THEN 'unit_inferred' ELSE '' END"
    parts.append(Part("vitalsigns", "body_height", "cm", flags=inferred, where="cm IS NOT NULL"))
    for column, (word, _, _) in _VITALS.items():
        parts.append(Part("vitalsigns", word, column, where=f"{column} IS NOT NULL"))
    best = "CASE WHEN several THEN 'best_of_trials' ELSE '' END"
    parts.append(Part("handgripstrength", "grip_strength", "newton", site="site", side="side", flags=best))
    knee, sole = "site = 'knee' AND movement = 'extension'", "site = 'ankle' AND movement = 'plantar_flexion'"
    word = f"(CASE WHEN {knee} THEN 'knee_extension_strength' WHEN {sole} THEN 'plantar_flexion_strength' "
    word += "ELSE 'isometric_strength' END)"
    at = f"CASE WHEN {knee} OR {sole} THEN '' ELSE movement END"
    parts.append(Part("musclestrength", word, "newton", site="site", side="side", at=at, flags=best))
    for form in ("labs", "neurofilament"):
        bound = "CASE WHEN bound THEN 'comparator' ELSE '' END"
        parts.append(Part(form, "(measure)", "value", at='"at"', flags=bound))
    return parts
