"""What can be set in the multi-echo measure, and what else than the echoes it may be given."""

from dataclasses import dataclass, field
from typing import Final

from myoproof.core.acquisition import Volume
from myoproof.core.contracts import Progress, silent
from myoproof.measures import dixon_params
from myoproof.numerics.fatwater import FatWaterParams, Separation
from myoproof.numerics.t1_weighting import Relaxation

DOUBLE_BONDS: Final = 1.92
"""Double bonds of a triglyceride behind the six-peak spectrum (Hamilton et al., NMR Biomed 2011;24:784)."""
DOUBLE_BONDS_SD: Final = 0.3
"""SD between subjects and tissues (proposal): subcutaneous fat, about 2.8, lies far out."""
B1_MAP_SD: Final = 0.05
"""SD of a measured transmit field (proposal)."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of the multi-echo measure.

    Parameters
    ----------
    border : dixon_params.Params
        Rows for both sides, level, and the border model of the intervals, as in the Dixon measure.
    solver : FatWaterParams
        Separation of fat and water.
    relaxation : Relaxation, optional
        T1 and B1 with their SD; None takes published values of the field strength.
    correct_t1 : bool
        Whether rows of method ``multiecho`` are corrected for T1 weighting where the protocol is known.
    b1_map_sd : float
        SD of a transmit field that was measured.
    double_bonds_sd : float
        SD of the double bonds of a subject's fat about those of the solver's spectrum; 0 = spectrum known.
    low_confidence, doubted_share : float
        A slice of a muscle is of low confidence where more than this share of its voxels have a confidence
        below this (proposals).
    swap_share : float
        A slice of a muscle is suspected of a swap where more than this share of its voxels are at risk
        (proposal).
    """

    border: dixon_params.Params = field(default_factory=dixon_params.Params)
    solver: FatWaterParams = field(default_factory=FatWaterParams)
    relaxation: Relaxation | None = None
    correct_t1: bool = True
    b1_map_sd: float = B1_MAP_SD
    double_bonds_sd: float = DOUBLE_BONDS_SD
    low_confidence: float = 0.5
    doubted_share: float = 0.10
    swap_share: float = 0.20


@dataclass(frozen=True, slots=True)
class Context:
    """What a measurement may be given beside the echoes.

    Parameters
    ----------
    separation : Separation, optional
        The echoes separated already, by the same solver and settings.
    b1 : Volume, optional
        Channel ``b1`` on the grid of the echoes, 1 = nominal flip angle.
    threads : int
        Of the solver; the answer is the same for any number.
    progress : callable
        Told what is being done.
    """

    separation: Separation | None = None
    b1: Volume | None = None
    threads: int = 1
    progress: Progress = silent
