"""Simulated multi-echo spin echoes of a thigh: oedema, fat, transmit field, slice profile, Rician noise."""

from collections.abc import Sequence as Many
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms import relaxation_tissue as tissue
from myoproof.phantoms.dixon import LEG_CENTRE_MM, SIMULATED_RATER
from myoproof.phantoms.dixon_anatomy import Grid, build, cropped, leg_window
from myoproof.phantoms.dixon_outlines import outlines
from myoproof.phantoms.dixon_tissue import (
    FineSlice,
    fat_fractions,
    fine_slice,
    refine,
    sample_pattern,
    texture_fields,
)
from myoproof.phantoms.rater import RaterParams, draw, follow
from myoproof.phantoms.relaxation_bloch import Sequence, saturation
from myoproof.phantoms.smooth import smooth_field

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

DIXON_BLOCK = 2
"""Fine voxels per voxel of the companion Dixon scan: two thirds of the echoes' voxel size."""
B1_MAP_SD = 0.02
"""Error of the companion map of the transmit field, one offset for the scan. Proposal."""


@dataclass(frozen=True, slots=True)
class RelaxationParams:
    """What is simulated and how it is scanned.

    Parameters
    ----------
    pattern : {"dystrophy", "als"}
        Fat 2-80 % with oedema in some muscles, or near normal fat with mild oedema in all.
    snr : float
        Signal of fat-free muscle at time 0 over the SD of the noise of the real part.
    side : {"left", "right"}
        Which leg.
    voxel_mm : float
        In-plane voxel size.
    matrix : tuple of int
        Voxels across and front to back; even.
    n_slices, slice_mm, gap_mm : int, float, float
        Axial slices, their thickness, and the gap between them.
    sequence : Sequence
        Timing of the spin echoes.
    fat_fraction_sd : float
        Voxel noise of the companion's fat fraction where muscle is full.
    fat_fraction_offset_sd : float
        SD over scans of an offset of that fat fraction.
    rater : RaterParams
        Who draws the mask, on the echoes' grid.
    subject, session, run : str
        Key of the acquisition.
    """

    pattern: Literal["dystrophy", "als"] = "dystrophy"
    snr: float = 50.0
    side: Literal["left", "right"] = "left"
    voxel_mm: float = 1.5
    matrix: tuple[int, int] = (144, 130)
    n_slices: int = 5
    slice_mm: float = 8.0
    gap_mm: float = 12.0
    sequence: Sequence = field(default_factory=Sequence)
    fat_fraction_sd: float = 0.013
    fat_fraction_offset_sd: float = 0.003
    rater: RaterParams = field(default_factory=RaterParams)
    subject: str = "phantom"
    session: str = "m00"
    run: str = "1"


@dataclass(frozen=True, slots=True)
class Phantom:
    """A simulated scan and everything that is true about it.

    Parameters
    ----------
    acquisition : Acquisition
        Modality ``t2_mapping``; payload ``Echoes`` (float32).
    segmentation, exact : Segmentation
        The simulated rater's mask, and the true one as far as voxels can show it.
    truth : Table
        ``water_t2`` and ``b1`` of every muscle; method and rater "truth".
    dixon : Acquisition
        Companion scan on its own finer grid: channels ``fat``, ``water``, ``fat_fraction`` and
        ``fat_fraction_sd``.
    field : Acquisition
        Companion map of the transmit field: channel ``b1``.
    """

    acquisition: Acquisition
    segmentation: Segmentation
    exact: Segmentation
    truth: Table
    dixon: Acquisition
    field: Acquisition


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the fine voxels of each muscle (rows) and slice (columns)."""

    voxels: Floats
    water: Floats
    water_t2: Floats
    field: Floats


def thigh(*, rng: np.random.Generator, params: RelaxationParams = RelaxationParams()) -> Phantom:
    """One simulated thigh.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same seed gives the same bytes.
    params : RelaxationParams
        What is simulated.

    Returns
    -------
    Phantom
        Echoes, masks, companions and true rows. True ``water_t2`` is the mean over fine voxels of the muscle
        weighted with their water; that of ``b1`` is a plain mean.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table (a fault of the phantom, not of its user).

    References
    ----------
    Constants and their sources: ``phantoms/relaxation_tissue.py`` and ``phantoms/dixon_constants.py``. Echoes
    by rotation of isochromats (Bloch 1946), not by phase graphs. Noise: Gudbjartsson and Patz, Magn Reson Med
    1995;34:910.

    Examples
    --------
    >>> import numpy as np
    >>> small = RelaxationParams(n_slices=1, voxel_mm=3.0, matrix=(72, 66))
    >>> scan = thigh(rng=np.random.default_rng(7), params=small)
    >>> scan.acquisition.payload.values.shape, sorted(scan.dixon.payload.channels)[:2]
    ((72, 66, 1, 17), ['fat', 'fat_fraction'])
    """
    anatomy_rng, fat_rng, field_rng, rater_rng, noise_rng = rng.spawn(5)
    fractions = fat_fractions(params.pattern, rng=fat_rng)
    pattern = sample_pattern(fractions, rng=fat_rng)
    relaxation = tissue.sample(params.pattern, rng=fat_rng)
    full, fall = const.ATROPHY_DYSTROPHY
    whole_grid = _grid(params)
    whole = build(whole_grid, full - fall * fractions, stack_centre=0.5, rng=anatomy_rng)
    window = _even(leg_window(whole), whole_grid.shape[:2])
    anatomy, grid = cropped(whole, whole_grid, window)
    textures = texture_fields(grid, rng=fat_rng)
    b1 = tissue.transmit_field(grid, rng=field_rng)
    oedema = tissue.oedema_field(grid, rng=field_rng)
    coil = np.exp(
        np.float32(const.COIL_SD)
        * smooth_field(
            [grid.x_mm, grid.y_mm, grid.z_mm.mean(axis=1)], (const.COIL_LENGTH_MM,) * 3, rng=field_rng
        )
    )
    known = tissue.trains(params.sequence, relaxation.fat_s)
    values, companion, sums = [], [], []
    for k in range(grid.shape[2]):
        fine = fine_slice(anatomy, grid, k, pattern, textures)
        t2 = tissue.water_t2(fine, oedema[:, :, k], relaxation)
        values.append(tissue.slice_echoes(fine, t2, b1[:, :, k], known) * coil[:, :, k, None])
        companion.append(_blocks(fine))
        sums.append(_sum_slice(fine, t2, b1[:, :, k]))
    outline, neighbour = outlines(anatomy, params.voxel_mm)
    drawn = draw(outline, neighbour, (grid.x_mm, grid.y_mm), params.rater, rng=rater_rng)
    place = _Placing(params, window)
    return Phantom(
        _echoes(place, np.stack(values, axis=2), params, noise_rng),
        place.segmentation(drawn, SIMULATED_RATER),
        place.segmentation(follow(outline), "truth"),
        _truth(_Sums(*(np.stack(part, axis=1) for part in zip(*sums, strict=True))), params),
        _dixon(place, companion, params, noise_rng),
        _field(place, b1, params, noise_rng),
    )


@dataclass(frozen=True, slots=True)
class _Placing:
    """Where the leg's window lies in the image, and which way it is turned."""

    params: RelaxationParams
    window: tuple[slice, slice]

    def placed(self, part: npt.NDArray[Any], *, finer: float = 1.0) -> npt.NDArray[Any]:
        rows, columns = (slice(round(w.start * finer), round(w.stop * finer)) for w in self.window)
        shape = [round(n * finer) for n in self.params.matrix]
        full = np.zeros((*shape, *part.shape[2:]), dtype=part.dtype)
        full[rows, columns] = part
        return full[::-1] if self.params.side == "left" else full

    def affine(self, *, finer: float = 1.0) -> Floats:
        p = self.params
        width = p.voxel_mm / finer
        affine = np.diag([width, width, p.slice_mm + p.gap_mm, 1.0])
        left = -p.voxel_mm * p.matrix[0] if p.side == "left" else 0.0
        affine[:3, 3] = left + width / 2, -p.voxel_mm * p.matrix[1] / 2 + width / 2, 0.0
        return affine

    def acquisition(self, modality: str, payload: Volume | Echoes, **settings: float) -> Acquisition:
        p = self.params
        key = (p.subject, p.session, p.run, modality, payload)
        return Acquisition(*key, device="phantom", protocol=f"snr{p.snr:g}", settings=settings)

    def segmentation(self, labels: npt.NDArray[Any], rater: str) -> Segmentation:
        names = {i + 1: (site, str(self.params.side)) for i, site in enumerate(const.MUSCLES)}
        return Segmentation(self.placed(labels), self.affine(), names, rater)


def _grid(params: RelaxationParams) -> Grid:
    x, y = (
        centre + params.voxel_mm * (np.arange(n, dtype=np.float64) - (n - 1) / 2)
        for centre, n in zip(LEG_CENTRE_MM, params.matrix, strict=True)
    )
    spacing = params.slice_mm + params.gap_mm
    middles = spacing * (np.arange(params.n_slices) - (params.n_slices - 1) / 2)
    within = params.slice_mm * ((np.arange(const.FINE) + 0.5) / const.FINE - 0.5)
    return Grid(x, y, middles[:, None] + within[None, :])


def _even(window: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, columns = (
        slice(w.start // 2 * 2, min(-(-w.stop // 2) * 2, n)) for w, n in zip(window, shape, strict=True)
    )
    return rows, columns


def _blocks(fine: FineSlice) -> tuple[Images, Images]:
    """Proton density of fat and water on the companion's grid."""
    means = []
    for part in (fine.fat / np.float32(const.FAT_SIGNAL_RATIO), fine.water):
        flat = part.mean(axis=2)
        shape = (flat.shape[0] // DIXON_BLOCK, DIXON_BLOCK, flat.shape[1] // DIXON_BLOCK, DIXON_BLOCK)
        means.append(flat.reshape(shape).mean(axis=(1, 3)))
    return means[0], means[1]


def _sum_slice(fine: FineSlice, t2_s: Images, b1: Images) -> tuple[Floats, ...]:
    n = len(const.MUSCLES) + 1
    where = np.nonzero((fine.tissue > 0) & (fine.tissue < n))
    label = fine.tissue[where]
    water = fine.water[where]
    own = refine(b1[:, :, None])[where[0], where[1], 0]
    weights = (None, water, water * t2_s[where], own)
    return tuple(np.bincount(label, weights=weight, minlength=n)[1:].astype(np.float64) for weight in weights)


def _echoes(
    place: _Placing, values: Images, params: RelaxationParams, rng: np.random.Generator
) -> Acquisition:
    clean = place.placed(values)
    sigma = const.MUSCLE_WATER * saturation(tissue.T1_WATER_S, params.sequence) / params.snr
    noise = np.float32(sigma) * rng.standard_normal((2, *clean.shape), dtype=np.float32)
    times = params.sequence.echo_spacing_s * np.arange(1.0, params.sequence.n_echo + 1)
    payload = Echoes(np.hypot(clean + noise[0], noise[1]).astype(np.float32), times, place.affine())
    return place.acquisition(
        "t2_mapping",
        payload,
        repetition_time_s=params.sequence.repetition_time_s,
        echo_spacing_s=params.sequence.echo_spacing_s,
        refocusing_angle_deg=180.0,
        field_strength_t=3.0,
    )


def _dixon(
    place: _Placing,
    companion: Many[tuple[Images, Images]],
    params: RelaxationParams,
    rng: np.random.Generator,
) -> Acquisition:
    """Fat and water of the companion, its fat fraction with noise and an offset, and the SD it states."""
    finer = const.FINE / DIXON_BLOCK
    fat, water = (
        place.placed(np.stack([pair[i] for pair in companion], axis=2), finer=finer) for i in range(2)
    )
    signal = fat + water
    sd = np.float32(params.fat_fraction_sd * const.MUSCLE_WATER) / np.maximum(signal, 1.0)
    offset = params.fat_fraction_offset_sd * rng.standard_normal()
    fraction = np.where(signal > 0, fat / np.maximum(signal, 1.0), 0.0) + offset
    fraction = fraction + sd * rng.standard_normal(sd.shape, dtype=np.float32)
    empty = signal < 0.05 * const.MUSCLE_WATER
    noise = np.float32(params.fat_fraction_sd * const.MUSCLE_WATER) * rng.standard_normal(
        (4, *signal.shape), dtype=np.float32
    )
    channels = {
        "fat": np.hypot(fat + noise[0], noise[1]),
        "water": np.hypot(water + noise[2], noise[3]),
        "fat_fraction": np.where(empty, 0.0, fraction),
        "fat_fraction_sd": np.where(empty, 1.0, sd),
    }
    volume = Volume(
        {name: part.astype(np.float32) for name, part in channels.items()}, place.affine(finer=finer)
    )
    return place.acquisition("dixon", volume)


def _field(place: _Placing, b1: Images, params: RelaxationParams, rng: np.random.Generator) -> Acquisition:
    del params
    shown = place.placed(b1 + np.float32(B1_MAP_SD * rng.standard_normal()))
    return place.acquisition("muscle_mri", Volume({"b1": shown.astype(np.float32)}, place.affine()))


def _truth(sums: _Sums, params: RelaxationParams) -> Table:
    rows: list[dict[str, Any]] = []
    for muscle, site in enumerate(const.MUSCLES):
        own = {
            "subject": params.subject, "session": params.session, "run": params.run,
            "modality": "t2_mapping", "site": site, "side": params.side, "method": "truth", "rater": "truth",
        }  # fmt: skip
        parts = [("", slice(None))] + [
            (f"slice:{k}", slice(k, k + 1)) for k in np.flatnonzero(sums.voxels[muscle] > 0)
        ]
        for at, levels in parts:
            voxels, water, weighted, b1 = (
                getattr(sums, name)[muscle, levels].sum() for name in _Sums.__slots__
            )
            if voxels == 0:
                rows += [{**own, "measure": m, "at": "", "absent": "empty_label"} for m in ("water_t2", "b1")]
                continue
            values = {"water_t2": 1e3 * weighted / water, "b1": b1 / voxels}
            rows += [{**own, "measure": m, "at": at, "value": float(v)} for m, v in values.items()]
    return from_rows(rows, where="relaxation phantom")
