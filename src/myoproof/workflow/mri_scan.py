"""One scan of a run: read, separated, segmented, measured, checked and drawn; files below one folder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.cohort import ACQUISITIONS
from myoproof.core.provenance import digest_bytes
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows, is_simulated, write_table
from myoproof.errors import Finding, InvalidInput, OutOfDomain
from myoproof.measures import dixon
from myoproof.registry import load, load_module
from myoproof.segmentation import checks, drawn, tissue
from myoproof.sources import bids, nifti
from myoproof.workflow.folder import write_json
from myoproof.workflow.ledger_tasks import Task
from myoproof.workflow.mri_find import from_json
from myoproof.workflow.verbs import mark_simulated


@dataclass(slots=True)
class _Desk:
    """What is known of the scan at hand, filled step by step."""

    task: Task
    acquisition: Acquisition
    regions: Segmentation | None = None
    absent: str = ""
    tables: list[Table] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def options(self) -> Mapping[str, Any]:
        """What was asked for."""
        options: Mapping[str, Any] = self.task.parameters["options"]
        return options


def scan(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one scan.

    Parameters
    ----------
    argument : mapping
        ``task``: the record of a task planned by :func:`myoproof.workflow.mri.plan`; ``staging``: an empty
        folder.

    Returns
    -------
    dict
        Plain JSON for the run's tables and report.

    Raises
    ------
    MyoproofError
        If the scan cannot be read or measured; nothing is published then.
    """
    task, staging = Task.of(argument["task"]), Path(argument["staging"])
    if task.work["fault"]:
        raise InvalidInput(task.work["fault"])
    desk = _read(task)
    _segment(desk)
    _measure(desk)
    rows = _finished(desk)
    return _write(desk, rows, staging)


def _read(task: Task) -> _Desk:
    findings: list[Finding] = []
    files = from_json(task.work["scan"])
    acquisition = bids.read(files, tell=findings.append)
    acquisition = replace(
        acquisition,
        subject=task.parameters["subject"],
        session=task.parameters["session"],
        run=task.parameters["run"],
        digest=digest_bytes("".join(task.inputs).encode()),
    )
    return _Desk(task, acquisition, findings=findings)


def _segment(desk: _Desk) -> None:
    """Drawn regions where there are some."""
    masks = desk.task.work["masks"]
    if len(masks) > 1:
        files = ", ".join(Path(mask["path"]).name for mask in masks)
        raise InvalidInput(f"{len(masks)} masks are drawn on this scan ({files})", mend="keep one in --masks")
    if masks:
        labels, affine = nifti.read_mask(Path(masks[0]["path"]))
        scheme = drawn.read_scheme(desk.options["labels"])
        desk.regions = drawn.segment(desk.acquisition, labels, affine, scheme, rater=masks[0]["rater"])
        desk.findings += checks.check(desk.acquisition, desk.regions)
        return
    desk.absent = "not_measured"
    message = "no mask is drawn on this scan and no network is installed: muscles are not measured"
    desk.findings.append(Finding("warning", "segmentation", message))


def _measure(desk: _Desk) -> None:
    if desk.regions is None:
        desk.tables.append(_absent(desk))
    else:
        params = dixon.Params(side_by_side=True)
        desk.tables.append(dixon.measure(desk.acquisition, desk.regions, params=params))
    try:
        compartments = tissue.segment(desk.acquisition)
        desk.tables.append(
            dixon.measure(desk.acquisition, compartments, params=dixon.Params(side_by_side=True))
        )
    except (InvalidInput, OutOfDomain) as error:
        desk.findings.append(Finding("warning", "compartments", f"not measured: {error}"))


def _absent(desk: _Desk) -> Table:
    """Rows that say why nothing stands there."""
    scheme = drawn.read_scheme(desk.options["labels"])
    start = {name: getattr(desk.acquisition, name) for name in ("subject", "session", "run", "modality")}
    return from_rows(
        {**start, "site": site, "side": side or word, "measure": measure, "at": at, "method": dixon.METHOD,
         "method_version": dixon.METHOD_VERSION, "absent": desk.absent}
        for site, side in sorted(set(scheme.values()))
        for word in (("left", "right") if not side else (side,))
        for measure, at in (("fat_fraction", ""), ("volume", ""), ("cross_sectional_area", "maximum"))
    )  # fmt: skip


def _finished(desk: _Desk) -> Table:
    rows = pd.concat(desk.tables, ignore_index=True).assign(provenance=desk.task.id)
    table = from_rows(rows, where=desk.task.key)
    return mark_simulated(table) if desk.options["simulated"] else table


def _write(desk: _Desk, rows: Table, staging: Path) -> dict[str, Any]:
    task, acquisition = desk.task, desk.acquisition
    write_table(rows, staging / "tables" / "measurements" / f"{task.id}.parquet")
    record = {"id": task.id, "act": task.act, "parameters": dict(task.parameters)}
    record |= {"inputs": list(task.inputs), "parents": list(task.parents)}
    write_json(record, staging / "provenance" / f"{task.id}.json")
    page = f"delivery/scans/{task.key}.html"
    if desk.regions is not None:
        rater = "".join(letter for letter in desk.regions.rater if letter.isalnum())
        name = f"{task.key}_desc-{rater}_dseg.nii.gz"
        load("writers", "nifti")(desk.regions.labels, desk.regions.affine, staging / "segmentations" / name)
    writer = load_module("writers", "mri-page")
    shown = writer.MriPage(acquisition, desk.regions, rows, desk.findings, None, record)
    writer.write(shown, staging / page)
    return {
        "acquisition": {name: getattr(acquisition, name) for name in ACQUISITIONS},
        "rows": len(rows),
        "page": page,
        "quality": writer.verdict(shown),
        "thumbnail": writer.thumbnail(shown),
        "findings": [asdict(finding) for finding in desk.findings],
        "simulated": is_simulated(rows),
        "absent": desk.absent,
    }
