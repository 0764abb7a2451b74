"""Coil combination that keeps the phase between echoes: one set of local weights for all of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.errors import InvalidInput

Complexes = npt.NDArray[np.complex64]

WINDOW = 5
"""Side of the square (voxels) over which coil profiles are taken as constant."""
ITERATIONS = 12


def combine(values: npt.NDArray[Any], *, window: int = WINDOW, slice_axis: int = 2) -> Complexes:
    """Combine coils by the dominant eigenvector of their local covariance over all echoes.

    Parameters
    ----------
    values : (x, y, z, coil, echo) complex
        NaN counts as 0.
    window : int
        Side of the square in the slice over which covariance is averaged, voxels.
    slice_axis : {0, 1, 2}

    Returns
    -------
    (x, y, z, echo) complex64
        The weights of a voxel are the same for all echoes, so that the phase between echoes, which carries
        field and fat, is that of the data. The phase of the weights is tied to the strongest coil.

    Raises
    ------
    InvalidInput
        If the values are not 5-D complex.

    References
    ----------
    Walsh DO et al. Magn Reson Med 2000;43:682 (matched filter from local covariance).

    Examples
    --------
    >>> one = np.ones((4, 4, 1, 1, 2), dtype=np.complex64)
    >>> combine(one).shape
    (4, 4, 1, 2)
    """
    if values.ndim != 5 or values.dtype.kind != "c":
        raise InvalidInput(f"coils must be (x, y, z, coil, echo) complex, got {values.shape} {values.dtype}")
    if values.shape[3] == 1:
        return np.ascontiguousarray(np.nan_to_num(values[:, :, :, 0]), dtype=np.complex64)
    out = np.empty((*values.shape[:3], values.shape[4]), np.complex64)
    for place in range(values.shape[slice_axis]):
        key: list[Any] = [slice(None)] * 3
        key[slice_axis] = place
        part = np.nan_to_num(np.ascontiguousarray(values[tuple(key)], dtype=np.complex64))
        out[tuple(key)] = _combine_slice(part, window)
    return out


def _combine_slice(values: Complexes, window: int) -> Complexes:
    """Combine (x, y, coil, echo) of one slice."""
    coils = values.shape[2]
    covariance = np.empty((*values.shape[:2], coils, coils), np.complex64)
    for i in range(coils):
        for j in range(i, coils):
            product = (values[:, :, i] * np.conj(values[:, :, j])).sum(axis=2)
            real = ndimage.uniform_filter(product.real, window, mode="nearest")
            imaginary = ndimage.uniform_filter(product.imag, window, mode="nearest")
            covariance[:, :, i, j] = real + 1j * imaginary
            covariance[:, :, j, i] = real - 1j * imaginary
    strongest = int(np.argmax(np.einsum("xyii->i", covariance).real))
    weights = np.ascontiguousarray(covariance[..., strongest])
    for _ in range(ITERATIONS):
        weights = np.einsum("xyij,xyj->xyi", covariance, weights)
        size = np.linalg.norm(weights, axis=2, keepdims=True)
        weights = weights / np.where(size > 0, size, 1)
    anchor = weights[..., strongest]
    turn = np.conj(anchor) / np.where(np.abs(anchor) > 0, np.abs(anchor), 1)
    weights = weights * np.where(np.abs(anchor) > 0, turn, 1)[..., None]
    return np.asarray(np.einsum("xyc,xyce->xye", np.conj(weights), values), dtype=np.complex64)
