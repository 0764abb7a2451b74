"""Tissue of the Dixon phantom: fat patterns, and the noise-free images of one slice on the fine grid."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon_anatomy import FAR_MM, Anatomy, Grid
from myoproof.phantoms.smooth import smooth_field

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

TEXTURES: Final = ("diffuse", "streaky", "patchy")
N_MUSCLES: Final = len(const.MUSCLES)
OUTSIDE: Final = 0
"""Codes of the fine tissue map: 0 outside the leg, 1-15 the structures in order, then the rest."""
MARROW, EPIMYSIUM, BETWEEN, SUBCUTANEOUS, SKIN = range(len(const.STRUCTURES) + 1, len(const.STRUCTURES) + 6)


@dataclass(frozen=True, slots=True)
class FatPattern:
    """How fat lies in the eleven muscles.

    Parameters
    ----------
    logit : ndarray, shape (11,)
        Logit of the typical fat fraction.
    gradient : ndarray, shape (11,)
        Change of the logit from knee to hip.
    texture : tuple of str
        One of TEXTURES for each muscle.
    angle_rad : ndarray, shape (11,)
        Direction across the fatty streaks.
    """

    logit: Floats
    gradient: Floats
    texture: tuple[str, ...]
    angle_rad: Floats


@dataclass(frozen=True, slots=True)
class FineSlice:
    """One slice on the fine grid, without noise: arrays of shape (fine x, fine y, sub-slices)."""

    tissue: Labels
    fat: Images
    water: Images


def fat_fractions(pattern: str, *, rng: np.random.Generator) -> Floats:
    """Typical fat fractions of the eleven muscles of one leg, by disease pattern (see the constants)."""
    if pattern == "als":
        median, spread = const.ALS_FAT_FRACTION
        return np.asarray(median * np.exp(spread * rng.standard_normal(N_MUSCLES)))
    shift = rng.normal(*const.DYSTROPHY_SHIFT)
    published = np.asarray(const.PUBLISHED_FAT_FRACTION)
    logit = np.log(published / (1 - published)) + shift
    logit = logit + const.DYSTROPHY_MUSCLE_SD * rng.standard_normal(N_MUSCLES)
    return np.asarray(np.clip(1 / (1 + np.exp(-logit)), *const.DYSTROPHY_RANGE))


def sample_pattern(fractions: Floats, *, rng: np.random.Generator) -> FatPattern:
    """Gradient along the leg, texture and streak direction for given fat fractions."""
    gradient = const.GRADIENT_SD_LOGIT * rng.standard_normal(N_MUSCLES)
    texture = tuple(TEXTURES[i] for i in rng.integers(0, len(TEXTURES), N_MUSCLES))
    return FatPattern(
        np.log(fractions / (1 - fractions)), gradient, texture, rng.uniform(0, np.pi, N_MUSCLES)
    )


def texture_fields(
    grid: Grid, *, rng: np.random.Generator, anchor: Grid | None = None
) -> tuple[Images, Images]:
    """Two smooth fields (x, y, slices, sub-slices) that textures are made of: coarse and finer patches."""
    fixed = (anchor or grid).axes_mm
    coarse = smooth_field(grid.axes_mm, (12.0, 12.0, 60.0), rng=rng, anchor_mm=fixed).reshape(grid.shape)
    finer = smooth_field(grid.axes_mm, (6.0, 6.0, 40.0), rng=rng, anchor_mm=fixed).reshape(grid.shape)
    return coarse, finer


def refine(coarse: Images) -> Images:
    """Linear interpolation to FINE voxels per voxel along the first two axes (edges held)."""
    return _refine_axis(_refine_axis(coarse, 0), 1)


def _refine_axis(coarse: Images, axis: int) -> Images:
    moved = np.moveaxis(coarse, axis, 0)
    before = np.concatenate([moved[:1], moved[:-1]])
    after = np.concatenate([moved[1:], moved[-1:]])
    third = np.float32(1.0 / 3.0)
    fine = np.stack([moved + third * (before - moved), moved, moved + third * (after - moved)], axis=1)
    return np.moveaxis(fine.reshape(-1, *moved.shape[1:]), 0, axis)


def fine_slice(
    anatomy: Anatomy, grid: Grid, k: int, pattern: FatPattern, fields: tuple[Images, Images]
) -> FineSlice:
    """Tissue, fat and water of slice ``k`` on the fine grid."""
    tissue = _tissue(anatomy, k)
    total = _TOTAL[tissue]
    fraction = _FRACTION[tissue]
    where = np.nonzero((tissue > 0) & (tissue <= N_MUSCLES))
    label = tissue[where]
    coarse, finer = (refine(field[:, :, k])[where] for field in fields)
    x, y = _fine_axis(grid.x_mm)[where[0]], _fine_axis(grid.y_mm)[where[1]]
    height = anatomy.height[k].astype(np.float32)[where[2]] - np.float32(0.5)
    logit = np.empty(label.shape, dtype=np.float32)
    for muscle in range(N_MUSCLES):
        own = label == muscle + 1
        angle = pattern.angle_rad[muscle]
        across = np.float32(np.cos(angle)) * x[own] + np.float32(np.sin(angle)) * y[own]
        logit[own] = _texture(pattern.texture[muscle], (coarse[own], finer[own]), across)
        logit[own] += np.float32(pattern.logit[muscle]) + np.float32(pattern.gradient[muscle]) * height[own]
    fraction[where] = 1.0 / (1.0 + np.exp(-logit))
    # total is what water alone would give; fat of the same amount is brighter by the declared ratio
    water = total * (1 - fraction)
    fat = total * fraction * np.float32(const.FAT_SIGNAL_RATIO)
    return FineSlice(tissue, fat, water)


def _fine_axis(axis_mm: Floats) -> Images:
    step = (axis_mm[1] - axis_mm[0]) / const.FINE
    return np.asarray((axis_mm[:, None] + step * np.arange(-1, 2)).ravel(), dtype=np.float32)


def _texture(kind: str, local: tuple[Images, Images], across_mm: Images) -> Images:
    """Addition to the logit of the fat fraction; about mean 0 over a muscle."""
    coarse, finer = local
    if kind == "diffuse":
        return np.asarray(0.25 * coarse, dtype=np.float32)
    if kind == "patchy":
        return np.asarray(1.3 * np.tanh(2.0 * finer), dtype=np.float32)
    phase = np.sin(across_mm * np.float32(2 * np.pi / 9.0) + 2.0 * coarse)
    ridge = np.exp(-((phase / np.float32(0.35)) ** 2))
    return np.asarray(1.6 * (ridge - 0.38) + 0.2 * finer, dtype=np.float32)


def _tissue(anatomy: Anatomy, k: int) -> Labels:
    """What lies at every fine voxel of slice ``k``."""
    nearest, second, label = _compete(anatomy.distance_mm[:, :, :, k])
    fascia = refine(anatomy.fascia_mm[:, :, k, None])
    skin = refine(anatomy.skin_mm[:, :, k, None])
    tissue = np.where(skin < -const.SKIN_MM, np.uint8(SUBCUTANEOUS), np.uint8(SKIN))
    tissue = np.where(skin < 0, tissue, np.uint8(OUTSIDE))
    tissue = np.where(fascia < 0, np.uint8(BETWEEN), tissue) * np.ones_like(label)
    tissue[nearest < const.EPIMYSIUM_MM] = EPIMYSIUM
    score = np.maximum(nearest, (nearest - second + np.float32(const.CONTACT_GAP_MM)) / 2)
    inside = score < 0
    tissue[inside] = label[inside]
    tissue[refine(anatomy.marrow_mm[:, :, k]) < 0] = MARROW
    return tissue


def _compete(distance: Images) -> tuple[Images, Images, Labels]:
    """Nearest and second nearest distance and the nearest structure (1-based), on the fine grid."""
    shape = (distance.shape[1] * const.FINE, distance.shape[2] * const.FINE, distance.shape[3])
    nearest = np.full(shape, FAR_MM, dtype=np.float32)
    second = np.full(shape, FAR_MM, dtype=np.float32)
    label = np.zeros(shape, dtype=np.uint8)
    for number in range(len(distance)):
        close = (distance[number] < 3.0).any(axis=2)
        if not close.any():
            continue
        rows, columns = (_span(close.any(axis=1 - axis)) for axis in (0, 1))
        fine = refine(distance[number, rows, columns])
        window = (_scaled(rows), _scaled(columns))
        best, next_best = nearest[window], second[window]
        closer = fine < best
        second[window] = np.where(closer, best, np.minimum(next_best, fine))
        nearest[window] = np.minimum(best, fine)
        label[window][closer] = number + 1
    return nearest, second, label


def _span(hits: npt.NDArray[np.bool_]) -> slice:
    where = np.flatnonzero(hits)
    return slice(max(int(where[0]) - 1, 0), int(where[-1]) + 2)


def _scaled(window: slice) -> slice:
    return slice(window.start * const.FINE, window.stop * const.FINE)


def _tables() -> tuple[Images, Images]:
    """Signal and fat fraction of every tissue code that is not a labelled muscle."""
    n = len(const.STRUCTURES)
    total = np.zeros(SKIN + 1, dtype=np.float32)
    fraction = np.zeros_like(total)
    total[1 : n + 1] = 1.0
    fraction[const.STRUCTURES.index("other_muscle") + 1] = const.OTHER_MUSCLE_FAT_FRACTION
    total[const.STRUCTURES.index("femur") + 1] = const.CORTEX_SIGNAL
    total[const.STRUCTURES.index("artery") + 1] = const.ARTERY_SIGNAL
    total[const.STRUCTURES.index("vein") + 1] = const.VEIN_SIGNAL
    for code, signal, fat in (
        (MARROW, 1.0, const.MARROW_FAT_FRACTION),
        (EPIMYSIUM, const.EPIMYSIUM_SIGNAL, const.EPIMYSIUM_FAT_FRACTION),
        (BETWEEN, 1.0, const.INTERMUSCULAR_FAT_FRACTION),
        (SUBCUTANEOUS, 1.0, const.ADIPOSE_FAT_FRACTION),
        (SKIN, const.SKIN_SIGNAL, 0.05),
    ):
        total[code], fraction[code] = signal, fat
    return total * np.float32(const.MUSCLE_WATER), fraction


_TOTAL, _FRACTION = _tables()
