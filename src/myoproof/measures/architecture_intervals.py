"""Intervals of architecture: how far a reading may be from the truth, calibrated on simulated pictures."""

import numpy as np
from scipy.stats import norm

from myoproof.measures.architecture_longitudinal import Reading

Key = tuple[str, str]

OF_THICKNESS = {
    "thickness": ((0.95, 0.042), (0.70, 0.050), (0.0, 0.33)),
    "thickness_profile": ((0.95, 0.042), (0.70, 0.050), (0.0, 0.60)),
    "thickness_deep_end": ((0.95, 0.050), (0.70, 0.055), (0.0, 0.60)),
    "aponeurosis_depth_superficial": ((0.95, 0.025), (0.70, 0.031), (0.0, 0.90)),
    "aponeurosis_depth_deep": ((0.95, 0.022), (0.70, 0.025), (0.0, 0.90)),
}
"""Half width of the 95 % interval in shares of the thickness, by the least confidence of the segmenter: 95 %
quantiles of errors over 190 simulated pictures of all severities (seeds 30000 on, segmenter muscle_us@1)."""
OF_ANGLE = ((0.95, 0.2), (0.70, 0.5), (0.0, 5.0))
"""The same for the angles of aponeuroses, in deg."""


def limits(reading: Reading, key: Key, trust: float | None, level: float) -> tuple[float, float] | None:
    """Ends of the interval of one value; None where there is none.

    Parameters
    ----------
    reading : Reading
        Of a frame.
    key : tuple of (measure, at)
        Which value.
    trust : float, optional
        Confidence that the segmenter states; None for a drawn region, whose error nobody knows.
    level : float
        Coverage.
    """
    name, value = key[0], reading.values[key]
    stretch = float(norm.ppf(0.5 + level / 2.0) / norm.ppf(0.975))
    if key in reading.ends:
        low, high = reading.ends[key]
        return value - stretch * (value - low), value + stretch * (high - value)
    if name == "fascicle_angle":
        half = reading.fit.half_width_deg
    elif trust is None:
        return None
    elif name in OF_THICKNESS:
        half = _step(OF_THICKNESS[name], trust) * reading.values.get(("thickness", ""), np.nan)
    elif name in ("aponeurosis_angle", "aponeurosis_angle_deep"):
        half = _step(OF_ANGLE, trust)
    elif name == "pennation_angle":
        half = float(np.hypot(reading.fit.half_width_deg, _step(OF_ANGLE, trust)))
    else:
        return None
    if not np.isfinite(half):
        return None
    least = 0.0 if name in OF_THICKNESS else -90.0
    return max(value - stretch * half, least), value + stretch * half


def _step(table: tuple[tuple[float, float], ...], trust: float) -> float:
    """The entry of the first threshold that a confidence reaches."""
    return next(half for least, half in table if trust >= least)
