"""A multi-echo measurement as one act: echoes, mask and B1 map read, rows and their provenance written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.contracts import Progress, silent
from myoproof.core.table import Table, write_table
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures import multiecho
from myoproof.measures.multiecho_bias import budget
from myoproof.measures.multiecho_settings import relaxation_of
from myoproof.sources import bids, bids_images, bids_nifti
from myoproof.workflow import folder as study_folder
from myoproof.workflow import regions
from myoproof.workflow.mri_read import separation_of, solver_of

USUAL = frozenset({"muscle_cut_by_stack_end", "sides_split_by_geometry"})
"""Flags of nearly every scan, left out of the summary."""
PERCENT = 2.0
"""B1 maps whose median is above this are per cent of the nominal flip angle."""


@dataclass(frozen=True, slots=True)
class MultiechoFiles:
    """The files of one multi-echo measurement, and whose they are.

    Parameters
    ----------
    echoes : tuple of Path
        A BIDS or NIfTI folder, or files: a 4-D complex image, or magnitude and phase, with JSON sidecars.
    segmentation : Path
        Mask on the grid of the echoes: NIfTI, DICOM SEG or RTSTRUCT.
    labels : str
        A label scheme of the vocabulary or the path of a CSV; "" as :func:`myoproof.workflow.regions.read`.
    b1 : Path, optional
        Map of the transmit field on the same grid, 1 = nominal (or per cent).
    echo_times_s : tuple of float
        In place of what the sidecars say.
    settings : mapping
        Settings that the sidecars lack, for example ``field_strength_t``.
    subject, session, rater, run : str
        Pseudonym, visit, who drew the mask, and which repetition.
    """

    echoes: tuple[Path, ...]
    segmentation: Path
    labels: str = ""
    b1: Path | None = None
    echo_times_s: tuple[float, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)
    subject: str = "subject"
    session: str = "m00"
    rater: str = "drawn"
    run: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows with provenance, the bias budget of the scan, and what was remarked while reading."""

    rows: Table
    budget: pd.DataFrame
    remarks: tuple[str, ...]


def measure_multiecho(
    files: MultiechoFiles,
    *,
    out: Path | None = None,
    options: Mapping[str, Any] | None = None,
    jobs: int = 1,
    into: Path | None = None,
    finish: Callable[[pd.DataFrame], Table] = Table,
    progress: Progress = silent,
) -> Measured:
    """Separate the echoes of a scan and measure its muscles: one row per muscle, side, measure and slice.

    Parameters
    ----------
    files : MultiechoFiles
        What to measure.
    out : Path, optional
        Rows as CSV or Parquet; a provenance record and the bias budget are written beside it.
    options : mapping, optional
        ``side_by_side``; and fields of the relaxation (``t1_water_s``, ``t1_fat_s``, ``b1_sd`` ...)
        in place of published ones.
    jobs : int
        Threads; the answer is the same for any number.
    into : Path, optional
        A study folder that the rows are added to.
    finish : callable
        Last hand on the rows before they are kept.
    progress : callable
        Told of the share done.

    Returns
    -------
    Measured

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty files or outputs; nothing half-written remains.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    remarks: list[Finding] = []
    scan = bids.read_echoes(
        *files.echoes,
        echo_times_s=files.echo_times_s or None,
        settings=files.settings or None,
        who=bids.Who(files.subject, files.session, files.run),
        tell=remarks.append,
    )
    found = regions.read(files.segmentation, scan, labels=files.labels, rater=files.rater)
    remarks += found.findings
    params = _params(scan, options or {})
    solver = solver_of(scan, params.solver)
    separation = separation_of(scan, params=solver, threads=jobs, progress=progress)
    remarks += [Finding("info", "separation", note) for note in separation.notes]
    context = multiecho.Context(separation=separation, b1=_b1(files), threads=jobs)
    params = replace(params, solver=solver)
    rows = multiecho.measure(scan, found.segmentation, context=context, params=params)
    companions = () if files.b1 is None else (bids_nifti.digest([files.b1]),)
    inputs = (scan.digest, *found.inputs, *companions)
    key = {name: getattr(files, name) for name in ("subject", "session", "run", "rater")}
    settings = json.loads(json.dumps(asdict(params) | {"settings": dict(scan.settings)}))
    act = study_folder.Act(f"{multiecho.METHOD}@{multiecho.METHOD_VERSION}", key | settings, inputs)
    rows = finish(rows.assign(provenance=act.id))
    told = budget(scan, params, phase_kept=separation.phase_kept)
    study_folder.keep(rows, act, scan, out=out, into=into)
    if out is not None:
        write_table(told, out.with_name(f"{out.name.split('.')[0]}.bias.csv"))
    return Measured(rows, told, tuple(finding.message for finding in remarks))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Fat fraction with its interval, R2*, volume and flags: a line per muscle and side."""
    main = rows[(rows["method"] == multiecho.METHOD) & (rows["at"] == "")]
    fat, decay, size = (
        main[main["measure"] == name].set_index(["site", "side"])
        for name in ("fat_fraction", "r2star", "volume")
    )
    shown = fat[["value", "low", "high"]].rename(columns={"value": "fat_fraction"})
    flags = fat["flags"].str.split(";").map(lambda words: " ".join(w for w in words if w not in USUAL))
    told = fat["absent"].where(fat["absent"] != "", flags)
    table = shown.assign(r2star_per_s=decay["value"], volume_ml=size["value"], told=told)
    return pd.DataFrame(table.reset_index())


def _params(scan: Acquisition, options: Mapping[str, Any]) -> multiecho.Params:
    plain = multiecho.Params()
    given = {name: value for name, value in options.items() if name != "side_by_side" and value is not None}
    border = replace(plain.border, side_by_side=bool(options.get("side_by_side", False)))
    known = relaxation_of(scan.settings)
    if given and known is None:
        raise InvalidInput(
            "relaxation times of this field strength are not known",
            where=scan.subject,
            mend="give the field strength",
        )
    return replace(plain, border=border, relaxation=replace(known, **given) if given and known else None)


def _b1(files: MultiechoFiles) -> Volume | None:
    if files.b1 is None:
        return None
    header = bids_nifti.header(files.b1)
    findings: list[Finding] = list(bids_images.volume_faults([header]))
    refuse(findings)
    values = np.asarray(next(iter(bids_nifti.volumes(files.b1))), dtype=np.float32)
    held = values[np.isfinite(values) & (values > 0)]
    percent = held.size and float(np.median(held)) > PERCENT
    return Volume({"b1": values * np.float32(0.01) if percent else values}, header.affine)
