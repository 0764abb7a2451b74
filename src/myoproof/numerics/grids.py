"""Voxel grids: how far two affines disagree, which axes they follow, areas and volumes of voxels."""

import itertools

import numpy as np
import numpy.typing as npt

Affine = npt.NDArray[np.float64]
GRID_TOLERANCE_MM = 1e-3
"""Two grids are one where no voxel moves farther than this."""


def displacement_mm(one: Affine, other: Affine, shape: tuple[int, int, int]) -> float:
    """Largest distance between the same voxel under two affines.

    Parameters
    ----------
    one, other : ndarray, shape (4, 4)
        Voxel indices to millimetres.
    shape : tuple of int
        Voxels along the three axes; the largest distance is reached at a corner.

    Returns
    -------
    float
        Millimetres.

    Examples
    --------
    >>> shifted = np.eye(4)
    >>> shifted[0, 3] = 0.5
    >>> displacement_mm(np.eye(4), shifted, (10, 10, 10))
    0.5
    """
    corners = np.array([(*corner, 1.0) for corner in itertools.product(*((0.0, n - 1.0) for n in shape))])
    moved = corners @ (np.asarray(one) - np.asarray(other)).T
    return float(np.linalg.norm(moved[:, :3], axis=1).max())


def axis_towards(affine: Affine, world: int) -> tuple[int, int]:
    """The voxel axis that follows a world axis best, and its sign.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    world : int
        0 = right, 1 = anterior, 2 = superior.

    Returns
    -------
    axis : int
        Each world axis gets another voxel axis, whatever the obliqueness.
    sign : int
        +1 if the index grows towards right, anterior or superior.

    Examples
    --------
    >>> axis_towards(np.diag([-1.0, -1.0, 3.0, 1.0]), 0)
    (0, -1)
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    best = max(
        itertools.permutations(range(3)),
        key=lambda order: sum(abs(directions[row, order[row]]) for row in range(3)),
    )
    axis = best[world]
    return axis, 1 if directions[world, axis] >= 0 else -1


def pixel_area_mm2(affine: Affine, slice_axis: int) -> float:
    """Area of one pixel of a slice.

    Examples
    --------
    >>> pixel_area_mm2(np.diag([0.5, 0.5, 24.0, 1.0]), 2)
    0.25
    """
    first, second = (affine[:3, axis] for axis in range(3) if axis != slice_axis)
    return float(np.linalg.norm(np.cross(first, second)))


def voxel_volume_mm3(affine: Affine) -> float:
    """Volume of one voxel: slice spacing times pixel area, shear included.

    Examples
    --------
    >>> round(voxel_volume_mm3(np.diag([0.5, 0.5, 24.0, 1.0])), 6)
    6.0
    """
    return float(abs(np.linalg.det(affine[:3, :3])))
