"""Transverse views of nerves: dark fascicles in bright epineurium, with a vessel and tendons beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import UnknownName
from myoproof.phantoms.bmode_image import Paint
from myoproof.phantoms.bmode_layers import (
    FASCIA_DB,
    MUSCLE_DB,
    Canvas,
    Fascia,
    Skin,
    canvas,
    paint_fascia,
    paint_flesh,
    paint_skin,
)
from myoproof.phantoms.bmode_outline import Outline, rough_outline
from myoproof.phantoms.bmode_scene import BmodeParams, Labels, Scene, disease
from myoproof.phantoms.bmode_tissue import lines, soft_step
from myoproof.phantoms.bmode_transverse import flesh

Images = npt.NDArray[np.float32]

AREAS_MM2 = {
    "median_wrist": (9.0, 1.8, 5.0),
    "median_forearm": (7.0, 1.4, 10.0),
    "median_upper_arm": (9.0, 1.6, 9.0),
    "ulnar_wrist": (5.5, 1.0, 6.0),
    "ulnar_elbow": (7.5, 1.6, 5.0),
    "ulnar_forearm": (6.0, 1.2, 11.0),
    "tibial_ankle": (11.0, 2.2, 9.0),
    "fibular_head": (9.5, 2.0, 6.0),
}
"""Mean and SD of the area and depth of the centre (mm). Proposals within what reference studies report."""
EPINEURIUM_MM = 0.35
INNER_DB, FASCICLE_DB, BLOOD_DB, TENDON_DB = -33.0, -52.0, -75.0, -30.0


@dataclass(frozen=True, slots=True)
class NerveBed:
    """A nerve and what lies beside it.

    Parameters
    ----------
    nerve : Outline
        Inner border of the bright rim: the border that is traced for the area.
    fascicles : sequence of Outline
        Within the nerve, not touching each other.
    vessel : Outline or None
        Round, dark.
    tendons : sequence of Outline
        Bright, fibrillar: what a nerve is mistaken for.
    skin_mm, fascia_mm : float
        Thickness of the skin, depth of the fascia over the muscle.
    """

    nerve: Outline
    fascicles: Sequence[Outline]
    vessel: Outline | None
    tendons: Sequence[Outline]
    skin_mm: float
    fascia_mm: float


def nerve(params: BmodeParams, *, rng: np.random.Generator) -> Scene:
    """A nerve cut across, drawn at random.

    Parameters
    ----------
    params : BmodeParams
        ``site`` is a nerve of ``AREAS_MM2``.
    rng : numpy.random.Generator
        Source of randomness.

    Raises
    ------
    UnknownName
        If the nerve is not among those.
    """
    site = params.site or next(iter(AREAS_MM2))
    if site not in AREAS_MM2:
        raise UnknownName(f"no view of {site!r}", mend=f"use one of {', '.join(AREAS_MM2)}")
    shape_rng, texture_rng = rng.spawn(2)
    bed = _bed(params, site, shape_rng)
    depth = params.depth_mm or 5.0 * np.ceil((bed.nerve.z_mm + shape_rng.uniform(10.0, 18.0)) / 5.0)
    level = MUSCLE_DB + float(shape_rng.normal(0.0, 1.5)) if params.muscle_db is None else params.muscle_db
    alpha, seed = float(shape_rng.uniform(0.52, 0.66)), int(texture_rng.integers(2**63))

    def paint(x: Images, z: Images, along_beam: Images) -> Paint:
        on = canvas(x, z, along_beam)
        _paint(on, bed, params, level, np.random.default_rng(seed))
        return on.paint()

    def regions(x: Images, z: Images) -> Labels:
        labels = np.where(bed.nerve.inside_mm(x, z) > 0, 1, 0)
        if bed.vessel is not None:
            labels = np.where(bed.vessel.inside_mm(x, z) > 0, 2, labels)
        return labels.astype(np.uint16)

    def rows(half_width_mm: float, top_mm: float) -> list[dict[str, Any]]:
        del half_width_mm, top_mm
        dark = sum(one.area_mm2 for one in bed.fascicles) / bed.nerve.area_mm2
        values = [("nerve_cross_sectional_area", bed.nerve.area_mm2), ("nerve_fascicle_ratio", dark)]
        found = [{"site": site, "measure": name, "value": value} for name, value in values]
        if bed.vessel is not None:
            area = bed.vessel.area_mm2
            found.append({"site": "vessel", "measure": "vessel_cross_sectional_area", "value": area})
        return found

    names = {1: (site, params.side)}
    if bed.vessel is not None:
        names[2] = ("vessel", params.side)
    return Scene(float(depth), paint, regions, names, rows, alpha)


def _bed(params: BmodeParams, site: str, rng: np.random.Generator) -> NerveBed:
    mean, sd, deep = AREAS_MM2[site]
    area = float(np.clip(rng.normal(mean, sd), mean - 2 * sd, mean + 2 * sd))
    if params.area_mm2 is not None:
        area = params.area_mm2
    if params.disease == "als":
        area *= 1.0 - 0.25 * params.severity
    flat = float(rng.uniform(1.2, 2.4))
    down = float(np.sqrt(area / np.pi / flat))
    skin, x = float(rng.uniform(1.0, 1.8)), float(rng.uniform(-3.5, 3.5))
    z = max(deep * float(rng.uniform(0.8, 1.4)), skin + down + 1.0)
    shape = rough_outline((x, z), (down * flat, down), 0.05, rng=rng)
    whole = shape.scaled(float(np.sqrt(area / shape.area_mm2)))
    side = 1.0 if rng.random() < 0.5 else -1.0
    vessel = None
    if rng.random() < 0.85:
        bore = float(rng.uniform(0.8, 2.0))
        away = side * (whole.across_mm + bore + float(rng.uniform(0.8, 3.5)))
        place = (x + away, max(z + float(rng.uniform(-2.0, 2.5)), skin + bore + 0.8))
        vessel = rough_outline(place, (bore * float(rng.uniform(1.0, 1.2)), bore), 0.02, rng=rng)
    tendons = []
    for k in range(int(rng.integers(1, 4))):
        size = float(rng.uniform(1.4, 2.4))
        place = (
            x - side * (whole.across_mm * 0.3 + 4.5 * k + size),
            z + whole.down_mm + size + 1.0 + float(rng.uniform(0, 2)),
        )
        tendons.append(rough_outline(place, (size * 1.3, size), 0.04, rng=rng))
    fascia = skin + float(rng.uniform(0.25, 0.7)) * (z - whole.down_mm - skin)
    return NerveBed(whole, _fascicles(whole, rng), vessel, tendons, skin, fascia)


def _fascicles(whole: Outline, rng: np.random.Generator) -> list[Outline]:
    """Round fascicles on a jittered hexagonal grid, as large as their neighbours leave room for."""
    pitch = float(np.clip(np.sqrt(whole.area_mm2 / rng.uniform(6.0, 13.0)), 0.6, 1.4))
    reach = int(np.ceil(whole.across_mm / pitch)) + 1
    found = []
    for row in range(-reach, reach + 1):
        for col in range(-reach, reach + 1):
            x = whole.x_mm + pitch * (col + 0.5 * (row % 2)) + float(rng.normal(0.0, 0.04 * pitch))
            z = whole.z_mm + 0.866 * pitch * row + float(rng.normal(0.0, 0.04 * pitch))
            size = pitch * float(rng.uniform(0.30, 0.42))
            depth = float(whole.inside_mm(np.array([[x]], np.float32), np.array([[z]], np.float32))[0, 0])
            if depth > 1.15 * size:
                found.append(Outline(x, z, size, size))
    return found


def _paint(on: Canvas, bed: NerveBed, params: BmodeParams, level: float, rng: np.random.Generator) -> None:
    part = rng.spawn(5)
    change = disease(params)
    septa = lines((45.0, 90.0), spacing_mm=1.6, width_mm=0.08, length_mm=8.0, share=0.35, rng=part[0])
    paint_skin(on, Skin(bed.skin_mm, septa), rng=part[1])
    floor = np.float32(bed.fascia_mm)
    paint_flesh(on, flesh(level + change.echo_db, change, part[2]), soft_step(on.z - floor, 0.2), rng=part[2])
    paint_fascia(on, Fascia(lambda x: np.full_like(x, floor), 0.5, True, FASCIA_DB - 4.0), rng=part[3])
    for tendon in bed.tendons:
        inside = tendon.inside_mm(on.x, on.z)
        fibres = 3.0 * np.sin(on.z * np.float32(2.0 * np.pi / 0.5) + on.x)
        on.fill((np.float32(TENDON_DB) + fibres).astype(np.float32), soft_step(inside, 0.2))
    inside = bed.nerve.inside_mm(on.x, on.z)
    on.fill(INNER_DB, soft_step(inside + np.float32(EPINEURIUM_MM), 0.2))
    for fascicle in bed.fascicles:
        _fill_small(on, fascicle, FASCICLE_DB)
    rim = soft_step(inside + np.float32(EPINEURIUM_MM), 0.15) * (1.0 - soft_step(inside, 0.1))
    on.shine(FASCIA_DB - 9.0, rim)
    if bed.vessel is not None:
        within = bed.vessel.inside_mm(on.x, on.z)
        on.fill(BLOOD_DB, soft_step(within, 0.1))
        wall = soft_step(within + np.float32(0.4), 0.15) * (1.0 - soft_step(within, 0.1))
        on.shine(FASCIA_DB - 8.0, wall)
        behind = (np.abs(on.x - bed.vessel.x_mm) < bed.vessel.across_mm) & (on.z > bed.vessel.z_mm)
        on.loss_db = on.loss_db - np.float32(3.0) * behind  # blood attenuates less than muscle


def _fill_small(on: Canvas, shape: Outline, level_db: float) -> None:
    """Fill a small shape without touching the rest of the canvas."""
    reach = max(shape.across_mm, shape.down_mm) + 0.3
    near = (np.abs(on.x - shape.x_mm) < reach) & (np.abs(on.z - shape.z_mm) < reach)
    share = soft_step(shape.inside_mm(on.x[near], on.z[near]), 0.12)
    on.speckle_db[near] += (level_db - on.speckle_db[near]) * share
