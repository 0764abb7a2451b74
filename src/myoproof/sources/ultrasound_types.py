"""What ultrasound files hold, before anyone looks: grey frames, colour, stated scales, settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""First row, end row, first column, end column; half-open."""


@dataclass(frozen=True, slots=True)
class Region:
    """One item of the sequence of ultrasound regions, as the file states it.

    Parameters
    ----------
    box : tuple of int
        Rows and columns, half-open.
    spatial_format : int
        1 two-dimensional, 2 M-mode, 3 spectral, 4 waveform, 5 graphics.
    data_type : int
        1 tissue, 2 colour flow, 10 electrocardiogram and others.
    units : tuple of int
        Of rows and columns; 3 is centimetres.
    delta : tuple of float
        Physical step of rows and columns, in those units.
    frequency_hz : float
        Transducer frequency; nan where not stated.

    References
    ----------
    DICOM PS3.3, C.8.5.5.1 (ultrasound region calibration).
    """

    box: Box
    spatial_format: int
    data_type: int
    units: tuple[int, int]
    delta: tuple[float, float]
    frequency_hz: float = float("nan")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file states of its pixels' size.

    Parameters
    ----------
    regions : tuple of Region
        Of all frames together.
    frames_differ : bool
        Whether frames state different scales.
    spacing_mm : tuple of float, optional
        PixelSpacing of rows and columns.
    """

    regions: tuple[Region, ...] = ()
    frames_differ: bool = False
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """The frames of one file.

    Parameters
    ----------
    kind : {"dicom", "picture", "video"}
        What the file is.
    frames : ndarray, shape (frame, row, column), uint8
        Grey.
    colour : ndarray, shape (row, column), bool, optional
        Pixels that are coloured in any frame; None where the file has no colour.
    lossy : bool
        Whether pixels went through lossy compression.
    times_s : ndarray, shape (frame,), optional
        From 0, strictly increasing.
    stated : Stated
        Scales of the header.
    device, preset : str
        Maker and model; examination preset.
    settings : mapping of str to float
        As in :class:`myoproof.core.acquisition.Acquisition`.
    tinge : ndarray, shape (coarse row, coarse column), uint8, optional
        How far from grey, or from its own tint, a picture is in places.
    secrets : bool
        Whether the header says that a name may be burnt in.
    findings : tuple of Finding
        What was odd.
    """

    kind: Literal["dicom", "picture", "video"]
    frames: Grey
    colour: Mask | None = None
    lossy: bool = False
    times_s: npt.NDArray[np.float64] | None = None
    stated: Stated = field(default_factory=Stated)
    device: str = ""
    preset: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    tinge: Grey | None = None
    secrets: bool = False
    findings: tuple[Finding, ...] = ()
