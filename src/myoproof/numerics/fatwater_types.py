"""What the fat-water separation takes and gives: parameters, the result, and threads over voxels."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.numerics.fatwater_model import Spectrum

Singles = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]
Progress = Callable[[str, float], None]


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
        Phase of s = exp(+i 2 pi f t) counts as +1; 0 finds it from the data, slice by slice.
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
        At echo time zero, units of the input; not weighted or corrected for T1. Their phases are meaningless
        where the input was magnitudes.
    pdff, pdff_sd : (x, y, z) float32
        Fat fraction of the signal, slightly outside 0-1 by noise, and its SD.
    r2star, r2star_sd : (x, y, z) float32
        1/s.
    field_hz : (x, y, z) float32
        Unwrapped; 0 where the input was magnitudes.
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
    bipolar_rad : float
        Root mean square phase between odd and even echoes that was taken out; 0 where there was none.
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
    bipolar_rad: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workers:
    """Run a kernel over ranges of voxels in threads."""

    pool: ThreadPoolExecutor
    threads: int

    def __call__(self, work: Callable[[tuple[int, int]], None], count: int, size: int = 16384) -> None:
        """Call ``work`` with (first, last + 1) until ``count`` voxels are covered; errors are raised."""
        list(self.pool.map(work, [(i, min(i + size, count)) for i in range(0, count, size)]))
