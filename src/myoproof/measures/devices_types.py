"""A transfer between devices as values and as JSON: settings, lines, the file."""

import json
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from myoproof.core.study import parse_strict
from myoproof.errors import Finding, NotReadable, refuse
from myoproof.measures.echogenicity_calibration import Calibration
from myoproof.numerics.devices import Line

FORMAT, VERSION = "myoproof-devices", 1


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of a transfer.

    Parameters
    ----------
    way : {"travelling", "controls", "phantom"}
        What it is learnt from.
    reference : str
        Whose scale all values take, as ``device/preset``.
    measures : tuple of str
        Which rows.
    by_site : bool
        A line a muscle instead of one for all; controls always by muscle.
    controls : tuple of (column, word)
        Who is a control.
    calibrations : tuple of Calibration
        Phantom targets of the devices.
    fewest : int
        Fewer controls of a device and muscle give no line.
    """

    way: str = "travelling"
    reference: str = ""
    measures: tuple[str, ...] = ("echogenicity",)
    by_site: bool = False
    controls: tuple[str, str] = ("arm", "control")
    calibrations: tuple[Calibration, ...] = field(default_factory=tuple)
    fewest: int = 10


@dataclass(frozen=True, slots=True)
class Transfer:
    """One line to the reference.

    Parameters
    ----------
    machine : str
        From ``device/preset``.
    measure, site : str
        Of which rows; site "" is all.
    line : Line
        Reference value on the device's.
    """

    machine: str
    measure: str
    site: str
    line: Line


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """What was learnt.

    Parameters
    ----------
    reference, way : str
        To which machine, learnt how.
    measures : tuple of str
        Which rows.
    transfers : tuple of Transfer
        Lines.
    """

    reference: str
    way: str
    measures: tuple[str, ...]
    transfers: tuple[Transfer, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Transfer(_Strict):
    machine: str = Field(min_length=1)
    measure: str
    site: str
    intercept: float
    slope: float
    covariance: list[list[float]]
    scatter_sd: float = Field(ge=0)
    x_error_sd: float = Field(ge=0)
    y_error_sd: float = Field(ge=0)
    n: int = Field(ge=2)
    n_clusters: int = Field(ge=1)
    x_range: tuple[float, float]


class _File(_Strict):
    format: str
    version: int
    reference: str = Field(min_length=1)
    way: str
    measures: list[str] = Field(min_length=1)
    transfers: list[_Transfer] = Field(min_length=1)


def to_json(model: DeviceModel) -> str:
    """The model as JSON; the same model gives the same text.

    Parameters
    ----------
    model : DeviceModel
        Lines.
    """
    names = ("intercept", "slope", "scatter_sd", "x_error_sd", "y_error_sd", "n", "n_clusters", "x_range")
    content = {
        "format": FORMAT,
        "version": VERSION,
        "reference": model.reference,
        "way": model.way,
        "measures": list(model.measures),
        "transfers": [
            {
                "machine": one.machine,
                "measure": one.measure,
                "site": one.site,
                **{name: getattr(one.line, name) for name in names},
                "covariance": one.line.covariance.tolist(),
            }
            for one in model.transfers
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def from_json(text: str, *, where: str = "") -> DeviceModel:
    """The model of a JSON text.

    Parameters
    ----------
    text : str
        What :func:`to_json` wrote.
    where : str
        The file, for messages.

    Returns
    -------
    DeviceModel

    Raises
    ------
    NotReadable
        If it is no JSON.
    InvalidInput
        If it is no such model, or its numbers cannot be; every fault together.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise NotReadable(f"is no JSON ({error})", where=where) from error
    if not isinstance(content, dict):
        raise NotReadable("is no model of devices", where=where)
    read = parse_strict(_File, content, where=where)
    findings = []
    if (read.format, read.version) != (FORMAT, VERSION):
        findings.append(
            Finding("error", "format", f"is {read.format} {read.version}, not {FORMAT} {VERSION}")
        )
    for one in read.transfers:
        matrix = np.array([line for line in one.covariance if len(line) == 2])
        whole = matrix.shape == (2, 2) and len(one.covariance) == 2
        if not whole or not np.isfinite([one.intercept, one.slope]).all():
            findings.append(Finding("error", "damaged", f"the line of {one.machine} is not whole"))
        elif (
            not np.allclose(matrix, matrix.T, rtol=1e-9)
            or np.linalg.eigvalsh(matrix).min() < -1e-8 * matrix.max()
        ):
            findings.append(Finding("error", "damaged", f"the covariance of {one.machine} cannot be"))
    refuse(findings, where=where)
    transfers = tuple(Transfer(one.machine, one.measure, one.site, _line(one)) for one in read.transfers)
    return DeviceModel(read.reference, read.way, tuple(read.measures), transfers)


def _line(one: _Transfer) -> Line:
    return Line(
        one.intercept,
        one.slope,
        np.array(one.covariance, dtype=np.float64),
        one.scatter_sd,
        one.x_error_sd,
        one.y_error_sd,
        one.n,
        one.n_clusters,
        one.x_range,
    )
