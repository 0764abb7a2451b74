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
        sum over lags of the correlation, up to where it first falls below 0.1.

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
    if not centred.any():
        return 1.0, 1.0
    return _width(*_products(inside.T, centred.T)), _width(*_products(inside, centred))


def block_codes(region: Bools, lengths: tuple[float, float], *, cells: float = CELLS) -> Ints:
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
    ndarray of int64, shape (n,)
        Block of each pixel, in the order of ``image[region]``, counted from 0.
    """
    rows, cols = np.nonzero(region)
    area = lengths[0] * lengths[1] * cells**2
    shrink = min(1.0, np.sqrt(len(rows) / (FEWEST_BLOCKS * area)))
    sizes = [max(1.0, cells * length * shrink) for length in lengths]
    row, col = (
        np.floor((at - at.min()) / _even(int(at.max() - at.min()) + 1, size)).astype(np.int64)
        for at, size in zip((rows, cols), sizes, strict=True)
    )
    _, codes = np.unique(row * (int(col.max()) + 1) + col, return_inverse=True)
    return np.asarray(codes, dtype=np.int64)


def grey_statistics(
    values: Bytes, blocks: Ints, *, percentiles: Sequence[float] = (5, 25, 50, 75, 95), level: float = 0.95
) -> dict[str, Interval]:
    """Statistics of grey levels, with intervals that know neighbouring pixels for one observation.

    Blocks are sampled units: the spread of each statistic is that of the sums of its influence over blocks
    (ratio estimator), with Student quantiles; percentiles by Woodruff's method.

    Parameters
    ----------
    values : ndarray of uint8, shape (n,)
        Grey levels, not empty.
    blocks : ndarray of int64, shape (n,)
        From :func:`block_codes`.
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
    Woodruff RS. J Am Stat Assoc 1952;47:635. Cochran WG. Sampling Techniques, 1977, section 6.3.

    Examples
    --------
    >>> made = grey_statistics(np.array([10, 20, 30, 40], dtype=np.uint8), np.arange(4))
    >>> made["mean"].value, made["percentile_50"].value, made["entropy"].value
    (25.0, 25.0, 2.0)
    """
    counts = np.zeros((int(blocks.max()) + 1, GREYS))
    np.add.at(counts, (blocks, values), 1.0)
    share = counts.sum(axis=0) / len(values)
    grey = np.arange(GREYS, dtype=np.float64)
    mean = float(share @ grey)
    variance = float(share @ (grey - mean) ** 2)
    sd = float(np.sqrt(variance * len(values) / max(len(values) - 1, 1)))
    doubt = -np.log2(share, out=np.zeros(GREYS), where=share > 0)
    spread = np.sqrt(variance) if variance > 0 else 1.0
    quantile = _student(len(counts), level)
    found = {
        "mean": _between(mean, quantile * _error(counts, grey - mean), 255.0),
        "sd": _between(sd, quantile * _error(counts, ((grey - mean) ** 2 - variance) / (2 * spread)), 128.0),
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
        found[f"percentile_{percent:g}"] = _percentile(counts, percent / 100, quantile)
    return found


def _between(value: float, half: float, most: float) -> Interval:
    return Interval(value, *(float(np.clip(end, 0, most)) for end in (value - half, value + half)))


def _percentile(counts: Floats, p: float, quantile: float) -> Interval:
    above = np.cumsum(counts.sum(axis=0))
    value = _quantile(above, p)
    below = (np.arange(GREYS) <= value).astype(np.float64)
    share = float((counts @ below).sum() / above[-1])
    half = quantile * _error(counts, below - share)
    if np.isnan(half):
        return Interval(value, np.nan, np.nan)
    low, high = (_quantile(above, float(np.clip(p + side * half, 0, 1))) for side in (-1, 1))
    return Interval(value, min(low, value), max(high, value))


def _quantile(above: Floats, p: float) -> float:
    """The quantile of counted grey levels, linear between neighbours in rank as numpy has it."""
    rank = (above[-1] - 1) * p
    low, high = np.searchsorted(above, [np.floor(rank), np.ceil(rank)], side="right")
    return float(low + (high - low) * (rank - np.floor(rank)))


def _error(counts: Floats, influence: Floats) -> float:
    """Standard error of a statistic with this influence of each grey level."""
    n_blocks = len(counts)
    if n_blocks < 2:
        return float("nan")
    totals = counts @ influence / counts.sum()
    return float(np.sqrt(n_blocks / (n_blocks - 1) * (totals**2).sum()))


def _student(n_blocks: int, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, n_blocks - 1)) if n_blocks > 1 else float("nan")


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
