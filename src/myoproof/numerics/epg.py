"""Extended phase graphs: echo amplitudes of multi-echo spin-echo trains with any refocusing angles."""

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]


def echo_train(
    refocusing_rad: npt.ArrayLike,
    *,
    echo_spacing_s: float,
    t1_s: npt.ArrayLike,
    t2_s: npt.ArrayLike,
) -> Floats:
    """Amplitudes of the echoes of a Carr-Purcell-Meiboom-Gill train.

    Parameters
    ----------
    refocusing_rad : array_like, shape (..., echo)
        Angle of each refocusing pulse; the pulses turn about the axis along which the magnetisation lies.
    echo_spacing_s : float
        Between echoes; the first one comes at this time.
    t1_s, t2_s : array_like
        Relaxation times, broadcast against the leading axes of the angles.

    Returns
    -------
    ndarray, shape (..., echo)
        Echo amplitudes for unit transverse magnetisation after the excitation. Spoilers around each
        refocusing pulse suppress its free induction decay; longitudinal recovery between the pulses never
        reaches an echo of such a train and is left out.

    References
    ----------
    Hennig J. J Magn Reson 1988;78:397; Weigel M. J Magn Reson Imaging 2015;41:266 (eqs. 14, 18, 19).

    Examples
    --------
    >>> train = echo_train(np.full(3, np.pi), echo_spacing_s=0.01, t1_s=1.4, t2_s=0.04)
    >>> bool(np.allclose(train, np.exp(-np.array([0.01, 0.02, 0.03]) / 0.04)))
    True
    """
    angles = np.asarray(refocusing_rad, dtype=np.float64)
    n_echo = angles.shape[-1]
    lead = np.broadcast_shapes(angles.shape[:-1], np.shape(t1_s), np.shape(t2_s))
    trains = np.ascontiguousarray(np.broadcast_to(angles, (*lead, n_echo)).reshape(-1, n_echo))
    half = -0.5 * echo_spacing_s
    longitudinal, transverse = (
        np.ascontiguousarray(np.exp(half / np.broadcast_to(np.asarray(time, dtype=np.float64), lead)).ravel())
        for time in (t1_s, t2_s)
    )
    out = np.empty_like(trains)
    _trains(trains, longitudinal, transverse, out)
    return out.reshape(*lead, n_echo)


@njit(cache=True, nogil=True)
def _trains(angles: Floats, longitudinal: Floats, transverse: Floats, out: Floats) -> None:
    n_echo = angles.shape[1]
    ahead, behind, stored = np.empty((3, 2 * n_echo + 2))
    for row in range(angles.shape[0]):
        _one_train(angles[row], longitudinal[row], transverse[row], (ahead, behind, stored), out[row])


@njit(cache=True, nogil=True)
def _one_train(angles, keep_z, keep_xy, states, out):  # type: ignore[no-untyped-def]
    """One train; states ``F+``, ``F-`` and ``Z / i`` are real where pulses turn about the magnetisation."""
    ahead, behind, stored = states
    n_echo = angles.size
    ahead[:], behind[:], stored[:] = 0.0, 0.0, 0.0
    ahead[0] = behind[0] = 1.0
    for echo in range(n_echo):
        reach = min(2 * echo + 1, 2 * n_echo - 2 * echo)
        _half_spacing(states, keep_z, keep_xy, reach)
        cosine, sine = np.cos(angles[echo]), np.sin(angles[echo])
        kept, turned = 0.5 * (1.0 + cosine), 0.5 * (1.0 - cosine)
        for order in range(reach + 1):
            plus, minus, along = ahead[order], behind[order], stored[order]
            ahead[order] = kept * plus + turned * minus + sine * along
            behind[order] = turned * plus + kept * minus - sine * along
            stored[order] = 0.5 * sine * (minus - plus) + cosine * along
        _half_spacing(states, keep_z, keep_xy, min(2 * echo + 2, 2 * n_echo - 2 * echo))
        out[echo] = ahead[0]


@njit(cache=True, nogil=True)
def _half_spacing(states, keep_z, keep_xy, reach):  # type: ignore[no-untyped-def]
    """Relax over half an echo spacing and dephase by one order; orders beyond ``reach`` are not needed."""
    ahead, behind, stored = states
    for order in range(reach, 0, -1):
        ahead[order] = keep_xy * ahead[order - 1]
    for order in range(reach + 1):
        behind[order] = keep_xy * behind[order + 1]
        stored[order] = keep_z * stored[order]
    ahead[0] = behind[0]
