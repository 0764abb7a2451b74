"""Companions of a relaxation scan brought onto its grid: fat fraction with its SD, transmit field, masks."""

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm
from myoproof.numerics.limbs import body
from myoproof.numerics.rician import floor_excess, noise_sd

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

MOST_POINTS = 3
"""Points per axis at which a companion is read within one voxel."""
SLICE_REACH = 0.25
"""Points along the slice axis lie within this share of the slice spacing: thickness is seldom stated."""
LEAST_OVERLAP = 0.5
"""A companion that covers less of the image than this is another region's."""


def fat_fraction(companion: Acquisition, echoes: Echoes, registration_mm: float) -> tuple[Floats32, Floats32]:
    """Fat fraction and its SD on the grid of the echoes.

    Parameters
    ----------
    companion : Acquisition
        Volume with ``fat_fraction`` (``fat_fraction_sd``), or with ``fat`` and ``water``, on its own grid.
    echoes : Echoes
        Target grid.
    registration_mm : float
        SD of the shift between the two scans: adds to the SD where the fat fraction is steep.

    Returns
    -------
    fraction, sd : ndarray, shape (x, y, z), float32
        Weighted with the companion's signal; the SD is infinite where the companion has none.

    Raises
    ------
    InvalidInput
        If the companion has none of these channels.
    OutOfDomain
        If it covers less than half of the image.
    """
    volume = companion.payload
    if not isinstance(volume, Volume) or not (
        {"fat_fraction"} <= set(volume.channels) or {"fat", "water"} <= set(volume.channels)
    ):
        raise InvalidInput(
            "the companion has neither a fat fraction nor fat and water", where=companion.subject
        )
    share, variance, signal = _source(volume)
    weight = np.where(np.isfinite(share) & np.isfinite(variance), signal, 0.0).astype(np.float32)
    filled = np.where(weight > 0, share, 0.0)
    parts = [weight, weight * filled, weight**2 * np.where(weight > 0, variance, 0.0)]
    (total, weighted, spread), inside = onto(parts, volume.affine, echoes)
    if inside.mean() < LEAST_OVERLAP:
        raise OutOfDomain(
            f"the companion covers {100 * inside.mean():.0f} % of the echoes' image", where=companion.subject
        )
    held = total > 0
    fraction = np.where(held, weighted / np.where(held, total, 1.0), 0.0)
    merged = max(1.0, float(np.prod(_plane(echoes.affine, echoes) / _plane(volume.affine, echoes))))
    noise = spread / np.where(held, total, 1.0) ** 2 / merged
    steep = sum(
        (slope / width) ** 2
        for axis, width in enumerate(echoes.spacing_mm)
        if axis != echoes.slice_axis
        for slope in [np.gradient(fraction, axis=axis) if fraction.shape[axis] > 1 else 0.0 * fraction]
    )
    sd = np.sqrt(noise + registration_mm**2 * np.asarray(steep))
    return fraction.astype(np.float32), np.where(held & inside, np.maximum(sd, 1e-3), np.inf).astype(
        np.float32
    )


def transmit_field(companion: Acquisition, echoes: Echoes) -> Floats32:
    """Transmit field on the grid of the echoes; NaN outside the map and where it holds no value.

    Raises
    ------
    InvalidInput
        If the companion has no channel ``b1``.
    OutOfDomain
        If it covers less than half of the image.
    """
    volume = companion.payload
    if not isinstance(volume, Volume) or "b1" not in volume.channels:
        raise InvalidInput("the companion has no channel b1", where=companion.subject)
    b1 = volume.channels["b1"]
    known = np.isfinite(b1) & (b1 > 0)
    parts = [known.astype(np.float32), np.where(known, b1, 0.0).astype(np.float32)]
    (total, weighted), inside = onto(parts, volume.affine, echoes)
    if inside.mean() < LEAST_OVERLAP:
        raise OutOfDomain(
            f"the field map covers {100 * inside.mean():.0f} % of the echoes' image", where=companion.subject
        )
    held = total > 0.5
    return np.where(held, weighted / np.where(held, total, 1.0), np.nan).astype(np.float32)


def mask_on(segmentation: Segmentation, echoes: Echoes) -> tuple[Segmentation, bool]:
    """The mask on the grid of the echoes, and whether it had to be carried there (nearest label)."""
    same = segmentation.labels.shape == echoes.shape
    if same and displacement_mm(segmentation.affine, echoes.affine, echoes.shape) <= GRID_TOLERANCE_MM:
        return segmentation, False
    place = _positions(echoes, segmentation.affine, np.zeros(3))
    nearest = np.rint(place).astype(np.int64)
    inside = np.ones(echoes.shape, dtype=bool)
    for axis, n in enumerate(segmentation.labels.shape):
        inside &= (nearest[axis] >= 0) & (nearest[axis] < n)
        nearest[axis] = np.clip(nearest[axis], 0, n - 1)
    labels = np.where(inside, segmentation.labels[tuple(nearest)], 0).astype(np.uint16)
    if segmentation.labels.any() and not labels.any():
        raise OutOfDomain("the mask lies nowhere on the echoes' image", mend="give the mask of this region")
    return replace(segmentation, labels=labels, affine=echoes.affine), True


def onto(
    parts: list[Floats32], affine: npt.NDArray[np.float64], echoes: Echoes
) -> tuple[list[Floats], npt.NDArray[np.bool_]]:
    """Means of some images within the voxels of the echoes, and which voxels lie inside the images.

    In plane by linear interpolation at up to three points an axis; along the images' slices at the nearest.
    """
    totals = [np.zeros(echoes.shape) for _ in parts]
    inside = np.ones(echoes.shape, dtype=bool)
    offsets = _offsets(affine, echoes)
    through = int(np.argmax(np.linalg.norm(affine[:3, :3], axis=0)))
    for offset in offsets:
        place = _positions(echoes, affine, np.asarray(offset))
        place[through] = np.rint(place[through])
        for axis, n in enumerate(parts[0].shape):
            inside &= (place[axis] > -0.75) & (place[axis] < n - 0.25)
        for i, part in enumerate(parts):
            totals[i] += ndimage.map_coordinates(part, place, order=1, mode="nearest") / len(offsets)
    return totals, inside


def _offsets(affine: npt.NDArray[np.float64], echoes: Echoes) -> list[tuple[float, ...]]:
    source = np.linalg.norm(affine[:3, :3], axis=0).min()
    axes = []
    for axis, width in enumerate(echoes.spacing_mm):
        if axis == echoes.slice_axis:
            axes.append([-SLICE_REACH, 0.0, SLICE_REACH])
            continue
        n = int(np.clip(round(width / source), 1, MOST_POINTS))
        axes.append([float((i + 0.5) / n - 0.5) for i in range(n)])
    return list(itertools.product(*axes))


def _positions(echoes: Echoes, affine: npt.NDArray[np.float64], offset: Floats) -> Floats:
    """Voxel coordinates in the companion of points in the voxels of the echoes, shape (3, x, y, z)."""
    matrix = np.linalg.inv(affine) @ echoes.affine
    index = [np.arange(n) + shift for n, shift in zip(echoes.shape, offset, strict=True)]
    grids = np.meshgrid(*index, indexing="ij", sparse=True)
    return np.stack(
        [sum(matrix[row, axis] * grids[axis] for axis in range(3)) + matrix[row, 3] for row in range(3)]
    )


def _plane(affine: npt.NDArray[np.float64], echoes: Echoes) -> Floats:
    """In-plane spacing: all but the largest of the axes, in ascending order."""
    del echoes
    return np.sort(np.linalg.norm(affine[:3, :3], axis=0))[:2]


def _source(volume: Volume) -> tuple[Floats32, Floats32, Floats32]:
    """Fat fraction, its variance, and the signal it is weighted with, on the companion's grid."""
    channels = volume.channels
    if "fat_fraction" in channels:
        share = channels["fat_fraction"]
        signal = np.ones_like(share)
        if {"fat", "water"} <= set(channels):
            signal = channels["fat"] + channels["water"]
        sd = channels.get("fat_fraction_sd", np.full_like(share, 0.02))
        return share, sd**2, signal
    fat, water = (np.moveaxis(channels[name], volume.slice_axis, 2) for name in ("fat", "water"))
    tissue = body(fat + water)
    cleaned, sds = [], []
    for part, other in ((fat, water), (water, fat)):
        sigma = noise_sd(part, tissue, tissue & (part > other))
        cleaned.append(part - floor_excess(part.astype(np.float64), tissue, sigma))
        sds.append(sigma)
    total = np.maximum(cleaned[0] + cleaned[1], 1e-6)
    share = np.where(tissue, cleaned[0] / total, 0.0)
    variance = (cleaned[1] ** 2 * sds[0] ** 2 + cleaned[0] ** 2 * sds[1] ** 2) / total**4
    signal = np.where(tissue, total, 0.0)
    back = [np.moveaxis(part, 2, volume.slice_axis).astype(np.float32) for part in (share, variance, signal)]
    return back[0], back[1], back[2]
