"""Folds by subject, and features harmonised within each fold: no test subject is ever learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.combat import Settings, apply, fit

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fold:
    """One split of the rows.

    Parameters
    ----------
    train, test : (m,) int
        Rows; all rows of a subject lie on one side.
    """

    train: Rows
    test: Rows


def folds(
    subjects: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    n_folds: int = 5,
    strata: npt.ArrayLike | None = None,
) -> list[Fold]:
    """Cut rows into folds by subject, every stratum spread evenly.

    Parameters
    ----------
    subjects : (n,) array
        Subject of each row: all visits, sides and images of a person stay together.
    rng : numpy.random.Generator
        Order of the subjects.
    n_folds : int
        How many.
    strata : (n,) array, optional
        What is spread evenly (site, outcome); the first row of a subject counts.

    Returns
    -------
    list of Fold
        Every row is tested once.

    Raises
    ------
    InvalidInput
        If there are fewer subjects than folds, or fewer than two folds.

    Examples
    --------
    >>> cut = folds(["a", "a", "b", "c", "d"], rng=np.random.default_rng(0), n_folds=2)
    >>> sorted(np.concatenate([fold.test for fold in cut]).tolist())
    [0, 1, 2, 3, 4]
    """
    names, first, at = np.unique(np.asarray(subjects).astype(np.str_), return_index=True, return_inverse=True)
    if n_folds < 2 or len(names) < n_folds:
        raise InvalidInput(f"{len(names)} subjects cannot be cut into {n_folds} folds", where="folds")
    layer = (
        np.zeros(len(names))
        if strata is None
        else np.unique(np.asarray(strata), return_inverse=True)[1][first]
    )
    shuffled = rng.permutation(len(names))
    order = shuffled[np.argsort(layer[shuffled], kind="stable")]
    fold_of = np.empty(len(names), dtype=np.intp)
    fold_of[order] = np.arange(len(names)) % n_folds
    rows = fold_of[at]
    return [Fold(np.flatnonzero(rows != k), np.flatnonzero(rows == k)) for k in range(n_folds)]


def harmonised(
    values: npt.ArrayLike,
    sites: npt.ArrayLike,
    cut: list[Fold],
    *,
    covariates: npt.ArrayLike | None = None,
    settings: Settings | None = None,
) -> Iterator[tuple[Fold, Floats, Floats]]:
    """Features of each fold with the site effects of its training rows taken out of both parts.

    Parameters
    ----------
    values : (n, p) array
        Rows by features.
    sites : (n,) array of text
        Site of each row.
    cut : list of Fold
        From :func:`folds`. Leaving out a whole site cannot be harmonised: it is refused as unseen.
    covariates : (n, q) array, optional
        What is kept; never the outcome that is predicted, which a new patient does not have.
    settings : Settings, optional
        Variant of ComBat.

    Yields
    ------
    tuple of (Fold, (n_train, p), (n_test, p))
        The split, and its harmonised parts.

    Raises
    ------
    InvalidInput
        If a row is on both sides of a split, or as :func:`myoproof.numerics.combat.fit` and ``apply``.
    """
    x, names = np.asarray(values, dtype=np.float64), np.asarray(sites).astype(np.str_)
    design = None if covariates is None else np.asarray(covariates, dtype=np.float64)
    for fold in cut:
        shared = np.intersect1d(fold.train, fold.test)
        if len(shared):
            message = f"{len(shared)} rows are both learnt from and tested"
            refuse([Finding("error", "leak", message, mend="cut by subject")])
        kept = (None, None) if design is None else (design[fold.train], design[fold.test])
        model = fit(x[fold.train], names[fold.train], kept[0], settings=settings)
        parts = [
            apply(model, x[rows], names[rows], own)
            for rows, own in zip((fold.train, fold.test), kept, strict=True)
        ]
        yield fold, parts[0], parts[1]
