"""Scores of imported visits, computed in pieces of bounded size: totals, subscores, stages, rate."""

import numpy as np
import pandas as pd

from myoproof.measures import clinical
from myoproof.sources.stage import Stage
from myoproof.sources.stage_rows import ROW, Part
from myoproof.vocabulary.lookup import words

PIECE = 200_000
"""Visits at a time."""
COLUMNS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "r1", "r2", "r3")
"""Items in the order of the scale."""


def score(stage: Stage, params: clinical.Params) -> pd.DataFrame:
    """Table ``scored`` and the view ``all_rows``: what the importer gave and what follows from it.

    Parameters
    ----------
    stage : Stage
        With ``alsfrs`` (row, subject, session, day, items, gastrostomy, revised), and ``subjects``.
    params : Params
        Settings of stages and rates.

    Returns
    -------
    DataFrame
        setting, visits, patients: whose stage changes with a setting that implementations disagree on.
    """
    made = (*clinical.REVISED_WORDS, "alsfrs")
    columns = ", ".join(f"{word} DOUBLE" for word in made)
    stage.run(
        f"CREATE TABLE scores (row BIGINT, {columns}, kings_without_region BOOLEAN, communication BOOLEAN)"
    )
    last = stage.number("SELECT max(row) FROM alsfrs")
    for start in range(0, last + 1, PIECE):
        frame = _piece(stage, start, params)
        if len(frame):
            stage.database.register("score_frame", frame)
            stage.run("INSERT INTO scores SELECT * FROM score_frame")
            stage.database.unregister("score_frame")
    stage.run(
        "CREATE TABLE scored AS SELECT s.*, a.subject, a.session, a.day, a.revised, a.q10 IS NOT NULL AS"
        " has_ten FROM scores s JOIN alsfrs a USING (row)"
    )
    stage.run("DROP TABLE scores")
    units = {name: row["unit"] for name, row in words("measures").items()}
    stage.database.register(
        "units_frame", pd.DataFrame({"measure": list(units), "unit": list(units.values())})
    )
    stage.run(
        "CREATE TABLE measure_units AS SELECT measure::VARCHAR AS measure, unit::VARCHAR AS unit FROM"
        " units_frame"
    )
    stage.hit(
        "rate_undefined",
        "",
        "SELECT row, subject, day, '' AS detail FROM scored "
        "WHERE revised AND isfinite(alsfrs_r) AND isnan(alsfrs_r_rate)",
    )
    parts = [_part(word, "revised") for word in clinical.REVISED_WORDS] + [_part("alsfrs", "has_ten")]
    stage.run(f"CREATE VIEW all_rows AS SELECT {ROW} FROM long_rows UNION ALL {' UNION ALL '.join(parts)}")
    changed = [
        {
            "setting": name,
            "visits": stage.number(f"SELECT count(*) FROM scored WHERE revised AND {name}"),
            "patients": stage.number(f"SELECT count(DISTINCT subject) FROM scored WHERE revised AND {name}"),
        }
        for name in ("kings_without_region", "communication")
    ]
    return pd.DataFrame(changed)


def _piece(stage: Stage, start: int, params: clinical.Params) -> pd.DataFrame:
    listed = ", ".join(f"nullif({name}, -1)::DOUBLE AS {name}" for name in (*COLUMNS, "q10"))
    found = stage.database.execute(
        f"SELECT row, {listed}, coalesce(gastrostomy, false) AS gastrostomy, (day - onset_day)::DOUBLE AS"
        " days FROM alsfrs LEFT JOIN (SELECT subject, onset_day FROM subjects) USING (subject) WHERE row >="
        " ? AND row < ? ORDER BY row",
        [start, start + PIECE],
    ).df()
    items = found[list(COLUMNS)].to_numpy(dtype=np.float64)
    months = found["days"].to_numpy(dtype=np.float64) / clinical.DAYS_PER_MONTH
    visits = clinical.Visits(
        items, found["q10"].to_numpy(dtype=np.float64), found["gastrostomy"].to_numpy(dtype=np.bool_), months
    )
    scores = clinical.scores(visits, params)
    made = (*clinical.REVISED_WORDS, "alsfrs")
    return pd.DataFrame(
        {"row": found["row"], **{word: scores[word] for word in made}, **clinical.disagreements(visits)}
    )


def _part(word: str, where: str) -> str:
    value = f"CASE WHEN isfinite({word}) THEN {word} END"
    reason = "not_defined" if word == "alsfrs_r_rate" else "insufficient_data"
    return Part("scored", word, value, method=clinical.METHOD, where=where, absent=reason).sql
