"""Simulated B-mode pictures of muscle and nerve with exact truth: geometry, rows and echo levels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.phantoms.bmode_beams import Beams, beams
from myoproof.phantoms.bmode_devices import Device, device, preset_of
from myoproof.phantoms.bmode_image import Paint, echoes, expected_db, received_db, spread, white
from myoproof.phantoms.bmode_longitudinal import longitudinal
from myoproof.phantoms.bmode_nerve import nerve
from myoproof.phantoms.bmode_reference import REFERENCE_DB, reference
from myoproof.phantoms.bmode_scene import BmodeParams, Scene
from myoproof.phantoms.bmode_screen import on_screen, placed
from myoproof.phantoms.bmode_tissue import wander
from myoproof.phantoms.bmode_transverse import transverse

Images = npt.NDArray[np.float32]

TGC_SD_DB = 0.8
"""SD of the operator's time gain about flat. Proposal."""
VIEWS: dict[str, Callable[..., Scene]] = {
    "longitudinal": longitudinal,
    "transverse": transverse,
    "nerve": nerve,
    "reference": reference,
}
DEFAULTS = BmodeParams()
"""A healthy vastus lateralis, lengthwise."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated recording and everything that is true about it.

    Parameters
    ----------
    acquisition : Acquisition
        Payload: ``Picture`` with one grey band.
    segmentation : Segmentation
        The true regions; rater "truth".
    rows : Table
        True rows; method and rater "truth".
    """

    acquisition: Acquisition
    segmentation: Segmentation
    rows: Table


def frame(*, rng: np.random.Generator, params: BmodeParams = DEFAULTS) -> Simulated:
    """One simulated B-mode picture.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same seed gives the same bytes. Anatomy, texture, speckle and noise draw
        from separate streams, so that the same seed with another device or gain is the same person.
    params : BmodeParams
        What is simulated.

    Returns
    -------
    Simulated
        Picture, true labels (for muscle 1 subcutaneous fat, 2 the muscle; for nerve 1 nerve, 2 vessel) and
        true rows. Lengths, angles and areas come from the geometry, not from pixels. The row
        ``echogenicity_backscatter`` is the mean over the region of the expected echo in dB over that of the
        uniform tissue phantom (view "reference"), before speckle, gain, compression and clipping.

    Raises
    ------
    UnknownName
        If there is no such device or no such site in the view.

    References
    ----------
    Speckle: Wagner 1983 IEEE Trans Sonics Ultrason 30:156 (Rayleigh envelope, SNR 1.91). Levels and shapes
    are proposals, see ``docs/phantom-ultrasound.md``.

    Examples
    --------
    >>> import numpy as np
    >>> small = BmodeParams(shape=(96, 128), rises="right")
    >>> scan = frame(rng=np.random.default_rng(7), params=small)
    >>> scan.acquisition.payload.pixels.shape, scan.segmentation.names[2]
    ((1, 96, 128, 1), ('vastus_lateralis', 'right'))
    """
    scene_rng, speckle_rng, noise_rng = rng.spawn(3)
    probe = device(params.device, preset_of(params.view))
    scene = scene_of(params, rng=scene_rng)
    grid = beams(probe, params.shape, scene.depth_mm)
    paint = painted(scene, grid, probe, rng=noise_rng)
    optics = spread(probe, grid)
    looks = [echoes(paint, optics, white(grid.x_mm.shape, rng=speckle_rng)) for _ in range(probe.looks)]
    received = received_db(looks, paint, grid, probe, rng=noise_rng)
    grey = np.rint(grid.picture(probe.grey(received, params.gain_db))).astype(np.uint8)
    level = grid.picture(expected_db(paint, optics))
    return simulated(params, scene, grid, grey[None], level)


def scene_of(params: BmodeParams, *, rng: np.random.Generator) -> Scene:
    """The anatomy of a view."""
    return VIEWS[params.view](params, rng=rng)


def painted(scene: Scene, grid: Beams, probe: Device, *, rng: np.random.Generator) -> Paint:
    """Amplitudes at the beams' samples, with what attenuation and time gain leave."""
    depth = np.broadcast_to(grid.depth_mm[:, None], grid.x_mm.shape).astype(np.float32)
    paint = scene.paint(grid.x_mm, grid.z_mm, depth)
    alpha = probe.tgc_alpha if scene.attenuation is None else scene.attenuation
    mismatch = 2.0 * probe.frequency_mhz * (alpha - probe.tgc_alpha) * grid.depth_mm / 10.0
    slider = TGC_SD_DB * wander(grid.depth_mm.astype(np.float32), 15.0, rng=rng)
    loss = paint.loss_db + (mismatch + slider).astype(np.float32)[:, None]
    return Paint(paint.speckle, paint.mirror, loss.astype(np.float32))


def simulated(
    params: BmodeParams, scene: Scene, grid: Beams, grey: npt.NDArray[np.uint8], level_db: Images
) -> Simulated:
    """Pixels, labels and rows put together; ``grey`` has shape (frame, row, col)."""
    labels = np.where(grid.tissue, scene.regions(grid.picture_x_mm, grid.picture_z_mm), 0).astype(np.uint16)
    probe = device(params.device, preset_of(params.view))
    picture = Picture(grey[..., None], (grid.pixel_mm, grid.pixel_mm), "phantom", None, grid.tissue)
    settings = {
        "depth_mm": scene.depth_mm,
        "gain_db": params.gain_db,
        "dynamic_range_db": probe.dynamic_range_db,
        "transmit_frequency_hz": probe.frequency_mhz * 1e6,
    }
    acquisition = Acquisition(
        params.subject, params.session, params.run, "ultrasound", picture,
        device=params.device, preset=preset_of(params.view), protocol=params.view, settings=settings,
    )  # fmt: skip
    stack = np.ascontiguousarray(np.broadcast_to(labels, grey.shape))
    if params.screen:
        picture = on_screen(picture, params.device, _told(settings), _head(params))
        acquisition, stack = replace(acquisition, payload=picture), placed(stack, params.device)
    regions = Segmentation(stack, np.eye(4), dict(scene.names), "truth")
    half_width = grid.pixel_mm * params.shape[1] / 2.0
    rows = [*scene.rows(half_width, grid.top_mm), *_echo_rows(scene, labels, level_db)]
    key = truth_key(params)
    return Simulated(acquisition, regions, from_rows([{**key, **row} for row in rows]))


def _told(settings: dict[str, float]) -> dict[str, float]:
    """The settings as a screen abbreviates them."""
    short = {"depth_mm": "D", "gain_db": "G", "dynamic_range_db": "DR", "transmit_frequency_hz": "MHz"}
    return {short[name]: value / 1e6 if name.endswith("_hz") else value for name, value in settings.items()}


def _head(params: BmodeParams) -> list[str]:
    """The head of a screen: invented names of nobody."""
    return [
        f"SIMULATED, NOBODY  ID {params.subject}  01.02.2003",
        f"{params.device}  {params.site or params.view}",
    ]


def _echo_rows(scene: Scene, labels: npt.NDArray[np.uint16], level_db: Images) -> list[dict[str, Any]]:
    rows = []
    for label, (site, _) in scene.names.items():
        inside = level_db[labels == label]
        if inside.size:
            value = float(inside.mean(dtype=np.float64)) - REFERENCE_DB
            rows.append({"site": site, "measure": "echogenicity_backscatter", "at": "", "value": value})
    return rows


def truth_key(params: BmodeParams) -> dict[str, str]:
    """What all true rows of a picture share."""
    return {
        "subject": params.subject,
        "session": params.session,
        "run": params.run,
        "modality": "ultrasound",
        "side": params.side,
        "method": "truth",
        "rater": "truth",
        "flags": "simulated",
    }
