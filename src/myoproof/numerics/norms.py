"""Norms: regression on controls with all its covariance, z by prediction, and the interval of a z-score."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats
from scipy.special import ndtr, ndtri

from myoproof.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NODES = 64
"""Quantiles of the residual variance over which an interval of z is averaged."""
HALVINGS = 44
"""Steps of the bisection: ends are exact to far below what a z-score is read to."""


@dataclass(frozen=True, slots=True)
class Regression:
    """What controls tell of a measure.

    Parameters
    ----------
    coefficients : ndarray, shape (p,)
        In the order of the design's columns.
    covariance : ndarray, shape (p, p)
        Of the coefficients.
    between, within : float
        Residual variance between subjects, and of rows within a subject (sides, images). One row a subject:
        ``between`` is all of it.
    df : float
        Degrees of freedom of their sum.
    n_subjects, n_rows : int
        How many were seen.
    """

    coefficients: Floats
    covariance: Floats
    between: float
    within: float
    df: float
    n_subjects: int
    n_rows: int

    @property
    def variance(self) -> float:
        """Residual variance of one row of a new subject."""
        return self.between + self.within


@dataclass(frozen=True, slots=True)
class FitChecks:
    """How well a regression fits.

    Parameters
    ----------
    rmse, r_squared : float
        Root of the residual variance of a row, and the share of the rows' variance that the terms explain.
    left_out_z : ndarray, shape (n,)
        z of every row by a regression that never saw its subject.
    skewness : float
        Of ``left_out_z``.
    spread_p : float
        Breusch-Pagan test: does the spread depend on the terms? NaN without terms.
    leverage : float
        Largest Cook's distance of a subject.
    """

    rmse: float
    r_squared: float
    left_out_z: Floats
    skewness: float
    spread_p: float
    leverage: float


def fit(design: Floats, values: Floats, subjects: Ints | None = None) -> Regression:
    """Least squares, with a random intercept a subject where subjects have several rows.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Columns of the terms, the constant among them.
    values : ndarray, shape (n,)
        Measurements of controls.
    subjects : ndarray of int64, shape (n,), optional
        Whose each row is; rows of one subject are not independent. None: all of different subjects.

    Returns
    -------
    Regression
        By ordinary least squares with one row a subject, else by REML.

    Raises
    ------
    InvalidInput
        If there are too few subjects, or a term is a combination of others.

    References
    ----------
    Laird NM, Ware JH. Biometrics 1982;38:963. Satterthwaite FE. Biometrics 1946;2:110 (degrees of freedom).

    Examples
    --------
    >>> age = np.arange(20.0, 80.0, 2.0)
    >>> made = fit(np.column_stack([np.ones(30), age]), 50 + 0.4 * age + np.tile([-1.0, 1.0], 15))
    >>> made.coefficients.round(2).tolist(), made.n_subjects
    ([49.84, 0.4], 30)
    """
    n, p = design.shape
    codes = np.arange(n) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(np.float64)
    if len(sizes) <= p + 1:
        raise InvalidInput(
            f"{len(sizes)} subjects for {p} coefficients", mend="fewer terms, or more controls"
        )
    if np.linalg.matrix_rank(design) < p:
        raise InvalidInput("a term is a combination of others", mend="leave one of them out")
    ratio = _ratio(design, values, codes, sizes) if sizes.max() > 1 else 0.0
    x, y = _demeaned(design, codes, sizes, ratio), _demeaned(values, codes, sizes, ratio)
    inverse = np.asarray(np.linalg.inv(x.T @ x), dtype=np.float64)
    coefficients = inverse @ x.T @ y
    within = float(((y - x @ coefficients) ** 2).sum() / (n - p))
    if sizes.max() == 1:
        return Regression(coefficients, inverse * within, within, 0.0, float(n - p), n, n)
    df = _satterthwaite(ratio * within, within, sizes, n, p)
    return Regression(coefficients, inverse * within, ratio * within, within, df, len(sizes), n)


def predict(regression: Regression, design: Floats) -> tuple[Floats, Floats]:
    """The expected value of new rows, and its variance from the coefficients.

    Parameters
    ----------
    regression : Regression
        From :func:`fit` or a norm file.
    design : ndarray, shape (m, p)
        Columns as it was fitted.

    Returns
    -------
    mean, variance : ndarray, shape (m,)
    """
    return design @ regression.coefficients, np.einsum("ij,jk,ik->i", design, regression.covariance, design)


def z_scores(regression: Regression, design: Floats, values: Floats) -> Floats:
    """Where values lie in the prediction: (value - expected) / sqrt(x' Cov x + residual variance).

    Parameters
    ----------
    regression : Regression
        The norm.
    design : ndarray, shape (m, p)
        Covariates of the rows.
    values : ndarray, shape (m,)
        Measurements.

    Returns
    -------
    ndarray, shape (m,)
    """
    mean, variance = predict(regression, design)
    return np.asarray((values - mean) / np.sqrt(variance + regression.variance))


def z_intervals(
    regression: Regression, design: Floats, values: Floats, error_sd: Floats, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """What the true z may be: (error-free value - true expectation) / true residual SD.

    The coefficients, the residual variance and the error of the value (gain, transfer, speckle) are uncertain
    together: their fiducial distribution is integrated over the residual variance (inverse chi-squared).

    Parameters
    ----------
    regression : Regression
        The norm.
    design : ndarray, shape (m, p)
        Covariates of the rows.
    values, error_sd : ndarray, shape (m,)
        Measurements, and the standard deviation of their error in the same unit.
    level : float
        Coverage.

    Returns
    -------
    low, high : ndarray, shape (m,)

    Examples
    --------
    >>> sure = Regression(np.array([50.0]), np.zeros((1, 1)), 100.0, 0.0, 1e9, 1000, 1000)
    >>> low, high = z_intervals(sure, np.ones((1, 1)), np.array([70.0]), np.array([5.0]))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([1.02], [2.98])
    """
    mean, variance = predict(regression, design)
    quantiles = stats.chi2.ppf((np.arange(NODES) + 0.5) / NODES, regression.df) / regression.df
    sd = np.sqrt(regression.variance / quantiles)
    share = np.sqrt(variance[:, np.newaxis] * sd**2 / regression.variance + error_sd[:, np.newaxis] ** 2)
    share = np.maximum(share, 1e-9 * sd)
    away = (values - mean)[:, np.newaxis]
    reach = (np.abs(away) / sd.min() + 10 * (share / sd).max(axis=1, keepdims=True) + 1)[:, 0]
    ends = []
    for chance in ((1 - level) / 2, (1 + level) / 2):
        low, high = -reach, reach.copy()
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            under = ndtr((middle[:, np.newaxis] * sd - away) / share).mean(axis=1) < chance
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        ends.append((low + high) / 2)
    return ends[0], ends[1]


def error_of_interval(low: Floats, high: Floats, level: Floats) -> Floats:
    """The standard deviation that an interval of a value stands for; 0 where there is none.

    Parameters
    ----------
    low, high, level : ndarray, shape (m,)
        Ends and coverage; NaN where there is no interval.

    Examples
    --------
    >>> low, high, level = np.array([[8.04, np.nan], [11.96, np.nan], [0.95, np.nan]])
    >>> error_of_interval(low, high, level).round(3).tolist()
    [1.0, 0.0]
    """
    with np.errstate(invalid="ignore"):
        sd = (high - low) / 2 / ndtri((1 + level) / 2)
    return np.where(np.isfinite(sd), sd, 0.0)


def check_fit(
    regression: Regression, design: Floats, values: Floats, subjects: Ints | None = None
) -> FitChecks:
    """How well a regression fits the controls it was learnt from.

    Parameters
    ----------
    regression : Regression
        From :func:`fit` with the same arrays.
    design, values, subjects
        As there.

    Returns
    -------
    FitChecks
    """
    n, p = design.shape
    codes = np.arange(n) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(np.float64)
    several = regression.within > 0
    ratio = regression.between / regression.within if several else 0.0
    x, y = _demeaned(design, codes, sizes, ratio), _demeaned(values, codes, sizes, ratio)
    unit = regression.within if several else regression.between
    inverse = regression.covariance / unit
    left_out, cook = np.empty(n), 0.0
    for code in range(len(sizes)):
        own = np.flatnonzero(codes == code)
        gain = inverse @ x[own].T @ np.linalg.inv(np.eye(len(own)) - x[own] @ inverse @ x[own].T)
        shift = gain @ (y[own] - x[own] @ regression.coefficients)
        spread = unit * (inverse + gain @ x[own] @ inverse)
        doubt = np.einsum("ij,jk,ik->i", design[own], spread, design[own])
        rest = values[own] - design[own] @ (regression.coefficients - shift)
        left_out[own] = rest / np.sqrt(doubt + regression.variance)
        cook = max(cook, float(shift @ x.T @ x @ shift / (p * unit)))
    residual = values - design @ regression.coefficients
    return FitChecks(
        rmse=float(np.sqrt(regression.variance)),
        r_squared=float(1 - residual.var() / values.var()) if values.var() > 0 else float("nan"),
        left_out_z=left_out,
        skewness=float(stats.skew(left_out)),
        spread_p=_breusch_pagan(residual, design),
        leverage=cook,
    )


def _demeaned(array: Floats, codes: Ints, sizes: Floats, ratio: float) -> Floats:
    """Rows less part of their subject's mean: what makes them independent at this ratio of variances."""
    part = 1 - 1 / np.sqrt(1 + sizes * ratio)
    table = array.reshape(len(array), -1)
    sums = np.zeros((len(sizes), table.shape[1]))
    np.add.at(sums, codes, table)
    moved = table - (part / sizes)[codes, np.newaxis] * sums[codes]
    return np.asarray(moved.reshape(array.shape))


def _ratio(design: Floats, values: Floats, codes: Ints, sizes: Floats) -> float:
    """Variance between over variance within subjects, by REML."""
    n, p = design.shape

    def deviance(log_ratio: float) -> float:
        ratio = float(np.exp(log_ratio))
        x, y = _demeaned(design, codes, sizes, ratio), _demeaned(values, codes, sizes, ratio)
        cross = x.T @ x
        rest = y - x @ np.linalg.solve(cross, x.T @ y)
        squares = max(float(rest @ rest), 1e-300)
        told = np.log1p(sizes * ratio).sum() + np.linalg.slogdet(cross)[1]
        return float((n - p) * np.log(squares) + told)

    found = optimize.minimize_scalar(
        deviance, bounds=(-12.0, 12.0), method="bounded", options={"xatol": 1e-10}
    )
    return float(np.exp(found.x)) if found.fun < deviance(-40.0) else 0.0


def _satterthwaite(between: float, within: float, sizes: Floats, n: int, p: int) -> float:
    """Degrees of freedom of the sum of both variances, as in a balanced table of the mean size."""
    k = n / len(sizes)
    parts = np.array([(within + k * between) / k, (k - 1) / k * within])
    df = np.array([max(len(sizes) - p, 1), max(n - len(sizes), 1)])
    return float(parts.sum() ** 2 / (parts**2 / df).sum())


def _breusch_pagan(residual: Floats, design: Floats) -> float:
    """Koenker's version: n R2 of the squared residuals on the terms."""
    terms = np.linalg.matrix_rank(design) - 1
    square = residual**2
    if terms < 1 or square.var() == 0:
        return float("nan")
    rest = square - design @ np.linalg.lstsq(design, square, rcond=None)[0]
    return float(stats.chi2.sf(len(square) * (1 - rest.var() / square.var()), terms))
