"""The tables of a run's study folder, made from the ledger alone: the same for any order of the work."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from myoproof.core.cohort import ACQUISITIONS, EVENTS, SUBJECTS, make_cohort
from myoproof.core.table import read_frame, write_table
from myoproof.registry import load_module
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_files
from myoproof.workflow.ledger import Ledger
from myoproof.workflow.ledger_tasks import Entry

TABLES = (*study_folder.SUBJECT_TABLES, "ledger", "measurements", "scans")
"""What is written here; a killed run may have left a piece of it under a hidden name."""
VISIT = ["subject", "session", "run", "modality"]


def finish(ledger: Ledger, manifest: str, refused: Mapping[str, str], left_out: Mapping[str, str]) -> Path:
    """Write subjects, acquisitions, the list of active parts, the measurements as CSV, and the report.

    Parameters
    ----------
    ledger : Ledger
        Its finished tasks are what the folder holds, besides what others put there.
    manifest : str
        The run's: its quarantined tasks are listed.
    refused, left_out : mapping
        Scans that cannot be read, and that are not measured by themselves, with the reason.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    NotWritable
        If the folder cannot be written.
    """
    names = [f"{name}{ending}" for name in TABLES for ending in (".csv", ".parquet", ".json", ".html")]
    for place in ("tables", "delivery"):
        ledger_files.clear(ledger.folder / place, names)
    entries = ledger.entries()
    done = [entry for entry in entries if entry.state == "done"]
    _write_subjects(ledger.folder, done)
    _write_parts(ledger, done)
    held = {one.task.key: one.reason for one in ledger.entries(manifest) if one.state == "quarantined"}
    writer = load_module("writers", "mri-report")
    report = writer.MriReport(
        scans=[writer.ScanLine(entry.task.key, entry.summary) for entry in done],
        quarantined={**refused, **held},
        left_out=left_out,
    )
    page: Path = writer.write(report, ledger.folder / "delivery" / "scans.html")
    return page


def _write_subjects(folder: Path, done: list[Entry]) -> None:
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


def _write_parts(ledger: Ledger, done: list[Entry]) -> None:
    """Active parts: those that others added, in their order, then this ledger's by the names of the scans."""
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
