"""A scan of a run read from its files: echoes separated into fat and water, single contrasts as they are."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.contracts import Progress, silent
from myoproof.errors import Finding, InvalidInput
from myoproof.measures import size
from myoproof.numerics.fatwater import FatWaterParams, Separation, separate
from myoproof.sources import bids
from myoproof.workflow.mri_find import from_json

PLAIN = FatWaterParams()
FAT_AND_WATER = frozenset({"fat", "water"})


@dataclass(frozen=True, slots=True)
class Opened:
    """A scan as it was recorded, and as images.

    Parameters
    ----------
    scan : Acquisition
        As it was recorded.
    images : Acquisition
        A Volume with ``fat`` and ``water`` and what the separation says besides; or with ``image`` alone.
    separation : Separation, optional
        Of its echoes.
    """

    scan: Acquisition
    images: Acquisition
    separation: Separation | None = None


def threads() -> int:
    """Threads of compiled kernels in this process; the answers are the same for any number."""
    return max(1, int(os.environ.get("NUMBA_NUM_THREADS", "1")))


def opened(record: Mapping[str, Any], who: Mapping[str, str], tell: Callable[[Finding], None]) -> Opened:
    """Read a scan, and separate fat and water where it holds gradient echoes.

    Parameters
    ----------
    record : mapping
        Its files, from :func:`myoproof.workflow.mri_find.to_json`.
    who : mapping
        ``subject``, ``session`` and ``run``.
    tell : callable
        Told remarks.

    Raises
    ------
    NotReadable, InvalidInput
        If its files cannot be read, or hold neither echoes, nor fat and water, nor one image.
    """
    scan = bids.read(from_json(record), tell=tell)
    scan = replace(scan, subject=who["subject"], session=who["session"], run=who["run"])
    payload = scan.payload
    if isinstance(payload, Echoes) and scan.modality == "multiecho":
        return _separated(scan, payload, tell)
    if isinstance(payload, Volume) and set(payload.channels) >= FAT_AND_WATER:
        return Opened(scan, scan)
    if isinstance(payload, Echoes) or (isinstance(payload, Volume) and "image" in payload.channels):
        shown = size.image_of(scan)
        return Opened(scan, replace(scan, payload=Volume({"image": shown.channels["water"]}, shown.affine)))
    held = f"it holds {', '.join(payload.channels)}" if isinstance(payload, Volume) else "it holds no image"
    what = f"holds neither echoes, nor a fat and a water image, nor one contrast ({held})"
    raise InvalidInput(what, mend="export the fat and the water image of this scan too")


def solver_of(scan: Acquisition, plain: FatWaterParams = PLAIN) -> FatWaterParams:
    """Solver parameters with what the scan says: slice axis, hint of the precession, bipolar readouts.

    Parameters
    ----------
    scan : Acquisition
        Echoes and settings.
    plain : FatWaterParams
        What was asked for; an answer of its own about bipolar readouts stays.
    """
    told = scan.settings.get("bipolar")
    bipolar = plain.bipolar if plain.bipolar is not None or told is None else bool(told)
    hint = int(scan.settings.get("precession_sign", plain.precession_hint))
    axis = scan.payload.slice_axis if isinstance(scan.payload, Echoes) else plain.slice_axis
    return replace(plain, precession_hint=hint, bipolar=bipolar, slice_axis=axis)


def separation_of(
    scan: Acquisition, *, params: FatWaterParams, threads: int, progress: Progress = silent
) -> Separation:
    """Separate the echoes of a scan.

    Parameters
    ----------
    scan : Acquisition
        Echoes; the setting ``field_strength_t``.
    params : FatWaterParams
        From :func:`solver_of`.
    threads : int
        The answer is the same for any number.
    progress : callable
        Told of the share done.

    Raises
    ------
    InvalidInput
        If it holds no echoes or the field strength is not known.
    """
    if not isinstance(scan.payload, Echoes):
        raise InvalidInput("these images are no echoes", where=scan.subject)
    if "field_strength_t" not in scan.settings:
        mend = "write MagneticFieldStrength into the JSON sidecar, or give it as --field-strength"
        raise InvalidInput("the field strength is not known", where=scan.subject, mend=mend)
    return separate(
        scan.payload.values,
        scan.payload.echo_times_s,
        field_strength_t=scan.settings["field_strength_t"],
        params=params,
        threads=threads,
        progress=progress,
    )


def _separated(scan: Acquisition, echoes: Echoes, tell: Callable[[Finding], None]) -> Opened:
    found = separation_of(scan, params=solver_of(scan), threads=threads())
    channels = {
        "fat": np.abs(found.fat).astype(np.float32),
        "water": np.abs(found.water).astype(np.float32),
        "fat_fraction": found.pdff,
        "fat_fraction_sd": found.pdff_sd,
        "r2star": found.r2star,
        "field_hz": found.field_hz,
        "confidence": found.confidence,
    }
    for note in found.notes:
        tell(Finding("info", "separation", note))
    return Opened(scan, replace(scan, payload=Volume(channels, echoes.affine)), found)
