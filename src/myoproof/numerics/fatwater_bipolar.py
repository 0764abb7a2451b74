"""What bipolar readouts leave between odd and even echoes: a smooth complex factor, from residuals."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.fatwater_refine import Model

Singles = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]


@njit(cache=True, nogil=True)
def alternation(signals: Complexes, model: Model, fitted: Singles, out: Complexes, weight: Singles) -> None:
    """Write per voxel the step of the factor's logarithm z in s_n exp((-1)^n z), and its information.

    The derivative of the model by it is (-1)^n s_n, again analytic, so that one complex projection outside
    the span of water, fat and the field gives both.
    """
    n = signals.shape[1]
    basis = np.empty((3, n), np.complex128)
    for v in range(signals.shape[0]):
        p = complex(-fitted[v, 5], 2 * np.pi * fitted[v, 4])
        water = complex(fitted[v, 0], fitted[v, 1])
        fat = complex(fitted[v, 2], fitted[v, 3])
        target = np.empty(n, np.complex128)
        rest = np.empty(n, np.complex128)
        for e in range(n):
            turn = np.exp(p * model.times[e])
            m = (water + fat * model.fat[e]) * turn
            basis[0, e], basis[1, e], basis[2, e] = turn, model.fat[e] * turn, model.times[e] * m
            target[e] = m if e % 2 == 0 else -m
            rest[e] = signals[v, e] - m
        for i in range(3):
            for j in range(i):
                along = np.vdot(basis[j], basis[i])
                basis[i] -= along * basis[j]
            size = np.sqrt(np.vdot(basis[i], basis[i]).real)
            if size > 0:
                basis[i] /= size
            target -= np.vdot(basis[i], target) * basis[i]
            rest -= np.vdot(basis[i], rest) * basis[i]
        info = np.vdot(target, target).real
        weight[v] = info
        out[v] = np.vdot(target, rest) / info if info > 0 else 0j


def smooth_factor(
    step: Complexes, weight: Singles, place: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> npt.NDArray[np.complex128]:
    """Polynomial that fits the steps by weighted least squares, at the wanted voxels.

    Parameters
    ----------
    step : (v,) complex64
    weight : (v,) float32
    place, wanted : (v, 3), (w, 3) float64
        Voxel indices.

    Returns
    -------
    (w,) complex128
        Steps beyond 1 are outliers of failed fits and weigh nothing.
    """
    centre = place.mean(axis=0)
    span = np.maximum(np.ptp(place, axis=0), 1.0) / 2
    flat = np.ptp(place[:, 2]) < 3
    good = np.where(np.abs(step) < 1, np.minimum(weight, np.quantile(weight, 0.9)), 0).astype(np.float64)
    some = slice(None, None, max(1, step.size // 100_000))
    root = np.sqrt(good[some])[:, None]
    design = _design((place[some] - centre) / span, flat=bool(flat))
    coefficients = np.linalg.lstsq(design * root, step[some] * root[:, 0], rcond=None)[0]
    return np.asarray(_design((wanted - centre) / span, flat=bool(flat)) @ coefficients, dtype=np.complex128)


def _design(scaled: npt.NDArray[np.float64], *, flat: bool) -> npt.NDArray[np.float64]:
    """Monomials up to the second degree; without those along z where there are few slices."""
    x, y, z = scaled.T
    parts = [np.ones_like(x), x, y, x * x, x * y, y * y]
    return np.stack(parts if flat else [*parts, z, x * z, y * z], axis=1)
