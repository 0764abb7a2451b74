"""One limb followed from an earlier to a later visit: every muscle's outline, its volume and its fat."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from myoproof.numerics.border_shift import Pair, Shift, border_shift, prefilter
from myoproof.numerics.registration import Rigid, Stack, find_deformation, find_rigid, look_up, settle
from myoproof.segmentation.propagate_frame import (
    Bools,
    Floats,
    Frame,
    Images,
    Labels,
    Meeting,
    Scene,
    Window,
    moved,
    window_of,
)
from myoproof.segmentation.propagate_measure import Followed, linear, measured

FAR_MM = 12.0
"""Distances to an outline are kept up to this."""
STAIRS = 0.8
"""SD (voxels) of the smoothing of those distances: a mask's outline is stairs, a muscle's is not."""
SAME = 0.02
"""Slice distances that differ by less than this share are the same."""


@dataclass(frozen=True, slots=True)
class Limb:
    """One limb, followed.

    Parameters
    ----------
    window : tuple of slice
        Where it lies in the later scan.
    labels : ndarray, shape of the window, uint16
        Carried; 0 outside the limb and where the earlier stack did not reach.
    fraction : ndarray, shape of the window, float32
        Earlier fat fraction carried over; NaN where the earlier stack did not reach.
    shift_mm, shift_sd_mm : float
        How far the stack lies higher than at the earlier visit.
    heights_mm : ndarray, shape (later slices,)
        Of every later slice above the middle of the lowest earlier one: slices are matched by height.
    muscles : dict of int to Followed
        By label.
    """

    window: Window
    labels: Labels
    fraction: Images
    shift_mm: float
    shift_sd_mm: float
    heights_mm: Floats
    muscles: dict[int, Followed]


def follow_limb(one: Frame, two: Frame, labels: Labels, limb: tuple[Bools, Bools]) -> Limb:
    """Follow the muscles of one limb.

    Parameters
    ----------
    one, two : Frame
        Earlier and later scan.
    labels : ndarray, shape (x, y, slice), uint16
        The mask on the earlier frame.
    limb : tuple of ndarray of bool
        Where the limb lies in the earlier and in the later frame.

    Returns
    -------
    Limb
    """
    before, after = limb
    window = window_of(two.tissue & after, two.stack.affine)
    here = (slice(None), *window)
    moving = Stack(one.stack.channels * before, one.stack.affine)
    first = window[0].start, window[1].start, 0
    fixed = Stack((two.stack.channels * after)[here], moved(two.stack.affine, first))
    rigid, doubt_mm = settle(moving, fixed, find_rigid(moving, fixed))
    meeting = _meet(moving, fixed, rigid)
    own = np.where(before, labels, 0).astype(np.uint16)
    distance = {int(label): _distance(own == label, one.steps_mm) for label in np.unique(own[own > 0])}
    scene = Scene(one, two, window, own, distance, meeting)
    pair = Pair(
        prefilter(one.signals() * before),
        np.ascontiguousarray(_raised((two.signals() * after)[here], meeting.rise)),
        meeting.places,
        meeting.linear,
        np.broadcast_to(meeting.used, meeting.places.shape[1:]),
        two.steps_mm,
    )
    shifts = border_shift(pair, {label: linear(part, meeting.places) for label, part in distance.items()})
    reached = (meeting.native[2] >= -0.5) & (meeting.native[2] <= own.shape[2] - 0.5) & after[window]
    carried, depth = _carried(scene, shifts, reached)
    fraction = np.where(reached, linear(one.fraction, meeting.native), np.nan).astype(np.float32)
    return Limb(
        window,
        carried,
        fraction,
        float(rigid.move_mm[2]),
        doubt_mm,
        np.median(meeting.native[2], axis=(0, 1)) * float(one.steps_mm[2]),
        measured(scene, shifts, carried, depth),
    )


def _meet(moving: Stack, fixed: Stack, rigid: Rigid) -> Meeting:
    """Register for good on the grid where both visits meet."""
    depth, deep = fixed.channels.shape[3], moving.channels.shape[3]
    none = np.zeros((2, *fixed.channels.shape[1:]), dtype=np.float32)
    flat = np.median(look_up(rigid, none, moving.affine, fixed.affine)[2], axis=(0, 1))
    pace = float(np.diff(flat).mean()) if depth > 1 else 1.0
    off = float(np.median(flat - np.arange(depth)))
    rise = -(off - round(off)) / 2 if abs(pace - 1) < SAME else 0.0
    affine = moved(fixed.affine, (0.0, 0.0, rise))
    field = find_deformation(moving, Stack(_raised(fixed.channels, rise), affine), rigid)
    places, native = (look_up(rigid, field, moving.affine, grid) for grid in (affine, fixed.affine))
    heights = flat + rise * pace
    later = np.arange(depth) + rise
    slack = 0.01
    used = (
        (heights >= -slack) & (heights <= deep - 1 + slack) & (later >= -slack) & (later <= depth - 1 + slack)
    )
    plain = look_up(rigid, np.zeros((2, 2, 2, 1), dtype=np.float32), moving.affine, affine)[..., 0]
    linear = np.stack([plain[:, 1, 0] - plain[:, 0, 0], plain[:, 0, 1] - plain[:, 0, 0]], axis=1)
    return Meeting(rise, places, native, heights, used, linear)


def _raised(channels: Images, rise: float) -> Images:
    """Images (..., slice) between their slices, linearly; ends held."""
    if rise == 0:
        return channels
    levels = np.arange(channels.shape[-1]) + rise
    low = np.clip(np.floor(levels).astype(int), 0, channels.shape[-1] - 1)
    high = np.minimum(low + 1, channels.shape[-1] - 1)
    share = np.clip(levels - low, 0, 1).astype(np.float32)
    return np.asarray((1 - share) * channels[..., low] + share * channels[..., high], dtype=np.float32)


def _distance(mask: Bools, steps_mm: Floats) -> Images:
    """Distance to the outline in every slice, negative inside, stairs smoothed."""
    out = np.full(mask.shape, FAR_MM, dtype=np.float32)
    half = float(min(steps_mm[:2])) / 2
    reach = tuple(int(np.ceil(FAR_MM / step)) for step in steps_mm[:2])
    for level in np.flatnonzero(mask.any(axis=(0, 1))):
        rows, columns = (
            _widened(np.asarray(mask[:, :, level].any(axis=other)), far)
            for other, far in zip((1, 0), reach, strict=True)
        )
        part = mask[rows, columns, level]
        inside = ndimage.distance_transform_edt(part, sampling=steps_mm[:2]) - half
        outside = ndimage.distance_transform_edt(~part, sampling=steps_mm[:2]) - half
        signed = np.clip(np.where(part, -inside, outside), -FAR_MM, FAR_MM)
        out[rows, columns, level] = ndimage.gaussian_filter(signed.astype(np.float32), STAIRS)
    return out


def _widened(hits: Bools, far: int) -> slice:
    seen = np.flatnonzero(hits)
    return slice(max(0, int(seen[0]) - far), int(seen[-1]) + 1 + far)


def _carried(scene: Scene, shifts: dict[int, Shift], reached: Bools) -> tuple[Labels, dict[int, Images]]:
    """Labels on the later grid, and each label's distance within its window."""
    best, labels = np.zeros(reached.shape, dtype=np.float32), np.zeros(reached.shape, dtype=np.uint16)
    depth = {}
    for label, shift in shifts.items():
        there = linear(scene.distance[label], shift.places(scene.meeting.native, scene.meeting.linear))
        depth[label] = there
        view, own = best[shift.window], labels[shift.window]
        claims = reached[shift.window] & (there < view)
        view[claims], own[claims] = there[claims], label
    return labels, depth
