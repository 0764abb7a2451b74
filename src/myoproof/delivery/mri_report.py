"""The page that lists all scans of a run: what failed first, then each scan with its remarks and its page."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myoproof import __version__
from myoproof.core.atomic import atomic_path
from myoproof.delivery.mri_page import NOTICE, environment
from myoproof.delivery.wording import DASH, number

ORDER = {"fail": 0, "warn": 1, "ok": 2}
SHOWN = 3
"""Remarks of a scan that the list shows; its page shows all."""


@dataclass(frozen=True, slots=True)
class ScanLine:
    """One scan of the list.

    Parameters
    ----------
    key : str
        What the scan is called.
    summary : mapping
        What the run keeps of it: acquisition, page, quality, remarks, thumbnail, summary, rater, simulated.
    """

    key: str
    summary: Mapping[str, Any]

    @property
    def quality(self) -> str:
        """``ok``, ``warn`` or ``fail``."""
        return str(self.summary["quality"])

    @property
    def page(self) -> str:
        """The scan's page, as seen from the list."""
        return str(self.summary["page"]).removeprefix("delivery/")

    @property
    def remarks(self) -> list[str]:
        """The gravest remarks, and how many more there are."""
        grave = [remark for remark in self.summary["remarks"] if remark["quality"] != "ok"]
        told = [f"{one['text']}: {one['where']}" if one["where"] else str(one["text"]) for one in grave]
        more = [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
        return told[:SHOWN] + more

    @property
    def fat(self) -> str:
        """Median fat fraction over muscles, per cent."""
        value = self.summary["summary"]["fat_fraction"]
        return DASH if value is None else number(100 * value, 1)

    @property
    def volume(self) -> str:
        """Volume of all muscles, mL."""
        value = self.summary["summary"]["volume"]
        return DASH if value is None else number(value, 0)


@dataclass(frozen=True, slots=True)
class MriReport:
    """What the list shows.

    Parameters
    ----------
    scans : sequence of ScanLine
        Measured scans.
    quarantined : mapping of str to str
        Scans that could not be measured, and why.
    left_out : mapping of str to str
        Scans that are not measured by themselves, and why.
    """

    scans: Sequence[ScanLine]
    quarantined: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether any scan is simulated."""
        return any(line.summary["simulated"] for line in self.scans)


def write(report: MriReport, path: Path) -> Path:
    """Write the list as one HTML file, without scripts; the pages of the scans lie in ``scans/`` beside it.

    Parameters
    ----------
    report : MriReport
        What it shows.
    path : Path
        ``.html``; written whole or not at all. The same report gives the same bytes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NotWritable
        If the file cannot be written.
    """
    lines = sorted(report.scans, key=lambda line: (ORDER[line.quality], line.key))
    counts = {word: sum(line.quality == word for line in lines) for word in ORDER}
    text = environment().get_template("mri_report.html.j2").render(
        report=report,
        lines=lines,
        counts=counts,
        people=_count({line.summary["acquisition"]["subject"] for line in lines}, "subject"),
        scans=_count(lines, "scan"),
        simulated=report.simulated,
        notice=NOTICE,
        version=__version__,
    )  # fmt: skip
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" + ("" if len(things) == 1 else "s")
