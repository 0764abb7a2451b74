"""The drawing style all figures share: one colour-blind safe palette, calm axes, deterministic SVG."""

import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# The first two: Okabe & Ito, Color universal design (2008). Its light colours give way to darker ones, so
# that each stands at 3:1 or more against white (WCAG 2.2, 1.4.11), apart for colour-deficient eyes too.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#00815E"
PURPLE = "#8F3F87"
OCHRE = "#9A7400"
SLATE = "#4A5563"
INK = "#1c2430"
MUTED = "#566170"
RULE = "#c9d0d8"
WASH = "#eef1f4"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, OCHRE, SLATE)
MARKERS = ("o", "s", "^", "D", "v", "P")
GROUPS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"als": (VERMILION, "o", "-"), "control": (BLUE, "s", "--")}
)
"""Group name -> colour, marker, line: three ways to tell groups apart, so that none rests on colour."""

DIVERGING = LinearSegmentedColormap.from_list(
    "blue_white_vermilion", ["#00507d", "#5aa5d0", "#f7f7f7", "#ec9a5f", "#a34700"]
)
WIDTH_IN = 7.4
LABEL_CHARACTERS = 36
FONTS = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.labelsize": 9,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "axes.formatter.limits": (-6, 9),
        "axes.prop_cycle": cycler(color=list(PALETTE)),
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "grid.color": "#e3e7eb",
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
        "lines.markersize": 5,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "myoproof",
    }
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure of the report, ready to be placed.

    Parameters
    ----------
    key : str
        Unique in the report; file name in the bundle and prefix of the ids within the SVG.
    title : str
        What the figure shows, in a few words.
    caption : str
        How to read it, with n.
    alt : str
        What a reader who cannot see it should know, built from the numbers.
    svg : str
        The SVG element, without XML prologue.
    """

    key: str
    title: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of a forest plot.

    Parameters
    ----------
    label : str
        Text left of the line.
    value, low, high : float
        Estimate and interval; NaN draws no point and leaves the notes to say why.
    notes : tuple of str
        Texts right of the line, one a column.
    colour, marker : str
        Of the point.
    filled : bool
        False draws an open marker.
    """

    label: str
    value: float
    low: float
    high: float
    notes: tuple[str, ...] = ()
    colour: str = INK
    marker: str = "o"
    filled: bool = True


def canvas(
    height_in: float, *, width_in: float = WIDTH_IN, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of the report's width with a grid of axes; call inside :func:`style`.

    Parameters
    ----------
    height_in, width_in : float
        Size in inches.
    rows, columns : int
        Grid of axes.
    **options
        Passed to ``Figure.subplots``.

    Returns
    -------
    tuple of (Figure, list of Axes)
        Axes in reading order.
    """
    figure = Figure(figsize=(width_in, height_in))
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [ax for line in axes for ax in line]


def style() -> Any:
    """The context in which every figure is drawn; global settings are left as they were."""
    settings: Any = dict(STYLE)
    return mpl.rc_context(settings)


def finish(figure: Figure, *, key: str, title: str, alt: str, simulated: bool) -> str:
    """The figure as an SVG element with title, description and ids of its own; call inside :func:`style`.

    Parameters
    ----------
    figure : Figure
        What was drawn.
    key : str
        Prefix that makes its ids unique in a page.
    title, alt : str
        Accessible name and description.
    simulated : bool
        Whether to write "Simulated data" into the picture itself, so that a copy carries it too.

    Returns
    -------
    str
        The ``<svg>`` element; the same figure gives the same text.
    """
    if simulated:
        mark = figure.text(1, 0, "Simulated data", ha="right", va="bottom", fontsize=7.5, color=MUTED)
        mark.set_in_layout(False)
        engine = figure.get_layout_engine()
        foot = 0.22 / figure.get_figheight()
        if isinstance(engine, ConstrainedLayoutEngine):
            engine.set(rect=(0, foot, 1, 1 - foot))
    buffer = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=empty)
    return label_svg(buffer.getvalue(), key=key, title=title, alt=alt)


def label_svg(text: str, *, key: str, title: str, alt: str) -> str:
    """An SVG document as an element that can stand in a page: own ids, name, description, system fonts.

    Parameters
    ----------
    text : str
        SVG document.
    key : str
        Prefix of all ids.
    title, alt : str
        Accessible name and description.

    Returns
    -------
    str
        From ``<svg`` to ``</svg>``.
    """
    body = text[text.index("<svg") :].rstrip()
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    asked = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda at: f' id="{key}-{at[1]}"' if at[1] in asked else "", body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{key}-\1"', body)
    body = lighter_paths(body).replace("'DejaVu Sans'", FONTS)
    names = f'role="img" aria-labelledby="{key}-name {key}-about"'
    head = f'<title id="{key}-name">{escape(title)}</title><desc id="{key}-about">{escape(alt)}</desc>'
    opening, rest = body.split(">", 1)
    return f"{opening} {names}>{head}{rest}"


def lighter_paths(svg: str) -> str:
    """An SVG whose paths keep two decimals, a hundredth of a point: half the size, the same picture.

    Parameters
    ----------
    svg : str
        SVG text.

    Examples
    --------
    >>> lighter_paths('<path d="M 12.345678 0.5"/>')
    '<path d="M 12.35 0.5"/>'
    """
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"-?\d+\.\d{3,}", _two_decimals, path[0]), svg)


def _two_decimals(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}"


def wrap(text: str, width: int) -> str:
    """Text broken into lines of at most ``width`` characters.

    Parameters
    ----------
    text : str
        One line.
    width : int
        Characters a line.
    """
    return "\n".join(textwrap.wrap(text, width)) or text


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21.

    Parameters
    ----------
    one, other : colour
        Anything matplotlib takes as a colour; transparency is not read.

    References
    ----------
    WCAG 2.2, relative luminance and contrast ratio.

    Examples
    --------
    >>> round(contrast("black", "white"))
    21
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(paper: Any) -> str:
    """Black or white, whichever is easier to read on a colour; at least 4.5:1 on any.

    Parameters
    ----------
    paper : colour
        What the text stands on.

    Examples
    --------
    >>> ink_on("white"), ink_on("#00507d")
    ('black', 'white')
    """
    return max(("black", "white"), key=lambda ink: contrast(ink, paper))


def _luminance(colour: Any) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def forest_height_in(rows: Sequence[ForestRow]) -> float:
    """Height in inches that a forest plot of these rows needs, axis and heads included.

    Parameters
    ----------
    rows : sequence of ForestRow
        The lines; long labels take two.
    """
    return 1.0 + sum(0.12 + 0.135 * (1 + _label(row).count("\n")) for row in rows)


def _label(row: ForestRow) -> str:
    return wrap(row.label, LABEL_CHARACTERS)


def forest(ax: Axes, rows: Sequence[ForestRow], *, reference: float = 0.0, heads: Sequence[str] = ()) -> None:
    """Draw estimates with intervals, first row on top, and columns of text beside them.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    rows : sequence of ForestRow
        The lines.
    reference : float
        Value of the dashed line; NaN draws none.
    heads : sequence of str
        Heads of the text columns.
    """
    places = range(len(rows))
    for y, row in zip(places, rows, strict=True):
        if not math.isnan(row.value):
            ax.plot([row.low, row.high], [y, y], color=row.colour, linewidth=1.6, solid_capstyle="butt")
            face = row.colour if row.filled else "white"
            ax.plot(row.value, y, marker=row.marker, color=row.colour, markerfacecolor=face, markersize=6)
    if not math.isnan(reference):
        ax.axvline(reference, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    ax.set_yticks(list(places), [_label(row) for row in rows], linespacing=1.15)
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="x")
    _note_columns(ax, rows, heads)


def _note_columns(ax: Axes, rows: Sequence[ForestRow], heads: Sequence[str]) -> None:
    columns = max((len(row.notes) for row in rows), default=0)
    widths = [
        max(
            [len(row.notes[c]) for row in rows if "".join(row.notes[1:])] + [len(h) for h in heads[c : c + 1]]
        )
        for c in range(columns)
    ]
    # Text is anchored in points right of the axes: 5 points a character, 9 between columns.
    start = 8.0
    for c, width in enumerate(widths):
        for y, row in enumerate(rows):
            if c < len(row.notes):
                _beside(ax, row.notes[c], y, start)
        if c < len(heads):
            _beside(ax, heads[c], -0.85, start, color=MUTED)
        start += width * 5.0 + 9


def _beside(ax: Axes, text: str, y: float, offset_pt: float, *, color: str = INK) -> None:
    ax.annotate(
        text,
        xy=(1, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(offset_pt, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=8.5,
        color=color,
        annotation_clip=False,
    )
