"""Write images and masks as NIfTI files, whole and with the same bytes for the same content."""

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from myoproof.core.atomic import atomic_path


def write(values: npt.NDArray[Any], affine: npt.NDArray[np.float64], path: Path) -> None:
    """Write one 3-D array as compressed NIfTI-1.

    Parameters
    ----------
    values : ndarray, shape (x, y, z)
        Float or integer voxels; the type is kept.
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    path : Path
        ``NAME.nii.gz``; written whole or not at all, without time or file name inside.

    Raises
    ------
    NotWritable
        If the file cannot be written.
    """
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))
