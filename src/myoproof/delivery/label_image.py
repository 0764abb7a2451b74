"""Labels of a picture written as an image of one band: the number of a pixel's region is its grey level."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.atomic import atomic_path
from myoproof.errors import InvalidInput, NotWritable


def write(labels: npt.NDArray[np.uint16], path: Path) -> None:
    """Write the labels of one frame as PNG, one band of 8 bit, atomically.

    Parameters
    ----------
    labels : ndarray, shape (row, col), uint16
        0 is background.
    path : Path
        ``NAME.png``.

    Raises
    ------
    InvalidInput
        If the labels are not of one frame or exceed 255.
    NotWritable
        If the file cannot be written; an earlier one stays as it was.
    """
    if labels.ndim != 2 or labels.max(initial=0) > 255:
        raise InvalidInput(f"labels of one frame up to 255, not {labels.shape} up to {labels.max(initial=0)}")
    done, coded = cv2.imencode(".png", labels.astype(np.uint8))
    if not done:
        raise NotWritable("cannot be coded as PNG", where=str(path))
    with atomic_path(path) as temporary:
        temporary.write_bytes(coded.tobytes())
