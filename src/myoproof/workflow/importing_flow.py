"""The flow of an import as tables: patients step by step, rows form by form, what the study holds."""

import pandas as pd

from myoproof.sources.stage import Stage

SHOWN = 5
"""Rows of each rule that a message lists; all of them are in rows.csv."""
_STEPS = (
    ("in the export", "", "SELECT subject FROM subjects"),
    ("with an assessment kept", "no assessment, or none that could be kept", "SELECT subject FROM visits"),
    ("with an ALSFRS-R visit", "no visit with ALSFRS-R", "SELECT subject FROM {visits}"),
    ("with two ALSFRS-R totals or more", "fewer than two complete ALSFRS-R visits",
     "SELECT subject FROM {visits} WHERE isfinite(total) GROUP BY subject HAVING count(*) > 1"),
    ("onset known", "onset unknown or left empty",
     "SELECT subject FROM subjects WHERE onset_day IS NOT NULL"),
    ("vital status known", "vital status unknown", "SELECT subject FROM events WHERE status <> 'unknown'"),
)  # fmt: skip


_FROM_ITEMS = "(SELECT subject, alsfrs_r AS total FROM scored WHERE revised)"
_RECORDED = "(SELECT subject, value AS total FROM all_rows WHERE measure = 'alsfrs_r' AND absent = '')"
"""Visits with ALSFRS-R: by their items; where no item was imported, by the totals that were recorded."""


def flow(stage: Stage) -> pd.DataFrame:
    """Patients left at each step towards an analysis of decline and survival: step, patients, reason.

    Parameters
    ----------
    stage : Stage
        After an importer and the scores. Nobody is removed from the study by these steps: they are told.
    """
    rows = []
    with_items = stage.number("SELECT count(*) FROM scored WHERE revised") > 0
    visits = _FROM_ITEMS if with_items else _RECORDED
    stage.run("CREATE OR REPLACE TEMP TABLE left_over AS SELECT DISTINCT subject FROM subjects")
    for step, reason, sql in _STEPS:
        stage.run(
            "CREATE OR REPLACE TEMP TABLE left_over AS SELECT * FROM left_over "
            f"SEMI JOIN ({sql.format(visits=visits)}) USING (subject)"
        )
        rows.append(
            {"step": step, "patients": stage.number("SELECT count(*) FROM left_over"), "reason": reason}
        )
    return pd.DataFrame(rows)


def forms_flow(stage: Stage) -> pd.DataFrame:
    """Rows of each form: read, left out by each rule, kept."""
    return stage.frame(
        "SELECT form, step, rows FROM ("
        "SELECT form, 'read' AS step, rows, 0 AS place FROM forms WHERE file <> '' UNION ALL "
        "SELECT form, rule, count(*), 1 FROM dropped GROUP BY form, rule UNION ALL "
        "SELECT form, 'kept', kept, 2 FROM forms WHERE file <> '') "
        "SEMI JOIN (SELECT form FROM forms WHERE file <> '') USING (form) ORDER BY form, place, step"
    )


def summary(stage: Stage) -> pd.DataFrame:
    """What was made: measure, method, rows, rows without a value."""
    return stage.frame(
        "SELECT measure, method, count(*) AS rows, count(*) FILTER (absent <> '') AS absent "
        "FROM all_rows GROUP BY measure, method ORDER BY measure, method"
    )


def listing(stage: Stage) -> pd.DataFrame:
    """The first rows of every rule that met something."""
    return stage.frame(
        "SELECT rule, file, row, subject, day, detail FROM hits "
        f"QUALIFY row_number() OVER (PARTITION BY rule ORDER BY file, row, subject) <= {SHOWN} "
        "ORDER BY rule, file, row, subject"
    )
