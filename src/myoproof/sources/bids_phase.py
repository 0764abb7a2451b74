"""Phase images: in which unit they are stored, told from their range, and brought to radians."""

import math
from dataclasses import dataclass

from myoproof.errors import Finding

TURNS = {
    "radians": 2 * math.pi,
    "degrees": 360.0,
    "milliradians": 2000 * math.pi,
    "scanner units of 4096 a turn": 4096.0,
    "scanner units of 8192 a turn": 8192.0,
    "turns of pi": 2.0,
    "turns": 1.0,
}
"""Unit -> its numbers in one turn. Siemens stores 0-4095, or -4096 to 4094 rescaled; GE and Philips mrad."""

STATED = {
    "rad": "radians",
    "radian": "radians",
    "radians": "radians",
    "mrad": "milliradians",
    "deg": "degrees",
    "degree": "degrees",
    "degrees": "degrees",
}
"""Unit as sidecars write it -> ours."""

LEAST_SHARE = 0.97
"""Noise alone fills a whole turn: an image that fills less of it than this has been masked or is no phase."""
ROUNDING = 1.002
"""How far beyond a turn rounding can reach."""


@dataclass(frozen=True, slots=True)
class PhaseUnit:
    """How to bring a phase image to radians: multiply by ``radians_each``."""

    name: str
    radians_each: float


def phase_unit(
    low: float, high: float, stated: str = "", *, where: str = ""
) -> tuple[PhaseUnit, list[Finding]]:
    """Tell the unit of a phase image from its range.

    Parameters
    ----------
    low, high : float
        Smallest and largest finite value over all echoes.
    stated : str
        What a sidecar says, "" unknown; the range decides where the two contradict each other.
    where : str
        The file.

    Returns
    -------
    unit : PhaseUnit
        What to multiply by. Radians where nothing fits and an error is told.
    findings : list of Finding
        Errors where no unit fits; warnings where the range contradicts the statement or fills no full turn.

    Examples
    --------
    >>> phase_unit(-4096, 4094)[0].name
    'scanner units of 8192 a turn'
    >>> phase_unit(-3.1, 3.14)[0].radians_each
    1.0
    >>> phase_unit(0, 900)[1][0].level
    'error'
    """
    extent = high - low
    named = STATED.get(stated.strip().lower(), "")
    fitting = [name for name, turn in TURNS.items() if LEAST_SHARE < extent / turn <= ROUNDING]
    if named in fitting or (named and not fitting and extent / TURNS[named] <= ROUNDING):
        return _unit(named), []
    if fitting:
        return _unit(fitting[0]), _remarks(fitting[0], named, low, high, where)
    if extent == 0:
        return _unit("radians"), [Finding("error", "phase", f"the phase is {low:.4g} everywhere", where)]
    if extent <= TURNS["radians"] * ROUNDING and not named:
        said = f"the phase spans only {extent:.3g}, taken as radians"
        return _unit("radians"), [Finding("warning", "phase", said, where, "state Units in the sidecar")]
    said = f"the phase runs from {low:.5g} to {high:.5g}, which is no full turn in any known unit"
    mend = "rescale it to radians, or state Units (rad, mrad, deg) in the sidecar"
    return _unit("radians"), [Finding("error", "phase", said, where, mend)]


def _unit(name: str) -> PhaseUnit:
    return PhaseUnit(name, 2 * math.pi / TURNS[name] if name != "radians" else 1.0)


def _remarks(found: str, named: str, low: float, high: float, where: str) -> list[Finding]:
    said = f"the phase runs from {low:.5g} to {high:.5g}: taken as {found}"
    if named:
        return [Finding("warning", "phase", f"{said}, although the sidecar says {named}", where)]
    return [] if found == "radians" else [Finding("info", "phase", said, where)]
