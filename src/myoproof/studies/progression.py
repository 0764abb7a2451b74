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
from myoproof.errors import Finding, refuse
from myoproof.numerics.multiplicity import adjust
from myoproof.studies.progression_arms import Arms, two_arms
from myoproof.studies.progression_change import change_rows
from myoproof.studies.progression_clinical import correlation_rows, tempo_course, tempo_rows
from myoproof.studies.progression_dropout import death_rows, dropout_rows
from myoproof.studies.progression_joint import joint_rows
from myoproof.studies.progression_league import league_rows
from myoproof.studies.progression_legs import leg_rows
from myoproof.studies.progression_mmrm import mmrm_rows, slope_rows
from myoproof.studies.progression_panel import Course, Panel, Parameters, Procedure, make_panel
from myoproof.studies.progression_visits import check_visits, finding_row, windowed

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
        ``difference``, ``srm``, ``sample_size``, ``selection``, ``fast_slow``, ``correlation``; in a trial
        ``ls_mean``, ``contrast``, ``random_slope``, ``sensitivity`` and others, see docs/mmrm.md; the family
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
    _refuse_trial(study, parameters)
    chosen, flow = select(cohort, study.cohort)
    planned = windowed(chosen, parameters.visits, parameters.visit_rule)
    if parameters.mmrm is not None and planned.cohort.measurements["session"].nunique() < 2:
        return _one_visit(study, planned.cohort, [*planned.rows])
    panel = make_panel(planned.cohort, study, parameters)
    rows: list[Row] = [*_flow_rows(flow, panel, parameters), *planned.rows]
    parts = _parts(planned.cohort, panel, study, parameters, rng=rng)
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


def _one_visit(study: Study, cohort: Cohort, rows: list[Row]) -> Result:
    """The result of a trial whose subjects came once: what was found, and that nothing can be estimated."""
    rows.append(finding_row("one_visit", "no change can be measured", len(cohort.subjects)))
    rows += [
        {"analysis": "contrast", "term": feature.measure, "absent": "single_visit"}
        for feature in study.features
    ]
    simulated = is_simulated(cohort.measurements)
    return Result(study, estimates_frame(rows), predictions_frame([]), simulated=simulated)


Part = tuple[str, Callable[[], Iterator[Row]]]


def _parts(
    cohort: Cohort, panel: Panel, study: Study, parameters: Parameters, *, rng: np.random.Generator
) -> tuple[Part, ...]:
    """What is computed, in order; a trial compares arms where a cohort study ranks measures."""
    shared: list[Part] = [("change", lambda: change_rows(panel, parameters))]
    if parameters.mmrm is None:
        tempo = tempo_course(panel, study, parameters)
        shared.append(("responsiveness", lambda: league_rows(panel, parameters, rng=rng)))
        shared.append(("fast and slow", lambda: tempo_rows(panel, tempo, parameters)))
    else:
        shared.append(("arms by visit", lambda: _trial_rows(cohort, panel, study, parameters, rng=rng)))
    joint = parameters.joint
    if joint is not None:
        who, level = parameters.patients, parameters.level
        shared.append(("joint model", lambda: joint_rows(cohort, joint, group=who, level=level)))
    shared.append(("correlation", lambda: correlation_rows(panel, parameters)))
    shared.append(("both sides", lambda: leg_rows(panel, parameters)))
    return tuple(shared)


def _trial_rows(
    cohort: Cohort, panel: Panel, study: Study, parameters: Parameters, *, rng: np.random.Generator
) -> Iterator[Row]:
    """Mixed models, drop-out otherwise, and death, feature by feature."""
    mmrm = parameters.mmrm
    if mmrm is None:
        return
    features, told = two_arms(cohort, panel, study, parameters, mmrm)
    yield from told
    bounds: dict[str, Any] = {"level": parameters.level, "fewest": parameters.minimum_subjects}
    for arms in features:
        yield from mmrm_rows(arms, mmrm, **bounds)
        if mmrm.slopes:
            yield from slope_rows(arms, mmrm, **bounds)
        yield from death_rows(arms, study, parameters, mmrm)
        if parameters.sensitivity is not None and _is_primary(arms, study):
            yield from dropout_rows(arms, parameters, mmrm, parameters.sensitivity, rng=rng)


def _is_primary(arms: Arms, study: Study) -> bool:
    """Sensitivity analyses are for the primary family, or for all where none is named."""
    return arms.term in study.families.get("primary", [arms.term])


def _refuse_trial(study: Study, parameters: Parameters) -> None:
    """Windows that overlap, a trial without a second arm, what needs a trial but has none."""
    check_visits(parameters.visits, where=f"{study.name} [method.visits]")
    findings = []
    if parameters.mmrm is not None and not parameters.controls:
        mend = "name the reference arm in [method] controls"
        findings.append(Finding("error", "arms", "a mixed model by arm needs two arms", mend=mend))
    if parameters.mmrm is None and parameters.sensitivity is not None:
        mend = "add [method.mmrm]"
        findings.append(Finding("error", "arms", "drop-out is imputed in trials only", mend=mend))
    refuse(findings, where=study.name)


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
