"""Agreement between any two sets of measurement rows: one join across the columns in which they differ."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import KEY, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.evidence.verdicts import Range, judge
from myoproof.numerics.agreement import (
    limits_of_agreement,
    repeatability_coefficient,
    within_subject_sd,
)
from myoproof.numerics.clustered import Interval, cluster_jackknife, clustered_share
from myoproof.numerics.icc import icc_value, intraclass_correlation
from myoproof.vocabulary.lookup import near

METHOD = "agreement"
METHOD_VERSION = 1
FEWEST_FOR_ICC = 3
"""Subjects below which no intraclass correlation is given."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Joined rows of one method against one reference.

    Parameters
    ----------
    rows : DataFrame
        Key columns, ``value``, ``reference``, ``low``, ``high``; both values present.
    about, reference : str
        ``method@version``, and what it is held against.
    unmatched, unmatched_reference, absent : int
        Rows of each side without a partner; pairs in which a value is absent.
    """

    rows: pd.DataFrame
    about: str
    reference: str
    unmatched: int
    unmatched_reference: int
    absent: int


def check(
    rows: pd.DataFrame,
    against: pd.DataFrame,
    *,
    across: str | Sequence[str] = "method",
    by_site: bool = True,
    level: float = 0.95,
    accept: Mapping[str, tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """Hold measurement rows against reference rows.

    Rows meet where their keys agree in every column but those of `across`. Each combination of these columns
    is compared by itself, split by measure, by kind of `at` (whole, each slice, the maximum) and into sided
    and unsided rows, so that no row is counted twice. All intervals count subjects, not rows.

    Parameters
    ----------
    rows, against : DataFrame
        Measurement rows; the second is the reference.
    across : str or sequence of str
        Key columns in which the two may differ; a text may name several by commas.
    by_site : bool
        Whether every site gets its own rows beside those of all sites.
    level : float
        Level of the intervals.
    accept : mapping, optional
        Metric -> (least, most allowed). These rows get a verdict: pass where the interval lies inside.

    Returns
    -------
    DataFrame
        Evidence rows of kind ``agreement``. Metrics: ``bias`` (value minus reference), ``sd_of_differences``,
        ``lower_limit_of_agreement``, ``upper_limit_of_agreement``, ``icc_a1``, ``root_mean_square_error``,
        ``within_subject_sd``, ``repeatability_coefficient``, ``interval_coverage`` (share of references
        inside low to high), ``largest_site_bias``, and the counts ``unmatched_rows``,
        ``unmatched_reference_rows``, ``absent_pairs``. n is the number of subjects.

    Raises
    ------
    InvalidInput
        If no row meets a reference row, units differ, a set breaks a law of the table, or `across` or
        `accept` names something unknown.

    References
    ----------
    Bland and Altman, J Biopharm Stat 2007;17:571. Zou, Stat Methods Med Res 2013;22:630. McGraw and Wong,
    Psychol Methods 1996;1:30.

    Examples
    --------
    >>> def drawn(rater, values):
    ...     row = {"measure": "volume", "site": "thigh", "side": "left", "rater": rater}
    ...     return pd.DataFrame([{**row, "subject": s, "value": v} for s, v in zip("abc", values)])
    >>> found = check(drawn("ours", (11.0, 21.0, 33.0)), drawn("theirs", (10.0, 20.0, 30.0)), across="rater")
    >>> round(float(found.set_index("metric").loc["bias", "value"]), 3)
    1.667
    """
    differ = _across(across)
    judged = {metric: Range(*bounds) for metric, bounds in (accept or {}).items()}
    _refuse_metrics(judged)
    left, right = from_rows(rows, where="rows"), from_rows(against, where="reference rows")
    joined = list(_joined(left, right, differ))
    if all(pairs.rows.empty and not pairs.absent for pairs in joined):
        raise InvalidInput(
            "no row meets a reference row", where="validate", mend=_why_nothing_joins(left, right, differ)
        )
    found = [row for pairs in joined for row in _evidence(pairs, by_site=by_site, level=level)]
    return evidence_frame([_with_verdict(row, judged) for row in found])


METRICS = (
    "bias",
    "sd_of_differences",
    "lower_limit_of_agreement",
    "upper_limit_of_agreement",
    "icc_a1",
    "root_mean_square_error",
    "within_subject_sd",
    "repeatability_coefficient",
    "interval_coverage",
    "largest_site_bias",
    "unmatched_rows",
    "unmatched_reference_rows",
    "absent_pairs",
)


def _across(across: str | Sequence[str]) -> list[str]:
    names = across.split(",") if isinstance(across, str) else list(across)
    names = [name.strip() for name in names if name.strip()]
    allowed = [column for column in KEY if column != "subject"]
    findings = [
        Finding("error", "across", f"{name!r} is no key column", mend=near(name, dict.fromkeys(allowed)))
        for name in names
        if name not in allowed
    ]
    refuse(findings, where="across")
    return names


def _refuse_metrics(judged: Mapping[str, Range]) -> None:
    refuse(
        [
            Finding("error", "accept", f"{name!r} is no metric", mend=near(name, dict.fromkeys(METRICS)))
            for name in judged
            if name not in METRICS
        ],
        where="accept",
    )


def _joined(left: pd.DataFrame, right: pd.DataFrame, differ: list[str]) -> Iterator[Pairs]:
    """Every combination of the columns that differ, joined on the rest of the key; the lonely ones too."""
    for ours, own in _split(left, differ):
        met = [
            _pairs(own, other, differ, _named(differ, theirs) + (" again" if theirs == ours else ""))
            for theirs, other in _split(right, differ)
        ]
        joined = [pairs for pairs in met if not pairs.rows.empty or pairs.absent]
        lonely = Pairs(met[0].rows, _about(own), "no reference row", len(own), 0, 0)
        yield from joined or [lonely]


def _pairs(own: pd.DataFrame, other: pd.DataFrame, differ: list[str], reference: str) -> Pairs:
    key = [column for column in KEY if column not in differ]
    merged = own[[*key, "value", "unit", "low", "high", "flags"]].merge(
        other[[*key, "value", "unit"]], on=key, suffixes=("", "_reference"), validate="1:1"
    )
    _refuse_units(merged)
    ours = {column: own[column].iloc[0] for column in differ}
    rows = merged.rename(columns={"value_reference": "reference"}).assign(**ours)
    present = rows[["value", "reference"]].notna().all(axis=1)
    return Pairs(
        rows=rows[present].reset_index(drop=True),
        about=_about(own),
        reference=reference,
        unmatched=len(own) - len(merged),
        unmatched_reference=len(other) - len(merged),
        absent=int((~present).sum()),
    )


def _split(table: pd.DataFrame, differ: list[str]) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    if not differ:
        return [((), table)]
    return [
        (tuple(str(part) for part in (name if isinstance(name, tuple) else (name,))), rows)
        for name, rows in table.groupby(differ, sort=True)
    ]


def _refuse_units(merged: pd.DataFrame) -> None:
    odd = merged[merged["unit"] != merged["unit_reference"]]
    if len(odd):
        first = odd.iloc[0]
        raise InvalidInput(
            f"units differ: {first['unit']!r} against {first['unit_reference']!r} in {len(odd)} rows",
            where="validate",
            mend="compare measures of one unit",
        )


def _about(rows: pd.DataFrame) -> str:
    versions = "+".join(str(version) for version in sorted(set(rows["method_version"])))
    named = [name for name in sorted(set(rows["method"])) if name]
    return f"{'+'.join(named) or 'rows'}@{versions}"


def _named(differ: list[str], values: tuple[str, ...]) -> str:
    told = [f"{column} {value}" for column, value in zip(differ, values, strict=True) if value]
    return ", ".join(told) or "reference rows"


def _why_nothing_joins(left: pd.DataFrame, right: pd.DataFrame, differ: list[str]) -> str:
    """Which key columns have no value in common."""
    told = []
    for column in KEY:
        own, other = set(left[column]), set(right[column])
        if column not in differ and not own & other:
            told.append(f"{column} is {min(own, default='')!r} here and {min(other, default='')!r} there")
    if told:
        return "; ".join(told) + "; name the columns that may differ in `across`"
    return "no key column disagrees as a whole: compare single rows"


def _evidence(pairs: Pairs, *, by_site: bool, level: float) -> Iterator[dict[str, Any]]:
    base = {"about": pairs.about, "kind": METHOD, "reference": pairs.reference, "version": __version__}
    counts = {
        "unmatched_rows": pairs.unmatched,
        "unmatched_reference_rows": pairs.unmatched_reference,
        "absent_pairs": pairs.absent,
    }
    n_subjects = int(pairs.rows["subject"].nunique())
    for metric, count in counts.items():
        if count:
            yield {**base, "metric": metric, "value": float(count), "n": n_subjects, "population": "all rows"}
    if pairs.rows.empty:
        return
    strata = [pairs.rows["measure"], _kind_of_at(pairs.rows["at"]), _kind_of_side(pairs.rows["side"])]
    for names, rows in pairs.rows.groupby(strata, sort=True):
        measure, at, side = (str(name) for name in names)
        label = ", ".join(part for part in (f"{measure} [{rows['unit'].iloc[0]}]", at, side) if part)
        sites = [(str(site), part) for site, part in rows.groupby("site", sort=True)]
        yield from _metrics(rows, f"{label}, all sites" if len(sites) > 1 else label, base, level)
        if len(sites) > 1:
            yield _worst_site(sites, label, base, level)
        if by_site and len(sites) > 1:
            for site, part in sites:
                yield from _metrics(part, f"{label}, {site}", base, level)


def _kind_of_at(at: pd.Series) -> pd.Series:
    return at.str.partition(":")[0].where(at.str.contains(":", regex=False), at).rename("at_kind")


def _kind_of_side(side: pd.Series) -> pd.Series:
    return side.where(~side.isin(["left", "right"]), "left and right").rename("side_kind")


def _population(label: str, rows: pd.DataFrame) -> str:
    simulated = rows["flags"].str.split(";").map(lambda flags: "simulated" in flags).any()
    start = "simulated: " if simulated else ""
    return f"{start}{label}; {len(rows)} rows of {rows['subject'].nunique()} subjects"


def _metrics(rows: pd.DataFrame, label: str, base: dict[str, Any], level: float) -> Iterator[dict[str, Any]]:
    head = {**base, "n": int(rows["subject"].nunique()), "population": _population(label, rows)}
    for metric, found in _agreement(rows, level):
        has_interval = math.isfinite(found.low) and math.isfinite(found.high)
        yield {
            **head,
            "metric": metric,
            "value": found.value,
            "low": found.low if has_interval else math.nan,
            "high": found.high if has_interval else math.nan,
            "level": level if has_interval else math.nan,
        }


def _agreement(rows: pd.DataFrame, level: float) -> Iterator[tuple[str, Interval]]:
    """Every metric of one set of pairs."""
    subjects = rows["subject"].to_numpy()
    value, reference = rows["value"].to_numpy(), rows["reference"].to_numpy()
    difference = value - reference
    n = len(np.unique(subjects))
    if n > 1:
        limits = limits_of_agreement(difference, subjects, level=level)
        yield "bias", limits.bias
        yield "sd_of_differences", Interval(limits.sd, math.nan, math.nan)
        yield "lower_limit_of_agreement", limits.lower
        yield "upper_limit_of_agreement", limits.upper
    else:
        yield "bias", Interval(float(difference.mean()), math.nan, math.nan)
    if n >= FEWEST_FOR_ICC:
        yield "icc_a1", _icc(np.column_stack([value, reference]), subjects, level)

    def spread(mask: npt.NDArray[np.bool_]) -> float:
        return float(np.sqrt(np.mean(difference[mask] ** 2)))

    error = cluster_jackknife(spread, subjects, scale="log", level=level)
    yield "root_mean_square_error", error
    within = within_subject_sd(difference) / error.value if error.value > 0 else 0.0
    yield "within_subject_sd", _scaled(error, within)
    yield "repeatability_coefficient", _scaled(error, repeatability_coefficient(within))
    bounded = rows["low"].notna() & rows["high"].notna()
    if bounded.any():
        inside = (rows["low"] <= rows["reference"]) & (rows["reference"] <= rows["high"])
        yield "interval_coverage", clustered_share(inside[bounded], subjects[bounded], level=level)


def _icc(ratings: npt.NDArray[np.float64], subjects: npt.NDArray[Any], level: float) -> Interval:
    """ICC(A,1): the F interval with one pair a subject, the jackknife over subjects with several."""
    if len(np.unique(subjects)) == len(subjects):
        return intraclass_correlation(ratings, "A,1", level=level)
    return cluster_jackknife(
        lambda mask: icc_value(ratings[mask], "A,1"), subjects, scale="fisher", level=level
    )


def _scaled(found: Interval, factor: float) -> Interval:
    return Interval(found.value * factor, found.low * factor, found.high * factor)


def _worst_site(
    sites: list[tuple[str, pd.DataFrame]], label: str, base: dict[str, Any], level: float
) -> dict[str, Any]:
    """The site whose bias is largest, with the bias."""
    site, rows = max(sites, key=lambda pair: abs(float((pair[1]["value"] - pair[1]["reference"]).mean())))
    worst = next(iter(_metrics(rows, f"{label}, {site}", base, level)))
    return {**worst, "metric": "largest_site_bias"}


def _with_verdict(row: dict[str, Any], judged: Mapping[str, Range]) -> dict[str, Any]:
    allowed = judged.get(str(row["metric"]))
    if allowed is None:
        return row
    verdict = judge(row["value"], allowed, low=row.get("low", math.nan), high=row.get("high", math.nan))
    return {**row, "criterion": str(allowed), "verdict": verdict}
