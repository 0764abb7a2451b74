"""Fat-water separation: echoes to water, fat, fat fraction, R2*, field, precision and confidence."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, refuse
from myoproof.numerics.fatwater_magnitude import solve_magnitudes
from myoproof.numerics.fatwater_model import make_protocol
from myoproof.numerics.fatwater_noise import air_noise, energies, foreground
from myoproof.numerics.fatwater_solve import Solved, Task, solve
from myoproof.numerics.fatwater_two import solve_two
from myoproof.numerics.fatwater_types import FatWaterParams, Progress, Separation, Workers, silent

__all__ = ["FatWaterParams", "Separation", "separate"]

RISK = 0.95
"""Voxels less sure than this are marked."""


def separate(
    values: npt.NDArray[Any],
    echo_times_s: npt.NDArray[np.float64],
    *,
    field_strength_t: float,
    params: FatWaterParams = FatWaterParams(),  # noqa: B008 - frozen
    threads: int = 1,
    progress: Progress = silent,
) -> Separation:
    """Separate water and fat.

    Parameters
    ----------
    values : (x, y, z, echo) complex or float
        Coils combined, inter-echo phase kept; or magnitudes. NaN counts as background.
    echo_times_s : (echo,) float64
        Increasing, any spacing. Complex echoes: two or more; with two, R2* is assumed. Magnitudes: two (in
        and opposed phase) or more; below five, the larger species is taken to be water.
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

    References
    ----------
    Reeder SB et al. Magn Reson Med 2004;51:35 (IDEAL); Yu H et al. Magn Reson Med 2008;60:1122 (R2*,
    spectrum); Hernando D et al. Magn Reson Med 2010;63:79 (residual over the field, choice by neighbours).
    """
    refuse(_faults(values, echo_times_s))
    protocol = make_protocol(
        echo_times_s, field_strength_t=field_strength_t, spectrum=params.spectrum, range_ppm=params.range_ppm
    )
    shape = values.shape[:3]
    is_complex = values.dtype.kind == "c"
    kind: Any = np.complex64 if is_complex else np.float32
    flat: npt.NDArray[Any] = np.ascontiguousarray(values, dtype=kind).reshape(-1, values.shape[3])
    energy = np.zeros(flat.shape[0], np.float32)
    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        each = Workers(pool, max(threads, 1))
        each(lambda bounds: energies(flat, energy, bounds), flat.shape[0])
        noise = air_noise(energy, flat)
        index = np.flatnonzero(foreground(energy, 2 * flat.shape[1], noise))
        task = Task(index, shape, protocol, params, noise.variance)
        if index.size == 0:
            return _result(_nothing(task), task)
        few = solve_two if values.shape[3] == 2 else solve
        act: Any = few if is_complex else solve_magnitudes
        solved = act(flat[index], energy[index], task, each, progress)
    progress("maps", 1.0)
    return _result(solved, task)


def _nothing(task: Task) -> Solved:
    none, empty = np.zeros(0, np.complex64), np.zeros(0, np.float32)
    signs = np.full(task.shape[task.params.slice_axis], task.params.precession_sign or 1, np.float32)
    told = ("no voxel is brighter than the noise",)
    shares = np.zeros((0, 3), np.float32)
    return Solved(none, none, shares, empty, empty, empty, signs, task.variance, 0.0, True, 0.0, told)


def _result(solved: Solved, task: Task) -> Separation:
    def dense(part: npt.NDArray[Any], kind: Any = np.float32) -> npt.NDArray[Any]:
        whole = np.zeros(int(np.prod(task.shape)), kind)
        whole[task.index] = part
        return whole.reshape(task.shape)

    signs = tuple(int(sign) for sign in solved.signs)
    return Separation(
        water=dense(solved.water, np.complex64),
        fat=dense(solved.fat, np.complex64),
        pdff=dense(solved.shares[:, 0]),
        pdff_sd=dense(solved.shares[:, 1]),
        r2star=dense(solved.r2star),
        r2star_sd=dense(solved.shares[:, 2]),
        field_hz=dense(solved.field),
        confidence=dense(solved.confidence),
        swap_risk=dense(solved.confidence < RISK, np.bool_),
        precession_sign=1 if sum(signs) >= 0 else -1,
        slice_signs=signs,
        noise_sd=float(np.sqrt(solved.variance)),
        model_error=solved.error,
        phase_kept=solved.phase_kept,
        bipolar_rad=solved.bipolar_rad,
        notes=solved.notes,
    )


def _faults(values: npt.NDArray[Any], echo_times_s: npt.NDArray[np.float64]) -> list[Finding]:
    findings = []
    if values.ndim != 4:
        findings.append(Finding("error", "dimensions", f"echoes must be (x, y, z, echo), got {values.shape}"))
    elif np.shape(echo_times_s) != values.shape[3:]:
        count = np.size(echo_times_s)
        findings.append(Finding("error", "echoes", f"{count} echo times for {values.shape[3]} echoes"))
    if values.dtype.kind not in "cf":
        findings.append(Finding("error", "values", f"echoes must be complex or real, got {values.dtype}"))
    return findings
