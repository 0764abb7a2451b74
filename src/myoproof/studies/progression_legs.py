"""Rows of correlation over both legs: two legs are one patient, so subjects are counted, not legs."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.numerics.clustered import cluster_jackknife
from myoproof.numerics.mmrm import fit_mmrm
from myoproof.numerics.mmrm_inference import estimate, infer
from myoproof.numerics.mmrm_layout import Observations
from myoproof.studies.progression_panel import Course, Panel, Parameters

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


def leg_rows(panel: Panel, parameters: Parameters) -> Iterator[Row]:
    """Correlation of change over left and right sides together, with subjects as clusters.

    Where the correlate is measured on both sides, each side is held against its own.

    Yields
    ------
    dict
        ``correlation``, methods ``pearson_by_subject`` (interval and test by the jackknife over subjects) and
        ``slope_by_subject`` (change of the feature per change of the correlate in SDs, one mixed model with
        both sides of a subject correlated, Kenward-Roger).
    """
    members = panel.members(parameters.patients)
    for name, pair in _pairs(panel.features).items():
        for label, other in _correlates(panel.correlates).items():
            yield from _legs(name, pair, label, other, members, parameters)


def _pairs(courses: tuple[Course, ...]) -> dict[str, tuple[Course, Course]]:
    """Term with its sides joined -> left and right."""
    terms = {course.term: course for course in courses}
    found = {}
    for term, course in terms.items():
        parts = term.split("/")
        if len(parts) > 2 and parts[2] == "left":
            other = "/".join([*parts[:2], "right", *parts[3:]])
            if other in terms:
                found["/".join([*parts[:2], "left+right", *parts[3:]])] = (course, terms[other])
    return found


def _correlates(courses: tuple[Course, ...]) -> dict[str, tuple[Course, Course]]:
    found = _pairs(courses)
    sided = {course.term for pair in found.values() for course in pair}
    return {**found, **{course.term: (course, course) for course in courses if course.term not in sided}}


def _legs(
    name: str,
    pair: tuple[Course, Course],
    label: str,
    other: tuple[Course, Course],
    members: npt.NDArray[np.bool_],
    parameters: Parameters,
) -> Iterator[Row]:
    own, clinical = (
        np.concatenate([_moved(course, parameters)[members] for course in courses])
        for courses in (pair, other)
    )
    who = np.tile(np.arange(int(members.sum())), 2)
    side = np.repeat([0, 1], int(members.sum()))
    kept = np.isfinite(own) & np.isfinite(clinical)
    own, clinical, who, side = own[kept], clinical[kept], who[kept], side[kept]
    n = int(np.unique(who).size)
    head: Row = {
        "analysis": "correlation",
        "term": name,
        "group": label,
        "unit": "1",
        "flags": pair[0].family,
        "n_subjects": n,
        "n_rows": int(own.size),
    }
    if n < max(parameters.minimum_subjects, 4) or np.ptp(own) == 0 or np.ptp(clinical) == 0:
        for method in ("pearson_by_subject", "slope_by_subject"):
            yield {**head, "method": method, "absent": "insufficient_data"}
        return
    yield {**head, "method": "pearson_by_subject", **_clustered(own, clinical, who, parameters.level)}
    yield {**head, "method": "slope_by_subject", **_slope(own, clinical, who, side, parameters.level)}


def _moved(course: Course, parameters: Parameters) -> Floats:
    return course.relative_change if parameters.correlation_change == "relative" else course.change


def _clustered(own: Floats, clinical: Floats, who: npt.NDArray[np.intp], level: float) -> Row:
    def r(mask: npt.NDArray[np.bool_]) -> float:
        return float(np.corrcoef(own[mask], clinical[mask])[0, 1])

    found = cluster_jackknife(r, who, scale="fisher", level=level)
    if not (math.isfinite(found.low) and abs(found.value) < 1):
        return {"absent": "insufficient_data"}
    degrees = float(np.unique(who).size - 1)
    half = (math.atanh(found.high) - math.atanh(found.low)) / 2
    se = half / float(stats.t.ppf((1 + level) / 2, degrees))
    statistic = math.atanh(found.value) / se if se > 0 else math.nan
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "level": level,
        "df": degrees,
        "statistic": statistic,
        "p": 2 * float(stats.t.sf(abs(statistic), degrees)),
    }


def _slope(
    own: Floats, clinical: Floats, who: npt.NDArray[np.intp], side: npt.NDArray[np.intp], level: float
) -> Row:
    x, y = ((part - part.mean()) / part.std() for part in (clinical, own))
    design = np.column_stack([np.ones(x.size), x])
    fit = fit_mmrm(Observations(y, design, who, side), structure_name="CS")
    if not fit.converged:
        return {"absent": "not_converged"}
    found = estimate(infer(fit, "kenward_roger"), np.array([0.0, 1.0]), level=level)
    return {
        "value": found.value,
        "se": found.se,
        "df": found.df,
        "statistic": found.statistic,
        "p": found.p,
        "low": found.low,
        "high": found.high,
        "level": level,
    }
