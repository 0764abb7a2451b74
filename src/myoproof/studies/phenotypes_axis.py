"""The severity axis beside the clusters: which tells more of the outcome in patients that were held out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.studies.phenotypes_outcome import cluster_columns
from myoproof.studies.phenotypes_sensitivity import Again

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
FOLDS = 10
REPEATS = 5
LEAST = 40
"""Subjects below which folds are too small to tell (proposal)."""


def offer_rows(again: Again, axis: Floats, *, rng: np.random.Generator) -> Iterator[Row]:
    """Cross-validated R2 of the outcome from axis and from clusters, both with the covariates.

    The axis is offered in place of the clusters where its R2 is at least theirs less one standard error (of
    the difference over folds). Neither was built with the outcome; only the regression is held out.

    Parameters
    ----------
    again : Again
        Clusters, outcome and covariates.
    axis : (n,) float64
        Severity of each subject.
    rng : numpy.random.Generator
        For the folds.
    """
    if again.outcome is None:
        return
    y, covariates = again.outcome.values, again.outcome.covariates.to_numpy(dtype=np.float64)
    whole = np.isfinite(y) & np.isfinite(covariates).all(axis=1)
    row: Row = {"analysis": "axis_or_clusters", "unit": "1", "n_subjects": int(whole.sum())}
    if whole.sum() < LEAST:
        yield {**row, "term": "decision", "absent": "insufficient_data"}
        return
    clusters = np.column_stack(list(cluster_columns(again.labels).values()))
    designs = {"covariates": covariates, "clusters": np.column_stack([covariates, clusters])}
    designs["severity_axis"] = np.column_stack([covariates, axis])
    scores = _scores(y[whole], {name: design[whole] for name, design in designs.items()}, rng)
    n_folds = FOLDS * REPEATS
    for name, values in scores.items():
        se = values.std(ddof=1) / np.sqrt(FOLDS)
        yield {**row, "term": name, "value": values.mean(), "se": se, "n_rows": n_folds}
    difference = scores["severity_axis"] - scores["clusters"]
    se = float(difference.std(ddof=1) / np.sqrt(FOLDS))
    offered = difference.mean() >= -se
    flags = "axis_offered" if offered else "clusters_tell_more"
    yield {**row, "term": "decision", "value": difference.mean(), "se": se, "n_rows": n_folds, "flags": flags}


def _scores(y: Floats, designs: dict[str, Floats], rng: np.random.Generator) -> dict[str, Floats]:
    """R2 in each held-out fold, of the same folds for every design."""
    found: dict[str, list[float]] = {name: [] for name in designs}
    for _ in range(REPEATS):
        fold = rng.permutation(np.arange(len(y)) % FOLDS)
        for f in range(FOLDS):
            train, test = fold != f, fold == f
            total = float(((y[test] - y[train].mean()) ** 2).sum())
            for name, design in designs.items():
                x = np.column_stack([np.ones(len(y)), design])
                weights, *_ = np.linalg.lstsq(x[train], y[train], rcond=None)
                left = float(((y[test] - x[test] @ weights) ** 2).sum())
                found[name].append(1 - left / total if total > 0 else 0.0)
    return {name: np.array(values) for name, values in found.items()}
