"""The phenotype study: clusters held against a continuum, a severity axis, and the outcome by cluster."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.cohort import Cohort, select
from myoproof.core.contracts import Progress, silent
from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Study, parse_strict
from myoproof.core.table import is_simulated
from myoproof.errors import InvalidInput
from myoproof.numerics.cluster import mean_silhouettes
from myoproof.numerics.resampling import Resampling, Stability, prediction_strength, stability
from myoproof.studies.phenotypes_assign import assign, centres_of, model_of, votes
from myoproof.studies.phenotypes_axis import offer_rows
from myoproof.studies.phenotypes_claim import claim_rows, decide
from myoproof.studies.phenotypes_clusters import Clustering, cluster, membership
from myoproof.studies.phenotypes_depth import Depth, depth_rows
from myoproof.studies.phenotypes_features import Panel, Parameters, make_panel
from myoproof.studies.phenotypes_outcome import (
    AXIS,
    Outcome,
    correlation_rows,
    covariate_design,
    outcome_rows,
    values_of,
)
from myoproof.studies.phenotypes_sensitivity import Again, sensitivity_rows

__all__ = ["METHOD", "METHOD_VERSION", "Parameters", "assign", "run"]
METHOD = "phenotypes"
METHOD_VERSION = 1
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Row = dict[str, Any]


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
        ``null``, ``decision``, ``consensus``, ``gap``, ``mixture``, ``beyond_severity``, ``cluster_size``,
        ``profile``, ``axis``, ``outcome``, ``axis_or_clusters``, ``correlation``,
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
    tell = progress or silent
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    _refuse_outcome_among_features(study)
    chosen, flow = select(cohort, study.cohort)
    panel = make_panel(chosen, study, parameters, flow)
    decision, describe, resample, predict, repeat, choose, further, offer = rng.spawn(8)
    tell("cluster", 0.0)
    clustering = cluster(panel, parameters, rng=describe)
    sampled = _sampled(len(clustering.rows), parameters.sample, choose)
    part = panel.levelled.part(sampled)
    tell("null models", 0.05)
    claim = decide(
        part,
        parameters,
        rng=decision,
        threads=threads,
        progress=lambda share: tell("null models", 0.05 + 0.5 * share),
    )
    tell("stability", 0.55)
    found = stability(
        part.values,
        clustering.labels[:, sampled],
        rng=resample,
        how=Resampling(parameters.resamples, parameters.resample_fraction, parameters.resample_starts),
        threads=threads,
        progress=lambda share: tell("stability", 0.55 + 0.25 * share),
    )
    strength = prediction_strength(
        part.values, parameters.n_clusters, rng=predict, n_splits=parameters.splits, threads=threads
    )
    tell("other looks", 0.8)
    depth = Depth(part.values, clustering.labels[:, sampled], found, parameters, threads)
    looks = list(depth_rows(depth, rng=further))
    tell("outcome", 0.95)
    at = parameters.n_clusters.index(claim.subtypes) if claim.subtypes else 0
    described = Clustering(clustering.rows[sampled], clustering.labels[:, sampled], clustering.axis[sampled])
    rows: list[Row] = [*_flow_rows(panel, len(sampled)), *panel.feature_rows]
    rows += _description_rows(described, found, strength, parameters)
    rows += looks
    rows += claim_rows(claim, parameters, len(sampled))
    rows += _cluster_rows(panel, clustering, at)
    outcome = _outcome(chosen, study, list(panel.features.index))
    again = Again(panel, clustering.labels[at].astype(np.int64), outcome, parameters, repeat)
    rows += _clinical_rows(chosen, study, again, clustering.axis)
    rows += offer_rows(again, clustering.axis, rng=offer)
    centres = centres_of(described.rows, found.labels[:, at], described.labels[at].astype(np.int64))
    shares = votes(clustering.rows, centres)
    shares[sampled] = membership(found.labels[:, at], described.labels[at].astype(np.int64))
    tell("done", 1.0)
    return Result(
        study=study,
        estimates=estimates_frame(rows),
        predictions=predictions_frame(_prediction_rows(panel, clustering, shares, at)),
        simulated=is_simulated(chosen.measurements),
        model=model_of(panel, clustering, centres),
    )


def _sampled(n: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """All subjects in order, or as many as are allowed, drawn once."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _flow_rows(panel: Panel, n_sampled: int) -> Iterator[Row]:
    for step, n, reason in panel.flow:
        yield {"analysis": "flow", "term": step, "group": reason, "value": n, "n_subjects": n}
    if n_sampled < len(panel.features):
        row: Row = {"analysis": "sample", "term": "indices and nulls", "value": n_sampled}
        yield {**row, "n_subjects": n_sampled}


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


def _outcome(cohort: Cohort, study: Study, subjects: list[str]) -> Outcome | None:
    if study.outcome is None:
        return None
    session = study.cohort.sessions[0] if study.cohort.sessions else None
    values = values_of(cohort, study.outcome, subjects, session=session).to_numpy()
    return Outcome(values, covariate_design(cohort, study.covariates, subjects), study.outcome.measure)


def _clinical_rows(cohort: Cohort, study: Study, again: Again, axis: Floats) -> Iterator[Row]:
    level = again.parameters.level
    if again.outcome is not None:
        yield from outcome_rows(again.outcome, again.labels, axis, level=level)
    yield from sensitivity_rows(again)
    scores = {AXIS: axis, "cluster": again.labels.astype(np.float64)}
    yield from correlation_rows(cohort, study, list(again.panel.features.index), scores, level=level)


def _prediction_rows(panel: Panel, clustering: Clustering, shares: Floats, at: int) -> Iterator[Row]:
    labels = clustering.labels[at].astype(np.int64)
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
