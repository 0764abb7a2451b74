"""The two aponeuroses of a muscle in a longitudinal B-mode image: choice, inner edges, confidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.numerics.aponeuroses_edges import edges, prepare
from myoproof.numerics.aponeuroses_inner import refine
from myoproof.numerics.aponeuroses_pairs import NAMES, Pairs, pairs

Rows = npt.NDArray[np.float64]

HELD = 4.0
LOST, SEEN = 0.05, 0.25
"""Steps of local contrast below which a curve follows nothing, and above which it is trusted (proposal)."""
LEAST_SEEN = 0.4
"""Share of the width that must be trusted before the rest follows it (proposal)."""
SAME = 0.05
"""Pairs whose edges lie within this share of the thickness of each other are one answer (proposal)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One scorer of pairs: a line plus one hidden layer, intercept + w.z + v.tanh(z W + b).

    Parameters
    ----------
    intercept : float
        Score of an average pair; "no muscle" has the score 0.
    weights : ndarray, shape (feature,)
    hidden : ndarray, shape (feature, unit)
    bias, out : ndarray, shape (unit,)
    """

    intercept: float
    weights: Rows
    hidden: Rows
    bias: Rows
    out: Rows

    def scores(self, standard: Rows) -> Rows:
        """Score of each pair from its standardised features, shape (pair,)."""
        return np.asarray(
            self.intercept + standard @ self.weights + np.tanh(standard @ self.hidden + self.bias) @ self.out
        )


@dataclass(frozen=True, slots=True)
class Chooser:
    """The choice among pairs of edges, and none: the mean score of several scorers.

    Parameters
    ----------
    members : tuple of Member
    mean, sd : ndarray, shape (len(NAMES),)
        Features are standardised with these, and held within +-4.
    inside : float
        Rows (of `aponeuroses_edges.WORK_ROWS`) by which readers mark the upper inner edge deeper than the
        steepest change; the lower edge is marked at it.
    """

    members: tuple[Member, ...]
    mean: Rows
    sd: Rows
    inside: float = 0.0

    def __post_init__(self) -> None:
        shapes = {self.mean.shape, self.sd.shape} | {member.weights.shape for member in self.members}
        if shapes != {(len(NAMES),)}:
            raise InvalidInput(
                f"weights, mean and sd must have the shape ({len(NAMES)},), got {sorted(shapes)}"
            )

    def scores(self, features: Rows) -> Rows:
        """Score of each pair, shape (pair,); higher is likelier."""
        standard = np.clip((features - self.mean) / self.sd, -HELD, HELD)
        return np.asarray(np.mean([member.scores(standard) for member in self.members], axis=0))


@dataclass(frozen=True, slots=True)
class Aponeuroses:
    """The answer.

    Parameters
    ----------
    upper, lower : ndarray, shape (col,)
        Inner edges (lower side of the superficial, upper side of the deep aponeurosis), rows of the image
        with pixel centres at whole numbers.
    rises_right : bool
        Whether the streaks between them rise to the right.
    confidence : float
        Share of the choice that falls on this answer, 0-1.
    """

    upper: Rows
    lower: Rows
    rises_right: bool
    confidence: float


def chooser_from(numbers: Mapping[str, Any]) -> Chooser:
    """Chooser from its stored numbers.

    Parameters
    ----------
    numbers : mapping
        names, mean, sd, inside, members (a list of mappings with the fields of `Member`).

    Raises
    ------
    InvalidInput
        If the stored names are not `NAMES`.
    """
    if tuple(numbers["names"]) != NAMES:
        raise InvalidInput("the stored weights belong to other features", mend="train them again")
    members = tuple(
        Member(
            float(each["intercept"]),
            *(np.asarray(each[k], np.float64) for k in ("weights", "hidden", "bias", "out")),
        )
        for each in numbers["members"]
    )
    mean, sd = (np.asarray(numbers[name], dtype=np.float64) for name in ("mean", "sd"))
    return Chooser(members, mean, sd, float(numbers["inside"]))


def find(
    image: npt.NDArray[np.uint8], chooser: Chooser, *, tissue: npt.NDArray[np.bool_] | None = None
) -> Aponeuroses | None:
    """Find the aponeuroses of the most superficial whole muscle.

    Parameters
    ----------
    image : ndarray, shape (row, col), uint8
        The tissue box.
    chooser : Chooser
    tissue : ndarray, shape (row, col), bool, optional
        Where tissue is shown.

    Returns
    -------
    Aponeuroses or None
        None where not a single pair of edges is found.
    """
    work = prepare(image, tissue)
    found = pairs(work, *edges(work))
    if not found.rises.size:
        return None
    best, confidence = choose(found, chooser)
    cols = np.arange(image.shape[1])
    nodes = found.upper.shape[1]
    at = (np.arange(nodes) + 0.5) / nodes * image.shape[1] - 0.5
    curves = []
    sides = ((found.upper, found.step_upper, chooser.inside), (found.lower, found.step_lower, 0.0))
    for below, (rows, steps, inside) in enumerate(sides):
        held = supported(rows[best], steps[best])
        curve = np.interp(cols, at, (held + 0.5) / work.scale - 0.5)
        curves.append(refine(image, curve, bright_below=bool(below), scale=work.scale) + inside / work.scale)
    return Aponeuroses(curves[0], curves[1], bool(found.rises[best] > 0), confidence)


def supported(rows: Rows, steps: Rows) -> Rows:
    """A curve that goes on as a parabola where no step holds it.

    Parameters
    ----------
    rows, steps : ndarray, shape (node,)
        The curve and the step of local contrast at it.

    Examples
    --------
    >>> rows, steps = np.arange(24.0), np.ones(24)
    >>> rows[:3], steps[:6] = 9.0, 0.0
    >>> (supported(rows, steps)[:4].round(3) + 0.0).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    x = np.linspace(-1, 1, rows.size)
    smooth = np.convolve(np.pad(steps, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    seen = np.clip((smooth - LOST) / (SEEN - LOST), 0, 1)
    if seen.mean() < LEAST_SEEN:
        return rows
    weight = seen.copy()
    for _ in range(4):
        fit = np.polyval(np.polyfit(x, rows, 2, w=np.sqrt(weight) + 1e-6), x)
        away = np.abs(rows - fit) / (6 * max(float(np.median(np.abs(rows - fit)[seen > 0])), 0.3))
        weight = seen * np.where(away < 1, (1 - away**2) ** 2, 0)
    return np.asarray(seen * rows + (1 - seen) * fit)


def choose(found: Pairs, chooser: Chooser) -> tuple[int, float]:
    """Index of the pair on which, with those like it, most of the choice falls, and that share."""
    scores = chooser.scores(found.features)
    top = max(float(scores.max()), 0.0)
    share = np.exp(scores - top)
    share /= share.sum() + np.exp(-top)
    thick = (found.lower - found.upper).mean(axis=1)
    ends = [
        rows[:, cols].mean(axis=1)
        for rows in (found.upper, found.lower)
        for cols in (slice(0, 3), slice(-3, None))
    ]
    corner = np.stack(ends, axis=1)
    apart = np.abs(corner[:, None] - corner[None]).max(axis=2)
    held = (apart < SAME * thick[:, None]) @ share
    best = int(np.argmax(held + 1e-3 * share))
    alike = apart[best] < SAME * thick[best]
    return int(np.flatnonzero(alike)[share[alike].argmax()]), float(held[best])
