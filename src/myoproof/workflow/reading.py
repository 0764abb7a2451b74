"""Reading and asking: files shown or taken into a study folder, the registry listed, tables queried."""

from pathlib import Path

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Volume
from myoproof.core.cohort import Cohort
from myoproof.core.table import write_table
from myoproof.errors import InvalidInput
from myoproof.registry import load, names
from myoproof.sources import nifti
from myoproof.workflow import folder as study_folder
from myoproof.workflow.export import wide_cohort


def read_dixon(fat: Path, water: Path) -> pd.DataFrame:
    """What a fat and a water image hold: grid, orientation and range of values, a line an image.

    Raises
    ------
    NotReadable, InvalidInput
        If a file cannot be read or the two do not fit together.
    """
    volume = nifti.read(fat=fat, water=water).payload
    assert isinstance(volume, Volume)
    return pd.DataFrame(
        {
            "channel": name,
            "file": str(path),
            "shape": " x ".join(map(str, volume.shape)),
            "spacing_mm": " x ".join(f"{step:.3f}" for step in volume.spacing_mm),
            "lowest": float(volume.channels[name].min()),
            "median": float(np.median(volume.channels[name])),
            "highest": float(volume.channels[name].max()),
            "negative_share": float((volume.channels[name] < 0).mean()),
        }
        for name, path in (("fat", fat), ("water", water))
    )


def read_cohort_tables(source: Path, *, into: Path | None) -> pd.DataFrame:
    """What cohort tables hold; with ``into``, they become a study folder.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        If a table cannot be read, breaks its laws, or cannot be written.
    """
    cohort = study_folder.read_cohort(source)
    if into is not None:
        take_cohort(cohort, into, act="read-cohort@1", inputs=study_folder.input_digests(source))
    rows = cohort.measurements
    counts = rows.groupby(["modality", "measure"], as_index=False).agg(
        subjects=("subject", "nunique"),
        sessions=("session", "nunique"),
        sites=("site", "nunique"),
        rows=("value", "size"),
        absent=("value", lambda values: int(values.isna().sum())),
    )
    return pd.DataFrame(counts)


def take_cohort(cohort: Cohort, into: Path, *, act: str, inputs: tuple[str, ...]) -> str:
    """Write a cohort into a study folder as subject tables and one part of measurements.

    Raises
    ------
    NotWritable
        If the folder holds something else or cannot be written.
    """
    study_folder.claim(into, "study folder")
    study_folder.write_subjects(into, cohort)
    return study_folder.add_part(into, cohort.measurements, study_folder.Act(act, {}, inputs))


def registered(kind: str) -> list[tuple[str, str, str]]:
    """Name, target and first docstring line of everything registered under a kind.

    Raises
    ------
    UnknownName
        If there is no such kind.
    """
    lines = []
    for name, target in sorted(names(kind).items()):
        caption = (load(kind, name).__doc__ or "").strip().splitlines()
        lines.append((name, target, caption[0] if caption else ""))
    return lines


def ask(
    sql: str, cohort_path: Path, *, wide: bool, with_codebook: bool, out: Path | None
) -> dict[str, pd.DataFrame]:
    """The answer to a query, or the wide table and its codebook; written where ``out`` is given.

    Returns
    -------
    dict
        Path written (or a name) -> frame.

    Raises
    ------
    InvalidInput
        If there is neither SQL nor ``wide``, or the SQL cannot be run.
    """
    if bool(sql) == wide:
        raise InvalidInput("give either an SQL question or --wide", mend="see `myoproof query --help`")
    if with_codebook and not wide:
        raise InvalidInput("--codebook describes the wide table", mend="add --wide")
    if sql:
        frames = {str(out or "answer"): study_folder.query(cohort_path, sql)}
    else:
        rows, dictionary = wide_cohort(study_folder.read_cohort(cohort_path))
        frames = {str(out or "wide"): rows}
        if with_codebook:
            place = out.with_name(f"{out.stem}.codebook.csv") if out else Path("codebook")
            frames[str(place)] = dictionary
    if out is not None:
        for path, frame in frames.items():
            write_table(frame, Path(path))
    return frames
