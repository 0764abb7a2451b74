"""Outlines of muscles cut across: the ellipse that best follows bright fascia, then the fascia itself."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ROWS = 240
"""Height to which an image is brought: fascia is then 3 to 8 rows thick. Proposal."""
LINE_SD, AROUND_SD, LOCAL_SD = 1.5, 6.0, 24.0
"""Scales of the brightness ridge, of what it is compared with, and of the contrast it is divided by."""
LEAST_SPREAD = 0.04
"""Contrast (grey level 0-1) below which a neighbourhood shows nothing: shadows have no lines."""
MOST_RIDGE = 2.5
"""Ridge beyond which brighter does not count more: one bright stretch is no outline."""
ANGLES = 96
TALLER = 0.15
"""Power of the height by which a tall ellipse is preferred to one that ends at a septum."""
FULLER = 0.5
"""Power of the share within the tissue by which an outline seen whole is preferred."""
LEAST_SEEN = 0.6
"""Share of an outline that must lie within the tissue."""
HALF_WIDTHS = np.arange(0.20, 1.16, 0.08)
HALF_HEIGHTS = np.arange(0.06, 0.44, 0.03)
"""Half axes looked for, in heights of the image."""
RADII = np.arange(0.70, 1.301, 0.01)
"""Distances from the centre at which the fascia is sought, in radii of the ellipse."""
REFITS, REFIT_TOLL = 4, 0.15
"""Times that the ellipse is fitted again to the fascia found near it, and what straying costs then."""
STRAY, STRAY_TOLL = 0.12, 0.5
"""Share of the radius by which the outline may stray from the ellipse, and what that costs."""
STEEPEST = 2
"""Steps of ``RADII`` that the outline may take from one angle to the next."""
BEND = 0.12
"""Toll of such a step."""
INNER_SHARE = 0.60
"""Share of the fascia's height over the flesh at which its inner edge lies; fixed on phantoms."""


@dataclass(frozen=True, slots=True)
class Work:
    """An image at working size.

    Parameters
    ----------
    image, ridge : ndarray, shape (row, col), float32
        Grey levels 0-1, and how much a pixel belongs to a bright line.
    seen : ndarray of bool, shape (row, col)
        Tissue.
    scale : float
        Working rows per image row.
    """

    image: Images
    ridge: Images
    seen: Bools
    scale: float


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed outline, in pixels of the working image.

    Parameters
    ----------
    x, y : ndarray, shape (angle,)
        The inner edge of the fascia.
    outer : ndarray, shape (angle, 2)
        x and y of the fascia's outer edge.
    along : float
        Mean ridge along the fascia: how bright it stands out.
    complete : float
        Share of the outline within the tissue where fascia is seen, 0-1.
    seen : float
        Share of the outline within the tissue, 0-1.
    even : float
        Ridge inside the outline over that along it: what else runs there.
    """

    x: Floats
    y: Floats
    outer: Floats
    along: float
    complete: float
    seen: float
    even: float


def prepare(image: npt.NDArray[np.uint8], tissue: Bools) -> Work:
    """Bring an image to working size and find its bright lines.

    Parameters
    ----------
    image : ndarray, shape (row, col), uint8
        Grey levels.
    tissue : ndarray of bool, shape (row, col)
        Pixels that show tissue.
    """
    scale = ROWS / image.shape[0]
    size = (max(round(image.shape[1] * scale), 32), ROWS)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    seen = cv2.resize(tissue.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    weight = seen.astype(np.float32)

    def blurred(values: Images, sd: float) -> Images:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sd), dtype=np.float32)

    def mean(values: Images, sd: float) -> Images:
        return blurred(values * weight, sd) / (blurred(weight, sd) + np.float32(1e-3))

    level = mean(small, LINE_SD)
    spread = np.sqrt(
        np.maximum(mean((level - mean(small, LOCAL_SD)) ** 2, LOCAL_SD), np.float32(LEAST_SPREAD**2))
    )
    ridge = np.clip((level - mean(small, AROUND_SD)) / spread, 0.0, MOST_RIDGE) * weight
    return Work(small, ridge.astype(np.float32), seen, scale)


def find_outline(work: Work) -> Outline | None:
    """The closed bright outline of a muscle; None where no ellipse lies within the tissue.

    Parameters
    ----------
    work : Work
    """
    start = best_ellipse(work)
    if start is None:
        return None
    for _ in range(REFITS):
        start = _refitted(work, start)
    return follow(work, start)


def best_ellipse(work: Work) -> Floats | None:
    """Centre (x, y) and half axes of the ellipse along which the image is brightest, coarse to fine."""
    height, width = work.ridge.shape
    smooth = np.asarray(cv2.GaussianBlur(work.ridge, (0, 0), 2.0), dtype=np.float32)
    centres_x = np.arange(0.30, 0.71, 0.05) * width
    centres_y = np.arange(0.16, 0.74, 0.03) * height
    grid = np.meshgrid(centres_x, centres_y, HALF_WIDTHS * height, HALF_HEIGHTS * height, indexing="ij")
    ellipses = np.stack([part.ravel() for part in grid], axis=1)
    upright = (ellipses[:, 3] < 0.95 * ellipses[:, 2]) & (ellipses[:, 1] > ellipses[:, 3] + 4)
    ellipses = ellipses[upright]
    scores = _scores(smooth, work.seen, ellipses)
    if not np.isfinite(scores).any():
        return None
    best = ellipses[int(np.nanargmax(scores))]
    for step in (6.0, 3.0, 1.5):
        moves = np.stack(np.meshgrid(*[[-step, 0.0, step]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
        for _ in range(3):
            near = best + moves
            near = near[(near[:, 3] > 8) & (near[:, 2] > near[:, 3])]
            own = _scores(smooth, work.seen, near)
            after = near[int(np.nanargmax(own))]
            if np.array_equal(after, best):
                break
            best = after
    return np.asarray(best, dtype=np.float64)


def _scores(ridge: Images, seen: Bools, ellipses: Floats) -> Floats:
    """Mean ridge along each ellipse less that just inside it, over the part within the tissue."""
    turn = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    cos, sin = np.cos(turn).astype(np.float32), np.sin(turn).astype(np.float32)
    total = []
    for part in np.array_split(ellipses.astype(np.float32), max(len(ellipses) // 4000, 1)):
        on, shown = _sampled(ridge, seen, part, cos, sin, 1.0)
        inside, _ = _sampled(ridge, seen, part, cos, sin, 0.85)
        count = shown.sum(axis=1)
        mean = (np.minimum(on, 1.5) * shown).sum(axis=1) / np.maximum(count, 1)
        within = (inside * shown).sum(axis=1) / np.maximum(count, 1)
        taller = (part[:, 3] / ridge.shape[0]) ** TALLER * (count / turn.size) ** FULLER
        total.append(np.where(count >= LEAST_SEEN * turn.size, (mean - 0.5 * within) * taller, np.nan))
    return np.asarray(np.concatenate(total), dtype=np.float64)


def _sampled(
    ridge: Images, seen: Bools, ellipses: Images, cos: Images, sin: Images, size: float
) -> tuple[Images, Bools]:
    x = np.rint(ellipses[:, :1] + np.float32(size) * ellipses[:, 2:3] * cos).astype(np.int32)
    y = np.rint(ellipses[:, 1:2] + np.float32(size) * ellipses[:, 3:4] * sin).astype(np.int32)
    inside = (x >= 0) & (x < ridge.shape[1]) & (y >= 0) & (y < ridge.shape[0])
    x, y = np.clip(x, 0, ridge.shape[1] - 1), np.clip(y, 0, ridge.shape[0] - 1)
    return ridge[y, x], inside & seen[y, x]


def follow(work: Work, ellipse: Floats) -> Outline:
    """The fascia near an ellipse: a closed path of least cost over angle, then its edges at part height.

    Parameters
    ----------
    work : Work
    ellipse : ndarray, shape (4,)
        Centre and half axes.
    """
    crest, ridge, seen, sampled = _crest(work, ellipse, STRAY_TOLL)
    turn = np.linspace(0.0, 2.0 * np.pi, ANGLES, endpoint=False)
    rows = np.arange(ANGLES)
    shown = seen[rows, crest]
    level = sampled(np.asarray(cv2.GaussianBlur(work.image, (0, 0), 1.0), dtype=np.float32))
    inner = _smooth(_part_height(level, crest, -1))
    outer = _smooth(_part_height(level, crest, 1))
    along = ridge[rows, crest]
    inside = ridge[rows, np.maximum(crest - 12, 0)]
    edge = np.interp(inner, np.arange(RADII.size), RADII)
    beyond = np.interp(outer, np.arange(RADII.size), RADII)
    outer_xy = np.stack(
        [ellipse[0] + beyond * ellipse[2] * np.cos(turn), ellipse[1] + beyond * ellipse[3] * np.sin(turn)],
        axis=1,
    )
    strength = float(along[shown].mean()) if shown.any() else 0.0
    return Outline(
        ellipse[0] + edge * ellipse[2] * np.cos(turn),
        ellipse[1] + edge * ellipse[3] * np.sin(turn),
        outer_xy,
        strength,
        float(np.mean(along[shown] > 0.5)) if shown.any() else 0.0,
        float(shown.mean()),
        float(inside[shown].mean() / max(strength, 1e-3)) if shown.any() else 1.0,
    )


def _crest(
    work: Work, ellipse: Floats, toll: float
) -> tuple[npt.NDArray[np.intp], Images, Bools, Callable[[Images], Images]]:
    """Index of the fascia over angle, the ridge and what is seen on the rays, and a reader of images."""
    turn = np.linspace(0.0, 2.0 * np.pi, ANGLES, endpoint=False)
    x = (ellipse[0] + RADII[None, :] * (ellipse[2] * np.cos(turn))[:, None]).astype(np.float32)
    y = (ellipse[1] + RADII[None, :] * (ellipse[3] * np.sin(turn))[:, None]).astype(np.float32)

    def sampled(values: Images) -> Images:
        taken = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(taken, dtype=np.float32)

    ridge, seen = sampled(work.ridge), sampled(work.seen.astype(np.float32)) > 0.99
    stray = toll * ((RADII - 1.0) / STRAY) ** 2
    crest = _closed_path(np.where(seen, ridge, 0.0) - stray[None, :].astype(np.float32))
    return crest, ridge, seen, sampled


def _refitted(work: Work, ellipse: Floats) -> Floats:
    """The upright ellipse nearest to the fascia found near another, bright parts counting most."""
    crest, ridge, seen, _ = _crest(work, ellipse, REFIT_TOLL)
    rows, turn = np.arange(ANGLES), np.linspace(0.0, 2.0 * np.pi, ANGLES, endpoint=False)
    weight = np.where(seen[rows, crest], np.minimum(ridge[rows, crest], 1.5), 0.0).astype(np.float64)
    x, y = RADII[crest] * np.cos(turn), RADII[crest] * np.sin(turn)
    terms = np.stack([x**2, y**2, x, y], axis=1) * weight[:, None]
    (p, q, r, s), *_ = np.linalg.lstsq(terms, weight, rcond=None)
    if p <= 0 or q <= 0:
        return ellipse
    right, down = -r / (2 * p), -s / (2 * q)
    size = 1.0 + r**2 / (4 * p) + s**2 / (4 * q)
    across, high = np.sqrt(size / p), np.sqrt(size / q)
    if not (0.7 < across < 1.4 and 0.7 < high < 1.4 and abs(right) < 0.4 and abs(down) < 0.4):
        return ellipse
    centre = ellipse[0] + ellipse[2] * right, ellipse[1] + ellipse[3] * down
    return np.array([*centre, ellipse[2] * across, ellipse[3] * high])


def _closed_path(gain: Images) -> npt.NDArray[np.intp]:
    """Index of the best closed path over the rows of a gain, by dynamic programming over two rounds."""
    size = gain.shape[0]
    twice = np.concatenate([gain, gain, gain])
    total = np.zeros_like(twice, dtype=np.float64)
    came = np.zeros(twice.shape, dtype=np.intp)
    total[0] = twice[0]
    places = np.arange(gain.shape[1])
    for row in range(1, twice.shape[0]):
        best, source = np.full(gain.shape[1], -np.inf), places.copy()
        for step in range(-STEEPEST, STEEPEST + 1):
            from_ = np.clip(places - step, 0, gain.shape[1] - 1)
            offer = total[row - 1, from_] - BEND * abs(step)
            better = offer > best
            best, source = np.where(better, offer, best), np.where(better, from_, source)
        total[row], came[row] = best + twice[row], source
    path = np.zeros(twice.shape[0], dtype=np.intp)
    path[-1] = int(total[-1].argmax())
    for row in range(twice.shape[0] - 1, 0, -1):
        path[row - 1] = came[row, path[row]]
    return path[size : 2 * size]


def _part_height(level: Images, crest: npt.NDArray[np.intp], way: int) -> Floats:
    """Where, from the crest inward (-1) or outward (+1), the level has fallen part of the way to flesh."""
    edge = np.empty(crest.size)
    for row, top in enumerate(crest):
        profile = level[row, top::way].astype(np.float64)
        peak, floor = profile[0], float(np.median(profile[6:20])) if profile.size > 8 else float(profile[-1])
        wanted = floor + INNER_SHARE * (peak - floor)
        below = np.flatnonzero(profile < wanted)
        if not below.size or below[0] == 0:
            edge[row] = top
            continue
        after = int(below[0])
        part = (profile[after - 1] - wanted) / max(profile[after - 1] - profile[after], 1e-6)
        edge[row] = top + way * (after - 1 + float(np.clip(part, 0.0, 1.0)))
    return edge


def _smooth(edge: Floats) -> Floats:
    """A running median and mean round a closed outline."""
    span = 4
    ring = np.concatenate([edge[-span:], edge, edge[:span]])
    windows = np.lib.stride_tricks.sliding_window_view(ring, 2 * span + 1)
    calm = np.median(windows, axis=1)
    ring = np.concatenate([calm[-2:], calm, calm[:2]])
    return np.asarray(np.convolve(ring, np.full(5, 0.2), mode="valid"))
