"""What an ultrasound DICOM header tells: regions and their scales, device, preset, depth, frame times."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding
from myoproof.sources.dicom_vendor import device_of
from myoproof.sources.ultrasound_types import Region
from myoproof.sources.ultrasound_video import GAP, MEND

PLAIN_TEXT = re.compile(r"[A-Za-z0-9 ._+/,-]{0,80}")
"""What a device or preset may be called; anything else could be a person's words."""
SHORTEST_NAME = 3
SAME = 1e-3
"""Relative difference of steps that is rounding."""
PEOPLE = (
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "ReferringPhysicianName",
    "OperatorsName",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "InstitutionName",
)


def regions(header: Any) -> tuple[tuple[Region, ...], bool]:
    """The ultrasound regions of a file, and whether its frames state different scales.

    Parameters
    ----------
    header : Dataset
        Of an ultrasound image.

    References
    ----------
    DICOM PS3.3, C.8.5.5 (ultrasound region calibration).
    """
    whole = [_region(item) for item in header.get("SequenceOfUltrasoundRegions") or ()]
    by_frame: list[list[Region]] = []
    for groups in header.get("PerFrameFunctionalGroupsSequence") or ():
        own = [item for item in _items(groups) if "PhysicalDeltaX" in item]
        if own:
            by_frame.append([_region(item) for item in own])
    if not by_frame:
        return tuple(whole), False
    first = by_frame[0]
    differ = any(
        len(other) != len(first)
        or any(not np.allclose(a.delta, b.delta, rtol=SAME) for a, b in zip(first, other, strict=True))
        for other in by_frame[1:]
    )
    return tuple(first), differ


def pixel_spacing(header: Any) -> tuple[float, float] | None:
    """PixelSpacing of rows and columns, mm; None where there is none that could be meant."""
    values = header.get("PixelSpacing")
    try:
        down, across = (float(value) for value in values or ())
    except (TypeError, ValueError):
        return None
    return (down, across) if 0 < down < 10 and 0 < across < 10 else None


def times(header: Any, frames: int, where: str) -> tuple[npt.NDArray[np.float64] | None, Sequence[Finding]]:
    """Seconds of each frame from the first, from frame time, frame time vector or cine rate."""
    if frames < 2:
        told = int(header.get("NumberOfFrames") or 0)
        return None, (
            [Finding("warning", "one frame", "the cine holds one frame only", where)]
            if told == 1 and "Multi" in str(getattr(header.get("SOPClassUID"), "name", ""))
            else []
        )
    vector = [float(step) for step in np.atleast_1d(header.get("FrameTimeVector") or [])]
    if len(vector) >= frames and all(step > 0 for step in vector[1:frames]):
        seconds = np.concatenate([[0.0], np.cumsum(vector[1:frames])]) / 1000
        steps = np.diff(seconds)
        usual = float(np.median(steps))
        missing = int(np.sum(np.round(steps[steps > GAP * usual] / usual) - 1))
        message = f"{missing} of {missing + frames} frames are missing"
        return seconds, [Finding("warning", "frames dropped", message, where, MEND)] if missing else []
    step = _number(header, "FrameTime") / 1000
    if not step > 0:
        rate = _number(header, "CineRate")
        step = 1 / rate if rate > 0 else float("nan")
    if not step > 0:
        message = "the cine tells no frame times; nothing can be said per second"
        return None, [Finding("warning", "no times", message, where)]
    return np.asarray(np.arange(frames) * step, dtype=np.float64), []


def settings(
    header: Any, found: Sequence[Region], seconds: npt.NDArray[np.float64] | None
) -> Mapping[str, float]:
    """Depth, frequency and frame rate where the header tells them."""
    kept = {
        "depth_mm": _number(header, "DepthOfScanField"),
        "transmit_frequency_hz": next((one.frequency_hz for one in found if one.frequency_hz > 0), 0.0),
        "frame_rate_hz": 0.0 if seconds is None else float(1 / np.median(np.diff(seconds))),
    }
    return {name: value for name, value in kept.items() if value > 0 and np.isfinite(value)}


def device(header: Any, names: Sequence[str]) -> str:
    """Maker and model."""
    text = device_of(_text(header, "Manufacturer"), _text(header, "ManufacturerModelName"), float("nan"))
    return _plain(text, names)


def preset(header: Any, names: Sequence[str]) -> str:
    """Examination preset and transducer."""
    transducer = next((part for part in _parts(header, "TransducerData") if part != "UNUSED"), "")
    return _plain(
        ", ".join(part for part in (_text(header, "ProcessingFunction"), transducer) if part), names
    )


def names_in(header: Any) -> Sequence[str]:
    """Words of people and places in the header, lower case; only to keep them out of what is kept."""
    words = (word for tag in PEOPLE for word in re.split(r"[\^\s=,\\\[\]']+", str(header.get(tag, "") or "")))
    maker = _text(header, "Manufacturer").lower()
    return sorted(
        {word.lower() for word in words if len(word) >= SHORTEST_NAME and word.lower() not in maker}
    )


def _plain(text: str, names: Sequence[str]) -> str:
    held = set(re.split(r"[^a-z0-9]+", text.lower()))
    return text if PLAIN_TEXT.fullmatch(text) and not held & set(names) else ""


def _region(item: Any) -> Region:
    def number(name: str) -> int:
        return int(item.get(name) or 0)

    return Region(
        box=(
            number("RegionLocationMinY0"),
            number("RegionLocationMaxY1"),
            number("RegionLocationMinX0"),
            number("RegionLocationMaxX1"),
        ),
        spatial_format=number("RegionSpatialFormat"),
        data_type=number("RegionDataType"),
        units=(number("PhysicalUnitsYDirection"), number("PhysicalUnitsXDirection")),
        delta=(abs(_number(item, "PhysicalDeltaY")), abs(_number(item, "PhysicalDeltaX"))),
        frequency_hz=1000 * _number(item, "TransducerFrequency"),
    )


def _items(groups: Any) -> Iterator[Any]:
    """All items of sequences below, and the item itself."""
    yield groups
    for element in groups:
        if element.VR == "SQ":
            for item in element.value:
                yield from _items(item)


def _number(item: Any, name: str) -> float:
    try:
        return float(item.get(name) or 0)
    except (TypeError, ValueError):
        return float("nan")


def _text(header: Any, name: str) -> str:
    return " ".join(str(header.get(name, "") or "").split())


def _parts(header: Any, name: str) -> Sequence[str]:
    value = header.get(name) or ""
    parts = [value] if isinstance(value, str) else list(value)
    return [str(part).strip() for part in parts if str(part).strip()]
