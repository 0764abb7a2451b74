"""The scans of a folder and the masks drawn on them: what a run over muscle MRI has before it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myoproof.errors import MyoproofError, NotReadable
from myoproof.sources import bids
from myoproof.sources.bids import ScanFiles

MEASURED = ("dixon", "multiecho")
"""Modalities that a run measures by themselves; others accompany them."""
MASK_NAMES = ("mask", "dseg", "seg", "labels", "segmentation")
IMAGES = (".nii", ".nii.gz")
MASKS = (*IMAGES, ".dcm")


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask, whose it is, and who drew it ("" where the name does not say)."""

    path: Path
    subject: str
    session: str
    run: str
    rater: str


@dataclass(frozen=True, slots=True)
class Found:
    """One scan to measure, and what belongs to it.

    Parameters
    ----------
    scan : ScanFiles
        Its files.
    masks : tuple of MaskFile
        Drawn on it; more than one is a question to the user.
    t2, b1 : ScanFiles, optional
        Multi-echo spin echo and transmit field of the same session.
    fault : str
        Why its files cannot be read; "" where they can.
    """

    scan: ScanFiles
    masks: tuple[MaskFile, ...] = ()
    t2: ScanFiles | None = None
    b1: ScanFiles | None = None
    fault: str = ""

    @property
    def key(self) -> str:
        """What the scan is called, here and in file names."""
        scan = self.scan
        words = [scan.subject, scan.session and f"ses-{scan.session}", scan.run and f"run-{scan.run}"]
        return "_".join([*filter(None, words), scan.kind])


@dataclass(frozen=True, slots=True)
class Findings:
    """What a folder holds: scans to measure, and scans that are not measured with the reason."""

    scans: tuple[Found, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def find(source: Path, *, masks: Path | None = None, without: Collection[Path] = ()) -> Findings:
    """Find the scans of a study folder, a muscle-BIDS folder, or a folder of NIfTI images.

    Parameters
    ----------
    source : Path
        A study folder (its ``raw/`` is read), a folder of ``sub-*`` folders, or a folder with a folder a
        subject that holds ``fat.nii.gz`` and ``water.nii.gz``.
    masks : Path, optional
        Where drawn masks lie; otherwise those beside the images.
    without : collection of Path
        Files that are no input, for example masks that an earlier run wrote.

    Returns
    -------
    Findings
        Sorted by name.

    Raises
    ------
    NotReadable
        If there is no such folder, or it holds no scan.
    """
    source = Path(source)
    if not source.is_dir():
        raise NotReadable("no such folder", where=str(source))
    root = source / "raw" if (source / "raw").is_dir() else source
    everything = list(_scans(root))
    measured = [found for found in everything if found.scan.kind in MEASURED or found.fault]
    if not measured:
        mend = "fat and water images as sub-NAME_ses-VISIT_FAT.nii.gz and ..._WATER.nii.gz, or DICOM"
        raise NotReadable("holds no Dixon or multi-echo scan", where=str(source), mend=mend)
    drawn = mask_files(masks) if masks else [*mask_files(root), *_study_masks(source)]
    drawn = [mask for mask in drawn if mask.path.absolute() not in without]
    sessions = {scan.scan.subject: {s.scan.session for s in measured} for scan in measured}
    scans = [_complete(found, everything, drawn, sessions) for found in measured]
    left_out = {
        found.key: "measured only together with a Dixon scan of its session"
        for found in everything
        if found not in measured and not any(found.scan in (scan.t2, scan.b1) for scan in scans)
    }
    return Findings(tuple(sorted(scans, key=lambda found: found.key)), left_out)


def _scans(root: Path) -> Iterator[Found]:
    """Scans, subject by subject: one that cannot be read stands for itself alone."""
    people = sorted(path for path in root.glob("sub-*") if path.is_dir())
    for place in people or [root]:
        try:
            yield from (Found(scan) for scan in bids.scans(place))
        except MyoproofError as error:
            files = {"unreadable": tuple(path for path in sorted(place.rglob("*")) if path.is_file())}
            yield Found(ScanFiles(place.name, "", "", "unreadable", files), fault=str(error))
    if not people:
        yield from _plain(root)


def _plain(root: Path) -> Iterator[Found]:
    """Folders with ``fat.nii.gz`` and ``water.nii.gz``, each a subject by the folder's name."""
    for fat in sorted(path for ending in IMAGES for path in root.rglob(f"fat{ending}")):
        water = fat.with_name(fat.name.replace("fat", "water"))
        if water.is_file():
            subject = re.sub(r"[^A-Za-z0-9]", "", fat.parent.name.removeprefix("sub-")) or "1"
            yield Found(ScanFiles(f"sub-{subject}", "m00", "", "dixon", {"fat": (fat,), "water": (water,)}))


def mask_files(folder: Path) -> list[MaskFile]:
    """Masks below a folder, by their names.

    Raises
    ------
    NotReadable
        If there is no such folder.
    """
    if not folder.is_dir():
        raise NotReadable("no such folder", where=str(folder))
    found = []
    for path in sorted(folder.rglob("*")):
        ending = next((end for end in sorted(MASKS, key=len, reverse=True) if path.name.endswith(end)), "")
        stem = path.name.removesuffix(ending) if ending else ""
        entities = dict(re.findall(r"(sub|ses|run|desc)-([A-Za-z0-9]+)", stem))
        last = re.split(r"[_.-]", stem)[-1].lower()
        if not ending or last not in MASK_NAMES:
            continue
        subject = entities.get("sub") or re.sub(r"[^A-Za-z0-9]", "", path.parent.name.removeprefix("sub-"))
        rater = entities.get("desc", "")
        found.append(
            MaskFile(path, f"sub-{subject}", entities.get("ses", ""), entities.get("run", ""), rater)
        )
    return found


def _study_masks(source: Path) -> list[MaskFile]:
    return mask_files(source / "segmentations") if (source / "segmentations").is_dir() else []


def _complete(
    found: Found, everything: Sequence[Found], drawn: Sequence[MaskFile], sessions: Mapping[str, set[str]]
) -> Found:
    scan = found.scan
    fits = tuple(
        mask
        for mask in drawn
        if mask.subject == scan.subject
        and (mask.session == scan.session or (not mask.session and len(sessions[scan.subject]) == 1))
        and mask.run in ("", scan.run)
    )
    visit = [
        other.scan
        for other in everything
        if (other.scan.subject, other.scan.session) == (scan.subject, scan.session)
    ]
    t2 = [other for other in visit if other.kind == "t2_mapping"]
    b1 = [other for other in visit if other.kind == "muscle_mri" and "b1" in other.files]
    return Found(scan, fits, t2[0] if t2 else None, b1[0] if b1 else None, found.fault)


def to_json(scan: ScanFiles | None) -> dict[str, Any] | None:
    """A scan's files as plain JSON."""
    if scan is None:
        return None
    files = {role: [str(path) for path in paths] for role, paths in scan.files.items()}
    names = ("subject", "session", "run", "kind", "day", "device", "protocol", "digest")
    return {name: getattr(scan, name) for name in names} | {"files": files, "settings": dict(scan.settings)}


def from_json(record: Mapping[str, Any]) -> ScanFiles:
    """The scan of :func:`to_json`."""
    files = {role: tuple(Path(path) for path in paths) for role, paths in record["files"].items()}
    return ScanFiles(**{**record, "files": files})
