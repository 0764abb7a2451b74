"""A run over muscle MRI: every scan of a folder measured, once, whatever dies on the way."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from myoproof.measures import (
    asymmetry,
    compartments,
    compartments_fat,
    dixon,
    heterogeneity,
    multiecho,
    radiomics,
    relaxation,
)
from myoproof.registry import load_module, names
from myoproof.segmentation import drawn, tissue
from myoproof.segmentation.thigh_network import card
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_drive, mri_find, mri_source, mri_tables
from myoproof.workflow.executors import Executor, Limits, Pool
from myoproof.workflow.ledger import Ledger, opened
from myoproof.workflow.ledger_tasks import Entry, Task
from myoproof.workflow.mri_steps import NETWORK
from myoproof.workflow.regions import USUAL_SCHEME

VERSION = 1
"""Raised when the steps of a scan change."""
SCAN = "myoproof.workflow.mri_scan:scan"
MEMORY_GIB = 8.0
TIME_S = 1800.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a run measures and how.

    Parameters
    ----------
    labels : str
        Label scheme of drawn masks; "" takes the names of the file, for NIfTI ``huashan11``.
    rater : str
        Who drew the masks whose names do not say it.
    t2, radiomics : bool
        Measure water T2 where a T2 scan of the session exists; radiomic features.
    simulated : bool
        The scans are simulated; every row says so.
    """

    labels: str = ""
    rater: str = "drawn"
    t2: bool = True
    radiomics: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class How:
    """How a run works; no number depends on it.

    Parameters
    ----------
    jobs : int
        Worker processes.
    tries : int
        Failures after which a scan is quarantined.
    retry : bool
        Let quarantined scans try again.
    memory_gib, time_s : float
        What one scan may use.
    choose : str
        Which scans of a scanner's export to take, where patients are mixed: ``1,3-5`` or ``all``.
    """

    jobs: int = 1
    tries: int = ledger_drive.TRIES
    retry: bool = False
    memory_gib: float = MEMORY_GIB
    time_s: float = TIME_S
    choose: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    entries : tuple of Entry
        Scans of this run, by name.
    done, skipped : int
        Scans measured now, and measured before.
    source : Source
        What was found and refused.
    notes : tuple of str
        Remarks while reading, damaged files found, files changed by hand put aside.
    report : Path
        The page that lists all scans.
    """

    entries: tuple[Entry, ...]
    done: int
    skipped: int
    source: mri_source.Source
    notes: tuple[str, ...]
    report: Path

    @property
    def quarantined(self) -> dict[str, str]:
        """Scans that could not be read or measured, and why."""
        held = {entry.task.key: entry.reason for entry in self.entries if entry.state == "quarantined"}
        return {**self.source.refused, **held}


Tell = Callable[[str, str, str, int, int], None]
"""Called with a scan, how it stands, why, how many are done and how many there are."""


def run(
    source: Path,
    out: Path,
    *,
    masks: Path | None = None,
    options: Options = Options(),
    how: How = How(),
    tell: Tell = lambda *_: None,
) -> Outcome:
    """Measure every scan of a folder into a study folder; what is finished is not done again.

    Parameters
    ----------
    source : Path
        Folder of DICOM, of NIfTI images, a muscle-BIDS folder, or a study folder.
    out : Path
        Study folder: new, empty, or an earlier one. It may be the source.
    masks : Path, optional
        Where drawn masks lie.
    options : Options
        What is measured.
    how : How
        Processes, limits, tries.
    tell : callable
        Told of every scan.

    Returns
    -------
    Outcome
        Scans that could not be measured are among its entries, with their reasons.

    Raises
    ------
    NotReadable
        If the source holds no scan.
    NotWritable
        If the output folder holds something else, is at work, or its disk is full; what is finished is kept.
    """
    out = Path(out)
    study_folder.claim(out, "study folder")
    with opened(out) as ledger:
        limits = Limits(how.memory_gib, how.time_s)
        export = mri_source.Export(how.choose, how.jobs, limits)
        opened_source = mri_source.open_source(
            Path(source), out, masks=masks, export=export, without=ledger.shown()
        )
        found = opened_source.findings
        tasks = plan(found, ledger, options)
        manifest = ledger.enter(tasks)
        notes = list(opened_source.notes)
        notes += [f"measured again: {fault}" for fault in ledger.mend(manifest)]
        if how.retry:
            ledger.forgive(manifest)
        before = {entry.task.id for entry in ledger.entries(manifest) if entry.state == "done"}
        with Pool(how.jobs, limits=limits) as pool:
            _drive(ledger, manifest, pool, how, tell)
        notes += [f"changed by hand, kept as {name}" for name in ledger.show()]
        entries = ledger.entries(manifest)
        report = mri_tables.finish(ledger, manifest, opened_source.refused, found.left_out)
    done = sum(entry.state == "done" and entry.task.id not in before for entry in entries)
    return Outcome(tuple(entries), done, len(before), opened_source, tuple(notes), report)


def plan(found: mri_find.Findings, ledger: Ledger, options: Options) -> list[Task]:
    """The tasks of a run, one a scan.

    Parameters
    ----------
    found : Findings
        The scans.
    ledger : Ledger
        Remembers the digests of input files.
    options : Options
        What is measured.
    """
    scheme = sorted(drawn.read_scheme(options.labels or USUAL_SCHEME).items())
    return [_task(scan, ledger, options, scheme) for scan in found.scans]


def _task(found: mri_find.Found, ledger: Ledger, options: Options, scheme: Any) -> Task:
    scan, fault = found.scan, found.fault
    files = {path for part in (scan, found.t2, found.b1) if part for path in part.paths}
    files |= {beside for path in files if (beside := _sidecar(path)).is_file()}
    files |= {mask.path for mask in found.masks}
    try:
        inputs = tuple(ledger.digest(path) for path in sorted(files))
    except OSError as error:
        inputs, fault = (), fault or str(error)
    masks = [{"path": str(mask.path), "rater": mask.rater or options.rater} for mask in found.masks]
    asked = {**asdict(options), "scheme": scheme, "raters": [mask["rater"] for mask in masks]}
    who = {name: getattr(scan, name) for name in ("subject", "session", "run")}
    work = {
        "scan": mri_find.to_json(scan), "t2": mri_find.to_json(found.t2), "b1": mri_find.to_json(found.b1),
        "masks": masks, "fault": fault,
    }  # fmt: skip
    return Task(found.key, _act(options, drawn_on=bool(masks)), {**who, "options": asked}, inputs, work=work)


def _act(options: Options, *, drawn_on: bool) -> str:
    """What a scan goes through, with the version of every method: one that changes makes scans new."""
    used: list[Any] = [dixon, multiecho, compartments, heterogeneity, asymmetry, compartments_fat]
    used += ([relaxation] if options.t2 else []) + ([radiomics] if options.radiomics else [])
    named = [f"{method.METHOD}@{method.METHOD_VERSION}" for method in used]
    network = [] if drawn_on else [_network()]
    return f"mri@{VERSION}({','.join([*named, tissue.RATER, *network])})"


def _network() -> str:
    """The network's version and the digest of its weights; "" where there is none."""
    if NETWORK not in names("segmenters"):
        return ""
    return f"{load_module('segmenters', NETWORK).RATER}+{card()['sha256'][:8]}"


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.split(".")[0] + ".json")


def _drive(ledger: Ledger, manifest: str, executor: Executor, how: How, tell: Tell) -> None:
    entries = ledger.entries(manifest)
    total, done = len(entries), sum(entry.state != "waiting" for entry in entries)

    def told(task: Task, state: str, why: str) -> None:
        nonlocal done
        done += state in ("done", "quarantined")
        tell(task.key, state, why, done, total)

    ledger_drive.drive(ledger, manifest, executor, function=SCAN, tries=how.tries, tell=told)
