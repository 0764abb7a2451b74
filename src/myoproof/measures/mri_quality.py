"""Quality of a whole muscle scan: weak signal, ghosts of motion, voids of metal; flags on rows concerned."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput
from myoproof.numerics.limbs import body
from myoproof.numerics.rician import noise_sd

Bools = npt.NDArray[np.bool_]
Images = npt.NDArray[np.float32]

LOW_SNR, LEAST_SNR = 12.0, 4.0
"""Signal over noise SD below which rows are warned of, and fail (proposals)."""
GHOST, MUCH_GHOST = 0.03, 0.10
"""Percent-signal ghosting that is warned of, and fails. The first is the ACR phantom test's limit (ACR MRI
Quality Control Manual 2015: 3 %), the second a proposal."""
VOID_RADIUS_MM = 7.0
"""A void that holds a disc of this radius is no cortical bone (proposal; a femur's is 5-9 mm thick)."""
VOID_MM2 = 200.0
"""Smaller voids are vessels, tendons and cortical bone (proposal)."""
VOID_SHARE = 0.15
"""Darker than this share of the slice's median tissue is void (proposal)."""
BRIGHT = 0.3
"""Brighter than this share of the brightest is tissue, not its ghost (proposal)."""
NO_GHOST = 0.2
"""Brighter than this share of the brightest is the body that may hold a void (proposal)."""
MARGIN_MM = 6.0
"""Air this close to tissue is not looked at for ghosts."""
LEAST_AIR = 200
"""Voxels of air that a strip must hold, per slice."""
SEVERITY = {"low_snr": "warn", "motion_suspected": "warn", "metal_suspected": "fail"}
RANKS = {"ok": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class ScanQuality:
    """What was found.

    Parameters
    ----------
    snr : float
        Median tissue signal over noise SD; NaN where the background says nothing of the noise, or ghosts do.
    ghost : ndarray, shape (slice,)
        Percent-signal ghosting as a share, 0-1; NaN where there is too little air, or it is masked.
    voids : tuple of int
        Slices with a void that no anatomy makes.
    """

    snr: float
    ghost: npt.NDArray[np.float64]
    voids: tuple[int, ...]

    @property
    def worst_ghost(self) -> float:
        """Median ghosting over slices; NaN where none is known."""
        known = self.ghost[np.isfinite(self.ghost)]
        return float(np.median(known)) if known.size else float("nan")


def assess(acquisition: Acquisition) -> ScanQuality:
    """Look at a whole scan.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channels ``fat`` and ``water``.

    Returns
    -------
    ScanQuality

    Raises
    ------
    InvalidInput
        If the channels are missing.

    References
    ----------
    Ghosting: percent-signal ghosting of the American College of Radiology, MRI Quality Control Manual 2015,
    with the tissue itself in place of the phantom.
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("scan quality needs a volume with the channels fat and water")
    axis = volume.slice_axis
    water, fat = (np.nan_to_num(np.moveaxis(volume.channels[name], axis, 2)) for name in ("water", "fat"))
    signal = water + fat
    tissue = body(signal)
    widths = [float(width) for place, width in enumerate(volume.spacing_mm) if place != axis]
    noises = [noise_sd(one, tissue, tissue & (one > other)) for one, other in ((water, fat), (fat, water))]
    spread = float(np.hypot(noises[0], noises[1]))
    median = float(np.median(signal[tissue])) if tissue.any() else 0.0
    levels = range(signal.shape[2])
    ghost = np.array([_ghosting(signal[:, :, level], widths) for level in levels])
    haunted = np.isfinite(ghost).any() and float(np.nanmedian(ghost)) > GHOST
    return ScanQuality(
        snr=median / spread if spread > 0 and not haunted else float("nan"),
        ghost=ghost,
        voids=tuple(level for level in levels if _void_mm2(signal[:, :, level], widths)),
    )


def findings(quality: ScanQuality) -> list[Finding]:
    """What was found, in words.

    Parameters
    ----------
    quality : ScanQuality
        Of a scan.
    """
    told = []
    if quality.snr < LOW_SNR:
        level = "error" if quality.snr < LEAST_SNR else "warning"
        text = f"the signal is {quality.snr:.1f} times the noise, {LOW_SNR:g} are wanted"
        told.append((level, "signal", text))
    if quality.worst_ghost > GHOST:
        level = "error" if quality.worst_ghost > MUCH_GHOST else "warning"
        text = f"ghosts of {100 * quality.worst_ghost:.1f} % of the signal: the person may have moved"
        told.append((level, "motion", text))
    if quality.voids:
        shown = ", ".join(map(str, quality.voids[:6])) + (" ..." if len(quality.voids) > 6 else "")
        told.append(("error", "metal", f"signal voids as of metal in slices {shown}"))
    return [Finding(level, category, text) for level, category, text in told]  # type: ignore[arg-type]


def mark(rows: pd.DataFrame, quality: ScanQuality) -> Table:
    """Flags and quality on the rows of a scan.

    Parameters
    ----------
    rows : DataFrame
        Rows of the scan.
    quality : ScanQuality
        Of the same scan.

    Returns
    -------
    Table
        ``low_snr`` and ``motion_suspected`` stand on every row; ``metal_suspected`` on rows of the slices
        with a void and of whole regions that are seen in them.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table.
    """
    everywhere: dict[str, str] = {}
    if quality.snr < LOW_SNR:
        everywhere["low_snr"] = "fail" if quality.snr < LEAST_SNR else "warn"
    if quality.worst_ghost > GHOST:
        everywhere["motion_suspected"] = "fail" if quality.worst_ghost > MUCH_GHOST else "warn"
    if not everywhere and not quality.voids:
        return from_rows(rows)
    struck = _struck(rows, quality)
    flags, grades = [], []
    for metal, flag, grade in zip(struck, rows["flags"], rows["quality"], strict=True):
        own: Mapping[str, str] = everywhere | ({"metal_suspected": "fail"} if metal else {})
        flags.append(";".join(sorted({*filter(None, flag.split(";")), *own})))
        grades.append(max([grade, *own.values()], key=lambda word: RANKS[word]))
    return from_rows(rows.assign(flags=flags, quality=grades))


def _struck(rows: pd.DataFrame, quality: ScanQuality) -> list[bool]:
    """Whether a row rests on a slice with a void."""
    named = {f"slice:{level}" for level in quality.voids}
    hit = rows[rows["at"].isin(named)]
    regions = set(zip(hit["site"], hit["side"], hit["rater"], strict=True))
    return [
        at in named or (not at.startswith("slice:") and (site, side, rater) in regions)
        for at, site, side, rater in zip(rows["at"], rows["site"], rows["side"], rows["rater"], strict=True)
    ]


def _ghosting(signal: Images, widths_mm: list[float]) -> float:
    """How much brighter air is beside the body along one axis than elsewhere, over the body's signal."""
    tissue = signal > BRIGHT * float(np.percentile(signal, 98))
    if not tissue.any():
        return float("nan")
    reach = [2 * max(1, round(MARGIN_MM / width)) + 1 for width in widths_mm]
    near = np.asarray(ndimage.binary_dilation(tissue, np.ones(reach, dtype=bool)))
    columns = np.broadcast_to(np.atleast_1d(near.any(axis=0))[None, :], near.shape)
    lines = np.broadcast_to(np.atleast_1d(near.any(axis=1))[:, None], near.shape)
    beside: list[Bools] = [~near & columns & ~lines, ~near & lines & ~columns]
    strips = [part for part in beside if part.sum() >= LEAST_AIR]
    corners = ~near & ~columns & ~lines
    quiet = [corners] if corners.sum() >= LEAST_AIR else strips
    if not strips or (quiet is strips and len(strips) < 2):
        return float("nan")
    loudest = max(float(signal[part].mean()) for part in strips)
    floor = min(float(signal[part].mean()) for part in quiet)
    return float("nan") if loudest <= 0 else max(0.0, loudest - floor) / float(signal[tissue].mean())


def _void_mm2(signal: Images, widths_mm: list[float]) -> float:
    """Area of voids within the body that hold a disc larger than cortical bone is thick; 0 where small."""
    tissue = signal > NO_GHOST * float(np.percentile(signal, 98))
    if not tissue.any():
        return 0.0
    close = max(1, round(VOID_RADIUS_MM / min(widths_mm)))
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(tissue, close), iterations=2))
    inside = inside[close:-close, close:-close]
    dark = inside & (signal < VOID_SHARE * float(np.median(signal[tissue])))
    depth = ndimage.distance_transform_edt(dark, sampling=widths_mm)
    core = depth > VOID_RADIUS_MM
    if not core.any():
        return 0.0
    labels, _ = ndimage.label(dark)
    held = np.isin(labels, np.unique(labels[core]))
    area = float(held.sum()) * widths_mm[0] * widths_mm[1]
    return area if area > VOID_MM2 else 0.0
