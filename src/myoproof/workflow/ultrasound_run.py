"""A run over ultrasound of muscle and nerve: every image of a folder measured, once, whatever dies."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from myoproof.core.table import Table, read_table
from myoproof.errors import InvalidInput
from myoproof.evidence import repeatability
from myoproof.measures import architecture, echogenicity
from myoproof.measures import nerve as nerve_measure
from myoproof.registry import load_module
from myoproof.segmentation import muscle_us, nerve
from myoproof.vocabulary.lookup import label
from myoproof.workflow import folder as study_folder
from myoproof.workflow import ledger_drive, run_tables, ultrasound_find
from myoproof.workflow.executors import Limits, Pool
from myoproof.workflow.ledger import Ledger, opened
from myoproof.workflow.ledger_tasks import Entry, Task
from myoproof.workflow.ultrasound_find import Findings, Look
from myoproof.workflow.ultrasound_manifest import Usual
from myoproof.workflow.ultrasound_names import is_nerve, site_of

VERSION = 1
"""Raised when the steps of an image change."""
LOOK = "myoproof.workflow.ultrasound_look:look"
MEMORY_GIB, TIME_S = 4.0, 600.0
TEMPLATE = "manifest_to_fill_in.csv"
REPORT = "ultrasound"
REPEATED = (
    "thickness",
    "thickness_deep_end",
    "subcutaneous_thickness",
    "fascicle_angle",
    "echogenicity",
    "cross_sectional_area",
    "nerve_cross_sectional_area",
)
"""Measures whose repeatability over frames is told."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run measures and how.

    Parameters
    ----------
    spacing_mm : float, optional
        Size of a pixel where files tell none.
    pixels_only : bool
        Lengths in pixels although files tell a scale.
    images : bool
        Keep cleaned images, all but the tissue black, where nothing speaks against it.
    simulated : bool
        The images are simulated; every row says so.
    """

    spacing_mm: float | None = None
    pixels_only: bool = False
    images: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class What:
    """Which images, and what they show where their names do not say it.

    Parameters
    ----------
    manifest : Path, optional
        Table of images.
    drawn : Path, optional
        Folder with a folder of masks for each reader.
    muscle, side, view : str
        What holds where nothing is said.
    skip_unclear : bool
        Leave out images of which too little is known, rather than stop.
    """

    manifest: Path | None = None
    drawn: Path | None = None
    muscle: str = ""
    side: str = ""
    view: str = "longitudinal"
    skip_unclear: bool = False


@dataclass(frozen=True, slots=True)
class How:
    """How a run works; no number depends on it.

    Parameters
    ----------
    jobs : int
        Worker processes.
    tries : int
        Failures after which the images of a muscle are quarantined.
    retry : bool
        Let quarantined ones try again.
    memory_gib, time_s : float
        What the images of one muscle may use.
    """

    jobs: int = 1
    tries: int = ledger_drive.TRIES
    retry: bool = False
    memory_gib: float = MEMORY_GIB
    time_s: float = TIME_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    entries : tuple of Entry
        Muscles of this run, by name.
    done, skipped : int
        Measured now, and measured before.
    notes : tuple of str
        Remarks while finding, damaged files found, files changed by hand put aside.
    unclear : mapping of str to str
        Images left out, and why.
    doubtful : mapping of str to str
        Images that may show a name after cleaning, and why: not to be passed on unseen.
    report : Path
        The contact sheet.
    """

    entries: tuple[Entry, ...]
    done: int
    skipped: int
    notes: tuple[str, ...]
    report: Path
    unclear: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)

    @property
    def quarantined(self) -> dict[str, str]:
        """Muscles whose images could not be measured, and why."""
        return {entry.task.key: entry.reason for entry in self.entries if entry.state == "quarantined"}


NO_OPTIONS, ALL, HERE = Options(), What(), How()


def run(
    source: Path,
    out: Path,
    *,
    what: What = ALL,
    options: Options = NO_OPTIONS,
    how: How = HERE,
    tell: ledger_drive.Count = lambda *_: None,
) -> Outcome:
    """Measure every image of a folder into a study folder; what is finished is not done again.

    Parameters
    ----------
    source : Path
        Folder of images.
    out : Path
        Study folder: new, empty, or an earlier one.
    what : What
        Which images and what they show.
    options : Options
        What is measured.
    how : How
        Processes, limits, tries.
    tell : callable
        Told of every muscle.

    Returns
    -------
    Outcome
        Images that could not be measured are rows without value and with their reason.

    Raises
    ------
    NotReadable
        If the source holds no image, or the manifest cannot be read.
    InvalidInput
        If names do not tell what images show: all of them at once, with a manifest to fill in.
    NotWritable
        If the output folder holds something else, is at work, or its disk is full; what is finished is kept.
    """
    source, out = Path(source), Path(out)
    usual = Usual(site_of(what.muscle) if what.muscle else "", what.side, what.view)
    found = ultrasound_find.find(
        source, manifest=what.manifest, drawn=what.drawn, usual=usual, without=_without(what, out)
    )
    study_folder.claim(out, "study folder")
    if found.unclear and not what.skip_unclear:
        ultrasound_find.write_template(found, out / TEMPLATE)
        ultrasound_find.refuse_unclear(found, out / TEMPLATE)
    if not found.looks:
        raise InvalidInput("no image is left to measure", where=str(source))
    with opened(out) as ledger:
        manifest = ledger.enter(plan(found, ledger, options))
        notes = [*found.notes, *(f"measured again: {fault}" for fault in ledger.mend(manifest))]
        if how.retry:
            ledger.forgive(manifest)
        before = {entry.task.id for entry in ledger.entries(manifest) if entry.state == "done"}
        with Pool(how.jobs, limits=Limits(how.memory_gib, how.time_s)) as pool:
            ledger_drive.drive_counted(
                ledger, manifest, pool, function=LOOK, tries=how.tries, line=line, tell=tell
            )
        notes += [f"changed by hand, kept as {name}" for name in ledger.show()]
        entries = ledger.entries(manifest)
        report = finish(ledger, manifest, found)
    done = sum(entry.state == "done" and entry.task.id not in before for entry in entries)
    doubtful = {
        frame["name"]: frame["doubtful"]
        for entry in entries
        if entry.state == "done"
        for frame in entry.summary["frames"]
        if frame["doubtful"]
    }
    return Outcome(tuple(entries), done, len(before), tuple(notes), report, found.unclear, doubtful)


def plan(found: Findings, ledger: Ledger, options: Options) -> list[Task]:
    """The tasks of a run, one for the images of one muscle or nerve of one visit in one view.

    Parameters
    ----------
    found : Findings
        The images.
    ledger : Ledger
        Remembers the digests of input files.
    options : Options
        What is measured.
    """
    return [_task(look, ledger, options) for look in found.looks]


def finish(ledger: Ledger, manifest: str, found: Findings) -> Path:
    """Write the tables, how well frames repeat, and the contact sheet.

    Raises
    ------
    NotWritable
        If the folder cannot be written.
    """
    done = [entry for entry in ledger.entries() if entry.state == "done"]
    ours = [entry for entry in done if "frames" in (entry.summary or {})]
    run_tables.write(ledger, done, (REPORT, "repeatability"))
    held = {one.task.key: one.reason for one in ledger.entries(manifest) if one.state == "quarantined"}
    repeats = _repeats(ledger.folder)
    writer = load_module("writers", "ultrasound-report")
    report = writer.UltrasoundReport(
        looks=[writer.LookLine(entry.task.key, entry.task.parameters, entry.summary) for entry in ours],
        quarantined=held,
        unclear=found.unclear,
        repeats=repeats,
    )
    page: Path = writer.write(report, ledger.folder / "delivery" / f"{REPORT}.html")
    return page


def _repeats(folder: Path) -> list[dict[str, Any]]:
    """How well frames of one muscle repeat, by measure; a table of its own beside the measurements."""
    path = folder / "tables" / "measurements.csv"
    rows = read_table(path) if path.is_file() else None
    if rows is None:
        return []
    frames = rows[
        rows["at"].str.fullmatch(r"image:\d+") & rows["value"].notna() & rows["measure"].isin(REPEATED)
    ]
    if frames["at"].nunique() < 2:
        return []
    visits = frames["session"] + " " + frames["run"]
    repeats = frames.assign(session=visits, run=frames["at"], at="")
    try:
        found = repeatability.check(Table(repeats), across="run", by_site=False)
    except InvalidInput:
        return []
    found.to_csv(folder / "tables" / "repeatability.csv", index=False, lineterminator="\n")
    return [{str(name): cell for name, cell in row.items()} for row in found.to_dict("records")]


def _without(what: What, out: Path) -> list[Path]:
    return [out, *([what.drawn] if what.drawn is not None else [])]


def _task(look: Look, ledger: Ledger, options: Options) -> Task:
    first = look.images[0]
    files = [path for image in look.images for path in (image.path, *(mask.path for mask in image.drawn))]
    images: list[dict[str, Any]] = [
        {
            "path": str(image.path.resolve()),
            "name": image.name,
            "depth_mm": image.depth_mm,
            "device": image.device,
            "preset": image.preset,
            "drawn": [{"path": str(mask.path.resolve()), "reader": mask.reader} for mask in image.drawn],
        }
        for image in look.images
    ]
    view = "cine" if first.is_cine else first.view
    parameters = {
        "subject": first.subject,
        "session": first.session,
        "run": "-".join(part for part in (first.site, first.side, view) if part),
        "day": first.day,
        "site": first.site,
        "side": first.side,
        "view": first.view,
        "stated": [{name: image[name] for name in ("depth_mm", "device", "preset")} for image in images],
        "raters": [mask["reader"] for image in images for mask in image["drawn"]],
        "options": asdict(options),
    }
    key = re.sub(r"[^A-Za-z0-9._-]", "-", look.key)
    inputs = tuple(_digest(path, ledger) for path in files)
    return Task(key, _act(first.site), parameters, inputs, work={"images": images})


def _digest(path: Path, ledger: Ledger) -> str:
    """The digest of a file; one that cannot be opened is an absent row of its image, no end of the run."""
    try:
        return ledger.digest(path)
    except OSError:
        return "unreadable"


def _act(site: str) -> str:
    """What an image goes through, with the version of every method: one that changes makes images new."""
    used: list[Any] = [nerve_measure] if is_nerve(site) else [architecture, echogenicity]
    named = [f"{method.METHOD}@{method.METHOD_VERSION}" for method in used]
    return f"ultrasound@{VERSION}({','.join([*named, nerve.RATER if is_nerve(site) else muscle_us.RATER])})"


QUALITY = {"ok": "no doubt found", "warn": "with care", "fail": "look first"}


def line(summary: Mapping[str, Any]) -> str:
    """What was measured of a muscle, in one line with units.

    Parameters
    ----------
    summary : mapping
        What :func:`myoproof.workflow.ultrasound_look.look` returned.

    Examples
    --------
    >>> values = [{"measure": "thickness", "value": 21.04, "unit": "mm"}]
    >>> line({"frames": [{"values": values}], "quality": "ok", "absent": ""})
    '1 image, thickness 21.0 mm; no doubt found'
    """
    frames = summary["frames"]
    count = f"{len(frames)} image{'s' if len(frames) > 1 else ''}"
    first = next((frame["values"][0] for frame in frames if frame["values"]), None)
    why = label("absent", summary["absent"]) if summary["absent"] else "nothing measured"
    told = (
        why
        if first is None
        else f"{label('measures', first['measure'])} {first['value']:.1f} {first['unit']}"
    )
    return f"{count}, {told}; {QUALITY[summary['quality']]}"
