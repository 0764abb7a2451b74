"""Beams of a simulated probe: where echoes are sampled, and how samples become the picture's pixels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.phantoms.bmode_devices import Device

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

PADDING = 24
"""Beams simulated beside the picture on each side, so that its edges have neighbours."""
CORNER_SHARE = 0.72
"""Share of the picture's width that the probe's face takes where the sector widens."""


@dataclass(frozen=True, slots=True)
class Beams:
    """Samples along beams, and the map from the picture's pixels to them.

    Parameters
    ----------
    x_mm, z_mm : ndarray, shape (sample, beam)
        Position of each sample: to the right of the picture's middle, and below the probe's face there.
    depth_mm : ndarray, shape (sample,)
        Distance along the beam.
    beam_mm : ndarray, shape (sample,)
        Distance of neighbouring beams at each depth.
    sample_mm : float
        Distance of neighbouring samples of a beam.
    picture_x_mm, picture_z_mm : ndarray, shape (row, col)
        Position of the pixels' centres.
    lookup : tuple of two ndarrays of shape (row, col), or None
        Beam and sample of every pixel; None where pixels are the samples (linear probes).
    tissue : ndarray of bool, shape (row, col)
        Pixels within the sector.
    """

    x_mm: Images
    z_mm: Images
    depth_mm: Floats
    beam_mm: Floats
    sample_mm: float
    picture_x_mm: Images
    picture_z_mm: Images
    lookup: tuple[Images, Images] | None
    tissue: npt.NDArray[np.bool_]

    @property
    def top_mm(self) -> float:
        """Depth of the picture's upper edge; 0 for a flat probe."""
        return float(self.picture_z_mm[0, 0] - self.pixel_mm / 2)

    @property
    def pixel_mm(self) -> float:
        """Distance of pixel centres, both ways."""
        return float(self.picture_z_mm[1, 0] - self.picture_z_mm[0, 0])

    def picture(self, samples: Images) -> Images:
        """Samples brought onto the picture's pixels: scan conversion, bilinear; 0 outside the sector."""
        if self.lookup is None:
            return np.asarray(samples[:, PADDING:-PADDING])
        pixels = cv2.remap(samples, *self.lookup, interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.where(self.tissue, pixels, np.float32(0.0)), dtype=np.float32)


def beams(device: Device, shape: tuple[int, int], depth_mm: float) -> Beams:
    """The beams of a device for a picture of some rows and columns that shows a depth.

    Parameters
    ----------
    device : Device
        Its geometry.
    shape : tuple of int
        Rows and columns.
    depth_mm : float
        Depth of the lowest row below the middle of the probe's face.

    Returns
    -------
    Beams
        Pixels are square.
    """
    if device.geometry == "linear":
        return _linear(shape, depth_mm)
    if device.geometry == "trapezoid":
        return _trapezoid(shape, depth_mm)
    return _curved(device.radius_mm, shape, depth_mm)


def _pixels(shape: tuple[int, int], top_mm: float, pixel_mm: float) -> tuple[Images, Images]:
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2) * pixel_mm
    z = top_mm + (np.arange(shape[0]) + 0.5) * pixel_mm
    grid_x, grid_z = np.meshgrid(x.astype(np.float32), z.astype(np.float32))
    return grid_x, grid_z


def _linear(shape: tuple[int, int], depth_mm: float) -> Beams:
    pixel = depth_mm / shape[0]
    x, z = _pixels((shape[0], shape[1] + 2 * PADDING), 0.0, pixel)
    inner = slice(PADDING, -PADDING)
    depth = z[:, 0].astype(np.float64)
    everywhere = np.ones(shape, dtype=bool)
    return Beams(x, z, depth, np.full_like(depth, pixel), pixel, x[:, inner], z[:, inner], None, everywhere)


def _trapezoid(shape: tuple[int, int], depth_mm: float) -> Beams:
    """Beams from a flat face, spread as if from one point behind it, sampled at equal depths."""
    pixel = depth_mm / shape[0]
    picture_x, picture_z = _pixels(shape, 0.0, pixel)
    face = CORNER_SHARE * shape[1] * pixel
    spread = depth_mm * face / ((1.0 - CORNER_SHARE) * shape[1] * pixel)  # reaches the lower corners
    step = face / shape[1]
    start = (np.arange(-PADDING, shape[1] + PADDING) - (shape[1] - 1) / 2) * step
    depth = (np.arange(shape[0], dtype=np.float64) + 0.5) * pixel
    widen = 1.0 + depth / spread
    x = (start[None, :] * widen[:, None]).astype(np.float32)
    z = np.broadcast_to(depth[:, None], x.shape).astype(np.float32)
    at = picture_x / (1.0 + picture_z / np.float32(spread))
    beam = (at / np.float32(step) + (shape[1] - 1) / 2 + PADDING).astype(np.float32)
    sample = (picture_z / np.float32(pixel) - 0.5).astype(np.float32)
    tissue = np.abs(at) <= face / 2
    return Beams(x, z, depth, step * widen, pixel, picture_x, picture_z, (beam, sample), tissue)


def _curved(radius: float, shape: tuple[int, int], depth_mm: float) -> Beams:
    """Beams at right angles to a round face."""
    aspect = shape[1] / shape[0]
    half = _half_angle(radius, depth_mm, aspect)
    top = radius * (np.cos(half) - 1.0)
    pixel = (depth_mm - top) / shape[0]
    picture_x, picture_z = _pixels(shape, top, pixel)
    step = 2.0 * half / shape[1]
    angle = (np.arange(-PADDING, shape[1] + PADDING) - (shape[1] - 1) / 2) * step
    depth = (np.arange(shape[0], dtype=np.float64) + 0.5) * depth_mm / shape[0]
    x = ((radius + depth)[:, None] * np.sin(angle)[None, :]).astype(np.float32)
    z = ((radius + depth)[:, None] * np.cos(angle)[None, :] - radius).astype(np.float32)
    down = picture_z + np.float32(radius)
    turned = np.arctan2(picture_x, down)
    along = np.hypot(picture_x, down) - np.float32(radius)
    beam = (turned / np.float32(step) + (shape[1] - 1) / 2 + PADDING).astype(np.float32)
    sample = (along * np.float32(shape[0] / depth_mm) - 0.5).astype(np.float32)
    tissue = (np.abs(turned) <= half) & (along >= 0) & (along <= depth_mm)
    beam_mm = np.asarray(step * (radius + depth), dtype=np.float64)
    return Beams(x, z, depth, beam_mm, depth_mm / shape[0], picture_x, picture_z, (beam, sample), tissue)


def _half_angle(radius_mm: float, depth_mm: float, aspect: float) -> float:
    """Half the opening at which the sector is as wide as the picture."""
    angles = np.linspace(0.05, 1.2, 400)
    width = 2.0 * (radius_mm + depth_mm) * np.sin(angles)
    height = depth_mm + radius_mm * (1.0 - np.cos(angles))
    return float(np.interp(aspect, width / height, angles))
