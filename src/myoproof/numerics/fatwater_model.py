"""The fat-water signal model: fat spectra, search grids of field and R2*, and the tables kernels read."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput, UnknownName

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex128]

PROTON_HZ_PER_T = 42.577478518e6
"""Proton gyromagnetic ratio over 2 pi (CODATA 2018)."""

SPECTRA: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "hamilton": ((-3.80, -3.40, -2.60, -1.94, -0.39, 0.60), (0.087, 0.693, 0.128, 0.004, 0.039, 0.048)),
    "ren": (
        (-3.80, -3.40, -3.10, -2.68, -2.46, -1.95, -0.50, 0.49, 0.59),
        (0.088, 0.642, 0.058, 0.062, 0.058, 0.006, 0.039, 0.010, 0.037),
    ),
    "single": ((-3.40,), (1.0,)),
}
"""Name -> (shifts from water in ppm, relative amplitudes).

``hamilton``: six peaks of liver fat (Hamilton G et al. NMR Biomed 2011;24:784), as the ISMRM toolbox has it.
``ren``: nine peaks of subcutaneous fat at 7 T (Ren J et al. J Lipid Res 2008;49:2055). ``single``: methylene
alone, for comparison; it biases the fat fraction.
"""

R2STAR_GRID = (10.0, 45.0, 110.0, 230.0)
"""R2* values (1/s) at which candidates are searched; the fit refines them."""
R2STAR_TYPICAL = 40.0
"""R2* of muscle at 3 T, 1/s, around which few echoes are held."""
R2STAR_SPREAD = 120.0
"""How far R2* strays, 1/s: SD of the prior that only the search uses."""
MAIN_PEAK_PPM = 3.4
"""Distance of the methylene peak of fat from water."""
UNIFORM_TOLERANCE = 0.004
"""Echo times within this share of their spacing count as uniform."""


class Grid(NamedTuple):
    """What the residual kernels read: a field grid, its demodulation and the normal equations per R2*.

    Parameters
    ----------
    field_hz : (g,) float32
        Field values searched, evenly spaced.
    turn_re, turn_im : (n, g) float32
        Real and imaginary part of exp(-i 2 pi field t).
    decay : (r, n) float32
        exp(-R2* t).
    fat_re, fat_im : (n,) float32
        Fat signal of unit amplitude.
    normal : (r, 4) float32
        Normal matrix per R2*: water-water, fat-fat, real and imaginary part of water-fat.
    penalty : (r,) float32
        Minus log prior of each R2*.
    r2star : (r,) float32
    shift_hz : float
        Distance of the main fat peak from water.
    circular : bool
        Whether the last field value neighbours the first.
    """

    field_hz: Singles
    turn_re: Singles
    turn_im: Singles
    decay: Singles
    fat_re: Singles
    fat_im: Singles
    normal: Singles
    penalty: Singles
    r2star: Singles
    shift_hz: float
    circular: bool


@dataclass(frozen=True, slots=True)
class Protocol:
    """Echo times with what follows from them.

    Parameters
    ----------
    echo_times_s : (n,) float64
    fat : (n,) complex128
        Fat signal of unit amplitude at the echoes, phase exp(+i 2 pi f t).
    larmor_hz_per_ppm : float
    period_hz : float
        Field period of the signal where echoes are evenly spaced; 0 where there is none.
    range_hz : float
        Fields from minus to plus this are searched; half the period where circular.
    """

    echo_times_s: Floats
    fat: Complexes
    larmor_hz_per_ppm: float
    period_hz: float
    range_hz: float

    @property
    def even_s(self) -> float:
        """Spacing of evenly spaced echoes, s; 0 where they are not, to 1e-4 of the spacing."""
        steps = np.diff(self.echo_times_s)
        return float(steps.mean()) if np.ptp(steps) < 1e-4 * steps.mean() else 0.0

    @property
    def circular(self) -> bool:
        """Whether the search goes round a whole period."""
        return self.period_hz > 0 and self.range_hz >= 0.5 * self.period_hz


Spectrum = str | tuple[tuple[float, ...], tuple[float, ...]]
"""A name of ``SPECTRA``, or shifts from water in ppm and relative amplitudes."""


def fat_signal(
    echo_times_s: Floats, *, field_strength_t: float, spectrum: Spectrum = "hamilton"
) -> Complexes:
    """Signal of fat of unit amplitude at each echo.

    Parameters
    ----------
    echo_times_s : (n,) float64
    field_strength_t : float
    spectrum : str or pair of tuples
        A name of ``SPECTRA``, or (shifts in ppm, relative amplitudes).

    Returns
    -------
    (n,) complex128
        Sum of a_k exp(+i 2 pi d_k f0 t), amplitudes normalised to sum 1.

    Raises
    ------
    UnknownName
        If no spectrum has that name.
    InvalidInput
        If shifts and amplitudes do not fit together.

    Examples
    --------
    >>> value = fat_signal(np.array([0.0, 0.00115]), field_strength_t=3.0)
    >>> bool(abs(value[0] - 1) < 1e-12), bool(value[1].real < -0.75)
    (True, True)
    """
    peaks = SPECTRA.get(spectrum) if isinstance(spectrum, str) else spectrum
    if peaks is None:
        raise UnknownName(f"no fat spectrum {spectrum!r}", mend=f"known: {', '.join(sorted(SPECTRA))}")
    shifts, amplitudes = (np.asarray(part, dtype=np.float64) for part in peaks)
    if shifts.size == 0 or shifts.shape != amplitudes.shape or not amplitudes.sum() > 0:
        raise InvalidInput("a fat spectrum needs as many shifts as amplitudes, of positive sum")
    hertz = shifts * 1e-6 * PROTON_HZ_PER_T * field_strength_t
    turns = np.exp(2j * np.pi * np.outer(np.asarray(echo_times_s, dtype=np.float64), hertz))
    return np.asarray(turns @ (amplitudes / amplitudes.sum()), dtype=np.complex128)


def make_protocol(
    echo_times_s: Floats, *, field_strength_t: float, spectrum: Spectrum, range_ppm: float
) -> Protocol:
    """Derive what the solver needs from the echo times.

    Raises
    ------
    InvalidInput
        If echo times do not increase or the field strength is not positive.
    """
    times = np.asarray(echo_times_s, dtype=np.float64)
    if times.ndim != 1 or times.size < 2 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InvalidInput(f"two or more increasing echo times are needed, got {times.tolist()} s")
    if times.min() < 0 or times.max() > 0.5:
        raise InvalidInput(
            f"echo times of {times.tolist()} s are no gradient echoes", mend="give seconds, not milliseconds"
        )
    if not (np.isfinite(field_strength_t) and 0.01 <= field_strength_t <= 15):
        raise InvalidInput(
            f"field strength {field_strength_t} T", mend="give the field strength in tesla, for example 3"
        )
    spacing = float(times[-1] - times[0]) / (times.size - 1)
    even = np.abs(np.diff(times) - spacing).max() <= UNIFORM_TOLERANCE * spacing
    period = 1.0 / spacing if even else 0.0
    ppm = PROTON_HZ_PER_T * field_strength_t * 1e-6
    wanted = range_ppm * ppm
    return Protocol(
        echo_times_s=times,
        fat=fat_signal(times, field_strength_t=field_strength_t, spectrum=spectrum),
        larmor_hz_per_ppm=ppm,
        period_hz=period,
        range_hz=min(wanted, 0.5 * period) if period > 0 else wanted,
    )


def make_grid(protocol: Protocol, *, oversampling: int = 8) -> Grid:
    """Tables over the searched fields, ``oversampling`` values per 1 / (echo train length).

    Parameters
    ----------
    protocol : Protocol
    oversampling : int
        Field values per inverse of the time from first to last echo.

    Returns
    -------
    Grid
    """
    times = protocol.echo_times_s
    width = 1.0 / float(times[-1] - times[0] + (times[1] - times[0]))
    wanted = int(np.ceil(2 * protocol.range_hz / width * oversampling))
    count = max(32, -(-wanted // 16) * 16)
    step = 2 * protocol.range_hz / (count if protocol.circular else count - 1)
    field = -protocol.range_hz + step * np.arange(count)
    turn = np.exp(-2j * np.pi * np.outer(times, field))
    rates = np.asarray(R2STAR_GRID)
    decay = np.exp(-np.outer(rates, times))
    squared = decay**2
    ww = squared.sum(axis=1)
    wf = (squared * protocol.fat).sum(axis=1)
    ff = (squared * np.abs(protocol.fat) ** 2).sum(axis=1)
    normal = np.stack([ww, ff, wf.real, wf.imag], axis=1)
    penalty = 0.5 * ((rates - R2STAR_TYPICAL) / R2STAR_SPREAD) ** 2
    single = np.float32
    return Grid(
        field.astype(single),
        np.ascontiguousarray(turn.real, dtype=single),
        np.ascontiguousarray(turn.imag, dtype=single),
        decay.astype(single),
        protocol.fat.real.astype(single),
        protocol.fat.imag.astype(single),
        normal.astype(single),
        penalty.astype(single),
        rates.astype(single),
        MAIN_PEAK_PPM * protocol.larmor_hz_per_ppm,
        protocol.circular,
    )
