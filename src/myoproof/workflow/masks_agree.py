"""Two masks of one scan held against each other: files in, evidence rows out."""

from pathlib import Path

import numpy as np
import pandas as pd

from myoproof.core.segmentation import Segmentation
from myoproof.core.table import write_table
from myoproof.errors import InvalidInput
from myoproof.evidence import masks
from myoproof.segmentation import drawn
from myoproof.sources import nifti, ultrasound_masks

PICTURES = {".png", ".tif", ".tiff", ".bmp"}


def validate_masks(
    path: Path, against: Path, *, labels: str, spacing_mm: float | None = None, out: Path | None = None
) -> pd.DataFrame:
    """Dice, HD95 and mean surface distance of each region of two masks, as evidence rows.

    Parameters
    ----------
    path, against : Path
        NIfTI masks on one grid, or label pictures of one size; the second is the reference.
    labels : str
        Label scheme of the vocabulary, or a CSV (label, site, side).
    spacing_mm : float, optional
        Pixel size of pictures; None gives distances in pixels.
    out : Path, optional
        Evidence rows as CSV.

    Raises
    ------
    NotReadable, InvalidInput, UnknownName
        If a file cannot be read, grids differ, or no region is named in both.
    """
    scheme = drawn.read_scheme(labels)
    found, reference = (_read(each, scheme) for each in (path, against))
    if not np.allclose(found.affine, reference.affine, atol=1e-3):
        raise InvalidInput(
            "the masks lie on different grids", where=str(against), mend="resample one to the other"
        )
    spacing = (1.0, spacing_mm or 1.0, spacing_mm or 1.0) if path.suffix.lower() in PICTURES else None
    evidence = masks.check(found, reference, spacing_mm=spacing)
    if out is not None:
        write_table(evidence, out)
    return evidence


def _read(path: Path, scheme: dict[int, tuple[str, str]]) -> Segmentation:
    rater = path.name.split(".")[0]
    if path.suffix.lower() not in PICTURES:
        labels, affine = nifti.read_mask(path)
        return Segmentation(labels, affine, scheme, rater)
    return ultrasound_masks.read(path, None, scheme, rater=rater)
