"""A muscle-BIDS study: images and their sidecars written and read, with names as in ORMIR-MIDS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.errors import Finding, InvalidInput, NotReadable, refuse
from myoproof.sources import bids_images, bids_names, bids_nifti, bids_sidecar
from myoproof.sources.bids_echoes import Who, read_plain
from myoproof.sources.bids_images import Image, Tell, unheard
from myoproof.sources.bids_write import settled, write

__all__ = ["ScanFiles", "Who", "read", "read_echoes", "scans", "settled", "write"]

CONTRASTS = {suffix: contrast for contrast, suffix in bids_names.SINGLE.items()}
PERCENT = {"%": 0.01, "percent": 0.01, "0.1%": 0.001, "0.1 %": 0.001, "permille": 0.001, "1": 1.0}


@dataclass(frozen=True, slots=True)
class ScanFiles:
    """The files of one scan of a study.

    Parameters
    ----------
    subject, session, run : str
        ``sub-001``, ``m00`` and what tells repetitions apart; "" where the names have none.
    kind : str
        ``multiecho``, ``t2_mapping``, ``dixon`` or ``muscle_mri``.
    files : mapping of str to tuple of Path
        Role (``magnitude``, ``phase``, ``real``, ``imaginary``) or channel (``fat``, ``water``, ``image``)
        to its files, in the order of their names.
    settings : mapping of str to float
        As in an Acquisition.
    day : float
        Days since the subject's baseline.
    device, protocol, digest : str
        Scanner, contrast, and the digest of the files it was made from ("" unknown).
    """

    subject: str
    session: str
    run: str
    kind: str
    files: Mapping[str, tuple[Path, ...]]
    settings: Mapping[str, float] = field(default_factory=dict)
    day: float = 0.0
    device: str = ""
    protocol: str = ""
    digest: str = ""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files of the scan."""
        return tuple(path for paths in self.files.values() for path in paths)


def scans(root: Path) -> list[ScanFiles]:
    """Find the scans of a muscle-BIDS folder: ours, ORMIR-MIDS, muscle-BIDS, or BIDS with a file an echo.

    Parameters
    ----------
    root : Path
        Holds ``sub-*`` folders, or is one, or holds the images themselves.

    Returns
    -------
    list of ScanFiles
        Sorted by subject, session, kind and run. Empty where nothing bears such a name.

    Raises
    ------
    NotReadable
        If there is no such folder, or a sidecar is no JSON.
    """
    if not Path(root).is_dir():
        raise NotReadable("no such folder", where=str(root))
    groups: dict[tuple[str, ...], dict[str, list[Path]]] = {}
    for path in sorted(Path(root).rglob("*")):
        name = bids_names.parse(path) if path.name.lower().endswith((".nii", ".nii.gz", ".hdr")) else None
        if (
            name is None
            or not path.is_file()
            or any(part.startswith(".") for part in path.relative_to(root).parts)
        ):
            continue
        kind, role = bids_names.kind_and_role(name)
        protocol = CONTRASTS.get(name.suffix, "") if kind == "muscle_mri" and role == "image" else ""
        apart = "" if kind in {"dixon", "multiecho"} else name.suffix
        key = (name.entities["sub"], name.entities.get("ses", ""), kind, name.run, protocol, apart)
        groups.setdefault(key, {}).setdefault(role, []).append(path)
    return [_scan(key, roles) for key, roles in sorted(groups.items())]


def read(scan: ScanFiles, *, tell: Tell = unheard) -> Acquisition:
    """Read one scan.

    Parameters
    ----------
    scan : ScanFiles
        From :func:`scans`.
    tell : callable
        Told remarks: a phase in scanner units, an uneven gap between echoes, per cent instead of fractions.

    Returns
    -------
    Acquisition
        Echoes (complex64 where there is phase) or a Volume of float32 channels.

    Raises
    ------
    NotReadable
        If a file is truncated or no NIfTI.
    InvalidInput
        All faults together: missing sidecar or echo, differing grids, phase in no known unit.
    """
    raw = set(scan.files) <= set(bids_names.PARTS.values())
    payload = _echoes(scan, tell) if raw else _volume(scan, tell)
    return Acquisition(
        subject=scan.subject,
        session=scan.session,
        run=scan.run,
        modality=scan.kind,
        payload=payload,
        day=scan.day,
        device=scan.device,
        protocol=scan.protocol,
        digest=scan.digest or bids_nifti.digest(scan.paths),
        settings=dict(scan.settings),
    )


def read_echoes(
    *paths: Path,
    echo_times_s: Sequence[float] | None = None,
    settings: Mapping[str, float] | None = None,
    who: Who | None = None,
    modality: str = "multiecho",
    tell: Tell = unheard,
) -> Acquisition:
    """Read the echoes of one scan, from a muscle-BIDS folder or from plain NIfTI files.

    Parameters
    ----------
    *paths : Path
        A folder with one multi-echo scan, under BIDS names or any others; or files: a 4-D complex image;
        magnitude and phase; real and imaginary; 3-D images, one an echo and role; with or without JSON.
    echo_times_s, settings, who, modality, tell
        As in :func:`myoproof.sources.bids_echoes.read_plain`.

    Returns
    -------
    Acquisition
        Echoes, complex64 where there is phase.

    Raises
    ------
    NotReadable
        If a file is absent or no NIfTI.
    InvalidInput
        If the folder holds several multi-echo scans, which are listed; else all faults of the scan together.
    """
    plain = partial(
        read_plain, echo_times_s=echo_times_s, settings=settings, who=who, modality=modality, tell=tell
    )
    if len(paths) != 1 or not Path(paths[0]).is_dir():
        return plain(*paths)
    folder = Path(paths[0])
    found = [scan for scan in scans(folder) if scan.kind == modality]
    if len(found) > 1:
        listed = "; ".join(f"{one.subject} {one.session} {one.run}".strip() for one in found)
        raise InvalidInput(
            f"holds {len(found)} {modality} scans ({listed})", where=str(folder), mend="give the files of one"
        )
    if not found:
        return plain(folder)
    if echo_times_s is not None or not all(_sidecar(path) for path in found[0].paths):
        return plain(*found[0].paths, *folder.glob("*.json"))
    acquisition = read(found[0], tell=tell)
    owner = who or Who()
    return replace(
        acquisition,
        subject=owner.subject,
        session=owner.session,
        run=owner.run,
        settings=dict(acquisition.settings) | dict(settings or {}),
    )


def _scan(key: tuple[str, ...], roles: Mapping[str, Sequence[Path]]) -> ScanFiles:
    subject, session, kind, run, protocol, _ = key
    sidecars = [found for paths in roles.values() for path in paths if (found := _sidecar(path))]
    settings: dict[str, float] = {}
    for sidecar in sidecars:
        settings = dict(sidecar.settings) | settings
    first = sidecars[0] if sidecars else bids_sidecar.Sidecar()
    return ScanFiles(
        subject=f"sub-{subject}",
        session=session,
        run=run,
        kind=kind,
        files={role: tuple(paths) for role, paths in roles.items()},
        settings=settings,
        day=first.day,
        device=first.device,
        protocol=protocol or first.technique,
        digest=first.digest,
    )


def _sidecar(path: Path) -> bids_sidecar.Sidecar | None:
    beside = path.with_name(f"{bids_names.stem_of(path)}.json")
    return bids_sidecar.read(beside) if beside.is_file() else None


def _echoes(scan: ScanFiles, tell: Tell) -> Echoes:
    roles: dict[str, list[Image]] = {}
    absent: list[Finding] = []
    for role, paths in scan.files.items():
        for path in paths:
            sidecar, name = _sidecar(path), bids_names.parse(path)
            if sidecar is None:
                mend = "write EchoTime (seconds) and MagneticFieldStrength into it"
                absent.append(Finding("error", "sidecar", "has no JSON sidecar", str(path), mend))
            said = sidecar or bids_sidecar.Sidecar()
            for finding in said.findings:
                tell(finding)
            image = Image(path, said.echo_times_s, name.echo if name else 0, said.unit)
            complex_file = role == "magnitude" and bids_nifti.header(path).kind == "c"
            roles.setdefault("complex" if complex_file else role, []).append(image)
    order: tuple[str, ...] = ("complex", "magnitude", "phase", "real", "imaginary")
    if {"magnitude", "real", "imaginary"} <= set(roles):
        order = ("complex", "magnitude", "phase") if "phase" in roles else ("real", "imaginary")
    roles = {role: roles[role] for role in order if role in roles}
    lost = {finding.where for finding in absent}
    found = [
        one for one in bids_images.faults(roles) if one.category != "echo times" or one.where not in lost
    ]
    refuse([*absent, *found], where=f"{scan.subject} {scan.session} {scan.kind}".strip())
    values, times = bids_images.echoes(roles, tell=tell)
    for finding in bids_images.remarks(times.tolist(), str(scan.paths[0])):
        tell(finding)
    return Echoes(values, times, bids_nifti.header(scan.paths[0]).affine)


def _volume(scan: ScanFiles, tell: Tell) -> Volume:
    headers = {channel: bids_nifti.header(paths[0]) for channel, paths in scan.files.items()}
    refuse(
        [
            *(
                Finding("error", "files", f"{len(paths)} files for {channel}", str(paths[1]), "keep one")
                for channel, paths in scan.files.items()
                if len(paths) > 1
            ),
            *bids_images.volume_faults(list(headers.values())),
        ]
    )
    channels = {}
    for channel, paths in scan.files.items():
        values = next(bids_nifti.volumes(paths[0]))
        sidecar = _sidecar(paths[0])
        channels[channel] = _in_unit(channel, values, sidecar.unit if sidecar else "", str(paths[0]), tell)
    return Volume(channels, next(iter(headers.values())).affine)


def _in_unit(
    channel: str, values: npt.NDArray[np.float32], stated: str, where: str, tell: Tell
) -> npt.NDArray[np.float32]:
    if channel != "fat_fraction":
        return values
    scale = PERCENT.get(stated.strip().lower())
    if scale is None:
        top = float(np.nanpercentile(np.abs(values), 99.5))
        scale = 1.0 if top <= 2 else 0.01 if top <= 200 else 0.001
        if scale != 1.0:
            unit = {0.01: "per cent", 0.001: "tenths of a per cent"}[scale]
            tell(Finding("info", "units", f"fat fractions up to {top:.4g} taken as {unit}", where))
    return values if scale == 1.0 else values * np.float32(scale)
