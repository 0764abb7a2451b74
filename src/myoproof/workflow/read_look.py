"""What a folder of scans holds, DICOM or NIfTI, shown before anything is written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.core.contracts import Progress, silent
from myoproof.errors import Finding, MyoproofError, NotReadable
from myoproof.sources import bids, bids_nifti, dicom, identity
from myoproof.sources.bids import ScanFiles
from myoproof.sources.dicom import Series
from myoproof.workflow import read_child

NO_DICOM = (".nii", ".nii.gz", ".hdr", ".img", ".json", ".tsv", ".csv", ".txt", ".md", ".bval", ".bvec")
MASKS = {"segmentation": "DICOM segmentation", "structure_set": "RTSTRUCT"}


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of a folder: how it was stored, and what is known before its voxels are read.

    Parameters
    ----------
    number : int
        1-based; what a user chooses by.
    parts : tuple of Series, or ScanFiles
        The stacks of a DICOM scan, or the files of a NIfTI scan.
    patient, study : int
        Counts within the folder.
    kind : str
        Modality.
    shown : dict
        What the table says of it.
    findings : tuple of Finding
        An error means that it cannot be read.
    """

    number: int
    parts: tuple[Series, ...] | ScanFiles
    patient: int
    study: int
    kind: str
    shown: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def readable(self) -> bool:
        """Whether nothing forbids to read it."""
        return all(one.level != "error" for one in self.findings)


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds.

    Parameters
    ----------
    folder : Path
        Where.
    scans : tuple of Scan
        In the order of their numbers.
    findings : tuple of Finding
        Of the folder as a whole, and of its scans.
    """

    folder: Path
    scans: tuple[Scan, ...]
    findings: tuple[Finding, ...]

    @property
    def table(self) -> pd.DataFrame:
        """A line a scan."""
        return pd.DataFrame([{"scan": one.number} | one.shown for one in self.scans])

    @property
    def ambiguous(self) -> str:
        """Which patients and studies are mixed; "" where there is nothing to choose."""
        held = Counter((one.patient, one.study) for one in self.scans if not isinstance(one.parts, ScanFiles))
        if len(held) < 2:
            return ""
        listed = ", ".join(
            f"patient {patient} study {study}: scans {_listed(self.scans, patient, study)}"
            for patient, study in sorted(held)
        )
        return f"holds {len({patient for patient, _ in held})} patients in {len(held)} studies ({listed})"


def look(folder: Path, *, progress: Progress = silent) -> Found:
    """What a folder of DICOM, NIfTI, or both holds; nothing is written.

    Raises
    ------
    NotReadable
        If there is no such folder or it is empty.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotReadable("there is no such folder", where=str(folder))
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise NotReadable("the folder is empty", where=str(folder))
    found: list[Scan] = []
    findings: list[Finding] = []
    named = bids.scans(folder)
    found += [_of_nifti(scan, named) for scan in named]
    loose = [path for path in files if _is_nifti(path) and not any(path in scan.paths for scan in named)]
    if loose:
        what = f"{len(loose)} NIfTI files without muscle-BIDS names are left out"
        mend = "give them to `myoproof read dixon` or `myoproof fatwater`, or rename them"
        findings.append(Finding("info", "names", what, str(loose[0].parent), mend))
    if any(not path.name.lower().endswith(NO_DICOM) for path in files):
        inventory = dicom.scan_folder(folder, parse=read_child.parse, progress=progress)
        findings += [one for one in inventory.findings if not one.category.startswith("mixed")]
        findings += _of_masks(inventory)
        found += _of_dicom(inventory)
    numbered = tuple(replace(scan, number=number) for number, scan in enumerate(found, start=1))
    own = [
        replace(one, where=one.where or f"scan {scan.number}") for scan in numbered for one in scan.findings
    ]
    return Found(folder, numbered, (*findings, *own))


def _of_dicom(inventory: dicom.Inventory) -> Iterator[Scan]:
    sets: dict[tuple[Any, ...], list[Series]] = {}
    for series in inventory.series:
        joint = (series.patient, series.study, series.stack_set) if series.stack_set else (series.index,)
        sets.setdefault(joint, []).append(series)
    for parts in sets.values():
        parts.sort(key=lambda one: one.stack)
        first = parts[0]
        findings = list(dict.fromkeys(one for part in parts for one in part.findings))
        if identity.burnt_in(first.files[0]):
            what = "says that text is burnt into its pixels: identity may be visible"
            findings.append(
                Finding("warning", "burnt-in text", what, mend="look at the images before sharing them")
            )
        shown = {
            "patient": str(first.patient),
            "study": str(first.study),
            "kind": first.kind.replace("_", " "),
            "images": ", ".join(word.replace("_", " ") for word in first.channels),
            "scanner": first.device or first.vendor,
            "matrix": "x".join(map(str, first.shape)),
            "spacing_mm": " ".join(f"{step:.2f}" for step in first.spacing_mm),
            "echoes": len(first.echo_times_s),
            "stacks": len(parts),
            "findings": _counted(findings),
            "description": first.description,
        }
        yield Scan(0, tuple(parts), first.patient, first.study, first.modality, shown, tuple(findings))


def _of_nifti(scan: ScanFiles, every: Sequence[ScanFiles]) -> Scan:
    findings: list[Finding] = []
    shown: dict[str, Any] = {
        "patient": scan.subject,
        "study": scan.session,
        "kind": scan.kind.replace("_", " "),
    }
    shown |= {"images": ", ".join(word.replace("_", " ") for word in scan.files), "scanner": scan.device}
    try:
        header = bids_nifti.header(scan.paths[0])
        shown["matrix"] = "x".join(map(str, header.grid))
        steps = (header.affine[:3, :3] ** 2).sum(axis=0) ** 0.5
        shown["spacing_mm"] = " ".join(f"{step:.2f}" for step in steps)
        first = next(iter(scan.files.values()))
        shown["echoes"] = max(len(first), header.n_volumes) if scan.kind in {"multiecho", "t2_mapping"} else 0
    except MyoproofError as fault:
        findings.append(Finding("error", "unreadable", str(fault)))
        shown |= {"matrix": "", "spacing_mm": "", "echoes": 0}
    shown |= {"stacks": 1, "findings": _counted(findings), "description": scan.paths[0].name}
    subjects = sorted({one.subject for one in every})
    return Scan(0, scan, subjects.index(scan.subject) + 1, 1, scan.kind, shown, tuple(findings))


def _of_masks(inventory: dicom.Inventory) -> Iterator[Finding]:
    for one in inventory.skipped:
        if one.category in MASKS:
            what = f"a {MASKS[one.category]}: give it as --segmentation when measuring"
            yield Finding("info", "mask", what, str(one.path))


def _counted(findings: Sequence[Finding]) -> str:
    counts = Counter(one.level for one in findings)
    return ", ".join(f"{counts[level]} {level}" for level in ("error", "warning", "info") if counts[level])


def _listed(scans: Sequence[Scan], patient: int, study: int) -> str:
    return ",".join(str(one.number) for one in scans if (one.patient, one.study) == (patient, study))


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz", ".hdr"))
