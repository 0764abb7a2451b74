"""DICOM: a folder in any order and mixture to scans, and a scan to an Acquisition without identity."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from math import isnan
from pathlib import Path

import numpy as np
import pydicom

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.contracts import Progress, silent
from myoproof.errors import Finding, InvalidInput, NotReadable, refuse
from myoproof.sources.dicom_files import UNREADABLE, find
from myoproof.sources.dicom_geometry import geometry_fault
from myoproof.sources.dicom_header import frames_of
from myoproof.sources.dicom_pixels import digest_of
from myoproof.sources.dicom_scans import Whose, joined, scan_of, with_stacks
from myoproof.sources.dicom_stacks import drafts_of
from myoproof.sources.dicom_types import (
    Frame,
    Identity,
    Inventory,
    Reading,
    Series,
    Skipped,
)
from myoproof.sources.dicom_values import echoes, volume

__all__ = [
    "Identity",
    "Inventory",
    "Reading",
    "Series",
    "Skipped",
    "choose",
    "identity",
    "read",
    "read_series",
    "scan_folder",
]


Parse = Callable[[Sequence[Path]], Iterable[tuple[Frame, ...] | Skipped]]
"""Files to what each holds, in their order."""


def here(paths: Sequence[Path]) -> Iterable[tuple[Frame, ...] | Skipped]:
    """Parse files in this process."""
    return map(frames_of, paths)


def scan_folder(folder: Path, *, parse: Parse = here, progress: Progress = silent) -> Inventory:
    """Find the scans in a folder of DICOM, from the headers alone.

    Parameters
    ----------
    folder : Path
        Searched with all folders below it; files of any name, order and mixture.
    parse : callable
        What parses files; :func:`myoproof.workflow.read_child.parse` does it in a child process.
    progress : callable
        Told the share of files looked at.

    Returns
    -------
    Inventory
        Scans, skipped files with reasons, and findings. Nothing raises for what a file holds.

    Raises
    ------
    NotReadable
        If the folder does not exist or holds no file.

    References
    ----------
    DICOM PS3.3, C.7.6.2 (image plane), C.8.13 (enhanced MR image).
    """
    if not Path(folder).is_dir():
        raise NotReadable("there is no such folder", where=str(folder))
    paths = find(Path(folder))
    if not paths:
        raise NotReadable("the folder is empty", where=str(folder))
    frames: list[Frame] = []
    skipped: list[Skipped] = []
    for done, found in enumerate(parse(paths), start=1):
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            frames += found
        progress("looking at files", done / len(paths))
    frames, copies = _without_copies(frames)
    skipped += copies
    placed = [frame for frame in frames if not geometry_fault(frame)]
    findings = [*_unplaced(frames), *_cut_short(frames), *_unreadable(skipped), *_mixed(frames)]
    return Inventory(
        folder=Path(folder),
        series=tuple(_scans(placed)),
        skipped=tuple(sorted(skipped, key=lambda one: str(one.path))),
        findings=tuple(findings),
        n_files=len(paths),
        n_patients=len({_patient(frame) for frame in frames}),
        n_studies=len({(_patient(frame), frame.origin.study_uid) for frame in frames}),
    )


def choose(
    inventory: Inventory, *, series: Sequence[int] = (), patient: int | None = None, study: int | None = None
) -> tuple[Series, ...]:
    """The scans that are meant, where a folder may hold several patients or studies.

    Parameters
    ----------
    inventory : Inventory
        What the folder holds.
    series : sequence of int
        Indices of scans; empty for all that can be read.
    patient, study : int or None
        Counts, as shown.

    Returns
    -------
    tuple of Series

    Raises
    ------
    InvalidInput
        If the choice names what is not there, or nothing is chosen of several patients or studies.
    """
    known = {scan.index for scan in inventory.series}
    if unknown := sorted(set(series) - known):
        raise InvalidInput(
            f"there is no scan {', '.join(map(str, unknown))}",
            where=str(inventory.folder),
            mend=f"choose from 1 to {max(known, default=0)}",
        )
    chosen = [
        scan
        for scan in inventory.series
        if (scan.index in series or (not series and scan.readable))
        and patient in (None, scan.patient)
        and study in (None, scan.study)
    ]
    if not series:
        refuse(_undecided(inventory, chosen))
    return tuple(chosen)


def read(
    series: Series,
    *,
    subject: str = "",
    session: str = "",
    run: str = "",
    day: float | None = None,
    centre: str = "",
    progress: Progress = silent,
) -> Reading:
    """Read the pixels of one scan.

    Parameters
    ----------
    series : Series
        From :func:`scan_folder`.
    subject, session, run : str
        Pseudonym, visit and repetition; nothing of the header takes their place.
    day : float, optional
        Days since baseline; left out, since the patient's first study in the folder.
    centre : str
        Where the scan was made.
    progress : callable
        Told the share of frames read.

    Returns
    -------
    Reading
        Acquisition and findings. Absent slices are zeros in every channel and echo.

    Raises
    ------
    InvalidInput
        If the scan has an error among its findings, or reading finds one.
    """
    refuse(series.findings)
    payload: Volume | Echoes
    if series.kind in {"multiecho", "multi_echo_spin_echo"}:
        payload, findings = echoes(series, progress)
    else:
        payload, findings = volume(series, progress)
    refuse(findings)
    acquisition = Acquisition(
        subject=subject,
        session=session,
        run=run,
        modality=series.modality,
        payload=payload,
        day=series.day if day is None else day,
        centre=centre,
        device=series.device,
        protocol=series.technique,
        digest=digest_of(series.files),
        settings=dict(series.settings),
    )
    return Reading(acquisition, (*series.findings, *findings))


def read_series(
    series: Series,
    *,
    subject: str = "",
    session: str = "",
    run: str = "",
    day: float | None = None,
    centre: str = "",
    progress: Progress = silent,
) -> Acquisition:
    """Read one scan as :func:`read` does, without its findings.

    Parameters
    ----------
    series : Series
        From :func:`scan_folder`.
    subject, session, run : str
        Pseudonym, visit and repetition.
    day : float, optional
        Days since baseline.
    centre : str
        Where the scan was made.
    progress : callable
        Told the share of frames read.

    Returns
    -------
    Acquisition
        Modality ``dixon``, ``multiecho``, ``t2_mapping`` or ``muscle_mri``.

    Raises
    ------
    InvalidInput
        If the scan has an error among its findings, or reading finds one.

    References
    ----------
    DICOM PS3.3, C.7.6.2 (image plane), C.8.13 (enhanced MR image).
    """
    reading = read(
        series, subject=subject, session=session, run=run, day=day, centre=centre, progress=progress
    )
    return reading.acquisition


def identity(series: Series) -> Identity:
    """Who was scanned and when: for pseudonyms, days and a key file; nothing else may ask.

    Parameters
    ----------
    series : Series
        From :func:`scan_folder`.
    """
    first = series.frames[0].origin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags = ["PatientBirthDate", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime"]
        try:
            header = pydicom.dcmread(first.path, stop_before_pixels=True, force=True, specific_tags=tags)
            values = {tag: str(header.get(tag, "") or "") for tag in tags}
        except UNREADABLE:
            values = dict.fromkeys(tags, "")
    acquired = values["AcquisitionDateTime"] or values["AcquisitionDate"] + values["AcquisitionTime"]
    return Identity(
        patient_id=first.patient,
        patient_name=first.name,
        birth_date=values["PatientBirthDate"],
        study_uid=first.study_uid,
        study_date=first.study_date,
        acquired=acquired[:14],
    )


def _patient(frame: Frame) -> str:
    return frame.origin.patient or frame.origin.name


def _without_copies(frames: Iterable[Frame]) -> tuple[list[Frame], list[Skipped]]:
    """Each object once, whole files before cut ones; files that hold it again are skipped."""
    best: dict[tuple[str, int], Frame] = {}
    for frame in sorted(frames, key=lambda frame: (-frame.origin.pixel_bytes, str(frame.origin.path))):
        best.setdefault(frame.key, frame)
    kept = {frame.origin.path for frame in best.values()}
    lost = sorted({frame.origin.path for frame in frames} - kept)
    return list(best.values()), [
        Skipped(path, "duplicate", "the same object is there twice") for path in lost
    ]


def _scans(frames: Sequence[Frame]) -> list[Series]:
    patients = {name: number for number, name in enumerate(sorted({_patient(frame) for frame in frames}), 1)}
    scans: list[Series] = []
    for patient, number in patients.items():
        own = [frame for frame in frames if _patient(frame) == patient]
        days = {frame.origin.study_uid: _day(frame.origin.study_date) for frame in own}
        known = [day for day in days.values() if not isnan(day)]
        order = sorted(days, key=lambda uid: (isnan(days[uid]), np.nan_to_num(days[uid]), uid))
        for study, uid in enumerate(order, start=1):
            day = 0.0 if isnan(days[uid]) else days[uid] - min(known)
            in_study = [frame for frame in own if frame.origin.study_uid == uid]
            scans += _scans_of_study(in_study, Whose(number, study, day))
    return with_stacks(scans)


def _scans_of_study(frames: Sequence[Frame], whose: Whose) -> list[Series]:
    by_series: dict[str, list[Frame]] = {}
    for frame in frames:
        by_series.setdefault(frame.origin.series_uid or f"number {frame.origin.series_number}", []).append(
            frame
        )
    drafts = [draft for own in by_series.values() for draft in drafts_of(own)]
    scans = [scan for scan in (scan_of(together, whose) for together in joined(drafts)) if scan.frames]
    return sorted(scans, key=lambda scan: (scan.frames[0].origin.series_number, scan.kind))


def _day(text: str) -> float:
    try:
        return float(date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal())
    except ValueError:
        return float("nan")


def _unplaced(frames: Sequence[Frame]) -> list[Finding]:
    faults: dict[tuple[int, str], list[Frame]] = {}
    for frame in frames:
        if fault := geometry_fault(frame):
            faults.setdefault((frame.origin.series_number, fault), []).append(frame)
    mend = "send the original DICOM files, not exported pictures"
    return [
        Finding(
            "warning", "geometry", f"{len(found)} images have {fault}; left out", f"series {number}", mend
        )
        for (number, fault), found in sorted(faults.items(), key=lambda item: item[0])
    ]


def _cut_short(frames: Sequence[Frame]) -> list[Finding]:
    whole = {frame.origin.series_number for frame in frames if frame.intact}
    lost = sorted({frame.origin.series_number for frame in frames} - whole)
    mend = "copy the files again from the archive"
    return [
        Finding("warning", "cut short", "every image is cut short; left out", f"series {number}", mend)
        for number in lost
    ]


def _unreadable(skipped: Sequence[Skipped]) -> list[Finding]:
    mend = "copy the files again from the archive"
    return [
        Finding("warning", "unreadable file", one.reason, str(one.path), mend)
        for one in skipped
        if one.category in {"unreadable", "no_pixels"}
    ]


def _mixed(frames: Sequence[Frame]) -> list[Finding]:
    patients = {_patient(frame) for frame in frames}
    studies = {(_patient(frame), frame.origin.study_uid) for frame in frames}
    findings = []
    for what, count in (("patients", len(patients)), ("studies", len(studies))):
        if count > 1:
            mend = "choose by the numbers in the table"
            findings.append(Finding("warning", f"mixed {what}", f"holds {count} {what}", "", mend))
    for patient in patients:
        names = {frame.origin.name for frame in frames if frame.origin.patient == patient}
        if len(names) > 1 and patient:
            message = f"one patient id with {len(names)} different names"
            findings.append(Finding("warning", "identity", message, "", "check whose images they are"))
    return findings


def _undecided(inventory: Inventory, chosen: Sequence[Series]) -> list[Finding]:
    studies = Counter((scan.patient, scan.study) for scan in chosen)
    if len(studies) < 2:
        return []
    counted = sorted(studies.items())
    patients = len({patient for patient, _ in studies})
    listed = ", ".join(
        f"patient {patient} study {study} ({count} scans)" for (patient, study), count in counted
    )
    message = f"{patients} patients and {len(studies)} studies in one folder: {listed}"
    return [
        Finding("error", "mixed", message, str(inventory.folder), "choose one patient and study, or scans")
    ]
