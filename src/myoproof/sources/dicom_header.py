"""A DICOM header becomes frames: classic files give one, enhanced files one per functional group."""

import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from myoproof.sources.dicom_files import UNREADABLE, open_header
from myoproof.sources.dicom_types import Encoding, Frame, Origin, Scaling, Skipped
from myoproof.sources.dicom_vendor import contrast_of, device_of, part_of, vendor_of

NAN = float("nan")

NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
"""Transfer syntaxes of uncompressed frames: implicit and explicit little endian, explicit big endian."""

ENCODINGS = {
    (True, True): "1.2.840.10008.1.2",
    (False, True): "1.2.840.10008.1.2.1",
    (False, False): "1.2.840.10008.1.2.2",
}
"""Implicit representation, little endian -> transfer syntax, for files that do not name theirs."""

GAUSS_PER_TESLA = 1e4
PROTON_MHZ_PER_TESLA = 42.577478518
"""Gyromagnetic ratio of the proton over 2 pi, CODATA 2018."""

SEQUENCES = {"GRADIENT": "GR", "SPIN": "SE", "BOTH": "GR\\SE"}
"""Echo pulse sequence of enhanced files (0018,9008) -> words of scanning sequence (0018,0020)."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The elements that hold for one frame: its own group first, then the shared, then the file's."""

    levels: tuple[Mapping[int, Any], ...]

    def value(self, name: str | int) -> Any:
        """The first value that is there and not empty; None where there is none or it cannot be read."""
        tag = tag_for_keyword(name) if isinstance(name, str) else name
        for level in self.levels:
            try:
                found = level[tag].value if tag in level else None
            except UNREADABLE:
                continue
            if found is not None and found != "" and not (isinstance(found, MultiValue) and not found):
                return found
        return None

    def text(self, name: str | int) -> str:
        """A text value, stripped; "" where there is none."""
        found = self.value(name)
        return "" if found is None else str(found).strip("\0 ")

    def words(self, name: str) -> tuple[str, ...]:
        """A value of several words, upper case."""
        found = self.value(name)
        several = found if isinstance(found, MultiValue) else [] if found is None else [found]
        return tuple(str(word).strip().upper() for word in several)

    def number(self, name: str | int) -> float:
        """A number, the first of several; NaN where there is none."""
        found = self.value(name)
        found = found[0] if isinstance(found, MultiValue) else found
        try:
            return _from_bytes(found) if isinstance(found, bytes) else float(found)
        except (TypeError, ValueError, struct.error):
            return NAN

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """Exactly ``count`` finite numbers, else ()."""
        found = self.value(name)
        try:
            out = tuple(float(one) for one in found)
        except (TypeError, ValueError):
            return ()
        return out if len(out) == count and all(abs(one) < 1e9 for one in out) else ()

    def whole(self, name: str | int, default: int) -> int:
        """A whole number."""
        found = self.number(name)
        return int(found) if abs(found) < 2**53 else default


def frames_of(path: Path) -> tuple[Frame, ...] | Skipped:
    """The frames of one file, or why it is not taken.

    Parameters
    ----------
    path : Path
        Any file.
    """
    opened = open_header(path)
    if isinstance(opened, Skipped):
        return opened
    header, end = opened
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _frames(header, end, path)
    except UNREADABLE as fault:
        return Skipped(path, "unreadable", f"its header cannot be used ({type(fault).__name__})")


def _frames(header: Any, end: int, path: Path) -> tuple[Frame, ...] | Skipped:
    groups = header.get("PerFrameFunctionalGroupsSequence")
    shared = header.get("SharedFunctionalGroupsSequence")
    shared_levels = _levels(shared[0]) if shared else ({}, {})
    top = Tags((header, *shared_levels))
    if not groups and top.whole("NumberOfFrames", 1) > 1:
        return Skipped(path, "unreadable", "several frames without functional groups")
    origin = _origin(header, top, end, path, len(groups) if groups else 1)
    if isinstance(origin, Skipped):
        return origin
    if not groups:
        return (_frame(top, origin, 0),)
    frames = []
    for number, group in enumerate(groups):
        own, own_private = _levels(group)
        tags = Tags((own, shared_levels[0], header, own_private, shared_levels[1]))
        frames.append(_frame(tags, origin, number))
    return tuple(frames)


def _levels(group: Any) -> tuple[dict[int, Any], dict[int, Any]]:
    """Elements inside the sequences of a functional group: of public ones, of private ones."""
    public: dict[int, Any] = {}
    private: dict[int, Any] = {}
    for element in group:
        if element.VR != "SQ" or not element.value:
            continue
        kept = private if element.tag.is_private else public
        item = element.value[0]
        for tag in item.keys():  # noqa: SIM118
            kept.setdefault(int(tag), _Lazy(item, tag))
    return public, private


@dataclass(frozen=True, slots=True)
class _Lazy:
    item: Any
    tag: Any

    @property
    def value(self) -> Any:
        return self.item[self.tag].value


def _origin(header: Any, top: Tags, end: int, path: Path, count: int) -> Origin | Skipped:
    syntax = str(header.file_meta.get("TransferSyntaxUID", "") or "")
    if not syntax:
        syntax = ENCODINGS[header.original_encoding]
    allocated = top.whole("BitsAllocated", 16)
    stored = top.whole("BitsStored", allocated)
    encoding = Encoding(
        syntax=syntax,
        offset=0 if syntax == DeflatedExplicitVRLittleEndian else end + _prefix_bytes(syntax),
        native=syntax in NATIVE,
        frames=count,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=top.whole("HighBit", stored - 1),
        signed=top.whole("PixelRepresentation", 0) == 1,
        big_endian=syntax == "1.2.840.10008.1.2.2",
    )
    high = encoding.high_bit + 1
    if allocated not in {8, 16, 32} or not 0 < stored <= high <= allocated:
        return Skipped(path, "unreadable", f"stores {stored} of {allocated} bits up to bit {high}")
    maker, model = top.text("Manufacturer"), top.text("ManufacturerModelName")
    return Origin(
        path=path,
        sop_uid=top.text("SOPInstanceUID"),
        patient=top.text("PatientID"),
        name=top.text("PatientName"),
        study_uid=top.text("StudyInstanceUID"),
        study_date=top.text("StudyDate") or top.text("AcquisitionDate"),
        series_uid=top.text("SeriesInstanceUID"),
        series_number=top.whole("SeriesNumber", 0),
        frame_of_reference=top.text("FrameOfReferenceUID"),
        description=top.text("SeriesDescription"),
        protocol=top.text("ProtocolName"),
        vendor=vendor_of(maker),
        device=device_of(maker, model, field_strength_t(top)),
        encoding=encoding,
        pixel_bytes=max(0, path.stat().st_size - encoding.offset) if encoding.native else -1,
    )


def _prefix_bytes(syntax: str) -> int:
    """Tag, representation and length that precede the value of the pixel data element."""
    return 8 if UID(syntax).is_implicit_VR else 12


def _frame(tags: Tags, origin: Origin, number: int) -> Frame:
    image_type = tags.words("FrameType") or tags.words("ImageType")
    ge_code = tags.whole(0x0043102F, -1) if origin.vendor == "ge" else None
    part = part_of(image_type, tags.text("ComplexImageComponent").upper(), ge_code)
    contrast, told_by = contrast_of(image_type, origin.description, origin.vendor)
    echo_ms = tags.number("EffectiveEchoTime")
    echo_ms = tags.number("EchoTime") if isnan(echo_ms) else echo_ms
    sequence = tags.words("ScanningSequence") or tuple(
        SEQUENCES.get(tags.text("EchoPulseSequence").upper(), "").split("\\")
    )
    return Frame(
        origin=origin,
        number=number,
        rows=tags.whole("Rows", 0),
        columns=tags.whole("Columns", 0),
        position=tags.numbers("ImagePositionPatient", 3),
        orientation=tags.numbers("ImageOrientationPatient", 6),
        spacing=tags.numbers("PixelSpacing", 2),
        stack_id=tags.text("StackID"),
        instance=tags.whole("InstanceNumber", 0) if number == 0 and not tags.text("StackID") else number,
        image_type=image_type,
        part=part,
        contrast=contrast,
        told_by=told_by,
        echo_time_s=round(echo_ms * 1e-3, 9),
        echo_number=tags.whole("EchoNumbers", 0),
        acquired_s=_seconds(tags),
        temporal=tags.whole("TemporalPositionIndex", tags.whole("TemporalPositionIdentifier", 0)),
        acquisition_number=tags.whole("AcquisitionNumber", 0),
        scaling=_scaling(tags),
        technique=(*(word for word in sequence if word), tags.text("MRAcquisitionType").upper()),
        settings=_settings(tags, sequence),
        diffusion=max(0.0, tags.number("DiffusionBValue")) if tags.number("DiffusionBValue") > 0 else 0.0,
    )


def field_strength_t(tags: Tags) -> float:
    """Magnetic field strength in tesla; old files write gauss, some only the frequency of protons."""
    found = tags.number("MagneticFieldStrength")
    if isnan(found) or found <= 0:
        frequency = _first(tags, "ImagingFrequency", "TransmitterFrequency")
        return round(frequency / PROTON_MHZ_PER_TESLA, 3) if 1 < frequency < 1000 else NAN
    return found / GAUSS_PER_TESLA if found > 100 else found


def _settings(tags: Tags, sequence: tuple[str, ...]) -> dict[str, float]:
    flip = tags.number("FlipAngle")
    train = "SE" in sequence and flip >= 100
    found = {
        "field_strength_t": field_strength_t(tags),
        "repetition_time_s": tags.number("RepetitionTime") * 1e-3,
        "refocusing_angle_deg" if train else "flip_angle_deg": flip,
        "inversion_time_s": tags.number("InversionTime") * 1e-3,
        "pixel_bandwidth_hz": tags.number("PixelBandwidth"),
        "imaging_frequency_hz": 1e6 * _first(tags, "ImagingFrequency", "TransmitterFrequency"),
        "slice_thickness_mm": tags.number("SliceThickness"),
        "slice_spacing_mm": tags.number("SpacingBetweenSlices"),
        "n_averages": tags.number("NumberOfAverages"),
        "echo_train_length": tags.number("EchoTrainLength"),
    }
    return {name: round(value, 9) for name, value in found.items() if value > 0}


def _scaling(tags: Tags) -> Scaling:
    slope, intercept = tags.number("RescaleSlope"), tags.number("RescaleIntercept")
    return Scaling(
        slope=1.0 if isnan(slope) or slope == 0 else slope,
        intercept=0.0 if isnan(intercept) else intercept,
        unit=tags.text("RescaleType"),
        scale_slope=tags.number(0x2005100E),
        world=_world(tags),
    )


def _world(tags: Tags) -> tuple[float, float, str] | None:
    direct = Tags((*tags.levels,))
    mapping = direct.value("RealWorldValueMappingSequence")
    item = Tags((mapping[0],)) if mapping else direct
    slope, intercept = item.number("RealWorldValueSlope"), item.number("RealWorldValueIntercept")
    if isnan(slope) or slope == 0:
        return None
    units = item.value("MeasurementUnitsCodeSequence")
    unit = str(units[0].get("CodeValue", "")) if units else ""
    return slope, 0.0 if isnan(intercept) else intercept, unit


def _seconds(tags: Tags) -> float:
    """Time of acquisition in seconds within the day, or NaN."""
    for name in ("FrameAcquisitionDateTime", "AcquisitionDateTime"):
        text = tags.text(name)
        if len(text) >= 14:
            return _clock(text[8:])
    return _clock(tags.text("AcquisitionTime"))


def _clock(text: str) -> float:
    try:
        return int(text[:2]) * 3600.0 + int(text[2:4]) * 60.0 + float(re.split(r"[+-]", text[4:])[0] or 0)
    except ValueError:
        return NAN


def _first(tags: Tags, *names: str) -> float:
    return next((tags.number(name) for name in names if not isnan(tags.number(name))), NAN)


def _from_bytes(raw: bytes) -> float:
    """A private number of untold representation: two bytes are whole, four are float, others text."""
    if len(raw) in {2, 4}:
        return float(struct.unpack("<h" if len(raw) == 2 else "<f", raw)[0])
    return float(raw.decode("ascii", errors="replace").strip("\0 "))
