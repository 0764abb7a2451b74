"""Pairs of aponeurosis edges and what speaks for each: long bands, oblique streaks between them alone."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.numerics.aponeuroses_edges import STEP, Edges, Work

Rows = npt.NDArray[np.float64]

NAMES = (
    "step_upper", "cover_upper", "weak_upper", "band_upper",
    "step_lower", "cover_lower", "weak_lower", "band_lower", "end_lower",
    "tilt", "tilt_first", "tilt_middle", "tilt_last", "tilt_over", "tilt_under", "level", "level_over",
    "brighter_than_under", "brighter_over", "bright",
    "thick", "thick_off", "top", "bottom", "diverge", "slope_upper", "slope_lower", "bend_upper",
    "bend_lower", "rival_upper_inside", "rival_lower_inside", "rival_upper_over", "rival_lower_under",
    "band_upper_inside", "band_lower_inside", "better_upper_inside", "better_lower_inside",
    "better_upper_over", "better_lower_under", "tilt_weakest", "weak_lower_inside",
)  # fmt: skip
"""Order of the columns of `Pairs.features`."""
TENSOR_SD = 5.0
TENSOR_FLOOR = 0.02
OUTSIDE = 0.15
"""Share of the image height above and below a pair that is looked at."""
THINNEST = 0.12
STEEPEST_BETWEEN = 0.25


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate muscles.

    Parameters
    ----------
    upper, lower : ndarray, shape (pair, node)
        Rows of the two edges, in working rows.
    step_upper, step_lower : ndarray, shape (pair, node)
        Step of local contrast at each.
    rises : ndarray, shape (pair,)
        +1 where the streaks between them rise to the right, -1 to the left.
    features : ndarray, shape (pair, len(NAMES))
        What speaks for and against; none has a unit.
    """

    upper: Rows
    lower: Rows
    step_upper: Rows
    step_lower: Rows
    rises: Rows
    features: Rows


def pairs(work: Work, upper: Edges, lower: Edges) -> Pairs:
    """Every upper edge with every lower edge that lies well below it and nearly parallel.

    Parameters
    ----------
    work : Work
    upper, lower : Edges
        From `aponeuroses_edges.edges`.

    Returns
    -------
    Pairs
        Possibly none.
    """
    i, j = _feasible(upper.rows, lower.rows, work.normal.shape[0])
    if not i.size:
        none = np.zeros((0, work.normal.shape[1]))
        return Pairs(none, none, none, none, np.zeros(0), np.zeros((0, len(NAMES))))
    columns, rises = _streaks(work, upper.rows[i], lower.rows[j])
    columns |= _brightness(work, upper.rows[i], lower.rows[j])
    columns |= _lengths(upper, lower, i, j, rises)
    columns |= _shape(upper.rows, lower.rows, i, j, work.normal.shape[0])
    columns |= _rivals(work, upper, lower, i, j)
    columns["tilt_weakest"] = np.minimum(
        np.minimum(columns["tilt_first"], columns["tilt_middle"]), columns["tilt_last"]
    )
    features = np.stack([columns[name] for name in NAMES], axis=1)
    return Pairs(upper.rows[i], lower.rows[j], upper.strength[i], lower.strength[j], rises, features)


def _feasible(upper: Rows, lower: Rows, height: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if not len(upper) or not len(lower):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    apart = lower[None] - upper[:, None]
    level = _line(upper)[0][:, None] - _line(lower)[0][None]
    fine = (apart.mean(axis=2) > THINNEST * height) & (apart.min(axis=2) > 0.6 * THINNEST * height)
    i, j = np.nonzero(fine & (np.abs(level) < STEEPEST_BETWEEN))
    return i, j


def _line(rows: Rows) -> tuple[Rows, Rows]:
    """Slope (rows per column) and bend (rows) of each curve."""
    x = np.linspace(-1, 1, rows.shape[1])
    bend, slope, _ = np.polyfit(x, rows.T, 2)
    return slope / ((rows.shape[1] * STEP - 1) / 2), bend


class _Sums:
    """Means between two curves, from running sums down the columns."""

    def __init__(self, image: npt.NDArray[np.float32]) -> None:
        self.total = np.zeros((image.shape[0] + 1, image.shape[1]))
        np.cumsum(image, axis=0, out=self.total[1:])

    def mean(self, top: Rows, bottom: Rows) -> tuple[Rows, Rows]:
        """Mean between rows, and the share of the image that lies there."""
        height, width = self.total.shape[0] - 1, self.total.shape[1]
        first = np.clip(np.round(top + 0.5).astype(np.int64), 0, height)
        last = np.maximum(np.clip(np.round(bottom + 0.5).astype(np.int64), 0, height), first)
        cols = np.arange(width)
        number = (last - first).sum(axis=1)
        total = (self.total[last, cols] - self.total[first, cols]).sum(axis=1)
        return total / np.maximum(number, 1), number / (height * width)


def _tensor(image: npt.NDArray[np.float32]) -> tuple[_Sums, _Sums]:
    """Coherence times sine and cosine of twice the streak direction (rising to the right is positive)."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
    size = (max(image.shape[1] // STEP, 8), image.shape[0])
    xx, yy, xy = (
        cv2.GaussianBlur(
            cv2.resize(p, size, interpolation=cv2.INTER_AREA),
            (0, 0),
            sigmaX=TENSOR_SD / STEP,
            sigmaY=TENSOR_SD,
        )
        for p in (across * across, down * down, across * down)
    )
    energy = xx + yy + TENSOR_FLOOR
    return _Sums(2 * xy / energy), _Sums((yy - xx) / energy)


def _streaks(work: Work, upper: Rows, lower: Rows) -> tuple[dict[str, Rows], Rows]:
    sine, cosine = _tensor(work.image)
    height = work.normal.shape[0]
    turn = np.arctan((_line(upper)[0] + _line(lower)[0]) / 2)
    depth = lower - upper

    def turned(top: Rows, bottom: Rows) -> tuple[Rows, Rows, Rows]:
        s, share = sine.mean(top, bottom)
        c, _ = cosine.mean(top, bottom)
        seen = share > 0.01
        c2, s2 = np.cos(2 * turn), np.sin(2 * turn)
        return np.where(seen, s * c2 + c * s2, 0), np.where(seen, c * c2 - s * s2, 0), share

    inside, level, _ = turned(upper + 0.08 * depth, lower - 0.06 * depth)
    rises = np.where(inside >= 0, 1.0, -1.0)
    over, level_over, _ = turned(upper - OUTSIDE * height, upper - 8)
    under, _, _ = turned(lower + 8, lower + OUTSIDE * height)
    first, _, _ = turned(upper + 0.05 * depth, upper + 0.33 * depth)
    middle, _, _ = turned(upper + 0.33 * depth, upper + 0.66 * depth)
    last, _, _ = turned(upper + 0.66 * depth, lower - 0.03 * depth)
    columns = {"tilt": inside, "tilt_first": first, "tilt_middle": middle, "tilt_last": last}
    columns |= {"tilt_over": over, "tilt_under": under}
    signed = {name: value * rises for name, value in columns.items()}
    return signed | {"level": level, "level_over": level_over}, rises


def _brightness(work: Work, upper: Rows, lower: Rows) -> dict[str, Rows]:
    height = work.normal.shape[0]
    size = (work.normal.shape[1], height)
    grey = _Sums(np.asarray(cv2.resize(work.image, size, interpolation=cv2.INTER_AREA), dtype=np.float32))
    local = _Sums(work.normal)
    depth = lower - upper
    last, _ = grey.mean(upper + 0.7 * depth, lower - 3)
    under, seen_under = grey.mean(lower + 12, lower + OUTSIDE * height)
    first, _ = grey.mean(upper + 3, upper + 0.2 * depth)
    over, seen_over = grey.mean(upper - OUTSIDE * height, upper - 8)
    return {
        "band_upper": local.mean(upper - 6, upper)[0],
        "band_lower": local.mean(lower, lower + 6)[0],
        "brighter_than_under": np.where(seen_under > 0.01, last - under, 0),
        "brighter_over": np.where(seen_over > 0.01, over - first, 0),
        "bright": grey.mean(upper, lower)[0] - float(work.image.mean()),
    }


def _lengths(
    upper: Edges, lower: Edges, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64], rises: Rows
) -> dict[str, Rows]:
    columns = {}
    for name, edges, index in (("upper", upper, i), ("lower", lower, j)):
        columns[f"step_{name}"] = edges.strength.mean(axis=1)[index]
        columns[f"cover_{name}"] = (edges.strength > 0.2).mean(axis=1)[index]
        columns[f"weak_{name}"] = np.quantile(edges.strength, 0.15, axis=1)[index]
    end = max(3, lower.strength.shape[1] // 6)
    left, right = lower.strength[:, :end].mean(axis=1)[j], lower.strength[:, -end:].mean(axis=1)[j]
    columns["end_lower"] = np.where(rises > 0, left, right)
    return columns


def _shape(
    upper: Rows, lower: Rows, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64], height: int
) -> dict[str, Rows]:
    slope_upper, bend_upper = _line(upper)
    slope_lower, bend_lower = _line(lower)
    top, bottom = upper.mean(axis=1)[i] / height, lower.mean(axis=1)[j] / height
    return {
        "thick": bottom - top,
        "thick_off": 4 * (bottom - top - 0.5) ** 2,
        "top": top,
        "bottom": bottom,
        "diverge": 10 * np.abs(slope_upper[i] - slope_lower[j]),
        "slope_upper": 10 * np.abs(slope_upper[i]),
        "slope_lower": 10 * np.abs(slope_lower[j]),
        "bend_upper": np.abs(bend_upper[i]) / 10,
        "bend_lower": np.abs(bend_lower[j]) / 10,
    }


def _rivals(
    work: Work, upper: Edges, lower: Edges, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]
) -> dict[str, Rows]:
    """Strongest other edge inside the pair, above it and below it; by how much its band is the better one."""
    local = _Sums(work.normal)
    at_upper, at_lower = upper.rows.mean(axis=1), lower.rows.mean(axis=1)
    top, bottom = at_upper[i], at_lower[j]
    depth = bottom - top
    band_upper = _even(local.mean(upper.rows - 6, upper.rows)[0], upper)
    band_lower = _even(local.mean(lower.rows, lower.rows + 6)[0], lower)
    weak = np.quantile(lower.strength, 0.15, axis=1)
    nowhere = np.full_like(top, np.inf)
    inside_upper = _between(at_upper, top + 8, bottom - 0.3 * depth)
    inside_lower = _between(at_lower, top + 0.3 * depth, bottom - 8)
    over, under = _between(at_upper, -nowhere, top - 8), _between(at_lower, bottom + 8, nowhere)
    step_upper, step_lower = upper.strength.mean(axis=1), lower.strength.mean(axis=1)
    return {
        "rival_upper_inside": _most(step_upper, inside_upper),
        "rival_lower_inside": _most(step_lower, inside_lower),
        "rival_upper_over": _most(step_upper, over),
        "rival_lower_under": _most(step_lower, under),
        "band_upper_inside": _most(band_upper, inside_upper),
        "band_lower_inside": _most(band_lower, inside_lower),
        "better_upper_inside": np.maximum(_most(band_upper, inside_upper) - band_upper[i], 0),
        "better_lower_inside": np.maximum(_most(band_lower, inside_lower) - band_lower[j], 0),
        "better_upper_over": np.maximum(_most(band_upper, over) - band_upper[i], 0),
        "better_lower_under": np.maximum(_most(band_lower, under) - band_lower[j], 0),
        "weak_lower_inside": _most(weak, inside_lower),
    }


def _even(band: Rows, edges: Edges) -> Rows:
    """Brightness of a band times the share of the width over which it is seen."""
    return np.asarray(np.maximum(band, 0) * (edges.strength > 0.2).mean(axis=1))


def _between(at: Rows, low: Rows, high: Rows) -> npt.NDArray[np.bool_]:
    return np.asarray((at > low[:, None]) & (at < high[:, None]))


def _most(value: Rows, where: npt.NDArray[np.bool_]) -> Rows:
    return np.asarray(np.where(where, value, 0).max(axis=1), dtype=np.float64)
