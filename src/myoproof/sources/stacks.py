"""Stacks of one scan joined into one volume: overlaps blended, gaps and intensity steps told."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.provenance import digest_bytes
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.grids import GRID_TOLERANCE_MM

TURNED_DEG = 5.0
"""Stacks turned farther than this against each other are no stacks of one scan (proposal)."""
STEP = 0.05
"""An intensity step between stacks above this share is a warning: it moves signals, not their ratios."""
BRIGHT = 0.25
"""The step is told from voxels above this share of the overlap's 95th percentile, in both stacks."""
MAPS = {"fat_fraction", "fat_fraction_sd", "r2star", "field_hz", "confidence", "b1", "t2_ms"}
"""Channels with a unit of their own: they have no intensity step."""

Planes = Callable[[int], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Stack:
    """One stack on the joined grid: its first slice there, how many, and one channel after another."""

    begin: int
    n: int
    shift_mm: float
    filled: npt.NDArray[np.bool_]
    channel: Callable[[str], npt.NDArray[Any]]


def join(stacks: Sequence[Acquisition]) -> tuple[Acquisition, list[Finding]]:
    """Join the stacks of one scan along their common slice direction.

    The grid is that of the lowest stack, extended over all. Stacks whose voxels lie on it are copied; others
    are resampled linearly, which is told. Where stacks overlap, magnitudes and maps are blended with weights
    sin^2 over the overlap, which add to 1; complex echoes, whose phase differs between stacks, change over in
    the middle. Slices that no stack covers, or that are absent (zero throughout), are zero and told.

    Parameters
    ----------
    stacks : sequence of Acquisition
        Volumes of equal channels, or Echoes of equal echo times; in any order.

    Returns
    -------
    acquisition : Acquisition
        The first stack's, with the joined payload and a digest of all.
    findings : list of Finding
        Gaps, intensity steps, resampling, lost margins.

    Raises
    ------
    InvalidInput
        All faults together: other channels, echo times or settings, stacks turned against each other.

    Examples
    --------
    >>> affine = np.diag([1.0, 1.0, 5.0, 1.0])
    >>> ones = {"image": np.ones((2, 2, 4), np.float32)}
    >>> low = Acquisition("s", "", "", "muscle_mri", Volume(ones, affine))
    >>> above = affine.copy()
    >>> above[2, 3] = 15.0
    >>> high = replace(low, payload=Volume(ones, above))
    >>> joined, _ = join([high, low])
    >>> joined.payload.shape, float(joined.payload.channels["image"].min())
    ((2, 2, 7), 1.0)
    """
    if len(stacks) == 1:
        return stacks[0], []
    refuse(_disagreements(stacks), where="stacks")
    axis = _axis(stacks)
    ordered = sorted(stacks, key=lambda one: _centre(one, stacks[0])[axis])
    first = _payload(ordered[0])
    spans = [_span(_payload(one), first.affine, axis) for one in ordered]
    lowest = min(begin for begin, _ in spans)
    n_slices = max(begin + n for begin, n in spans) - lowest
    affine = first.affine.copy()
    affine[:3, 3] += affine[:3, axis] * lowest
    shape = tuple(n_slices if one == axis else first.shape[one] for one in range(3))
    placed = [
        _placed(_payload(one), affine, (begin - lowest, n), axis, cast(tuple[int, int, int], shape))
        for one, (begin, n) in zip(ordered, spans, strict=True)
    ]
    weights = _weights(placed, n_slices)
    findings = [*_shifts(placed), *_gaps(placed, n_slices, first.spacing_mm[axis])]
    names = _channels(first)
    joined: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        parts = [stack.channel(name) for stack in placed]
        findings += _step(name, parts, placed, axis)
        joined[name] = _blend(parts, placed, weights, axis, cast(tuple[int, int, int], shape))
    payload: Volume | Echoes
    if isinstance(first, Echoes):
        values = np.stack([joined[name] for name in names], axis=-1)
        payload = Echoes(values, first.echo_times_s, affine)
    else:
        payload = Volume(joined, affine)
    digest = digest_of(one.digest for one in stacks) if ordered[0].digest else ""
    return replace(ordered[0], payload=payload, digest=digest), findings


def digest_of(digests: Iterable[str]) -> str:
    """Digest of a scan of several stacks, whatever their order; a single stack keeps its own."""
    known = sorted(digests)
    return known[0] if len(known) == 1 else digest_bytes(*(one.encode() for one in known))


def _payload(acquisition: Acquisition) -> Volume | Echoes:
    payload = acquisition.payload
    if not isinstance(payload, Volume | Echoes):
        raise InvalidInput(f"a {type(payload).__name__} has no stacks")
    return payload


def _channels(payload: Volume | Echoes) -> list[str]:
    if isinstance(payload, Volume):
        return list(payload.channels)
    return [str(number) for number in range(payload.values.shape[3])]


def _values(payload: Volume | Echoes, name: str) -> npt.NDArray[Any]:
    return payload.channels[name] if isinstance(payload, Volume) else payload.values[..., int(name)]


def _disagreements(stacks: Sequence[Acquisition]) -> list[Finding]:
    one = _payload(stacks[0])
    findings = []
    for number, other in enumerate(map(_payload, stacks[1:]), start=2):
        where = f"stack {number}"
        if type(other) is not type(one) or _channels(other) != _channels(one):
            findings.append(Finding("error", "stacks", "holds other images than stack 1", where))
        elif _echo_kind(one) != _echo_kind(other):
            findings.append(Finding("error", "echo times", "has other echoes than stack 1", where))
        turn = _turn_deg(one.affine, other.affine)
        if turn > TURNED_DEG:
            what = f"is turned {turn:.1f} degrees against stack 1"
            findings.append(
                Finding("error", "orientation", what, where, "read the stacks as scans of their own")
            )
    return findings


def _echo_kind(payload: Volume | Echoes) -> tuple[object, ...]:
    if isinstance(payload, Volume):
        return ()
    return (payload.is_complex, *np.round(payload.echo_times_s * 1e6).tolist())


def _turn_deg(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    directions = [affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0) for affine in (one, other)]
    cosines = np.clip(np.sum(directions[0] * directions[1], axis=0), -1.0, 1.0)
    return float(np.rad2deg(np.arccos(cosines)).max())


def _centre(acquisition: Acquisition, frame: Acquisition) -> npt.NDArray[np.float64]:
    payload = _payload(acquisition)
    middle = (np.array(payload.shape) - 1) / 2
    world = payload.affine[:3, :3] @ middle + payload.affine[:3, 3]
    return np.asarray(np.linalg.inv(_payload(frame).affine) @ [*world, 1.0])[:3]


def _axis(stacks: Sequence[Acquisition]) -> int:
    centres = np.array([_centre(one, stacks[0]) for one in stacks])
    spacing = _payload(stacks[0]).spacing_mm
    return int(np.argmax(np.ptp(centres, axis=0) * spacing))


def _span(payload: Volume | Echoes, frame: npt.NDArray[np.float64], axis: int) -> tuple[int, int]:
    """First slice and number of slices on the frame's lattice that a stack covers."""
    to_frame = np.linalg.inv(frame) @ payload.affine
    corners = np.array([*itertools.product(*((0.0, n - 1.0) for n in payload.shape))])
    along = corners @ to_frame[:3, :3].T + to_frame[:3, 3]
    low, high = along[:, axis].min(), along[:, axis].max()
    begin, end = int(np.ceil(low - 0.5 + 1e-6)), int(np.floor(high + 0.5 - 1e-6))
    if abs(low - round(low)) < 1e-3:
        begin, end = round(low), round(high)
    return begin, end - begin + 1


def _placed(
    payload: Volume | Echoes,
    affine: npt.NDArray[np.float64],
    span: tuple[int, int],
    axis: int,
    shape: tuple[int, int, int],
) -> _Stack:
    begin, n = span
    block = tuple(n if one == axis else shape[one] for one in range(3))
    start = affine.copy()
    start[:3, 3] += affine[:3, axis] * begin
    to_stack = np.linalg.inv(payload.affine) @ start
    whole = np.round(to_stack)
    corners = np.array([(*c, 1.0) for c in itertools.product(*((0.0, length - 1.0) for length in block))])
    off_mm = payload.affine[:3, :3] @ ((to_stack - whole) @ corners.T)[:3]
    shift = float(np.linalg.norm(off_mm, axis=0).max())
    straight = np.array_equal(whole[:3, :3], np.eye(3))

    def channel(name: str) -> npt.NDArray[Any]:
        values = _values(payload, name)
        if straight and shift <= GRID_TOLERANCE_MM:
            return _copied(values, whole[:3, 3].astype(int), block)
        return _resampled(values, to_stack, block)

    sample = channel(_channels(payload)[0])
    others = tuple(one for one in range(3) if one != axis)
    filled = np.asarray(np.any(sample != 0, axis=others))
    return _Stack(begin, n, shift if shift > GRID_TOLERANCE_MM else 0.0, filled, channel)


def _copied(values: npt.NDArray[Any], offset: npt.NDArray[Any], block: tuple[int, ...]) -> npt.NDArray[Any]:
    out = np.zeros(block, dtype=values.dtype)
    low = np.maximum(-offset, 0)
    high = np.minimum(np.array(values.shape) - offset, block)
    if (high <= low).any():
        return out
    target = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    origin = tuple(slice(a, b) for a, b in zip(low + offset, high + offset, strict=True))
    out[target] = values[origin]
    return out


def _resampled(
    values: npt.NDArray[Any], to_stack: npt.NDArray[np.float64], block: tuple[int, ...]
) -> npt.NDArray[Any]:
    def one(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        wide = np.pad(part, 1, mode="edge")  # half a voxel beyond the centres still belongs to the stack
        moved = to_stack[:3, 3] + 1
        return np.asarray(
            ndimage.affine_transform(wide, to_stack[:3, :3], moved, output_shape=block, order=1, cval=0.0)
        )

    if np.iscomplexobj(values):
        return (one(values.real) + 1j * one(values.imag)).astype(values.dtype)
    return one(values).astype(values.dtype)


def _weights(placed: Sequence[_Stack], n_slices: int) -> npt.NDArray[np.float64]:
    """Shape (stack, slice); the weights of a slice add to 1 where any stack covers it."""
    weights = np.zeros((len(placed), n_slices))
    for number, stack in enumerate(placed):
        slices = np.arange(stack.begin, stack.begin + stack.n)
        taper = np.ones(stack.n)
        for other in placed:
            if other is stack:
                continue
            low, high = max(stack.begin, other.begin), min(stack.begin + stack.n, other.begin + other.n)
            length = high - low
            if length <= 0:
                continue
            rises = other.begin + other.n / 2 < stack.begin + stack.n / 2
            distance = slices + 0.5 - low if rises else high - slices - 0.5
            taper *= np.sin(np.pi / 2 * np.clip(distance / length, 0.0, 1.0)) ** 2
        weights[number, slices] = np.where(stack.filled, np.maximum(taper, 1e-6), 0.0)
    total = weights.sum(axis=0)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def _blend(
    parts: Sequence[npt.NDArray[Any]],
    placed: Sequence[_Stack],
    weights: npt.NDArray[np.float64],
    axis: int,
    shape: tuple[int, int, int],
) -> npt.NDArray[Any]:
    out = np.zeros(shape, dtype=parts[0].dtype)
    view = np.moveaxis(out, axis, 0)
    for number, (part, stack) in enumerate(zip(parts, placed, strict=True)):
        for place, plane in enumerate(np.moveaxis(part, axis, 0), start=stack.begin):
            weight = weights[number, place]
            if np.iscomplexobj(out):
                weight = float(number == int(np.argmax(weights[:, place])))
            if weight:
                view[place] += plane * parts[0].dtype.type(weight)
    return out


def _shifts(placed: Sequence[_Stack]) -> Iterator[Finding]:
    for number, stack in enumerate(placed, start=1):
        if stack.shift_mm:
            what = f"lies up to {stack.shift_mm:.3g} mm off the first stack's voxels: resampled linearly"
            yield Finding("warning", "resampled", what, f"stack {number}")


def _gaps(placed: Sequence[_Stack], n_slices: int, step_mm: float) -> Iterator[Finding]:
    covered = np.zeros(n_slices, dtype=bool)
    held = np.zeros(n_slices, dtype=bool)
    for stack in placed:
        covered[stack.begin : stack.begin + stack.n] = True
        held[stack.begin : stack.begin + stack.n] |= stack.filled
    missing = np.flatnonzero(~covered)
    if missing.size:
        place = f"slices {missing[0]} to {missing[-1]} ({missing.size * step_mm:.1f} mm)"
        what = f"no stack covers {place}; they are zero"
        yield Finding("warning", "gap", what, mend="volumes across the gap are too small")
    absent = np.flatnonzero(covered & ~held)
    if absent.size:
        yield Finding("warning", "absent slices", f"slices {', '.join(map(str, absent))} hold no signal")


def _step(
    name: str, parts: Sequence[npt.NDArray[Any]], placed: Sequence[_Stack], axis: int
) -> Iterator[Finding]:
    """How much brighter each stack is than the one below, from the voxels they share."""
    if name in MAPS:
        return
    for number in range(1, len(placed)):
        below, above = placed[number - 1], placed[number]
        low, high = max(below.begin, above.begin), min(below.begin + below.n, above.begin + above.n)
        if high <= low:
            continue
        pair = [
            np.abs(np.moveaxis(part, axis, 0)[low - stack.begin : high - stack.begin])
            for part, stack in zip(parts[number - 1 : number + 1], (below, above), strict=True)
        ]
        bright = np.logical_and(*(one > BRIGHT * np.percentile(one, 95) for one in pair))
        bright &= np.logical_and(*(one > 0 for one in pair))
        if not bright.any():
            continue
        step = float(np.median(pair[1][bright] / pair[0][bright])) - 1
        what = f"{_spoken(name)}: {step:+.1%} brighter than the stack below, over {high - low} shared slices"
        level: Any = "warning" if abs(step) > STEP else "info"
        yield Finding(level, "intensity step", what, f"stack {number + 1}")


def _spoken(name: str) -> str:
    return f"echo {int(name) + 1}" if name.isdecimal() else name.replace("_", " ")
