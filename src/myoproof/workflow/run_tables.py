"""Tables of a run's study folder, made from the ledger alone: the same for any order of the work."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from myoproof.core.cohort import ACQUISITIONS, EVENTS, SUBJECTS, make_cohort
from myoproof.core.table import read_frame, write_table
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_files
from myoproof.workflow.ledger import Ledger
from myoproof.workflow.ledger_tasks import Entry

TABLES = (*study_folder.SUBJECT_TABLES, "ledger", "measurements")
"""What is written here; a killed run may have left a piece of it under a hidden name."""
VISIT = ["subject", "session", "run", "modality"]


def write(ledger: Ledger, done: Sequence[Entry], pages: Sequence[str]) -> None:
    """Write subjects, acquisitions, the list of active parts, and the measurements as CSV.

    Parameters
    ----------
    ledger : Ledger
        Its finished tasks are what the folder holds, besides what others put there.
    done : sequence of Entry
        Finished tasks; the summary of each has its ``acquisition``.
    pages : sequence of str
        Names, without ending, of what is written beside them.

    Raises
    ------
    NotWritable
        If the folder cannot be written.
    """
    names = [
        f"{name}{ending}" for name in (*TABLES, *pages) for ending in (".csv", ".parquet", ".json", ".html")
    ]
    for place in ("tables", "delivery"):
        ledger_files.clear(ledger.folder / place, names)
    _write_subjects(ledger.folder, done)
    _write_parts(ledger, done)


def _write_subjects(folder: Path, done: Sequence[Entry]) -> None:
    visits = pd.DataFrame([entry.summary["acquisition"] for entry in done], columns=list(ACQUISITIONS))
    known = {name: _table(folder, name) for name in study_folder.SUBJECT_TABLES}
    others = known["acquisitions"].merge(visits[VISIT], on=VISIT, how="left", indicator=True)
    kept = known["acquisitions"][(others["_merge"] == "left_only").to_numpy()]
    people = sorted(set(visits["subject"]) - set(known["subjects"]["subject"]))
    new = pd.DataFrame({"subject": people})
    cohort = make_cohort(
        _joined(known["subjects"], new),
        _joined(kept, visits).sort_values(VISIT),
        pd.DataFrame(),
        known["events"],
        _joined(known["covariates"], new),
    )
    study_folder.write_subjects(folder, cohort)


def _write_parts(ledger: Ledger, done: Sequence[Entry]) -> None:
    """Active parts: those that others added, in their order, then this ledger's by the names of its tasks."""
    folder = ledger.folder
    ours = {path.stem for path in (folder / "tables" / "measurements").glob("*.parquet")} & ledger.ids()
    active = [part for part in study_folder.active_parts(folder) if part not in ours]
    active += [entry.task.id for entry in done]
    content = {"format": study_folder.FORMAT, "active": active}
    study_folder.write_json(content, folder / "tables" / "ledger.json")
    if active:
        with study_folder.connect(folder) as connection:
            view = connection.sql(f"SELECT * FROM measurements ORDER BY {study_folder.KEY_SQL}").df()
        write_table(view, folder / "tables" / "measurements.csv")


def _joined(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    filled = [frame for frame in (one, other) if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else one


def _table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / "tables" / f"{name}.parquet"
    columns = {"subjects": SUBJECTS, "acquisitions": ACQUISITIONS, "events": EVENTS}
    return read_frame(path) if path.is_file() else pd.DataFrame(columns=list(columns.get(name, {"subject"})))
