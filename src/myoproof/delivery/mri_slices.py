"""Slices of a muscle scan as small SVG pictures: image or map as a raster, contours as paths."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import contourpy
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from myoproof.core.segmentation import Segmentation
from myoproof.delivery.naming import abbreviation
from myoproof.delivery.overlay import COLOURS
from myoproof.delivery.overlay_slices import Stack, window

Floats = npt.NDArray[np.float32]

WIDTH = 960.0
"""Width of a montage in its own units; a page shows it as wide as itself."""
GAP, HEAD = 8.0, 17.0
MOST_PIXELS = 420
"""A tile wider than this is thinned out: more is not seen on a page."""
MOST_SLICES = 9
WIDE = 1.3
"""Slices wider than this against their height stand three in a row, others four."""
JPEG_QUALITY = 82
LEVELS = 101
"""Steps of a map's colours: a per cent each."""
LEAST_NAMED = 0.004
"""A region smaller than this share of the slice bears no letters."""


@dataclass(frozen=True, slots=True)
class Shade:
    """How values become colours: a map of matplotlib from low to high; ``grey`` windows each slice."""

    name: str
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class Layer:
    """What one montage shows.

    Parameters
    ----------
    key : str
        Prefix of ids.
    values : ndarray, shape of the stack
        NaN is black.
    shade : Shade
        How values become colours.
    alt : str
        What a reader who cannot see it should know.
    colours : mapping of label to colour
        Of the outlines.
    names : mapping of label to text
        Letters within the regions.
    """

    key: str
    values: Floats
    shade: Shade
    alt: str
    colours: Mapping[int, str]
    names: Mapping[int, str] = field(default_factory=dict)


def choose(stack: Stack, doubtful: Sequence[int]) -> list[int]:
    """Slices to show: evenly through what is labelled (or all), doubtful ones instead of neighbours."""
    labelled = np.flatnonzero((stack.labels > 0).any(axis=(1, 2)))
    if not labelled.size:
        labelled = np.flatnonzero(stack.tissue.any(axis=(1, 2)))
    if labelled.size <= MOST_SLICES:
        return [int(level) for level in labelled] or [0]
    chosen = {
        int(labelled[round(place)]) for place in np.linspace(0, labelled.size - 1, MOST_SLICES + 2)[1:-1]
    }
    asked = [level for level in doubtful if level in labelled and level not in chosen]
    for level in asked[:: max(1, len(asked) // 3)][:3]:
        nearest = min(sorted(chosen - set(asked)), key=lambda one: abs(one - level))
        chosen = (chosen - {nearest}) | {level}
    return sorted(chosen)


def montage(stack: Stack, levels: Sequence[int], layer: Layer) -> str:
    """Several slices beside each other as one SVG element.

    Parameters
    ----------
    stack : Stack
        The scan.
    levels : sequence of int
        Slices.
    layer : Layer
        What is shown.
    """
    rows, columns = stack.tissue.shape[1:]
    aspect = columns * stack.spacing_mm[1] / (rows * stack.spacing_mm[0])
    across = min(3 if aspect > WIDE else 4, len(levels))
    wide = (WIDTH - GAP * (across - 1)) / across
    tall = wide / aspect
    scale = (wide / columns, tall / rows)
    parts = []
    for place, level in enumerate(levels):
        left, top = (place % across) * (wide + GAP), (place // across) * (tall + HEAD + GAP)
        head = f"slice {level} ({stack.heights_mm[level]:+.0f} mm)"
        picture = _raster(layer.values[level], layer.shade)
        parts += [
            f'<text x="{left:.0f}" y="{top + 12:.0f}" class="head">{head}</text>',
            f'<g transform="translate({left:.2f} {top + HEAD:.2f})">',
            f'<image width="{wide:.2f}" height="{tall:.2f}" preserveAspectRatio="none" href="{picture}"/>',
            *_contours(stack.labels[level], scale, layer.colours),
            *_letters(stack.labels[level], scale, layer.names, layer.colours),
            *_ends(stack, wide),
            "</g>",
        ]
    height = -(-len(levels) // across) * (tall + HEAD + GAP)
    size = f'viewBox="0 0 {WIDTH:.0f} {height:.0f}"'
    head = f'<svg {size} role="img" aria-labelledby="{layer.key}-about" class="montage">'
    return f'{head}<desc id="{layer.key}-about">{escape(layer.alt)}</desc>{"".join(parts)}</svg>'


def palette(segmentation: Segmentation | None) -> tuple[dict[int, str], dict[int, str]]:
    """Colour and letters of every label; both sides of a muscle share them."""
    if segmentation is None:
        return {}, {}
    sites = list(dict.fromkeys(site for _, (site, _) in sorted(segmentation.names.items())))
    colours = {site: COLOURS[place % len(COLOURS)] for place, site in enumerate(sites)}
    numbered = {label: site for label, (site, _) in segmentation.names.items()}
    letters = {label: abbreviation(site) for label, site in numbered.items()}
    return {label: colours[site] for label, site in numbered.items()}, letters


def scale_bar(shade: Shade, texts: Sequence[str]) -> str:
    """A colour scale as an SVG element, texts below it from the lowest to the highest value."""
    ramp = np.tile(np.linspace(shade.low, shade.high, LEVELS, dtype=np.float32), (8, 1))
    picture = _uri(_coloured(ramp, shade), "PNG")
    places = np.linspace(0, 200, len(texts))
    anchors = ["start", *["middle"] * (len(texts) - 2), "end"]
    said = "".join(
        f'<text x="{x:.0f}" y="24" text-anchor="{anchor}">{escape(text)}</text>'
        for x, anchor, text in zip(places, anchors, texts, strict=True)
    )
    image = f'<image width="200" height="10" preserveAspectRatio="none" href="{picture}"/>'
    return f'<svg viewBox="0 0 200 28" class="scale" aria-hidden="true">{image}{said}</svg>'


def thumbnail(stack: Stack, level: int) -> str:
    """One slice's fat plus water as a small picture (``data:`` address), for a list of scans."""
    image = _grey(stack.images["signal"][level])
    ratio = stack.spacing_mm[0] * image.height / (stack.spacing_mm[1] * image.width)
    return _uri(image.resize((160, max(1, round(160 * ratio)))), "JPEG")


def _raster(values: Floats, shade: Shade) -> str:
    step = -(-values.shape[1] // MOST_PIXELS)
    thin = values[::step, ::step]
    if shade.name == "grey":
        return _uri(_grey(thin), "JPEG")
    return _uri(_coloured(thin, shade), "PNG")


def _grey(values: Floats) -> Image.Image:
    low, high = window(values)
    return Image.fromarray((np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8))


def _coloured(values: Floats, shade: Shade) -> Image.Image:
    share = np.clip((values - shade.low) / (shade.high - shade.low), 0, 1)
    index = np.where(np.isnan(values), LEVELS, np.round(np.nan_to_num(share) * (LEVELS - 1))).astype(np.uint8)
    table = mpl.colormaps[shade.name](np.linspace(0, 1, LEVELS))[:, :3]
    image = Image.fromarray(index)
    image.putpalette((np.vstack([table, np.zeros((1, 3))]) * 255).round().astype(np.uint8).tobytes())
    return image


def _uri(image: Image.Image, form: str) -> str:
    buffer = io.BytesIO()
    if form == "JPEG":
        image.save(buffer, form, quality=JPEG_QUALITY)
    else:
        image.save(buffer, form, optimize=True)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _contours(
    labels: npt.NDArray[np.uint16], scale: tuple[float, float], colours: Mapping[int, str]
) -> list[str]:
    """Outlines in half voxels, which are whole numbers; widths stay those of the page."""
    paths = []
    start = f'<g transform="scale({scale[0] / 2:.5f} {scale[1] / 2:.5f})" class="lines">'
    for label in np.unique(labels[labels > 0]).tolist():
        mask = np.pad(labels == label, 1).astype(np.float64)
        lines: Any = contourpy.contour_generator(z=mask).lines(0.5)
        text = "".join(_path(np.rint(2 * (line - 1) + 1).astype(int)) for line in lines)
        paths.append(f'<path stroke="{colours.get(label, "#fff")}" d="{text}"/>')
    return [start, *paths, "</g>"] if paths else []


def _path(points: npt.NDArray[np.int_]) -> str:
    """A closed line as relative moves, points on straight stretches left out."""
    steps = np.diff(points, axis=0)
    turns = np.ones(len(steps), dtype=bool)
    turns[1:] = (steps[1:] != steps[:-1]).any(axis=1)
    kept = points[:-1][turns]
    moves = np.diff(kept, axis=0)
    told = "".join(f"l{x} {y}".replace(" -", "-") for x, y in moves.tolist())
    return f"M{kept[0, 0]} {kept[0, 1]}{told}z"


def _letters(
    labels: npt.NDArray[np.uint16],
    scale: tuple[float, float],
    names: Mapping[int, str],
    colours: Mapping[int, str],
) -> list[str]:
    texts = []
    for label, text in names.items():
        pieces, count = ndimage.label(labels == label)
        sizes = np.bincount(pieces.reshape(-1))[1:]
        for piece in range(1, count + 1):
            if sizes[piece - 1] < max(0.3 * sizes.max(), LEAST_NAMED * labels.size):
                continue
            depth = ndimage.distance_transform_edt(np.pad(pieces == piece, 1))[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            x, y = (float(column) + 0.5) * scale[0], (float(row) + 0.5) * scale[1] + 3
            texts.append(f'<text x="{x:.0f}" y="{y:.0f}" class="name" fill="{colours[label]}">{text}</text>')
    return texts


def _ends(stack: Stack, wide: float) -> list[str]:
    left, right, up, _ = stack.ends
    return [
        f'<text x="4" y="15" class="end">{left}</text>',
        f'<text x="{wide - 4:.0f}" y="15" class="end" text-anchor="end">{right}</text>',
        f'<text x="{wide / 2:.0f}" y="12" class="end small" text-anchor="middle">{up}</text>',
    ]
