"""Drafts of several DICOM series become scans: joined, laid out on one grid, named by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from myoproof.errors import Finding
from myoproof.sources.dicom_geometry import (
    SAME_MM,
    distinct,
    height_of,
    lay_out,
    normal_of,
    same_plane,
    slice_of,
)
from myoproof.sources.dicom_kinds import Kind, kind_of
from myoproof.sources.dicom_stacks import Draft
from myoproof.sources.dicom_types import Frame, Layer, Series
from myoproof.sources.dicom_vendor import name_base

SAME_START_S = 1.0
"""Series that began within this time were acquired at once (proposal)."""

SAME_ORIGIN_MM = 0.1
"""Series whose slices start this close in the plane are on one grid (proposal)."""

ABSENT_LIMIT = 0.2
"""A scan that lacks a larger share of its slices is refused (proposal)."""

OVERLAP_LIMIT = 0.5
"""Scans that share more of their extent than this are repeats, not stacks of one scan (proposal)."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose scan it is, as counts."""

    patient: int
    study: int
    day: float


def joined(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """Put the drafts of one study together that make one scan, in an order no file name changes."""
    scans: list[list[Draft]] = []
    for draft in sorted(drafts, key=_order):
        home = next((scan for scan in scans if _belongs(draft, scan)), None)
        if home is None:
            scans.append([draft])
        else:
            home.append(draft)
    return scans


def scan_of(drafts: Sequence[Draft], whose: Whose) -> Series:
    """One scan from the drafts that make it; its index and stacks are set later."""
    frames = [frame for draft in drafts for frame in draft.frames]
    first = drafts[0].first
    where = f"series {first.origin.series_number}"
    layout = lay_out(frames, where=where)
    normal = normal_of(first)
    layers = {
        key: tuple(
            _in_slices(found, layout.heights.size, [slice_of(frame, layout, normal) for frame in found])
        )
        for draft in drafts
        for key, found in draft.layers.items()
    }
    kind = kind_of(layers, where)
    used = tuple(Layer(*key, layers[key]) for key in kind.layers)
    absent = _absent(used)
    found_faults = [finding for draft in drafts for finding in draft.findings]
    found_faults += _frames_of_reference(frames, where)
    findings = (
        *dict.fromkeys(found_faults),
        *layout.findings,
        *kind.findings,
        *_absences(used, absent, where),
    )
    return Series(
        index=0,
        patient=whose.patient,
        study=whose.study,
        day=whose.day,
        kind=kind.name,
        modality=kind.modality,
        channels=kind.channels,
        echo_times_s=kind.echo_times_s,
        vendor=first.origin.vendor,
        device=first.origin.device,
        technique=" ".join(word for word in first.technique if word),
        description=first.origin.description or first.origin.protocol,
        image_types=tuple(sorted({"\\".join(frame.image_type) for frame in frames})),
        shape=(first.columns, first.rows, layout.heights.size),
        affine=layout.affine,
        settings=_settings(frames, kind),
        stack=1,
        stack_set="",
        absent_slices=absent,
        findings=findings,
        layers=used,
    )


def with_stacks(scans: Sequence[Series]) -> list[Series]:
    """Name the stacks of multi-stack scans, and number all scans from 1."""
    sets: list[list[Series]] = []
    for scan in scans:
        home = next((known for known in sets if _is_sister(scan, known)), None)
        if home is None:
            sets.append([scan])
        else:
            home.append(scan)
    places: dict[int, tuple[int, str]] = {}
    for number, members in enumerate(sets, start=1):
        for stack, scan in enumerate(sorted(members, key=_extent), start=1):
            places[id(scan)] = stack, f"stacks {number}" if len(members) > 1 else ""
    return [
        replace(scan, index=index, stack=places[id(scan)][0], stack_set=places[id(scan)][1])
        for index, scan in enumerate(scans, start=1)
    ]


def _order(draft: Draft) -> tuple[object, ...]:
    first = draft.first
    return (
        draft.family,
        "NORM" in draft.flavour,
        first.origin.series_number,
        first.origin.series_uid,
        draft.repetition,
        first.stack_id,
        first.position,
        draft.flavour,
    )


def _belongs(draft: Draft, scan: Sequence[Draft]) -> bool:
    if any(key in member.layers for member in scan for key in draft.layers):
        return False
    return all(_together(draft, member) for member in scan)


def _together(one: Draft, other: Draft) -> bool:
    """Whether two drafts were acquired at once, on one grid."""
    first, second = one.first, other.first
    return (
        one.family == other.family
        and one.repetition == other.repetition
        and _same_frame(one, other)
        and same_plane(first, second)
        and _same_protocol(one, other)
        and _same_slices(one, other)
    )


def _same_frame(one: Draft, other: Draft) -> bool:
    """One frame of reference; or two, as pseudonymisers make of one, but one start and one name."""
    first, second = one.first, other.first
    if first.origin.frame_of_reference == second.origin.frame_of_reference:
        return True
    return abs(one.acquired_s - other.acquired_s) <= SAME_START_S and _base(first) == _base(second)


def _same_protocol(one: Draft, other: Draft) -> bool:
    first, second = one.first, other.first
    if first.origin.series_uid and first.origin.series_uid == second.origin.series_uid:
        return True
    if _timed(one) != _timed(other):
        return False
    for name in ("repetition_time_s", "flip_angle_deg", "field_strength_t"):
        if not np.isclose(first.settings.get(name, 0), second.settings.get(name, 0), rtol=1e-3):
            return False
    if not isnan(one.acquired_s) and not isnan(other.acquired_s):
        return abs(one.acquired_s - other.acquired_s) <= SAME_START_S
    return _base(first) == _base(second)


def _timed(draft: Draft) -> bool:
    """Whether the echo times are known."""
    return all(time >= 0 for _, _, time in draft.layers)


def _base(frame: Frame) -> str:
    return name_base(frame.origin.description or frame.origin.protocol)


def _same_slices(one: Draft, other: Draft) -> bool:
    normal = normal_of(one.first)
    axes = np.array([one.first.orientation[:3], one.first.orientation[3:]])
    heights = [
        distinct(np.array([height_of(frame, normal) for frame in draft.frames])) for draft in (one, other)
    ]
    small, large = sorted(heights, key=len)
    shared = np.abs(large[:, None] - small).min(axis=0) <= 5 * SAME_MM
    if shared.mean() < OVERLAP_LIMIT:
        return False
    near = min(other.frames, key=lambda frame: abs(height_of(frame, normal) - height_of(one.first, normal)))
    apart = axes @ (np.asarray(near.position) - np.asarray(one.first.position))
    return bool(np.abs(apart).max() <= SAME_ORIGIN_MM)


def _frames_of_reference(frames: Sequence[Frame], where: str) -> list[Finding]:
    count = len({frame.origin.frame_of_reference for frame in frames})
    if count == 1:
        return []
    message = f"joined over {count} frames of reference by start, name and grid"
    return [Finding("info", "frame of reference", message, where)]


def _in_slices(frames: Sequence[Frame], count: int, slices: Sequence[int]) -> list[Frame | None]:
    out: list[Frame | None] = [None] * count
    for frame, number in zip(frames, slices, strict=True):
        out[number] = frame if frame.intact else None
    return out


def _absent(layers: Sequence[Layer]) -> tuple[int, ...]:
    return tuple(
        sorted({number for layer in layers for number, frame in enumerate(layer.frames) if frame is None})
    )


def _absences(layers: Sequence[Layer], absent: tuple[int, ...], where: str) -> list[Finding]:
    if not absent:
        return []
    count = len(layers[0].frames)
    named = ", ".join(str(number) for number in absent[:8]) + (" ..." if len(absent) > 8 else "")
    message = f"{len(absent)} of {count} slices are missing or cut short (slice {named}, from 0)"
    if len(absent) > ABSENT_LIMIT * count:
        return [Finding("error", "absent slices", message, where, "fetch the series again from the archive")]
    mend = "they are read as zeros; fetch the series again from the archive"
    return [Finding("warning", "absent slices", message, where, mend)]


def _settings(frames: Sequence[Frame], kind: Kind) -> Mapping[str, float]:
    """Settings that all frames share, and the echo spacing."""
    first = frames[0].settings
    shared = {
        name: value
        for name, value in first.items()
        if all(frame.settings.get(name) == value for frame in frames)
    }
    times = np.asarray(kind.echo_times_s)
    if kind.name == "multi_echo_spin_echo" and times.size > 1:
        shared["echo_spacing_s"] = round(float(np.diff(times).min()), 9)
    return shared


def _extent(scan: Series) -> tuple[float, float]:
    normal = np.cross(scan.affine[:3, 0], scan.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    ends = [float(normal @ (scan.affine[:3, 3] + scan.affine[:3, 2] * k)) for k in (0, scan.shape[2] - 1)]
    return min(ends), max(ends)


def _is_sister(scan: Series, known: Sequence[Series]) -> bool:
    first = known[0]
    alike = (
        (scan.patient, scan.study, scan.kind, scan.channels, scan.shape[:2])
        == (first.patient, first.study, first.kind, first.channels, first.shape[:2])
        and len(scan.echo_times_s) == len(first.echo_times_s)
        and np.allclose(scan.echo_times_s, first.echo_times_s, atol=1e-5)
        and np.allclose(scan.affine[:3, :2], first.affine[:3, :2], atol=1e-3)
        and np.allclose(scan.spacing_mm, first.spacing_mm, rtol=1e-2)
        and name_base(scan.description) == name_base(first.description)
        and scan.shape[2] > 1
    )
    return alike and all(_overlap(scan, other) <= OVERLAP_LIMIT for other in known)


def _overlap(one: Series, other: Series) -> float:
    """Shared extent as a part of the shorter."""
    (low, high), (bottom, top) = _extent(one), _extent(other)
    shared = min(high, top) - max(low, bottom)
    return max(0.0, shared) / max(min(high - low, top - bottom), 1e-9)
