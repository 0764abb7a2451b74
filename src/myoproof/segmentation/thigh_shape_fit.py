"""The shape of a thigh fitted to what a network believes: the most probable pose and modes."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.segmentation.thigh_shape import (
    CLASSES,
    POSE,
    POSE_SD,
    Atlas,
    Floats,
    Images,
    Places,
    Sampled,
    distances,
    sampled,
    smoothed_axis,
)

Bools = npt.NDArray[np.bool_]

PIXEL_MM = 2.0
"""Of the network's patches."""
EVERY = 3
"""Pixels of a patch that are averaged into one for the fit."""
MOST_SLICES = 18
"""Of more slices, so many evenly spread ones are fitted."""
TAU_MM = 4.0
"""How far the drawn border may lie from the fitted one: the softness of the shape's probabilities."""
WEIGHT = 0.08
"""What a pixel of the fit counts: neighbours say the same."""
DOUBT = 0.05
"""Share of pixels of which the network is wrong without knowing it."""
LEAST_CHANCE = 1e-5
MUTE = 0.6
"""Background found in fat may be any muscle: at least this share of its probability."""
SHIFT_SD_MM = 1.5
"""Prior standard deviation of a muscle's thinning or thickening beyond the modes."""
ROUNDS = 8
STARTS_MM = (-90.0, -45.0, 0.0, 45.0, 90.0)
"""Heights tried, about the place where the atlas and the scan share their middle."""
START_ROUNDS = 5
START_SLICES = 7
NEAR_MM = 10.0
"""How far around what may be muscle the fit looks."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a network believes of one leg, in its own orientation (medial to lateral, back to front).

    Parameters
    ----------
    chance : ndarray, shape (slice, 12, row, column), float32
        Probability of background and eleven muscles.
    images : ndarray, shape (slice, 2, row, column), float32
        Fat and water of the patches, over one scale; the same twice where there is one contrast.
    heights_mm : ndarray, shape (slice,)
        Upward along the scan.
    centres_mm : ndarray, shape (slice, 2)
        Where each patch's middle lies, medial to lateral and back to front.
    """

    chance: Images
    images: Images
    heights_mm: Floats
    centres_mm: Floats


@dataclass(frozen=True, slots=True)
class Target:
    """Pixels of a fit: where they lie, which class each may be, and what each counts."""

    places: Places
    chance: Images
    weight: Images
    slices: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fit:
    """A thigh's pose (POSE), modes (SD) and muscle shifts (mm), and the posterior's negative logarithm."""

    pose: Floats
    weights: Floats
    shifts: Floats
    cost: float


def places_of(evidence: Evidence, rows: Floats, columns: Floats) -> list[Places]:
    """Places of a slice's pixels, slice by slice, about the leg's axis."""
    axis = smoothed_axis(evidence.heights_mm, evidence.centres_mm)
    middle = (evidence.chance.shape[2] - 1) / 2
    height = evidence.heights_mm - (evidence.heights_mm[0] + evidence.heights_mm[-1]) / 2
    out = []
    for number in range(len(height)):
        centre = evidence.centres_mm[number] - axis[number]
        out.append(
            Places(
                (rows - middle) * PIXEL_MM + centre[0],
                (columns - middle) * PIXEL_MM + centre[1],
                np.full(rows.size, height[number]),
            )
        )
    return out


def target_of(evidence: Evidence, trust: Images) -> Target:
    """The pixels that count, on a coarser grid.

    Parameters
    ----------
    evidence : Evidence
        Of a leg.
    trust : ndarray, shape (slice, row, column), float32
        Exponent of the network's probabilities, 0-1.
    """
    count = len(evidence.chance)
    taken = np.unique(np.linspace(0, count - 1, min(count, MOST_SLICES)).round().astype(np.intp))
    half = EVERY // 2
    near = max(1, round(NEAR_MM / PIXEL_MM))
    parts, chances, slices = [], [], []
    grid = np.arange(half, evidence.chance.shape[2] - half, EVERY)
    rows, columns = (part.ravel() for part in np.meshgrid(grid, grid, indexing="ij"))
    everywhere = places_of(evidence, rows.astype(np.float64), columns.astype(np.float64))
    for number in taken:
        muscle = 1 - evidence.chance[number, 0] > 0.1
        wanted = ndimage.binary_dilation(muscle, np.ones((3, 3), dtype=bool), iterations=near)[rows, columns]
        tempered = tempered_chance(evidence.chance[number], trust[number], 1 - trust[number])
        coarse = ndimage.uniform_filter(tempered, (0, EVERY, EVERY))[:, rows[wanted], columns[wanted]]
        here = everywhere[number]
        parts.append(np.stack([here.across_mm, here.deep_mm, here.height_mm])[:, wanted])
        chances.append(coarse.T)
        slices.append(np.full(int(wanted.sum()), number))
    across, deep, height = np.concatenate(parts, axis=1)
    chance = np.concatenate(chances).astype(np.float32)
    return Target(
        Places(across, deep, height),
        chance,
        np.full(len(chance), WEIGHT, dtype=np.float32),
        np.concatenate(slices),
    )


def tempered_chance(chance: Images, trust: Images, mute: Images) -> Images:
    """What is left of the network's word: nearer to even, and less sure that there is no muscle.

    Parameters
    ----------
    chance : ndarray, shape (12, row, column), float32
        Of a slice.
    trust : ndarray, shape (row, column), float32
        Exponent, 0-1.
    mute : ndarray, shape (row, column), float32
        How little "no muscle" means here, 0-1.
    """
    out = np.maximum(chance, LEAST_CHANCE) ** trust
    out[1:] = np.maximum(out[1:], MUTE * mute * out[0])
    return np.asarray(out / out.sum(axis=0), dtype=np.float32)


def thinned(target: Target, most: int) -> Target:
    """A target of at most so many slices."""
    levels = np.unique(target.slices)
    kept = levels[np.unique(np.linspace(0, levels.size - 1, min(most, levels.size)).round().astype(np.intp))]
    mine = np.isin(target.slices, kept)
    places = Places(target.places.across_mm[mine], target.places.deep_mm[mine], target.places.height_mm[mine])
    return Target(
        places, target.chance[mine], target.weight[mine] * (levels.size / kept.size), target.slices[mine]
    )


def fit(
    model: Atlas, target: Target, start: Fit, *, rounds: int = ROUNDS, centre: Floats | None = None
) -> Fit:
    """Greatest posterior probability from a start, by damped Gauss-Newton steps.

    Parameters
    ----------
    model : Atlas
        The shapes.
    target : Target
        From :func:`target_of`.
    start : Fit
        Where to begin.
    rounds : int
        Steps at most.
    centre : ndarray, shape (14,), optional
        Middle of the pose's prior; zeros by default.
    """
    middle = np.zeros(len(POSE)) if centre is None else centre
    best = replace(start, cost=np.inf)
    trial, damping = _vector(start), 1e-2
    precision = np.concatenate(
        [1 / POSE_SD**2, np.ones(model.modes), np.full(CLASSES - 1, 1 / SHIFT_SD_MM**2)]
    )
    prior = np.concatenate([middle, np.zeros(model.modes + CLASSES - 1)])
    slope, curve = np.zeros_like(trial), np.diag(precision)
    for _ in range(rounds):
        pose, weights, shifts = _split(trial, model.modes)
        found = sampled(model, target.places, pose, weights)
        cost, own_slope, own_curve = _derivatives(target, found, shifts)
        cost += 0.5 * float(precision @ (trial - prior) ** 2)
        if cost < best.cost:
            gain = best.cost - cost
            best = Fit(pose, weights, shifts, cost)
            slope = own_slope + precision * (trial - prior)
            curve = own_curve + np.diag(precision)
            damping = max(damping / 5, 1e-4)
            if gain < 0.2:
                break
        else:
            damping *= 10
        step = np.linalg.solve(curve + damping * np.diag(np.diag(curve)), slope)
        trial = _vector(best) - step
    return best


def search(model: Atlas, target: Target) -> list[Fit]:
    """A fit from each of several heights on few slices, the best first."""
    few = thinned(target, START_SLICES)
    found = []
    for up in STARTS_MM:
        pose = np.zeros(len(POSE))
        pose[0] = up
        start = Fit(pose, np.zeros(model.modes), np.zeros(CLASSES - 1), np.inf)
        found.append(fit(model, few, start, rounds=START_ROUNDS))
    return sorted(found, key=lambda one: one.cost)


def shape_chance(model: Atlas, places: Places, found: Fit, *, tau_mm: float = TAU_MM) -> Images:
    """Probability of each class by shape alone, shape (pixel, 12)."""
    near = distances(model, places, found.pose, found.weights)
    near[:, 1:] += found.shifts.astype(np.float32)
    return _softmax(-near / tau_mm)


def _derivatives(target: Target, found: Sampled, shifts: Floats) -> tuple[float, Floats, Floats]:
    """Negative log likelihood of the network's belief, its slope, and Fisher's curvature."""
    near = found.distance.copy()
    near[:, 1:] += shifts.astype(np.float32)
    shape = _softmax(-near / TAU_MM)
    joint = (1 - DOUBT) * target.chance * shape
    told = joint.sum(axis=1)
    total = told + DOUBT / CLASSES
    cost = -float(target.weight @ np.log(total))
    share = joint / total[:, None]
    sure = share.sum(axis=1)
    count = found.by_pose.shape[2] + found.modes.shape[2]
    by = np.zeros((*near.shape, count + CLASSES - 1), dtype=np.float32)
    by[..., : found.by_pose.shape[2]] = found.by_pose
    by[..., found.by_pose.shape[2] : count] = found.modes
    labels = np.arange(1, CLASSES)
    by[:, labels, count + labels - 1] = 1.0
    by *= np.float32(-1 / TAU_MM)
    pull = (target.weight[:, None] * (share - shape * sure[:, None])).astype(np.float32)
    slope = -(pull.reshape(-1) @ by.reshape(-1, by.shape[2]))
    by -= np.einsum("nc,ncp->np", shape, by, optimize=True)[:, None, :]
    by *= np.sqrt(target.weight[:, None] * shape * sure[:, None])[..., None]
    flat = by.reshape(-1, by.shape[2])
    return cost, slope.astype(np.float64), (flat.T @ flat).astype(np.float64)


def _vector(one: Fit) -> Floats:
    return np.concatenate([one.pose, one.weights, one.shifts])


def _split(vector: Floats, modes: int) -> tuple[Floats, Floats, Floats]:
    return vector[: len(POSE)], vector[len(POSE) : len(POSE) + modes], vector[len(POSE) + modes :]


def _softmax(logits: Images) -> Images:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)
