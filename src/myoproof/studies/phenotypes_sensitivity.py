"""The clusters found again without a centre or a device and in complete cases, and the outcome with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.numerics.cluster import adjusted_rand_index
from myoproof.numerics.impute import complete
from myoproof.studies.phenotypes_clusters import labels_of
from myoproof.studies.phenotypes_features import Panel, Parameters
from myoproof.studies.phenotypes_outcome import Outcome, cluster_columns, regress, regression_rows

Labels = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Again:
    """What is needed to cluster a part of the subjects as all were clustered.

    Parameters
    ----------
    panel : Panel
        Features of all subjects.
    labels : (n,) int64
        Partition of all that the parts are compared with.
    outcome : Outcome, optional
        What is held against the clusters.
    parameters : Parameters
        Of the study.
    rng : Generator
        For the starts; one child a part, in the order of the rows.
    """

    panel: Panel
    labels: Labels
    outcome: Outcome | None
    parameters: Parameters
    rng: np.random.Generator


def sensitivity_rows(again: Again) -> Iterator[Row]:
    """Rows of complete cases, of each centre left out and of each device left out.

    Parameters
    ----------
    again : Again
        The study so far.
    """
    panel = again.panel
    whole = np.asarray(np.isfinite(panel.levelled.values).all(axis=1), dtype=np.bool_)
    if again.outcome is not None:
        yield from _outcome(again, whole, _partition(again, whole), "complete_cases")
    for kind, place in (("centre", panel.centre), ("device", panel.device)):
        names = sorted(set(place) - {""}) if len(set(place)) > 1 else []
        for name in names:
            yield from _left_out(
                again, f"leave_one_{kind}_out", name, np.asarray(place != name, dtype=np.bool_)
            )


def _left_out(again: Again, analysis: str, name: str, part: Bools) -> Iterator[Row]:
    k, n = int(again.labels.max()) + 1, int(part.sum())
    row: Row = {"analysis": analysis, "term": f"k={k}", "group": name, "unit": "1", "n_subjects": n}
    found = _partition(again, part)
    if found is None:
        yield {**row, "absent": "insufficient_data"}
    else:
        yield {**row, "value": adjusted_rand_index(found, again.labels[part])}
    if again.outcome is not None:
        for worst in list(_outcome(again, part, found, name))[-1:]:
            yield {**worst, "analysis": analysis, "term": "outcome"}


def _outcome(again: Again, part: Bools, found: Labels | None, group: str) -> Iterator[Row]:
    """Adjusted outcome rows of the clusters found in a part, the worst cluster last."""
    outcome, level = again.outcome, again.parameters.level
    assert outcome is not None
    if found is None:
        yield from regression_rows(None, "outcome", group, outcome.name, level)
        return
    covariates = outcome.covariates[part]
    clusters = pd.DataFrame(cluster_columns(found), index=covariates.index)
    fitted = regress(outcome.values[part], pd.concat([clusters, covariates], axis=1), level=level)
    rows = regression_rows(fitted, "outcome", group, outcome.name, level)
    yield from (row for row in rows if row["term"].startswith("cluster-"))


def _partition(again: Again, part: Bools) -> Labels | None:
    """Clusters of a part, filled and standardised by itself; None where too small or a feature is empty."""
    k = int(again.labels.max()) + 1
    rng = again.rng.spawn(1)[0]
    values = again.panel.levelled.values[part]
    if part.sum() <= 2 * k or np.isnan(values).all(axis=0).any():
        return None
    labels = labels_of(complete(values), again.panel.worse, (k,), rng=rng, n_starts=again.parameters.starts)
    return np.asarray(labels[0], dtype=np.int64)
