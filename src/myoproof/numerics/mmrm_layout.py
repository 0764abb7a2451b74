"""Repeated measurements sorted by patterns of missingness: a likelihood then costs one pass over patterns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Observations:
    """Rows of a repeated-measures model: one per subject and visit measured.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite outcomes.
    design : ndarray, shape (n, k)
        Columns of the fixed effects.
    subjects : ndarray, shape (n,)
        Whose row each is.
    visits : ndarray of int, shape (n,)
        Visit from 0; a subject has each at most once.
    groups : ndarray, optional, shape (n,)
        Group of each row's subject where groups have covariances of their own.
    weights : ndarray, optional, shape (n,)
        Positive weights: the covariance of rows a and b is divided by the root of their weights.
    coordinates : ndarray, optional, shape (n, d)
        Where or when each row was taken, for spatial structures and random slopes.
    """

    values: Floats
    design: Floats
    subjects: npt.NDArray[np.generic]
    visits: Whole
    groups: npt.NDArray[np.generic] | None = None
    weights: Floats | None = None
    coordinates: Floats | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Sums over subjects of one pattern, which are all that the likelihood needs.

    Parameters
    ----------
    cross : ndarray, shape (p * t * t, q * q)
        For each pattern and pair of visits the sum over subjects of z_a z_b', z = (design row, value).
    present : ndarray of bool, shape (p, t)
        Visits of a pattern.
    counts : ndarray, shape (p,)
        Subjects of a pattern.
    kinds : ndarray of int, shape (p,)
        Which covariance matrix the pattern takes: its group, or its place in `coordinates`.
    kept : ndarray of int
        Columns of the design that are not combinations of earlier ones.
    alias : ndarray, shape (k, n_columns)
        Every column of the design as a combination of those kept.
    log_weights : float
        Sum of the logarithms of the weights.
    variances : ndarray, shape (t,)
        Variances by visit around a least-squares fit.
    coordinates : ndarray, optional, shape (p, t, d)
        Coordinates of the rows of a pattern, for structures that need them.
    n_rows, n_subjects, n_visits, n_groups : int
        Sizes.
    scale : float
        What the values were divided by.
    together : ndarray of int, shape (t, t)
        Subjects seen at both visits, fewest over groups.
    """

    cross: Floats
    present: npt.NDArray[np.bool_]
    counts: Floats
    kinds: Whole
    kept: Whole
    alias: Floats
    log_weights: float
    variances: Floats
    coordinates: Floats | None
    n_rows: int
    n_subjects: int
    n_visits: int
    n_groups: int
    scale: float
    together: Whole


def arrange(rows: Observations) -> Layout:
    """Sort rows by pattern and add them up.

    Raises
    ------
    ValueError
        For values that are not finite, lengths that differ, a visit twice in one subject, weights not above
        zero, a subject in two groups, or no row at all.
    """
    _check(rows)
    scale = float(np.std(rows.values)) or 1.0
    root = np.ones(rows.values.size) if rows.weights is None else np.sqrt(rows.weights)
    kept = independent_columns(rows.design * root[:, None])
    z = np.column_stack([rows.design[:, kept], rows.values / scale]) * root[:, None]
    _, who = np.unique(rows.subjects, return_inverse=True)
    n_subjects = int(who.max()) + 1
    group, n_groups = _groups(rows, who, n_subjects)
    visits = rows.visits if rows.coordinates is None else _order_within(who)
    n_visits = int(visits.max()) + 1
    full = np.zeros((n_subjects, n_visits, z.shape[1]))
    full[who, visits] = z
    seen = np.zeros((n_subjects, n_visits), dtype=np.bool_)
    seen[who, visits] = True
    place = None if rows.coordinates is None else _placed(rows.coordinates, who, visits, seen.shape)
    pattern, first = _patterns(seen, group, place)
    counts = np.bincount(pattern).astype(np.float64)
    residual = z[:, -1] - z[:, :-1] @ np.linalg.lstsq(z[:, :-1], z[:, -1], rcond=None)[0]
    return Layout(
        cross=_cross(full, pattern, counts.size),
        present=seen[first],
        counts=counts,
        kinds=group[first] if place is None else np.arange(counts.size),
        kept=kept,
        alias=_alias(rows.design, kept),
        log_weights=0.0 if rows.weights is None else float(np.log(rows.weights).sum()),
        variances=_variances(residual, visits, n_visits),
        coordinates=None if place is None else place[first],
        n_rows=int(rows.values.size),
        n_subjects=n_subjects,
        n_visits=n_visits,
        n_groups=n_groups,
        scale=scale,
        together=_together(seen, group, n_groups),
    )


def _alias(design: Floats, kept: Whole) -> Floats:
    """Combinations of the kept columns that give every column."""
    if kept.size == design.shape[1]:
        return np.eye(kept.size)
    found = np.linalg.lstsq(design[:, kept], design, rcond=None)[0]
    found[:, kept] = np.eye(kept.size)
    return np.where(np.abs(found) < 1e-9, 0.0, found)


def _placed(coordinates: Floats, who: Whole, visits: Whole, shape: tuple[int, ...]) -> Floats:
    place = np.zeros((*shape, coordinates.shape[1]))
    place[who, visits] = coordinates
    return place


def independent_columns(design: Floats, *, tolerance: float = 1e-9) -> Whole:
    """Columns that are not linear combinations of those before them.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 1, 0], [1, 0, 1], [1, 1, 0]])).tolist()
    [0, 1]
    """
    basis = np.zeros_like(design)
    kept: list[int] = []
    for column in range(design.shape[1]):
        rest = design[:, column]
        length = float(np.linalg.norm(rest))
        for _ in range(2):
            rest = rest - basis[:, : len(kept)] @ (basis[:, : len(kept)].T @ rest)
        left = float(np.linalg.norm(rest))
        if left > tolerance * max(length, 1e-300) and length > 0:
            basis[:, len(kept)] = rest / left
            kept.append(column)
            if len(kept) == design.shape[0]:
                break
    return np.array(kept, dtype=np.intp)


def _check(rows: Observations) -> None:
    n = rows.values.size
    given = [rows.subjects, rows.visits, rows.groups, rows.weights, rows.coordinates]
    if any(part is not None and len(part) != n for part in given) or rows.design.shape[0] != n:
        raise ValueError("the columns differ in length")
    if n == 0:
        raise ValueError("there is no row")
    if not (np.isfinite(rows.values).all() and np.isfinite(rows.design).all()):
        raise ValueError("a value or a column of the design is not finite")
    if rows.weights is not None and not (rows.weights > 0).all():
        raise ValueError("weights must be above zero")
    _, who = np.unique(rows.subjects, return_inverse=True)
    key = who * (int(rows.visits.max()) + 1) + rows.visits
    if np.unique(key).size < n:
        raise ValueError("a subject has two rows at one visit")


def _groups(rows: Observations, who: Whole, n_subjects: int) -> tuple[Whole, int]:
    if rows.groups is None:
        return np.zeros(n_subjects, dtype=np.intp), 1
    names, codes = np.unique(rows.groups, return_inverse=True)
    group = np.zeros(n_subjects, dtype=np.intp)
    group[who] = codes
    if (group[who] != codes).any():
        raise ValueError("a subject is in two groups")
    return group, int(names.size)


def _order_within(who: Whole) -> Whole:
    """Running number of each row within its subject."""
    order = np.argsort(who, kind="stable")
    starts = np.searchsorted(who[order], np.arange(int(who.max()) + 1))
    running = np.empty(who.size, dtype=np.intp)
    running[order] = np.arange(who.size) - starts[who[order]]
    return running


def _patterns(seen: npt.NDArray[np.bool_], group: Whole, place: Floats | None) -> tuple[Whole, Whole]:
    """Pattern of each subject, and the first subject of each pattern."""
    key = np.column_stack([group, seen, *([] if place is None else [place.reshape(len(place), -1)])])
    _, first, pattern = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return pattern.ravel(), first


def _cross(full: Floats, pattern: Whole, n_patterns: int) -> Floats:
    _, t, q = full.shape
    order = np.argsort(pattern, kind="stable")
    bounds = np.searchsorted(pattern[order], np.arange(n_patterns + 1))
    flat = full.reshape(full.shape[0], t * q)[order]
    sums = np.stack([part.T @ part for part in np.split(flat, bounds[1:-1])])
    return sums.reshape(n_patterns, t, q, t, q).transpose(0, 1, 3, 2, 4).reshape(-1, q * q)


def _variances(residual: Floats, visits: Whole, n_visits: int) -> Floats:
    counts = np.bincount(visits, minlength=n_visits)
    overall = max(float(residual @ residual) / residual.size, 1e-300)
    sums = np.bincount(visits, weights=residual**2, minlength=n_visits)
    own = sums / np.maximum(counts, 1)
    return np.where((counts > 1) & (own > 1e-8 * overall), own, overall)


def _together(seen: npt.NDArray[np.bool_], group: Whole, n_groups: int) -> Whole:
    both = np.min(
        [seen[group == one].T.astype(np.intp) @ seen[group == one] for one in range(n_groups)], axis=0
    )
    return np.asarray(both, dtype=np.intp)
