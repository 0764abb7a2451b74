"""Transverse views of muscle: outlined by fascia, over a deeper muscle and bone."""

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
    Flesh,
    Skin,
    canvas,
    paint_bone,
    paint_flesh,
    paint_skin,
)
from myoproof.phantoms.bmode_outline import FAR_MM, Bone, Outline, rough_outline
from myoproof.phantoms.bmode_scene import BmodeParams, Disease, Labels, Scene, disease
from myoproof.phantoms.bmode_tissue import lines, soft_step, wander

Images = npt.NDArray[np.float32]

SEEN_SHARE = 0.75
"""An outline within this share of the half width is seen whole, on any of the probes."""
SHEET_MM = 0.9
"""Thickness of the fascia round a muscle."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one transverse view shows. Proposals.

    Parameters
    ----------
    across_mm, down_mm : tuple of float
        Range of the muscle's half axes.
    deeper : str
        The muscle beneath; "" where the view measures one muscle alone.
    together : str
        The two as a group.
    deeper_mm : tuple of float
        Range of the deeper muscle's thickness over the bone.
    bones : tuple of (x, radius)
        Bones beneath, mm; x is mirrored for left sides by chance.
    septum : bool
        Whether a central aponeurosis lies within.
    """

    across_mm: tuple[float, float]
    down_mm: tuple[float, float]
    deeper: str
    together: str
    deeper_mm: tuple[float, float]
    bones: tuple[tuple[float, float], ...]
    septum: bool


KINDS = {
    "biceps_brachii": Kind(
        (20.0, 28.0),
        (8.5, 12.5),
        "brachialis",
        "biceps_brachii_brachialis",
        (8.0, 14.0),
        ((0.0, 11.0),),
        False,
    ),
    "rectus_femoris": Kind(
        (14.0, 18.0),
        (7.0, 10.5),
        "vastus_intermedius",
        "rectus_femoris_vastus_intermedius",
        (10.0, 17.0),
        ((0.0, 13.0),),
        True,
    ),
    "forearm_flexors": Kind((24.0, 30.0), (9.0, 13.0), "", "", (0.6, 1.2), ((-9.0, 7.0), (13.0, 7.0)), True),
    "tibialis_anterior": Kind((14.0, 19.0), (9.0, 13.0), "", "", (5.0, 9.0), ((-21.0, 12.0),), True),
}


@dataclass(frozen=True, slots=True)
class Transverse:
    """The geometry of one transverse view.

    Parameters
    ----------
    kind : Kind
        Of view.
    muscle : Outline
        Inner edge of the fascia round the muscle.
    bones : sequence of Bone
        Beneath.
    skin_mm : float
        Thickness of the skin.
    fat_mm : float
        Thickness of the fat over the muscle.
    """

    kind: Kind
    muscle: Outline
    bones: Sequence[Bone]
    skin_mm: float
    fat_mm: float

    def bone(self, x: npt.NDArray[np.floating]) -> Images:
        """Depth of the first bone met over x."""
        return np.asarray(np.min([bone.surface(x) for bone in self.bones], axis=0), dtype=np.float32)

    def roof(self, x: npt.NDArray[np.floating]) -> Images:
        """Depth of the fascia over the limb: the muscle's upper edge, carried on round the limb beside it."""
        top = self.muscle.z_mm - self.muscle.down_mm
        curve = 0.35 * self.muscle.down_mm / self.muscle.across_mm**2
        return np.asarray(top + curve * (x - self.muscle.x_mm) ** 2, dtype=np.float32)


def transverse(params: BmodeParams, *, rng: np.random.Generator) -> Scene:
    """A transverse view drawn at random.

    Parameters
    ----------
    params : BmodeParams
        ``site`` is a muscle of ``KINDS``.
    rng : numpy.random.Generator
        Source of randomness.

    Raises
    ------
    UnknownName
        If the muscle is not among those.
    """
    site = params.site or next(iter(KINDS))
    if site not in KINDS:
        raise UnknownName(f"no transverse view of {site!r}", mend=f"use one of {', '.join(KINDS)}")
    shape_rng, texture_rng = rng.spawn(2)
    change = disease(params)
    geometry = _geometry(params, KINDS[site], change, shape_rng)
    floor = max(bone.top_mm for bone in geometry.bones) + 6.0
    depth = params.depth_mm or 5.0 * np.ceil((floor + shape_rng.uniform(1.0, 6.0)) / 5.0)
    alpha = float(shape_rng.uniform(0.52, 0.66)) + change.attenuation
    level = MUSCLE_DB + float(shape_rng.normal(0.0, 1.5)) if params.muscle_db is None else params.muscle_db
    seed = int(texture_rng.integers(2**63))

    def paint(x: Images, z: Images, along_beam: Images) -> Paint:
        on = canvas(x, z, along_beam)
        _paint(on, geometry, change, level, np.random.default_rng(seed))
        return on.paint()

    def regions(x: Images, z: Images) -> Labels:
        return _regions(geometry, x, z)

    def rows(half_width_mm: float, top_mm: float) -> list[dict[str, Any]]:
        del top_mm
        return _rows(geometry, site, half_width_mm)

    names = {1: ("subcutaneous_fat", params.side), 2: (site, params.side)}
    if geometry.kind.deeper:
        names[3] = (geometry.kind.deeper, params.side)
    return Scene(float(depth), paint, regions, names, rows, alpha)


def _geometry(params: BmodeParams, kind: Kind, change: Disease, rng: np.random.Generator) -> Transverse:
    across, down = float(rng.uniform(*kind.across_mm)), float(rng.uniform(*kind.down_mm))
    if params.thickness_mm is not None:
        down = params.thickness_mm / 2.0
    down *= change.thickness
    skin, fat = float(rng.uniform(1.2, 2.2)), float(rng.uniform(2.5, 9.0))
    x = float(rng.uniform(-2.0, 2.0))
    muscle = rough_outline((x, skin + fat + SHEET_MM + down), (across, down), 0.03, rng=rng)
    gap = float(rng.uniform(*kind.deeper_mm)) * (change.thickness if kind.deeper else 1.0)
    turn = 1.0 if rng.random() < 0.5 else -1.0
    bones = []
    for at, radius in kind.bones:
        place = x + turn * at + float(rng.uniform(-1.5, 1.5))
        below = muscle.edge(place, 1.0) if abs(place - x) < across * 0.95 else muscle.z_mm
        bones.append(Bone(place, below + SHEET_MM + gap, radius * float(rng.uniform(0.9, 1.1))))
    return Transverse(kind, muscle, bones, skin, fat)


def _regions(geometry: Transverse, x: Images, z: Images) -> Labels:
    inside = geometry.muscle.inside_mm(x, z)
    bone = geometry.bone(x)
    roof = geometry.roof(x) - np.float32(SHEET_MM)
    labels = np.where((z > geometry.skin_mm) & (z < roof) & (inside < -SHEET_MM), 1, 0)
    labels = np.where((inside > 0) & (z < bone), 2, labels)
    if geometry.kind.deeper:
        deeper = (inside < -SHEET_MM) & (z > geometry.muscle.z_mm) & (z < bone) & (bone < FAR_MM)
        labels = np.where(deeper, 3, labels)
    return labels.astype(np.uint16)


def _rows(geometry: Transverse, site: str, half_width_mm: float) -> list[dict[str, Any]]:
    """Thickness fascia to fascia at the muscle's middle, to bone at its top; area of whole outlines."""
    muscle, kind = geometry.muscle, geometry.kind
    bone = min(geometry.bones, key=lambda one: one.top_mm)
    upper, lower = muscle.edge(muscle.x_mm, -1.0), muscle.edge(muscle.x_mm, 1.0)
    rows = [{"site": site, "measure": "thickness", "value": lower - upper}]
    fat = muscle.edge(muscle.x_mm, -1.0) - SHEET_MM - geometry.skin_mm
    rows.append({"site": "subcutaneous_fat", "measure": "subcutaneous_thickness", "value": fat})
    if kind.deeper:
        start = muscle.edge(bone.x_mm, 1.0) + SHEET_MM
        rows.append({"site": kind.deeper, "measure": "thickness", "value": bone.top_mm - start})
        whole = bone.top_mm - muscle.edge(bone.x_mm, -1.0)
        rows.append({"site": kind.together, "measure": "thickness", "value": whole})
    if abs(muscle.x_mm) + muscle.across_mm <= SEEN_SHARE * half_width_mm:
        rows.append({"site": site, "measure": "cross_sectional_area", "value": muscle.area_mm2})
    return rows


def _paint(on: Canvas, geometry: Transverse, change: Disease, level: float, rng: np.random.Generator) -> None:
    part = rng.spawn(6)
    septa = lines((45.0, 90.0), spacing_mm=2.4, width_mm=0.10, length_mm=10.0, share=0.3, rng=part[0])
    paint_skin(on, Skin(geometry.skin_mm, septa), rng=part[1])
    inside = geometry.muscle.inside_mm(on.x, on.z)
    roof = geometry.roof(on.x)
    around = soft_step(on.z - roof, 0.2)
    paint_flesh(on, flesh(level + change.echo_db - 1.0, change, part[2]), around, rng=part[2])
    _paint_sheet(on, on.z - roof + np.float32(SHEET_MM), change, -6.0, part[3])
    own = soft_step(inside, 0.1)
    paint_flesh(on, flesh(level + change.echo_db, change, part[4]), own, rng=part[4])
    _paint_sheet(on, inside + np.float32(SHEET_MM), change, 0.0, part[5])
    if geometry.kind.septum:
        _paint_septum(on, geometry, inside, part[5])
    for bone in geometry.bones:
        paint_bone(on, bone.surface)


def _paint_sheet(
    on: Canvas, past_outer_edge: Images, change: Disease, level_db: float, rng: np.random.Generator
) -> None:
    """Fascia: bright where its outer edge was passed by less than its thickness; flat parts mirror most."""
    width = 0.1 + change.blur_mm
    profile = soft_step(past_outer_edge, width) * (
        1.0 - soft_step(past_outer_edge - np.float32(SHEET_MM), width)
    )
    dim = np.float32(3.0) * wander(on.x, 6.0, rng=rng)
    level = np.float32(FASCIA_DB + level_db - 8.0 * change.blur_mm) + np.minimum(dim, 2.0)
    on.shine(level.astype(np.float32), profile)


def _paint_septum(on: Canvas, geometry: Transverse, inside: Images, rng: np.random.Generator) -> None:
    """A bright comma within the muscle."""
    muscle = geometry.muscle
    bow = np.float32(muscle.down_mm * rng.uniform(-0.3, 0.3))
    at = np.float32(muscle.z_mm - 0.2 * muscle.down_mm) + bow * (on.x / np.float32(muscle.across_mm)) ** 2
    line = np.exp(-0.5 * ((on.z - at) / np.float32(0.3)) ** 2) * soft_step(inside - np.float32(3.0), 3.0)
    dim = np.float32(4.0) * wander(on.x, 5.0, rng=rng)
    on.shine((np.float32(FASCIA_DB - 8.0) + np.minimum(dim, 2.0)).astype(np.float32), line)


def flesh(level_db: float, change: Disease, rng: np.random.Generator) -> Flesh:
    """Muscle cut across: perimysium as short bright dashes and dots."""
    dashes = lines((45.0, 90.0), spacing_mm=1.3, width_mm=0.17, length_mm=3.0, share=0.35, rng=rng)
    dots = lines((45.0, 90.0), spacing_mm=0.7, width_mm=0.14, length_mm=2.0, share=0.25, rng=rng)
    bundles = lines((45.0, 90.0), spacing_mm=4.0, width_mm=1.0, length_mm=6.0, share=0.5, rng=rng)
    waves = int(rng.integers(2**63))

    def coordinates(x: Images, z: Images) -> tuple[Images, Images]:
        bent = z + np.float32(1.2) * wander(x, 10.0, rng=np.random.default_rng(waves))
        return np.asarray(bent, dtype=np.float32), x

    streaks = [
        (dashes, 22.0 * change.streaks),
        (dots, 14.0 * change.streaks),
        (bundles, -6.0 * change.streaks),
    ]
    return Flesh(level_db, streaks, change.patch_db, coordinates)
