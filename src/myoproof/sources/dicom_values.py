"""The pixels of a scan become arrays: channels in their units, or echoes with their phase in radians."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Echoes, Volume
from myoproof.core.contracts import Progress
from myoproof.errors import Finding
from myoproof.sources.dicom_pixels import Undecodable, stored_pixels
from myoproof.sources.dicom_scaling import coefficients, phase_scale, rate_from_time, to_unit, unit_of
from myoproof.sources.dicom_scans import ABSENT_LIMIT
from myoproof.sources.dicom_types import Series

Plane = npt.NDArray[np.float32]

MAPS = ("fat_fraction", "r2star", "t2star", "t2_ms", "field_hz", "b1")
"""Contrasts with a unit; the others are signals."""

CHOPPED_COHERENCE = 0.3
"""Least cosine between neighbouring slices, sign aside, where an alternating sign is seen (proposal)."""


@dataclass(frozen=True, slots=True)
class _Target:
    layer: int
    slice: int
    what: str


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
    arrays = [np.zeros(series.shape, dtype=np.float32) for _ in series.layers]

    def put(target: _Target, plane: Plane) -> None:
        arrays[target.layer][:, :, target.slice] = plane

    bad, findings = _fill(series, put, progress)
    channels: dict[str, Plane] = {}
    for layer, array in zip(series.layers, arrays, strict=True):
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
    times = list(series.echo_times_s)
    kept = len(series.channels) > 1
    values: npt.NDArray[Any] = np.zeros((*series.shape, len(times)), np.complex64 if kept else np.float32)
    phase_range = [np.inf, -np.inf]

    def put(target: _Target, plane: Plane) -> None:
        layer = series.layers[target.layer]
        part = values.imag if layer.part in {"phase", "imaginary"} else values.real
        part[:, :, target.slice, times.index(layer.echo_time_s)] = plane
        if layer.part == "phase":
            phase_range[:] = min(phase_range[0], plane.min()), max(phase_range[1], plane.max())

    bad, findings = _fill(series, put, progress)
    if "phase" in series.channels and np.isfinite(phase_range).all():
        low, high = (float(end) for end in phase_range)
        scale, remarks = phase_scale(low, high, series.vendor, where=_where(series))
        findings += remarks
        _combine(values, scale.middle, scale.radians)
    values[:, :, bad] = 0
    if kept and series.vendor == "ge" and _alternates(values[..., 0]):
        values[:, :, 1::2] *= -1
        message = "the sign of the signal alternates from slice to slice; undone"
        findings.append(Finding("info", "alternating sign", message, _where(series)))
    if kept and series.kind == "multi_echo_spin_echo":
        values = np.abs(values)
    return Echoes(values=values, echo_times_s=np.array(times), affine=series.affine), findings


def _fill(
    series: Series, put: Callable[[_Target, Plane], None], progress: Progress
) -> tuple[list[int], list[Finding]]:
    """Put every frame in its place; which slices are to be zero, and what could not be read."""
    targets = _targets(series)
    wanted = [frame for frame in series.frames if frame.key in targets]
    bad: dict[int, str] = {}
    for done, (frame, stored) in enumerate(stored_pixels(wanted), start=1):
        target = targets[frame.key]
        if isinstance(stored, Undecodable):
            bad[target.slice] = f"{frame.origin.path.name}: {stored}"
        else:
            slope, intercept = coefficients(frame, target.what)
            put(target, (stored.T * slope + intercept).astype(np.float32))
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


def _combine(values: npt.NDArray[np.complex64], middle: float, radians: float) -> None:
    """Turn magnitude + i phase into the complex signal, slice by slice, in place."""
    for place in range(values.shape[2]):
        slab = values[:, :, place]
        angle = (slab.imag - np.float32(middle)) * np.float32(radians)
        values[:, :, place] = slab.real * np.exp(1j * angle)


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
