"""Consensus over resampled partitions: how often two subjects fall together, how often that is unclear."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
UNCLEAR = (0.1, 0.9)
"""Shares between which a pair is neither together nor apart (Senbabaoglu 2014)."""


def co_association(labels: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """Share of the resamples holding both of two subjects in which they fall together.

    Parameters
    ----------
    labels : (n_resamples, n) int8
        Partitions; -1 where a subject was not drawn.

    Returns
    -------
    (n, n) float32
        1 on the diagonal; NaN for a pair that no resample holds.

    References
    ----------
    Monti, Tamayo, Mesirov & Golub 2003, Mach Learn 52:91 (consensus matrix).

    Examples
    --------
    >>> (3 * co_association(np.array([[0, 0, 1], [1, 1, 0], [0, 1, -1]], dtype=np.int8))).tolist()
    [[3.0, 2.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 3.0]]
    """
    drawn = (labels >= 0).astype(np.float32)
    both = drawn.T @ drawn
    together = np.zeros_like(both)
    for cluster in range(int(labels.max(initial=0)) + 1):
        members = (labels == cluster).astype(np.float32)
        together += members.T @ members
    return np.where(both > 0, together / np.maximum(both, 1), np.nan).astype(np.float32)


def ambiguous_share(labels: npt.NDArray[np.int8]) -> float:
    """Proportion of ambiguously clustered pairs (PAC): together in 10 to 90 % of the resamples.

    Parameters
    ----------
    labels : (n_resamples, n) int8
        Partitions; -1 where a subject was not drawn.

    Returns
    -------
    float
        0 where every pair is always together or always apart; higher is less stable. NaN without a pair.

    References
    ----------
    Senbabaoglu, Michailidis & Li 2014, Sci Rep 4:6207.
    """
    shares = co_association(labels)
    pairs = shares[np.triu_indices(len(shares), 1)]
    pairs = pairs[np.isfinite(pairs)]
    return float(np.mean((pairs > UNCLEAR[0]) & (pairs < UNCLEAR[1]))) if len(pairs) else np.nan
