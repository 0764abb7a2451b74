"""What another fat than the solver's would do to the fat fraction: shift curves over the fat fraction."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from myoproof.numerics.fatwater_model import PROTON_HZ_PER_T, SPECTRA, Spectrum, fat_signal

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

WATER_PPM: Final = 4.70
GLYCERIDE_PPM: Final = (5.30, 5.20, 4.20, 2.75, 2.24, 2.02, 1.60, 1.30, 0.90)
"""Water at body temperature and the nine peaks of a triglyceride. Hamilton et al., NMR Biomed 2011;24:784."""
FRACTIONS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""True fat fractions at which the shift is computed."""
R2STAR_PER_S: Final = 40.0
"""Decay at which it is computed; it depends little on it."""
STARTS: Final = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the fat fraction that a fit finds lies from the true one.

    Parameters
    ----------
    true, found : ndarray
        Fat fractions, both increasing.
    """

    true: Floats
    found: Floats

    def undone(self, found: npt.ArrayLike) -> Floats:
        """True fat fractions behind those found; the shift at the ends is kept beyond them."""
        values = np.asarray(found, dtype=np.float64)
        return np.asarray(values - np.interp(values, self.found, self.found - self.true))


def triglyceride(double_bonds: float) -> tuple[Floats, Floats]:
    """Shift from water (ppm) and share of the protons of each peak of a fat with so many double bonds.

    References
    ----------
    Hamilton et al., NMR Biomed 2011;24:784; chain length 16.8 + 0.25 ndb and 0.093 ndb^2 doubly unsaturated
    bonds, Bydder et al., Magn Reson Imaging 2010;28:1041.

    Examples
    --------
    >>> shift, share = triglyceride(1.92)
    >>> float(share[shift < -3].sum().round(3))
    0.786
    """
    pairs = 0.093 * double_bonds**2
    length = 16.8 + 0.25 * double_bonds
    count = {
        5.30: 2 * double_bonds,
        5.20: 1.0,
        4.20: 4.0,
        2.75: 2 * pairs,
        2.24: 6.0,
        2.02: 4 * (double_bonds - pairs),
        1.60: 6.0,
        1.30: 6 * (length - 4) - 8 * double_bonds + 2 * pairs,
        0.90: 9.0,
    }
    protons = np.array([count[ppm] for ppm in GLYCERIDE_PPM])
    return np.asarray(GLYCERIDE_PPM) - WATER_PPM, protons / protons.sum()


def shift_of(
    fat: tuple[Floats, Floats], echo_times_s: Floats, *, field_strength_t: float, spectrum: Spectrum
) -> Shift:
    """Fit noise-free echoes of one fat with the spectrum of another.

    Parameters
    ----------
    fat : tuple of ndarray
        Peaks (ppm from water) and their shares: what the echoes hold.
    echo_times_s : ndarray
        Three or more.
    field_strength_t : float
    spectrum : str or peaks
        What is fitted, as the solver takes it.

    Returns
    -------
    Shift
        Water, fat, a common phase, the field and R2* are fitted, by least squares.

    Examples
    --------
    >>> times = 0.00115 + 0.00096 * np.arange(6)
    >>> single = shift_of(solver_peaks("hamilton"), times, field_strength_t=3.0, spectrum="single")
    >>> float((single.found[6] - single.true[6]).round(2))
    -0.09
    """
    model = fat_signal(echo_times_s, field_strength_t=field_strength_t, spectrum=spectrum)
    ppm, share = fat
    turns = np.outer(echo_times_s, ppm * 1e-6 * PROTON_HZ_PER_T * field_strength_t)
    own = np.exp(2j * np.pi * turns) @ (share / share.sum())
    decay = np.exp(-R2STAR_PER_S * echo_times_s)
    true = np.asarray(FRACTIONS)
    found = [_fitted((1 - part + part * own) * decay, echo_times_s, model) for part in true]
    return Shift(true, np.maximum.accumulate(np.asarray(found)))


def solver_peaks(spectrum: str) -> tuple[Floats, Floats]:
    """Peaks and shares of one of the solver's spectra."""
    ppm, share = (np.asarray(part, dtype=np.float64) for part in SPECTRA[spectrum])
    return ppm, share


def _fitted(signal: Complexes, times: Floats, fat: Complexes) -> float:
    def residual(unknown: Floats) -> Floats:
        water, part, phase, field, decay = unknown
        turned = np.exp(1j * (phase + 200 * np.pi * field * times) - 100 * decay * times)
        apart = (water + part * fat) * turned - signal
        return np.concatenate([apart.real, apart.imag])

    fits = [least_squares(residual, [1 - part, part, 0.0, 0.0, R2STAR_PER_S / 100]) for part in STARTS]
    water, part = min(fits, key=lambda fit: float(fit.cost)).x[:2]
    return float(part / (part + water))
