"""The report: result, evidence and provenance rows as one self-contained page, or as a bundle of files."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myoproof import __version__
from myoproof.core.atomic import atomic_folder, atomic_path
from myoproof.core.evidence import evidence_frame
from myoproof.core.result import Result
from myoproof.delivery import agreement, agreement_study, design, methods, phenotypes, progression
from myoproof.delivery.figures import Drawing, lighter_paths
from myoproof.delivery.page import PLAIN, Grid, Section, Statement
from myoproof.delivery.sections import evidence_section, provenance_section, rows_section
from myoproof.errors import InvalidInput, NotReadable, NotWritable

SECTIONS = {
    "phenotypes": phenotypes.section,
    "progression": progression.section,
    "design": design.section,
    "agreement": agreement_study.section,
}
"""Study kind -> what makes its part of the report; other kinds get their rows as a table."""
NOTICE = "Research use only. Not a medical device."


@dataclass(frozen=True, slots=True)
class Report:
    """What a report shows; every number in the page comes from these rows.

    Parameters
    ----------
    title : str
        Heading.
    simulated : bool
        Whether any row is simulated; the page, every figure and every table then say so.
    results : sequence of Result
        Studies, in order.
    evidence : DataFrame
        Evidence rows; made whole by :func:`myoproof.core.evidence.evidence_frame`.
    images : sequence of (caption, SVG text or Path)
        Quality-control overlays; an SVG or a PNG file.
    agreement_pairs : DataFrame, optional
        Measured and reference values: subject, measure, site, side, value, truth, and low, high, level.
    provenance : sequence of mapping
        One record an act; printed as a table.
    date : str
        Printed when given; nothing else in the page depends on the day.
    software : mapping
        Package -> version of the run; the package's own when empty.
    current : mapping
        Method or study -> current version or digest. Evidence about another version is marked stale.
    measurements : DataFrame, optional
        The measurement table behind the studies, for figures of single patients.
    amendments : mapping
        Study name -> what was changed after its first answer (``date``, ``reason``, ``numbers_changed``,
        ``study_changes``); shown among the limitations.
    """

    title: str
    simulated: bool
    results: Sequence[Result]
    evidence: pd.DataFrame = field(default_factory=lambda: evidence_frame([]))
    images: Sequence[tuple[str, str | Path]] = ()
    agreement_pairs: pd.DataFrame | None = None
    provenance: Sequence[Mapping[str, Any]] = ()
    date: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)
    measurements: pd.DataFrame | None = None
    amendments: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def write(report: Report, out: Path) -> Path:
    """Write the report as one HTML file that opens offline and asks nothing of a network.

    Parameters
    ----------
    report : Report
        What it shows.
    out : Path
        The file; written whole or not at all. The same report gives the same bytes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidInput
        If rows lack columns, or an image is no SVG.
    NotReadable
        If an image cannot be read.
    NotWritable
        If the file cannot be written.
    """
    text = render(report)
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(out)


def write_bundle(report: Report, folder: Path) -> Path:
    """Write the report with its figures as SVG and its tables as CSV beside it.

    Parameters
    ----------
    report : Report
        What it shows.
    folder : Path
        Gets ``report.html``, ``figures/*.svg``, ``tables/*.csv``; replaced whole if an earlier bundle.

    Returns
    -------
    Path
        The page within the folder.

    Raises
    ------
    NotWritable
        If the folder holds something that is no bundle, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not _is_bundle(folder):
        mend = "choose an empty folder, or one that holds an earlier report"
        raise NotWritable("holds something that is no report", where=str(folder), mend=mend)
    sections = compose(report)
    text = render(report, sections)
    with atomic_folder(folder) as temporary:
        (temporary / "report.html").write_text(text, encoding="utf-8")
        for room in ("figures", "tables"):
            (temporary / room).mkdir()
        for section in sections:
            for drawing in section.drawings:
                (temporary / "figures" / f"{drawing.key}.svg").write_text(
                    drawing.svg + "\n", encoding="utf-8"
                )
            for grid in section.grids:
                (temporary / "tables" / f"{grid.key}.csv").write_text(grid.csv, encoding="utf-8")
    return folder / "report.html"


def _is_bundle(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    held = {entry.name for entry in folder.iterdir()}
    return not held or ("report.html" in held and held <= {"report.html", "figures", "tables"})


def render(report: Report, sections: Sequence[Section] | None = None) -> str:
    """The page as text.

    Parameters
    ----------
    report : Report
        What it shows.
    sections : sequence of Section, optional
        Its sections, where they were composed before.
    """
    sections = compose(report) if sections is None else sections
    simulated = is_simulated(report)
    software = dict(report.software) or {"myoproof": __version__}
    evidence = evidence_frame(report.evidence)
    template = _environment().get_template("report.html.j2")
    return template.render(
        report=report,
        simulated=simulated,
        notice=NOTICE,
        sections=sections,
        studies=[(result.study, methods.methods(result.study, software)) for result in report.results],
        limitations=[
            *methods.limitations(report.results, evidence, simulated=simulated),
            *methods.amendments(report.amendments),
        ],
        sources=[
            (result.study, methods.study_toml(result.study), result.provenance) for result in report.results
        ],
        version=__version__,
    )


def is_simulated(report: Report) -> bool:
    """Whether anything in the report is simulated.

    Parameters
    ----------
    report : Report
        What is shown; one simulated result is enough.
    """
    return report.simulated or any(result.simulated for result in report.results)


def compose(report: Report) -> list[Section]:
    """The sections of a report, figures drawn and tables made.

    Parameters
    ----------
    report : Report
        What it shows.
    """
    sections = [
        SECTIONS.get(result.study.kind, rows_section)(result, key=key, measurements=report.measurements)
        for result, key in zip(report.results, _keys(report.results), strict=True)
    ]
    if report.agreement_pairs is not None:
        pairs = agreement.section(report.agreement_pairs, key="agreement", simulated=is_simulated(report))
        sections.append(pairs)
    evidence = evidence_frame(report.evidence)
    if not evidence.empty:
        sections.append(evidence_section(evidence, _current(report)))
    if report.provenance:
        sections.append(provenance_section(report.provenance))
    return sections


def _keys(results: Sequence[Result]) -> list[str]:
    seen: dict[str, int] = {}
    keys = []
    for result in results:
        name = result.study.name
        seen[name] = seen.get(name, 0) + 1
        keys.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return keys


def _current(report: Report) -> dict[str, str]:
    return {**{result.study.name: result.study.digest for result in report.results}, **report.current}


def image_uri(image: str | Path) -> str:
    """An image as a ``data:`` address; scripts and links within an SVG are dead there.

    Parameters
    ----------
    image : str or Path
        SVG text, or the path of an SVG or PNG file.

    Raises
    ------
    InvalidInput
        If the text holds no SVG.
    NotReadable
        If the file cannot be read.
    """
    content = image.encode() if isinstance(image, str) else _read(image)
    if content.startswith(b"\x89PNG"):
        return f"data:image/png;base64,{base64.b64encode(content).decode()}"
    if b"<svg" not in content:
        where, mend = str(image)[:60], "give SVG text or the path of an SVG or PNG file"
        raise InvalidInput("an image of the report is no SVG", where=where, mend=mend)
    return "data:image/svg+xml," + quote(_one_line(content.decode("utf-8", "replace")), safe=PLAIN)


def _one_line(svg: str) -> str:
    return re.sub(r"\s*\n\s*", " ", lighter_paths(svg))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotReadable(f"the image cannot be read ({error.strerror})", where=str(path)) from error


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("myoproof.delivery", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["image_uri"] = image_uri
    environment.filters["svg"] = lambda drawing: Markup(re.sub(r"\s*\n\s*", "\n", drawing.svg))
    environment.tests["drawing"] = lambda part: isinstance(part, Drawing)
    environment.tests["statement"] = lambda part: isinstance(part, Statement)
    environment.tests["grid"] = lambda part: isinstance(part, Grid)
    return environment
