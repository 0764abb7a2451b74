"""Radiomics as one act: images and a mask read, features measured, rows and their provenance written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.atomic import atomic_path
from myoproof.core.table import Table
from myoproof.errors import InvalidInput
from myoproof.measures import radiomics
from myoproof.sources import nifti
from myoproof.workflow import folder as study_folder
from myoproof.workflow import regions


@dataclass(frozen=True, slots=True)
class RadiomicsFiles:
    """The files of one radiomics measurement, and whose they are.

    Parameters
    ----------
    segmentation : Path
        Mask: NIfTI, DICOM SEG or RTSTRUCT.
    labels : str
        A label scheme of the vocabulary or the path of a CSV; "" takes the file's own names, and the scheme
        ``huashan11`` where it has none.
    image : Path, optional
        One NIfTI image, which becomes the channel ``image``.
    fat, water : Path, optional
        Or the two images of a Dixon scan.
    subject, session, rater, run : str
        Pseudonym, visit, who drew the mask, and which repetition.
    """

    segmentation: Path
    labels: str = ""
    image: Path | None = None
    fat: Path | None = None
    water: Path | None = None
    subject: str = "subject"
    session: str = "m00"
    rater: str = "drawn"
    run: str = ""


def measure_radiomics(
    files: RadiomicsFiles,
    *,
    out: Path | None = None,
    options: Mapping[str, Any] | None = None,
    jobs: int = 1,
    into: Path | None = None,
) -> Table:
    """Measure the radiomics of a scan: one row per region and feature.

    Parameters
    ----------
    files : RadiomicsFiles
        What to measure.
    out : Path, optional
        Rows as CSV or Parquet; beside it a provenance record with all settings, and how stable each feature
        is (``.stability.csv``).
    options : mapping, optional
        Parameters of the measure; the channel is ``image`` where one image is given, else ``fat_fraction``.
    jobs : int
        Regions measured at once.
    into : Path, optional
        A study folder that the rows are added to.

    Returns
    -------
    Table
        Rows with provenance.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty files, settings or outputs; nothing half-written remains.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    acquisition = _acquisition(files)
    drawn = regions.read(files.segmentation, acquisition, labels=files.labels, rater=files.rater)
    channel = "image" if files.image is not None else "fat_fraction"
    params = radiomics.Params(**({"channel": channel} | dict(options or {})))
    found = radiomics.measured(acquisition, drawn.segmentation, params=params, threads=jobs)
    inputs = (acquisition.digest, *drawn.inputs)
    key = {name: getattr(files, name) for name in ("subject", "session", "run", "rater")}
    act = study_folder.Act(f"{radiomics.METHOD}@{radiomics.METHOD_VERSION}", key | asdict(params), inputs)
    rows = Table(found.rows.assign(provenance=act.id))
    study_folder.keep(rows, act, acquisition, out=out, into=into)
    if out is not None and params.replicates:
        with atomic_path(out.with_name(out.name + ".stability.csv")) as path:
            found.stability.to_csv(path, index=False)
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A line per method word: features, regions, absent values."""
    counts = rows.assign(region=rows["site"] + rows["side"]).groupby("method", as_index=False, sort=False)
    return pd.DataFrame(
        counts.agg(
            features=("measure", "nunique"),
            regions=("region", "nunique"),
            absent=("value", lambda values: int(values.isna().sum())),
        )
    )


def _acquisition(files: RadiomicsFiles) -> Acquisition:
    pair = files.fat is not None and files.water is not None
    if (files.image is not None) == pair or (files.fat is None) != (files.water is None):
        raise InvalidInput("give either one image, or fat and water", where="measure radiomics")
    if files.fat is not None and files.water is not None:
        return nifti.read(files.fat, files.water, subject=files.subject, session=files.session, run=files.run)
    assert files.image is not None
    return nifti.read_image(files.image, subject=files.subject, session=files.session, run=files.run)
