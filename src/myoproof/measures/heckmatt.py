"""Heckmatt grades suggested from z-scores of echogenicity and the bone's echo; informational."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import KEY, Table, from_rows

METHOD = "heckmatt"
METHOD_VERSION = 1
PLACE = [name for name in KEY if name not in ("measure", "method")]
ECHO = "echogenicity"


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of the suggestion; all limits are proposals, to be set by a reader's own grades.

    Parameters
    ----------
    rule : str
        Which region's echogenicity: ``whole``, ``central`` or ``drawn``.
    raised, marked, extreme : float
        z from which grades 2, 3 and 4 are suggested where the bone's echo is not known; with it, ``raised``
        alone, and the bone decides.
    grey_raised : float, optional
        Grey level that stands for ``raised`` on one's own device, where there is no norm; then the bone must
        be seen.
    bone_distinct, bone_lost : float
        Bone brighter than the muscle by this many grey levels is distinct; by less than the second, lost.
    """

    rule: str = "whole"
    raised: float = 2.0
    marked: float = 4.0
    extreme: float = 6.0
    grey_raised: float | None = None
    bone_distinct: float = 60.0
    bone_lost: float = 20.0


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:
    """Suggest a grade a muscle: 1 normal; 2 brighter, bone distinct; 3 bone reduced; 4 bone lost.

    Parameters
    ----------
    rows : Table
        ``echogenicity``, ``echogenicity_z`` and, where bone lies beneath, ``bone_echo``.
    cohort : Cohort
        Not used.
    params : Params
        Limits.

    Returns
    -------
    Table
        ``heckmatt_grade``, flag ``informational``; higher is worse. Low and high are the grades at the ends
        of the interval of z. Absent: ``no_norm`` where there is no z and no limit in grey levels, or the
        reason that z has; ``not_imaged`` where the grey level is raised and neither z nor bone can tell.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table.

    References
    ----------
    Heckmatt JZ, Leeman S, Dubowitz V. J Pediatr 1982;101:656.

    Examples
    --------
    >>> start = {"site": "biceps_brachii", "side": "left", "method": "zscore:echogenicity:whole"}
    >>> table = from_rows([{**start, "measure": "echogenicity_z", "value": 4.5},
    ...     {**start, "measure": "echogenicity", "method": "echogenicity:whole", "value": 90.0},
    ...     {**start, "measure": "bone_echo", "method": "echogenicity:whole", "value": 45.0}])
    >>> derive(table)[["measure", "value"]].to_dict("records")
    [{'measure': 'heckmatt_grade', 'value': 3.0}]
    """
    del cohort
    echo = f"{ECHO}:{params.rule}"
    grey = rows[(rows["measure"] == ECHO) & (rows["method"] == echo) & (rows["at"] == "")]
    z = rows[(rows["measure"] == f"{ECHO}_z") & (rows["method"] == f"zscore:{echo}")]
    bone = rows[(rows["measure"] == "bone_echo") & rows["value"].notna()]
    table = grey[[*PLACE, "value", "absent", "quality", "provenance"]]
    scored = z[[*PLACE, "value", "low", "high", "absent"]].rename(
        columns={"value": "z", "absent": "z_absent"}
    )
    seen = bone[[*PLACE, "value"]].rename(columns={"value": "bone"}).drop_duplicates(PLACE)
    joined = table.merge(scored, on=PLACE, how="left").merge(seen, on=PLACE, how="left")
    return from_rows([_row(row, params) for _, row in joined.iterrows()])


def _row(row: pd.Series, params: Params) -> dict[str, object]:
    out = {name: row[name] for name in (*PLACE, "quality", "provenance")}
    out |= {"measure": "heckmatt_grade", "method": METHOD, "method_version": METHOD_VERSION}
    out |= {"flags": "informational"}
    if row["absent"]:
        return {**out, "absent": row["absent"]}
    if pd.notna(row["z"]):
        ends = [_grade(float(row[name]), row["bone"], params) for name in ("z", "low", "high")]
        known = dict(zip(("value", "low", "high"), ends, strict=True))
        return {**out, **(known if pd.notna(row["low"]) else {"value": ends[0]})}
    if params.grey_raised is None:
        told = row["z_absent"]
        return {**out, "absent": told if isinstance(told, str) and told else "no_norm"}
    if row["value"] < params.grey_raised:
        return {**out, "value": 1.0}
    if pd.isna(row["bone"]):
        return {**out, "absent": "not_imaged"}
    return {**out, "value": _by_bone(float(row["bone"]), params)}


def _grade(z: float, bone: float, params: Params) -> float:
    if np.isnan(z) or z < params.raised:
        return 1.0
    if pd.notna(bone):
        return _by_bone(float(bone), params)
    return 2.0 + (z >= params.marked) + (z >= params.extreme)


def _by_bone(bone: float, params: Params) -> float:
    return 2.0 + (bone < params.bone_distinct) + (bone < params.bone_lost)
