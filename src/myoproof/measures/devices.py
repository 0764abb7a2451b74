"""Devices: values of one ultrasound device carried to another's scale, with what the transfer leaves open."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.devices_learn import Learner, controls_lines, phantom_lines, travelling_lines
from myoproof.measures.devices_types import DeviceModel, Params, Transfer
from myoproof.numerics.devices import Line, moved
from myoproof.numerics.norms import error_of_interval
from myoproof.vocabulary.lookup import words

__all__ = ["METHOD", "METHOD_VERSION", "DeviceModel", "Params", "derive", "learn_devices", "take_over"]

METHOD = "device_transfer"
METHOD_VERSION = 1
FLAG = "device_transfer"
Z95 = 1.959963984540054
Floats = npt.NDArray[np.float64]
WAYS: Mapping[str, Learner] = {
    "travelling": travelling_lines,
    "controls": controls_lines,
    "phantom": phantom_lines,
}


def learn_devices(rows: Table, cohort: Cohort, *, params: Params) -> tuple[DeviceModel, list[Finding]]:
    """Learn how values of other devices become those of a reference device.

    Parameters
    ----------
    rows : Table
        Measurement rows; give it the training people of a fold and nobody else.
    cohort : Cohort
        Device and preset of the acquisitions, and who is a control.
    params : Params
        The way: ``travelling`` (people scanned on both devices; errors in both coordinates, told by their
        replicates), ``controls`` (mean and SD of each device's own controls), ``phantom`` (grey levels of
        known targets on both).

    Returns
    -------
    DeviceModel
        For :func:`take_over`.
    list of Finding
        Remarks: devices left out and why, errors that no replicates told.

    Raises
    ------
    InvalidInput
        Naming every fault: no such reference, nothing to learn from, a device without controls (then nothing
        can tell the disease from the device).
    """
    findings: list[Finding] = []
    if params.way not in WAYS:
        findings.append(Finding("error", "way", f"no way {params.way!r}", mend=f"use {', '.join(WAYS)}"))
    devices = sorted(set(with_machines(rows, cohort, params)["machine"]) - {""})
    if params.way != "phantom" and params.reference not in devices:
        mend = f"there are {', '.join(devices) or 'none'} (written device/preset)"
        findings.append(
            Finding("error", "reference", f"no rows of the reference {params.reference!r}", mend=mend)
        )
    refuse(findings, where="devices")
    transfers, told = WAYS[params.way](with_machines(rows, cohort, params), cohort, params)
    refuse(told, where="devices")
    if not transfers:
        listed = "".join(f"\n  - {finding}" for finding in told)
        raise InvalidInput(f"nothing to learn by {params.way}{listed}", where="devices")
    return DeviceModel(params.reference, params.way, tuple(params.measures), tuple(transfers)), told


def take_over(rows: Table, cohort: Cohort, model: DeviceModel) -> Table:
    """Rows of all devices on the reference device's scale.

    Parameters
    ----------
    rows : Table
        Measurement rows; those of the model's measures are taken.
    cohort : Cohort
        Device and preset of the acquisitions.
    model : DeviceModel
        From :func:`learn_devices`.

    Returns
    -------
    Table
        Method ``METHOD:device_transfer``. Rows of the reference device keep their values. Others are moved,
        flag ``device_transfer``; low and high join the error of a single scan (the row's own interval, or
        what replicates told if that is more), the doubt of the line, and what single values stray about it.
        Absent: ``unknown_device`` where the model has no line, ``not_defined`` where a value would leave its
        measure's range.

    Raises
    ------
    InvalidInput
        If no row is of the model's measures.
    """
    placed = with_machines(rows, cohort, Params(measures=model.measures))
    if placed.empty:
        raise InvalidInput(f"no rows of {', '.join(model.measures)}", where="devices")
    known = {(one.machine, one.measure, one.site): one.line for one in model.transfers}
    parts = []
    for key, own in placed.groupby(["machine", "measure", "site"], sort=False):
        machine, measure, site = map(str, key)
        line = known.get((machine, measure, site)) or known.get((machine, measure, ""))
        if machine == model.reference:
            parts.append(own)
        elif line is None:
            lost = own["absent"].where(own["absent"] != "", "unknown_device")
            parts.append(own.assign(value=np.nan, low=np.nan, high=np.nan, level=np.nan, absent=lost))
        else:
            parts.append(_moved(own, line, measure))
    table = pd.concat(parts).sort_index().drop(columns=["machine", "device", "preset"])
    table["method"] = table["method"] + f":{METHOD}"
    return from_rows(table.assign(method_version=METHOD_VERSION), where="moved rows")


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:  # noqa: B008 - frozen
    """Learn and move the same rows: for description, never before a split into folds.

    Parameters
    ----------
    rows : Table
        Measurement rows.
    cohort : Cohort
        Devices, and who is a control; needed.
    params : Params
        Way and reference.

    Returns
    -------
    Table
        As :func:`take_over`.

    Raises
    ------
    InvalidInput
        As :func:`learn_devices`, or without a cohort.
    """
    if cohort is None:
        raise InvalidInput("a transfer between devices needs the cohort's acquisitions", where="devices")
    return take_over(rows, cohort, learn_devices(rows, cohort, params=params)[0])


def summary(model: DeviceModel) -> pd.DataFrame:
    """A line a transfer: device, muscle, intercept and slope with standard errors, scatter, pairs, people."""
    told = pd.DataFrame(_told(one) for one in model.transfers)
    return told.drop_duplicates(["device", "measure", "intercept", "slope"]).reset_index(drop=True)


def _told(one: Transfer) -> dict[str, object]:
    line = one.line
    centre = (line.x_range[0] + line.x_range[1]) / 2
    value, sd = moved(line, np.array([centre]), np.zeros(1))
    return {
        "device": one.machine,
        "measure": one.measure,
        "site": one.site,
        "intercept": line.intercept,
        "slope": line.slope,
        "slope_se": float(np.sqrt(line.covariance[1, 1])),
        "at_middle": float(value[0]),
        "at_middle_sd": float(sd[0]),
        "scatter_sd": line.scatter_sd,
        "n": line.n,
        "people": line.n_clusters,
    }


def _moved(own: pd.DataFrame, line: Line, measure: str) -> pd.DataFrame:
    value, low, high, level = (
        own[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high", "level")
    )
    own_sd = np.maximum(error_of_interval(low, high, level), line.x_error_sd)
    new, sd = moved(line, value, own_sd)
    word = words("measures")[measure]
    least, most = float(word["low"] or -np.inf), float(word["high"] or np.inf)
    outside = (new < least) | (new > most)
    empty = np.isnan(new) | outside
    ends = [np.where(empty, np.nan, np.clip(new + side * Z95 * sd, least, most)) for side in (-1, 1)]
    flags = [";".join(sorted({*text.split(";"), FLAG} - {""})) for text in own["flags"]]
    return own.assign(
        value=np.where(empty, np.nan, new),
        low=ends[0],
        high=ends[1],
        level=np.where(empty, np.nan, 0.95),
        flags=flags,
        absent=np.where(outside, "not_defined", own["absent"]),
    )


def with_machines(rows: Table, cohort: Cohort, params: Params) -> pd.DataFrame:
    """Rows of the measures, never moved before, with device, preset and ``machine`` (device/preset)."""
    mine = rows[rows["measure"].isin(params.measures) & ~rows["method"].str.endswith(f":{METHOD}")]
    mine = mine[~mine["at"].str.startswith("image:")]
    key = ["subject", "session", "run", "modality"]
    out = mine.merge(cohort.acquisitions[[*key, "device", "preset"]], on=key, how="left")
    for name in ("device", "preset"):
        out[name] = out[name].fillna("").astype(str)
    return out.assign(
        machine=[machine_name(*pair) for pair in zip(out["device"], out["preset"], strict=True)]
    )


def machine_name(device: str, preset: str) -> str:
    """How a device with a preset is written.

    Examples
    --------
    >>> machine_name("device-a", "muscle"), machine_name("device-a", "")
    ('device-a/muscle', 'device-a')
    """
    return "/".join(filter(None, (device, preset)))
