"""Rows of a trial's mixed models: least-squares means, contrasts between arms by visit, slopes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.numerics.mmrm import Mmrm, fit_mmrm
from myoproof.numerics.mmrm_inference import Estimate, Inference, estimate, infer, joint_test
from myoproof.numerics.mmrm_layout import Observations
from myoproof.studies.progression_arms import Arms, cell_findings
from myoproof.studies.progression_panel import DAYS_PER_YEAR
from myoproof.studies.progression_trial import MmrmParameters
from myoproof.studies.progression_visits import finding_row

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of a model and how its columns are read.

    Parameters
    ----------
    rows : Observations
        What is fitted.
    visits : tuple of int
        Visits of the panel that the model's visits are, in order.
    n_columns : int
        Columns of the design.
    arm : dict of int to int
        Visit of the panel -> column of the arm's effect.
    baseline : int
        Visit of the model that is baseline; -1 where baseline is a covariate.
    """

    rows: Observations
    visits: tuple[int, ...]
    n_columns: int
    arm: dict[int, int]
    baseline: int


def mmrm_rows(arms: Arms, mmrm: MmrmParameters, *, level: float, fewest: int) -> Iterator[Row]:
    """Every estimate of the mixed model of one feature.

    Parameters
    ----------
    arms : Arms
        Values by arm and visit.
    mmrm : MmrmParameters
        Model, structures, degrees of freedom.
    level : float
        Of the intervals.
    fewest : int
        Fewer values in an arm give an absent contrast.

    Yields
    ------
    dict
        Analyses ``finding``, ``mmrm_fit`` (every structure tried; value: minus twice the log-likelihood),
        ``mmrm_covariance``, ``ls_mean`` and ``contrast`` (method: the visit), ``contrast_joint``.
    """
    yield from cell_findings(arms, fewest)
    design = _design(arms, mmrm)
    if design is None:
        yield from _nothing(arms, "not_measured")
        return
    fit = None
    for name in mmrm.structures:
        tried = fit_mmrm(design.rows, structure_name=name)
        yield _fit_row(arms, mmrm, tried)
        if tried.converged:
            fit = tried
            break
    if fit is None:
        yield from _nothing(arms, "not_converged")
        return
    if fit.kept.size < design.n_columns:
        message = f"{design.n_columns - fit.kept.size} columns of the design follow from others"
        yield finding_row("aliased", message, design.n_columns - fit.kept.size, term=arms.term)
    judged = infer(fit, mmrm.df)
    yield from _covariance_rows(arms, design, fit)
    yield from _means(arms, design, judged, level)
    yield from _contrasts(arms, design, judged, level, fewest)


def _design(arms: Arms, mmrm: MmrmParameters) -> Design | None:
    """Rows and columns of the model; None where an arm has no value at any visit after baseline."""
    clda = mmrm.model == "clda"
    values = arms.values if clda else arms.values - arms.values[:, :1]
    first = 0 if clda else 1
    seen = np.isfinite(values)
    usable = seen[:, 1:].any(axis=1)
    if not (usable & arms.treated).any() or not (usable & ~arms.treated).any():
        return None
    visits = tuple(visit for visit in range(first, len(arms.sessions)) if seen[:, visit].any())
    who, place = np.nonzero(seen[:, list(visits)])
    own = np.eye(len(visits))[place]
    treated = arms.treated.astype(np.float64)[who]
    after = [number for number, visit in enumerate(visits) if visit > 0]
    parts = [own, own[:, after] * treated[:, None]]
    if not clda:
        centred = arms.values[:, 0] - np.nanmean(arms.values[np.isfinite(arms.values[:, 0]), 0])
        baseline = centred[who, None]
        parts.append(own * baseline if mmrm.baseline_by_visit else baseline)
    parts.append(arms.covariates[who])
    design = np.column_stack(parts)
    rows = Observations(
        values=values[who, np.array(visits)[place]],
        design=design,
        subjects=who,
        visits=place,
        groups=arms.treated[who] if mmrm.by_arm else None,
    )
    columns = {visits[number]: len(visits) + order for order, number in enumerate(after)}
    return Design(rows, visits, design.shape[1], columns, 0 if clda and visits[0] == 0 else -1)


def _nothing(arms: Arms, reason: str) -> Iterator[Row]:
    for visit in range(1, len(arms.sessions)):
        head = _head(arms, "contrast", arms.contrast, visit)
        yield {**head, "flags": arms.family, "absent": reason, "n_subjects": sum(arms.cell(visit))}


def _head(arms: Arms, analysis: str, group: str, visit: int) -> Row:
    return {
        "analysis": analysis,
        "term": arms.term,
        "group": group,
        "day": arms.day(visit),
        "method": arms.sessions[visit],
        "unit": arms.unit,
    }


def _fit_row(arms: Arms, mmrm: MmrmParameters, fit: Mmrm) -> Row:
    told = f"{mmrm.model} {fit.structure}{' by arm' if mmrm.by_arm else ''} {fit.method} {mmrm.df}"
    row: Row = {
        "analysis": "mmrm_fit",
        "term": arms.term,
        "group": arms.contrast,
        "method": told,
        "unit": "1",
        "n_subjects": fit.n_subjects,
        "n_rows": fit.n_rows,
    }
    if fit.converged:
        return {**row, "value": fit.deviance}
    return {**row, "absent": "not_converged", "flags": fit.failure}


def _covariance_rows(arms: Arms, design: Design, fit: Mmrm) -> Iterator[Row]:
    """Standard deviations and correlations of the visits."""
    names = [arms.names[1], arms.names[0]] if fit.n_groups == 2 else [""]
    for name, matrix in zip(names, fit.matrices, strict=True):
        sd = np.sqrt(np.diag(matrix))
        for one, visit in enumerate(design.visits):
            head: Row = {"analysis": "mmrm_covariance", "term": arms.term, "group": name}
            session = arms.sessions[visit]
            yield {**head, "method": f"sd {session}", "unit": arms.unit, "value": sd[one]}
            for two in range(one):
                pair = f"correlation {arms.sessions[design.visits[two]]} {session}"
                value = matrix[one, two] / (sd[one] * sd[two])
                yield {**head, "method": pair, "unit": "1", "value": value}


def _means(arms: Arms, design: Design, judged: Inference, level: float) -> Iterator[Row]:
    """Least-squares mean change of each arm at each visit, covariates at their margins."""
    for place, visit in enumerate(design.visits):
        if visit == 0:
            continue
        for arm, name in zip((1.0, 0.0), arms.names, strict=True):
            row = np.zeros(design.n_columns)
            row[place] = 1.0
            row[design.arm[visit]] = arm
            if design.baseline >= 0:
                row[design.baseline] -= 1.0
            n = arms.cell(visit)[0 if arm else 1]
            found = _untested(_fields(judged, row, level))
            yield {**_head(arms, "ls_mean", name, visit), **found, "n_subjects": n}


def _contrasts(arms: Arms, design: Design, judged: Inference, level: float, fewest: int) -> Iterator[Row]:
    after = [visit for visit in range(1, len(arms.sessions))]
    for visit in after:
        cell = arms.cell(visit)
        head = {
            **_head(arms, "contrast", arms.contrast, visit),
            "flags": arms.family,
            "n_subjects": sum(cell),
        }
        if min(cell) < fewest:
            yield {**head, "absent": "insufficient_data" if min(cell) else "not_measured"}
            continue
        row = np.zeros(design.n_columns)
        row[design.arm[visit]] = 1.0
        yield {**head, **_fields(judged, row, level)}
    columns = [design.arm[visit] for visit in after if visit in design.arm]
    if len(columns) < 2:
        return
    found = joint_test(judged, np.eye(design.n_columns)[columns])
    head = {
        "analysis": "contrast_joint",
        "term": arms.term,
        "group": arms.contrast,
        "method": f"F df={found.numerator_df},{found.denominator_df:.1f}",
        "flags": arms.family,
        "n_subjects": len(arms.subjects),
    }
    if np.isfinite(found.p):
        yield {**head, "statistic": found.statistic, "df": found.denominator_df, "p": found.p}
    else:
        yield {**head, "absent": "not_estimable"}


def _fields(judged: Inference, row: Floats, level: float) -> Row:
    return fields(estimate(judged, row, level=level), level)


def _untested(found: Row) -> Row:
    """An estimate of one arm without its p: a trial's hypotheses are about the difference."""
    return {name: value for name, value in found.items() if name != "p"}


def fields(found: Estimate, level: float) -> Row:
    """The columns of an estimate row that a test of a combination fills."""
    if not found.estimable or not np.isfinite(found.p):
        return {"absent": "not_estimable"}
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


def slope_rows(arms: Arms, mmrm: MmrmParameters, *, level: float, fewest: int) -> Iterator[Row]:
    """Slopes per year of both arms and their difference: random intercepts and slopes, a shared start.

    Where slopes do not vary, random intercepts alone are fitted, and `method` says so.
    """
    known = np.isfinite(arms.values) & np.isfinite(arms.days)
    who, visit = np.nonzero(known)
    head: Row = {"analysis": "random_slope", "term": arms.term, "unit": f"{arms.unit}/a", "flags": "slopes"}
    repeated = known.sum(axis=1) > 1
    if min(int((repeated & arms.treated).sum()), int((repeated & ~arms.treated).sum())) < fewest:
        yield {**head, "group": arms.contrast, "absent": "insufficient_data"}
        return
    years = arms.days[who, visit] / DAYS_PER_YEAR
    treated = arms.treated[who].astype(np.float64)
    columns = [np.ones(who.size), years, years * treated, arms.covariates[who]]
    rows = Observations(
        arms.values[who, visit], np.column_stack(columns), who, visit, coordinates=years[:, None]
    )
    fit = fit_mmrm(rows, structure_name="SLOPE")
    if not fit.converged:
        fit = fit_mmrm(rows, structure_name="CS")
    kind = "random_slope" if fit.structure == "SLOPE" else "random_intercept"
    head = {**head, "method": f"{kind} {mmrm.df}", "n_rows": fit.n_rows}
    if not fit.converged:
        yield {**head, "group": arms.contrast, "absent": "not_converged"}
        return
    judged = infer(fit, mmrm.df)
    combinations = {arms.names[0]: (1.0, 1.0), arms.names[1]: (1.0, 0.0), arms.contrast: (0.0, 1.0)}
    counts = {arms.names[0]: repeated & arms.treated, arms.names[1]: repeated & ~arms.treated}
    for group, (time, interaction) in combinations.items():
        row = np.zeros(rows.design.shape[1])
        row[1], row[2] = time, interaction
        n = int(counts.get(group, repeated).sum())
        found = _fields(judged, row, level)
        own = found if group == arms.contrast else _untested(found)
        yield {**head, "group": group, "n_subjects": n, **own}
