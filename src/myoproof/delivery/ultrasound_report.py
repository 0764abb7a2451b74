"""The contact sheet of an ultrasound run: images with outlines, numbers and flags, doubtful ones first."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

from myoproof import __version__
from myoproof.core.atomic import atomic_path
from myoproof.delivery.mri_page import NOTICE, environment
from myoproof.delivery.wording import interval, number
from myoproof.vocabulary.lookup import label, words

ORDER = {"fail": 0, "warn": 1, "ok": 2}
LOOKS_A_PAGE = 100
"""Muscles on one page; more go to further pages."""
UNITS = {"{grey}": "", "deg": "\u00b0", "1": "", "px2": "px\u00b2", "mm2": "mm\u00b2"}
REPEATED = ("minimal_detectable_change_95", "standard_error_of_measurement")


@dataclass(frozen=True, slots=True)
class LookLine:
    """The images of one muscle or nerve of one visit.

    Parameters
    ----------
    key : str
        What it is called in the run.
    parameters : mapping
        Of its task: subject, session, site, side, view.
    summary : mapping
        What the run keeps of it: frames, quality, absent, simulated.
    """

    key: str
    parameters: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def quality(self) -> str:
        """``ok``, ``warn`` or ``fail``."""
        return str(self.summary["quality"])

    @property
    def title(self) -> str:
        """Muscle, side and view in words."""
        site = label("sites", str(self.parameters["site"]))
        return ", ".join(part for part in (site, self.parameters["side"], self.parameters["view"]) if part)

    @property
    def who(self) -> str:
        """Subject and visit."""
        return f"{self.parameters['subject']} \u00b7 {self.parameters['session']}"

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Images with their numbers in words."""
        return [_frame(frame) for frame in self.summary["frames"]]


@dataclass(frozen=True, slots=True)
class UltrasoundReport:
    """What the contact sheet shows.

    Parameters
    ----------
    looks : sequence of LookLine
        What was measured.
    quarantined : mapping of str to str
        Muscles that could not be measured, and why.
    unclear : mapping of str to str
        Images left out since nobody knows what they show.
    repeats : sequence of mapping
        Evidence rows of repeatability over the frames of one muscle.
    """

    looks: Sequence[LookLine]
    quarantined: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)
    repeats: Sequence[Mapping[str, Any]] = ()

    @property
    def simulated(self) -> bool:
        """Whether any image is simulated."""
        return any(look.summary["simulated"] for look in self.looks)

    @property
    def doubtful(self) -> list[tuple[str, str]]:
        """Images that may show a name even when cleaned, and why."""
        frames = [frame for look in self.looks for frame in look.summary["frames"]]
        return sorted((frame["name"], frame["doubtful"]) for frame in frames if frame["doubtful"])


def write(report: UltrasoundReport, path: Path) -> Path:
    """Write the contact sheet as HTML files that need no script and ask nothing of a network.

    Parameters
    ----------
    report : UltrasoundReport
        What it shows.
    path : Path
        ``.html``, the first page; further ones, where there are many images, are named ``NAME-2.html`` and so
        on. Each is written whole or not at all. The same report gives the same bytes.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    path = Path(path)
    looks = sorted(report.looks, key=lambda look: (ORDER[look.quality], look.key))
    parts = [looks[start : start + LOOKS_A_PAGE] for start in range(0, len(looks), LOOKS_A_PAGE)] or [[]]
    names = [path.name, *(f"{path.stem}-{page}{path.suffix}" for page in range(2, len(parts) + 1))]
    template = environment().get_template("ultrasound_report.html.j2")
    for page, (part, name) in enumerate(zip(parts, names, strict=True)):
        text = template.render(
            report=report,
            looks=part,
            first=page == 0,
            pages=[(other + 1, pointed, other == page) for other, pointed in enumerate(names)],
            counts={word: sum(look.quality == word for look in looks) for word in ORDER},
            qualities=quality_table(looks),
            repeats=repeat_lines(report.repeats),
            people=_count({look.parameters["subject"] for look in looks}, "subject"),
            images=_count([frame for look in looks for frame in look.summary["frames"]], "image"),
            simulated=report.simulated,
            notice=NOTICE,
            version=__version__,
        )
        with atomic_path(path.with_name(name)) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return path


def quality_table(looks: Sequence[LookLine]) -> list[dict[str, Any]]:
    """Images by muscle: how many without doubt, with care, to look at, without a value, and why.

    Parameters
    ----------
    looks : sequence of LookLine
        All of the run.
    """
    lines: dict[str, dict[str, Any]] = {}
    for look in looks:
        site = label("sites", str(look.parameters["site"]))
        line = lines.setdefault(
            site, {"site": site, "images": 0, "ok": 0, "warn": 0, "fail": 0, "absent": {}}
        )
        for frame in look.summary["frames"]:
            line["images"] += 1
            line[frame["quality"]] += 1
            if frame["absent"]:
                why = label("absent", frame["absent"])
                line["absent"][why] = line["absent"].get(why, 0) + 1
    return [lines[site] for site in sorted(lines)]


def repeat_lines(repeats: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Standard error and minimal detectable change over the frames of one muscle, by measure.

    Parameters
    ----------
    repeats : sequence of mapping
        Evidence rows.
    """
    lines: dict[str, dict[str, str]] = {}
    for row in repeats:
        if row["metric"] not in REPEATED or row["value"] is None or isnan(float(row["value"])):
            continue
        about = f"{row['population']} ({row['about']})".removeprefix("simulated: ")
        about = about.replace("_", " ").replace(" [{grey}]", "")
        line = lines.setdefault(about, {"about": about})
        line[str(row["metric"])] = number(float(row["value"]))
    return [line for line in lines.values() if len(line) > 1]


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    remarks = [finding["message"] for finding in frame["findings"] if finding["level"] != "info"]
    return {
        **frame,
        "told": [_value(value) for value in frame["values"]],
        "why": label("absent", frame["absent"]) if frame["absent"] else "",
        "words": [label("flags", word) for word in frame["flags"] if word in words("flags")],
        "remarks": remarks,
    }


def _value(value: Mapping[str, Any]) -> tuple[str, str]:
    unit = UNITS.get(value["unit"], value["unit"])
    bounds = [float("nan") if value[name] is None else float(value[name]) for name in ("low", "high")]
    if any(map(isnan, bounds)):
        return label("measures", value["measure"]), f"{number(value['value'], 1)} {unit}".strip()
    return label("measures", value["measure"]), interval(value["value"], *bounds, decimals=1, unit=unit)


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" + ("" if len(things) == 1 else "s")
