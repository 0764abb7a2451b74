"""The progression study: change of every region, its tests, its responsiveness and its clinical meaning."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort, select
from myoproof.core.contracts import Progress, silent
from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Study, parse_strict
from myoproof.core.table import is_simulated
from myoproof.numerics.multiplicity import adjust
from myoproof.studies.progression_change import change_rows
from myoproof.studies.progression_clinical import correlation_rows, tempo_course, tempo_rows
from myoproof.studies.progression_league import league_rows
from myoproof.studies.progression_panel import Course, Panel, Parameters, Procedure, make_panel

METHOD = "progression"
METHOD_VERSION = 1
Row = dict[str, Any]


def run(
    cohort: Cohort,
    study: Study,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Measure change over the individual maximum observation period, and judge the measures by it.

    Parameters
    ----------
    cohort : Cohort
        Subjects with arms, acquisitions with days, measurement rows of two sessions or more.
    study : Study
        Features, correlates, families and the parameters of :class:`Parameters`.
    rng : numpy.random.Generator
        For the bootstrap.
    threads : int
        Taken for the contract; the arithmetic is vectorised and the result does not depend on it.
    progress : callable, optional
        Told (what, fraction done).

    Returns
    -------
    Result
        Estimate rows ``flow``, ``level``, ``change``, ``effect_size``, ``rm_anova``, ``mixed_model``,
        ``difference``, ``srm``, ``sample_size``, ``selection``, ``fast_slow``, ``correlation``; the family
        stands in ``flags``. Prediction rows ``level:TERM`` and ``change:TERM`` a subject. SRM: worsening is
        positive.

    Raises
    ------
    InvalidInput
        For a parameter, feature, family or group that the study or the cohort does not hold.

    References
    ----------
    Klickovic et al., J Neurol Neurosurg Psychiatry 2025;96:908 (design and effect sizes). Veeger et al.,
    Neurology 2021;97:e513 (SRM and sample size). Holm 1979; Benjamini and Hochberg 1995.
    """
    del threads
    tell = progress or silent
    parameters = parse_strict(Parameters, study.method, where=f"{study.name} [method]")
    chosen, flow = select(cohort, study.cohort)
    panel = make_panel(chosen, study, parameters)
    tempo = tempo_course(panel, study, parameters)
    rows: list[Row] = list(_flow_rows(flow, panel, parameters))
    parts: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (
        ("change", lambda: change_rows(panel, parameters)),
        ("responsiveness", lambda: league_rows(panel, parameters, rng=rng)),
        ("fast and slow", lambda: tempo_rows(panel, tempo, parameters)),
        ("correlation", lambda: correlation_rows(panel, parameters)),
    )
    for done, (what, part) in enumerate(parts):
        tell(what, done / len(parts))
        rows.extend(part())
    tell("done", 1.0)
    return Result(
        study=study,
        estimates=adjusted(estimates_frame(rows), parameters),
        predictions=predictions_frame(_prediction_rows(panel)),
        simulated=is_simulated(chosen.measurements),
    )


def adjusted(estimates: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    """Estimates with ``p_adjusted``: within each family, over the terms of one kind of test.

    One kind of test is one analysis, method and group; correlations of a method count together over all
    correlates. A family named primary is adjusted by Holm, others by Benjamini-Hochberg, unless the study
    says otherwise.
    """
    tested = estimates[estimates["p"].notna()]
    method = tested["method"].where(~tested["analysis"].isin(["rm_anova", "mixed_model", "fast_slow"]), "")
    group = tested["group"].where(tested["analysis"] != "correlation", "")
    p_adjusted = estimates["p_adjusted"].copy()
    for (*_, family), rows in tested.groupby(
        [tested["analysis"], method, group, tested["flags"]], sort=False
    ):
        default: Procedure = "holm" if family == "primary" else "benjamini_hochberg"
        procedure = parameters.adjust.get(str(family), default)
        p_adjusted.loc[rows.index] = adjust(rows["p"].to_numpy(), procedure)
    return estimates.assign(p_adjusted=p_adjusted)


def _flow_rows(flow: list[tuple[str, int, str]], panel: Panel, parameters: Parameters) -> Iterator[Row]:
    """The patients' flow, after the cohort's; the controls' apart, as ``flow_control``."""
    for step, n, reason in flow:
        yield {"analysis": "flow", "term": step, "group": reason, "value": n, "n_subjects": n}
    yield from _visits("flow", panel, parameters.patients, "other arm, compared apart")
    if parameters.controls:
        yield from _visits("flow_control", panel, parameters.controls, "other arm, compared apart")


def _visits(analysis: str, panel: Panel, group: str, elsewhere: str) -> Iterator[Row]:
    members = panel.members(group)
    measured = np.stack([np.isfinite(course.values[members]) for course in panel.features])
    seen = np.asarray(measured.any(axis=0), dtype=np.bool_)
    steps = (
        (f"in arm {group}", seen.shape[0], elsewhere),
        (f"measured at baseline ({panel.sessions[0]})", int(seen[:, 0].sum()), "no baseline"),
        ("measured again later", int((seen[:, 0] & seen[:, 1:].any(axis=1)).sum()), "single_visit"),
        (f"at the last visit ({panel.sessions[-1]})", int((seen[:, 0] & seen[:, -1]).sum()), "dropped_out"),
        ("at every visit", int(seen.all(axis=1).sum()), "visit missed"),
    )
    for step, n, reason in steps:
        yield {"analysis": analysis, "term": step, "group": reason, "value": n, "n_subjects": n}


def _prediction_rows(panel: Panel) -> Iterator[Row]:
    for course in panel.courses:
        yield from _level_predictions(course, panel)
        yield from _change_predictions(course, panel)


def _level_predictions(course: Course, panel: Panel) -> Iterator[Row]:
    for place, when in zip(*np.nonzero(np.isfinite(course.values)), strict=True):
        yield {
            "subject": panel.subjects[place],
            "target": f"level:{course.term}",
            "candidate": str(panel.groups[place]),
            "day": course.days[place, when],
            "value": course.values[place, when],
        }


def _change_predictions(course: Course, panel: Panel) -> Iterator[Row]:
    change, last = course.change, course.last
    measured = np.isfinite(course.values)
    for place, subject in enumerate(panel.subjects):
        row: Row = {
            "subject": subject,
            "target": f"change:{course.term}",
            "candidate": str(panel.groups[place]),
        }
        if np.isfinite(change[place]):
            yield {**row, "value": change[place], "day": course.days[place, last[place]]}
            continue
        reason = "not_measured" if not measured[place].any() else "single_visit"
        baseline_missing = measured[place].any() and not measured[place, 0]
        yield {**row, "absent": "not_recorded" if baseline_missing else reason}
