"""Smooth Gaussian random fields on a regular grid, by separable sums of Gaussian bumps."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

REACH = 4.0
"""Bumps further than this many widths outside the grid contribute nothing visible."""


def smooth_field(
    axes_mm: Sequence[npt.NDArray[np.float64]], length_mm: Sequence[float], *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """A stationary Gaussian field of mean 0 and SD 1.

    Parameters
    ----------
    axes_mm : sequence of ndarray
        Positions along each axis; the field lies on their product.
    length_mm : sequence of float
        Distance at which the correlation has fallen to exp(-1) along each axis.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, float32
        Shape ``tuple(len(axis) for axis in axes_mm)``.

    Examples
    --------
    >>> import numpy as np
    >>> axis = np.arange(0.0, 50.0)
    >>> field = smooth_field([axis, axis], [5.0, 5.0], rng=np.random.default_rng(1))
    >>> field.shape, bool(abs(field.std() - 1) < 0.5)
    ((50, 50), True)
    """
    bases = [_bumps(axis, length / 2.0) for axis, length in zip(axes_mm, length_mm, strict=True)]
    field = rng.standard_normal([basis.shape[1] for basis in bases], dtype=np.float32)
    for basis in bases:
        field = np.tensordot(field, basis, axes=([0], [1]))
    return np.asarray(field, dtype=np.float32)


def _bumps(axis_mm: npt.NDArray[np.float64], width_mm: float) -> npt.NDArray[np.float32]:
    """Gaussian bumps at knots one width apart, scaled so that every point has variance 1."""
    knots = np.arange(axis_mm.min() - REACH * width_mm, axis_mm.max() + (REACH + 1) * width_mm, width_mm)
    basis = np.exp(-0.5 * ((axis_mm[:, None] - knots[None, :]) / width_mm) ** 2)
    scaled = basis / np.sqrt((basis**2).sum(axis=1, keepdims=True))
    return np.asarray(scaled, dtype=np.float32)
