"""Textures of simulated soft tissue: lines of perimysium and septa, patches, soft edges."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

ACROSS_MM, ALONG_MM = 0.05, 1.0
"""Resolution of the table of lines, across and along them."""
PATCH_STEP = 8
"""Patches are drawn on every so many pixels and interpolated."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Bright lines of finite length, as a table over (across, along).

    Parameters
    ----------
    table : ndarray, shape (across, along)
        Brightness, 0-1.
    across_mm, along_mm : float
        Coordinates of the table's first entry.
    """

    table: Images
    across_mm: float
    along_mm: float

    def at(self, across_mm: Images, along_mm: Images) -> Images:
        """Brightness at some coordinates, bilinear; the table repeats itself."""
        rows = (across_mm - np.float32(self.across_mm)) * np.float32(1.0 / ACROSS_MM)
        cols = (along_mm - np.float32(self.along_mm)) * np.float32(1.0 / ALONG_MM)
        seen = cv2.remap(self.table, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray(seen, dtype=np.float32)


def lines(
    extent_mm: tuple[float, float],
    *,
    spacing_mm: float,
    width_mm: float,
    length_mm: float,
    share: float,
    rng: np.random.Generator,
) -> Lines:
    """Lines at random distances, broken into pieces at random.

    Parameters
    ----------
    extent_mm : tuple of float
        The table covers plus and minus this, across and along.
    spacing_mm : float
        Mean distance of lines.
    width_mm : float
        SD of a line's profile.
    length_mm : float
        Length over which brightness persists.
    share : float
        Share of a line that is seen.
    rng : numpy.random.Generator
        Source of randomness.
    """
    n_across, n_along = (int(2 * e / step) for e, step in zip(extent_mm, (ACROSS_MM, ALONG_MM), strict=True))
    n_lines = max(1, round(2 * extent_mm[0] / spacing_mm))
    jitter = rng.uniform(-0.42, 0.42, n_lines)
    rows = ((np.arange(n_lines) + 0.5 + jitter) * spacing_mm / ACROSS_MM).astype(int) % n_across
    run = length_mm / ALONG_MM / 2.0
    rough = rng.standard_normal((n_lines, n_along), dtype=np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), sigmaX=run, sigmaY=0.01, borderType=cv2.BORDER_REFLECT)
    smooth = smooth / max(float(smooth.std()), 1e-6)
    threshold = np.float32(_upper_quantile(share))
    brightness = np.clip((smooth - threshold) * 0.7, 0.0, 1.0) * rng.uniform(0.4, 1.0, (n_lines, 1))
    table = np.zeros((n_across, n_along), dtype=np.float32)
    np.maximum.at(table, rows, brightness.astype(np.float32))
    blurred = cv2.GaussianBlur(table, (0, 0), sigmaX=0.7, sigmaY=width_mm / ACROSS_MM)
    peak = width_mm / ACROSS_MM * np.sqrt(2.0 * np.pi)
    return Lines(np.clip(blurred * np.float32(peak), 0.0, 1.0), -extent_mm[0], -extent_mm[1])


def patches(shape: tuple[int, int], size: float, *, rng: np.random.Generator) -> Images:
    """A smooth random field of mean 0 and SD 1 that varies over ``size`` pixels."""
    rows, cols = (n // PATCH_STEP + 3 for n in shape)
    rough = rng.standard_normal((rows, cols), dtype=np.float32)
    sd = max(size / PATCH_STEP / 2.0, 0.3)
    smooth = cv2.GaussianBlur(rough, (0, 0), sigmaX=sd, borderType=cv2.BORDER_REFLECT)
    field = cv2.resize(smooth, (cols * PATCH_STEP, rows * PATCH_STEP), interpolation=cv2.INTER_CUBIC)
    field = field[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), dtype=np.float32)


def wander(positions_mm: Images, length_mm: float, *, rng: np.random.Generator) -> Images:
    """A smooth random function of one coordinate, mean 0 and SD about 1."""
    knots = np.arange(-160.0, 160.0 + length_mm, length_mm / 2.0)
    rough = rng.standard_normal(knots.size)
    smooth = np.convolve(rough, [0.25, 0.5, 0.25], mode="same") * 1.63
    return np.interp(positions_mm, knots, smooth).astype(np.float32)


def soft_step(distance_mm: Images, width_mm: float) -> Images:
    """0 before an edge, 1 after it, linear over ``width_mm``."""
    return np.asarray(np.clip(distance_mm * np.float32(1.0 / width_mm) + 0.5, 0.0, 1.0), dtype=np.float32)


def mixed(below: Images, above: Images | float, share: Images) -> Images:
    """One level over another by share."""
    return np.asarray(below + (above - below) * share, dtype=np.float32)


def _upper_quantile(share: float) -> float:
    """The standard normal value that a share lies above (Winitzki's approximation)."""
    y = 1.0 - 2.0 * min(max(share, 1e-4), 1.0 - 1e-4)
    log = np.log(1.0 - y * y)
    first = 2.0 / (np.pi * 0.147) + log / 2.0
    return float(np.sqrt(2.0) * np.sign(y) * np.sqrt(np.sqrt(first**2 - log / 0.147) - first))
