"""Kenward and Roger's covariance of fixed effects in small samples, and their approximate F."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.numerics.mmrm import Mmrm

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What the approximation needs.

    Parameters
    ----------
    covariance : ndarray, shape (k, k)
        Adjusted covariance of the fixed effects, in the units of the values.
    plain : ndarray, shape (k, k)
        Model-based covariance on the scale of the fit.
    slopes : ndarray, shape (m, k, k)
        Derivative of X' V^-1 X by each covariance parameter.
    spread : ndarray, shape (m, m)
        Covariance of the covariance parameters.
    """

    covariance: Floats
    plain: Floats
    slopes: Floats
    spread: Floats


def adjustment(fit: Mmrm, *, expected: bool = False, second_order: bool = True) -> Adjustment:
    """The adjusted covariance of the fixed effects.

    Parameters
    ----------
    fit : Mmrm
        A converged fit by REML. Structures whose matrix is linear in the parameters (UN, CS, TOEP) have no
        second derivatives; there the parametrisation is that of SAS.
    expected : bool
        Expected in place of observed information.
    second_order : bool
        Whether second derivatives of the covariance count (SAS ``ddfm=kr``), or not (``kr(firstorder)``,
        the covariance of Prasad-Rao and Harville-Jeske).

    References
    ----------
    Kenward and Roger, Biometrics 1997;53:983, eq. 3 and 4. SAS/STAT User's Guide, PROC MIXED, DDFM=.
    """
    layout, point, curve = fit.layout, fit.point, fit.curve
    k = point.beta.size
    kinds = np.minimum(layout.kinds, point.first.shape[0] - 1)
    change = point.first[kinds].swapaxes(0, 1)
    left = point.inverse @ change
    spread = np.asarray(2 * np.linalg.inv(curve.expected if expected else curve.observed))
    plain = point.covariance
    moved = -curve.moved
    weighted = np.tensordot(spread, left @ point.inverse, axes=1)
    joined = np.einsum("ipab,ipbc->pac", left, weighted, optimize=True)
    inner = (joined.ravel() @ layout.cross).reshape(k + 1, k + 1)[:k, :k]
    inner = inner - np.einsum("ij,iab,bc,jcd->ad", spread, moved, plain, moved, optimize=True)
    if second_order and point.second.any():
        curved = np.tensordot(spread, point.second, axes=((0, 1), (1, 2)))[kinds]
        turned = point.inverse @ curved @ point.inverse
        inner = inner - (turned.ravel() @ layout.cross).reshape(k + 1, k + 1)[:k, :k] / 4
    inner = (inner + inner.T) / 2
    adjusted = plain + 2 * plain @ inner @ plain
    return Adjustment(adjusted * layout.scale**2, plain, moved, spread)


def approximate_f(adjusted: Adjustment, rows: Floats) -> tuple[float, float]:
    """Scale and denominator degrees of freedom of the F of some combinations.

    Parameters
    ----------
    adjusted : Adjustment
        See :func:`adjustment`.
    rows : ndarray, shape (q, k)
        Linearly independent combinations.

    Returns
    -------
    scale, df : float
        The Wald statistic over q times scale is approximately F with q and df.

    References
    ----------
    Kenward and Roger 1997, section 4.
    """
    q = rows.shape[0]
    plain, moved = adjusted.plain, adjusted.slopes
    theta = rows.T @ np.linalg.solve(rows @ plain @ rows.T, rows)
    parts = theta @ plain @ moved @ plain
    traces = np.einsum("iaa->i", parts)
    a1 = float(traces @ adjusted.spread @ traces)
    a2 = float((adjusted.spread * np.einsum("iab,jba->ij", parts, parts)).sum())
    if q == 1:
        return 1.0, 2.0 / a2 if a2 > 0 else float("inf")
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    shared = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / shared, (q - g) / shared, (q + 2 - g) / shared
    mean = 1 / (1 - a2 / q)
    variance = (2 / q) * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    ratio = variance / (2 * mean**2)
    df = 4 + (q + 2) / (q * ratio - 1)
    return df / (mean * (df - 2)), df
