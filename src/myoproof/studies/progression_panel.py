"""The panel of a progression study: who was measured when, per feature, with every absence accounted for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from myoproof.core.cohort import Cohort, feature_rows
from myoproof.core.study import Feature, Strict, Study
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.studies.progression_joint import JointParameters
from myoproof.studies.progression_trial import MmrmParameters, SensitivityParameters
from myoproof.studies.progression_visits import Rule, Visit
from myoproof.vocabulary.lookup import near, unit, worsening_sign

Floats = npt.NDArray[np.float64]
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = 365.25 / 12
Procedure = Literal["holm", "benjamini_hochberg", "none"]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Parameters(Strict):
    """Parameters of a progression study, the table ``[method]`` of its TOML.

    Parameters
    ----------
    patients, controls : str
        Arms compared; controls "" where there are none.
    baseline : str
        Session that change is counted from; "" takes the first.
    level : float
        Level of every interval.
    alpha, power : float
        Two-sided significance level and power of the sample sizes.
    effects : list of float
        Fractions of the mean change that a treatment would prevent.
    bootstrap : int
        Bootstrap samples.
    minimum_subjects : int
        Fewer than this give an absent row.
    correlation_change : {"relative", "absolute"}
        Change over baseline, or plain change, in the correlations.
    tempo : Feature, optional
        What tells fast from slow progressors, as worsening per month; it must be one of the correlates.
    tempo_cut : "median" or float
        Fast is above this many units of worsening per month.
    adjust : dict
        Family -> procedure; a family named primary defaults to Holm, others to Benjamini-Hochberg.
    visits : list of Visit
        Planned visits with their windows; empty takes sessions as they are named.
    visit_rule : {"nearest", "last", "worst"}
        Which of several measurements in one window stands.
    mmrm : MmrmParameters, optional
        Makes the study a trial: `patients` against `controls` by a mixed model for repeated measures.
    sensitivity : SensitivityParameters, optional
        Drop-out imputed otherwise.
    joint : JointParameters, optional
        Trajectory and death together.
    """

    patients: str = "als"
    controls: str = "control"
    baseline: str = ""
    level: Fraction = 0.95
    alpha: Fraction = 0.05
    power: Fraction = 0.8
    effects: list[Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=lambda: [0.25, 0.5])
    bootstrap: int = Field(default=2000, ge=200)
    minimum_subjects: int = Field(default=5, ge=5)
    correlation_change: Literal["relative", "absolute"] = "relative"
    tempo: Feature | None = None
    tempo_cut: float | Literal["median"] = "median"
    adjust: dict[str, Procedure] = Field(default_factory=dict)
    visits: list[Visit] = Field(default_factory=list)
    visit_rule: Rule = "nearest"
    mmrm: MmrmParameters | None = None
    sensitivity: SensitivityParameters | None = None
    joint: JointParameters | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One feature over time.

    Parameters
    ----------
    term : str
        ``measure/site/side``.
    unit : str
        UCUM unit.
    worsening : int
        +1 where higher is worse, -1 where lower is.
    family : str
        Family of tests the term belongs to.
    values, days : ndarray, shape (n_subjects, n_sessions)
        Values and days since baseline; NaN where not measured.
    """

    term: str
    unit: str
    worsening: int
    family: str
    values: Floats
    days: Floats

    @property
    def last(self) -> npt.NDArray[np.intp]:
        """Index of each subject's last measured session; 0 where none follows the baseline."""
        later = np.isfinite(self.values)
        later[:, 0] = False
        return np.where(later.any(axis=1), later.shape[1] - 1 - later[:, ::-1].argmax(axis=1), 0)

    @property
    def change(self) -> Floats:
        """Last minus baseline over the individual maximum observation period; NaN where there is none."""
        return self._at_last(self.values) - self._first(self.values)

    @property
    def years(self) -> Floats:
        """Length of the individual maximum observation period."""
        span = (self._at_last(self.days) - self._first(self.days)) / DAYS_PER_YEAR
        return np.where(span > 0, span, np.nan)

    @property
    def relative_change(self) -> Floats:
        """Change over the baseline value; NaN where the baseline is not positive."""
        baseline = self.values[:, 0]
        return self.change / np.where(baseline > 0, baseline, np.nan)

    def _first(self, table: Floats) -> Floats:
        return table[:, 0]

    def _at_last(self, table: Floats) -> Floats:
        last = self.last
        return np.where(last > 0, table[np.arange(last.size), last], np.nan)


@dataclass(frozen=True, slots=True)
class Panel:
    """All features and correlates of the subjects of a study.

    Parameters
    ----------
    subjects : list of str
        Sorted.
    groups : ndarray of str, shape (n_subjects,)
        Arm of each.
    sessions : list of str
        Baseline first.
    features, correlates : tuple of Course
        What is studied, and what it is held against.
    """

    subjects: list[str]
    groups: npt.NDArray[np.str_]
    sessions: list[str]
    features: tuple[Course, ...]
    correlates: tuple[Course, ...]

    @property
    def courses(self) -> tuple[Course, ...]:
        """Features, then correlates."""
        return self.features + self.correlates

    def members(self, group: str) -> npt.NDArray[np.bool_]:
        """Mask of the subjects of a group."""
        return np.asarray(self.groups == group, dtype=np.bool_)


def make_panel(cohort: Cohort, study: Study, parameters: Parameters) -> Panel:
    """Line up every feature by subject and session; every fault of the study file is told together.

    Raises
    ------
    InvalidInput
        For a feature the cohort lacks, a feature that is also outcome or correlate, too few subjects,
        several rows for one subject and session, families that name unknown terms, an unknown baseline.
    """
    people = cohort.subjects.sort_values("subject").reset_index(drop=True)
    wanted = [name for name in (parameters.patients, parameters.controls) if name]
    _refuse_groups(people, wanted, parameters, study.name)
    people = people[people["arm"].isin(wanted)]
    outcome = [study.outcome] if study.outcome is not None else []
    frames, findings = _collect(cohort, [study.features, [*study.correlates, *outcome]])
    refuse(findings, where=study.name)
    terms = [list(dict.fromkeys(frame["feature"])) for frame in frames]
    families = _families(study, terms, parameters)
    both = pd.concat([frame for frame in frames if not frame.empty])
    sessions = session_order(cohort, study, both, parameters)
    subjects = list(people["subject"])
    days = _days(cohort, both)
    courses = [
        tuple(_course(term, frame, days, subjects, sessions, families[term]) for term in names)
        for names, frame in zip(terms, frames, strict=True)
    ]
    groups = people["arm"].to_numpy(dtype=np.str_)
    return Panel(subjects, groups, sessions, courses[0], courses[1])


def session_order(cohort: Cohort, study: Study, rows: pd.DataFrame, parameters: Parameters) -> list[str]:
    """Sessions as the study lists them, else by their median day; the baseline first.

    Raises
    ------
    InvalidInput
        If the baseline is not among them, or there is only one session.
    """
    held = set(rows["session"])
    visits = cohort.acquisitions
    planned = [visit.session for visit in parameters.visits]
    listed = (
        study.cohort.sessions
        or planned
        or list(visits.groupby("session")["day"].median().sort_values().index)
    )
    order = [name for name in listed if name in held] + sorted(held - set(listed))
    first = study.cohort.sessions or planned or order or [""]
    baseline = parameters.baseline or first[0]
    if baseline not in order:
        mend = near(baseline, dict.fromkeys(order))
        raise InvalidInput(f"no rows at the baseline session {baseline!r}", where=study.name, mend=mend)
    order = order[order.index(baseline) :]
    if len(order) < 2:
        mend = "give at least two sessions, in order, in [cohort] sessions"
        raise InvalidInput(
            f"only one session ({baseline}): no change can be measured", where=study.name, mend=mend
        )
    return order


def _refuse_groups(people: pd.DataFrame, wanted: list[str], parameters: Parameters, where: str) -> None:
    arms = dict.fromkeys(arm for arm in people["arm"] if arm)
    findings = [
        Finding(
            "error",
            "group",
            f"no subject has arm {name!r}",
            mend=near(name, arms) if arms else "fill the column arm",
        )
        for name in wanted
        if name not in arms
    ]
    n = int((people["arm"] == parameters.patients).sum())
    if not findings and n < parameters.minimum_subjects:
        needed = f"at least {parameters.minimum_subjects} are needed"
        message = f"{n} subjects in arm {parameters.patients!r} where {needed}"
        findings.append(Finding("error", "cohort", message, mend="widen the cohort filter or add subjects"))
    refuse(findings, where=where)


def _collect(cohort: Cohort, lists: Sequence[Sequence[Feature]]) -> tuple[list[pd.DataFrame], list[Finding]]:
    """Rows of features and of correlates, and the faults met on the way."""
    columns = ["subject", "session", "modality", "feature", "measure", "value"]
    findings: list[Finding] = []
    frames = []
    for features in lists:
        found = [pd.DataFrame(columns=columns)]
        for feature in features:
            try:
                rows = feature_rows(cohort, feature)
            except (ValueError, KeyError) as error:
                findings.append(Finding("error", "feature", str(error)))
                continue
            found.append(_usable(rows)[columns])
        kept = [frame for frame in found if not frame.empty] or found[:1]
        frames.append(pd.concat(kept, ignore_index=True))
        findings += _twice(frames[-1])
    shared = sorted(set(frames[0]["feature"]) & set(frames[1]["feature"]))
    findings += [
        Finding(
            "error",
            "feature",
            f"{term} is a feature and also outcome or correlate",
            mend="keep it in one place",
        )
        for term in shared
    ]
    return frames, findings


def _usable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose quality failed lose their value."""
    if "quality" not in rows:
        return rows
    return rows.assign(value=rows["value"].where(rows["quality"] != "fail"))


def _twice(rows: pd.DataFrame) -> list[Finding]:
    twice = rows.duplicated(["subject", "session", "feature"])
    return [
        Finding(
            "error",
            "feature",
            f"{row.feature} has several rows for {row.subject} at {row.session}",
            mend="name the modality, method or rater, or keep one run",
        )
        for row in rows[twice].drop_duplicates("feature").itertuples()
    ]


def _families(study: Study, terms: list[list[str]], parameters: Parameters) -> dict[str, str]:
    """Term -> family; what no family names is exploratory (features) or clinical (correlates)."""
    families = {**dict.fromkeys(terms[1], "clinical"), **dict.fromkeys(terms[0], "exploratory")}
    findings = []
    seen: dict[str, str] = {}
    for name, members in study.families.items():
        for term in members:
            if term not in families:
                mend = near(term, families)
                findings.append(
                    Finding("error", "family", f"family {name} names unknown term {term!r}", mend=mend)
                )
            elif term in seen:
                message = f"{term} is in the families {seen[term]} and {name}"
                findings.append(Finding("error", "family", message, mend="keep it in one family"))
            seen[term] = name
    named = {*study.families, "exploratory", "clinical"}
    findings += [
        Finding(
            "error", "family", f"adjust names unknown family {name!r}", mend=near(name, dict.fromkeys(named))
        )
        for name in parameters.adjust
        if name not in named
    ]
    refuse(findings, where=study.name)
    return {**families, **seen}


def _days(cohort: Cohort, rows: pd.DataFrame) -> pd.Series:
    """Day of (subject, session, feature): of its own modality's acquisition, else of any at that session."""
    visits = cohort.acquisitions.dropna(subset=["day"])
    exact = visits.groupby(["subject", "session", "modality"])["day"].min()
    loose = visits.groupby(["subject", "session"])["day"].min()
    key = rows[["subject", "session", "modality"]]
    own = exact.reindex(pd.MultiIndex.from_frame(key)).to_numpy()
    any_day = loose.reindex(pd.MultiIndex.from_frame(key[["subject", "session"]])).to_numpy()
    index = pd.MultiIndex.from_frame(rows[["subject", "session", "feature"]])
    return pd.Series(np.where(np.isfinite(own), own, any_day), index=index, dtype=np.float64)


def _course(
    term: str, frame: pd.DataFrame, days: pd.Series, subjects: list[str], sessions: list[str], family: str
) -> Course:
    rows = frame[frame["feature"] == term]
    grid = pd.MultiIndex.from_product([subjects, sessions])
    shape = (len(subjects), len(sessions))
    values = rows.set_index(["subject", "session"])["value"].reindex(grid).to_numpy(dtype=np.float64)
    when = days.xs(term, level=2).reindex(grid).to_numpy(dtype=np.float64)
    measure = str(rows["measure"].iloc[0])
    values = values.reshape(shape)
    when = np.where(np.isfinite(values), when.reshape(shape), np.nan)
    return Course(term, unit(measure), worsening_sign(measure), family, values, when)
