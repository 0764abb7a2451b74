"""Sample size and power of two-arm trials: change, slopes and repeated measures; drop-out and allocation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a trial is asked to show.

    Parameters
    ----------
    power : float
        Chance to find the effect, 0-1.
    alpha : float
        Significance level.
    sides : {1, 2}
        Sides of the test.
    ratio : float
        Treated subjects a control.
    """

    power: float = 0.8
    alpha: float = 0.05
    sides: int = 2
    ratio: float = 1.0

    @property
    def z_alpha(self) -> float:
        """Critical value of the standard normal."""
        return float(stats.norm.isf(self.alpha / self.sides))

    @property
    def z_sum(self) -> float:
        """Critical value plus the quantile of the power."""
        return self.z_alpha + float(stats.norm.ppf(self.power))


AIM = Aim()


@dataclass(frozen=True, slots=True)
class Arms:
    """Subjects an arm, fractional: round up to use."""

    control: float
    treated: float

    @property
    def total(self) -> float:
        """Both arms."""
        return self.control + self.treated


def normal_size(delta: float, variance: float, aim: Aim = AIM) -> Arms:
    """Subjects for a difference of means of which one subject's contribution has a given variance.

    Parameters
    ----------
    delta : float
        Difference to show, in the unit of the outcome; not zero.
    variance : float
        Variance of one subject's contribution, the same in both arms.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        If delta is zero or not finite, the variance not positive, or the aim outside its bounds.

    Examples
    --------
    >>> round(normal_size(0.5, 1.0).control, 2)
    62.79
    """
    _check(delta, variance, aim)
    control = aim.z_sum**2 * variance * (1 + 1 / aim.ratio) / delta**2
    return Arms(control, control * aim.ratio)


def normal_power(delta: float, variance: float, n_control: float, aim: Aim = AIM) -> float:
    """Power of the comparison that :func:`normal_size` plans; the far tail is left out.

    Examples
    --------
    >>> round(normal_power(0.5, 1.0, 62.79), 3)
    0.8
    """
    _check(delta, variance, aim)
    se = math.sqrt(variance * (1 + 1 / aim.ratio) / n_control)
    return float(stats.norm.cdf(abs(delta) / se - aim.z_alpha))


def t_power(standardised: float, n_control: float, aim: Aim = AIM) -> float:
    """Power of a two-sample t test with any allocation, exact by the noncentral t.

    Parameters
    ----------
    standardised : float
        Difference of means over the common standard deviation.
    n_control : float
        Controls; may be fractional.
    aim : Aim
        Level, sides and allocation; its power is not used.

    Notes
    -----
    The far tail is left out, as in R ``power.t.test(strict = FALSE)``.

    Examples
    --------
    >>> round(t_power(0.52, 59.03), 3)
    0.8
    """
    n_treated = n_control * aim.ratio
    df = n_control + n_treated - 2
    shift = abs(standardised) / math.sqrt(1 / n_control + 1 / n_treated)
    return float(stats.nct.sf(stats.t.isf(aim.alpha / aim.sides, df), df, shift))


def t_size(standardised: float, aim: Aim = AIM) -> Arms:
    """Subjects for a two-sample t test with any allocation.

    Parameters
    ----------
    standardised : float
        Difference of means over the common standard deviation; not zero.
    aim : Aim
        Power, level, sides, allocation.

    Returns
    -------
    Arms
        At least two controls and two treated.

    Raises
    ------
    ValueError
        If the difference is zero or not finite, or the aim outside its bounds.

    References
    ----------
    R ``power.t.test``. Becker muscular dystrophy, SRM 1.04, 50 % effect: 59 an arm (PMC8356376).

    Examples
    --------
    >>> round(t_size(0.52).control, 2)
    59.03
    """
    _check(standardised, 1.0, aim)
    least = max(2.0, 2.0 / aim.ratio)
    if t_power(standardised, least, aim) >= aim.power:
        return Arms(least, least * aim.ratio)
    start = normal_size(standardised, 1.0, aim).control
    if start > 1e9:
        return Arms(start, start * aim.ratio)
    found = optimize.brentq(
        lambda n: t_power(standardised, n, aim) - aim.power, least, 2 * start + 10, xtol=1e-10
    )
    return Arms(float(found), float(found) * aim.ratio)


def diggle_size(delta: float, times: npt.ArrayLike, covariance: npt.ArrayLike, aim: Aim = AIM) -> Arms:
    """Subjects to tell two slopes apart, by generalised least squares over all visits.

    Parameters
    ----------
    delta : float
        Difference of slopes a unit of time.
    times : array_like, shape (n_visits,)
        Visit times.
    covariance : array_like, shape (n_visits, n_visits)
        Covariance of one subject's values.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        If the times have no spread or the covariance is not positive definite.

    References
    ----------
    Diggle, Heagerty, Liang and Zeger, Analysis of Longitudinal Data, 2nd ed. 2002, p. 29, with any
    covariance; the book's table has a uniform correlation and a one-sided level.

    Examples
    --------
    >>> uniform = 100 * (0.2 + 0.8 * np.eye(3))
    >>> round(diggle_size(0.5, [0, 2, 5], uniform, Aim(sides=1)).control, 2)
    312.38
    """
    return normal_size(delta, gls_slope_variance(times, covariance), aim)


def gls_slope_variance(times: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Variance of one subject's slope by generalised least squares.

    Parameters
    ----------
    times : array_like, shape (n_visits,)
        Visit times.
    covariance : array_like, shape (n_visits, n_visits)
        Covariance of the values.

    Raises
    ------
    ValueError
        If the times have no spread or the covariance is not positive definite.

    Examples
    --------
    >>> gls_slope_variance([0, 1], np.eye(2))
    2.0
    """
    t = np.asarray(times, dtype=np.float64)
    if t.size < 2 or np.ptp(t) == 0:
        raise ValueError("a slope needs visits at two times or more")
    try:
        factor = np.linalg.cholesky(np.asarray(covariance, dtype=np.float64))
    except np.linalg.LinAlgError as error:
        raise ValueError("the covariance of the visits is not positive definite") from error
    design = np.linalg.solve(factor, np.stack([np.ones_like(t), t], axis=1))
    a, b, c = design[:, 0] @ design[:, 0], design[:, 0] @ design[:, 1], design[:, 1] @ design[:, 1]
    return float(a / (a * c - b * b))


def edland_size(
    delta: float, times: npt.ArrayLike, slope_variance: float, residual_variance: float, aim: Aim = AIM
) -> Arms:
    """Subjects to tell two slopes apart when every subject has its own slope and intercept.

    Parameters
    ----------
    delta : float
        Difference of slopes a unit of time.
    times : array_like, shape (n_visits,)
        Visit times.
    slope_variance, residual_variance : float
        Between subjects, and within.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        If the times have no spread or a variance is negative.

    References
    ----------
    Edland, in Ard and Edland, J Alzheimers Dis 2011;26 Suppl 3:369, eq. 1.

    Examples
    --------
    >>> round(edland_size(0.25, range(0, 13, 2), 0.25, 4.0).control, 2)
    71.76
    """
    t = np.asarray(list(times) if isinstance(times, range) else times, dtype=np.float64)
    spread = float(((t - t.mean()) ** 2).sum())
    if spread == 0:
        raise ValueError("a slope needs visits at two times or more")
    if slope_variance < 0 or residual_variance < 0:
        raise ValueError("a variance is negative")
    return normal_size(delta, slope_variance + residual_variance / spread, aim)


def change_variance(span: float, slope_variance: float, residual_variance: float) -> float:
    """Variance of the plain change over a span when every subject has its own slope.

    Examples
    --------
    >>> change_variance(2.0, 0.25, 4.0)
    9.0
    """
    return span**2 * slope_variance + 2 * residual_variance


def mmrm_variance(covariance: npt.ArrayLike, retention: Sequence[float]) -> float:
    """Variance of one subject's contribution to the last visit's mean under drop-out (MMRM).

    Parameters
    ----------
    covariance : array_like, shape (n_visits, n_visits)
        Covariance of the visits that enter the model.
    retention : sequence of float, length n_visits
        Share of the randomised still there at each visit; starts at 1 or below and never rises.

    Raises
    ------
    ValueError
        If the retention rises or leaves 0-1, or the covariance is not positive definite.

    References
    ----------
    Lu, Luo and Chen, Int J Biostat 2008;4(1):9, eq. 2-4: information summed over the drop-out patterns.

    Examples
    --------
    >>> round(mmrm_variance(np.eye(2), [1.0, 0.5]), 3)
    2.0
    """
    sigma = np.asarray(covariance, dtype=np.float64)
    held = np.asarray(retention, dtype=np.float64)
    n = len(sigma)
    if held.size != n or (np.diff(held) > 1e-12).any() or not ((held > 0) & (held <= 1)).all():
        raise ValueError("retention needs a share a visit, above 0, at most 1, never rising")
    if np.linalg.eigvalsh(sigma)[0] <= 0:
        raise ValueError("the covariance of the visits is not positive definite")
    information = np.zeros((n, n))
    for visits, share in enumerate(held - np.append(held[1:], 0.0), start=1):
        information[:visits, :visits] += share * np.linalg.inv(sigma[:visits, :visits])
    return float(np.linalg.inv(information)[-1, -1])


def mmrm_size(delta: float, covariance: npt.ArrayLike, retention: Sequence[float], aim: Aim = AIM) -> Arms:
    """Subjects for a difference at the last visit in a mixed model for repeated measures.

    Parameters
    ----------
    delta : float
        Difference of the arms at the last visit.
    covariance, retention
        As :func:`mmrm_variance`; the same in both arms.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        As :func:`mmrm_variance`.

    References
    ----------
    Lu, Luo and Chen, Int J Biostat 2008;4(1):9.

    Examples
    --------
    >>> r = 0.25 ** np.abs(np.subtract.outer(range(4), range(4)))
    >>> round(mmrm_size(0.5, r, [1, 0.9, 0.8, 0.7]).control, 2)
    88.96
    """
    return normal_size(delta, mmrm_variance(covariance, retention), aim)


def detectable(variance: float, n_control: float, aim: Aim = AIM) -> float:
    """The smallest difference that a number of subjects shows with the wanted power.

    Examples
    --------
    >>> r = 0.25 ** np.abs(np.subtract.outer(range(4), range(4)))
    >>> round(detectable(mmrm_variance(r, [1, 0.9, 0.8, 0.7]), 50), 5)
    0.66695
    """
    _check(1.0, variance, aim)
    return aim.z_sum * math.sqrt(variance * (1 + 1 / aim.ratio) / n_control)


def inflated(arms: Arms, dropout: float) -> Arms:
    """Subjects to randomise so that the wanted number completes.

    Parameters
    ----------
    arms : Arms
        Who must complete.
    dropout : float
        Share that leaves, 0 to below 1.

    Raises
    ------
    ValueError
        If the share is outside its bounds.

    Examples
    --------
    >>> inflated(Arms(80.0, 80.0), 0.2).total
    200.0
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"drop-out {dropout} is not a share from 0 to below 1")
    return Arms(arms.control / (1 - dropout), arms.treated / (1 - dropout))


def adjusted(arms: Arms, correlation: float) -> Arms:
    """Subjects once the outcome is adjusted for a prognostic score: n (1 - r^2).

    Parameters
    ----------
    arms : Arms
        Without adjustment.
    correlation : float
        Correlation of score and outcome within an arm, -1 to 1.

    Raises
    ------
    ValueError
        If the correlation is outside its bounds.

    References
    ----------
    Borm, Fransen and Lemmens, J Clin Epidemiol 2007;60:1234. Schuler et al., Int J Biostat 2022;18:329.

    Examples
    --------
    >>> adjusted(Arms(100.0, 100.0), 0.44).total.__round__(2)
    161.28
    """
    if not -1 < correlation < 1:
        raise ValueError(f"a correlation of {correlation} is not between -1 and 1")
    left = 1 - correlation**2
    return Arms(arms.control * left, arms.treated * left)


def _check(delta: float, variance: float, aim: Aim) -> None:
    if not math.isfinite(delta) or delta == 0:
        raise ValueError("a difference of zero, or none, needs endless subjects")
    if not variance > 0 or not math.isfinite(variance):
        raise ValueError("the variance is not positive")
    if not 0 < aim.alpha < aim.power < 1 or aim.sides not in (1, 2) or not aim.ratio > 0:
        raise ValueError("needs 0 < alpha < power < 1, one or two sides, and an allocation above 0")
