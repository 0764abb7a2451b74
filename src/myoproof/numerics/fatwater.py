"""Fat-water separation: echoes to water, fat, fat fraction, R2*, field, their precision and their confidence."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, refuse
from myoproof.numerics.fatwater_choice import choose, evidence, make_ties
from myoproof.numerics.fatwater_curves import empty_candidates, least_residual, scan
from myoproof.numerics.fatwater_messages import make_lattice
from myoproof.numerics.fatwater_model import (
    MAIN_PEAK_PPM,
    R2STAR_SPREAD,
    R2STAR_TYPICAL,
    Protocol,
    Spectrum,
    make_grid,
    make_protocol,
)
from myoproof.numerics.fatwater_noise import air_noise, energies, foreground, model_error, residual_variance
from myoproof.numerics.fatwater_refine import Model, fractions, polish, refine

Singles = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]
Progress = Callable[[str, float], None]

CANDIDATES = 3
"""Fields kept per voxel."""
TOLERANCE = 0.03
"""Model error that the search for candidates allows for, share of the signal."""
FEW_ECHOES_R2STAR = (40.0, 30.0)
"""Mean and SD of the prior of R2* (1/s) where three echoes or fewer leave it nearly free."""
COMMON_PHASE = 0.2
"""Greatest unexplained SD (rad) of the phase between water and fat at which the phase is kept."""


def silent(what: str, share: float) -> None:
    """Progress that tells nobody."""
    del what, share


@dataclass(frozen=True, slots=True)
class FatWaterParams:
    """Choices of the separation.

    Parameters
    ----------
    spectrum : str or (shifts in ppm, relative amplitudes)
        Fat spectrum: ``hamilton``, ``ren``, ``single``, or peaks.
    precession_sign : {0, 1, -1}
        Phase of s = exp(+i 2 pi f t) counts as +1; 0 finds it from the data.
    precession_hint : {0, 1, -1}
        What the file says; decides where the data are silent.
    bipolar : bool or None
        Whether readouts alternate in direction, so that odd and even echoes differ in phase; None finds out.
    pdff : {"auto", "phase", "magnitude"}
        ``phase`` keeps the phase, so that noise averages out; ``magnitude`` takes |F| / (|W| + |F|), which
        noise lifts where one species is absent. ``auto`` keeps the phase unless water and fat of mixed voxels
        are seen to have no common phase.
    range_ppm : float
        Fields from minus to plus this are searched, where their period allows.
    slice_axis : {0, 1, 2}
    r2star_bounds : (float, float)
        1/s.
    """

    spectrum: Spectrum = "hamilton"
    precession_sign: int = 0
    precession_hint: int = 0
    bipolar: bool | None = None
    pdff: str = "auto"
    range_ppm: float = 6.5
    slice_axis: int = 2
    r2star_bounds: tuple[float, float] = (-50.0, 1500.0)


@dataclass(frozen=True, slots=True)
class Separation:
    """What was found; zero with confidence zero in the background.

    Parameters
    ----------
    water, fat : (x, y, z) complex64
        At echo time zero, units of the input; not weighted or corrected for T1.
    pdff, pdff_sd : (x, y, z) float32
        Fat fraction of the signal, slightly outside 0-1 by noise, and its SD.
    r2star, r2star_sd : (x, y, z) float32
        1/s.
    field_hz : (x, y, z) float32
    confidence : (x, y, z) float32
        Probability that water and fat are not exchanged, 0-1.
    swap_risk : (x, y, z) bool
        Voxels to distrust.
    precession_sign : int
        +1 or -1, of most slices; ``slice_signs`` has each.
    slice_signs : tuple of int
    noise_sd : float
        SD of a real channel.
    model_error : float
        Residual beyond noise, share of the signal.
    phase_kept : bool
        Whether ``pdff`` keeps the phase, so that noise averages out.
    notes : tuple of str
        What a reader should know.
    """

    water: Complexes
    fat: Complexes
    pdff: Singles
    pdff_sd: Singles
    r2star: Singles
    r2star_sd: Singles
    field_hz: Singles
    confidence: Singles
    swap_risk: npt.NDArray[np.bool_]
    precession_sign: int
    slice_signs: tuple[int, ...]
    noise_sd: float
    model_error: float
    phase_kept: bool = True
    notes: tuple[str, ...] = ()


def separate(
    values: npt.NDArray[Any],
    echo_times_s: npt.NDArray[np.float64],
    *,
    field_strength_t: float,
    params: FatWaterParams = FatWaterParams(),
    threads: int = 1,
    progress: Progress = silent,
) -> Separation:
    """Separate water and fat.

    Parameters
    ----------
    values : (x, y, z, echo) complex64
        Coils combined, inter-echo phase kept; NaN counts as background.
    echo_times_s : (echo,) float64
        Increasing, any spacing.
    field_strength_t : float
    params : FatWaterParams
    threads : int
        The answer is the same for any number.
    progress : callable
        Told what is done and the share done.

    Returns
    -------
    Separation

    Raises
    ------
    InvalidInput
        If shapes, echo times or field strength make no sense.
    """
    refuse(_faults(values, echo_times_s))
    protocol = make_protocol(
        echo_times_s, field_strength_t=field_strength_t, spectrum=params.spectrum, range_ppm=params.range_ppm
    )
    shape = values.shape[:3]
    flat = np.ascontiguousarray(values, dtype=np.complex64).reshape(-1, values.shape[3])
    channels = 2 * flat.shape[1]
    energy = np.zeros(flat.shape[0], np.float32)
    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        each = _Workers(pool, max(threads, 1))
        each(lambda bounds: energies(flat, energy, bounds), flat.shape[0])
        noise = air_noise(energy, channels)
        index = np.flatnonzero(foreground(energy, channels, noise))
        progress("foreground", 0.05)
        signals, energy = flat[index], energy[index]
        sign = params.precession_sign or _find_sign(signals, energy, protocol)
        if sign < 0:
            np.conjugate(signals, out=signals)
        return _solve(
            signals, energy, noise.variance, _Task(index, shape, protocol, params, sign), each, progress
        )


@dataclass(frozen=True, slots=True)
class _Task:
    index: npt.NDArray[np.int64]
    shape: tuple[int, ...]
    protocol: Protocol
    params: FatWaterParams
    sign: int


@dataclass(frozen=True, slots=True)
class _Workers:
    """Run a kernel over ranges of voxels in threads."""

    pool: ThreadPoolExecutor
    threads: int

    def __call__(self, work: Callable[[tuple[int, int]], None], count: int, size: int = 0) -> None:
        size = size or max(1, min(65536, -(-count // self.threads)))
        list(self.pool.map(work, [(i, min(i + size, count)) for i in range(0, count, size)]))


def _solve(
    signals: Complexes, energy: Singles, variance: float, task: _Task, each: _Workers, progress: Progress
) -> Separation:
    protocol, count, n = task.protocol, signals.shape[0], signals.shape[1]
    channels = 2 * n
    spread = (variance + TOLERANCE**2 * energy / channels + 1e-20).astype(np.float32)
    grid = make_grid(protocol)
    found = empty_candidates(count, CANDIDATES)
    each(lambda bounds: scan(grid, signals, spread, found, bounds), count)
    progress("candidates", 0.4)
    times = protocol.echo_times_s
    stride = 0.2 / float(times[-1] - times[0])
    near = Model(times, protocol.fat, 0.0, task.params.r2star_bounds[1], stride, 5)
    prior = (R2STAR_TYPICAL, R2STAR_SPREAD**-2)
    reach = 0.25 * MAIN_PEAK_PPM * protocol.larmor_hz_per_ppm
    each(lambda bounds: polish(signals, near, spread, prior, found, reach, bounds), count)
    lattice = make_lattice(task.index, task.shape)  # type: ignore[arg-type]
    ties = make_ties(lattice, energy, variance, channels, protocol, task.params.slice_axis)
    choice, gap = choose(found, evidence(found, spread, energy, variance, channels), lattice, ties, each)
    progress("choice", 0.7)
    rows = np.arange(count)
    chosen = (found[0][rows, choice], found[3][rows, choice])
    low, high = task.params.r2star_bounds
    model = Model(times, protocol.fat, low, high, stride, 12)
    hold = np.zeros((count, 2), np.float32)
    if n <= 3:
        hold[:] = FEW_ECHOES_R2STAR[0], FEW_ECHOES_R2STAR[1] ** -2
    fitted = np.zeros((count, 7), np.float32)
    each(lambda bounds: refine(signals, model, chosen, spread, hold, fitted, bounds), count)
    freedom = channels - 6
    if variance == 0 and freedom > 0:
        variance = residual_variance(fitted[:, 6], energy, freedom)
    error = model_error(fitted[:, 6], energy, variance, freedom, channels) if freedom > 0 else 0.0
    spread = (variance + error**2 * energy / channels + 1e-20).astype(np.float32)
    water = fitted[:, 0] + 1j * fitted[:, 1]
    fat = fitted[:, 2] + 1j * fitted[:, 3]
    offset = np.sum(np.conj(water) * fat)
    turn = np.full(count, np.conj(offset) / max(abs(offset), 1e-30), np.complex64)
    shares = np.zeros((count, 3), np.float32)
    each(lambda bounds: fractions(signals, model, fitted, turn, spread, hold, shares, bounds), count)
    phase_kept = task.params.pdff == "phase" or (
        task.params.pdff == "auto" and _phase_excess(water, fat, shares) <= COMMON_PHASE
    )
    if not phase_kept:
        shares[:, 0] = np.abs(fat) / np.maximum(np.abs(fat) + np.abs(water), 1e-30)
    confidence = 1.0 / (1.0 + np.exp(-np.clip(gap, -30, 30)))
    progress("maps", 1.0)

    def dense(part: npt.NDArray[Any], kind: type = np.float32) -> npt.NDArray[Any]:
        whole = np.zeros(int(np.prod(task.shape)), kind)
        whole[task.index] = part
        return whole.reshape(task.shape)

    return Separation(
        water=dense(water, np.complex64),
        fat=dense(fat, np.complex64),
        pdff=dense(shares[:, 0]),
        pdff_sd=dense(shares[:, 1]),
        r2star=dense(fitted[:, 5]),
        r2star_sd=dense(shares[:, 2]),
        field_hz=dense(fitted[:, 4]),
        confidence=dense(confidence),
        swap_risk=dense(confidence < 0.9, np.bool_),
        precession_sign=task.sign,
        slice_signs=(task.sign,) * task.shape[task.params.slice_axis],
        noise_sd=float(np.sqrt(variance)),
        model_error=error,
        phase_kept=phase_kept,
    )


def _phase_excess(water: Complexes, fat: Complexes, shares: Singles) -> float:
    """SD (rad) of the phase between water and fat of mixed voxels that noise does not explain."""
    size = np.abs(water) + np.abs(fat)
    part = np.abs(fat) / np.maximum(size, 1e-30)
    expected = shares[:, 1] / np.maximum(part * (1 - part), 1e-6)
    mixed = expected < 0.2
    if mixed.sum() < 200:
        return 0.0
    turn = np.exp(1j * np.angle(np.conj(water[mixed]) * fat[mixed]))
    centre = turn.mean()
    angle = np.angle(turn * np.conj(centre))
    found = 1.4826 * float(np.median(np.abs(angle)))
    return float(np.sqrt(max(found**2 - float(np.median(expected[mixed] ** 2)), 0.0)))


def _find_sign(signals: Complexes, energy: Singles, protocol: Protocol) -> int:
    """The sign of precession that leaves less in bright voxels."""
    bright = np.flatnonzero(energy >= np.median(energy)) if energy.size else np.zeros(0, np.int64)
    if bright.size == 0:
        return 1
    some = np.ascontiguousarray(signals[bright[:: max(1, bright.size // 20000)]])
    grid = make_grid(protocol)
    left = np.empty((2, some.shape[0]), np.float32)
    least_residual(grid, some, left[0])
    least_residual(grid, np.conjugate(some), left[1])
    share = left / (np.abs(some) ** 2).sum(axis=1) + 1e-4
    return 1 if float(np.log(share[0] / share[1]).mean()) <= 0 else -1


def _faults(values: npt.NDArray[Any], echo_times_s: npt.NDArray[np.float64]) -> list[Finding]:
    findings = []
    if values.ndim != 4:
        findings.append(Finding("error", "dimensions", f"echoes must be (x, y, z, echo), got {values.shape}"))
    elif np.shape(echo_times_s) != values.shape[3:]:
        count = np.size(echo_times_s)
        findings.append(Finding("error", "echoes", f"{count} echo times for {values.shape[3]} echoes"))
    if values.dtype.kind != "c":
        findings.append(Finding("error", "values", f"echoes must be complex, got {values.dtype}"))
    return findings
