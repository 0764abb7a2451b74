"""Water T2 from multi-echo spin echoes: every voxel with its standard deviation, transmit field and fat."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.numerics.water_t2_dictionary import Dictionary, Train, signals
from myoproof.numerics.water_t2_kernel import (
    N_OUT,
    OUT_B1,
    OUT_B1_SD,
    OUT_BIAS,
    OUT_COST,
    OUT_SD,
    OUT_SHARE,
    OUT_T2,
    OUT_TOTAL,
    fit_rows,
)
from myoproof.numerics.water_t2_rician import information, tables

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

BLOCK = 16_384
"""Voxels that one task takes: enough to be quick, few enough for the memory to stay flat."""
NOISE_FREE = 1e-3
"""Share of the largest value that stands for the noise SD where there is none."""
FREE, FIXED = np.inf, 0.0
SHARE_RANGE = (-0.1, 0.98)
"""Fat shares allowed where the share is known with an SD; below 0 so that noise does not push the mean up."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the fit gives, one value a voxel; NaN where the voxel could not be fitted.

    Parameters
    ----------
    t2_s, t2_sd_s : ndarray, shape (voxel,), float32
        Water T2, its second-order bias taken off, and its standard deviation from the Fisher information.
    b1, b1_sd : ndarray, shape (voxel,), float32
        Transmit field over the nominal one; SD 0 where it was given.
    fat_share : ndarray, shape (voxel,), float32
        Fat's share of the proton density.
    density : ndarray, shape (voxel,), float32
        Signal at time 0, in units of the input.
    misfit : ndarray, shape (voxel,), float32
        Minus twice the log likelihood less a constant of the voxel; comparable between fits of one voxel.
    """

    t2_s: Floats32
    t2_sd_s: Floats32
    b1: Floats32
    b1_sd: Floats32
    fat_share: Floats32
    density: Floats32
    misfit: Floats32


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beforehand of each voxel (arrays of shape (voxel,), or numbers).

    Parameters
    ----------
    fat_share, fat_share_sd : array_like
        Fat's share of the proton density and its SD; an infinite SD is no knowledge, 0 certainty.
    b1, b1_sd : array_like
        Transmit field, likewise.
    fat_signal : float
        Signal of fat over that of water at equal density and time 0 (saturation of T1).
    share_range : tuple of float, optional
        Fat shares allowed; by default 0 to 0.98 where nothing is known of fat, else from -0.1.
    """

    fat_share: npt.ArrayLike = 0.0
    fat_share_sd: npt.ArrayLike = FREE
    b1: npt.ArrayLike = 1.0
    b1_sd: npt.ArrayLike = FREE
    fat_signal: float = 1.0
    share_range: tuple[float, float] | None = None


def fit(
    values: npt.NDArray[np.float32],
    dictionary: Dictionary,
    *,
    noise_sd: float,
    known: Known = Known(),
    threads: int = 1,
) -> Fitted:
    """Fit voxels by maximum likelihood of Rician magnitudes.

    Parameters
    ----------
    values : ndarray, shape (voxel, echo), float32
        Magnitudes at the echoes of the dictionary; a view of a larger array is read in place.
    dictionary : Dictionary
        Signals of water and fat.
    noise_sd : float
        SD of the noise in each of the real and imaginary parts; 0: noise-free.
    known : Known
        Fat share and transmit field, as far as known.
    threads : int
        The answer is the same for any number.

    Returns
    -------
    Fitted
        Starts come from a coarse grid; Fisher scoring on local expansions of the dictionary then moves
        freely, so that estimates do not cling to grid nodes.

    Raises
    ------
    InvalidInput
        If the echoes are not those of the dictionary, or priors do not fit the voxels.

    References
    ----------
    Marty B et al. NMR Biomed 2016;29:431 and Santini F et al. Front Neurol 2021;12:630387 (water T2 beside
    fat); Lebel RM, Wilman AH. Magn Reson Med 2010;64:1005; Box MJ. J R Stat Soc B 1971;33:171 (bias).
    """
    if values.ndim != 2 or values.shape[1] != dictionary.water.shape[3]:
        raise InvalidInput(f"{values.shape} values for {dictionary.water.shape[3]} echoes")
    n = values.shape[0]
    priors = _priors(known, n)
    usable = np.isfinite(priors).all(axis=1, where=[True, False, True, False])
    usable &= np.isfinite(values).all(axis=1) & (values.max(axis=1, initial=0.0) > 0)
    out = np.full((n, N_OUT), np.nan, dtype=np.float32)
    sigma = float(noise_sd) or NOISE_FREE * float(values[usable].max(initial=1.0))
    grid = (dictionary.log_t2, dictionary.b1, dictionary.water, dictionary.fat)
    informed = bool(np.isfinite(priors[:, 1]).any())
    low, high = known.share_range or ((SHARE_RANGE[0] if informed else 0.0), SHARE_RANGE[1])
    limits = np.array([low, high, known.fat_signal, sigma])
    table = tables()

    def block(rows: npt.NDArray[np.int64]) -> None:
        found = np.empty((rows.size, N_OUT), dtype=np.float32)
        fit_rows(values, rows, priors[rows], grid, table, limits, found)
        out[rows] = found

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        list(pool.map(block, _blocks(usable)))
    return _fitted(out)


def smoothed(fitted: Fitted, **changes: Floats32) -> Fitted:
    """A fit with some of its maps replaced."""
    return replace(fitted, **changes)


def cramer_rao(
    train: Train,
    *,
    t2_s: float,
    b1: float,
    fat_share: float,
    snr: float,
    known: Known = Known(),
) -> dict[str, float]:
    """Smallest standard deviations that an unbiased estimate can have, for one voxel.

    Parameters
    ----------
    train : Train
        Protocol and pulses.
    t2_s, b1, fat_share : float
        The truth.
    snr : float
        Proton density (signal at time 0, nominal transmit field) over the noise SD of the real part.
    known : Known
        SDs of what is known of fat share and transmit field; its means are not used.

    Returns
    -------
    dict of str to float
        ``t2_s``, ``b1``, ``fat_share`` and ``density`` (relative); 0 for what is known with certainty.

    References
    ----------
    Karlsen OT et al. Magn Reson Med 1999;41:614 (information in Rician magnitudes).

    Examples
    --------
    >>> train = Train(echo_spacing_s=0.01, n_echo=17)
    >>> told = Known(fat_share_sd=0.0, b1_sd=0.0)
    >>> bound = cramer_rao(train, t2_s=0.038, b1=0.85, fat_share=0.1, snr=50.0, known=told)
    >>> 1e-3 < bound["t2_s"] < 3e-3
    True
    """
    jacobian, amplitude = _jacobian(train, t2_s, b1, fat_share, snr, known.fat_signal)
    matrix = (jacobian * information(amplitude)[:, None]).T @ jacobian
    names = ("t2_s", "b1", "density", "fat_share")
    free = np.ones(4, dtype=bool)
    for place, sd in ((1, float(np.asarray(known.b1_sd))), (3, float(np.asarray(known.fat_share_sd)))):
        free[place] = sd > 0
        matrix[place, place] += 1.0 / sd**2 if sd > 0 else 0.0
    bound = np.zeros(4)
    scale = np.sqrt(np.diag(matrix)[free])
    inverse = np.linalg.inv(matrix[np.ix_(free, free)] / np.outer(scale, scale))
    bound[free] = np.sqrt(np.diag(inverse)) / scale
    bound[2] /= snr
    return dict(zip(names, bound.tolist(), strict=True))


def _jacobian(
    train: Train, t2_s: float, b1: float, fat_share: float, snr: float, fat_signal: float
) -> tuple[Floats, Floats]:
    """Derivatives of the amplitudes with T2, B1, density and fat share, and the amplitudes."""

    def amplitudes(t2: float, field: float) -> tuple[Floats, Floats]:
        water = signals(train, [t2], [field], t1_s=train.t1_water_s)[0, 0]
        fat = signals(train, [train.t2_fat_s], [field], t1_s=train.t1_fat_s)[0, 0]
        return water, fat_signal * fat

    def total(t2: float, field: float) -> Floats:
        water, fat = amplitudes(t2, field)
        return snr * ((1.0 - fat_share) * water + fat_share * fat)

    water, fat = amplitudes(t2_s, b1)
    step = 1e-4
    by_t2 = (total(t2_s * (1 + step), b1) - total(t2_s * (1 - step), b1)) / (2 * step * t2_s)
    by_b1 = (total(t2_s, b1 + step) - total(t2_s, b1 - step)) / (2 * step)
    here = total(t2_s, b1)
    return np.stack([by_t2, by_b1, here / snr, snr * (fat - water)], axis=1), here


def _priors(known: Known, n: int) -> Floats32:
    columns = (known.fat_share, known.fat_share_sd, known.b1, known.b1_sd)
    try:
        return np.stack([np.broadcast_to(np.asarray(c, dtype=np.float32), (n,)) for c in columns], axis=1)
    except ValueError as fault:
        raise InvalidInput(f"what is known does not fit {n} voxels") from fault


def _blocks(usable: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.int64]]:
    rows = np.flatnonzero(usable)
    for start in range(0, rows.size, BLOCK):
        yield rows[start : start + BLOCK].astype(np.int64)


def _fitted(out: Floats32) -> Fitted:
    bias = np.clip(np.nan_to_num(out[:, OUT_BIAS]), -0.1 * out[:, OUT_T2], 0.1 * out[:, OUT_T2])
    return Fitted(
        t2_s=out[:, OUT_T2] - bias,
        t2_sd_s=out[:, OUT_SD].copy(),
        b1=out[:, OUT_B1].copy(),
        b1_sd=out[:, OUT_B1_SD].copy(),
        fat_share=out[:, OUT_SHARE].copy(),
        density=out[:, OUT_TOTAL].copy(),
        misfit=2.0 * out[:, OUT_COST],
    )
