"""Fascicle direction: the angle of the bright streaks of muscle on longitudinal ultrasound."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.numerics.fascicles_lines import Crests, LineFilter, crests
from myoproof.numerics.fascicles_peak import Peak, dominant, turning

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

LEAST_POINTS = 60
"""Points on lines below which no direction is told."""
BEAM_ASPECT = 3.5
"""Lateral over axial width of the point spread, typical of linear probes. Proposal."""
LEAST_HEIGHT_PX, LEAST_WIDTH = 24, 0.4
"""Smallest region: rows, and width in its own heights."""


@dataclass(frozen=True, slots=True)
class FascicleParams:
    """Settings of the fascicle direction.

    Parameters
    ----------
    height_px : float
        The region is resampled so that it is this high: lines then have the filter's width in every image.
    margin : float
        Share of the region's height left out along each aponeurosis, where bands run parallel to it.
    weight_power : float
        Points count by the strength of their line to this power.
    filter : LineFilter
        Widths and directions.
    """

    height_px: float = 120.0
    margin: float = 0.10
    weight_power: float = 1.0
    filter: LineFilter = field(default_factory=LineFilter)


@dataclass(frozen=True, slots=True)
class FascicleFit:
    """The dominant direction of fascicles.

    Parameters
    ----------
    angle_deg : float
        At mid-depth against the horizontal, positive where fascicles rise to the right; NaN: none found.
    spread_deg : float
        SD of the directions of the lines that belong to it.
    turn_deg : float
        Change of the angle from the upper to the lower edge of the region (curvature): positive where
        the magnitude of the angle grows with depth.
    confidence : float
        0-1: chance, calibrated on phantoms, that the angle is within 3 deg.
    share : float
        Share of all line strength that the peak holds above its mirror image.
    rival : float
        Height of the next peak relative to this one.
    n_points : int
        Points on lines.
    half_width_deg : float
        Half width of the 95 % interval of the angle.
    """

    angle_deg: float
    spread_deg: float
    turn_deg: float
    confidence: float
    share: float
    rival: float
    n_points: int
    half_width_deg: float


NOTHING = FascicleFit(np.nan, np.nan, np.nan, 0.0, 0.0, 1.0, 0, np.nan)
DEFAULTS = FascicleParams()


def dominant_angle(image: Images, region: Bools, *, params: FascicleParams = DEFAULTS) -> FascicleFit:
    """The direction that the fascicles of a region share.

    Parameters
    ----------
    image : ndarray, shape (row, col), float32
        Grey levels, log-compressed as the scanner shows them; pixels are square.
    region : ndarray of bool, shape (row, col)
        The muscle between its aponeuroses.
    params : FascicleParams
        Settings.

    Returns
    -------
    FascicleFit
        NaN angle and confidence 0 where the region is too small or nothing leans to either side.

    Notes
    -----
    The structure tensor averages over all texture and is drawn to the horizontal, because speckle is wider
    than high and bands run along the aponeuroses. Here only crests of long thin lines count, each weighted
    by its strength and by what the beam's width took from it (steep lines look fainter), and what speckle
    would show anyway is taken off by symmetry (see :func:`myoproof.numerics.fascicles_peak.dominant`).

    Examples
    --------
    >>> rows, cols = np.mgrid[:160, :240]
    >>> stripes = np.cos((cols * np.sin(0.35) + rows * np.cos(0.35)) * 0.6).astype(np.float32)
    >>> fit = dominant_angle(stripes, np.ones((160, 240), dtype=bool))
    >>> bool(abs(fit.angle_deg - np.degrees(0.35)) < 0.1)
    True
    """
    points, depth = lines_of(image, region, params=params)
    if points.row.size < LEAST_POINTS:
        return NOTHING
    weight = points.strength**params.weight_power * _smear(points.angle_deg)
    peak = dominant(points.angle_deg, weight, params.filter.most_deg)
    if not np.isfinite(peak.angle_deg):
        return NOTHING
    turn = turning(points.angle_deg, weight, depth, peak) * float(np.sign(peak.angle_deg))
    return FascicleFit(
        angle_deg=peak.angle_deg,
        spread_deg=peak.spread_deg,
        turn_deg=turn,
        confidence=trust(peak),
        share=peak.share,
        rival=peak.rival,
        n_points=int(points.row.size),
        half_width_deg=half_width(peak.share, peak.spread_deg),
    )


def _smear(angle_deg: Floats) -> Floats:
    """Width over which a line's echo is smeared, in axial widths: steep lines look fainter by this factor.

    A Gaussian point spread of axial width 1 and lateral width ``BEAM_ASPECT`` blurs a line at an angle with a
    Gaussian of variance cos^2 + aspect^2 sin^2 across the vertical; its crest is lower by the root of that.
    """
    angle = np.radians(angle_deg)
    return np.asarray(np.sqrt(np.cos(angle) ** 2 + (BEAM_ASPECT * np.sin(angle)) ** 2))


def trust(peak: Peak) -> float:
    """Chance that the angle is within 3 deg of the truth, from how the peak stands out (see calibration)."""
    clear = min(peak.share / CLEAR_SHARE, 1.0)
    score = TRUST[0] + TRUST[1] * np.log(max(peak.share, LEAST_SHARE)) + TRUST[2] * peak.rival
    return float(clear / (1.0 + np.exp(-score)))


def half_width(share: float, spread_deg: float) -> float:
    """Half width in deg of the 95 % interval of the angle, from how the peak stands out.

    The first part is what simulated pictures need (error falls with the peak's share of all lines), the
    second what fascicles of different directions in one picture add where observers choose among them.
    """
    return float(np.hypot(ERROR[0] * max(share, LEAST_SHARE) ** ERROR[1], ERROR[2] * spread_deg))


LEAST_SHARE = 0.005
CLEAR_SHARE = 0.12
"""Speckle alone leans to one side by up to about this share; below it trust falls to 0 in proportion."""
TRUST = (6.24, 0.81, -3.60)
"""Logistic coefficients of (1, log share, rival): 210 simulated pictures, all severities, seeds 30000 on."""
ERROR = (0.20, -1.2, 0.5)
"""Of :func:`half_width`: the 95 % quantiles over the share on the same pictures, and a proposal."""


def lines_of(image: Images, region: Bools, *, params: FascicleParams = DEFAULTS) -> tuple[Crests, Floats]:
    """Points of bright lines within a region, and their depth from its upper (0) to its lower (1) edge.

    Parameters
    ----------
    image, region, params
        As in :func:`dominant_angle`.

    Returns
    -------
    Crests
        In pixels of the resampled image (the region ``height_px`` high).
    ndarray
        Relative depth of each point.
    """
    heights = region.sum(axis=0)
    tall = heights[heights > 0]
    empty = np.zeros(0)
    none = Crests(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), empty, empty)
    if not tall.size or np.median(tall) < LEAST_HEIGHT_PX or tall.size < LEAST_WIDTH * np.median(tall):
        return none, empty
    scale = params.height_px / float(np.median(tall))
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(np.asarray(image, dtype=np.float32), size, interpolation=how))
    inside = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    depth = _depths(inside)
    inner = inside & (depth > params.margin) & (depth < 1.0 - params.margin)
    found = crests(small.astype(np.float32), inside, inner, params.filter)
    return found, depth[found.row, found.col]


def _depths(inside: Bools) -> Floats:
    """Depth of each pixel between the first and the last row of the region in its column."""
    rows = np.arange(inside.shape[0], dtype=np.float64)[:, None]
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), 0).astype(np.float64)
    last = np.where(inside.any(axis=0), inside.shape[0] - 1 - inside[::-1].argmax(axis=0), 1).astype(
        np.float64
    )
    return np.asarray((rows - first + 0.5) / np.maximum(last - first + 1.0, 1.0))
