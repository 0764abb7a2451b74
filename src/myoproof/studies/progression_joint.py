"""The joint model in a progression study: trajectory and death together, the naive answers beside."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field
from scipy import stats

from myoproof.core.cohort import Cohort, feature_rows, subject_columns
from myoproof.core.study import Feature, Strict
from myoproof.errors import InvalidInput
from myoproof.numerics.joint import fit_joint
from myoproof.numerics.joint_types import Association, Estimate, JointFit, JointForm, Repeated, Survival
from myoproof.numerics.survival import cox
from myoproof.vocabulary.lookup import unit

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
DAYS_PER_YEAR = 365.25
EVENTS_AN_INTERVAL = 5
"""Proposal: the baseline hazard gets no more intervals than this many events each allow."""
FEWEST_EVENTS = 5
"""Fewer events give an absent row."""
DENSE_NODES = 9
"""Quadrature nodes a random effect of the check that is shown beside the fit."""


class JointParameters(Strict):
    """The joint model of a progression study, the table ``[method.joint]`` of its TOML.

    Parameters
    ----------
    feature : Feature
        The trajectory: exactly one term.
    events : list of str
        Kinds of event that end the trajectory; several make a composite. Whoever only left is censored.
    origin : {"baseline", "onset"}
        Where time starts: the first measurement, or symptom onset; with onset, subjects enter at their first
        measurement (left truncation).
    arms : list of str
        Arms that take part; empty takes the patients of the study.
    level_by, slope_by, hazard_by : list of str
        Columns of subjects or covariates that shift the level, the slope and the hazard.
    association : {"value", "slope", "both"}
        What of the trajectory the hazard depends on.
    knots : int
        Internal knots of the baseline hazard; fewer where events are few.
    hermite : int
        Quadrature nodes a random effect; a denser grid is always shown beside.
    """

    feature: Feature
    events: list[str] = Field(default_factory=lambda: ["death"], min_length=1)
    origin: Literal["baseline", "onset"] = "baseline"
    arms: list[str] = Field(default_factory=list)
    level_by: list[str] = Field(default_factory=list)
    slope_by: list[str] = Field(default_factory=list)
    hazard_by: list[str] = Field(default_factory=list)
    association: Association = "value"
    knots: int = Field(default=6, ge=0, le=20)
    hermite: int = Field(default=5, ge=3, le=21)


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What is modelled, the designs' columns, and the flow that led there."""

    term: str
    unit: str
    rows: Repeated
    survival: Survival
    level: dict[str, Floats]
    slope: dict[str, Floats]
    flow: list[tuple[str, int, str]]


def joint_rows(
    cohort: Cohort, parameters: JointParameters, *, group: str, level: float = 0.95
) -> Iterator[Row]:
    """Estimate rows of the joint model, the mixed model that ignores death, and plain Cox regression.

    Parameters
    ----------
    cohort : Cohort
        Subjects, measurements and events.
    parameters : JointParameters
        What is modelled.
    group : str
        Arm of the patients, where the parameters name no arms.
    level : float
        Level of the intervals.

    Yields
    ------
    dict
        Analyses ``joint_model`` (methods ``longitudinal/NAME``, ``hazard/NAME``, ``association/NAME``,
        ``residual_sd``, ``log_likelihood``), ``joint_dense`` (the same by denser quadrature),
        ``joint_naive`` (mixed model alone), ``joint_cox``, ``joint_flow``. Values are in the unit of the
        measure and per year; hazards and associations are log hazard ratios.

    Raises
    ------
    InvalidInput
        For a feature of several terms, an unknown column, or an event kind that the cohort lacks.

    References
    ----------
    See :func:`myoproof.numerics.joint.fit_joint`.
    """
    found = _gather(cohort, parameters, group)
    name = "+".join(parameters.arms) or group
    base: Row = {"term": found.term, "group": name, "n_subjects": found.survival.times.size}
    for step, n, reason in found.flow:
        yield {**base, "analysis": "joint_flow", "method": step, "value": n, "flags": reason}
    events = int(found.survival.events.sum())
    if events < FEWEST_EVENTS:
        message = f"{events} events where {FEWEST_EVENTS} are needed"
        yield from _refused(base, message, "insufficient_data")
        return
    form = _form(found, parameters, events)
    base = {**base, "n_rows": found.rows.values.size, "level": level}
    try:
        fit = fit_joint(found.rows, found.survival, form, level=level)
    except InvalidInput as error:
        yield from _refused(base, str(error), "insufficient_data")
        return
    if fit.convergence != "converged":
        yield from _refused(base, fit.convergence.replace("_", " "), "not_converged")
        return
    yield from _fitted(fit, {**base, "analysis": "joint_model"}, found.unit)
    dense = fit_joint(
        found.rows, found.survival, replace(form, hermite=max(DENSE_NODES, form.hermite + 4)), level=level
    )
    yield from _fitted(dense, {**base, "analysis": "joint_dense"}, found.unit)
    yield from _naive(fit, {**base, "analysis": "joint_naive"}, form, found.unit, level)
    yield from _cox(found, {**base, "analysis": "joint_cox"}, level)


def _refused(base: Row, message: str, reason: str) -> Iterator[Row]:
    yield {**base, "analysis": "joint_flow", "method": "not estimated", "value": 0, "flags": message}
    yield {**base, "analysis": "joint_model", "method": "association/value", "absent": reason}


def _form(found: _Gathered, parameters: JointParameters, events: int) -> JointForm:
    names = ["intercept", "time", *found.level, *(f"time:{name}" for name in found.slope)]
    level, slope = list(found.level.values()), list(found.slope.values())

    def fixed(times: Floats, subjects: npt.NDArray[np.intp]) -> Floats:
        shifts = [column[subjects] for column in level]
        return np.stack(
            [np.ones_like(times), times, *shifts, *(times * part[subjects] for part in slope)], axis=1
        )

    def fixed_slope(times: Floats, subjects: npt.NDArray[np.intp]) -> Floats:
        flat, one = np.zeros_like(times), np.ones_like(times)
        return np.stack([flat, one, *[flat] * len(level), *(part[subjects] for part in slope)], axis=1)

    knots = max(0, min(parameters.knots, events // EVENTS_AN_INTERVAL - 1))
    return JointForm(
        fixed=fixed,
        fixed_names=tuple(names),
        fixed_slope=fixed_slope,
        association=parameters.association,
        n_knots=knots,
        hermite=parameters.hermite,
    )


# ---------------------------------------------------------------- rows


def _wald_fields(found: Estimate) -> Row:
    return {
        "value": found.value,
        "se": found.se,
        "statistic": found.value / found.se if found.se > 0 else math.nan,
        "p": found.p,
        "low": found.low,
        "high": found.high,
    }


def _units(name: str, of: str) -> str:
    if not name.startswith("time"):
        return of
    return "1/a" if of == "1" else f"{of}/a"


def _fitted(fit: JointFit, base: Row, of: str) -> Iterator[Row]:
    for name, found in fit.longitudinal.items():
        yield {
            **base,
            **_wald_fields(found),
            "method": f"longitudinal/{name}",
            "unit": _units(name, of),
        }
    for name, found in fit.survival.items():
        yield {**base, **_wald_fields(found), "method": f"hazard/{name}", "unit": "1"}
    for name, found in fit.association.items():
        yield {**base, **_wald_fields(found), "method": f"association/{name}", "unit": "1"}
    yield {
        **base,
        **_wald_fields(fit.residual_sd),
        "method": "residual_sd",
        "unit": of,
        "p": math.nan,
        "statistic": math.nan,
    }
    yield {**base, "method": "log_likelihood", "value": fit.log_likelihood, "unit": "1"}


def _naive(fit: JointFit, base: Row, form: JointForm, of: str, level: float) -> Iterator[Row]:
    reach = float(stats.norm.ppf((1 + level) / 2))
    spread = np.sqrt(np.diag(fit.naive.fixed_covariance))
    for name, value, se in zip(form.fixed_names, fit.naive.fixed, spread, strict=True):
        p = 2 * float(stats.norm.sf(abs(value) / se))
        found = Estimate(float(value), float(se), float(value - reach * se), float(value + reach * se), p)
        yield {
            **base,
            **_wald_fields(found),
            "method": f"longitudinal/{name}",
            "unit": _units(name, of),
        }


def _cox(found: _Gathered, base: Row, level: float) -> Iterator[Row]:
    """Plain Cox regression: the covariates alone, then with the first measured value."""
    reach = float(stats.norm.ppf((1 + level) / 2))
    columns = found.survival.covariates
    assert columns is not None
    order = np.lexsort((found.rows.times, found.rows.subjects))
    _, first = np.unique(found.rows.subjects[order], return_index=True)
    baseline = found.rows.values[order][first]
    names = [f"hazard/{name}" for name in found.survival.names]
    tables = ((columns, names), (np.column_stack([columns, baseline]), [*names, "association/first_value"]))
    for table, wanted in tables:
        if not wanted:
            continue
        shown = wanted if table is columns else wanted[-1:]
        head = {**base, "n_rows": found.survival.times.size}
        try:
            fit = cox(found.survival.times, found.survival.events, table, entry=found.survival.entry)
        except ValueError:
            yield from ({**head, "method": name, "absent": "not_converged"} for name in shown)
            continue
        for name in shown:
            at = wanted.index(name)
            value, se = float(fit.coefficients[at]), float(fit.se[at])
            p = 2 * float(stats.norm.sf(abs(value) / se))
            each = Estimate(value, se, value - reach * se, value + reach * se, p)
            yield {**head, **_wald_fields(each), "method": name, "unit": "1"}


# ---------------------------------------------------------------- gathering


def _gather(cohort: Cohort, parameters: JointParameters, group: str) -> _Gathered:
    rows = feature_rows(cohort, parameters.feature)
    term = _single_term(rows, cohort, parameters.events)
    arms = parameters.arms or [group]
    people = cohort.subjects[cohort.subjects["arm"].isin(arms)].sort_values("subject")
    flow = [(f"in arm {', '.join(arms)}", len(people), "")]
    table = _dated(rows, cohort, set(people["subject"]))
    table, note = _timed(table, people, parameters.origin)
    flow.append((f"measured, with a day{note}", table["subject"].nunique(), "not measured"))
    follow = _follow_up(table, cohort.events, parameters.events)
    late = table["day"] > table["subject"].map(follow["end_day"]) + 1e-9
    if late.any():
        flow.append(("measurements after the event, cut", int(late.sum()), ""))
        table = table[~late]
    columns = [*parameters.level_by, *parameters.slope_by, *parameters.hazard_by]
    coded, complete = _coded(cohort, list(dict.fromkeys(columns)), list(follow.index))
    follow = follow[complete & (follow["end_day"] > follow["start_day"])]
    flow += [
        ("followed beyond the first measurement", len(follow), "no follow-up, or a covariate missing"),
        (f"{' or '.join(parameters.events)} seen", int(follow["event"].sum()), "the others are censored"),
        ("status unknown, censored at the last measurement", int(follow["unknown"].sum()), ""),
    ]
    table = table[table["subject"].isin(follow.index)]
    place = pd.Series(np.arange(len(follow)), index=follow.index)
    coded = {name: columns.loc[follow.index] for name, columns in coded.items()}
    start = follow["origin_day"].to_numpy(dtype=np.float64)
    at = place.loc[table["subject"]].to_numpy(dtype=np.intp)
    hazard = _columns(coded, parameters.hazard_by)
    return _Gathered(
        term=term,
        unit=unit(parameters.feature.measure),
        rows=Repeated(
            values=table["value"].to_numpy(dtype=np.float64),
            times=(table["day"].to_numpy(dtype=np.float64) - start[at]) / DAYS_PER_YEAR,
            subjects=at,
        ),
        survival=Survival(
            times=(follow["end_day"].to_numpy(dtype=np.float64) - start) / DAYS_PER_YEAR,
            events=follow["event"].to_numpy(dtype=np.bool_),
            covariates=np.column_stack([np.zeros((len(follow), 0)), *hazard.values()]),
            entry=(follow["start_day"].to_numpy(dtype=np.float64) - start) / DAYS_PER_YEAR,
            names=tuple(hazard),
        ),
        level=_columns(coded, parameters.level_by),
        slope=_columns(coded, parameters.slope_by),
        flow=flow,
    )


def _single_term(rows: pd.DataFrame, cohort: Cohort, kinds: Sequence[str]) -> str:
    terms = sorted(set(rows["feature"]))
    if len(terms) != 1:
        mend = f"name one of {', '.join(terms[:6])}"
        raise InvalidInput(f"the joint model takes one term, not {len(terms)}", where="joint", mend=mend)
    held = set(cohort.events["kind"])
    unknown = [kind for kind in kinds if kind not in held]
    if unknown:
        mend = f"it holds {', '.join(sorted(held)) or 'no events'}"
        raise InvalidInput(f"the cohort has no events of kind {', '.join(unknown)}", where="joint", mend=mend)
    return str(terms[0])


def _dated(rows: pd.DataFrame, cohort: Cohort, members: set[str]) -> pd.DataFrame:
    """Measured values with their days: of the modality's own acquisition, else of any at that session."""
    usable = rows[rows["subject"].isin(members) & rows["value"].notna() & (rows["quality"] != "fail")]
    visits = cohort.acquisitions.dropna(subset=["day"])
    exact = visits.groupby(["subject", "session", "modality"])["day"].min()
    loose = visits.groupby(["subject", "session"])["day"].min()
    own = exact.reindex(pd.MultiIndex.from_frame(usable[["subject", "session", "modality"]])).to_numpy()
    other = loose.reindex(pd.MultiIndex.from_frame(usable[["subject", "session"]])).to_numpy()
    dated = usable[["subject", "value"]].assign(day=np.where(np.isnan(own), other, own))
    return dated[dated["day"].notna()].sort_values(["subject", "day"]).reset_index(drop=True)


def _timed(table: pd.DataFrame, people: pd.DataFrame, origin: str) -> tuple[pd.DataFrame, str]:
    """Rows with the day their subject's time starts; without a known onset a subject is left out."""
    if origin == "baseline":
        return table.assign(origin_day=table.groupby("subject")["day"].transform("min")), ""
    onset = people.set_index("subject")["onset_day"]
    dated = table.assign(origin_day=table["subject"].map(onset).astype(np.float64))
    return dated[dated["origin_day"].notna() & (dated["day"] >= dated["origin_day"])], " and a known onset"


def _follow_up(table: pd.DataFrame, events: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    """By subject: origin, entry and end of follow-up; whether the event was seen, or nothing is known."""
    grouped = table.groupby("subject")
    follow = pd.DataFrame(
        {
            "origin_day": grouped["origin_day"].first(),
            "start_day": grouped["day"].min(),
            "last_day": grouped["day"].max(),
        }
    )
    relevant = events[events["kind"].isin(list(kinds)) & events["end_day"].notna()]
    seen = relevant[relevant["status"] == "observed"].groupby("subject")["end_day"].min()
    free = relevant[relevant["status"] == "censored"].groupby("subject")["end_day"].max()
    died = seen.reindex(follow.index)
    alive = free.reindex(follow.index)
    censored = np.fmax(alive.to_numpy(dtype=np.float64), follow["last_day"].to_numpy(dtype=np.float64))
    return follow.assign(
        event=died.notna(),
        unknown=died.isna() & alive.isna(),
        end_day=np.where(died.notna(), died, censored),
    )


def _coded(
    cohort: Cohort, columns: list[str], subjects: list[str]
) -> tuple[dict[str, pd.DataFrame], npt.NDArray[np.bool_]]:
    """Covariates as numbers: words become one column for each level but the first; and who has them all."""
    complete = np.ones(len(subjects), dtype=np.bool_)
    coded: dict[str, pd.DataFrame] = {}
    table = subject_columns(cohort, columns).reindex(subjects) if columns else pd.DataFrame(index=subjects)
    for name in columns:
        column = table[name]
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.notna().any() or column.isna().all():
            coded[name] = numbers.astype(np.float64).to_frame(name)
            complete &= numbers.notna().to_numpy()
            continue
        known = column.notna() & (column != "")
        complete &= known.to_numpy()
        levels = sorted(set(column[known]))[1:]
        coded[name] = pd.DataFrame(
            {f"{name}[{one}]": (column == one).astype(np.float64) for one in levels}, index=column.index
        )
    return coded, complete


def _columns(coded: dict[str, pd.DataFrame], names: Sequence[str]) -> dict[str, Floats]:
    return {
        str(label): coded[name][label].to_numpy(dtype=np.float64) for name in names for label in coded[name]
    }
