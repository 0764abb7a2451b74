"""Water T2, transmit field and echo signals of the relaxation phantom, slice by slice."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon_anatomy import Grid
from myoproof.phantoms.dixon_tissue import BETWEEN, EPIMYSIUM, MARROW, SKIN, SUBCUTANEOUS, FineSlice, refine
from myoproof.phantoms.relaxation_bloch import Sequence, echoes, saturation
from myoproof.phantoms.smooth import smooth_field

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

NORMAL_T2_S: Final = (0.0345, 0.0008)
"""Water T2 of normal thigh muscle at 3 T over people, mean and SD. Proposal: within the 32-37 ms that
fat-corrected methods report in controls."""
MUSCLE_T2_SD_S: Final = 0.0008
"""SD over the muscles of one person. Proposal."""
OEDEMA_CHANCE: Final = 0.4
OEDEMA_S: Final = 0.008
"""Share of dystrophic muscles with oedema, and the mean of its exponential size. Proposals: a few ms."""
OEDEMA_LENGTH_MM: Final = (12.0, 12.0, 40.0)
"""Length of its patches, which do not follow those of fat. Proposal."""
DENERVATION_S: Final = 0.004
"""Mean rise in ALS, exponential, in every muscle. Proposal."""
OTHER_T2_S: Final = {
    "other_muscle": 0.035, "femur": 0.025, "artery": 0.110, "vein": 0.090,
}  # fmt: skip
"""Structures that are not measured. Proposals."""
RIM_T2_S: Final = {EPIMYSIUM: 0.025, MARROW: 0.040, BETWEEN: 0.035, SUBCUTANEOUS: 0.035, SKIN: 0.030}
FAT_T2_S: Final = (0.151, 0.005)
"""Apparent T2 of fat over people, mean (Santini 2021, Front Neurol 12:630387) and SD (proposal)."""
T1_WATER_S: Final = 1.42
T1_FAT_S: Final = 0.371
"""Muscle water and fat at 3 T (Gold 2004, AJR 183:343)."""
B1_MEAN: Final = (0.95, 0.06)
B1_SD: Final = 0.08
B1_LENGTH_MM: Final = 120.0
B1_RANGE: Final = (0.62, 1.18)
"""Transmit field: mean over people and its SD; SD and length of its variation; limits. Proposals."""
KNOTS_S: Final = np.geomspace(0.020, 0.120, 19)
"""Water T2 at which trains are computed; between them signals are interpolated, off by under 1e-3."""
FIELD_STEP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Relaxation:
    """What relaxes how in one leg.

    Parameters
    ----------
    base_s, extra_s : ndarray, shape (11,)
        Water T2 of each muscle without, and most it rises by with, oedema.
    fat_s : float
        T2 of fat.
    """

    base_s: Floats
    extra_s: Floats
    fat_s: float


def sample(pattern: str, *, rng: np.random.Generator) -> Relaxation:
    """Relaxation times of one leg by disease pattern."""
    n = len(const.MUSCLES)
    base = rng.normal(*NORMAL_T2_S) + MUSCLE_T2_SD_S * rng.standard_normal(n)
    if pattern == "als":
        extra = rng.exponential(DENERVATION_S, n)
    else:
        extra = rng.exponential(OEDEMA_S, n) * (rng.random(n) < OEDEMA_CHANCE)
    return Relaxation(base, np.minimum(extra, 0.035), float(rng.normal(*FAT_T2_S)))


def transmit_field(grid: Grid, *, rng: np.random.Generator) -> Images:
    """Field over the nominal one on the acquired grid, shape (x, y, slices)."""
    axes = [grid.x_mm, grid.y_mm, grid.z_mm.mean(axis=1)]
    level = rng.normal(*B1_MEAN)
    field = level + B1_SD * smooth_field(axes, (B1_LENGTH_MM,) * 3, rng=rng)
    return np.asarray(np.clip(field, *B1_RANGE), dtype=np.float32)


def oedema_field(grid: Grid, *, rng: np.random.Generator) -> Images:
    """Where oedema is, a smooth field of its own on the acquired grid, shape (x, y, slices)."""
    axes = [grid.x_mm, grid.y_mm, grid.z_mm.mean(axis=1)]
    return smooth_field(axes, OEDEMA_LENGTH_MM, rng=rng)


def water_t2(fine: FineSlice, oedema: Images, relaxation: Relaxation) -> Images:
    """Water T2 at every fine voxel of a slice, seconds; ``oedema`` (x, y) makes it patchy."""
    table = np.full(SKIN + 1, 0.035, dtype=np.float32)
    for name, value in OTHER_T2_S.items():
        table[const.STRUCTURES.index(name) + 1] = value
    for code, value in RIM_T2_S.items():
        table[code] = value
    table[1 : len(const.MUSCLES) + 1] = relaxation.base_s
    rise = np.zeros(SKIN + 1, dtype=np.float32)
    rise[1 : len(const.MUSCLES) + 1] = relaxation.extra_s
    patch = 0.5 + 0.5 * np.tanh(1.5 * refine(oedema[:, :, None]))
    return np.asarray(table[fine.tissue] + rise[fine.tissue] * patch, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Trains:
    """Echo trains over the transmit field.

    Parameters
    ----------
    field : ndarray, shape (field,)
        In steps of FIELD_STEP.
    water : ndarray, shape (field, knot, echo)
        Of unit water at KNOTS_S.
    fat : ndarray, shape (field, echo)
        Of unit fat.
    """

    field: Floats
    water: Floats
    fat: Floats


def trains(sequence: Sequence, fat_s: float) -> Trains:
    """Compute the trains of a sequence, saturation included."""
    field = np.arange(B1_RANGE[0] - FIELD_STEP, B1_RANGE[1] + 2 * FIELD_STEP, FIELD_STEP)
    coarse = np.linspace(field[0], field[-1], 15)
    water = echoes(KNOTS_S, T1_WATER_S, coarse, sequence) * saturation(T1_WATER_S, sequence)
    fat = echoes(np.array([fat_s]), T1_FAT_S, coarse, sequence) * saturation(T1_FAT_S, sequence)
    return Trains(field, CubicSpline(coarse, water)(field), CubicSpline(coarse, fat[:, 0])(field))


def slice_echoes(fine: FineSlice, t2_s: Images, field: Images, known: Trains) -> Images:
    """Noise-free echoes of one slice, shape (x, y, echo).

    ``field`` (x, y) is the transmit field of the acquired voxels. Every fine voxel's water counts at its own
    T2, between the two nearest knots.
    """
    n_x, n_y = field.shape
    n_knot, n_sub = KNOTS_S.size, fine.tissue.shape[2]
    place = np.clip(np.log(t2_s / KNOTS_S[0]) / np.log(KNOTS_S[1] / KNOTS_S[0]), 0.0, n_knot - 1.001)
    low = place.astype(np.int64)
    upper = (place - low).astype(np.float64)
    voxel = (np.arange(3 * n_x) // const.FINE)[:, None, None] * n_y
    voxel = voxel + (np.arange(3 * n_y) // const.FINE)[None, :, None] + np.zeros(n_sub, dtype=np.int64)
    share = 1.0 / (const.FINE**2 * n_sub)
    held = fine.water > 0
    water = np.zeros(n_x * n_y * n_knot)
    for shift, weight in ((0, 1.0 - upper), (1, upper)):
        index = voxel[held] * n_knot + low[held] + shift
        water += np.bincount(index, weights=(weight * fine.water)[held] * share, minlength=water.size)
    fat = np.bincount(voxel.ravel(), weights=fine.fat.ravel() * share, minlength=n_x * n_y)
    bins = np.rint((field.ravel() - known.field[0]) / FIELD_STEP).astype(np.int64)
    out = fat[:, None] * known.fat[bins] / const.FAT_SIGNAL_RATIO
    pools = water.reshape(-1, n_knot)
    for here in np.unique(bins):
        own = bins == here
        out[own] += pools[own] @ known.water[here]
    return np.asarray(out.reshape(n_x, n_y, -1), dtype=np.float32)
