"""Rows of change: levels, paired and rank tests, ANOVA, mixed model and the difference between groups."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.numerics.anova import repeated_measures
from myoproof.numerics.longitudinal import Contrast, mean_contrast, signed_rank, welch_difference
from myoproof.numerics.mixed import fit_slope
from myoproof.studies.progression_panel import DAYS_PER_YEAR, Course, Panel, Parameters

Row = dict[str, Any]


def change_rows(panel: Panel, parameters: Parameters) -> Iterator[Row]:
    """Every estimate about change of single terms, in the order of the terms."""
    groups = [name for name in (parameters.patients, parameters.controls) if name]
    for course in panel.courses:
        for group in groups:
            members = panel.members(group)
            yield from _levels(course, panel, group, parameters)
            yield from _changes(course, members, group, parameters)
            yield _mixed(course, panel, group, parameters)
        yield _anova(course, panel, parameters)
        if parameters.controls:
            yield _difference(course, panel, parameters)


def contrast_fields(contrast: Contrast, level: float) -> Row:
    """The columns of an estimate row that a contrast fills."""
    fields = asdict(contrast)
    n = fields.pop("n")
    return {**fields, "n_subjects": n, "level": level}


def absent_fields(n: int, measured: int) -> Row:
    """Why there is no estimate: nothing measured at all, only single visits, or too few subjects."""
    reason = "not_measured" if measured == 0 else "single_visit" if n == 0 else "insufficient_data"
    return {"absent": reason, "n_subjects": n}


def _levels(course: Course, panel: Panel, group: str, parameters: Parameters) -> Iterator[Row]:
    members = panel.members(group)
    for place, _ in enumerate(panel.sessions):
        values = course.values[members, place]
        values = values[np.isfinite(values)]
        if values.size < 2:
            continue
        days = course.days[members, place]
        day = float(np.median(days[np.isfinite(days)])) if np.isfinite(days).any() else math.nan
        found = mean_contrast(values, level=parameters.level)
        yield {
            "analysis": "level",
            "term": course.term,
            "group": group,
            "day": day,
            "value": found.value,
            "unit": course.unit,
            "se": found.se,
            "low": found.low,
            "high": found.high,
            "level": parameters.level,
            "n_subjects": found.n,
            "method": panel.sessions[place],
        }


def _changes(
    course: Course, members: npt.NDArray[np.bool_], group: str, parameters: Parameters
) -> Iterator[Row]:
    change, years = course.change[members], course.years[members]
    measured = int(np.isfinite(course.values[members]).any(axis=1).sum())
    base: Row = {"analysis": "change", "term": course.term, "group": group, "flags": course.family}
    annual = change / years
    for method, all_values, unit in (
        ("paired_t", change, course.unit),
        ("paired_t_annualised", annual, f"{course.unit}/a"),
    ):
        values = all_values[np.isfinite(all_values)]
        head = {**base, "method": method, "unit": unit}
        if values.size < parameters.minimum_subjects:
            yield {**head, **absent_fields(int(values.size), measured)}
        else:
            yield {**head, **contrast_fields(mean_contrast(values, level=parameters.level), parameters.level)}
    yield from _ranks(change[np.isfinite(change)], base, course.unit, measured, parameters)


def _ranks(
    change: npt.NDArray[np.float64], base: Row, unit: str, measured: int, parameters: Parameters
) -> Iterator[Row]:
    head = {**base, "method": "wilcoxon", "unit": unit}
    if change.size < parameters.minimum_subjects:
        yield {**head, **absent_fields(int(change.size), measured)}
        return
    found = signed_rank(change, level=parameters.level)
    yield {
        **head,
        "value": found.shift,
        "low": found.low,
        "high": found.high,
        "level": parameters.level,
        "statistic": found.statistic,
        "p": found.p,
        "n_subjects": found.n,
    }
    yield {
        **base,
        "analysis": "effect_size",
        "method": "wilcoxon_r",
        "unit": "1",
        "value": found.effect_r,
        "n_subjects": found.n,
    }


def _difference(course: Course, panel: Panel, parameters: Parameters) -> Row:
    change = course.change
    patients, controls = (
        change[panel.members(group) & np.isfinite(change)]
        for group in (parameters.patients, parameters.controls)
    )
    head: Row = {
        "analysis": "difference",
        "term": course.term,
        "group": f"{parameters.patients} - {parameters.controls}",
        "method": "welch",
        "unit": course.unit,
        "flags": course.family,
    }
    fewest = int(min(patients.size, controls.size))
    if fewest < parameters.minimum_subjects:
        measured = min(
            int(np.isfinite(course.values[panel.members(group)]).any(axis=1).sum())
            for group in (parameters.patients, parameters.controls)
        )
        return {**head, **absent_fields(fewest, measured)}
    found = welch_difference(patients, controls, level=parameters.level)
    return {**head, **contrast_fields(found, parameters.level)}


def _anova(course: Course, panel: Panel, parameters: Parameters) -> Row:
    """Repeated-measures ANOVA of the patients who have every visit at which the term was measured."""
    values = course.values[panel.members(parameters.patients)]
    used = np.asarray(np.isfinite(values).any(axis=0), dtype=np.bool_)
    visits = ",".join(name for name, kept in zip(panel.sessions, used, strict=True) if kept)
    complete = values[:, used]
    complete = complete[np.isfinite(complete).all(axis=1)]
    head: Row = {
        "analysis": "rm_anova",
        "term": course.term,
        "group": parameters.patients,
        "unit": "1",
        "flags": course.family,
        "n_subjects": len(complete),
        "n_rows": complete.size,
    }
    enough = len(complete) >= max(parameters.minimum_subjects, complete.shape[1] + 1)
    if not enough or complete.shape[1] < 2:
        measured = int(np.isfinite(values).any(axis=1).sum())
        reason = "not_measured" if measured == 0 else "insufficient_data"
        return {**head, "method": f"rm_anova visits={visits}", "absent": reason}
    found = repeated_measures(complete)
    if not (math.isfinite(found.f) and math.isfinite(found.partial_eta2)):
        return {**head, "method": f"rm_anova visits={visits}", "absent": "insufficient_data"}
    df = [found.epsilon_gg * part for part in (found.df_visit, found.df_error)]
    return {
        **head,
        "method": f"rm_anova_gg df={df[0]:.2f},{df[1]:.1f} visits={visits}",
        "value": found.partial_eta2,
        "statistic": found.f,
        "df": df[1],
        "p": found.p_gg,
    }


def _mixed(course: Course, panel: Panel, group: str, parameters: Parameters) -> Row:
    """Slope per year of all visits of a group."""
    members = panel.members(group)
    known = np.isfinite(course.values[members]) & np.isfinite(course.days[members])
    values, years = course.values[members][known], course.days[members][known] / DAYS_PER_YEAR
    who = np.nonzero(known)[0]
    repeated = int((known.sum(axis=1) > 1).sum())
    head: Row = {
        "analysis": "mixed_model",
        "term": course.term,
        "group": group,
        "method": "reml",
        "unit": f"{course.unit}/a",
        "flags": course.family,
        "n_subjects": int(known.any(axis=1).sum()),
        "n_rows": int(known.sum()),
    }
    if repeated < parameters.minimum_subjects:
        return {**head, "absent": absent_fields(repeated, head["n_subjects"])["absent"]}
    try:
        fit = fit_slope(values, years, who, level=parameters.level)
    except ValueError:
        return {**head, "absent": "not_converged"}
    return {
        **head,
        "method": f"reml_{fit.model}",
        "value": fit.slope,
        "se": fit.se,
        "df": fit.df,
        "statistic": fit.statistic,
        "p": fit.p,
        "low": fit.low,
        "high": fit.high,
        "level": parameters.level,
    }
