"""A phantom calibration of a device and preset: what grey levels targets of known backscatter have."""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from myoproof.core.study import parse_strict
from myoproof.errors import Finding, NotReadable, refuse
from myoproof.numerics.greymap import GreyMap

SAME = 1e-6


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Strict):
    """One target of the phantom: its backscatter and the grey level it has on this machine."""

    db: float
    grey: float = Field(ge=0, le=255)
    grey_se: float = Field(default=0.0, ge=0)
    db_sd: float = Field(default=0.0, ge=0)


class _File(_Strict):
    device: str = Field(min_length=1)
    preset: str = Field(min_length=1)
    phantom: str = ""
    gain_db: float | None = None
    dynamic_range_db: float | None = Field(default=None, gt=0)
    target: list[Target]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What :func:`from_toml` read.

    Parameters
    ----------
    device, preset : str
        Whose.
    grey_map : GreyMap
        Targets.
    settings : mapping of str to float
        ``gain_db`` and ``dynamic_range_db`` of the calibration, where known.
    phantom : str
        Which phantom; its reference is 0 dB.
    """

    device: str
    preset: str
    grey_map: GreyMap
    settings: Mapping[str, float] = field(default_factory=dict)
    phantom: str = ""


def from_toml(text: str, *, where: str = "") -> Calibration:
    """A calibration from TOML.

    Parameters
    ----------
    text : str
        ``device``, ``preset``, where known ``gain_db`` and ``dynamic_range_db``, and ``[[target]]``
        tables with ``db`` and ``grey``, and where known ``grey_se`` and ``db_sd``.
    where : str
        The file, for messages.

    Returns
    -------
    Calibration

    Raises
    ------
    NotReadable
        If it is no TOML.
    InvalidInput
        Naming every fault: unknown keys, fewer than two targets, targets that are not brighter with more dB.

    Examples
    --------
    >>> made = from_toml('''
    ... device = "A"
    ... preset = "muscle"
    ... target = [{db = -9, grey = 31}, {db = 0, grey = 68}, {db = 9, grey = 107}]
    ... ''')
    >>> made.grey_map.db.tolist()
    [-9.0, 0.0, 9.0]
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotReadable(f"is no TOML ({error})", where=where) from error
    return _calibration(content, where)


def from_csv(text: str, *, where: str = "") -> Calibration:
    """A calibration from CSV with the columns ``device, preset, db, grey`` and, where known, the others.

    Parameters
    ----------
    text : str
        A line a target; ``gain_db``, ``dynamic_range_db`` and ``phantom`` are those of the first line.
    where : str
        The file, for messages.

    Returns
    -------
    Calibration

    Raises
    ------
    InvalidInput
        As :func:`from_toml`.
    """
    rows = [
        {k: v for k, v in row.items() if k and v not in ("", None)}
        for row in csv.DictReader(text.splitlines())
    ]
    own = ("db", "grey", "grey_se", "db_sd")
    content: dict[str, Any] = {k: v for k, v in (rows[0] if rows else {}).items() if k not in own}
    content["target"] = [{k: row[k] for k in own if k in row} for row in rows]
    return _calibration(content, where)


def fitting(
    calibrations: Sequence[Calibration], device: str, preset: str, settings: Mapping[str, float]
) -> tuple[Calibration | None, float]:
    """The calibration of a device and preset, and how much more gain (dB) the image has than it.

    Parameters
    ----------
    calibrations : sequence of Calibration
        Known ones.
    device, preset : str
        Of the image.
    settings : mapping of str to float
        Of the image; another dynamic range than the calibration's fits none.

    Returns
    -------
    tuple of Calibration and float
        None where none fits; gain 0 where either gain is unknown.
    """
    for own in calibrations:
        if (own.device, own.preset) != (device, preset):
            continue
        ranges = [place.get("dynamic_range_db") for place in (own.settings, settings)]
        if None not in ranges and abs(float(ranges[0] or 0) - float(ranges[1] or 0)) > SAME:
            continue
        gains = [place.get("gain_db") for place in (own.settings, settings)]
        return own, 0.0 if None in gains else float(gains[1] or 0) - float(gains[0] or 0)
    return None, 0.0


def _calibration(content: dict[str, Any], where: str) -> Calibration:
    read = parse_strict(_File, content, where=where)
    targets = sorted(read.target, key=lambda target: target.db)
    findings = []
    if len(targets) < 2:
        findings.append(Finding("error", "target", f"{len(targets)} targets", mend="at least two are needed"))
    for one, other in pairwise(targets):
        if not (one.db < other.db and one.grey < other.grey):
            pair = [f"{target.db:g} dB (grey {target.grey:g})" for target in (other, one)]
            message = " is not brighter than ".join(pair)
            mend = "targets at the ends of the grey scale tell nothing: leave them out"
            findings.append(Finding("error", "target", message, mend=mend))
    refuse(findings, where=where)
    columns = (
        np.array([getattr(target, name) for target in targets]) for name in ("grey", "grey_se", "db", "db_sd")
    )
    settings = {name: getattr(read, name) for name in ("gain_db", "dynamic_range_db")}
    known = {name: float(value) for name, value in settings.items() if value is not None}
    return Calibration(read.device, read.preset, GreyMap(*columns), known, read.phantom)
