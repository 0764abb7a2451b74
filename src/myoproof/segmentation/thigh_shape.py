"""The shape of a thigh: a mean and modes of variation of eleven muscles, placed in a leg by a smooth pose."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

CLASSES = 12
"""Background and eleven muscles."""
SOFT_MM = 15.0
"""Signed distances d are stored as SOFT_MM * tanh(d / SOFT_MM): far away nothing more is told."""
REACH_MM = 150.0
"""Heights count from the middle of the scan, in this unit, where the pose changes along the leg."""
POSE = (
    ("up_mm", 60.0), ("length", 0.08),
    ("across_mm", 12.0), ("across_1_mm", 8.0), ("across_2_mm", 5.0),
    ("deep_mm", 12.0), ("deep_1_mm", 8.0), ("deep_2_mm", 5.0),
    ("size", 0.12), ("size_1", 0.06), ("aspect", 0.06),
    ("turn", 0.20), ("turn_1", 0.10), ("shear", 0.06),
)  # fmt: skip
"""Name and prior standard deviation of each pose parameter (mm, log scale, rad), about the mean thigh."""
POSE_SD: Floats = np.array([sd for _, sd in POSE])


@dataclass(frozen=True, slots=True)
class Atlas:
    """Signed distances on a grid of the mean thigh.

    Parameters
    ----------
    values : ndarray, shape (node, 12, 1 + mode), float32
        Mean and modes (one standard deviation each) of the soft signed distances, mm, negative inside;
        the background's is that of what is no muscle. Nodes run over height, across, front.
    shape : tuple of int
        Nodes along height, medial to lateral, back to front.
    steps_mm : tuple of float
        Between nodes, in the same order; the grid's middle lies at 0.
    """

    values: Images
    shape: tuple[int, int, int]
    steps_mm: tuple[float, float, float]

    @property
    def modes(self) -> int:
        """How many modes of variation there are."""
        return int(self.values.shape[2]) - 1


@dataclass(frozen=True, slots=True)
class Places:
    """Where the pixels of a leg lie in it.

    Parameters
    ----------
    across_mm, deep_mm : ndarray, shape (pixel,)
        Medial to lateral and back to front, from the leg's axis.
    height_mm : ndarray, shape (pixel,)
        Upward, from the middle of the scan.
    """

    across_mm: Floats
    deep_mm: Floats
    height_mm: Floats


@dataclass(frozen=True, slots=True)
class Sampled:
    """The atlas at the pixels of a leg: distances, their modes, and how they change with the pose."""

    distance: Images
    modes: Images
    by_pose: Images


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The atlas that ships with the package; made by ``recipes/thigh/shape_atlas.py``."""
    with (
        (files("myoproof.segmentation") / "weights" / "thigh_shape.npz").open("rb") as stream,
        np.load(stream) as data,
    ):
        return unpacked({key: data[key] for key in data.files})


def unpacked(data: dict[str, npt.NDArray[np.generic]]) -> Atlas:
    """An atlas from its stored arrays: ``mean`` and coarser ``modes`` as int8 with their ``units``."""
    mean = data["mean"].astype(np.float32) * float(data["mean_unit"])
    units = data["mode_units"].astype(np.float32)
    shape = (mean.shape[1], mean.shape[2], mean.shape[3])
    values = np.empty((*shape, CLASSES, 1 + len(units)), dtype=np.float32)
    values[..., 0] = np.moveaxis(mean, 0, -1)
    for number, unit in enumerate(units):
        for label, part in enumerate(data["modes"][number].astype(np.float32)):
            values[..., label, 1 + number] = unit * _finer(part, shape)
    steps = data["steps_mm"].astype(np.float64)
    return Atlas(
        values.reshape(-1, CLASSES, 1 + len(units)),
        shape,
        (float(steps[0]), float(steps[1]), float(steps[2])),
    )


def _finer(part: Images, shape: tuple[int, int, int]) -> Images:
    """Linear interpolation from a coarser grid over the same span."""
    axes = [np.linspace(0, have - 1, want) for have, want in zip(part.shape, shape, strict=True)]
    for axis, places in enumerate(axes):
        low = np.minimum(places.astype(np.intp), part.shape[axis] - 2)
        share = (places - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        part = part.take(low, axis) * (1 - share) + part.take(low + 1, axis) * share
    return part


def sampled(model: Atlas, places: Places, pose: Floats, weights: Floats) -> Sampled:
    """The atlas under a pose.

    Parameters
    ----------
    model : Atlas
        The shapes.
    places : Places
        Of the pixels.
    pose : ndarray, shape (14,)
        As in POSE.
    weights : ndarray, shape (mode,)
        Of the modes, in standard deviations.
    """
    where, by_pose = _posed(places, pose)
    matrix = _interpolation(model, where)
    flat = matrix @ model.values.reshape(len(model.values), -1)
    found = flat.reshape(len(flat), CLASSES, -1)
    whole = model.values[..., 0] + model.values[..., 1:] @ weights.astype(np.float32)
    slopes = _slopes(model, whole, matrix)
    return Sampled(
        found[..., 0] + found[..., 1:] @ weights.astype(np.float32),
        found[..., 1:],
        np.einsum("anc,anp->ncp", slopes, by_pose, optimize=True),
    )


def distances(model: Atlas, places: Places, pose: Floats, weights: Floats) -> Images:
    """Soft signed distances alone, shape (pixel, 12), mm."""
    where, _ = _posed(places, pose, slopes=False)
    whole = model.values[..., 0] + model.values[..., 1:] @ weights.astype(np.float32)
    return np.asarray(_interpolation(model, where) @ whole, dtype=np.float32)


def _posed(places: Places, pose: Floats, *, slopes: bool = True) -> tuple[Floats, Images]:
    """Places in the mean thigh (height, across, deep; pixel), and their derivatives by pose."""
    z = places.height_mm / REACH_MM
    one, square = np.ones_like(z), z**2
    x = places.across_mm - (pose[2] + pose[3] * z + pose[4] * square)
    y = places.deep_mm - (pose[5] + pose[6] * z + pose[7] * square)
    size = pose[8] + pose[9] * z
    turn = pose[11] + pose[12] * z
    wide, tall = np.exp(-size - pose[10]), np.exp(-size + pose[10])
    cos, sin = np.cos(turn), np.sin(turn)
    a, b = cos * x + sin * y, -sin * x + cos * y
    lean = a + pose[13] * b
    where = np.stack([places.height_mm * np.exp(-pose[1]) + pose[0], wide * lean, tall * b])
    if not slopes:
        return where, np.empty(0, dtype=np.float32)
    by = np.zeros((3, z.size, len(POSE)), dtype=np.float32)
    by[0, :, 0] = 1.0
    by[0, :, 1] = -places.height_mm * np.exp(-pose[1])
    for first, (da, db) in ((2, (cos, -sin)), (5, (sin, cos))):
        for power, factor in enumerate((one, z, square)):
            by[1, :, first + power] = -wide * (da + pose[13] * db) * factor
            by[2, :, first + power] = -tall * db * factor
    by[1, :, 8], by[2, :, 8] = -where[1], -where[2]
    by[1, :, 9], by[2, :, 9] = -where[1] * z, -where[2] * z
    by[1, :, 10], by[2, :, 10] = -where[1], where[2]
    by[1, :, 11], by[2, :, 11] = wide * (b - pose[13] * a), -tall * a
    by[:, :, 12] = by[:, :, 11] * z
    by[1, :, 13] = wide * b
    return where, by


def _interpolation(model: Atlas, where: Floats) -> sparse.csr_matrix:
    """Trilinear weights, shape (pixel, node); beyond the grid its rim goes on."""
    count = where.shape[1]
    low, share = [], []
    for axis in range(3):
        size = model.shape[axis]
        index = np.clip(where[axis] / model.steps_mm[axis] + (size - 1) / 2, 0, size - 1 - 1e-6)
        low.append(index.astype(np.int32))
        share.append((index - low[-1]).astype(np.float32))
    columns = np.empty((count, 8), dtype=np.int32)
    weights = np.empty((count, 8), dtype=np.float32)
    for corner, (i, j, k) in enumerate(np.ndindex(2, 2, 2)):
        columns[:, corner] = ((low[0] + i) * model.shape[1] + low[1] + j) * model.shape[2] + low[2] + k
        weights[:, corner] = (
            (share[0] if i else 1 - share[0])
            * (share[1] if j else 1 - share[1])
            * (share[2] if k else 1 - share[2])
        )
    starts = np.arange(0, 8 * count + 1, 8, dtype=np.int32)
    return sparse.csr_matrix((weights.ravel(), columns.ravel(), starts), shape=(count, len(model.values)))


def _slopes(model: Atlas, whole: Images, matrix: sparse.csr_matrix) -> Images:
    """Change of the distances by a millimetre up, across and to the front, shape (3, pixel, 12)."""
    grid = whole.reshape(*model.shape, CLASSES)
    out = [
        matrix @ np.gradient(grid, model.steps_mm[axis], axis=axis).reshape(-1, CLASSES) for axis in range(3)
    ]
    return np.asarray(np.stack(out), dtype=np.float32)


def soft(distance_mm: Images) -> Images:
    """Distances that say nothing more from some 15 mm on."""
    return np.asarray(SOFT_MM * np.tanh(distance_mm / SOFT_MM), dtype=np.float32)


def smoothed_axis(heights_mm: Floats, centres_mm: Floats) -> Floats:
    """The leg's axis: a parabola through the middles of its slices, shape (slice, 2)."""
    degree = min(2, len(heights_mm) - 1)
    z = (heights_mm - heights_mm.mean()) / REACH_MM
    basis = np.stack([z**power for power in range(degree + 1)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, centres_mm, rcond=None)
    return np.asarray(basis @ fit, dtype=np.float64)
