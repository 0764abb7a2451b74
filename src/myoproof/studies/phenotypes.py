"""The phenotype study: clusters held against a continuum, a severity axis, and the outcome by cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, select
from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Study, parse_strict
from myoproof.core.table import is_simulated
from myoproof.errors import InvalidInput
from myoproof.numerics.cluster import adjusted_rand_index, mean_silhouettes, partitions
from myoproof.numerics.impute import complete
from myoproof.numerics.kmeans import stream_key
from myoproof.numerics.resampling import Resampling, Stability, prediction_strength, stability
from myoproof.studies.phenotypes_claim import claim_rows, decide
from myoproof.studies.phenotypes_features import Panel, Parameters, make_panel
from myoproof.studies.phenotypes_outcome import (
    AXIS,
    cluster_columns,
    correlation_rows,
    covariate_design,
    outcome_rows,
    regress,
    regression_rows,
    values_of,
)

METHOD = "phenotypes"
METHOD_VERSION = 1
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Row = dict[str, Any]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Clustering:
    """Partitions of all subjects, and the axis of severity.

    Parameters
    ----------
    rows : (n, p) float64
        Features filled and standardised.
    labels : (m, n) int32
        A partition for each number of clusters; cluster 0 the mildest.
    axis : (n,) float64
        First principal component, SD 1, higher is worse.
    """

    rows: Floats
    labels: npt.NDArray[np.int32]
    axis: Floats


def run(
    cohort: Cohort,
    study: Study,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Look for subtypes, and say severity continuum unless every null without subtypes is rejected.

    Parameters
    ----------
    cohort : Cohort
        Subjects, acquisitions with devices, measurement rows, covariates.
    study : Study
        Features, outcome, correlates, covariates and the parameters of :class:`Parameters`.
    rng : numpy.random.Generator
        The only source of randomness; every part has its own child.
    threads : int
        The result has the same bytes at any number.
    progress : callable, optional
        Told (what, fraction done).

    Returns
    -------
    Result
        Estimate rows ``flow``, ``feature``, ``silhouette``, ``stability``, ``prediction_strength``,
        ``null``, ``decision``, ``cluster_size``, ``profile``, ``axis``, ``outcome``, ``correlation``,
        ``leave_one_centre_out``, ``leave_one_device_out``. Clusters are described at the claimed number, or
        at k_min where none is claimed. Predictions ``cluster`` and ``severity_axis`` a subject.

    Raises
    ------
    InvalidInput
        For a parameter, feature or covariate that does not fit, an outcome that is also a feature, or too few
        subjects.

    References
    ----------
    Wang et al. 2026, J Neurol, 10.1007/s00415-026-13705-4 (design). Liu et al. 2008, J Am Stat Assoc
    103:1281; Tibshirani & Walther 2005; Hennig 2007; Berger 1982.
    """
    tell = progress or _silent
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    _refuse_outcome_among_features(study)
    chosen, flow = select(cohort, study.cohort)
    panel = make_panel(chosen, study, parameters, flow)
    decision, describe, resample, predict = rng.spawn(4)
    tell("cluster", 0.0)
    clustering = cluster(panel, parameters, rng=describe)
    tell("null models", 0.05)
    claim = decide(
        panel.levelled,
        parameters,
        rng=decision,
        threads=threads,
        progress=lambda share: tell("null models", 0.05 + 0.6 * share),
    )
    tell("stability", 0.65)
    found = stability(
        panel.levelled.values,
        clustering.labels,
        rng=resample,
        how=Resampling(parameters.resamples, parameters.resample_fraction, parameters.resample_starts),
        threads=threads,
        progress=lambda share: tell("stability", 0.65 + 0.25 * share),
    )
    strength = prediction_strength(
        panel.levelled.values, parameters.n_clusters, rng=predict, n_splits=parameters.splits, threads=threads
    )
    tell("outcome", 0.95)
    at = parameters.n_clusters.index(claim.subtypes) if claim.subtypes else 0
    n = len(panel.features)
    rows: list[Row] = [*_flow_rows(panel), *panel.feature_rows]
    rows += _description_rows(clustering, found, strength, parameters)
    rows += claim_rows(claim, parameters, n)
    rows += _cluster_rows(panel, clustering, at)
    rows += _clinical_rows(chosen, study, panel, clustering, at, parameters)
    tell("done", 1.0)
    return Result(
        study=study,
        estimates=estimates_frame(rows),
        predictions=predictions_frame(_prediction_rows(panel, clustering, found, at)),
        simulated=is_simulated(chosen.measurements),
    )


def cluster(panel: Panel, parameters: Parameters, *, rng: np.random.Generator) -> Clustering:
    """Partition all subjects for each number of clusters, and draw the severity axis.

    Parameters
    ----------
    panel : Panel
        Subjects and features.
    parameters : Parameters
        Of the study.
    rng : numpy.random.Generator
        For the starts.
    """
    rows = complete(panel.levelled.values)
    labels = labels_of(rows, panel.worse, parameters.n_clusters, rng=rng, n_starts=parameters.starts)
    _, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    score = rows @ vectors[:, -1]
    score *= np.sign(score @ (rows @ panel.worse)) / score.std()
    return Clustering(rows, labels, score)


def labels_of(
    rows: Floats, worse: Floats, n_clusters: tuple[int, ...], *, rng: np.random.Generator, n_starts: int
) -> npt.NDArray[np.int32]:
    """k-means partitions (m, n) with clusters numbered from the mildest to the worst mean.

    Parameters
    ----------
    rows : (n, p) float64
        Standardised features.
    worse : (p,) float64
        +1 where a higher value is worse, else -1.
    n_clusters : tuple of int
        Numbers of clusters.
    rng, n_starts : Generator, int
        Starts of k-means.
    """
    labels = np.empty((len(n_clusters), len(rows)), np.int32)
    partitions(rows, np.asarray(n_clusters, dtype=np.int64), n_starts, stream_key(rng), labels)
    severity = rows @ worse
    for q, k in enumerate(n_clusters):
        means = np.bincount(labels[q], weights=severity, minlength=k) / np.bincount(labels[q], minlength=k)
        labels[q] = np.argsort(np.argsort(means))[labels[q]]
    return labels


def _flow_rows(panel: Panel) -> Iterator[Row]:
    for step, n, reason in panel.flow:
        yield {"analysis": "flow", "term": step, "group": reason, "value": n, "n_subjects": n}


def _description_rows(
    clustering: Clustering, found: Stability, strength: Floats, parameters: Parameters
) -> Iterator[Row]:
    n = len(clustering.rows)
    widths = mean_silhouettes(clustering.rows, clustering.labels, found.n_clusters)
    for q, k in enumerate(parameters.n_clusters):
        yield {"analysis": "silhouette", "term": f"k={k}", "value": widths[q], "unit": "1", "n_subjects": n}
    for name, values in (("stability", found.agreement), ("prediction_strength", strength)):
        for q, k in enumerate(parameters.n_clusters):
            low, high = np.quantile(values[:, q], [0.025, 0.975])
            row: Row = {"analysis": name, "term": f"k={k}", "value": values[:, q].mean(), "unit": "1"}
            yield {**row, "low": low, "high": high, "level": 0.95, "n_subjects": n, "n_rows": len(values)}


def _cluster_rows(panel: Panel, clustering: Clustering, at: int) -> Iterator[Row]:
    labels, n = clustering.labels[at], len(clustering.rows)
    for c in range(int(labels.max()) + 1):
        size = int((labels == c).sum())
        yield {"analysis": "cluster_size", "term": f"cluster-{c}", "value": size, "n_subjects": n}
    for c in range(int(labels.max()) + 1):
        members = clustering.rows[labels == c]
        deviation = members.std(axis=0, ddof=1) if len(members) > 1 else np.full(members.shape[1], np.nan)
        for name, mean, se in zip(
            panel.features, members.mean(axis=0), deviation / np.sqrt(len(members)), strict=True
        ):
            row: Row = {"analysis": "profile", "term": name, "group": f"cluster-{c}", "value": mean}
            yield {**row, "se": se, "unit": "1", "n_subjects": len(members)}
    loadings = clustering.rows.T @ clustering.axis / n
    for name, loading in zip(panel.features, loadings, strict=True):
        yield {"analysis": "axis", "term": name, "value": loading, "unit": "1", "n_subjects": n}


def _clinical_rows(
    cohort: Cohort, study: Study, panel: Panel, clustering: Clustering, at: int, parameters: Parameters
) -> Iterator[Row]:
    subjects = list(panel.features.index)
    labels = clustering.labels[at].astype(np.int64)
    session = study.cohort.sessions[0] if study.cohort.sessions else None
    scores = {AXIS: clustering.axis, "cluster": labels.astype(np.float64)}
    if study.outcome is not None:
        name = study.outcome.measure
        outcome = values_of(cohort, study.outcome, subjects, session=session).to_numpy()
        covariates = covariate_design(cohort, study.covariates, subjects)
        yield from outcome_rows(
            outcome, labels, clustering.axis, covariates, name=name, level=parameters.level
        )
        again = _Again(panel, parameters, study.seed, outcome, covariates, name)
        whole = np.asarray(np.isfinite(panel.levelled.values).all(axis=1), dtype=np.bool_)
        yield from again.outcome(whole, labels, "outcome", "complete_cases")
        for kind, place in (("centre", panel.centre), ("device", panel.device)):
            names = [] if len(set(place)) < 2 else sorted(set(place) - {""})
            for left_out in names:
                yield from again.left_out(f"leave_one_{kind}_out", left_out, place != left_out, labels)
    yield from correlation_rows(cohort, study, subjects, scores, level=parameters.level)


@dataclass(frozen=True, slots=True)
class _Again:
    """The clustering done again on part of the subjects, and the outcome with it."""

    panel: Panel
    parameters: Parameters
    seed: int
    outcome_values: Floats
    covariates: pd.DataFrame
    name: str

    def outcome(
        self, part: npt.NDArray[np.bool_], labels: Labels, analysis: str, group: str, term: str = ""
    ) -> Iterator[Row]:
        """Adjusted outcome rows of the clusters alone, with clusters found afresh in part of the subjects."""
        k = int(labels.max()) + 1
        if part.sum() <= 2 * k:
            yield {
                "analysis": analysis,
                "group": group,
                "term": term or "outcome",
                "absent": "insufficient_data",
            }
            return
        design = pd.concat(
            [
                pd.DataFrame(cluster_columns(self.partition(part, k)), index=self.covariates.index[part]),
                self.covariates[part],
            ],
            axis=1,
        )
        found = regress(self.outcome_values[part], design, level=self.parameters.level)
        rows = list(regression_rows(found, analysis, group, self.name, self.parameters.level))
        for row in rows[: k - 1 if found else 1]:
            yield {**row, "term": term} if term else row

    def left_out(
        self, analysis: str, group: str, part: npt.NDArray[np.bool_], labels: Labels
    ) -> Iterator[Row]:
        """Agreement with the partition of all, and the outcome, without one centre or device."""
        k, n = int(labels.max()) + 1, int(part.sum())
        row: Row = {"analysis": analysis, "term": f"k={k}", "group": group, "unit": "1", "n_subjects": n}
        if n <= 2 * k:
            yield {**row, "absent": "insufficient_data"}
            return
        yield {**row, "value": adjusted_rand_index(self.partition(part, k), labels[part])}
        yield from self.outcome(part, labels, analysis, group, "outcome")

    def partition(self, part: npt.NDArray[np.bool_], k: int) -> Labels:
        """Clusters of a part of the subjects, filled and standardised by themselves."""
        rows = complete(self.panel.levelled.values[part])
        rng = np.random.default_rng([self.seed, k])
        labels = labels_of(rows, self.panel.worse, (k,), rng=rng, n_starts=self.parameters.starts)
        return np.asarray(labels[0], dtype=np.int64)


def membership(labels: npt.NDArray[np.int8], reference: Labels) -> Floats:
    """Share of the resamples holding a subject in which it falls in each cluster of the reference.

    Parameters
    ----------
    labels : (n_resamples, n) int8
        Partitions; -1 where a subject was not drawn.
    reference : (n,) int
        Partition of all.

    Returns
    -------
    (n, k) float64
        Rows sum to 1; NaN for a subject that no resample held.
    """
    k = int(reference.max()) + 1
    counts = np.zeros((len(reference), k))
    orders = np.array(list(permutations(range(k))))
    for found in labels:
        drawn = found >= 0
        table = np.zeros((k, k))
        np.add.at(table, (found[drawn], reference[drawn]), 1)
        best = orders[np.argmax(table[np.arange(k), orders].sum(axis=1))]
        counts[np.flatnonzero(drawn), best[found[drawn]]] += 1
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)


def _prediction_rows(panel: Panel, clustering: Clustering, found: Stability, at: int) -> Iterator[Row]:
    labels = clustering.labels[at].astype(np.int64)
    shares = membership(found.labels[:, at], labels)
    for i, subject in enumerate(panel.features.index):
        others = sorted((c for c in range(shares.shape[1]) if c != labels[i]), key=lambda c: -shares[i, c])
        for rank, c in enumerate([int(labels[i]), *others], start=1):
            row: Row = {"subject": subject, "target": "cluster", "candidate": f"cluster-{c}", "rank": rank}
            absent = "" if np.isfinite(shares[i, c]) else "insufficient_data"
            yield {**row, "value": shares[i, c], "absent": absent}
    for subject, score in zip(panel.features.index, clustering.axis, strict=True):
        yield {"subject": subject, "target": AXIS, "value": score}


def _refuse_outcome_among_features(study: Study) -> None:
    outcome = study.outcome
    if outcome is None:
        return
    if any(feature.measure == outcome.measure for feature in study.features):
        raise InvalidInput(
            f"the outcome {outcome.measure!r} is also a feature",
            where=study.name,
            mend="take it out of the features: clusters are never built with the outcome",
        )


def _silent(what: str, fraction: float) -> None:
    """Tell nobody."""
    del what, fraction
