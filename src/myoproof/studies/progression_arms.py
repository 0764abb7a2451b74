"""Two arms of a trial by visit, as the estimand counts them: values, covariates, and what was found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, subject_columns
from myoproof.core.study import Study
from myoproof.studies.progression_panel import Course, Panel, Parameters
from myoproof.studies.progression_trial import MmrmParameters
from myoproof.studies.progression_visits import finding_row

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LEFT_OUT = ("hypothetical", "while_on_treatment")
"""Strategies that leave values after the event out."""


@dataclass(frozen=True, slots=True)
class Arms:
    """One feature of a trial: rows are subjects of either arm, columns are visits, baseline first.

    Parameters
    ----------
    term, unit, family : str
        Of the feature.
    worsening : int
        +1 where higher is worse.
    subjects : list of str
        Names.
    treated : ndarray of bool, shape (n,)
        The first arm of the contrast; the others are the reference.
    names : tuple of (str, str)
        Treated and reference arm.
    sessions : list of str
        Baseline first.
    values, days : ndarray, shape (n, t + 1)
        NaN where missing.
    covariates : ndarray, shape (n, p)
        Centred at the margins of the least-squares means; complete.
    covariate_names : tuple of str
        Their columns.
    death_day, known_day : ndarray, shape (n,)
        NaN where no death was seen; last day known alive.
    """

    term: str
    unit: str
    family: str
    worsening: int
    subjects: list[str]
    treated: Bools
    names: tuple[str, str]
    sessions: list[str]
    values: Floats
    days: Floats
    covariates: Floats
    covariate_names: tuple[str, ...]
    death_day: Floats
    known_day: Floats

    @property
    def contrast(self) -> str:
        """Name of the contrast."""
        return f"{self.names[0]} - {self.names[1]}"

    def day(self, visit: int) -> float:
        """Median day of a visit; NaN where none is known."""
        days = self.days[:, visit]
        days = days[np.isfinite(days)]
        return float(np.median(days)) if days.size else float("nan")

    def cell(self, visit: int) -> tuple[int, int]:
        """Values of the treated and of the reference arm at a visit."""
        seen = np.isfinite(self.values[:, visit])
        return int((seen & self.treated).sum()), int((seen & ~self.treated).sum())


def two_arms(
    cohort: Cohort, panel: Panel, study: Study, parameters: Parameters, mmrm: MmrmParameters
) -> tuple[list[Arms], list[Row]]:
    """The features of a trial as the estimand counts them, and what was found on the way.

    Raises
    ------
    InvalidInput
        For a covariate that neither table holds.
    """
    names = (parameters.patients, parameters.controls)
    members = panel.members(names[0]) | panel.members(names[1])
    subjects = [name for name, kept in zip(panel.subjects, members, strict=True) if kept]
    treated = panel.members(names[0])[members]
    covariates, labels, told = _covariates(cohort, study, subjects, treated, mmrm)
    death, known = _fates(cohort, subjects)
    arms = []
    for course in panel.features:
        values, days = course.values[members].copy(), course.days[members]
        told += _outside_estimand(cohort, study, subjects, values, days, course.term)
        told += _backward(values, days, course, subjects)
        arms.append(
            Arms(
                course.term,
                course.unit,
                course.family,
                course.worsening,
                subjects,
                treated,
                names,
                panel.sessions,
                values,
                days,
                covariates,
                labels,
                death,
                known,
            )
        )
    told += _changed_arm(cohort, study, subjects, mmrm)
    return arms, told


def cell_findings(arms: Arms, fewest: int) -> Iterator[Row]:
    """Visits where an arm has no value, or too few."""
    for visit, session in enumerate(arms.sessions[1:], start=1):
        for name, n in zip(arms.names, arms.cell(visit), strict=True):
            if n == 0:
                yield finding_row("no_data_in_arm", f"{name} at {session}", 1, term=arms.term)
            elif n < fewest:
                yield finding_row("few_in_cell", f"{name} at {session}: {n}", n, term=arms.term)
    if len(arms.sessions) == 2:
        yield finding_row("one_visit", f"only {arms.sessions[1]} after baseline", 1, term=arms.term)


def _covariates(
    cohort: Cohort, study: Study, subjects: list[str], treated: Bools, mmrm: MmrmParameters
) -> tuple[Floats, tuple[str, ...], list[Row]]:
    """Covariates as complete numbers centred where the least-squares means stand."""
    columns: list[Floats] = []
    labels: list[str] = []
    told: list[Row] = []
    if not study.covariates:
        return np.zeros((len(subjects), 0)), (), told
    table = subject_columns(cohort, study.covariates).reindex(subjects)
    for name in study.covariates:
        made, own, found = _covariate(name, table[name], treated, balanced=mmrm.margins == "balanced")
        columns += made
        labels += own
        told += found
    return np.column_stack([np.zeros((len(subjects), 0)), *columns]), tuple(labels), told


def _covariate(
    name: str, column: "pd.Series[Any]", treated: Bools, *, balanced: bool
) -> tuple[list[Floats], list[str], list[Row]]:
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64)
        missing = np.isnan(values)
        told = [finding_row("covariate_missing", f"{name}: mean taken", int(missing.sum()))]
        values = np.where(missing, np.nanmean(values) if not missing.all() else 0.0, values)
        found = (told if missing.any() else []) + _separation(name, values, treated)
        return [values - values.mean()], [name], found
    texts = column.fillna("").astype(str).to_numpy(dtype=np.str_)
    levels = sorted(set(texts))
    indicators = [(texts == level).astype(np.float64) for level in levels]
    found = _separation(
        name, np.array([levels.index(text) for text in texts], dtype=np.float64), treated, words=True
    )
    centre = [1 / len(levels) if balanced else float(column.mean()) for column in indicators]
    made = [column - middle for column, middle in zip(indicators, centre, strict=True)][1:]
    return made, [f"{name}={level or 'unknown'}" for level in levels[1:]], found


def _separation(name: str, values: Floats, treated: Bools, *, words: bool = False) -> list[Row]:
    """A covariate that is constant, constant within an arm, or parts the arms."""
    own, other = values[treated], values[~treated]
    if not own.size or not other.size:
        return []
    if np.ptp(values) == 0:
        return [finding_row("covariate_constant", name, values.size)]
    shared = set(own) & set(other)
    apart = not shared if words else own.max() < other.min() or other.max() < own.min()
    if apart:
        return [finding_row("covariate_separates_arms", name, values.size)]
    flat = [part for part in (own, other) if np.ptp(part) == 0]
    return [finding_row("covariate_constant_in_arm", name, part.size) for part in flat]


def _fates(cohort: Cohort, subjects: list[str]) -> tuple[Floats, Floats]:
    """Day of death where seen, and the last day known alive."""
    events = cohort.events
    deaths = events[(events["kind"] == "death") & (events["status"] == "observed")]
    death = deaths.groupby("subject")["end_day"].min().reindex(subjects).to_numpy(dtype=np.float64)
    censored = events[(events["kind"] == "death") & (events["status"] == "censored")]
    told = censored.groupby("subject")["end_day"].max().reindex(subjects).to_numpy(dtype=np.float64)
    visits = cohort.acquisitions.groupby("subject")["day"].max().reindex(subjects)
    seen = visits.to_numpy(dtype=np.float64)
    known = np.fmax(np.fmax(told, seen), np.zeros(len(subjects)))
    return death, np.where(np.isfinite(death), death, known)


def _outside_estimand(
    cohort: Cohort, study: Study, subjects: list[str], values: Floats, days: Floats, term: str
) -> list[Row]:
    """Take out, in place, the values that the strategies leave out."""
    told: list[Row] = []
    if study.estimand is None:
        return told
    for one in study.estimand.intercurrent_events:
        events = cohort.events[(cohort.events["kind"] == one.event) & (cohort.events["status"] == "observed")]
        if events.empty:
            told.append(finding_row("event_not_seen", f"no {one.event} in the events table", 0, term=term))
            continue
        if one.strategy not in LEFT_OUT:
            continue
        day = events.groupby("subject")["end_day"].min().reindex(subjects).to_numpy(dtype=np.float64)
        out = np.isfinite(values) & (days > day[:, None])
        out[:, 0] = False
        values[out] = np.nan
        if out.any():
            n = int(out.any(axis=1).sum())
            row = finding_row("left_out_by_estimand", f"after {one.event} ({one.strategy})", n, term=term)
            told.append({**row, "n_rows": int(out.sum())})
    return told


def _backward(values: Floats, days: Floats, course: Course, subjects: Sequence[str]) -> list[Row]:
    """Take out, in place, later visits whose day is not after baseline's."""
    out = np.isfinite(values) & (days <= days[:, :1])
    out[:, 0] = False
    values[out] = np.nan
    if not out.any():
        return []
    who = [subjects[int(place)] for place in np.flatnonzero(out.any(axis=1))]
    message = f"a later visit lies before baseline: {', '.join(who[:3])}"
    return [finding_row("negative_follow_up", message, len(who), term=course.term)]


def _changed_arm(cohort: Cohort, study: Study, subjects: list[str], mmrm: MmrmParameters) -> list[Row]:
    events = cohort.events[cohort.events["kind"].isin(mmrm.arm_changes)]
    who = sorted(set(events["subject"]) & set(subjects))
    if not who:
        return []
    named = {one.event for one in study.estimand.intercurrent_events} if study.estimand else set()
    how = "by the estimand's strategy" if set(events["kind"]) <= named else "counted in the arm assigned"
    return [finding_row("arm_changed", f"{how}: {', '.join(who[:3])}", len(who))]
