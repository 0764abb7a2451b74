"""Radiomics: IBSI features of shape, intensity and texture per region; settings are in the method's name."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.dixon_flags import border_flags, quality
from myoproof.measures.dixon_regions import Region, find_regions
from myoproof.measures.radiomics_features import METHOD, Found, Image, expected, features
from myoproof.measures.radiomics_params import Params, check
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm

__all__ = ["METHOD", "METHOD_VERSION", "Params", "measure"]

METHOD_VERSION = 1

Row = dict[str, Any]


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
        what a feature means clinically is to be shown by a study. There are no intervals.

    Raises
    ------
    InvalidInput
        If the channel is absent, the mask lies on another grid, or a setting means nothing.

    References
    ----------
    Zwanenburg A et al. Radiology 2020;295:328; reference manual arXiv:1612.07003.
    """
    del context
    check(params)
    volume, values = _checked(acquisition, segmentation, params)
    regions = find_regions(volume, segmentation)
    edges = border_flags(volume, regions)
    last = volume.slice_axis
    image = Image(np.moveaxis(values, last, 2), _slices_last(volume.spacing_mm, last))
    index = np.moveaxis(regions.index, last, 2)

    def one(item: Region) -> tuple[Found, str]:
        return features(image, index == item.index, params) if item.index else ({}, "empty_label")

    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = list(pool.map(one, regions.items))
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"rater": segmentation.rater, "method_version": METHOD_VERSION}
    rows: list[Row] = []
    for item, (own, absent) in zip(regions.items, found, strict=True):
        told = _flags(edges.get(item.index, {}), regions.flags, absent)
        rows += _rows({**start, "site": item.site, "side": item.side, **told}, own, absent, params)
    return from_rows(rows)


def _rows(start: Row, found: Found, absent: str, params: Params) -> Iterator[Row]:
    for method, names in expected(params).items():
        own = found.get(method, {})
        for name in names:
            row = {**start, "method": method, "measure": name}
            value = own.get(name, np.nan)
            if np.isfinite(value):
                yield {**row, "value": value}
            else:
                yield {**row, "absent": absent or ("not_defined" if name in own else "out_of_domain")}


def _flags(edges: Mapping[int, frozenset[str]], sides: frozenset[str], absent: str) -> Row:
    flags = frozenset().union(*edges.values(), sides)
    flags |= {"empty_label"} if absent == "empty_label" else frozenset()
    return {"flags": ";".join(sorted(flags)), "quality": quality(flags)}


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
