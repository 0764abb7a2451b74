"""A linear mixed model with any designs by maximum likelihood: where a joint model starts from."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from myoproof.numerics.joint_types import Floats, Ints, MixedModel


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of products a subject: of fixed (X) and random (Z) designs and values (y).

    Parameters
    ----------
    xx, xz, zz, xy, zy, yy : ndarray
        Shapes (n, p, p), (n, p, q), (n, q, q), (n, p), (n, q), (n,).
    rows : ndarray, shape (n,)
        Rows a subject.
    """

    xx: Floats
    xz: Floats
    zz: Floats
    xy: Floats
    zy: Floats
    yy: Floats
    rows: Floats


def moments(values: Floats, fixed: Floats, random: Floats, subjects: Ints, n: int) -> Moments:
    """Sums of products of every subject.

    Parameters
    ----------
    values, fixed, random : ndarray, shape (n_rows,), (n_rows, p), (n_rows, q)
        Values and designs.
    subjects : ndarray of int, shape (n_rows,)
        Whose row each is.
    n : int
        Number of subjects.
    """

    def total(products: Floats) -> Floats:
        summed = np.zeros((n, *products.shape[1:]))
        np.add.at(summed, subjects, products)
        return summed

    x, z, y = fixed, random, values
    return Moments(
        xx=total(x[:, :, None] * x[:, None, :]),
        xz=total(x[:, :, None] * z[:, None, :]),
        zz=total(z[:, :, None] * z[:, None, :]),
        xy=total(x * y[:, None]),
        zy=total(z * y[:, None]),
        yy=total(y * y),
        rows=total(np.ones_like(y)),
    )


def fit_mixed(sums: Moments) -> MixedModel:
    """Maximum likelihood of a linear mixed model with independent residuals.

    Parameters
    ----------
    sums : Moments
        Sums of products of every subject.

    References
    ----------
    Laird and Ware, Biometrics 1982;38:963. Relative covariance factor: Bates et al., J Stat Softw
    2015;67(1), eq. 4-6.
    """
    q = sums.zz.shape[1]
    scale = np.sqrt(np.einsum("nii->i", sums.zz) / sums.rows.sum())
    start = np.diag(1 / np.maximum(scale, 1e-12))[np.tril_indices(q)]
    units = np.repeat(1 / np.maximum(scale, 1e-12), range(1, q + 1))

    def deviance(theta: Floats) -> float:
        return _profiled(theta * units, sums, q)[0]

    found = optimize.minimize(deviance, start / units, method="BFGS", options={"gtol": 1e-6})
    found = optimize.minimize(
        deviance,
        found.x,
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 400 * q, "initial_simplex": _simplex(found.x)},
    )
    return _assembled(np.asarray(found.x) * units, sums, q)


def _simplex(at: Floats) -> Floats:
    return np.vstack([at, at + np.diag(0.01 * np.maximum(np.abs(at), 0.1))])


def _factor(theta: Floats, q: int) -> Floats:
    factor = np.zeros((q, q))
    factor[np.tril_indices(q)] = theta
    return factor


def _profiled(theta: Floats, sums: Moments, q: int) -> tuple[float, Floats, Floats, float]:
    """-2 log-likelihood with fixed effects and residual variance profiled out; beta, X'W^-1 X, variance."""
    factor = _factor(theta, q)
    inner = np.eye(q) + factor.T @ sums.zz @ factor
    sign, log_w = np.linalg.slogdet(inner)
    if not (np.isfinite(log_w).all() and (sign > 0).all()):
        return math.inf, np.zeros(0), np.zeros((0, 0)), math.nan
    half_x = np.linalg.solve(inner, factor.T @ np.swapaxes(sums.xz, 1, 2))
    half_y = np.linalg.solve(inner, (sums.zy @ factor)[:, :, None])[:, :, 0]
    xz = sums.xz @ factor
    xx = (sums.xx - xz @ half_x).sum(axis=0)
    xy = (sums.xy - np.einsum("npq,nq->np", xz, half_y)).sum(axis=0)
    yy = float(sums.yy.sum() - ((sums.zy @ factor) * half_y).sum())
    beta = np.linalg.solve(xx, xy)
    n = float(sums.rows.sum())
    variance = (yy - float(beta @ xy)) / n
    if not variance > 0:
        return math.inf, beta, xx, math.nan
    return n * math.log(2 * math.pi * variance) + float(log_w.sum()) + n, beta, xx, variance


def _assembled(theta: Floats, sums: Moments, q: int) -> MixedModel:
    deviance, beta, xx, variance = _profiled(theta, sums, q)
    factor = _factor(theta, q)
    inner = np.linalg.inv(np.eye(q) + factor.T @ sums.zz @ factor)
    covariances: npt.NDArray[np.float64] = variance * factor @ inner @ factor.T
    residual = sums.zy - np.einsum("npq,p->nq", sums.xz, beta)
    return MixedModel(
        fixed=beta,
        fixed_covariance=np.asarray(np.linalg.inv(xx) * variance, dtype=np.float64),
        random_covariance=variance * factor @ factor.T,
        residual_sd=math.sqrt(variance),
        means=np.einsum("nij,nj->ni", covariances, residual) / variance,
        covariances=covariances,
        log_likelihood=-deviance / 2,
    )
