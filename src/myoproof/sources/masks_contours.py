"""RTSTRUCT: closed contours in millimetres filled onto the voxels of an image grid."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, refuse
from myoproof.sources.masks_names import named

LPS = np.array([-1.0, -1.0, 1.0])
"""DICOM's patient axes to RAS+."""
CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
BETWEEN_SLICES = 0.1
"""A contour farther than this share of the slice distance from every slice was drawn on other images."""
OFF_PLANE = 0.02
"""A contour that leaves its plane by more than this share of a slice is not drawn on these slices."""
OUTSIDE = 0.01
"""More than this share of a region's points outside the images: the contours belong to another scan."""


def fill(points: Iterable[npt.NDArray[np.float64]], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Fill closed polygons on a pixel grid by the even-odd rule.

    A pixel belongs where its centre lies inside an odd number of the polygons: a polygon within another is a
    hole. Of centres exactly on an edge those on the low side of both axes belong, so that two polygons that
    share an edge share no pixel and lose none.

    Parameters
    ----------
    points : iterable of ndarray, shape (n, 2)
        Corners in pixel indices (first axis, second axis), pixel centres at whole numbers.
    shape : tuple of int
        Pixels along the two axes.

    Returns
    -------
    ndarray of bool, shape ``shape``

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 3.5], [0.5, 3.5]])
    >>> int(fill([square], (5, 5)).sum())
    6
    """
    toggles = np.zeros((shape[0] + 1, shape[1]), dtype=np.int64)
    for polygon in points:
        first, second = polygon, np.roll(polygon, -1, axis=0)
        low = np.minimum(first[:, 1], second[:, 1])
        high = np.maximum(first[:, 1], second[:, 1])
        begin = np.clip(np.ceil(low), 0, shape[1]).astype(np.int64)
        end = np.clip(np.ceil(high), 0, shape[1]).astype(np.int64)
        count = np.maximum(end - begin, 0)
        edge = np.repeat(np.arange(count.size), count)
        line = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + begin[edge]
        a, b = first[edge], second[edge]
        crossing = a[:, 0] + (line - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
        np.add.at(toggles, (np.clip(np.ceil(crossing), 0, shape[0]).astype(np.int64), line), 1)
    return np.asarray(np.cumsum(toggles[:-1], axis=0) % 2 == 1)


def regions(
    dataset: Any, affine: npt.NDArray[np.float64], shape: tuple[int, int, int], *, where: str
) -> tuple[dict[int, npt.NDArray[np.int64]], dict[int, tuple[str, str]], list[Finding]]:
    """The filled regions of a structure set on an image grid.

    Parameters
    ----------
    dataset : pydicom Dataset
        RT Structure Set.
    affine : ndarray, shape (4, 4)
        Voxel indices of the images to RAS+ mm.
    shape : tuple of int
        Voxels along the three axes.
    where : str
        The file.

    Returns
    -------
    voxels : dict of int to ndarray of int
        ROI number -> flat indices (C order) of its voxels.
    names : dict of int to (site, side)
    findings : list of Finding
        Remarks; faults are raised.

    Raises
    ------
    InvalidInput
        All faults together: contours of other images, near-miss names, no closed contour.
    """
    findings: list[Finding] = []
    names: dict[int, tuple[str, str]] = {}
    voxels: dict[int, npt.NDArray[np.int64]] = {}
    inverse = np.asarray(np.linalg.inv(affine), dtype=np.float64)
    roi = {int(item.ROINumber): item for item in dataset.get("StructureSetROISequence", [])}
    said = {int(item.ReferencedROINumber): item for item in dataset.get("RTROIObservationsSequence", [])}
    for item in dataset.get("ROIContourSequence", []):
        number = int(item.ReferencedROINumber)
        name = str(getattr(roi.get(number), "ROIName", "") or f"roi {number}")
        place = f"{where}, contour {name!r}"
        contours, remarks = _contours(item, inverse, place)
        findings += remarks
        if not contours:
            continue
        names[number], faults = named(
            [name, *_meanings(said.get(number))], _codes(said.get(number)), where=place
        )
        mask, more = _filled(contours, _slice_axis(contours, affine), shape, place)
        voxels[number] = np.flatnonzero(mask)
        findings += faults + more
    if not voxels:
        findings.append(Finding("error", "empty", "holds no closed contour", where))
    refuse(findings)
    return voxels, names, [finding for finding in findings if finding.level != "error"]


def _contours(
    item: Any, inverse: npt.NDArray[np.float64], where: str
) -> tuple[list[npt.NDArray[np.float64]], list[Finding]]:
    found, left = [], 0
    for contour in item.get("ContourSequence", []):
        points = np.asarray(contour.get("ContourData", []), dtype=np.float64)
        if str(contour.get("ContourGeometricType", "CLOSED_PLANAR")) not in CLOSED or points.size < 9:
            left += 1
            continue
        world = points.reshape(-1, 3) * LPS
        found.append(world @ inverse[:3, :3].T + inverse[:3, 3])
    if not left:
        return found, []
    return found, [
        Finding("info", "contours", f"{left} points or open lines are no regions, left out", where)
    ]


def _slice_axis(contours: Sequence[npt.NDArray[np.float64]], affine: npt.NDArray[np.float64]) -> int:
    spread = np.max([np.ptp(points, axis=0) for points in contours], axis=0)
    thick = np.linalg.norm(affine[:3, :3], axis=0)
    return int(np.lexsort((-thick, np.round(spread, 2)))[0])


def _filled(
    contours: Sequence[npt.NDArray[np.float64]], axis: int, shape: tuple[int, int, int], where: str
) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    mask = np.zeros(shape, dtype=np.bool_)
    along = [points[:, axis] for points in contours]
    between = max(abs(float(one.mean()) - round(float(one.mean()))) for one in along)
    tilted = max(float(np.ptp(one)) for one in along)
    every = np.concatenate(contours)
    outside = float(((every < -0.5) | (every > np.array(shape) - 0.5)).any(axis=1).mean())
    mend = "give the contours that were drawn on these images"
    for bad, what in (
        (tilted > OFF_PLANE, f"contours leave their slice by {tilted:.3g} slices"),
        (between > BETWEEN_SLICES, f"contours lie {between:.3g} slices away from the images' slices"),
        (outside > OUTSIDE, f"{outside:.0%} of the contour points lie outside the images"),
    ):
        if bad:
            return mask, [Finding("error", "grid", what, where, mend)]
    inplane = [other for other in range(3) if other != axis]
    by_slice: dict[int, list[npt.NDArray[np.float64]]] = {}
    for points in contours:
        number = round(float(points[:, axis].mean()))
        if 0 <= number < shape[axis]:
            by_slice.setdefault(number, []).append(points[:, inplane])
    view = np.moveaxis(mask, axis, 0)
    for number, polygons in by_slice.items():
        view[number] = fill(polygons, (shape[inplane[0]], shape[inplane[1]]))
    if not mask.any():
        return mask, [Finding("warning", "empty", "contours that enclose no voxel centre", where)]
    return mask, []


def _meanings(observation: Any) -> list[str]:
    if observation is None:
        return []
    texts = [str(observation.get("ROIObservationLabel", "") or "")]
    texts += [
        str(code.get("CodeMeaning", "")) for code in observation.get("RTROIIdentificationCodeSequence", [])
    ]
    return [text for text in texts if text]


def _codes(observation: Any) -> list[tuple[str, str]]:
    if observation is None:
        return []
    found: Mapping[str, Any] = observation
    return [
        (str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", "")))
        for code in found.get("RTROIIdentificationCodeSequence", [])
    ]
