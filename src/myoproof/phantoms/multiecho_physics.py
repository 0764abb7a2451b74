"""Signal of water and fat in a spoiled gradient echo: steady state, fat spectrum and decay."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.phantoms import multiecho_constants as const

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Physics:
    """The protocol of a scan and the relaxation of its subject.

    Parameters
    ----------
    field_strength_t : float
        Main field.
    echo_times_s : tuple of float
        Increasing.
    repetition_time_s, flip_angle_deg : float
        Spoiled gradient echo; a repetition time of 0 means no T1 weighting.
    t1_water_s, t1_fat_s : float
        Of muscle water and of fat.
    b1 : float
        Mean of the transmit field, 1 = nominal.
    b1_sd : float
        SD of its smooth variation over the image, relative.
    precession_sign : {1, -1}
        +1: phase grows as exp(+i 2 pi f t) for a positive frequency.
    field_hz : float
        Largest absolute value of the field inside the body.
    r2star_per_s : tuple of float
        Muscles draw their R2* evenly (on the logarithm) from this range and stay in it.
    bipolar_rad : tuple of float
        Phase that odd echoes add and even ones take off: in the middle of the image, and its change from one
        end of the first axis to the other.
    double_bonds : float, optional
        Per triglyceride molecule: a nine-peak spectrum in place of the six-peak one.
    n_coils : int
        Receive coils.
    snr : float
        Signal of fat-free muscle at echo time 0 over the SD of the noise in each of the real and imaginary
        parts, coils combined.
    """

    field_strength_t: float = 3.0
    echo_times_s: tuple[float, ...] = const.ECHO_TIMES_S
    repetition_time_s: float = 0.010
    flip_angle_deg: float = 3.0
    t1_water_s: float = const.T1_WATER_S
    t1_fat_s: float = const.T1_FAT_S
    b1: float = 1.0
    b1_sd: float = 0.0
    precession_sign: Literal[1, -1] = 1
    field_hz: float = 150.0
    r2star_per_s: tuple[float, float] = const.R2STAR_MUSCLE_PER_S
    bipolar_rad: tuple[float, float] = (0.0, 0.0)
    double_bonds: float | None = None
    n_coils: int = 1
    snr: float = 50.0


def fat_spectrum(double_bonds: float | None = None) -> tuple[Floats, Floats]:
    """Peaks of fat.

    Parameters
    ----------
    double_bonds : float, optional
        Per triglyceride; None gives the six-peak spectrum.

    Returns
    -------
    shift_ppm, share : ndarray
        Against water (below it: negative), and parts of 1.

    References
    ----------
    Hamilton et al., NMR Biomed 2011;24:784, with chain length 16.8 + 0.25 ndb and doubly unsaturated bonds
    0.093 ndb^2 (Bydder et al., Magn Reson Imaging 2010;28:1041).

    Examples
    --------
    >>> shift, share = fat_spectrum(2.8)
    >>> len(shift), round(float(share.sum()), 6)
    (9, 1.0)
    """
    if double_bonds is None:
        share = np.asarray(const.FAT_PEAKS_SHARE)
        return np.asarray(const.FAT_PEAKS_PPM), share / share.sum()
    bonds, pairs = double_bonds, 0.093 * double_bonds**2
    chain = 16.8 + 0.25 * bonds
    methylene = 6 * (chain - 4) - 8 * bonds + 2 * pairs
    protons = np.array([2 * bonds, 1, 4, 2 * pairs, 6, 4 * (bonds - pairs), 6, methylene, 9])
    return np.asarray(const.GLYCERIDE_PPM) - const.WATER_PPM, protons / protons.sum()


def fat_dephasing(physics: Physics) -> npt.NDArray[np.complex128]:
    """The complex factor of fat against water at each echo (before the sign of precession)."""
    shift, share = fat_spectrum(physics.double_bonds)
    hertz = shift * const.GYROMAGNETIC_MHZ_PER_T * physics.field_strength_t
    turns = np.outer(np.asarray(physics.echo_times_s), hertz)
    return np.asarray(np.exp(2j * np.pi * turns) @ share)


def steady_state(t1_s: npt.ArrayLike, b1: npt.ArrayLike, physics: Physics) -> Floats:
    """Signal of a spoiled gradient echo per proton; 1 where the repetition time is 0.

    References
    ----------
    Ernst and Anderson, Rev Sci Instrum 1966;37:93.

    Examples
    --------
    >>> ten = Physics(flip_angle_deg=10.0)
    >>> water, fat = steady_state(1.42, 1.0, ten), steady_state(0.371, 1.0, ten)
    >>> round(float(fat / (fat + water)) - 0.5, 3)
    0.169
    """
    if physics.repetition_time_s <= 0:
        return np.ones(np.broadcast(np.asarray(t1_s), np.asarray(b1)).shape)
    angle = np.deg2rad(physics.flip_angle_deg) * np.asarray(b1, dtype=np.float64)
    kept = np.exp(-physics.repetition_time_s / np.asarray(t1_s, dtype=np.float64))
    return np.asarray(np.sin(angle) * (1 - kept) / (1 - kept * np.cos(angle)))


@dataclass(frozen=True, slots=True)
class Tissue:
    """What gives signal at each point of a grid: arrays of one shape, float32.

    Parameters
    ----------
    water, fat : ndarray
        Signal at echo time 0, T1 weighted.
    r2star_per_s, field_hz : ndarray
        Decay and off-resonance.
    """

    water: Images
    fat: Images
    r2star_per_s: Images
    field_hz: Images


def echo(tissue: Tissue, number: int, physics: Physics) -> Complexes:
    """The noise-free signal at one echo under a positive sign of precession, coils and phases left out."""
    time = physics.echo_times_s[number]
    fat = np.complex64(fat_dephasing(physics)[number])
    angle = np.float32(2 * np.pi * time) * tissue.field_hz
    turned = np.exp(np.complex64(1j) * angle - np.float32(time) * tissue.r2star_per_s)
    return np.asarray((tissue.water + fat * tissue.fat) * turned, dtype=np.complex64)
