"""Grey levels of a speckled region: statistics, and intervals from blocks larger than a speckle cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

GREYS = 256
CELLS = 3.0
"""Width of a block in correlation lengths; held against phantoms in ``evidence/tables/echogenicity.csv``."""
FEWEST_BLOCKS = 9
"""Blocks shrink until a region holds this many."""
FADED = 0.1
"""Autocorrelation below this counts as none."""
CHAINED = 2 / 3
"""Degrees of freedom a difference of successive blocks is worth (von Neumann 1941, for long chains)."""
MOST_LINES = 100
"""The autocorrelation is taken from at most about twice this many evenly spaced lines."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic and where it would lie in another speckle pattern of the same tissue.

    Parameters
    ----------
    value, low, high : float
        In the unit of the statistic; low and high are NaN where the region is too small to tell.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Blocks:
    """A region cut into blocks.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Block of each pixel, in the order of ``image[region]``, counted from 0.
    pairs : ndarray of int64, shape (m, 2)
        Blocks side by side at one depth.
    """

    codes: Ints
    pairs: Ints


def correlation_length(image: Floats, region: Bools) -> tuple[float, float]:
    """How far neighbouring pixels of a region are alike, down and across.

    Parameters
    ----------
    image : ndarray, shape (row, col)
        Grey levels.
    region : ndarray of bool, same shape
        Pixels that count, not empty.

    Returns
    -------
    tuple of float
        Integral width of the autocorrelation along rows and along columns, in pixels, at least 1: 1 + 2 x the
        sum over lags of the correlation, up to where it first falls below 0.1. Layers are no speckle: the
        means of rows and of columns are taken off before.

    References
    ----------
    Wagner RF et al. IEEE Trans Sonics Ultrason 1983;30:156 (speckle cell).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(80, 80))
    >>> [round(length) for length in correlation_length(noise, np.ones((80, 80), bool))]
    [1, 1]
    """
    box = _box(region)
    inside = region[box].astype(np.float64)
    centred = np.where(region[box], image[box] - image[region].mean(), 0.0)
    for axis in (1, 0):
        means = centred.sum(axis=axis, keepdims=True) / np.maximum(inside.sum(axis=axis, keepdims=True), 1.0)
        centred = (centred - means) * inside
    if not centred.any():
        return 1.0, 1.0
    return _width(*_products(inside.T, centred.T)), _width(*_products(inside, centred))


def blocks_of(region: Bools, lengths: tuple[float, float], *, cells: float = CELLS) -> Blocks:
    """Blocks of a region, each several speckle cells wide.

    Parameters
    ----------
    region : ndarray of bool, shape (row, col)
        Pixels that count.
    lengths : tuple of float
        From :func:`correlation_length`.
    cells : float
        Width of a block in correlation lengths; less where the region is small.

    Returns
    -------
    Blocks
    """
    rows, cols = np.nonzero(region)
    area = lengths[0] * lengths[1] * cells**2
    shrink = min(1.0, np.sqrt(len(rows) / (FEWEST_BLOCKS * area)))
    sizes = [max(1.0, cells * length * shrink) for length in lengths]
    row, col = (
        np.floor((at - at.min()) / _even(int(at.max() - at.min()) + 1, size)).astype(np.int64)
        for at, size in zip((rows, cols), sizes, strict=True)
    )
    width = int(col.max()) + 2
    held, codes = np.unique(row * width + col, return_inverse=True)
    right = np.searchsorted(held, held + 1)
    there = np.flatnonzero(held[np.minimum(right, len(held) - 1)] == held + 1)
    pairs = np.column_stack([there, right[there]])
    return Blocks(np.asarray(codes, dtype=np.int64), pairs.astype(np.int64))


def grey_statistics(
    values: Bytes, blocks: Blocks, *, percentiles: Sequence[float] = (5, 25, 50, 75, 95), level: float = 0.95
) -> dict[str, Interval]:
    """Statistics of grey levels, with intervals that know neighbouring pixels for one observation.

    How much blocks side by side at one depth differ in the influence of their pixels tells how far a
    statistic strays (successive differences: layers and slow changes cancel, fine streaks count), with
    Student quantiles; percentiles by Woodruff's method.

    Parameters
    ----------
    values : ndarray of uint8, shape (n,)
        Grey levels, not empty.
    blocks : Blocks
        From :func:`blocks_of`.
    percentiles : sequence of float
        0 to 100.
    level : float
        Coverage.

    Returns
    -------
    dict of str to Interval
        ``mean``, ``sd`` (n - 1), ``entropy`` (bit, of the 256 levels), ``share_black``, ``share_white`` and
        ``percentile_5`` and so on (linear between pixels, as numpy). Entropy and shares have no interval.

    References
    ----------
    Woodruff RS. J Am Stat Assoc 1952;47:635. von Neumann J et al. Ann Math Stat 1941;12:153.

    Examples
    --------
    >>> four = blocks_of(np.ones((1, 4), dtype=bool), (1.0, 1.0), cells=1.0)
    >>> made = grey_statistics(np.array([10, 20, 30, 40], dtype=np.uint8), four)
    >>> made["mean"].value, made["percentile_50"].value, made["entropy"].value
    (25.0, 25.0, 2.0)
    """
    n_blocks = int(blocks.codes.max()) + 1
    flat = np.bincount(blocks.codes * GREYS + values, minlength=n_blocks * GREYS)
    counts = flat.reshape(n_blocks, GREYS).astype(np.float64)
    share = counts.sum(axis=0) / len(values)
    grey = np.arange(GREYS, dtype=np.float64)
    mean = float(share @ grey)
    variance = float(share @ (grey - mean) ** 2)
    sd = float(np.sqrt(variance * len(values) / max(len(values) - 1, 1)))
    doubt = -np.log2(share, out=np.zeros(GREYS), where=share > 0)
    spread = np.sqrt(variance) if variance > 0 else 1.0
    quantile = _student(len(blocks.pairs), level)
    found = {
        "mean": _between(mean, quantile * _error(counts, blocks.pairs, grey - mean), 255.0),
        "sd": _between(
            sd, quantile * _error(counts, blocks.pairs, ((grey - mean) ** 2 - variance) / (2 * spread)), 128.0
        ),
        **{
            name: Interval(float(value), np.nan, np.nan)
            for name, value in (
                ("entropy", share @ doubt),
                ("share_black", share[0]),
                ("share_white", share[-1]),
            )
        },
    }
    for percent in percentiles:
        found[f"percentile_{percent:g}"] = _percentile(counts, blocks.pairs, percent / 100, quantile)
    return found


def _between(value: float, half: float, most: float) -> Interval:
    return Interval(value, *(float(np.clip(end, 0, most)) for end in (value - half, value + half)))


def _percentile(counts: Floats, pairs: Ints, p: float, quantile: float) -> Interval:
    above = np.cumsum(counts.sum(axis=0))
    value = _quantile(above, p)
    below = (np.arange(GREYS) <= value).astype(np.float64)
    share = float((counts @ below).sum() / above[-1])
    half = quantile * _error(counts, pairs, below - share)
    if np.isnan(half):
        return Interval(value, np.nan, np.nan)
    low, high = (_quantile(above, float(np.clip(p + side * half, 0, 1))) for side in (-1, 1))
    return Interval(value, min(low, value), max(high, value))


def _quantile(above: Floats, p: float) -> float:
    """The quantile of counted grey levels, linear between neighbours in rank as numpy has it."""
    rank = (above[-1] - 1) * p
    low, high = np.searchsorted(above, [np.floor(rank), np.ceil(rank)], side="right")
    return float(low + (high - low) * (rank - np.floor(rank)))


def _error(counts: Floats, pairs: Ints, influence: Floats) -> float:
    """Standard error of a statistic with this influence of each grey level."""
    if not len(pairs):
        return float("nan")
    sizes = counts.sum(axis=1)
    means = counts @ influence / sizes
    one, other = pairs[:, 0], pairs[:, 1]
    weights = 1 / (1 / sizes[one] + 1 / sizes[other])
    per_pixel = float((weights * (means[one] - means[other]) ** 2).mean())
    return float(np.sqrt(per_pixel / sizes.sum()))


def _student(n_pairs: int, level: float) -> float:
    df = max(1.0, CHAINED * n_pairs)
    return float(stats.t.ppf((1 + level) / 2, df)) if n_pairs else float("nan")


def _even(extent: int, size: float) -> float:
    """A block size near the one wanted that divides an extent."""
    return extent / max(1, round(extent / size))


def _box(region: Bools) -> tuple[slice, ...]:
    return tuple(slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(region))


def _products(inside: Floats, centred: Floats) -> tuple[Floats, Floats]:
    """Pairs of pixels a lag along the last axis, and the sums of their products, over some lines."""
    lines = np.s_[:: max(1, len(inside) // MOST_LINES)]
    length = inside.shape[1]
    size = fft.next_fast_len(2 * length, real=True)
    pairs, products = (
        fft.irfft((np.abs(fft.rfft(part[lines], size, axis=1)) ** 2).sum(axis=0), size)[:length]
        for part in (inside, centred)
    )
    return pairs, products


def _width(pairs: Floats, products: Floats) -> float:
    if products[0] <= 0:
        return 1.0
    correlation = products / np.maximum(pairs, 1.0) * (pairs[0] / products[0])
    faded = np.flatnonzero(correlation < FADED)
    until = int(faded[0]) if len(faded) else len(correlation)
    return float(1 + 2 * correlation[1:until].sum())
