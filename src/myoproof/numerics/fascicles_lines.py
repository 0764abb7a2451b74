"""Line filter: how strongly pixels lie on bright lines of each direction, and the lines' crests."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SEEN_LEAST = 1e-3
"""Share of a neighbourhood that must lie in the region for its mean to count."""


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Shape of the filter, in pixels of the image it is given.

    Parameters
    ----------
    across_px : float
        SD across the line: lines about twice as wide answer best.
    along_px : float
        SD along the line: long against speckle, short against a fascicle's curvature.
    step_deg : float
        Distance of neighbouring directions; peaks are interpolated between them.
    most_deg : float
        Directions run from minus this to plus this against the horizontal.
    background_px : float
        SD of the neighbourhood whose mean is taken off, so that bands and shadows do not count.
    """

    across_px: float = 1.5
    along_px: float = 15.0
    step_deg: float = 4.0
    most_deg: float = 72.0
    background_px: float = 12.0

    @property
    def directions_deg(self) -> Floats:
        """Directions, symmetric about 0."""
        half = round(self.most_deg / self.step_deg)
        return np.asarray(np.arange(-half, half + 1) * self.step_deg, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Crests:
    """Points on the crests of bright lines.

    Parameters
    ----------
    row, col : ndarray of intp
        Where, in the image given.
    angle_deg : ndarray
        Direction of the line there, positive where it rises to the right.
    strength : ndarray
        Answer of the filter there, in the image's unit.
    """

    row: npt.NDArray[np.intp]
    col: npt.NDArray[np.intp]
    angle_deg: Floats
    strength: Floats


def crests(image: Images, region: Bools, inner: Bools, shape: LineFilter) -> Crests:
    """Points of bright lines within a region, with the lines' directions.

    The filter is a second derivative of a Gaussian across the line, smoothed along it, for each direction; it
    is applied in the frequency domain, where its transfer function is known exactly.

    Parameters
    ----------
    image : ndarray, shape (row, col), float32
        Grey levels.
    region : ndarray of bool, shape (row, col)
        What may be looked at; everything else counts as even background.
    inner : ndarray of bool, shape (row, col)
        Where points are kept.
    shape : LineFilter
        Widths and directions.

    Returns
    -------
    Crests
        Local maxima of the strongest answer along columns.

    References
    ----------
    Freeman and Adelson 1991, IEEE Trans Pattern Anal Mach Intell 13:891 (oriented derivative filters).
    """
    rows, cols = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not rows.size:
        none = np.zeros(0, dtype=np.intp)
        return Crests(none, none, np.zeros(0), np.zeros(0))
    box = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    flat = _flattened(np.asarray(image[box], dtype=np.float32), region[box], shape.background_px)
    answers = line_answers(flat, shape)
    found = _maxima(answers, inner[box], shape)
    return Crests(found.row + rows[0], found.col + cols[0], found.angle_deg, found.strength)


def line_answers(flat: Images, shape: LineFilter) -> Images:
    """Answers of the filter, shape (direction, row, col), of an image whose background is 0."""
    height, width = flat.shape
    pad = int(np.ceil(1.5 * shape.along_px))
    size = (fft.next_fast_len(height + pad, real=True), fft.next_fast_len(width + pad, real=True))
    spectrum = fft.rfft2(flat, size)
    turn = np.float32(2.0 * np.pi)
    down = fft.fftfreq(size[0]).astype(np.float32)[:, None] * turn
    right = fft.rfftfreq(size[1]).astype(np.float32)[None, :] * turn
    directions = shape.directions_deg
    answers = np.empty((directions.size, height, width), dtype=np.float32)
    for index, angle in enumerate(np.radians(directions)):
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        across, along = (right * sin + down * cos) ** 2, (right * cos - down * sin) ** 2
        decay = np.float32(shape.across_px**2 / 2) * across + np.float32(shape.along_px**2 / 2) * along
        transfer = np.float32(shape.across_px**2) * across * np.exp(-decay)
        answers[index] = fft.irfft2(spectrum * transfer, size)[:height, :width]
    return answers


def _flattened(image: Images, region: Bools, sd_px: float) -> Images:
    """The image less its local mean over the region; 0 outside."""
    weight = region.astype(np.float32)
    seen = cv2.GaussianBlur(weight, (0, 0), sd_px) + np.float32(SEEN_LEAST)
    mean = cv2.GaussianBlur(image * weight, (0, 0), sd_px) / seen
    return np.asarray((image - mean) * weight, dtype=np.float32)


def _maxima(answers: Images, inner: Bools, shape: LineFilter) -> Crests:
    best = answers.max(axis=0)
    crest = inner & (best > 0)
    crest[1:-1] &= (best[1:-1] >= best[:-2]) & (best[1:-1] >= best[2:])
    crest[0] = crest[-1] = False
    row, col = np.nonzero(crest)
    index = answers[:, row, col].argmax(axis=0)
    inside = (index > 0) & (index < answers.shape[0] - 1)
    row, col, index = row[inside], col[inside], index[inside]
    before, here, after = (answers[index + step, row, col].astype(np.float64) for step in (-1, 0, 1))
    shift = _vertex(before, here, after)
    angle = shape.directions_deg[index] + shift * shape.step_deg
    return Crests(row, col, angle, here)


def _vertex(before: Floats, here: Floats, after: Floats) -> Floats:
    """Offset of the peak from the middle of three samples: of a Gaussian."""
    floor = 0.02 * here
    logs = [np.log(np.maximum(one, floor)) for one in (before, here, after)]
    bend = np.minimum(logs[0] - 2.0 * logs[1] + logs[2], -1e-9)
    return np.asarray(np.clip(0.5 * (logs[0] - logs[2]) / bend, -0.5, 0.5))
