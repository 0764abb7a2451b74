"""One exponential through spin echoes: usual, and wrong with fat or stimulated echoes."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FLOOR = 2.0
"""Echoes below this many noise SDs do not count: the noise floor would lengthen T2."""
LONGEST_S = 1.0
"""Longer or negative times are no decay."""


def mono_exponential(
    values: npt.NDArray[np.float32], echo_times_s: Floats, *, noise_sd: float = 0.0
) -> Floats:
    """Decay time of a single exponential.

    Parameters
    ----------
    values : ndarray, shape (voxel, echo), float32
        Magnitudes.
    echo_times_s : ndarray, shape (echo,)
    noise_sd : float
        Of the real part.

    Returns
    -------
    ndarray, shape (voxel,)
        Seconds, by a straight line through the logarithms weighted with squared signals; NaN where fewer than
        three echoes count or nothing decays.

    Examples
    --------
    >>> times = 0.01 * np.arange(1, 9)
    >>> decay = np.exp(-times / 0.04).astype(np.float32)
    >>> mono_exponential(decay[None], times).round(4).tolist()
    [0.04]
    """
    magnitudes = np.asarray(values, dtype=np.float64)
    counts = np.isfinite(magnitudes) & (magnitudes > FLOOR * noise_sd) & (magnitudes > 0)
    weight = np.where(counts, magnitudes, 0.0) ** 2
    logs = np.log(np.where(counts, magnitudes, 1.0))
    total = weight.sum(axis=1)
    safe = np.where(total > 0, total, 1.0)
    middle = weight @ echo_times_s / safe
    height = (weight * logs).sum(axis=1) / safe
    away = echo_times_s[None, :] - middle[:, None]
    below = (weight * away**2).sum(axis=1)
    slope = (weight * away * (logs - height[:, None])).sum(axis=1) / np.where(below > 0, below, 1.0)
    falls = (counts.sum(axis=1) >= 3) & (slope < -1.0 / LONGEST_S)
    return np.where(falls, -1.0 / np.where(falls, slope, -1.0), np.nan)
