"""What a followed muscle holds at two visits: volume from its outline's movement, and fat from its inside."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from myoproof.numerics.border_shift import Shift
from myoproof.numerics.grids import pixel_area_mm2
from myoproof.segmentation.propagate_frame import Bools, Floats, Images, Labels, Scene

CORE = 1.0
"""Voxels this deep (in voxels) hold nothing of what borders the muscle; the rest takes its fat from them."""
FILL = 1.5
"""SD (voxels) of the window by which it does."""
MM3_PER_ML = 1000.0


@dataclass(frozen=True, slots=True)
class Followed:
    """One muscle in the section of the limb that both visits show.

    Parameters
    ----------
    slices : int
        Matched.
    volume_ml, fat_fraction : tuple of float
        Earlier and later.
    surface_per_mm : float
        Surface over volume, 1/mm: what a border that is off by one millimetre costs, relative.
    volume_per_mm, fat_per_mm : float
        Relative volume and fat fraction gained where the section lies one millimetre higher.
    spread : float
        SD of the fat fraction within the muscle.
    """

    slices: int
    volume_ml: tuple[float, float]
    fat_fraction: tuple[float, float]
    surface_per_mm: float
    volume_per_mm: float
    fat_per_mm: float
    spread: float


def linear(values: Images, places: Floats) -> Images:
    """Linear interpolation, edges held."""
    return np.asarray(ndimage.map_coordinates(values, places, order=1, mode="nearest"), dtype=np.float32)


def measured(
    scene: Scene, shifts: dict[int, Shift], carried: Labels, depth: dict[int, Images]
) -> dict[int, Followed]:
    """Volume and fat of every muscle at both visits.

    Parameters
    ----------
    scene : Scene
        The limb.
    shifts : dict of int to Shift
        Movement of each label's border.
    carried : ndarray, shape of the scene's window, uint16
        Labels on the later grid.
    depth : dict of int to ndarray
        Signed distance (mm) to each carried outline within the shift's window.

    Returns
    -------
    dict of int to Followed
        Labels without a voxel in the common section are left out.
    """
    inside = np.zeros(scene.two.tissue.shape, dtype=bool)
    inside[scene.window] = carried > 0
    fractions = scene.one.floor_free(scene.own > 0), scene.two.floor_free(inside)[scene.window]
    found = {
        label: _muscle(scene, (label, shift), fractions, (carried[shift.window] == label, depth[label]))
        for label, shift in shifts.items()
    }
    return {label: followed for label, followed in found.items() if followed is not None}


def _muscle(
    scene: Scene,
    which: tuple[int, Shift],
    fractions: tuple[Images, Images],
    later: tuple[Bools, Images],
) -> Followed | None:
    (label, shift), (inside, depth), meeting = which, later, scene.meeting
    mask = (scene.own == label).astype(np.float32)
    early_core = scene.distance[label] / scene.one.steps_mm[0] < -CORE
    early = _profile(mask, _filled(fractions[0], mask > 0, early_core))
    share = linear(mask, shift.places(meeting.native, meeting.linear))
    late_core = depth / scene.two.steps_mm[0] < -CORE
    late = _profile(share, _filled(fractions[1][shift.window], inside & (share > 0.5), late_core))
    used = meeting.used
    levels = np.asarray(np.arange(used.size) + meeting.rise, dtype=np.float64)[used]
    levels -= shift.window[2].start or 0
    voxels, fat_then = _section(early, meeting.heights[used])
    if voxels <= 0:
        return None
    met = shift.places(meeting.places, meeting.linear)
    held = used[shift.window[2]]
    moved = float(linear(mask, met)[:, :, held].sum(dtype=np.float64))
    step_mm = float(scene.two.steps_mm[2])
    then, now = (
        part * pixel_area_mm2(frame.stack.affine, 2) * step_mm / MM3_PER_ML
        for part, frame in ((voxels, scene.one), (moved, scene.two))
    )
    half_mm = 0.5 * float(scene.one.steps_mm[2])
    (up, fat_up), (down, fat_down) = (
        _section(early, meeting.heights[used] + sign * 0.5) for sign in (1.0, -1.0)
    )
    wide = float(scene.two.steps_mm[0])
    rim = np.abs(linear(scene.distance[label], met)[:, :, held]) < wide
    return Followed(
        slices=int(used.sum()),
        volume_ml=(then, now),
        fat_fraction=(fat_then, _section(late, levels)[1]),
        surface_per_mm=float(rim.sum()) / (2 * wide) / max(moved, 1.0),
        volume_per_mm=(up - down) / voxels / (2 * half_mm),
        fat_per_mm=(fat_up - fat_down) / (2 * half_mm),
        spread=float(fractions[0][early_core & (mask > 0)].std()) if (early_core & (mask > 0)).any() else 0.0,
    )


def _filled(fraction: Images, inside: Bools, deep: Bools) -> Images:
    """Fat fraction with all but deep voxels replaced by what lies near them deeper inside."""
    core = inside & deep if (inside & deep).any() else inside
    sigma = (FILL, FILL, 0.3)
    mass = ndimage.gaussian_filter(core.astype(np.float32), sigma)
    near = ndimage.gaussian_filter(np.where(core, fraction, 0).astype(np.float32), sigma)
    middle = float(fraction[core].mean()) if core.any() else 0.0
    around = np.where(mass > 1e-3, near / np.maximum(mass, 1e-3), middle)
    return np.where(core, fraction, around).astype(np.float32)


def _profile(share: Images, fraction: Images) -> Floats:
    """Per slice: voxels, and their summed fat fraction; shape (2, slice)."""
    return np.stack([part.sum(axis=(0, 1), dtype=np.float64) for part in (share, share * fraction)])


def _section(profile: Floats, levels: Floats) -> tuple[float, float]:
    """Voxels and mean fat fraction at slices of a profile, which may lie between its own."""
    own = np.arange(profile.shape[1])
    voxels, fat = (float(np.interp(levels, own, part).sum()) for part in profile)
    return voxels, fat / voxels if voxels > 0 else float("nan")
