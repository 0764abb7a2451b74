"""What makes an image doubtful: two images or a trace on one screen, upside down, a photo of a screen."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from myoproof.errors import Finding
from myoproof.sources import ultrasound_marker
from myoproof.sources.ultrasound_box import Tissue
from myoproof.sources.ultrasound_screen import Screen
from myoproof.sources.ultrasound_types import Box, Grey, Mask, Raw

SEAM = 3.5
"""Times the usual step from column to column that parts two images (proposal)."""
MIDDLE = (0.35, 0.65)
"""Part of the width within which two images on one screen meet."""
BAND = 12
"""The near field is looked for in one part of so many of the depth."""
LAYERED, BRIGHTER = 3.0, 1.25
"""How much more layered, and brighter, the far end of a turned image is than its near end (proposals)."""
LEAST = (1.5, 1.0)
"""What both must be at least, however much the other speaks for it (proposal)."""
ROUGH = 0.5
"""Part of what lies around the image that may be rough before it is no screen (proposal)."""
TINGE = 7
"""Distance from grey, or from the picture's tint, of a weak colour (proposal); JPEG errs by 2."""
GLOW = 20
"""Mean grey level of a rough surround that is no dark depth of the image itself (proposal)."""
RIM, SMOOTH = 12, 0.6
"""Pixels of the rim, and how much smoother than the middle it is in a photo (proposals)."""
DRAWN = 20
"""Pixels outside of the tissue from which on something is written there."""
ONE_EACH = "export one image a file"


def doubts(raw: Raw, grey: Grey, screen: Screen, tissue: Tissue, where: str) -> Sequence[Finding]:
    """What is doubtful about an image; errors where it cannot be used.

    Parameters
    ----------
    raw : Raw
        The file.
    grey : ndarray, shape (row, column), uint8
        A frame.
    screen : Screen
        Its background.
    tissue : Tissue
        Where the image is.
    where : str
        Name of the file.
    """
    found = []
    if _upside_down(grey, tissue) or tissue.turned:
        message = "the image is upside down: skin and the layers below it are at its lower edge"
        found.append(Finding("error", "upside down", message, where, "turn the image, probe side up"))
    if tissue.others:
        message = f"the screen holds {1 + len(tissue.others)} images; one is taken"
        found.append(Finding("warning", "dual image", message, where, ONE_EACH))
    if _photographed(grey, screen, tissue) or _framed(grey, tissue) or _tinged(raw, tissue):
        message = "this looks like a photo of a screen; lengths and grey levels of it mean little"
        found.append(Finding("warning", "photo", message, where, "export the image from the machine"))
    if ultrasound_marker.side(grey, screen, tissue.box) == "right":
        message = "the probe's mark is on the right: left and right are exchanged"
        found.append(Finding("warning", "marker", message, where))
    return found


def parted(grey: Grey, tissue: Tissue) -> Tissue:
    """The larger of two images that touch on one screen; the same tissue where it holds one."""
    top, bottom, left, right = tissue.box
    if tissue.shape != "rectangle" or right - left < 64:
        return tissue
    inside = grey[top:bottom:3, left:right].astype(np.int16)
    step = np.abs(np.diff(inside, axis=1)).mean(0)
    start, end = (round(part * step.size) for part in MIDDLE)
    seam = start + int(np.argmax(step[start:end]))
    usual = float(np.median(step))
    apart = np.abs(np.arange(step.size) - seam) > 2
    if step[seam] < SEAM * max(usual, 1.0) or step[seam] < 1.8 * step[start:end][apart[start:end]].max():
        return tissue
    middle = left + seam + 1
    first: Box = (top, bottom, left, middle - 1)
    second: Box = (top, bottom, middle + 1, right)
    taken, other = (first, second) if seam + 1 >= step.size / 2 else (second, first)
    region = np.zeros_like(tissue.region)
    region[top:bottom, taken[2] : taken[3]] = tissue.region[top:bottom, taken[2] : taken[3]]
    return replace(tissue, box=taken, region=region, others=(*tissue.others, other))


def drawn_outside(screen: Screen, tissue: Tissue) -> bool:
    """Whether anything is drawn outside of the tissue, which may be a name."""
    outside = screen.content & ~tissue.region
    top, bottom, left, right = tissue.box
    outside[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = False
    return bool(outside.sum() > DRAWN)


def _upside_down(grey: Grey, tissue: Tissue) -> bool:
    """Whether the far end is both more layered and brighter than the near end."""
    top, bottom = tissue.box[:2]
    band = max(6, (bottom - top) // BAND)
    if bottom - top < 4 * band or tissue.shape not in {"rectangle", "trapezoid"}:
        return False
    near, far = (_layers(grey, tissue.region, rows) for rows in ((top, top + band), (bottom - band, bottom)))
    layered, brighter = ((far[place] + 1e-3) / (near[place] + 1e-3) for place in (0, 1))
    if layered < LEAST[0] or brighter < LEAST[1]:
        return False
    return bool(np.log(layered) / np.log(LAYERED) + np.log(brighter) / np.log(BRIGHTER) > 2)


def _layers(grey: Grey, region: Mask, rows: tuple[int, int]) -> tuple[float, float]:
    """How much of a band's variance is between its rows, and its mean; where the band is at its narrowest."""
    band, inside = grey[slice(*rows)].astype(np.float64), region[slice(*rows)]
    columns = inside.all(0)
    if columns.sum() < 8:
        columns = inside.any(0)
    band = band[:, columns]
    if not band.size:
        return 0.0, 0.0
    return float(band.mean(1).var() / (band.var() + 1)), float(band.mean())


def _photographed(grey: Grey, screen: Screen, tissue: Tissue) -> bool:
    """Whether a wide surround has no flat background at all, as every screen has."""
    around = ~tissue.region
    for top, bottom, left, right in (tissue.box, *tissue.others):
        around[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = False
    rough = screen.content & around
    if around.sum() < 0.1 * around.size or rough.sum() < ROUGH * around.sum():
        return False
    return bool(grey[rough].mean() > GLOW)


def _tinged(raw: Raw, tissue: Tissue) -> bool:
    """Whether weak colours lie all over the tissue, as a camera sees them."""
    if raw.tinge is None:
        return False
    rows, columns = raw.tinge.shape
    high, wide = tissue.region.shape
    inside = tissue.region[:: max(1, high // rows), :: max(1, wide // columns)][:rows, :columns]
    return bool((raw.tinge[inside] > TINGE).mean() > ROUGH) if inside.any() else False


def _framed(grey: Grey, tissue: Tissue) -> bool:
    """Whether an image that seems to fill the picture has a smooth, lit rim all around: a case and a desk."""
    if not tissue.region.all() or min(grey.shape) < 10 * RIM:
        return False
    middle = _texture(
        grey[grey.shape[0] // 4 : -grey.shape[0] // 4, grey.shape[1] // 4 : -grey.shape[1] // 4]
    )
    rims = (grey[:RIM], grey[-RIM:], grey[:, :RIM], grey[:, -RIM:])
    return all(_texture(rim) < SMOOTH * middle and rim.mean() > GLOW for rim in rims)


def _texture(part: Grey) -> float:
    """Typical step between pixels four apart."""
    wide = np.abs(part[:, 4:].astype(np.int16) - part[:, :-4]).mean() if part.shape[1] > 4 else 0.0
    return float(
        max(wide, np.abs(part[4:].astype(np.int16) - part[:-4]).mean() if part.shape[0] > 4 else 0.0)
    )
