"""The pilot of a design study: parameters, and every feature's course in the patients."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from myoproof.core.cohort import Cohort, feature_rows, subject_columns
from myoproof.core.study import Feature, Strict, Study
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.power import Aim
from myoproof.vocabulary.lookup import near, unit, worsening_sign

Floats = npt.NDArray[np.float64]
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12
Share = Annotated[float, Field(gt=0, lt=1)]
Method = Literal["t_test", "t_test_shrunken", "edland", "diggle", "mmrm"]
METHODS: tuple[Method, ...] = ("t_test", "t_test_shrunken", "edland", "diggle", "mmrm")


class Enrichment(Strict):
    """Who would be let in: the baseline of one feature between bounds.

    Parameters
    ----------
    name : str
        What a report calls it.
    feature : Feature
        Exactly one term.
    at_least, at_most : float, optional
        Bounds, in the unit of the measure, fractions as 0-1.
    """

    name: str
    feature: Feature
    at_least: float | None = None
    at_most: float | None = None


class Prognostic(Strict):
    """Baseline covariates that the outcome of the trial is adjusted for.

    Parameters
    ----------
    covariates : list of str
        Numeric columns of the subjects or covariates tables.
    baseline : bool
        Whether the term's own baseline value counts among them.
    r : float, optional
        Correlation of prediction and outcome found earlier, which the pilot must not contradict.
    """

    covariates: list[str] = Field(default_factory=list)
    baseline: bool = True
    r: Share | None = None


class Parameters(Strict):
    """Parameters of a design study, the table ``[method]`` of its TOML.

    Parameters
    ----------
    patients : str
        Arm of the pilot that the trial would enrol.
    effects : list of float
        Fractions of the mean change that a treatment would prevent.
    alpha, power, sides : float, float, int
        Of the trial's test.
    ratio : float
        Treated subjects a control.
    dropout : float
        Share expected to leave by the last visit.
    methods : list of str
        Ways to count: ``t_test`` on the change at the last visit, ``t_test_shrunken`` (the same after
        shrinkage for selection), ``edland`` (random slopes), ``diggle`` (slopes by generalised least squares
        over the pilot's visits), ``mmrm`` (difference at the last visit).
    modelled : list of str
        Terms for which slopes and repeated measures are modelled; empty takes the primary family, else the
        first three terms.
    retention : list of float
        Share still there at each visit after baseline, for ``mmrm``; empty takes a straight line to drop-out.
    level : float
        Level of every interval.
    bootstrap, bootstrap_models : int
        Bootstrap samples of responsiveness, and of models.
    minimum_subjects : int
        Fewer than this give an absent row.
    durations_months, visit_every_months : list of float
        Trial lengths and visit spacings of the curves.
    trials : int
        Trials drawn from the pilot's own changes, to check the t test's power; 0 leaves that out.
    enrichment : list of Enrichment
        Rules of entry to be compared.
    prognostic : Prognostic, optional
        Adjustment for prognosis.
    """

    patients: str = "als"
    effects: list[Share] = Field(default_factory=lambda: [0.3, 0.5], min_length=1)
    alpha: Share = 0.05
    power: Share = 0.8
    sides: Literal[1, 2] = 2
    ratio: float = Field(default=1.0, gt=0, le=10)
    dropout: float = Field(default=0.15, ge=0, lt=1)
    methods: list[Method] = Field(default_factory=lambda: list(METHODS), min_length=1)
    modelled: list[str] = Field(default_factory=list)
    retention: list[Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=list)
    level: Share = 0.95
    bootstrap: int = Field(default=2000, ge=200)
    bootstrap_models: int = Field(default=400, ge=50)
    minimum_subjects: int = Field(default=5, ge=5)
    durations_months: list[float] = Field(default_factory=lambda: [6.0, 9.0, 12.0, 18.0, 24.0])
    visit_every_months: list[float] = Field(default_factory=lambda: [3.0, 6.0])
    trials: int = Field(default=2000, ge=0)
    enrichment: list[Enrichment] = Field(default_factory=list)
    prognostic: Prognostic | None = None

    @property
    def aim(self) -> Aim:
        """What the trial is asked to show."""
        return Aim(self.power, self.alpha, self.sides, self.ratio)


@dataclass(frozen=True, slots=True)
class Course:
    """One term in the patients.

    Parameters
    ----------
    term, unit : str
        ``measure/site/side`` and its UCUM unit.
    values : ndarray, shape (n_subjects, n_sessions)
        Signed so that worsening is positive; NaN where not measured.
    years : ndarray, shape (n_subjects, n_sessions)
        Since each subject's baseline; NaN where not measured.
    worsening : int
        The sign that was applied.
    """

    term: str
    unit: str
    values: Floats
    years: Floats
    worsening: int

    @property
    def change(self) -> Floats:
        """Worsening from the first to the last session; NaN where either is missing."""
        return np.asarray(self.values[:, -1] - self.values[:, 0], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Pilot:
    """All terms of the patients.

    Parameters
    ----------
    subjects : list of str
        Sorted.
    sessions : list of str
        In order; the first is the baseline.
    years : ndarray, shape (n_sessions,)
        Median time of each session since baseline.
    courses : tuple of Course
        The features.
    """

    subjects: list[str]
    sessions: list[str]
    years: Floats
    courses: tuple[Course, ...]


def make_pilot(cohort: Cohort, study: Study, parameters: Parameters) -> Pilot:
    """Line up every feature of the patients by session.

    Parameters
    ----------
    cohort : Cohort
        The chosen part.
    study : Study
        Features and sessions.
    parameters : Parameters
        Who the patients are.

    Raises
    ------
    InvalidInput
        For an arm or a feature that the cohort lacks, several rows for one subject and session, a single
        session, or visits without days.
    """
    arms = dict.fromkeys(arm for arm in cohort.subjects["arm"] if arm)
    if parameters.patients not in arms:
        mend = near(parameters.patients, arms) if arms else "fill the column arm"
        raise InvalidInput(f"no subject has arm {parameters.patients!r}", where=study.name, mend=mend)
    people = cohort.subjects[cohort.subjects["arm"] == parameters.patients]
    subjects = sorted(people["subject"])
    frames = _frames(cohort, study, subjects)
    visits = cohort.acquisitions[cohort.acquisitions["subject"].isin(subjects)].dropna(subset=["day"])
    order = visits.groupby("session")["day"].median().sort_values()
    held = set().union(*(set(frame["session"]) for frame in frames))
    sessions = [name for name in (study.cohort.sessions or list(order.index)) if name in held]
    if len(sessions) < 2:
        mend = "give two sessions or more, with days in the acquisitions table"
        raise InvalidInput("no change can be measured in one session", where=study.name, mend=mend)
    lost = [name for name in sessions if name not in order.index]
    if lost:
        raise InvalidInput(f"no visit of {', '.join(lost)} has a day", where=study.name)
    days = visits.groupby(["subject", "session"])["day"].min()
    courses = tuple(
        _course(term, rows, days, subjects, sessions)
        for frame in frames
        for term, rows in frame.groupby("feature", sort=False)
    )
    years = (order.loc[sessions].to_numpy(dtype=np.float64) - float(order.loc[sessions[0]])) / DAYS_PER_YEAR
    if (np.diff(years) <= 0).any():
        raise InvalidInput("the sessions do not follow one another in time", where=study.name)
    return Pilot(subjects, sessions, years, courses)


def _frames(cohort: Cohort, study: Study, subjects: list[str]) -> list[pd.DataFrame]:
    findings: list[Finding] = []
    frames: list[pd.DataFrame] = []
    for feature in study.features:
        try:
            rows = feature_rows(cohort, feature)
        except (ValueError, KeyError) as error:
            findings.append(Finding("error", "feature", str(error)))
            continue
        rows = rows[rows["subject"].isin(subjects)]
        rows = rows.assign(value=rows["value"].where(rows["quality"] != "fail"))
        for row in rows[rows.duplicated(["subject", "session", "feature"])].head(1).itertuples():
            message = f"{row.feature} has several rows for {row.subject} at {row.session}"
            mend = "name the modality, method or rater, or keep one run"
            findings.append(Finding("error", "feature", message, mend=mend))
        frames.append(rows)
    refuse(findings, where=study.name)
    return frames


def _course(
    term: object, rows: pd.DataFrame, days: pd.Series, subjects: list[str], sessions: list[str]
) -> Course:
    grid = pd.MultiIndex.from_product([subjects, sessions], names=["subject", "session"])
    shape = (len(subjects), len(sessions))
    measure = str(rows["measure"].iloc[0])
    sign = worsening_sign(measure)
    flat = rows.set_index(["subject", "session"])["value"].reindex(grid).to_numpy(dtype=np.float64)
    values = sign * flat.reshape(shape)
    when = days.reindex(grid).to_numpy(dtype=np.float64).reshape(shape)
    years = np.where(np.isfinite(values), when - when[:, :1], np.nan) / DAYS_PER_YEAR
    return Course(str(term), unit(measure), values, years, sign)


def modelled_terms(pilot: Pilot, study: Study, parameters: Parameters) -> list[str]:
    """Terms for which models are fitted.

    Parameters
    ----------
    pilot, study, parameters
        What is planned.

    Raises
    ------
    InvalidInput
        Naming every unknown term with its near miss.
    """
    terms = [course.term for course in pilot.courses]
    wanted = parameters.modelled or study.families.get("primary", []) or terms[:3]
    known = dict.fromkeys(terms)
    refuse(
        [
            Finding("error", "term", f"no feature {term!r}", mend=near(term, known))
            for term in wanted
            if term not in known
        ],
        where=study.name,
    )
    return list(wanted)


def enriched(
    cohort: Cohort, pilot: Pilot, rules: list[Enrichment]
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Each rule's name, and which patients it lets in.

    Parameters
    ----------
    cohort, pilot
        The data.
    rules : list of Enrichment
        The rules.

    Raises
    ------
    InvalidInput
        For a feature that is not one term, or a rule without bounds.
    """
    for rule in rules:
        rows = feature_rows(cohort, rule.feature, session=pilot.sessions[0])
        if rows["feature"].nunique() != 1 or (rule.at_least is None and rule.at_most is None):
            mend = "name one site and side, and at_least or at_most"
            raise InvalidInput(
                "the rule needs one term and a bound", where=f"enrichment {rule.name}", mend=mend
            )
        found = rows.set_index("subject")["value"].reindex(pilot.subjects).to_numpy(dtype=np.float64)
        low = -np.inf if rule.at_least is None else rule.at_least
        high = np.inf if rule.at_most is None else rule.at_most
        yield rule.name, np.asarray((found >= low) & (found <= high), dtype=np.bool_)


def covariate_table(cohort: Cohort, pilot: Pilot, wanted: Prognostic) -> Floats:
    """Numeric covariates of the patients, (n_subjects, n_covariates).

    Raises
    ------
    InvalidInput
        For a column that is unknown or not numeric.
    """
    if not wanted.covariates:
        return np.zeros((len(pilot.subjects), 0))
    table = subject_columns(cohort, wanted.covariates).reindex(pilot.subjects)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    empty = [str(name) for name in numbers if not numbers[name].notna().any()]
    if empty:
        mend = "code it as a number, or leave it out"
        raise InvalidInput(f"{', '.join(empty)} holds no numbers", where="prognostic", mend=mend)
    return np.asarray(numbers.to_numpy(dtype=np.float64))
