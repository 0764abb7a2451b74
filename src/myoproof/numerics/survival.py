"""Survival, a thin layer on lifelines: Kaplan-Meier with R's intervals, log-rank, Cox, concordance."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.exceptions import ConvergenceError
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import concordance_index
from scipy import stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
PRECISION = 1e-12
"""Newton decrement at which a Cox fit stops; lifelines' own 1e-7 loses the sixth digit."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A Kaplan-Meier curve: a step at every time of an event.

    Parameters
    ----------
    times, survival, low, high : ndarray, shape (n_steps,)
        Times of events, and survival from each on with its pointwise interval.
    at_risk, events : ndarray, shape (n_steps,)
        Subjects at risk just before, and events at, each time.
    """

    times: Floats
    survival: Floats
    low: Floats
    high: Floats
    at_risk: Floats
    events: Floats

    def at(self, when: npt.ArrayLike) -> Floats:
        """Survival at given times."""
        places = np.searchsorted(self.times, np.asarray(when, dtype=np.float64), side="right")
        return np.concatenate([[1.0], self.survival])[places]

    @property
    def median(self) -> tuple[float, float, float]:
        """Median survival time with its interval (Brookmeyer and Crowley 1982); NaN where not reached."""
        return _crossing(self, self.survival), _crossing(self, self.low), _crossing(self, self.high)


@dataclass(frozen=True, slots=True)
class CoxFit:
    """A fitted Cox model.

    Parameters
    ----------
    coefficients, se : ndarray, shape (p,)
        Log hazard ratios and their standard errors from the observed information.
    covariance : ndarray, shape (p, p)
        Inverse information.
    log_likelihood, null_log_likelihood : float
        Partial log-likelihood at the fit and at zero.
    concordance : float
        Harrell's C of the linear predictor.
    n_subjects, n_events : int
        Counts.
    """

    coefficients: Floats
    se: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    concordance: float
    n_subjects: int
    n_events: int


def kaplan_meier(times: npt.ArrayLike, events: npt.ArrayLike, *, level: float = 0.95) -> Curve:
    """The product-limit estimate with Greenwood's variance on the log scale, as R ``survfit``.

    Parameters
    ----------
    times, events : array_like, shape (n,)
        Time of event or censoring; whether it is an event.
    level : float
        Level of the pointwise intervals, 0-1.

    Raises
    ------
    ValueError
        If a time is negative or not finite, or there is no event.

    References
    ----------
    Kaplan and Meier, J Am Stat Assoc 1958;53:457. Greenwood 1926.

    Examples
    --------
    >>> kaplan_meier([1, 2, 3, 4], [1, 0, 1, 1]).survival.round(3).tolist()
    [0.75, 0.375, 0.0]
    """
    t, seen = _checked(times, events)
    table = KaplanMeierFitter().fit(t, seen).event_table
    table = table[table["observed"] > 0]
    steps = table.index.to_numpy(dtype=np.float64)
    at_risk, count = (table[name].to_numpy(dtype=np.float64) for name in ("at_risk", "observed"))
    survival = np.asarray(np.cumprod(1 - count / at_risk), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(np.cumsum(count / (at_risk * (at_risk - count))))
        reach = float(stats.norm.ppf((1 + level) / 2)) * se
        low, high = survival * np.exp(-reach), np.minimum(survival * np.exp(reach), 1.0)
    gone = survival <= 0
    return Curve(steps, survival, np.where(gone, np.nan, low), np.where(gone, np.nan, high), at_risk, count)


def log_rank(times: npt.ArrayLike, events: npt.ArrayLike, groups: npt.ArrayLike) -> tuple[float, float]:
    """Log-rank test of two groups or more: chi squared and p.

    Parameters
    ----------
    times, events, groups : array_like, shape (n,)
        Time, whether it is an event, and group.

    Raises
    ------
    ValueError
        As :func:`kaplan_meier`, or with one group only.

    References
    ----------
    Mantel, Cancer Chemother Rep 1966;50:163. Peto and Peto, J R Stat Soc A 1972;135:185.

    Examples
    --------
    >>> chi2, p = log_rank([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1])
    >>> round(p, 3)
    0.025
    """
    t, seen = _checked(times, events)
    if np.unique(np.asarray(groups)).size < 2:
        raise ValueError("the log-rank test needs two groups or more")
    found = multivariate_logrank_test(t, np.asarray(groups).ravel(), seen)
    return float(found.test_statistic), float(found.p_value)


def cox(
    times: npt.ArrayLike,
    events: npt.ArrayLike,
    covariates: npt.ArrayLike,
    *,
    entry: npt.ArrayLike | None = None,
) -> CoxFit:
    """Cox regression with Efron's ties and late entry, by Newton's method (lifelines).

    Parameters
    ----------
    times, events : array_like, shape (n,)
        Time of event or censoring; whether it is an event.
    covariates : array_like, shape (n, p)
        Finite; no intercept.
    entry : array_like, shape (n,), optional
        Time from which each subject was under observation.

    Raises
    ------
    ValueError
        If a value is not finite, there is no event, the covariates are constant or not independent, or a
        coefficient runs away (a covariate separates the events perfectly).

    References
    ----------
    Cox, J R Stat Soc B 1972;34:187. Efron, J Am Stat Assoc 1977;72:557 (ties).

    Examples
    --------
    >>> fit = cox([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 1], [[1], [0], [1], [0], [0], [1]])
    >>> round(float(fit.coefficients[0]), 3)
    0.101
    """
    t, seen = _checked(times, events)
    x = np.asarray(covariates, dtype=np.float64).reshape(t.size, -1)
    if not np.isfinite(x).all():
        raise ValueError("a covariate is not finite")
    centred = x - x.mean(axis=0)
    size = centred.std(axis=0)
    if (size == 0).any() or np.linalg.matrix_rank(centred / np.where(size > 0, size, 1)) < x.shape[1]:
        raise ValueError("the covariates are constant or not independent")
    frame = pd.DataFrame(centred / size, columns=[str(place) for place in range(x.shape[1])])
    frame = frame.assign(time=t, event=seen.astype(np.int64))
    if entry is not None:
        frame["entry"] = np.asarray(entry, dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = CoxPHFitter(baseline_estimation_method="breslow").fit(
                frame,
                "time",
                "event",
                entry_col=None if entry is None else "entry",
                fit_options={"precision": PRECISION},
            )
        except (ConvergenceError, Warning) as error:
            raise ValueError("a coefficient runs away: a covariate separates the events") from error
    covariance = found.variance_matrix_.to_numpy(dtype=np.float64) / np.outer(size, size)
    beta = found.params_.to_numpy(dtype=np.float64)
    ratio = found.log_likelihood_ratio_test().test_statistic
    return CoxFit(
        coefficients=beta / size,
        se=np.sqrt(np.diag(covariance)),
        covariance=covariance,
        log_likelihood=float(found.log_likelihood_),
        null_log_likelihood=float(found.log_likelihood_) - float(ratio) / 2,
        concordance=concordance(t, seen, (centred / size) @ beta),
        n_subjects=t.size,
        n_events=int(seen.sum()),
    )


def concordance(times: npt.ArrayLike, events: npt.ArrayLike, risk: npt.ArrayLike) -> float:
    """Harrell's C: share of comparable pairs in which the higher risk has the earlier event.

    Parameters
    ----------
    times, events, risk : array_like, shape (n,)
        Time, whether it is an event, and a score that is higher where the event comes sooner. Ties in risk
        count half; a pair with one event and one censoring at the same time is comparable.

    Raises
    ------
    ValueError
        As :func:`kaplan_meier`.

    References
    ----------
    Harrell et al., JAMA 1982;247:2543.

    Examples
    --------
    >>> concordance([1, 2, 3], [1, 1, 0], [3, 2, 1])
    1.0
    """
    t, seen = _checked(times, events)
    return float(concordance_index(t, -np.asarray(risk, dtype=np.float64), seen))


def uno_concordance(times: npt.ArrayLike, events: npt.ArrayLike, risk: npt.ArrayLike) -> float:
    """Uno's C: as Harrell's, each pair weighed by the inverse squared chance of not being censored before.

    Parameters
    ----------
    times, events, risk : array_like, shape (n,)
        As :func:`concordance`.

    Raises
    ------
    ValueError
        As :func:`kaplan_meier`.

    References
    ----------
    Uno et al., Stat Med 2011;30:1105, eq. 6; the truncation time is the last event. The censoring curve is
    taken just before the event time and its ties with events put the events first, as R
    ``survival::concordance(timewt = "n/G2")``.

    Examples
    --------
    >>> round(uno_concordance([1, 2, 3, 4], [1, 0, 1, 1], [4, 1, 3, 2]), 3)
    1.0
    """
    t, seen = _checked(times, events)
    if seen.all():
        return concordance(t, seen, risk)
    steps = np.unique(t[~seen])
    count = np.bincount(np.searchsorted(steps, t[~seen]), minlength=steps.size)
    gone = np.sort(t[seen])
    dying = np.searchsorted(gone, steps, side="right") - np.searchsorted(gone, steps, side="left")
    curve = np.concatenate([[1.0], np.cumprod(1 - count / (_at_risk(t, steps) - dying))])
    weights = curve[np.searchsorted(steps, t, side="left")]
    with np.errstate(divide="ignore"):
        return _weighted_concordance(t, seen, risk, np.where(weights > 0, weights, np.inf) ** -2)


def _weighted_concordance(
    times: npt.ArrayLike, events: npt.ArrayLike, risk: npt.ArrayLike, weights: Floats
) -> float:
    t, seen = _checked(times, events)
    score = np.asarray(risk, dtype=np.float64).ravel()
    if score.size != t.size:
        raise ValueError("times and risk differ in length")
    agreed = total = 0.0
    for place in np.flatnonzero(seen):
        later = (t > t[place]) | ((t == t[place]) & ~seen)
        weight = float(weights[place])
        total += weight * float(later.sum())
        others = score[later]
        agreed += weight * float((others < score[place]).sum() + 0.5 * (others == score[place]).sum())
    return agreed / total if total > 0 else math.nan


def _checked(times: npt.ArrayLike, events: npt.ArrayLike) -> tuple[Floats, Bools]:
    t = np.asarray(times, dtype=np.float64).ravel()
    seen = np.asarray(events).ravel().astype(np.bool_)
    if t.size != seen.size:
        raise ValueError("times and events differ in length")
    if not np.isfinite(t).all() or (t < 0).any():
        raise ValueError("a time is negative or not finite")
    if not seen.any():
        raise ValueError("no events")
    return t, seen


def _at_risk(times: Floats, steps: Floats) -> Floats:
    return (times.size - np.searchsorted(np.sort(times), steps, side="left")).astype(np.float64)


def _crossing(curve: Curve, bound: Floats) -> float:
    below = np.flatnonzero(np.where(np.isnan(bound), 0.0, bound) <= 0.5 + 1e-12)
    return float(curve.times[below[0]]) if below.size and not math.isnan(bound[below[0]]) else math.nan
