"""The quality picture of a Dixon scan: slices with contours, fat fractions with intervals, and flags."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.atomic import atomic_path
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table
from myoproof.delivery.figures import INK, MUTED, RULE, VERMILION, label_svg, style
from myoproof.delivery.naming import abbreviation
from myoproof.delivery.overlay_slices import Stack, choose, make_stack, window
from myoproof.errors import InvalidInput
from myoproof.vocabulary.lookup import label

COLOURS = (
    "#4FC3F7", "#FFB74D", "#81C784", "#F48FB1", "#FFF176", "#B39DDB",
    "#4DB6AC", "#FF8A65", "#AED581", "#90CAF9", "#E6A8E6", "#D7CCC8",
)  # fmt: skip
"""Contour colours, light enough for a dark image; abbreviations say the same in letters."""
FRACTION_MAP = "magma"
SHORT: Mapping[str, str] = {
    "field_of_view_truncated": "cut by field of view",
    "muscle_cut_by_stack_end": "cut by stack end",
    "gap_between_slices": "gaps between slices",
    "fat_water_swap_suspected": "FAT-WATER SWAP?",
    "empty_label": "not in the mask",
    "sides_split_by_geometry": "sides split by geometry",
    "single_side_assumed": "side not known",
    "negative_values_excluded": "negative voxels left out",
    "zero_signal_excluded": "empty voxels left out",
    "noise_floor": "raised by noise floor",
    "simulated": "simulated",
}
"""Flags in the words of the picture."""
WIDTH_IN = 11.0
ROW_IN = 0.2
HEAD_IN = 0.75
FOOT_IN = 0.65
COLUMNS = (
    ("fat fraction (interval)", 0.0),
    ("signal-weighted", 0.225),
    ("largest area", 0.385),
    ("volume", 0.51),
    ("flags", 0.635),
)
"""Heads of the text columns and their places across the right half."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One muscle of one side in the lower half."""

    site: str
    side: str
    fraction: pd.Series
    texts: tuple[str, str, str, str]
    flags: frozenset[str]


def write(acquisition: Acquisition, segmentation: Segmentation, table: Table, path: Path) -> None:
    """Write the picture of a measured scan.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channels ``fat`` and ``water``.
    segmentation : Segmentation
        The regions that were measured.
    table : Table
        Rows of the Dixon measure; other rows are passed over.
    path : Path
        ``.svg`` (default) or ``.png``. The same input gives the same bytes on one machine.

    Raises
    ------
    InvalidInput
        If the acquisition holds no fat and water, or the table no fat fraction.
    NotWritable
        If the file cannot be written; an earlier file stays as it was.

    References
    ----------
    Radiological convention: the person's right is on the left of the picture, anterior is up.
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("the picture needs a volume with the channels fat and water")
    lines = _lines(table)
    if not lines:
        raise InvalidInput("the table holds no fat fraction of a whole muscle", mend="measure dixon first")
    stack = make_stack(volume, segmentation)
    levels = choose(stack, _suspected(table))
    with style():
        figure = _draw(acquisition, segmentation, stack, levels, lines)
        path = Path(path)
        with atomic_path(path) as temporary:
            if path.suffix.lower() == ".png":
                figure.savefig(
                    temporary, format="png", dpi=160, facecolor="white", metadata={"Software": None}
                )
            else:
                temporary.write_text(_svg(figure, acquisition, lines, levels), encoding="utf-8")


def _lines(table: pd.DataFrame) -> list[_Line]:
    main = table[(table["modality"] == "dixon") & ~table["method"].str.contains(":")]
    keyed = {(row["site"], row["side"], row["at"], row["measure"]): row for _, row in main.iterrows()}
    lines = []
    for (site, side, at, measure), row in keyed.items():
        if measure != "fat_fraction" or at:
            continue
        signal = keyed.get((site, side, "", "fat_fraction_signal"))
        area = keyed.get((site, side, "maximum", "cross_sectional_area"))
        volume = keyed.get((site, side, "", "volume"))
        texts = (
            _percent(row),
            _percent(signal, interval=False),
            _size(area, 0.01, "cm\u00b2"),
            _size(volume, 1.0, "mL"),
        )
        found = [other["flags"] for other in (row, volume) if other is not None]
        flags = frozenset(flag for text in found for flag in text.split(";") if flag)
        lines.append(_Line(site, side, row, texts, flags))
    sites = list(dict.fromkeys(line.site for line in lines))
    return sorted(lines, key=lambda line: sites.index(line.site))


def _percent(row: pd.Series | None, *, interval: bool = True) -> str:
    if row is None or np.isnan(row["value"]):
        return "\u2013" if row is None or not row["absent"] else label("absent", row["absent"])
    text = f"{100 * row['value']:.1f} %"
    if np.isnan(row["low"]) or not interval:
        return text
    return f"{text}  ({100 * row['low']:.1f}\u2013{100 * row['high']:.1f})"


def _size(row: pd.Series | None, scale: float, unit: str) -> str:
    return "\u2013" if row is None or np.isnan(row["value"]) else f"{scale * row['value']:.1f} {unit}"


def _suspected(table: pd.DataFrame) -> list[int]:
    doubtful = table[
        table["flags"].str.contains("fat_water_swap_suspected") & table["at"].str.startswith("slice:")
    ]
    return sorted({int(at.removeprefix("slice:")) for at in doubtful["at"]})


def _draw(
    acquisition: Acquisition,
    segmentation: Segmentation,
    stack: Stack,
    levels: Sequence[int],
    lines: Sequence[_Line],
) -> Figure:
    rows, columns = (n * step for n, step in zip(stack.tissue.shape[1:], stack.spacing_mm, strict=True))
    wide = (WIDTH_IN - 0.3) / max(len(levels), 3)
    tall = min(wide * rows / columns, 4.2)
    images_in, table_in = 2 * tall + 0.75, ROW_IN * (len(lines) + 2) + 0.5
    height = HEAD_IN + images_in + table_in + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    figure.set_layout_engine("none")
    colours = {site: COLOURS[place % len(COLOURS)] for place, site in enumerate(_sites(segmentation))}
    _head(figure, acquisition, segmentation, lines, height)
    for place, level in enumerate(levels):
        left = 0.15 + place * wide
        top = height - HEAD_IN - 0.22
        boxes = [(left, top - (row + 1) * tall - row * 0.05, wide - 0.06, tall) for row in (0, 1)]
        axes = [figure.add_axes(_share(box, height)) for box in boxes]
        _slice(axes[0], axes[1], stack, level, segmentation, colours)
    _scale(figure, height, height - HEAD_IN - images_in + 0.2)
    _rows(figure, lines, colours, (0.0, FOOT_IN, WIDTH_IN, table_in), height)
    _foot(figure, acquisition, lines, height)
    return figure


def _share(box_in: tuple[float, float, float, float], height: float) -> tuple[float, float, float, float]:
    left, bottom, wide, tall = box_in
    return left / WIDTH_IN, bottom / height, wide / WIDTH_IN, tall / height


def _sites(segmentation: Segmentation) -> list[str]:
    return list(dict.fromkeys(site for _, (site, _) in sorted(segmentation.names.items())))


def _common(lines: Sequence[_Line]) -> frozenset[str]:
    """Flags that every single side bears; they are said once."""
    single = [line.flags for line in lines if line.side != "both"] or [line.flags for line in lines]
    return frozenset.intersection(*single) - {"fat_water_swap_suspected"}


def _head(
    figure: Figure,
    acquisition: Acquisition,
    segmentation: Segmentation,
    lines: Sequence[_Line],
    height: float,
) -> None:
    who = " \u00b7 ".join(
        part for part in (acquisition.subject, acquisition.session, acquisition.run) if part
    )
    title = "Dixon muscle MRI" + (f": {who}" if who else "")
    figure.text(0.15 / WIDTH_IN, 1 - 0.26 / height, title, fontsize=14, weight="bold", va="center")
    notes = [f"Drawn by {segmentation.rater}"] if segmentation.rater else []
    common = [SHORT.get(flag, flag.replace("_", " ")) for flag in sorted(_common(lines))]
    notes += [f"for all muscles: {', '.join(common)}"] if common else []
    figure.text(0.15 / WIDTH_IN, 1 - 0.53 / height, "; ".join(notes), color=MUTED, va="center")
    if any("fat_water_swap_suspected" in line.flags for line in lines):
        text = "Fat and water may be exchanged: look before using these numbers"
        place = 1 - 0.15 / WIDTH_IN, 1 - 0.26 / height
        figure.text(*place, text, color=VERMILION, weight="bold", ha="right", va="center")


def _slice(
    above: Axes, below: Axes, stack: Stack, level: int, segmentation: Segmentation, colours: Mapping[str, str]
) -> None:
    """One slice: signal with named contours above, fat fraction with the same contours below."""
    fat, signal = stack.images["fat"][level], stack.images["signal"][level]
    air = np.full(signal.shape, np.nan, np.float32)
    fraction = np.divide(fat, signal, out=air, where=stack.tissue[level] & (signal > 0))
    low, high = window(signal)
    ratio = stack.spacing_mm[0] / stack.spacing_mm[1]
    above.imshow(signal, cmap="gray", vmin=low, vmax=high, aspect=ratio, interpolation="none")
    below.imshow(fraction, cmap=FRACTION_MAP, vmin=0, vmax=1, aspect=ratio, interpolation="none")
    for ax in (above, below):
        ax.set_facecolor("black")
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)
    for site, colour in colours.items():
        mask = np.isin(
            stack.labels[level], [number for number, name in segmentation.names.items() if name[0] == site]
        )
        if mask.any():
            above.contour(mask, levels=[0.5], colors=[colour], linewidths=0.9)
            below.contour(mask, levels=[0.5], colors=["white"], linewidths=0.7)
            _name_pieces(above, mask, abbreviation(site), colour)
    shown = f"slice {level}  ({'xyz'[_through(stack)]} {stack.heights_mm[level]:+.0f} mm)"
    above.set_title(shown, fontsize=9, weight="normal", pad=3)
    _orientation(above, stack)
    _orientation(below, stack)


def _through(stack: Stack) -> int:
    """World axis through the slices, from the letters at the edges."""
    return next(world for world, letter in enumerate("RAS") if letter not in stack.ends)


def _name_pieces(ax: Axes, mask: npt.NDArray[np.bool_], text: str, colour: str) -> None:
    pieces, count = ndimage.label(mask)
    sizes = np.bincount(pieces.reshape(-1))[1:]
    for piece in range(1, count + 1):
        if sizes[piece - 1] < max(0.2 * sizes.max(), 20):
            continue
        depth = ndimage.distance_transform_edt(pieces == piece)
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        box = {"boxstyle": "square,pad=0.12", "facecolor": "black", "alpha": 0.55, "linewidth": 0}
        ax.text(float(column), float(row), text, color=colour, fontsize=6, ha="center", va="center", bbox=box)


def _orientation(ax: Axes, stack: Stack) -> None:
    left, right, up, down = stack.ends
    corners = ((0.015, 0.97, left, "left"), (0.985, 0.97, right, "right"))
    for x, y, letter, align in corners:
        ax.text(
            x,
            y,
            letter,
            transform=ax.transAxes,
            color="white",
            fontsize=11,
            weight="bold",
            ha=align,
            va="top",
        )
    for y, letter, align in ((0.975, up, "top"), (0.025, down, "bottom")):
        ax.text(0.5, y, letter, transform=ax.transAxes, color="white", fontsize=7, ha="center", va=align)


def _scale(figure: Figure, height: float, bottom: float) -> None:
    ax = figure.add_axes(_share((WIDTH_IN - 3.0, bottom, 2.0, 0.12), height))
    ax.imshow(np.linspace(0, 1, 256)[None, :], cmap=FRACTION_MAP, aspect="auto", extent=(0, 100, 0, 1))
    ax.set_yticks([])
    ax.set_xticks([0, 50, 100], ["0", "50", "100 %"])
    ax.tick_params(length=2, labelsize=7.5, pad=1.5)
    ax.set_ylabel("fat fraction", rotation=0, ha="right", va="center", fontsize=8.5)
    text = "Above: fat + water, window per slice. Below: fat fraction. "
    text += "Radiological display: the person's right is on the left."
    figure.text(0.15 / WIDTH_IN, (bottom + 0.03) / height, text, fontsize=8, color=MUTED)


def _rows(
    figure: Figure,
    lines: Sequence[_Line],
    colours: Mapping[str, str],
    box_in: tuple[float, float, float, float],
    height: float,
) -> None:
    """Names, fat fractions as points with intervals, sizes and flags, a line a muscle and side."""
    _, bottom, _, tall = box_in
    ax = figure.add_axes(_share((2.75, bottom + 0.35, 2.3, tall - 0.45), height))
    texts = blended_transform_factory(figure.transFigure, ax.transData)
    common = _common(lines)
    ax.set_ylim(len(lines) - 0.4, -1.4)
    ax.set_xlim(0, 100)
    ax.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
    ax.set_yticks([])
    ax.grid(visible=True, axis="x", color=RULE, linewidth=0.6)
    ax.spines["left"].set_visible(False)
    start = (2.75 + 2.3 + 0.25) / WIDTH_IN
    for head, place in COLUMNS:
        ax.text(
            start + place * (1 - start), -0.95, head, transform=texts, fontsize=8, color=MUTED, va="center"
        )
    earlier = ""
    for y, line in enumerate(lines):
        _line(ax, y, line, colours.get(line.site, INK), line.flags - common)
        if line.site != earlier:
            ax.axhline(y - 0.5, color=RULE, linewidth=0.5, zorder=0)
            name = f"{label('sites', line.site)} ({abbreviation(line.site)})"
            ax.text(0.15 / WIDTH_IN, y, name, transform=texts, fontsize=8.5, va="center")
        earlier = line.site
        ax.text(2.6 / WIDTH_IN, y, line.side or "?", transform=texts, fontsize=8.5, va="center", ha="right")
        shown = (*line.texts, "; ".join(SHORT.get(flag, flag) for flag in sorted(line.flags - common)))
        for (_, place), text in zip(COLUMNS, shown, strict=True):
            bad = "fat_water_swap_suspected" in line.flags and place == COLUMNS[-1][1]
            ax.text(start + place * (1 - start), y, text, transform=texts, fontsize=8, va="center",
                    color=VERMILION if bad else INK)  # fmt: skip


def _line(ax: Axes, y: int, line: _Line, colour: str, own_flags: frozenset[str]) -> None:
    row = line.fraction
    if np.isnan(row["value"]):
        return
    ink = VERMILION if "fat_water_swap_suspected" in own_flags | line.flags else INK
    if not np.isnan(row["low"]):
        ax.plot(
            [100 * row["low"], 100 * row["high"]], [y, y], color=ink, linewidth=1.5, solid_capstyle="butt"
        )
    ax.plot(100 * row["value"], y, marker="o", markersize=5.5, markerfacecolor=colour, markeredgecolor=ink)


def _foot(figure: Figure, acquisition: Acquisition, lines: Sequence[_Line], height: float) -> None:
    first = lines[0].fraction
    level = f"{100 * first['level']:.0f} %" if not np.isnan(first["level"]) else ""
    text = (
        f"Points: mean over voxels of fat / (fat + water). Lines: {level} intervals for the muscle under "
        "noise\nand an uncertain border; they lean where the rim of the drawing holds other tissue. "
        "Research use; not a diagnosis.\n"
        f"method {first['method']}@{first['method_version']} \u00b7 "
        f"provenance {first['provenance'] or 'none'} \u00b7 images {acquisition.digest or 'unnamed'}"
    )
    figure.text(0.15 / WIDTH_IN, 0.12 / height, text, fontsize=7.5, color=MUTED, va="bottom", linespacing=1.4)


def _svg(figure: Figure, acquisition: Acquisition, lines: Sequence[_Line], levels: Sequence[int]) -> str:
    buffer = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=empty, facecolor="white")
    who = f" of {acquisition.subject}" if acquisition.subject else ""
    title = f"Dixon muscle MRI{who}: contours, fat fractions and flags"
    body = label_svg(buffer.getvalue(), key="overlay", title=title, alt=_alt(lines, levels))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _alt(lines: Sequence[_Line], levels: Sequence[int]) -> str:
    slices = ", ".join(str(level) for level in levels)
    told = "; ".join(
        f"{label('sites', line.site)} {line.side} {line.texts[0]}"
        + (f" [{', '.join(SHORT.get(flag, flag) for flag in sorted(line.flags))}]" if line.flags else "")
        for line in lines
    )
    return (
        f"Slices {slices} with muscle contours on fat + water and on the fat fraction. Fat fractions: {told}."
    )
