"""Radiomics: IBSI features of shape, intensity and texture per region; settings are in the method's name."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.dixon_flags import border_flags, quality
from myoproof.measures.dixon_params import Params as Border
from myoproof.measures.dixon_params import for_rater
from myoproof.measures.dixon_regions import Region, find_regions
from myoproof.measures.radiomics_features import METHOD, Found, Image, features
from myoproof.measures.radiomics_params import Params, check
from myoproof.measures.radiomics_replicates import (
    Replicates,
    as_row,
    columns,
    intervals,
    replicate,
    stability,
    unstable,
)
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm

__all__ = ["METHOD", "METHOD_VERSION", "Measured", "Params", "measure", "measured"]

METHOD_VERSION = 2

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows, and how stable each feature is.

    Parameters
    ----------
    rows : Table
        As :func:`measure` gives them.
    stability : DataFrame
        ``method``, ``measure``, ``icc`` (one-way, single rating, of the scan's regions against replicates of
        their borders; higher is more stable), ``n_regions``; no rows without replicates.
    """

    rows: Table
    stability: pd.DataFrame


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
    threads: int = 1,
) -> Table:
    """Radiomics of drawn regions, named and defined as by the image biomarker standardisation initiative.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channel asked for, or with ``fat`` and ``water`` for ``fat_fraction``.
    segmentation : Segmentation
        Drawn on the same grid.
    context : object
        Not used.
    params : Params
        Channel, resampling, re-segmentation, discretisation, aggregation.
    threads : int
        Regions measured at once; the answer is the same for any number.

    Returns
    -------
    Table
        One row per site, side and feature. The method tells what the feature depends on: ``radiomics``
        (shape), ``radiomics:fat_fraction`` (intensity), ``radiomics:fat_fraction:fbn32`` (histogram) and
        ``radiomics:fat_fraction:fbn32:2_5d_merged`` (texture). Volumes are in mm3. No direction is worse:
        what a feature means clinically is to be shown by a study. Intervals say where the feature of the true
        region lies, given how borders are drawn, and where the scan has a channel named as the one measured
        with ``_sd`` behind it, how noise moves it. ``unstable``: wider than the scan's regions differ.

    Raises
    ------
    InvalidInput
        If the channel is absent, the mask lies on another grid, or a setting means nothing.

    References
    ----------
    Zwanenburg A et al. Radiology 2020;295:328; reference manual arXiv:1612.07003.
    """
    return measured(acquisition, segmentation, context=context, params=params, threads=threads).rows


def measured(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
    threads: int = 1,
) -> Measured:
    """As :func:`measure`, with the stability of each feature.

    Parameters
    ----------
    acquisition, segmentation, context, params, threads
        As in :func:`measure`.

    Returns
    -------
    Measured

    Raises
    ------
    InvalidInput
        As :func:`measure`.
    """
    del context
    check(params)
    volume, values = _checked(acquisition, segmentation, params)
    regions = find_regions(volume, segmentation)
    edges = border_flags(volume, regions)
    last = volume.slice_axis
    image = Image(np.moveaxis(values, last, 2), _slices_last(volume.spacing_mm, last))
    index = np.moveaxis(regions.index, last, 2)
    assert isinstance(acquisition.payload, Volume)
    noise = acquisition.payload.channels.get(f"{params.channel}_sd")
    noise_sd = None if noise is None else np.moveaxis(noise, last, 2)
    border = for_rater(Border(), segmentation.rater)

    def one(item: Region) -> _Own:
        if not item.index:
            return _Own({}, "empty_label", None)
        mask = index == item.index
        found, absent = features(image, mask, params)
        if absent or not params.replicates:
            return _Own(found, absent, None)
        rng = np.random.default_rng([params.seed, item.index])
        return _Own(found, absent, replicate(image, noise_sd, mask, params, border, rng=rng))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = list(pool.map(one, regions.items))
    doubts = _doubts(found, params)
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"rater": segmentation.rater, "method_version": METHOD_VERSION}
    rows: list[Row] = []
    for item, own, doubt in zip(regions.items, found, doubts, strict=True):
        told = _flags(edges.get(item.index, {}), regions.flags, own.absent)
        rows += _rows({**start, "site": item.site, "side": item.side}, told, own, doubt, params)
    drawn = [own.replicates for own in found if own.replicates is not None]
    empty = pd.DataFrame(columns=["method", "measure", "icc", "n_regions"])
    return Measured(from_rows(rows), stability(drawn, params) if drawn else empty)


@dataclass(frozen=True, slots=True)
class _Own:
    """What one region gave."""

    found: Found
    absent: str
    replicates: Replicates | None


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Intervals of one region's features, in the order of the columns; NaN where there are none."""

    low: Floats
    high: Floats
    unstable: npt.NDArray[np.bool_]


def _doubts(found: Sequence[_Own], params: Params) -> list[_Doubt]:
    values = np.array([as_row(own.found, params) for own in found])
    nothing = np.full(values.shape[1:], np.nan)
    ends = [
        (nothing, nothing) if own.replicates is None else intervals(row, own.replicates, level=params.level)
        for own, row in zip(found, values, strict=True)
    ]
    low, high = (np.array([pair[i] for pair in ends]).reshape(values.shape) for i in range(2))
    flagged = unstable(values, low, high)
    return [_Doubt(*parts) for parts in zip(low, high, flagged, strict=True)]


def _rows(start: Row, flags: frozenset[str], own: _Own, doubt: _Doubt, params: Params) -> Iterator[Row]:
    for place, (method, name) in enumerate(columns(params)):
        told = flags | ({"unstable"} if doubt.unstable[place] else set())
        row = {**start, "method": method, "measure": name}
        row |= {"flags": ";".join(sorted(told)), "quality": "warn" if "unstable" in told else quality(flags)}
        mine = own.found.get(method, {})
        value = mine.get(name, np.nan)
        if not np.isfinite(value):
            yield {**row, "absent": own.absent or ("not_defined" if name in mine else "out_of_domain")}
        elif np.isfinite(doubt.low[place]):
            yield {
                **row,
                "value": value,
                "low": doubt.low[place],
                "high": doubt.high[place],
                "level": params.level,
            }
        else:
            yield {**row, "value": value}


def _flags(edges: Mapping[int, frozenset[str]], sides: frozenset[str], absent: str) -> frozenset[str]:
    flags = frozenset().union(*edges.values(), sides)
    return flags | ({"empty_label"} if absent == "empty_label" else frozenset())


def _slices_last(spacing_mm: npt.NDArray[np.float64], last: int) -> npt.NDArray[np.float64]:
    return np.array([*(spacing_mm[axis] for axis in range(3) if axis != last), spacing_mm[last]])


def _checked(
    acquisition: Acquisition, segmentation: Segmentation, params: Params
) -> tuple[Volume, npt.NDArray[np.float32]]:
    """The volume with channels that tell the body, and the channel asked for."""
    volume = acquisition.payload
    if not isinstance(volume, Volume):
        raise InvalidInput("radiomics needs a volume", where=acquisition.subject)
    findings = []
    if segmentation.labels.shape != volume.shape:
        message = f"the mask has shape {segmentation.labels.shape} but the image {volume.shape}"
        findings.append(Finding("error", "shape", message))
    elif displacement_mm(segmentation.affine, volume.affine, volume.shape) > GRID_TOLERANCE_MM:
        findings.append(Finding("error", "grid", "the mask lies on another grid than the image"))
    values = _channel(volume, params.channel)
    if values is None:
        mend = f"channels: {', '.join(sorted(volume.channels))}"
        findings.append(Finding("error", "channel", f"the scan has no channel {params.channel!r}", mend=mend))
    refuse(findings, where=acquisition.subject)
    assert values is not None
    if {"fat", "water"} <= set(volume.channels):
        return volume, values
    signal = np.where(np.isfinite(values), values, np.float32(0.0))
    return Volume({"fat": signal, "water": np.zeros_like(signal)}, volume.affine), values


def _channel(volume: Volume, name: str) -> npt.NDArray[np.float32] | None:
    if name in volume.channels:
        return volume.channels[name]
    if name != "fat_fraction" or not {"fat", "water"} <= set(volume.channels):
        return None
    fat, water = volume.channels["fat"], volume.channels["water"]
    signal = fat + water
    out = np.full(signal.shape, np.nan, dtype=np.float32)
    np.divide(fat, signal, out=out, where=np.isfinite(signal) & (signal > 0))
    return out
