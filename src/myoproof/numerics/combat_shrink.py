"""Empirical Bayes of ComBat: a site's location and scale drawn towards what its other features say."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MAXIMUM_ROUNDS = 10_000


def shrink_parametric(
    z: Floats, mean: Floats, variance: Floats, *, tolerance: float = 1e-4
) -> tuple[Floats, Floats]:
    """Posterior means under a normal and an inverse-gamma prior, moments of the features' own estimates.

    Parameters
    ----------
    z : (n, p) float64
        Standardised values of one site; NaN where missing.
    mean, variance : (p,) float64
        Of the site; p at least 2.
    tolerance : float
        Largest signed relative change at which the iteration stops, as in the published programs.

    Returns
    -------
    tuple of (p,) float64
        Location and variance.

    References
    ----------
    Johnson, Li & Rabinovic 2007, Biostatistics 8:118, section 3.2.
    """
    n = np.isfinite(z).sum(axis=0)
    centre, tau2 = mean.mean(), mean.var(ddof=1)
    m, s2 = variance.mean(), variance.var(ddof=1)
    if s2 < 1e-30 or tau2 < 1e-30:
        return mean, variance
    a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
    g_old, d_old = mean, variance
    for _ in range(MAXIMUM_ROUNDS):
        g = (tau2 * n * mean + d_old * centre) / (tau2 * n + d_old)
        squares = np.nansum((z - g) ** 2, axis=0)
        d = (0.5 * squares + b) / (n / 2 + a - 1)
        change = max(_relative(g, g_old), _relative(d, d_old))
        g_old, d_old = g, d
        if change <= tolerance:
            break
    return g_old, d_old


def _relative(new: Floats, old: Floats) -> float:
    """Largest change relative to the old value, its sign included: the published stopping rule."""
    safe = np.where(old == 0, 1e-300, old)
    return float((np.abs(new - old) / safe).max())


def shrink_shift(mean: Floats) -> Floats:
    """Location alone: each feature's mean drawn half-way by a unit variance against that of all features.

    Parameters
    ----------
    mean : (p,) float64
        Of one site.
    """
    tau2 = mean.var(ddof=1)
    return np.asarray((tau2 * mean + mean.mean()) / (tau2 + 1.0))


def shrink_nonparametric(z: Floats, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Posterior means where the other features' estimates are themselves the prior.

    Parameters
    ----------
    z : (n, p) float64
        Standardised values of one site; NaN where missing.
    mean, variance : (p,) float64
        Of the site.

    Returns
    -------
    tuple of (p,) float64
        Location and variance.

    References
    ----------
    Johnson, Li & Rabinovic 2007, Biostatistics 8:118, supplementary methods.
    """
    n = np.isfinite(z).sum(axis=0)
    total = np.nansum(z, axis=0)
    squares = np.nansum(z**2, axis=0)
    g, d = np.empty_like(mean), np.empty_like(variance)
    for j in range(len(mean)):
        others = np.arange(len(mean)) != j
        m, v = mean[others], variance[others]
        distance = squares[j] - 2 * m * total[j] + n[j] * m**2
        log_likelihood = -0.5 * n[j] * np.log(2 * np.pi * v) - distance / (2 * v)
        weight = np.exp(log_likelihood - log_likelihood.max())
        weight /= weight.sum()
        g[j], d[j] = m @ weight, v @ weight
    return g, d
