"""The design study: how many patients the next trial needs, from pilot rows, with its uncertainty."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.core.cohort import Cohort, select
from myoproof.core.contracts import Progress, silent
from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Study, parse_strict
from myoproof.core.table import is_simulated
from myoproof.errors import InvalidInput
from myoproof.numerics.power import Arms, adjusted, inflated
from myoproof.numerics.power_pilot import prognosis, resampled_power, shrunken_srms
from myoproof.numerics.responsiveness import bootstrap_counts, column_srms, srm_intervals
from myoproof.studies.design_count import (
    LARGEST_SHOWN,
    Count,
    fit_slopes,
    model_counts,
    visit_years,
)
from myoproof.studies.design_pilot import (
    DAYS_PER_YEAR,
    Course,
    Parameters,
    Pilot,
    covariate_table,
    enriched,
    make_pilot,
    modelled_terms,
)

METHOD = "design"
METHOD_VERSION = 1
Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
CHANCE_LEVEL = 0.0
"""A left-out correlation at or below this adjusts for nothing."""


def run(
    cohort: Cohort,
    study: Study,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Count the subjects that a two-arm trial needs, by several methods, each with its interval.

    Parameters
    ----------
    cohort : Cohort
        A pilot: patients with days and measurement rows of two sessions or more.
    study : Study
        Features are the candidate outcomes; parameters are those of
        :class:`myoproof.studies.design_pilot.Parameters`.
    rng : numpy.random.Generator
        For bootstrap and simulated trials.
    threads : int
        Taken for the contract; the result does not depend on it.
    progress : callable, optional
        Told (what, fraction done).

    Returns
    -------
    Result
        Estimate rows: ``flow``; ``pilot`` (what the pilot measured); ``sample_size`` (controls who must
        complete; ``statistic`` is the fraction before rounding up) and ``randomise`` (both arms, drop-out
        included), a row a term, effect (column ``group``) and method; ``power`` (resampled trials);
        ``curve`` (controls by trial length, in ``day``); ``enrichment`` and ``enrichment_share``;
        ``prognostic`` and ``sample_size_adjusted``. Worsening is positive.

    Raises
    ------
    InvalidInput
        For a parameter, feature or arm that the study or the cohort does not hold.

    References
    ----------
    See :mod:`myoproof.numerics.power`; shrinkage: :func:`myoproof.numerics.power_pilot.shrunken_srms`.
    """
    del threads
    tell = progress or silent
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    chosen, flow = select(cohort, study.cohort)
    pilot = make_pilot(chosen, study, parameters)
    _refuse_retention(pilot, parameters, study.name)
    modelled = modelled_terms(pilot, study, parameters)
    rows: list[Row] = [*_flow(flow, pilot, parameters)]
    tell("responsiveness", 0.0)
    srms = _srm_counts(pilot, parameters, rng=rng)
    counts: dict[str, list[Count]] = {term: list(found) for term, found in srms.items()}
    for done, course in enumerate(course for course in pilot.courses if course.term in modelled):
        tell(f"models of {course.term}", (1 + done) / (len(modelled) + 2))
        counts[course.term] += model_counts(course, pilot, parameters, rng=rng)
    for course in pilot.courses:
        rows += _sizes(course, counts[course.term], parameters)
    for course in pilot.courses:
        if course.term in modelled:
            rows += [
                *_slopes(course, parameters),
                *_power(course, counts[course.term], parameters, rng=rng),
                *_enrichment(course, chosen, pilot, parameters, rng=rng),
                *_prognostic(course, chosen, pilot, counts[course.term], parameters),
            ]
    tell("done", 1.0)
    return Result(
        study=study,
        estimates=estimates_frame(rows),
        predictions=predictions_frame([]),
        simulated=is_simulated(chosen.measurements),
    )


def _refuse_retention(pilot: Pilot, parameters: Parameters, where: str) -> None:
    visits = len(pilot.sessions) - 1
    if not parameters.retention:
        return
    falling = all(b <= a for a, b in zip(parameters.retention, parameters.retention[1:], strict=False))
    if len(parameters.retention) != visits or not falling:
        what = f"retention needs {visits} shares, one a visit after baseline, never rising"
        raise InvalidInput(what, where=f"{where} [method]", mend="or leave it empty")


def _flow(flow: list[tuple[str, int, str]], pilot: Pilot, parameters: Parameters) -> Iterator[Row]:
    measured = np.isfinite(np.stack([course.values for course in pilot.courses])).any(axis=0)
    measured = np.asarray(measured, dtype=np.bool_)
    steps = [
        *flow,
        (f"in arm {parameters.patients}", len(pilot.subjects), "other arm"),
        (f"measured at baseline ({pilot.sessions[0]})", int(measured[:, 0].sum()), "no baseline"),
        (
            f"at the last visit ({pilot.sessions[-1]})",
            int((measured[:, 0] & measured[:, -1]).sum()),
            "dropped_out",
        ),
    ]
    for step, n, reason in steps:
        yield {"analysis": "flow", "term": step, "group": reason, "value": n, "n_subjects": n}


def _srm_counts(pilot: Pilot, parameters: Parameters, *, rng: np.random.Generator) -> dict[str, list[Count]]:
    """Change at the last visit: plain, and shrunken for having been looked at among others."""
    change = np.column_stack([course.change for course in pilot.courses])
    n = np.isfinite(change).sum(axis=0)
    change = np.where(n >= parameters.minimum_subjects, change, np.nan)
    counts = bootstrap_counts(len(change), parameters.bootstrap, rng=rng)
    srms, bounds = column_srms(change), srm_intervals(change, counts, level=parameters.level)
    shrunk = shrunken_srms(srms, _sampling(column_srms(change, counts)), level=parameters.level)
    found: dict[str, list[Count]] = {}
    for place, course in enumerate(pilot.courses):
        low, high = (float(bound) for bound in bounds[place])
        own = [Count("t_test", float(srms[place]), low, high, int(n[place]), exact_t=True)]
        if len(pilot.courses) >= 3:
            value, low, high = (float(part[place]) for part in (shrunk.values, shrunk.low, shrunk.high))
            own.append(Count("t_test_shrunken", value, low, high, int(n[place]), exact_t=True))
        found[course.term] = [count for count in own if count.method in parameters.methods]
    return found


def _sampling(replicates: Floats) -> Floats:
    """Covariance of the SRMs over bootstrap samples in which all of them exist; NaN where one never does."""
    held = np.isfinite(replicates).mean(axis=0) > 0.5
    whole = replicates[:, held][np.isfinite(replicates[:, held]).all(axis=1)]
    covariance = np.full((held.size, held.size), np.nan)
    if held.sum() > 0 and len(whole) > held.sum():
        covariance[np.ix_(held, held)] = np.atleast_2d(np.cov(whole, rowvar=False))
    return covariance


def _sizes(course: Course, counts: list[Count], parameters: Parameters) -> Iterator[Row]:
    for count in counts:
        head: Row = {
            "term": course.term,
            "method": count.method,
            "unit": "1",
            "n_subjects": count.n,
            "level": parameters.level,
        }
        if not math.isfinite(count.standardised):
            yield {**head, "analysis": "pilot", "absent": "insufficient_data"}
            continue
        bounds = {"low": count.low, "high": count.high}
        yield {**head, "analysis": "pilot", "value": count.standardised, **bounds, **_test(count)}
        for effect in parameters.effects:
            yield from _size_rows(count, effect, {**head, "group": f"{effect:.0%}"}, parameters)


def _test(count: Count) -> Row:
    """The paired t test behind a plain SRM: whether the pilot shows any change at all."""
    if count.method != "t_test":
        return {}
    statistic, df = count.standardised * math.sqrt(count.n), count.n - 1
    return {"statistic": statistic, "df": df, "p": 2 * float(stats.t.sf(abs(statistic), df))}


def _size_rows(count: Count, effect: float, head: Row, parameters: Parameters) -> Iterator[Row]:
    """Controls who must complete, and everyone to randomise; the bounds of one are the other's, turned."""
    aim = parameters.aim
    exact = count.size(effect, aim)
    if not exact.control <= LARGEST_SHOWN:
        yield {**head, "analysis": "sample_size", "absent": "out_of_domain"}
        return
    few, many = count.size(effect, aim, count.high), count.size(effect, aim, count.low)
    flags = "" if many.control <= LARGEST_SHOWN else "upper_bound_open"
    yield {
        **head,
        "analysis": "sample_size",
        "value": _whole(exact.control),
        "statistic": exact.control,
        "low": _whole(few.control),
        "high": _whole(many.control),
        "flags": flags,
    }
    yield {
        **head,
        "analysis": "randomise",
        "value": _everyone(exact, count, parameters),
        "low": _everyone(few, count, parameters),
        "high": _everyone(many, count, parameters),
        "flags": flags,
    }


def _everyone(arms: Arms, count: Count, parameters: Parameters) -> float:
    """Both arms; MMRM has its drop-out within."""
    if not arms.control <= LARGEST_SHOWN:
        return math.nan
    whole = arms if count.method == "mmrm" else inflated(arms, parameters.dropout)
    return float(math.ceil(whole.control) + math.ceil(whole.treated))


def _whole(n: float) -> float:
    return float(math.ceil(n)) if n <= LARGEST_SHOWN else math.nan


def _slopes(course: Course, parameters: Parameters) -> Iterator[Row]:
    """What the mixed model measured, and controls by trial length and spacing of visits."""
    head: Row = {"term": course.term, "n_subjects": int(np.isfinite(course.values).any(axis=1).sum())}
    try:
        slopes = fit_slopes(course)
    except ValueError:
        slopes = None
    if slopes is None or head["n_subjects"] < parameters.minimum_subjects:
        yield {**head, "analysis": "curve", "absent": "insufficient_data"}
        return
    per_year = "1/a" if course.unit == "1" else f"{course.unit}/a"
    named = (
        ("slope", slopes.slope, per_year),
        ("slope_sd", slopes.slope_sd, per_year),
        ("residual_sd", slopes.residual_sd, course.unit),
    )
    for name, value, unit in named:
        yield {**head, "analysis": "pilot", "method": name, "value": value, "unit": unit}
    for effect in parameters.effects:
        for every in parameters.visit_every_months:
            for duration in parameters.durations_months:
                if duration < every:
                    continue
                years = visit_years(duration, every)
                count = Count("edland", slopes.standardised(years), math.nan, math.nan, 0)
                arms = count.size(effect, parameters.aim)
                row: Row = {
                    **head,
                    "analysis": "curve",
                    "group": f"{effect:.0%}",
                    "method": f"edland every {every:g} months",
                    "day": float(years[-1] * DAYS_PER_YEAR),
                    "unit": "1",
                }
                if arms.control <= LARGEST_SHOWN:
                    yield {**row, "value": _whole(arms.control), "statistic": arms.control}
                else:
                    yield {**row, "absent": "out_of_domain"}


def _power(
    course: Course, counts: list[Count], parameters: Parameters, *, rng: np.random.Generator
) -> Iterator[Row]:
    """Trials of the planned size drawn from the pilot's changes: equal shift, proportional, and no effect."""
    change = course.change[np.isfinite(course.change)]
    plain = [count for count in counts if count.method == "t_test"]
    if not plain or parameters.trials == 0 or not math.isfinite(plain[0].standardised):
        return
    for effect in parameters.effects:
        arms = plain[0].size(effect, parameters.aim)
        if not arms.control <= 2000:
            continue
        n = math.ceil(arms.control)
        cases = (("resampled shift", effect, False), ("resampled proportional", effect, True))
        for method, size, proportional in (*cases, ("resampled no effect", 0.0, False)):
            share = resampled_power(
                change,
                size,
                n,
                rng=rng,
                aim=parameters.aim,
                proportional=proportional,
                trials=parameters.trials,
            )
            half = 1.96 * math.sqrt(max(share * (1 - share), 1e-9) / parameters.trials)
            yield {
                "analysis": "power",
                "term": course.term,
                "group": f"{effect:.0%}",
                "method": method,
                "unit": "1",
                "value": share,
                "low": max(0.0, share - half),
                "high": min(1.0, share + half),
                "level": 0.95,
                "n_subjects": n,
                "n_rows": parameters.trials,
            }


def _enrichment(
    course: Course, cohort: Cohort, pilot: Pilot, parameters: Parameters, *, rng: np.random.Generator
) -> Iterator[Row]:
    """The t test's count among those whom each rule of entry lets in."""
    for name, inside in enriched(cohort, pilot, parameters.enrichment):
        measured = np.isfinite(course.values[:, 0])
        head: Row = {"term": course.term, "unit": "1", "level": parameters.level}
        change = np.where(inside, course.change, np.nan)[:, None]
        n = int(np.isfinite(change).sum())
        if n < parameters.minimum_subjects:
            empty = {**head, "analysis": "enrichment", "method": name, "n_subjects": n}
            yield {**empty, "absent": "insufficient_data"}
            continue
        share = float(inside[measured].mean())
        yield {**head, "analysis": "enrichment_share", "method": name, "value": share, "n_subjects": n}
        counts = bootstrap_counts(len(change), parameters.bootstrap, rng=rng)
        low, high = srm_intervals(change, counts, level=parameters.level)[0]
        count = Count(name, float(column_srms(change)[0]), float(low), float(high), n, exact_t=True)
        for row in _sizes(course, [count], parameters):
            analysis = {"pilot": "enrichment_srm", "sample_size": "enrichment"}.get(row["analysis"], "")
            if analysis:
                yield {**row, "analysis": analysis}


def _prognostic(
    course: Course, cohort: Cohort, pilot: Pilot, counts: list[Count], parameters: Parameters
) -> Iterator[Row]:
    """What adjustment for prognosis would save: only what left-out subjects bear out."""
    wanted = parameters.prognostic
    plain = [count for count in counts if count.method == "t_test"]
    if wanted is None or not plain:
        return
    table = covariate_table(cohort, pilot, wanted)
    if wanted.baseline:
        table = np.column_stack([table, course.values[:, 0]])
    head: Row = {"term": course.term, "unit": "1", "level": parameters.level}
    try:
        found = prognosis(course.change, table, level=parameters.level)
    except ValueError:
        yield {**head, "analysis": "prognostic", "method": "r left out", "absent": "insufficient_data"}
        return
    head["n_subjects"] = found.n
    yield {
        **head,
        "analysis": "prognostic",
        "method": "r left out",
        "value": found.r,
        "low": found.low,
        "high": found.high,
    }
    if wanted.r is not None:
        yield {**head, "analysis": "prognostic", "method": "r planned", "value": wanted.r}
    dropped = wanted.r is not None and found.high < wanted.r
    correlation = found.r if wanted.r is None else min(wanted.r, found.r)
    for effect in parameters.effects:
        row: Row = {
            **head,
            "analysis": "sample_size_adjusted",
            "group": f"{effect:.0%}",
            "method": "t_test n(1 - r2)",
        }
        arms = plain[0].size(effect, parameters.aim)
        if found.r <= CHANCE_LEVEL or dropped:
            yield {**row, "absent": "out_of_domain", "flags": "prognosis_refused"}
        elif arms.control <= LARGEST_SHOWN:
            less = adjusted(arms, correlation)
            few = adjusted(arms, found.high if wanted.r is None else min(wanted.r, found.high))
            many = adjusted(arms, max(found.low, 0.0))
            yield {
                **row,
                "value": _whole(less.control),
                "statistic": less.control,
                "low": _whole(few.control),
                "high": _whole(many.control),
            }
