"""How far two masks of one region lie apart: Dice, Hausdorff distance at 95 %, mean surface distance."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

from myoproof.errors import InvalidInput

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def dice(first: Mask, second: Mask) -> float:
    """Twice the overlap over the sum of sizes: 1 is identity, 0 no overlap; NaN where both are empty.

    References
    ----------
    Dice 1945, Ecology 26:297.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    _same_grid(first, second)
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else float("nan")


def surface_distances(first: Mask, second: Mask, spacing: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Distance of each surface pixel of one mask to the surface of the other, both ways.

    Parameters
    ----------
    first, second : ndarray of bool, the same shape
        Any number of dimensions. The surface is the mask less its erosion by one pixel face to face.
    spacing : tuple of float
        Pixel spacing along each axis; distances come in its unit.

    Returns
    -------
    forth, back : ndarray
        From the first to the second, and from the second to the first; empty where either mask is.

    Raises
    ------
    InvalidInput
        If shapes or spacing do not fit.
    """
    _same_grid(first, second)
    if len(spacing) != first.ndim:
        raise InvalidInput(f"{len(spacing)} spacings for {first.ndim} axes")
    if not first.any() or not second.any():
        return np.zeros(0), np.zeros(0)
    one, other = _surface(first), _surface(second)
    forth = distance_transform_edt(~other, sampling=spacing)[one]
    back = distance_transform_edt(~one, sampling=spacing)[other]
    return np.asarray(forth, dtype=np.float64), np.asarray(back, dtype=np.float64)


def hausdorff_95(first: Mask, second: Mask, spacing: tuple[float, ...]) -> float:
    """The larger of the two directed 95th percentiles of surface distance; NaN where a mask is empty.

    References
    ----------
    Reinke et al. 2024, Nat Methods 21:182 and Maier-Hein et al. 2024, Nat Methods 21:195 (Metrics Reloaded).

    Examples
    --------
    >>> a, b = np.zeros((2, 9, 9), dtype=bool)
    >>> a[2:7, 2:7] = True
    >>> b[2:7, 3:8] = True
    >>> hausdorff_95(a, b, (1.0, 2.0))
    2.0
    """
    forth, back = surface_distances(first, second, spacing)
    if not forth.size:
        return float("nan")
    return float(max(np.percentile(forth, 95), np.percentile(back, 95)))


def mean_surface_distance(first: Mask, second: Mask, spacing: tuple[float, ...]) -> float:
    """Average symmetric surface distance (ASSD): mean over the surfaces of both; NaN where one is empty.

    References
    ----------
    Heimann et al. 2009, IEEE Trans Med Imaging 28:1251.
    """
    forth, back = surface_distances(first, second, spacing)
    return float(np.concatenate([forth, back]).mean()) if forth.size else float("nan")


def _surface(mask: Mask) -> Mask:
    return np.asarray(mask & ~binary_erosion(mask), dtype=np.bool_)


def _same_grid(first: Mask, second: Mask) -> None:
    if first.shape != second.shape:
        raise InvalidInput(f"masks of shapes {first.shape} and {second.shape}", mend="bring them to one grid")
