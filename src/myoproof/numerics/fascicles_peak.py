"""The direction most lines share, once the directions that speckle alone would show are taken off."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

Floats = npt.NDArray[np.float64]

BIN_DEG = 0.5
SMOOTH_DEG = 2.5
"""SD by which the histogram of directions is smoothed; the peak of lines is rarely narrower."""
NEAR_DEG = 12.0
"""Lines within this of the peak belong to it."""
OTHER_DEG = 12.0
"""A second peak is sought farther than this from the first."""
RELIABLE_SDS = 2.0
"""Peaks nearer to 0 than this many of their SDs overlap their own mirror image and are moved back."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The dominant direction.

    Parameters
    ----------
    angle_deg : float
        Direction, positive where lines rise to the right.
    spread_deg : float
        SD of the directions of the lines that belong to it.
    share : float
        Share of all line strength that the peak holds above its mirror image, 0-1.
    rival : float
        Height of the highest other peak relative to this one, 0-1.
    """

    angle_deg: float
    spread_deg: float
    share: float
    rival: float


def dominant(angle_deg: Floats, weight: Floats, most_deg: float) -> Peak:
    """The peak of a weighted histogram of directions less its mirror image.

    The point spread of ultrasound is symmetric about the beam, so that speckle makes line-like specks whose
    directions are distributed symmetrically about the horizontal; taking the histogram's mirror image off
    removes them in expectation, whatever their anisotropy, and leaves the tissue's own lines.

    Parameters
    ----------
    angle_deg, weight : ndarray
        Directions of points on lines, and their weights.
    most_deg : float
        Directions lie between minus and plus this.

    Returns
    -------
    Peak
        NaN angle and share 0 where nothing leans to either side.
    """
    half = round(most_deg / BIN_DEG)
    centres = np.asarray(np.arange(-half, half + 1) * BIN_DEG, dtype=np.float64)
    edges = np.append(centres - BIN_DEG / 2, centres[-1] + BIN_DEG / 2)
    counts = np.histogram(angle_deg, edges, weights=weight)[0].astype(np.float64)
    total = float(counts.sum())
    if total <= 0:
        return Peak(np.nan, np.nan, 0.0, 1.0)
    smooth = np.asarray(gaussian_filter1d(counts, SMOOTH_DEG / BIN_DEG, mode="constant"))
    lean = smooth - smooth[::-1]
    top = int(np.clip(lean.argmax(), 1, lean.size - 2))
    if lean[top] <= 0:
        return Peak(np.nan, np.nan, 0.0, 1.0)
    angle = float(centres[top]) + BIN_DEG * _vertex(lean[top - 1 : top + 2])
    sd = _spread(centres, counts - counts[::-1], angle)
    angle = _unmixed(angle, float(np.hypot(sd, SMOOTH_DEG)))
    near = (np.abs(centres - angle) <= NEAR_DEG) & (centres * angle > 0)
    share = max(float((counts - counts[::-1])[near].sum()), 0.0) / total
    far = np.abs(centres - angle) > OTHER_DEG
    rival = float(np.clip(lean[far].max(initial=0.0) / lean[top], 0.0, 1.0))
    return Peak(angle, sd, min(share, 1.0), rival)


def turning(angle_deg: Floats, weight: Floats, depth: Floats, peak: Peak) -> float:
    """Change of direction over depth (deg per unit of depth) of the lines that belong to a peak.

    Weighted least squares within a window about the line itself, repeated from a level start.
    """
    slope = 0.0
    if not np.isfinite(peak.angle_deg):
        return float("nan")
    for _ in range(6):
        off = angle_deg - peak.angle_deg - slope * (depth - 0.5)
        factor = np.clip(1.0 - (off / NEAR_DEG) ** 2, 0.0, None) ** 2 * weight
        if np.count_nonzero(factor) < 20:
            return float("nan")
        centred = depth - np.average(depth, weights=factor)
        mean = np.average(angle_deg, weights=factor)
        power = float(np.sum(factor * centred**2))
        slope = float(np.sum(factor * centred * (angle_deg - mean))) / power if power > 0 else 0.0
    return slope


def _vertex(three: Floats) -> float:
    """Offset of a parabola's vertex from the middle of three samples."""
    bend = float(three[0] - 2.0 * three[1] + three[2])
    return float(np.clip(0.5 * (three[0] - three[2]) / bend, -1.0, 1.0)) if bend < 0 else 0.0


def _spread(centres: Floats, lean: Floats, angle: float) -> float:
    """SD of the directions about a peak, of what leans to its side."""
    near = np.abs(centres - angle) <= NEAR_DEG
    held = np.clip(lean[near], 0.0, None)
    return (
        float(np.sqrt(np.sum(held * (centres[near] - angle) ** 2) / held.sum()))
        if held.sum() > 0
        else NEAR_DEG
    )


def _unmixed(angle: float, sd: float) -> float:
    """Where a Gaussian lies whose difference from its mirror image peaks at an angle.

    The difference of N(mu, sd) and N(-mu, sd) peaks at m with (m - mu) = (m + mu) exp(-2 m mu / sd^2).
    """
    size = abs(angle)
    if size >= RELIABLE_SDS * sd * 1.5:
        return angle
    low, high = 0.0, size
    for _ in range(40):
        mu = 0.5 * (low + high)
        excess = (size - mu) - (size + mu) * np.exp(-2.0 * size * mu / sd**2)
        low, high = (mu, high) if excess > 0 else (low, mu)
    return float(np.copysign(0.5 * (low + high), angle))
