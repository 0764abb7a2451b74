"""One scan of a run: measured, and everything about it written below one folder."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.core.cohort import ACQUISITIONS
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows, is_simulated, write_table
from myoproof.errors import InvalidInput
from myoproof.registry import load, load_module
from myoproof.vocabulary.lookup import words
from myoproof.workflow import mri_derived, mri_maps, mri_steps
from myoproof.workflow.folder import write_json
from myoproof.workflow.ledger_tasks import Task
from myoproof.workflow.mri_steps import Desk
from myoproof.workflow.verbs import mark_simulated

MAIN = ("multiecho", "dixon", "size", "relaxation")


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
    desk = mri_steps.read(task)
    mri_steps.segment(desk)
    mri_steps.measure(desk)
    mri_derived.derive(desk)
    return _write(desk, _rows(desk), staging)


def _rows(desk: Desk) -> Table:
    rows = from_rows(pd.concat(desk.tables, ignore_index=True), where=desk.task.key)
    table = Table(mri_steps.judged(desk, rows).assign(provenance=desk.task.id))
    return mark_simulated(table) if desk.options["simulated"] else table


def _write(desk: Desk, rows: Table, staging: Path) -> dict[str, Any]:
    task = desk.task
    record = {"id": task.id, "act": task.act, "parameters": dict(task.parameters)}
    record |= {"inputs": list(task.inputs), "parents": list(task.parents)}
    write_table(rows, staging / "tables" / "measurements" / f"{task.id}.parquet")
    write_json(record, staging / "provenance" / f"{task.id}.json")
    if desk.regions is not None:
        _write_mask(desk.regions, staging / "segmentations", task.key)
    maps = mri_maps.write(desk, staging) if desk.options["maps"] else []
    writer = load_module("writers", "mri-page")
    t2 = None if desk.t2 is None else writer.T2Maps(desk.t2.maps, desk.t2.regions)
    page = writer.MriPage(
        desk.images, desk.regions, rows, desk.findings, desk.budget, record, desk.expected, t2
    )
    name = f"delivery/scans/{task.key}.html"
    writer.write(page, staging / name)
    return {
        "acquisition": {name: getattr(desk.scan, name) for name in ACQUISITIONS},
        "rows": len(rows),
        "page": name,
        "maps": maps,
        "quality": writer.verdict(page),
        "remarks": [asdict(remark) for remark in writer.all_remarks(page)],
        "thumbnail": writer.thumbnail(page),
        "summary": _summary(rows),
        "simulated": is_simulated(rows),
        "rater": desk.regions.rater if desk.regions is not None else "",
        "absent": desk.absent,
    }


def _write_mask(regions: Segmentation, folder: Path, key: str) -> None:
    rater = "".join(letter for letter in regions.rater if letter.isalnum())
    load("writers", "nifti")(regions.labels, regions.affine, folder / f"{key}_desc-{rater}_dseg.nii.gz")


def _summary(rows: Table) -> dict[str, Any]:
    """What a line says of a scan: medians over muscles and their total volume."""
    main = rows[rows["method"].isin(MAIN) & (rows["at"] == "") & (rows["side"] != "both")]
    others = {name for name, word in words("sites").items() if word["kind"] != "muscle"}
    main = main[~main["site"].isin(others) & main["value"].notna()]
    named = ("fat_fraction", "volume", "water_t2")
    fat, volume, t2 = (main[main["measure"] == name]["value"] for name in named)
    return {
        "muscles": max(len(fat), len(volume)),
        "fat_fraction": float(fat.median()) if len(fat) else None,
        "volume": float(volume.sum()) if len(volume) else None,
        "water_t2": float(t2.median()) if len(t2) else None,
    }
