"""Description of a cohort: Table 1, missing values, flow, visits, and balance over sites and devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from myoproof.core.cohort import Cohort, feature_matrix, subject_columns
from myoproof.core.study import Feature
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.describe import cramers_v, largest_difference
from myoproof.vocabulary.lookup import near

ALL = "all"
STANDARD = ("age_years", "sex", "diagnosis", "genotype", "onset_site", "onset_day", "centre")
DAYS_PER_MONTH = 365.25 / 12
WINDOW_DAYS = 30.0
"""Days around the nominal month within which a visit is on time. A proposal."""
MOST_LEVELS = 20
FEWEST = 2
TABLE_ONE = (
    *("variable", "level", "group", "n", "missing", "mean", "sd", "median", "q1", "q3"),
    *("count", "share", "difference"),
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Subjects by the variables that describe them.

    Parameters
    ----------
    table : DataFrame
        Index subject; numbers as float, words as text ("" missing).
    groups : Series
        Group of each subject, same index; "" is no group.
    by : str
        What the groups are.
    """

    table: pd.DataFrame
    groups: pd.Series
    by: str

    @property
    def names(self) -> list[str]:
        """Groups that hold anyone, in order."""
        return sorted(set(self.groups) - {""})

    def missing(self) -> pd.DataFrame:
        """Where a value is missing, True."""
        return self.table.isna() | (self.table.astype(str) == "")


def baseline(
    cohort: Cohort,
    *,
    by: str = "arm",
    columns: Sequence[str] = (),
    features: Sequence[Feature] = (),
    groups: Mapping[str, str] | None = None,
    session: str = "",
) -> Baseline:
    """The subjects' characteristics at the first visit, and their groups.

    Parameters
    ----------
    cohort : Cohort
        Who is described.
    by : str
        Column of the subjects or covariates tables; ignored where ``groups`` is given.
    columns : sequence of str
        Further columns; by default those that hold anything.
    features : sequence of Feature
        Measures at the visit.
    groups : mapping of str to str, optional
        Subject -> group, for clusters of a study.
    session : str
        The visit; "" takes the first in alphabetical order.

    Returns
    -------
    Baseline
        Every subject of the cohort.

    Raises
    ------
    InvalidInput
        If a column is not there, it has too many values to make groups, or nobody is in a group.
    """
    chosen = list(columns) or _held(cohort, by if groups is None else "")
    table = subject_columns(cohort, chosen)
    words = {name: own.fillna("").astype(str) for name, own in table.items() if own.dtype == object}
    table = table.assign(**{str(name): own for name, own in words.items()})
    if features:
        visits = sorted(set(cohort.measurements["session"]) - {""})
        first = session or (visits[0] if visits else "")
        table = table.join(feature_matrix(cohort, features, session=first or None))
    if groups is None:
        group = _group(subject_columns(cohort, [by])[by], by)
    else:
        group = pd.Series(dict(groups), dtype=object).reindex(table.index).fillna("")
    if not set(group) - {""}:
        raise InvalidInput(f"no subject has a {by}", where="describe", mend="choose another --by")
    return Baseline(table, group, by)


def _held(cohort: Cohort, by: str) -> list[str]:
    table = subject_columns(
        cohort, [*STANDARD, *(str(name) for name in cohort.covariates if name != "subject")]
    )
    kept = []
    for name, own in table.items():
        known = own.dropna().astype(str)
        known = known[known != ""]
        words = own.dtype == object
        if len(known) and name != by and not (words and not 2 <= known.nunique() <= MOST_LEVELS):
            kept.append(str(name))
    return kept


def _group(column: pd.Series, by: str) -> pd.Series:
    if pd.api.types.is_float_dtype(column):
        texts = column.map(lambda value: "" if pd.isna(value) else f"{value:g}")
    else:
        texts = column.fillna("").astype(str)
    many = texts[texts != ""].nunique()
    if many > MOST_LEVELS:
        message = f"{by} has {many} values; a table has room for {MOST_LEVELS} groups"
        raise InvalidInput(message, where="describe", mend="cut it into groups first")
    return texts.astype(object)


def table_one(base: Baseline) -> pd.DataFrame:
    """Table 1 in long form: a row per variable, level and group.

    Parameters
    ----------
    base : Baseline
        Subjects, variables, groups.

    Returns
    -------
    DataFrame
        variable, level ("" for numbers), group (``all`` or a name), n (known), missing, mean, sd, median, q1,
        q3, count, share (of the known), difference (largest absolute standardised difference over pairs of
        groups, on the rows of ``all``; levels carry that of the variable on the first). No p-values: at
        baseline of a trial they answer no question (CONSORT 2010, item 15), and elsewhere they follow n.

    References
    ----------
    Austin 2009, Stat Med 28:3083. Yang & Dalton 2012, SAS Global Forum 335.
    """
    rows: list[dict[str, Any]] = []
    members = {ALL: base.table.index, **{name: base.groups.index[base.groups == name] for name in base.names}}
    for variable in base.table:
        column = base.table[variable]
        if column.dtype == object:
            rows += _category_rows(str(variable), column, members)
        else:
            rows += _number_rows(str(variable), column, members)
    return pd.DataFrame(rows, columns=list(TABLE_ONE))


def _number_rows(name: str, column: pd.Series, members: Mapping[str, pd.Index]) -> list[dict[str, Any]]:
    values = {group: column.reindex(own).to_numpy(dtype=np.float64) for group, own in members.items()}
    gap = largest_difference([own for group, own in values.items() if group != ALL], categories=False)
    rows = []
    for group, own in values.items():
        known = own[np.isfinite(own)]
        row: dict[str, Any] = {"variable": name, "level": "", "group": group, "n": len(known)}
        row |= {"missing": len(own) - len(known)}
        if len(known):
            q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75])
            row |= {"mean": known.mean(), "median": median, "q1": q1, "q3": q3}
            row |= {"sd": known.std(ddof=1) if len(known) >= FEWEST else np.nan}
        rows.append({**row, "difference": gap} if group == ALL else row)
    return rows


def _category_rows(name: str, column: pd.Series, members: Mapping[str, pd.Index]) -> list[dict[str, Any]]:
    levels = sorted(set(column) - {""})
    counts = {
        group: np.array([(column.reindex(own) == level).sum() for level in levels], dtype=np.float64)
        for group, own in members.items()
    }
    gap = largest_difference([own for group, own in counts.items() if group != ALL], categories=True)
    rows: list[dict[str, Any]] = []
    for at, level in enumerate(levels):
        for group, own in counts.items():
            n = int(own.sum())
            row: dict[str, Any] = {"variable": name, "level": level, "group": group, "n": n}
            row |= {"missing": len(members[group]) - n, "count": own[at]}
            row |= {"share": own[at] / n if n else np.nan}
            rows.append({**row, "difference": gap} if group == ALL and at == 0 else row)
    return rows


def missing_patterns(base: Baseline) -> pd.DataFrame:
    """Which variables are missing together, most frequent first.

    Parameters
    ----------
    base : Baseline
        Subjects by variables.

    Returns
    -------
    DataFrame
        pattern (1 is the most frequent), n, share, and a column of 0 and 1 per variable that anybody lacks:
        1 where it is missing. Empty where nothing is missing.
    """
    holes = base.missing()
    holes = holes.loc[:, holes.any()].astype(int)
    if holes.shape[1] == 0:
        return pd.DataFrame(columns=["pattern", "n", "share"])
    counts = holes.value_counts(sort=True).rename("n").reset_index()
    names = [str(name) for name in holes]
    counts["few"] = counts[names].sum(axis=1)
    counts = counts.sort_values(["n", "few", *names], ascending=[False, True] + [True] * len(names))
    counts = counts.drop(columns="few").reset_index(drop=True)
    counts.insert(0, "pattern", np.arange(1, len(counts) + 1))
    counts.insert(1, "share", counts["n"] / len(holes))
    return pd.DataFrame(counts[["pattern", "n", "share", *names]])


def flow(cohort: Cohort, base: Baseline) -> list[tuple[str, int, str]]:
    """Subjects step by step: entered, in a group, measured, followed.

    Parameters
    ----------
    cohort : Cohort
        Who takes part.
    base : Baseline
        Their groups.

    Returns
    -------
    list of (step, n, reason)
        As a study's flow.
    """
    people = set(cohort.subjects["subject"])
    steps = [("in the cohort", len(people), "")]
    people &= set(base.groups.index[base.groups != ""])
    steps.append((f"with a known {base.by}", len(people), f"no {base.by} recorded"))
    held = cohort.measurements[cohort.measurements["value"].notna()]
    people &= set(held["subject"])
    steps.append(("measured at least once", len(people), "no measurement"))
    visits = held.groupby("subject")["session"].nunique()
    if (visits > 1).any():
        people &= set(visits.index[visits > 1])
        steps.append(("measured again", len(people), "single_visit"))
    return steps


def visit_windows(cohort: Cohort, *, window_days: float = WINDOW_DAYS) -> pd.DataFrame:
    """When each visit took place, against its nominal month.

    Parameters
    ----------
    cohort : Cohort
        With acquisitions and their days.
    window_days : float
        Days around the nominal day that count as on time.

    Returns
    -------
    DataFrame
        subject, session, day, nominal_day (NaN where the session's name tells no month, as ``m06`` does),
        on_time (True, False, or NaN).
    """
    dated = cohort.acquisitions.dropna(subset=["day"])
    visits = dated.groupby(["subject", "session"], as_index=False)["day"].min()
    months = visits["session"].str.extract(r"^m(\d+)$")[0].astype(float)
    nominal = months * DAYS_PER_MONTH
    on_time = (visits["day"] - nominal).abs() <= window_days
    judged = on_time.astype(object).where(nominal.notna(), None)
    return pd.DataFrame(visits.assign(nominal_day=nominal, on_time=judged))


def balance(cohort: Cohort, base: Baseline, place: str) -> tuple[pd.DataFrame, dict[str, float]]:
    """Groups by centre or device, and how strongly the two go together.

    Parameters
    ----------
    cohort : Cohort
        Subjects and acquisitions.
    base : Baseline
        Groups.
    place : {"centre", "device"}
        What is crossed with the groups; a subject seen on several devices counts on each.

    Returns
    -------
    DataFrame
        place, group, n.
    dict
        ``cramers_v`` (bias-corrected, 0 to 1) and ``p`` (chi-square); NaN where there is one only.

    Raises
    ------
    InvalidInput
        If ``place`` is neither.
    """
    known = dict.fromkeys(("centre", "device"))
    if place not in known:
        refuse([Finding("error", "place", f"{place!r} is no place", mend=near(place, known))])
    if place == "centre":
        pairs = cohort.subjects[["subject", "centre"]]
    else:
        pairs = cohort.acquisitions[["subject", "device"]].drop_duplicates()
    pairs = pairs.assign(group=pairs["subject"].map(base.groups))
    pairs = pairs[(pairs["group"].fillna("") != "") & (pairs[place] != "")]
    if pairs.empty:
        return pd.DataFrame(columns=[place, "group", "n"]), {"cramers_v": np.nan, "p": np.nan}
    counts = pd.crosstab(pairs[place], pairs["group"])
    p = np.nan
    if min(counts.shape) > 1:
        p = float(stats.chi2_contingency(counts.to_numpy(), correction=False).pvalue)
    rows = counts.reset_index().melt(id_vars=place, value_name="n").sort_values([place, "group"])
    return rows.reset_index(drop=True), {"cramers_v": cramers_v(counts.to_numpy()), "p": p}
