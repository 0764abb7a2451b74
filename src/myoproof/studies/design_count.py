"""Ways to count subjects from a pilot: each gives a standardised effect, its interval and the sample size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.numerics.mixed import fit_slope
from myoproof.numerics.power import Aim, Arms, normal_size, t_size
from myoproof.numerics.power_pilot import visit_moments
from myoproof.numerics.power_repeated import gls_slope_variance, mmrm_variance
from myoproof.numerics.responsiveness import bca_interval
from myoproof.studies.design_pilot import DAYS_PER_MONTH, DAYS_PER_YEAR, Course, Parameters, Pilot

Floats = npt.NDArray[np.float64]
LARGEST_SHOWN = 1e7
"""Sample sizes above this are no plan; the bound is left open."""
WAYS = ("edland", "diggle", "mmrm")
"""The methods that need a model, in the order of :func:`standardised_effects`."""


@dataclass(frozen=True, slots=True)
class Count:
    """How detectable the whole untreated change is by one method.

    Parameters
    ----------
    method : str
        The way of counting.
    standardised, low, high : float
        Untreated change over the SD of one subject's contribution, worsening positive, with its interval.
    n : int
        Subjects behind it.
    exact_t : bool
        Whether sizes come from the t test, else from the normal.
    """

    method: str
    standardised: float
    low: float
    high: float
    n: int
    exact_t: bool = False

    def size(self, effect: float, aim: Aim, standardised: float | None = None) -> Arms:
        """Subjects an arm for a fraction of the change; infinite where the untreated do not worsen."""
        whole = self.standardised if standardised is None else standardised
        if math.isnan(whole):
            return Arms(math.nan, math.nan)
        if whole * effect <= 1e-6:
            return Arms(math.inf, math.inf)
        return t_size(whole * effect, aim) if self.exact_t else normal_size(whole * effect, 1.0, aim)


@dataclass(frozen=True, slots=True)
class Slopes:
    """The pilot as random slopes: per year, worsening positive.

    Parameters
    ----------
    slope, slope_sd, residual_sd : float
        Mean slope, its SD between subjects, and the SD within subjects.
    """

    slope: float
    slope_sd: float
    residual_sd: float

    def standardised(self, years: Floats) -> float:
        """Slope over the SD of one subject's slope estimate with visits at these times (Edland)."""
        spread = float(((years - years.mean()) ** 2).sum())
        return self.slope / math.sqrt(self.slope_sd**2 + self.residual_sd**2 / spread)


def fit_slopes(course: Course) -> Slopes:
    """Random slopes of a term by REML.

    Raises
    ------
    ValueError
        Where a mixed model cannot be fitted.
    """
    known = np.isfinite(course.values) & np.isfinite(course.years)
    fit = fit_slope(course.values[known], course.years[known], np.nonzero(known)[0])
    return Slopes(fit.slope, fit.slope_sd, fit.residual_sd)


def visit_years(duration_months: float, every_months: float) -> Floats:
    """Times of the visits of a trial, the last at its end."""
    steps = max(1, round(duration_months / every_months))
    return np.linspace(0, duration_months, steps + 1) * DAYS_PER_MONTH / DAYS_PER_YEAR


def retention_of(parameters: Parameters, pilot: Pilot) -> list[float]:
    """Share still there at each visit after baseline: as given, else a straight line to the drop-out."""
    if parameters.retention:
        return parameters.retention
    return [1 - parameters.dropout * float(when / pilot.years[-1]) for when in pilot.years[1:]]


def model_counts(
    course: Course, pilot: Pilot, parameters: Parameters, *, rng: np.random.Generator
) -> Iterator[Count]:
    """The methods that need a model, with bootstrap intervals (BCa) over resampled subjects.

    Parameters
    ----------
    course : Course
        The term.
    pilot, parameters
        Visits, methods, retention and bootstrap samples.
    rng : numpy.random.Generator
        For the bootstrap; every method gets the same samples.

    Notes
    -----
    Random slopes are estimated by REML; their interval is that of the moment version (ordinary least squares
    over the visits), in proportion.
    """
    wanted = [method for method in parameters.methods if method in ("edland", "diggle", "mmrm")]
    if not wanted:
        return
    retention = retention_of(parameters, pilot)
    seen = np.flatnonzero(np.isfinite(course.values).any(axis=1))
    if seen.size < parameters.minimum_subjects:
        yield from (Count(method, math.nan, math.nan, math.nan, int(seen.size)) for method in wanted)
        return
    whole = _tried(course.values[seen], pilot.years, retention)
    drawn = rng.choice(seen, size=(parameters.bootstrap_models, seen.size))
    found = np.array([_tried(course.values[rows], pilot.years, retention) for rows in drawn])
    without = np.array([_tried(course.values[seen[seen != one]], pilot.years, retention) for one in seen])
    for method in wanted:
        place = WAYS.index(method)
        low, high = bca_interval(whole[place], found[:, place], without[:, place], level=parameters.level)
        value = whole[place]
        if method == "edland":
            try:
                value = fit_slopes(course).standardised(pilot.years)
            except ValueError:
                value = math.nan
            low, high = low * value / whole[place], high * value / whole[place]
        yield Count(method, float(value), float(low), float(high), int(seen.size))


def _tried(values: Floats, years: Floats, retention: list[float]) -> Floats:
    """What :func:`standardised_effects` gives; NaN where the sample allows none."""
    try:
        return standardised_effects(values, years, retention)
    except (ValueError, np.linalg.LinAlgError):
        return np.full(len(WAYS), np.nan)


def standardised_effects(values: Floats, years: Floats, retention: list[float]) -> Floats:
    """Untreated change over the SD of one subject's contribution, from mean and covariance of the visits.

    Parameters
    ----------
    values : ndarray, shape (n_subjects, n_visits)
        Worsening positive; NaN where not measured.
    years : ndarray, shape (n_visits,)
        Times of the visits.
    retention : list of float
        Share still there at each visit after baseline.

    Returns
    -------
    ndarray, shape (3,)
        Slope by ordinary least squares; slope by generalised least squares; change at the last visit (MMRM).

    Raises
    ------
    ValueError
        With too few subjects or a singular covariance.
    """
    mean, covariance = visit_moments(values)
    centred = years - years.mean()
    plain = centred / float(centred @ centred)
    ordinary = float(plain @ mean) / math.sqrt(float(plain @ covariance @ plain))
    variance = gls_slope_variance(years, covariance)
    weight = np.linalg.inv(covariance)
    design = np.stack([np.ones_like(years), years], axis=1)
    slope = np.linalg.solve(design.T @ weight @ design, design.T @ weight @ mean)[1]
    changes = np.eye(len(years))[1:] - np.eye(len(years))[:1]
    last = mmrm_variance(changes @ covariance @ changes.T, retention)
    general = float(slope) / math.sqrt(variance)
    return np.array([ordinary, general, float(mean[-1] - mean[0]) / math.sqrt(last)])
