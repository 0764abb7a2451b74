"""The tables of a run's study folder, made from the ledger alone: the same for any order of the work."""

from collections.abc import Mapping
from pathlib import Path

from myoproof.registry import load_module
from myoproof.workflow import run_tables
from myoproof.workflow.ledger import Ledger


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
    done = [entry for entry in ledger.entries() if entry.state == "done"]
    run_tables.write(ledger, done, ["scans"])
    held = {one.task.key: one.reason for one in ledger.entries(manifest) if one.state == "quarantined"}
    writer = load_module("writers", "mri-report")
    report = writer.MriReport(
        scans=[writer.ScanLine(entry.task.key, entry.summary) for entry in done],
        quarantined={**refused, **held},
        left_out=left_out,
    )
    page: Path = writer.write(report, ledger.folder / "delivery" / "scans.html")
    return page
