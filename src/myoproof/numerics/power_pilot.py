"""What a pilot says for planning: covariance of visits, shrunken SRMs, prognosis, power by resampling."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.numerics.power import Aim

Floats = npt.NDArray[np.float64]
SPREAD_STEPS = 60
EM_STEPS = 500
EM_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True)
class Shrunken:
    """Responsiveness of several measures, drawn towards their mean by as much as chance may explain.

    Parameters
    ----------
    values, low, high : ndarray, shape (n_measures,)
        Posterior mean and interval of each SRM; NaN where the SRM is.
    mean, spread : float
        Mean and SD of the true SRMs, as estimated.
    """

    values: Floats
    low: Floats
    high: Floats
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Prognosis:
    """How well baseline covariates predict the outcome of subjects left out.

    Parameters
    ----------
    r, low, high : float
        Correlation of outcome and left-out prediction, with Fisher's interval.
    n : int
        Complete subjects.
    """

    r: float
    low: float
    high: float
    n: int


def visit_moments(values: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Mean and covariance of the visits of one group, drop-out at random allowed for, by EM.

    Parameters
    ----------
    values : array_like, shape (n_subjects, n_visits)
        NaN where not measured; subjects without any value are left out.

    Returns
    -------
    mean : ndarray, shape (n_visits,)
    covariance : ndarray, shape (n_visits, n_visits)
        Maximum likelihood times n / (n - 1).

    Raises
    ------
    ValueError
        With fewer subjects than visits plus two, or a visit with fewer than three values.

    References
    ----------
    Dempster, Laird and Rubin, J R Stat Soc B 1977;39:1, sec. 4.1.1.

    Examples
    --------
    >>> mean, covariance = visit_moments([[0, 1], [1, 3], [2, 2], [1, np.nan], [1, 2]])
    >>> mean.round(2).tolist()
    [1.0, 2.0]
    """
    y = np.asarray(values, dtype=np.float64)
    y = y[np.isfinite(y).any(axis=1)]
    n, visits = y.shape
    if n < visits + 2 or (np.isfinite(y).sum(axis=0) < 3).any():
        raise ValueError(f"{n} subjects are too few for the covariance of {visits} visits")
    mean, covariance = np.nanmean(y, axis=0), np.diag(np.nanvar(y, axis=0))
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    patterns, which = np.unique(np.isfinite(y), axis=0, return_inverse=True)
    for _ in range(EM_STEPS):
        filled, extra = y.copy(), np.zeros((visits, visits))
        for place, seen in enumerate(patterns):
            rows = which.ravel() == place
            if seen.all():
                continue
            weights = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, ~seen)])
            filled[np.ix_(rows, ~seen)] = mean[~seen] + (y[np.ix_(rows, seen)] - mean[seen]) @ weights
            left = covariance[np.ix_(~seen, ~seen)] - covariance[np.ix_(~seen, seen)] @ weights
            extra[np.ix_(~seen, ~seen)] += rows.sum() * left
        before = mean, covariance
        mean = filled.mean(axis=0)
        covariance = ((filled - mean).T @ (filled - mean) + extra) / n
        moved = max(
            float(np.abs((mean - before[0]) / scale).max()),
            float(np.abs((covariance - before[1]) / np.outer(scale, scale)).max()),
        )
        if moved < EM_TOLERANCE:
            break
    return mean, covariance * n / (n - 1)


def shrunken_srms(srms: npt.ArrayLike, covariance: npt.ArrayLike, *, level: float = 0.95) -> Shrunken:
    """Shrink the SRMs of a league table: whichever stands first stands there partly by luck.

    Parameters
    ----------
    srms : array_like, shape (n_measures,)
        Standardised response means, worsening positive; NaN is left out.
    covariance : array_like, shape (n_measures, n_measures)
        Their sampling covariance, for example from a bootstrap: measures of one cohort err together.
    level : float
        Level of the intervals.

    Notes
    -----
    srms ~ normal(true, covariance), true ~ normal(mean, spread^2), independent; mean and spread have flat
    priors, the spread up to that of the SRMs as measured, and are integrated over: the intervals hold their
    uncertainty. With fewer than three
    measures nothing is shrunken.

    References
    ----------
    Efron and Morris, J Am Stat Assoc 1975;70:311. Flat prior of the spread: Gelman, Bayesian Anal 2006;1:515.

    Examples
    --------
    >>> shrunken_srms([1.2, 0.8, 0.4], 0.06 * np.eye(3)).values.round(2).tolist()
    [0.97, 0.8, 0.63]
    """
    y, sampling = np.asarray(srms, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    known = np.isfinite(y) & np.isfinite(np.diag(sampling))
    reach = float(stats.norm.ppf((1 + level) / 2))
    values, half = np.where(known, y, np.nan), reach * np.sqrt(np.where(known, np.diag(sampling), np.nan))
    if known.sum() < 3:
        return Shrunken(values, values - half, values + half, math.nan, math.nan)
    x, c = y[known], sampling[np.ix_(known, known)]
    c = c + 1e-6 * float(np.trace(c)) / x.size * np.eye(x.size)
    spreads = np.linspace(0, float(x.std(ddof=1)), SPREAD_STEPS)
    log_weights, means, posterior, variances = (
        np.array(part) for part in zip(*(_given_spread(x, c, spread**2) for spread in spreads), strict=True)
    )
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    values[known] = weights @ posterior
    half[known] = reach * np.sqrt(weights @ (variances + (posterior - values[known]) ** 2))
    return Shrunken(values, values - half, values + half, float(weights @ means), float(weights @ spreads))


def _given_spread(x: Floats, c: Floats, spread2: float) -> tuple[float, float, Floats, Floats]:
    """Log marginal likelihood, mean, posterior means and variances for one spread; flat prior of the mean."""
    total = c + spread2 * np.eye(x.size)
    inverse = np.linalg.inv(total)
    of_mean = 1 / float(inverse.sum())
    mean = of_mean * float(inverse.sum(axis=0) @ x)
    rest = x - mean
    log_weight = -0.5 * (
        float(np.linalg.slogdet(total)[1]) - math.log(of_mean) + float(rest @ inverse @ rest)
    )
    pull = spread2 * inverse
    left = 1 - pull.sum(axis=1)
    variance = spread2 - spread2 * np.diag(pull) + left**2 * of_mean
    return log_weight, mean, mean + pull @ rest, np.maximum(variance, 0.0)


def prognosis(outcome: npt.ArrayLike, covariates: npt.ArrayLike, *, level: float = 0.95) -> Prognosis:
    """Correlation of an outcome with its prediction from a linear model that never saw the subject.

    Parameters
    ----------
    outcome : array_like, shape (n,)
        Outcome; subjects with NaN here or in a covariate are left out.
    covariates : array_like, shape (n, p)
        Known at baseline.
    level : float
        Level of the interval.

    Raises
    ------
    ValueError
        With fewer than p + 5 complete subjects, or covariates constant or not independent.

    References
    ----------
    Left-out predictions from one fit: Allen, Technometrics 1974;16:125. Interval: Fisher 1921.

    Examples
    --------
    >>> x = np.arange(12.0)
    >>> round(prognosis(x + np.tile([1, -1], 6), x[:, None]).r, 2)
    0.94
    """
    y = np.asarray(outcome, dtype=np.float64)
    x = np.asarray(covariates, dtype=np.float64).reshape(y.size, -1)
    whole = np.isfinite(y) & np.isfinite(x).all(axis=1)
    y, x = y[whole], x[whole]
    if y.size < x.shape[1] + 5:
        raise ValueError(f"{y.size} complete subjects are too few for {x.shape[1]} covariates")
    design = np.column_stack([np.ones(y.size), x])
    size = np.sqrt((design**2).sum(axis=0))
    if (size == 0).any() or np.linalg.matrix_rank(design / np.where(size > 0, size, 1)) < design.shape[1]:
        raise ValueError("the covariates are constant or not independent")
    q = np.linalg.qr(design / size)[0]
    fitted, leverage = q @ (q.T @ y), (q**2).sum(axis=1)
    predicted = y - (y - fitted) / np.maximum(1 - leverage, 1e-12)
    if np.ptp(y) == 0 or np.ptp(predicted) == 0:
        raise ValueError("the outcome has no spread")
    r = float(np.corrcoef(y, predicted)[0, 1])
    reach = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(y.size - 3)
    low, high = (math.tanh(math.atanh(r) + side * reach) for side in (-1, 1))
    return Prognosis(r, low, high, int(y.size))


def resampled_power(
    change: npt.ArrayLike,
    effect: float,
    n_control: int,
    *,
    rng: np.random.Generator,
    aim: Aim,
    proportional: bool = False,
    trials: int = 2000,
) -> float:
    """Power of a t test in trials whose subjects are drawn from the pilot's own changes.

    Parameters
    ----------
    change : array_like, shape (n,)
        Changes of the pilot, finite.
    effect : float
        Share of the mean change that treatment prevents; 0 gives the type I error.
    n_control : int
        Controls a trial; the treated follow from the allocation.
    rng : numpy.random.Generator
        For the draws.
    aim : Aim
        Level, sides and allocation.
    proportional : bool
        Whether treatment slows everyone in proportion, rather than by the same amount.
    trials : int
        Simulated trials.

    Returns
    -------
    float
        Share of trials with p below alpha and, one-sided, the right sign.
    """
    pilot = np.asarray(change, dtype=np.float64)
    treated = max(2, round(n_control * aim.ratio))
    control = rng.choice(pilot, size=(trials, n_control))
    drawn = rng.choice(pilot, size=(trials, treated))
    drawn = drawn * (1 - effect) if proportional else drawn - effect * pilot.mean()
    found = stats.ttest_ind(control, drawn, axis=1)
    sign = 1.0 if pilot.mean() >= 0 else -1.0
    p = found.pvalue if aim.sides == 2 else stats.t.sf(sign * found.statistic, n_control + treated - 2)
    return float((np.asarray(p) < aim.alpha).mean())
