"""Sample size and power of a two-arm comparison of change, exact by the noncentral t."""

import math

from scipy import optimize, stats

SMALLEST_PER_ARM = 2.0
LARGEST_PER_ARM = 1e9


def power_two_sample(n_per_arm: float, delta: float, *, alpha: float = 0.05) -> float:
    """Power of a two-sided two-sample t test.

    Parameters
    ----------
    n_per_arm : float
        Subjects per arm, may be fractional, above 1.
    delta : float
        Difference of means in units of the common standard deviation.
    alpha : float
        Two-sided significance level.

    Notes
    -----
    The far tail is left out, as in R's ``power.t.test(strict = FALSE)``.

    Examples
    --------
    >>> round(power_two_sample(59.03, 0.52), 3)
    0.8
    """
    df = 2 * (n_per_arm - 1)
    critical = float(stats.t.isf(alpha / 2, df))
    return float(stats.nct.sf(critical, df, math.sqrt(n_per_arm / 2) * abs(delta)))


def two_sample_size(delta: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """Subjects per arm for a two-sided two-sample t test; fractional, round up to use.

    Parameters
    ----------
    delta : float
        Difference of means in units of the common standard deviation; not zero.
    power, alpha : float
        Wanted power and two-sided significance level, 0-1.

    Returns
    -------
    float
        At least 2.

    Raises
    ------
    ValueError
        If delta is zero or not finite, or power does not exceed alpha.

    References
    ----------
    R ``power.t.test``. Veeger et al., Neurology 2021;97:e513: SRM 1.04, effect 50 %, 59 per arm.

    Examples
    --------
    >>> round(two_sample_size(0.52), 2)
    59.03
    """
    if not math.isfinite(delta) or delta == 0:
        raise ValueError("the difference must be finite and not zero")
    if not 0 < alpha < power < 1:
        raise ValueError("needs 0 < alpha < power < 1")
    if power_two_sample(SMALLEST_PER_ARM, delta, alpha=alpha) >= power:
        return SMALLEST_PER_ARM
    start = 2 * ((float(stats.norm.isf(alpha / 2)) + float(stats.norm.ppf(power))) / delta) ** 2
    if start > LARGEST_PER_ARM:
        return start
    return float(
        optimize.brentq(
            lambda n: power_two_sample(n, delta, alpha=alpha) - power,
            SMALLEST_PER_ARM,
            2 * start + 10,
            xtol=1e-10,
        )
    )


def size_for_slowing(srm: float, effect: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """Subjects per arm to show that a treatment slows the mean change by a fraction.

    Parameters
    ----------
    srm : float
        Standardised response mean of the untreated, worsening positive.
    effect : float
        Fraction of the mean change prevented, 0-1; the spread of change is taken as unaltered.
    power, alpha : float
        Wanted power and two-sided significance level.

    Returns
    -------
    float
        Subjects per arm, fractional; infinite where the untreated do not worsen.

    Examples
    --------
    >>> import math
    >>> math.ceil(size_for_slowing(1.04, 0.5))
    60
    """
    if math.isnan(srm):
        return math.nan
    if srm <= 0:
        return math.inf
    return two_sample_size(srm * effect, power=power, alpha=alpha)
