"""Survival: Kaplan-Meier with intervals, the log-rank test, Cox regression and concordance."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
MOST_STEPS = 50
"""Newton steps of a Cox fit; a fit that needs more runs away (perfect separation)."""


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
    steps = np.unique(t[seen])
    order = np.sort(t)
    at_risk = (t.size - np.searchsorted(order, steps, side="left")).astype(np.float64)
    count = np.bincount(np.searchsorted(steps, t[seen]), minlength=steps.size).astype(np.float64)
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
    names, codes = np.unique(np.asarray(groups).ravel(), return_inverse=True)
    if names.size < 2:
        raise ValueError("the log-rank test needs two groups or more")
    steps = np.unique(t[seen])
    at_risk = np.stack([_at_risk(t[codes == g], steps) for g in range(names.size)])
    count = np.stack([_counted(t[seen & (codes == g)], steps) for g in range(names.size)])
    n, d = at_risk.sum(axis=0), count.sum(axis=0)
    share = at_risk / n
    difference = (count - share * d).sum(axis=1)[:-1]
    weight = d * (n - d) / np.maximum(n - 1, 1)
    spread = (np.diag((share * weight).sum(axis=1)) - (share * weight) @ share.T)[:-1, :-1]
    chi2 = float(difference @ np.linalg.solve(spread, difference))
    return chi2, float(stats.chi2.sf(chi2, names.size - 1))


def cox(
    times: npt.ArrayLike,
    events: npt.ArrayLike,
    covariates: npt.ArrayLike,
    *,
    entry: npt.ArrayLike | None = None,
) -> CoxFit:
    """Cox regression with Efron's ties and late entry, by Newton's method.

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
    >>> fit = cox([1, 2, 3, 4, 5], [1, 1, 1, 0, 1], [[1], [0], [1], [0], [0]])
    >>> round(float(fit.coefficients[0]), 3)
    1.262
    """
    t, seen = _checked(times, events)
    x = np.asarray(covariates, dtype=np.float64).reshape(t.size, -1)
    start = np.full(t.size, -np.inf) if entry is None else np.asarray(entry, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError("a covariate is not finite")
    centred = x - x.mean(axis=0)
    size = centred.std(axis=0)
    if (size == 0).any() or np.linalg.matrix_rank(centred / np.where(size > 0, size, 1)) < x.shape[1]:
        raise ValueError("the covariates are constant or not independent")
    z = centred / size
    beta = np.zeros(x.shape[1])
    value, slope, information = _partial(beta, t, seen, z, start)
    null = value
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(information, slope)
        while True:
            moved = _partial(beta + step, t, seen, z, start)
            if moved[0] >= value - 1e-12 or float(np.abs(step).max()) < 1e-12:
                break
            step = step / 2
        beta = beta + step
        value, slope, information = moved
        if float(np.abs(step).max()) < 1e-10:
            break
    else:
        raise ValueError("a coefficient runs away: a covariate separates the events")
    if float(np.abs(beta).max()) > 20:
        raise ValueError("a coefficient runs away: a covariate separates the events")
    covariance = np.linalg.inv(information) / np.outer(size, size)
    return CoxFit(
        coefficients=beta / size,
        se=np.sqrt(np.diag(covariance)),
        covariance=np.asarray(covariance, dtype=np.float64),
        log_likelihood=value,
        null_log_likelihood=null,
        concordance=concordance(t, seen, z @ beta),
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
    return _weighted_concordance(times, events, risk, None)


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
    count = _counted(t[~seen], steps)
    gone = np.sort(t[seen])
    dying = np.searchsorted(gone, steps, side="right") - np.searchsorted(gone, steps, side="left")
    curve = np.concatenate([[1.0], np.cumprod(1 - count / (_at_risk(t, steps) - dying))])
    weights = curve[np.searchsorted(steps, t, side="left")]
    with np.errstate(divide="ignore"):
        return _weighted_concordance(t, seen, risk, np.where(weights > 0, weights, np.inf) ** -2)


def _weighted_concordance(
    times: npt.ArrayLike, events: npt.ArrayLike, risk: npt.ArrayLike, weights: Floats | None
) -> float:
    t, seen = _checked(times, events)
    score = np.asarray(risk, dtype=np.float64).ravel()
    if score.size != t.size:
        raise ValueError("times and risk differ in length")
    agreed = total = 0.0
    for place in np.flatnonzero(seen):
        later = (t > t[place]) | ((t == t[place]) & ~seen)
        weight = 1.0 if weights is None else float(weights[place])
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


def _counted(times: Floats, steps: Floats) -> Floats:
    return np.bincount(np.searchsorted(steps, times), minlength=steps.size)[: steps.size].astype(np.float64)


def _crossing(curve: Curve, bound: Floats) -> float:
    below = np.flatnonzero(np.where(np.isnan(bound), 0.0, bound) <= 0.5 + 1e-12)
    return float(curve.times[below[0]]) if below.size and not math.isnan(bound[below[0]]) else math.nan


def _partial(
    beta: Floats, times: Floats, seen: Bools, x: Floats, entry: Floats
) -> tuple[float, Floats, Floats]:
    """Efron's partial log-likelihood, its gradient and its information."""
    eta = x @ beta
    weight = np.exp(eta - eta.max())
    value, p = 0.0, x.shape[1]
    slope, information = np.zeros(p), np.zeros((p, p))
    for when in np.unique(times[seen]):
        dying = seen & (times == when)
        risk = (times >= when) & (entry < when)
        s0, s1, s2 = _sums(weight[risk], x[risk])
        d0, d1, d2 = _sums(weight[dying], x[dying])
        count = int(dying.sum())
        value += float(eta[dying].sum())
        slope += x[dying].sum(axis=0)
        for share in np.arange(count) / count:
            total = s0 - share * d0
            mean = (s1 - share * d1) / total
            value -= math.log(total) + float(eta.max())
            slope -= mean
            information += (s2 - share * d2) / total - np.outer(mean, mean)
    return value, slope, information


def _sums(weight: Floats, x: Floats) -> tuple[float, Floats, Floats]:
    return float(weight.sum()), weight @ x, (x * weight[:, None]).T @ x
