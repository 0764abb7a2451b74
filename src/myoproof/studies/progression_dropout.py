"""Rows of what-if: drop-out imputed otherwise, the tipping point, death as the worst outcome, while alive."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.study import Study
from myoproof.numerics.mmrm import fit_mmrm
from myoproof.numerics.mmrm_inference import estimate, infer
from myoproof.numerics.mmrm_layout import Observations
from myoproof.numerics.pairwise import Fates, compare
from myoproof.numerics.pooling import pool
from myoproof.numerics.reference_imputation import TwoArms, ancova, complete
from myoproof.studies.progression_arms import Arms
from myoproof.studies.progression_mmrm import fields
from myoproof.studies.progression_panel import Parameters
from myoproof.studies.progression_trial import MmrmParameters, SensitivityParameters

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
STEPS = 60
"""Worsenings between none and the largest at which the tipping point is sought."""


def dropout_rows(
    arms: Arms,
    parameters: Parameters,
    mmrm: MmrmParameters,
    sensitivity: SensitivityParameters,
    *,
    rng: np.random.Generator,
) -> Iterator[Row]:
    """The contrast at the primary visit under other assumptions on those who left.

    Yields
    ------
    dict
        Analyses ``sensitivity`` (a row an assumption) and ``tipping_point`` (value: the worsening after
        drop-out in the first arm, beyond missing at random, at which p rises above alpha).
    """
    visit = primary_visit(arms, mmrm)
    trial = _trial(arms, visit)
    head: Row = {
        "analysis": "sensitivity",
        "term": arms.term,
        "group": arms.contrast,
        "day": arms.day(visit),
        "unit": arms.unit,
        "flags": "sensitivity",
        "n_subjects": trial.treated.size,
    }
    enough = min(arms.cell(visit)) >= parameters.minimum_subjects
    for assumption in sensitivity.assumptions:
        own = {**head, "method": f"{assumption} m={sensitivity.imputations} {arms.sessions[visit]}"}
        if not enough:
            yield {**own, "absent": "insufficient_data"}
            continue
        done = complete(trial, assumption, rng=rng, imputations=sensitivity.imputations)
        if len(done.values) < 2:
            yield {**own, "absent": "not_converged"}
            continue
        found = ancova(done.values[..., -1], trial.treated, trial.covariates)
        yield {**own, **_pooled(found, trial, parameters.level)}
        if assumption == "missing_at_random" and sensitivity.tipping_point:
            yield _tipping(arms, trial, done.values, found, parameters, sensitivity, head)


def primary_visit(arms: Arms, mmrm: MmrmParameters) -> int:
    """Place of the primary visit: as named, else the last."""
    if mmrm.primary_visit in arms.sessions[1:]:
        return arms.sessions.index(mmrm.primary_visit)
    return len(arms.sessions) - 1


def _trial(arms: Arms, visit: int) -> TwoArms:
    """Changes up to the primary visit of all who have a baseline."""
    kept = np.isfinite(arms.values[:, 0])
    change = arms.values[kept, 1 : visit + 1] - arms.values[kept, :1]
    start = arms.values[kept, 0] - arms.values[kept, 0].mean()
    covariates = np.column_stack([start, arms.covariates[kept]])
    flat = np.ptp(covariates, axis=0) == 0
    return TwoArms(change, arms.treated[kept], covariates[:, ~flat])


def _pooled(found: tuple[Floats, Floats], trial: TwoArms, level: float) -> Row:
    complete_df = trial.treated.size - 2 - trial.covariates.shape[1]
    pooled = pool(*found, df_complete=complete_df, level=level)
    value, se = float(pooled.value), float(pooled.se)
    return {
        "value": value,
        "se": se,
        "df": float(pooled.df),
        "statistic": value / se if se > 0 else math.nan,
        "p": float(pooled.p),
        "low": float(pooled.low),
        "high": float(pooled.high),
        "level": level,
    }


def _tipping(
    arms: Arms,
    trial: TwoArms,
    completed: Floats,
    found: tuple[Floats, Floats],
    parameters: Parameters,
    sensitivity: SensitivityParameters,
    head: Row,
) -> Row:
    """The least worsening after drop-out in the treated arm that takes significance away."""
    own = {**head, "analysis": "tipping_point", "method": f"delta, alpha {parameters.alpha:g}"}
    if float(pool(*found).p) >= parameters.alpha:
        return {**own, "value": 0.0, "flags": "not_significant_at_the_start"}
    left = trial.after[:, -1] & trial.treated
    last = completed[..., -1]
    largest = sensitivity.most * float(last.std())
    sign = arms.worsening or 1
    degrees = trial.treated.size - 2 - trial.covariates.shape[1]
    for delta in np.linspace(0, largest, STEPS + 1)[1:]:
        moved = ancova(last + sign * delta * left, trial.treated, trial.covariates)
        pooled = pool(*moved, df_complete=degrees)
        if float(pooled.p) >= parameters.alpha:
            return {**own, "value": float(delta), "p": float(pooled.p)}
    return {**own, "value": math.nan, "absent": "not_defined", "flags": f"none_up_to_{largest:.3g}"}


def death_rows(arms: Arms, study: Study, parameters: Parameters, mmrm: MmrmParameters) -> Iterator[Row]:
    """Death by the estimand's strategy: pairwise comparison (composite), or the last value while alive.

    Yields
    ------
    dict
        ``composite``: the chance that a subject of the first arm fares better than one of the reference,
        death before value; ``while_alive``: difference of the last change before death or the primary visit.
        Without an estimand that names death but with deaths seen, ``composite`` is given.
    """
    strategy = study.estimand.strategy("death") if study.estimand else ""
    died = bool(np.isfinite(arms.death_day).any())
    if strategy == "composite" or (died and not strategy):
        yield _composite(arms, parameters, mmrm)
    if strategy == "while_alive":
        yield _while_alive(arms, parameters, mmrm)


def _composite(arms: Arms, parameters: Parameters, mmrm: MmrmParameters) -> Row:
    visit = primary_visit(arms, mmrm)
    change = -(arms.worsening or 1) * (arms.values[:, 1 : visit + 1] - arms.values[:, :1])
    head: Row = {
        "analysis": "composite",
        "term": arms.term,
        "group": arms.contrast,
        "day": arms.day(visit),
        "unit": "1",
        "flags": "composite",
        "n_subjects": len(arms.subjects),
    }
    parts = [
        Fates(change[arm], arms.death_day[arm], arms.known_day[arm]) for arm in (arms.treated, ~arms.treated)
    ]
    if min(len(part.known_day) for part in parts) < parameters.minimum_subjects:
        return {**head, "method": "win_probability", "absent": "insufficient_data"}
    found = compare(*parts, level=parameters.level)
    if not math.isfinite(found.p):
        return {**head, "method": "win_probability", "absent": "insufficient_data"}
    shares = f"death {found.decided_by_death:.2f} value {found.decided_by_value:.2f} tied {found.tied:.2f}"
    return {
        **head,
        "method": f"win_probability ({shares})",
        "value": found.value,
        "se": found.se,
        "df": found.df,
        "statistic": found.statistic,
        "p": found.p,
        "low": found.low,
        "high": found.high,
        "level": parameters.level,
    }


def _while_alive(arms: Arms, parameters: Parameters, mmrm: MmrmParameters) -> Row:
    """Analysis of covariance of each subject's last change up to death or the primary visit."""
    visit = primary_visit(arms, mmrm)
    change = arms.values[:, 1 : visit + 1] - arms.values[:, :1]
    seen = np.isfinite(change)
    kept = seen.any(axis=1)
    last = change.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    head: Row = {
        "analysis": "while_alive",
        "term": arms.term,
        "group": arms.contrast,
        "day": arms.day(visit),
        "method": "last_change_while_alive ancova",
        "unit": arms.unit,
        "flags": "while_alive",
        "n_subjects": int(kept.sum()),
    }
    fewest = min(int((kept & arms.treated).sum()), int((kept & ~arms.treated).sum()))
    if fewest < parameters.minimum_subjects:
        return {**head, "absent": "insufficient_data"}
    start = arms.values[kept, 0]
    design = np.column_stack(
        [np.ones(start.size), arms.treated[kept], start - start.mean(), arms.covariates[kept]]
    ).astype(np.float64)
    rows = Observations(
        change[kept, last[kept]], design, np.arange(start.size), np.zeros(start.size, dtype=np.intp)
    )
    fit = fit_mmrm(rows, structure_name="CS")
    if not fit.converged:
        return {**head, "absent": "not_converged"}
    return {
        **head,
        **fields(
            estimate(infer(fit, "residual"), np.eye(design.shape[1])[1], level=parameters.level),
            parameters.level,
        ),
    }
