"""Sample size and power of two-arm trials: means and changes, drop-out, allocation, prognosis."""

import math
from dataclasses import dataclass

from scipy import optimize, stats


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


def detectable(variance: float, n_control: float, aim: Aim = AIM) -> float:
    """The smallest difference that a number of subjects shows with the wanted power.

    Examples
    --------
    >>> round(detectable(1.0, 62.79), 3)
    0.5
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
