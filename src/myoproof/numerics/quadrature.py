"""Quadrature: Gauss-Hermite grids of several dimensions and the Gauss-Kronrod rules of 7 and 15 nodes."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
KronrodNodes = Literal[7, 15]

_KRONROD: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = {
    7: (
        (0.960491268708020283, 0.774596669241483377, 0.434243749346802558, 0.0),
        (0.104656226026467265, 0.268488089868333440, 0.401397414775962222, 0.450916538658474142),
    ),
    15: (
        (
            0.991455371120812639,
            0.949107912342758525,
            0.864864423359769073,
            0.741531185599394440,
            0.586087235467691130,
            0.405845151377397167,
            0.207784955007898468,
            0.0,
        ),
        (
            0.022935322010529225,
            0.063092092629978553,
            0.104790010322250184,
            0.140653259715525919,
            0.169004726639267903,
            0.190350578064785410,
            0.204432940075298892,
            0.209482141084727828,
        ),
    ),
}
"""Non-negative nodes and weights on [-1, 1]: Kronrod 1965; QUADPACK (Piessens et al. 1983), G7K15."""


def kronrod(nodes: KronrodNodes = 7) -> tuple[Floats, Floats]:
    """Nodes, ascending, and weights of the Gauss-Kronrod rule on [-1, 1].

    Parameters
    ----------
    nodes : {7, 15}
        Exact for polynomials up to degree 11 and 23.

    References
    ----------
    Kronrod, Nodes and Weights of Quadrature Formulas, 1965.

    Examples
    --------
    >>> at, weight = kronrod(7)
    >>> round(float(weight @ at**10), 12) == round(2 / 11, 12)
    True
    """
    upper, weights = (np.array(part) for part in _KRONROD[nodes])
    return np.concatenate([-upper, upper[-2::-1]]), np.concatenate([weights, weights[-2::-1]])


def hermite_grid(nodes: int, dimensions: int) -> tuple[Floats, Floats]:
    """The product Gauss-Hermite rule for the standard normal distribution.

    Parameters
    ----------
    nodes : int
        Nodes a dimension.
    dimensions : int
        Number of dimensions.

    Returns
    -------
    at : ndarray, shape (nodes ** dimensions, dimensions)
        Points in units of the standard deviation.
    log_weights : ndarray, shape (nodes ** dimensions,)
        Logarithms of weights that sum to 1.

    References
    ----------
    Abramowitz and Stegun 1964, sec. 25.4.46 (rescaled by sqrt 2).

    Examples
    --------
    >>> at, log_weights = hermite_grid(5, 2)
    >>> round(float(np.exp(log_weights) @ at[:, 0] ** 4), 12)
    3.0
    """
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    log_w = np.log(w / w.sum())
    axes = np.meshgrid(*[x] * dimensions, indexing="ij")
    weights = np.meshgrid(*[log_w] * dimensions, indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1), sum(part.ravel() for part in weights)
