"""Cohort tables: plain CSV or Parquet files of a folder become a checked cohort."""

import re
from pathlib import Path

import pandas as pd

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.table import read_frame
from myoproof.errors import Finding, NotReadable, refuse

TABLES = ("subjects", "acquisitions", "measurements", "events", "covariates")
REQUIRED = ("subjects", "measurements")
IDENTITY = re.compile(
    r"^(first_?|last_?|family_?|given_?|patient_?|sur)?name$|^(date_of_birth|birth_?date|dob)$|^mrn$|"
    r"(^|_)(address|e_?mail|phone|telephone|social_security|insurance)(_|$)|^patient_?id$",
    re.IGNORECASE,
)
"""Column names that hold a person's identity; such files are refused."""


def read(folder: Path) -> Cohort:
    """Read ``subjects``, ``measurements`` and, where present, ``acquisitions``, ``events``, ``covariates``.

    Parameters
    ----------
    folder : Path
        Holds ``NAME.csv`` or ``NAME.parquet`` for each table.

    Returns
    -------
    Cohort
        Checked as a whole.

    Raises
    ------
    NotReadable
        If the folder or a required table is absent, or a file cannot be parsed.
    InvalidInput
        If a table breaks its laws, or a column holds identity.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotReadable("no such folder", where=str(folder))
    files = {name: _file(folder, name) for name in TABLES}
    lost = [name for name in REQUIRED if files[name] is None]
    if lost:
        raise NotReadable(
            f"holds no table of {' and no table of '.join(lost)}",
            where=str(folder),
            mend="a cohort folder needs subjects.csv and measurements.csv",
        )
    found = {name: path for name, path in files.items() if path is not None}
    frames = {name: read_frame(path) for name, path in found.items()}
    refuse([finding for name, frame in frames.items() for finding in _identity(frame, str(found[name]))])
    return make_cohort(
        frames["subjects"],
        frames.get("acquisitions", pd.DataFrame()),
        frames["measurements"],
        frames.get("events"),
        frames.get("covariates"),
        names={name: str(path) for name, path in found.items()},
    )


def _file(folder: Path, name: str) -> Path | None:
    candidates = [folder / f"{name}.parquet", folder / f"{name}.csv"]
    return next((path for path in candidates if path.is_file()), None)


def _identity(frame: pd.DataFrame, where: str) -> list[Finding]:
    return [
        Finding(
            "error",
            "identity",
            f"column {name!r} looks like a person's identity",
            where=where,
            mend="replace identities by pseudonyms before they enter a cohort",
        )
        for name in frame.columns
        if IDENTITY.search(str(name))
    ]
