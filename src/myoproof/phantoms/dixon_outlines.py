"""True outlines of the simulated muscles on the acquired grid."""

import numpy as np
import numpy.typing as npt

from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon_anatomy import Anatomy

Images = npt.NDArray[np.float32]


def outlines(anatomy: Anatomy, voxel_mm: float) -> tuple[Images, Images]:
    """Signed distance to each muscle's true outline on the acquired grid, and how far the next muscle is.

    Returns
    -------
    outline_mm : ndarray, shape (11, x, y, slices), float32
        Negative inside; first order: the level function over its in-plane gradient.
    neighbour_mm : ndarray, same shape, float32
        From the outline to the next muscle across it; 0 where they touch.
    """
    distance = anatomy.distance_mm
    two = _two_nearest(distance)
    plain = [
        mean_last(own) for own in distance[: len(const.MUSCLES) + 1]
    ]  # bone and vessels are seen plainly
    near = _two_nearest(np.stack(plain))
    shape = (len(const.MUSCLES), *distance.shape[1:4])
    outline = np.empty(shape, dtype=np.float32)
    neighbour = np.empty(shape, dtype=np.float32)
    gap = np.float32(const.CONTACT_GAP_MM)
    for muscle in range(shape[0]):
        own = distance[muscle]
        other = np.where(own <= two[0], two[1], two[0])
        level = mean_last(np.maximum(own, (own - other + gap) / 2))
        slope = np.hypot(*np.gradient(level, voxel_mm, axis=(0, 1)))
        outline[muscle] = level / np.clip(slope, 0.5, 1.5)
        next_muscle = np.where(plain[muscle] <= near[0], near[1], near[0])
        neighbour[muscle] = np.maximum(plain[muscle] + next_muscle, 0)
    return outline, neighbour


def _two_nearest(distance: Images) -> tuple[Images, Images]:
    nearest = np.minimum(distance[0], distance[1])
    second = np.maximum(distance[0], distance[1])
    for own in distance[2:]:
        second = np.minimum(second, np.maximum(nearest, own))
        nearest = np.minimum(nearest, own)
    return nearest, second


def mean_last(values: Images) -> Images:
    """Mean over the sub-slices (a sum of views: a reduction over a short last axis is slow)."""
    total = values[..., 0] + values[..., 1]
    for sub in range(2, values.shape[-1]):
        total = total + values[..., sub]
    return np.asarray(total / np.float32(values.shape[-1]))
