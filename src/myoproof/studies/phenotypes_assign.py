"""New patients in the clusters and on the axis of a phenotype study, with their support, or an abstention."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, feature_matrix
from myoproof.core.result import Result, predictions_frame
from myoproof.core.study import parse_strict
from myoproof.errors import InvalidInput
from myoproof.studies.phenotypes_clusters import Clustering, matched
from myoproof.studies.phenotypes_features import Panel, Parameters, places
from myoproof.studies.phenotypes_outcome import AXIS

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
RIDGE = 0.05
"""Added to the variances of standardised features before the covariance is inverted (proposal)."""
VOTES = 100
"""Resamples whose centres vote on a new patient."""
FOLDS = 10
EDGE, OUTSIDE = 0.95, 0.995
"""Quantiles of the cohort's own held-out distances beyond which support is edge, outside (proposal)."""


def centres_of(rows: Floats, labels: npt.NDArray[np.int8], reference: npt.NDArray[np.int64]) -> Floats:
    """Centres (votes, k, p) of the first resamples, their clusters named as in the reference.

    Parameters
    ----------
    rows : (n, p) float64
        Filled and standardised.
    labels : (n_resamples, n) int8
        Resampled partitions; -1 where a subject was not drawn.
    reference : (n,) int64
        Partition of all.
    """
    k = int(reference.max()) + 1
    whole = np.stack([rows[reference == c].mean(axis=0) for c in range(k)])
    centres = []
    for found in matched(labels[:VOTES], reference):
        own = [rows[found == c].mean(axis=0) if (found == c).any() else whole[c] for c in range(k)]
        centres.append(np.stack(own))
    return np.stack(centres)


def votes(rows: Floats, centres: Floats) -> Floats:
    """Share (n, k) of the resamples whose nearest centre to each row is that of a cluster.

    Parameters
    ----------
    rows : (n, p) float64
        Filled and standardised.
    centres : (votes, k, p) float64
        Of :func:`centres_of`.
    """
    shares = np.zeros((len(rows), centres.shape[1]))
    for own in centres:
        nearest = (0.5 * (own**2).sum(axis=1) - rows @ own.T).argmin(axis=1)
        shares[np.arange(len(rows)), nearest] += 1
    return shares / len(centres)


def model_of(panel: Panel, clustering: Clustering, centres: Floats) -> dict[str, Any]:
    """What assigning new patients needs, as JSON has it: levels, scales, centres, axis, covariance.

    Parameters
    ----------
    panel : Panel
        Features of the cohort.
    clustering : Clustering
        Its clusters and axis.
    centres : (votes, k, p) float64
        Of :func:`centres_of`.
    """
    levelled, rows = panel.levelled, clustering.rows
    known = np.isfinite(levelled.values).mean(axis=0)
    mean, deviation = np.nanmean(levelled.values, axis=0), np.nanstd(levelled.values, axis=0) * np.sqrt(known)
    axis, *_ = np.linalg.lstsq(rows, clustering.axis, rcond=None)
    distances = _held_out_distances(rows)
    found = {
        "features": list(panel.features.columns),
        "groups": {
            str(group): levelled.shift[panel.groups == group][0].tolist()
            for group in sorted(set(panel.groups))
        },
        "scale": levelled.scale.tolist(),
        "mean": mean.tolist(),
        "deviation": np.where(deviation > 0, deviation, 1.0).tolist(),
        "covariance": (rows.T @ rows / len(rows)).tolist(),
        "axis": axis.tolist(),
        "centres": centres.tolist(),
        "edge": float(np.quantile(distances, EDGE)),
        "outside": float(np.quantile(distances, OUTSIDE)),
    }
    return {name: _rounded(part) for name, part in found.items()}


def _rounded(part: Any) -> Any:
    """Numbers to eight digits: the last ones depend on how a machine orders its sums."""
    if isinstance(part, dict):
        return {name: _rounded(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [_rounded(inner) for inner in part]
    return float(f"{part:.8g}") if isinstance(part, float) else part


def assign(result: Result, cohort: Cohort) -> pd.DataFrame:
    """Prediction rows ``cluster`` and ``severity_axis`` of patients that the study has not seen.

    Parameters
    ----------
    result : Result
        Of a phenotype study.
    cohort : Cohort
        New patients with the study's features.

    Returns
    -------
    DataFrame
        Prediction rows. The value of a cluster is the share of resamples that put the patient there.
        Support is ``inside``, ``edge`` (farther from the cohort's centre than 95 % of its own patients were
        when they were held out) or ``outside`` (99.5 %, an unknown device, or too few features): then no
        value is given.

    Raises
    ------
    InvalidInput
        If the result is of another kind, or the cohort lacks a feature.
    """
    if not result.model or result.study.kind != "phenotypes":
        raise InvalidInput("the result holds no clusters to assign to", where=result.study.name)
    study, model = result.study, result.model
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    session = study.cohort.sessions[0] if study.cohort.sessions else None
    matrix = feature_matrix(cohort, study.features, session=session)
    lost = [name for name in model["features"] if name not in matrix]
    if lost:
        raise InvalidInput(f"the cohort lacks {', '.join(lost[:5])}", mend="measure what the study measured")
    matrix = matrix.loc[matrix.notna().any(axis=1), model["features"]]
    centre, device = places(cohort, list(matrix.index), study)
    groups = {"device": device, "centre": centre}.get(
        parameters.level_by, np.full(len(matrix), "", dtype=object)
    )
    rows = list(_rows(matrix, groups, model, parameters))
    return predictions_frame(rows)


def _rows(
    matrix: pd.DataFrame, groups: npt.NDArray[np.object_], model: Mapping[str, Any], parameters: Parameters
) -> Iterator[Row]:
    covariance = np.asarray(model["covariance"]) + RIDGE * np.eye(len(model["features"]))
    centres, axis = np.asarray(model["centres"]), np.asarray(model["axis"])
    scale, mean, deviation = (np.asarray(model[name]) for name in ("scale", "mean", "deviation"))
    for subject, raw, group in zip(matrix.index, matrix.to_numpy(), groups, strict=True):
        shift = model["groups"].get(str(group))
        known = np.isfinite(raw)
        if shift is None or 1 - known.mean() > parameters.drop_subjects_above:
            reason = "unknown_device" if shift is None else "insufficient_data"
            yield from _abstained(str(subject), reason)
            continue
        row = ((raw - np.asarray(shift)) / scale - mean) / deviation
        filled = _filled(row, known, covariance)
        distance = float(row[known] @ np.linalg.solve(covariance[np.ix_(known, known)], row[known]))
        distance *= len(known) / known.sum()
        if distance > model["outside"]:
            yield from _abstained(str(subject), "out_of_domain")
            continue
        support = "edge" if distance > model["edge"] else "inside"
        shares = votes(filled[np.newaxis], centres)[0]
        for rank, c in enumerate(np.argsort(-shares, kind="stable"), start=1):
            found: Row = {"subject": str(subject), "target": "cluster", "candidate": f"cluster-{c}"}
            yield {**found, "rank": rank, "value": shares[c], "support": support}
        yield {"subject": str(subject), "target": AXIS, "value": float(filled @ axis), "support": support}


def _abstained(subject: str, reason: str) -> Iterator[Row]:
    for target in ("cluster", AXIS):
        yield {"subject": subject, "target": target, "support": "outside", "absent": reason}


def _filled(row: Floats, known: npt.NDArray[np.bool_], covariance: Floats) -> Floats:
    """The row with missing features at their conditional mean given the others."""
    filled = np.where(known, row, 0.0)
    if not known.all():
        weights = np.linalg.solve(covariance[np.ix_(known, known)], row[known])
        filled[~known] = covariance[np.ix_(~known, known)] @ weights
    return filled


def _held_out_distances(rows: Floats) -> Floats:
    """Squared Mahalanobis distance of each row to the others' covariance, a tenth held out at a time."""
    distances = np.empty(len(rows))
    for fold in range(FOLDS):
        test = np.arange(len(rows)) % FOLDS == fold
        others = rows[~test]
        covariance = others.T @ others / len(others) + RIDGE * np.eye(rows.shape[1])
        distances[test] = np.einsum("ij,ij->i", rows[test], np.linalg.solve(covariance, rows[test].T).T)
    return distances
