"""Propagation: a checked mask of an earlier visit carried to a later one, limb by limb."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.contracts import Progress, silent
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.numerics.grids import axis_towards, pixel_area_mm2
from myoproof.numerics.limbs import body, find_gap
from myoproof.numerics.registration import Stack, find_deformation, find_rigid, look_up

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint16]

VERSION = 1
MARGIN_MM = 12.0
"""Air around a limb that is looked at, too."""
SHADING_MM = 25.0
"""Signal is divided by its mean over about this distance, so that the coil does not matter."""
FAR_MM = 12.0
"""Distances to an outline are kept up to this."""


@dataclass(frozen=True, slots=True)
class Propagated:
    """A mask on the later scan and what is needed to compare the visits.

    Parameters
    ----------
    segmentation : Segmentation
        On the later grid; ``confidence`` is the correlation of fat fraction, 0-1, between the later scan and
        the earlier one as it was carried over, in and around each label.
    matched : ndarray, shape (x, y, z), uint16
        On the later grid: the earlier mask moved rigidly, without deformation. Comparing the sizes of both
        compares the same section of the limb, whatever the stack's shift.
    fat_fraction : ndarray, shape (x, y, z), float32
        The earlier fat fraction on the later grid; NaN where the earlier stack did not reach.
    shift_mm : tuple of float
        How far the stack lies higher (positive) than at the earlier visit, a limb each.
    limbs : list of (ndarray of bool, ndarray of bool, ndarray)
        For each limb: where it lies in the earlier and in the later scan (x, y, slice; slices last), and the
        earlier slice (a fraction) at the height of each later one.
    """

    segmentation: Segmentation
    matched: Labels
    fat_fraction: Images
    shift_mm: tuple[float, ...]
    limbs: list[tuple[Bools, Bools, Floats]]


def propagate(
    earlier: Acquisition,
    mask: Segmentation,
    later: Acquisition,
    *,
    progress: Progress = silent,
) -> Propagated:
    """Carry a mask from an earlier to a later scan of the same person.

    Parameters
    ----------
    earlier, later : Acquisition
        Volumes with the channels ``fat`` and ``water``; any shift, matrix or spacing.
    mask : Segmentation
        Checked, on the earlier grid.
    progress : callable
        Told of the share done.

    Returns
    -------
    Propagated
        Slices that the earlier stack did not reach stay empty.

    Raises
    ------
    InvalidInput
        If a scan has no fat and water, the mask is not on the earlier grid, or the scans do not show the same
        number of limbs.
    """
    one, two = _frame(earlier, "earlier"), _frame(later, "later")
    if mask.labels.shape != earlier.payload.shape:  # type: ignore[union-attr]  # checked by _frame
        raise InvalidInput("the mask is not on the earlier scan's grid", mend="give the mask of the baseline")
    if len(one.limbs) != len(two.limbs):
        raise InvalidInput(
            f"the earlier scan shows {len(one.limbs)} limb(s), the later one {len(two.limbs)}",
            mend="crop both scans to the same limbs",
        )
    labels = one.ordered(mask.labels)
    out = _Canvas.empty(two.stack.channels.shape[1:])
    shifts, limbs = [], []
    for number, (before, after) in enumerate(zip(one.limbs, two.limbs, strict=True)):
        progress("registration", number / len(one.limbs))
        window = _window(two.tissue & after, two.stack.affine)
        moving = Stack(one.stack.channels * before, one.stack.affine)
        fixed = Stack((two.stack.channels * after)[(slice(None), *window)], _moved(two.stack.affine, window))
        rigid = find_rigid(moving, fixed)
        field = find_deformation(moving, fixed, rigid)
        own = np.where(before, labels, 0).astype(np.uint16)
        here = after[window]
        places = look_up(rigid, field, moving.affine, fixed.affine)
        _put(out.carried[window], _carry(own, moving.affine, places), here)
        out.fraction[window][here] = _sample_fraction(one, places)[here]
        unbent = look_up(rigid, np.zeros_like(field), moving.affine, fixed.affine)
        _put(out.matched[window], _carry(own, moving.affine, unbent), here)
        shifts.append(float(rigid.move_mm[2]))
        limbs.append((before, after, np.median(unbent[2], axis=(0, 1))))
    progress("registration", 1.0)
    found_labels = two.restored(out.carried)
    confidence = _confidence(out, two)
    segmentation = Segmentation(
        labels=found_labels,
        affine=two.volume.affine,
        names=dict(mask.names),
        rater=f"{mask.rater}+propagate@{VERSION}",
        confidence=confidence,
    )
    return Propagated(
        segmentation, two.restored(out.matched), two.restored(out.fraction), tuple(shifts), limbs
    )


def change(earlier: Acquisition, mask: Segmentation, later: Acquisition, carried: Propagated) -> pd.DataFrame:
    """What has changed in the section of the limb that both visits show.

    Parameters
    ----------
    earlier, mask, later : Acquisition, Segmentation, Acquisition
        As given to :func:`propagate`.
    carried : Propagated
        Its answer.

    Returns
    -------
    DataFrame
        A row a muscle and side: ``volume_earlier_ml`` and ``volume_later_ml`` over the matched slices (the
        earlier areas interpolated to the heights of the later slices), ``volume_change`` (relative),
        ``fat_fraction_earlier``, ``fat_fraction_later``, ``fat_fraction_change`` (fractions),
        ``agreement`` (0-1) and ``slices`` (matched).
    """
    one, two = _frame(earlier, "earlier"), _frame(later, "later")
    before_labels, after_labels = one.ordered(mask.labels), two.ordered(carried.segmentation.labels)
    areas_mm2 = [pixel_area_mm2(frame.stack.affine, 2) for frame in (one, two)]
    step_mm = float(np.linalg.norm(two.stack.affine[:3, 2]))
    sides = ("left", "right") if len(carried.limbs) == 2 else ("",)
    rows = []
    for side, (before, after, heights) in zip(sides, carried.limbs, strict=True):
        top = before_labels.shape[2] - 1
        used = (heights >= -0.5) & (heights <= top + 0.5)
        for label, (site, own_side) in mask.names.items():
            first = _profile((before_labels == label) & before, one.fraction, areas_mm2[0])
            second = _profile((after_labels == label) & after, two.fraction, areas_mm2[1])
            if not first[0].any():
                continue
            then, then_fat = (np.interp(heights[used], np.arange(top + 1), part) for part in first)
            now, now_fat = (part[used] for part in second)
            sums = [float(part.sum()) for part in (then, now, then_fat, now_fat)]
            row = {"site": site, "side": own_side or side, "slices": int(used.sum())}
            rows.append(
                row | _changed(sums, step_mm) | {"agreement": carried.segmentation.confidence.get(label, 0.0)}
            )
    return pd.DataFrame(rows)


def fat_change(later: Acquisition, carried: Propagated) -> Images:
    """Fat fraction later minus earlier within the carried muscles; NaN elsewhere.

    Returns
    -------
    ndarray, shape (x, y, z), float32
        On the later grid, fraction.
    """
    two = _frame(later, "later")
    now = np.asarray(two.restored(two.fraction), dtype=np.float32)
    inside = carried.segmentation.labels > 0
    return np.where(inside, now - carried.fat_fraction, np.nan).astype(np.float32)


def _profile(region: Bools, fraction: Images, pixel_mm2: float) -> tuple[Floats, Floats]:
    """Area of a region in each slice, and area times its mean fat fraction."""
    area = region.sum(axis=(0, 1)) * pixel_mm2
    return area, (region * fraction).sum(axis=(0, 1), dtype=np.float64) * pixel_mm2


def _changed(sums: list[float], step_mm: float) -> dict[str, float]:
    then, now, then_fat, now_fat = sums
    fat = [part / whole if whole > 0 else np.nan for part, whole in ((then_fat, then), (now_fat, now))]
    return {
        "volume_earlier_ml": then * step_mm / 1000,
        "volume_later_ml": now * step_mm / 1000,
        "volume_change": now / then - 1 if then > 0 else np.nan,
        "fat_fraction_earlier": fat[0],
        "fat_fraction_later": fat[1],
        "fat_fraction_change": fat[1] - fat[0],
    }


@dataclass(frozen=True, slots=True)
class _Frame:
    """A scan with its slices last, the person's right along x, and its limbs."""

    volume: Volume
    axes: tuple[int, int, int]
    stack: Stack
    fraction: Images
    tissue: Bools
    limbs: list[Bools]

    def ordered(self, values: npt.NDArray[np.uint16]) -> Labels:
        return np.transpose(values, self.axes)

    def restored(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.ascontiguousarray(np.transpose(values, np.argsort(self.axes)))


@dataclass(frozen=True, slots=True)
class _Canvas:
    carried: Labels
    matched: Labels
    fraction: Images

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> "_Canvas":
        nothing = np.full(shape, np.nan, dtype=np.float32)
        return cls(np.zeros(shape, dtype=np.uint16), np.zeros(shape, dtype=np.uint16), nothing)


def _frame(acquisition: Acquisition, which: str) -> _Frame:
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput(f"the {which} scan has no fat and water images", where=acquisition.subject)
    across, _ = axis_towards(volume.affine, 0)
    level = volume.slice_axis
    first = across if across != level else next(axis for axis in range(3) if axis != level)
    axes = (first, ({0, 1, 2} - {first, level}).pop(), level)
    fat, water = (np.transpose(volume.channels[name], axes) for name in ("fat", "water"))
    affine = volume.affine[:, [*axes, 3]]
    signal = np.nan_to_num(fat + water, nan=0.0, posinf=0.0, neginf=0.0)
    tissue = body(signal)
    fraction = np.divide(fat, signal, out=np.zeros_like(signal), where=tissue & (signal > 0))
    gap = find_gap(tissue, np.zeros_like(tissue))
    columns = np.arange(signal.shape[0])[:, None, None]
    cut = gap.cut[None, None, :]
    limbs = [columns < cut, columns > cut] if gap.found else [np.ones((1, 1, 1), dtype=bool)]
    limbs = [np.broadcast_to(limb, signal.shape) for limb in limbs]
    if gap.found and affine[0, 0] < 0:
        limbs = limbs[::-1]
    channels = np.stack([_evened(signal, tissue, affine), fraction, tissue.astype(np.float32)])
    return _Frame(volume, axes, Stack(channels, affine), fraction, tissue, limbs)


def _evened(signal: Images, tissue: Bools, affine: Floats) -> Images:
    """Signal over its mean nearby, 0-1.5: dark seams show, the coil does not."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    sigma = (SHADING_MM / steps[0], SHADING_MM / steps[1], 0.0)
    mass = ndimage.gaussian_filter(tissue.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(signal * tissue, sigma) / np.maximum(mass, 1e-3)
    return (
        np.asarray(np.clip(signal / np.maximum(mean, 1e-6), 0, 1.5) * (mass > 0.02), dtype=np.float32) / 1.5
    )


def _window(limb: Bools, affine: Floats) -> tuple[slice, slice, slice]:
    """The limb's bounding box in the plane with some air, and all slices."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    spans = []
    for axis, others in ((0, (1, 2)), (1, (0, 2))):
        seen = np.flatnonzero(limb.any(axis=others))
        margin = int(np.ceil(MARGIN_MM / steps[axis]))
        first, last = (int(seen[0]), int(seen[-1])) if seen.size else (0, limb.shape[axis] - 1)
        spans.append(slice(max(0, first - margin), min(limb.shape[axis], last + 1 + margin)))
    return spans[0], spans[1], slice(None)


def _moved(affine: Floats, window: tuple[slice, slice, slice]) -> Floats:
    """The affine of a window."""
    out = affine.copy()
    out[:3, 3] += affine[:3, :3] @ np.array([float(span.start or 0) for span in window])
    return out


def _put(canvas: Labels, found: Labels, here: Bools) -> None:
    """Write found labels into a view of the canvas."""
    claims = here & (found > 0)
    canvas[claims] = found[claims]


def _carry(labels: Labels, affine: Floats, places: Floats) -> Labels:
    """Labels at places of their grid, from distances to their outlines interpolated between slices."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    best = np.zeros(places.shape[1:], dtype=np.float32)
    out = np.zeros(places.shape[1:], dtype=np.uint16)
    reachable = (places[2] >= -0.5) & (places[2] <= labels.shape[2] - 0.5)
    for label in np.unique(labels[labels > 0]):
        window = _window(labels == label, affine)
        distance = np.full(labels.shape, FAR_MM, dtype=np.float32)
        for level in range(labels.shape[2]):
            rows, columns = window[:2]
            distance[rows, columns, level] = _signed_mm(labels[rows, columns, level] == label, steps)
        there = ndimage.map_coordinates(distance, places, order=1, mode="nearest")
        claims = reachable & (there < best)
        best[claims], out[claims] = there[claims], label
    return out


def _signed_mm(mask: Bools, steps: Floats) -> Images:
    """Distance to the outline of a slice's mask, negative inside."""
    if not mask.any():
        return np.full(mask.shape, FAR_MM, dtype=np.float32)
    sampling = (float(steps[0]), float(steps[1]))
    half = min(sampling) / 2
    inside = ndimage.distance_transform_edt(mask, sampling=sampling) - half
    outside = ndimage.distance_transform_edt(~mask, sampling=sampling) - half
    return np.asarray(np.clip(np.where(mask, -inside, outside), -FAR_MM, FAR_MM), dtype=np.float32)


def _sample_fraction(one: _Frame, places: Floats) -> Images:
    found = ndimage.map_coordinates(one.fraction, places, order=1, mode="nearest")
    reachable = (places[2] >= -0.5) & (places[2] <= one.fraction.shape[2] - 0.5)
    return np.where(reachable, found, np.nan).astype(np.float32)


def _confidence(out: _Canvas, two: _Frame) -> dict[int, float]:
    """Correlation of the fat fractions in and around each label."""
    found = {}
    for label in np.unique(out.carried[out.carried > 0]):
        near = ndimage.binary_dilation(out.carried == label, np.ones((7, 7, 1), dtype=bool))
        near &= two.tissue & np.isfinite(out.fraction)
        then, now = out.fraction[near].astype(np.float64), two.fraction[near].astype(np.float64)
        spread = float(then.std() * now.std()) if then.size > 2 else 0.0
        value = float(np.mean((then - then.mean()) * (now - now.mean()))) / spread if spread > 0 else 0.0
        found[int(label)] = max(0.0, value)
    return found
