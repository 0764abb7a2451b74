"""Tissue without a network: subcutaneous fat, lean muscle, fat between muscles, bone and skin of limbs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.contracts import Progress, silent
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.numerics.grids import axis_towards
from myoproof.numerics.limbs import body, find_gap

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

RATER = "tissue@1"
NAMES = {
    1: ("subcutaneous_fat", ""),
    2: ("lean_muscle", ""),
    3: ("intermuscular_fat", ""),
    4: ("bone", ""),
    5: ("skin", ""),
}
"""Label -> (site, side); sides are told apart when the regions are measured, as for drawn masks."""
SUBCUTANEOUS, LEAN, BETWEEN, BONE, SKIN = NAMES
BLOCK: Bools = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class Params:
    """How the compartments are told apart; every value is a proposal.

    Parameters
    ----------
    lean_fraction : float
        A voxel below this fat fraction is lean.
    skin_mm : float
        Lean tissue within this depth is skin.
    run_mm : float
        Muscle begins where tissue stays lean for this far inward.
    rays : int
        Directions in which the fascia is looked for.
    span_deg : tuple of float
        Subcutaneous fat that is thicker only within an arc narrower than the first counts as a gap in the
        muscle; so does one narrower than the second, where it is much thicker.
    excess_mm : float
        What "much thicker" means; at least 0.8 of the thickness beside the arc, too.
    cortex_share : float
        Cortical bone is darker than this share of the limb's median signal.
    bone_mm2 : tuple of float
        Least and largest cross-section of the bone, marrow included.
    least_lean : float
        Below this share of lean tissue inside a limb its fascia cannot be seen and the slice stays empty.
    """

    lean_fraction: float = 0.5
    skin_mm: float = 2.5
    run_mm: float = 3.0
    rays: int = 180
    span_deg: tuple[float, float] = (50.0, 170.0)
    excess_mm: float = 8.0
    cortex_share: float = 0.35
    bone_mm2: tuple[float, float] = (150.0, 2500.0)
    least_lean: float = 0.08


def segment(
    acquisition: Acquisition,
    *,
    params: Params = Params(),
    progress: Progress = silent,
) -> Segmentation:
    """Compartments of one or two limbs from a fat and a water image, slice by slice.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channels ``fat`` and ``water``.
    params : Params
        Thresholds.
    progress : callable
        Told of the share done.

    Returns
    -------
    Segmentation
        Labels of :data:`NAMES`, rater ``tissue@1``. The fascia is where, seen from outside, tissue turns lean
        and stays so; arcs in which it does not (muscle replaced by fat) are bridged from their neighbours.
        Bone is the largest round dark ring with what it encloses. A limb whose fascia cannot be seen stays
        empty in that slice.

    Raises
    ------
    InvalidInput
        If the acquisition holds no fat and water images.

    References
    ----------
    The idea of finding the fascia along rays: Positano V et al. J Magn Reson Imaging 2009;29:677
    (abdomen); thresholds here are our own.
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("compartments need a fat and a water image", where=acquisition.subject)
    across, _ = axis_towards(volume.affine, 0)
    axes = _slice_order(volume, across)
    fat, water = (np.transpose(volume.channels[name], axes) for name in ("fat", "water"))
    spacing_mm = volume.spacing_mm[list(axes)]
    found = _label(fat, water, (float(spacing_mm[0]), float(spacing_mm[1])), params, progress)
    labels = np.ascontiguousarray(np.transpose(found, np.argsort(axes)))
    return Segmentation(labels=labels, affine=volume.affine, names=dict(NAMES), rater=RATER)


def _slice_order(volume: Volume, across: int) -> tuple[int, int, int]:
    """Axes in the order across the person, the other in-plane one, slices."""
    level = volume.slice_axis
    first = across if across != level else next(axis for axis in range(3) if axis != level)
    second = ({0, 1, 2} - {first, level}).pop()
    return first, second, level


def _label(
    fat: Images, water: Images, spacing_mm: tuple[float, float], params: Params, progress: Progress
) -> npt.NDArray[np.uint16]:
    signal = np.nan_to_num(fat + water, nan=0.0, posinf=0.0, neginf=0.0)
    tissue = body(signal)
    gap = find_gap(tissue, np.zeros_like(tissue))
    labels = np.zeros(signal.shape, dtype=np.uint16)
    columns = np.arange(signal.shape[0])
    for level in range(signal.shape[2]):
        progress("compartments", level / signal.shape[2])
        solid = ndimage.binary_fill_holes(ndimage.binary_opening(tissue[:, :, level], BLOCK))
        ways = [columns < gap.cut[level], columns > gap.cut[level]] if gap.found else [columns >= 0]
        for way in ways:
            limb = _largest(solid & way[:, None])
            if limb.any():
                rows, lines = ndimage.find_objects(limb.astype(np.int8))[0]
                parts = _Limb(
                    limb[rows, lines], fat[rows, lines, level], signal[rows, lines, level], spacing_mm
                )
                labels[rows, lines, level] += _compartments(parts, params)
    progress("compartments", 1.0)
    return labels


@dataclass(frozen=True, slots=True)
class _Limb:
    """One limb in one slice."""

    mask: Bools
    fat: Images
    signal: Images
    spacing_mm: tuple[float, float]


def _compartments(limb: _Limb, params: Params) -> npt.NDArray[np.uint16]:
    out = np.zeros(limb.mask.shape, dtype=np.uint16)
    fraction = np.divide(limb.fat, limb.signal, out=np.ones_like(limb.signal), where=limb.signal > 0)
    depth = ndimage.distance_transform_edt(np.pad(limb.mask, 1), sampling=limb.spacing_mm)[1:-1, 1:-1]
    lean = limb.mask & (ndimage.median_filter(fraction, 3) < params.lean_fraction)
    skin = limb.mask & (depth <= params.skin_mm)
    inner = lean & ~skin
    if inner.sum() < params.least_lean * limb.mask.sum():
        return out
    inside = _within_fascia(limb, inner, params) & ~skin
    bone = _bone(limb, inside, params)
    out[limb.mask] = SUBCUTANEOUS
    out[inside & lean] = LEAN
    out[inside & ~lean] = BETWEEN
    out[skin & lean] = SKIN
    out[bone] = BONE
    return out


def _within_fascia(limb: _Limb, lean: Bools, params: Params) -> Bools:
    """The limb's inside, seen along rays from its middle."""
    rows, columns = limb.spacing_mm
    centre = [float(np.mean(index)) for index in np.nonzero(limb.mask)]
    step_mm = min(rows, columns)
    reach = float(np.hypot(limb.mask.shape[0] * rows, limb.mask.shape[1] * columns))
    radii = np.arange(0.0, reach, step_mm)
    angles = 2 * np.pi * np.arange(params.rays) / params.rays
    places = np.stack(
        [
            centre[0] + radii[None, :] * np.cos(angles)[:, None] / rows,
            centre[1] + radii[None, :] * np.sin(angles)[:, None] / columns,
        ]
    )
    on_ray = ndimage.map_coordinates(lean.astype(np.float32), places, order=1) > 0.5
    in_limb = ndimage.map_coordinates(limb.mask.astype(np.float32), places, order=1) > 0.5
    run = max(1, round(params.run_mm / step_mm))
    begins = ndimage.binary_opening(on_ray, np.ones((1, run), dtype=bool))
    last = radii.size - 1
    outer = np.where(in_limb.any(axis=1), last - np.argmax(in_limb[:, ::-1], axis=1), 0)
    fascia = np.where(begins.any(axis=1), last - np.argmax(begins[:, ::-1], axis=1), 0)
    thickness = (outer - fascia) * step_mm
    radius = outer * step_mm - _bridged(thickness, params)
    first, second = np.indices(limb.mask.shape, dtype=np.float64)
    offset = (first - centre[0]) * rows, (second - centre[1]) * columns
    turn = np.mod(np.arctan2(offset[1], offset[0]), 2 * np.pi) / (2 * np.pi) * params.rays
    limit = np.interp(turn, np.arange(params.rays + 1), np.append(radius, radius[0]))
    inside: Bools = limb.mask & (np.hypot(*offset) <= limit)
    return inside


def _bridged(thickness_mm: Floats, params: Params) -> Floats:
    """Thickness of subcutaneous fat by direction, gaps in the muscle below it taken out."""
    narrow, wide = (
        ndimage.grey_opening(thickness_mm, size=(max(1, round(span / 360 * params.rays)) | 1,), mode="wrap")
        for span in params.span_deg
    )
    gap = narrow - wide > np.maximum(params.excess_mm, 0.8 * wide)
    smooth: Floats = ndimage.median_filter(np.where(gap, wide, narrow), size=5, mode="wrap")
    return smooth


def _bone(limb: _Limb, inside: Bools, params: Params) -> Bools:
    """The largest round dark ring within the fascia, marrow included."""
    median = float(np.median(limb.signal[limb.mask]))
    smooth = ndimage.uniform_filter(limb.signal, 3)
    dark = inside & (smooth < params.cortex_share * median)
    ring = ndimage.binary_fill_holes(ndimage.binary_closing(dark, BLOCK))
    pieces, count = ndimage.label(ndimage.binary_opening(ring, BLOCK))
    pixel_mm2 = limb.spacing_mm[0] * limb.spacing_mm[1]
    best, score = np.zeros_like(inside), 0.0
    for number in range(1, count + 1):
        piece = pieces == number
        area = float(piece.sum()) * pixel_mm2
        roundness = _roundness(piece, limb.spacing_mm)
        if params.bone_mm2[0] <= area <= params.bone_mm2[1] and roundness > 0.6 and area * roundness > score:
            best, score = piece, area * roundness
    return best


def _roundness(piece: Bools, spacing_mm: tuple[float, float]) -> float:
    """Area over that of the circle with the piece's own spread: 1 for a disc, less for any other shape."""
    places = [index * step for index, step in zip(np.nonzero(piece), spacing_mm, strict=True)]
    spread = sum(float(np.var(place)) for place in places)
    area = float(piece.sum()) * spacing_mm[0] * spacing_mm[1]
    return area / (2 * np.pi * spread) if spread > 0 else 0.0


def _largest(mask: Bools) -> Bools:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest: Bools = pieces == int(sizes.argmax())
    return largest
