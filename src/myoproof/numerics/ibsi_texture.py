"""IBSI texture features: what co-occurrence, run, zone, tone and dependence matrices say."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from myoproof.numerics.ibsi_matrices import (
    Dimension,
    cooccurrence,
    dependences,
    runs,
    tone_differences,
    zones,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Levels = npt.NDArray[np.int32]

AGGREGATIONS: Mapping[str, tuple[Dimension, bool, bool]] = {
    "2d_averaged": (2, True, True),
    "2d_slice_merged": (2, True, False),
    "2_5d_direction_merged": (2, False, True),
    "2_5d_merged": (2, False, False),
    "3d_averaged": (3, False, True),
    "3d_merged": (3, False, False),
}
"""Of matrices with directions: neighbours in 2 or 3 dimensions, matrices per slice, per direction. In IBSI's
order BTW3, SUJT, JJUI, ZW7Z, ITBB, IAZD."""
WHOLE: Mapping[str, tuple[Dimension, bool]] = {"2d": (2, True), "2_5d": (2, False), "3d": (3, False)}
"""Of matrices without directions, likewise: 8QNN, 62GR, KOBO."""
MOST_COARSE = 1e6
"""Coarseness of a region without tone differences (IBSI reference manual, 3.10.1)."""
BY_SIZE = (
    "{small}_emphasis",
    "{large}_emphasis",
    "low_grey_level_{item}_emphasis",
    "high_grey_level_{item}_emphasis",
    "{small_one}_low_grey_level_emphasis",
    "{small_one}_high_grey_level_emphasis",
    "{large_one}_low_grey_level_emphasis",
    "{large_one}_high_grey_level_emphasis",
    "grey_level_non_uniformity",
    "normalised_grey_level_non_uniformity",
    "{size}_non_uniformity",
    "normalised_{size}_non_uniformity",
    "{share}_percentage",
    "grey_level_variance",
    "{size}_variance",
    "{doubt}_entropy",
)
"""What the features of run, zone and dependence matrices are called, each family with words of its own."""
WORDS: Mapping[str, Mapping[str, str]] = {
    "glrlm": {
        "small": "short_runs", "large": "long_runs", "small_one": "short_run", "large_one": "long_run",
        "item": "run", "size": "run_length", "share": "run", "doubt": "run",
    },
    "glszm": {
        "small": "small_zone", "large": "large_zone", "small_one": "small_zone", "large_one": "large_zone",
        "item": "zone", "size": "zone_size", "share": "zone", "doubt": "zone_size",
    },
    "gldzm": {
        "small": "small_distance", "large": "large_distance", "small_one": "small_distance",
        "large_one": "large_distance", "item": "zone", "size": "zone_distance", "share": "zone",
        "doubt": "zone_distance",
    },
    "ngldm": {
        "small": "low_dependence", "large": "high_dependence", "small_one": "low_dependence",
        "large_one": "high_dependence", "item": "count", "size": "dependence_count",
        "share": "dependence_count", "doubt": "dependence_count",
    },
}  # fmt: skip


def cooccurrence_features(levels: Levels, n_levels: int, aggregation: str) -> dict[str, float]:
    """Features of the grey level co-occurrence matrix at distance 1.

    Parameters
    ----------
    levels : ndarray of int32, shape (x, y, z)
        Grey levels from 1 on; 0 outside.
    n_levels : int
        Number of grey levels.
    aggregation : str
        A key of :data:`AGGREGATIONS`.

    Returns
    -------
    dict of str to float
        Feature word -> mean over the matrices that hold anything; NaN where none does.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.6.
    """
    dimension, per_slice, per_direction = AGGREGATIONS[aggregation]
    counts = cooccurrence(levels, n_levels, dimension, per_slice=per_slice, per_direction=per_direction)
    counts = counts.reshape(-1, n_levels, n_levels)
    return _mean(_pairs(counts[counts.any(axis=(1, 2))]), "glcm")


def run_features(levels: Levels, n_levels: int, aggregation: str) -> dict[str, float]:
    """Features of the grey level run length matrix; see :func:`cooccurrence_features`.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.7.
    """
    dimension, per_slice, per_direction = AGGREGATIONS[aggregation]
    counts = runs(levels, n_levels, dimension, per_slice=per_slice, per_direction=per_direction)
    ways = 1 if per_direction else (4 if dimension == 2 else 13)
    voxels = np.repeat(_voxels(levels, per_slice) * ways, counts.shape[1])
    counts = counts.reshape(-1, *counts.shape[2:])
    return _mean(_by_size(counts, np.arange(1.0, counts.shape[2] + 1), voxels, "glrlm"), "glrlm")


def zone_features(levels: Levels, outline: Bools, n_levels: int, aggregation: str) -> dict[str, float]:
    """Features of the grey level size zone and distance zone matrices.

    Parameters
    ----------
    levels : ndarray of int32, shape (x, y, z)
        Grey levels from 1 on; 0 outside the intensity mask.
    outline : ndarray of bool, same shape
        Morphological mask, for the distances.
    n_levels : int
        Number of grey levels.
    aggregation : str
        A key of :data:`WHOLE`.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, sections 3.8 and 3.9.
    """
    dimension, per_slice = WHOLE[aggregation]
    found = zones(levels, outline, dimension)
    voxels = _voxels(levels, per_slice)
    group = found[:, 0] if per_slice else np.zeros(len(found), dtype=np.int64)
    out: dict[str, float] = {}
    for family, column in (("glszm", 2), ("gldzm", 3)):
        sizes, place = np.unique(found[:, column], return_inverse=True)
        shape = (voxels.size, n_levels, sizes.size)
        flat = np.ravel_multi_index((group, found[:, 1] - 1, place), shape)
        counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
        out |= _mean(_by_size(counts, sizes.astype(np.float64), voxels, family), family)
    return out


def tone_features(levels: Levels, n_levels: int, aggregation: str) -> dict[str, float]:
    """Features of the neighbourhood grey tone difference matrix; see :func:`zone_features`.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.10.
    """
    dimension, per_slice = WHOLE[aggregation]
    both = tone_differences(levels, n_levels, dimension, per_slice=per_slice)
    parts = [_tones(part) for part in both if part[:, 0].any()]
    names = parts[0] if parts else _tones(np.ones((1, 2)))
    return _mean({name: np.array([part[name] for part in parts]) for name in names}, "ngtdm")


def dependence_features(
    levels: Levels, n_levels: int, aggregation: str, *, coarseness: int = 0
) -> dict[str, float]:
    """Features of the neighbouring grey level dependence matrix; see :func:`zone_features`.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.11.
    """
    dimension, per_slice = WHOLE[aggregation]
    counts = dependences(levels, n_levels, dimension, per_slice=per_slice, coarseness=coarseness)
    sizes = np.arange(1.0, counts.shape[2] + 1)
    found = _by_size(counts, sizes, _voxels(levels, per_slice), "ngldm")
    total = counts.sum(axis=(1, 2))
    kept = counts[total > 0] / total[total > 0, None, None]
    found["dependence_count_energy"] = (kept**2).sum(axis=(1, 2))
    return _mean(found, "ngldm")


def _voxels(levels: Levels, per_slice: bool) -> Floats:
    inside = (levels > 0).sum(axis=(0, 1)).astype(np.float64)
    return np.asarray(inside if per_slice else inside.sum(keepdims=True), dtype=np.float64)


def _mean(found: Mapping[str, Floats], family: str) -> dict[str, float]:
    """Mean over matrices, under the words of a family."""
    return {
        f"{family}_{name}": float(values.mean()) if values.size else float("nan")
        for name, values in found.items()
    }


def _by_size(counts: Floats, sizes: Floats, voxels: Floats, family: str) -> dict[str, Floats]:
    """The sixteen features that run, zone and dependence matrices share; a value for each not empty.

    Parameters
    ----------
    counts : ndarray, shape (matrix, level, size)
        Occurrences.
    sizes : ndarray, shape (size,)
        What the last axis stands for.
    voxels : ndarray, shape (matrix,)
        How many occurrences there could be.
    family : str
        A key of :data:`WORDS`.
    """
    total = counts.sum(axis=(1, 2))
    counts, voxels, total = counts[total > 0], voxels[total > 0], total[total > 0]
    n = total[:, None]
    i = np.arange(1.0, counts.shape[1] + 1)
    level, size, p = counts.sum(axis=2) / n, counts.sum(axis=1) / n, counts / n[:, :, None]
    mean_level, mean_size = level @ i, size @ sizes

    def crossed(of_level: Floats, of_size: Floats) -> Floats:
        return np.asarray(np.einsum("mij,i,j->m", p, of_level, of_size))

    logs = np.log2(np.where(p > 0, p, 1.0))
    values = (
        size @ sizes**-2.0,
        size @ sizes**2,
        level @ i**-2.0,
        level @ i**2,
        crossed(i**-2.0, sizes**-2.0),
        crossed(i**2, sizes**-2.0),
        crossed(i**-2.0, sizes**2),
        crossed(i**2, sizes**2),
        (level**2).sum(axis=1) * total,
        (level**2).sum(axis=1),
        (size**2).sum(axis=1) * total,
        (size**2).sum(axis=1),
        total / voxels,
        (level * (i - mean_level[:, None]) ** 2).sum(axis=1),
        (size * (sizes - mean_size[:, None]) ** 2).sum(axis=1),
        -(p * logs).sum(axis=(1, 2)) + 0.0,
    )
    names = [name.format(**WORDS[family]) for name in BY_SIZE]
    return dict(zip(names, values, strict=True))


def _tones(matrix: Floats) -> dict[str, float]:
    """Features of one tone difference matrix, shape (level, 2)."""
    levels = np.arange(1.0, len(matrix) + 1)[matrix[:, 0] > 0]
    count, away = matrix[matrix[:, 0] > 0].T
    p = count / count.sum()
    n = len(p)
    step = levels[:, None] - levels
    weighed = float(p @ away)
    unlike = float(np.abs((levels * p)[:, None] - levels * p).sum())
    contrast = float(p @ step**2 @ p) / (n * (n - 1)) * away.sum() / count.sum() if n > 1 else 0.0
    shared = ((p * away)[:, None] + p * away) / (p[:, None] + p)
    return {
        "coarseness": min(1.0 / weighed, MOST_COARSE) if weighed > 0 else MOST_COARSE,
        "contrast": float(contrast),
        "busyness": weighed / unlike if unlike > 0 else 0.0,
        "complexity": float((np.abs(step) * shared).sum() / count.sum()),
        "strength": float(((p[:, None] + p) * step**2).sum() / away.sum()) if away.sum() > 0 else 0.0,
    }


def _pairs(counts: Floats) -> dict[str, Floats]:
    """Features of symmetric co-occurrence matrices, one value each."""
    p = counts / counts.sum(axis=(1, 2), keepdims=True)
    n = p.shape[1]
    i = np.arange(1.0, n + 1)
    row = p.sum(axis=2)
    mean = row @ i
    variance = (row * (i - mean[:, None]) ** 2).sum(axis=1)
    k = np.arange(n, dtype=np.float64)
    apart = _diagonals(p) * np.where(k > 0, 2.0, 1.0)
    total = np.arange(2.0, 2 * n + 1)
    summed = _antidiagonals(p)
    mean_apart, mean_sum = apart @ k, summed @ total
    product = np.einsum("mij,i,j->m", p, i, i)
    covariance = product - mean**2
    out = {
        "joint_maximum": p.max(axis=(1, 2), initial=0.0),
        "joint_average": mean,
        "joint_variance": variance,
        "joint_entropy": _entropy(p.reshape(len(p), n * n)),
        "difference_average": mean_apart,
        "difference_variance": (apart * (k - mean_apart[:, None]) ** 2).sum(axis=1),
        "difference_entropy": _entropy(apart),
        "sum_average": mean_sum,
        "sum_variance": (summed * (total - mean_sum[:, None]) ** 2).sum(axis=1),
        "sum_entropy": _entropy(summed),
        "angular_second_moment": (p**2).sum(axis=(1, 2)),
        "contrast": apart @ k**2,
        "dissimilarity": mean_apart,
        "inverse_difference": apart @ (1 / (1 + k)),
        "normalised_inverse_difference": apart @ (1 / (1 + k / n)),
        "inverse_difference_moment": apart @ (1 / (1 + k**2)),
        "normalised_inverse_difference_moment": apart @ (1 / (1 + (k / n) ** 2)),
        "inverse_variance": apart[:, 1:] @ (k[1:] ** -2.0),
        "correlation": np.where(variance > 0, covariance / np.where(variance > 0, variance, 1.0), 1.0),
        "autocorrelation": product,
    }
    away = total - 2 * mean[:, None]
    out |= {
        "cluster_tendency": (summed * away**2).sum(axis=1),
        "cluster_shade": (summed * away**3).sum(axis=1),
        "cluster_prominence": (summed * away**4).sum(axis=1),
    }
    return out | _information(p, row, out["joint_entropy"])


def _information(p: Floats, row: Floats, joint: Floats) -> dict[str, Floats]:
    """The two measures of information correlation (IBSI reference manual, 3.6.24 and 3.6.25)."""
    own = _entropy(row)
    independent = row[:, :, None] * row[:, None, :]
    crossed = -(p * np.log2(np.where(independent > 0, independent, 1.0))).sum(axis=(1, 2))
    both = _entropy(independent.reshape(len(p), row.shape[1] ** 2))
    return {
        "information_correlation_1": np.where(own > 0, (joint - crossed) / np.where(own > 0, own, 1.0), 0.0),
        "information_correlation_2": np.sqrt(np.maximum(1 - np.exp(-2 * (both - joint)), 0.0)),
    }


def _entropy(p: Floats) -> Floats:
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=1) + 0.0)


def _diagonals(p: Floats) -> Floats:
    """Sums along the upper diagonals, shape (matrix, level)."""
    return np.stack([np.trace(p, k, axis1=1, axis2=2) for k in range(p.shape[1])], axis=1)


def _antidiagonals(p: Floats) -> Floats:
    """Sums where two levels add up to 2, 3, ..., shape (matrix, 2 n - 1)."""
    n = p.shape[1]
    return np.stack([np.trace(p[:, ::-1], k, axis1=1, axis2=2) for k in range(1 - n, n)], axis=1)
