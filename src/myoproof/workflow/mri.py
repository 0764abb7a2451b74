"""A run over muscle MRI: every scan of a folder measured, once, whatever dies on the way."""

from collections.abc import Collection, Mapping
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
    size,
)
from myoproof.registry import load_module, names
from myoproof.segmentation import drawn, propagate, tissue
from myoproof.segmentation.thigh_network import card
from myoproof.sources.bids import ScanFiles
from myoproof.vocabulary.lookup import label
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_drive, mri_find, mri_source, mri_tables
from myoproof.workflow.executors import Limits, Pool
from myoproof.workflow.ledger import Ledger, opened
from myoproof.workflow.ledger_tasks import Entry, Task
from myoproof.workflow.mri_steps import NETWORK
from myoproof.workflow.regions import USUAL_SCHEME

VERSION = 2
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
    maps : bool
        Keep the maps of every scan as images.
    propagate : bool
        Carry a mask drawn at an earlier visit to visits without one, rather than ask the network.
    simulated : bool
        The scans are simulated; every row says so.
    """

    labels: str = ""
    rater: str = "drawn"
    t2: bool = True
    radiomics: bool = False
    maps: bool = True
    propagate: bool = True
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


def run(
    source: Path,
    out: Path,
    *,
    masks: Path | None = None,
    options: Options = Options(),
    how: How = How(),
    tell: ledger_drive.Count = lambda *_: None,
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
            ledger_drive.drive_counted(
                ledger, manifest, pool, function=SCAN, tries=how.tries, line=line, tell=tell
            )
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
        inputs = _digests(files, ledger)
    except OSError as error:
        inputs, fault = (), fault or str(error)
    masks = [_mask(mask, options) for mask in found.masks]
    baseline, before = _baseline(found, ledger, options)
    asked = {**asdict(options), "scheme": scheme, "raters": [mask["rater"] for mask in masks]}
    asked["since"] = baseline["who"]["session"] if baseline else ""
    work = {
        "scan": mri_find.to_json(scan), "t2": mri_find.to_json(found.t2), "b1": mri_find.to_json(found.b1),
        "masks": masks, "baseline": baseline, "fault": fault,
    }  # fmt: skip
    act = _act(options, drawn_on=bool(masks), followed=bool(baseline))
    return Task(found.key, act, {**_who(scan), "options": asked}, inputs + before, work=work)


def _digests(files: Collection[Path], ledger: Ledger) -> tuple[str, ...]:
    return tuple(ledger.digest(path) for path in sorted(files))


def _mask(mask: mri_find.MaskFile, options: Options) -> dict[str, str]:
    return {"path": str(mask.path), "rater": mask.rater or options.rater}


def _who(scan: ScanFiles) -> dict[str, str]:
    return {name: getattr(scan, name) for name in ("subject", "session", "run")}


def _baseline(
    found: mri_find.Found, ledger: Ledger, options: Options
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The earlier visit whose mask is carried here, and the digests of its files."""
    first = found.baseline
    if first is None or not options.propagate:
        return None, ()
    files = {*first.scan.paths, first.masks[0].path}
    files |= {beside for path in first.scan.paths if (beside := _sidecar(path)).is_file()}
    try:
        digests = _digests(files, ledger)
    except OSError:
        return None, ()
    mask = _mask(first.masks[0], options)
    return {"scan": mri_find.to_json(first.scan), "mask": mask, "who": _who(first.scan)}, digests


def _act(options: Options, *, drawn_on: bool, followed: bool) -> str:
    """What a scan goes through, with the version of every method: one that changes makes scans new."""
    used: list[Any] = [dixon, multiecho, size, compartments, heterogeneity, asymmetry, compartments_fat]
    used += ([relaxation] if options.t2 else []) + ([radiomics] if options.radiomics else [])
    named = [f"{method.METHOD}@{method.METHOD_VERSION}" for method in used]
    named += [f"propagate@{propagate.VERSION}"] if followed else []
    network = [] if drawn_on else [_network()]
    return f"mri@{VERSION}({','.join([*named, tissue.RATER, *network])})"


def _network() -> str:
    """The network's version and the digest of its weights; "" where there is none."""
    if NETWORK not in names("segmenters"):
        return ""
    return f"{load_module('segmenters', NETWORK).RATER}+{card()['sha256'][:8]}"


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.split(".")[0] + ".json")


QUALITY = {"ok": "no doubt found", "warn": "with care", "fail": "look first"}


def line(summary: Mapping[str, Any]) -> str:
    """What was measured of a scan, in one line with units.

    Parameters
    ----------
    summary : mapping
        What :func:`myoproof.workflow.mri_scan.scan` returned.

    Examples
    --------
    >>> found = {"muscles": 22, "fat_fraction": 0.123, "volume": 4021.4, "water_t2": None}
    >>> line({"summary": found, "quality": "warn", "rater": "thigh@2", "absent": ""})
    '22 muscles by thigh@2, median fat fraction 12.3 %, together 4021 mL; with care'
    """
    found = summary["summary"]
    fat, volume, t2 = (found[name] for name in ("fat_fraction", "volume", "water_t2"))
    why = f" ({label('absent', summary['absent'])})" if summary["absent"] else ""
    told = [f"{found['muscles']} muscles by {summary['rater']}" if found["muscles"] else f"no muscle{why}"]
    told += [] if fat is None else [f"median fat fraction {100 * fat:.1f} %"]
    told += [] if volume is None else [f"together {volume:.0f} mL"]
    told += [] if t2 is None else [f"median water T2 {t2:.1f} ms"]
    return f"{', '.join(told)}; {QUALITY[summary['quality']]}"
