"""How groups of subjects differ at the start: standardised differences of numbers and of categories."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def difference_of_numbers(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Difference of two means in units of the root mean square of the two SDs.

    Parameters
    ----------
    one, other : array of float
        Values of two groups; NaN is left out.

    Returns
    -------
    float
        First less second; NaN where a group has fewer than two values or both do not vary.

    References
    ----------
    Austin 2009, Stat Med 28:3083.

    Examples
    --------
    >>> difference_of_numbers([1.0, 3.0], [0.0, 2.0])
    0.7071067811865475
    """
    a, b = (np.asarray(group, dtype=np.float64) for group in (one, other))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < 2:
        return float("nan")
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float((a.mean() - b.mean()) / spread) if spread > 0 else float("nan")


def difference_of_shares(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Distance of two distributions over categories, as one standardised difference.

    Parameters
    ----------
    one, other : (k,) array of int
        Counts of the categories in two groups.

    Returns
    -------
    float
        At least 0; with two categories |p1 - p2| / sqrt((p1 q1 + p2 q2) / 2). NaN where a group is empty;
        infinite where the groups share no category.

    References
    ----------
    Yang & Dalton 2012, SAS Global Forum 335.

    Examples
    --------
    >>> round(difference_of_shares([30, 70], [50, 50]), 4)
    0.417
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    held = (a + b) > 0
    if a.sum() == 0 or b.sum() == 0:
        return float("nan")
    p, q = a[held] / a.sum(), b[held] / b.sum()
    p, q = p[1:], q[1:]
    gap = p - q
    if not len(gap) or not np.any(gap):
        return 0.0
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    values, vectors = np.linalg.eigh(covariance)
    along = vectors.T @ gap
    flat = values < 1e-12
    if np.any(np.abs(along[flat]) > 1e-9):
        return float("inf")
    return float(np.sqrt((along[~flat] ** 2 / values[~flat]).sum()))


def largest_difference(groups: list[Floats], *, categories: bool) -> float:
    """The largest absolute standardised difference over pairs of groups.

    Parameters
    ----------
    groups : list of arrays
        Values, or counts of the same categories, a group each.
    categories : bool
        Whether they are counts.
    """
    of = difference_of_shares if categories else difference_of_numbers
    found = [abs(of(groups[i], groups[j])) for i in range(len(groups)) for j in range(i)]
    known = [value for value in found if not np.isnan(value)]
    return max(known, default=float("nan"))


def cramers_v(counts: npt.ArrayLike) -> float:
    """Association of two categorical columns, 0 to 1, corrected for what chance gives.

    Parameters
    ----------
    counts : (r, c) array of int
        Cross table.

    References
    ----------
    Bergsma 2013, J Korean Stat Soc 42:323.

    Examples
    --------
    >>> round(cramers_v([[20, 0], [0, 20]]), 6)
    1.0
    """
    table = np.asarray(counts, dtype=np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (r, c) = table.sum(), table.shape
    if min(r, c) < 2 or n < 2:
        return float("nan")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = float(((table - expected) ** 2 / expected).sum()) / n
    phi = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    return float(min(1.0, np.sqrt(phi / min(rows - 1, columns - 1))))
