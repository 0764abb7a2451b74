"""The tissue of a nerve image found in its frame, brought to a fixed width, and answers brought back."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.errors import OutOfDomain

WIDTH = 192
"""Pixels across the tissue: the probe's width is the scale the network knows."""
ROWS = 252
"""Most rows of a canvas; what lies deeper is background."""
STEP = 32
"""The network takes rows by this number."""
DARK = 4
"""Grey levels up to this are the screen, not tissue."""
LEAST_PIXELS = 64
"""Tissue narrower or flatter than this is none."""

Bytes = npt.NDArray[np.uint8]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Box:
    """First and last-but-one row and column of the tissue in the image's pixels."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def scale(self) -> float:
        """Canvas pixels a pixel of the image."""
        return WIDTH / (self.right - self.left)


@dataclass(frozen=True, slots=True)
class Canvas:
    """An image as the network sees it.

    Parameters
    ----------
    grey : ndarray, shape (ROWS, WIDTH), uint8
        Tissue at the fixed width, its top in the first row; zero below the image's end.
    rows : int
        Rows that lie inside the image.
    box : Box
        Where the tissue lies in the image.
    shape : tuple of int
        Of the image.
    rest : float
        Area of the largest other bright region over that of the tissue, 0-1.
    """

    grey: Bytes
    rows: int
    box: Box
    shape: tuple[int, int]
    rest: float


def find_box(grey: Bytes) -> tuple[Box, float]:
    """The largest bright region of an image, and how large the next is beside it (0-1).

    Raises
    ------
    OutOfDomain
        If there is no bright region of a useful size.
    """
    bright = (cv2.blur(grey, (7, 7)) > DARK).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    if count > 1:
        own = (labels == 1 + int(np.argmax(sizes))) & (grey > DARK)
        across = own.sum(axis=1)
        rows = np.flatnonzero(across > 0.1 * max(int(across.max()), 1))
        columns = np.flatnonzero(own.sum(axis=0) > 2)
        if rows.size and columns.size:
            box = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
            if min(box.bottom - box.top, box.right - box.left) >= LEAST_PIXELS:
                largest = np.sort(sizes)[::-1]
                return box, float(largest[1] / largest[0]) if sizes.size > 1 else 0.0
    raise OutOfDomain("no tissue in the image", mend="give a B-mode image of at least 64 x 64 pixels")


def make_canvas(grey: Bytes) -> Canvas:
    """An image at the fixed width.

    Parameters
    ----------
    grey : ndarray, shape (row, col), uint8

    Raises
    ------
    OutOfDomain
        If no tissue is found.
    """
    box, rest = find_box(grey)
    part = grey[box.top :, box.left : box.right]
    rows = max(1, round(part.shape[0] * box.scale))
    small = cv2.resize(part, (WIDTH, rows), interpolation=cv2.INTER_AREA)[:ROWS]
    out = np.zeros((ROWS, WIDTH), dtype=np.uint8)
    out[: len(small)] = small
    return Canvas(out, len(small), box, (grey.shape[0], grey.shape[1]), rest)


def network_input(canvas: Canvas) -> Images:
    """Grey 0-1, inside 0-1 and depth (widths), shape (1, 3, row, WIDTH), rows a multiple of STEP."""
    high = -(-canvas.rows // STEP) * STEP
    out = np.zeros((1, 3, high, WIDTH), dtype=np.float32)
    out[0, 0, : canvas.rows] = canvas.grey[: canvas.rows].astype(np.float32) / 255
    out[0, 1, : canvas.rows] = 1
    out[0, 2, : canvas.rows] = ((np.arange(canvas.rows, dtype=np.float32) + 0.5) / WIDTH)[:, None]
    return out


def restored(maps: Images, canvas: Canvas) -> Images:
    """Maps on the canvas brought back to the image.

    Parameters
    ----------
    maps : ndarray, shape (class, row, WIDTH), float32
        Probabilities; the first is the background's.
    canvas : Canvas
        What they were found on.

    Returns
    -------
    ndarray, shape (class, row, col), float32
        On the image's grid; outside the canvas the background is certain.
    """
    box, scale = canvas.box, canvas.box.scale
    width = box.right - box.left
    high = min(canvas.shape[0] - box.top, round(canvas.rows / scale))
    out = np.zeros((maps.shape[0], *canvas.shape), dtype=np.float32)
    out[0] = 1
    for number, one in enumerate(maps):
        grown = cv2.resize(one[: canvas.rows], (width, high), interpolation=cv2.INTER_LINEAR)
        out[number, box.top : box.top + high, box.left : box.right] = grown
    return out
