"""What the thigh network believes joined with the shape of thighs, which counts most where tissue is fat."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage

from myoproof.segmentation.thigh_shape import CLASSES, POSE, Atlas, Floats, Images, atlas
from myoproof.segmentation.thigh_shape_fit import (
    Evidence,
    Fit,
    Target,
    fit,
    places_of,
    search,
    shape_chance,
    target_of,
    tempered_chance,
)

LEAST_SLICES = 3
"""Fewer slices do not tell where in the thigh they lie."""
LEAST_SHAPE = 1e-4
STRETCH_MM = 24.0
"""Standard deviation of the stretch over which network and shape are compared."""
COMMON = (0.1, 0.35)
"""A muscle is disputed wholly below, and not at all above, these shares in common."""
LEAST_PIXELS = 40.0
TRIED = 2
"""Heights that are followed to the end."""
TIE_MM = 12.0
"""How far the heights of both legs may differ (standard deviation)."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How network and shape are joined; chosen on simulated thighs of people held out.

    Parameters
    ----------
    network, shape : tuple of float
        Exponents of the probabilities in lean tissue, in fat, and in fat where both tell different muscles.
    trust : tuple of float
        Exponent of the network's probabilities in the fit, in lean tissue and in fat.
    lean, fat : float
        Fat fractions up to and from which these hold; linear between.
    least_agreement : float
        Below this the shape is not used.
    """

    network: tuple[float, float, float] = (1.0, 1.0, 0.4)
    shape: tuple[float, float, float] = (0.0, 0.1, 1.0)
    trust: tuple[float, float] = (1.0, 0.5)
    lean: float = 0.3
    fat: float = 0.7
    least_agreement: float = 0.45


@dataclass(frozen=True, slots=True)
class Fused:
    """One leg after the shape has spoken.

    Parameters
    ----------
    chance : ndarray, shape (slice, 12, row, column), float32
        Probability of each class.
    agreement : float
        Soft Dice of the shape's muscles and the network's, 0-1, higher is better; 0 where none was fitted.
    used : bool
        Whether the shape was used; otherwise the network's probabilities are given back as they were.
    fit : Fit or None
        Pose and modes.
    """

    chance: Images
    agreement: float
    used: bool
    fit: Fit | None


def fuse(
    legs: Sequence[Evidence], *, shares: Shares = Shares(), model: Atlas | None = None, threads: int = 1
) -> list[Fused]:
    """Fit the shape to all legs of a scan, whose heights are tied, and join it with the network.

    Parameters
    ----------
    legs : sequence of Evidence
        One or two legs of a scan, each in the network's orientation.
    shares : Shares
        Who counts how much where.
    model : Atlas, optional
        Other shapes than those of the package.
    threads : int
        Legs done at the same time; the answer is the same for any number.

    Returns
    -------
    list of Fused
        In the order given. A leg of fewer than three slices, or one that the shape does not fit, keeps what
        the network said.
    """
    shapes = atlas() if model is None else model
    fatty = [fattiness(leg.images, shares) for leg in legs]
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        fits = fitted(shapes, legs, [_between(shares.trust, part) for part in fatty], each=pool.map)
        return list(pool.map(partial(_joined, shapes, shares), legs, fatty, fits))


def fattiness(images: Images, shares: Shares) -> Images:
    """0 in lean tissue to 1 in fat, shape (slice, row, column); a half where one contrast does not tell."""
    fat, water = (ndimage.uniform_filter(images[:, channel], (0, 3, 3)) for channel in (0, 1))
    if np.array_equal(images[:, 0], images[:, 1]):
        return np.full(fat.shape, 0.5, dtype=np.float32)
    share = fat / np.maximum(fat + water, 1e-6)
    return np.asarray(np.clip((share - shares.lean) / (shares.fat - shares.lean), 0, 1), dtype=np.float32)


def fitted(
    model: Atlas, legs: Sequence[Evidence], trust: Sequence[Images], *, each: Callable[..., Any] = map
) -> list[Fit | None]:
    """A fit for each leg, legs done by ``each``; two legs of a scan lie at about the same height."""
    targets = [
        target_of(leg, own) if len(leg.chance) >= LEAST_SLICES else None
        for leg, own in zip(legs, trust, strict=True)
    ]
    return _tied(model, targets, list(each(partial(_best, model), targets)))


def _best(model: Atlas, target: Target | None) -> Fit | None:
    starts = search(model, target)[:TRIED] if target is not None and len(target.chance) else []
    if target is None or not starts:
        return None
    first = fit(model, target, starts[0])
    others = [fit(model, target, one) for one in starts[1:] if abs(one.pose[0] - starts[0].pose[0]) > TIE_MM]
    return min([first, *others], key=lambda one: one.cost)


def _tied(model: Atlas, targets: Sequence[Target | None], found: list[Fit | None]) -> list[Fit | None]:
    """Where two legs' heights differ, each is also tried from the other's; the better pair stays."""
    if len(found) != 2 or found[0] is None or found[1] is None or targets[0] is None or targets[1] is None:
        return found
    one, two = found[0], found[1]
    if abs(float(one.pose[0] - two.pose[0])) <= TIE_MM:
        return found
    other = fit(model, targets[1], replace(two, pose=_at(two.pose, one.pose), cost=np.inf))
    first = fit(model, targets[0], replace(one, pose=_at(one.pose, two.pose), cost=np.inf))
    pairs = [(one, two), (one, other), (first, two)]
    best = min(pairs, key=_cost_of_pair)
    return [best[0], best[1]]


def _cost_of_pair(pair: tuple[Fit, Fit]) -> float:
    gap = float(pair[0].pose[0] - pair[1].pose[0])
    return pair[0].cost + pair[1].cost + 0.5 * (gap / TIE_MM) ** 2


def _at(pose: Floats, other: Floats) -> Floats:
    out = np.zeros(len(POSE))
    out[:2] = other[:2]
    out[8:] = pose[8:]
    return out


def _joined(model: Atlas, shares: Shares, leg: Evidence, fatty: Images, found: Fit | None) -> Fused:
    if found is None:
        return Fused(leg.chance, 0.0, False, None)
    shape = shape_of(model, leg, found)
    agreement = _agreement(leg.chance, shape, fatty)
    if agreement < shares.least_agreement:
        return Fused(leg.chance, agreement, False, found)
    weak = fatty * conflict(leg, shape)
    return Fused(joined(leg.chance, shape, (fatty, weak), shares), agreement, True, found)


def conflict(leg: Evidence, shape: Images) -> Images:
    """Where network and shape tell different muscles: 0 (they agree) to 1, shape (slice, row, column).

    A muscle is in conflict where, over a stretch of some centimetres, network and shape have little of it in
    common; that holds for all pixels at which either sees it.
    """
    heights = leg.heights_mm
    near = np.exp(-0.5 * ((heights[:, None] - heights[None, :]) / STRETCH_MM) ** 2)
    both = near @ np.minimum(leg.chance, shape).sum(axis=(2, 3))
    larger = near @ np.maximum(leg.chance.sum(axis=(2, 3)), shape.sum(axis=(2, 3)))
    share = both / np.maximum(larger, LEAST_PIXELS)
    odds = np.clip((COMMON[1] - share) / (COMMON[1] - COMMON[0]), 0, 1)
    odds[:, 0] = 0
    either = np.maximum(leg.chance, shape)
    return np.asarray(np.einsum("nc,ncij->nij", odds, either).clip(0, 1), dtype=np.float32)


def shape_of(model: Atlas, leg: Evidence, found: Fit) -> Images:
    """Probability by shape alone of every pixel of a leg's patches, shape (slice, 12, row, column)."""
    size = leg.chance.shape[2]
    grid = np.arange(0.5, size, 2.0)
    rows, columns = (part.ravel() for part in np.meshgrid(grid, grid, indexing="ij"))
    finer = _finer(size)
    out = np.empty(leg.chance.shape, dtype=np.float32)
    for number, places in enumerate(places_of(leg, rows, columns)):
        coarse = shape_chance(model, places, found).T.reshape(CLASSES, grid.size, grid.size)
        out[number] = finer @ coarse @ finer.T
    return out


def _finer(size: int) -> Images:
    """Linear interpolation from every second place to all, shape (size, size // 2)."""
    places = np.clip((np.arange(size) - 0.5) / 2, 0, size // 2 - 1)
    low = np.minimum(places.astype(np.intp), size // 2 - 2)
    out = np.zeros((size, size // 2), dtype=np.float32)
    out[np.arange(size), low] = 1 - (places - low)
    out[np.arange(size), low + 1] = places - low
    return out


def joined(chance: Images, shape: Images, weak: tuple[Images, Images], shares: Shares) -> Images:
    """Product of both probabilities.

    Parameters
    ----------
    chance, shape : ndarray, shape (slice, 12, row, column), float32
        Of the network and of the shape.
    weak : tuple of ndarray, shape (slice, row, column), float32
        How fatty the tissue is, and how fatty and disputed, 0-1.
    shares : Shares
        Exponents in lean tissue, in fat, and in fat that is disputed.
    """
    fatty, disputed = weak
    lean, fat, most = shares.network
    trust = lean + (fat - lean) * fatty + (most - fat) * disputed
    lean, fat, most = shares.shape
    prior = lean + (fat - lean) * fatty + (most - fat) * disputed
    out = np.empty_like(chance)
    for number, own in enumerate(chance):
        logs = np.log(tempered_chance(own, trust[number], disputed[number])) + prior[number] * np.log(
            np.maximum(shape[number], LEAST_SHAPE)
        )
        likely = np.exp(logs - logs.max(axis=0))
        out[number] = likely / likely.sum(axis=0)
    return out


def _agreement(chance: Images, shape: Images, fatty: Images) -> float:
    """Soft Dice of all muscles, where tissue is lean first of all."""
    weight = 1 - 0.8 * fatty
    both = (weight * (chance[:, 1:] * shape[:, 1:]).sum(axis=1)).sum()
    squares = (weight * ((chance[:, 1:] ** 2).sum(axis=1) + (shape[:, 1:] ** 2).sum(axis=1))).sum()
    return float(2 * both / max(float(squares), 1e-6))


def _between(ends: tuple[float, float], fatty: Images) -> Images:
    return np.asarray(ends[0] + (ends[1] - ends[0]) * fatty, dtype=np.float32)
