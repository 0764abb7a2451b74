"""Synthetic DICOM in the style of each vendor: known values on a known grid, written with pydicom."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"


def uid(*words: object) -> str:
    """A UID that is the same for the same words."""
    return str(generate_uid(entropy_srcs=[str(word) for word in words]))


@dataclass(frozen=True)
class Grid:
    """Columns, rows and slices of a stack, and where they lie (LPS mm)."""

    shape: tuple[int, int, int] = (7, 6, 5)
    spacing: tuple[float, float, float] = (1.5, 1.25, 4.0)
    row: tuple[float, float, float] = (1.0, 0.0, 0.0)
    column: tuple[float, float, float] = (0.0, 1.0, 0.0)
    origin: tuple[float, float, float] = (-120.0, -90.0, 300.0)
    step: tuple[float, float, float] | None = None
    """From slice to slice, mm; None for the normal times the spacing."""

    @property
    def between(self) -> np.ndarray:
        if self.step is not None:
            return np.array(self.step)
        return np.cross(self.row, self.column) * self.spacing[2]

    def position(self, k: int) -> list[float]:
        return [float(one) for one in np.array(self.origin) + k * self.between]

    @property
    def affine(self) -> np.ndarray:
        """Voxel (column, row, slice) to RAS+ mm, made apart from the reader: one corner at a time."""
        out = np.eye(4)
        out[:3, 0] = np.array(self.row) * self.spacing[0]
        out[:3, 1] = np.array(self.column) * self.spacing[1]
        out[:3, 2] = self.between
        out[:3, 3] = self.origin
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ out


@dataclass(frozen=True)
class Look:
    """What the files of one series say beside their pixels; ``tags`` are keywords, tuples or (VR, value)."""

    vendor: str = "SIEMENS"
    model: str = "Prisma"
    patient: str = "P1"
    name: str = "Doe^Jane"
    study: str = "1"
    study_date: str = "20240102"
    number: int = 1
    description: str = "thigh"
    protocol: str = "thigh"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M", "ND")
    time: str = "101500.250000"
    syntax: str = str(ExplicitVRLittleEndian)
    bits: tuple[int, int] = (16, 12)
    signed: bool = False
    tags: Mapping[Any, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> "Look":
        tags = {**self.tags, **changes.pop("tags", {})}
        return replace(self, **changes, tags=tags)


def rotation(angles: Sequence[float]) -> np.ndarray:
    """Rotation matrix of three Euler angles in radians."""
    cosines, sines = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cosines[0], -sines[0]], [0, sines[0], cosines[0]]])
    about_y = np.array([[cosines[1], 0, sines[1]], [0, 1, 0], [-sines[1], 0, cosines[1]]])
    about_z = np.array([[cosines[2], -sines[2], 0], [sines[2], cosines[2], 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def put(dataset: Dataset, tags: Mapping[Any, Any]) -> None:
    """Set tags: keyword -> value, or tag number -> (VR, value); None removes."""
    for key, value in tags.items():
        if isinstance(key, str):
            if value is None:
                if key in dataset:
                    delattr(dataset, key)
            else:
                setattr(dataset, key, value)
        else:
            dataset[key] = DataElement(key, *value)


def header(look: Look, sop_class: str, *words: object) -> FileDataset:
    """A dataset with all that the files of one series share."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(uid(look.patient, look.study, look.number, *words))
    meta.TransferSyntaxUID = UID(look.syntax)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.Modality = "MR"
    dataset.Manufacturer, dataset.ManufacturerModelName = look.vendor, look.model
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = look.patient, look.name, "19500607"
    dataset.StudyInstanceUID = uid(look.patient, look.study)
    dataset.SeriesInstanceUID = uid(look.patient, look.study, look.number)
    dataset.FrameOfReferenceUID = uid(look.patient, look.study, "frame")
    dataset.StudyDate = dataset.AcquisitionDate = look.study_date
    dataset.AcquisitionTime = look.time
    dataset.SeriesNumber, dataset.SeriesDescription = look.number, look.description
    dataset.ProtocolName = look.protocol
    dataset.MagneticFieldStrength = 3.0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored = look.bits
    dataset.HighBit, dataset.PixelRepresentation = look.bits[1] - 1, int(look.signed)
    return dataset


def pixels(stored: np.ndarray, look: Look) -> bytes:
    """Frames (frame, row, column) as native bytes; negative numbers keep only the stored bits."""
    mask = (1 << look.bits[1]) - 1
    order = ">" if look.syntax == "1.2.840.10008.1.2.2" else "<"
    return (stored.astype(np.int64) & mask).astype(f"{order}u{look.bits[0] // 8}").tobytes()


def save(dataset: FileDataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    syntax = dataset.file_meta.TransferSyntaxUID
    dcmwrite(
        path,
        dataset,
        enforce_file_format=False,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        force_encoding=True,
    )
    return path


def classic(
    folder: Path, stored: np.ndarray, look: Look, *, grid: Grid | None = None, word: str = "", first: int = 1
) -> list[Path]:
    """One file per slice of whole numbers (column, row, slice)."""
    grid = grid or Grid()
    paths = []
    for k in range(stored.shape[2]):
        dataset = header(look, MR_IMAGE, word, k)
        dataset.ImageType = list(look.image_type)
        dataset.InstanceNumber = first + k
        dataset.Rows, dataset.Columns = stored.shape[1], stored.shape[0]
        dataset.PixelSpacing = [grid.spacing[1], grid.spacing[0]]
        dataset.SliceThickness = grid.spacing[2]
        dataset.ImagePositionPatient = [f"{one:.9g}"[:16] for one in grid.position(k)]
        dataset.ImageOrientationPatient = [f"{one:.12f}"[:16] for one in (*grid.row, *grid.column)]
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.MRAcquisitionType = "GR", "SP", "3D"
        dataset.RepetitionTime, dataset.FlipAngle = 10.0, 3.0
        put(dataset, look.tags)
        dataset.PixelData = pixels(stored[:, :, k].T[None], look)
        dataset["PixelData"].VR = "OW"
        paths.append(save(dataset, folder / f"{look.number:03d}_{word}_{k:03d}.dcm"))
    return paths


@dataclass(frozen=True)
class Part:
    """A volume inside an enhanced file: whole numbers (column, row, slice) and what its frames say."""

    stored: np.ndarray
    frame_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M", "NONE")
    component: str = ""
    echo_ms: float | None = None
    rescale: tuple[float, float] | None = None
    unit: str = ""
    private: Mapping[int, tuple[str, Any]] = field(default_factory=dict)
    world: tuple[float, float, str] | None = None
    temporal: int = 0
    stack: str = "1"
    grid: Grid | None = None


def item(**tags: Any) -> Items:
    one = Dataset()
    put(one, tags)
    return Items([one])


def enhanced(
    path: Path,
    parts: Sequence[Part],
    look: Look,
    *,
    grid: Grid | None = None,
    order: Sequence[int] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> Path:
    """One multi-frame file of several parts, frames in any order."""
    grid = grid or Grid()
    frames = [(part, k) for part in parts for k in range(part.stored.shape[2])]
    frames = [frames[number] for number in (order if order is not None else range(len(frames)))]
    dataset = header(look, ENHANCED_MR_IMAGE, path.name)
    dataset.AcquisitionDateTime = look.study_date + look.time
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "MIXED", "NONE"]
    dataset.InstanceNumber, dataset.NumberOfFrames = 1, len(frames)
    dataset.Rows, dataset.Columns = parts[0].stored.shape[1], parts[0].stored.shape[0]
    dataset.EchoPulseSequence, dataset.MRAcquisitionType = "GRADIENT", "3D"
    common = Dataset()
    common.PixelMeasuresSequence = item(
        PixelSpacing=[grid.spacing[1], grid.spacing[0]], SliceThickness=grid.spacing[2]
    )
    common.MRTimingAndRelatedParametersSequence = item(RepetitionTime=10.0, FlipAngle=3.0)
    put(common, shared or {})
    dataset.SharedFunctionalGroupsSequence = Items([common])
    dataset.PerFrameFunctionalGroupsSequence = Items(
        [_group(part, k, part.grid or grid) for part, k in frames]
    )
    put(dataset, look.tags)
    dataset.PixelData = pixels(np.stack([part.stored[:, :, k].T for part, k in frames]), look)
    dataset["PixelData"].VR = "OW"
    return save(dataset, path)


def _group(part: Part, k: int, grid: Grid) -> Dataset:
    group = Dataset()
    group.FrameContentSequence = item(
        StackID=part.stack,
        InStackPositionNumber=k + 1,
        **({"TemporalPositionIndex": part.temporal} if part.temporal else {}),
    )
    group.PlanePositionSequence = item(ImagePositionPatient=[f"{one:.9g}"[:16] for one in grid.position(k)])
    group.PlaneOrientationSequence = item(
        ImageOrientationPatient=[f"{one:.12f}"[:16] for one in (*grid.row, *grid.column)]
    )
    group.MRImageFrameTypeSequence = item(
        FrameType=list(part.frame_type),
        **({"ComplexImageComponent": part.component} if part.component else {}),
    )
    if part.echo_ms is not None:
        group.MREchoSequence = item(EffectiveEchoTime=part.echo_ms)
    if part.rescale is not None:
        slope, intercept = part.rescale
        group.PixelValueTransformationSequence = item(
            RescaleSlope=slope, RescaleIntercept=intercept, RescaleType=part.unit or "US"
        )
    if part.world is not None:
        slope, intercept, unit = part.world
        group.RealWorldValueMappingSequence = item(
            RealWorldValueSlope=slope,
            RealWorldValueIntercept=intercept,
            MeasurementUnitsCodeSequence=item(
                CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit
            ),
        )
    if part.private:
        inner = Dataset()
        inner[0x20050010] = DataElement(0x20050010, "LO", "Philips MR Imaging DD 001")
        put(inner, part.private)
        group[0x20050014] = DataElement(0x20050014, "LO", "Philips MR Imaging DD 005")
        group[0x2005140F] = DataElement(0x2005140F, "SQ", Items([inner]))
    return group


PHILIPS_CREATOR = {0x20050010: ("LO", "Philips MR Imaging DD 001")}


def philips_scale(slope: float, intercept: float = 0.0) -> dict[int, tuple[str, Any]]:
    """Private scale intercept (2005,100D) and slope (2005,100E)."""
    return {0x2005100D: ("FL", intercept), 0x2005100E: ("FL", slope)}


def ge_part(code: int) -> dict[Any, Any]:
    """GE's private image type (0043,102F): 0 magnitude, 1 phase, 2 real, 3 imaginary."""
    return {0x00430010: ("LO", "GEMS_PARM_01"), 0x0043102F: ("SS", code)}


SIEMENS = Look()
PHILIPS = Look(vendor="Philips Medical Systems", model="Ingenia")
GE = Look(vendor="GE MEDICAL SYSTEMS", model="SIGNA Premier", image_type=("ORIGINAL", "PRIMARY", "OTHER"))
XA = Look(model="MAGNETOM Vida")


def whole(rng: np.random.Generator, grid: Grid | None = None, top: int = 4096) -> np.ndarray:
    """Random whole numbers 0 .. top - 1 of a grid's shape, the extremes among them."""
    out = rng.integers(0, top, (grid or Grid()).shape)
    out.flat[:2] = 0, top - 1
    return out


def lossless_jpeg(
    samples: np.ndarray, *, predictor: int = 1, precision: int = 12, shift: int = 0, restart_lines: int = 0
) -> bytes:
    """Lossless JPEG of one grey frame (row, column), after ITU-T T.81 annex H; every category has five bits."""
    values = samples.astype(int) >> shift
    rows, columns = values.shape
    scan = b""
    lines = restart_lines or rows
    for number, first in enumerate(range(0, rows, lines)):
        scan += _coded(values[first : first + lines], predictor, precision - shift)
        if first + lines < rows:
            scan += bytes([0xFF, 0xD0 + number % 8])
    frame = struct.pack(">BHHBBBB", precision, rows, columns, 1, 1, 0x11, 0)
    table = bytes([0, *(17 if length == 5 else 0 for length in range(1, 17)), *range(17)])
    start = bytes([1, 1, 0, predictor, 0, shift])
    segments = [(0xC3, frame), (0xC4, table)]
    segments += [(0xDD, struct.pack(">H", restart_lines * columns))] if restart_lines else []
    head = b"".join(
        bytes([0xFF, code]) + struct.pack(">H", len(body) + 2) + body
        for code, body in [*segments, (0xDA, start)]
    )
    return b"\xff\xd8" + head + scan + b"\xff\xd9"


def _coded(values: np.ndarray, predictor: int, precision: int) -> bytes:
    bits = []
    for row, column in np.ndindex(*values.shape):
        difference = (int(values[row, column]) - _guess(values, row, column, predictor, precision)) & 0xFFFF
        signed = difference - 65536 if difference > 32768 else difference
        size = 16 if signed == 32768 else abs(signed).bit_length()
        bits.append(f"{size:05b}")
        if 0 < size < 16:
            bits.append(f"{signed if signed > 0 else signed + (1 << size) - 1:0{size}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return bytes(int(text[place : place + 8], 2) for place in range(0, len(text), 8)).replace(
        b"\xff", b"\xff\x00"
    )


def _guess(values: np.ndarray, row: int, column: int, predictor: int, precision: int) -> int:
    if row == 0:
        return int(values[0, column - 1]) if column else 1 << (precision - 1)
    above = int(values[row - 1, column])
    if column == 0:
        return above
    left, corner = int(values[row, column - 1]), int(values[row - 1, column - 1])
    guesses = (
        left,
        above,
        corner,
        left + above - corner,
        left + ((above - corner) >> 1),
        above + ((left - corner) >> 1),
    )
    return (*guesses, (left + above) >> 1)[predictor - 1]
