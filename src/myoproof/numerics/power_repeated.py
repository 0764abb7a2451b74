"""Sample size of two-arm trials with repeated measures: slopes by two roads, and the last visit (MMRM)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from myoproof.numerics.power import AIM, Aim, Arms, normal_size


def diggle_size(delta: float, times: npt.ArrayLike, covariance: npt.ArrayLike, aim: Aim = AIM) -> Arms:
    """Subjects to tell two slopes apart, by generalised least squares over all visits.

    Parameters
    ----------
    delta : float
        Difference of slopes a unit of time.
    times : array_like, shape (n_visits,)
        Visit times.
    covariance : array_like, shape (n_visits, n_visits)
        Covariance of one subject's values.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        If the times have no spread or the covariance is not positive definite.

    References
    ----------
    Diggle, Heagerty, Liang and Zeger, Analysis of Longitudinal Data, 2nd ed. 2002, p. 29, with any
    covariance; the book's table has a uniform correlation and a one-sided level.

    Examples
    --------
    >>> uniform = 100 * (0.2 + 0.8 * np.eye(3))
    >>> round(diggle_size(0.5, [0, 2, 5], uniform, Aim(sides=1)).control, 2)
    312.38
    """
    return normal_size(delta, gls_slope_variance(times, covariance), aim)


def gls_slope_variance(times: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Variance of one subject's slope by generalised least squares.

    Parameters
    ----------
    times : array_like, shape (n_visits,)
        Visit times.
    covariance : array_like, shape (n_visits, n_visits)
        Covariance of the values.

    Raises
    ------
    ValueError
        If the times have no spread or the covariance is not positive definite.

    Examples
    --------
    >>> gls_slope_variance([0, 1], np.eye(2))
    2.0
    """
    t = np.asarray(times, dtype=np.float64)
    if t.size < 2 or np.ptp(t) == 0:
        raise ValueError("a slope needs visits at two times or more")
    try:
        factor = np.linalg.cholesky(np.asarray(covariance, dtype=np.float64))
    except np.linalg.LinAlgError as error:
        raise ValueError("the covariance of the visits is not positive definite") from error
    design = np.linalg.solve(factor, np.stack([np.ones_like(t), t], axis=1))
    a, b, c = design[:, 0] @ design[:, 0], design[:, 0] @ design[:, 1], design[:, 1] @ design[:, 1]
    return float(a / (a * c - b * b))


def edland_size(
    delta: float, times: npt.ArrayLike, slope_variance: float, residual_variance: float, aim: Aim = AIM
) -> Arms:
    """Subjects to tell two slopes apart when every subject has its own slope and intercept.

    Parameters
    ----------
    delta : float
        Difference of slopes a unit of time.
    times : array_like, shape (n_visits,)
        Visit times.
    slope_variance, residual_variance : float
        Between subjects, and within.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        If the times have no spread or a variance is negative.

    References
    ----------
    Edland, in Ard and Edland, J Alzheimers Dis 2011;26 Suppl 3:369, eq. 1.

    Examples
    --------
    >>> round(edland_size(0.25, range(0, 13, 2), 0.25, 4.0).control, 2)
    71.76
    """
    t = np.asarray(list(times) if isinstance(times, range) else times, dtype=np.float64)
    spread = float(((t - t.mean()) ** 2).sum())
    if spread == 0:
        raise ValueError("a slope needs visits at two times or more")
    if slope_variance < 0 or residual_variance < 0:
        raise ValueError("a variance is negative")
    return normal_size(delta, slope_variance + residual_variance / spread, aim)


def change_variance(span: float, slope_variance: float, residual_variance: float) -> float:
    """Variance of the plain change over a span when every subject has its own slope.

    Examples
    --------
    >>> change_variance(2.0, 0.25, 4.0)
    9.0
    """
    return span**2 * slope_variance + 2 * residual_variance


def mmrm_variance(covariance: npt.ArrayLike, retention: Sequence[float]) -> float:
    """Variance of one subject's contribution to the last visit's mean under drop-out (MMRM).

    Parameters
    ----------
    covariance : array_like, shape (n_visits, n_visits)
        Covariance of the visits that enter the model.
    retention : sequence of float, length n_visits
        Share of the randomised still there at each visit; starts at 1 or below and never rises.

    Raises
    ------
    ValueError
        If the retention rises or leaves 0-1, or the covariance is not positive definite.

    References
    ----------
    Lu, Luo and Chen, Int J Biostat 2008;4(1):9, eq. 2-4: information summed over the drop-out patterns.

    Examples
    --------
    >>> round(mmrm_variance(np.eye(2), [1.0, 0.5]), 3)
    2.0
    """
    sigma = np.asarray(covariance, dtype=np.float64)
    held = np.asarray(retention, dtype=np.float64)
    n = len(sigma)
    if held.size != n or (np.diff(held) > 1e-12).any() or not ((held > 0) & (held <= 1)).all():
        raise ValueError("retention needs a share a visit, above 0, at most 1, never rising")
    if np.linalg.eigvalsh(sigma)[0] <= 0:
        raise ValueError("the covariance of the visits is not positive definite")
    information = np.zeros((n, n))
    for visits, share in enumerate(held - np.append(held[1:], 0.0), start=1):
        information[:visits, :visits] += share * np.linalg.inv(sigma[:visits, :visits])
    return float(np.linalg.inv(information)[-1, -1])


def mmrm_size(delta: float, covariance: npt.ArrayLike, retention: Sequence[float], aim: Aim = AIM) -> Arms:
    """Subjects for a difference at the last visit in a mixed model for repeated measures.

    Parameters
    ----------
    delta : float
        Difference of the arms at the last visit.
    covariance, retention
        As :func:`mmrm_variance`; the same in both arms.
    aim : Aim
        Power, level, sides, allocation.

    Raises
    ------
    ValueError
        As :func:`mmrm_variance`.

    References
    ----------
    Lu, Luo and Chen, Int J Biostat 2008;4(1):9.

    Examples
    --------
    >>> r = 0.25 ** np.abs(np.subtract.outer(range(4), range(4)))
    >>> round(mmrm_size(0.5, r, [1, 0.9, 0.8, 0.7]).control, 2)
    88.96
    """
    return normal_size(delta, mmrm_variance(covariance, retention), aim)
