"""Compartments of a scan, from files to files."""

from pathlib import Path

import pandas as pd

from myoproof.core.contracts import Progress, silent
from myoproof.core.table import write_table
from myoproof.numerics.grids import voxel_volume_mm3
from myoproof.registry import load
from myoproof.segmentation import tissue
from myoproof.sources import nifti


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
    load("writers", "nifti")(found.labels, found.affine, out)
    scheme = pd.DataFrame(
        [{"label": label, "site": site, "side": side} for label, (site, side) in found.names.items()]
    )
    write_table(scheme, out.with_name(out.name.removesuffix(".gz").removesuffix(".nii") + ".labels.csv"))
    voxel_ml = voxel_volume_mm3(found.affine) / 1000
    voxels = [int((found.labels == label).sum()) for label in found.names]
    sizes = [count * voxel_ml for count in voxels]
    return scheme.drop(columns="side").assign(voxels=voxels, volume_ml=sizes)
