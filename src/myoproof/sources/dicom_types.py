"""What a folder of DICOM holds, as values: frames, scans, skipped files, the inventory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition
from myoproof.errors import Finding


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not taken as an image.

    Parameters
    ----------
    path : Path
        The file.
    category : str
        ``not_dicom``, ``dicomdir``, ``segmentation``, ``structure_set``, ``not_mr``, ``no_pixels``,
        ``colour``, ``unreadable`` or ``duplicate``.
    reason : str
        Why, for a person.
    """

    path: Path
    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the frames of one file are stored.

    Parameters
    ----------
    syntax : str
        Transfer syntax UID.
    offset : int
        Where the value of the pixel data begins in the file, in bytes; 0 where the file is deflated.
    native : bool
        Whether frames lie uncompressed at that place.
    frames : int
        How many frames the file holds.
    bits_allocated, bits_stored, high_bit : int
        As in the header.
    signed, big_endian : bool
        Two's complement; byte order of native pixel data.
    fault : str
        Why pixels cannot be had, where that is known before they are read.
    """

    syntax: str
    offset: int
    native: bool
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    big_endian: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """How stored integers become values.

    Parameters
    ----------
    slope, intercept : float
        Rescale slope and intercept (0028,1053), (0028,1052); 1 and 0 where the header has none.
    unit : str
        Rescale type (0028,1054).
    scale_slope : float
        Philips (2005,100E); NaN where the header has none.
    world : tuple of (slope, intercept, unit) or None
        Real world value mapping (0040,9096).
    """

    slope: float
    intercept: float
    unit: str
    scale_slope: float
    world: tuple[float, float, str] | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What the frames of one file share; it holds identity and therefore never leaves this room."""

    path: Path
    sop_uid: str
    patient: str = field(repr=False)
    name: str = field(repr=False)
    study_uid: str = field(repr=False)
    study_date: str = field(repr=False)
    series_uid: str = field(repr=False)
    series_number: int
    frame_of_reference: str = field(repr=False)
    description: str = field(repr=False)
    protocol: str = field(repr=False)
    vendor: str
    device: str
    encoding: Encoding
    pixel_bytes: int
    """Bytes of native pixel data that the file holds; -1 where they are compressed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice image: where it lies, what it shows, how it is stored."""

    origin: Origin
    number: int
    """0-based within the file."""
    rows: int
    columns: int
    position: tuple[float, ...]
    """Centre of the first voxel, LPS mm; empty where the header has none."""
    orientation: tuple[float, ...]
    """Direction cosines of increasing column and of increasing row; empty where the header has none."""
    spacing: tuple[float, ...]
    """Between rows and between columns, mm; empty where the header has none."""
    stack_id: str
    instance: int
    image_type: tuple[str, ...]
    part: str
    """magnitude, phase, real or imaginary."""
    contrast: str
    """water, fat, in_phase, ...; "" for a plain image."""
    told_by: str
    """What told the contrast: image_type or description."""
    echo_time_s: float
    echo_number: int
    acquired_s: float
    """Seconds; NaN where the header has no acquisition time."""
    temporal: int
    acquisition_number: int
    scaling: Scaling
    technique: tuple[str, ...]
    """Scanning sequence words and 2D or 3D."""
    settings: Mapping[str, float]
    diffusion: float
    """b value in s/mm2; 0 where none."""

    @property
    def intact(self) -> bool:
        """Whether the file reaches the end of this frame; always so where it is compressed."""
        size = self.rows * self.columns * self.origin.encoding.bits_allocated // 8
        return self.origin.pixel_bytes < 0 or self.origin.pixel_bytes >= (self.number + 1) * size

    @property
    def key(self) -> tuple[str, int]:
        """What names the frame whatever its file is called."""
        return self.origin.sop_uid or str(self.origin.path), self.number


@dataclass(frozen=True, slots=True)
class Layer:
    """The frames of one contrast, part and echo on the scan's grid.

    Parameters
    ----------
    contrast, part : str
        As in :class:`Frame`.
    echo_time_s : float
        NaN where unknown.
    frames : tuple of Frame or None
        One per slice of the scan's grid; None where the slice is absent.
    """

    contrast: str
    part: str
    echo_time_s: float
    frames: tuple[Frame | None, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One scan on one grid, joined over the DICOM series it was stored in; one Series is one Acquisition.

    Parameters
    ----------
    index : int
        1-based; what a user chooses by.
    patient, study : int
        1-based counts within the folder.
    day : float
        Days since the patient's first study in the folder; 0 where the dates are not known.
    kind : str
        ``dixon``, ``multiecho``, ``multi_echo_spin_echo``, ``t2_map``, ``b1_map``, ``single`` or ``other``.
    modality : str
        Word of the vocabulary ``modalities``.
    channels : tuple of str
        Channels of the Volume, or for echoes the parts that are used.
    echo_times_s : tuple of float
        Empty where the scan is not one of echoes.
    vendor, device, technique : str
        ``siemens``, ``philips``, ``ge``, ``canon`` or ""; maker, model and field; scanning sequence.
    description : str
        The raw series description, for choosing on this machine only: it may hold names.
    image_types : tuple of str
        The distinct image types, joined by a backslash.
    shape : tuple of int
        Voxels (x, y, z): column, row, slice.
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ mm; all NaN where the scan has no usable geometry.
    settings : mapping of str to float
        As in Acquisition.
    stack, stack_set : int, str
        Number of this stack from the first along the normal, and what its sister stacks share; "" for
        a scan of one stack.
    absent_slices : tuple of int
        0-based slices that are read as zeros.
    findings : tuple of Finding
        What is wrong or remarkable; the scan can be read unless one is an error.
    layers : tuple of Layer
        What is read, by contrast, part and echo.
    """

    index: int
    patient: int
    study: int
    day: float
    kind: str
    modality: str
    channels: tuple[str, ...]
    echo_times_s: tuple[float, ...]
    vendor: str
    device: str
    technique: str
    description: str = field(repr=False)
    image_types: tuple[str, ...]
    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64] = field(repr=False)
    settings: Mapping[str, float]
    stack: int
    stack_set: str
    absent_slices: tuple[int, ...]
    findings: tuple[Finding, ...]
    layers: tuple[Layer, ...] = field(repr=False)

    @property
    def spacing_mm(self) -> npt.NDArray[np.float64]:
        """Distance between voxel centres along each axis, shape (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), dtype=np.float64)

    @property
    def readable(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame that the scan uses, in order of layer and slice."""
        return tuple(frame for layer in self.layers for frame in layer.frames if frame is not None)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the scan, sorted."""
        return tuple(sorted({frame.origin.path for frame in self.frames}))

    @property
    def n_frames(self) -> int:
        """How many frames the scan uses."""
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a folder holds.

    Parameters
    ----------
    folder : Path
        What was scanned.
    series : tuple of Series
        The scans, ordered by patient, study, series number and position.
    skipped : tuple of Skipped
        Files that were not taken, and why.
    findings : tuple of Finding
        About the folder as a whole; what concerns one scan is with the scan.
    n_files, n_patients, n_studies : int
        Counts; files include the skipped.
    """

    folder: Path
    series: tuple[Series, ...]
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...]
    n_files: int
    n_patients: int
    n_studies: int


@dataclass(frozen=True, slots=True)
class Reading:
    """An acquisition and what was found while its pixels were read."""

    acquisition: Acquisition
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who was scanned and when; its text shows nothing, and no Acquisition holds it.

    Parameters
    ----------
    patient_id, patient_name, birth_date, study_uid, study_date, acquired : str
        As in the header; dates YYYYMMDD, ``acquired`` YYYYMMDDhhmmss; "" where the header has none.
    """

    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    study_uid: str = field(repr=False)
    study_date: str = field(repr=False)
    acquired: str = field(repr=False)
