"""Acquisition: what was recorded of a subject, with its payload and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass

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
        if self.affine.shape != (4, 4) or abs(float(np.linalg.det(self.affine[:3, :3]))) < 1e-12:
            raise InvalidInput("the affine is not an invertible 4 x 4 matrix")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = next(iter(self.channels.values())).shape
        return x, y, z

    @property
    def spacing_mm(self) -> npt.NDArray[np.float64]:
        """Distance between voxel centres along each axis, shape (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), dtype=np.float64)

    @property
    def slice_axis(self) -> int:
        """The through-plane axis: the one with the largest spacing, the last of equals."""
        spacing = self.spacing_mm
        return int(max(range(3), key=lambda axis: (round(float(spacing[axis]), 4), axis)))


@dataclass(frozen=True, slots=True)
class Signal:
    """Time series: ``values`` of shape (n_time, n_channel) sampled at ``rate_hz`` in ``unit``."""

    values: npt.NDArray[np.float64]
    rate_hz: float
    channels: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Frames: ``pixels`` of shape (n_frame, row, col, band); ``spacing_mm`` (row, col) or None."""

    pixels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float] | None


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
    payload : Volume, Signal, Picture or Form
        What was recorded.
    day : float
        Days since the subject's baseline.
    centre, device, preset, protocol : str
        Where and how.
    digest : str
        Digest of the raw file bytes.
    """

    subject: str
    session: str
    run: str
    modality: str
    payload: Volume | Signal | Picture | Form
    day: float = 0.0
    centre: str = ""
    device: str = ""
    preset: str = ""
    protocol: str = ""
    digest: str = ""
