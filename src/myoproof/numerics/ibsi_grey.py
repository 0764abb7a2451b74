"""Grey levels before IBSI features: resampling, re-segmentation and discretisation of a region."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Levels = npt.NDArray[np.int32]
HALF = 0.5
"""A resampled voxel is inside where at least this share of it is (IBSI reference manual, 2.5.3)."""


def resample(
    values: Floats, mask: Bools, spacing_mm: Floats, new_spacing_mm: Floats
) -> tuple[Floats, Bools, Bools]:
    """Trilinear resampling of an image and of a region to another spacing.

    Parameters
    ----------
    values : ndarray, shape (x, y, z)
        Image; voxels that are not finite have no weight.
    mask : ndarray of bool, same shape
        Region.
    spacing_mm, new_spacing_mm : ndarray, shape (3,)
        Distance between voxel centres before and after.

    Returns
    -------
    values : ndarray, shape (x', y', z')
        NaN where no finite voxel is near. The grids share their centre.
    mask : ndarray of bool, same shape
        At least half inside.
    known : ndarray of bool, same shape
        Where the values are finite.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 2.4 (grids aligned by centre).

    Examples
    --------
    >>> ramp = np.arange(8.0).reshape(8, 1, 1)
    >>> finer, _, _ = resample(ramp, ramp > 3, np.ones(3), np.array([0.5, 1.0, 1.0]))
    >>> finer[4:8, 0, 0].tolist()
    [1.75, 2.25, 2.75, 3.25]
    """
    shape = np.array(values.shape)
    ratio = np.asarray(new_spacing_mm, dtype=np.float64) / np.asarray(spacing_mm, dtype=np.float64)
    new_shape = np.maximum(np.ceil(shape / ratio - 1e-9).astype(int), 1)
    start = (shape - 1) / 2 - ratio * (new_shape - 1) / 2
    finite = np.isfinite(values)

    def moved(image: Floats) -> Floats:
        return np.asarray(
            ndimage.affine_transform(
                image, ratio, offset=start, output_shape=tuple(new_shape), order=1, mode="nearest"
            ),
            dtype=np.float64,
        )

    weight = moved(finite.astype(np.float64))
    known = weight > HALF
    out = np.full(tuple(new_shape), np.nan)
    np.divide(moved(np.where(finite, values, 0.0)), weight, out=out, where=known)
    return out, moved(mask.astype(np.float64)) >= HALF, known


def resegment(
    values: Floats, mask: Bools, *, bounds: tuple[float, float] | None = None, outlier_sd: float | None = None
) -> Bools:
    """The intensity mask: voxels of a region whose value lies in a range and is no outlier.

    Parameters
    ----------
    values : ndarray, any shape
        Image.
    mask : ndarray of bool, same shape
        Region; voxels that are not finite are always left out.
    bounds : (low, high), optional
        Both included.
    outlier_sd : float, optional
        Leave out what lies farther than this many SD from the mean of the region (IBSI: 3).

    Returns
    -------
    ndarray of bool, same shape

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 2.6.

    Examples
    --------
    >>> image = np.array([0.1, 0.2, 5.0, np.nan])
    >>> resegment(image, np.ones(4, dtype=bool), bounds=(0.0, 1.0)).tolist()
    [True, True, False, False]
    """
    kept = mask & np.isfinite(values)
    if bounds is not None:
        kept &= (values >= bounds[0]) & (values <= bounds[1])
    if outlier_sd is not None and kept.any():
        mean, sd = float(values[kept].mean()), float(values[kept].std())
        kept &= np.abs(values - mean) <= outlier_sd * sd
    return kept


def discretise(
    values: Floats,
    mask: Bools,
    *,
    how: Literal["number", "width"],
    amount: float,
    lowest: float | None = None,
) -> Levels:
    """Whole grey levels of a region, counted from 1; 0 outside.

    Parameters
    ----------
    values : ndarray, any shape
        Image, finite in the mask.
    mask : ndarray of bool, same shape
        Intensity mask.
    how : {"number", "width"}
        Fixed bin number or fixed bin size.
    amount : float
        How many bins, or how wide.
    lowest : float, optional
        Where the first bin of fixed size begins; the region's minimum by default.

    Returns
    -------
    ndarray of int32, same shape
        All 1 where a region of a fixed number of bins has one value.

    Raises
    ------
    ValueError
        If the amount is not positive, or a value lies below ``lowest``.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 2.7.

    Examples
    --------
    >>> image = np.array([0.0, 0.1, 0.5, 1.0])
    >>> discretise(image, np.ones(4, dtype=bool), how="number", amount=4).tolist()
    [1, 1, 3, 4]
    """
    if not amount > 0:
        raise ValueError("bins need a positive number or width")
    levels = np.zeros(values.shape, dtype=np.int32)
    inside = values[mask]
    if inside.size == 0:
        return levels
    first, last = float(inside.min()), float(inside.max())
    if how == "number":
        share = (inside - first) / (last - first) if last > first else np.zeros(inside.size)
        levels[mask] = np.minimum(np.floor(amount * share) + 1, max(amount, 1))
        return levels
    begin = first if lowest is None else lowest
    if first < begin:
        raise ValueError(f"the lowest value {first:g} lies below the first bin, {begin:g}")
    levels[mask] = np.floor((inside - begin) / amount) + 1
    return levels
