"""IBSI intensity features: statistics, histogram, volume histogram and local peaks of a region."""

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

PEAK_RADIUS_MM = float((3.0 / (4.0 * np.pi)) ** (1 / 3) * 10.0)
"""Radius of a ball of 1 cm3 (IBSI reference manual, 3.2.1)."""


def statistics(values: Floats) -> dict[str, float]:
    """Statistics of the intensities of a region.

    Parameters
    ----------
    values : ndarray, shape (voxel,)
        Finite, not empty.

    Returns
    -------
    dict of str to float
        Feature word -> value; ratios to a zero mean or quartile sum are NaN.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.3.

    Examples
    --------
    >>> found = statistics(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> found["intensity_mean"], found["intensity_interquartile_range"]
    (2.5, 1.5)
    """
    moments = {f"intensity_{name}": value for name, value in _moments(values).items()}
    energy = float(values @ values)
    return moments | {
        "intensity_energy": energy,
        "intensity_root_mean_square": float(np.sqrt(energy / values.size)),
    }


def histogram(levels: npt.NDArray[np.int32], n_levels: int) -> dict[str, float]:
    """Features of the histogram of discretised intensities.

    Parameters
    ----------
    levels : ndarray of int, shape (voxel,)
        Grey levels from 1 on, not empty.
    n_levels : int
        Number of grey levels.

    Returns
    -------
    dict of str to float
        Feature word -> value. Of several modes the one nearest the mean counts.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.4.

    Examples
    --------
    >>> found = histogram(np.array([1, 1, 3], dtype=np.int32), 3)
    >>> found["intensity_histogram_mode"], round(found["intensity_histogram_entropy"], 4)
    (1.0, 0.9183)
    """
    start = "intensity_histogram_"
    out = {start + name: value for name, value in _moments(levels.astype(np.float64)).items()}
    count = np.bincount(levels, minlength=n_levels + 1)[1:].astype(np.float64)
    share = count[count > 0] / count.sum()
    modes = np.flatnonzero(count == count.max()) + 1
    out |= {
        f"{start}mode": float(modes[np.argmin(np.abs(modes - levels.mean()))]),
        f"{start}entropy": float(-(share @ np.log2(share))) + 0.0,
        f"{start}uniformity": float(share @ share),
    }
    slope = np.gradient(count) if count.size > 1 else np.zeros(1)
    return out | {
        f"{start}maximum_gradient": float(slope.max()),
        f"{start}maximum_gradient_level": float(np.argmax(slope) + 1),
        f"{start}minimum_gradient": float(slope.min()),
        f"{start}minimum_gradient_level": float(np.argmin(slope) + 1),
    }


def volume_histogram(levels: npt.NDArray[np.int32], n_levels: int, intensities: Floats) -> dict[str, float]:
    """Features of the intensity-volume histogram.

    Parameters
    ----------
    levels : ndarray of int, shape (voxel,)
        Grey levels from 1 on, not empty.
    n_levels : int
        Number of grey levels.
    intensities : ndarray, shape (n_levels,)
        What each level stands for, rising.

    Returns
    -------
    dict of str to float
        The largest share of the volume above 10 and 90 % of the intensity range, the lowest intensity held by
        at most 10 and 90 % of the volume, and the two differences.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.5.
    """
    count = np.bincount(levels, minlength=n_levels + 1)[1:]
    at_least = np.append(count[::-1].cumsum()[::-1] / count.sum(), 0.0)
    reach = intensities[-1] - intensities[0]
    range_share = (intensities - intensities[0]) / reach if reach > 0 else np.ones(n_levels)
    volume = {part: float(at_least[np.argmax(range_share >= part - 1e-12)]) for part in (0.1, 0.9)}
    beyond = np.append(intensities, intensities[-1])
    level = {part: float(beyond[np.argmax(at_least <= part + 1e-12)]) for part in (0.1, 0.9)}
    return {
        "intensity_volume_fraction_10": volume[0.1],
        "intensity_volume_fraction_90": volume[0.9],
        "intensity_volume_fraction_difference": volume[0.1] - volume[0.9],
        "volume_intensity_10": level[0.1],
        "volume_intensity_90": level[0.9],
        "volume_intensity_difference": level[0.1] - level[0.9],
    }


def peaks(values: Floats, inside: Bools, spacing_mm: Floats) -> dict[str, float]:
    """Local and global intensity peak: mean intensity in a ball of 1 cm3.

    Parameters
    ----------
    values : ndarray, shape (x, y, z)
        Image with what surrounds the region; voxels that are not finite have no weight.
    inside : ndarray of bool, same shape
        Intensity mask, not empty.
    spacing_mm : ndarray, shape (3,)
        Distance between voxel centres.

    Returns
    -------
    dict of str to float
        Around the brightest voxel of the region (of several, the highest peak), and the highest around any.

    References
    ----------
    Image biomarker standardisation initiative, arXiv:1612.07003, section 3.2.
    """
    reach = np.floor(PEAK_RADIUS_MM / spacing_mm).astype(int)
    box = tuple(
        slice(max(0, int(where.min()) - margin), int(where.max()) + margin + 1)
        for where, margin in zip(np.nonzero(inside), reach, strict=True)
    )
    own, within = values[box], inside[box]
    across, along = np.meshgrid(*(np.arange(-n, n + 1) for n in reach[1:]), indexing="ij")
    rest = PEAK_RADIUS_MM**2 - (across * spacing_mm[1]) ** 2 - (along * spacing_mm[2]) ** 2
    held = rest >= 0
    lines = np.stack(
        [across[held], along[held], np.floor(np.sqrt(rest[held]) / spacing_mm[0] + 1e-9).astype(int)], axis=1
    )
    finite = np.isfinite(own)
    running = [
        np.cumsum(np.pad(image, [(1, 0), (0, 0), (0, 0)]), axis=0, dtype=np.float64)
        for image in (np.where(finite, own, 0.0), finite.astype(np.float64))
    ]
    mean = _ball_means(running[0], running[1], np.argwhere(within), lines.astype(np.int64))
    brightest = own[within] == own[within].max()
    return {"local_intensity_peak": float(mean[brightest].max()), "global_intensity_peak": float(mean.max())}


@njit(cache=True, nogil=True)
def _ball_means(total: Floats, weight: Floats, at: Ints, lines: Ints) -> Floats:
    """Means around voxels, from running sums along the first axis and the half-lengths of a ball's lines."""
    out = np.zeros(at.shape[0])
    longest = total.shape[0] - 1
    for voxel in range(at.shape[0]):
        values, count = 0.0, 0.0
        for line in range(lines.shape[0]):
            j, k = at[voxel, 1] + lines[line, 0], at[voxel, 2] + lines[line, 1]
            if j < 0 or k < 0 or j >= total.shape[1] or k >= total.shape[2]:
                continue
            first = max(at[voxel, 0] - lines[line, 2], 0)
            last = min(at[voxel, 0] + lines[line, 2] + 1, longest)
            values += total[last, j, k] - total[first, j, k]
            count += weight[last, j, k] - weight[first, j, k]
        out[voxel] = values / count
    return out


def _moments(x: Floats) -> dict[str, float]:
    """What the statistics and the histogram have in common."""
    mean, variance = float(x.mean()), float(x.var())
    away = x - mean
    spread = variance > 1e-24 * max(mean**2, 1e-300)
    p10, p25, median, p75, p90 = (float(q) for q in np.percentile(x, [10, 25, 50, 75, 90]))
    core = x[(x >= p10) & (x <= p90)]
    return {
        "mean": mean,
        "variance": variance,
        "skewness": float((away**3).mean() / variance**1.5) if spread else 0.0,
        "kurtosis": float((away**4).mean() / variance**2 - 3.0) if spread else 0.0,
        "median": median,
        "minimum": float(x.min()),
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": float(x.max()),
        "interquartile_range": p75 - p25,
        "range": float(np.ptp(x)),
        "mean_absolute_deviation": float(np.abs(away).mean()),
        "robust_mean_absolute_deviation": float(np.abs(core - core.mean()).mean()),
        "median_absolute_deviation": float(np.abs(x - median).mean()),
        "coefficient_of_variation": float(np.sqrt(variance)) / mean if mean != 0 else np.nan,
        "quartile_coefficient_of_dispersion": (p75 - p25) / (p75 + p25) if p75 + p25 != 0 else np.nan,
    }
