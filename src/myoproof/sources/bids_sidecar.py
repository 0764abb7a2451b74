"""JSON beside an image: what it may say of a scan, and in which unit."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myoproof.errors import Finding, NotReadable

SETTINGS: dict[str, tuple[str, float]] = {
    "field_strength_t": ("MagneticFieldStrength", 1.0),
    "repetition_time_s": ("RepetitionTime", 1.0),
    "flip_angle_deg": ("FlipAngle", 1.0),
    "refocusing_angle_deg": ("RefocusingFlipAngle", 1.0),
    "echo_spacing_s": ("EchoSpacing", 1.0),
    "precession_sign": ("PrecessionSign", 1.0),
    "bipolar": ("BipolarReadout", 1.0),
    "imaging_frequency_hz": ("ImagingFrequency", 1e6),
    "pixel_bandwidth_hz": ("PixelBandwidth", 1.0),
    "slice_thickness_mm": ("SliceThickness", 1.0),
    "inversion_time_s": ("InversionTime", 1.0),
    "n_averages": ("NumberOfAverages", 1.0),
    "echo_train_length": ("EchoTrainLength", 1.0),
}
"""Setting -> (key of the sidecar, its unit in ours). ImagingFrequency is in MHz, as in BIDS."""

TIMES = {"RepetitionTime", "EchoSpacing", "InversionTime"}
VENDORS = {"siemens": "Siemens", "philips": "Philips", "ge": "GE", "canon": "Canon", "toshiba": "Toshiba"}
VENDORS |= {"united": "United Imaging", "uih": "United Imaging", "hitachi": "Hitachi", "bruker": "Bruker"}
LONGEST_ECHO_S = 1.0
"""An echo time above this is in milliseconds: no echo of muscle lasts a second, none is read within 1 us."""
LONGEST_REPETITION_S = 30.0
"""A repetition time above this, without echo times beside it, is in milliseconds."""
ECHO_KEYS = ("EchoTime", "EchoTimes", "echo_times", "echo_times_s", "TE")
TECHNIQUE = re.compile(r"[A-Za-z0-9 +/_-]{0,40}")
MODEL = re.compile(r"[A-Za-z][A-Za-z0-9 ._+-]{0,40}")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a sidecar says, in our units.

    Parameters
    ----------
    echo_times_s : tuple of float
        Empty where it says none.
    settings : mapping of str to float
        As in an Acquisition.
    unit : str
        Unit of the voxels; "" unknown.
    day : float
        Days since the subject's baseline.
    digest, device, technique : str
        Digest of the files it was made from, the scanner, and the kind of sequence.
    findings : tuple of Finding
        What it says in an unexpected way.
    """

    echo_times_s: tuple[float, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    day: float = 0.0
    digest: str = ""
    device: str = ""
    technique: str = ""
    findings: tuple[Finding, ...] = ()


def content(
    *,
    settings: Mapping[str, float],
    echo_times_s: Sequence[float],
    unit: str,
    day: float,
    digest: str,
    device: str,
    technique: str,
) -> dict[str, Any]:
    """The sidecar of an image: only what is on this list ever enters a study.

    Returns
    -------
    dict
        Times in seconds, angles in degrees, field strength in tesla.
    """
    said: dict[str, Any] = {"Modality": "MR", "TimeUnits": "s", "Units": unit or "arbitrary"}
    said |= _scanner(device)
    if technique and TECHNIQUE.fullmatch(technique):
        said["ScanningSequence"] = technique
    for name, (key, scale) in SETTINGS.items():
        if name in settings and math.isfinite(settings[name]):
            said[key] = round(float(settings[name]) / scale, 12)
    if len(echo_times_s) > 1:
        said["FourthDimension"] = "EchoTime"
        said["EchoTime"] = [round(float(time), 12) for time in echo_times_s]
    elif echo_times_s:
        said["EchoTime"] = round(float(echo_times_s[0]), 12)
    said["DaysSinceBaseline"] = float(day)
    if re.fullmatch(r"[0-9a-f]{8,64}", digest):
        said["SourceDigest"] = digest
    return said


def read(path: Path) -> Sidecar:
    """Read a sidecar of any BIDS or muscle-BIDS writer.

    Raises
    ------
    NotReadable
        If it is no JSON object.
    """
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as fault:
        raise NotReadable(f"not readable JSON ({type(fault).__name__})", where=str(path)) from fault
    if not isinstance(said, dict):
        raise NotReadable("holds no JSON object", where=str(path), mend="a sidecar maps names to values")
    return interpret(said, where=str(path))


def interpret(said: Mapping[str, Any], *, where: str = "") -> Sidecar:
    """What a sidecar means, in our units; times in milliseconds are told apart by their size.

    Examples
    --------
    >>> interpret({"EchoTime": [1.15, 2.3], "RepetitionTime": 10.0}).settings
    {'repetition_time_s': 0.01}
    >>> interpret({"EchoTime": [0.00115, 0.0023]}).echo_times_s
    (0.00115, 0.0023)
    """
    times = _numbers(next((said[key] for key in ECHO_KEYS if key in said), []))
    repetition = _numbers(said.get("RepetitionTime", []))
    milliseconds = _in_milliseconds(str(said.get("TimeUnits", "")), times, repetition)
    scale = 1e-3 if milliseconds else 1.0
    settings = {}
    for name, (key, unit) in SETTINGS.items():
        values = _numbers(said.get(key, []))
        if values and math.isfinite(values[0]):
            settings[name] = values[0] * (scale if key in TIMES else unit)
    findings: tuple[Finding, ...] = ()
    if milliseconds and "TimeUnits" not in said:
        findings = (Finding("info", "units", "times taken as milliseconds, by their size", where),)
    days = _numbers(said.get("DaysSinceBaseline", []))
    return Sidecar(
        echo_times_s=tuple(round(time * scale, 12) for time in times),
        settings=settings,
        unit=str(said.get("Units", "")),
        day=days[0] if days else 0.0,
        digest=str(said.get("SourceDigest", "")),
        device=" ".join(
            filter(None, (str(said.get("Manufacturer", "")), str(said.get("ManufacturersModelName", ""))))
        ),
        technique=_words(said.get("ScanningSequence", "")),
        findings=findings,
    )


def _in_milliseconds(stated: str, times: Sequence[float], repetition: Sequence[float]) -> bool:
    if stated in {"s", "ms"}:
        return stated == "ms"
    if times:
        return max(times) > LONGEST_ECHO_S
    return bool(repetition) and repetition[0] > LONGEST_REPETITION_S


def _numbers(value: object) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [float(one) for one in values if isinstance(one, int | float)]


def _words(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if TECHNIQUE.fullmatch(text) else ""


def _scanner(device: str) -> dict[str, str]:
    vendor = next((name for key, name in VENDORS.items() if device.lower().startswith(key)), "")
    if not vendor:
        return {}
    named = device.lower().startswith(vendor.lower())
    model = device[len(vendor) :].strip() if named else " ".join(device.split(" ")[1:])
    said = {"Manufacturer": vendor}
    return said | {"ManufacturersModelName": model} if MODEL.fullmatch(model) else said
