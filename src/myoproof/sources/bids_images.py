"""Files of one scan made into one array: echoes in order, magnitude with phase, or real with imaginary."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, refuse
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm
from myoproof.sources import bids_nifti
from myoproof.sources.bids_phase import phase_unit

Tell = Callable[[Finding], None]
"""Called with every remark about data that is no fault."""

JUMP = 1.5
"""A gap between echo times above this many times the smallest one hints at a missing echo."""


def unheard(finding: Finding) -> None:
    """Remarks that nobody asked for."""
    del finding


@dataclass(frozen=True, slots=True)
class Image:
    """One file of a scan and what its sidecar says.

    Parameters
    ----------
    path : Path
        NIfTI, 3-D or 4-D.
    echo_times_s : tuple of float
        One a volume; empty where nothing says them.
    echo : int
        Number of the echo in the file's name; 0 where the file holds all.
    unit : str
        Unit of the voxels as the sidecar states it.
    """

    path: Path
    echo_times_s: tuple[float, ...] = ()
    echo: int = 0
    unit: str = ""


def faults(roles: Mapping[str, Sequence[Image]]) -> list[Finding]:
    """Everything that keeps the files from being one multi-echo scan, together.

    Raises
    ------
    NotReadable
        If a header cannot be read.
    """
    headers = {
        role: [(image, bids_nifti.header(image.path)) for image in images] for role, images in roles.items()
    }
    everything = [pair for pairs in headers.values() for pair in pairs]
    findings = [finding for _, header in everything for finding in _own_faults(header)]
    findings += _grid_faults([header for _, header in everything])
    for role, pairs in headers.items():
        findings += _echo_faults(role, pairs)
    findings += _role_faults({role: [image for image, _ in pairs] for role, pairs in headers.items()})
    return findings


def volume_faults(headers: Sequence[bids_nifti.Header]) -> list[Finding]:
    """Everything that keeps files from being the channels of one volume, together."""
    findings = [finding for header in headers for finding in _own_faults(header)] + _grid_faults(headers)
    for header in headers:
        if header.n_volumes != 1:
            what = f"holds {header.n_volumes} volumes, not one"
            findings.append(Finding("error", "dimensions", what, str(header.path)))
        if header.kind == "c":
            findings.append(Finding("error", "values", "holds complex values", str(header.path)))
    return findings


def remarks(echo_times_s: Sequence[float], where: str) -> list[Finding]:
    """A hint where the echo times leave a gap, as they do when an echo was lost.

    Examples
    --------
    >>> remarks([0.001, 0.002, 0.004], "scan")[0].category
    'echo times'
    """
    steps = np.diff(np.sort(np.asarray(echo_times_s, dtype=np.float64)))
    if steps.size < 2 or steps.min() <= 0 or steps.max() / steps.min() <= JUMP:
        return []
    listed = ", ".join(f"{time * 1e3:.3f}" for time in sorted(echo_times_s))
    return [Finding("warning", "echo times", f"uneven echo times ({listed} ms): is an echo missing?", where)]


def echoes(
    roles: Mapping[str, Sequence[Image]], *, tell: Tell = unheard
) -> tuple[npt.NDArray[np.complex64] | npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Load checked files as echoes in the order of their echo times.

    Parameters
    ----------
    roles : mapping of str to sequence of Image
        ``complex``; or ``magnitude`` with or without ``phase``; or ``real`` and ``imaginary``.
    tell : callable
        Told what is remarkable, for example a phase in scanner units.

    Returns
    -------
    values : ndarray, shape (x, y, z, echo)
        complex64, or float32 where there is no phase.
    echo_times_s : ndarray, shape (echo,)
        Increasing.

    Raises
    ------
    InvalidInput
        If the phase fits no known unit.
    NotReadable
        If a file is truncated.
    """
    first = next(role for role in ("complex", "magnitude", "real") if role in roles)
    times = np.array([time for image in roles[first] for time in image.echo_times_s], dtype=np.float64)
    order = np.argsort(times)
    place = np.argsort(order)
    grid = bids_nifti.header(roles[first][0].path).grid
    complex_out = first == "complex" or len(roles) > 1
    values: npt.NDArray[Any] = np.zeros(
        (*grid, times.size), dtype=np.complex64 if complex_out else np.float32
    )
    if first == "real":
        for number, (real, imaginary) in enumerate(
            zip(*(_each(roles[r]) for r in ("real", "imaginary")), strict=True)
        ):
            values.real[..., place[number]] = real
            values.imag[..., place[number]] = imaginary
        return values, times[order]
    for number, volume in enumerate(_each(roles[first])):
        values[..., place[number]] = volume
    if "phase" in roles:
        _turn(values, roles["phase"], tell)
    return values, times[order]


def _turn(values: npt.NDArray[Any], images: Sequence[Image], tell: Tell) -> None:
    low, high = np.inf, -np.inf
    for volume in _each(images):
        finite = volume[np.isfinite(volume)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    unit, findings = phase_unit(low, high, images[0].unit, where=str(images[0].path))
    refuse(findings)
    for finding in findings:
        tell(finding)
    order = np.argsort([time for image in images for time in image.echo_times_s])
    place = np.argsort(order)
    for number, volume in enumerate(_each(images)):
        angle = volume * np.float32(unit.radians_each)
        values[..., place[number]] *= np.exp(1j * angle).astype(np.complex64)


def _each(images: Sequence[Image]) -> Iterator[npt.NDArray[Any]]:
    for image in images:
        yield from bids_nifti.volumes(image.path)


def _own_faults(header: bids_nifti.Header) -> list[Finding]:
    where = str(header.path)
    findings = []
    if not 3 <= len(header.shape) <= 4 or 0 in header.shape:
        findings.append(
            Finding("error", "dimensions", f"has the shape {header.shape}, not 3-D or 4-D", where)
        )
    if header.kind not in "iufc":
        findings.append(Finding("error", "values", "holds no numbers (colour or text voxels)", where))
    if not np.isfinite(header.affine).all() or abs(np.linalg.det(header.affine[:3, :3])) < 1e-9:
        findings.append(Finding("error", "orientation", "states an affine that cannot be inverted", where))
    return findings


def _grid_faults(headers: Sequence[bids_nifti.Header]) -> list[Finding]:
    first = headers[0]
    findings = []
    for other in headers[1:]:
        if other.grid != first.grid:
            said = f"has the shape {other.grid}, but {first.path.name} {first.grid}"
            findings.append(Finding("error", "shape", said, str(other.path), "give the images of one scan"))
            continue
        apart = displacement_mm(first.affine, other.affine, first.grid)
        if apart > GRID_TOLERANCE_MM:
            said = f"lies up to {apart:.4g} mm from the grid of {first.path.name}"
            findings.append(Finding("error", "grid", said, str(other.path), "give the images of one scan"))
    return findings


def _echo_faults(role: str, pairs: Sequence[tuple[Image, bids_nifti.Header]]) -> list[Finding]:
    findings = []
    for image, header in pairs:
        held, said = header.n_volumes, len(image.echo_times_s)
        where = str(image.path)
        if said == 0:
            mend = "add EchoTime (a list, seconds) to its JSON sidecar"
            findings.append(Finding("error", "echo times", f"{held} volumes without echo times", where, mend))
        elif said != held:
            what = f"holds {held} echoes, but its sidecar says {said} echo times"
            findings.append(Finding("error", "missing echo", what, where, "give every echo with its time"))
    numbers = sorted(image.echo for image, _ in pairs if image.echo)
    lost = sorted(set(range(1, (numbers or [0])[-1] + 1)) - set(numbers))
    if lost:
        what = f"the {role} lacks echo {', '.join(map(str, lost))} of {numbers[-1]}"
        findings.append(Finding("error", "missing echo", what, str(pairs[0][0].path.parent)))
    times = sorted(time for image, _ in pairs for time in image.echo_times_s)
    twice = sorted({one for one, two in itertools.pairwise(times) if one == two})
    if twice:
        what = f"the {role} has two echoes at {', '.join(f'{time * 1e3:.3f} ms' for time in twice)}"
        findings.append(Finding("error", "echo times", what, str(pairs[0][0].path)))
    return findings


def _role_faults(roles: Mapping[str, Sequence[Image]]) -> list[Finding]:
    partner = {"phase": "magnitude", "real": "imaginary", "imaginary": "real"}
    findings = [
        Finding("error", "parts", f"{role} without {partner[role]}", str(images[0].path))
        for role, images in roles.items()
        if partner.get(role, role) not in roles
    ]
    times = {
        role: sorted(t for image in images for t in image.echo_times_s) for role, images in roles.items()
    }
    first = next(iter(times))
    for role, said in times.items():
        if (
            said
            and times[first]
            and (len(said) != len(times[first]) or not np.allclose(said, times[first], atol=1e-6))
        ):
            listed = [", ".join(f"{t * 1e3:.3f}" for t in one) for one in (times[first], said)]
            what = f"{first} has echoes at {listed[0]} ms, but {role} at {listed[1]} ms"
            findings.append(Finding("error", "missing echo", what, str(roles[role][0].path)))
    return findings
