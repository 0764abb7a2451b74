"""What kind of scan a set of layers is, which of them are used, and what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from myoproof.errors import Finding
from myoproof.sources.dicom_stacks import LayerKey
from myoproof.sources.dicom_types import Frame
from myoproof.sources.dicom_vendor import DIXON, SKIP_WORDS

Layers = Mapping[LayerKey, Sequence[Frame | None]]

MODALITIES = {
    "dixon": "dixon",
    "multiecho": "multiecho",
    "multi_echo_spin_echo": "t2_mapping",
    "t2_map": "t2_mapping",
    "b1_map": "muscle_mri",
    "single": "muscle_mri",
    "other": "muscle_mri",
}
"""Kind -> word of the vocabulary ``modalities``."""

MAPS = {"t2_ms": "t2_map", "b1": "b1_map"}
"""Contrast of a map that is read alone -> kind."""

LEAST_COVERAGE = 0.5
"""An echo that holds a smaller share of the slices is left out whole (proposal)."""

SPIN_ECHO_SPACING_S = 0.005
"""Echoes at least this far apart are spin echoes where the header names no sequence (proposal)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scan, its channels and the layers it uses, in order."""

    name: str
    channels: tuple[str, ...]
    layers: tuple[LayerKey, ...]
    echo_times_s: tuple[float, ...]
    findings: tuple[Finding, ...]

    @property
    def modality(self) -> str:
        """Word of the vocabulary."""
        return MODALITIES[self.name]


def kind_of(layers: Layers, where: str) -> Kind:
    """The kind of a scan from its layers.

    Parameters
    ----------
    layers : mapping of LayerKey to frames by slice
        All of one family.
    where : str
        Names the scan in findings.
    """
    contrast = next(iter(layers))[0]
    fault = _not_a_stack(layers)
    if fault or contrast == "other":
        message = fault or "a map of a kind that is not read"
        return Kind("other", (), tuple(layers), (), (Finding("error", "kind", message, where),))
    if contrast in DIXON:
        return _dixon(layers, where)
    if contrast in MAPS:
        return Kind(MAPS[contrast], (contrast,), (_best(layers, contrast),), (), ())
    return _echoes(layers, where)


def _not_a_stack(layers: Layers) -> str:
    frames = [frame for found in layers.values() for frame in found if frame is not None]
    words = {word for frame in frames for word in frame.image_type} & set(SKIP_WORDS)
    if words:
        return f"{sorted(words)[0].lower()}: no stack of slices as measured"
    if any(frame.diffusion > 0 for frame in frames):
        return "diffusion images, which are not read"
    return ""


def _best(layers: Layers, contrast: str) -> LayerKey:
    """The layer of a contrast: magnitude before real before the rest."""
    order = {"magnitude": 0, "real": 1}
    return min((key for key in layers if key[0] == contrast), key=lambda key: (order.get(key[1], 2), key))


def _dixon(layers: Layers, where: str) -> Kind:
    contrasts = [contrast for contrast in DIXON if any(key[0] == contrast for key in layers)]
    if "r2star" in contrasts and "t2star" in contrasts:
        contrasts.remove("t2star")
    findings = _told_by_name(layers, where)
    for present, absent in (("water", "fat"), ("fat", "water")):
        if present in contrasts and absent not in contrasts:
            message = f"the {absent} image of this scan was not found beside its {present} image"
            findings.append(Finding("warning", "incomplete", message, where, f"add the {absent} series"))
    channels = tuple(dict.fromkeys("r2star" if contrast == "t2star" else contrast for contrast in contrasts))
    return Kind(
        "dixon", channels, tuple(_best(layers, contrast) for contrast in contrasts), (), tuple(findings)
    )


def _told_by_name(layers: Layers, where: str) -> list[Finding]:
    told = {
        frame.contrast
        for found in layers.values()
        for frame in found
        if frame is not None and frame.told_by == "description"
    }
    if not told:
        return []
    message = f"told by the series description alone: {', '.join(sorted(told))}"
    return [Finding("info", "contrast", message, where, "check that it is so")]


def _echoes(layers: Layers, where: str) -> Kind:
    whole, findings = _whole_echoes(layers, where)
    times = {
        part: {key[2] for key in whole if key[1] == part}
        for part in ("magnitude", "phase", "real", "imaginary")
    }
    parts = _parts(times)
    if not parts:
        message = f"{' and '.join(part for part in times if times[part]) or 'nothing'} without its partner"
        findings.append(Finding("error", "incomplete", message, where, "add the magnitude series"))
        return Kind("other", (), tuple(layers), (), tuple(findings))
    used = sorted(set.intersection(*(times[part] for part in parts)))
    lost = sorted(set.union(*times.values()) - set(used))
    if lost:
        named = ", ".join(f"{1e3 * time:.2f} ms" for time in lost)
        message = f"left out, not there as {' and '.join(parts)}: echo at {named}"
        findings.append(Finding("warning", "missing echo", message, where, "fetch the series again"))
    if len(used) < 2:
        keys = (
            (("", parts[0], used[0]),)
            if parts[0] == "magnitude"
            else (("", "real", used[0]), ("", "imaginary", used[0]))
        )
        return Kind("single", ("image",), keys, (), tuple(findings))
    findings += _gaps(whole, used, where)
    name, doubt = _sequence(whole, used, where)
    if name == "multi_echo_spin_echo" and parts == ("magnitude", "phase"):
        parts = ("magnitude",)
    every = tuple(("", part, time) for time in used for part in parts)
    return Kind(name, parts, every, tuple(used), (*findings, *doubt))


def _whole_echoes(layers: Layers, where: str) -> tuple[Layers, list[Finding]]:
    """Without the echoes that hold less than half of the slices."""
    share = {key: np.mean([frame is not None for frame in found]) for key, found in layers.items()}
    whole = {key: found for key, found in layers.items() if share[key] >= LEAST_COVERAGE}
    findings = []
    for _, part, time in sorted(set(layers) - set(whole)):
        message = f"the {part} of the echo at {1e3 * time:.2f} ms lacks most slices and is left out"
        findings.append(Finding("warning", "missing echo", message, where, "fetch the series again"))
    return whole, findings


def _parts(times: Mapping[str, set[float]]) -> tuple[str, ...]:
    """Complex where two parts share the echoes, else magnitude, else nothing."""
    most = max(len(found) for found in times.values())
    for pair in (("real", "imaginary"), ("magnitude", "phase")):
        both = len(times[pair[0]] & times[pair[1]])
        if both and (both == most or both >= 3):
            return pair
    return ("magnitude",) if times["magnitude"] else ()


def _gaps(layers: Layers, used: Sequence[float], where: str) -> list[Finding]:
    """Echoes that the numbering or the even spacing of the others says are missing."""
    numbers = sorted({frame.echo_number for found in layers.values() for frame in found if frame is not None})
    missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers)) if numbers and numbers[0] >= 1 else []
    if missing and len(numbers) > 1:
        message = f"of {numbers[-1]} echoes, number {', '.join(map(str, missing))} is missing"
        return [Finding("warning", "missing echo", message, where, "fetch the series again")]
    steps = np.diff(used)
    ratios = steps / steps.min()
    if (
        len(used) >= 4
        and np.abs(ratios - np.rint(ratios)).max() < 0.02
        and np.median(ratios) < 1.5 < ratios.max()
    ):
        after = 1e3 * used[int(np.argmax(ratios))]
        message = f"echoes are evenly spaced but for a gap after {after:.2f} ms"
        return [Finding("warning", "missing echo", message, where, "check that no echo is missing")]
    return []


def _sequence(layers: Layers, used: Sequence[float], where: str) -> tuple[str, list[Finding]]:
    words = {
        word for found in layers.values() for frame in found if frame is not None for word in frame.technique
    }
    if "GR" in words and "SE" not in words:
        return "multiecho", []
    if "SE" in words and "GR" not in words:
        return "multi_echo_spin_echo", []
    spin = min(np.diff(used)) >= SPIN_ECHO_SPACING_S
    name = "multi_echo_spin_echo" if spin else "multiecho"
    message = f"no sequence is stated; taken as {'spin' if spin else 'gradient'} echoes by their spacing"
    return name, [Finding("warning", "sequence", message, where, "check that it is so")]
