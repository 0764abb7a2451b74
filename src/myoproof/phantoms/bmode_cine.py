"""Simulated ultrasound cine: scatterers carried by twitches and by what disturbs their detection."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import InvalidInput
from myoproof.phantoms.bmode import painted, scene_of, simulated, truth_key
from myoproof.phantoms.bmode_beams import Beams, beams
from myoproof.phantoms.bmode_devices import Device, device, preset_of
from myoproof.phantoms.bmode_image import Paint, Spread, blurred, expected_db, received_db, spread, white
from myoproof.phantoms.bmode_motion import Disturbances, Event, Mover, bump, disturb, twitch_field, twitches
from myoproof.phantoms.bmode_scene import BmodeParams, Scene

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

SOUND_MM_PER_US = 1.54
OUT_OF_PLANE_PER_MM = 0.25
"""Speckle turns into other speckle by this angle (rad) for each mm that the probe slips. Proposal."""
MUSCLE_LABEL = 2


@dataclass(frozen=True, slots=True)
class CineParams:
    """What is simulated.

    Parameters
    ----------
    view : BmodeParams
        Anatomy, device, size and key; its ``screen`` is honoured.
    rate_hz, seconds : float
        Frames per second, and length.
    n_fasciculations : int or None
        How many twitches; None draws from a Poisson distribution of ``mean_fasciculations``.
    mean_fasciculations : float
        Their mean per 10 s.
    disturbances : Disturbances
        What else moves.

    Raises
    ------
    InvalidInput
        If there is not one frame, or a count is negative.
    """

    view: BmodeParams = field(default_factory=lambda: BmodeParams(shape=(240, 320), depth_mm=40.0))
    rate_hz: float = 30.0
    seconds: float = 10.0
    n_fasciculations: int | None = None
    mean_fasciculations: float = 6.0
    disturbances: Disturbances = field(default_factory=Disturbances)

    def __post_init__(self) -> None:
        if (
            self.rate_hz * self.seconds < 1
            or (self.n_fasciculations or 0) < 0
            or self.mean_fasciculations < 0
        ):
            raise InvalidInput(f"{self.seconds} s at {self.rate_hz} Hz, {self.n_fasciculations} twitches")


DEFAULTS = CineParams()


@dataclass(frozen=True, slots=True)
class SimulatedCine:
    """A simulated cine and everything that is true about it.

    Parameters
    ----------
    acquisition : Acquisition
        Payload: ``Picture`` with times.
    segmentation : Segmentation
        True regions of the anatomy at rest, the same for every frame.
    rows : Table
        ``fasciculation_count``, ``fasciculation_rate``, and for each event from 1 its peak's time and frame,
        with ``low`` and ``high`` its beginning and end; method and rater "truth".
    events : tuple of Event
        Fasciculations and disturbances.
    """

    acquisition: Acquisition
    segmentation: Segmentation
    rows: Table
    events: tuple[Event, ...]


def cine(*, rng: np.random.Generator, params: CineParams = DEFAULTS) -> SimulatedCine:
    """One simulated cine.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same seed gives the same bytes. Anatomy, speckle, twitches, disturbances and
        noise draw from separate streams.
    params : CineParams
        What is simulated.

    Returns
    -------
    SimulatedCine
        Scatterers are moved, not pixels: their phases turn with the path, so speckle decorrelates where
        tissue is strained, as it does in a scanner. A twitch peaks where its displacement is greatest.

    Raises
    ------
    UnknownName
        If there is no such device or site.

    References
    ----------
    Twitches of 200-700 ms: see ``docs/fasciculation.md``.

    Examples
    --------
    >>> import numpy as np
    >>> small = CineParams(view=BmodeParams(shape=(96, 128)), seconds=1.0, n_fasciculations=1)
    >>> made = cine(rng=np.random.default_rng(1), params=small)
    >>> made.acquisition.payload.pixels.shape, sorted({event.kind for event in made.events})[1]
    ((30, 96, 128, 1), 'fasciculation')
    """
    scene_rng, speckle_rng, twitch_rng, other_rng, noise_rng = rng.spawn(5)
    probe = device(params.view.device, preset_of(params.view.view))
    scene = scene_of(params.view, rng=scene_rng)
    grid = beams(probe, params.view.shape, scene.depth_mm)
    paint = painted(scene, grid, probe, rng=noise_rng)
    times = np.arange(round(params.rate_hz * params.seconds), dtype=np.float64) / params.rate_hz
    told, movers = _twitches(params, scene, grid, times, twitch_rng)
    muscle = _span(scene, grid)
    others, events = disturb(grid.x_mm, grid.z_mm, times, params.disturbances, muscle, rng=other_rng)
    optics = spread(probe, grid)
    scan = _Scan(probe, grid, paint, optics)
    grey = _frames(scan, [*movers, *others], times.size, speckle_rng, noise_rng)
    level = grid.picture(expected_db(paint, optics))
    still = simulated(params.view, scene, grid, grey, level)
    acquisition = _timed(still.acquisition, times, params.rate_hz)
    rows = _rows(told, times, params)
    return SimulatedCine(acquisition, still.segmentation, rows, tuple(told) + tuple(events))


@dataclass(frozen=True, slots=True)
class _Scan:
    """What stays the same from frame to frame."""

    probe: Device
    grid: Beams
    paint: Paint
    optics: Spread


def _frames(
    scan: _Scan, movers: Sequence[Mover], n: int, speckle: np.random.Generator, noise: np.random.Generator
) -> npt.NDArray[np.uint8]:
    shape = scan.grid.x_mm.shape
    fields = [white(shape, rng=speckle) * scan.paint.speckle for _ in range(2)]
    mirrors = np.asarray(scan.optics.mirror_gain * scan.paint.mirror, dtype=np.float32)
    rows, cols = (axis.astype(np.float32) for axis in np.indices(shape))
    wave = np.float32(4.0 * np.pi * scan.probe.frequency_mhz / SOUND_MM_PER_US)
    per_beam = (1.0 / scan.grid.beam_mm).astype(np.float32)[:, None]
    frames = []
    for k in range(n):
        right, down = _displacement(movers, k, shape)
        turned = np.float32(OUT_OF_PLANE_PER_MM * _slipped(movers, k))
        field = np.cos(turned) * fields[0] + np.sin(turned) * fields[1]
        at = (cols - right * per_beam, rows - down * np.float32(1.0 / scan.grid.sample_mm))
        layers = np.dstack([field.real, field.imag, mirrors])
        moved = cv2.remap(layers, *at, interpolation=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
        echo = (moved[..., 0] + 1j * moved[..., 1]) * np.exp(-1j * wave * down) + moved[..., 2]
        looks = [blurred(echo.astype(np.complex64), scan.optics)]
        received = received_db(looks, scan.paint, scan.grid, scan.probe, rng=noise)
        frames.append(np.rint(scan.grid.picture(scan.probe.grey(received, 0.0))).astype(np.uint8))
    return np.stack(frames)


def _displacement(movers: Sequence[Mover], frame: int, shape: tuple[int, ...]) -> Images:
    total = np.zeros((2, *shape), dtype=np.float32)
    for mover in movers:
        if mover.course[frame] != 0.0:
            total += np.float32(mover.course[frame]) * mover.field
    return total


def _slipped(movers: Sequence[Mover], frame: int) -> float:
    """How far the whole picture has moved sideways: movements without a field of their own."""
    whole = [mover for mover in movers if mover.field.shape[1:] == (1, 1)]
    return float(sum(mover.course[frame] * mover.field[0, 0, 0] for mover in whole))


def _twitches(
    params: CineParams, scene: Scene, grid: Beams, times: Floats, rng: np.random.Generator
) -> tuple[list[Event], list[Mover]]:
    n = params.n_fasciculations
    if n is None:
        n = int(rng.poisson(params.mean_fasciculations * params.seconds / 10.0))
    labels = scene.regions(grid.picture_x_mm, grid.picture_z_mm)
    inside = (labels == MUSCLE_LABEL) & grid.tissue
    inside = cv2.erode(inside.astype(np.uint8), np.ones((15, 15), np.uint8), borderValue=0) > 0
    places = [
        (float(grid.picture_x_mm[at]), float(grid.picture_z_mm[at]))
        for at in map(tuple, np.argwhere(inside)[::7])
    ]
    if not places:
        return [], []
    tilt = _direction(scene, grid)
    told, movers = [], []
    for event, way, widths in twitches(places, tilt, params.seconds, n, rng=rng):
        shape = twitch_field(grid.x_mm, grid.z_mm, event, way, widths, tilt)
        told.append(event)
        movers.append(Mover(shape, bump(times, event.start_s, event.peak_s, event.end_s)))
    return told, movers


def _direction(scene: Scene, grid: Beams) -> float:
    """Direction of the fascicles in the picture; 0 in views across."""
    rows = scene.rows(float(grid.picture_x_mm.max()), grid.top_mm)
    angles = [row["value"] for row in rows if row["measure"] == "fascicle_angle"]
    return scene.mirror * float(angles[0]) if angles else 0.0


def _span(scene: Scene, grid: Beams) -> tuple[float, float]:
    """Depth of the muscle's highest and lowest pixel."""
    labels = scene.regions(grid.picture_x_mm, grid.picture_z_mm)
    depths = grid.picture_z_mm[labels == MUSCLE_LABEL]
    if depths.size == 0:
        return 0.3 * scene.depth_mm, 0.8 * scene.depth_mm
    return float(depths.min()), float(depths.max())


def _timed(still: Acquisition, times: Floats, rate_hz: float) -> Acquisition:
    assert isinstance(still.payload, Picture)
    payload = replace(still.payload, times_s=times if times.size > 1 else None)
    return replace(still, payload=payload, settings={**still.settings, "frame_rate_hz": rate_hz})


def _rows(told: list[Event], times: Floats, params: CineParams) -> Table:
    site = params.view.site or "vastus_lateralis"
    rows: list[dict[str, Any]] = [
        {"measure": "fasciculation_count", "value": float(len(told))},
        {"measure": "fasciculation_rate", "value": 10.0 * len(told) / params.seconds},
    ]
    for number, event in enumerate(told, start=1):
        span = np.clip([event.start_s, event.end_s], 0.0, params.seconds)
        frame = int(np.argmin(np.abs(times - event.peak_s)))
        at = f"event:{number}"
        seconds = {"value": event.peak_s, "low": span[0], "high": span[1]}
        frames = {
            "value": frame,
            "low": min(span[0] * params.rate_hz, frame),
            "high": max(span[1] * params.rate_hz, frame),
        }
        rows.append({"measure": "fasciculation_peak_time", "at": at, **seconds})
        rows.append({"measure": "fasciculation_peak_frame", "at": at, **frames})
    return from_rows([{**truth_key(params.view), "site": site, **row} for row in rows])
