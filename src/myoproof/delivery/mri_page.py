"""The quality page of a muscle scan: flags first, slices with contours, maps, profiles, table, provenance."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from scipy import ndimage

from myoproof import __version__
from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.atomic import atomic_path
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, is_simulated
from myoproof.delivery import mri_rows, mri_slices
from myoproof.delivery.mri_profiles import profile
from myoproof.delivery.mri_rows import RANKS, Cell, Remark
from myoproof.delivery.mri_slices import Layer, Shade
from myoproof.delivery.overlay_slices import Stack, make_stack, slice_heights_mm
from myoproof.delivery.page import records
from myoproof.delivery.wording import number, series
from myoproof.errors import Finding, InvalidInput
from myoproof.vocabulary.lookup import label

NOTICE = "Research use only. Not a medical device."
FRACTION = Shade("magma")
CONFIDENCE = Shade("cividis")
SPREAD = Shade("viridis", 0.0, 0.1)
CHANGE = Shade("RdBu_r", -0.2, 0.2)
WATER_T2 = Shade("viridis", 20.0, 80.0)
MOST_FAT = 0.7
"""Voxels with more fat show no T2; the measure leaves them out, too."""
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
TIMES = " \u00d7 "
SETTINGS = (
    ("field_strength_t", "T", 1.0),
    ("repetition_time_s", "ms TR", 1e3),
    ("flip_angle_deg", "\u00b0 flip", 1.0),
)
"""Settings that are printed: name, unit, factor."""
CORRECTED = {"yes": "corrected", "no": "not corrected", "none": "none here", "doubt": "in the intervals"}
FLAGGED = frozenset({"stack end", "field of view", "sides"})
"""Findings of the mask checks that the rows' flags say already."""
VERDICTS = {
    "ok": "Nothing was found that speaks against these numbers.",
    "warn": "Usable with care: read the remarks first.",
    "fail": "Do not use these numbers before the images were looked at.",
}


@dataclass(frozen=True, slots=True)
class T2Maps:
    """Maps of spin echoes (channel ``water_t2_ms``) and the regions, both on the grid of the echoes."""

    maps: Volume
    segmentation: Segmentation | None


@dataclass(frozen=True, slots=True)
class MriPage:
    """What the page of one scan shows.

    Parameters
    ----------
    acquisition : Acquisition
        Its payload is a Volume with the channels ``fat`` and ``water``, or with ``image``; ``fat_fraction``,
        ``fat_fraction_sd``, ``confidence``, ``certainty`` and ``fat_change`` are shown where they are.
    segmentation : Segmentation or None
        The muscles that were measured.
    table : Table
        All rows of the scan.
    findings : sequence of Finding
        What reading and checking found.
    budget : DataFrame, optional
        Bias budget: ``source``, ``at_10``, ``at_30``, ``at_50`` (points of fat fraction where 10, 30 and 50 %
        are true), ``corrected`` and ``note``.
    record : mapping
        Provenance record: id, act, parameters, inputs, parents.
    expected : mapping of (site, side) to float
        Dice, 0-1, that a network expects of its own regions.
    t2 : T2Maps, optional
        Maps of the spin echoes of the visit.
    """

    acquisition: Acquisition
    segmentation: Segmentation | None
    table: Table
    findings: Sequence[Finding] = ()
    budget: pd.DataFrame | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[tuple[str, str], float] = field(default_factory=dict)
    t2: T2Maps | None = None


@dataclass(frozen=True, slots=True)
class Montage:
    """One picture of several slices, with what stands around it."""

    key: str
    title: str
    svg: str
    caption: str
    scale: str = ""


def write(page: MriPage, path: Path) -> None:
    """Write the page as one HTML file that needs no script and asks nothing of a network.

    Parameters
    ----------
    page : MriPage
        What it shows.
    path : Path
        ``.html``; written whole or not at all. The same page gives the same bytes on one machine.

    Raises
    ------
    InvalidInput
        If the acquisition is no volume.
    NotWritable
        If the file cannot be written.

    References
    ----------
    Radiological convention: the person's right is on the left of the picture, anterior is up.
    """
    text = render(page)
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render(page: MriPage) -> str:
    """The page as text; as :func:`write`."""
    volume = page.acquisition.payload
    if not isinstance(volume, Volume):
        raise InvalidInput(f"the page needs a volume, not {type(volume).__name__}")
    stack = make_stack(volume, page.segmentation)
    simulated = is_simulated(page.table)
    heights = slice_heights_mm(volume)
    profiles = [
        profile(page.table, measure, heights, key=measure.replace("_", "-"), simulated=simulated)
        for measure in ("fat_fraction", "cross_sectional_area")
    ]
    muscles = mri_rows.muscle_lines(page.table)
    quality = verdict(page)
    return environment().get_template("mri_page.html.j2").render(
        title=title(page.acquisition),
        simulated=simulated,
        notice=NOTICE,
        version=__version__,
        quality=quality,
        verdict=VERDICTS[quality],
        remarks=all_remarks(page),
        everywhere=sorted(label("flags", flag) for flag in _everywhere(page)),
        facts=facts(page),
        montages=montages(page, stack),
        legend=_legend(page.segmentation),
        profiles=[drawing for drawing in profiles if drawing is not None],
        tables=[
            ("Muscles", muscles),
            ("Other regions", mri_rows.muscle_lines(page.table, muscles=False)),
        ],
        further=mri_rows.further(page.table),
        expected={key: number(value, 2) for key, value in page.expected.items()},
        budget=_budget(page.budget),
        radiomics=int((page.table["method"].str.startswith("radiomics")).sum()),
        rows=len(page.table),
        record=page.record,
    )  # fmt: skip


def title(acquisition: Acquisition) -> str:
    """Whose scan it is, in a line."""
    parts = (acquisition.subject, acquisition.session, acquisition.run and f"run {acquisition.run}")
    return " \u00b7 ".join(part for part in parts if part)


def verdict(page: MriPage) -> str:
    """``ok``, ``warn`` or ``fail``: the worst of rows and findings."""
    found = {"error": "fail", "warning": "warn", "info": "ok"}
    words = [mri_rows.worst(page.table), *(found[finding.level] for finding in page.findings)]
    return max(words, key=lambda word: RANKS[word])


def all_remarks(page: MriPage) -> list[Remark]:
    """Flags of the rows and findings of the checks, gravest first; equal messages are said once."""
    levels = {"error": "fail", "warning": "warn", "info": "ok"}
    places: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for finding in page.findings:
        if finding.category not in FLAGGED:
            text = f"{finding.message[:1].upper()}{finding.message[1:]}"
            key = (levels[finding.level], NUMBER.sub("#", text))
            places.setdefault(key, []).append((text, finding.where.replace("_", " ")))
    told = [
        Remark(level, _ranged([text for text, _ in held]), _named([where for _, where in held]))
        for (level, _), held in places.items()
    ]
    return sorted([*mri_rows.remarks(page.table), *told], key=lambda remark: -RANKS[remark.quality])


def _ranged(texts: Sequence[str]) -> str:
    """Texts that differ in their numbers alone as one, each number that differs as a range."""
    numbers = [NUMBER.findall(text) for text in texts]
    ranges = []
    for held in zip(*numbers, strict=True):
        ordered = sorted(set(held), key=float)
        ranges.append(ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}")
    found = iter(ranges)
    return NUMBER.sub(lambda _: next(found), texts[0])


def _named(places: Sequence[str]) -> str:
    known = list(dict.fromkeys(filter(None, places)))
    return series(known) if len(known) <= mri_rows.SHOWN else f"{len(known)} regions"


def thumbnail(page: MriPage) -> str:
    """The middle slice as a small picture, for a list of scans (a ``data:`` address)."""
    volume = page.acquisition.payload
    assert isinstance(volume, Volume)
    stack = make_stack(volume, page.segmentation)
    levels = mri_slices.choose(stack, ())
    return mri_slices.thumbnail(stack, levels[len(levels) // 2])


def doubtful(table: Table) -> list[int]:
    """Slices in which a row of a muscle fails."""
    rows = table[(table["quality"] == "fail") & table["at"].str.startswith("slice:")]
    return sorted({int(at.removeprefix("slice:")) for at in rows["at"]})


def montages(page: MriPage, stack: Stack) -> list[Montage]:
    """The pictures: signal with named contours, then every map that the scan has."""
    levels = mri_slices.choose(stack, doubtful(page.table))
    colours, names = mri_slices.palette(page.segmentation)
    white, dark = dict.fromkeys(colours, "#ffffff"), dict.fromkeys(colours, "#4a5563")
    shown = f"slices {', '.join(map(str, levels))}"
    drawn = "regions outlined and named" if colours else "no regions"
    layer = Layer(
        "signal", stack.images["signal"], Shade("grey"), f"Signal, {shown}: {drawn}.", colours, names
    )
    who = page.segmentation.rater if page.segmentation is not None else ""
    what = "Fat plus water" if "fat" in stack.images else "The image"
    caption = f"{what}, each slice in its own window."
    caption += f" Outlines: {who}." if who else " No regions were drawn."
    pictures = [Montage("signal", "Slices", mri_slices.montage(stack, levels, layer), caption)]
    for key, head, values, shade, texts, told in _maps(stack):
        layer = Layer(key, values, shade, f"{head}, {shown}.", dark if key == "change" else white)
        svg = mri_slices.montage(stack, levels, layer)
        pictures.append(Montage(key, head, svg, told, mri_slices.scale_bar(shade, texts)))
    return pictures if page.t2 is None else [*pictures, _t2_montage(page.t2)]


def _t2_montage(t2: T2Maps) -> Montage:
    """Water T2 on the grid of its own scan."""
    stack = make_stack(t2.maps, t2.segmentation)
    levels = mri_slices.choose(stack, ())
    values = stack.images["water_t2_ms"]
    fat = stack.images.get("fat_share", np.zeros_like(values))
    shown = np.where((values > 0) & (fat <= MOST_FAT), values, np.float32(np.nan))
    white = dict.fromkeys(mri_slices.palette(t2.segmentation)[0], "#ffffff")
    layer = Layer("water-t2", shown, WATER_T2, f"Water T2, slices {', '.join(map(str, levels))}.", white)
    told = "T2 of water with fat separated, on the slices of the spin echoes; black where it is mostly fat."
    scale = mri_slices.scale_bar(WATER_T2, ("20", "40", "60", "80 ms"))
    return Montage("water-t2", "Water T2", mri_slices.montage(stack, levels, layer), told, scale)


def _maps(stack: Stack) -> list[tuple[str, str, Any, Shade, tuple[str, ...], str]]:
    """Key, heading, values, colours, texts of the scale and caption of every map there is."""
    tissue = ndimage.binary_opening(stack.tissue, np.ones((1, 3, 3), dtype=bool))
    air = np.where(tissue, np.float32(0), np.float32(np.nan))
    images = stack.images
    maps: list[tuple[str, str, Any, Shade, tuple[str, ...], str]] = []
    per_cent = ("0", "25", "50", "75", "100 %")
    if {"fat", "water"} <= set(images) or "fat_fraction" in images:
        made = (
            "From the scanner's fat and water images."
            if "fat_fraction" not in images
            else ("Proton density fat fraction.")
        )
        values = images.get("fat_fraction", _ratio(stack))
        maps.append(("fraction", "Fat fraction", values + air, FRACTION, per_cent, made))
    if "fat_change" in images:
        told = "Fat fraction of this visit less that of the earlier one, within the muscles; red is more fat."
        change = np.where(stack.labels > 0, images["fat_change"], np.float32(np.nan))
        steps = ("\u221220", "\u221210", "0", "+10", "+20")
        maps.append(("change", "Change of fat fraction (points)", change, CHANGE, steps, told))
    if "certainty" in images:
        told = "Probability that a voxel's region is right, as the network sees it; dark is doubtful."
        maps.append(
            ("certainty", "Certainty of the outlines", images["certainty"] + air, CONFIDENCE, per_cent, told)
        )
    if "confidence" in images:
        told = "Confidence that fat and water are not exchanged and the fit holds; dark is doubtful."
        maps.append(("confidence", "Confidence", images["confidence"] + air, CONFIDENCE, per_cent, told))
    if "fat_fraction_sd" in images:
        texts = ("0", "5", "10 points")
        told = "Standard deviation of a voxel's fat fraction."
        maps.append(("spread", "Standard deviation", images["fat_fraction_sd"] + air, SPREAD, texts, told))
    return maps


def _ratio(stack: Stack) -> Any:
    if not {"fat", "water"} <= set(stack.images):
        return stack.images["signal"]
    signal = stack.images["signal"]
    empty = np.full(signal.shape, np.nan, dtype=np.float32)
    return np.divide(stack.images["fat"], signal, out=empty, where=signal > 0)


def facts(page: MriPage) -> list[tuple[str, str]]:
    """What was scanned and how it was measured, as terms and their text."""
    acquisition = page.acquisition
    volume = acquisition.payload
    assert isinstance(volume, Volume)
    shape = TIMES.join(map(str, volume.shape))
    spacing = TIMES.join(f"{step:.2f}" for step in volume.spacing_mm)
    protocol = [
        f"{factor * acquisition.settings[name]:.3g} {unit}"
        for name, unit, factor in SETTINGS
        if name in acquisition.settings
    ]
    methods = {(str(row["method"]), row["method_version"]) for row in records(page.table)}
    named = sorted(f"{method}@{version}" for method, version in methods if ":" not in method)
    raters = sorted(set(page.table["rater"]) - {""})
    told = [
        ("Scan", ", ".join([label("modalities", acquisition.modality), *protocol])),
        ("Grid", f"{shape} voxels of {spacing} mm"),
        ("Scanner", acquisition.device),
        ("Day", f"{acquisition.day:g} since baseline"),
        ("Regions by", ", ".join(raters)),
        ("Methods", ", ".join(named)),
        ("Images", acquisition.digest),
    ]
    return [(term, text) for term, text in told if text]


def _budget(budget: pd.DataFrame | None) -> list[tuple[str, tuple[str, ...], str, str]]:
    """Source, biases, whether corrected, and a note, a line an effect."""
    lines = [] if budget is None else records(budget)
    return [
        (
            str(line["source"]),
            tuple(_signed(line[name], line["corrected"] == "doubt") for name in ("at_10", "at_30", "at_50")),
            CORRECTED.get(line["corrected"], line["corrected"]),
            str(line["note"]),
        )
        for line in lines
    ]


def _signed(value: float, doubt: bool) -> str:
    sign = "\u00b1" if doubt else "+" if value > 0 else ""
    return f"{sign}{number(value, 2)}"


def bar(cell: Cell) -> Markup:
    """A fat fraction with its interval as a small picture, 0 to 100 %."""
    if np.isnan(cell.value):
        return Markup("")
    line = ""
    if not np.isnan(cell.low):
        line = f'<line x1="{cell.low:.1f}" x2="{cell.high:.1f}" y1="6" y2="6"/>'
    dot = f'<circle cx="{cell.value:.1f}" cy="6" r="3"/>'
    grid = "".join(f'<path d="M{x} 0V12"/>' for x in (0, 25, 50, 75, 100))
    return Markup(f'<svg viewBox="-4 0 108 12" class="bar" aria-hidden="true">{grid}{line}{dot}</svg>')


def environment() -> Environment:
    """The templates of the pages on muscle scans."""
    made = Environment(
        loader=PackageLoader("myoproof.delivery", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["bar"] = bar
    made.filters["whole"] = Markup
    return made


def _everywhere(page: MriPage) -> frozenset[str]:
    return mri_rows.muscle_lines(page.table).common - {"simulated"}


def _legend(segmentation: Segmentation | None) -> list[tuple[str, str, str]]:
    """Letters, colour and name of every site."""
    colours, names = mri_slices.palette(segmentation)
    found = sorted(segmentation.names.items()) if segmentation is not None else []
    sites = {site: (names[number], colours[number]) for number, (site, _) in found}
    return [(letters, colour, label("sites", site)) for site, (letters, colour) in sites.items()]
