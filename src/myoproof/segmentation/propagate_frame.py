"""A scan prepared for propagation: slices last, the person's right along x, limbs apart, signal evened."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.errors import InvalidInput
from myoproof.numerics.grids import axis_towards
from myoproof.numerics.limbs import body, find_gap
from myoproof.numerics.registration import Stack
from myoproof.numerics.rician import floor_excess, noise_sd

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint16]
Window = tuple[slice, slice, slice]

SHADING_MM = 25.0
"""Signal is divided by its mean over about this distance, so that the coil does not matter."""
BLUR = 0.7
"""SD (voxels) of the smoothing of fat and water before borders are compared: less leaves seams of a voxel's
width to aliasing, more runs their two flanks together (set on development seeds)."""
MARGIN_MM = 12.0
"""Air around a limb that is looked at, too."""
FLOOR_BOX = 5
"""Side of the square (voxels) over which the noise floor's share is averaged."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A scan with its slices last, the person's right along x, and its limbs.

    Parameters
    ----------
    volume : Volume
        As acquired.
    axes : tuple of int
        Which acquired axis each of x, y, slice is.
    stack : Stack
        Evened signal, fat fraction and tissue, for the registration.
    fat, water : ndarray, shape (x, y, slice), float32
        Signals.
    fraction : ndarray, shape (x, y, slice), float32
        Fat over fat + water; 0 outside the body.
    tissue : ndarray of bool
        The body.
    limbs : list of ndarray of bool
        Left first.
    """

    volume: Volume
    axes: tuple[int, int, int]
    stack: Stack
    fat: Images
    water: Images
    fraction: Images
    tissue: Bools
    limbs: list[Bools]

    @property
    def steps_mm(self) -> Floats:
        """Size of a voxel along x, y and the slices' axis."""
        return np.asarray(np.linalg.norm(self.stack.affine[:3, :3], axis=0))

    def ordered(self, values: npt.NDArray[np.uint16]) -> Labels:
        """An array of the acquired grid, slices last."""
        return np.transpose(values, self.axes)

    def restored(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array of this frame on the acquired grid."""
        return np.ascontiguousarray(np.transpose(values, np.argsort(self.axes)))

    def signals(self) -> Images:
        """Fat and water over the mean signal nearby, slightly smoothed: they mix linearly within a voxel."""
        sigma = (*(SHADING_MM / self.steps_mm[:2]), 0.0)
        mass = ndimage.gaussian_filter(self.tissue.astype(np.float32), sigma)
        mean = ndimage.gaussian_filter((self.fat + self.water) * self.tissue, sigma) / np.maximum(mass, 1e-3)
        evened = np.stack([self.fat, self.water]) / np.maximum(mean, 1e-6) * (mass > 0.02)
        return np.asarray(ndimage.gaussian_filter(evened, (0, BLUR, BLUR, 0)), dtype=np.float32)

    def floor_free(self, inside: Bools) -> Images:
        """Fat fraction within a region, less what the noise floor of magnitudes adds to either signal."""
        parts = []
        for own in (self.fat, self.water):
            bright = self.tissue & (own > 0.3 * (self.fat + self.water))
            sigma = noise_sd(own, self.tissue, bright)
            parts.append(own - floor_excess(own.astype(np.float64), inside, sigma, box=FLOOR_BOX))
        fat, water = parts
        total = fat + water
        out = np.divide(fat, total, out=np.zeros_like(total), where=inside & (total > 0))
        return np.asarray(out, dtype=np.float32)


def frame(acquisition: Acquisition, which: str) -> Frame:
    """Prepare a scan.

    Raises
    ------
    InvalidInput
        If it has no fat and water; ``which`` ("earlier", "later") says whose fault it is.
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput(f"the {which} scan has no fat and water images", where=acquisition.subject)
    across, _ = axis_towards(volume.affine, 0)
    level = volume.slice_axis
    first = across if across != level else next(axis for axis in range(3) if axis != level)
    axes = (first, ({0, 1, 2} - {first, level}).pop(), level)
    fat, water = (
        np.nan_to_num(np.transpose(volume.channels[name], axes), nan=0.0, posinf=0.0, neginf=0.0)
        for name in ("fat", "water")
    )
    affine = volume.affine[:, [*axes, 3]]
    signal = fat + water
    tissue = body(signal)
    fraction = np.divide(fat, signal, out=np.zeros_like(signal), where=tissue & (signal > 0))
    channels = np.stack([_evened(signal, tissue, affine), fraction, tissue.astype(np.float32)])
    limbs = _limbs(tissue, affine)
    return Frame(volume, axes, Stack(channels, affine), fat, water, fraction, tissue, limbs)


def _limbs(tissue: Bools, affine: Floats) -> list[Bools]:
    gap = find_gap(tissue, np.zeros_like(tissue))
    columns = np.arange(tissue.shape[0])[:, None, None]
    cut = gap.cut[None, None, :]
    limbs = [columns < cut, columns > cut] if gap.found else [np.ones((1, 1, 1), dtype=bool)]
    limbs = [np.broadcast_to(limb, tissue.shape) for limb in limbs]
    return limbs[::-1] if gap.found and affine[0, 0] < 0 else limbs


def _evened(signal: Images, tissue: Bools, affine: Floats) -> Images:
    """Signal over its mean nearby, 0-1.5: dark seams show, the coil does not."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    sigma = (SHADING_MM / steps[0], SHADING_MM / steps[1], 0.0)
    mass = ndimage.gaussian_filter(tissue.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(signal * tissue, sigma) / np.maximum(mass, 1e-3)
    return (
        np.asarray(np.clip(signal / np.maximum(mean, 1e-6), 0, 1.5) * (mass > 0.02), dtype=np.float32) / 1.5
    )


def window_of(limb: Bools, affine: Floats) -> Window:
    """The limb's bounding box in the plane with some air, and all slices."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    spans = []
    for axis, others in ((0, (1, 2)), (1, (0, 2))):
        seen = np.flatnonzero(limb.any(axis=others))
        margin = int(np.ceil(MARGIN_MM / steps[axis]))
        first, last = (int(seen[0]), int(seen[-1])) if seen.size else (0, limb.shape[axis] - 1)
        spans.append(slice(max(0, first - margin), min(limb.shape[axis], last + 1 + margin)))
    return spans[0], spans[1], slice(None)


def moved(affine: Floats, start: tuple[float, float, float]) -> Floats:
    """The affine of a grid that starts at another voxel index (which may lie between voxels)."""
    out = affine.copy()
    out[:3, 3] += affine[:3, :3] @ np.asarray(start)
    return out


@dataclass(frozen=True, slots=True)
class Meeting:
    """Slices at which both visits are interpolated alike.

    Parameters
    ----------
    rise : float
        They lie this many slices above the later ones.
    places, native : ndarray, shape (3, x, y, slice)
        Earlier voxel index of every voxel of the meeting slices, and of the later grid itself.
    heights : ndarray, shape (slice,)
        Earlier slice (a fraction) of each meeting slice.
    used : ndarray of bool, shape (slice,)
        Held by both stacks.
    linear : ndarray, shape (3, 2)
        Earlier voxel index per later voxel along x and y.
    """

    rise: float
    places: Floats
    native: Floats
    heights: Floats
    used: Bools
    linear: Floats


@dataclass(frozen=True, slots=True)
class Scene:
    """One limb at two visits, registered.

    Parameters
    ----------
    one, two : Frame
        Earlier and later scan.
    window : tuple of slice
        Where the limb lies in the later scan.
    own : ndarray, shape of the earlier frame, uint16
        The limb's labels.
    distance : dict of int to ndarray, same shape
        Signed distance to each label's outline, mm.
    meeting : Meeting
        Where the visits meet.
    """

    one: Frame
    two: Frame
    window: Window
    own: Labels
    distance: dict[int, Images]
    meeting: Meeting
