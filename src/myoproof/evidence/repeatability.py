"""Repeatability: standard error of measurement and minimal detectable change per muscle, from repeats."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import KEY, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.evidence.verdicts import Range, judge
from myoproof.numerics.agreement import minimal_detectable_change
from myoproof.numerics.clustered import Interval, cluster_jackknife
from myoproof.numerics.icc import icc_value, intraclass_correlation
from myoproof.vocabulary.lookup import near

METHOD = "repeatability"
METHOD_VERSION = 1
METRICS = (
    "standard_error_of_measurement",
    "minimal_detectable_change_95",
    "minimal_detectable_change_95_relative",
    "icc_a1",
    "bias",
)
FEWEST_FOR_ICC = 3

Floats = npt.NDArray[np.float64]


def check(
    rows: pd.DataFrame,
    against: pd.DataFrame | None = None,
    *,
    across: str | Sequence[str] = "run",
    by_site: bool = True,
    level: float = 0.95,
    accept: Mapping[str, tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """What a repeat scan differs by, and which change of one patient is more than that.

    Parameters
    ----------
    rows : DataFrame
        Measurement rows, with their repeats where ``against`` is not given.
    against : DataFrame, optional
        The repeats as a table of their own.
    across : str or sequence of str
        Key columns in which repeats of one another may differ; a text may name several by commas.
    by_site : bool
        Whether every site gets its own rows beside those of all sites.
    level : float
        Level of the intervals.
    accept : mapping, optional
        Metric -> (least, most allowed). These rows get a verdict: pass where the interval lies inside.

    Returns
    -------
    DataFrame
        Evidence rows of kind ``repeatability`` by measure, kind of ``at``, and site, left and right together:
        ``standard_error_of_measurement`` (root of the mean variance within repeats),
        ``minimal_detectable_change_95`` (1.96 sqrt(2) times that: two scans of an unchanged patient differ by
        more once in twenty), the same ``_relative`` to the mean, ``icc_a1`` and ``bias`` (second less first)
        where there are pairs. Intervals count subjects: chi-square with one region a subject, else the
        jackknife over subjects. n is the number of subjects.

    Raises
    ------
    InvalidInput
        If nothing was measured twice, a table breaks a law, or ``across`` or ``accept`` names something
        unknown.

    References
    ----------
    Bland and Altman, BMJ 1996;313:744. Weir, J Strength Cond Res 2005;19:231.

    Examples
    --------
    >>> def scanned(run, values):
    ...     row = {"measure": "volume", "site": "thigh", "side": "left", "run": run}
    ...     return pd.DataFrame([{**row, "subject": s, "value": v} for s, v in zip("abc", values)])
    >>> both = pd.concat([scanned("1", (10.0, 20.0, 30.0)), scanned("2", (11.0, 20.0, 29.0))])
    >>> found = check(both).set_index("metric")["value"]
    >>> round(float(found["minimal_detectable_change_95"]), 3)
    1.6
    """
    differ = _across(across)
    judged = {metric: Range(*bounds) for metric, bounds in (accept or {}).items()}
    refuse(
        [
            Finding("error", "accept", f"{name!r} is no metric", mend=near(name, dict.fromkeys(METRICS)))
            for name in judged
            if name not in METRICS
        ],
        where="accept",
    )
    repeats = _repeats(rows, against, differ)
    found = [row for name, part in _strata(repeats, by_site) for row in _evidence(name, part, level)]
    return evidence_frame([_with_verdict(row, judged) for row in found])


def _across(across: str | Sequence[str]) -> list[str]:
    names = across.split(",") if isinstance(across, str) else list(across)
    names = [name.strip() for name in names if name.strip()]
    allowed = [column for column in KEY if column not in ("subject", "measure", "site", "side", "at")]
    refuse(
        [
            Finding("error", "across", f"{name!r} tells no repeat", mend=near(name, dict.fromkeys(allowed)))
            for name in names
            if name not in allowed
        ],
        where="across",
    )
    return names


def _repeats(rows: pd.DataFrame, against: pd.DataFrame | None, differ: list[str]) -> pd.DataFrame:
    """Present values with the number of the thing that was measured, where it was measured twice or more."""
    tables = [from_rows(rows, where="rows")]
    tables += [] if against is None else [from_rows(against, where="repeat rows")]
    joined = pd.concat([table.assign(table=k) for k, table in enumerate(tables)], ignore_index=True)
    joined = joined[joined["value"].notna()]
    key = [column for column in KEY if column not in differ]
    joined = joined.assign(thing=joined.groupby(key, sort=False).ngroup())
    joined = joined.sort_values(["thing", "table", *differ], kind="stable")
    twice = joined[joined.groupby("thing")["value"].transform("size") > 1]
    if twice.empty:
        mend = f"repeats must agree in every key column but {', '.join(differ) or 'none'}"
        raise InvalidInput("nothing was measured twice", where="repeatability", mend=mend)
    return twice


def _strata(repeats: pd.DataFrame, by_site: bool) -> Iterator[tuple[str, pd.DataFrame]]:
    at = (
        repeats["at"].str.partition(":")[0].where(repeats["at"].str.contains(":", regex=False), repeats["at"])
    )
    side = repeats["side"].where(~repeats["side"].isin(["left", "right"]), "left and right")
    names = [repeats["method"], repeats["measure"], at.rename("at_kind"), side.rename("side_kind")]
    for key, rows in repeats.groupby(names, sort=True):
        measure, kind, sides = (str(part) for part in tuple(key)[1:])
        label = ", ".join(part for part in (f"{measure} [{rows['unit'].iloc[0]}]", kind, sides) if part)
        sites = [(str(site), part) for site, part in rows.groupby("site", sort=True)]
        yield f"{label}, all sites" if len(sites) > 1 else f"{label}, {sites[0][0]}", rows
        if by_site and len(sites) > 1:
            for site, part in sites:
                yield f"{label}, {site}", part


def _evidence(label: str, rows: pd.DataFrame, level: float) -> Iterator[dict[str, Any]]:
    n_subjects = int(rows["subject"].nunique())
    simulated = rows["flags"].str.split(";").map(lambda flags: "simulated" in flags).any()
    start = "simulated: " if simulated else ""
    told = f"{start}{label}; {rows['thing'].nunique()} regions of {n_subjects} subjects"
    versions = "+".join(sorted({str(version) for version in rows["method_version"]}))
    base = {
        "about": f"{rows['method'].iloc[0] or 'rows'}@{versions}",
        "kind": METHOD,
        "n": n_subjects,
        "population": told,
        "reference": "the same region measured again",
        "version": __version__,
    }
    for metric, found in _metrics(rows, level):
        bounded = math.isfinite(found.low) and math.isfinite(found.high)
        ends = {"low": found.low, "high": found.high, "level": level} if bounded else {}
        yield {**base, "metric": metric, "value": found.value, **ends}


def _metrics(rows: pd.DataFrame, level: float) -> Iterator[tuple[str, Interval]]:
    by_thing = rows.groupby("thing", sort=True)
    spare = np.asarray(by_thing["value"].size(), dtype=np.float64) - 1
    squares = np.asarray(by_thing["value"].var(ddof=1), dtype=np.float64) * spare
    subjects = by_thing["subject"].first().to_numpy()
    sem = _sem(squares, spare, subjects, level)
    mean = float(rows["value"].mean())
    yield "standard_error_of_measurement", sem
    change = Interval(*(minimal_detectable_change(part) for part in (sem.value, sem.low, sem.high)))
    yield "minimal_detectable_change_95", change
    if mean > 0:
        yield (
            "minimal_detectable_change_95_relative",
            Interval(change.value / mean, change.low / mean, change.high / mean),
        )
    if (spare != 1).any():
        return
    pairs = np.array(by_thing["value"].apply(list).tolist(), dtype=np.float64)
    if len(pairs) >= FEWEST_FOR_ICC:
        yield "icc_a1", _icc(pairs, subjects, level)
    difference = pairs[:, 1] - pairs[:, 0]
    yield "bias", cluster_jackknife(lambda mask: float(difference[mask].mean()), subjects, level=level)


def _sem(squares: Floats, spare: Floats, subjects: npt.NDArray[Any], level: float) -> Interval:
    def root(mask: npt.NDArray[np.bool_]) -> float:
        return math.sqrt(float(squares[mask].sum()) / float(spare[mask].sum()))

    if len(np.unique(subjects)) < len(subjects):
        return cluster_jackknife(root, subjects, scale="log", level=level)
    value, df = root(np.ones(len(squares), dtype=bool)), float(spare.sum())
    low, high = (value * math.sqrt(df / float(stats.chi2.ppf((1 + way * level) / 2, df))) for way in (1, -1))
    return Interval(value, low, high)


def _icc(pairs: Floats, subjects: npt.NDArray[Any], level: float) -> Interval:
    if len(np.unique(subjects)) == len(subjects):
        return intraclass_correlation(pairs, "A,1", level=level)
    return cluster_jackknife(
        lambda mask: icc_value(pairs[mask], "A,1"), subjects, scale="fisher", level=level
    )


def _with_verdict(row: dict[str, Any], judged: Mapping[str, Range]) -> dict[str, Any]:
    allowed = judged.get(str(row["metric"]))
    if allowed is None:
        return row
    verdict = judge(row["value"], allowed, low=row.get("low", math.nan), high=row.get("high", math.nan))
    return {**row, "criterion": str(allowed), "verdict": verdict}
