"""Visit windows of a progression study: days decide which planned visit a measurement belongs to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.study import Strict
from myoproof.core.table import KEY, Table
from myoproof.errors import Finding, refuse
from myoproof.vocabulary.lookup import worsening_sign

Row = dict[str, Any]
Rule = Literal["nearest", "last", "worst"]
SHOWN = 3
"""Subjects that a finding names."""


class Visit(Strict):
    """A planned visit, one table ``[[method.visits]]``.

    Parameters
    ----------
    session : str
        Name of the visit.
    day : float
        Planned day since baseline.
    earliest, latest : float
        First and last day that still count as this visit.
    """

    session: str
    day: float
    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class Windowed:
    """A cohort by planned visits, and what was found on the way."""

    cohort: Cohort
    rows: tuple[Row, ...]


def finding_row(category: str, message: str, n: int, *, term: str = "") -> Row:
    """An estimate row that tells a finding: what, where and how often."""
    return {
        "analysis": "finding",
        "term": term,
        "group": message,
        "method": category,
        "value": n,
        "n_subjects": n,
    }


def check_visits(visits: Sequence[Visit], *, where: str) -> None:
    """Refuse windows that overlap, exclude their own day or share a name; all faults together.

    Raises
    ------
    InvalidInput
        With one line a fault.
    """
    findings = [
        Finding("error", "visit", f"visit {visit.session} has its day outside its window")
        for visit in visits
        if not visit.earliest <= visit.day <= visit.latest
    ]
    ordered = sorted(visits, key=lambda visit: visit.earliest)
    findings += [
        Finding("error", "visit", f"the windows of {one.session} and {other.session} overlap")
        for one, other in pairwise(ordered)
        if other.earliest <= one.latest
    ]
    names = [visit.session for visit in visits]
    findings += [
        Finding("error", "visit", f"visit {name} is named twice") for name in names if names.count(name) > 1
    ]
    refuse(findings, where=where)


def windowed(cohort: Cohort, visits: Sequence[Visit], rule: Rule) -> Windowed:
    """Give every measurement the planned visit in whose window its day lies.

    Where several measurements of one thing lie in a window, the rule decides: the one nearest to the planned
    day (the later of two as near), the last, or the worst. What lies outside every window is left out and
    told.

    Parameters
    ----------
    cohort : Cohort
        Acquisitions with days.
    visits : sequence of Visit
        The plan; empty leaves sessions as they are.
    rule : {"nearest", "last", "worst"}
        See above.
    """
    rows = cohort.measurements
    day = days_of(cohort, rows)
    early = _before_baseline(cohort)
    if not visits:
        return Windowed(cohort, tuple(early))
    place = _place(day, visits)
    outside = np.isfinite(day) & (place < 0)
    told = [*early, *_told(rows, outside, "visit_outside_windows", "outside every window")]
    told += _told(rows, ~np.isfinite(day), "visit_without_day", "no day known")
    kept = rows[place >= 0].copy()
    kept["session"] = np.array([visit.session for visit in visits], dtype=object)[place[place >= 0]]
    planned = np.array([visit.day for visit in visits])[place[place >= 0]]
    chosen = _chosen(kept, day[place >= 0], planned, rule)
    dropped = np.ones(len(kept), dtype=np.bool_)
    dropped[chosen] = False
    told += _told(kept, dropped, "visit_repeated", f"another measurement in the same window ({rule})")
    final = kept.iloc[chosen].reset_index(drop=True)
    acquisitions = _acquisitions(cohort, rows[place >= 0].iloc[chosen], final, day[place >= 0][chosen])
    return Windowed(replace(cohort, measurements=Table(final), acquisitions=acquisitions), tuple(told))


def days_of(cohort: Cohort, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Day of every measurement row: of its own modality's acquisition, else of any at that session."""
    known = cohort.acquisitions.dropna(subset=["day"])
    exact = known.groupby(["subject", "session", "modality"])["day"].min()
    loose = known.groupby(["subject", "session"])["day"].min()
    own = exact.reindex(pd.MultiIndex.from_frame(rows[["subject", "session", "modality"]])).to_numpy()
    other = loose.reindex(pd.MultiIndex.from_frame(rows[["subject", "session"]])).to_numpy()
    return np.asarray(np.where(np.isfinite(own), own, other), dtype=np.float64)


def _before_baseline(cohort: Cohort) -> Iterator[Row]:
    """Events that end before they start, and visits long before baseline."""
    backward = cohort.events[cohort.events["end_day"] < cohort.events["start_day"].fillna(0)]
    if len(backward):
        names = sorted(set(backward["subject"]))
        message = f"follow-up ends before it starts: {_few(names)}"
        yield finding_row("negative_follow_up", message, len(names))


def _place(day: npt.NDArray[np.float64], visits: Sequence[Visit]) -> npt.NDArray[np.intp]:
    place = np.full(day.size, -1, dtype=np.intp)
    for number, visit in enumerate(visits):
        place[(day >= visit.earliest) & (day <= visit.latest)] = number
    return place


def _chosen(
    rows: pd.DataFrame,
    day: npt.NDArray[np.float64],
    planned: npt.NDArray[np.float64],
    rule: Rule,
) -> npt.NDArray[np.intp]:
    """Places of the rows that stand for their visit."""
    key = [name for name in KEY if name != "run"]
    value = rows["value"].to_numpy(dtype=np.float64)
    missing = np.isnan(value)
    if rule == "worst":
        signs = rows["measure"].map({name: worsening_sign(name) for name in rows["measure"].unique()})
        rank = -value * signs.to_numpy(dtype=np.float64)
    else:
        rank = -day if rule == "last" else np.abs(day - planned)
    order = np.lexsort((-day, np.where(missing, np.inf, rank), missing))
    first = rows.iloc[order].duplicated(key, keep="first").to_numpy()
    return np.sort(order[~first])


def _acquisitions(
    cohort: Cohort, before: pd.DataFrame, after: pd.DataFrame, day: npt.NDArray[np.float64]
) -> pd.DataFrame:
    """Acquisitions of the chosen measurements under the names of the planned visits."""
    link = pd.DataFrame(
        {
            "subject": before["subject"].to_numpy(),
            "session": before["session"].to_numpy(),
            "modality": before["modality"].to_numpy(),
            "visit": after["session"].to_numpy(),
            "when": day,
        }
    ).drop_duplicates(["subject", "visit", "modality"])
    joined = link.merge(
        cohort.acquisitions.drop_duplicates(["subject", "session", "modality"]),
        on=["subject", "session", "modality"],
        how="left",
    )
    joined["day"] = joined["when"]
    joined["session"] = joined["visit"]
    text = cohort.acquisitions.select_dtypes(exclude="number").columns
    filled = joined.assign(**{name: joined[name].fillna("") for name in text})
    return filled[list(cohort.acquisitions.columns)].reset_index(drop=True)


def _told(rows: pd.DataFrame, where: npt.NDArray[np.bool_], category: str, message: str) -> list[Row]:
    if not where.any():
        return []
    found = rows[where]
    names = sorted(set(found["subject"]))
    row = finding_row(category, f"{message}: {_few(names)}", len(names))
    return [{**row, "n_rows": int(where.sum())}]


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
