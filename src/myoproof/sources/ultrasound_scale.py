"""How large a pixel is: region, PixelSpacing, ruler, user in turn, each checked, each refusal told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from myoproof.errors import Finding, InvalidInput
from myoproof.sources.ultrasound_ruler import Ruler, reading_mm
from myoproof.sources.ultrasound_types import Box, Region, Stated

SQUARE = 0.02
"""Relative difference of row and column spacing that is refused."""
SAME = 0.02
"""Relative difference of two sources that is told."""
DEPTH_MM = (10.0, 200.0)
"""Depths of muscle and nerve images; a scale that implies another is refused."""
CENTIMETRES, TISSUE, PLANE = 3, (0, 1, 2), (1,)
CM_TO_MM = 10.0
NOT_USED = "lengths stay in pixels; give the scale by hand if you know it"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user states of the scale.

    Parameters
    ----------
    spacing_mm : tuple of float, optional
        Rows and columns.
    depth_mm : float, optional
        Depth of the image.
    pixels_only : bool
        Whether no scale is wanted.
    """

    spacing_mm: tuple[float, float] | None = None
    depth_mm: float | None = None
    pixels_only: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a pixel and where it comes from.

    Parameters
    ----------
    spacing_mm : tuple of float, optional
        Rows and columns; None where nothing could be trusted.
    source : str
        ``region``, ``pixel_spacing``, ``ruler``, ``user`` or "".
    findings : tuple of Finding
        What was refused, and why.
    """

    spacing_mm: tuple[float, float] | None = None
    source: str = ""
    findings: tuple[Finding, ...] = field(default=())


def asked(
    spacing_mm: float | tuple[float, float] | None, depth_mm: float | None, pixels_only: bool, where: str
) -> Asked:
    """Check what the user states.

    Raises
    ------
    InvalidInput
        If a number is not positive.
    """
    pair = (spacing_mm, spacing_mm) if isinstance(spacing_mm, int | float) else spacing_mm
    for name, value in (*(("spacing", value) for value in pair or ()), ("depth", depth_mm)):
        if value is not None and not 0 < float(value) < 1e6:
            raise InvalidInput(f"a {name} of {value} mm", where=where, mend="give millimetres above 0")
    return Asked(pair and (float(pair[0]), float(pair[1])), depth_mm, pixels_only)


def scale(
    stated: Stated,
    rulers: tuple[Ruler | None, Ruler | None],
    wish: Asked,
    *,
    box: Box,
    shape: tuple[int, int],
    where: str,
) -> Scale:
    """Climb the ladder.

    Parameters
    ----------
    stated : Stated
        Regions and PixelSpacing of the file.
    rulers : pair of Ruler or None
        Ticks down and across.
    wish : Asked
        What the user states.
    box : tuple of int
        The tissue.
    shape : tuple of int
        Rows and columns of the image.
    where : str
        Name of the file.

    Returns
    -------
    Scale
        From the first step that holds.

    References
    ----------
    DICOM PS3.3, C.8.5.5.1.1 to C.8.5.5.1.15 (ultrasound region calibration).
    """
    if wish.pixels_only:
        return Scale()
    findings: list[Finding] = []
    if stated.regions:
        steps = [_by_region(stated, box, shape, where)]
    else:
        steps = [_by_pixel_spacing(stated, box, where)]
    steps.append(_by_ruler(rulers, wish, box, where))
    steps.append(_by_user(wish, box, where))
    for step in steps:
        findings += step.findings
        if step.spacing_mm is not None:
            return Scale(step.spacing_mm, step.source, (*findings, *_against(step, wish, where)))
    return Scale(findings=tuple(findings))


def tissue_regions(regions: Sequence[Region]) -> Sequence[Region]:
    """Regions that show tissue in two dimensions with centimetres down and across."""
    return [
        region
        for region in regions
        if region.spatial_format in PLANE
        and region.data_type in TISSUE
        and region.units == (CENTIMETRES, CENTIMETRES)
    ]


def _by_region(stated: Stated, box: Box, shape: tuple[int, int], where: str) -> Scale:
    told = tissue_regions(stated.regions)
    if not told:
        return _refused("no region of the file is a tissue image in centimetres", where)
    if stated.frames_differ:
        return _refused("the scale changes from frame to frame", where)
    outside = [region for region in told if not fits(region.box, shape)]
    if outside:
        return _refused(_why_outside(outside[0], shape), where)
    region = max(told, key=lambda region: _shared(region.box, box))
    if _shared(region.box, box) == 0:
        return _refused("the file's region does not lie where the image is", where)
    down, across = (CM_TO_MM * step for step in region.delta)
    fault = _fault(down, across, region.box[1] - region.box[0])
    return _refused(f"the file's region {fault}", where) if fault else Scale((down, across), "region")


def _by_pixel_spacing(stated: Stated, box: Box, where: str) -> Scale:
    if stated.spacing_mm is None:
        return Scale()
    fault = _fault(*stated.spacing_mm, box[1] - box[0])
    if fault:
        return _refused(f"the file's pixel spacing {fault}", where)
    return Scale(stated.spacing_mm, "pixel_spacing")


def _by_ruler(rulers: tuple[Ruler | None, Ruler | None], wish: Asked, box: Box, where: str) -> Scale:
    down, across = rulers
    ruler = down or across
    if ruler is None:
        return Scale()
    if down is not None and across is not None:
        wide = across.step / down.step
        parts = [wide * part for part in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
        if not any(abs(part - 1) <= SQUARE for part in parts):
            message = (
                f"ruler ticks are {down.step:.1f} pixels apart down and {across.step:.1f} across: stretched"
            )
            return _refused(message, where, "stretched")
    spacing = wish.spacing_mm[0] if wish.spacing_mm else None
    steps = reading_mm(ruler, box[1] - box[0], depth_mm=wish.depth_mm, spacing_mm=spacing)
    if spacing is not None and not steps:
        return Scale()
    if len(steps) != 1:
        options = " or ".join(f"{step:g}" for step in steps) or "no usual number of"
        message = f"ruler ticks are {ruler.step:.1f} pixels apart and may mean {options} mm"
        return _refused(message, where, "ruler", "state the depth of the image, or the size of a pixel")
    return Scale((steps[0] / ruler.step,) * 2, "ruler", tuple(_one_axis(rulers, where)))


def _one_axis(rulers: tuple[Ruler | None, Ruler | None], where: str) -> Sequence[Finding]:
    if all(rulers):
        return []
    axis = "down" if rulers[0] else "across"
    message = f"ticks were found {axis} only; pixels are taken as square"
    return [Finding("info", "ruler", message, where)]


def _by_user(wish: Asked, box: Box, where: str) -> Scale:
    if wish.spacing_mm is None:
        return Scale()
    fault = _fault(*wish.spacing_mm, box[1] - box[0])
    found = [Finding("warning", "scale", f"the size given {fault}", where)] if fault else []
    return Scale(wish.spacing_mm, "user", tuple(found))


def _fault(down: float, across: float, rows: int) -> str:
    if not down > 0 or not across > 0:
        return "states a size of zero"
    if abs(down / across - 1) > SQUARE:
        return f"states pixels of {down:.4g} x {across:.4g} mm, which are not square"
    depth = down * rows
    if not DEPTH_MM[0] <= depth <= DEPTH_MM[1]:
        return f"implies a depth of {depth / CM_TO_MM:.3g} cm"
    return ""


def _against(step: Scale, wish: Asked, where: str) -> Sequence[Finding]:
    if step.source == "user" or wish.spacing_mm is None or step.spacing_mm is None:
        return []
    if abs(wish.spacing_mm[0] / step.spacing_mm[0] - 1) <= SAME:
        return []
    given, told = f"{wish.spacing_mm[0]:.4g} mm", f"{step.spacing_mm[0]:.4g} mm"
    message = f"{given} were given, but the file's {step.source} says {told}, which is used"
    return [Finding("warning", "scale", message, where)]


def _refused(message: str, where: str, category: str = "scale", mend: str = NOT_USED) -> Scale:
    return Scale(findings=(Finding("warning", category, message, where, mend),))


def fits(box: Box, shape: tuple[int, int]) -> bool:
    """Whether a region lies within an image."""
    top, bottom, left, right = box
    return 0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]


def _shared(one: Box, other: Box) -> int:
    high = min(one[1], other[1]) - max(one[0], other[0])
    wide = min(one[3], other[3]) - max(one[2], other[2])
    return max(high, 0) * max(wide, 0)


def _why_outside(region: Region, shape: tuple[int, int]) -> str:
    top, bottom, left, right = region.box
    message = (
        f"the region (rows {top}-{bottom}, columns {left}-{right}) lies outside the image of "
        f"{shape[0]} x {shape[1]} pixels: it was cut or made smaller after the scale was written"
    )
    half = next(
        (factor for factor in (2, 3, 4) if bottom <= factor * shape[0] and right <= factor * shape[1]), 0
    )
    both = bottom > shape[0] and right > shape[1]
    if half and both:
        spacing = CM_TO_MM * region.delta[0] * half
        message += f"; it would fit an image {half} times as large, with pixels of {spacing:.4g} mm here"
    return message
