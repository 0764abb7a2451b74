"""Layers of simulated ultrasound anatomy: skin, fat with septa, muscle, fasciae, bone with its shadow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.phantoms.bmode_image import Paint, amplitude
from myoproof.phantoms.bmode_tissue import Lines, mixed, patches, soft_step, wander

Images = npt.NDArray[np.float32]
Curve = Callable[[Images], Images]

SKIN_DB, FAT_DB, MUSCLE_DB, FASCIA_DB, BONE_DB = -30.0, -46.0, -46.0, -14.0, -6.0
"""Echo levels relative to a strong mirror (0 dB). Proposals: the order is that of clinical pictures."""
SEPTUM_RISE_DB, SHADOW_DB = 22.0, 45.0
EDGE_MM = 0.10
"""Width of a sharp edge between tissues."""
QUIET_DB = -100.0


@dataclass(slots=True)
class Canvas:
    """Levels being painted, layer over layer, on the samples of the beams; dB of speckle and of mirrors.

    Parameters
    ----------
    x, z, depth : ndarray, shape (sample, beam)
        Position, and distance along the beam.
    speckle_db, mirror_db, loss_db : ndarray, shape (sample, beam)
        As in ``Paint``, in dB.
    """

    x: Images
    z: Images
    depth: Images
    speckle_db: Images
    mirror_db: Images
    loss_db: Images

    def paint(self) -> Paint:
        """The finished picture of amplitudes."""
        return Paint(amplitude(self.speckle_db), amplitude(self.mirror_db), self.loss_db)

    def fill(self, level_db: Images | float, share: Images) -> None:
        """Lay tissue over what is there; what reflected beneath is gone."""
        self.speckle_db = mixed(self.speckle_db, level_db, share)
        self.mirror_db = mixed(self.mirror_db, QUIET_DB, share)

    def shine(self, level_db: float | Images, profile: Images, speckle_below_db: float = 6.0) -> None:
        """Add a reflecting structure of a profile 0-1 (amplitude), with its own speckle."""
        gain = np.float32(20.0) * np.log10(np.maximum(profile, np.float32(1e-5)))
        self.mirror_db = np.maximum(self.mirror_db, level_db + gain).astype(np.float32)
        self.speckle_db = np.maximum(self.speckle_db, level_db - speckle_below_db + gain).astype(np.float32)


def canvas(x: Images, z: Images, depth: Images) -> Canvas:
    """An empty canvas."""
    quiet = np.full(x.shape, QUIET_DB, dtype=np.float32)
    return Canvas(x, z, depth, quiet.copy(), quiet, np.zeros(x.shape, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Skin:
    """Skin and fat above a fascia.

    Parameters
    ----------
    thickness_mm : float
        Of the skin.
    septa : Lines
        Septa of the fat.
    patch_sd_db : float
        Patchiness of the fat.
    """

    thickness_mm: float
    septa: Lines
    patch_sd_db: float = 1.5


def paint_skin(on: Canvas, skin: Skin, *, rng: np.random.Generator) -> None:
    """Fat everywhere with septa nearly parallel to the skin, and the skin on top."""
    fat = np.float32(FAT_DB) + np.float32(skin.patch_sd_db) * patches(on.x.shape, 60.0, rng=rng)
    on.fill(fat, np.ones_like(on.x))
    waves = on.depth + np.float32(0.5) * wander(on.x, 15.0, rng=rng)
    seen = skin.septa.at(waves, on.x)
    on.speckle_db = on.speckle_db + np.float32(0.6 * SEPTUM_RISE_DB) * seen
    on.shine(FAT_DB + SEPTUM_RISE_DB, seen)
    within = 1.0 - soft_step(on.depth - np.float32(skin.thickness_mm), 0.2)
    on.speckle_db = mixed(on.speckle_db, SKIN_DB, within)
    for at, level in ((0.15, 6.0), (skin.thickness_mm, 2.0)):
        line = np.exp(-0.5 * ((on.depth - np.float32(at)) / np.float32(0.15)) ** 2)
        on.speckle_db = np.maximum(on.speckle_db, SKIN_DB + level + 20.0 * np.log10(line + 1e-5)).astype(
            np.float32
        )


@dataclass(frozen=True, slots=True)
class Fascia:
    """A bright sheet between two tissues.

    Parameters
    ----------
    edge : callable
        Depth of its inner edge over x.
    thickness_mm : float
        How thick it is.
    upwards : bool
        Whether the sheet lies above its inner edge (a superficial aponeurosis) or below (a deep one).
    level_db : float
        Its echo.
    blur_mm : float
        Softness beyond the sharp edge.
    dropout_db : float
        SD of its brightness along x.
    """

    edge: Curve
    thickness_mm: float
    upwards: bool
    level_db: float = FASCIA_DB
    blur_mm: float = 0.0
    dropout_db: float = 3.5


def paint_fascia(on: Canvas, fascia: Fascia, *, rng: np.random.Generator) -> None:
    """A sheet of two leaves, brighter and dimmer along x."""
    away = (fascia.edge(on.x) - on.z) if fascia.upwards else (on.z - fascia.edge(on.x))
    width = EDGE_MM + fascia.blur_mm
    inside = soft_step(away, width) * (1.0 - soft_step(away - np.float32(fascia.thickness_mm), width + 0.1))
    leaves = 0.75 + 0.25 * np.cos(np.float32(4.0 * np.pi / fascia.thickness_mm) * away)
    bright = wander(on.x[:1] if _same_rows(on.x) else on.x, 6.0, rng=rng)
    level = fascia.level_db - 8.0 * fascia.blur_mm + np.minimum(fascia.dropout_db * bright, 3.0)
    on.shine(level.astype(np.float32), inside * leaves.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Flesh:
    """Muscle tissue between two depths.

    Parameters
    ----------
    level_db : float
        Echo of the fibres.
    streaks : sequence of (Lines, float)
        Families of perimysium, coarse and fine, with their rise over the fibres in dB; dark bundles of fibres
        fall below them and mirror nothing.
    patch_db : float
        SD of patches.
    coordinates : callable
        (x, z) -> (across, along) fascicles.
    """

    level_db: float
    streaks: Sequence[tuple[Lines, float]]
    patch_db: float
    coordinates: Callable[[Images, Images], tuple[Images, Images]]


def paint_flesh(on: Canvas, flesh: Flesh, inside: Images, *, rng: np.random.Generator) -> None:
    """Muscle laid where ``inside`` is 1, its perimysium bright along the fascicles."""
    rows = np.flatnonzero(inside.max(axis=1) > 0)
    if rows.size == 0:
        return
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    x, z, share = on.x[part], on.z[part], inside[part]
    level = np.float32(flesh.level_db) + np.float32(flesh.patch_db) * patches(x.shape, 48.0, rng=rng)
    mirror = np.full_like(level, QUIET_DB)
    across, along = flesh.coordinates(x, z)
    for family, rise_db in flesh.streaks:
        seen = family.at(across, along)
        level = level + np.float32(rise_db) * seen
        if rise_db <= 0.0:
            continue
        shine = np.float32(flesh.level_db + rise_db) + 20.0 * np.log10(np.maximum(seen, np.float32(1e-5)))
        mirror = np.maximum(mirror, shine)
    on.speckle_db[part] = mixed(on.speckle_db[part], level, share)
    on.mirror_db[part] = mixed(on.mirror_db[part], mirror.astype(np.float32), share)


def paint_bone(on: Canvas, surface: Curve, *, thickness_mm: float = 0.8, level_db: float = BONE_DB) -> None:
    """A bright surface; beneath it hardly an echo."""
    below = on.z - surface(on.x)
    inside = soft_step(below, EDGE_MM) * (1.0 - soft_step(below - np.float32(thickness_mm), 0.3))
    dark = soft_step(below - np.float32(thickness_mm), 0.5)
    on.fill(QUIET_DB, dark)
    on.shine(level_db, inside)
    on.loss_db = (on.loss_db + np.float32(SHADOW_DB) * dark).astype(np.float32)


def _same_rows(x: Images) -> bool:
    return bool(np.array_equal(x[0], x[-1]))
