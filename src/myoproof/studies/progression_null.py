"""Cohorts without change for a progression study: each subject's whole change with a sign by chance."""

from dataclasses import replace

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.contracts import NullCohorts
from myoproof.core.study import Study
from myoproof.core.table import KEY, Table

TREND = [key for key in KEY if key not in {"session", "run"}]
"""What stays the same from visit to visit."""


def null(cohort: Cohort, study: Study) -> NullCohorts:
    """Take the change out of a progression study, or the arms where arms are compared.

    Where the study compares arms, labels of the arms it compares are dealt out anew among their subjects.
    Otherwise the sign of a subject's whole change is drawn: all its values keep their distance from its own
    first value but lie, all together, on either side of it. What goes along within a subject (two legs,
    muscles, visits, drop-out) stays together; the correlates get a sign of their own, so that they go along
    with the features by chance only.

    Parameters
    ----------
    cohort : Cohort
        The cohort of the study.
    study : Study
        A study of kind progression.

    Returns
    -------
    NullCohorts

    References
    ----------
    Fisher 1935, The Design of Experiments, section 21 (signs of paired differences; labels of treatments).
    """
    arms = study.method.get("mmrm")
    if arms:
        what = "arm labels dealt out anew among the subjects"
        return NullCohorts(what, lambda rng: _dealt(cohort, study, rng))
    first = _first_values(cohort)
    return NullCohorts(
        "the sign of each subject's whole change drawn by chance, that of the correlates apart",
        lambda rng: _flipped(cohort, study, first, rng),
    )


def _dealt(cohort: Cohort, study: Study, rng: np.random.Generator) -> tuple[Cohort, Study]:
    chosen = (cohort.subjects["arm"] != "").to_numpy()
    if study.cohort.arm:
        chosen &= cohort.subjects["arm"].isin(study.cohort.arm).to_numpy()
    arm = cohort.subjects["arm"].to_numpy(dtype=object).copy()
    arm[chosen] = rng.permutation(arm[chosen])
    return replace(cohort, subjects=cohort.subjects.assign(arm=arm)), study


def _first_values(cohort: Cohort) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """For each row its subject's first value of the same thing, by the day of the visit."""
    rows = cohort.measurements
    days = cohort.acquisitions.groupby(["subject", "session"])["day"].min()
    when = days.reindex(pd.MultiIndex.from_frame(rows[["subject", "session"]])).to_numpy(dtype=np.float64)
    ordered = rows.assign(when=when)[rows["value"].notna()].sort_values("when", kind="stable")
    first = ordered.groupby(TREND, sort=False)["value"].first()
    found = first.reindex(pd.MultiIndex.from_frame(rows[TREND]))
    return np.asarray(found.to_numpy(dtype=np.float64))


def _flipped(
    cohort: Cohort,
    study: Study,
    first: np.ndarray[tuple[int], np.dtype[np.float64]],
    rng: np.random.Generator,
) -> tuple[Cohort, Study]:
    subjects = pd.Index(sorted(cohort.subjects["subject"]))
    signs = rng.choice(np.array([-1.0, 1.0]), (2, len(subjects)))
    rows = cohort.measurements
    features = rows["measure"].isin([feature.measure for feature in study.features]).to_numpy()
    sign = signs[np.where(features, 0, 1), subjects.get_indexer(rows["subject"])]
    value = rows["value"].to_numpy(dtype=np.float64)
    moved = Table(rows.assign(value=first + sign * (value - first)))
    return replace(cohort, measurements=moved), study
