"""Cohort: subjects, acquisitions, measurements, events and covariates held together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.study import CohortFilter, Feature
from myoproof.core.table import KEY, Table, from_rows, key_texts, number_column, text_column
from myoproof.errors import Finding, refuse
from myoproof.vocabulary.lookup import near, word

SUBJECTS: dict[str, Any] = {
    "subject": "",
    "sex": "",
    "age_years": np.nan,
    "diagnosis": "",
    "genotype": "",
    "onset_day": np.nan,
    "onset_site": "",
    "centre": "",
    "arm": "",
    "analysis_sets": "",
}
ACQUISITIONS: dict[str, Any] = {
    "subject": "",
    "session": "",
    "run": "",
    "modality": "",
    "day": np.nan,
    "centre": "",
    "device": "",
    "preset": "",
    "protocol": "",
    "digest": "",
}
EVENTS: dict[str, Any] = {
    "subject": "",
    "start_day": np.nan,
    "end_day": np.nan,
    "kind": "",
    "value": np.nan,
    "status": "",
}
SEXES = ("female", "male", "")
STATUSES = ("observed", "censored", "unknown")


@dataclass(frozen=True, slots=True)
class Cohort:
    """Tables held together; made and checked by :func:`make_cohort`.

    Parameters
    ----------
    subjects, acquisitions, measurements, events : DataFrame
        Columns as in ``SUBJECTS``, ``ACQUISITIONS``, ``table.COLUMNS``, ``EVENTS``.
    covariates : DataFrame
        ``subject`` and free columns.
    """

    subjects: pd.DataFrame
    acquisitions: pd.DataFrame
    measurements: Table
    events: pd.DataFrame
    covariates: pd.DataFrame


def make_cohort(
    subjects: pd.DataFrame,
    acquisitions: pd.DataFrame,
    measurements: pd.DataFrame,
    events: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> Cohort:
    """A checked cohort: absent columns filled, every fault told together.

    Parameters
    ----------
    subjects, acquisitions, measurements, events, covariates : DataFrame
        See :class:`Cohort`.
    names : mapping, optional
        Table -> file it came from, for messages.

    Raises
    ------
    InvalidInput
        If a subject occurs twice, a row names an unknown subject, a session has two acquisitions of one run
        and modality, or a measurement breaks a law of the table.
    """
    called = {"subjects": "subjects", "acquisitions": "acquisitions", "events": "events", **(names or {})}
    people = _fill(subjects, SUBJECTS, called["subjects"])
    visits = _fill(acquisitions, ACQUISITIONS, called["acquisitions"])
    happened = _fill(events if events is not None else pd.DataFrame(), EVENTS, called["events"])
    table = from_rows(measurements, where=called.get("measurements", "measurements"))
    extra = covariates.copy() if covariates is not None else people[["subject"]].drop_duplicates()
    findings = _twice(people, ["subject"], called["subjects"])
    findings += _twice(visits, ["subject", "session", "run", "modality"], called["acquisitions"])
    if "subject" in extra:
        extra["subject"] = text_column(extra["subject"])
        findings += _twice(extra, ["subject"], called.get("covariates", "covariates"))
    else:
        findings.append(
            Finding(
                "error", "column", "column 'subject' is missing", where=called.get("covariates", "covariates")
            )
        )
    if (people["subject"] == "").any():
        findings.append(Finding("error", "key", "a subject has no name", where=called["subjects"]))
    odd = sorted(set(people["sex"]) - set(SEXES))
    if odd:
        findings.append(
            Finding("error", "word", f"sex {odd} is not known", called["subjects"], "female, male or empty")
        )
    odd = sorted(set(happened["status"]) - set(STATUSES))
    if odd:
        findings.append(
            Finding("error", "word", f"status {odd} is not known", called["events"], ", ".join(STATUSES))
        )
    known = set(people["subject"])
    for frame, name in ((visits, "acquisitions"), (table, "measurements"), (happened, "events")):
        strangers = sorted(set(frame["subject"]) - known)
        if strangers:
            message = f"{len(strangers)} subjects are not in the subjects table, for example {strangers[0]!r}"
            findings.append(Finding("error", "subject", message, where=called.get(name, name)))
    refuse(findings)
    return Cohort(people, visits, table, happened, extra.reset_index(drop=True))


def select(cohort: Cohort, wanted: CohortFilter) -> tuple[Cohort, list[tuple[str, int, str]]]:
    """The part of a cohort a study asks for, and the flow that led there.

    Returns
    -------
    Cohort
        Only the subjects and sessions asked for.
    list of (step, n, reason)
        Subjects left after each step, and why others left.

    Raises
    ------
    InvalidInput
        If nobody is left.
    """
    people = cohort.subjects
    flow = [("in the cohort", len(people), "")]
    for column in ("diagnosis", "arm", "centre"):
        values: list[str] = getattr(wanted, column)
        if values:
            people = people[people[column].isin(values)]
            flow.append((f"{column} {', '.join(values)}", len(people), f"other {column}"))
    if wanted.analysis_set:
        member = people["analysis_sets"].str.split(";").map(lambda sets: wanted.analysis_set in sets)
        people = people[member.astype(bool)]
        flow.append((f"analysis set {wanted.analysis_set}", len(people), "not in the analysis set"))
    rows = cohort.measurements[cohort.measurements["subject"].isin(people["subject"])]
    if wanted.sessions:
        rows = rows[rows["session"].isin(wanted.sessions)]
    if wanted.modality:
        measured = set(rows.loc[rows["modality"] == wanted.modality, "subject"])
        people = people[people["subject"].isin(measured)]
        flow.append((f"measured by {wanted.modality}", len(people), f"no {wanted.modality} measurement"))
    if people.empty:
        refuse(
            [
                Finding(
                    "error",
                    "cohort",
                    f"no subject is left after '{flow[-1][0]}'",
                    mend="check the cohort filter",
                )
            ]
        )
    return subset(cohort, list(people["subject"]), sessions=wanted.sessions), flow


def subset(cohort: Cohort, subjects: Sequence[str], *, sessions: Sequence[str] = ()) -> Cohort:
    """The rows of some subjects, and of some sessions where given."""

    def keep(frame: pd.DataFrame) -> pd.DataFrame:
        mask = frame["subject"].isin(subjects)
        if sessions and "session" in frame:
            mask &= frame["session"].isin(sessions)
        return frame[mask].reset_index(drop=True)

    return replace(
        cohort,
        subjects=keep(cohort.subjects),
        acquisitions=keep(cohort.acquisitions),
        measurements=Table(keep(cohort.measurements)),
        events=keep(cohort.events),
        covariates=keep(cohort.covariates),
    )


def feature_rows(cohort: Cohort, feature: Feature, *, session: str | None = None) -> pd.DataFrame:
    """The measurement rows of one feature, with a column ``feature`` naming each: ``measure/site/side[/at]``.

    Parameters
    ----------
    cohort : Cohort
        Where to look.
    feature : Feature
        Which rows. Side "mean" averages left and right where both hold a value. Rows in pixels are left out:
        lengths without a scale pool with nothing.
    session : str, optional
        One session; None for all.

    Raises
    ------
    InvalidInput
        If the cohort holds no such row (naming what it holds instead), or several methods or raters for one.
    UnknownName
        If the measure is not in the vocabulary.
    """
    unit = word("measures", feature.measure)["unit"]
    rows: pd.DataFrame = cohort.measurements
    rows = rows[(rows["measure"] == feature.measure) & (rows["unit"] == unit)]
    wanted = session if session is not None else feature.session
    conditions = {
        "session": wanted,
        "modality": feature.modality,
        "method": feature.method,
        "rater": feature.rater,
    }
    for column, value in conditions.items():
        if value:
            rows = rows[rows[column] == value]
    rows = rows[rows["at"] == feature.at]
    sites = [feature.site] if isinstance(feature.site, str) else list(feature.site)
    rows = _of_sites(rows, sites, feature)
    if feature.side == "mean":
        rows = _mean_of_sides(rows)
    elif feature.side != "*":
        rows = rows[rows["side"] == feature.side]
    if rows.empty:
        what = f"{feature.measure}/{'+'.join(sites)}/{feature.side}"
        held = sorted(set(cohort.measurements["measure"]))
        finding = Finding(
            "error",
            "feature",
            f"the cohort has no rows for feature {what}",
            mend=f"it holds {', '.join(held)}",
        )
        refuse([finding])
    parts = rows["measure"] + "/" + rows["site"] + "/" + rows["side"]
    named = rows.assign(feature=parts.where(rows["at"] == "", parts + "/" + rows["at"]))
    _refuse_ambiguous(named)
    return named.reset_index(drop=True)


def feature_matrix(
    cohort: Cohort, features: Sequence[Feature], *, session: str | None = None
) -> pd.DataFrame:
    """Subjects by features.

    Parameters
    ----------
    cohort : Cohort
        Where to look.
    features : sequence of Feature
        Columns, in order; a "*" spreads over sites or sides in alphabetical order.
    session : str, optional
        The session to take; None takes each feature's own, or the only one there is.

    Returns
    -------
    DataFrame
        Index: every subject of the cohort, sorted; columns ``measure/site/side``; absent values NaN.

    Raises
    ------
    InvalidInput
        For every feature that cannot be made, together.
    """
    findings: list[Finding] = []
    columns: list[pd.DataFrame] = []
    for feature in features:
        try:
            rows = feature_rows(cohort, feature, session=session)
        except (ValueError, KeyError) as error:
            findings.append(Finding("error", "feature", str(error)))
            continue
        if rows.duplicated(["subject", "feature"]).any():
            sessions = ", ".join(sorted(set(rows["session"])))
            message = f"feature {rows['feature'].iloc[0]} has several rows a subject (sessions {sessions})"
            findings.append(Finding("error", "feature", message, mend="name one session"))
            continue
        columns.append(rows.pivot(index="subject", columns="feature", values="value"))
    refuse(findings, where="features")
    matrix = pd.concat(columns, axis=1).reindex(sorted(cohort.subjects["subject"]))
    matrix.columns.name = None
    return matrix.rename_axis(index="subject").astype(np.float64)


def subject_columns(cohort: Cohort, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of the subjects and covariates tables, by subject, sorted.

    Raises
    ------
    InvalidInput
        Naming every column that neither table holds, with the near miss.
    """
    joined = cohort.subjects.merge(cohort.covariates, on="subject", how="left", suffixes=("", "_covariate"))
    open_names = {name: None for name in joined.columns}
    missing = [
        Finding(
            "error", "covariate", f"no column {name!r} in subjects or covariates", mend=near(name, open_names)
        )
        for name in columns
        if name not in joined
    ]
    refuse(missing, where="covariates")
    return joined.set_index("subject")[list(columns)].sort_index()


def _of_sites(rows: pd.DataFrame, sites: list[str], feature: Feature) -> pd.DataFrame:
    if "*" in sites:
        return rows
    held = dict.fromkeys(rows["site"].unique())
    lost = [site for site in sites if site not in held]
    refuse(
        [
            Finding(
                "error",
                "feature",
                f"the cohort has no {feature.measure} at site {site!r}",
                mend=near(site, held),
            )
            for site in lost
        ]
    )
    return rows[rows["site"].isin(sites)]


def _mean_of_sides(rows: pd.DataFrame) -> pd.DataFrame:
    sided = rows[rows["side"].isin(["left", "right"])]
    key = [name for name in KEY if name != "side"]
    sides = sided.groupby(key, sort=True)["value"].agg(["mean", "count", "size"])
    values = sides["mean"].where(sides["count"] == sides["size"]).rename("value")
    means = values.reset_index().assign(side="mean")
    return means[means["subject"] != ""]


def _refuse_ambiguous(named: pd.DataFrame) -> None:
    twice = named.duplicated(["subject", "session", "run", "modality", "feature"], keep=False)
    if twice.any():
        first = named[twice].iloc[0]
        methods = ", ".join(
            sorted({f"{m}/{r}" for m, r in zip(named["method"], named["rater"], strict=True)})
        )
        message = (
            f"feature {first['feature']} has several rows for {first['subject']}, by method/rater {methods}"
        )
        refuse([Finding("error", "feature", message, mend="name the method or the rater")])


def _fill(frame: pd.DataFrame, columns: dict[str, Any], where: str) -> pd.DataFrame:
    unknown = [str(name) for name in frame if name not in columns]
    open_names = {name: None for name in columns}
    refuse(
        [
            Finding("error", "column", f"column {name!r} is not known", mend=near(name, open_names))
            for name in unknown
        ],
        where=where,
    )
    if "subject" not in frame and len(frame):
        refuse([Finding("error", "column", "column 'subject' is missing")], where=where)
    filled = {}
    for name, default in columns.items():
        given = (
            frame[name]
            if name in frame
            else pd.Series([default] * len(frame), index=frame.index, dtype=object)
        )
        filled[name] = text_column(given) if isinstance(default, str) else number_column(given, name, where)
    return pd.DataFrame(filled).reset_index(drop=True)


def _twice(frame: pd.DataFrame, key: list[str], where: str) -> list[Finding]:
    twice = frame.duplicated(key, keep="first")
    if not twice.any():
        return []
    first = "/".join(part for part in key_texts(frame[twice], key)[0] if part)
    return [Finding("error", "key", f"{first} occurs twice ({int(twice.sum())} such rows)", where=where)]
