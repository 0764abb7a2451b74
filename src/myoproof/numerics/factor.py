"""One unimodal factor behind all columns, with floor, ceiling and missing values, fitted by EM on a grid."""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.factor_shape import GRID, FactorShape, fit_bell, fit_bounds, grid_masses

Floats = npt.NDArray[np.float64]
Censoring = npt.NDArray[np.int8]

_STEPS, _ROUNDS, _TOLERANCE = 4, 25, 2e-3


@dataclass(frozen=True, slots=True)
class FactorModel:
    """``y = location + loading * f + e`` with a unimodal factor f of mean 0 and variance 1.

    Parameters
    ----------
    location, loading, uniqueness : (p,) float64
        Mean, loading and residual variance of each column.
    shape : FactorShape
        Skew, tail, floor and ceiling of the factor.
    scores : (n,) float64
        Posterior mean of each subject's factor.
    residual_correlation : (p, p) float64
        What columns share beyond the factor.
    """

    location: Floats
    loading: Floats
    uniqueness: Floats
    shape: FactorShape
    scores: Floats
    residual_correlation: Floats


@njit(cache=True, nogil=True)
def _log_normal_cdf(a: float) -> float:
    """Log of Phi(a); below -8 by the first terms of its asymptotic series."""
    if a > -8.0:
        return math.log(0.5 * math.erfc(-a * 0.7071067811865476))
    return -0.5 * a * a - 0.9189385332046727 - math.log(-a) - 1.0 / (a * a)


@njit(cache=True, nogil=True)
def _log_likelihood(
    x: Floats,
    side: Censoring,
    location: Floats,
    loading: Floats,
    uniqueness: Floats,
    grid: Floats,
    out: Floats,
) -> None:
    """Log p(x_i | f = grid_g), constants included; missing cells are skipped, censored ones give a tail."""
    n, p = x.shape
    for i in range(n):
        constant = linear = square = 0.0
        for j in range(p):
            if np.isnan(x[i, j]) or side[i, j] != 0:
                continue
            r = x[i, j] - location[j]
            constant -= 0.5 * (r * r / uniqueness[j] + math.log(6.283185307179586 * uniqueness[j]))
            linear += loading[j] * r / uniqueness[j]
            square += loading[j] * loading[j] / uniqueness[j]
        for g in range(grid.shape[0]):
            out[i, g] = constant + linear * grid[g] - 0.5 * square * grid[g] * grid[g]
        for j in range(p):
            if np.isnan(x[i, j]) or side[i, j] == 0:
                continue
            scale = -side[i, j] / math.sqrt(uniqueness[j])
            for g in range(grid.shape[0]):
                out[i, g] += _log_normal_cdf(scale * (x[i, j] - location[j] - loading[j] * grid[g]))


@njit(cache=True, nogil=True)
def _posterior(log_likelihood: Floats, prior: Floats, weights: Floats) -> float:
    """Posterior weights of the grid, and the total log likelihood."""
    n, m = log_likelihood.shape
    total = 0.0
    for i in range(n):
        highest = log_likelihood[i, 0]
        for g in range(m):
            highest = max(highest, log_likelihood[i, g])
        mass = 0.0
        for g in range(m):
            weights[i, g] = prior[g] * math.exp(log_likelihood[i, g] - highest)
            mass += weights[i, g]
        total += highest + math.log(mass)
        for g in range(m):
            weights[i, g] /= mass
    return total


@njit(cache=True, nogil=True)
def _maximise(
    x: Floats,
    side: Censoring,
    weights: Floats,
    grid: Floats,
    location: Floats,
    loading: Floats,
    uniqueness: Floats,
) -> None:
    """M-step in place: regress each column's complete values on the factor, with their expected moments."""
    n, p = x.shape
    first, second = np.zeros(n), np.zeros(n)
    for i in range(n):
        for g in range(grid.shape[0]):
            first[i] += weights[i, g] * grid[g]
            second[i] += weights[i, g] * grid[g] * grid[g]
    for j in range(p):
        count = sf = sff = sy = syf = syy = 0.0
        deviation = math.sqrt(uniqueness[j])
        for i in range(n):
            if np.isnan(x[i, j]):
                continue
            count += 1.0
            sf += first[i]
            sff += second[i]
            if side[i, j] == 0:
                sy += x[i, j]
                syf += x[i, j] * first[i]
                syy += x[i, j] * x[i, j]
                continue
            s = -float(side[i, j])
            for g in range(grid.shape[0]):
                w = weights[i, g]
                if w < 1e-10:
                    continue
                mean = location[j] + loading[j] * grid[g]
                a = s * (x[i, j] - mean) / deviation
                hazard = math.exp(-0.5 * a * a - 0.9189385332046727 - _log_normal_cdf(a))
                shift = -s * deviation * hazard
                y = mean + shift
                sy += w * y
                syf += w * y * grid[g]
                syy += w * (mean * mean + 2.0 * mean * shift + deviation * deviation * (1.0 - a * hazard))
        slope = (syf - sy * sf / count) / max(sff - sf * sf / count, 1e-9)
        level = (sy - slope * sf) / count
        rest = syy - 2.0 * slope * syf - 2.0 * level * sy + slope * slope * sff + 2.0 * slope * level * sf
        location[j], loading[j] = level, slope
        uniqueness[j] = max(rest / count + level * level, 0.02)


@njit(cache=True, nogil=True)
def _complete_values(
    x: Floats,
    side: Censoring,
    weights: Floats,
    grid: Floats,
    location: Floats,
    loading: Floats,
    uniqueness: Floats,
) -> Floats:
    """The matrix with censored cells replaced by their expected values; missing cells stay missing."""
    filled = x.copy()
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if side[i, j] == 0 or np.isnan(x[i, j]):
                continue
            s, deviation, total = -float(side[i, j]), math.sqrt(uniqueness[j]), 0.0
            for g in range(grid.shape[0]):
                mean = location[j] + loading[j] * grid[g]
                a = s * (x[i, j] - mean) / deviation
                hazard = math.exp(-0.5 * a * a - 0.9189385332046727 - _log_normal_cdf(a))
                total += weights[i, g] * (mean - s * deviation * hazard)
            filled[i, j] = total
    return filled


def _start(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Location, loading and uniqueness from the first principal component of the mean-filled columns."""
    location = np.nanmean(x, axis=0)
    centred = np.nan_to_num(x - location)
    covariance = centred.T @ centred / len(x)
    values, vectors = np.linalg.eigh(covariance)
    loading = vectors[:, -1] * math.sqrt(max(values[-1], 0.0)) * 0.95
    scores = centred @ vectors[:, -1]
    turned = 1.0 if ((scores - scores.mean()) ** 3).sum() >= 0 else -1.0
    return location, turned * loading, np.maximum(np.diag(covariance) - loading**2, 0.1)


def fit_factor(x: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> FactorModel:
    """Maximum likelihood of one unimodal factor behind censored, partly missing columns.

    Cells at or beyond their bound enter as "at most" or "at least" (tobit). The factor is one bell of any
    skew, and may itself end at a floor and a ceiling (:class:`FactorShape`). A density with a flat top or a
    dip is outside this family on purpose; it is what classes look like.

    Parameters
    ----------
    x : (n, p) array
        NaN where missing; each column of about unit scale.
    lower, upper : (n, p) or (p,) array
        Floor and ceiling of each cell; -inf and inf where there is none.

    Returns
    -------
    FactorModel

    References
    ----------
    Dempster, Laird & Rubin 1977, J R Stat Soc B 39:1 (EM); Tobin 1958, Econometrica 26:24; Hoaglin 1985.
    """
    values = np.ascontiguousarray(x, dtype=np.float64)
    below, above = (
        np.broadcast_to(np.asarray(bound, dtype=np.float64), values.shape) for bound in (lower, upper)
    )
    with np.errstate(invalid="ignore"):
        side = (np.where(values >= above - 1e-9, 1, 0) - np.where(values <= below + 1e-9, 1, 0)).astype(
            np.int8
        )
    location, loading, uniqueness = _start(values)
    shape = FactorShape(0.2)
    weights = np.empty((len(values), len(GRID)))
    parameters = (location, loading, uniqueness)
    for fit_shape in (fit_bell, fit_bounds):
        shape = _maximise_likelihood(values, side, parameters, shape, weights, fit_shape)
    full = _complete_values(values, side, weights, GRID, location, loading, uniqueness)
    scores, spread = weights @ GRID, float(np.mean(weights @ GRID**2 - (weights @ GRID) ** 2))
    shared = _residual_correlation(full - location - np.outer(scores, loading), loading, spread)
    return FactorModel(location, loading, uniqueness, shape, scores, shared)


def _maximise_likelihood(
    values: Floats,
    side: Censoring,
    parameters: tuple[Floats, Floats, Floats],
    shape: FactorShape,
    weights: Floats,
    fit_shape: Callable[[Floats, FactorShape], FactorShape],
) -> FactorShape:
    """EM in place until loadings and shape settle; the shape."""
    log_likelihood = np.empty_like(weights)
    for _ in range(_ROUNDS):
        before, earlier = parameters[1].copy(), shape
        _log_likelihood(values, side, *parameters, GRID, log_likelihood)
        shape = fit_shape(log_likelihood, shape)
        masses = grid_masses(shape)
        for _ in range(_STEPS):
            _posterior(log_likelihood, masses, weights)
            _maximise(values, side, weights, GRID, *parameters)
            _log_likelihood(values, side, *parameters, GRID, log_likelihood)
        moved = np.abs(np.subtract(astuple(shape), astuple(earlier))).max()
        if np.abs(parameters[1] - before).max() < _TOLERANCE and moved < 5 * _TOLERANCE:
            break
    _posterior(log_likelihood, grid_masses(shape), weights)
    return shape


def _residual_correlation(residuals: Floats, loading: Floats, spread: float) -> Floats:
    """Correlation of the residuals over pairs present, with the uncertainty of the scores added back."""
    present = np.isfinite(residuals)
    filled = np.where(present, residuals, 0.0)
    pairs = np.maximum(present.T.astype(np.float64) @ present, 1.0)
    covariance = filled.T @ filled / pairs + spread * np.outer(loading, loading)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-9))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    nearest = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    unit = np.sqrt(np.diag(nearest))
    return np.asarray(nearest / np.outer(unit, unit))
