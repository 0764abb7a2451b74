"""Dixon: fat fraction, area, volume and functional remaining muscle per site and side, with intervals."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.dixon_corrected import swap_rows, t1_rows
from myoproof.measures.dixon_flags import border_flags, scan_flags, swapped_slices
from myoproof.measures.dixon_intervals import offsets_mm
from myoproof.measures.dixon_params import Params, for_rater
from myoproof.measures.dixon_regions import Regions, find_regions
from myoproof.measures.dixon_rows import Row, Warnings, all_rows
from myoproof.measures.dixon_sums import AREA, MuscleSums, Scan, fat_shares, make_scan, muscle_sums
from myoproof.measures.dixon_swaps import find_swaps
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm

__all__ = ["METHOD", "METHOD_VERSION", "Params", "measure"]

METHOD = "dixon"
METHOD_VERSION = 1


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
) -> Table:
    """Measure fat and size of drawn muscles on a fat and a water image.

    Parameters
    ----------
    acquisition : Acquisition
        Modality ``dixon``: a Volume with the channels ``fat`` and ``water`` (magnitudes, any unit).
    segmentation : Segmentation
        Drawn on the same grid.
    context : object
        Not used.
    params : Params
        Rows, level and the border model of the intervals.

    Returns
    -------
    Table
        Per site and side: ``fat_fraction`` (mean over voxels of F / (F + W); also per slice),
        ``fat_fraction_signal`` (sum F / sum (F + W)), ``cross_sectional_area`` (mm2, at each ``slice:N`` and
        at ``maximum``), ``volume`` (mL, slice sum), ``functional_remaining_area`` (area x (1 - fat fraction),
        at each slice and at the slice of largest area) and ``functional_remaining_volume`` (mL). Rows of
        method ``dixon:floor_corrected`` give the two fat fractions of the whole muscle less what the noise
        floor adds; those of method ``dixon:eroded`` and ``dixon:dilated`` repeat three measures with the
        region one in-plane voxel smaller and larger. Where whole legs or slices have fat and water
        exchanged, rows of method ``dixon:swap_corrected`` give the sides concerned after it was undone; where
        the settings hold repetition time, flip angle and field strength, ``dixon:t1_corrected`` gives the two
        fat fractions of the whole muscle less T1 weighting. Higher fat and lower size are worse.

    Raises
    ------
    InvalidInput
        If the acquisition holds no fat and water on the segmentation's grid, one of them is the mask itself,
        or a muscle holds undefined or more than 1 % negative values; all muscles are named together.

    References
    ----------
    Fat fraction as in Hirriririir/Rapid-automatic-fat-quantification-for-thigh-muscle-degeneration (GitHub);
    functional remaining muscle area: Klickovic U et al. Neurology 2019;93:e895.
    """
    del context
    params = for_rater(params, segmentation.rater)
    volume = _checked(acquisition, segmentation)
    regions = find_regions(volume, segmentation)
    scan = make_scan(volume, regions)
    sums = _sums(volume, regions, scan, params)
    _refuse_bad_voxels(regions, sums, params)
    swaps = find_swaps(volume, regions)
    start = {
        "subject": acquisition.subject,
        "session": acquisition.session,
        "run": acquisition.run,
        "modality": acquisition.modality,
        "method": METHOD,
        "rater": segmentation.rater,
        "method_version": METHOD_VERSION,
    }
    edges, gap = border_flags(volume, regions), scan_flags(volume, params)

    def rows_of(found: Mapping[int, MuscleSums], images: Volume) -> list[Row]:
        held = swaps.numbers if images is volume else {}
        suspected = {
            number: levels | held.get(number, frozenset())
            for number, levels in swapped_slices(images, regions).items()
        }
        warnings = Warnings(edges=edges, swapped=suspected, gap=gap, sides=regions.flags)
        return all_rows(regions, found, scan, warnings, params=params, start=start)

    def sums_of(images: Volume) -> dict[int, MuscleSums]:
        return _sums(images, regions, make_scan(images, regions), params)

    return from_rows(
        [
            *rows_of(sums, volume),
            *swap_rows(volume, regions, swaps, sums_of, rows_of),
            *t1_rows(volume, acquisition.settings, params, sums_of, rows_of),
        ]
    )


def _sums(volume: Volume, regions: Regions, scan: Scan, params: Params) -> dict[int, MuscleSums]:
    boxes = ndimage.find_objects(regions.index)
    in_plane = [axis for axis in range(3) if axis != volume.slice_axis]
    fat = fat_shares(scan)
    rim_mm = params.rim_mm + params.rim_voxels * float(np.sqrt(scan.pixel_mm2))
    return {
        item.index: muscle_sums(
            scan,
            item.index,
            [boxes[item.index - 1][axis] for axis in in_plane],
            offsets_mm(params, fat[item.index]),
            rim_mm,
        )
        for item in regions.items
        if item.index
    }


def _checked(acquisition: Acquisition, segmentation: Segmentation) -> Volume:
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("dixon needs a volume with the channels fat and water", where=acquisition.subject)
    findings = []
    if segmentation.labels.shape != volume.shape:
        message = f"the mask has shape {segmentation.labels.shape} but the images {volume.shape}"
        findings.append(Finding("error", "shape", message))
    elif displacement_mm(segmentation.affine, volume.affine, volume.shape) > GRID_TOLERANCE_MM:
        findings.append(Finding("error", "grid", "the mask lies on another grid than the images"))
    else:
        findings += [
            Finding(
                "error",
                "mask",
                f"the {name} image is the mask itself",
                mend="the order is fat, water, segmentation",
            )
            for name in ("fat", "water")
            if segmentation.labels.any() and np.array_equal(volume.channels[name], segmentation.labels)
        ]
    refuse(findings, where=acquisition.subject)
    return volume


def _refuse_bad_voxels(regions: Regions, sums: Mapping[int, MuscleSums], params: Params) -> None:
    findings = []
    for item in regions.items:
        if not item.index:
            continue
        found, name = sums[item.index], f"{item.site} {item.side}".strip()
        voxels = int(found.drawn[:, AREA].sum())
        if found.not_finite:
            findings.append(
                Finding(
                    "error", "values", f"{name}: {found.not_finite} of {voxels} voxels are not finite numbers"
                )
            )
        if found.negative > params.negative_limit * voxels:
            findings.append(
                Finding(
                    "error",
                    "values",
                    f"{name}: {found.negative} of {voxels} voxels are negative",
                    mend="give magnitude images",
                )
            )
    refuse(findings, where="fat and water")
