"""Transfers between devices as two acts: learn them and keep them, apply them with a before/after report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.cohort import Cohort
from myoproof.core.provenance import digest_bytes
from myoproof.core.table import Table, is_simulated, write_table
from myoproof.delivery import devices as page
from myoproof.errors import Finding, InvalidInput, NotReadable
from myoproof.evidence import devices as comparison
from myoproof.measures import devices
from myoproof.measures.devices_types import DeviceModel, Params, from_json, to_json
from myoproof.measures.echogenicity_calibration import Calibration, from_csv, from_toml
from myoproof.workflow import folder as study_folder

ACT = f"{devices.METHOD}@{devices.METHOD_VERSION}"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go.

    Parameters
    ----------
    rows : Path
        CSV or Parquet; a provenance record is written beside it.
    report, evidence : Path, optional
        HTML page, and CSV.
    into : Path, optional
        Study folder that the rows are added to.
    """

    rows: Path
    report: Path | None = None
    evidence: Path | None = None
    into: Path | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What applying a transfer gave.

    Parameters
    ----------
    rows : Table
        On the reference's scale.
    evidence : DataFrame
        Before and after.
    findings : list of Finding
        Remarks.
    written : list of Path
        Files.
    """

    rows: Table
    evidence: pd.DataFrame
    findings: list[Finding]
    written: list[Path]


def fit_devices(
    cohort_path: Path,
    out: Path,
    *,
    params: Params,
    calibration_paths: Sequence[Path] = (),
    rows_path: Path | None = None,
    analysis_set: str = "",
) -> tuple[DeviceModel, list[Finding]]:
    """Learn how values of other devices become those of a reference, and write it as JSON.

    Parameters
    ----------
    cohort_path : Path
        Study folder, or folder of plain tables.
    out : Path
        JSON file.
    params : Params
        Way, reference, measures.
    calibration_paths : sequence of Path
        Phantom calibrations (TOML or CSV), for the way ``phantom``.
    rows_path : Path, optional
        Rows instead of the cohort's own.
    analysis_set : str
        Learn from this set of subjects alone.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty files, for devices that cannot be told from disease, or an output in the way.
    """
    cohort, rows = study_folder.read_cohort_and_rows(cohort_path, rows_path)
    if analysis_set:
        member = cohort.subjects["analysis_sets"].str.split(";").map(lambda sets: analysis_set in sets)
        chosen = set(cohort.subjects.loc[member.astype(bool), "subject"])
        if not chosen:
            raise InvalidInput(f"nobody is in the analysis set {analysis_set!r}", where=str(cohort_path))
        rows = Table(rows[rows["subject"].isin(chosen)])
    params = replace(params, calibrations=tuple(read_calibration(path) for path in calibration_paths))
    model, findings = devices.learn_devices(rows, cohort, params=params)
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(to_json(model), encoding="utf-8")
    return model, findings


def apply_devices(
    model_path: Path,
    cohort_path: Path,
    out: Outputs,
    *,
    rows_path: Path | None = None,
    groups: tuple[str, str, str] = ("arm", "als", "control"),
) -> Carried:
    """Carry rows to the reference device, and write what that changed.

    Parameters
    ----------
    model_path : Path
        From :func:`fit_devices`.
    cohort_path : Path
        Study folder, or folder of plain tables.
    out : Outputs
        Where rows, page and evidence go.
    rows_path : Path, optional
        Rows instead of the cohort's own.
    groups : (column, ill, control)
        Who is compared.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For a damaged model, faulty tables, or an output in the way.
    """
    if out.into is not None:
        study_folder.refuse_foreign(out.into, "study folder")
    text = _text(model_path)
    model = from_json(text, where=str(model_path))
    cohort, rows = study_folder.read_cohort_and_rows(cohort_path, rows_path)
    table = devices.take_over(rows, cohort, model)
    inputs = (*study_folder.input_digests(cohort_path), digest_bytes(text.encode()))
    act = study_folder.Act(ACT, {"reference": model.reference, "way": model.way}, inputs)
    table = Table(table.assign(provenance=act.id))
    compared = _compared(rows, table, cohort, model, groups)
    write_table(table, out.rows)
    study_folder.write_json(act.record, out.rows.with_name(out.rows.name + ".provenance.json"))
    written = [out.rows]
    lost = table[table["absent"] == "unknown_device"]
    findings = list(compared.findings)
    if len(lost):
        message = f"{len(lost)} rows of {lost['subject'].nunique()} people are of a device without a line"
        findings.append(Finding("warning", "unknown_device", message))
    if out.report is not None:
        remarks = tuple(f"{finding}." for finding in findings)
        change = page.Change(
            compared.evidence, compared.scores, devices.summary(model),
            model.reference, model.way, remarks, is_simulated(rows),
        )  # fmt: skip
        written.append(page.write(change, out.report))
    if out.evidence is not None:
        write_table(compared.evidence, out.evidence)
        written.append(out.evidence)
    if out.into is not None:
        study_folder.add_part(out.into, table, act)
    return Carried(table, compared.evidence, findings, written)


def read_calibration(path: Path) -> Calibration:
    """A phantom calibration from TOML, or CSV by its ending.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    NotReadable, InvalidInput
        If it cannot be read, or holds faults.
    """
    text = _text(path)
    return (
        from_csv(text, where=str(path)) if Path(path).suffix == ".csv" else from_toml(text, where=str(path))
    )


def params_of(way: str, reference: str, measures: Sequence[str], controls: str, *, by_site: bool) -> Params:
    """Settings from the words of a command.

    Parameters
    ----------
    way, reference : str
        As in :class:`myoproof.measures.devices_types.Params`.
    measures : sequence of str
        Measures.
    controls : str
        ``COLUMN=WORD``.
    by_site : bool
        A line a muscle.
    """
    column, _, word = controls.partition("=")
    return Params(way, reference, tuple(measures), by_site, (column.strip(), word.strip()))


def summary(model: DeviceModel) -> pd.DataFrame:
    """A line a transfer, for people."""
    return devices.summary(model)


def _compared(
    rows: Table, table: Table, cohort: Cohort, model: DeviceModel, groups: tuple[str, str, str]
) -> comparison.Compared:
    column, ill, well = groups
    if column not in cohort.subjects:
        raise InvalidInput(f"no column {column!r} in subjects", mend="use arm or diagnosis")
    told = cohort.subjects.set_index("subject")[column]
    people = {str(name): word == ill for name, word in told.items() if word in (ill, well)}
    before = devices.with_machines(rows, cohort, Params(measures=model.measures))
    return comparison.check(before, table, people, reference=model.reference, about=ACT)


def _text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadable(f"cannot be read ({error})", where=str(path)) from error
