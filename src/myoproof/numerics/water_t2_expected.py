"""The standard deviation to be expected of a voxel's water T2 at a T2 that is not its own estimate."""

import numpy as np
import numpy.typing as npt
from numba import njit

from myoproof.numerics.water_t2 import Known
from myoproof.numerics.water_t2_dictionary import Dictionary
from myoproof.numerics.water_t2_kernel import B1, LOG_T2, SHARE, TOTAL, evaluate, model, solve
from myoproof.numerics.water_t2_rician import tables

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


def expected_sd(
    values: Floats32,
    dictionary: Dictionary,
    *,
    noise_sd: float,
    known: Known,
    t2_s: npt.ArrayLike,
    fat_share: npt.ArrayLike,
) -> Floats32:
    """Standard deviation of water T2 if it were ``t2_s``.

    An estimate that noise made short also states a small SD: weights from the SD at the estimate itself pull
    a mean down. At a T2 that voxels share they do not.

    Parameters
    ----------
    values : ndarray, shape (voxel, echo), float32
        Magnitudes; they tell the density at that T2.
    dictionary : Dictionary
        Signals of the echoes.
    noise_sd : float
        Of the real part.
    known : Known
        SDs of what was known of fat share and transmit field; the field's values.
    t2_s, fat_share : array_like, shape (voxel,)
        Where the information is taken.

    Returns
    -------
    ndarray, shape (voxel,), float32
        Seconds, from the Fisher information; NaN where a value is not finite.

    Examples
    --------
    >>> from myoproof.numerics.water_t2_dictionary import Train, build, signals
    >>> train = Train(echo_spacing_s=0.010, n_echo=17)
    >>> echoes = 50 * signals(train, [0.038], [1.0], t1_s=1.42)[0].astype("float32")
    >>> told = Known(fat_share_sd=0.0, b1_sd=0.0)
    >>> sd = expected_sd(echoes, build(train), noise_sd=1.0, known=told, t2_s=0.038, fat_share=0.0)
    >>> bool(1e-3 < sd[0] < 3e-3)
    True
    """
    n = values.shape[0]
    columns = (t2_s, fat_share, known.fat_share_sd, known.b1, known.b1_sd)
    told = np.stack([np.broadcast_to(np.asarray(c, dtype=np.float64), (n,)) for c in columns], axis=1)
    grid = (dictionary.log_t2, dictionary.b1, dictionary.water, dictionary.fat)
    out = np.full(n, np.nan, dtype=np.float32)
    usable = np.isfinite(told[:, [0, 1, 3]]).all(axis=1) & np.isfinite(values).all(axis=1)
    rows = np.flatnonzero(usable)
    limits = np.array([known.fat_signal, float(noise_sd) or 1e-3 * float(values[usable].max(initial=1.0))])
    _rows(values, rows, told, grid, tables(), limits, out)
    return out


@njit(cache=True, nogil=True)
def _rows(values, rows, told, grid, table, limits, out):  # type: ignore[no-untyped-def]
    n_echo = values.shape[1]
    log_t2, b1 = grid[0], grid[1]
    scale, sigma = limits
    y, theta, step, prior = np.empty(n_echo), np.empty(4), np.empty(4), np.empty(4)
    work = (np.empty((7, n_echo)), np.empty(4), np.empty((4, 4)), np.empty((4, 4)))
    free = np.ones(4, dtype=np.bool_)
    for row in rows:
        y[:] = values[row] / sigma
        theta[LOG_T2] = min(max(np.log(told[row, 0]), log_t2[0]), log_t2[-1])
        theta[B1] = min(max(told[row, 3], b1[0]), b1[-1])
        theta[TOTAL], theta[SHARE] = 1.0, told[row, 1]
        model(theta, grid, scale, work[0])
        along, norm = 0.0, 0.0
        for echo in range(n_echo):
            along += work[0][3, echo] * np.sqrt(max(y[echo] ** 2 - 1.0, 0.0))
            norm += work[0][3, echo] ** 2
        theta[TOTAL] = max(along / norm, 1e-3)
        prior[0], prior[1], prior[2], prior[3] = theta[SHARE], told[row, 2], theta[B1], told[row, 4]
        free[SHARE], free[B1] = prior[1] > 0.0, prior[3] > 0.0
        evaluate(y, theta, prior, grid, table, scale, work)
        solve(work[2], work[1], free, 0.0, step, work[3])
        out[row] = np.exp(theta[LOG_T2]) * np.sqrt(work[3][LOG_T2, LOG_T2])
