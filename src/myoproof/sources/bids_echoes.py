"""Plain NIfTI echoes, without BIDS names: complex, magnitude with phase, or real with imaginary."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from myoproof.core.acquisition import Acquisition, Echoes
from myoproof.errors import InvalidInput, NotReadable, refuse
from myoproof.sources import bids_images, bids_names, bids_nifti, bids_sidecar
from myoproof.sources.bids_images import Image, Tell, unheard

ROLES = {
    "phase": r"(^|[^a-z])(phase|phs|pha|ph)([^a-z]|$)",
    "imaginary": r"(^|[^a-z])(imaginary|imag|im)([^a-z]|$)",
    "real": r"(^|[^a-z])(real|re)([^a-z]|$)",
    "magnitude": r"(^|[^a-z])(magnitude|mag)([^a-z]|$)",
}
"""Role -> how file names say it."""

IMAGES = (".nii", ".nii.gz", ".hdr")


@dataclass(frozen=True, slots=True)
class Who:
    """Whose echoes they are: pseudonym, visit and repetition."""

    subject: str = "subject"
    session: str = "m00"
    run: str = ""


def read_plain(
    *paths: Path,
    echo_times_s: Sequence[float] | None = None,
    settings: Mapping[str, float] | None = None,
    who: Who | None = None,
    modality: str = "multiecho",
    tell: Tell = unheard,
) -> Acquisition:
    """Read echoes from plain NIfTI files.

    Parameters
    ----------
    *paths : Path
        One folder, or files: a 4-D complex image; magnitude and phase; real and imaginary; 3-D images, one an
        echo and role. What a file is comes from its name (``phase``, ``ph``, ``real``, ``imag``, ``mag``,
        ``part-phase``). A ``.json`` among them speaks for all, otherwise each image has its own beside it.
    echo_times_s : sequence of float, optional
        Echo times in seconds, in place of what the sidecars say.
    settings : mapping, optional
        Settings of the scan that the sidecars lack, for example ``field_strength_t``; these win.
    who : Who, optional
        Whose they are.
    modality : str
        ``multiecho``, or ``t2_mapping`` for spin echoes.
    tell : callable
        Told remarks, for example that a phase was in scanner units.

    Returns
    -------
    Acquisition
        Echoes, complex64 where there is phase.

    Raises
    ------
    NotReadable
        If a file is absent or no NIfTI.
    InvalidInput
        All faults together: no echo times, a missing echo, differing grids, phase without magnitude, a phase
        in no known unit.
    """
    images, shared = _sort(paths)
    sidecars = {image: _sidecar(image, shared) for image in images}
    for finding in sorted({one for sidecar in sidecars.values() for one in sidecar.findings}, key=str):
        tell(finding)
    roles = _roles(
        images, sidecars, () if echo_times_s is None else tuple(float(time) for time in echo_times_s)
    )
    refuse(bids_images.faults(roles))
    first = sidecars[images[0]]
    values, times = bids_images.echoes(roles, tell=tell)
    for finding in bids_images.remarks(times.tolist(), str(images[0])):
        tell(finding)
    owner = who or Who()
    return Acquisition(
        subject=owner.subject,
        session=owner.session,
        run=owner.run,
        modality=modality,
        payload=Echoes(values, times, bids_nifti.header(images[0]).affine),
        device=first.device,
        digest=bids_nifti.digest(images),
        settings=dict(first.settings) | dict(settings or {}),
    )


def _sort(paths: Sequence[Path]) -> tuple[list[Path], Path | None]:
    files = [Path(path) for path in paths]
    if len(files) == 1 and files[0].is_dir():
        files = sorted(files[0].iterdir())
    images = [file for file in files if file.name.lower().endswith(IMAGES)]
    notes = [file for file in files if file.suffix.lower() == ".json"]
    if not images:
        raise NotReadable("holds no NIfTI image", where=", ".join(map(str, paths)) or "(nothing)")
    own = {bids_names.stem_of(image) for image in images}
    shared = [note for note in notes if note.stem not in own]
    return images, shared[0] if len(shared) == 1 else None


def _sidecar(image: Path, shared: Path | None) -> bids_sidecar.Sidecar:
    beside = image.with_name(f"{bids_names.stem_of(image)}.json")
    found = beside if beside.is_file() else shared
    return bids_sidecar.read(found) if found else bids_sidecar.Sidecar()


def _roles(
    images: Sequence[Path], sidecars: Mapping[Path, bids_sidecar.Sidecar], given: tuple[float, ...]
) -> dict[str, list[Image]]:
    held: dict[str, list[Path]] = {}
    for image in images:
        held.setdefault(_role(image, alone=len(images) == 1), []).append(image)
    if set(held) == {"magnitude", "complex"}:
        raise InvalidInput(
            "holds complex echoes beside magnitudes", where=str(images[0]), mend="give one of them"
        )
    order = ("complex", "magnitude", "phase", "real", "imaginary")
    return {role: _with_times(held[role], sidecars, given) for role in order if role in held}


def _role(image: Path, *, alone: bool) -> str:
    if bids_nifti.header(image).kind == "c":
        return "complex"
    name = bids_names.stem_of(image).lower()
    found = next((role for role, pattern in ROLES.items() if re.search(pattern, name)), "magnitude")
    return "magnitude" if alone and found in {"real", "imaginary"} else found


def _with_times(
    paths: Sequence[Path], sidecars: Mapping[Path, bids_sidecar.Sidecar], given: tuple[float, ...]
) -> list[Image]:
    images = []
    read = 0
    for number, path in enumerate(sorted(paths, key=_natural)):
        held = bids_nifti.header(path).n_volumes
        said = sidecars[path].echo_times_s
        if given:
            said = given[read:] if number == len(paths) - 1 else given[read : read + held]
        elif len(said) > held == 1 and len(said) == len(paths):
            said = said[number : number + 1]
        read += held
        images.append(Image(path, said, _echo_number(path), sidecars[path].unit))
    return images


def _echo_number(path: Path) -> int:
    found = re.search(r"echo[-_]?(\d+)", path.name.lower())
    return int(found.group(1)) if found else 0


def _natural(path: Path) -> list[tuple[int, str]]:
    words = re.split(r"(\d+)", path.name)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]
