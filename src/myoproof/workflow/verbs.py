"""The verbs: read, segment, measure, study, validate and deliver, each the rooms composed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.atomic import atomic_folder
from myoproof.core.contracts import Measure, Progress, StudyKind
from myoproof.core.result import Result, load_result, save_result
from myoproof.core.segmentation import Segmentation
from myoproof.core.study import read_study
from myoproof.core.table import Table, from_rows, read_frame, read_table, write_table
from myoproof.errors import Finding
from myoproof.evidence import agreement, claims, shipped
from myoproof.measures import dixon
from myoproof.registry import load, load_module, names
from myoproof.segmentation import checks
from myoproof.sources import nifti
from myoproof.workflow import folder as study_folder
from myoproof.workflow import prespecify, regions

RECORD = ("id", "act", "inputs", "parents")
"""What a report shows of a provenance record."""


@dataclass(frozen=True, slots=True)
class DixonFiles:
    """The files of one Dixon measurement, and whose they are.

    Parameters
    ----------
    fat, water, segmentation : Path
        NIfTI files on one grid; the segmentation may also be a DICOM Segmentation or an RTSTRUCT.
    labels : str
        A label scheme of the vocabulary, or the path of a CSV (label, site, side); "" takes the names of the
        segmentation file, and ``huashan11`` where it has none.
    subject, session, rater, run : str
        Pseudonym, visit, who drew the mask, and which repetition.
    """

    fat: Path
    water: Path
    segmentation: Path
    labels: str
    subject: str = "subject"
    session: str = "m00"
    rater: str = "drawn"
    run: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """A Dixon scan with its regions, read and checked."""

    acquisition: Acquisition
    segmentation: Segmentation
    inputs: tuple[str, ...]


def read_scan(files: DixonFiles) -> Scan:
    """Read fat, water and a drawn mask.

    Raises
    ------
    NotReadable, InvalidInput
        If a file cannot be read or the files do not fit together.
    """
    acquisition = nifti.read(
        files.fat, files.water, subject=files.subject, session=files.session, run=files.run
    )
    read = regions.read(files.segmentation, acquisition, labels=files.labels, rater=files.rater)
    return Scan(acquisition, read.segmentation, (acquisition.digest, *read.inputs))


def check_scan(files: DixonFiles) -> list[Finding]:
    """What the mask checks find in a scan's regions, worst first.

    Raises
    ------
    NotReadable, InvalidInput
        As :func:`read_scan`.
    """
    scan = read_scan(files)
    findings = checks.check(scan.acquisition, scan.segmentation)
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: order[finding.level])


def mask_findings(files: DixonFiles, *, out: Path | None = None) -> pd.DataFrame:
    """The findings of :func:`check_scan` as a table; written as CSV where ``out`` is given.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        As :func:`read_scan`, or if the file cannot be written.
    """
    columns = ["level", "category", "where", "message", "mend"]
    frame = pd.DataFrame([asdict(finding) for finding in check_scan(files)], columns=columns)
    if out is not None:
        write_table(frame, out)
    return frame


def dixon_summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Fat fraction with its interval, volume and flags: a line per muscle and side."""
    main = rows[(rows["method"] == dixon.METHOD) & (rows["at"] == "")]
    fat = main[main["measure"] == "fat_fraction"].set_index(["site", "side"])
    volume = main[main["measure"] == "volume"].set_index(["site", "side"])["value"]
    summary = fat[["value", "low", "high"]].rename(columns={"value": "fat_fraction"})
    return summary.assign(
        volume_ml=volume, flags=fat["flags"].where(fat["absent"] == "", fat["absent"])
    ).reset_index()


def measure_dixon(
    files: DixonFiles,
    *,
    out: Path | None = None,
    qc: Path | None = None,
    options: Mapping[str, Any] | None = None,
    into: Path | None = None,
    finish: Callable[[pd.DataFrame], Table] = Table,
) -> Table:
    """Measure a Dixon scan: one row per muscle, side and measure.

    Parameters
    ----------
    files : DixonFiles
        What to measure.
    out : Path, optional
        Rows as CSV or Parquet; a provenance record is written beside it.
    qc : Path, optional
        Quality-control picture (SVG).
    options : mapping, optional
        Parameters of the measure, for example ``{"side_by_side": True}``.
    into : Path, optional
        A study folder that the rows are added to; made where absent, the subject entered where new.
    finish : callable
        Last hand on the rows before they are kept, for example :func:`mark_simulated`.

    Returns
    -------
    Table
        Rows with provenance.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty files or outputs; nothing half-written remains.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    scan = read_scan(files)
    params = dixon.Params(**(options or {}))
    measure: Measure = dixon.measure
    rows = measure(scan.acquisition, scan.segmentation, context=None, params=params)
    key = {name: getattr(files, name) for name in ("subject", "session", "run", "rater")}
    act = study_folder.Act(f"{dixon.METHOD}@{dixon.METHOD_VERSION}", key | asdict(params), scan.inputs)
    rows = finish(rows.assign(provenance=act.id))
    study_folder.keep(rows, act, scan.acquisition, out=out, into=into)
    if qc is not None:
        load("writers", "overlay")(scan.acquisition, scan.segmentation, rows, qc)
    return rows


def run_study(
    study_path: Path,
    cohort_path: Path,
    out: Path,
    *,
    threads: int = 1,
    amend: str = "",
    progress: Progress | None = None,
) -> Result:
    """Run a written-down study and save its result with the evidence for its claims.

    A result that stands in the folder is held against the new one: a question that was changed after its
    answer, or an answer whose numbers moved, is refused with the difference unless `amend` gives a reason.

    Parameters
    ----------
    study_path : Path
        Study TOML.
    cohort_path : Path
        A study folder, or a folder of plain tables.
    out : Path
        Result folder: new, empty, or an earlier result, which is replaced as a whole.
    threads : int
        The answer is the same for any number.
    amend : str
        Why another question or other numbers may take the place of the answer that stands; kept and shown.
    progress : callable, optional
        Called with what is done and the share done.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty input or output, or an answer that moved; an earlier result stays as it was.
    """
    study_folder.refuse_foreign(out, "result")
    study = read_study(study_path)
    before = prespecify.earlier(out)
    prespecify.refuse_other_question(before, study, amend=amend)
    claims.criteria(study)
    run: StudyKind = load("studies", study.kind)
    cohort = study_folder.read_cohort(cohort_path)
    parents = tuple(study_folder.active_parts(cohort_path))
    act = study_folder.Act(
        f"{study.kind}@1", study.model_dump(), study_folder.input_digests(cohort_path), parents
    )
    rng = np.random.default_rng(study.seed)
    found = run(cohort, study, rng=rng, threads=threads, progress=progress)
    result = replace(found, provenance=act.id)
    prespecify.refuse_moved_numbers(before, result, amend=amend)
    evidence = claims.check(result)
    with atomic_folder(out) as temporary:
        study_folder.claim(temporary, "result")
        save_result(result, temporary)
        prespecify.write_log(prespecify.amended(before, result, reason=amend), temporary)
        write_table(evidence, temporary / "evidence.parquet")
        write_table(evidence, temporary / "evidence.csv")
        study_folder.write_json(act.record, temporary / "provenance.json")
    return result


def assign_patients(result: Path, cohort_path: Path, out: Path) -> pd.DataFrame:
    """Put new patients into the clusters and on the axis of a phenotype study.

    Parameters
    ----------
    result : Path
        Result folder of the study.
    cohort_path : Path
        The new patients.
    out : Path
        Prediction rows as CSV or Parquet.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        If the result holds no clusters, the cohort lacks a feature, or a file fails.
    """
    found = load_result(result)
    assigner = load_module("studies", "phenotypes").assign
    rows: pd.DataFrame = assigner(found, study_folder.read_cohort(cohort_path))
    write_table(rows.assign(study=f"{found.study.name}@{found.study.digest}"), out)
    return rows


def validate_rows(
    rows_path: Path, against_path: Path, *, across: str, by_site: bool = False, out: Path | None = None
) -> pd.DataFrame:
    """Agreement between two sets of measurement rows, as evidence rows.

    Parameters
    ----------
    rows_path, against_path : Path
        Two row files; the second is the reference.
    across : str
        The key column in which they may differ, for example "method" or "rater"; several joined by commas.
    by_site : bool
        Whether every site gets its own rows.
    out : Path, optional
        Evidence rows as CSV.

    Raises
    ------
    NotReadable, InvalidInput
        If a file cannot be read or no row of one meets a row of the other.
    """
    rows, against = read_table(rows_path), read_table(against_path)
    evidence = agreement.check(rows, against, across=across, by_site=by_site)
    if out is not None:
        write_table(evidence, out)
    return evidence


def deliver(results: Sequence[Path], out: Path, *, title: str = "") -> Path:
    """The report of some results: report.html, figures as SVG, tables as CSV.

    Parameters
    ----------
    results : sequence of Path
        Result folders.
    out : Path
        Delivery folder: new, empty, or an earlier delivery.
    title : str
        The report's title; "" takes the first study's.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    NotReadable, NotWritable
        If a result is not readable or the output not writable.
    """
    loaded = [load_result(path) for path in results]
    evidence = [read_frame(path / "evidence.parquet") for path in results]
    provenance = [json.loads((path / "provenance.json").read_text(encoding="utf-8")) for path in results]
    writer = load_module("writers", "report")
    report = writer.Report(
        title=title or loaded[0].study.title,
        simulated=any(result.simulated for result in loaded),
        results=loaded,
        evidence=pd.concat([*evidence, shipped_evidence()], ignore_index=True),
        provenance=[{key: record[key] for key in RECORD} for record in provenance],
        current=current_versions(),
        amendments={
            result.study.name: prespecify.read_log(path) for result, path in zip(loaded, results, strict=True)
        },
    )
    page: Path = writer.write_bundle(report, out)
    return page


def current_versions() -> dict[str, str]:
    """Method -> its version now; evidence about another version is stale."""
    kinds = {name: str(load_module("studies", name).METHOD_VERSION) for name in names("studies")}
    return {dixon.METHOD: str(dixon.METHOD_VERSION), **kinds}


def shipped_evidence() -> pd.DataFrame:
    """The dated evidence tables that ship with this version."""
    return shipped.tables()


def mark_simulated(rows: pd.DataFrame) -> Table:
    """Rows with the flag ``simulated`` added."""
    marked = {
        text: ";".join(sorted({*filter(None, text.split(";")), "simulated"}))
        for text in rows["flags"].unique()
    }
    return from_rows(rows.assign(flags=rows["flags"].map(marked)))
