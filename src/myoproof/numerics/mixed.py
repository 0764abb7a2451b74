"""A linear mixed model of one slope over time: random intercept and slope by REML, Satterthwaite df."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Floats = npt.NDArray[np.float64]
Model = Literal["random_slope", "random_slope_uncorrelated", "random_intercept", "independent"]
SINGULAR = 1e-4
"""A relative standard deviation below this counts as zero (lme4's isSingular tolerance)."""
THETA_POSITIONS: dict[str, tuple[tuple[int, int], ...]] = {
    "random_slope": ((0, 0), (1, 0), (1, 1)),
    "random_slope_uncorrelated": ((0, 0), (1, 1)),
    "random_intercept": ((0, 0),),
    "independent": (),
}
"""Where the free elements of the relative covariance factor stand, per model."""


@dataclass(frozen=True, slots=True)
class MixedSlope:
    """The fixed effects of a mixed model of value on time.

    Parameters
    ----------
    slope, se, df, statistic, p, low, high : float
        Slope per unit of time with its test and interval.
    intercept, intercept_se : float
        Value at time zero.
    intercept_sd, slope_sd, residual_sd : float
        Standard deviations between and within subjects.
    model : str
        Which random effects were kept: "random_slope", "random_slope_uncorrelated" (the correlated fit was
        singular), "random_intercept" (no slope variance, or too few rows), "independent" (neither).
    n_subjects, n_rows : int
        Subjects and rows.
    """

    slope: float
    se: float
    df: float
    statistic: float
    p: float
    low: float
    high: float
    intercept: float
    intercept_se: float
    intercept_sd: float
    slope_sd: float
    residual_sd: float
    model: Model
    n_subjects: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sufficient statistics per subject: Z'Z (n, 2, 2), Z'y (n, 2), y'y (n,), and the row count."""

    zz: Floats
    zy: Floats
    yy: Floats
    n_rows: int


def fit_slope(
    values: npt.ArrayLike, times: npt.ArrayLike, subjects: npt.ArrayLike, *, level: float = 0.95
) -> MixedSlope:
    """Fit value = intercept + slope x time with random intercepts, and random slopes where they hold.

    The correlated random slope is tried first; a singular fit falls back to uncorrelated effects and then to
    a random intercept, and `model` says so. Random slopes need more rows than twice the subjects.

    Parameters
    ----------
    values, times : array_like, shape (n,)
        Finite values and their times.
    subjects : array_like, shape (n,)
        Whose row each is.
    level : float
        Level of the interval, 0-1.

    Raises
    ------
    ValueError
        With fewer than three subjects, no subject seen twice, one time only, no spread, or values not finite.

    References
    ----------
    Laird and Ware, Biometrics 1982;38:963. Bates et al., J Stat Softw 2015;67(1) (relative covariance factor,
    eq. 4-6). Satterthwaite df: Kuznetsova et al., J Stat Softw 2017;82(13).

    Examples
    --------
    >>> fit = fit_slope([1, 2, 3.1, 2, 3.2, 4, 0, 1, 1.9], [0, 1, 2] * 3, ["a"] * 3 + ["b"] * 3 + ["c"] * 3)
    >>> round(fit.slope, 3)
    1.0
    """
    y, t, codes = _checked(values, times, subjects)
    centre, y_scale, t_scale = float(y.mean()), float(y.std()), float(np.abs(t).max())
    sums = _sums((y - centre) / y_scale, t / t_scale, codes)
    n_subjects = int(sums.yy.size)
    model, theta = _choose(sums, slopes=y.size > 2 * n_subjects)
    beta, inverse, variance = _solve(theta, model, sums)
    covariance = inverse * variance
    df = _satterthwaite(theta, variance, model, sums)
    relative = _factor(theta, model)
    between = np.sqrt(np.diag(relative @ relative.T) * variance)
    se = math.sqrt(covariance[1, 1])
    statistic = float(beta[1]) / se
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    unit = y_scale / t_scale
    return MixedSlope(
        slope=float(beta[1]) * unit,
        se=se * unit,
        df=df,
        statistic=statistic,
        p=2 * float(stats.t.sf(abs(statistic), df)),
        low=(float(beta[1]) - half) * unit,
        high=(float(beta[1]) + half) * unit,
        intercept=float(beta[0]) * y_scale + centre,
        intercept_se=math.sqrt(covariance[0, 0]) * y_scale,
        intercept_sd=float(between[0]) * y_scale,
        slope_sd=float(between[1]) * unit,
        residual_sd=math.sqrt(variance) * y_scale,
        model=model,
        n_subjects=n_subjects,
        n_rows=int(y.size),
    )


def _checked(
    values: npt.ArrayLike, times: npt.ArrayLike, subjects: npt.ArrayLike
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    y = np.asarray(values, dtype=np.float64).ravel()
    t = np.asarray(times, dtype=np.float64).ravel()
    _, codes = np.unique(np.asarray(subjects).ravel(), return_inverse=True)
    if not y.size == t.size == codes.size:
        raise ValueError("values, times and subjects differ in length")
    if not (np.isfinite(y).all() and np.isfinite(t).all()):
        raise ValueError("a value or time is not finite")
    if codes.size == 0 or codes.max() < 2 or np.bincount(codes).max() < 2:
        raise ValueError("needs three subjects or more, and one seen twice or more")
    if np.ptp(t) == 0 or np.ptp(y) == 0:
        raise ValueError("times or values have no spread")
    design = np.column_stack([np.eye(codes.max() + 1)[codes], t])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    if float(residual @ residual) < 1e-20 * float(y @ y):
        raise ValueError("no spread is left within subjects")
    return y, t, codes


def _sums(y: Floats, t: Floats, codes: npt.NDArray[np.intp]) -> _Sums:
    z = np.stack([np.ones_like(t), t], axis=1)
    n = int(codes.max()) + 1
    zz, zy, yy = np.zeros((n, 2, 2)), np.zeros((n, 2)), np.zeros(n)
    np.add.at(zz, codes, z[:, :, None] * z[:, None, :])
    np.add.at(zy, codes, z * y[:, None])
    np.add.at(yy, codes, y * y)
    return _Sums(zz, zy, yy, int(y.size))


def _choose(sums: _Sums, *, slopes: bool) -> tuple[Model, Floats]:
    """The richest model whose fit is not singular, with its relative covariance parameters."""
    candidates: tuple[Model, ...] = ("random_slope", "random_slope_uncorrelated", "random_intercept")
    for model in candidates if slopes else candidates[2:]:
        theta = _fit(model, sums)
        diagonal = np.abs(np.diag(_factor(theta, model)))
        kept = diagonal if model != "random_intercept" else diagonal[:1]
        if kept.min() > SINGULAR:
            return model, theta
    return "independent", np.zeros(0)


def _fit(model: Model, sums: _Sums) -> Floats:
    """Relative covariance parameters: a rough simplex search, then Newton; a fine search where that fails."""

    def deviance(theta: Floats) -> float:
        return _profiled(theta, model, sums)

    rough = _search(deviance, _start(model, sums), 1e-2)
    sharp = _newton(deviance, rough)
    return _search(deviance, rough, 1e-7) if sharp is None else sharp


def _start(model: Model, sums: _Sums) -> Floats:
    """Spread of the subjects' means over the spread within subjects, for every diagonal element."""
    rows = sums.zz[:, 0, 0]
    means = sums.zy[:, 0] / rows
    within = float((sums.yy - rows * means**2).sum()) / max(sums.n_rows - rows.size, 1)
    ratio = math.sqrt(float(means.var()) / within) if within > 0 else 1.0
    return np.array(
        [min(max(ratio, 0.5), 100.0) if row == column else 0.0 for row, column in THETA_POSITIONS[model]]
    )


def _search(deviance: Callable[[Floats], float], start: Floats, tolerance: float) -> Floats:
    simplex = np.vstack([start, start + np.diag(0.3 * np.maximum(np.abs(start), 0.5))])
    found = optimize.minimize(
        deviance,
        start,
        method="Nelder-Mead",
        options={
            "xatol": tolerance,
            "fatol": tolerance / 100,
            "maxiter": 4000,
            "maxfev": 4000,
            "initial_simplex": simplex,
        },
    )
    return np.asarray(found.x, dtype=np.float64)


def _newton(deviance: Callable[[Floats], float], start: Floats) -> Floats | None:
    """The minimum near the start; None where the surface is no bowl there, as at a boundary."""
    at, value = start, deviance(start)
    for _ in range(12):
        gradient, hessian = _derivatives(deviance, at, 1e-4 * np.maximum(np.abs(at), 1.0))
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 0:
            return None
        step = np.linalg.solve(hessian, gradient)
        moved = at - step
        lower = deviance(moved)
        if lower > value + 1e-9:
            return None
        at, value = moved, lower
        if float(np.abs(step).max()) < 1e-7:
            return at
    return None


def _derivatives(function: Callable[[Floats], float], at: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Gradient and Hessian by central differences."""
    moves = np.diag(steps)
    here = function(at)
    ahead = np.array([function(at + move) for move in moves])
    behind = np.array([function(at - move) for move in moves])
    hessian = np.diag((ahead - 2 * here + behind) / steps**2)
    for i in range(at.size):
        for j in range(i):
            corners = [function(at + s * moves[i] + u * moves[j]) * s * u for s in (1, -1) for u in (1, -1)]
            hessian[i, j] = hessian[j, i] = sum(corners) / (4 * steps[i] * steps[j])
    return (ahead - behind) / (2 * steps), hessian


def _factor(theta: Floats, model: Model) -> Floats:
    factor = np.zeros((2, 2))
    for (row, column), value in zip(THETA_POSITIONS[model], theta, strict=True):
        factor[row, column] = value
    return factor


def _pieces(theta: Floats, model: Model, sums: _Sums) -> tuple[Floats, Floats, float, float]:
    """X'W^-1 X, X'W^-1 y, y'W^-1 y and log|W| summed over subjects, W = I + Z D Z'.

    By Woodbury with K = (I + Z'Z D)^-1, written out for 2 x 2: Z'W^-1 Z = K Z'Z, Z'W^-1 y = K Z'y,
    y'W^-1 y = y'y - (Z'y)' D K Z'y, |W| = 1 / |K|.
    """
    factor = _factor(theta, model)
    d = factor @ factor.T
    a, b, c = sums.zz[:, 0, 0], sums.zz[:, 0, 1], sums.zz[:, 1, 1]
    p, q = sums.zy[:, 0], sums.zy[:, 1]
    k11 = 1 + b * d[0, 1] + c * d[1, 1]
    k12 = -(a * d[0, 1] + b * d[1, 1])
    k21 = -(b * d[0, 0] + c * d[0, 1])
    k22 = 1 + a * d[0, 0] + b * d[0, 1]
    determinant = k11 * k22 - k12 * k21
    scale = 1 / determinant
    off = scale @ (k11 * b + k12 * c)
    xx = np.array([[scale @ (k11 * a + k12 * b), off], [off, scale @ (k21 * b + k22 * c)]])
    u, v = scale * (k11 * p + k12 * q), scale * (k21 * p + k22 * q)
    xy = np.array([u.sum(), v.sum()])
    explained = p @ (d[0, 0] * u + d[0, 1] * v) + q @ (d[0, 1] * u + d[1, 1] * v)
    return xx, xy, float(sums.yy.sum() - explained), float(np.log(determinant).sum())


def _solve(theta: Floats, model: Model, sums: _Sums) -> tuple[Floats, Floats, float]:
    xx, xy, yy, _ = _pieces(theta, model, sums)
    beta = np.asarray(np.linalg.solve(xx, xy), dtype=np.float64)
    inverse = np.asarray(np.linalg.inv(xx), dtype=np.float64)
    return beta, inverse, (yy - float(beta @ xy)) / (sums.n_rows - 2)


def _profiled(theta: Floats, model: Model, sums: _Sums) -> float:
    """REML deviance with beta and the residual variance profiled out, up to a constant."""
    xx, xy, yy, log_w = _pieces(theta, model, sums)
    residual, log_det = _residual(xx, xy, yy)
    if residual <= 0:
        return math.inf
    degrees = sums.n_rows - 2
    return degrees * math.log(residual / degrees) + log_w + log_det


def _residual(xx: Floats, xy: Floats, yy: float) -> tuple[float, float]:
    """Weighted residual sum of squares at the best beta, and log|X'W^-1 X|, for two fixed effects."""
    determinant = float(xx[0, 0] * xx[1, 1] - xx[0, 1] ** 2)
    x, y = float(xy[0]), float(xy[1])
    fitted = (xx[1, 1] * x * x - 2 * xx[0, 1] * x * y + xx[0, 0] * y * y) / determinant
    return yy - float(fitted), math.log(determinant)


def _full(parameters: Floats, model: Model, sums: _Sums) -> float:
    """REML deviance at the relative factor and the residual variance (last), beta profiled out."""
    xx, xy, yy, log_w = _pieces(parameters[:-1], model, sums)
    residual, log_det = _residual(xx, xy, yy)
    return (sums.n_rows - 2) * math.log(parameters[-1]) + log_w + log_det + residual / float(parameters[-1])


def _slope_variance(parameters: Floats, model: Model, sums: _Sums) -> float:
    xx = _pieces(parameters[:-1], model, sums)[0]
    return float(np.linalg.inv(xx)[1, 1] * parameters[-1])


def _satterthwaite(theta: Floats, variance: float, model: Model, sums: _Sums) -> float:
    at = np.append(theta, variance)
    steps = 1e-3 * np.maximum(np.abs(at), 1e-2)

    def spread_of_slope(parameters: Floats) -> float:
        return _slope_variance(parameters, model, sums)

    gradient = _derivatives(spread_of_slope, at, steps)[0]
    hessian = _derivatives(lambda parameters: _full(parameters, model, sums), at, steps)[1]
    spread = float(gradient @ np.linalg.pinv(hessian, hermitian=True) @ gradient) * 2
    fallback = float(sums.n_rows - 2 if model == "independent" else sums.yy.size - 1)
    if not spread > 0:
        return fallback
    df = 2 * spread_of_slope(at) ** 2 / spread
    return float(min(max(df, 1.0), sums.n_rows - 2))
