"""Regions with uncertain borders: sums over a region while its border moves, and along its border."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BorderSums:
    """Sums of fields over a region, slice by slice, and what they depend on at its border.

    Parameters
    ----------
    base : ndarray, shape (slice, field)
        Sums over the region's voxels.
    moved : ndarray, shape (offset, slice, field)
        Sums over the region grown by each offset (mm, outward positive) along the border's normal.
    border : ndarray, shape (slice, field, field)
        Integrals of the products of two fields along the border, divided by the square of the pixel area: a
        border moved by a random ``u(l)``, of SD ``s`` and integral correlation length ``L``, gives the sums
        the covariance ``s**2 * L * border``.
    """

    base: Floats
    moved: Floats
    border: Floats


def signed_distance_mm(mask: Bools, spacing_mm: tuple[float, float]) -> Floats:
    """Distance of pixel centres from the border of a region in one slice, negative inside.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y)
        Not empty.
    spacing_mm : tuple of float
        Pixel spacing along x and y.

    Returns
    -------
    ndarray, shape (x, y)
        Half a pixel is taken off the distance between pixel centres, so that the border lies between them.

    Examples
    --------
    >>> signed_distance_mm(np.array([[False, True, True, False]]), (1.0, 1.0))[0].tolist()
    [0.5, -0.5, -0.5, 0.5]
    """
    half = 0.5 * min(spacing_mm)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    if mask.all():
        return np.full(mask.shape, -np.inf)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    return np.where(mask, half - inside, outside - half)


def border_sums(
    mask: Bools, fields: Floats, spacing_mm: tuple[float, float], offsets_mm: Floats
) -> BorderSums:
    """Sum fields over a region whose border moves.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, slice)
        The region, with a margin of at least the largest offset plus a pixel (or the image's edge) around it.
    fields : ndarray, shape (field, x, y, slice)
        Finite.
    spacing_mm : tuple of float
        Pixel spacing along x and y.
    offsets_mm : ndarray, shape (offset,)
        Displacements of the border, outward positive.

    Returns
    -------
    BorderSums
        A pixel that the moved border cuts counts in part: linearly from 1 to 0 across one pixel.
    """
    n_slice, n_field = mask.shape[2], fields.shape[0]
    base = np.zeros((n_slice, n_field))
    moved = np.zeros((offsets_mm.size, n_slice, n_field))
    border = np.zeros((n_slice, n_field, n_field))
    for level in np.flatnonzero(mask.any(axis=(0, 1))):
        here, there = mask[:, :, level], fields[:, :, :, level]
        distance = signed_distance_mm(here, spacing_mm)
        base[level] = there[:, here].sum(axis=1)
        moved[:, level] = base[level] + _gain(there, distance, spacing_mm, offsets_mm)
        border[level] = _border_products(there, distance, spacing_mm)
    return BorderSums(base=base, moved=moved, border=border)


def _gain(fields: Floats, distance: Floats, spacing_mm: tuple[float, float], offsets_mm: Floats) -> Floats:
    """Change of the sums when the border moves, shape (offset, field); 0 at offset 0."""
    pixel = float(np.sqrt(spacing_mm[0] * spacing_mm[1]))
    band = np.abs(distance) <= np.abs(offsets_mm).max() + pixel
    weights = np.clip(0.5 + (offsets_mm[:, None] - distance[band]) / pixel, 0.0, 1.0)
    still = np.clip(0.5 - distance[band] / pixel, 0.0, 1.0)
    return np.asarray((weights - still) @ fields[:, band].T, dtype=np.float64)


def _border_products(fields: Floats, distance: Floats, spacing_mm: tuple[float, float]) -> Floats:
    """Integrals of field products along the border, from the pixels within one pixel of it."""
    pixel = float(np.sqrt(spacing_mm[0] * spacing_mm[1]))
    band = fields[:, np.abs(distance) < pixel]
    return np.asarray(band @ band.T / (2.0 * pixel * spacing_mm[0] * spacing_mm[1]), dtype=np.float64)
