"""Evidence for a harmonisation: what the sites still explain of each feature, and what biology is kept."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.evidence.verdicts import Range, judge

METHOD = "harmonisation"
RESIDUAL = Range(at_most=0.01)
KEPT = Range(at_least=0.95)
"""Site share after, and share of the covariates' effects kept: the criteria of the project's plan."""
FEWEST_SPARE = 3

Floats = npt.NDArray[np.float64]


def check(
    before: pd.DataFrame,
    after: pd.DataFrame,
    sites: npt.NDArray[np.str_],
    *,
    covariates: npt.NDArray[np.float64] | None = None,
    names: Sequence[str] = (),
    about: str = "combat@1",
    population: str = "",
) -> pd.DataFrame:
    """Hold features before and after against the sites and the kept covariates.

    Parameters
    ----------
    before, after : DataFrame
        Scans (one a subject) by features, NaN where missing.
    sites : (n,) array of text
        Site of each scan.
    covariates : (n, q) array, optional
        Kept columns.
    names : sequence of str
        Of the covariates.
    about, population : str
        For the rows.

    Returns
    -------
    DataFrame
        Evidence rows: ``site share of variance`` before and after (adjusted: 0 by chance; median over
        features with the quartiles told in the population, and the largest), ``spread between sites`` (median
        over features of the largest over the smallest SD), and ``kept effect of NAME`` (slope of effects
        after on effects before, over features, sites adjusted for).

    Raises
    ------
    InvalidInput
        If a row breaks the laws of evidence.

    References
    ----------
    Adjusted share: Ezekiel 1930, Methods of correlation analysis; as adjusted R2.
    """
    design = np.empty((len(before), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    base = {"about": about, "kind": METHOD, "population": population, "version": __version__}
    found = [
        {**base, "n": len(before), **row}
        for name, frame in (("before", before), ("after", after))
        for row in _site_rows(frame, sites, design, name)
    ]
    found += [{**base, "n": len(before), **row} for row in _kept_rows(before, after, sites, design, names)]
    return evidence_frame(found)


def site_share(values: Floats, sites: npt.NDArray[np.str_], covariates: Floats) -> float:
    """Share of a feature's variance that the sites explain beside the covariates, adjusted for their number.

    Parameters
    ----------
    values : (n,) float64
        NaN where missing.
    sites : (n,) array of text
        Site of each value.
    covariates : (n, q) float64
        Nothing missing.

    Returns
    -------
    float
        About 0 where sites do not matter, negative by chance; NaN where there are too few values.

    Examples
    --------
    >>> values, sites = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2]), np.repeat(["a", "b"], 3)
    >>> site_share(values, sites, np.empty((6, 0))) > 0.99
    True
    """
    seen = np.isfinite(values)
    y, names = values[seen], sites[seen]
    rest = np.column_stack([np.ones(seen.sum()), covariates[seen]])
    full = np.column_stack([rest, (names[:, None] == np.unique(names)[1:]).astype(np.float64)])
    spare = len(y) - full.shape[1]
    if spare < FEWEST_SPARE:
        return math.nan
    without, within = _squares(rest, y), _squares(full, y)
    if without <= 0:
        return math.nan
    return float(1 - (within / spare) / (without / (len(y) - rest.shape[1])))


def _squares(design: Floats, y: Floats) -> float:
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(residual @ residual)


def _site_rows(
    frame: pd.DataFrame, sites: npt.NDArray[np.str_], design: Floats, when: str
) -> Iterator[dict[str, Any]]:
    values = frame.to_numpy(dtype=np.float64)
    shares = np.array([site_share(column, sites, design) for column in values.T])
    shares = shares[np.isfinite(shares)]
    if not len(shares):
        return
    middle = float(np.median(shares))
    quartiles = {
        "low": float(np.quantile(shares, 0.25)),
        "high": float(np.quantile(shares, 0.75)),
        "level": 0.5,
    }
    row: dict[str, Any] = {"metric": f"site share of variance {when}, median of features", "value": middle}
    if when == "after":
        row |= {"criterion": str(RESIDUAL), "verdict": judge(middle, RESIDUAL)}
    yield {**row, **quartiles}
    yield {"metric": f"site share of variance {when}, largest of features", "value": float(shares.max())}
    ratios = [_spread_ratio(column, sites, design) for column in values.T]
    ratios = [ratio for ratio in ratios if math.isfinite(ratio)]
    if ratios:
        yield {
            "metric": f"spread between sites {when}, largest over smallest SD, median of features",
            "value": float(np.median(ratios)),
        }


def _spread_ratio(values: Floats, sites: npt.NDArray[np.str_], design: Floats) -> float:
    seen = np.isfinite(values)
    names = np.unique(sites[seen])
    full = np.column_stack([(sites[seen][:, None] == names).astype(np.float64), design[seen]])
    residual = values[seen] - full @ np.linalg.lstsq(full, values[seen], rcond=None)[0]
    own = [residual[sites[seen] == name] for name in names]
    deviations = [float(part.std(ddof=1)) for part in own if len(part) > FEWEST_SPARE]
    if len(deviations) < 2 or min(deviations) <= 0:
        return math.nan
    return max(deviations) / min(deviations)


def _kept_rows(
    before: pd.DataFrame,
    after: pd.DataFrame,
    sites: npt.NDArray[np.str_],
    design: Floats,
    names: Sequence[str],
) -> Iterator[dict[str, Any]]:
    if not design.shape[1]:
        return
    unit = before.std(ddof=0).to_numpy(dtype=np.float64)
    old, new = (_effects(frame.to_numpy(dtype=np.float64), sites, design, unit) for frame in (before, after))
    for j, name in enumerate(names):
        usable = np.isfinite(old[j]) & np.isfinite(new[j])
        size = float(old[j, usable] @ old[j, usable])
        if size <= 0:
            continue
        kept = float(old[j, usable] @ new[j, usable]) / size
        verdict = judge(kept, KEPT)
        yield {
            "metric": f"kept effect of {name}",
            "value": kept,
            "criterion": str(KEPT),
            "verdict": verdict,
        }


def _effects(values: Floats, sites: npt.NDArray[np.str_], design: Floats, unit: Floats) -> Floats:
    """Covariate effects (q, p) in SD of each feature before, sites adjusted for; NaN where too few values."""
    out = np.full((design.shape[1], values.shape[1]), np.nan)
    for j, column in enumerate(values.T):
        seen = np.isfinite(column)
        indicator = (sites[seen][:, None] == np.unique(sites[seen])).astype(np.float64)
        full = np.column_stack([indicator, design[seen]])
        if seen.sum() < full.shape[1] + FEWEST_SPARE or not unit[j] > 0:
            continue
        out[:, j] = np.linalg.lstsq(full, column[seen], rcond=None)[0][indicator.shape[1] :] / unit[j]
    return out
