"""Parameters of the trial part of a progression study: model, drop-out, what each key means."""

from typing import Literal

from pydantic import Field

from myoproof.core.study import Strict
from myoproof.numerics.mmrm_inference import DfMethod
from myoproof.numerics.mmrm_structures import Name
from myoproof.numerics.reference_imputation import Assumption

Model = Literal["baseline_adjusted", "clda"]
VisitStructure = Literal["UN", "CS", "CSH", "AR1", "ARH1", "TOEP", "TOEPH", "ANTE"]


class MmrmParameters(Strict):
    """The mixed model for repeated measures, the table ``[method.mmrm]``; its presence makes a trial.

    Parameters
    ----------
    model : {"baseline_adjusted", "clda"}
        Change with baseline as covariate, or constrained longitudinal data analysis: baseline as an outcome
        whose mean both arms share.
    structures : list of str
        Covariance structures in the order in which they are tried; the first that converges stands.
    by_arm : bool
        Whether each arm has a covariance of its own.
    df : {"kenward_roger", "satterthwaite", "residual"}
        Degrees of freedom.
    baseline_by_visit : bool
        Whether the effect of baseline may differ by visit.
    margins : {"observed", "balanced"}
        Least-squares means over the covariates as they are, or over every category alike.
    slopes : bool
        Whether the random-slope model is fitted as well.
    primary_visit : str
        Visit of the sensitivity analyses; "" takes the last.
    arm_changes : list of str
        Kinds of event that mean that a subject took the other arm's treatment.
    """

    model: Model = "baseline_adjusted"
    structures: list[VisitStructure] = Field(default=["UN", "TOEPH", "ARH1", "CS"], min_length=1)
    by_arm: bool = False
    df: DfMethod = "kenward_roger"
    baseline_by_visit: bool = True
    margins: Literal["observed", "balanced"] = "observed"
    slopes: bool = True
    primary_visit: str = ""
    arm_changes: list[str] = Field(default_factory=lambda: ["arm_change", "crossover", "treatment_switch"])


class SensitivityParameters(Strict):
    """What if those who left fared worse, the table ``[method.sensitivity]``.

    Parameters
    ----------
    assumptions : list of str
        Imputations to run: missing_at_random, jump_to_reference, copy_reference,
        copy_increments_in_reference.
    imputations : int
        Completions a run.
    tipping_point : bool
        Whether to look for the worsening after drop-out in the first arm that takes significance away.
    most : float
        Largest worsening looked at, in SDs of the last visit.
    """

    assumptions: list[Assumption] = Field(
        default=["missing_at_random", "jump_to_reference", "copy_reference"]
    )
    imputations: int = Field(default=100, ge=20)
    tipping_point: bool = True
    most: float = Field(default=3.0, gt=0)


def structure_name(name: VisitStructure) -> Name:
    """The structure of the arithmetic that a word of the study file means."""
    return name
