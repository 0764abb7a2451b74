"""Simulated thigh Dixon MRI: parametric anatomy, fat patterns, partial volume, coil and Rician noise."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table
from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon_anatomy import Anatomy, Grid, build, cropped, leg_window
from myoproof.phantoms.dixon_outlines import mean_last, outlines
from myoproof.phantoms.dixon_tissue import (
    FatPattern,
    FineSlice,
    fat_fractions,
    fine_slice,
    refine,
    sample_pattern,
    texture_fields,
)
from myoproof.phantoms.dixon_truth import Sums, both_sides, sum_slice, sum_slices, truth_rows
from myoproof.phantoms.dixon_visit import Visit
from myoproof.phantoms.rater import RaterParams, draw, follow
from myoproof.phantoms.smooth import smooth_field

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

LEG_CENTRE_MM = (-13.0, -18.0)
"""Middle of the field of view, from the femur's centre (outwards, forwards)."""
SIMULATED_RATER = "simulated-rater"


@dataclass(frozen=True, slots=True)
class ThighParams:
    """What is simulated and how it is scanned.

    Parameters
    ----------
    pattern : {"dystrophy", "als"}
        Wide fat fractions (2-80 %), or near normal ones.
    water_snr : float
        Signal of fat-free muscle over the SD of the noise in each of the real and imaginary parts.
    side : {"left", "right"}
        Which leg.
    voxel_mm : float
        In-plane voxel size.
    matrix : tuple of int
        Voxels across and front to back.
    n_slices, slice_mm, gap_mm : int, float, float
        Axial slices, their thickness, and the gap between them.
    stack_centre : float
        Height of the middle of the stack: 0 at the knee cap, 1 below the lesser trochanter.
    quantised : bool
        Round to whole scanner units, as stored images are.
    rater : RaterParams
        Who draws the mask.
    visit : Visit
        What has changed since the person's first scan.
    subject, session, run : str
        Key of the acquisition.
    """

    pattern: Literal["dystrophy", "als"] = "dystrophy"
    water_snr: float = 60.0
    side: Literal["left", "right"] = "left"
    voxel_mm: float = 1.0
    matrix: tuple[int, int] = (216, 196)
    n_slices: int = 12
    slice_mm: float = 5.0
    gap_mm: float = 11.0
    stack_centre: float = 0.5
    quantised: bool = True
    rater: RaterParams = field(default_factory=RaterParams)
    visit: Visit = field(default_factory=Visit)
    subject: str = "phantom"
    session: str = "m00"
    run: str = "1"


@dataclass(frozen=True, slots=True)
class Phantom:
    """A simulated scan and everything that is true about it.

    Parameters
    ----------
    acquisition : Acquisition
        Payload: ``Volume`` with channels ``fat`` and ``water``.
    segmentation : Segmentation
        The simulated rater's mask.
    exact : Segmentation
        The true mask, as far as acquired voxels can show it.
    truth : Table
        True rows: method and rater "truth".
    """

    acquisition: Acquisition
    segmentation: Segmentation
    exact: Segmentation
    truth: Table


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg on its own grid, mirrored to its side; images without noise yet."""

    fat: Images
    water: Images
    drawn: npt.NDArray[np.uint16]
    exact: npt.NDArray[np.uint16]
    sums: Sums
    noise_rng: np.random.Generator


def thigh(*, rng: np.random.Generator, params: ThighParams = ThighParams()) -> Phantom:
    """One simulated thigh.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same seed gives the same bytes. Anatomy, fat, receive field, rater and noise
        draw from separate streams, so that the same seed at another SNR is the same leg.
    params : ThighParams
        What is simulated.

    Returns
    -------
    Phantom
        Scan, masks and true rows. The truth is the measured functional on the noise-free fine grid
        (3 x 3 in plane, 3 sub-slices) within the true outline.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table (a fault of the phantom, not of its user).

    References
    ----------
    Constants and their sources: ``phantoms/dixon_constants.py``. Noise: Gudbjartsson and Patz, Magn Reson Med
    1995;34:910 (Rician magnitude).

    Examples
    --------
    >>> import numpy as np
    >>> small = ThighParams(n_slices=1, voxel_mm=2.5, matrix=(88, 80))
    >>> scan = thigh(rng=np.random.default_rng(7), params=small)
    >>> sorted(scan.acquisition.payload.channels), scan.segmentation.rater
    (['fat', 'water'], 'simulated-rater')
    """
    return rescans(rng=rng, params=params, water_snrs=(params.water_snr,))[0]


def rescans(*, rng: np.random.Generator, params: ThighParams, water_snrs: Sequence[float]) -> list[Phantom]:
    """The same thigh with the same drawn mask, scanned once at each water SNR.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    params : ThighParams
        What is simulated; ``water_snr`` is not used.
    water_snrs : sequence of float
        One scan for each, with its own noise.

    Returns
    -------
    list of Phantom
        In the order of ``water_snrs``.
    """
    leg = _leg(params, rng)
    sums: dict[str, Sums] = {params.side: leg.sums}
    names: dict[int, tuple[str, str]] = {i + 1: (site, params.side) for i, site in enumerate(const.MUSCLES)}
    return [_phantom([leg], sums, names, replace(params, water_snr=snr)) for snr in water_snrs]


def bilateral(*, rng: np.random.Generator, params: ThighParams = ThighParams()) -> Phantom:
    """Both thighs in one field of view, left and right drawn with the same labels.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    params : ThighParams
        ``side`` is not used; ``matrix`` is that of one leg, the image is twice as wide.

    Returns
    -------
    Phantom
        The masks do not separate sides (labels 1-11, side ""), as in scheme ``huashan11``; the truth holds
        rows for left, right and both (the union).
    """
    left_rng, right_rng = rng.spawn(2)
    left = _leg(replace(params, side="left"), left_rng)
    right = _leg(replace(params, side="right"), right_rng)
    sums = {"left": left.sums, "right": right.sums, "both": both_sides(left.sums, right.sums)}
    names = {i + 1: (site, "") for i, site in enumerate(const.MUSCLES)}
    return _phantom([left, right], sums, names, params)


def demo_scans(*, rng: np.random.Generator, n: int = 4) -> list[Phantom]:
    """A few bilateral scans for the demo: subjects ``sim-mri-01``..., alternating ALS and dystrophy patterns.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Number of subjects.

    Returns
    -------
    list of Phantom
        Coarser than the default (1.5 mm voxels, 8 slices of 6 mm every 20 mm), so that a few take seconds.
    """
    scans = []
    for i, child in enumerate(rng.spawn(n)):
        params = ThighParams(
            pattern="als" if i % 2 == 0 else "dystrophy",
            voxel_mm=1.5,
            matrix=(144, 128),
            n_slices=8,
            gap_mm=14.0,
            subject=f"sim-mri-{i + 1:02d}",
        )
        scans.append(bilateral(rng=child, params=params))
    return scans


def _leg(params: ThighParams, rng: np.random.Generator) -> _Leg:
    anatomy_rng, fat_rng, coil_rng, rater_rng, noise_rng = rng.spawn(5)
    fractions = fat_fractions(params.pattern, rng=fat_rng)
    pattern = sample_pattern(fractions, rng=fat_rng)
    radius = radius_factor(params.pattern, fractions, fat_rng)
    first_grid, visit = grid_of(params), params.visit
    whole_grid, leg_rng = visit.grid(first_grid), deepcopy(anatomy_rng)
    draw_leg = partial(build, stack_centre=params.stack_centre, anchor=first_grid)
    whole = draw_leg(whole_grid, visit.radius(radius), rng=anatomy_rng, turn_rad=visit.turn_rad)
    first = draw_leg(first_grid, radius, rng=leg_rng) if visit.number else whole
    window, anchor = leg_window(whole), cropped(first, first_grid, leg_window(first))[1]
    anatomy, grid = cropped(whole, whole_grid, window)
    pattern = replace(pattern, logit=pattern.logit + np.asarray(visit.logit_shift or 0.0))
    fields = texture_fields(grid, rng=fat_rng, anchor=anchor)
    fat, water, sums = _image(anatomy, grid, pattern, fields, _coil(grid, visit.own(coil_rng)))
    outline, neighbour = outlines(anatomy, params.voxel_mm)
    drawn = draw(outline, neighbour, (grid.x_mm, grid.y_mm), params.rater, rng=rater_rng)

    def placed(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        full = np.zeros(whole_grid.shape[:3], dtype=part.dtype)
        full[window] = part
        return full[::-1] if params.side == "left" else full  # the outside of a left leg points to -x

    return _Leg(
        placed(fat), placed(water), placed(drawn), placed(follow(outline)), sums, visit.own(noise_rng)
    )


def grid_of(params: ThighParams) -> Grid:
    """The acquired grid of one leg, with three sub-slices a slice."""
    x, y = (
        centre + params.voxel_mm * (np.arange(n, dtype=np.float64) - (n - 1) / 2)
        for centre, n in zip(LEG_CENTRE_MM, params.matrix, strict=True)
    )
    spacing = params.slice_mm + params.gap_mm
    middles = spacing * (np.arange(params.n_slices) - (params.n_slices - 1) / 2)
    within = params.slice_mm * ((np.arange(const.FINE) + 0.5) / const.FINE - 0.5)
    return Grid(x, y, middles[:, None] + within[None, :])


def radius_factor(pattern: str, fractions: Floats, rng: np.random.Generator) -> Floats:
    """Radius of each muscle against normal: thinner in ALS, thinner with fat in dystrophy."""
    if pattern == "als":
        mean, spread = const.ATROPHY_ALS
        return np.asarray(mean + spread * rng.standard_normal(len(const.MUSCLES)))
    full, fall = const.ATROPHY_DYSTROPHY
    return np.asarray(full - fall * fractions)


def _coil(grid: Grid, rng: np.random.Generator) -> Images:
    """Receive field on the acquired grid, mean about 1, shape (x, y, slices)."""
    axes = [grid.x_mm, grid.y_mm, grid.z_mm.mean(axis=1)]
    log_gain = smooth_field(axes, (const.COIL_LENGTH_MM,) * 3, rng=rng)
    return np.asarray(np.exp(np.float32(const.COIL_SD) * log_gain), dtype=np.float32)


def _image(
    anatomy: Anatomy, grid: Grid, pattern: FatPattern, fields: tuple[Images, Images], coil: Images
) -> tuple[Images, Images, Sums]:
    """Noise-free fat and water on the acquired grid, and the sums over the fine one."""
    fat = np.empty(grid.shape[:3], dtype=np.float32)
    water = np.empty_like(fat)
    fine_voxel_mm2 = float((grid.x_mm[1] - grid.x_mm[0]) * (grid.y_mm[1] - grid.y_mm[0])) / const.FINE**2
    sums = []
    for k in range(grid.shape[2]):
        fine: FineSlice = fine_slice(anatomy, grid, k, pattern, fields)
        gain = refine(coil[:, :, k, None])
        sums.append(sum_slice(fine, gain, fine_voxel_mm2))
        fat[:, :, k] = _acquire(fine.fat * gain)
        water[:, :, k] = _acquire(fine.water * gain)
    return fat, water, sum_slices(sums)


def _acquire(fine: Images) -> Images:
    """Mean over the fine voxels and sub-slices of each acquired voxel."""
    flat = mean_last(fine)
    rows = np.add.reduce([flat[i :: const.FINE] for i in range(const.FINE)])
    blocks = np.add.reduce([rows[:, i :: const.FINE] for i in range(const.FINE)])
    return np.asarray(blocks / np.float32(const.FINE**2))


def _magnitude(image: Images, sigma: float, quantised: bool, rng: np.random.Generator) -> Images:
    """Magnitude of the image with complex Gaussian noise: Rician."""
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(sigma)
    noisy = np.hypot(image + noise[0], noise[1])
    return np.asarray(np.rint(noisy) if quantised else noisy, dtype=np.float32)


def _phantom(
    legs: list[_Leg], sums: dict[str, Sums], names: dict[int, tuple[str, str]], params: ThighParams
) -> Phantom:
    """Put the legs side by side, left first (RAS: x grows to the patient's right)."""
    sigma = const.MUSCLE_WATER / params.water_snr
    fat, water = (
        np.concatenate(
            [_magnitude(getattr(leg, name), sigma, params.quantised, leg.noise_rng) for leg in legs]
        )
        for name in ("fat", "water")
    )
    drawn, exact = (np.concatenate([getattr(leg, name) for leg in legs]) for name in ("drawn", "exact"))
    spacing = params.slice_mm + params.gap_mm
    affine = np.diag([params.voxel_mm, params.voxel_mm, spacing, 1.0])
    width = params.voxel_mm * params.matrix[0]
    first = -width if len(legs) == 2 or params.side == "left" else 0.0
    affine[:3, 3] = first + params.voxel_mm / 2, -params.voxel_mm * (params.matrix[1] - 1) / 2, 0.0
    key = {"subject": params.subject, "session": params.session, "run": params.run}
    acquisition = Acquisition(
        params.subject,
        params.session,
        params.run,
        "dixon",
        Volume({"fat": fat, "water": water}, affine),
        device="phantom",
        protocol=f"snr{params.water_snr:g}",
    )
    return Phantom(
        acquisition,
        Segmentation(drawn, affine, names, SIMULATED_RATER),
        Segmentation(exact, affine, names, "truth"),
        truth_rows(sums, spacing, key),
    )
