"""Checks of a mask against its scan: what a reader would want to redraw, or should know, before measuring."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import Finding, InvalidInput
from myoproof.numerics.grids import axis_towards
from myoproof.numerics.limbs import Gap, assign_sides, body, find_gap

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint16]

TINY_SHARE = 0.01
"""A separate piece smaller than this share of its label is called tiny (proposal)."""
ABRUPT_SHARE = 0.5
"""A label whose last slice is larger than this share of its largest ends abruptly (proposal)."""
AIR_SHARE = 0.05
"""More than this share of a label in air is a sign that mask and images do not match (proposal)."""
NEGATIVE_SHARE = 0.01
"""More negative voxels than this in a muscle are refused by the Dixon measure."""
SHOWN = 6
"""How many slices a message lists."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One label of one side, slices last."""

    name: str
    mask: Bools


def check(acquisition: Acquisition, segmentation: Segmentation) -> list[Finding]:
    """Look for faults of a mask.

    Parameters
    ----------
    acquisition : Acquisition
        The scan: a Volume with the channels ``fat`` and ``water``.
    segmentation : Segmentation
        Drawn on it.

    Returns
    -------
    list of Finding
        Category ``empty label``, ``pieces``, ``holes``, ``missing slices``, ``abrupt end``, ``stack end``,
        ``field of view``, ``air``, ``sides`` or ``values``; ``error`` only for what the measure refuses.

    Raises
    ------
    InvalidInput
        If the scan holds no fat and water images of the mask's shape.

    References
    ----------
    The truncation checks answer github.com/MuscleMap/MuscleMap issue 44 (volumes of partly covered muscles).
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("the mask checks need a volume with the channels fat and water")
    if volume.shape != segmentation.labels.shape:
        raise InvalidInput(f"the mask has shape {segmentation.labels.shape} but the images {volume.shape}")
    tissue, gap, sides = _anatomy(volume, segmentation.labels)
    findings = list(_empty_labels(segmentation))
    findings += _sides(segmentation, sides, gap)
    last = volume.slice_axis
    signals = [np.moveaxis(volume.channels[name], last, 2) for name in ("fat", "water")]
    air = ~np.moveaxis(tissue, last, 2)
    for drawn in _drawn(segmentation, sides, last):
        findings += [*_pieces(drawn), *_holes(drawn), *_extent(drawn), *_edges(drawn)]
        findings += [*_air(drawn, air), *_values(drawn, signals[0], signals[1])]
    return findings


def _anatomy(volume: Volume, labels: Labels) -> tuple[Bools, Gap, npt.NDArray[np.int8]]:
    """Tissue, the gap between two legs, the side of every labelled voxel (-1 left, +1 right, 0 unknown)."""
    axes = [axis_towards(volume.affine, world) for world in range(3)]
    order, flip = (axes[0][0], axes[1][0], axes[2][0]), axes[0][1]
    back = tuple(int(axis) for axis in np.argsort(order))
    turned = labels.transpose(order)[::flip]
    tissue = body((volume.channels["fat"] + volume.channels["water"]).transpose(order)[::flip])
    gap = find_gap(tissue, turned > 0)
    sides = assign_sides(turned, gap) if gap.found else np.zeros(turned.shape, dtype=np.int8)
    return tissue[::flip].transpose(back), gap, sides[::flip].transpose(back)


def _empty_labels(segmentation: Segmentation) -> Iterator[Finding]:
    counts = np.bincount(segmentation.labels.reshape(-1), minlength=max(segmentation.names, default=0) + 1)
    for label, (site, side) in sorted(segmentation.names.items()):
        if not counts[label]:
            yield Finding(
                "warning", "empty label", f"label {label} ({site} {side}".rstrip() + ") has no voxel"
            )


def _sides(segmentation: Segmentation, sides: npt.NDArray[np.int8], gap: Gap) -> Iterator[Finding]:
    if not gap.found:
        yield Finding("info", "sides", "one limb was found")
        return
    if any(side == "" for _, side in segmentation.names.values()):
        place = f"{np.nanmin(gap.cut):.0f}-{np.nanmax(gap.cut):.0f}"
        message = (
            f"the mask does not separate sides; they are split at columns {place} from the person's left"
        )
        yield Finding("info", "sides", message)
    for label, (site, side) in sorted(segmentation.names.items()):
        found = sides[segmentation.labels == label]
        wrong = {"left": 1, "right": -1}.get(side)
        if wrong is not None and found.size and (found == wrong).mean() > 0.5:
            message = f"{site} {side} (label {label}) lies on the other side of the image"
            yield Finding("warning", "sides", message, mend="check the scheme and the image's orientation")


def _drawn(segmentation: Segmentation, sides: npt.NDArray[np.int8], last: int) -> Iterator[_Drawn]:
    labels, towards = np.moveaxis(segmentation.labels, last, 2), np.moveaxis(sides, last, 2)
    boxes = ndimage.find_objects(labels.astype(np.int32))
    for label, (site, side) in sorted(segmentation.names.items()):
        if label > len(boxes) or boxes[label - 1] is None:
            continue
        mask = labels == label
        for way, word in ((-1, "left"), (0, ""), (1, "right")):
            part = mask if side else mask & (towards == way)
            if part.any():
                yield _Drawn(f"{site} {side or word}".strip(), part)
            if side:
                break


def _pieces(drawn: _Drawn) -> Iterator[Finding]:
    box = ndimage.find_objects(drawn.mask.astype(np.int8))[0]
    pieces, count = ndimage.label(drawn.mask[box], structure=np.ones((3, 3, 3)))
    if count < 2:
        return
    sizes = np.bincount(pieces.reshape(-1))[1:]
    tiny = sizes < TINY_SHARE * sizes.sum()
    if tiny.any():
        message = f"{tiny.sum()} tiny separate pieces with {sizes[tiny].sum()} voxels together"
        yield Finding("warning", "pieces", message, drawn.name, "delete them, or join them to the muscle")
    if (~tiny).sum() > 1:
        large = ", ".join(str(size) for size in sorted(sizes[~tiny], reverse=True))
        yield Finding("warning", "pieces", f"{(~tiny).sum()} separate pieces of {large} voxels", drawn.name)


def _holes(drawn: _Drawn) -> Iterator[Finding]:
    box = ndimage.find_objects(drawn.mask.astype(np.int8))[0]
    part = drawn.mask[box]
    levels = [
        level + box[2].start
        for level in range(part.shape[2])
        if (ndimage.binary_fill_holes(part[:, :, level]) & ~part[:, :, level]).any()
    ]
    if levels:
        yield Finding("info", "holes", f"holes in slices {_listed(levels)}", drawn.name, "are they meant?")


def _extent(drawn: _Drawn) -> Iterator[Finding]:
    areas = drawn.mask.sum(axis=(0, 1))
    present = np.flatnonzero(areas)
    first, last = int(present[0]), int(present[-1])
    missing = [level for level in range(first, last) if not areas[level]]
    if missing:
        message = f"not drawn in slices {_listed(missing)}, between slices that hold it"
        yield Finding("warning", "missing slices", message, drawn.name)
    for level, edge in ((first, 0), (last, areas.size - 1)):
        if level == edge and areas.size > 1:
            message = f"reaches the {'first' if level == 0 else 'last'} slice: the volume is of a part"
            yield Finding("warning", "stack end", message, drawn.name)
        elif areas[level] > ABRUPT_SHARE * areas.max() and present.size > 2:
            share = 100 * areas[level] / areas.max()
            message = f"ends abruptly at slice {level}, with {share:.0f} % of its largest area"
            yield Finding("warning", "abrupt end", message, drawn.name, "was drawing stopped there?")


def _edges(drawn: _Drawn) -> Iterator[Finding]:
    edge = np.ones(drawn.mask.shape[:2], dtype=bool)
    edge[1:-1, 1:-1] = False
    levels = np.flatnonzero(drawn.mask[edge].any(axis=0)).tolist()
    if levels:
        message = f"touches the edge of the image in slices {_listed(levels)}"
        yield Finding("warning", "field of view", message, drawn.name)


def _air(drawn: _Drawn, air: Bools) -> Iterator[Finding]:
    share = float(air[drawn.mask].mean())
    if share > AIR_SHARE:
        message = f"{100 * share:.0f} % of its voxels lie in air"
        yield Finding("warning", "air", message, drawn.name, "does the mask belong to this scan?")


def _values(drawn: _Drawn, fat: npt.NDArray[np.float32], water: npt.NDArray[np.float32]) -> Iterator[Finding]:
    one, other = fat[drawn.mask], water[drawn.mask]
    finite = np.isfinite(one) & np.isfinite(other)
    negative = finite & ((one < 0) | (other < 0))
    zero = finite & ~negative & (one + other == 0)
    total = one.size
    if not finite.all():
        yield Finding("error", "values", f"{(~finite).sum()} of {total} voxels are not finite", drawn.name)
    if negative.any():
        message = f"{negative.sum()} of {total} voxels are negative"
        refused = bool(negative.mean() > NEGATIVE_SHARE)
        yield Finding("error" if refused else "info", "values", message, drawn.name)
    if zero.any():
        yield Finding("info", "values", f"{zero.sum()} of {total} voxels hold no signal", drawn.name)


def _listed(levels: list[int]) -> str:
    shown = ", ".join(str(level) for level in levels[:SHOWN])
    return shown + (f" and {len(levels) - SHOWN} more" if len(levels) > SHOWN else "")
