"""Masks that readers drew on ultrasound images, as PNG of one band, to regions of the image."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from myoproof.core.acquisition import Picture
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput, NotReadable

MOST_LABELS = 16
"""More labels than this are an image, not a mask."""


def read(
    path: Path, picture: Picture | None, names: Mapping[int, tuple[str, str]], *, rater: str
) -> Segmentation:
    """A mask as regions of its image.

    Parameters
    ----------
    path : Path
        PNG of one band, as large as the image; other labels than those named are left out.
    picture : Picture, optional
        The image; the mask lies on its first frame. None takes the mask as it is.
    names : mapping of int to (site, side)
        What each label is, the most important first: a mask of one label only is that one.
    rater : str
        Who drew it.

    Returns
    -------
    Segmentation

    Raises
    ------
    NotReadable
        If it is no picture.
    InvalidInput
        If it is not as large as the image, or no mask.
    """
    try:
        with Image.open(path) as opened:
            labels = np.asarray(opened if opened.mode in {"L", "P", "1", "I;16"} else opened.convert("L"))
    except (UnidentifiedImageError, OSError) as fault:
        raise NotReadable("not a readable mask", where=str(path), mend="save it as PNG") from fault
    labels = labels.astype(np.uint16)
    shape = picture.pixels.shape[:3] if picture is not None else (1, *labels.shape)
    if labels.shape != shape[1:]:
        sizes = " and ".join(f"{rows} x {columns}" for rows, columns in (labels.shape, shape[1:]))
        raise InvalidInput(f"mask and image differ in size: {sizes} pixels", where=str(path))
    kinds = np.unique(labels[labels > 0])
    if kinds.size > MOST_LABELS:
        raise InvalidInput(f"{kinds.size} labels: this is no mask", where=str(path))
    if kinds.size == 1:
        labels = np.where(labels > 0, next(iter(names)), 0).astype(np.uint16)
    volume = np.zeros(shape, np.uint16)
    volume[0] = np.where(np.isin(labels, list(names)), labels, 0)
    return Segmentation(volume, np.eye(4), dict(names), rater)
