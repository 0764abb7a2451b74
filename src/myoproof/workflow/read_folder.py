"""A folder of scans read: shown as a table, or written into a study folder without identity."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.cohort import ACQUISITIONS
from myoproof.core.contracts import Progress, silent
from myoproof.core.table import read_frame
from myoproof.errors import Finding, InvalidInput, MyoproofError, NotWritable, refuse
from myoproof.sources import bids, bids_index, bids_nifti, bids_write, dicom, identity, stacks
from myoproof.sources.bids import ScanFiles
from myoproof.sources.dicom_pixels import digest_of
from myoproof.sources.identity import Person
from myoproof.workflow import folder as study_folder
from myoproof.workflow import read_child
from myoproof.workflow.read_look import Found, Scan, look
from myoproof.workflow.read_people import Arrival, Options, Visit, chosen, visits

__all__ = ["Found", "Options", "Taken", "look", "take"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What entered a study.

    Parameters
    ----------
    scans : DataFrame
        scan, subject, session, run, kind, day, state ("new", "known" or "refused"), files, reason.
    findings : tuple of Finding
        What was remarkable, with the scan it concerns.
    """

    scans: pd.DataFrame
    findings: tuple[Finding, ...]


def take(
    folder: Path,
    study: Path,
    options: Options | None = None,
    *,
    jobs: int = 1,
    progress: Progress = silent,
) -> Taken:
    """Write the scans of a folder into a study folder, without identity.

    Images go to ``STUDY/raw`` as muscle-BIDS and are never rewritten; the same scan again changes nothing,
    another scan of the same kind and visit is a further run. Each scan appears whole or not at all; an
    interrupt keeps those that were finished.

    Parameters
    ----------
    folder : Path
        DICOM in any mixture, or NIfTI with muscle-BIDS names and sidecars.
    study : Path
        Study folder: new, empty or ours.
    options : Options, optional
        Choice of scans, pseudonym, visit, key file.
    jobs : int
        Scans that are read at a time; the study is the same for any number.
    progress : callable
        Told what is done.

    Returns
    -------
    Taken
        A scan that cannot be read is a line with its reason; the others enter.

    Raises
    ------
    InvalidInput
        If patients or studies are mixed and none is chosen, nothing can be read, or a pseudonym is wrong.
    NotWritable
        For the folder, the study folder or the key file.
    """
    options = options or Options()
    study_folder.refuse_foreign(study, "study folder")
    found = look(folder, progress=lambda what, share: progress(what, 0.3 * share))
    scans = _chosen(found, options)
    _one_subject(scans, options)
    people = [_person(scan) for scan in scans]
    known = _known(study)
    arrivals = [Arrival(person, _digest(scan)) for scan, person in zip(scans, people, strict=True)]
    asked = [index for index, scan in enumerate(scans) if not isinstance(scan.parts, ScanFiles)]
    placed, key = visits([arrivals[index] for index in asked], known, options) if asked else ([], [])
    where = dict(zip(asked, placed, strict=True))
    tasks = [
        _Task(scan, where.get(index) or _own_visit(scan, options), tuple(people))
        for index, scan in enumerate(scans)
    ]
    if options.key is not None:
        identity.write_key(key, options.key, study)
    study_folder.claim(study, "study folder")
    bids_write.sweep(study / "raw")
    lines, findings = _enter_all(tasks, study, jobs, lambda what, share: progress(what, 0.3 + 0.7 * share))
    method, codes = identity.METHOD, identity.CODES
    bids_index.write(study / "raw", _known(study), method=method, codes=codes)
    rows = pd.DataFrame(lines).sort_values("scan", ignore_index=True)
    if (rows["state"] == "refused").all():
        raise InvalidInput(
            f"none of {len(rows)} scans can be read: {rows['reason'].iloc[0]}", where=str(folder)
        )
    own = [one for one in found.findings if one.level != "info"]
    return Taken(rows, tuple(dict.fromkeys([*own, *findings])))


@dataclass(frozen=True, slots=True)
class _Task:
    scan: Scan
    visit: Visit
    persons: tuple[Person, ...]


def _enter_all(
    tasks: Sequence[_Task], study: Path, jobs: int, progress: Progress
) -> tuple[list[dict[str, Any]], list[Finding]]:
    lines: list[dict[str, Any]] = []
    findings: list[Finding] = []
    lock = Lock()
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        waiting = iter(tasks)
        running: dict[Future[tuple[bids_write.Entered, list[Finding]]], _Task] = {}
        try:
            while True:
                while len(running) < max(1, jobs) and (task := next(waiting, None)) is not None:
                    running[pool.submit(_enter, task, study / "raw", lock)] = task
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    task = running.pop(future)
                    line, remarks = _line(task, future.result, study)
                    lines.append(line)
                    findings += remarks
                    progress(f"scan {task.scan.number}", len(lines) / len(tasks))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return lines, findings


def _enter(task: _Task, root: Path, lock: Any) -> tuple[bids_write.Entered, list[Finding]]:
    acquisition, findings = _read(task.scan)
    visit = task.visit
    clean, remarks = identity.clean(
        acquisition, subject=visit.subject, session=visit.session, day=visit.day, persons=task.persons
    )
    refuse(remarks)
    return bids_write.enter(replace(clean, run=""), root, lock=lock), [*findings, *remarks]


def _line(
    task: _Task, result: Callable[[], tuple[bids_write.Entered, list[Finding]]], study: Path
) -> tuple[dict[str, Any], list[Finding]]:
    visit = task.visit
    line: dict[str, Any] = {"scan": task.scan.number, "subject": visit.subject, "session": visit.session}
    line |= {
        "run": "",
        "kind": task.scan.kind,
        "day": visit.day,
        "state": "refused",
        "files": 0,
        "reason": "",
    }
    try:
        entered, findings = result()
    except NotWritable:
        raise
    except MyoproofError as fault:
        line["reason"] = str(fault)
        where = f"scan {task.scan.number}"
        return line, [Finding("warning", "refused", f"not taken: {fault}", where)]
    study_folder.add_acquisition(study, entered.acquisition)
    line |= {"run": entered.acquisition.run, "files": len(entered.images)}
    line["state"] = "new" if entered.new else "known"
    return line, [replace(one, where=f"scan {task.scan.number}") for one in findings]


def _read(scan: Scan) -> tuple[Acquisition, list[Finding]]:
    findings: list[Finding] = []
    if isinstance(scan.parts, ScanFiles):
        return bids.read(scan.parts, tell=findings.append), findings
    readings = [read_child.read(series) for series in scan.parts]
    joined, remarks = stacks.join([reading.acquisition for reading in readings])
    findings += [one for reading in readings for one in reading.findings]
    return joined, [*findings, *remarks]


def _chosen(found: Found, options: Options) -> list[Scan]:
    if not found.scans:
        raise InvalidInput(
            "holds no scan that can be read", where=str(found.folder), mend=_first(found.findings)
        )
    if not options.choose and found.ambiguous:
        raise InvalidInput(
            found.ambiguous, where=str(found.folder), mend="choose scans with --choose 1,3 or --choose all"
        )
    numbers = chosen(options.choose, [scan.number for scan in found.scans])
    asked = bool(options.choose) and options.choose.strip().lower() != "all"
    scans = [one for one in found.scans if one.number in numbers and (asked or one.readable)]
    refuse([one for scan in scans for one in scan.findings if asked], where=str(found.folder))
    if not scans:
        refuse([one for scan in found.scans for one in scan.findings], where=str(found.folder))
    return scans


def _first(findings: Sequence[Finding]) -> str:
    return (
        findings[0].message if findings else "give a folder of DICOM files, or NIfTI with muscle-BIDS names"
    )


def _known(study: Path) -> pd.DataFrame:
    path = study / "tables" / "acquisitions.parquet"
    return read_frame(path) if path.is_file() else pd.DataFrame(columns=list(ACQUISITIONS), dtype=object)


def _person(scan: Scan) -> Person:
    if isinstance(scan.parts, ScanFiles):
        return Person("")
    who = dicom.identity(scan.parts[0])
    return Person(who.patient_id, who.patient_name, who.birth_date, who.study_date, (who.study_uid,))


def _one_subject(scans: Sequence[Scan], options: Options) -> None:
    named = {scan.parts.subject for scan in scans if isinstance(scan.parts, ScanFiles)}
    if options.subject and len(named) > 1:
        raise InvalidInput(
            f"one subject for the scans of {len(named)}", mend="choose the scans of one subject"
        )


def _own_visit(scan: Scan, options: Options) -> Visit:
    assert isinstance(scan.parts, ScanFiles)
    subject = f"sub-{options.subject.removeprefix('sub-')}" if options.subject else scan.parts.subject
    day = scan.parts.day if options.day is None else options.day
    return Visit(subject, options.session or scan.parts.session or "m00", day)


def _digest(scan: Scan) -> str:
    if isinstance(scan.parts, ScanFiles):
        return scan.parts.digest or bids_nifti.digest(scan.parts.paths)
    return stacks.digest_of(digest_of(series.files) for series in scan.parts)
