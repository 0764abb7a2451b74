"""Registration of one limb at two times: a rigid move with a shift along the limb, then in-plane deformation.

Arrays are (x, y, slice) with affines to millimetres. A transform takes places of the *fixed* (later) image to
places of the *moving* (earlier) one, so that what is known of the earlier image can be looked up.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

START_STEP_MM = 12.0
"""Shifts along the limb are tried this far apart, wherever the scanner says that the stacks lie."""
STARTS = 3
"""So many of them are searched."""
COARSE_MM = 5.0
"""In-plane distance of the places that the rigid search compares."""
COARSE_SLICES = 8
"""About so many slices are compared by the rigid search; its answer is settled afterwards."""
LEAST_OVERLAP = 0.5
"""Share of the compared places that must lie within the earlier stack."""
LEVELS = ((4, 8, 4.0), (2, 8, 4.0))
"""Of each level: in-plane reduction, iterations, SD (mm) of the window in which the displacement is one. The
last voxel is left to ``numerics/border_shift.py``, which lets neighbours part."""
SETTLE_MM, SETTLE_ROUNDS = 3.75, 4
"""In-plane distance of the places, and Gauss-Newton steps, by which the height is settled."""
SETTLE_CORRELATED = 60.0
"""So many neighbouring differences count as one: only the prior against the data depends on it (proposal)."""
SETTLE_PRIOR = (3.0, 1e3, 1e3, 0.05, 0.05, 0.05, 0.05)
"""Prior SD of height (mm), move (mm) and in-plane stretch: loose (proposal)."""
RIDGE = 0.02
"""Added to the structure tensor, as a share of its mean trace: without edges nothing moves."""
SMOOTH = 0.5
"""SD of the smoothing of the displacement after each iteration, against the window's."""
BLUR = 1.2
"""Both images are smoothed by this SD (voxels): interpolating one of them then hardly blurs it more."""
LONGEST = 1.0
"""Longest step of an iteration, in voxels of its level."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Channels of one visit on one grid.

    Parameters
    ----------
    channels : ndarray, shape (channel, x, y, slice), float32
        Comparable between visits, about 0-1.
    affine : ndarray, shape (4, 4)
        Voxel indices (x, y, slice) to millimetres.
    """

    channels: Images
    affine: Floats


@dataclass(frozen=True, slots=True)
class Rigid:
    """A turn in the plane of the slices about ``centre`` (mm), then a move; ``axes``: columns x, y, slice."""

    angle_rad: float
    move_mm: Floats
    centre: Floats
    axes: Floats

    def __call__(self, places: Floats) -> Floats:
        """Places (3, n) of the later image -> places of the earlier one."""
        cosine, sine = np.cos(self.angle_rad), np.sin(self.angle_rad)
        turn = self.axes @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ self.axes.T
        moved = turn @ (places - self.centre[:, None]) + (self.centre + self.axes @ self.move_mm)[:, None]
        return np.asarray(moved)


def find_rigid(moving: Stack, fixed: Stack) -> Rigid:
    """The rigid move that makes the earlier limb look most like the later one.

    Parameters
    ----------
    moving, fixed : Stack
        Earlier and later visit, one limb each; air around it is compared, too.

    Returns
    -------
    Rigid
        The best of several starts along the limb; least mean squared difference, by Powell's search.
    """
    steps = np.linalg.norm(fixed.affine[:3, :3], axis=0)
    axes = _orthonormal(fixed.affine[:3, :3] / steps)
    thin = [max(1, round(COARSE_MM / step)) for step in steps[:2]]
    shape = fixed.channels.shape[1:]
    every = max(1, shape[2] // COARSE_SLICES)
    ranges = (np.arange(0, shape[0], thin[0]), np.arange(0, shape[1], thin[1]), np.arange(0, shape[2], every))
    index = np.stack(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1).astype(np.float64)
    places = _to_world(fixed.affine, index)
    sigma = [COARSE_MM / 2 / step for step in steps[:2]]
    smooth_moving, smooth_fixed = (_blurred(stack.channels, sigma) for stack in (moving, fixed))
    target = _lookup(smooth_fixed, index)
    centre = places.mean(axis=1)
    first = _first_move(moving, fixed, axes)

    def cost(parameters: Floats) -> float:
        move = Rigid(float(parameters[0]) / 50, parameters[1:], centre, axes)
        there = _to_index(moving.affine, move(places))
        known = _within(there, smooth_moving.shape[1:])
        if known.mean() < LEAST_OVERLAP:
            return 10.0 - float(known.mean())
        found = _lookup(smooth_moving, there[:, known])
        return float(np.mean((found - target[:, known]) ** 2))

    def search(start: Floats, evaluations: int) -> tuple[float, Floats]:
        found = optimize.minimize(
            cost, start, method="Powell", options={"xtol": 0.02, "ftol": 1e-5, "maxfev": evaluations}
        )
        return float(found.fun), np.asarray(found.x, dtype=np.float64)

    shifts_mm = _shifts(moving, rigid_centre=centre, axis=axes[:, 2], reach_mm=np.ptp(axes[:, 2] @ places))
    begun = sorted((np.array([0.0, *first, shift]) for shift in shifts_mm), key=cost)[:STARTS]
    tries = [search(start, 60) for start in begun]
    best = search(min(tries, key=lambda found: found[0])[1], 120)[1]
    return Rigid(float(best[0]) / 50, np.asarray(best[1:]), centre, axes)


def _shifts(moving: Stack, *, rigid_centre: Floats, axis: Floats, reach_mm: float) -> Floats:
    """Shifts along the limb at which the stacks overlap enough, and none at all."""
    middle = (np.array(moving.channels.shape[1:]) - 1) / 2
    between = float(axis @ (_to_world(moving.affine, middle[:, None])[:, 0] - rigid_centre))
    tall = float(np.linalg.norm(moving.affine[:3, 2])) * moving.channels.shape[3]
    most = max(0.0, (tall + reach_mm) / 2 - LEAST_OVERLAP * reach_mm)
    steps = np.arange(-np.floor(most / START_STEP_MM), np.floor(most / START_STEP_MM) + 1)
    return np.append(between + START_STEP_MM * steps, [-START_STEP_MM, 0.0, START_STEP_MM])


def settle(moving: Stack, fixed: Stack, rigid: Rigid) -> tuple[Rigid, float]:
    """The rigid move again, beside an in-plane stretch that takes up growth and loss.

    A limb that lost tissue looks like the same limb nearer to the knee: without the stretch the search trades
    a loss for a shift along the limb, and half of the loss is gone.

    Parameters
    ----------
    moving, fixed : Stack
        Earlier and later visit.
    rigid : Rigid
        From :func:`find_rigid`, right to within a slice.

    Returns
    -------
    Rigid
        With the settled move; turn and stretch are left to the deformation.
    float
        SD of the height, mm, as far as the differences of the images tell.

    References
    ----------
    Gauss-Newton with weights of Cauchy type; the seven parameters are height, move and in-plane linear map.
    """
    steps = np.linalg.norm(fixed.affine[:3, :3], axis=0)
    thin = [max(1, round(SETTLE_MM / step)) for step in steps[:2]]
    early, late = (
        _blurred(
            one.channels, [SETTLE_MM / 2 / float(step) for step in np.linalg.norm(one.affine[:3, :2], axis=0)]
        )
        for one in (moving, fixed)
    )
    shape = late.shape[1:]
    ranges = (np.arange(0, shape[0], thin[0]), np.arange(0, shape[1], thin[1]), np.arange(shape[2]))
    index = np.stack(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1)
    target = late[:, index[0], index[1], index[2]]
    there = _to_index(moving.affine, rigid(_to_world(fixed.affine, index.astype(np.float64))))
    to_index = np.linalg.solve(moving.affine[:3, :3], rigid.axes)
    known = (there[2] >= 0) & (there[2] <= early.shape[3] - 1)
    if known.sum() < 10 * len(SETTLE_PRIOR):
        return rigid, SETTLE_PRIOR[0]
    beside = (rigid.axes.T @ _to_world(moving.affine, there))[:2]
    beside = beside - beside[:, known].mean(axis=1, keepdims=True)
    prior = np.asarray(SETTLE_PRIOR)
    found, doubt = np.zeros(len(prior)), prior[0]
    half_slice = float(np.linalg.norm(moving.affine[:3, 2])) / 2
    reach = np.diag(np.array([float(steps[0]) / 2, float(steps[1]) / 2, half_slice]))
    for _ in range(SETTLE_ROUNDS):
        places = there + to_index @ _stretched(found, beside)
        inside = (places[2] >= 0) & (places[2] <= early.shape[3] - 1)
        slopes = [_slope(early, places[:, inside], to_index @ part) / (2 * part.sum()) for part in reach]
        off = target[:, inside] - _lookup(early, places[:, inside])
        normal, push = _normal(slopes, off, beside[:, inside])
        normal += np.diag(1 / prior**2)
        found = found + np.linalg.solve(normal, push - found / prior**2)
        doubt = float(np.sqrt(np.linalg.inv(normal)[0, 0]))
    move = rigid.move_mm + np.array([found[1], found[2], found[0]])
    return Rigid(rigid.angle_rad, move, rigid.centre, rigid.axes), doubt


def _stretched(found: Floats, beside: Floats) -> Floats:
    """Movement (3, n) in millimetres along the limb's axes."""
    height, move, linear = found[0], found[1:3, None], found[3:].reshape(2, 2)
    return np.vstack([move + linear @ beside, np.full(beside.shape[1], height)[None]])


def _slope(channels: Images, places: Floats, reach: Floats) -> Images:
    return _lookup(channels, places + reach[:, None]) - _lookup(channels, places - reach[:, None])


def _normal(slopes: list[Images], off: Images, beside: Floats) -> tuple[Floats, Floats]:
    """Normal equations of height, move and stretch over all channels."""
    x, y, z = slopes
    size = len(SETTLE_PRIOR)
    normal, push = np.zeros((size, size)), np.zeros(size)
    for channel, left in enumerate(off):
        across, along = x[channel], y[channel]
        lines = [across * beside[0], across * beside[1], along * beside[0], along * beside[1]]
        design = np.stack([z[channel], across, along, *lines]).astype(np.float64)
        variance = float(np.var(left)) + 1e-12
        weight = 1 / np.sqrt(1 + left**2 / (4 * variance)) / variance / SETTLE_CORRELATED
        normal += (design * weight) @ design.T
        push += (design * weight) @ left
    return normal, push


def find_deformation(moving: Stack, fixed: Stack, rigid: Rigid) -> Images:
    """In-plane displacement that is left after the rigid move.

    Parameters
    ----------
    moving, fixed : Stack
        Earlier and later visit.
    rigid : Rigid
        From :func:`find_rigid`.

    Returns
    -------
    ndarray, shape (2, x, y, slice), float32
        Voxels of the later grid along x and y, to be added before the rigid move.

    References
    ----------
    Lucas BD, Kanade T. Proc IJCAI 1981:674 (windowed least squares), coarse to fine, symmetric slopes.
    """
    shape = fixed.channels.shape[1:]
    index = np.indices(shape, dtype=np.float64).reshape(3, -1)
    there = _to_index(moving.affine, rigid(_to_world(fixed.affine, index)))
    rough = _lookup(moving.channels, there, fine=True).reshape(fixed.channels.shape)
    covered = _within(there, moving.channels.shape[1:]).reshape(shape)
    late, early = (
        _blurred(one, [BLUR, BLUR]) for one in (fixed.channels, np.where(covered, rough, fixed.channels))
    )
    steps = np.linalg.norm(fixed.affine[:3, :3], axis=0)
    field = np.zeros((2, *shape), dtype=np.float32)
    for reduction, rounds, window_mm in LEVELS:
        small = [_reduced(images, reduction) for images in (early, late)]
        start = np.asarray(_resized(field, small[0].shape[1:]) / reduction, dtype=np.float32)
        level_mm = (float(steps[0]) * reduction, float(steps[1]) * reduction)
        field = _resized(_flow(small[0], small[1], start, (level_mm, window_mm), rounds), shape)
        field = np.asarray(field * reduction, dtype=np.float32)
    return field


def look_up(rigid: Rigid, field: Images, affine_moving: Floats, affine_fixed: Floats) -> Floats:
    """Voxel indices (3, x, y, slice) of the earlier image for every voxel of the later one."""
    index = np.indices(field.shape[1:], dtype=np.float64)
    index[:2] += field
    places = rigid(_to_world(affine_fixed, index.reshape(3, -1)))
    return _to_index(affine_moving, places).reshape(3, *field.shape[1:])


def _flow(
    moving: Images, fixed: Images, field: Images, scale: tuple[tuple[float, float], float], rounds: int
) -> Images:
    """Displacement by windowed least squares; a windowed difference in brightness is no movement."""
    grid = np.indices(fixed.shape[1:], dtype=np.float32)
    slopes_fixed, slopes_moving = (
        [np.gradient(channel, axis=(0, 1)) for channel in one] for one in (fixed, moving)
    )
    step_mm, window_mm = scale
    window, gentle = (
        tuple(max(width / step, 0.7) for step in step_mm) for width in (window_mm, SMOOTH * window_mm)
    )

    def mean(values: Images) -> Images:
        return np.asarray(ndimage.gaussian_filter(values, (*window, 0.5)))

    for _ in range(rounds):
        places = grid.copy()
        places[:2] += field
        tensor = np.zeros((3, *fixed.shape[1:]), dtype=np.float32)
        push = np.zeros_like(field)
        for channel, own, other in zip(range(len(moving)), slopes_fixed, slopes_moving, strict=True):
            off = fixed[channel] - _sampled(moving[channel], places)
            x, y = ((one + _sampled(two, places)) / 2 for one, two in zip(own, other, strict=True))
            off_mean, x_mean, y_mean = mean(off), mean(x), mean(y)
            tensor[0] += mean(x * x) - x_mean**2
            tensor[1] += mean(x * y) - x_mean * y_mean
            tensor[2] += mean(y * y) - y_mean**2
            push[0] += mean(off * x) - off_mean * x_mean
            push[1] += mean(off * y) - off_mean * y_mean
        ridge = RIDGE * float((tensor[0] + tensor[2]).mean()) + 1e-8
        xx, xy, yy = tensor[0] + ridge, tensor[1], tensor[2] + ridge
        determinant = xx * yy - xy**2
        step = np.stack([yy * push[0] - xy * push[1], xx * push[1] - xy * push[0]]) / determinant
        field = field + np.clip(step, -LONGEST, LONGEST)
        field = np.stack([ndimage.gaussian_filter(part, (*gentle, 0.5)) for part in field])
    return np.asarray(field, dtype=np.float32)


def _sampled(image: Images, places: Images) -> Images:
    return np.asarray(ndimage.map_coordinates(image, places, order=1, mode="nearest"), dtype=np.float32)


def _reduced(images: Images, factor: int) -> Images:
    if factor == 1:
        return images
    blurred = ndimage.gaussian_filter(images, (0, factor / 2, factor / 2, 0))
    return np.asarray(blurred[:, factor // 2 :: factor, factor // 2 :: factor])


def _resized(field: Images, shape: tuple[int, ...]) -> Images:
    if field.shape[1:] == tuple(shape):
        return field
    places = np.stack(
        np.meshgrid(
            *(
                (np.arange(new) + 0.5) * old / new - 0.5
                for new, old in zip(shape, field.shape[1:], strict=True)
            ),
            indexing="ij",
        )
    )
    return np.stack([_sampled(part, places.astype(np.float32)) for part in field])


def _first_move(moving: Stack, fixed: Stack, axes: Floats) -> Floats:
    """In-plane move between the middles of mass of the first channel."""
    middles = []
    for stack in (moving, fixed):
        mass = stack.channels[0]
        total = float(mass.sum()) or 1.0
        index = np.array(
            [float((mass.sum(axis=other) * np.arange(n)).sum()) / total for other, n in _sides(mass)]
        )
        middles.append(_to_world(stack.affine, index[:, None])[:, 0])
    return np.asarray((axes.T @ (middles[0] - middles[1]))[:2])


def _sides(mass: Images) -> list[tuple[tuple[int, int], int]]:
    return [((1, 2), mass.shape[0]), ((0, 2), mass.shape[1]), ((0, 1), mass.shape[2])]


def _blurred(channels: Images, sigma: list[float]) -> Images:
    return np.asarray(ndimage.gaussian_filter(channels, (0, *sigma, 0)), dtype=np.float32)


def _lookup(channels: Images, index: Floats, fine: bool = False) -> Images:
    """Values at places; linearly along the limb, in the plane linearly or finely by cubic splines."""
    if fine:
        return _spline_lookup(channels, index)
    return np.stack(
        [ndimage.map_coordinates(channel, index, order=1, mode="nearest") for channel in channels]
    ).astype(np.float32)


def _spline_lookup(channels: Images, index: Floats) -> Images:
    low = np.clip(np.floor(index[2]), 0, channels.shape[3] - 1).astype(np.intp)
    share = np.clip(index[2] - low, 0.0, 1.0)
    out = np.zeros((len(channels), index.shape[1]), dtype=np.float32)
    for level in range(channels.shape[3]):
        for weight, chosen in ((1 - share, low == level), (share, low == level - 1)):
            if chosen.any():
                places = index[:2, chosen]
                for channel in range(len(channels)):
                    image = channels[channel, :, :, level]
                    found = ndimage.map_coordinates(image, places, order=3, mode="nearest")
                    out[channel, chosen] += weight[chosen] * found
    last = low == channels.shape[3] - 1
    out[:, last] /= np.maximum(1 - share[last], 1e-6)
    return out


def _within(index: Floats, shape: tuple[int, ...]) -> Bools:
    """Places within the stack; half a slice beyond its ends counts, in the plane everything does."""
    inside: Bools = (index[2] >= -0.5) & (index[2] <= shape[2] - 0.5)
    return inside


def _to_world(affine: Floats, index: Floats) -> Floats:
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3:])


def _to_index(affine: Floats, places: Floats) -> Floats:
    return np.asarray(np.linalg.solve(affine[:3, :3], places - affine[:3, 3:]))


def _orthonormal(directions: Floats) -> Floats:
    """Nearest orthonormal axes to the columns."""
    left, _, right = np.linalg.svd(directions)
    return np.asarray(left @ right)
