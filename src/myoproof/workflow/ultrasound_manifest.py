"""A manifest of ultrasound images: a table that says what each file shows, checked row by row."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from myoproof.errors import Finding, InvalidInput, NotReadable, UnknownName, refuse
from myoproof.vocabulary.lookup import near
from myoproof.workflow.ultrasound_drawings import Drawing
from myoproof.workflow.ultrasound_many import CINES
from myoproof.workflow.ultrasound_names import SIDE_OF, VIEW_OF, site_of, told_by

COLUMNS = ("file", "subject", "session", "day", "muscle", "side", "view", "device", "preset", "depth_mm")
"""Columns of a manifest; all but ``file`` may be left out."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image or cine.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its path below the source.
    subject, session : str
        Pseudonym and visit.
    day : float
        Days since baseline.
    site, side, view : str
        Muscle or nerve, side of the body, how the probe lay.
    device, preset : str
        Stated; "" takes those of the file.
    depth_mm : float, optional
        Depth printed on the image.
    drawn : tuple of Drawing
        Masks of readers.
    """

    path: Path
    name: str
    subject: str = ""
    session: str = ""
    day: float = 0.0
    site: str = ""
    side: str = ""
    view: str = ""
    device: str = ""
    preset: str = ""
    depth_mm: float | None = None
    drawn: tuple[Drawing, ...] = ()

    @property
    def is_cine(self) -> bool:
        """Whether it is a video by its ending."""
        return self.path.suffix.lower() in CINES


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds where neither names nor manifest say it: muscle, side and view."""

    site: str = ""
    side: str = ""
    view: str = "longitudinal"


def read(manifest: Path, source: Path, usual: Usual) -> list[Image]:
    """The images of a manifest; what a cell leaves open, the file's name may tell.

    Parameters
    ----------
    manifest : Path
        CSV, parted by commas or semicolons.
    source : Path
        Folder that files are relative to, besides the manifest's own.
    usual : Usual
        What holds where nothing is said.

    Raises
    ------
    NotReadable
        If it is no table.
    InvalidInput
        If it has unknown columns, or rows that name what is not there or not known: all at once.
    """
    findings: list[Finding] = []
    images = []
    for number, cells in enumerate(_rows(manifest), 2):
        row = _Row(cells, number, findings)
        images.append(row.image(_path(row, manifest, source), source, usual))
    seen: set[Path] = set()
    for image in images:
        if image.path in seen:
            findings.append(Finding("error", "manifest", "is named twice", image.name))
        seen.add(image.path)
    refuse(findings, where=manifest.name)
    return images


@dataclass(frozen=True, slots=True)
class _Row:
    """One row and the list that takes its faults."""

    cells: Mapping[str, str]
    number: int
    findings: list[Finding]

    def fault(self, message: str, mend: str = "") -> None:
        self.findings.append(Finding("error", "manifest", message, f"row {self.number}", mend))

    def text(self, name: str) -> str:
        return self.cells.get(name, "")

    def image(self, path: Path, source: Path, usual: Usual) -> Image:
        within = path.relative_to(source) if source in path.parents else Path(path.name)
        told = told_by(within)
        return Image(
            path=path,
            name=self.text("file"),
            subject=self.text("subject") or told.subject,
            session=self.text("session") or told.session or "m00",
            day=self.measure("day", least=-1e5) or 0.0,
            site=self.site() or told.site or usual.site,
            side=self.word("side", SIDE_OF) or told.side or usual.side,
            view=self.word("view", VIEW_OF) or told.view or usual.view,
            device=self.text("device"),
            preset=self.text("preset"),
            depth_mm=self.measure("depth_mm", least=1.0),
        )

    def measure(self, name: str, *, least: float) -> float | None:
        text = self.text(name).replace(",", ".")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value < 1e6:
            self.fault(f"{name} is {self.text(name)!r}")
            return None
        return value

    def site(self) -> str:
        try:
            return site_of(self.text("muscle")) if self.text("muscle") else ""
        except UnknownName as unknown:
            self.fault(unknown.what, unknown.mend)
            return ""

    def word(self, name: str, known: Mapping[str, str]) -> str:
        text = self.text(name).casefold()
        if text and text not in known:
            self.fault(f"{name} is {text!r}", f"one of {', '.join(sorted(set(known.values())))}")
        return known.get(text, "")


def _path(row: _Row, manifest: Path, source: Path) -> Path:
    given = row.text("file")
    places = [source / given, manifest.parent / given]
    found = next((place for place in places if given and place.is_file()), None)
    if found is None:
        row.fault(f"there is no file {given!r}")
    return found or source / given


def _rows(manifest: Path) -> list[dict[str, str]]:
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise NotReadable(
            "not a readable table", where=str(manifest), mend="save it as CSV, UTF-8"
        ) from fault
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    names, *rows = ([cell.strip() for cell in row] for row in reader if any(row)) if head.strip() else ([],)
    names = [name.lower() for name in names]
    known = dict.fromkeys(COLUMNS, "")
    if unknown := [name for name in names if name not in known]:
        mend = near(unknown[0], known) or f"columns: {', '.join(COLUMNS)}"
        raise InvalidInput(f"the column {unknown[0]!r} is not known", where=manifest.name, mend=mend)
    if "file" not in names:
        mend = f"columns: {', '.join(COLUMNS)}"
        raise InvalidInput("the column 'file' is missing", where=manifest.name, mend=mend)
    return [dict(zip(names, row, strict=False)) for row in rows]
