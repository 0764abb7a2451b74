"""How far each region's border has moved between two visits, from the signal on its own side of the border.

Neighbours are followed apart: the voxels that tell where a region has gone are those around its own border,
few of them across the seam to the next region, so that two regions may part. A region's change of intensity
(fat that replaced muscle) is estimated beside its movement and does not drive it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import ndimage

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Window = tuple[slice, slice, slice]

INNER_MM, OUTER_MM = 2.0, 2.5
"""The band around a border that is compared (proposals)."""
RIVAL_MM = 1.5
"""Voxels that lie nearer to a neighbour by up to this belong to the band, too: a seam of a voxel's width
needs both of its flanks (proposal)."""
WINDOW_MM = 4.0
"""SD, in the plane, of the window in which a border moves as one (proposal)."""
WINDOW_SLICES = 1.0
"""And along the limb."""
FAR_MM = 6.0
"""SD of the window in which the change of intensity inside a region is one (proposal)."""
CORE_MM = 1.2
"""Voxels this deep inside a region tell its change of intensity."""
GAIN_MM = 20.0
"""SD of the window in which the receive fields differ by one factor (proposal)."""
HALF = 0.25
"""Slopes are differences over twice this share of a voxel."""
REACH_MM = 4.0
"""Movement is wanted this far around a region."""
ROUNDS = 6
"""Gauss-Newton steps; the second half hardly moves anything."""
RIDGE = 0.02
"""Added to the structure tensor, as a share of its mean trace."""
LONGEST = 0.7
"""Longest step, voxels."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two visits on one grid.

    Parameters
    ----------
    early : ndarray, shape (channel, x, y, slice), float32
        Earlier images on their own grid, as :func:`prefilter` gives them.
    late : ndarray, shape (channel, x, y, slice), float32
        Later images. Channels mix linearly within a voxel (fat and water signal, not their ratio).
    places : ndarray, shape (3, x, y, slice)
        Earlier voxel index of each later voxel, as far as known.
    linear : ndarray, shape (3, 2)
        Earlier voxel index per later voxel along x and y.
    covered : ndarray of bool, shape (x, y, slice)
        Where both visits have data.
    steps_mm : ndarray, shape (3,)
        Size of the later voxels.
    """

    early: Images
    late: Images
    places: Floats
    linear: Floats
    covered: Bools
    steps_mm: Floats


@dataclass(frozen=True, slots=True)
class Shift:
    """Movement of one region within ``window``: later voxels along x and y, added to the later place."""

    window: Window
    move: Images

    def places(self, pair_places: Floats, linear: Floats) -> Floats:
        """Earlier voxel index (3, ...) of every later voxel of the window."""
        return np.asarray(pair_places[(slice(None), *self.window)] + np.tensordot(linear, self.move, 1))


def prefilter(channels: Images) -> Images:
    """Coefficients of the in-plane cubic B-spline through images (channel, x, y, slice)."""
    across = ndimage.spline_filter1d(channels, 3, axis=1, output=np.float32, mode="mirror")
    both = ndimage.spline_filter1d(across, 3, axis=2, output=np.float32, mode="mirror")
    return np.ascontiguousarray(both, dtype=np.float32)


def sample(coefficients: Images, places: Floats) -> Images:
    """Images at places: cubic B-splines in the plane, linear between slices, edges held.

    Parameters
    ----------
    coefficients : ndarray, shape (channel, x, y, slice), float32
        From :func:`prefilter`.
    places : ndarray, shape (3, ...)
        Voxel indices.

    Returns
    -------
    ndarray, shape (channel, ...), float32

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.broadcast_to(np.arange(20, dtype=np.float32)[None, :, None, None], (1, 20, 20, 2))
    >>> bool(abs(sample(prefilter(ramp), np.array([[7.25], [5.0], [0.5]]))[0, 0] - 7.25) < 1e-3)
    True
    """
    flat = np.ascontiguousarray(places.reshape(3, -1), dtype=np.float64)
    return np.asarray(_sampled(coefficients, flat)).reshape(len(coefficients), *places.shape[1:])


def border_shift(pair: Pair, distance_mm: Mapping[int, Images]) -> dict[int, Shift]:
    """Movement of every region's border that is left between two visits.

    Parameters
    ----------
    pair : Pair
        The visits, registered but for the last voxel.
    distance_mm : mapping of int to ndarray, shape (x, y, slice)
        Signed distance to each region's outline on the later grid as carried so far, negative inside.

    Returns
    -------
    dict of int to Shift
        Regions without a voxel inside are left out.

    References
    ----------
    Freeborough PA, Fox NC. IEEE Trans Med Imaging 1997;16:623 (boundary shift integral): change of volume
    from the border's signal in registered visits. Lucas BD, Kanade T. Proc IJCAI 1981:674.
    """
    stacked = np.stack(list(distance_mm.values()))
    two = (
        np.partition(stacked, 1, axis=0)[:2] if len(stacked) > 1 else np.stack([stacked[0], stacked[0] + 99])
    )
    ratio = _gain(pair)
    slopes = _slopes(pair, ratio)
    out = {}
    for label, distance in distance_mm.items():
        if not ((distance < 0) & pair.covered).any():
            continue
        window = _box(distance < REACH_MM)
        own = distance[window]
        rival = np.where(two[0][window] == own, two[1][window], two[0][window])
        band = (own <= rival + RIVAL_MM) & (own > -INNER_MM) & (own < OUTER_MM) & pair.covered[window]
        here = (slice(None), *window)
        part = Pair(
            pair.early,
            pair.late[here],
            pair.places[here],
            pair.linear,
            pair.covered[window],
            pair.steps_mm,
        )
        out[label] = Shift(window, _follow(part, (own, band), ratio[window], slopes[(slice(None), *here)]))
    return out


def _follow(pair: Pair, border: tuple[Images, Bools], ratio: Images, slopes: Images) -> Images:
    """Movement of one region, by windowed Gauss-Newton steps from none."""
    own, band = border
    near, far = ((*(width / pair.steps_mm[:2]), WINDOW_SLICES) for width in (WINDOW_MM, FAR_MM))
    core = ((own < -CORE_MM) & pair.covered).astype(np.float32)
    mass = np.maximum(ndimage.gaussian_filter(core, far), 1e-4)
    inside = np.clip(0.5 - own / np.float32(pair.steps_mm[:2].mean()), 0, 1)
    weight = band.astype(np.float32)
    move = np.zeros((2, *own.shape), dtype=np.float32)
    for _ in range(ROUNDS):
        found = sample(pair.early, pair.places + np.tensordot(pair.linear, move, 1)) * ratio
        off = pair.late - found
        replaced = np.stack([ndimage.gaussian_filter(part * core, far) / mass for part in off]) * inside
        off -= replaced
        tensor, push = np.zeros((3, *own.shape), dtype=np.float32), np.zeros_like(move)
        for channel, (x, y) in enumerate(slopes):
            tensor += weight * np.stack([x * x, x * y, y * y])
            push += weight * off[channel] * np.stack([x, y])
        tensor, push = (
            np.stack([ndimage.gaussian_filter(part, near) for part in parts]) for parts in (tensor, push)
        )
        move = move + np.clip(_solved(tensor, push, band), -LONGEST, LONGEST)
    return np.asarray(move, dtype=np.float32)


def _solved(tensor: Images, push: Images, band: Bools) -> Images:
    level = float((tensor[0] + tensor[2])[band].mean()) if band.any() else 0.0
    xx, xy, yy = tensor[0] + RIDGE * level + 1e-8, tensor[1], tensor[2] + RIDGE * level + 1e-8
    step = np.stack([yy * push[0] - xy * push[1], xx * push[1] - xy * push[0]]) / (xx * yy - xy**2)
    return np.asarray(step, dtype=np.float32)


def _slopes(pair: Pair, ratio: Images) -> Images:
    """Slopes (channel, 2, x, y, slice) of both visits' splines, averaged.

    Differences of neighbouring voxels would show none in a seam of a voxel's width.
    """
    late, out = prefilter(pair.late), []
    index = np.indices(pair.places.shape[1:], dtype=np.float64)
    for axis in range(2):
        aside, along = np.zeros((3, 1, 1, 1)), pair.linear[:, axis, None, None, None]
        aside[axis] = 1.0
        own = sample(late, index + HALF * aside) - sample(late, index - HALF * aside)
        other = sample(pair.early, pair.places + HALF * along) - sample(
            pair.early, pair.places - HALF * along
        )
        out.append((own + other * ratio) / (4 * HALF))
    return np.stack(out, axis=1)


def _gain(pair: Pair) -> Images:
    """Ratio of the receive fields, later over earlier."""
    early = sample(pair.early, pair.places).sum(axis=0) * pair.covered
    late = pair.late.sum(axis=0) * pair.covered
    sigma = (*(GAIN_MM / pair.steps_mm[:2]), 1.0)
    cross, power = (ndimage.gaussian_filter(part, sigma) for part in (early * late, early * early))
    return np.asarray(np.where(power > 1e-6, cross / np.maximum(power, 1e-6), 1.0), dtype=np.float32)


def _box(region: Bools) -> Window:
    seen = [
        np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
        for axis in range(3)
    ]
    first, second, third = (slice(int(one[0]), int(one[-1]) + 1) for one in seen)
    return first, second, third


@njit(cache=True, nogil=True)
def _weights(t: float) -> tuple[float, float, float, float]:
    """Cubic B-spline at t + 1, t, 1 - t, 2 - t."""
    u = 1.0 - t
    return (
        u * u * u / 6,
        (4 - 6 * t * t + 3 * t * t * t) / 6,
        (4 - 6 * u * u + 3 * u * u * u) / 6,
        t * t * t / 6,
    )


@njit(cache=True, nogil=True)
def _mirrored(index: int, size: int) -> int:
    index = abs(index)
    return index if index < size else max(2 * size - 2 - index, 0)


@njit(cache=True, nogil=True)
def _sampled(coefficients: Images, places: Floats) -> Images:
    n_channel, width, height, depth = coefficients.shape
    out = np.zeros((n_channel, places.shape[1]), dtype=np.float32)
    for i in range(places.shape[1]):
        x = min(max(places[0, i], 0.0), width - 1.0)
        y = min(max(places[1, i], 0.0), height - 1.0)
        z = min(max(places[2, i], 0.0), depth - 1.0)
        left, low, below = int(x), int(y), int(z)
        above, share = min(below + 1, depth - 1), z - below
        across, along = _weights(x - left), _weights(y - low)
        for a in range(4):
            column = _mirrored(left + a - 1, width)
            for b in range(4):
                row = _mirrored(low + b - 1, height)
                weight = across[a] * along[b]
                for channel in range(n_channel):
                    out[channel, i] += weight * (
                        (1.0 - share) * coefficients[channel, column, row, below]
                        + share * coefficients[channel, column, row, above]
                    )
    return out
