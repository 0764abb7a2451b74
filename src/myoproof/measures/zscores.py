"""z-scores: rows against the norms of controls, with the interval that norm, gain and transfer leave."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import KEY, Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.zscores_design import design_of, numbers_of, placed
from myoproof.measures.zscores_norms import GREY, Norm, NormFile, covering, norm_key, regression_of
from myoproof.numerics.norms import error_of_interval, z_intervals, z_scores
from myoproof.vocabulary.lookup import words

METHOD = "zscore"
METHOD_VERSION = 1
UNKNOWN_GAIN = "gain_error_unknown"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of z-scores.

    Parameters
    ----------
    files : tuple of NormFile
        Norms; the closest of those that fit a row counts.
    gain_sd_db : float, optional
        SD of the gain on the machine that made the rows, instead of what the norms state.
    own_error : bool
        Whether the interval of a row (speckle, drawing, transfer from another device) enters that of its z.
    level : float
        Coverage of the intervals.
    """

    files: tuple[NormFile, ...] = ()
    gain_sd_db: float | None = None
    own_error: bool = True
    level: float = 0.95


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:
    """Hold rows against norms.

    Parameters
    ----------
    rows : Table
        Measurement rows; those of measures that the norms speak of, of whole regions, are taken.
    cohort : Cohort
        Age, sex and body size of subjects; device, preset and view (protocol) of acquisitions. Needed.
    params : Params
        Norms, gain, level.

    Returns
    -------
    Table
        Rows ``MEASURE_z`` with method ``zscore:METHOD``: (value - expected) / sqrt(x' Cov x + residual
        variance), the z of a prediction interval. Low and high say where the z of the same muscle would lie
        with the controls' whole population known and no error of gain, transfer or speckle; where nobody
        stated how far the gain strays, grey levels are flagged ``gain_error_unknown``. Absent: ``no_norm``
        (for this muscle, view or rule), ``unknown_device``, ``out_of_domain`` (a covariate outside the norm's
        range), ``not_recorded`` (a covariate is missing), or the row's own reason.

    Raises
    ------
    InvalidInput
        Without norms or cohort, or if a measure of the norms has no z in the vocabulary.

    References
    ----------
    Scholten RR et al. Arch Phys Med Rehabil 2003;84:1822 (z of muscle ultrasound). Pillen S et al. Muscle
    Nerve 2006;34:73.
    """
    if cohort is None or not params.files:
        raise InvalidInput("z-scores need norms and a cohort with ages, devices and presets", where=METHOD)
    norms = [norm for file in params.files for norm in file.norms]
    measures = {norm.measure for norm in norms}
    lost = sorted(name for name in measures if f"{name}_z" not in words("measures"))
    mend = "add it to vocabulary/measures.csv"
    refuse(
        [Finding("error", "measure", f"{name} has no {name}_z in the vocabulary", mend=mend) for name in lost]
    )
    mine = rows[rows["measure"].isin(measures) & (rows["at"] == "")]
    terms = {term.name for norm in norms for term in norm.terms} - {"intercept"}
    full = placed(mine, cohort, terms)
    simulated = {norm_key(norm) for file in params.files if file.simulated for norm in file.norms}
    parts: dict[int, dict[str, Any]] = {}
    groups: dict[tuple[str, ...], tuple[Norm, list[int]]] = {}
    records = [{str(name): value for name, value in row.items()} for row in full.to_dict("records")]
    for place, row in enumerate(records):
        norm, reason = covering(norms, row)
        if row["absent"] or norm is None:
            parts[place] = {"absent": row["absent"] or reason}
        else:
            groups.setdefault(norm_key(norm), (norm, []))[1].append(place)
    for key, (norm, places) in groups.items():
        made = _scored(full.iloc[places], norm, params)
        marked = {"simulated"} if key in simulated else set()
        parts |= {place: own | _marks(own, marked) for place, own in zip(places, made, strict=True)}
    return from_rows([_row(row, parts[place]) for place, row in enumerate(records)])


def _scored(rows: pd.DataFrame, norm: Norm, params: Params) -> list[dict[str, Any]]:
    """Value, low, high, flags or the reason for absence of rows of one norm."""
    design = design_of(rows, norm.terms)
    reasons = _reasons(rows, norm, design)
    value = rows["value"].to_numpy(dtype=np.float64)
    error, unknown = _errors(rows, norm, params)
    if norm.value_transform == "log":
        reasons = [
            reason or ("" if own > 0 else "not_defined") for reason, own in zip(reasons, value, strict=True)
        ]
        safe = np.where(value > 0, value, 1.0)
        value, error = np.log(safe), error / safe
    regression = regression_of(norm)
    known = np.nan_to_num(design)
    z = z_scores(regression, known, value)
    low, high = z_intervals(regression, known, value, error, level=params.level)
    flags = UNKNOWN_GAIN if unknown else ""
    return [
        {"absent": reason}
        if reason
        else {"value": a, "low": b, "high": c, "level": params.level, "more": flags}
        for reason, a, b, c in zip(reasons, z.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def _reasons(rows: pd.DataFrame, norm: Norm, design: Floats) -> list[str]:
    outside = np.zeros(len(rows), dtype=np.bool_)
    missing = np.asarray(np.isnan(design).any(axis=1), dtype=np.bool_)
    for name, (low, high) in norm.ranges.items():
        if f"of_{name}" not in rows:
            continue
        number = pd.to_numeric(rows[f"of_{name}"], errors="coerce").to_numpy(dtype=np.float64)
        outside |= (number < low) | (number > high)
        missing |= np.isnan(number) & (name in numbers_of(norm.terms))
    return [
        "out_of_domain" if far else "not_recorded" if lost else ""
        for far, lost in zip(outside, missing, strict=True)
    ]


def _errors(rows: pd.DataFrame, norm: Norm, params: Params) -> tuple[Floats, bool]:
    """SD of the error of each value in its unit, and whether that of the gain is not known."""
    gain_db = norm.gain_sd_db if params.gain_sd_db is None else params.gain_sd_db
    unit = words("measures")[norm.measure]["unit"]
    gain, unknown = 0.0, False
    if unit == "dB":
        gain = gain_db or 0.0
    elif unit == GREY:
        unknown = gain_db is None or (gain_db > 0 and norm.dynamic_range_db is None)
        gain = 0.0 if unknown else (gain_db or 0.0) * 255 / (norm.dynamic_range_db or 255.0)
    own = np.zeros(len(rows))
    if params.own_error:
        own = error_of_interval(*(rows[name].to_numpy(dtype=np.float64) for name in ("low", "high", "level")))
    return np.sqrt(own**2 + gain**2 + norm.transfer_sd**2), unknown


def _marks(own: Mapping[str, Any], flags: set[str]) -> dict[str, Any]:
    return {"more": ";".join(sorted({own.get("more", ""), *flags} - {""}))}


def _row(row: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    out = {name: row[name] for name in (*KEY, "quality", "provenance")}
    flags = {*row["flags"].split(";"), *str(own.get("more", "")).split(";")} - {""}
    out |= {"measure": f"{row['measure']}_z", "method": f"{METHOD}:{row['method']}"}
    out |= {"method_version": METHOD_VERSION, "flags": ";".join(sorted(flags))}
    return out | {name: own[name] for name in ("value", "low", "high", "level", "absent") if name in own}
