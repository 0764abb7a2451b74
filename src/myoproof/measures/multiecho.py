"""Multi-echo: proton-density fat fraction, R2*, size and remaining muscle per site and side."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.dixon_flags import border_flags, scan_flags, swapped_slices
from myoproof.measures.dixon_intervals import offsets_mm
from myoproof.measures.dixon_params import for_rater
from myoproof.measures.dixon_regions import Regions, find_regions
from myoproof.measures.dixon_rows import Row, Warnings, all_rows
from myoproof.measures.dixon_sums import fat_shares
from myoproof.measures.multiecho_maps import Correction, Maps, correction_of, maps_of
from myoproof.measures.multiecho_params import Context, Params
from myoproof.measures.multiecho_rows import decay_rows, uncorrected_rows, within_range, without_floor
from myoproof.measures.multiecho_sums import MapSums, make_layers, make_scan, muscle_sums
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm

__all__ = ["METHOD", "METHOD_VERSION", "Context", "Params", "measure"]

METHOD = "multiecho"
METHOD_VERSION = 1
LEAST_VOXELS = 10
"""Fewer voxels of low confidence or at risk than this in a slice of a muscle are not flagged."""


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
) -> Table:
    """Separate fat and water and measure muscles.

    Parameters
    ----------
    acquisition : Acquisition
        Modality ``multiecho``: payload ``Echoes`` (complex, or magnitudes), or a ``Volume`` of ready maps:
        the channels ``fat``, ``water`` and ``fat_fraction`` (fat fraction of signals). Settings
        ``field_strength_t``, and for the T1 correction ``repetition_time_s`` and ``flip_angle_deg``.
    segmentation : Segmentation
        Drawn on the same grid.
    context : Context, or Volume
        A ready separation, a measured transmit field (a Volume with channel ``b1`` alone does too), threads.
    params : Params
        Solver, corrections, doubts and the border model of the intervals.

    Returns
    -------
    Table
        The rows of the Dixon measure (see :mod:`myoproof.measures.dixon`) with proton-density fat fractions,
        and ``r2star`` (1/s, whole and per slice). Method ``multiecho:uncorrected`` gives the fat fractions
        with T1 weighting left in; ``multiecho:eroded`` and ``multiecho:dilated`` as in the Dixon measure.
        Intervals carry voxel noise and an uncertain border, and the doubts that a whole scan shares: T1, B1,
        and the spectrum of fat. Higher fat and lower size are worse.

    Raises
    ------
    InvalidInput
        If there are no echoes or maps on the segmentation's grid, the field strength is not known, or the B1
        map does not fit.

    References
    ----------
    Reeder et al., J Magn Reson Imaging 2012;36:1011 (proton-density fat fraction); Liu et al., Magn Reson Med
    2007;58:354 (T1 bias).
    """
    given = _context(context)
    params = replace(params, border=for_rater(params.border, segmentation.rater))
    _refuse_foreign_grid(acquisition, segmentation)
    correction = correction_of(acquisition, params, given)
    maps = maps_of(acquisition, params, given)
    regions = find_regions(maps.volume, segmentation)
    scan = make_scan(maps, regions)
    sums = _sums(maps, correction, regions, params)
    start = {
        "subject": acquisition.subject,
        "session": acquisition.session,
        "run": acquisition.run,
        "modality": acquisition.modality,
        "method": METHOD,
        "rater": segmentation.rater,
        "method_version": METHOD_VERSION,
    }
    fat = {number: found.fat for number, found in sums.items()}
    rows = without_floor(
        all_rows(
            regions,
            fat,
            scan,
            _warnings(maps, correction, regions, params),
            params=params.border,
            start=start,
        )
    )
    more: list[Row] = []
    by_name = _by_name(regions, sums)
    if maps.r2star is not None:
        more += decay_rows(rows, by_name, scan, params.border)
    if correction.known:
        more += uncorrected_rows(rows, by_name, scan)
    return from_rows(within_range([*rows, *more]))


def _context(context: object) -> Context:
    if isinstance(context, Context):
        return context
    if isinstance(context, Volume):
        return Context(b1=context)
    if context is None:
        return Context()
    raise InvalidInput(f"multiecho cannot use a context of type {type(context).__name__}")


def _refuse_foreign_grid(acquisition: Acquisition, segmentation: Segmentation) -> None:
    payload = acquisition.payload
    shape, affine = getattr(payload, "shape", None), getattr(payload, "affine", None)
    if shape is None or affine is None:
        return
    findings = []
    if segmentation.labels.shape != shape:
        message = f"the mask has shape {segmentation.labels.shape} but the echoes {shape}"
        findings.append(Finding("error", "shape", message))
    elif displacement_mm(segmentation.affine, affine, shape) > GRID_TOLERANCE_MM:
        findings.append(Finding("error", "grid", "the mask lies on another grid than the echoes"))
    refuse(findings, where=acquisition.subject)


def _sums(maps: Maps, correction: Correction, regions: Regions, params: Params) -> dict[int, MapSums]:
    scan, slice_axis = make_scan(maps, regions), maps.volume.slice_axis
    layers = make_layers(maps, correction, slice_axis)
    fat = fat_shares(scan)
    boxes = ndimage.find_objects(regions.index)
    in_plane = [axis for axis in range(3) if axis != slice_axis]
    border = params.border
    rim_mm = border.rim_mm + border.rim_voxels * float(np.sqrt(scan.pixel_mm2))
    found = {}
    for item in regions.items:
        if item.index:
            box = [boxes[item.index - 1][axis] for axis in in_plane]
            found[item.index] = muscle_sums(
                scan, layers, correction, item.index, box, offsets_mm(border, fat[item.index]), rim_mm
            )
    return found


def _by_name(regions: Regions, sums: Mapping[int, MapSums]) -> dict[tuple[str, str], list[MapSums]]:
    """(site, side) -> its sums; side "both" -> those of all sides of a site."""
    found: dict[tuple[str, str], list[MapSums]] = {}
    for item in regions.items:
        if item.index:
            for side in {item.side, "both"}:
                found.setdefault((item.site, side), []).append(sums[item.index])
    return found


def _warnings(maps: Maps, correction: Correction, regions: Regions, params: Params) -> Warnings:
    volume = maps.volume
    seen = swapped_slices(volume, regions)
    at_risk = _slices_with(maps.swap_risk & maps.valid, regions, volume.slice_axis, params.swap_share)
    low = (maps.confidence < params.low_confidence) | ~maps.valid
    return Warnings(
        edges=border_flags(volume, regions),
        swapped={number: levels | at_risk.get(number, frozenset()) for number, levels in seen.items()},
        gap=scan_flags(volume, params.border),
        sides=regions.flags,
        doubted=_slices_with(low, regions, volume.slice_axis, params.doubted_share),
        signal=frozenset() if correction.known else frozenset({"t1_weighting_unknown"}),
    )


def _slices_with(
    doubt: npt.NDArray[np.bool_], regions: Regions, slice_axis: int, share: float
) -> dict[int, frozenset[int]]:
    """Slices of each region in which more than a share of the voxels is doubted."""
    index, doubted = np.moveaxis(regions.index, slice_axis, 2), np.moveaxis(doubt, slice_axis, 2)
    size = int(index.max()) + 1
    levels: dict[int, set[int]] = {number: set() for number in range(1, size)}
    for level in range(index.shape[2]):
        here = index[:, :, level]
        all_voxels = np.bincount(here.ravel(), minlength=size)
        found = np.bincount(here[doubted[:, :, level]].ravel(), minlength=size)
        for number in np.flatnonzero((found > share * all_voxels) & (found >= LEAST_VOXELS)):
            if number:
                levels[int(number)].add(level)
    return {number: frozenset(held) for number, held in levels.items()}
