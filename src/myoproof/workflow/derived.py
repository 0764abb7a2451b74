"""Derived measures as one act: groups, heterogeneity, asymmetry, fat volumes, heights; and repeatability."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from myoproof.core.contracts import Derivation
from myoproof.core.table import Table, from_rows, read_table, write_table
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.evidence import repeatability
from myoproof.measures import asymmetry, compartments, compartments_fat, dixon, femur, heterogeneity
from myoproof.measures.dixon_flags import quality
from myoproof.segmentation import tissue
from myoproof.workflow import folder as study_folder
from myoproof.workflow.verbs import DixonFiles, Scan, read_scan

ACT = "derived@1"
SWAP = "fat_water_swap_suspected"
ASYMMETRY: Derivation = asymmetry.derive
FAT_VOLUME: Derivation = compartments_fat.derive


def measure_derived(
    files: DixonFiles,
    *,
    out: Path | None = None,
    femur_mm: tuple[float, float] | None = None,
    positions: tuple[float, ...] = femur.POSITIONS,
    into: Path | None = None,
) -> Table:
    """What follows from a Dixon scan beside the rows of its single muscles.

    Parameters
    ----------
    files : DixonFiles
        What to measure.
    out : Path, optional
        Rows as CSV or Parquet; a provenance record is written beside it.
    femur_mm : (distal, proximal), optional
        Heights (world z, RAS+ mm) of the ends of the femur, for rows ``femur:0.50``.
    positions : tuple of float
        Shares of the femur's length from its distal end.
    into : Path, optional
        A study folder that the rows are added to.

    Returns
    -------
    Table
        Muscle groups, heterogeneity, asymmetry of muscles and groups, fat volumes of muscles, groups and
        compartments (subcutaneous, between muscles), and rows at heights of the femur.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty files or outputs; nothing half-written remains.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    scan = read_scan(files)
    rows = derived_rows(scan, femur_mm=femur_mm, positions=positions)
    key = {name: getattr(files, name) for name in ("subject", "session", "run", "rater")}
    settings = {
        "compartments": asdict(compartments.Params()),
        "heterogeneity": asdict(heterogeneity.Params()),
        "femur_mm": femur_mm,
        "positions": positions,
    }
    act = study_folder.Act(ACT, key | settings, scan.inputs)
    rows = Table(rows.assign(provenance=act.id))
    study_folder.keep(rows, act, scan.acquisition, out=out, into=into)
    return rows


def derived_rows(
    scan: Scan,
    *,
    femur_mm: tuple[float, float] | None = None,
    positions: tuple[float, ...] = femur.POSITIONS,
) -> Table:
    """The rows of :func:`measure_derived`, of a scan that was read."""
    acquisition, regions = scan.acquisition, scan.segmentation
    single = dixon.measure(acquisition, regions, params=dixon.Params(side_by_side=True))
    groups = compartments.measure(acquisition, regions)
    tables = [groups, heterogeneity.measure(acquisition, regions)]
    muscles = from_rows(pd.concat([single, groups], ignore_index=True))
    plain = Table(muscles[muscles["method"] == dixon.METHOD])
    tables.append(ASYMMETRY(plain))
    try:
        around = dixon.measure(
            acquisition, tissue.segment(acquisition), params=dixon.Params(side_by_side=True)
        )
        around = Table(around[(around["method"] == dixon.METHOD) & ~around["at"].str.startswith("slice:")])
        if not plain["flags"].str.contains(SWAP).any():
            around = _without_swap(around)
        tables += [around, FAT_VOLUME(around)]
    except (InvalidInput, OutOfDomain):
        pass
    tables.append(FAT_VOLUME(plain))
    if femur_mm is not None:
        params = femur.Params(femur_mm[0], femur_mm[1], positions)
        tables.append(femur.measure(acquisition, regions, context=plain, params=params))
    return from_rows(pd.concat([table for table in tables if len(table)], ignore_index=True))


def _without_swap(rows: Table) -> Table:
    """Compartments without a suspicion that rests on subcutaneous fat being unlabelled, as it is not here."""
    kept = [frozenset(filter(None, text.split(";"))) - {SWAP} for text in rows["flags"]]
    return Table(
        rows.assign(flags=[";".join(sorted(own)) for own in kept], quality=[quality(own) for own in kept])
    )


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A line per kind of derived measure: rows, sites, absent values."""
    counts = rows.assign(kind=rows["method"].str.partition(":")[0]).groupby(
        "kind", as_index=False, sort=False
    )
    return pd.DataFrame(
        counts.agg(
            measures=("measure", "nunique"),
            sites=("site", "nunique"),
            rows=("value", "size"),
            absent=("value", lambda values: int(values.isna().sum())),
        )
    )


def repeatability_of(
    rows_path: Path,
    against_path: Path | None = None,
    *,
    across: str = "run",
    by_site: bool = True,
    out: Path | None = None,
) -> pd.DataFrame:
    """Minimal detectable change per muscle, as evidence rows, from files of measurement rows.

    Parameters
    ----------
    rows_path : Path
        Rows, with their repeats where no second file is given.
    against_path : Path, optional
        The repeats.
    across : str
        Key columns in which repeats may differ, by commas.
    by_site : bool
        Whether every site gets its own rows.
    out : Path, optional
        Evidence rows as CSV.

    Raises
    ------
    NotReadable, InvalidInput
        If a file cannot be read, or nothing was measured twice.
    """
    against = None if against_path is None else read_table(against_path)
    evidence = repeatability.check(read_table(rows_path), against, across=across, by_site=by_site)
    if out is not None:
        write_table(evidence, out)
    return evidence
