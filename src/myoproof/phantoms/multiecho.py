"""Simulated multi-echo gradient-echo scans of both thighs, with everything that is true about them."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.acquisition import Acquisition, Echoes
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.phantoms import dixon_constants as anatomy_const
from myoproof.phantoms import multiecho_constants as const
from myoproof.phantoms.dixon import SIMULATED_RATER, ThighParams
from myoproof.phantoms.dixon_truth import both_sides, truth_rows
from myoproof.phantoms.multiecho_field import coils
from myoproof.phantoms.multiecho_physics import Physics
from myoproof.phantoms.multiecho_scene import Scene, make_scene

Images = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]

COARSE = ThighParams(voxel_mm=1.5, matrix=(128, 120), n_slices=4, slice_mm=5.0, gap_mm=25.0)
"""The default grid of one leg: coarse and few slices, so that a scan takes seconds."""


@dataclass(frozen=True, slots=True)
class MultiechoParams:
    """What is simulated and how it is scanned.

    Parameters
    ----------
    thigh : ThighParams
        Pattern, grid of one leg, stack, rater and key; its ``water_snr``, ``side`` and ``quantised`` are not
        used.
    sides : tuple of str
        Legs in the image, left first; two legs make it twice as wide.
    physics : Physics
        Protocol, relaxation, fields and noise.
    """

    thigh: ThighParams = COARSE
    sides: tuple[str, ...] = ("left", "right")
    physics: Physics = field(default_factory=Physics)


@dataclass(frozen=True, slots=True)
class TrueMaps:
    """What is true of each acquired voxel: arrays of shape (x, y, slice), float32.

    Parameters
    ----------
    pdff : ndarray
        Proton-density fat fraction, NaN in air.
    signal_fraction : ndarray
        The same of the T1-weighted signals, which a separation of the echoes shall find.
    r2star, field_hz : ndarray
        Decay (1/s) and off-resonance, means weighted by the signal; 0 in air.
    water, fat : ndarray
        T1-weighted signals at echo time 0 with the receive field: magnitudes that a scanner would show.
    b1 : ndarray
        Transmit field, 1 = nominal.
    """

    pdff: Images
    signal_fraction: Images
    r2star: Images
    field_hz: Images
    water: Images
    fat: Images
    b1: Images


@dataclass(frozen=True, slots=True)
class MultiechoPhantom:
    """A simulated scan and everything that is true about it.

    Parameters
    ----------
    acquisition : Acquisition
        Payload ``Echoes`` (complex, coils combined), modality "multiecho", settings filled.
    segmentation, exact : Segmentation
        The simulated rater's mask, and the true one as far as acquired voxels can show it.
    truth : Table
        True rows: method and rater "truth".
    maps : TrueMaps
        True voxels.
    coil_values : ndarray, shape (x, y, slice, coil, echo), complex64, or None
        Where several coils were asked for.
    """

    acquisition: Acquisition
    segmentation: Segmentation
    exact: Segmentation
    truth: Table
    maps: TrueMaps
    coil_values: Complexes | None = None

    @property
    def echoes(self) -> Echoes:
        """The payload of the acquisition."""
        payload = self.acquisition.payload
        assert isinstance(payload, Echoes)
        return payload


def thighs(*, rng: np.random.Generator, params: MultiechoParams = MultiechoParams()) -> MultiechoPhantom:
    """A multi-echo scan of simulated thighs.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same seed gives the same bytes. Anatomy, fields and noise draw from separate
        streams, so that the same seed at another SNR or flip angle is the same person in the same machine.
    params : MultiechoParams
        What is simulated.

    Returns
    -------
    MultiechoPhantom
        ``truth`` holds proton-density fat fractions, R2*, areas and volumes of every muscle on the noise-free
        fine grid (3 x 3 in plane, 3 sub-slices) within the true outline.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table (a fault of the phantom, not of its user).

    References
    ----------
    Signal model: Reeder et al., Magn Reson Med 2005;54:636; Yu et al., 2008;60:1122 (multi-peak fat, R2*).
    Constants and their sources: ``phantoms/multiecho_constants.py``.

    Examples
    --------
    >>> import numpy as np
    >>> small = MultiechoParams(ThighParams(n_slices=1, voxel_mm=3.0, matrix=(72, 66)), sides=("left",))
    >>> scan = thighs(rng=np.random.default_rng(7), params=small)
    >>> scan.acquisition.payload.values.shape, scan.maps.pdff.shape
    ((72, 66, 1, 6), (72, 66, 1))
    """
    scene_rng, coil_rng, noise_rng = rng.spawn(3)
    return scan_of(scene(params, rng=scene_rng), params, coil_rng=coil_rng, noise_rng=noise_rng)


def scene(params: MultiechoParams, *, rng: np.random.Generator) -> Scene:
    """The noise-free scene of :func:`thighs`, for those who scan it several times."""
    return make_scene(params.thigh, params.sides, params.physics, rng=rng)


def scan_of(
    made: Scene, params: MultiechoParams, *, coil_rng: np.random.Generator, noise_rng: np.random.Generator
) -> MultiechoPhantom:
    """One scan of a scene, with its own noise."""
    thigh = params.thigh
    affine = _affine(params)
    names = {i + 1: (site, _side(params)) for i, site in enumerate(anatomy_const.MUSCLES)}
    combined, parts = _received(made, params.physics, coil_rng=coil_rng, noise_rng=noise_rng)
    acquisition = Acquisition(
        thigh.subject,
        thigh.session,
        thigh.run,
        "multiecho",
        Echoes(combined, np.asarray(params.physics.echo_times_s, dtype=np.float64), affine),
        device="phantom",
        protocol=f"snr{params.physics.snr:g}",
        settings=_settings(params.physics),
    )
    return MultiechoPhantom(
        acquisition,
        Segmentation(made.drawn, affine, names, SIMULATED_RATER),
        Segmentation(made.exact, affine, names, "truth"),
        _truth(made, params),
        _maps(made),
        parts,
    )


def _side(params: MultiechoParams) -> str:
    return params.sides[0] if len(params.sides) == 1 else ""


def _affine(params: MultiechoParams) -> npt.NDArray[np.float64]:
    thigh = params.thigh
    affine = np.diag([thigh.voxel_mm, thigh.voxel_mm, thigh.slice_mm + thigh.gap_mm, 1.0])
    first = -thigh.voxel_mm * thigh.matrix[0] if "left" in params.sides else 0.0
    affine[:3, 3] = first + thigh.voxel_mm / 2, -thigh.voxel_mm * (thigh.matrix[1] - 1) / 2, 0.0
    return affine


def _settings(physics: Physics) -> dict[str, float]:
    known = {
        "field_strength_t": physics.field_strength_t,
        "precession_sign": float(physics.precession_sign),
        "bipolar": float(any(physics.bipolar_rad)),
    }
    if physics.repetition_time_s > 0:
        known |= {
            "repetition_time_s": physics.repetition_time_s,
            "flip_angle_deg": physics.flip_angle_deg,
        }
    return known


def _received(
    made: Scene, physics: Physics, *, coil_rng: np.random.Generator, noise_rng: np.random.Generator
) -> tuple[Complexes, Complexes | None]:
    """Echoes with receive field, phases, sign of precession and noise: combined, and by coil."""
    signal = made.signal * (made.fields.gain * made.fields.phase)[..., None]
    middle, change = physics.bipolar_rad
    ramp = middle + change * (np.arange(signal.shape[0]) / max(signal.shape[0] - 1, 1) - 0.5)
    ways = np.where(np.arange(signal.shape[3]) % 2 == 0, -1.0, 1.0)
    signal = signal * np.exp(1j * ramp[:, None] * ways[None, :])[:, None, None, :].astype(np.complex64)
    if physics.precession_sign < 0:
        signal = signal.conj()
    sigma = np.float32(const.REFERENCE_SIGNAL / physics.snr)
    if physics.n_coils == 1:
        return signal + _noise(signal.shape, sigma, noise_rng), None
    own = coils(signal.shape[:2], physics.n_coils, rng=coil_rng)[:, :, None, :, None]
    parts = signal[:, :, :, None, :] * own
    parts = parts + _noise(parts.shape, sigma, noise_rng)
    return np.asarray((own.conj() * parts).sum(axis=3), dtype=np.complex64), parts


def _noise(shape: tuple[int, ...], sigma: np.float32, rng: np.random.Generator) -> Complexes:
    real = rng.standard_normal((*shape, 2), dtype=np.float32) * sigma
    return real.view(np.complex64)[..., 0]


def _maps(made: Scene) -> TrueMaps:
    layers, gain = made.layers, made.fields.gain
    held = layers["water"] + layers["fat"] > 0
    fractions = []
    for prefix in ("", "weighted_"):
        fat, total = layers[f"{prefix}fat"], layers[f"{prefix}fat"] + layers[f"{prefix}water"]
        fractions.append(np.where(held, fat / np.where(held, total, 1), np.nan).astype(np.float32))
    return TrueMaps(
        fractions[0],
        fractions[1],
        np.where(held, layers["r2star"], 0).astype(np.float32),
        np.where(held, layers["field"], 0).astype(np.float32),
        layers["weighted_water"] * gain,
        layers["weighted_fat"] * gain,
        made.fields.b1,
    )


def _truth(made: Scene, params: MultiechoParams) -> Table:
    """The true rows of the Dixon phantom, and R2*."""
    thigh = params.thigh
    key = {"subject": thigh.subject, "session": thigh.session, "run": thigh.run}
    sums = {side: leg.sums for side, leg in made.legs.items()}
    decay = {side: leg.r2star_per_s for side, leg in made.legs.items()}
    voxels = {side: leg.sums.voxels.sum(axis=1) for side, leg in made.legs.items()}
    if len(sums) == 2:
        decay["both"] = sum(decay[side] * voxels[side] for side in sums) / np.maximum(sum(voxels.values()), 1)
        sums["both"] = both_sides(*sums.values())
    rows = truth_rows(sums, thigh.slice_mm + thigh.gap_mm, key).assign(modality="multiecho")
    whole = rows[rows["measure"] == "fat_fraction"]
    number = {site: i for i, site in enumerate(anatomy_const.MUSCLES)}
    own = [decay[side][number[site]] for site, side in zip(whole["site"], whole["side"], strict=True)]
    relaxation = whole.assign(measure="r2star", value=np.where(whole["absent"] == "", own, np.nan))
    joined = pd.concat([rows, relaxation], ignore_index=True).drop(columns="unit")
    return from_rows(joined, where="multi-echo phantom")
