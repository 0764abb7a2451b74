"""Whose scans enter a study: pseudonyms, visits and days, from what the study and the key file know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.sources import identity
from myoproof.sources.identity import Person
from myoproof.vocabulary.lookup import near


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says of the scans that are read.

    Parameters
    ----------
    choose : str
        Numbers of scans ("1,3-5"), or "all"; "" where there is nothing to choose.
    subject, session : str
        Pseudonym and visit; "" has them chosen.
    day : float or None
        Days since the subject's baseline, of a single visit.
    key : Path or None
        Key file: who is who, read and written only on request.
    salt : str
        Secret of the study; pseudonyms are then a hash of the patient's number with it.
    """

    choose: str = ""
    subject: str = ""
    session: str = ""
    day: float | None = None
    key: Path | None = None
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A subject's visit in the study."""

    subject: str
    session: str
    day: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """One scan that enters: whose and when it was made, and the digest it would have."""

    person: Person
    digest: str


def visits(
    arrivals: Sequence[Arrival], known: pd.DataFrame, options: Options
) -> tuple[list[Visit], list[dict[str, str]]]:
    """Where each scan belongs.

    A patient is known again by the key file, by the salted hash, or by a scan that the study already holds.
    Otherwise each gets the next number. Day 0 is the first visit of the subject in the study.

    Parameters
    ----------
    arrivals : sequence of Arrival
        The scans.
    known : DataFrame
        The study's table of acquisitions: subject, session, day, digest.
    options : Options
        What the user says.

    Returns
    -------
    visits : list of Visit
        One a scan.
    key : list of dict
        Rows for a key file.

    Raises
    ------
    InvalidInput
        All faults together: one pseudonym or visit for several persons or dates, a follow-up whose baseline
        nobody knows.
    """
    rows = identity.read_key(options.key) if options.key else []
    people = {one.person.key: one.person for one in arrivals}
    dates = {(one.person.key, one.person.study_date) for one in arrivals}
    refuse(_clashes(len(people), len(dates), options))
    taken = [*known["subject"], *(row["subject"] for row in rows)]
    placed: dict[tuple[str, str], Visit] = {}
    key: list[dict[str, str]] = []
    for name in sorted(people):
        own = [one for one in arrivals if one.person.key == name]
        subject = _subject(name, own, known, rows, taken, options)
        taken.append(subject)
        baseline = _baseline(subject, own, known, rows, options)
        found = _sessions(subject, sorted({one.person.study_date for one in own}), baseline, known, options)
        for date, visit in found.items():
            placed[name, date] = visit
            values = (subject, name, visit.session, date, baseline)
            key.append(dict(zip(identity.KEY_COLUMNS, values, strict=True)))
    return [placed[one.person.key, one.person.study_date] for one in arrivals], key


def _clashes(n_people: int, n_dates: int, options: Options) -> list[Finding]:
    findings = []
    if options.subject and n_people > 1:
        what = f"one subject for the scans of {n_people} patients"
        findings.append(Finding("error", "subject", what, mend="choose the scans of one patient"))
    for name, said in (("session", bool(options.session)), ("day", options.day is not None)):
        if said and n_dates > 1:
            what = f"one {name} for scans of {n_dates} visits"
            findings.append(Finding("error", name, what, mend="choose the scans of one visit"))
    return findings


def _subject(
    name: str,
    own: Sequence[Arrival],
    known: pd.DataFrame,
    rows: Sequence[Mapping[str, str]],
    taken: Sequence[str],
    options: Options,
) -> str:
    if options.subject:
        return f"sub-{options.subject.removeprefix('sub-')}"
    from_key = [row["subject"] for row in rows if name and row["patient_id"] == name]
    if from_key:
        return from_key[0]
    if options.salt:
        return identity.hashed(name, options.salt)
    held = known[known["digest"].isin([one.digest for one in own])]["subject"]
    return str(held.iloc[0]) if len(held) else identity.numbered(taken)


def _baseline(
    subject: str,
    own: Sequence[Arrival],
    known: pd.DataFrame,
    rows: Sequence[Mapping[str, str]],
    options: Options,
) -> str:
    """The date of day 0, as far as anything tells it; "" unknown."""
    said = [row["baseline_date"] for row in rows if row["subject"] == subject and row["baseline_date"]]
    if said:
        return said[0]
    for one in own:
        days = known[known["digest"] == one.digest]["day"]
        if len(days) and one.person.study_date:
            return identity.shifted(one.person.study_date, -float(days.iloc[0]))
    if options.day is not None and own[0].person.study_date:
        return identity.shifted(own[0].person.study_date, -options.day)
    new = subject not in set(known["subject"])
    first = min(one.person.study_date for one in own)
    if new or options.day is not None:
        return first
    raise InvalidInput(
        f"{subject} is in the study, but the days since its baseline are unknown",
        mend="say --day, give the --key file, or read baseline and follow-up together",
    )


def _sessions(
    subject: str, dates: Sequence[str], baseline: str, known: pd.DataFrame, options: Options
) -> dict[str, Visit]:
    own = known[known["subject"] == subject]
    by_day = {float(day): str(session) for session, day in zip(own["session"], own["day"], strict=True)}
    visits: dict[str, Visit] = {}
    for date in dates:
        days = identity.days_between(baseline, date)
        day = options.day if options.day is not None else float(days or 0)
        session = options.session.removeprefix("ses-") or by_day.get(day, "")
        session = session or identity.session_name(day, by_day.values())
        if days is None and len(dates) > 1:
            raise InvalidInput(
                "visits without a date", mend="choose the scans of one visit and name its --session"
            )
        by_day.setdefault(day, session)
        visits[date] = Visit(subject, session, day)
    return visits


def chosen(said: str, numbers: Sequence[int]) -> list[int]:
    """The numbers that a choice names, in order.

    Raises
    ------
    InvalidInput
        If it is no choice, or names what is not there.

    Examples
    --------
    >>> chosen("1,3-4", [1, 2, 3, 4, 5])
    [1, 3, 4]
    """
    if said.strip().lower() in {"", "all"}:
        return list(numbers)
    found: list[int] = []
    for word in said.split(","):
        low, _, high = word.strip().partition("-")
        if not low.isdecimal() or (high and not high.isdecimal()):
            raise InvalidInput(f"{word.strip()!r} is no choice of scans", mend="for example 1,3-5 or all")
        found += range(int(low), int(high or low) + 1)
    lost = [number for number in found if number not in numbers]
    if lost:
        raise InvalidInput(
            f"there is no scan {lost[0]}", mend=near(str(lost[0]), {str(one): one for one in numbers})
        )
    return sorted(set(found))
