"""Frames of one DICOM series become drafts: one stack, repetition and family of contrasts each."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from myoproof.core.provenance import digest_arrays
from myoproof.errors import Finding
from myoproof.sources.dicom_geometry import distinct, height_of, normal_of, stacks
from myoproof.sources.dicom_pixels import Stored, Undecodable, stored_pixels
from myoproof.sources.dicom_types import Frame
from myoproof.sources.dicom_vendor import DIXON, PARTS

LayerKey = tuple[str, str, float]
"""Contrast, part and echo time in seconds (-1 where unknown)."""

REPETITION_COVERAGE = 0.5
"""Share of the slices that each repetition must hold (proposal), where a header element tells repetitions."""

REPETITIONS: tuple[Callable[[Frame], float], ...] = (
    lambda frame: frame.temporal,
    lambda frame: frame.acquisition_number,
    lambda frame: frame.acquired_s if frame.acquired_s >= 0 else -1.0,
    lambda frame: frame.diffusion,
)
"""What may tell repeated images of one slice apart, in the order tried."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Frames of one stack that belong to one scan, before it is joined with drafts of other series.

    Parameters
    ----------
    family : str
        ``dixon``, ``echo``, or the contrast of a map.
    flavour : tuple of str
        Other words of the image type, by which processed copies differ.
    repetition : int
        0-based.
    layers : mapping of LayerKey to tuple of Frame
        One frame per slice.
    findings : tuple of Finding
        What was found while parting.
    """

    family: str
    flavour: tuple[str, ...]
    repetition: int
    layers: dict[LayerKey, tuple[Frame, ...]]
    findings: tuple[Finding, ...]

    @property
    def first(self) -> Frame:
        """A frame that stands for the draft."""
        return next(iter(self.layers.values()))[0]

    @property
    def frames(self) -> list[Frame]:
        """All frames."""
        return [frame for layer in self.layers.values() for frame in layer]

    @property
    def acquired_s(self) -> float:
        """The earliest acquisition time, seconds within the day; NaN where unknown."""
        return min((frame.acquired_s for frame in self.frames if frame.acquired_s >= 0), default=float("nan"))


def drafts_of(frames: Sequence[Frame]) -> list[Draft]:
    """The drafts of one DICOM series whose frames all have usable geometry."""
    return [draft for stack in stacks(frames) for draft in _drafts_of_stack(stack)]


def layer_key(frame: Frame) -> LayerKey:
    """What tells the layers of one scan apart; maps and Dixon images do not differ by echo time."""
    timed = frame.contrast == "" and frame.echo_time_s >= 0
    return frame.contrast, frame.part, round(frame.echo_time_s, 6) if timed else -1.0


def _family(frame: Frame) -> str:
    return "dixon" if frame.contrast in DIXON else frame.contrast or "echo"


def _flavour(frame: Frame) -> tuple[str, ...]:
    if frame.contrast:
        return ()
    return tuple(sorted({word for word in frame.image_type[2:] if word not in PARTS}))


def _drafts_of_stack(stack: list[Frame]) -> list[Draft]:
    groups: dict[tuple[str, tuple[str, ...]], list[Frame]] = defaultdict(list)
    for frame in stack:
        groups[_family(frame), _flavour(frame)].append(frame)
    drafts = []
    for (family, flavour), frames in sorted(groups.items()):
        parts, findings = _repetitions(frames)
        for repetition, part in enumerate(parts):
            layers: dict[LayerKey, list[Frame]] = defaultdict(list)
            for frame in part:
                layers[layer_key(frame)].append(frame)
            kept = {key: tuple(layers[key]) for key in sorted(layers)}
            drafts.append(Draft(family, flavour, repetition, kept, tuple(findings)))
    return drafts


def _repetitions(frames: list[Frame]) -> tuple[list[list[Frame]], list[Finding]]:
    """Part frames so that each part has at most one frame per layer and slice."""
    slots = _slots(frames)
    if not _collide(frames, slots):
        return [frames], []
    for tell in REPETITIONS:
        parts = _parted(frames, tell)
        if len(parts) > 1 and all(_is_repetition(part, frames, slots) for part in parts):
            message = f"{len(parts)} repetitions"
            return parts, [Finding("info", "repetitions", message, _where(frames))]
    return _by_content(frames, slots)


def _slots(frames: list[Frame]) -> dict[tuple[str, int], int]:
    normal = normal_of(frames[0])
    heights = np.array([height_of(frame, normal) for frame in frames])
    ordered = distinct(heights)
    nearest = np.abs(ordered[:, None] - heights).argmin(axis=0)
    return {frame.key: int(slot) for frame, slot in zip(frames, nearest, strict=True)}


def _places(frames: Iterable[Frame], slots: dict[tuple[str, int], int]) -> Counter[tuple[LayerKey, int]]:
    return Counter((layer_key(frame), slots[frame.key]) for frame in frames)


def _collide(frames: Iterable[Frame], slots: dict[tuple[str, int], int]) -> bool:
    return max(_places(frames, slots).values()) > 1


def _parted(frames: list[Frame], tell: Callable[[Frame], float]) -> list[list[Frame]]:
    parts: dict[float, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[tell(frame)].append(frame)
    return [parts[value] for value in sorted(parts)]


def _is_repetition(part: list[Frame], frames: list[Frame], slots: dict[tuple[str, int], int]) -> bool:
    found, whole = _places(part, slots), _places(frames, slots)
    layers = {layer for layer, _ in found}
    asked = sum(layer in layers for layer, _ in whole)
    return max(found.values()) == 1 and len(found) >= REPETITION_COVERAGE * asked


def _by_content(
    frames: list[Frame], slots: dict[tuple[str, int], int]
) -> tuple[list[list[Frame]], list[Finding]]:
    """Where no header element tells repeated slices apart: drop true copies, else go by instance number."""
    places: dict[tuple[LayerKey, int], list[Frame]] = defaultdict(list)
    for frame in sorted(frames, key=lambda frame: (frame.instance, frame.key)):
        places[layer_key(frame), slots[frame.key]].append(frame)
    repeated = [frame for group in places.values() if len(group) > 1 for frame in group]
    contents = {frame.key: _content(pixels) for frame, pixels in stored_pixels(repeated)}
    where = _where(frames)
    if all(len({contents[frame.key] for frame in group}) == 1 for group in places.values() if len(group) > 1):
        extra = len(repeated) - sum(len(group) > 1 for group in places.values())
        message = f"{extra} slices are there again, alike; the copies are left out"
        return [[group[0] for group in places.values()]], [Finding("info", "duplicates", message, where)]
    counts = {len(group) for group in places.values()}
    if len(counts) == 1:
        message = f"{max(counts)} images of each slice, told apart by their instance numbers alone"
        parts = [[group[turn] for group in places.values()] for turn in range(max(counts))]
        return parts, [Finding("warning", "repetitions", message, where, "check which image is which")]
    clashes = sorted({frame.origin.path.name for frame in repeated})
    message = f"some slices are there more than once with different content: {', '.join(clashes[:4])}"
    fault = Finding("error", "duplicates", message, where, "remove the files that do not belong to the scan")
    return [[group[0] for group in places.values()]], [fault]


def _content(pixels: Stored | Undecodable) -> str:
    return digest_arrays(pixels) if isinstance(pixels, np.ndarray) else "undecodable"


def _where(frames: Sequence[Frame]) -> str:
    return f"series {frames[0].origin.series_number}"
