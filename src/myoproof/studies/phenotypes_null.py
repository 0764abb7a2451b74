"""Cohorts without subtypes for a phenotype study: its features drawn anew from the study's own null."""

from dataclasses import replace

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort, feature_rows, select
from myoproof.core.contracts import NullCohorts
from myoproof.core.study import Study, parse_strict
from myoproof.core.table import KEY, Table
from myoproof.studies.phenotypes_claim import null_of
from myoproof.studies.phenotypes_features import Parameters, make_panel


def null(cohort: Cohort, study: Study) -> NullCohorts:
    """Draw the features of all subjects from the first null the study names.

    The draws keep covariance, skew, floor and ceiling, device levels and missing values; they hold no
    classes, and they are independent of outcome and correlates.

    Parameters
    ----------
    cohort : Cohort
        The cohort of the study.
    study : Study
        A study of kind phenotypes.

    Returns
    -------
    NullCohorts

    Raises
    ------
    InvalidInput
        As the study itself would.

    References
    ----------
    Liu et al. 2008, J Am Stat Assoc 103:1281 (the Gaussian null of SigClust).
    """
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    chosen, flow = select(cohort, study.cohort)
    panel = make_panel(chosen, study, parameters, flow)
    sample = null_of(parameters.nulls[0], panel.levelled)
    session = study.cohort.sessions[0] if study.cohort.sessions else None
    rows = pd.concat([feature_rows(chosen, feature, session=session) for feature in study.features])
    levelled = panel.levelled

    def draw(rng: np.random.Generator) -> tuple[Cohort, Study]:
        values = sample(rng) * levelled.scale + levelled.shift
        drawn = pd.DataFrame(values, index=panel.features.index, columns=panel.features.columns)
        return replace(cohort, measurements=_with_values(cohort.measurements, rows, drawn)), study

    shape = parameters.nulls[0].replace("_", " ")
    return NullCohorts(f"features drawn from the study's {shape} null, which has no subtypes", draw)


def _with_values(table: pd.DataFrame, rows: pd.DataFrame, drawn: pd.DataFrame) -> Table:
    """The table with the drawn values in the rows of the features; both sides of a mean get the mean."""
    long = drawn.rename_axis(index="subject").reset_index()
    long = long.melt("subject", var_name="feature", value_name="drawn").dropna()
    keys = ["subject", *[key for key in KEY if key not in {"subject", "side"}]]
    wanted = rows[[*KEY, "feature"]].merge(long, on=["subject", "feature"])
    averaged = wanted["side"] == "mean"
    exact = wanted[~averaged].set_index(list(KEY))["drawn"]
    either = wanted[averaged].set_index(keys)["drawn"]
    one = exact.reindex(pd.MultiIndex.from_frame(table.loc[:, list(KEY)])).to_numpy()
    both = either.reindex(pd.MultiIndex.from_frame(table.loc[:, keys])).to_numpy()
    value = np.where(np.isfinite(one), one, both)
    kept = np.where(np.isfinite(value) & table["value"].notna(), value, table["value"])
    return Table(table.assign(value=kept))
