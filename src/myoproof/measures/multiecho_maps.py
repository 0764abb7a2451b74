"""Maps of a multi-echo scan: separated, corrected for T1 weighting, and at the ends of what is doubted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.multiecho_params import DOUBLE_BONDS, Context, Params
from myoproof.measures.multiecho_settings import protocol_of, relaxation_of
from myoproof.measures.multiecho_spectrum import Shift, shift_of, triglyceride
from myoproof.numerics.fatwater import separate
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm
from myoproof.numerics.t1_weighting import (
    Protocol,
    Relaxation,
    corrected,
    fat_over_water,
    ratio_interval,
    slope,
)

Images = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MAP_CHANNELS = ("fat", "water", "fat_fraction")
"""Channels that a volume of ready maps has at least."""


@dataclass(frozen=True, slots=True)
class Maps:
    """What the echoes say of each voxel, T1 weighting still in it; arrays of shape (x, y, z).

    Parameters
    ----------
    fraction, fraction_sd : ndarray
        Fat fraction of the signals and its SD; values slightly outside 0-1 are kept.
    signal : ndarray
        Water and fat together, magnitude; 0 where there is none.
    r2star, r2star_sd : ndarray or None
        1/s.
    confidence : ndarray
        0-1.
    swap_risk : ndarray of bool
        Voxels whose fat and water may be exchanged.
    valid : ndarray of bool
        Voxels that were separated.
    affine : ndarray, shape (4, 4)
    """

    fraction: Images
    fraction_sd: Images
    signal: Images
    r2star: Images | None
    r2star_sd: Images | None
    confidence: Images
    swap_risk: Bools
    valid: Bools
    affine: Floats

    @property
    def volume(self) -> Volume:
        """Fat and water magnitudes, for those who look at images."""
        part = np.clip(np.nan_to_num(self.fraction), 0.0, 1.0)
        return Volume({"fat": self.signal * part, "water": self.signal * (1 - part)}, self.affine)


@dataclass(frozen=True, slots=True)
class Correction:
    """How fat fractions of signals become those of protons, and the doubts of that.

    Parameters
    ----------
    ratio : ndarray
        How much brighter than water fat is; one number or one for each voxel. 1 = not corrected.
    ratio_ends : pair of float
        Factors on ``ratio`` at the ends of the interval of T1 and B1.
    spectrum : tuple of Shift
        Of the fats at the ends of the doubt; empty where the spectrum is not doubted.
    known : bool
        Whether T1 weighting is corrected or there was nothing to correct.
    """

    ratio: Floats
    ratio_ends: tuple[float, float]
    spectrum: tuple[Shift, ...]
    known: bool

    def fraction(self, apparent: Floats) -> Floats:
        """Corrected fat fractions."""
        return corrected(apparent, self.ratio)

    def slope(self, apparent: Floats) -> Floats:
        """What the SD of an apparent fat fraction is multiplied by."""
        return slope(apparent, self.ratio)

    def ends(self, apparent: Floats) -> list[tuple[Floats, Floats]]:
        """Corrected fat fractions at the two ends of each doubt."""
        found = []
        if self.ratio_ends != (1.0, 1.0):
            low, high = (corrected(apparent, self.ratio * factor) for factor in self.ratio_ends)
            found.append((low, high))
        if self.spectrum:
            low, high = (corrected(shift.undone(apparent), self.ratio) for shift in self.spectrum)
            found.append((low, high))
        return found


def maps_of(acquisition: Acquisition, params: Params, context: Context) -> Maps:
    """Separate echoes, or take ready maps as they are.

    Parameters
    ----------
    acquisition : Acquisition
        Payload ``Echoes``, or ``Volume`` with MAP_CHANNELS and, where known, ``fat_fraction_sd``, ``r2star``,
        ``confidence``.
    params : Params
        Of the solver.
    context : Context
        A ready separation is used.

    Returns
    -------
    Maps

    Raises
    ------
    InvalidInput
        If there is neither, or the field strength that the solver needs is not known.
    """
    payload = acquisition.payload
    if isinstance(payload, Echoes):
        return _separated(payload, acquisition.settings, params, context)
    if isinstance(payload, Volume) and set(MAP_CHANNELS) <= set(payload.channels):
        return _ready(payload)
    raise InvalidInput(
        f"multiecho needs echoes, or a volume with the channels {', '.join(MAP_CHANNELS)}",
        where=acquisition.subject,
    )


def _separated(echoes: Echoes, settings: Mapping[str, float], params: Params, context: Context) -> Maps:
    found = context.separation
    if found is None:
        if "field_strength_t" not in settings:
            raise InvalidInput(
                "the field strength is not known", mend="give it in the sidecar or as --field-strength"
            )
        found = separate(
            echoes.values,
            echoes.echo_times_s,
            field_strength_t=settings["field_strength_t"],
            params=params.solver,
            threads=context.threads,
            progress=context.progress,
        )
    signal = np.abs(found.water) + np.abs(found.fat)
    valid = np.isfinite(found.pdff) & (found.confidence > 0) & (signal > 0)
    return Maps(
        fraction=found.pdff,
        fraction_sd=found.pdff_sd,
        signal=np.where(valid, signal, 0).astype(np.float32),
        r2star=found.r2star,
        r2star_sd=found.r2star_sd,
        confidence=found.confidence,
        swap_risk=found.swap_risk,
        valid=valid,
        affine=echoes.affine,
    )


def _ready(volume: Volume) -> Maps:
    channels = volume.channels
    fat, water, fraction = (channels[name] for name in MAP_CHANNELS)
    signal = np.nan_to_num(np.abs(fat) + np.abs(water))
    confidence = channels.get("confidence", np.ones(volume.shape, dtype=np.float32))
    valid = np.isfinite(fraction) & (signal > 0) & (confidence > 0)
    return Maps(
        fraction=fraction,
        fraction_sd=channels.get("fat_fraction_sd", np.zeros(volume.shape, dtype=np.float32)),
        signal=np.where(valid, signal, 0).astype(np.float32),
        r2star=channels.get("r2star"),
        r2star_sd=channels.get("r2star_sd"),
        confidence=confidence,
        swap_risk=np.zeros(volume.shape, dtype=bool),
        valid=valid,
        affine=volume.affine,
    )


def correction_of(acquisition: Acquisition, params: Params, context: Context) -> Correction:
    """The corrections that a scan's settings allow, and what they leave in doubt.

    Raises
    ------
    InvalidInput
        If a measured transmit field lies on another grid or is not about 1.
    """
    settings, level = acquisition.settings, params.border.level
    spectrum = _spectrum_doubt(acquisition, params, level)
    protocol, relaxation = protocol_of(settings), relaxation_of(settings, params.relaxation)
    if not params.correct_t1 or protocol is None or relaxation is None:
        return Correction(np.ones(()), (1.0, 1.0), spectrum, known=False)
    field = b1_map(acquisition, context.b1)
    if field is None:
        ratio = fat_over_water(protocol, relaxation)
        ends = _ends(protocol, relaxation, level)
    else:
        ratio = fat_over_water(protocol, relaxation, field)
        middle = float(np.median(field[np.isfinite(field) & (field > 0)]))
        ends = _ends(protocol, _with_b1(relaxation, middle, params.b1_map_sd), level)
    return Correction(ratio, ends, spectrum, known=True)


def _ends(protocol: Protocol, relaxation: Relaxation, level: float) -> tuple[float, float]:
    low, high = ratio_interval(protocol, relaxation, level=level)
    middle = float(fat_over_water(protocol, relaxation))
    return low / middle, high / middle


def _with_b1(relaxation: Relaxation, b1: float, sd: float) -> Relaxation:
    return Relaxation(
        relaxation.t1_water_s,
        relaxation.t1_fat_s,
        b1,
        relaxation.t1_water_sd_s,
        relaxation.t1_fat_sd_s,
        sd,
    )


def b1_map(acquisition: Acquisition, volume: Volume | None) -> Floats | None:
    """A measured transmit field on the scan's grid, 1 = nominal.

    Raises
    ------
    InvalidInput
        If it has no channel ``b1``, lies on another grid, or its median is not between 0.3 and 2.
    """
    if volume is None:
        return None
    payload = acquisition.payload
    findings = []
    if "b1" not in volume.channels:
        findings.append(Finding("error", "b1", "the volume has no channel b1"))
    elif not isinstance(payload, Echoes | Volume) or volume.shape != payload.shape:
        findings.append(Finding("error", "b1", f"the B1 map has shape {volume.shape}, not that of the scan"))
    elif displacement_mm(volume.affine, payload.affine, payload.shape) > GRID_TOLERANCE_MM:
        findings.append(Finding("error", "b1", "the B1 map lies on another grid than the scan"))
    else:
        values = volume.channels["b1"]
        held = values[np.isfinite(values) & (values > 0)]
        middle = float(np.median(held)) if held.size else 0.0
        if not 0.3 < middle < 2.0:
            message = f"the median of the B1 map is {middle:.3g}"
            findings.append(Finding("error", "b1", message, mend="give it as a share of the nominal angle"))
    refuse(findings, where=acquisition.subject)
    values = volume.channels["b1"].astype(np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, 1.0)


def _spectrum_doubt(acquisition: Acquisition, params: Params, level: float) -> tuple[Shift, ...]:
    payload, settings = acquisition.payload, acquisition.settings
    enough = isinstance(payload, Echoes) and payload.echo_times_s.size >= 3
    if not isinstance(payload, Echoes) or not enough or params.double_bonds_sd <= 0:
        return ()
    if "field_strength_t" not in settings:
        return ()
    half = float(stats.norm.ppf(0.5 + level / 2)) * params.double_bonds_sd
    return tuple(
        shift_of(
            triglyceride(DOUBLE_BONDS + step),
            payload.echo_times_s,
            field_strength_t=settings["field_strength_t"],
            spectrum=params.solver.spectrum,
        )
        for step in (-half, half)
    )
