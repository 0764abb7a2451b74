"""Mixed models for repeated measures: fixed effects and a structured covariance of visits, by REML or ML."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.numerics.mmrm_layout import Layout, Observations, arrange
from myoproof.numerics.mmrm_likelihood import Point, Slopes, covariances, evaluate, slopes
from myoproof.numerics.mmrm_structures import LINEAR, PLACED, Name, Structure, distances, structure

Floats = npt.NDArray[np.float64]
Method = Literal["reml", "ml"]
Failure = Literal[
    "",
    "too_few_rows",
    "visits_never_together",
    "singular_covariance",
    "boundary",
    "hessian_not_positive_definite",
    "no_spread",
    "iterations",
]
MAXIMUM_STEPS = 100
CLOSE = 1e-10
"""A Newton step that promises less, relative to the deviance, ends the search; SAS stops at 1e-8."""
SINGULAR = 1e-6
"""Least eigenvalue of a correlation matrix below which the covariance counts as singular."""
FLAT = 1e-10
"""Least eigenvalue of the scaled Hessian below which the deviance counts as flat."""


@dataclass(frozen=True, slots=True)
class Mmrm:
    """A fitted model; where `failure` is not empty, the numbers are the last ones seen and no answer.

    Parameters
    ----------
    beta, covariance : ndarray, shape (k,), (k, k)
        Fixed effects and their model-based covariance, of the columns in `kept`.
    kept : ndarray of int
        Columns of the design that could be estimated.
    theta, theta_covariance : ndarray, shape (m,), (m, m)
        Covariance parameters in the units of the values, and twice the inverse of the observed Hessian.
    labels : tuple of str
        Names of the covariance parameters, group after group.
    matrices : ndarray, shape (g, t, t)
        Estimated covariance matrix of each group (of the first subject's rows for spatial structures).
    deviance : float
        Minus twice the (restricted) log-likelihood.
    structure, method : str
        What was fitted.
    failure : str
        Why the fit is no answer; "" where it is one.
    explained : str
        The failure in words.
    steps : int
        Newton steps.
    n_rows, n_subjects, n_groups : int
        Sizes.
    layout, point, curve
        What inference needs.
    """

    beta: Floats
    covariance: Floats
    kept: npt.NDArray[np.intp]
    theta: Floats
    theta_covariance: Floats
    labels: tuple[str, ...]
    matrices: Floats
    deviance: float
    structure: Name
    method: Method
    failure: Failure
    explained: str
    steps: int
    n_rows: int
    n_subjects: int
    n_groups: int
    layout: Layout = field(repr=False)
    point: Point = field(repr=False)
    curve: Slopes = field(repr=False)

    @property
    def converged(self) -> bool:
        """Whether the numbers are an answer."""
        return not self.failure

    @property
    def se(self) -> Floats:
        """Model-based standard errors of the fixed effects."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def aic(self) -> float:
        """Akaike's criterion; under REML it counts the covariance parameters only, as SAS does."""
        counted = self.theta.size + (0 if self.method == "reml" else self.beta.size)
        return self.deviance + 2 * counted


def fit_mmrm(
    rows: Observations,
    *,
    structure_name: Name = "UN",
    method: Method = "reml",
    theta: Floats | None = None,
) -> Mmrm:
    """Fit a mixed model for repeated measures.

    Newton steps on the exact Hessian, Fisher scoring where that is not positive definite, steps halved until
    every covariance matrix is positive definite and the deviance falls. Aliased columns of the design are
    left out, see `kept`.

    Parameters
    ----------
    rows : Observations
        Values, design, subjects, visits, and where wanted groups, weights or coordinates.
    structure_name : str
        UN, CS, CSH, AR1, ARH1, TOEP, TOEPH, ANTE, SP_EXP, SP_GAU, SP_POW or SLOPE, see
        :func:`myoproof.numerics.mmrm_structures.structure`.
    method : {"reml", "ml"}
        Restricted or full maximum likelihood.
    theta : ndarray, optional, shape (m,)
        Covariance parameters to hold, in the units of the values, in place of a search.

    Returns
    -------
    Mmrm
        With `failure` where the data hold no such model.

    Raises
    ------
    ValueError
        For values that are not finite, a visit twice in one subject, a subject in two groups, a spatial
        structure without coordinates or with groups, held parameters that make no covariance.

    References
    ----------
    Mallinckrodt et al., Drug Inf J 2008;42:303. Jennrich and Schluchter, Biometrics 1986;42:805. Checked
    against SAS PROC MIXED listings to 1e-4, see docs/mmrm.md.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> person, visit = np.divmod(np.arange(120), 3)
    >>> values = rng.normal(size=40)[person] + visit + rng.normal(size=120)
    >>> fit = fit_mmrm(Observations(values, np.eye(3)[visit], person, visit), structure_name="CS")
    >>> fit.converged, fit.beta.round(1).tolist()
    (True, [-0.1, 0.5, 2.1])
    """
    if structure_name in PLACED and (rows.coordinates is None or rows.groups is not None):
        raise ValueError("this structure needs coordinates, and has one covariance for all groups")
    given = rows if structure_name in PLACED else _without_coordinates(rows)
    layout = arrange(given)
    shape = structure(structure_name, layout.n_visits)
    if theta is not None:
        held = _held(theta / _theta_scale(layout, shape), layout, shape, method)
        return _finished(layout, shape, method, held)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _finished(layout, shape, method, _search(layout, shape, method))


def _without_coordinates(rows: Observations) -> Observations:
    return Observations(rows.values, rows.design, rows.subjects, rows.visits, rows.groups, rows.weights)


@dataclass(frozen=True, slots=True)
class _Search:
    theta: Floats
    point: Point
    curve: Slopes
    steps: int
    failure: Failure
    explained: str


def _search(layout: Layout, shape: Structure, method: Method) -> _Search:
    """Newton's way down from variances by visit without correlation."""
    reml = method == "reml"
    theta = _start(layout, shape)
    point = evaluate(theta, layout, shape, reml=reml)
    if point is None:
        raise ValueError("the start of the search is no covariance")
    failure, explained = _hopeless(layout, shape)
    steps = 0
    curve = slopes(point, layout, reml=reml)
    while not failure and steps < MAXIMUM_STEPS:
        step, promised = _step(curve)
        if promised < CLOSE * max(abs(point.deviance), 1.0):
            break
        moved = _shorter(theta, step, point, layout, shape, reml)
        steps += 1
        if moved is None:
            if promised < 1e-6 * max(abs(point.deviance), 1.0):
                break
            failure, explained = "boundary", "no step along the search direction lowers the deviance"
            break
        theta, point = moved
        curve = slopes(point, layout, reml=reml)
        if not (np.isfinite(curve.gradient).all() and np.isfinite(curve.expected).all()):
            failure, explained = "singular_covariance", "the derivatives of the deviance are not finite"
            break
        if _least_eigenvalue(theta, layout, shape) < SINGULAR**2:
            break
    if not failure and steps >= MAXIMUM_STEPS:
        failure, explained = "iterations", f"no minimum within {MAXIMUM_STEPS} steps"
    return _Search(theta, point, curve, steps, failure, explained)


def _held(theta: Floats, layout: Layout, shape: Structure, method: Method) -> _Search:
    reml = method == "reml"
    point = evaluate(theta, layout, shape, reml=reml)
    if point is None:
        raise ValueError("the held parameters make no covariance")
    return _Search(theta, point, slopes(point, layout, reml=reml), 0, "", "")


def _start(layout: Layout, shape: Structure) -> Floats:
    distance = 1.0
    if layout.coordinates is not None:
        lags = distances(layout.coordinates)
        above = lags[lags > 0]
        distance = float(np.median(above)) if above.size else 1.0
    return np.tile(shape.start(layout.variances, distance), layout.n_groups)


def _hopeless(layout: Layout, shape: Structure) -> tuple[Failure, str]:
    """What can be told before any search."""
    k = layout.kept.size
    if layout.n_rows - k < 1:
        return "too_few_rows", f"{layout.n_rows} rows for {k} fixed effects"
    if float(layout.variances.max()) < 1e-20:
        return "no_spread", "nothing is left around the fixed effects"
    if shape.name == "UN":
        rows, columns = np.nonzero(np.tril(layout.together) + np.triu(np.ones_like(layout.together), 1) == 0)
        if rows.size:
            pair = f"{columns[0] + 1} and {rows[0] + 1}"
            return "visits_never_together", f"no subject (of a group) has both visits {pair}"
    return "", ""


def _step(curve: Slopes) -> tuple[Floats, float]:
    """A downward step and twice the drop that the quadratic promises."""
    for hessian in (curve.observed, curve.expected):
        if not (np.diag(hessian) > 0).all():
            continue
        scale = np.sqrt(np.diag(hessian))
        relative = hessian / np.outer(scale, scale)
        try:
            np.linalg.cholesky(relative - 1e-12 * np.eye(scale.size))
        except np.linalg.LinAlgError:
            continue
        newton = -np.linalg.solve(relative, curve.gradient / scale) / scale
        return newton, float(-newton @ curve.gradient)
    damped = curve.expected + np.diag(1e-3 * np.abs(np.diag(curve.expected)) + 1e-12)
    step: Floats = -np.linalg.lstsq(damped, curve.gradient, rcond=None)[0].astype(np.float64)
    return step, float(abs(step @ curve.gradient))


def _shorter(
    theta: Floats, step: Floats, point: Point, layout: Layout, shape: Structure, reml: bool
) -> tuple[Floats, Point] | None:
    """The step, halved until it lowers the deviance; None where none does."""
    for halving in range(30):
        moved = theta + step * 0.5**halving
        found = evaluate(moved, layout, shape, reml=reml)
        if found is not None and found.deviance <= point.deviance + 1e-12 * abs(point.deviance):
            return moved, found
    return None


def _finished(layout: Layout, shape: Structure, method: Method, search: _Search) -> Mmrm:
    """The result in the units of the values, judged."""
    matrices = covariances(search.theta, layout, shape)[0]
    failure, explained = search.failure, search.explained
    if not failure or failure in ("boundary", "iterations"):
        told = _judged(search, layout, shape)
        failure, explained = told if not failure or told[0] == "singular_covariance" else (failure, explained)
    scaling = _theta_scale(layout, shape)
    hessian = search.curve.observed
    inverse = np.full_like(hessian, np.nan) if failure else np.linalg.inv(hessian)
    n = layout.n_rows - (layout.kept.size if method == "reml" else 0)
    return Mmrm(
        beta=search.point.beta * layout.scale,
        covariance=search.point.covariance * layout.scale**2,
        kept=layout.kept,
        theta=search.theta * scaling,
        theta_covariance=2 * inverse * np.outer(scaling, scaling),
        labels=shape.labels * layout.n_groups,
        matrices=matrices * layout.scale**2,
        deviance=search.point.deviance + 2 * n * float(np.log(layout.scale)),
        structure=shape.name,
        method=method,
        failure=failure,
        explained=explained,
        steps=search.steps,
        n_rows=layout.n_rows,
        n_subjects=layout.n_subjects,
        n_groups=layout.n_groups,
        layout=layout,
        point=search.point,
        curve=search.curve,
    )


def _theta_scale(layout: Layout, shape: Structure) -> Floats:
    """Square of the values' scale for variances and covariances, one for correlations and ranges."""
    linear = shape.name in LINEAR
    own = [layout.scale**2 if linear or label.startswith("variance") else 1.0 for label in shape.labels]
    return np.tile(np.array(own), layout.n_groups)


def _least_eigenvalue(theta: Floats, layout: Layout, shape: Structure) -> float:
    """Least eigenvalue of the correlations of any group; 1 for structures over coordinates."""
    if layout.coordinates is not None:
        return 1.0
    matrices = covariances(theta, layout, shape)[0]
    sd = np.sqrt(np.einsum("gaa->ga", matrices))
    least = np.linalg.eigvalsh(matrices / (sd[:, :, None] * sd[:, None, :]))[:, 0]
    return float(min(least.min(), (sd.min(axis=1) / sd.max(axis=1)).min()))


def _judged(search: _Search, layout: Layout, shape: Structure) -> tuple[Failure, str]:
    """Whether the end of the search is a proper minimum."""
    least = _least_eigenvalue(search.theta, layout, shape)
    if least < SINGULAR:
        return "singular_covariance", f"least eigenvalue of the correlations {least:.1e}"
    if shape.name == "SLOPE":
        intercept, both, slope, residual = search.theta
        if intercept <= 0 or slope <= 0 or residual <= 0 or both**2 >= intercept * slope:
            return "boundary", "the covariance of intercepts and slopes is not positive definite"
    hessian = search.curve.observed
    least = float(np.diag(hessian).min())
    if least > 0:
        scale = np.sqrt(np.diag(hessian))
        least = float(np.linalg.eigvalsh(hessian / np.outer(scale, scale))[0])
    if not least > FLAT:
        return "hessian_not_positive_definite", f"least eigenvalue of the scaled Hessian {least:.1e}"
    return "", ""
