"""DICOM Segmentation: binary, fractional and label-map segments placed on an image grid."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from myoproof.errors import Finding, NotReadable, refuse
from myoproof.sources.masks_names import named

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TOLERANCE_MM = 0.01
"""Positions in DICOM are decimal text, which writers round to 2 digits and more."""
HALF = 0.5
"""A voxel of a fractional segment belongs where at least this share of it, or this probability, does."""


def regions(
    dataset: Dataset, affine: npt.NDArray[np.float64], shape: tuple[int, int, int], *, where: str
) -> tuple[dict[int, npt.NDArray[np.int64]], dict[int, tuple[str, str]], list[Finding]]:
    """The segments of a DICOM Segmentation on an image grid.

    Parameters
    ----------
    dataset : pydicom Dataset
        Segmentation or Label Map Segmentation.
    affine : ndarray, shape (4, 4)
        Voxel indices of the images to RAS+ mm. Axes may be in any order and direction.
    shape : tuple of int
        Voxels along the three axes.
    where : str
        The file.

    Returns
    -------
    voxels : dict of int to ndarray of int
        Segment number -> flat indices (C order) of its voxels, each once.
    names : dict of int to (site, side)
    findings : list of Finding
        Remarks; faults are raised.

    Raises
    ------
    InvalidInput
        All faults together: frames off the grid, near-miss names.
    NotReadable
        If the pixel data cannot be decoded.
    """
    names: dict[int, tuple[str, str]] = {}
    findings: list[Finding] = []
    kind = str(dataset.get("SegmentationType", "BINARY"))
    for item in dataset.get("SegmentSequence", []):
        number = int(item.SegmentNumber)
        if number == 0 and kind == "LABELMAP":
            continue  # the background has a description of its own
        texts, codes = _said(item)
        label = str(item.get("SegmentLabel", ""))
        names[number], faults = named([label, *texts], codes, where=f"{where}, segment {number} {label!r}")
        findings += faults
    held: dict[int, list[npt.NDArray[np.int64]]] = {number: [] for number in names}
    inverse = np.asarray(np.linalg.inv(affine), dtype=np.float64)
    for index, (frame, pixels) in enumerate(_frames(dataset, where)):
        step, fault = _step(frame, inverse, pixels.shape, shape)
        if fault:
            findings.append(Finding("error", "grid", f"frame {index + 1} {fault}", where, _MEND))
            break
        for number, inside in _inside(frame, pixels, kind, dataset):
            if number in held:
                rows, columns = np.nonzero(inside)
                place = step @ np.stack([rows, columns, np.ones_like(rows)])
                held[number].append(np.ravel_multi_index(tuple(place), shape))
    if not names:
        findings.append(Finding("error", "empty", "holds no segment", where))
    refuse(findings)
    nothing = np.zeros(0, dtype=np.int64)
    voxels = {number: np.unique(np.concatenate([nothing, *parts])) for number, parts in held.items()}
    return voxels, names, [finding for finding in findings if finding.level != "error"]


_MEND = "give the segmentation that was drawn on these images, or resample it"


def _frames(dataset: Dataset, where: str) -> Iterator[tuple[Dataset, npt.NDArray[Any]]]:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    try:
        for groups, pixels in zip(own, iter_pixels(dataset), strict=True):
            yield _merged(shared, groups), pixels
    except (ValueError, RuntimeError, NotImplementedError, AttributeError, KeyError, OSError) as fault:
        told = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise NotReadable(f"the segments cannot be decoded ({told})", where=where) from fault


def _merged(shared: Dataset, own: Dataset) -> Dataset:
    merged = Dataset()
    for groups in (shared, own):
        for element in groups:
            if element.VR == "SQ" and element.value:
                merged[element.tag] = element
    return merged


def _step(
    frame: Dataset, inverse: npt.NDArray[np.float64], pixels: tuple[int, ...], shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.int64], str]:
    """Matrix (3, 3) from (row, column, 1) of a frame to its voxel, or why there is none."""
    empty = np.zeros((3, 3), dtype=np.int64)
    try:
        measures = frame.PixelMeasuresSequence[0].PixelSpacing
        orientation = np.asarray(frame.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=np.float64)
        position = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64)
    except (AttributeError, IndexError):
        return empty, "states no position, orientation or spacing"
    to_world = np.zeros((4, 3))
    to_world[:3, 0] = orientation[3:] * float(measures[0])
    to_world[:3, 1] = orientation[:3] * float(measures[1])
    to_world[:, 2] = (*position, 1.0)
    to_voxel = (inverse @ LPS @ to_world)[:3]
    rounded = np.round(to_voxel)
    corners = np.array([[r, c, 1.0] for r in (0.0, pixels[0] - 1.0) for c in (0.0, pixels[1] - 1.0)])
    off = np.linalg.inv(inverse)[:3, :3] @ ((to_voxel - rounded) @ corners.T)
    apart = float(np.linalg.norm(off, axis=0).max())
    if apart > TOLERANCE_MM:
        return empty, f"lies up to {apart:.3g} mm from the images' voxels"
    ends = rounded @ corners.T
    if ends.min() < 0 or (ends.max(axis=1) >= np.array(shape)).any():
        return empty, "reaches beyond the images"
    return rounded.astype(np.int64), ""


def _inside(
    frame: Dataset, pixels: npt.NDArray[Any], kind: str, dataset: Dataset
) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    if kind == "LABELMAP":
        for number in np.unique(pixels):
            if number:
                yield int(number), pixels == number
        return
    number = int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    if kind == "FRACTIONAL":
        yield number, pixels >= HALF * float(dataset.get("MaximumFractionalValue", 255))
        return
    yield number, pixels > 0


def _said(item: Any) -> tuple[list[str], list[tuple[str, str]]]:
    texts: list[str] = []
    codes: list[tuple[str, str]] = []
    for sequence in ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence"):
        for code in item.get(sequence, []):
            modifiers = [*code.get("SegmentedPropertyTypeModifierCodeSequence", [])]
            modifiers += [*code.get("AnatomicRegionModifierSequence", [])]
            texts.append(str(code.get("CodeMeaning", "")))
            codes += [_code(one) for one in (code, *modifiers)]
    codes += [_code(one) for one in item.get("SegmentedPropertyTypeModifierCodeSequence", [])]
    return [text for text in texts if text], codes


def _code(item: Any) -> tuple[str, str]:
    return str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", ""))
