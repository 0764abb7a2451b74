"""The Gaussian likelihood of repeated measures, full or restricted, with its first and second derivatives."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.numerics.mmrm_layout import Layout
from myoproof.numerics.mmrm_structures import Structure

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """The model at one set of covariance parameters.

    Parameters
    ----------
    deviance : float
        Minus twice the log-likelihood.
    beta, covariance : ndarray, shape (k,), (k, k)
        Fixed effects and their covariance.
    inverse : ndarray, shape (p, t, t)
        Inverse covariance matrix of each pattern, zero where a visit is missing.
    first, second : ndarray, shape (g, m, t, t), (g, m, m, t, t)
        Derivatives of the covariance matrices of all kinds.
    """

    deviance: float
    beta: Floats
    covariance: Floats
    inverse: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True)
class Slopes:
    """Derivatives of the deviance at a point.

    Parameters
    ----------
    gradient : ndarray, shape (m,)
        First derivatives.
    observed, expected : ndarray, shape (m, m)
        Second derivatives, and their expectation.
    moved : ndarray, shape (m, k, k)
        X' V^-1 V_i V^-1 X: minus the derivative of X' V^-1 X.
    """

    gradient: Floats
    observed: Floats
    expected: Floats
    moved: Floats


def covariances(theta: Floats, layout: Layout, shape: Structure) -> tuple[Floats, Floats, Floats]:
    """Matrices of all kinds with derivatives by all parameters; each group has its own parameters.

    Parameters
    ----------
    theta : ndarray, shape (m,)
        Parameters, group after group.
    """
    if layout.n_groups == 1:
        matrix, first, second = shape.evaluate(theta, layout.coordinates)
        return matrix, first, second
    own = len(shape.labels)
    g, t, m = layout.n_groups, layout.n_visits, theta.size
    matrices, firsts, seconds = np.empty((g, t, t)), np.zeros((g, m, t, t)), np.zeros((g, m, m, t, t))
    for group in range(g):
        part = slice(group * own, (group + 1) * own)
        matrix, first, second = shape.evaluate(theta[part], None)
        matrices[group], firsts[group, part], seconds[group, part, part] = matrix[0], first[0], second[0]
    return matrices, firsts, seconds


def evaluate(theta: Floats, layout: Layout, shape: Structure, *, reml: bool) -> Point | None:
    """The model at given covariance parameters; None where a covariance matrix is not positive definite.

    References
    ----------
    Harville, J Am Stat Assoc 1977;72:320. Lindstrom and Bates, J Am Stat Assoc 1988;83:1014.
    """
    matrix, first, second = covariances(theta, layout, shape)
    if not np.isfinite(matrix).all():
        return None
    seen = layout.present[:, :, None] & layout.present[:, None, :]
    kinds = np.minimum(layout.kinds, matrix.shape[0] - 1)
    own = np.where(seen, matrix[kinds], np.eye(layout.n_visits))
    try:
        factor = np.linalg.cholesky(own)
        if layout.coordinates is None:
            np.linalg.cholesky(matrix)
        turned = np.linalg.inv(factor)
    except np.linalg.LinAlgError:
        return None
    log_v = 2 * float(layout.counts @ np.log(np.einsum("paa->pa", factor)).sum(axis=1))
    inverse = np.where(seen, turned.swapaxes(1, 2) @ turned, 0.0)
    q = layout.kept.size + 1
    total = (inverse.ravel() @ layout.cross).reshape(q, q)
    xx, xy, yy = total[:-1, :-1], total[:-1, -1], float(total[-1, -1])
    try:
        root = np.linalg.cholesky(xx)
    except np.linalg.LinAlgError:
        return None
    half = np.linalg.inv(root)
    covariance = half.T @ half
    beta = covariance @ xy
    n = layout.n_rows - (beta.size if reml else 0)
    deviance = log_v - layout.log_weights + yy - float(beta @ xy) + n * math.log(2 * math.pi)
    if reml:
        deviance += 2 * float(np.log(np.diag(root)).sum())
    if not math.isfinite(deviance):
        return None
    return Point(deviance, beta, covariance, inverse, first, second)


def slopes(point: Point, layout: Layout, *, reml: bool) -> Slopes:
    """First and second derivatives of the deviance by the covariance parameters."""
    inverse, m = point.inverse, point.first.shape[1]
    p, t = layout.present.shape
    kinds = np.minimum(layout.kinds, point.first.shape[0] - 1)
    change = point.first[kinds].swapaxes(0, 1)
    left = inverse @ change
    sandwich = left @ inverse
    flat_change = change.reshape(m, p * t * t)
    k = point.beta.size
    all_moved = (sandwich.reshape(m, p * t * t) @ layout.cross).reshape(m, k + 1, k + 1)
    contrast = np.append(-point.beta, 1.0)
    moved = all_moved[:, :k, :k]
    pulled = (all_moved @ contrast)[:, :k]
    wide = np.zeros((k + 1, k + 1))
    wide[:k, :k] = point.covariance
    weights = np.column_stack([np.outer(contrast, contrast).ravel(), wide.ravel()])
    residuals, designs = (layout.cross @ weights).T.reshape(2, p, t, t)
    inner = residuals + designs if reml else residuals
    middle = inverse @ inner @ inverse
    middle = (middle + middle.swapaxes(1, 2)) / 2
    counted = layout.counts[:, None, None] * inverse
    traces = flat_change @ (layout.counts[:, None, None] * sandwich).reshape(m, p * t * t).T
    crossed = flat_change @ _swapped(left @ middle).reshape(m, p * t * t).T
    crossed = (crossed + crossed.T) / 2
    gap = counted - middle
    weighted = _by_kind(gap, kinds, point.first.shape[0])
    curved = np.tensordot(point.second, weighted, axes=((0, 3, 4), (0, 1, 2))) if point.second.any() else 0.0
    rotated = point.covariance @ moved
    overlap = np.einsum("iab,jba->ij", rotated, rotated)
    observed = -traces + 2 * crossed - 2 * pulled @ point.covariance @ pulled.T + curved
    expected = traces
    if reml:
        observed = observed - overlap
        middle_x = inverse @ designs @ inverse
        crossed_x = flat_change @ _swapped(left @ middle_x).reshape(m, p * t * t).T
        expected = traces - (crossed_x + crossed_x.T) + overlap
    gradient = flat_change @ gap.reshape(p * t * t)
    return Slopes(gradient, (observed + observed.T) / 2, (expected + expected.T) / 2, moved)


def _swapped(stack: Floats) -> Floats:
    return stack.swapaxes(-1, -2)


def _by_kind(stack: Floats, kinds: npt.NDArray[np.intp], n_kinds: int) -> Floats:
    sums = np.zeros((n_kinds, *stack.shape[1:]))
    np.add.at(sums, kinds, stack)
    return sums
