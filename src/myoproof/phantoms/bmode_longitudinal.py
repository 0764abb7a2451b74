"""Longitudinal views of muscle: aponeuroses, curved fascicles, and what lies above and below."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import UnknownName
from myoproof.phantoms.bmode_fascicles import Fascicles
from myoproof.phantoms.bmode_image import Paint
from myoproof.phantoms.bmode_layers import (
    FAT_DB,
    MUSCLE_DB,
    Canvas,
    Fascia,
    Flesh,
    Skin,
    canvas,
    paint_bone,
    paint_fascia,
    paint_flesh,
    paint_skin,
)
from myoproof.phantoms.bmode_longitudinal_truth import true_rows
from myoproof.phantoms.bmode_scene import BmodeParams, Disease, Labels, Scene, disease
from myoproof.phantoms.bmode_tissue import lines, soft_step

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

ANATOMY: dict[str, tuple[float, float, float, float]] = {
    "vastus_lateralis": (22.0, 3.5, 10.0, 22.0),
    "medial_gastrocnemius": (18.0, 3.0, 14.0, 28.0),
    "lateral_gastrocnemius": (15.0, 2.5, 9.0, 20.0),
    "tibialis_anterior": (24.0, 3.0, 8.0, 16.0),
    "rectus_femoris": (19.0, 3.0, 8.0, 20.0),
    "soleus": (15.0, 3.0, 14.0, 30.0),
    "biceps_brachii": (25.0, 4.0, 5.0, 10.0),
}
"""Mean and SD of thickness (mm), least and greatest pennation (deg). Proposals."""
LEAST_ANGLE_DEG = 4.0


@dataclass(frozen=True, slots=True)
class Edge:
    """Inner edge of an aponeurosis: a line with a bow, in the mirrored frame (fascicles rise to +x)."""

    depth_mm: float
    angle_deg: float
    bow_mm: float

    def at(self, x_mm: Any) -> Any:
        """Depth over x."""
        slope = np.float32(np.tan(np.radians(self.angle_deg)))
        return (
            np.float32(self.depth_mm)
            - slope * x_mm
            + np.float32(self.bow_mm) * (x_mm / np.float32(20.0)) ** 2
        )


@dataclass(frozen=True, slots=True)
class Longitudinal:
    """The geometry of one longitudinal view, in the mirrored frame.

    Parameters
    ----------
    superficial, deep : Edge
        Inner edges of the aponeuroses.
    fascicles : Fascicles
        Between them.
    skin_mm : float
        Thickness of the skin.
    sheets_mm : tuple of float
        Thickness of the two aponeuroses.
    mirror : float
        +1 where fascicles rise to the right of the picture, -1 to the left.
    floor_mm : float
        Depth of what lies below: another fascia or bone.
    """

    superficial: Edge
    deep: Edge
    fascicles: Fascicles
    skin_mm: float
    sheets_mm: tuple[float, float]
    mirror: float
    floor_mm: float


def longitudinal(params: BmodeParams, *, rng: np.random.Generator) -> Scene:
    """A longitudinal view drawn at random within the anatomy of its muscle.

    Parameters
    ----------
    params : BmodeParams
        ``site`` is a muscle of ``ANATOMY``.
    rng : numpy.random.Generator
        Source of randomness.

    Raises
    ------
    UnknownName
        If the muscle is not among those.
    """
    site = params.site or next(iter(ANATOMY))
    if site not in ANATOMY:
        raise UnknownName(f"no longitudinal view of {site!r}", mend=f"use one of {', '.join(ANATOMY)}")
    shape_rng, texture_rng = rng.spawn(2)
    change = disease(params)
    geometry = _geometry(params, site, change, shape_rng)
    below_bone = bool(shape_rng.random() < 0.4)
    depth = params.depth_mm or 5.0 * np.ceil((geometry.floor_mm + shape_rng.uniform(1.0, 8.0)) / 5.0)
    alpha = float(shape_rng.uniform(0.52, 0.66)) + change.attenuation
    level = MUSCLE_DB + float(shape_rng.normal(0.0, 1.5)) if params.muscle_db is None else params.muscle_db
    seed = int(texture_rng.integers(2**63))

    def paint(x: Images, z: Images, along_beam: Images) -> Paint:
        on = canvas(np.asarray(x * np.float32(geometry.mirror)), z, along_beam)
        _paint(on, geometry, change, (level, below_bone), np.random.default_rng(seed))
        return on.paint()

    def regions(x: Images, z: Images) -> Labels:
        mirrored = x * np.float32(geometry.mirror)
        fat = (z > geometry.skin_mm) & (z < geometry.superficial.at(mirrored) - geometry.sheets_mm[0])
        muscle = (z > geometry.superficial.at(mirrored)) & (z < geometry.deep.at(mirrored))
        return np.asarray(fat + 2 * muscle, dtype=np.uint16)

    def rows(half_width_mm: float, top_mm: float) -> list[dict[str, Any]]:
        return true_rows(geometry, site, half_width_mm, top_mm)

    names = {1: ("subcutaneous_fat", params.side), 2: (site, params.side)}
    return Scene(float(depth), paint, regions, names, rows, alpha, geometry.mirror)


def _geometry(params: BmodeParams, site: str, change: Disease, rng: np.random.Generator) -> Longitudinal:
    mean, sd, least, most = ANATOMY[site]
    thickness = float(np.clip(rng.normal(mean, sd), mean - 2 * sd, mean + 2 * sd))
    pennation, upper, lower = rng.uniform(least, most), rng.uniform(-3.0, 3.0), rng.uniform(-5.0, 8.0)
    turn = rng.uniform(-6.0, 6.0)
    bows, sheets = rng.normal(0.0, 0.4, 2), rng.uniform(0.8, 1.8, 2)
    skin, fat, gap = rng.uniform(1.2, 2.2), rng.uniform(2.5, 10.0), rng.uniform(6.0, 16.0)
    drawn = 1.0 if rng.random() < 0.5 else -1.0
    mirror = {"": drawn, "right": 1.0, "left": -1.0}[params.rises]
    if params.thickness_mm is not None:
        thickness = params.thickness_mm
    if params.pennation_deg is not None:
        pennation = params.pennation_deg
    thickness, pennation = thickness * change.thickness, pennation * (0.5 + 0.5 * change.thickness)
    lower = max(lower, LEAST_ANGLE_DEG - pennation)
    inner = skin + fat + sheets[0]
    edge = inner + thickness
    fascicles = Fascicles(float(pennation + lower), float(turn / thickness), float(inner + thickness / 2))
    return Longitudinal(
        Edge(float(inner), float(upper), float(bows[0])),
        Edge(float(edge), float(lower), float(bows[1])),
        fascicles,
        float(skin),
        (float(sheets[0]), float(sheets[1])),
        mirror,
        float(edge + sheets[1] + gap),
    )


def _paint(
    on: Canvas, geometry: Longitudinal, change: Disease, tissue: tuple[float, bool], rng: np.random.Generator
) -> None:
    level, below_bone = tissue
    part = rng.spawn(8)
    upper, lower = geometry.superficial.at(on.x), geometry.deep.at(on.x)
    septa = lines((45.0, 90.0), spacing_mm=2.4, width_mm=0.10, length_mm=14.0, share=0.3, rng=part[0])
    paint_skin(on, Skin(geometry.skin_mm, septa), rng=part[1])
    _paint_above(on, geometry, part[2])
    below = soft_step(on.z - lower - np.float32(geometry.sheets_mm[1]), 0.3)
    other = Fascicles(float(part[3].uniform(3.0, 25.0)), 0.0, geometry.floor_mm)
    paint_flesh(on, _flesh(other, level - 2.0, change, part[3]), below, rng=part[3])
    floor = Edge(geometry.floor_mm, float(part[4].uniform(-6.0, 6.0)), float(part[4].normal(0.0, 0.5)))
    if below_bone:
        paint_bone(on, floor.at)
    else:
        for step, dim in ((0.0, 4.0), (float(part[4].uniform(2.5, 5.0)), 8.0)):
            sheet = Edge(floor.depth_mm + step, floor.angle_deg, floor.bow_mm)
            paint_fascia(on, Fascia(sheet.at, 0.8, False, -14.0 - dim, change.blur_mm, 5.0), rng=part[4])
    inside = soft_step(on.z - upper, 0.1) * (1.0 - soft_step(on.z - lower, 0.1))
    paint_flesh(on, _flesh(geometry.fascicles, level + change.echo_db, change, part[5]), inside, rng=part[5])
    for edge, thick, upwards, one in (
        (geometry.superficial, geometry.sheets_mm[0], True, part[6]),
        (geometry.deep, geometry.sheets_mm[1], False, part[7]),
    ):
        paint_fascia(on, Fascia(edge.at, thick, upwards, blur_mm=change.blur_mm), rng=one)


def _paint_above(on: Canvas, geometry: Longitudinal, rng: np.random.Generator) -> None:
    """Bands in the fat that look like an aponeurosis, in some people with an even layer beneath them."""
    room = geometry.superficial.depth_mm - geometry.sheets_mm[0] - geometry.skin_mm
    for _ in range(int(rng.integers(0, 3))):
        if room < 3.0:
            return
        at = geometry.skin_mm + room * float(rng.uniform(0.2, 0.75))
        band = Edge(
            at, geometry.superficial.angle_deg * 0.5 + float(rng.normal(0.0, 0.8)), float(rng.normal(0, 0.3))
        )
        if rng.random() < 0.3:
            layer = soft_step(on.z - band.at(on.x), 0.2) * (
                1.0 - soft_step(on.z - geometry.superficial.at(on.x), 0.2)
            )
            on.fill(FAT_DB + 10.0, layer)
        thick = float(rng.uniform(0.4, 0.9))
        paint_fascia(
            on, Fascia(band.at, thick, True, -18.0 + float(rng.uniform(-6.0, 5.0)), 0.0, 4.0), rng=rng
        )


def _flesh(fascicles: Fascicles, level_db: float, change: Disease, rng: np.random.Generator) -> Flesh:
    coarse = lines((40.0, 90.0), spacing_mm=1.7, width_mm=0.20, length_mm=16.0, share=0.5, rng=rng)
    fine = lines((40.0, 90.0), spacing_mm=0.8, width_mm=0.14, length_mm=6.0, share=0.4, rng=rng)
    bundles = lines((40.0, 90.0), spacing_mm=4.0, width_mm=0.9, length_mm=18.0, share=0.6, rng=rng)

    def coordinates(x: Images, z: Images) -> tuple[Images, Images]:
        return fascicles.across(x, z), fascicles.along(x, z)

    streaks = [
        (coarse, 24.0 * change.streaks),
        (fine, 13.0 * change.streaks),
        (bundles, -7.0 * change.streaks),
    ]
    return Flesh(level_db, streaks, change.patch_db, coordinates)
