"""Whole legs and slices in which a scanner exchanged fat and water, found without echoes."""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Volume
from myoproof.measures.dixon_flags import is_muscle
from myoproof.measures.dixon_regions import Regions

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

RING_MM: Final = (2.5, 6.0)
"""Depth below the surface of the ring that holds subcutaneous fat, skin left out (proposal)."""
DARK: Final = 0.35
"""Below this share of the leg's median signal lies cortical bone (proposal)."""
MARROW_MM2: Final = (40.0, 900.0)
"""Area of the marrow that a ring of bone encloses (proposal)."""
LEAST_PIXELS: Final = 30
"""Fewer pixels of a tissue than this tell nothing."""
COARSE_MM: Final = 1.5
"""Images are looked at on a grid of about this spacing."""
WEIGHTS: Final = {"contrast": 12.0, "ring": 6.0, "marrow": 8.0, "muscle": 2.0}
"""Log odds against a swap per unit: ring above muscle, ring and marrow above half fat, muscle below half fat
(proposals, set on simulated development scans)."""
MOST: Final = 12.0
"""No one tissue gives more log odds than this."""
CONTINUITY: Final = 25.0
"""Log odds, per unit of fat fraction, that neighbouring slices of a leg are swapped alike (proposal)."""
SYMMETRY: Final = 8.0
"""The same of the two legs in one slice (proposal)."""
PRIOR: Final = 0.7
"""Log odds of a slice of a leg not to be swapped, before it is looked at (proposal)."""
STAY: Final = 2.5
"""Log odds that the next slice of a leg is swapped alike, before they are compared (proposal)."""
CERTAIN: Final = 0.9
"""From this probability on, a swap is found."""
STATES: Final = tuple(product((0, 1), repeat=2))
"""Whether the left and the right leg of a slice are swapped."""


@dataclass(frozen=True, slots=True)
class Swaps:
    """Where fat and water are exchanged.

    Parameters
    ----------
    probability : ndarray, shape (leg, slice)
        Leg 0 has ``regions.leg`` -1 or 0, leg 1 has +1; NaN where there is no leg.
    found : ndarray of bool, shape (x, y, z)
        Voxels of the body in slices of legs whose probability is at least CERTAIN.
    numbers : mapping of region number to slices
        Regions in them.
    """

    probability: Floats
    found: Bools
    numbers: dict[int, frozenset[int]]


@dataclass(frozen=True, slots=True)
class _Leg:
    """One leg in one slice: log odds against a swap, and what it is compared by."""

    odds: float
    fraction: Images
    body: Bools
    quantiles: Floats


def find_swaps(volume: Volume, regions: Regions) -> Swaps:
    """Find legs, in all or some slices, whose fat and water are exchanged.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``.
    regions : Regions
        Muscles, body and legs.

    Returns
    -------
    Swaps
        Subcutaneous fat and marrow must be fat, and fatter than muscle; neighbouring slices of a leg and the
        two legs of a slice must be alike. Probabilities by the exact sum over all patterns of swaps (a chain
        over slices). Patches within a leg are not looked for.

    References
    ----------
    Forward-backward: Rabiner, Proc IEEE 1989;77:257.
    """
    last = volume.slice_axis
    index = np.moveaxis(regions.index, last, 2)
    tissue, leg = np.moveaxis(regions.tissue, last, 2), np.moveaxis(regions.leg, last, 2)
    fat, water = (np.moveaxis(volume.channels[name], last, 2) for name in ("fat", "water"))
    widths = [float(width) for axis, width in enumerate(volume.spacing_mm) if axis != last]
    first, second = (max(1, int(COARSE_MM / width)) for width in widths)
    spacing = (first * widths[0], second * widths[1])
    looks: list[list[_Leg | None]] = [[], []]
    for level in range(index.shape[2]):
        place = (slice(None, None, first), slice(None, None, second), level)
        for way in (0, 1):
            own = tissue[place] & ((leg[place] > 0) == bool(way))
            looks[way].append(_look(fat[place], water[place], is_muscle(index[place], regions), own, spacing))
    probability = _probability(looks)
    found = np.zeros(tissue.shape, dtype=bool)
    for way, at in zip(*np.nonzero(np.nan_to_num(probability) >= CERTAIN), strict=True):
        found[:, :, at] |= tissue[:, :, at] & ((leg[:, :, at] > 0) == bool(way))
    numbers: dict[int, set[int]] = {}
    for at in np.flatnonzero(found.any(axis=(0, 1))):
        for number in np.unique(index[:, :, at][found[:, :, at]]):
            if number:
                numbers.setdefault(int(number), set()).add(int(at))
    whole = np.moveaxis(found, 2, last)
    return Swaps(probability, whole, {number: frozenset(held) for number, held in numbers.items()})


def exchanged(volume: Volume, where: Bools) -> Volume:
    """The volume with fat and water exchanged in some voxels."""
    fat, water = volume.channels["fat"], volume.channels["water"]
    swapped = {"fat": np.where(where, water, fat), "water": np.where(where, fat, water)}
    return Volume({**volume.channels, **swapped}, volume.affine)


def _look(
    fat: Images, water: Images, muscle: Bools, body: Bools, spacing: tuple[float, float]
) -> _Leg | None:
    """Judge one leg in one slice."""
    signal = fat + water
    used = body & np.isfinite(signal) & (signal > 0)
    if used.sum() < LEAST_PIXELS:
        return None
    fraction = np.where(used, fat / np.where(used, signal, 1), np.float32(np.nan)).astype(np.float32)
    filled = ndimage.binary_fill_holes(body)
    depth = ndimage.distance_transform_edt(filled, sampling=spacing)
    ring = used & (depth > RING_MM[0]) & (depth <= RING_MM[1]) & ~muscle
    inner = used & muscle if (used & muscle).sum() >= LEAST_PIXELS else used & (depth > 2 * RING_MM[1])
    marrow = _marrow(signal, filled, used, depth, spacing)
    odds = _odds(*(_median(fraction, mask) for mask in (ring, inner, marrow)))
    quantiles = np.quantile(fraction[used], np.linspace(0.05, 0.95, 10))
    return _Leg(odds, fraction, used, quantiles)


def _median(fraction: Images, mask: Bools) -> float:
    return float(np.median(fraction[mask])) if mask.sum() >= LEAST_PIXELS else float("nan")


def _odds(ring: float, inner: float, marrow: float) -> float:
    """Log odds against a swap of what can be seen."""
    terms = {
        "contrast": ring - inner,
        "ring": ring - 0.5,
        "marrow": marrow - 0.5,
        "muscle": 0.5 - inner,
    }
    seen = [np.clip(WEIGHTS[name] * value, -MOST, MOST) for name, value in terms.items()]
    return float(np.nansum(seen))


def _marrow(signal: Images, filled: Bools, used: Bools, depth: Floats, spacing: tuple[float, float]) -> Bools:
    """What a dark ring deep in the leg encloses."""
    level = DARK * float(np.median(signal[used]))
    dark = filled & (depth > 2 * RING_MM[1]) & (signal < level)
    enclosed = ndimage.binary_fill_holes(dark) & ~dark & used
    islands, count = ndimage.label(enclosed)
    areas = np.bincount(islands.ravel(), minlength=count + 1) * spacing[0] * spacing[1]
    fits = [i for i in range(1, count + 1) if MARROW_MM2[0] <= areas[i] <= MARROW_MM2[1]]
    if not fits:
        return np.zeros_like(used)
    return np.asarray(islands == max(fits, key=lambda i: areas[i]))


def _probability(looks: list[list[_Leg | None]]) -> Floats:
    """Probability of a swap of each leg in each slice: exact sums over a chain of four states."""
    own = np.array([_own_odds(left, right) for left, right in zip(*looks, strict=True)])
    steps = [_step_odds(looks, level) for level in range(len(own) - 1)]
    forward, backward = [own[0]], [np.zeros(len(STATES))]
    for level, step in enumerate(steps):
        before = forward[-1][:, None] + step
        forward.append(own[level + 1] + np.logaddexp.reduce(before, axis=0))
    for level in range(len(steps) - 1, -1, -1):
        behind = steps[level] + (own[level + 1] + backward[0])[None, :]
        backward.insert(0, np.logaddexp.reduce(behind, axis=1))
    joint = np.array(forward) + np.array(backward)
    chance = np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])
    out = np.full((2, len(own)), np.nan)
    for way in (0, 1):
        there = [look is not None for look in looks[way]]
        swapped = [state[way] == 1 for state in STATES]
        out[way, there] = chance[np.ix_(there, swapped)].sum(axis=1)
    return out


def _own_odds(left: _Leg | None, right: _Leg | None) -> Floats:
    """Log weight of each state of a slice."""
    alike = 0.0
    if left is not None and right is not None:
        same = np.abs(left.quantiles - right.quantiles).mean()
        other = np.abs(left.quantiles - (1 - right.quantiles[::-1])).mean()
        alike = SYMMETRY * float(other - same)
    weight = []
    for state in STATES:
        total = alike / 2 if state[0] == state[1] else -alike / 2
        for look, swapped in zip((left, right), state, strict=True):
            total -= swapped * (PRIOR + (0.0 if look is None else look.odds))
        weight.append(total)
    return np.array(weight)


def _step_odds(looks: list[list[_Leg | None]], level: int) -> Floats:
    """Log weight of each state of a slice beside each of the next."""
    alike = []
    for way in (0, 1):
        here, there = looks[way][level], looks[way][level + 1]
        both = here.body & there.body if here is not None and there is not None else None
        if here is None or there is None or both is None or both.sum() < LEAST_PIXELS:
            alike.append(STAY)
            continue
        one, two = here.fraction[both], there.fraction[both]
        nearer = float(np.abs(one + two - 1).mean() - np.abs(one - two).mean())
        alike.append(STAY + CONTINUITY * nearer)
    out = np.zeros((len(STATES), len(STATES)))
    for (i, before), (j, after) in product(enumerate(STATES), repeat=2):
        out[i, j] = sum((alike[way] if before[way] == after[way] else -alike[way]) / 2 for way in (0, 1))
    return out
