"""The scans of a folder and the masks drawn on them: what a run over muscle MRI has before it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from myoproof.errors import MyoproofError, NotReadable
from myoproof.sources import bids, bids_names
from myoproof.sources.bids import ScanFiles

FAT_AND_WATER = ("dixon", "multiecho")
"""Modalities that are measured wherever they are."""
CONTRASTS = ("T1w", "PDw", "T2w", "MRI", "STIR")
"""Single contrasts by how well muscles part in them: without fat and water, a visit's first is measured."""
PLAIN = {"t1w": "t1", "pdw": "pd", "t2w": "t2", "stir": "stir", "image": ""}
"""File names of single contrasts in plain folders."""
VISIT = re.compile(r"ses-?\w+|[mvwy]\d+|baseline|followup\d*", re.IGNORECASE)
"""Plain folders with such names are visits of the folder around them."""
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
    baseline : Found, optional
        An earlier visit with a drawn mask, where nobody drew on this one.
    fault : str
        Why its files cannot be read; "" where they can.
    """

    scan: ScanFiles
    masks: tuple[MaskFile, ...] = ()
    t2: ScanFiles | None = None
    b1: ScanFiles | None = None
    baseline: "Found | None" = None
    fault: str = ""

    @property
    def key(self) -> str:
        """What the scan is called, here and in file names."""
        scan = self.scan
        words = [scan.subject, scan.session and f"ses-{scan.session}", scan.run and f"run-{scan.run}"]
        return "_".join([*filter(None, words), contrast(scan) or scan.kind])


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
    everything = [found for found in _scans(root) if not _made_here(found.scan, root, without)]
    measured = [found for found in everything if found.fault or _rank(found.scan, everything) == 0]
    if not measured:
        mend = "fat and water images as sub-NAME_ses-VISIT_FAT.nii.gz and ..._WATER.nii.gz, or DICOM"
        raise NotReadable("holds no muscle scan", where=str(source), mend=mend)
    drawn = mask_files(masks) if masks else [*mask_files(root), *_study_masks(source)]
    drawn = [mask for mask in drawn if mask.path.absolute() not in without]
    sessions = {scan.scan.subject: {s.scan.session for s in measured} for scan in measured}
    scans = [_complete(found, everything, drawn, sessions) for found in measured]
    left_out = {
        found.key: _why_left(found.scan)
        for found in everything
        if found not in measured and not any(found.scan in (scan.t2, scan.b1) for scan in scans)
    }
    followed = [replace(found, baseline=_baseline(found, scans)) for found in scans]
    return Findings(tuple(sorted(followed, key=lambda found: found.key)), left_out)


def _made_here(scan: ScanFiles, root: Path, without: Collection[Path]) -> bool:
    """Whether an earlier run made these images, or they lie among derivatives."""
    return any(path.absolute() in without for path in scan.paths) or any(
        "derivatives" in path.relative_to(root).parts[:-1] for path in scan.paths
    )


def _rank(scan: ScanFiles, everything: Sequence[Found]) -> int | None:
    """0 for what a visit is measured on; None for what is never measured by itself; else it stands back."""
    visit = [
        _worth(other.scan)
        for other in everything
        if (other.scan.subject, other.scan.session) == (scan.subject, scan.session)
    ]
    own = _worth(scan)
    return None if own is None else own - min(worth for worth in visit if worth is not None)


def contrast(scan: ScanFiles) -> str:
    """``T1w``, ``T2w`` ... of a single contrast, ``MRI`` where nobody says; "" of other scans."""
    if scan.kind != "muscle_mri" or "image" not in scan.files:
        return ""
    return bids_names.SINGLE.get(scan.protocol.lower().removesuffix("w"), bids_names.SINGLE[""])


def _worth(scan: ScanFiles) -> int | None:
    """Fat and water first, then single contrasts, then spin echoes alone."""
    if scan.kind in FAT_AND_WATER:
        return 0
    if contrast(scan):
        return 1 + CONTRASTS.index(contrast(scan))
    return 1 + len(CONTRASTS) if _is_echoes(scan) else None


def _is_echoes(scan: ScanFiles) -> bool:
    return scan.kind == "t2_mapping" and "t2_ms" not in scan.files


def _why_left(scan: ScanFiles) -> str:
    if scan.kind == "t2_mapping" and not _is_echoes(scan):
        return "a T2 map without its echoes is not measured"
    if "image" in scan.files or _is_echoes(scan):
        return "another scan of its visit is measured, which tells more"
    return "measured only together with another scan of its visit"


def _baseline(found: Found, scans: Sequence[Found]) -> Found | None:
    """The subject's earliest visit with one drawn mask, where this later one has none."""
    if found.masks or found.fault or found.scan.kind not in FAT_AND_WATER:
        return None
    drawn_on = [
        other
        for other in scans
        if other.scan.subject == found.scan.subject
        and len(other.masks) == 1
        and not other.fault
        and other.scan.kind in FAT_AND_WATER
    ]
    first = min(drawn_on, key=lambda other: (*_when(other.scan), other.key), default=None)
    return first if first is not None and _when(first.scan) < _when(found.scan) else None


def _when(scan: ScanFiles) -> tuple[float, str]:
    return scan.day, scan.session


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
    """Folders with ``fat.nii.gz`` and ``water.nii.gz``, or with one contrast such as ``t1w.nii.gz``."""
    for image in sorted(path for ending in IMAGES for path in root.rglob(f"*{ending}")):
        stem = image.name.split(".")[0].lower()
        water = image.with_name(image.name.lower().replace("fat", "water"))
        if stem == "fat" and water.is_file():
            yield Found(ScanFiles(*_owner(image), "", "dixon", {"fat": (image,), "water": (water,)}))
        elif stem in PLAIN:
            yield Found(
                ScanFiles(*_owner(image), "", "muscle_mri", {"image": (image,)}, protocol=PLAIN[stem])
            )


def _owner(path: Path) -> tuple[str, str]:
    """Subject and visit by the folder's name, or by the names of two folders."""
    folder, session = path.parent, "m00"
    if VISIT.fullmatch(folder.name):
        folder, session = folder.parent, folder.name.removeprefix("ses-").removeprefix("ses")
    subject = re.sub(r"[^A-Za-z0-9]", "", folder.name.removeprefix("sub-")) or "1"
    return f"sub-{subject}", re.sub(r"[^A-Za-z0-9]", "", session)


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
        subject, session = _owner(path)
        if "sub" in entities:
            subject, session = f"sub-{entities['sub']}", ""
        elif not VISIT.fullmatch(path.parent.name):
            session = ""
        session, rater = entities.get("ses", session), entities.get("desc", "")
        found.append(MaskFile(path, subject, session, entities.get("run", ""), rater))
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
    t2 = [other for other in visit if _is_echoes(other) and other != scan]
    b1 = [other for other in visit if other.kind == "muscle_mri" and "b1" in other.files]
    return replace(found, masks=fits, t2=t2[0] if t2 else None, b1=b1[0] if b1 else None)


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
