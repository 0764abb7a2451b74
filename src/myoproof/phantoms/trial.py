"""The simulated two-arm ALS trial: visits, drop-out, deaths and a known slowing, as tables and as truth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.phantoms.constants import constant
from myoproof.phantoms.people import People, draw_people, enrolled_in_time, subject_names, subjects_frame

Floats = npt.NDArray[np.float64]
DAYS_PER_MONTH = 365.25 / 12
TOTAL = 48.0
"""Best ALSFRS-R."""


@dataclass(frozen=True, slots=True)
class TrialParams:
    """Size and truth of a simulated trial.

    Parameters
    ----------
    per_arm : int
        Patients of each arm.
    slowing : float
        Fraction of the loss after baseline that the active treatment prevents.
    months : tuple of float
        Nominal visits, baseline first.
    leave, die, stop : bool
        Whether patients drop out, die, and stop their treatment.
    whole_points : bool
        Whether scores are whole points between 0 and 48.
    """

    per_arm: int = 100
    slowing: float = 0.3
    months: tuple[float, ...] = (0.0, 3.0, 6.0, 9.0, 12.0)
    leave: bool = True
    die: bool = True
    stop: bool = True
    whole_points: bool = True


@dataclass(frozen=True, slots=True)
class TrialDraw:
    """What was drawn, before it became tables.

    Parameters
    ----------
    people : People
        n patients.
    active : ndarray of bool, shape (n,)
        Arm.
    day : ndarray, shape (n, k)
        Day of every visit; baseline is 0.
    score, volume : ndarray, shape (n, k), (n, k, 2)
        True score and true thigh volume (mL) of both legs, without error of measurement.
    death_day, stop_day : ndarray, shape (n,)
        NaN where it did not happen within the trial.
    last : ndarray of int, shape (n,)
        Last visit that took place.
    """

    people: People
    active: npt.NDArray[np.bool_]
    day: Floats
    score: Floats
    volume: Floats
    death_day: Floats
    stop_day: Floats
    last: npt.NDArray[np.intp]


PLAIN = TrialParams()


def cohort(*, rng: np.random.Generator, params: TrialParams = PLAIN) -> Cohort:
    """The simulated trial as tables.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : TrialParams
        Size and truth.

    Returns
    -------
    Cohort
        Arms ``active`` and ``placebo``; ALSFRS-R and thigh volume of each leg at sessions m00, m03 ..., a few
        sessions ``unscheduled``; events ``death``, ``dropout`` and ``treatment_stop``.
    """
    return simulate(rng=rng, params=params)[0]


def simulate(*, rng: np.random.Generator, params: TrialParams = PLAIN) -> tuple[Cohort, pd.DataFrame]:
    """The simulated trial and, apart from it, the truth.

    Returns
    -------
    Cohort
        As :func:`cohort`.
    DataFrame
        ``subject, session, day, score, volume_ml`` (both legs) for all visits, those after death left out.
    """
    drawn = draw(rng=rng, params=params)
    names = subject_names(len(drawn.active), "trial")
    visits = len(params.months)
    alive = drawn.day <= np.where(np.isfinite(drawn.death_day), drawn.death_day, np.inf)[:, None]
    truth = pd.DataFrame(
        {
            "subject": np.repeat(names, visits),
            "session": np.tile([_session(month) for month in params.months], len(names)),
            "day": drawn.day.ravel(),
            "score": drawn.score.ravel(),
            "volume_ml": drawn.volume.sum(axis=2).ravel(),
        }
    )
    return _tables(drawn, names, params, rng=rng), truth[alive.ravel()].reset_index(drop=True)


def draw(*, rng: np.random.Generator, params: TrialParams = PLAIN) -> TrialDraw:
    """Draw patients, their true courses, deaths, stops of treatment and drop-out."""
    n = 2 * params.per_arm
    people = _enrolled(n, rng=rng)
    active = rng.permutation(np.arange(n) % 2 == 1)
    jitter = np.round(rng.normal(0, constant("trial.visit_jitter_days"), (n, len(params.months))))
    day = np.round(np.array(params.months) * DAYS_PER_MONTH) + np.where(
        np.array(params.months) > 0, jitter, 0
    )
    day = np.maximum.accumulate(np.maximum(day, 0), axis=1)
    end = day[:, -1]
    stops = (rng.random(n) < constant("trial.stop_of_treatment")) & params.stop
    stop_day = np.where(stops, np.round(rng.uniform(20, end)), np.nan)
    months = day / DAYS_PER_MONTH
    lost = people.rate_points_per_month[:, None] * _effective(months, stop_day, active, params)
    start = _start(people)
    score = np.maximum(start[:, None] - lost, 0.0)
    volume = _volumes(months, start[:, None] - score, rng=rng)
    death_day = _deaths(day, score, rng=rng) if params.die else np.full(n, np.nan)
    last = _last(score, day, death_day, params, rng=rng)
    return TrialDraw(people, active, day, score, volume, death_day, stop_day, last)


def _enrolled(n: int, *, rng: np.random.Generator) -> People:
    limits = constant("trial.enrolment")
    drawn = draw_people(4 * n, rng=rng)
    people = enrolled_in_time(drawn, limits["most_points"])
    fits = (TOTAL - _start(people) >= limits["least_points"]) & (
        people.duration_months <= limits["most_months"]
    )
    chosen = np.concatenate([np.flatnonzero(fits), np.flatnonzero(~fits)])[:n]
    return People(*(getattr(people, name)[chosen] for name in People.__dataclass_fields__))


def _start(people: People) -> Floats:
    scale = constant("person.rate_deceleration_months")
    lost = people.rate_points_per_month * scale * -np.expm1(-people.duration_months / scale)
    return np.asarray(np.maximum(TOTAL - lost, 0.0))


def _effective(
    months: Floats, stop_day: Floats, active: npt.NDArray[np.bool_], params: TrialParams
) -> Floats:
    """Months of decline at the full rate: treatment takes its share away until it is stopped."""
    stop = np.where(np.isfinite(stop_day), stop_day / DAYS_PER_MONTH, np.inf)[:, None]
    treated = np.minimum(months, stop) + constant("trial.effect_after_stop") * np.maximum(months - stop, 0)
    return np.asarray(months - params.slowing * active[:, None] * treated)


def _volumes(months: Floats, lost: Floats, *, rng: np.random.Generator) -> Floats:
    shape = constant("trial.volume")
    n, k = months.shape
    start = np.maximum(rng.normal(shape["mean_ml"], shape["sd_ml"], n), 800.0)
    side = rng.normal(0, shape["side_log_sd"], (n, 2))
    own = rng.normal(0, shape["own_log_rate_sd"], (n, 2))
    fall = shape["log_loss_per_point"] * lost[:, :, None] + own[:, None] * months[:, :, None]
    return np.asarray(start[:, None, None] * np.exp(side[:, None] - fall)).reshape(n, k, 2)


def _deaths(day: Floats, score: Floats, *, rng: np.random.Generator) -> Floats:
    """Day of death by a hazard that rises as the score falls; NaN where the trial ends before."""
    shape = constant("trial.death")
    n, k = day.shape
    left: Floats = np.asarray(rng.exponential(size=n))
    death = np.full(n, np.nan)
    for visit in range(1, k):
        span: Floats = np.asarray(np.maximum(day[:, visit] - day[:, visit - 1], 1.0))
        middle = (score[:, visit] + score[:, visit - 1]) / 2
        hazard = shape["hazard_per_month"] * np.exp(shape["per_point_below_36"] * (36 - middle))
        risk: Floats = np.asarray(hazard * span / DAYS_PER_MONTH)
        falls = np.isnan(death) & (left < risk)
        death[falls] = np.round(day[falls, visit - 1] + 1 + (span[falls] - 1) * left[falls] / risk[falls])
        left = left - risk
    return death


def _last(
    score: Floats, day: Floats, death_day: Floats, params: TrialParams, *, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Last visit: before death, and before drop-out that follows what was seen lost."""
    shape = constant("trial.drop_out")
    n, k = score.shape
    last = np.zeros(n, dtype=np.intp)
    here = np.ones(n, dtype=np.bool_)
    for visit in range(1, k):
        seen_loss = score[:, max(visit - 2, 0)] - score[:, visit - 1]
        logit = shape["logit"] + shape["per_point_lost_since_last_visit"] * seen_loss
        leaves = (rng.random(n) < 1 / (1 + np.exp(-logit))) & params.leave
        dead = np.isfinite(death_day) & (death_day < day[:, visit])
        here = here & ~leaves & ~dead
        last[here] = visit
    return last


def _session(month: float) -> str:
    return f"m{round(month):02d}"


def _tables(drawn: TrialDraw, names: list[str], params: TrialParams, *, rng: np.random.Generator) -> Cohort:
    n, k = drawn.day.shape
    centre = [f"centre-{1 + number % 5}" for number in range(n)]
    subjects = subjects_frame(drawn.people, names, centre, patients=True)
    subjects["arm"] = np.where(drawn.active, "active", "placebo")
    long = pd.DataFrame(
        {
            "subject": np.repeat(names, k),
            "session": np.tile([_session(month) for month in params.months], n),
            "day": drawn.day.ravel(),
            "cell": np.arange(n * k),
        }
    )[(np.arange(k) <= drawn.last[:, None]).ravel()]
    more = _unscheduled(drawn, names, rng=rng)
    visits = pd.concat([long, more], ignore_index=True)
    measured = _measurements(drawn, visits, params, rng=rng)
    acquisitions = pd.concat(
        [visits[["subject", "session", "day"]].assign(modality=name) for name in ("clinical", "dixon")],
        ignore_index=True,
    )
    body = pd.DataFrame({"subject": names, "body_mass_index": drawn.people.body_mass_index})
    return make_cohort(subjects, acquisitions, measured, _events(drawn, names), body)


def _unscheduled(drawn: TrialDraw, names: list[str], *, rng: np.random.Generator) -> pd.DataFrame:
    """One visit outside the plan for a few: seven weeks after a visit that took place."""
    n, k = drawn.day.shape
    some = (rng.random(n) < constant("trial.unscheduled_share")) & (drawn.last >= 1)
    rows = np.flatnonzero(some)
    visit = np.maximum(drawn.last[rows] - 1, 0)
    return pd.DataFrame(
        {
            "subject": [names[row] for row in rows],
            "session": "unscheduled",
            "day": drawn.day[rows, visit] + 48.0,
            "cell": rows * k + visit,
        }
    )


def _measurements(
    drawn: TrialDraw, visits: pd.DataFrame, params: TrialParams, *, rng: np.random.Generator
) -> pd.DataFrame:
    cell = visits["cell"].to_numpy()
    score = drawn.score.ravel()[cell] + rng.normal(0, constant("trial.score_visit_sd"), len(cell))
    if params.whole_points:
        score = np.clip(np.round(score), 0, TOTAL)
    base = visits[["subject", "session"]]
    blocks = [
        base.assign(
            measure="alsfrs_r", site="total", side="", value=np.clip(score, 0, TOTAL), modality="clinical"
        )
    ]
    noise = constant("trial.volume")["visit_log_sd"]
    for place, side in enumerate(("left", "right")):
        true = drawn.volume[..., place].ravel()[cell]
        value = true * np.exp(rng.normal(0, noise, len(cell)))
        blocks.append(base.assign(measure="volume", site="thigh", side=side, value=value, modality="dixon"))
    rows = pd.concat(blocks, ignore_index=True)
    return pd.DataFrame(rows.assign(method="simulated", flags="simulated"))


def _events(drawn: TrialDraw, names: list[str]) -> pd.DataFrame:
    """Deaths, stops of treatment and drop-out; whoever completes is censored at the last visit."""
    n, k = drawn.day.shape
    end = drawn.day[np.arange(n), drawn.last]
    died = np.isfinite(drawn.death_day)
    left = (drawn.last < k - 1) & ~died
    stopped = np.isfinite(drawn.stop_day) & (drawn.stop_day <= end)
    following = drawn.day[np.arange(n), np.minimum(drawn.last + 1, k - 1)]
    who = pd.Series(names)
    frames = [
        pd.DataFrame(
            {
                "subject": who,
                "end_day": np.where(died, drawn.death_day, end),
                "kind": "death",
                "status": np.where(died, "observed", "censored"),
            }
        ),
        pd.DataFrame({"subject": who, "end_day": following, "kind": "dropout", "status": "observed"})[left],
        pd.DataFrame(
            {"subject": who, "end_day": drawn.stop_day, "kind": "treatment_stop", "status": "observed"}
        )[stopped],
    ]
    events: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return pd.DataFrame(events.assign(start_day=0.0))
