"""Cohorts without change for a design study: what would have been planned where nothing worsens."""

from myoproof.core.cohort import Cohort
from myoproof.core.contracts import NullCohorts
from myoproof.core.study import Study, parse_strict
from myoproof.studies.design_pilot import Parameters
from myoproof.studies.progression_null import null as without_change


def null(cohort: Cohort, study: Study) -> NullCohorts:
    """Draw the sign of each subject's whole change by chance: the effect to be slowed is zero.

    Parameters
    ----------
    cohort : Cohort
        The pilot.
    study : Study
        A study of kind design.

    Returns
    -------
    NullCohorts
        What was taken away, and how such a cohort is drawn.

    Raises
    ------
    InvalidInput
        For parameters that the study itself would refuse.
    """
    parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    return without_change(cohort, study)
