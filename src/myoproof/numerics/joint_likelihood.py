"""The likelihood of a joint model and its exact gradient, the random effects integrated over given nodes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from myoproof.numerics.joint_start import Moments
from myoproof.numerics.joint_types import Floats, Ints
from myoproof.numerics.quadrature import hermite_grid

CHUNK = 256
"""Subjects worked on at a time, so that the arrays of nodes and times stay in the processor's cache."""
LARGEST_EXPONENT = 200.0
"""A log hazard above this is taken as this: far outside any model, and finite."""


@dataclass(frozen=True, slots=True)
class Block:
    """Everything of the subjects that the likelihood needs.

    Parameters
    ----------
    sums : Moments
        Of the repeated measurements.
    events : ndarray, shape (n,)
        1 where the event was seen.
    pieces : ndarray of int, shape (n,)
        Interval of the baseline hazard in which each time lies.
    covariates : ndarray, shape (n, w)
        Of the relative-risk model.
    fixed_end, random_end : ndarray, shape (n, a, p), (n, a, q)
        Designs of the associated terms at the times.
    fixed_at, random_at : ndarray, shape (n, a, j, p), (n, a, j, q)
        The same at the quadrature points of the cumulative hazard.
    lengths : ndarray, shape (n, j)
        Quadrature weights times half the interval; 0 beyond a subject's time.
    """

    sums: Moments
    events: Floats
    pieces: Ints
    covariates: Floats
    fixed_end: Floats
    random_end: Floats
    fixed_at: Floats
    random_at: Floats
    lengths: Floats

    @property
    def sizes(self) -> "Sizes":
        """Numbers of parameters, given the points an interval."""
        q = self.random_end.shape[2]
        return Sizes(self.fixed_end.shape[2], q, self.covariates.shape[1], self.fixed_end.shape[1])

    def part(self, rows: slice) -> "Block":
        """Some of the subjects."""
        own = {item.name: getattr(self, item.name)[rows] for item in fields(self) if item.name != "sums"}
        sums = Moments(**{item.name: getattr(self.sums, item.name)[rows] for item in fields(Moments)})
        return replace(self, sums=sums, **own)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of fixed effects, random effects, covariates and associated terms."""

    fixed: int
    random: int
    covariates: int
    terms: int

    def split(self, parameters: Floats) -> "Parts":
        """The named parts of the parameter vector."""
        p, q, w, a = self.fixed, self.random, self.covariates, self.terms
        ends = np.cumsum([p, 1, q * (q + 1) // 2, w, a])
        beta, log_sd, triangle, gamma, alpha, log_hazard = np.split(parameters, ends)
        return Parts(beta, float(log_sd[0]), factor_of(triangle, q), gamma, alpha, log_hazard)


@dataclass(frozen=True, slots=True)
class Parts:
    """Parameters by name: the factor is the Cholesky factor of the covariance of the random effects."""

    beta: Floats
    log_sd: float
    factor: Floats
    gamma: Floats
    alpha: Floats
    log_hazard: Floats


@dataclass(frozen=True, slots=True)
class Nodes:
    """Points of the random effects, (n, k, q), and log weights, (n, k), that make sums integrals."""

    at: Floats
    log_weights: Floats


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Log-likelihood, gradient, and each subject's random effects: means (n, q), covariances (n, q, q)."""

    value: float
    gradient: Floats
    means: Floats
    covariances: Floats


def factor_of(triangle: Floats, q: int) -> Floats:
    """Cholesky factor from its lower triangle row by row, the diagonal as logarithms."""
    factor = np.zeros((q, q))
    factor[np.tril_indices(q)] = triangle
    np.fill_diagonal(factor, np.exp(np.diag(factor)))
    return factor


def triangle_of(covariance: Floats) -> Floats:
    """The inverse of :func:`factor_of` for a covariance.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the covariance is not positive definite.
    """
    factor = np.linalg.cholesky(covariance)
    np.fill_diagonal(factor, np.log(np.diag(factor)))
    return np.asarray(factor[np.tril_indices(len(factor))], dtype=np.float64)


def nodes_around(means: Floats, covariances: Floats, count: int) -> Nodes:
    """Gauss-Hermite points moved and scaled to a normal distribution a subject.

    Parameters
    ----------
    means, covariances : ndarray, shape (n, q), (n, q, q)
        Where the integrand lies; a rough guess costs accuracy, never correctness.
    count : int
        Points a dimension.

    References
    ----------
    Pinheiro and Bates, J Comput Graph Stat 1995;4:12, sec. 2.4. Pseudo-adaptive: Rizopoulos, Comput Stat
    Data Anal 2012;56:491.
    """
    q = means.shape[1]
    at, log_weights = hermite_grid(count, q)
    factors = _factors(covariances)
    log_size = np.log(np.einsum("nii->ni", factors)).sum(axis=1)
    density = log_weights + 0.5 * (at**2).sum(axis=1) + 0.5 * q * math.log(2 * math.pi)
    return Nodes(means[:, None, :] + at @ np.swapaxes(factors, 1, 2), density + log_size[:, None])


def _factors(covariances: Floats) -> Floats:
    """Lower triangles; where an effect does not vary, of the nearest covariance that varies a little."""
    try:
        return np.asarray(np.linalg.cholesky(covariances), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariances)
        least = 1e-10 * np.maximum(values[:, -1:], 1e-12)
        raised = vectors * np.maximum(values, least)[:, None, :]
        return np.asarray(np.linalg.cholesky(raised @ np.swapaxes(vectors, 1, 2)), dtype=np.float64)


def evaluate(parameters: Floats, block: Block, nodes: Nodes) -> Evaluation:
    """Log-likelihood of all subjects with its gradient.

    Parameters
    ----------
    parameters : ndarray
        Fixed effects, log residual SD, lower triangle of the factor, log hazard ratios of the covariates and
        of the associated terms, log baseline hazards.
    block : Block
        The subjects.
    nodes : Nodes
        Points of the random effects.

    Notes
    -----
    The gradient is that of the quadrature sum itself (Fisher's identity on the weighted nodes), hence exact.

    References
    ----------
    Wulfsohn and Tsiatis, Biometrics 1997;53:330. Rizopoulos, Joint Models, 2012, sec. 4.3.
    """
    parts = block.sizes.split(parameters)
    found = [_chunk(parts, block.part(rows), nodes, rows) for rows in _chunks(len(block.events))]
    return Evaluation(
        value=sum(each.value for each in found),
        gradient=np.sum([each.gradient for each in found], axis=0),
        means=np.concatenate([each.means for each in found]),
        covariances=np.concatenate([each.covariances for each in found]),
    )


def _chunks(n: int) -> Iterator[slice]:
    for start in range(0, n, CHUNK):
        yield slice(start, min(start + CHUNK, n))


@dataclass(frozen=True, slots=True)
class _Hazard:
    """Log hazards at the ends (n, k) and expected hazards at the points, as far as nodes matter."""

    log_end: Floats
    at: Floats
    cumulative: Floats


def _chunk(parts: Parts, block: Block, nodes: Nodes, rows: slice) -> Evaluation:
    b, weights = nodes.at[rows], nodes.log_weights[rows]
    residual = _residual_squares(parts, block, b)
    hazard = _hazards(parts, block, b)
    whitened = b @ np.linalg.inv(parts.factor).T
    log_terms = (
        weights
        - 0.5 * residual * math.exp(-2 * parts.log_sd)
        - 0.5 * (whitened**2).sum(axis=2)
        + block.events[:, None] * hazard.log_end
        - hazard.cumulative
    )
    top = log_terms.max(axis=1, keepdims=True)
    share = np.exp(log_terms - top)
    total = share.sum(axis=1, keepdims=True)
    share /= total
    q = b.shape[2]
    constant = -0.5 * float(block.sums.rows.sum()) * (math.log(2 * math.pi) + 2 * parts.log_sd)
    constant -= len(b) * (0.5 * q * math.log(2 * math.pi) + float(np.log(np.diag(parts.factor)).sum()))
    means = np.einsum("nk,nkq->nq", share, b)
    seconds = np.swapaxes(b * share[:, :, None], 1, 2) @ b
    return Evaluation(
        value=float((top + np.log(total)).sum()) + constant,
        gradient=_gradient(parts, block, _Posterior(b, share, means, seconds, hazard, residual)),
        means=means,
        covariances=seconds - means[:, :, None] * means[:, None, :],
    )


def _residual_squares(parts: Parts, block: Block, b: Floats) -> Floats:
    """Residual sum of squares of the repeated measurements at every node, (n, k)."""
    sums, beta = block.sums, parts.beta
    plain = sums.yy - 2 * sums.xy @ beta + np.einsum("npr,p,r->n", sums.xx, beta, beta)
    cross = sums.zy - np.einsum("npq,p->nq", sums.xz, beta)
    curved = ((b @ sums.zz) * b).sum(axis=2)
    return np.asarray(plain[:, None] - 2 * (b @ cross[:, :, None])[:, :, 0] + curved, dtype=np.float64)


def _hazards(parts: Parts, block: Block, b: Floats) -> _Hazard:
    risk = block.covariates @ parts.gamma
    alpha = parts.alpha
    end = risk + parts.log_hazard[block.pieces] + (block.fixed_end @ parts.beta) @ alpha
    slope_end = np.einsum("naq,a->nq", block.random_end, alpha)
    points = block.lengths.shape[1] // parts.log_hazard.size
    level = np.einsum("naj,a->nj", block.fixed_at @ parts.beta, alpha) + risk[:, None]
    level += np.repeat(parts.log_hazard, points)
    slope = np.einsum("najq,a->njq", block.random_at, alpha)
    exponent = b @ np.swapaxes(slope, 1, 2)
    exponent += level[:, None, :]
    np.minimum(exponent, LARGEST_EXPONENT, out=exponent)
    at = np.exp(exponent, out=exponent)
    return _Hazard(
        log_end=end[:, None] + (b @ slope_end[:, :, None])[:, :, 0],
        at=at,
        cumulative=(at @ block.lengths[:, :, None])[:, :, 0],
    )


@dataclass(frozen=True, slots=True)
class _Posterior:
    """Nodes with their posterior shares, first and second moments, and what was computed at them."""

    b: Floats
    share: Floats
    means: Floats
    seconds: Floats
    hazard: _Hazard
    residual: Floats


def _gradient(parts: Parts, block: Block, found: _Posterior) -> Floats:
    sums, precision = block.sums, math.exp(-2 * parts.log_sd)
    share, means = found.share, found.means
    expected = (share[:, None, :] @ found.hazard.at)[:, 0, :] * block.lengths
    moved = np.swapaxes(found.hazard.at, 1, 2) @ (found.b * share[:, :, None]) * block.lengths[:, :, None]
    total = expected.sum(axis=1)
    by_point = np.einsum("nj,najp->ap", expected, block.fixed_at)
    by_end = np.einsum("n,nap->ap", block.events, block.fixed_end)
    beta = (sums.xy.sum(axis=0) - sums.xx.sum(axis=0) @ parts.beta) * precision
    beta -= np.einsum("npq,nq->p", sums.xz, means) * precision
    beta += parts.alpha @ (by_end - by_point)
    log_sd = -float(sums.rows.sum()) + float((share * found.residual).sum()) * precision
    alpha = (by_end - by_point) @ parts.beta
    alpha += np.einsum("n,naq,nq->a", block.events, block.random_end, means)
    alpha -= np.einsum("njq,najq->a", moved, block.random_at)
    log_hazard = np.bincount(block.pieces, weights=block.events, minlength=parts.log_hazard.size)
    log_hazard -= expected.reshape(len(expected), parts.log_hazard.size, -1).sum(axis=(0, 2))
    gamma = block.covariates.T @ (block.events - total)
    triangle = _factor_gradient(parts.factor, found.seconds.sum(axis=0), len(means))
    return np.concatenate([beta, [log_sd], triangle, gamma, alpha, log_hazard])


def _factor_gradient(factor: Floats, second: Floats, n: int) -> npt.NDArray[np.float64]:
    """Derivative of the normal log density, summed over subjects, by the factor's lower triangle."""
    inverse = np.linalg.inv(factor)
    slope = inverse.T @ (inverse @ second @ inverse.T - n * np.eye(len(factor)))
    np.fill_diagonal(slope, np.diag(slope) * np.diag(factor))
    return slope[np.tril_indices(len(factor))]
