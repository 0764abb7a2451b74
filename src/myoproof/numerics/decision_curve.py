"""Decision curves: what acting on a prediction is worth, against treating everyone and no one."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def net_benefit(events: npt.ArrayLike, chances: npt.ArrayLike, thresholds: npt.ArrayLike) -> Floats:
    """Net benefit of acting where the predicted chance reaches a threshold.

    True positives less false positives weighed by the odds of the threshold, a patient; higher is better.

    Parameters
    ----------
    events : array_like of bool, shape (n,)
        Whether the event came.
    chances : array_like, shape (n,)
        Predicted chances, 0-1.
    thresholds : array_like, shape (m,)
        Chances from which one would act, 0 to below 1.

    Returns
    -------
    ndarray, shape (m,)

    Raises
    ------
    ValueError
        If lengths differ, a chance or threshold is outside its bounds, or there is nobody.

    References
    ----------
    Vickers and Elkin, Med Decis Making 2006;26:565.

    Examples
    --------
    >>> net_benefit([1, 0, 0, 1], [0.9, 0.6, 0.1, 0.8], [0.5]).tolist()
    [0.25]
    """
    seen, chance, at = _checked(events, chances, thresholds)
    acted = chance[None, :] >= at[:, None]
    right, wrong = (acted & seen).mean(axis=1), (acted & ~seen).mean(axis=1)
    return np.asarray(right - wrong * at / (1 - at), dtype=np.float64)


def treat_all(events: npt.ArrayLike, thresholds: npt.ArrayLike) -> Floats:
    """Net benefit of acting on everyone; acting on no one is worth 0.

    Parameters
    ----------
    events : array_like of bool, shape (n,)
        Whether the event came.
    thresholds : array_like, shape (m,)
        As :func:`net_benefit`.

    Raises
    ------
    ValueError
        As :func:`net_benefit`.

    Examples
    --------
    >>> treat_all([1, 0, 0, 1], [0.2]).round(3).tolist()
    [0.375]
    """
    seen = np.asarray(events).ravel()
    return net_benefit(seen, np.ones(seen.size), thresholds)


def _checked(
    events: npt.ArrayLike, chances: npt.ArrayLike, thresholds: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    seen = np.asarray(events).ravel().astype(np.bool_)
    chance = np.asarray(chances, dtype=np.float64).ravel()
    at = np.asarray(thresholds, dtype=np.float64).ravel()
    if seen.size != chance.size or seen.size == 0:
        raise ValueError("events and chances differ in length, or there is nobody")
    if not ((chance >= 0) & (chance <= 1)).all() or not ((at >= 0) & (at < 1)).all():
        raise ValueError("chances lie from 0 to 1, thresholds from 0 to below 1")
    return seen, chance, at
