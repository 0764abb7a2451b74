"""The pixels of a scan become arrays: channels in their units, or echoes with their phase in radians."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Echoes, Volume
from myoproof.core.contracts import Progress
from myoproof.errors import Finding
from myoproof.sources.dicom_pixels import Stored, Undecodable, stored_pixels
from myoproof.sources.dicom_scaling import (
    PhaseScale,
    coefficients,
    phase_scale,
    rate_from_time,
    to_unit,
    unit_of,
)
from myoproof.sources.dicom_scans import ABSENT_LIMIT
from myoproof.sources.dicom_types import Series

Array = npt.NDArray[np.float32]

MAPS = ("fat_fraction", "r2star", "t2star", "t2_ms", "field_hz", "b1")
"""Contrasts with a unit; the others are signals."""

NEGATIVE_LIMIT = 0.05
"""Magnitudes below this part of the largest, sign reversed, are no magnitudes (proposal)."""

CHOPPED_COHERENCE = 0.3
"""Least cosine between neighbouring slices, sign aside, where an alternating sign is seen (proposal)."""


@dataclass(frozen=True, slots=True)
class _Target:
    layer: int
    slice: int
    what: str


_Put = Callable[[_Target, Stored, float, float], None]


def volume(series: Series, progress: Progress) -> tuple[Volume, list[Finding]]:
    """The channels of a scan that is not one of echoes.

    Parameters
    ----------
    series : Series
        Kind ``dixon``, ``t2_map``, ``b1_map`` or ``single``.
    progress : callable
        Told the share of frames read.

    Returns
    -------
    volume : Volume
    findings : list of Finding
        Frames that could not be read, units that were told by range.
    """
    columns, rows, slices = series.shape
    planes = [np.zeros((slices, rows, columns), dtype=np.float32) for _ in series.layers]

    def put(target: _Target, stored: Stored, slope: float, intercept: float) -> None:
        planes[target.layer][target.slice] = stored * slope + intercept

    bad, findings = _fill(series, put, progress)
    channels: dict[str, Array] = {}
    for layer in series.layers:
        array = np.ascontiguousarray(planes.pop(0).T)
        array[:, :, bad] = 0
        if layer.contrast in MAPS:
            first = next(frame for frame in layer.frames if frame is not None)
            in_unit, remarks = to_unit(array, layer.contrast, unit_of(first), where=_where(series))
            findings += remarks
            array[:] = rate_from_time(in_unit) if layer.contrast == "t2star" else in_unit
        name = {"": "image", "t2star": "r2star"}.get(layer.contrast, layer.contrast)
        channels[name] = np.hypot(channels[name], array) if name in channels else array
    return Volume(channels=channels, affine=series.affine), findings


def echoes(series: Series, progress: Progress) -> tuple[Echoes, list[Finding]]:
    """The echoes of a scan, complex where it has phase or real and imaginary parts.

    Parameters
    ----------
    series : Series
        Kind ``multiecho`` or ``multi_echo_spin_echo``.
    progress : callable
        Told the share of frames read.

    Returns
    -------
    echoes : Echoes
        complex64, or float32 magnitudes; spin echoes are always magnitudes.
    findings : list of Finding
        Frames that could not be read; a phase scale or alternating sign that was told by the data.
    """
    columns, rows, slices = series.shape
    whole = np.zeros((len(series.layers), slices, rows, columns), dtype=_whole_type(series))
    lines = np.zeros((len(series.layers), slices, 2), dtype=np.float32)
    extremes: list[float] = []

    def put(target: _Target, stored: Stored, slope: float, intercept: float) -> None:
        whole[target.layer, target.slice] = stored
        lines[target.layer, target.slice] = slope, intercept
        if target.what == "phase":
            extremes.extend((stored.min() * slope + intercept, stored.max() * slope + intercept))

    bad, findings = _fill(series, put, progress)
    lines[:, bad] = 0
    scale = None
    if extremes:
        scale, remarks = phase_scale(min(extremes), max(extremes), series.vendor, where=_where(series))
        findings += remarks
    values = _signals(series, whole, lines, scale)
    if series.channels == ("magnitude",):
        findings += _negative(values, series)
    if np.iscomplexobj(values) and series.vendor == "ge" and _alternates(values[..., 0]):
        values[:, :, 1::2] *= -1
        message = "the sign of the signal alternates from slice to slice; undone"
        findings.append(Finding("info", "alternating sign", message, _where(series)))
    times = np.array(series.echo_times_s)
    return Echoes(values=values, echo_times_s=times, affine=series.affine), findings


def _negative(values: Array, series: Series) -> list[Finding]:
    low, high = float(values.min()), float(values.max())
    if low >= -NEGATIVE_LIMIT * max(high, 0.0):
        return []
    message = f"magnitudes from {low:.4g} to {high:.4g}: real, imaginary or phase images that do not say so"
    mend = "send the files with their private tags"
    return [Finding("error", "negative magnitude", message, _where(series), mend)]


def _whole_type(series: Series) -> npt.DTypeLike:
    """The smallest type that holds the stored numbers of every frame."""
    encodings = [frame.origin.encoding for frame in series.frames]
    bits = max(encoding.bits_stored - encoding.signed for encoding in encodings)
    return np.int16 if bits < 16 else np.int32 if bits < 32 else np.int64


def _signals(
    series: Series, whole: npt.NDArray[np.signedinteger], lines: Array, scale: PhaseScale | None
) -> npt.NDArray[Any]:
    """Stored numbers (layer, slice, row, column) to signals (column, row, slice, echo), a slice at a time."""
    parts = series.channels
    spin = series.kind == "multi_echo_spin_echo"
    kept = np.complex64 if len(parts) > 1 and not spin else np.float32
    values: npt.NDArray[Any] = np.zeros((*series.shape, len(series.echo_times_s)), dtype=kept)
    for place in range(series.shape[2]):
        slope, intercept = lines[:, place, 0, None, None], lines[:, place, 1, None, None]
        slab = whole[:, place] * slope + intercept
        if len(parts) == 1:
            signal = slab
        elif scale is None:
            signal = slab[0::2] + np.complex64(1j) * slab[1::2]
        else:
            angle = (slab[1::2] - np.float32(scale.middle)) * np.float32(scale.radians)
            signal = slab[0::2] * (np.cos(angle) + np.complex64(1j) * np.sin(angle))
        values[:, :, place] = (np.abs(signal) if spin else signal).T
    return values


def _fill(series: Series, put: _Put, progress: Progress) -> tuple[list[int], list[Finding]]:
    """Put every frame in its place; which slices are to be zero, and what could not be read."""
    targets = _targets(series)
    wanted = [frame for frame in series.frames if frame.key in targets]
    bad: dict[int, str] = {}
    for done, (frame, stored) in enumerate(stored_pixels(wanted), start=1):
        target = targets[frame.key]
        if isinstance(stored, Undecodable):
            bad[target.slice] = f"{frame.origin.path.name}: {stored}"
        else:
            put(target, stored, *coefficients(frame, target.what))
        progress("reading", done / len(wanted))
    absent = sorted({*series.absent_slices, *bad})
    return absent, _unread(bad, len(absent), series)


def _targets(series: Series) -> Mapping[tuple[str, int], _Target]:
    targets = {}
    for number, layer in enumerate(series.layers):
        what = "map" if layer.contrast in MAPS else "phase" if layer.part == "phase" else "signal"
        for place, frame in enumerate(layer.frames):
            if frame is not None and place not in series.absent_slices:
                targets[frame.key] = _Target(number, place, what)
    return targets


def _unread(bad: Mapping[int, str], absent: int, series: Series) -> list[Finding]:
    if not bad:
        return []
    count = series.shape[2]
    reasons = sorted(set(bad.values()))
    message = f"{len(bad)} of {count} slices cannot be read ({'; '.join(reasons[:3])})"
    if absent > ABSENT_LIMIT * count:
        return [Finding("error", "corrupt slices", message, _where(series), "fetch the series again")]
    mend = "they are read as zeros; fetch the series again"
    return [Finding("warning", "corrupt slices", message, _where(series), mend)]


def _alternates(values: npt.NDArray[np.complex64]) -> bool:
    """Whether neighbouring slices are of opposite sign all through."""
    if values.shape[2] < 4:
        return False
    one, other = values[:, :, :-1], values[:, :, 1:]
    product = np.real(one * np.conj(other)).sum(axis=(0, 1))
    size = np.abs(one * other).sum(axis=(0, 1))
    used = size > 0
    cosine = product[used] / size[used]
    return bool(cosine.size >= 3 and (cosine < -CHOPPED_COHERENCE).mean() > 0.9)


def _where(series: Series) -> str:
    frame = next(iter(series.frames))
    return f"series {frame.origin.series_number}"
