"""Compartments of a scan, from files to files."""

from pathlib import Path

import pandas as pd

from myoproof.core.contracts import Progress, silent
from myoproof.segmentation import tissue
from myoproof.sources import nifti
from myoproof.workflow.segment import write_regions


def segment(fat: Path, water: Path, out: Path, *, progress: Progress = silent) -> pd.DataFrame:
    """Write the compartments of a scan as a mask, and its label scheme beside it.

    Parameters
    ----------
    fat, water : Path
        NIfTI images of one grid.
    out : Path
        The mask, ``NAME.nii.gz``; the scheme is written as ``NAME.labels.csv``.
    progress : callable
        Told of the share done.

    Returns
    -------
    DataFrame
        label, site, voxels, volume_ml.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty files; nothing half-written remains.
    """
    acquisition = nifti.read(fat, water)
    found = tissue.segment(acquisition, progress=progress)
    return write_regions(found, out).drop(columns="side")
