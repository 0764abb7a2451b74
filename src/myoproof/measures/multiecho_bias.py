"""The bias budget of a scan: what falsifies its fat fraction, by how much, and whether it is corrected."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.acquisition import Acquisition, Echoes
from myoproof.measures.multiecho_params import DOUBLE_BONDS, Params
from myoproof.measures.multiecho_settings import protocol_of, relaxation_of
from myoproof.measures.multiecho_spectrum import R2STAR_PER_S, Shift, shift_of, solver_peaks, triglyceride
from myoproof.numerics.fatwater_model import PROTON_HZ_PER_T
from myoproof.numerics.rician import rician_mean
from myoproof.numerics.t1_weighting import corrected, fat_over_water, ratio_interval, weighted

Floats = npt.NDArray[np.float64]

LEVELS: Final = (0.10, 0.30, 0.50)
"""True fat fractions at which the budget is stated."""
COLUMNS: Final = ("source", "at_10", "at_30", "at_50", "corrected", "note")
ADIPOSE_BONDS: Final = 2.8
"""Double bonds of subcutaneous fat (Hamilton et al., NMR Biomed 2011;24:784)."""
METHYLENE_PPM: Final = 3.4
TYPICAL_SNR: Final = 50.0
"""Where the noise is not known."""
Row = dict[str, Any]


def budget(
    acquisition: Acquisition,
    params: Params = Params(),  # noqa: B008 - frozen
    *,
    snr: float = TYPICAL_SNR,
    phase_kept: bool | None = None,
) -> pd.DataFrame:
    """What falsifies the fat fraction of this scan.

    Parameters
    ----------
    acquisition : Acquisition
        Echoes, or fat and water images; the settings that are known.
    params : Params
        Solver and corrections, as the measure takes them.
    snr : float
        Signal of muscle over the noise SD of a real channel, for the noise floor of magnitudes.
    phase_kept : bool, optional
        What the solver did with the echoes (``Separation.phase_kept``); None: as they and the parameters
        promise, since a solver left to choose falls back on magnitudes where phase does not fit.

    Returns
    -------
    DataFrame
        ``source``; ``at_10``, ``at_30``, ``at_50``: bias in points of fat fraction where 10, 30 and 50 % are
        true, before correction (NaN: not known; for a doubt, half the 95 % interval); ``corrected``: "yes",
        "no", "none" (there is no such bias) or "doubt" (in the interval); ``note``.

    References
    ----------
    Reeder et al., J Magn Reson Imaging 2012;36:1011 lists the confounders of proton-density fat fraction.
    """
    rows = [
        *_t1(acquisition, params),
        *_noise_floor(acquisition, params, snr, phase_kept),
        *_spectrum(acquisition, params),
        *_decay(acquisition),
        *_displacement(acquisition),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(source: str, points: npt.ArrayLike, state: str, note: str) -> Row:
    values = np.round(np.broadcast_to(np.asarray(points, dtype=np.float64), (3,)), 2) + 0.0
    return dict(zip(COLUMNS, (source, *values.tolist(), state, note), strict=True))


def _t1(acquisition: Acquisition, params: Params) -> Iterator[Row]:
    protocol = protocol_of(acquisition.settings)
    relaxation = relaxation_of(acquisition.settings, params.relaxation)
    if protocol is None or relaxation is None:
        missing = "repetition time or flip angle" if protocol is None else "field strength"
        yield _row("T1 weighting", np.nan, "no", f"{missing} not known; flip angle 10, TR 10 ms: +17 at 50 %")
        return
    true = np.asarray(LEVELS)
    ratio = fat_over_water(protocol, relaxation)
    shown = weighted(true, ratio)
    state = "yes" if params.correct_t1 else "no"
    what = (
        f"TR {1e3 * protocol.repetition_time_s:g} ms, flip angle {protocol.flip_angle_deg:g} deg, "
        f"T1 {1e3 * relaxation.t1_water_s:.0f} and {1e3 * relaxation.t1_fat_s:.0f} ms"
    )
    yield _row("T1 weighting", 100 * (shown - true), state, what)
    if params.correct_t1:
        low, high = ratio_interval(protocol, relaxation)
        half = 50 * (corrected(shown, low) - corrected(shown, high))
        spread = (
            f"SD {1e3 * relaxation.t1_water_sd_s:.0f} and {1e3 * relaxation.t1_fat_sd_s:.0f} ms, "
            f"B1 SD {relaxation.b1_sd:g}"
        )
        yield _row("T1 and B1 of the subject", half, "doubt", spread)


def _noise_floor(
    acquisition: Acquisition, params: Params, snr: float, phase_kept: bool | None
) -> Iterator[Row]:
    payload = acquisition.payload
    promised = isinstance(payload, Echoes) and payload.is_complex and params.solver.pdff != "magnitude"
    if promised if phase_kept is None else phase_kept:
        yield _row("noise floor", 0.0, "none", "phase kept: noise averages out")
        return
    true = np.asarray(LEVELS)
    fat, water = rician_mean(true, 1.0 / snr), rician_mean(1 - true, 1.0 / snr)
    chosen = "the solver chose " if promised else ""
    lift = 100 * float(rician_mean(np.zeros(1), 1 / snr)[0])
    note = f"{chosen}magnitudes at SNR {snr:g}; +{lift:.1f} without fat"
    yield _row("noise floor", 100 * (fat / (fat + water) - true), "no", note)


def _spectrum(acquisition: Acquisition, params: Params) -> Iterator[Row]:
    shown = _shifts(acquisition, params)
    if shown is None:
        yield _row("spectrum of fat", np.nan, "no", "echoes not known: as the scanner chose")
        return
    single, adipose, low, high = shown
    note = f"spectrum {params.solver.spectrum}" if isinstance(params.solver.spectrum, str) else "own spectrum"
    yield _row(
        "single peak instead of a spectrum",
        single,
        "yes" if params.solver.spectrum != "single" else "no",
        note,
    )
    doubt = f"double bonds {DOUBLE_BONDS:g}, SD {params.double_bonds_sd:g}"
    yield _row("spectrum of the subject's fat", np.abs(high - low) / 2, "doubt", doubt)
    yield _row("fat like subcutaneous fat", adipose, "no", f"if it has {ADIPOSE_BONDS:g} double bonds")


def _shifts(acquisition: Acquisition, params: Params) -> tuple[Floats, Floats, Floats, Floats] | None:
    """Bias in points: a single peak; fat like subcutaneous fat; the ends of the doubt."""
    payload, strength = acquisition.payload, acquisition.settings.get("field_strength_t", 0.0)
    if not isinstance(payload, Echoes) or payload.echo_times_s.size < 3 or strength <= 0:
        return None
    times, half = payload.echo_times_s, 1.96 * params.double_bonds_sd
    named = params.solver.spectrum

    def points(shift: Shift) -> Floats:
        return np.asarray(100 * np.interp(LEVELS, shift.true, shift.found - shift.true))

    single = shift_of(solver_peaks("hamilton"), times, field_strength_t=strength, spectrum="single")
    others = [
        shift_of(triglyceride(bonds), times, field_strength_t=strength, spectrum=named)
        for bonds in (ADIPOSE_BONDS, DOUBLE_BONDS - half, DOUBLE_BONDS + half)
    ]
    return points(single), points(others[0]), points(others[1]), points(others[2])


def _decay(acquisition: Acquisition) -> Iterator[Row]:
    payload = acquisition.payload
    if not isinstance(payload, Echoes):
        yield _row("R2*", np.nan, "no", "as the scanner chose")
        return
    few = payload.echo_times_s.size <= 3
    note = (
        f"about {R2STAR_PER_S:g} 1/s assumed, three echoes hold it badly" if few else "fitted in each voxel"
    )
    yield _row("R2*", np.nan if few else 0.0, "doubt" if few else "yes", note)


def _displacement(acquisition: Acquisition) -> Iterator[Row]:
    """Fat lies beside its place along the readout."""
    settings = acquisition.settings
    bandwidth, strength = settings.get("pixel_bandwidth_hz", 0.0), settings.get("field_strength_t", 0.0)
    if bandwidth <= 0 or strength <= 0:
        yield _row("chemical-shift displacement", np.nan, "no", "bandwidth not known; borders only")
        return
    pixels = METHYLENE_PPM * 1e-6 * PROTON_HZ_PER_T * strength / bandwidth
    note = f"fat lies {pixels:.2f} pixels off along the readout; borders only"
    yield _row("chemical-shift displacement", np.nan, "no", note)
