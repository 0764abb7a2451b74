"""Multiple imputation of a trial's visits after drop-out: at random, or as the reference arm goes on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.numerics.mmrm import Mmrm, fit_mmrm
from myoproof.numerics.mmrm_layout import Observations
from myoproof.numerics.mmrm_structures import Name

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Assumption = Literal[
    "missing_at_random", "jump_to_reference", "copy_reference", "copy_increments_in_reference"
]
TRIES = 20
"""Bootstrap samples drawn for one imputation before it is given up."""


@dataclass(frozen=True, slots=True)
class TwoArms:
    """Values after baseline of a two-arm trial.

    Parameters
    ----------
    values : ndarray, shape (n, t)
        Values by visit; NaN where missing.
    treated : ndarray of bool, shape (n,)
        Arm; the others are the reference.
    covariates : ndarray, shape (n, p)
        Baseline and other covariates without intercept, complete.
    """

    values: Floats
    treated: Bools
    covariates: Floats

    @property
    def after(self) -> Bools:
        """Missing values after the last one seen, shape (n, t)."""
        seen = np.isfinite(self.values)
        return np.asarray(np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] == 0)


@dataclass(frozen=True, slots=True)
class Completions:
    """A trial completed several times.

    Parameters
    ----------
    values : ndarray, shape (m, n, t)
        Without gaps.
    given_up : int
        Imputations for which no bootstrap sample could be fitted.
    """

    values: Floats
    given_up: int


def complete(
    trial: TwoArms,
    assumption: Assumption,
    *,
    rng: np.random.Generator,
    imputations: int = 100,
    structure_name: Name = "UN",
) -> Completions:
    """Complete a trial: parameters from a bootstrap sample each, values from their conditional distribution.

    Gaps between visits are always filled at random given the subject's arm. After the last visit seen, the
    assumption decides the means: ``missing_at_random`` takes the own arm's; ``jump_to_reference`` the
    reference arm's from there on; ``copy_reference`` the reference arm's throughout, so that a treated
    subject's lead wanes; ``copy_increments_in_reference`` the own arm's level with the reference arm's
    changes.

    Parameters
    ----------
    trial : TwoArms
        What was seen.
    assumption : str
        See above.
    rng : Generator
        The only source of randomness.
    imputations : int
        Completions.
    structure_name : str
        Covariance structure, common to both arms.

    References
    ----------
    Carpenter, Roger and Kenward, J Biopharm Stat 2013;23:1352. Honaker and King, Am J Polit Sci 2010;54:561
    (parameters by bootstrap).
    """
    completed = []
    given_up = 0
    for _ in range(imputations):
        fit = _bootstrap_fit(trial, structure_name, rng=rng)
        if fit is None:
            given_up += 1
            continue
        completed.append(_filled(trial, fit, assumption, rng=rng))
    n, t = trial.values.shape
    return Completions(np.array(completed).reshape(-1, n, t), given_up)


def ancova(values: Floats, treated: Bools, covariates: Floats) -> tuple[Floats, Floats]:
    """Difference between the arms at one visit with its variance, by least squares, for many completions.

    Parameters
    ----------
    values : ndarray, shape (m, n)
        Complete values.

    Returns
    -------
    estimates, variances : ndarray, shape (m,)
    """
    n = treated.size
    design = np.column_stack([np.ones(n), treated, covariates])
    turned, upper = np.linalg.qr(design)
    beta = np.linalg.solve(upper, turned.T @ values.T)
    residual = values.T - design @ beta
    inverse = np.linalg.inv(upper)
    scale = (residual**2).sum(axis=0) / (n - design.shape[1])
    return np.asarray(beta[1]), np.asarray(scale * (inverse @ inverse.T)[1, 1])


def _bootstrap_fit(trial: TwoArms, structure_name: Name, *, rng: np.random.Generator) -> Mmrm | None:
    arms = [np.flatnonzero(trial.treated == arm) for arm in (True, False)]
    for _ in range(TRIES):
        drawn = np.concatenate([rng.choice(arm, arm.size) for arm in arms])
        sample = TwoArms(trial.values[drawn], trial.treated[drawn], trial.covariates[drawn])
        fit = fit_mmrm(_observations(sample), structure_name=structure_name)
        if fit.converged and fit.kept.size == fit.layout.alias.shape[1]:
            return fit
    return None


def _observations(trial: TwoArms) -> Observations:
    who, visit = np.nonzero(np.isfinite(trial.values))
    design = _design(trial.treated, trial.covariates, trial.values.shape[1])[who, visit]
    return Observations(trial.values[who, visit], design, who, visit)


def _design(treated: Bools, covariates: Floats, t: int) -> Floats:
    """Columns visit, visit by arm and visit by covariate, shape (n, t, t * (2 + p))."""
    own = np.column_stack([np.ones(treated.size), treated, covariates])
    design: Floats = np.einsum("np,ab->nabp", own, np.eye(t)).reshape(treated.size, t, -1)
    return design


def _filled(trial: TwoArms, fit: Mmrm, assumption: Assumption, *, rng: np.random.Generator) -> Floats:
    t = trial.values.shape[1]
    own = _design(trial.treated, trial.covariates, t) @ fit.beta
    reference = _design(np.zeros_like(trial.treated), trial.covariates, t) @ fit.beta
    seen = np.isfinite(trial.values)
    means = _means(own, reference, trial.after, assumption)
    matrix = fit.matrices[0]
    values = trial.values.copy()
    found = np.unique(seen, axis=0, return_inverse=True)
    patterns, member = np.asarray(found[0], dtype=np.bool_), found[1]
    for number in range(len(patterns)):
        pattern: Bools = patterns[number]
        if pattern.all():
            continue
        rows = np.flatnonzero(np.asarray(member).ravel() == number)
        gaps = np.asarray(~pattern)
        cross = matrix[np.ix_(gaps, pattern)]
        weights = np.linalg.solve(matrix[np.ix_(pattern, pattern)], cross.T).T if pattern.any() else cross
        spread = matrix[np.ix_(gaps, gaps)] - weights @ cross.T
        expected = means[np.ix_(rows, gaps)]
        if pattern.any():
            expected = expected + (values[np.ix_(rows, pattern)] - means[np.ix_(rows, pattern)]) @ weights.T
        noise = rng.standard_normal((rows.size, int(gaps.sum()))) @ np.linalg.cholesky(spread).T
        values[np.ix_(rows, gaps)] = expected + noise
    return values


def _means(own: Floats, reference: Floats, after: Bools, assumption: Assumption) -> Floats:
    """Means by subject and visit under an assumption on what follows the last visit seen."""
    if assumption == "missing_at_random":
        return own
    if assumption == "copy_reference":
        leaves = np.asarray(after.any(axis=1), dtype=np.bool_)
        return np.where(leaves[:, None], reference, own)
    if assumption == "jump_to_reference":
        return np.where(after, reference, own)
    last = np.maximum((~after).sum(axis=1) - 1, 0)
    rows = np.arange(len(own))
    none = np.asarray(after.all(axis=1), dtype=np.bool_)
    level = np.where(none, 0.0, own[rows, last] - reference[rows, last])
    return np.where(after, reference + level[:, None], own)
