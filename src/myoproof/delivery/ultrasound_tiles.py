"""Ultrasound images as small pictures: tissue alone, regions outlined, thickness and direction drawn."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Picture
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput

Bytes = npt.NDArray[np.uint8]

COLOURS = ((80, 220, 255), (255, 210, 90), (140, 255, 140), (255, 150, 255))
"""Blue, green, red of the outlines: muscle or nerve, what lies over or beside it, then others."""
READER = (120, 120, 255)
LINE = (90, 255, 90)
WIDTH = 360
"""Pixels of a tile's width."""
JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn on a tile.

    Parameters
    ----------
    regions : Segmentation, optional
        Outlined, the main one brightest.
    main : int
        The label of the muscle or nerve that is measured.
    readers : sequence of Segmentation
        Outlined in thin lines.
    lines : sequence of ((row, column), (row, column))
        In pixels of the image.
    """

    regions: Segmentation | None = None
    main: int = 2
    readers: Sequence[Segmentation] = ()
    lines: Sequence[tuple[tuple[float, float], tuple[float, float]]] = field(default_factory=tuple)


def tile(picture: Picture, drawn: Drawn, *, width: int = WIDTH) -> Bytes:
    """The tissue of the first frame, and what was found in it.

    Parameters
    ----------
    picture : Picture
        One grey band; nothing outside of ``tissue`` is shown.
    drawn : Drawn
        What is drawn on it.
    width : int
        Pixels.

    Returns
    -------
    ndarray, shape (row, column, 3), uint8
        Blue, green, red.

    Raises
    ------
    InvalidInput
        If nobody looked for the tissue.
    """
    if picture.tissue is None:
        raise InvalidInput("the tissue of this picture is not known")
    rows, columns = np.flatnonzero(picture.tissue.any(1)), np.flatnonzero(picture.tissue.any(0))
    crop = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    grey = (picture.pixels[0, ..., 0] * picture.tissue)[crop]
    scale = width / grey.shape[1]
    shape = (width, max(1, round(grey.shape[0] * scale)))
    image = cv2.cvtColor(cv2.resize(grey, shape, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    for reader in drawn.readers:
        for label in reader.names:
            _outline(image, reader.labels[0][crop] == label, READER, 1)
    if drawn.regions is not None:
        order = sorted(drawn.regions.names, key=lambda label: (label != drawn.main, label))
        for place, label in enumerate(order):
            _outline(image, drawn.regions.labels[0][crop] == label, COLOURS[place % len(COLOURS)], 1)
    for start, end in drawn.lines:
        ends = [
            (round((x - crop[1].start) * scale), round((y - crop[0].start) * scale)) for y, x in (start, end)
        ]
        cv2.line(image, ends[0], ends[1], LINE, 1, cv2.LINE_AA)
    return np.asarray(image, dtype=np.uint8)


def address(image: Bytes) -> str:
    """A picture as a ``data:`` address."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _outline(image: Bytes, region: npt.NDArray[np.bool_], colour: tuple[int, int, int], thick: int) -> None:
    rows, columns = image.shape[:2]
    small = cv2.resize(region.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, outlines, -1, colour, thick, cv2.LINE_AA)
