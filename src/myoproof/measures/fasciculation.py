"""Fasciculations in an ultrasound cine: how many, how often, when; what shook, slipped or pulsed apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import InvalidInput
from myoproof.numerics.motion import MotionParams, cells_within, track
from myoproof.numerics.motion_local import LocalParams, local_motion
from myoproof.numerics.motion_view import ViewMotion, view_motion
from myoproof.numerics.twitches import Twitch, TwitchParams, find_twitches

__all__ = ["METHOD", "METHOD_VERSION", "Params", "events", "measure"]

METHOD = "fasciculation"
METHOD_VERSION = 1
NOT_MUSCLE = frozenset({"subcutaneous_fat", "bone", "skin", "vessel", "nerve"})
WHOLE = ("fasciculation_count", "fasciculation_rate")
Row = dict[str, Any]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Params:
    """How fasciculations are found.

    Parameters
    ----------
    motion, local, twitch
        Following cells, taking the view's motion out, what counts as a twitch.
    patch_mm2 : float
        Area from which a twitch has its full score.
    patch_share : float
        The same as a share of the view, where no scale is known.
    least_s : float
        A shorter cine has no rows.
    rate_hz : float
        Frames per second where the cine does not tell; 0: refuse such a cine.
    sure : float
        Events with less than this times the threshold are ``warn``.
    """

    motion: MotionParams = field(default_factory=MotionParams)
    local: LocalParams = field(default_factory=LocalParams)
    twitch: TwitchParams = field(default_factory=TwitchParams)
    patch_mm2: float = 100.0
    patch_share: float = 0.047
    least_s: float = 1.0
    rate_hz: float = 0.0
    sure: float = 1.3


@dataclass(frozen=True, slots=True)
class _Cine:
    frames: npt.NDArray[np.uint8]
    tissue: Bools
    times_s: npt.NDArray[np.float64]
    rate_hz: float
    pixel_mm: float | None


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),
) -> Table:
    """Count the fasciculations of each muscle of a segmentation.

    Parameters
    ----------
    acquisition : Acquisition
        Payload: ``Picture`` of many frames, with times (or ``params.rate_hz``).
    segmentation : Segmentation
        Where the muscles lie, in the first frame that is labelled; fat, bone, nerve and vessel are no muscle.
    context : object
        Not used.
    params : Params
        How.

    Returns
    -------
    Table
        ``fasciculation_count`` and ``fasciculation_rate`` (per 10 s) of each muscle; for each event, counted
        from 1 in time (``at=event:1``), ``fasciculation_peak_time`` and ``fasciculation_peak_frame`` (from 0)
        of the greatest displacement, with ``low`` and ``high`` the beginning and end of the movement
        (``level`` stays empty: they are no confidence interval). Flags tell what was seen and not counted:
        ``pulsation``, ``pseudotremor``, ``probe_motion``, ``gross_motion``. Without frames enough, or without
        their times, rows are absent.

    Raises
    ------
    InvalidInput
        If the payload is no picture or the labels do not fit it.

    References
    ----------
    Movements of fasciculations on ultrasound: Gijsbertse 2018; Bibbings 2019. What is done here:
    ``docs/fasciculation.md``.
    """
    del context
    picture = acquisition.payload
    if not isinstance(picture, Picture):
        raise InvalidInput(f"fasciculations are seen in pictures, not in {acquisition.modality} data")
    if segmentation.labels.shape[1:] != picture.pixels.shape[1:3]:
        raise InvalidInput(f"labels of {segmentation.labels.shape} on frames of {picture.pixels.shape}")
    muscles = {n: name for n, name in segmentation.names.items() if name[0] not in NOT_MUSCLE}
    cine, reason = _cine(acquisition, picture, params)
    rows: list[Row] = []
    outlined = bool(np.isin(segmentation.labels, list(muscles)).any())
    found = _followed(cine, params) if cine is not None and outlined else None
    for label, (site, side) in muscles.items():
        inside = _first(segmentation, label)
        key = {"site": site, "side": side}
        if cine is None or found is None or not inside.any():
            why = reason or "empty_label"
            rows += [{**key, "measure": name, "absent": why} for name in WHOLE]
            continue
        told = _events(found[0], inside, cine, params)
        rows += [{**key, **row} for row in _rows(told, found[1], cine, params)]
    keys = {"subject": acquisition.subject, "session": acquisition.session, "run": acquisition.run}
    keys |= {"modality": acquisition.modality, "method": METHOD, "rater": segmentation.rater}
    return from_rows([{**keys, "method_version": METHOD_VERSION, **row} for row in rows])


def events(acquisition: Acquisition, inside: Bools, params: Params = Params()) -> list[Twitch]:
    """The movements within a region of a cine that stand out, those that a pulse explains included.

    Parameters
    ----------
    acquisition : Acquisition
        A cine.
    inside : ndarray of bool, shape (row, col)
        Where to look.
    params : Params
        How.

    Raises
    ------
    InvalidInput
        If there are too few frames, or nobody knows when they were made.
    """
    assert isinstance(acquisition.payload, Picture)
    cine, reason = _cine(acquisition, acquisition.payload, params)
    if cine is None:
        raise InvalidInput(f"no fasciculations can be looked for: {reason}")
    return _events(_followed(cine, params)[0], inside, cine, params)


def _cine(acquisition: Acquisition, picture: Picture, params: Params) -> tuple[_Cine | None, str]:
    n = picture.pixels.shape[0]
    if n < 2:
        return None, "insufficient_data"
    rate = params.rate_hz or float(acquisition.settings.get("frame_rate_hz", 0.0))
    times = picture.times_s
    if times is not None:
        rate = float(1.0 / np.median(np.diff(times)))
    if rate <= 0:
        return None, "not_recorded"
    if times is None:
        times = np.arange(n) / rate
    if n / rate < params.least_s:
        return None, "insufficient_data"
    shape = picture.pixels.shape[1:3]
    tissue = np.ones(shape, dtype=bool) if picture.tissue is None else picture.tissue
    spacing = None if picture.spacing_mm is None else float(np.sqrt(np.prod(picture.spacing_mm)))
    return _Cine(_grey(picture.pixels), tissue, times - times[0], rate, spacing), ""


def _grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in pixels])


Followed = tuple[Any, ViewMotion]


def _followed(cine: _Cine, params: Params) -> Followed:
    motion = track(cine.frames, cine.tissue, params.motion)
    tissue = cells_within(cine.tissue, motion.step.shape[1:3])
    local = local_motion(motion, tissue, params.local)
    return (motion, local), view_motion(local.whole, tissue > 0.5, cine.rate_hz)


def _events(followed: Any, inside: Bools, cine: _Cine, params: Params) -> list[Twitch]:
    motion, local = followed
    cells = cells_within(inside & cine.tissue, motion.step.shape[1:3]) > 0.5
    patch = params.patch_share * cells.size
    if cine.pixel_mm is not None:
        patch = params.patch_mm2 / (motion.cell_px * cine.pixel_mm) ** 2
    return find_twitches(local, cells, cine.rate_hz, replace(params.twitch, patch=patch))


def _first(segmentation: Segmentation, label: int) -> Bools:
    """The label in the first frame that has it."""
    frames = (segmentation.labels == label).any(axis=(1, 2))
    return np.asarray(segmentation.labels[int(np.argmax(frames))] == label)


def _rows(told: list[Twitch], view: ViewMotion, cine: _Cine, params: Params) -> list[Row]:
    threshold = params.twitch.threshold
    counted = [one for one in told if one.score >= threshold]
    flags = set(view.flags)
    if len(counted) < len(told):
        flags.add("pulsation")
    if np.max(np.diff(cine.times_s)) > 1.6 / cine.rate_hz:
        flags.add("frames_dropped")
    seconds = cine.frames.shape[0] / cine.rate_hz
    joined = ";".join(sorted(flags))
    common: Mapping[str, Any] = {"flags": joined, "quality": "warn" if flags & {"frames_dropped"} else "ok"}
    rows: list[Row] = [
        {"measure": "fasciculation_count", "value": float(len(counted)), **common},
        {"measure": "fasciculation_rate", "value": 10.0 * len(counted) / seconds, **common},
    ]
    for number, one in enumerate(counted, start=1):
        quality = "ok" if one.score >= params.sure * threshold else "warn"
        moments = [one.frame, one.start, one.end]
        for name, values in (
            ("fasciculation_peak_time", [float(cine.times_s[k]) for k in moments]),
            ("fasciculation_peak_frame", [float(k) for k in moments]),
        ):
            row = dict(zip(("value", "low", "high"), values, strict=True))
            rows.append({"measure": name, "at": f"event:{number}", "quality": quality, **row})
    return rows
