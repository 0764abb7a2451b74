"""The scene of a multi-echo scan: thighs, their true maps, and noise-free echoes on the acquired grid."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from myoproof.phantoms import dixon_constants as anatomy_const
from myoproof.phantoms import multiecho_constants as const
from myoproof.phantoms.dixon import ThighParams, grid_of, radius_factor
from myoproof.phantoms.dixon_anatomy import Anatomy, Grid, build, cropped, leg_window
from myoproof.phantoms.dixon_outlines import outlines
from myoproof.phantoms.dixon_tissue import (
    BETWEEN,
    EPIMYSIUM,
    MARROW,
    SKIN,
    SUBCUTANEOUS,
    FatPattern,
    FineSlice,
    fat_fractions,
    fine_slice,
    refine,
    sample_pattern,
    texture_fields,
)
from myoproof.phantoms.dixon_truth import Sums, sum_slice, sum_slices
from myoproof.phantoms.multiecho_field import Fields, sample_fields, susceptibility_ppm
from myoproof.phantoms.multiecho_physics import Physics, Tissue, echo, steady_state
from myoproof.phantoms.rater import draw, follow

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]
N_MUSCLES = len(anatomy_const.MUSCLES)
SIDES: Final[tuple[Literal["left", "right"], ...]] = ("left", "right")
LAYERS = ("water", "fat", "weighted_water", "weighted_fat", "r2star", "field")
"""Means over the fine voxels of each acquired one; the last two weighted by the signal."""


@dataclass(frozen=True, slots=True)
class LegTruth:
    """The sums that true rows are made of, and the R2* of each muscle (1/s, mean over fine voxels)."""

    sums: Sums
    r2star_per_s: Floats


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything before coils, phase and noise; arrays of shape (x, y, slice), both legs side by side.

    Parameters
    ----------
    signal : ndarray, shape (x, y, slice, echo), complex64
        Noise-free echoes without initial phase, positive sign of precession, receive field left out.
    layers : mapping
        LAYERS: proton densities of water and fat, the same T1 weighted, R2* (1/s), field (Hz).
    fields : Fields
        Machine.
    drawn, exact : ndarray, uint16
        The simulated rater's labels and the true ones.
    legs : mapping of side to LegTruth
    """

    signal: Complexes
    layers: dict[str, Images]
    fields: Fields
    drawn: npt.NDArray[np.uint16]
    exact: npt.NDArray[np.uint16]
    legs: dict[str, LegTruth]


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg on its own cropped grid, not yet mirrored to its side."""

    side: str
    anatomy: Anatomy
    grid: Grid
    window: tuple[slice, slice]
    pattern: FatPattern
    textures: tuple[Images, Images]
    r2star_per_s: Floats
    drawn: npt.NDArray[np.uint16]
    exact: npt.NDArray[np.uint16]


def make_scene(
    params: ThighParams, sides: tuple[str, ...], physics: Physics, *, rng: np.random.Generator
) -> Scene:
    """Draw the legs and their fields, and compute the noise-free echoes.

    Parameters
    ----------
    params : ThighParams
        Anatomy, fat, grid of one leg, rater; its noise and side are not used.
    sides : tuple of str
        "left", "right" or both, in this order.
    physics : Physics
        Protocol and relaxation.
    rng : numpy.random.Generator
        Source of randomness; legs and fields draw from streams of their own.

    Returns
    -------
    Scene
    """
    field_rng, *leg_rngs = rng.spawn(3)
    legs = [
        _draw_leg(replace(params, side=side), physics, rng=own)
        for side, own in zip(SIDES, leg_rngs, strict=True)
        if side in sides
    ]
    whole_grid = grid_of(params)
    ppm = np.concatenate([_placed(susceptibility_ppm(leg.anatomy), leg, whole_grid) for leg in legs])
    x_mm = params.voxel_mm * np.arange(ppm.shape[0], dtype=np.float64)
    fields = sample_fields([x_mm, whole_grid.y_mm, whole_grid.z_mm], ppm, ppm != 0, physics, rng=field_rng)
    parts = [
        _image_leg(leg, _seen_by(leg, fields, i, params.matrix[0]), physics) for i, leg in enumerate(legs)
    ]
    layers = {
        name: np.concatenate(
            [_placed(part[0][i], leg, whole_grid) for part, leg in zip(parts, legs, strict=True)]
        )
        for i, name in enumerate(LAYERS)
    }
    return Scene(
        np.concatenate([_placed(part[1], leg, whole_grid) for part, leg in zip(parts, legs, strict=True)]),
        layers,
        fields,
        np.concatenate([_placed(leg.drawn, leg, whole_grid) for leg in legs]),
        np.concatenate([_placed(leg.exact, leg, whole_grid) for leg in legs]),
        {leg.side: part[2] for part, leg in zip(parts, legs, strict=True)},
    )


def _draw_leg(params: ThighParams, physics: Physics, *, rng: np.random.Generator) -> _Leg:
    anatomy_rng, fat_rng, rater_rng, decay_rng = rng.spawn(4)
    fractions = fat_fractions(params.pattern, rng=fat_rng)
    pattern = sample_pattern(fractions, rng=fat_rng)
    radius = radius_factor(params.pattern, fractions, fat_rng)
    whole_grid = grid_of(params)
    whole = build(whole_grid, radius, stack_centre=params.stack_centre, rng=anatomy_rng)
    window = leg_window(whole)
    anatomy, grid = cropped(whole, whole_grid, window)
    outline, neighbour = outlines(anatomy, params.voxel_mm)
    drawn = draw(outline, neighbour, (grid.x_mm, grid.y_mm), params.rater, rng=rater_rng)
    slowest, fastest = physics.r2star_per_s
    decay = np.exp(decay_rng.uniform(np.log(slowest), np.log(fastest), N_MUSCLES))
    textures = texture_fields(grid, rng=fat_rng)
    return _Leg(params.side, anatomy, grid, window, pattern, textures, decay, drawn, follow(outline))


def _placed(part: npt.NDArray[Any], leg: _Leg, whole: Grid) -> npt.NDArray[Any]:
    """A cropped leg on its half of the image; the outside of a left leg points to -x."""
    full = np.zeros((*whole.shape[:2], *part.shape[2:]), dtype=part.dtype)
    full[leg.window] = part
    return full[::-1] if leg.side == "left" else full


def _seen_by(leg: _Leg, fields: Fields, place: int, width: int) -> Fields:
    """The fields of the whole image on one leg's cropped grid."""
    half = slice(place * width, (place + 1) * width)

    def part(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        own = values[half][::-1] if leg.side == "left" else values[half]
        return own[leg.window]

    return Fields(part(fields.field_hz), part(fields.b1), part(fields.gain), part(fields.phase))


def _image_leg(leg: _Leg, fields: Fields, physics: Physics) -> tuple[list[Images], Complexes, LegTruth]:
    """Layers and echoes of one leg on the acquired grid, and its truth."""
    shape = leg.grid.shape[:3]
    layers = [np.empty(shape, dtype=np.float32) for _ in LAYERS]
    signal = np.empty((*shape, len(physics.echo_times_s)), dtype=np.complex64)
    pixel = float((leg.grid.x_mm[1] - leg.grid.x_mm[0]) * (leg.grid.y_mm[1] - leg.grid.y_mm[0]))
    sums, decays = [], []
    for k in range(shape[2]):
        plain = fine_slice(leg.anatomy, leg.grid, k, leg.pattern, leg.textures)
        fine = FineSlice(plain.tissue, plain.fat / np.float32(anatomy_const.FAT_SIGNAL_RATIO), plain.water)
        tissue = _fine_tissue(fine, leg, fields, k, physics)
        gain = refine(fields.gain[:, :, k, None])
        sums.append(sum_slice(fine, gain, pixel / anatomy_const.FINE**2))
        decays.append(_decay_sums(fine, tissue.r2star_per_s))
        for layer, values in zip(layers, _layers(fine, tissue), strict=True):
            layer[:, :, k] = values
        for number in range(signal.shape[3]):
            signal[:, :, k, number] = block_mean(echo(tissue, number, physics))
    stacked = sum_slices(sums)
    decay = np.sum(decays, axis=0) / np.maximum(stacked.voxels.sum(axis=1), 1.0)
    return layers, signal, LegTruth(stacked, decay)


def _fine_tissue(fine: FineSlice, leg: _Leg, fields: Fields, k: int, physics: Physics) -> Tissue:
    """T1-weighted signals, decay and field of one slice on the fine grid."""
    b1 = refine(fields.b1[:, :, k, None])
    nominal = 1.0 / float(steady_state(physics.t1_water_s, physics.b1, physics))
    muscle, fat, blood = (
        (nominal * steady_state(t1, b1, physics)).astype(np.float32)
        for t1 in (physics.t1_water_s, physics.t1_fat_s, const.T1_BLOOD_S)
    )
    flows = np.isin(fine.tissue, [anatomy_const.STRUCTURES.index(v) + 1 for v in ("artery", "vein")])
    texture = np.exp(np.float32(const.R2STAR_TEXTURE) * refine(leg.textures[1][:, :, k]))
    decay = _decay_table(leg.r2star_per_s)[fine.tissue]
    inside = (fine.tissue > 0) & (fine.tissue <= N_MUSCLES)
    slowest, fastest = physics.r2star_per_s
    decay = np.where(inside, np.clip(decay * texture, np.float32(slowest), np.float32(fastest)), decay)
    return Tissue(
        fine.water * np.where(flows, blood, muscle),
        fine.fat * fat,
        decay.astype(np.float32),
        refine(fields.field_hz[:, :, k]),
    )


def _decay_table(muscles: Floats) -> Images:
    """R2* of every tissue code."""
    table = np.zeros(SKIN + 1, dtype=np.float32)
    table[1 : N_MUSCLES + 1] = muscles
    own = const.R2STAR_PER_S
    for name in ("other_muscle", "femur", "artery", "vein"):
        table[anatomy_const.STRUCTURES.index(name) + 1] = own[name]
    codes = {
        "marrow": MARROW,
        "epimysium": EPIMYSIUM,
        "between": BETWEEN,
        "subcutaneous": SUBCUTANEOUS,
        "skin": SKIN,
    }
    for name, code in codes.items():
        table[code] = own[name]
    return table


def _layers(fine: FineSlice, tissue: Tissue) -> tuple[Images, ...]:
    total = fine.water + fine.fat
    whole = np.maximum(block_mean(total), np.float32(1e-6))
    return (
        block_mean(fine.water),
        block_mean(fine.fat),
        block_mean(tissue.water),
        block_mean(tissue.fat),
        block_mean(total * tissue.r2star_per_s) / whole,
        block_mean(total * tissue.field_hz) / whole,
    )


def _decay_sums(fine: FineSlice, r2star_per_s: Images) -> Floats:
    inside = (fine.tissue > 0) & (fine.tissue <= N_MUSCLES)
    found = np.bincount(fine.tissue[inside], weights=r2star_per_s[inside], minlength=N_MUSCLES + 1)
    return np.asarray(found[1:], dtype=np.float64)


def block_mean(fine: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mean over the fine voxels and sub-slices of each acquired voxel, shape (x, y)."""
    size = anatomy_const.FINE
    flat = fine[..., 0] + fine[..., 1] + fine[..., 2]
    rows = flat[0::size] + flat[1::size] + flat[2::size]
    blocks = rows[:, 0::size] + rows[:, 1::size] + rows[:, 2::size]
    return np.asarray(blocks / np.float32(size**3), dtype=fine.dtype)
