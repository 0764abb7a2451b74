"""Multiple testing: Holm and Benjamini-Hochberg adjusted p values."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Procedure = Literal["holm", "benjamini_hochberg", "none"]


def adjust(p: npt.ArrayLike, procedure: Procedure) -> Floats:
    """Adjusted p values of one family; NaN stays NaN and counts as no test.

    Parameters
    ----------
    p : array_like, shape (n,)
        p values in [0, 1] or NaN.
    procedure : {"holm", "benjamini_hochberg", "none"}
        Family-wise error, false discovery rate, or as they are.

    Raises
    ------
    ValueError
        If a value is outside [0, 1] or the procedure is unknown.

    References
    ----------
    Holm, Scand J Stat 1979;6:65. Benjamini and Hochberg, J R Stat Soc B 1995;57:289.

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03], "holm").tolist()
    [0.03, 0.06, 0.06]
    """
    procedures: dict[str, Callable[[Floats], Floats]] = {
        "holm": _holm,
        "benjamini_hochberg": _benjamini_hochberg,
        "none": _as_they_are,
    }
    if procedure not in procedures:
        raise ValueError(f"unknown procedure {procedure!r}; known: {', '.join(procedures)}")
    values = np.asarray(p, dtype=np.float64)
    tested = np.isfinite(values)
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ValueError("a p value lies outside 0 to 1")
    adjusted = values.copy()
    if tested.any():
        adjusted[tested] = procedures[procedure](values[tested])
    return adjusted


def _holm(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _benjamini_hochberg(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")[::-1]
    stepped = np.minimum.accumulate(p[order] * p.size / np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _as_they_are(p: Floats) -> Floats:
    return p.copy()
