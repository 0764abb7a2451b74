"""Stored integers become values in their real unit: signals, radians, fractions, rates and times."""

from dataclasses import dataclass
from math import isnan, pi

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding
from myoproof.sources.dicom_types import Frame

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PhaseScale:
    """A way of storing phase: the values of minus and plus pi (the second excluded), and its name."""

    low: float
    high: float
    name: str

    @property
    def radians(self) -> float:
        """Radians per unit."""
        return 2 * pi / (self.high - self.low)

    @property
    def middle(self) -> float:
        """The value of phase zero."""
        return (self.low + self.high) / 2


MILLIRADIANS = PhaseScale(-1000 * pi, 1000 * pi, "milliradians")
SIEMENS = PhaseScale(-4096, 4096, "-4096 to 4095")
SIEMENS_RAW = PhaseScale(0, 4096, "0 to 4095")
RADIANS = PhaseScale(-pi, pi, "radians")

PHASE_SCALES = {
    "siemens": (SIEMENS, SIEMENS_RAW),
    "philips": (MILLIRADIANS,),
    "ge": (MILLIRADIANS,),
    "canon": (MILLIRADIANS,),
}
"""Vendor -> scales its scanners write. Siemens: 12 bits, with rescale -4096 + 2 v or without; Philips:
display value in milliradians; GE: milliradians."""

OTHER_SCALES = (
    RADIANS,
    PhaseScale(0, 2 * pi, "radians from 0"),
    MILLIRADIANS,
    PhaseScale(0, 2000 * pi, "milliradians from 0"),
    SIEMENS,
    SIEMENS_RAW,
    PhaseScale(-2048, 2048, "-2048 to 2047"),
    PhaseScale(-180, 180, "degrees"),
    PhaseScale(0, 360, "degrees from 0"),
)
"""What the range is held against where it is not the vendor's."""

EXACT, LEAST_SPAN = 0.01, 0.5
"""How near, as a part of the span, both ends of the range must come to a scale's to prove it; the share of a
scale that phase must span to be taken without remark (proposals; noise alone fills the whole circle)."""

PERCENT = {"%", "percent", "pct", "per cent"}
FRACTION = {"1", "fraction", "ratio", "{ratio}", "no units"}
PERMILLE = {"0.1%", "0.1 %", "permille", "‰", "[ppth]"}
PER_SECOND = {"1/s", "s-1", "/s", "hz", "s^-1", "sec-1", "1/sec"}
PER_MILLISECOND = {"1/ms", "ms-1", "/ms", "khz"}
MILLISECONDS = {"ms", "msec"}
SECONDS = {"s", "sec"}
HERTZ = {"hz"}

FACTORS = {
    "fat_fraction": {
        **dict.fromkeys(PERCENT, 1e-2),
        **dict.fromkeys(FRACTION, 1.0),
        **dict.fromkeys(PERMILLE, 1e-3),
    },
    "r2star": {**dict.fromkeys(PER_SECOND, 1.0), **dict.fromkeys(PER_MILLISECOND, 1e3)},
    "t2star": {**dict.fromkeys(MILLISECONDS, 1.0), **dict.fromkeys(SECONDS, 1e3)},
    "t2_ms": {**dict.fromkeys(MILLISECONDS, 1.0), **dict.fromkeys(SECONDS, 1e3)},
    "field_hz": dict.fromkeys(HERTZ, 1.0),
    "b1": {**dict.fromkeys(PERCENT, 1e-2), **dict.fromkeys(FRACTION, 1.0)},
}
"""Map -> unit in the header, lower case -> factor to 1, 1/s, ms, ms, Hz, 1."""

RANGES = {"fat_fraction": ((1.2, 1.0), (120.0, 1e-2), (1200.0, 1e-3)), "b1": ((4.0, 1.0), (400.0, 1e-2))}
"""Map -> (upper end, factor): the first whose end holds the 99.5th percentile tells the unit (proposal)."""

UNITS = {"fat_fraction": "1", "r2star": "1/s", "t2star": "ms", "t2_ms": "ms", "field_hz": "Hz", "b1": "1"}


def coefficients(frame: Frame, what: str) -> tuple[float, float]:
    """Slope and intercept from stored integers to values, before any unit.

    Parameters
    ----------
    frame : Frame
        The frame.
    what : {"signal", "phase", "map"}
        Signals of Philips are the floating point value, which alone compares between images: with rescale
        slope RS, intercept RI and scale slope SS, (v RS + RI) / (RS SS). Phase and maps are the display value
        v RS + RI, which carries the unit; a map with a real world mapping is that.

    References
    ----------
    Chenevert TL et al. Errors in quantitative image analysis due to platform-dependent image scaling. Transl
    Oncol 2014;7:65-71.
    """
    scaling = frame.scaling
    if what == "map" and scaling.world is not None and scaling.world[2]:
        return scaling.world[0], scaling.world[1]
    private = scaling.scale_slope
    if what == "signal" and frame.origin.vendor == "philips" and not isnan(private) and private > 0:
        return 1.0 / private, scaling.intercept / (scaling.slope * private)
    return scaling.slope, scaling.intercept


def unit_of(frame: Frame) -> str:
    """The unit a map's header states, lower case; "" where it states none."""
    world = frame.scaling.world
    return (world[2] if world is not None and world[2] else frame.scaling.unit).strip().lower()


def phase_scale(low: float, high: float, vendor: str, *, where: str) -> tuple[PhaseScale, list[Finding]]:
    """Which scale a phase image is in, from its vendor and its range.

    Parameters
    ----------
    low, high : float
        Least and largest value after rescale.
    vendor : str
        Short name; "" where unknown.
    where : str
        Names the scan in findings.

    Returns
    -------
    scale : PhaseScale
    findings : list of Finding
        A warning where the range is not the vendor's, an error where it is no scale's.
    """
    own = PHASE_SCALES.get(vendor, ())
    found = f"phase ranges from {low:.4g} to {high:.4g}"
    for scale in own:
        if _proves(scale, low, high):
            return scale, []
    for scale in OTHER_SCALES:
        if _proves(scale, low, high):
            return scale, _phase_remark(f"{found}: read as {scale.name}", own, where)
    for scale in own:
        if _holds(scale, low, high):
            share = (high - low) / (scale.high - scale.low)
            remark = f"{found}, {share:.0%} of the circle: read as {scale.name}"
            return scale, [] if share >= LEAST_SPAN else _phase_remark(remark, (), where)
    for scale in OTHER_SCALES:
        if _holds(scale, low, high) and (high - low) >= LEAST_SPAN * (scale.high - scale.low):
            return scale, _phase_remark(f"{found}: taken as {scale.name}", own, where)
    fault = Finding(
        "error", "phase scale", f"{found}, which is no known scale", where, "export phase unaltered"
    )
    return RADIANS, [fault]


def to_unit(values: Array, contrast: str, unit: str, *, where: str) -> tuple[Array, list[Finding]]:
    """A vendor's map in our unit.

    Parameters
    ----------
    values : ndarray, float32
        Display or real world values.
    contrast : str
        ``fat_fraction``, ``r2star``, ``t2star``, ``t2_ms``, ``field_hz`` or ``b1``.
    unit : str
        What the header states.
    where : str
        Names the scan in findings.

    Returns
    -------
    values : ndarray, float32
        Fractions, 1/s, ms, ms, Hz, 1.
    findings : list of Finding
        Where the unit is told by range or by nothing, or the range contradicts the header.
    """
    stated = FACTORS[contrast].get(unit)
    top = float(np.percentile(np.abs(values), 99.5)) if values.size else 0.0
    told = next((factor for end, factor in RANGES.get(contrast, ()) if top <= end), None)
    if contrast not in RANGES:
        finding = (
            [] if stated else [_unit_remark(contrast, f"in {UNITS[contrast]}, no unit is stated", where)]
        )
        return values * np.float32(stated or 1.0), finding
    if told is None:
        message = f"{contrast} reaches {top:.4g}, which is no fraction, per cent or 0.1 per cent"
        return values, [Finding("error", "unit", message, where, "export the map with its rescale slope")]
    if stated is None:
        return values * np.float32(told), [_unit_remark(contrast, f"times {told:g}, by its range", where)]
    if top * stated > RANGES[contrast][0][0]:
        message = f"times {told:g}: it reaches {top:.4g}, which is not in {unit!r} as stated"
        return values * np.float32(told), [_unit_remark(contrast, message, where)]
    return values * np.float32(stated), []


def rate_from_time(times_ms: Array) -> Array:
    """R2* in 1/s from T2* in ms; 0 where T2* is not positive."""
    out = np.zeros_like(times_ms)
    np.divide(np.float32(1000.0), times_ms, out=out, where=times_ms > 0)
    return out


def _unit_remark(contrast: str, message: str, where: str) -> Finding:
    return Finding(
        "warning", "unit", f"{contrast} was taken {message}", where, "check it against the scanner"
    )


def _phase_remark(message: str, own: tuple[PhaseScale, ...], where: str) -> list[Finding]:
    usual = f", not {' or '.join(scale.name for scale in own)} as this maker writes" if own else ""
    return [
        Finding("warning", "phase scale", f"{message}{usual}", where, "export phase unaltered if you can")
    ]


def _proves(scale: PhaseScale, low: float, high: float) -> bool:
    slack = EXACT * (scale.high - scale.low)
    return abs(low - scale.low) <= slack and abs(high - scale.high) <= slack


def _holds(scale: PhaseScale, low: float, high: float) -> bool:
    slack = EXACT * (scale.high - scale.low)
    return low >= scale.low - slack and high <= scale.high + slack
