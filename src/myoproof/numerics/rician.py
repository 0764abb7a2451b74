"""Rician noise of magnitude images: its standard deviation, and how far it lifts the mean of weak signals."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RAYLEIGH_MEDIAN = float(np.sqrt(2.0 * np.log(2.0)))
"""Median of a Rayleigh variable of unit sigma."""
RAYLEIGH_RATIO = (0.42, 0.62)
"""Accepted SD / mean of background; a Rayleigh variable has 0.5227, masked or ghosted background has not."""
LEAST_BACKGROUND = 1000
"""Fewer background voxels than this say nothing about noise."""
NORMAL_MAD = 0.6744897501960817
"""Median absolute deviation of a normal variable of unit SD."""
IMMERKAER = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]) / 6.0
"""Difference of two Laplacians, unit response to unit white noise (Immerkaer 1996, CVIU 64:300)."""
MOST_SLICES = 8
"""Noise is estimated in about this many slices, evenly spread."""
SQUARE = np.ones((3, 3, 1), dtype=bool)
MARGIN = 0.05
"""Share of the image's width kept between tissue and the background that is used."""


def rician_mean(amplitude: Floats, sigma: float) -> Floats:
    """Mean of a magnitude whose noise-free value is ``amplitude``.

    Parameters
    ----------
    amplitude : ndarray
        Noise-free signal, not negative.
    sigma : float
        SD of the noise of the real and of the imaginary part.

    Returns
    -------
    ndarray, same shape

    References
    ----------
    Rice SO. Bell Syst Tech J 1945;24:46; Gudbjartsson H, Patz S. Magn Reson Med 1995;34:910, eq. 3.

    Examples
    --------
    >>> round(float(rician_mean(np.array([0.0]), 1.0)[0]), 4)
    1.2533
    """
    if sigma <= 0:
        return np.asarray(amplitude, dtype=np.float64)
    half = np.asarray(amplitude, dtype=np.float64) ** 2 / (4.0 * sigma**2)
    terms = (1.0 + 2.0 * half) * special.ive(0, half) + 2.0 * half * special.ive(1, half)
    return np.asarray(sigma * np.sqrt(np.pi / 2.0) * terms, dtype=np.float64)


def floor_excess(magnitude: Floats, inside: Bools, sigma: float, *, box: int = 9) -> Floats:
    """How far the noise floor lifts each voxel on average.

    Parameters
    ----------
    magnitude : ndarray, shape (x, y, z)
        Measured magnitudes.
    inside : ndarray of bool, same shape
        Voxels that may be averaged with each other; the result is 0 elsewhere.
    sigma : float
        SD of the noise.
    box : int
        Side of the in-plane square, in voxels, over which the second moment is averaged.

    Returns
    -------
    ndarray, same shape
        Rician mean minus noise-free value, where the noise-free value is the root of the local second moment
        less ``2 sigma**2`` (its expectation; Gudbjartsson and Patz 1995).
    """
    if sigma <= 0:
        return np.zeros(magnitude.shape)
    size = (box, box, 1)
    weight = ndimage.uniform_filter(inside.astype(np.float64), size, mode="constant")
    power = ndimage.uniform_filter(np.where(inside, magnitude, 0.0) ** 2, size, mode="constant")
    moment = np.where(inside, power / np.maximum(weight, 1e-12), 0.0)
    amplitude = np.sqrt(np.maximum(moment[inside] - 2.0 * sigma**2, 0.0))
    excess = np.zeros(magnitude.shape)
    excess[inside] = rician_mean(amplitude, sigma) - amplitude
    return excess


def noise_sd(magnitude: npt.NDArray[np.float32], tissue: Bools, bright: Bools) -> float:
    """Noise SD of a magnitude image.

    Parameters
    ----------
    magnitude : ndarray, shape (x, y, z)
        Measured magnitudes, slices along the last axis.
    tissue : ndarray of bool, same shape
        Voxels of the body.
    bright : ndarray of bool, same shape
        Body voxels in which this channel is well above the noise.

    Returns
    -------
    float
        From the median of the background where that is Rayleigh distributed; else from the median absolute
        second difference in bright tissue (masked, filtered or absent background); 0 for noise-free images.
        The second is too low in images that were interpolated.

    References
    ----------
    Gudbjartsson H, Patz S. Magn Reson Med 1995;34:910 (background);
    Immerkaer J. CVIU 1996;64:300 (differences).
    """
    every = max(1, magnitude.shape[2] // MOST_SLICES)
    magnitude, tissue, bright = magnitude[:, :, ::every], tissue[:, :, ::every], bright[:, :, ::every]
    background = _background(magnitude, tissue)
    if background.size >= LEAST_BACKGROUND and (background > 0).mean() > 0.5:
        mean = float(background.mean())
        if RAYLEIGH_RATIO[0] < float(background.std()) / max(mean, 1e-30) < RAYLEIGH_RATIO[1]:
            return float(np.median(background)) / RAYLEIGH_MEDIAN
    return _difference_sd(magnitude, bright)


def _background(magnitude: npt.NDArray[np.float32], tissue: Bools) -> Floats:
    margin = max(2, round(MARGIN * magnitude.shape[0]))
    near = ndimage.maximum_filter(tissue, (2 * margin + 1, 2 * margin + 1, 1))
    values = magnitude[~near]
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)


def _difference_sd(magnitude: npt.NDArray[np.float32], bright: Bools) -> float:
    solid = ndimage.binary_erosion(bright, SQUARE)
    if not solid.any():
        return 0.0
    clean = np.where(np.isfinite(magnitude), magnitude, 0.0).astype(np.float64)
    response = ndimage.convolve(clean, IMMERKAER[:, :, None], mode="nearest")[solid]
    return float(np.median(np.abs(response)) / NORMAL_MAD)
