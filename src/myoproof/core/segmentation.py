"""Segmentation: named regions on an acquisition's grid, and who drew them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Labelled voxels.

    Parameters
    ----------
    labels : ndarray, shape (x, y, z), uint16
        0 is background. For a picture (frame, row, col).
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ millimetres; the identity for a picture.
    names : mapping of int to (site, side)
        What each label is; side "" where the mask does not separate sides.
    rater : str
        A reader's pseudonym, or ``segmenter@version``.
    confidence : mapping of int to float
        0-1 per label, where the segmenter states one.

    Raises
    ------
    InvalidInput
        If the labels are not a 3-D uint16 array.
    """

    labels: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]
    names: Mapping[int, tuple[str, str]]
    rater: str
    confidence: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.labels.ndim != 3 or self.labels.dtype != np.uint16:
            raise InvalidInput(f"labels must be 3-D uint16, got {self.labels.ndim}-D {self.labels.dtype}")
