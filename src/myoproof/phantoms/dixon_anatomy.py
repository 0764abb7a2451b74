"""Parametric anatomy of a thigh: chains of discs that vary along the leg, as distances on a grid."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.smooth import smooth_field

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

FAR_MM = np.float32(99.0)
"""Distance written where a structure is too far away to matter."""
NEAR_MM = 14.0
"""How far around a structure its distance is computed."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where distances are wanted, in mm from the femur's centre: x outwards, y forwards, z upwards.

    Parameters
    ----------
    x_mm, y_mm : ndarray
        Voxel centres in plane.
    z_mm : ndarray, shape (n_slices, n_sub)
        Heights of the sub-slices of every slice, from the middle of the stack.
    """

    x_mm: Floats
    y_mm: Floats
    z_mm: Floats

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Voxels in x and y, slices, sub-slices."""
        slices, sub_slices = self.z_mm.shape
        return len(self.x_mm), len(self.y_mm), slices, sub_slices

    @property
    def axes_mm(self) -> tuple[Floats, Floats, Floats]:
        """Positions in x, in y and of all sub-slices."""
        return self.x_mm, self.y_mm, self.z_mm.ravel()


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Distances to the structures of one thigh.

    Parameters
    ----------
    distance_mm : ndarray, shape (n_structures, x, y, slices, sub-slices), float32
        To the outline of each of ``dixon_constants.STRUCTURES`` as if it were alone; negative inside.
    fascia_mm, skin_mm : ndarray, shape (x, y, slices), float32
        To the fascia lata and the skin's surface; negative inside.
    marrow_mm : ndarray, shape (x, y, slices, sub-slices), float32
        To the inner surface of the femoral cortex; negative in the marrow.
    height : ndarray, shape (slices, sub-slices)
        Share of the thigh's length: 0 at the knee cap, 1 below the lesser trochanter.
    """

    distance_mm: Images
    fascia_mm: Images
    skin_mm: Images
    marrow_mm: Images
    height: Floats


def leg_window(anatomy: Anatomy) -> tuple[slice, slice]:
    """The smallest window in x and y that holds the leg in every slice, with a voxel of air around it."""
    body = anatomy.skin_mm.min(axis=2) < 0
    spans = (np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0)))
    rows, columns = (slice(max(int(span[0]) - 1, 0), int(span[-1]) + 2) for span in spans)
    return rows, columns


def cropped(anatomy: Anatomy, grid: Grid, window: tuple[slice, slice]) -> tuple[Anatomy, Grid]:
    """The part of an anatomy and of its grid within a window."""
    rows, columns = window
    part = Anatomy(
        anatomy.distance_mm[:, rows, columns],
        anatomy.fascia_mm[rows, columns],
        anatomy.skin_mm[rows, columns],
        anatomy.marrow_mm[rows, columns],
        anatomy.height,
    )
    return part, Grid(grid.x_mm[rows], grid.y_mm[columns], grid.z_mm)


@cache
def drawn_shapes() -> tuple[Floats, float, dict[str, Floats]]:
    """The drawn levels, the thigh's length (mm), and structure -> nodes (level, node, x y radius)."""
    text = (files("myoproof.phantoms") / "dixon_shapes.toml").read_text(encoding="utf-8")
    drawn = tomllib.loads(text)
    chains = {name: np.asarray(drawn["chains"][name], dtype=np.float64) for name in const.STRUCTURES}
    return np.asarray(drawn["levels"], dtype=np.float64), float(drawn["length_mm"]), chains


def build(
    grid: Grid,
    radius_factor: Floats,
    *,
    stack_centre: float,
    rng: np.random.Generator,
    anchor: Grid | None = None,
    turn_rad: float = 0.0,
) -> Anatomy:
    """Draw one person's thigh.

    Parameters
    ----------
    grid : Grid
        Where the distances are wanted.
    radius_factor : ndarray, shape (11,)
        Radius of each muscle against normal (atrophy below 1).
    stack_centre : float
        Height of the middle of the stack as a share of the thigh's length.
    rng : numpy.random.Generator
        Source of randomness.
    anchor : Grid, optional
        The grid of the person's first visit: the same seed then draws the same person.
    turn_rad : float
        In-plane turn of the leg.

    Returns
    -------
    Anatomy
        Distances in mm.
    """
    levels, length_mm, chains = drawn_shapes()
    size = const.SIZE_MEDIAN * np.exp(const.SIZE_SD * rng.standard_normal())
    height = stack_centre + grid.z_mm / (length_mm * size)
    inside = np.clip(height, 0.0, 1.0)
    place = _turn(turn_rad) @ _placement(size, rng)
    warp = _warp(grid, anchor or grid, rng)
    distance = np.full((len(const.STRUCTURES), *grid.shape), FAR_MM, dtype=np.float32)
    for number, name in enumerate(const.STRUCTURES):
        nodes = PchipInterpolator(levels, chains[name], axis=0)(inside)
        factor = radius_factor[number] if number < len(const.MUSCLES) else 1.0
        own = _vary(nodes, place, size * factor, moves=name != "femur", rng=rng)
        _fill_distance(distance[number], grid, own, warp)
    fascia, skin = _outlines(distance, grid, rng)
    cortex = np.interp(inside, levels, const.CORTEX_MM).astype(np.float32) * np.float32(size)
    marrow = distance[const.STRUCTURES.index("femur")] + cortex
    return Anatomy(distance, fascia, skin, marrow, height)


def _placement(size: float, rng: np.random.Generator) -> Floats:
    """The 2 x 2 matrix from drawn to personal positions."""
    aspect = np.exp(const.ASPECT_SD * rng.standard_normal())
    turn = _turn(const.ROTATION_SD_RAD * rng.standard_normal())
    return np.asarray(size * turn @ np.diag([aspect, 1.0 / aspect]), dtype=np.float64)


def _turn(angle: float) -> Floats:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _vary(nodes: Floats, place: Floats, size: float, *, moves: bool, rng: np.random.Generator) -> Floats:
    """Nodes (slices, sub-slices, node, 3) in personal millimetres."""
    shift = const.NODE_SD_MM * rng.standard_normal(2) * moves
    own_size = size * np.exp(const.MUSCLE_SIZE_SD * rng.standard_normal() * moves)
    radius = np.where(nodes[..., 2:] > 0, nodes[..., 2:] * own_size, nodes[..., 2:] * size)
    return np.concatenate([nodes[..., :2] @ place.T + shift, radius], axis=-1)


def _warp(grid: Grid, anchor: Grid, rng: np.random.Generator) -> tuple[Images, Images]:
    first, second = (
        smooth_field(grid.axes_mm, const.WARP_LENGTH_MM, rng=rng, anchor_mm=anchor.axes_mm).reshape(
            grid.shape
        )
        for _ in range(2)
    )
    scale = np.float32(const.WARP_SD_MM)
    return first * scale, second * scale


def _fill_distance(out: Images, grid: Grid, nodes: Floats, warp: tuple[Images, Images]) -> None:
    """Write the distance to one chain near it, sub-slice by sub-slice."""
    for k, s in np.ndindex(grid.z_mm.shape):
        chain = nodes[k, s]
        if chain[:, 2].max() <= 0:
            continue
        reach = chain[:, 2].max() + NEAR_MM
        rows = _window(grid.x_mm, chain[:, 0], reach)
        columns = _window(grid.y_mm, chain[:, 1], reach)
        x = grid.x_mm[rows, None].astype(np.float32) + warp[0][rows, columns, k, s]
        y = grid.y_mm[None, columns].astype(np.float32) + warp[1][rows, columns, k, s]
        out[rows, columns, k, s] = chain_distance(x, y, chain)


def _window(axis_mm: Floats, centres: Floats, reach: float) -> slice:
    first = int(np.searchsorted(axis_mm, centres.min() - reach))
    return slice(first, int(np.searchsorted(axis_mm, centres.max() + reach)))


def chain_distance(x_mm: Images, y_mm: Images, chain: Floats) -> Images:
    """Distance to a chain of discs joined by tapering bands; negative inside.

    Parameters
    ----------
    x_mm, y_mm : ndarray, float32
        Positions.
    chain : ndarray, shape (n_nodes, 3)
        Centre and radius of each disc, mm.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.array([[0.0, 5.0]], dtype=np.float32)
    >>> chain_distance(at, np.zeros_like(at), np.array([[0.0, 0.0, 2.0]])).tolist()
    [[-2.0, 3.0]]
    """
    points = chain.astype(np.float32)
    if len(points) == 1:
        return np.asarray(np.hypot(x_mm - points[0, 0], y_mm - points[0, 1]) - points[0, 2])
    parts = [_band(x_mm, y_mm, a, b) for a, b in pairwise(points)]
    return np.asarray(np.minimum.reduce(parts))


def _band(x_mm: Images, y_mm: Images, a: Images, b: Images) -> Images:
    dx, dy, dr = (b - a).tolist()
    px, py = x_mm - a[0], y_mm - a[1]
    along = np.clip(
        (px * np.float32(dx) + py * np.float32(dy)) / np.float32(max(dx * dx + dy * dy, 1e-6)), 0, 1
    )
    off = np.hypot(px - along * np.float32(dx), py - along * np.float32(dy))
    return np.asarray(off - (a[2] + along * np.float32(dr)))


def _outlines(distance: Images, grid: Grid, rng: np.random.Generator) -> tuple[Images, Images]:
    """Distance to the fascia lata (rounded convex outline of what it holds) and to the skin."""
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    normal = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    thickness = const.SUBCUTANEOUS_MEDIAN_MM * np.exp(const.SUBCUTANEOUS_SD * rng.standard_normal())
    around = thickness * (1 + 0.25 * np.cos(angle - rng.uniform(2.6, 4.2)) + 0.1 * np.cos(2 * angle - 1.0))
    x, y = np.meshgrid(grid.x_mm.astype(np.float32), grid.y_mm.astype(np.float32), indexing="ij")
    reach = normal @ np.stack([x.ravel(), y.ravel()])
    fascia = np.empty(grid.shape[:3], dtype=np.float32)
    skin = np.empty_like(fascia)
    for k in range(grid.shape[2]):
        held = (distance[:, :, :, k].min(axis=0) < 0).any(axis=2).ravel()
        outline = reach[:, held].max(axis=1, keepdims=True) + np.float32(const.FASCIA_MARGIN_MM)
        outside = reach - outline
        fascia[:, :, k] = outside.max(axis=0).reshape(x.shape)
        outside -= around.astype(np.float32)[:, None]
        skin[:, :, k] = outside.max(axis=0).reshape(x.shape)
    return fascia, skin
