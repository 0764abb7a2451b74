"""What a joint model is given and what it gives: rows over time, events, the model's form, the fit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.numerics.quadrature import KronrodNodes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Design = Callable[[Floats, Ints], Floats]
"""(times (n,), subjects (n,)) -> design rows (n, columns)."""
Association = Literal["value", "slope", "both"]
Convergence = Literal["converged", "gradient_not_zero", "information_not_positive", "singular_random_effects"]


def intercept_and_slope(times: Floats, subjects: Ints) -> Floats:
    """The design (1, t)."""
    del subjects
    return np.stack([np.ones_like(times), times], axis=1)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Repeated measurements in long form.

    Parameters
    ----------
    values, times : ndarray, shape (n_rows,)
        Value and time of each row; time counts from the same origin as the event times.
    subjects : ndarray of int, shape (n_rows,)
        Place of the row's subject in the arrays of :class:`Survival`.
    """

    values: Floats
    times: Floats
    subjects: Ints


@dataclass(frozen=True, slots=True)
class Survival:
    """Times to an event, one a subject.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Time of the event or of censoring.
    events : ndarray of bool, shape (n,)
        Whether the event was seen.
    covariates : ndarray, shape (n, n_covariates), optional
        Columns of the relative-risk model; no intercept.
    entry : ndarray, shape (n,), optional
        Time at which the subject came under observation (left truncation); 0 where absent.
    names : tuple of str
        Names of the covariates.
    """

    times: Floats
    events: npt.NDArray[np.bool_]
    covariates: Floats | None = None
    entry: Floats | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JointForm:
    """The form of a joint model and how finely it is integrated.

    Parameters
    ----------
    fixed : Design
        Fixed effects of the mixed model.
    fixed_names : tuple of str
        Their names.
    random : Design
        Random effects of the mixed model.
    random_names : tuple of str
        Their names.
    fixed_slope, random_slope : Design, optional
        Derivatives by time; central differences of the designs where absent.
    association : {"value", "slope", "both"}
        What of the trajectory the hazard depends on.
    knots : tuple of float, optional
        Internal knots of the baseline hazard; equally spaced quantiles where absent.
    n_knots : int
        Number of internal knots where they are not given.
    knots_from : {"events", "follow_up"}
        Quantiles of the times of events alone (no interval without one), or of all times, as R JM takes.
    hermite : int
        Gauss-Hermite nodes a random effect.
    kronrod : {7, 15}
        Gauss-Kronrod nodes an interval of the baseline hazard.
    recentred : int
        How often the Hermite nodes are moved to the joint posterior and the fit repeated; 0 leaves them
        where the mixed model alone puts them (pseudo-adaptive, as R JM), biased under late entry.
    """

    fixed: Design = intercept_and_slope
    fixed_names: tuple[str, ...] = ("intercept", "time")
    random: Design = intercept_and_slope
    random_names: tuple[str, ...] = ("intercept", "time")
    fixed_slope: Design | None = None
    random_slope: Design | None = None
    association: Association = "value"
    knots: tuple[float, ...] | None = None
    n_knots: int = 6
    knots_from: Literal["events", "follow_up"] = "events"
    hermite: int = 5
    kronrod: KronrodNodes = 7
    recentred: int = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """One parameter: its value, standard error and interval (Wald)."""

    value: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class MixedModel:
    """The mixed model alone, by maximum likelihood: what ignores the events.

    Parameters
    ----------
    fixed : ndarray, shape (p,)
        Fixed effects.
    fixed_covariance : ndarray, shape (p, p)
        Their covariance.
    random_covariance : ndarray, shape (q, q)
        Covariance of the random effects.
    residual_sd : float
        Standard deviation within subjects.
    means, covariances : ndarray, shape (n, q), (n, q, q)
        Each subject's random effects given the rows.
    log_likelihood : float
        Maximum.
    """

    fixed: Floats
    fixed_covariance: Floats
    random_covariance: Floats
    residual_sd: float
    means: Floats
    covariances: Floats
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class JointFit:
    """A fitted joint model.

    Parameters
    ----------
    longitudinal, survival, association : dict of str to Estimate
        Fixed effects; log hazard ratios of the covariates; log hazard ratios a unit of the trajectory.
    residual_sd : Estimate
        Standard deviation within subjects.
    random_covariance : ndarray, shape (q, q)
        Covariance of the random effects.
    knots, log_hazard : ndarray
        Internal knots, and the log baseline hazard of each interval.
    log_likelihood : float
        Maximum of the (quadrature) log-likelihood.
    convergence : {"converged", "gradient_not_zero", "information_not_positive", "singular_random_effects"}
        How the search ended; only the first gives standard errors that count.
    decrement : float
        Newton decrement at the end: twice the log-likelihood that one more Newton step would gain.
    parameters, covariance : ndarray
        Internal parameters and their covariance from the observed information.
    means, covariances : ndarray, shape (n, q), (n, q, q)
        Each subject's random effects given rows and event.
    naive : MixedModel
        The mixed model alone.
    n_subjects, n_rows, n_events : int
        Counts.
    """

    longitudinal: dict[str, Estimate]
    survival: dict[str, Estimate]
    association: dict[str, Estimate]
    residual_sd: Estimate
    random_covariance: Floats
    knots: Floats
    log_hazard: Floats
    log_likelihood: float
    convergence: Convergence
    decrement: float
    parameters: Floats = field(repr=False)
    covariance: Floats = field(repr=False)
    means: Floats = field(repr=False)
    covariances: Floats = field(repr=False)
    naive: MixedModel = field(repr=False)
    n_subjects: int
    n_rows: int
    n_events: int
