"""What a transfer between devices changed: how well patients are told from controls, before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.evidence import evidence_frame
from myoproof.core.table import is_simulated
from myoproof.errors import Finding
from myoproof.numerics.roc import Area, area, area_difference
from myoproof.vocabulary.lookup import worsening_sign

FEATURE = ["measure", "site", "side", "at", "rater"]
FEWEST = 5
"""Fewer people of a group on a device give no area."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compared:
    """A before/after comparison.

    Parameters
    ----------
    evidence : DataFrame
        Evidence rows, none of them judged.
    scores : DataFrame
        ``subject, machine, ill, before, after``: mean over muscles of standardised values, higher is worse.
    findings : list of Finding
        Why an area is not given.
    """

    evidence: pd.DataFrame
    scores: pd.DataFrame
    findings: list[Finding]


def check(
    before: pd.DataFrame,
    after: pd.DataFrame,
    people: Mapping[str, bool],
    *,
    reference: str,
    about: str = "",
    level: float = 0.95,
) -> Compared:
    """Compare rows before and after a transfer between devices.

    Parameters
    ----------
    before, after : DataFrame
        Rows with ``machine``; of ``after`` those that have a value in both are compared.
    people : mapping of str to bool
        Subject -> whether ill; others are left out.
    reference : str
        The machine whose controls the values are standardised by.
    about : str
        ``method@version``.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Compared
        Areas under the ROC curve of the mean standardised value over muscles (DeLong), on all devices
        together (a person once) and on each, before, after and their difference; the share of the controls'
        variance that lies between devices; the half-width of carried values.

    Raises
    ------
    InvalidInput
        Not raised here; what cannot be compared is a finding.

    References
    ----------
    DeLong ER et al. Biometrics 1988;44:837.
    """
    both = _paired(before, after, people)
    if both.empty:
        nothing = pd.DataFrame(columns=["subject", "machine", "ill", "before", "after"])
        return Compared(evidence_frame([]), nothing, [Finding("warning", "empty", "no rows are in both")])
    scores = _scores(both, reference)
    findings, rows = [], []
    simulated = "simulated: " if is_simulated(before) else ""
    once = scores.sort_values(["subject", "machine"], kind="stable").drop_duplicates("subject")
    groups: list[tuple[str, pd.DataFrame]] = [("all devices", once)]
    groups += [(str(name), own) for name, own in scores.groupby("machine", sort=True)]
    for name, own in groups:
        told = f"{simulated}{int(own['ill'].sum())} ill and {int((~own['ill']).sum())} controls on {name}"
        reason = _reason(own)
        if reason:
            findings.append(Finding("warning", "confounded", f"no area on {name}: {reason}"))
            continue
        rows += [{**row, "population": told, "n": len(own)} for row in _areas(own, level)]
    shares = [_device_share(both, column) for column in ("before", "after")]
    people_n = int(both["subject"].nunique())
    told = f"{simulated}{people_n} people, {both['machine'].nunique()} devices"
    for name, share in zip(("before", "after"), shares, strict=True):
        metric = f"share of the controls' variance between devices, {name}"
        rows.append({"metric": metric, "value": share, "population": told, "n": people_n})
    width = _width(both)
    rows.append(
        {"metric": "median half-width of a carried value", "value": width, "population": told, "n": people_n}
    )
    made = {"about": about, "kind": "harmonisation", "reference": reference}
    return Compared(evidence_frame([{**row, **made} for row in rows]), scores, findings)


def _paired(before: pd.DataFrame, after: pd.DataFrame, people: Mapping[str, bool]) -> pd.DataFrame:
    key = ["subject", "session", "run", *FEATURE]
    chosen = before[before["subject"].isin(list(people)) & before["value"].notna()]
    held = chosen[[*key, "method", "machine", "value"]].rename(columns={"value": "before"})
    later = after[after["value"].notna()]
    later = later.assign(method=[str(text).rpartition(":")[0] for text in later["method"]])
    moved = later[[*key, "method", "value", "low", "high"]].rename(columns={"value": "after"})
    both = held.merge(moved, on=[*key, "method"])
    return both.assign(ill=both["subject"].map(people).astype(bool))


def _scores(both: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Mean over muscles of values standardised by the reference's controls."""
    feature = [*FEATURE, "method"]
    anchor = both[(both["machine"] == reference) & ~both["ill"]]
    anchor = anchor if len(anchor) else both[~both["ill"]]
    norm = anchor.groupby(feature)["before"].agg(["mean", "std"]).reset_index()
    joined = both.merge(norm, on=feature, how="inner")
    sign = joined["measure"].map({name: worsening_sign(name) for name in joined["measure"].unique()})
    spread = joined["std"].where(joined["std"] > 0)
    for name in ("before", "after"):
        joined[name] = sign * (joined[name] - joined["mean"]) / spread
    means = joined.groupby(["subject", "machine", "ill"], as_index=False)[["before", "after"]].mean()
    return pd.DataFrame(means.dropna())


def _reason(own: pd.DataFrame) -> str:
    counts = pd.crosstab(own["machine"], own["ill"]).reindex(columns=[False, True], fill_value=0)
    if (counts.sum() < FEWEST).any():
        return f"fewer than {FEWEST} of a group"
    lonely = [str(machine) for machine in counts.index[(counts == 0).any(axis=1)]]
    return f"one group only on {', '.join(lonely)}: device and disease are confounded" if lonely else ""


def _areas(own: pd.DataFrame, level: float) -> list[dict[str, Any]]:
    one, other = (own[name].to_numpy(dtype=np.float64) for name in ("before", "after"))
    ill = own["ill"].to_numpy(dtype=np.bool_)
    found: Sequence[tuple[str, Area]] = [
        ("AUC before", area(one, ill, level=level)),
        ("AUC after", area(other, ill, level=level)),
        ("AUC after less before", area_difference(other, one, ill, level=level)),
    ]
    return [
        {"metric": name, "value": made.value, "low": made.low, "high": made.high, "level": level}
        for name, made in found
    ]


def _device_share(both: pd.DataFrame, column: str) -> float:
    """Median over muscles of the controls' variance between devices (adjusted R2)."""
    well = both[~both["ill"]]
    shares = []
    for _, own in well.groupby([*FEATURE, "method"]):
        n, k = len(own), own["machine"].nunique()
        values = own[column]
        if k < 2 or n <= k + 1 or values.var() == 0:
            continue
        within = values - values.groupby(own["machine"]).transform("mean")
        shares.append(1 - float((within**2).sum()) / (n - k) / float(values.var(ddof=1)))
    return float(np.median(shares)) if shares else float("nan")


def _width(both: pd.DataFrame) -> float:
    half = (both["high"] - both["low"]) / 2
    return float(half.median())
