"""Which voxels are which muscle of which side: labels grouped by name, open sides split by geometry."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Volume
from myoproof.core.segmentation import Segmentation
from myoproof.numerics.grids import axis_towards
from myoproof.numerics.limbs import Gap, assign_sides, body, find_gap

LATERAL = frozenset(
    {"vastus_lateralis", "biceps_femoris_long_head", "biceps_femoris_short_head", "lateral_gastrocnemius",
     "peroneal_group", "tibialis_anterior"}
)  # fmt: skip
MEDIAL = frozenset(
    {"gracilis", "sartorius", "adductor_magnus", "adductor_longus", "semimembranosus", "semitendinosus",
     "vastus_medialis", "medial_gastrocnemius"}
)  # fmt: skip
"""Sites that lie towards the outer and the inner side of a leg (Gray's Anatomy)."""
TELLING_DISTANCE_MM = 10.0
"""A leg's side is told by its muscles where the lateral ones lie at least this far from the medial ones."""


@dataclass(frozen=True, slots=True)
class Region:
    """One muscle of one side.

    Parameters
    ----------
    site, side : str
        As the rows will name it.
    index : int
        Its number in :attr:`Regions.index`; 0 where the mask holds no voxel of it.
    """

    site: str
    side: str
    index: int


@dataclass(frozen=True, slots=True)
class Regions:
    """All muscles of a scan.

    Parameters
    ----------
    items : tuple of Region
        In the order of the scheme, left before right.
    index : ndarray, shape (x, y, z), int32
        Region number of every voxel, 0 = none.
    tissue : ndarray of bool, same shape
        The body.
    leg : ndarray of int8, same shape
        -1 and +1 for voxels towards the left and the right of the gap between two legs, 0 where there is one.
    flags : frozenset of str
        ``sides_split_by_geometry`` or ``single_side_assumed``.
    """

    items: tuple[Region, ...]
    index: npt.NDArray[np.int32]
    tissue: npt.NDArray[np.bool_]
    leg: npt.NDArray[np.int8]
    flags: frozenset[str]


def find_regions(volume: Volume, segmentation: Segmentation) -> Regions:
    """Group labels into muscles and separate sides where the mask does not.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``.
    segmentation : Segmentation
        On the volume's grid.

    Returns
    -------
    Regions
        Sides that the mask leaves open are split at the gap between the legs; in a scan of one leg they
        take the side that lateral and medial muscles tell, else stay "" with ``single_side_assumed``.
    """
    order, flip = _body_order(volume)
    signal = (volume.channels["fat"] + volume.channels["water"]).transpose(order)[::flip]
    labels = segmentation.labels.transpose(order)[::flip]
    tissue = body(signal)
    gap = find_gap(tissue, labels > 0)
    side, flags = _open_sides(labels, segmentation.names, gap, volume)
    items, index = _number(labels, segmentation.names, side)
    leg = np.zeros(labels.shape, dtype=np.int8)
    if gap.found:
        columns = np.arange(labels.shape[0], dtype=np.float64)
        leg += np.where(columns[:, None] > gap.cut, np.int8(1), np.int8(-1))[:, None, :]
    back = tuple(int(axis) for axis in np.argsort(order))
    index, tissue, leg = (
        index[::flip].transpose(back),
        tissue[::flip].transpose(back),
        leg[::flip].transpose(back),
    )
    return Regions(items, index, tissue, leg, flags)


def _body_order(volume: Volume) -> tuple[tuple[int, int, int], int]:
    """Axes from left to right, back to front, along the body; and the step that makes the first grow so."""
    axes = [axis_towards(volume.affine, world) for world in range(3)]
    return (axes[0][0], axes[1][0], axes[2][0]), axes[0][1]


def _open_sides(
    labels: npt.NDArray[np.uint16], names: Mapping[int, tuple[str, str]], gap: Gap, volume: Volume
) -> tuple[npt.NDArray[np.int8] | str, frozenset[str]]:
    """Sides of the voxels whose label names none: an array of -1 and +1, or one word for all."""
    open_labels = [label for label, (_, side) in names.items() if side == ""]
    undecided = np.where(np.isin(labels, open_labels), labels, 0).astype(np.uint16)
    if not undecided.any():
        return "", frozenset()
    if gap.found:
        return assign_sides(undecided, gap), frozenset({"sides_split_by_geometry"})
    told = _told_side(undecided, names, volume)
    return told, frozenset({"sides_split_by_geometry" if told else "single_side_assumed"})


def _told_side(labels: npt.NDArray[np.uint16], names: Mapping[int, tuple[str, str]], volume: Volume) -> str:
    """Side of a single leg, from where its lateral muscles lie; "" where they do not tell."""
    axis, _ = axis_towards(volume.affine, 0)
    width = float(volume.spacing_mm[axis])
    differences = []
    for level in range(labels.shape[2]):
        counts = {
            label: (labels[:, :, level] == label).sum(axis=1)
            for label in np.unique(labels[:, :, level])
            if label
        }
        lateral, medial = (
            sum(
                (count for label, count in counts.items() if names[int(label)][0] in group),
                np.zeros(labels.shape[0]),
            )
            for group in (LATERAL, MEDIAL)
        )
        if lateral.sum() and medial.sum():
            columns = np.arange(labels.shape[0])
            differences.append(float(columns @ lateral / lateral.sum() - columns @ medial / medial.sum()))
    distance = width * float(np.median(differences)) if differences else 0.0
    if abs(distance) < TELLING_DISTANCE_MM:
        return ""
    return "right" if distance > 0 else "left"


def _number(
    labels: npt.NDArray[np.uint16], names: Mapping[int, tuple[str, str]], side: npt.NDArray[np.int8] | str
) -> tuple[tuple[Region, ...], npt.NDArray[np.int32]]:
    """Give every (site, side) a number and every voxel its region's."""
    split = isinstance(side, np.ndarray)
    wanted: dict[tuple[str, str], None] = {}
    table = np.zeros((2, int(max([*names, labels.max()])) + 1), dtype=np.int32)
    for label in sorted(names):
        site, own = names[label]
        ways = (own, own) if own or not split else ("left", "right")
        for column, way in enumerate(ways):
            key = (site, way or (side if isinstance(side, str) else ""))
            wanted.setdefault(key)
            table[column, label] = list(wanted).index(key) + 1
    towards = np.zeros(labels.shape, dtype=np.int8) if isinstance(side, str) else (side > 0).astype(np.int8)
    index = table[towards, labels]
    present = np.bincount(index.reshape(-1), minlength=len(wanted) + 1)
    items = [
        Region(site, way, number if present[number] else 0) for number, (site, way) in enumerate(wanted, 1)
    ]
    return tuple(_without_other_leg(items, split=split)), index


def _without_other_leg(items: list[Region], *, split: bool) -> list[Region]:
    """Where a split mask holds one leg only, the other was not drawn: it has no rows, not absent ones."""
    if not split:
        return items
    drawn = {item.side for item in items if item.index}
    return [item for item in items if item.side in drawn or item.side not in ("left", "right")]
