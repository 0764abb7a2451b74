"""The ENCALS survival model of ALS as an executable formula: informational, not a medical device."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Coefficients of a linear predictor, on the scale of log cumulative odds of the event."""

    slope: float
    delay: float
    age: float
    capacity: float
    bulbar: float
    definite: float
    dementia: float
    c9orf72: float


ENCALS = Weights(
    slope=-1.83665700485301,
    delay=-2.37341404599814,
    age=-0.266972062796289,
    capacity=0.476853332498141,
    bulbar=0.268874087566745,
    definite=0.232783007891563,
    dementia=0.388313226407,
    c9orf72=0.256078493763062,
)
"""From public scripts, one by a co-author of the model; not from the paper's own table."""
TRICALS = Weights(-1.839, -2.376, -0.264, 0.474, 0.271, 0.238, 0.415, 0.0)
"""The variant for the selection of trial participants, without C9orf72."""
ELIGIBLE = (-6.0, -2.0)
"""The range of the TRICALS predictor that trials have used."""
INTERCEPT, LOG_TIME, FIRST, SECOND = -6.409, 2.643, -0.546, 0.585
KNOTS = (0.081, 3.108, 3.638, 5.917)
"""In ln months: boundary, two inner knots, boundary."""
EARLIEST, LATEST = -12.0, 14.0
"""Bounds of ln months between which a quantile is looked for."""
HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Patient:
    """Predictors, each a number or an array of shape (n,); NaN where unknown.

    Parameters
    ----------
    onset_age_years : float
    delay_months : float
        From onset to diagnosis.
    decline_per_month : float
        ALSFRS-R points lost a month between onset and diagnosis.
    vital_capacity : float
        Forced vital capacity as a fraction of predicted (0.96 is 96 %).
    bulbar, definite, dementia, c9orf72 : float
        1 yes, 0 no: bulbar onset, definite by El Escorial, frontotemporal dementia, C9orf72 expansion.
    """

    onset_age_years: npt.ArrayLike
    delay_months: npt.ArrayLike
    decline_per_month: npt.ArrayLike
    vital_capacity: npt.ArrayLike
    bulbar: npt.ArrayLike = 0.0
    definite: npt.ArrayLike = 0.0
    dementia: npt.ArrayLike = 0.0
    c9orf72: npt.ArrayLike = 0.0


def linear_predictor(patient: Patient, weights: Weights = ENCALS) -> Floats:
    """The prognostic index; higher is a shorter survival.

    Parameters
    ----------
    patient : Patient
        n patients.
    weights : Weights
        ``ENCALS`` or ``TRICALS``.

    Returns
    -------
    ndarray, shape (n,)
        NaN where a predictor is unknown or outside the formula's domain.

    References
    ----------
    Westeneng HJ et al. Lancet Neurol 17:423 (2018).

    Examples
    --------
    >>> one = Patient(58.0, 10.9, 0.6, 0.96)
    >>> round(float(linear_predictor(one)), 3)
    -4.483
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        age = _positive(patient.onset_age_years) / 100
        delay = _positive(patient.delay_months) / 10
        slope = np.asarray(patient.decline_per_month, dtype=np.float64)
        slope = np.where(slope > -0.1, slope, np.nan)
        share = _positive(patient.vital_capacity)
        continuous = (
            weights.slope * (slope + 0.1) ** -0.5
            + weights.delay * (delay**-0.5 + np.log(delay))
            + weights.age * age**-2
            + weights.capacity * (1 / share + share**-0.5)
        )
    flags = (
        weights.bulbar * np.asarray(patient.bulbar, dtype=np.float64)
        + weights.definite * np.asarray(patient.definite, dtype=np.float64)
        + weights.dementia * np.asarray(patient.dementia, dtype=np.float64)
    )
    if weights.c9orf72:
        flags = flags + weights.c9orf72 * np.asarray(patient.c9orf72, dtype=np.float64)
    return np.asarray(continuous + flags, dtype=np.float64)


def survival(predictor: npt.ArrayLike, months: npt.ArrayLike) -> Floats:
    """The chance to live beyond some months from onset without tracheostomy or ventilation over 23 h a day.

    Parameters
    ----------
    predictor : array_like
        As :func:`linear_predictor` gives it.
    months : array_like
        From onset; broadcast against the predictor.

    Returns
    -------
    ndarray
        Between 0 and 1.

    References
    ----------
    Westeneng 2018; Royston P, Parmar MKB. Stat Med 21:2175 (2002), proportional odds, eq. 2.

    Examples
    --------
    >>> survival(-4.483, [12, 24, 36, 60]).round(3).tolist()
    [0.979, 0.813, 0.501, 0.157]
    """
    with np.errstate(divide="ignore"):
        log_months = np.log(np.asarray(months, dtype=np.float64))
    return np.asarray(1 / (1 + np.exp(_log_odds(log_months) + np.asarray(predictor, dtype=np.float64))))


def months_until(predictor: npt.ArrayLike, left: float = 0.5) -> Floats:
    """Months from onset at which the chance of survival has fallen to some value; 0.5 gives the median.

    Parameters
    ----------
    predictor : array_like, shape (n,)
        As :func:`linear_predictor` gives it.
    left : float
        Between 0 and 1.

    Examples
    --------
    >>> round(float(months_until(-4.483)), 1)
    36.0
    """
    goal = np.log((1 - left) / left) - np.asarray(predictor, dtype=np.float64)
    low, high = np.full(goal.shape, EARLIEST), np.full(goal.shape, LATEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        before = _log_odds(middle) < goal
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.asarray(np.where(np.isnan(goal), np.nan, np.exp((low + high) / 2)))


def _log_odds(log_months: Floats) -> Floats:
    """Baseline log cumulative odds: a natural cubic spline in ln months."""
    first, last = KNOTS[0], KNOTS[-1]
    found = INTERCEPT + LOG_TIME * log_months
    outer = np.maximum(log_months - last, 0) ** 3, np.maximum(log_months - first, 0) ** 3
    for weight, knot in zip((FIRST, SECOND), KNOTS[1:3], strict=True):
        share = (last - knot) / (last - first)
        basis = np.maximum(log_months - knot, 0) ** 3 - share * outer[1] - (1 - share) * outer[0]
        found = found + weight * basis
    return np.asarray(found)


def _positive(values: npt.ArrayLike) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(numbers > 0, numbers, np.nan)
