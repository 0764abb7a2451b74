"""Lines between two devices, both measured with error: York's regression, its scatter and its doubt."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
STEPS = 200
FEWEST_CLUSTERS = 8
"""From so many people on, the covariance comes from leaving each out."""


@dataclass(frozen=True, slots=True)
class Line:
    """How one device's values become another's.

    Parameters
    ----------
    intercept, slope : float
        Of the true values.
    covariance : ndarray, shape (2, 2)
        Of intercept and slope.
    scatter_sd : float
        SD of what a moved value strays beyond its errors of measurement, in units of y.
    x_error_sd, y_error_sd : float
        Errors of measurement that were used (root mean square).
    n, n_clusters : int
        Pairs, and people.
    x_range : tuple of float
        Values seen.
    """

    intercept: float
    slope: float
    covariance: Floats
    scatter_sd: float
    x_error_sd: float
    y_error_sd: float
    n: int
    n_clusters: int
    x_range: tuple[float, float]


def york(x: Floats, y: Floats, x_sd: Floats, y_sd: Floats, people: Ints | None = None) -> Line:
    """A straight line where both coordinates have known errors.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Values of the two devices.
    x_sd, y_sd : ndarray, shape (n,)
        SD of their errors, all positive. Where pairs stray more than these say, both devices are taken to
        stray more in proportion (the probe stands elsewhere); the slope stays.
    people : ndarray of int64, shape (n,), optional
        Whose each pair is; the covariance leaves one person out at a time.

    Returns
    -------
    Line

    Raises
    ------
    InvalidInput
        If there are fewer than three pairs, or x does not vary beyond its error.

    References
    ----------
    York D et al. Am J Phys 2004;72:367.

    Examples
    --------
    >>> t = np.linspace(20, 80, 7)
    >>> made = york(t, 5 + 0.8 * t, np.ones(7), np.ones(7))
    >>> round(made.intercept, 6), round(made.slope, 6), round(made.scatter_sd, 6)
    (5.0, 0.8, 0.0)
    """
    if len(x) < 3:
        raise InvalidInput(f"{len(x)} pairs of values", mend="at least three are needed")
    if x.var(ddof=1) <= float(np.mean(x_sd**2)):
        mend = "values over a wider range, or better measured ones, are needed"
        raise InvalidInput("the values do not vary beyond their errors", mend=mend)
    intercept, slope, covariance = _line(x, y, x_sd, y_sd)
    strays = (y - intercept - slope * x) ** 2 / (y_sd**2 + (slope * x_sd) ** 2)
    beyond = max(0.0, float(strays.sum()) / (len(x) - 2) - 1)
    codes = np.arange(len(x)) if people is None else np.unique(people, return_inverse=True)[1]
    n_people = int(codes.max()) + 1
    covariance = covariance * (1 + beyond)
    if n_people >= FEWEST_CLUSTERS:
        others = [codes != code for code in range(n_people)]
        kept = np.array([_line(x[own], y[own], x_sd[own], y_sd[own])[:2] for own in others])
        away = kept - kept.mean(axis=0)
        covariance = (n_people - 1) / n_people * away.T @ away
    errors = [float(np.sqrt(np.mean(sd**2))) for sd in (x_sd, y_sd)]
    span = float(x.min()), float(x.max())
    scatter = float(np.hypot(slope * errors[0], errors[1]) * np.sqrt(beyond))
    return Line(intercept, slope, covariance, scatter, errors[0], errors[1], len(x), n_people, span)


def deming(x: Floats, y: Floats, ratio: float = 1.0, people: Ints | None = None) -> Line:
    """A straight line where only the ratio of the error variances is known.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Values of the two devices.
    ratio : float
        Error variance of y over that of x.
    people : ndarray of int64, shape (n,), optional
        Whose each pair is.

    Returns
    -------
    Line
        Its errors explain all scatter: what strays beyond measurement cannot be told without replicates.

    Raises
    ------
    InvalidInput
        If the ratio is not positive, or as :func:`york`.

    References
    ----------
    Linnet K. Stat Med 1990;9:1463.
    """
    if not ratio > 0:
        raise InvalidInput(f"the ratio of error variances is {ratio:g}", mend="it must be positive")
    if len(x) < 3:
        raise InvalidInput(f"{len(x)} pairs of values", mend="at least three are needed")
    (xx, xy), (_, yy) = np.cov(x, y)
    gap = yy - ratio * xx
    slope = (gap + np.sqrt(gap**2 + 4 * ratio * xy**2)) / (2 * xy)
    rest = y - y.mean() - slope * (x - x.mean())
    variance = float((rest**2).sum() / (len(x) - 2) / (ratio + slope**2))
    errors = np.full(len(x), np.sqrt(max(variance, 1e-12)))
    return york(x, y, errors, np.sqrt(ratio) * errors, people)


def moved(line: Line, values: Floats, own_sd: Floats) -> tuple[Floats, Floats]:
    """Values of one device as the other would have them, and the SD of their error.

    Parameters
    ----------
    line : Line
        From :func:`york` or :func:`deming`.
    values, own_sd : ndarray, shape (m,)
        Values, and the SD of their own errors.

    Returns
    -------
    value, sd : ndarray, shape (m,)
        The error joins the values' own, the line's and the scatter about it.
    """
    design = np.column_stack([np.ones(len(values)), values])
    doubt = np.einsum("ij,jk,ik->i", design, line.covariance, design)
    variance = (line.slope * own_sd) ** 2 + doubt + line.scatter_sd**2
    return line.intercept + line.slope * values, np.sqrt(variance)


def replicate_sd(values: Floats, groups: Ints) -> tuple[float, int]:
    """The SD of repeated measurements, pooled over what was repeated, and its degrees of freedom.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Measurements.
    groups : ndarray of int64, shape (n,)
        Equal for repeats of one thing.

    Examples
    --------
    >>> replicate_sd(np.array([1.0, 3.0, 5.0, 7.0, 9.0]), np.array([0, 0, 1, 1, 2]))
    (1.4142135623730951, 2)
    """
    codes = np.unique(groups, return_inverse=True)[1]
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=values) / counts
    df = int((counts - 1).sum())
    if df == 0:
        return float("nan"), 0
    return float(np.sqrt(((values - means[codes]) ** 2).sum() / df)), df


def _line(x: Floats, y: Floats, x_sd: Floats, y_sd: Floats) -> tuple[float, float, Floats]:
    """York's unified equations."""
    x_weight, y_weight = 1 / x_sd**2, 1 / y_sd**2
    slope = float(np.cov(x, y)[0, 1] / x.var(ddof=1))
    slope = slope if slope != 0 else 1e-6
    for _ in range(STEPS):
        weight = x_weight * y_weight / (x_weight + slope**2 * y_weight)
        x_mean, y_mean = (weight @ x) / weight.sum(), (weight @ y) / weight.sum()
        u, v = x - x_mean, y - y_mean
        beta = weight * (u / y_weight + slope * v / x_weight)
        new = float((weight * beta) @ v / ((weight * beta) @ u))
        done = abs(new - slope) <= 1e-13 * abs(slope)
        slope = new
        if done:
            break
    adjusted = x_mean + beta
    centre = float(weight @ adjusted / weight.sum())
    variance = float(1 / (weight @ (adjusted - centre) ** 2))
    cross = -centre * variance
    corner = 1 / float(weight.sum()) + centre**2 * variance
    return float(y_mean - slope * x_mean), slope, np.array([[corner, cross], [cross, variance]])
