"""Rows that hold imaging change against the clinic: fast and slow progressors, correlations of change."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.study import Study
from myoproof.errors import InvalidInput
from myoproof.numerics.correlation import Correlation, pearson, spearman
from myoproof.numerics.longitudinal import welch_difference
from myoproof.studies.progression_change import contrast_fields
from myoproof.studies.progression_panel import Course, Panel, Parameters

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
MONTHS_PER_YEAR = 12


def tempo_course(panel: Panel, study: Study, parameters: Parameters) -> Course | None:
    """The correlate that tells fast from slow; None where the study names none.

    Raises
    ------
    InvalidInput
        If it is not exactly one of the correlates.
    """
    wanted = parameters.tempo
    if wanted is None:
        return None
    sites = [wanted.site] if isinstance(wanted.site, str) else wanted.site
    fitting = []
    for course in panel.correlates:
        measure, site, side = course.term.split("/")[:3]
        here = ("*" in sites or site in sites) and wanted.side in ("*", side)
        if measure == wanted.measure and here:
            fitting.append(course)
    if len(fitting) != 1:
        held = ", ".join(course.term for course in panel.correlates) or "none"
        raise InvalidInput(
            f"tempo {wanted.measure!r} fits {len(fitting)} correlates where one is needed",
            where=f"{study.name} [method.tempo]",
            mend=f"name one of the correlates: {held}",
        )
    return fitting[0]


def tempo_rows(panel: Panel, tempo: Course | None, parameters: Parameters) -> Iterator[Row]:
    """Change of fast minus change of slow progressors, per feature, by Welch."""
    if tempo is None:
        return
    members = panel.members(parameters.patients)
    pace = np.where(members, tempo.change * tempo.worsening / (tempo.years * MONTHS_PER_YEAR), np.nan)
    known = np.isfinite(pace)
    cut = parameters.tempo_cut
    threshold = (float(np.median(pace[known])) if known.any() else math.nan) if cut == "median" else cut
    for course in panel.features:
        yield _tempo(course, pace, threshold, tempo, parameters)


def _tempo(course: Course, pace: Floats, threshold: float, tempo: Course, parameters: Parameters) -> Row:
    change = course.change
    both = np.isfinite(change) & np.isfinite(pace)
    fast, slow = change[both & (pace > threshold)], change[both & (pace <= threshold)]
    pace_of = tempo.term.split("/")[0]
    head: Row = {
        "analysis": "fast_slow",
        "term": course.term,
        "group": "fast - slow",
        "unit": course.unit,
        "method": f"welch {pace_of} cut={threshold:.3g}/month fast={fast.size} slow={slow.size}",
        "flags": course.family,
    }
    fewest = int(min(fast.size, slow.size))
    if fewest < parameters.minimum_subjects:
        reason = "insufficient_data" if both.any() else "not_measured"
        return {**head, "absent": reason, "n_subjects": int(both.sum())}
    return {**head, **contrast_fields(welch_difference(fast, slow, level=parameters.level), parameters.level)}


def correlation_rows(panel: Panel, parameters: Parameters) -> Iterator[Row]:
    """Correlation of the change of every feature with that of every correlate, in the patients."""
    members = panel.members(parameters.patients)
    for course in panel.features:
        own = _moved(course, parameters)[members]
        for clinical in panel.correlates:
            other = _moved(clinical, parameters)[members]
            yield from _correlation(course, clinical, np.column_stack([own, other]), parameters)


def _moved(course: Course, parameters: Parameters) -> Floats:
    return course.relative_change if parameters.correlation_change == "relative" else course.change


def _correlation(course: Course, clinical: Course, pairs: Floats, parameters: Parameters) -> Iterator[Row]:
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    for method, compute in (("pearson", pearson), ("spearman", spearman)):
        head: Row = {
            "analysis": "correlation",
            "term": course.term,
            "group": clinical.term,
            "method": method,
            "unit": "1",
            "flags": course.family,
            "n_subjects": len(pairs),
        }
        if len(pairs) < parameters.minimum_subjects:
            yield {**head, "absent": "insufficient_data"}
            continue
        found = compute(pairs[:, 0], pairs[:, 1], level=parameters.level)
        yield {**head, **_fields(found, parameters.level)}


def _fields(found: Correlation, level: float) -> Row:
    if not math.isfinite(found.r):
        return {"absent": "insufficient_data"}
    statistic = found.statistic if math.isfinite(found.statistic) else math.nan
    return {
        "value": found.r,
        "low": found.low,
        "high": found.high,
        "level": level,
        "statistic": statistic,
        "df": found.df,
        "p": found.p,
    }
