"""Where slices lie: frames parted into stacks, and a stack laid out on one grid, its faults named."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding
from myoproof.sources.dicom_types import Frame

Vector = npt.NDArray[np.float64]

SAME_MM = 0.02
"""Positions this close are one slice (proposal): headers round to about 0.001 mm."""

DIRECTION_TOLERANCE = 1e-3
"""Direction cosines this close are one orientation (proposal); over 500 mm it is 0.5 mm."""

UNEVEN_WARNING, UNEVEN_ERROR = 0.01, 0.05
"""Deviation of a slice from even spacing, as a part of it, that is named and that is refused (proposals)."""

MISSING_IN_A_ROW = 3
"""A longer gap parts two stacks; a shorter one is missing slices (proposal)."""

OUT_OF_LINE_MM = (0.05, 0.5)
"""In-plane distance from the line of the slices that is named, and that is refused (proposals)."""

SHEAR_DEGREES = 0.05
"""Slices offset by more than this from the normal are named as tilted (proposal)."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Layout:
    """A stack's grid.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        Voxel indices (column, row, slice) to RAS+ mm.
    heights : ndarray, shape (slice,)
        Position of each slice along the normal, mm, increasing; absent slices included.
    absent : tuple of int
        Slices without any frame.
    findings : tuple of Finding
        What is uneven, missing or tilted.
    """

    affine: npt.NDArray[np.float64]
    heights: Vector
    absent: tuple[int, ...]
    findings: tuple[Finding, ...]


def normal_of(frame: Frame) -> Vector:
    """Unit vector across the slice, LPS."""
    across = np.cross(frame.orientation[:3], frame.orientation[3:])
    return np.asarray(across / np.linalg.norm(across), dtype=np.float64)


def height_of(frame: Frame, normal: Vector) -> float:
    """Position of a slice along a normal, mm."""
    return float(np.dot(frame.position, normal))


def geometry_fault(frame: Frame) -> str:
    """What a frame lacks to be placed in space; "" where nothing."""
    lacks = [
        name
        for name, value in (
            ("position", frame.position),
            ("orientation", frame.orientation),
            ("pixel spacing", frame.spacing),
        )
        if not value
    ]
    if lacks:
        return f"no usable {', '.join(lacks)}"
    row, column = np.asarray(frame.orientation[:3]), np.asarray(frame.orientation[3:])
    square = abs(np.linalg.norm(row) - 1) < 0.01 and abs(np.linalg.norm(column) - 1) < 0.01
    if not square or abs(float(row @ column)) > 0.01:
        return "direction cosines that are not two perpendicular unit vectors"
    return "" if min(frame.spacing) > 0 else "a pixel spacing of zero"


def stacks(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Part the frames of one series into stacks that can each lie on one grid.

    Parameters
    ----------
    frames : sequence of Frame
        All with usable geometry.

    Returns
    -------
    list of list of Frame
        Frames of one size, orientation, stack id and in-plane origin, without a long gap; ordered by the
        stack id and position.
    """
    alike: dict[tuple[object, ...], list[Frame]] = {}
    for frame in sorted(frames, key=_place):
        key = (frame.stack_id, frame.rows, frame.columns, frame.spacing, frame.orientation)
        alike.setdefault(key, []).append(frame)
    planes: list[list[Frame]] = []
    for group in alike.values():
        home = next((plane for plane in planes if _same_stack(plane[0], group[0])), None)
        if home is None:
            planes.append(group)
        else:
            home.extend(group)
    return [part for plane in planes for column in _columns(plane) for part in _runs(column)]


def same_plane(one: Frame, other: Frame) -> bool:
    """Whether two frames have one size, pixel spacing and orientation."""
    return (
        (one.rows, one.columns) == (other.rows, other.columns)
        and np.allclose(one.spacing, other.spacing, rtol=1e-4)
        and np.allclose(one.orientation, other.orientation, rtol=0, atol=DIRECTION_TOLERANCE)
    )


def _same_stack(one: Frame, other: Frame) -> bool:
    return one.stack_id == other.stack_id and same_plane(one, other)


def lay_out(frames: Sequence[Frame], *, where: str) -> Layout:
    """The grid of one stack.

    Parameters
    ----------
    frames : sequence of Frame
        One stack; several frames may share a slice.
    where : str
        Names the scan in findings.
    """
    first = min(frames, key=_place)
    normal = normal_of(first)
    by_height = sorted(frames, key=lambda frame: (height_of(frame, normal), _place(frame)))
    heights = distinct(np.array([height_of(frame, normal) for frame in by_height]))
    low, high = by_height[0], by_height[-1]
    if len(heights) == 1:
        step, findings = _single(low, normal, where)
        return Layout(_affine(low, step), heights, (), tuple(findings))
    spacing = _spacing(np.diff(heights))
    counts = np.clip(np.rint(np.diff(heights) / spacing), 1, MISSING_IN_A_ROW + 1).astype(int)
    total = int(counts.sum())
    step = (np.asarray(high.position) - np.asarray(low.position)) / total
    even = heights[0] + (heights[-1] - heights[0]) / total * np.arange(total + 1)
    filled = np.concatenate([[0], np.cumsum(counts)])
    absent = tuple(sorted(set(range(total + 1)) - set(filled.tolist())))
    findings = [
        *_uneven(heights, even[filled], spacing, where),
        *_tilted(step, normal, where),
        *_out_of_line(by_height, low, step, normal, where),
    ]
    return Layout(_affine(low, step), even, absent, tuple(findings))


def distinct(heights: Vector) -> Vector:
    """Heights in increasing order, those within ``SAME_MM`` of their neighbour once (their mean)."""
    ordered = np.sort(heights)
    return np.array(
        [part.mean() for part in np.split(ordered, np.flatnonzero(np.diff(ordered) > SAME_MM) + 1)]
    )


def slice_of(frame: Frame, layout: Layout, normal: Vector) -> int:
    """The slice of a grid that a frame fills."""
    return int(np.argmin(np.abs(layout.heights - height_of(frame, normal))))


def _spacing(gaps: Vector) -> float:
    """The median gap, or the least where only that divides all gaps evenly (many slices are missing)."""
    for spacing in (float(np.median(gaps)), float(gaps.min())):
        ratios = gaps / spacing
        even = np.abs(ratios - np.rint(ratios)).max() <= UNEVEN_ERROR
        if even and ratios.min() > 0.5 and ratios.max() <= MISSING_IN_A_ROW + 1.5:
            return spacing
    return float(np.median(gaps))


def _affine(low: Frame, step: Vector) -> npt.NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(low.orientation[:3]) * low.spacing[1]
    affine[:3, 1] = np.asarray(low.orientation[3:]) * low.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = low.position
    affine[:3] = LPS_TO_RAS @ affine[:3]
    return affine


def _single(low: Frame, normal: Vector, where: str) -> tuple[Vector, list[Finding]]:
    thickness = low.settings.get("slice_spacing_mm") or low.settings.get("slice_thickness_mm") or 0.0
    if thickness > 0:
        return normal * thickness, []
    fault = Finding(
        "error", "geometry", "one slice, and its thickness is not stated", where, "give the slice thickness"
    )
    return normal, [fault]


def _uneven(heights: Vector, even: Vector, spacing: float, where: str) -> list[Finding]:
    away = float(np.abs(heights - even).max())
    if away <= max(SAME_MM, UNEVEN_WARNING * spacing):
        return []
    level = "error" if away > max(SAME_MM, UNEVEN_ERROR * spacing) else "warning"
    return [
        Finding(
            "error" if level == "error" else "warning",
            "uneven spacing",
            f"slices lie up to {away:.3g} mm from even spacing of {spacing:.4g} mm",
            where,
            "check that the folder holds the slices of one scan, all of them, once",
        )
    ]


def _tilted(step: Vector, normal: Vector, where: str) -> list[Finding]:
    cosine = float(np.dot(step, normal) / np.linalg.norm(step))
    degrees = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    if degrees <= SHEAR_DEGREES:
        return []
    message = f"slices are shifted along the plane by {degrees:.2f} degrees from its normal"
    return [
        Finding(
            "warning", "tilt", message, where, "the affine carries the shift; resample for tools that do not"
        )
    ]


def _out_of_line(
    frames: Sequence[Frame], low: Frame, step: Vector, normal: Vector, where: str
) -> list[Finding]:
    """Slices that lie beside the line from the first to the last."""
    places = np.array([frame.position for frame in frames]) - np.asarray(low.position)
    heights = places @ normal
    beside = places - np.outer(heights / float(step @ normal), step)
    away = float(np.linalg.norm(beside, axis=1).max())
    if away <= OUT_OF_LINE_MM[0]:
        return []
    message = f"slices lie up to {away:.3g} mm out of line in their plane"
    mend = "check that the folder holds the slices of one scan"
    return [Finding("error" if away > OUT_OF_LINE_MM[1] else "warning", "out of line", message, where, mend)]


def _columns(plane: list[Frame]) -> list[list[Frame]]:
    """Part frames of one orientation by their in-plane origin, unless it moves evenly from slice to slice."""
    axes = np.array([plane[0].orientation[:3], plane[0].orientation[3:]])
    offsets = np.array([axes @ np.asarray(frame.position) for frame in plane])
    heights = np.array([height_of(frame, normal_of(plane[0])) for frame in plane])
    if np.ptp(offsets, axis=0).max() <= 1.0 or _moves_evenly(offsets, heights):
        return [plane]
    columns: list[tuple[Vector, list[Frame]]] = []
    for offset, frame in zip(offsets, plane, strict=True):
        for place, column in columns:
            if np.abs(place - offset).max() <= 1.0:
                column.append(frame)
                break
        else:
            columns.append((offset, [frame]))
    return [column for _, column in columns]


def _moves_evenly(offsets: Vector, heights: Vector) -> bool:
    if np.ptp(heights) <= SAME_MM:
        return False
    line = np.column_stack([np.ones_like(heights), heights])
    fitted, *_ = np.linalg.lstsq(line, offsets, rcond=None)
    return bool(np.abs(offsets - line @ fitted).max() < 0.1)


def _runs(column: list[Frame]) -> list[list[Frame]]:
    """Part a column at gaps too long to be missing slices."""
    normal = normal_of(column[0])
    ordered = sorted(column, key=lambda frame: (height_of(frame, normal), _place(frame)))
    heights = distinct(np.array([height_of(frame, normal) for frame in ordered]))
    if len(heights) < 4:
        return [ordered]
    limit = (MISSING_IN_A_ROW + 1.5) * float(np.median(np.diff(heights)))
    edges = [(low + high) / 2 for low, high in pairwise(heights) if high - low > limit]
    runs: list[list[Frame]] = [[] for _ in range(len(edges) + 1)]
    for frame in ordered:
        runs[int(np.searchsorted(edges, height_of(frame, normal)))].append(frame)
    return runs


def _place(frame: Frame) -> tuple[str, tuple[float, ...], str, int]:
    """An order of frames that no file name can change."""
    return frame.stack_id, frame.position, frame.origin.sop_uid, frame.number
