"""IBSI texture matrices: co-occurrence, runs, zones, tone differences and dependences of grey levels."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import ndimage

Levels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Dimension = Literal[2, 3]


def directions(dimension: Dimension) -> Ints:
    """Half of the neighbours at Chebyshev distance 1: 4 in a slice, 13 in space; slices come last.

    Examples
    --------
    >>> len(directions(2)), len(directions(3))
    (4, 13)
    """
    steps = [
        (x, y, z)
        for z in ((0, 1) if dimension == 3 else (0,))
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
        if (z, y, x) > (0, 0, 0)
    ]
    return np.array(steps, dtype=np.int64)


def cooccurrence(
    levels: Levels, n_levels: int, dimension: Dimension, *, per_slice: bool, per_direction: bool
) -> Floats:
    """How often two grey levels lie side by side, both ways counted.

    Parameters
    ----------
    levels : ndarray of int32, shape (x, y, z)
        Grey levels from 1 on; 0 outside the region.
    n_levels : int
        Number of grey levels.
    dimension : {2, 3}
        Neighbours within slices, or in space.
    per_slice, per_direction : bool
        Matrices kept apart, or added up.

    Returns
    -------
    ndarray, shape (slice or 1, direction or 1, n_levels, n_levels)

    References
    ----------
    Haralick, IEEE Trans Syst Man Cybern 1973;3:610. Image biomarker standardisation initiative,
    arXiv:1612.07003, section 3.6.
    """
    steps = directions(dimension)
    out = np.zeros(
        (
            levels.shape[2] if per_slice else 1,
            len(steps) if per_direction else 1,
            n_levels,
            n_levels,
        )
    )
    _cooccurrence(np.ascontiguousarray(levels), steps, per_slice, per_direction, out)
    return out + out.swapaxes(2, 3)


def runs(
    levels: Levels, n_levels: int, dimension: Dimension, *, per_slice: bool, per_direction: bool
) -> Floats:
    """How many runs of equal grey level there are of each length; see :func:`cooccurrence`.

    Returns
    -------
    ndarray, shape (slice or 1, direction or 1, n_levels, longest side)
        Entry ``j`` of the last axis counts runs of ``j + 1`` voxels.

    References
    ----------
    Galloway, Comput Graph Image Process 1975;4:172. Image biomarker standardisation initiative,
    arXiv:1612.07003, section 3.7.
    """
    steps = directions(dimension)
    longest = max(levels.shape[:dimension])
    out = np.zeros(
        (
            levels.shape[2] if per_slice else 1,
            len(steps) if per_direction else 1,
            n_levels,
            longest,
        )
    )
    _runs(np.ascontiguousarray(levels), steps, per_slice, per_direction, out)
    return out


def zones(levels: Levels, outline: Bools, dimension: Dimension) -> Ints:
    """Connected voxels of one grey level: where, which, how many, how near the border.

    Parameters
    ----------
    levels : ndarray of int32, shape (x, y, z)
        Grey levels from 1 on; 0 outside the intensity mask.
    outline : ndarray of bool, same shape
        Morphological mask, whose border the distances are taken from; what lies beyond the array is outside.
    dimension : {2, 3}
        Zones within slices (8 neighbours) or in space (26).

    Returns
    -------
    ndarray of int64, shape (zone, 4)
        Slice of the first voxel, grey level, voxels, and smallest city-block distance from the outside.

    References
    ----------
    Thibault, IEEE Trans Biomed Eng 2014;61:630. Image biomarker standardisation initiative,
    arXiv:1612.07003, sections 3.8 and 3.9.
    """
    steps = directions(dimension)
    return np.asarray(
        _zones(
            np.ascontiguousarray(levels), border_distance(outline, dimension), np.concatenate([steps, -steps])
        ),
        dtype=np.int64,
    )


def border_distance(outline: Bools, dimension: Dimension) -> Ints:
    """City-block distance of the voxels of a mask from the outside; 1 at the border."""
    padded = np.pad(outline, [(1, 1), (1, 1), (1, 1) if dimension == 3 else (0, 0)])
    if dimension == 3:
        found = ndimage.distance_transform_cdt(padded, metric="taxicab")[1:-1, 1:-1, 1:-1]
    else:
        slices = [
            ndimage.distance_transform_cdt(padded[:, :, k], metric="taxicab") for k in range(outline.shape[2])
        ]
        found = np.stack(slices, axis=2)[1:-1, 1:-1]
    return np.ascontiguousarray(found, dtype=np.int64)


def tone_differences(levels: Levels, n_levels: int, dimension: Dimension, *, per_slice: bool) -> Floats:
    """Voxels of each grey level that have neighbours, and how far they are from their neighbours' mean.

    Returns
    -------
    ndarray, shape (slice or 1, n_levels, 2)
        Count, and sum of absolute differences; see :func:`cooccurrence` for the parameters.

    References
    ----------
    Amadasun and King, IEEE Trans Syst Man Cybern 1989;19:1264. Image biomarker standardisation initiative,
    arXiv:1612.07003, section 3.10.
    """
    steps = directions(dimension)
    out = np.zeros((levels.shape[2] if per_slice else 1, n_levels, 2))
    _tones(np.ascontiguousarray(levels), np.concatenate([steps, -steps]), per_slice, out)
    return out


def dependences(
    levels: Levels, n_levels: int, dimension: Dimension, *, per_slice: bool, coarseness: int = 0
) -> Floats:
    """How many voxels of each grey level have how many neighbours like them.

    Returns
    -------
    ndarray, shape (slice or 1, n_levels, neighbours + 1)
        Entry ``j`` of the last axis counts voxels with ``j`` neighbours within ``coarseness`` levels; see
        :func:`cooccurrence` for the parameters.

    References
    ----------
    Sun and Wee, Comput Vis Graph Image Process 1983;23:341. Image biomarker standardisation initiative,
    arXiv:1612.07003, section 3.11.
    """
    steps = directions(dimension)
    out = np.zeros((levels.shape[2] if per_slice else 1, n_levels, 2 * len(steps) + 1))
    _dependences(np.ascontiguousarray(levels), np.concatenate([steps, -steps]), per_slice, coarseness, out)
    return out


@njit(cache=True, nogil=True)
def _at(levels: Levels, x: int, y: int, z: int) -> int:
    """The grey level of a voxel, 0 beyond the array."""
    if x < 0 or y < 0 or z < 0 or x >= levels.shape[0] or y >= levels.shape[1] or z >= levels.shape[2]:
        return 0
    return int(levels[x, y, z])


@njit(cache=True, nogil=True)
def _cooccurrence(levels: Levels, steps: Ints, per_slice: bool, per_direction: bool, out: Floats) -> None:
    for x in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for z in range(levels.shape[2]):
                here = levels[x, y, z]
                if here == 0:
                    continue
                for k in range(steps.shape[0]):
                    there = _at(levels, x + steps[k, 0], y + steps[k, 1], z + steps[k, 2])
                    if there > 0:
                        out[z if per_slice else 0, k if per_direction else 0, here - 1, there - 1] += 1.0


@njit(cache=True, nogil=True)
def _runs(levels: Levels, steps: Ints, per_slice: bool, per_direction: bool, out: Floats) -> None:
    for x in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for z in range(levels.shape[2]):
                here = levels[x, y, z]
                if here == 0:
                    continue
                for k in range(steps.shape[0]):
                    i, j, m = steps[k, 0], steps[k, 1], steps[k, 2]
                    if _at(levels, x - i, y - j, z - m) == here:
                        continue
                    length = 1
                    while _at(levels, x + length * i, y + length * j, z + length * m) == here:
                        length += 1
                    out[z if per_slice else 0, k if per_direction else 0, here - 1, length - 1] += 1.0


@njit(cache=True, nogil=True)
def _zones(levels: Levels, distance: Ints, steps: Ints) -> Ints:
    seen = levels == 0
    stack = np.empty((levels.size, 3), dtype=np.int64)
    found = np.empty((levels.size, 4), dtype=np.int64)
    n = 0
    for x in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for z in range(levels.shape[2]):
                if seen[x, y, z]:
                    continue
                level = levels[x, y, z]
                seen[x, y, z] = True
                stack[0, 0], stack[0, 1], stack[0, 2] = x, y, z
                top, size, near = 1, 0, distance[x, y, z]
                while top > 0:
                    top -= 1
                    a, b, c = stack[top, 0], stack[top, 1], stack[top, 2]
                    size += 1
                    near = min(near, distance[a, b, c])
                    for k in range(steps.shape[0]):
                        i, j, m = a + steps[k, 0], b + steps[k, 1], c + steps[k, 2]
                        if _at(levels, i, j, m) == level and not seen[i, j, m]:
                            seen[i, j, m] = True
                            stack[top, 0], stack[top, 1], stack[top, 2] = i, j, m
                            top += 1
                found[n, 0], found[n, 1], found[n, 2], found[n, 3] = z, level, size, near
                n += 1
    return found[:n].copy()


@njit(cache=True, nogil=True)
def _tones(levels: Levels, steps: Ints, per_slice: bool, out: Floats) -> None:
    for x in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for z in range(levels.shape[2]):
                here = levels[x, y, z]
                if here == 0:
                    continue
                total, count = 0, 0
                for k in range(steps.shape[0]):
                    there = _at(levels, x + steps[k, 0], y + steps[k, 1], z + steps[k, 2])
                    if there > 0:
                        total += there
                        count += 1
                if count > 0:
                    out[z if per_slice else 0, here - 1, 0] += 1.0
                    out[z if per_slice else 0, here - 1, 1] += abs(here - total / count)


@njit(cache=True, nogil=True)
def _dependences(levels: Levels, steps: Ints, per_slice: bool, coarseness: int, out: Floats) -> None:
    for x in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for z in range(levels.shape[2]):
                here = levels[x, y, z]
                if here == 0:
                    continue
                alike = 0
                for k in range(steps.shape[0]):
                    there = _at(levels, x + steps[k, 0], y + steps[k, 1], z + steps[k, 2])
                    if there > 0 and abs(there - here) <= coarseness:
                        alike += 1
                out[z if per_slice else 0, here - 1, alike] += 1.0
