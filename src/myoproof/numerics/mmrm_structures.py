"""Covariance structures of repeated measures: matrices over visits with first and second derivatives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Name = Literal[
    "UN", "CS", "CSH", "AR1", "ARH1", "TOEP", "TOEPH", "ANTE", "SP_EXP", "SP_GAU", "SP_POW", "SLOPE"
]
SPATIAL: tuple[Name, ...] = ("SP_EXP", "SP_GAU", "SP_POW")
"""Structures of distances between coordinates, not of visits."""
PLACED: tuple[Name, ...] = (*SPATIAL, "SLOPE")
"""Structures that need coordinates: distances, or times for random intercepts and slopes."""
LINEAR: tuple[Name, ...] = ("UN", "CS", "TOEP", "SLOPE")
"""Structures whose parameters are covariances, so that the matrix is linear in them."""
HETEROGENEOUS: tuple[Name, ...] = ("CSH", "ARH1", "TOEPH", "ANTE")
"""Structures with a variance for every visit."""
Parts = tuple[Floats, Floats, Floats]
"""A matrix with its first and second derivatives, or a stack of each."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One covariance structure over visits (or over coordinates).

    Parameters
    ----------
    name : str
        The acronym that SAS PROC MIXED uses; ANTE is its ANTE(1).
    n_visits : int
        Visits; rows and columns of the matrix.
    labels : tuple of str
        Names of the parameters.
    start : callable
        Variances by visit (n_visits,) and typical distance (or time) -> first parameters.
    evaluate : callable
        Parameters (m,) and coordinates (k, n, d) -> matrices (k or 1, n, n), first (.., m, n, n) and second
        derivatives (.., m, m, n, n).
    """

    name: Name
    n_visits: int
    labels: tuple[str, ...]
    start: Callable[[Floats, float], Floats]
    evaluate: Callable[[Floats, Floats | None], Parts]


def structure(name: Name, n_visits: int) -> Structure:
    """The structure of a name over a number of visits.

    Parameters
    ----------
    name : str
        UN (unstructured), CS and CSH (compound symmetry, heterogeneous), AR1 and ARH1 (autoregressive),
        TOEP and TOEPH (Toeplitz), ANTE (heterogeneous ante-dependence), SP_EXP, SP_GAU and SP_POW (spatial
        exponential, Gaussian, power), SLOPE (random intercepts and slopes over a time, with a residual).
    n_visits : int
        At least one.

    References
    ----------
    SAS/STAT User's Guide, The MIXED Procedure, table "Covariance Structures".

    Examples
    --------
    >>> structure("TOEP", 3).evaluate(np.array([4.0, 2.0, 1.0]), None)[0][0].tolist()
    [[4.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 4.0]]
    """
    if name == "SLOPE":
        return _random_slope(n_visits)
    if name in LINEAR:
        return _linear(name, n_visits)
    return _scaled(name, n_visits)


def _linear(name: Name, n: int) -> Structure:
    """Sum of parameters times fixed matrices."""
    basis, labels, diagonal = _basis(name, n)

    def start(variances: Floats, distance: float) -> Floats:
        del distance
        theta = np.zeros(len(labels))
        theta[diagonal] = variances if name == "UN" else variances.mean()
        return theta

    second = np.zeros((1, len(labels), len(labels), n, n))

    def evaluate(theta: Floats, coordinates: Floats | None) -> Parts:
        del coordinates
        return np.tensordot(theta, basis, axes=1)[None], basis[None], second

    return Structure(name, n, labels, start, evaluate)


def _random_slope(n: int) -> Structure:
    """Variances of intercept and slope, their covariance, and a residual variance; linear in all four."""

    def start(variances: Floats, time: float) -> Floats:
        whole = float(variances.mean())
        return np.array([whole / 2, 0.0, whole / 8 / max(time**2, 1e-300), whole / 2])

    def evaluate(theta: Floats, coordinates: Floats | None) -> Parts:
        times = _given(coordinates)[..., 0]
        t, u = times[:, :, None], times[:, None, :]
        basis = np.stack([np.ones_like(t * u), t + u, t * u, np.broadcast_to(np.eye(n), (len(t), n, n))], 1)
        return np.einsum("m,kmab->kab", theta, basis), basis, np.zeros((len(t), 4, 4, n, n))

    labels = ("variance of intercepts", "covariance", "variance of slopes", "variance")
    return Structure("SLOPE", n, labels, start, evaluate)


def _basis(name: Name, n: int) -> tuple[Floats, tuple[str, ...], list[int]]:
    rows, columns = np.indices((n, n))
    if name == "UN":
        pairs = [(row, column) for row in range(n) for column in range(row + 1)]
        basis = [np.maximum(rows, columns) * n + np.minimum(rows, columns) == r * n + c for r, c in pairs]
        labels = tuple(f"UN({row + 1},{column + 1})" for row, column in pairs)
        diagonal = [place for place, (row, column) in enumerate(pairs) if row == column]
    elif name == "CS":
        basis = [rows == columns, *([rows != columns] if n > 1 else [])]
        labels, diagonal = ("variance", "covariance")[: len(basis)], [0]
    else:
        basis = [np.abs(rows - columns) == lag for lag in range(n)]
        labels, diagonal = tuple(f"TOEP({lag + 1})" for lag in range(n)), [0]
    return np.array(basis, dtype=np.float64), labels, diagonal


def _scaled(name: Name, n: int) -> Structure:
    """Variances times correlations: element (a, b) is sqrt(v_a v_b) r_ab."""
    spread = n if name in HETEROGENEOUS else 1
    labels = tuple(f"variance({visit + 1})" for visit in range(n)) if spread > 1 else ("variance",)
    correlation, extra = _correlation(name, n)

    def start(variances: Floats, distance: float) -> Floats:
        first = {"SP_EXP": distance / 2, "SP_GAU": distance, "SP_POW": 0.3}.get(name, 0.05)
        own = variances if spread > 1 else variances.mean(keepdims=True)
        return np.concatenate([own, np.full(len(extra), first)])

    def evaluate(theta: Floats, coordinates: Floats | None) -> Parts:
        scale = _scale(theta[:spread], n) if spread > 1 else _one_scale(theta[0], n)
        return _product(scale, correlation(theta[spread:], coordinates))

    return Structure(name, n, labels + extra, start, evaluate)


def _one_scale(variance: float, n: int) -> Parts:
    return np.full((n, n), variance), np.ones((1, n, n)), np.zeros((1, 1, n, n))


def _scale(variances: Floats, n: int) -> Parts:
    """Matrix of sqrt(v_a v_b) with derivatives by v."""
    if (variances <= 0).any():
        empty = np.full((n, n), np.nan)
        return empty, np.tile(empty, (n, 1, 1)), np.tile(empty, (n, n, 1, 1))
    root = np.sqrt(variances)
    scale = np.outer(root, root)
    unit = np.eye(n)
    touched = unit[:, :, None] + unit[:, None, :]
    first = touched * scale / (2 * variances[:, None, None])
    second = touched[:, None] * touched[None, :] * scale
    second = second / (4 * variances[:, None, None, None] * variances[None, :, None, None])
    for visit in range(n):
        second[visit, visit] -= first[visit] / variances[visit]
        second[visit, visit, visit, visit] = 0.0
    return scale, first, second


def _product(scale: Parts, correlation: Parts) -> Parts:
    """Element-wise product of two parametrised matrices, with derivatives by both sets of parameters."""
    s, ds, dds = scale
    r, dr, ddr = correlation
    k, m, n = r.shape[0], ds.shape[0], s.shape[0]
    extra = dr.shape[1]
    first = np.concatenate([ds[None] * r[:, None], s * dr], axis=1)
    second = np.empty((k, m + extra, m + extra, n, n))
    second[:, :m, :m] = dds[None] * r[:, None, None]
    cross = ds[None, :, None] * dr[:, None]
    second[:, :m, m:] = cross
    second[:, m:, :m] = cross.swapaxes(1, 2)
    second[:, m:, m:] = s * ddr
    return s * r, first, second


Correlation = Callable[[Floats, Floats | None], Parts]


def _correlation(name: Name, n: int) -> tuple[Correlation, tuple[str, ...]]:
    """Correlations with derivatives, and the names of their parameters."""
    lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    if name == "CSH":
        return lambda rho, _: _linear_correlation(rho, [lags > 0]), ("correlation",)
    if name == "TOEPH":
        bands = [lags == lag for lag in range(1, n)]
        labels = tuple(f"correlation({lag})" for lag in range(1, n))
        return lambda rho, _: _linear_correlation(rho, bands), labels
    if name == "ANTE":
        return lambda rho, _: _antedependence(rho, n), tuple(f"correlation({v})" for v in range(1, n))
    if name in ("AR1", "ARH1"):
        return lambda rho, _: _power(float(rho[0]), lags[None].astype(np.float64)), ("correlation",)
    label = "correlation" if name == "SP_POW" else "range"
    return lambda rho, places: _spatial(name, float(rho[0]), distances(_given(places))), (label,)


def distances(coordinates: Floats) -> Floats:
    """Distances between the rows of each subject: (k, n, d) -> (k, n, n)."""
    gaps = coordinates[:, :, None] - coordinates[:, None, :]
    return np.asarray(np.sqrt((gaps**2).sum(axis=-1)))


def _given(coordinates: Floats | None) -> Floats:
    if coordinates is None:
        raise ValueError("this structure needs coordinates")
    return coordinates


def _linear_correlation(rho: Floats, bands: list[npt.NDArray[np.bool_]]) -> Parts:
    first = np.array(bands, dtype=np.float64)
    n = first.shape[-1]
    matrix = np.eye(n) + np.tensordot(rho, first, axes=1)
    return matrix[None], first[None], np.zeros((1, rho.size, rho.size, n, n))


def _power(rho: float, lags: Floats) -> Parts:
    """Powers of a correlation; a negative one only makes sense for whole lags."""
    if abs(rho) >= 1:
        return _impossible(lags)
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = np.where(lags == 0, 1.0, np.sign(rho) ** np.round(lags) * np.abs(rho) ** lags)
        first = np.where(lags == 0, 0.0, lags * _signed_power(rho, lags - 1))
        second = np.where(lags <= 1, 0.0, lags * (lags - 1) * _signed_power(rho, lags - 2))
        second = np.where((lags > 0) & (lags < 1), lags * (lags - 1) * _signed_power(rho, lags - 2), second)
    return matrix, first[:, None], second[:, None, None]


def _signed_power(rho: float, exponent: Floats) -> Floats:
    return np.asarray(np.sign(rho) ** np.round(exponent) * np.abs(rho) ** exponent, dtype=np.float64)


def _antedependence(rho: Floats, n: int) -> Parts:
    """Correlation of two visits: the product of those between neighbours on the way."""
    rows, columns = np.indices((n, n))
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    used = np.array([(low <= step) & (step < high) for step in range(n - 1)])
    factors = np.where(used, rho[:, None, None], 1.0)
    first = np.zeros((n - 1, n, n))
    second = np.zeros((n - 1, n - 1, n, n))
    for i in range(n - 1):
        first[i] = np.where(used[i], np.prod(np.delete(factors, i, axis=0), axis=0), 0.0)
        for j in range(i):
            both = np.prod(np.delete(factors, [i, j], axis=0), axis=0)
            second[i, j] = second[j, i] = np.where(used[i] & used[j], both, 0.0)
    return np.prod(factors, axis=0)[None], first[None], second[None]


def _spatial(name: Name, parameter: float, lags: Floats) -> Parts:
    if name == "SP_POW":
        return _power(parameter, lags) if parameter > 0 else _impossible(lags)
    if parameter <= 0:
        return _impossible(lags)
    power = 1 if name == "SP_EXP" else 2
    exponent = (lags / parameter) ** power
    matrix = np.exp(-exponent)
    slope = power * exponent / parameter
    first = matrix * slope
    second = matrix * (slope**2 - (power + 1) * slope / parameter)
    return matrix, first[:, None], second[:, None, None]


def _impossible(lags: Floats) -> Parts:
    empty = np.full(lags.shape, np.nan)
    return empty, empty[:, None], empty[:, None, None]
