"""Acquisition: what was recorded of a subject, with its payload and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Volume:
    """Images on one grid.

    Parameters
    ----------
    channels : mapping of str to ndarray, shape (x, y, z), float32
        For example ``{"fat": ..., "water": ...}``, arbitrary units.
    affine : ndarray, shape (4, 4), float64
        Voxel indices to RAS+ millimetres.

    Raises
    ------
    InvalidInput
        If channels differ in shape, are not 3-D, or the affine is not an invertible 4 x 4 matrix.
    """

    channels: Mapping[str, npt.NDArray[np.float32]]
    affine: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = {name: array.shape for name, array in self.channels.items()}
        if not shapes or len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 3:
            raise InvalidInput(f"channels must be 3-D and of one shape, got {shapes}")
        _check_affine(self.affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = next(iter(self.channels.values())).shape
        return x, y, z

    @property
    def spacing_mm(self) -> npt.NDArray[np.float64]:
        """Distance between voxel centres along each axis, shape (3,)."""
        return _spacing_mm(self.affine)

    @property
    def slice_axis(self) -> int:
        """The through-plane axis: the one with the largest spacing, the last of equals."""
        return _slice_axis(self.affine)


@dataclass(frozen=True, slots=True)
class Echoes:
    """Images of one grid at several echo times, coils combined.

    Parameters
    ----------
    values : ndarray, shape (x, y, z, echo), complex64 or float32
        Complex gradient echoes, or magnitudes of gradient or spin echoes; arbitrary units.
    echo_times_s : ndarray, shape (echo,), float64
        Strictly increasing.
    affine : ndarray, shape (4, 4), float64
        Voxel indices to RAS+ millimetres.

    Raises
    ------
    InvalidInput
        If the values are not 4-D complex64 or float32, the echo times do not fit them or do not increase, or
        the affine is not an invertible 4 x 4 matrix.
    """

    values: npt.NDArray[np.complex64] | npt.NDArray[np.float32]
    echo_times_s: npt.NDArray[np.float64]
    affine: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.values.ndim != 4 or self.values.dtype not in (np.complex64, np.float32):
            raise InvalidInput(
                f"echoes must be 4-D complex64 or float32, got {self.values.ndim}-D {self.values.dtype}"
            )
        times = self.echo_times_s
        if times.shape != self.values.shape[3:]:
            raise InvalidInput(f"{times.size} echo times for {self.values.shape[3]} echoes")
        if not np.all(np.isfinite(times)) or np.any(times < 0) or np.any(np.diff(times) <= 0):
            raise InvalidInput(f"echo times must increase, got {times.tolist()} s")
        _check_affine(self.affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = self.values.shape[:3]
        return x, y, z

    @property
    def is_complex(self) -> bool:
        """Whether the phase was kept."""
        return self.values.dtype == np.complex64

    @property
    def spacing_mm(self) -> npt.NDArray[np.float64]:
        """Distance between voxel centres along each axis, shape (3,)."""
        return _spacing_mm(self.affine)

    @property
    def slice_axis(self) -> int:
        """The through-plane axis: the one with the largest spacing, the last of equals."""
        return _slice_axis(self.affine)


@dataclass(frozen=True, slots=True)
class Signal:
    """Time series: ``values`` of shape (n_time, n_channel) sampled at ``rate_hz`` in ``unit``."""

    values: npt.NDArray[np.float64]
    rate_hz: float
    channels: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Frames of one size.

    Parameters
    ----------
    pixels : ndarray, shape (frame, row, col, band), uint8
        Grey (one band) or colour (three).
    spacing_mm : tuple of float, optional
        Distance between pixel centres along rows (down) and columns (across); None where nobody knows it.
    spacing_source : str
        Where the spacing comes from: ``region``, ``pixel_spacing``, ``ruler``, ``user``, ``phantom``; ""
        where there is none.
    times_s : ndarray, shape (frame,), float64, optional
        When each frame was made, strictly increasing, from 0; None for a single frame or where nobody knows.
    tissue : ndarray, shape (row, col), bool, optional
        Pixels that show tissue: within the sector, no text, ruler, logo, trace or colour. None where nobody
        looked.

    Raises
    ------
    InvalidInput
        If the pixels are not 4-D uint8, or spacing, times or tissue do not fit them.
    """

    pixels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float] | None
    spacing_source: str = ""
    times_s: npt.NDArray[np.float64] | None = None
    tissue: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
            raise InvalidInput(f"pixels must be 4-D uint8, got {self.pixels.ndim}-D {self.pixels.dtype}")
        if self.spacing_mm is not None and not all(np.isfinite(mm) and mm > 0 for mm in self.spacing_mm):
            raise InvalidInput(f"spacing must be positive, got {self.spacing_mm} mm")
        times = self.times_s
        if times is not None and (times.shape != self.pixels.shape[:1] or np.any(np.diff(times) <= 0)):
            raise InvalidInput(f"frame times must increase and be {self.pixels.shape[0]}, got {times.size}")
        if self.tissue is not None and self.tissue.shape != self.pixels.shape[1:3]:
            raise InvalidInput(f"tissue of shape {self.tissue.shape} on frames of {self.pixels.shape[1:3]}")


@dataclass(frozen=True, slots=True)
class Form:
    """The items of a clinical record."""

    items: Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One recording of one subject.

    Parameters
    ----------
    subject, session, run : str
        Pseudonym, visit and repetition.
    modality : str
        A word of the vocabulary ``modalities``.
    payload : Volume, Echoes, Signal, Picture or Form
        What was recorded.
    day : float
        Days since the subject's baseline.
    centre, device, preset, protocol : str
        Where and how.
    digest : str
        Digest of the raw file bytes.
    settings : mapping of str to float
        Numbers of the protocol that arithmetic needs, with their unit in the name: ``field_strength_t``,
        ``repetition_time_s``, ``flip_angle_deg``, ``precession_sign`` (+1 or -1), ``refocusing_angle_deg``,
        ``echo_spacing_s``, ``bipolar`` (1 where readouts alternate). An absent key means unknown.
    """

    subject: str
    session: str
    run: str
    modality: str
    payload: Volume | Echoes | Signal | Picture | Form
    day: float = 0.0
    centre: str = ""
    device: str = ""
    preset: str = ""
    protocol: str = ""
    digest: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)


def _check_affine(affine: npt.NDArray[np.float64]) -> None:
    if affine.shape != (4, 4) or abs(float(np.linalg.det(affine[:3, :3]))) < 1e-12:
        raise InvalidInput("the affine is not an invertible 4 x 4 matrix")


def _spacing_mm(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0), dtype=np.float64)


def _slice_axis(affine: npt.NDArray[np.float64]) -> int:
    spacing = _spacing_mm(affine)
    return int(max(range(3), key=lambda axis: (round(float(spacing[axis]), 4), axis)))
