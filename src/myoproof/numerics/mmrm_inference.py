"""Tests of linear combinations of fixed effects: Satterthwaite and Kenward-Roger degrees of freedom."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from myoproof.numerics.mmrm import Mmrm
from myoproof.numerics.mmrm_kenward import Adjustment, adjustment, approximate_f

Floats = npt.NDArray[np.float64]
DfMethod = Literal["satterthwaite", "kenward_roger", "residual"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One linear combination of fixed effects; NaN throughout where it cannot be estimated.

    Parameters
    ----------
    value, se, df, statistic, p, low, high : float
        Estimate, standard error, degrees of freedom, t, two-sided p and interval.
    estimable : bool
        Whether the combination lies in the span of what the design holds.
    """

    value: float
    se: float
    df: float
    statistic: float
    p: float
    low: float
    high: float
    estimable: bool


@dataclass(frozen=True, slots=True)
class FTest:
    """A joint test of several combinations: F with its two degrees of freedom and p; NaN where impossible."""

    statistic: float
    numerator_df: int
    denominator_df: float
    p: float


@dataclass(frozen=True, slots=True)
class Inference:
    """How combinations of a fit are judged.

    Parameters
    ----------
    fit : Mmrm
        A converged fit.
    df_method : {"satterthwaite", "kenward_roger", "residual"}
        Degrees of freedom; Kenward-Roger also adjusts the covariance.
    covariance : ndarray, shape (k, k)
        Of the fixed effects, adjusted where the method says so.
    adjustment : Adjustment, optional
        What Kenward-Roger needs.
    """

    fit: Mmrm
    df_method: DfMethod
    covariance: Floats
    adjustment: Adjustment | None


def infer(fit: Mmrm, df_method: DfMethod = "satterthwaite", *, expected: bool = False) -> Inference:
    """Prepare tests of a fit.

    Parameters
    ----------
    fit : Mmrm
        A converged fit.
    df_method : str
        "satterthwaite", "kenward_roger" (REML only) or "residual" (rows minus fixed effects).
    expected : bool
        Whether Kenward-Roger takes the expected information, as pbkrtest does, in place of the observed one,
        as SAS and mmrm do.

    Raises
    ------
    ValueError
        If the fit did not converge, or Kenward-Roger is asked of a fit by maximum likelihood.

    References
    ----------
    Giesbrecht and Burns, Biometrics 1985;41:477. Kenward and Roger, Biometrics 1997;53:983.
    """
    if not fit.converged:
        raise ValueError(f"the fit is no answer ({fit.failure})")
    if df_method != "kenward_roger":
        return Inference(fit, df_method, fit.covariance, None)
    if fit.method != "reml":
        raise ValueError("Kenward-Roger needs a fit by REML")
    found = adjustment(fit, expected=expected)
    return Inference(fit, df_method, found.covariance, found)


def estimate(inference: Inference, combination: Floats, *, level: float = 0.95) -> Estimate:
    """Estimate and test one linear combination.

    Parameters
    ----------
    inference : Inference
        See :func:`infer`.
    combination : ndarray, shape (n_columns,)
        Over all columns of the design as given.
    level : float
        Level of the interval, 0-1.
    """
    own = estimable_part(inference.fit, combination[None])
    if own is None:
        nan = math.nan
        return Estimate(nan, nan, nan, nan, nan, nan, nan, estimable=False)
    row = own[0]
    value = float(row @ inference.fit.beta)
    se = math.sqrt(max(float(row @ inference.covariance @ row), 0.0))
    df = degrees_of_freedom(inference, row)
    if not (se > 0 and df > 0):
        return Estimate(value, se, math.nan, math.nan, math.nan, math.nan, math.nan, estimable=True)
    statistic = value / se
    half = float(special.stdtrit(df, (1 + level) / 2)) * se
    p = 2 * float(special.stdtr(df, -abs(statistic)))
    return Estimate(value, se, df, statistic, p, value - half, value + half, estimable=True)


def joint_test(inference: Inference, combinations: Floats) -> FTest:
    """Test several linear combinations together.

    Parameters
    ----------
    inference : Inference
        See :func:`infer`.
    combinations : ndarray, shape (q, n_columns)
        Redundant rows are left out.

    References
    ----------
    Fai and Cornelius, J Stat Comput Simul 1996;54:363 (Satterthwaite). Kenward and Roger 1997.
    """
    own = estimable_part(inference.fit, combinations)
    if own is None or not own.any():
        return FTest(math.nan, 0, math.nan, math.nan)
    _, size, turned = np.linalg.svd(own)
    q = int((size > 1e-9 * size[0]).sum())
    rows = turned[:q]
    if inference.adjustment is not None:
        scaled, df = approximate_f(inference.adjustment, rows)
        spread = rows @ inference.adjustment.covariance @ rows.T
        wald = _wald(rows @ inference.fit.beta, spread)
        statistic = scaled * wald / q
    else:
        spread = rows @ inference.covariance @ rows.T
        statistic = _wald(rows @ inference.fit.beta, spread) / q
        _, axes = np.linalg.eigh(spread)
        df = _pooled([degrees_of_freedom(inference, axis @ rows) for axis in axes.T])
    if not df > 0:
        return FTest(statistic, q, math.nan, math.nan)
    return FTest(statistic, q, df, float(special.fdtrc(q, df, statistic)))


def estimable_part(fit: Mmrm, combinations: Floats) -> Floats | None:
    """Combinations over the estimated columns; None where one of them cannot be estimated.

    A combination can be estimated if it weighs every column left out as the columns kept make it up.
    """
    own = combinations[:, fit.kept]
    gap = np.abs(own @ fit.layout.alias - combinations).max()
    return own if gap <= 1e-8 * max(float(np.abs(combinations).max()), 1e-300) else None


def degrees_of_freedom(inference: Inference, row: Floats) -> float:
    """Degrees of freedom of one combination of the estimated columns."""
    fit = inference.fit
    if inference.df_method == "residual":
        return float(fit.n_rows - fit.beta.size)
    if inference.adjustment is not None:
        return approximate_f(inference.adjustment, row[None])[1]
    return _satterthwaite(fit, row)


def _satterthwaite(fit: Mmrm, row: Floats) -> float:
    """2 v^2 / (g' W g), v the variance of the combination, g its gradient, W the covariance of parameters."""
    seen = fit.point.covariance @ row
    variance = float(row @ seen)
    gradient = np.einsum("a,iab,b->i", seen, fit.curve.moved, seen)
    spread = 2 * float(gradient @ np.linalg.solve(fit.curve.observed, gradient))
    if not spread > 0:
        return float(fit.n_rows - fit.beta.size)
    return 2 * variance**2 / spread


def _wald(values: Floats, spread: Floats) -> float:
    return float(values @ np.linalg.solve(spread, values))


def _pooled(dfs: list[float]) -> float:
    """Denominator df of an F from the df of its independent parts."""
    if len(dfs) == 1:
        return dfs[0]
    if max(dfs) - min(dfs) < 1e-8 * max(dfs):
        return dfs[0]
    expected = sum(df / (df - 2) for df in dfs if df > 2)
    q = len(dfs)
    return 2 * expected / (expected - q) if expected > q else 0.0
