"""Smooth Gaussian random fields on a regular grid, by separable sums of Gaussian bumps."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

REACH = 4.0
"""Bumps further than this many widths outside the grid contribute nothing visible."""


def smooth_field(
    axes_mm: Sequence[npt.NDArray[np.float64]],
    length_mm: Sequence[float],
    *,
    rng: np.random.Generator,
    anchor_mm: Sequence[npt.NDArray[np.float64]] | None = None,
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
    anchor_mm : sequence of ndarray, optional
        Axes that the field is fixed to: one seed and anchor give one field, seen from other positions.

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
    fixed = axes_mm if anchor_mm is None else anchor_mm
    bases = [
        _bumps(axis, fixed_axis, length / 2.0)
        for axis, fixed_axis, length in zip(axes_mm, fixed, length_mm, strict=True)
    ]
    field = rng.standard_normal([basis.shape[1] for basis in bases], dtype=np.float32)
    for basis in bases:
        field = np.tensordot(field, basis, axes=([0], [1]))
    return np.asarray(field, dtype=np.float32)


def _bumps(
    axis_mm: npt.NDArray[np.float64], anchor_mm: npt.NDArray[np.float64], width_mm: float
) -> npt.NDArray[np.float32]:
    """Gaussian bumps at knots one width apart, scaled so that every point has variance 1."""
    start, stop = anchor_mm.min() - REACH * width_mm, anchor_mm.max() + (REACH + 1) * width_mm
    knots = np.arange(start, stop, width_mm)
    basis = np.exp(-0.5 * ((axis_mm[:, None] - knots[None, :]) / width_mm) ** 2)
    scaled = basis / np.sqrt((basis**2).sum(axis=1, keepdims=True))
    return np.asarray(scaled, dtype=np.float32)
