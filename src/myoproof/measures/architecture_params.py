"""What can be set in muscle architecture on ultrasound: the view, places of the profile, trust, level."""

from dataclasses import dataclass, field

from myoproof.errors import Finding, refuse
from myoproof.numerics.fascicles import FascicleParams

VIEWS = ("longitudinal", "transverse")
UNSURE, DOUBTFUL = 0.25, 0.5
"""Confidence below which a row is absent, and below which it is only of quality ``warn``."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of the architecture of muscle.

    Parameters
    ----------
    view : {"longitudinal", "transverse"}
        How the probe lay.
    places : tuple of float
        Shares of the tissue's width, from the left of the image, of ``thickness_profile``.
    window : float
        Half width, in shares of the tissue's width, over which edges are smoothed where they are read.
    longest_gap : float
        Longest distance, in shares of the tissue's width, over which edges are prolonged.
    longest_fascicle : float
        Fascicles longer than this, in widths of the tissue, are not told: most of them would be guessed.
    level : float
        Coverage of the intervals.
    fascicles : FascicleParams
        Of the fascicle direction.
    """

    view: str = "longitudinal"
    places: tuple[float, ...] = (0.10, 0.25, 0.50, 0.75, 0.90)
    window: float = 0.06
    longest_gap: float = 0.35
    longest_fascicle: float = 3.0
    level: float = 0.95
    fascicles: FascicleParams = field(default_factory=FascicleParams)


def check(params: Params) -> None:
    """Refuse settings that mean nothing.

    Raises
    ------
    InvalidInput
        Naming each.
    """
    findings = []
    if params.view not in VIEWS:
        findings.append(
            Finding("error", "parameters", f"no view {params.view!r}", mend=f"known: {', '.join(VIEWS)}")
        )
    if not all(0.0 < place < 1.0 for place in params.places):
        findings.append(Finding("error", "parameters", f"places lie between 0 and 1, got {params.places}"))
    if not 0.0 < params.window <= 0.5:
        findings.append(Finding("error", "parameters", f"window lies in (0, 0.5], got {params.window}"))
    if not 0.5 <= params.level < 1.0:
        findings.append(Finding("error", "parameters", f"level lies in [0.5, 1), got {params.level}"))
    refuse(findings)
