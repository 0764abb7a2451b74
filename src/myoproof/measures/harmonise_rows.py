"""Measurement rows as scans by features, and harmonised scans as rows again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.errors import Finding
from myoproof.vocabulary.lookup import words

FEATURE = ("measure", "site", "side", "at", "method", "rater")
SCAN = ("subject", "session", "run")
SUFFIX = ":combat"
FLAG = "harmonised"


@dataclass(frozen=True, slots=True)
class Scans:
    """Scans of one modality by features.

    Parameters
    ----------
    keys : DataFrame
        Empty frame whose index is subject, session, run.
    features : list of tuples
        Values of ``FEATURE``, in column order.
    values : DataFrame
        Scans by features, NaN where absent; columns named ``measure/site/side``.
    bounds : pair of DataFrame
        Lower and upper ends.
    """

    keys: pd.DataFrame
    features: list[tuple[str, ...]]
    values: pd.DataFrame
    bounds: tuple[pd.DataFrame, pd.DataFrame]

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Scans":
        """Some of the features."""
        kept = [feature for feature, own in zip(self.features, chosen.tolist(), strict=True) if own]
        low, high = (ends.loc[:, chosen] for ends in self.bounds)
        return Scans(self.keys, kept, self.values.loc[:, chosen], (low, high))


def scans_of(rows: pd.DataFrame, features: Sequence[tuple[str, ...]] | None = None) -> Scans:
    """Rows of one modality as a matrix.

    Parameters
    ----------
    rows : DataFrame
        Measurement rows with unique keys.
    features : sequence of tuples, optional
        Columns wanted, in order; those of the rows, sorted, by default.
    """
    indexed = rows.set_index([*SCAN, *FEATURE])[["value", "low", "high"]]
    frames = [indexed[name].unstack(list(FEATURE)).sort_index() for name in ("value", "low", "high")]
    found: list[tuple[str, ...]] = sorted(tuple(map(str, key)) for key in frames[0].columns)
    wanted = found if features is None else list(features)
    columns = pd.MultiIndex.from_tuples(wanted, names=FEATURE)
    names = pd.Index([feature_name(feature, wanted) for feature in wanted])
    value, low, high = (frame.reindex(columns=columns).set_axis(names, axis=1) for frame in frames)
    return Scans(value[[]], wanted, value, (low, high))


def feature_name(feature: tuple[str, ...], among: Sequence[tuple[str, ...]]) -> str:
    """``measure/site/side[/at]``, with method and rater where the panel holds several.

    Parameters
    ----------
    feature : tuple of str
        Values of ``FEATURE``.
    among : sequence of tuples
        All features of the panel.
    """
    parts = [*feature[:3], *([feature[3]] if feature[3] else [])]
    for place in (4, 5):
        if len({other[place] for other in among}) > 1:
            parts.append(f"{FEATURE[place]}={feature[place]}")
    return "/".join(parts)


def with_values(
    rows: pd.DataFrame, scans: Scans, moved: Sequence[npt.NDArray[np.float64]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """The rows with harmonised values, method suffix and flag; values out of range become absent.

    Parameters
    ----------
    rows : DataFrame
        Rows that the scans were made of.
    scans : Scans
        From :func:`scans_of`.
    moved : sequence of (n, p) float64
        Harmonised values, low and high.
    """
    place = {feature: j for j, feature in enumerate(scans.features)}
    at = np.array([place[key] for key in rows[list(FEATURE)].itertuples(index=False, name=None)])
    index = scans.keys.index.get_indexer(pd.MultiIndex.from_frame(rows[list(SCAN)]))
    value, low, high = (np.asarray(part)[index, at] for part in moved)
    ranges = words("measures")
    least = rows["measure"].map({name: float(row["low"] or -np.inf) for name, row in ranges.items()})
    most = rows["measure"].map({name: float(row["high"] or np.inf) for name, row in ranges.items()})
    outside = (value < least.to_numpy(dtype=float)) | (value > most.to_numpy(dtype=float))
    empty = np.isnan(value) | outside
    absent = np.where(outside, "not_defined", rows["absent"].to_numpy())
    flags = [";".join(sorted({*text.split(";"), FLAG} - {""})) for text in rows["flags"]]
    table = rows.assign(
        value=np.where(empty, np.nan, value),
        low=np.where(empty, np.nan, low),
        high=np.where(empty, np.nan, high),
        absent=absent,
        method=rows["method"] + SUFFIX,
        flags=flags,
    )
    findings = []
    if outside.any():
        named = ", ".join(sorted(set(rows["measure"][outside])))
        message = f"{int(outside.sum())} of {len(rows)} harmonised values leave the range of {named}"
        mend = "they are absent as not_defined; a transformed measure would stay inside"
        findings.append(Finding("warning", "outside_range", message, mend=mend))
    return table, findings
