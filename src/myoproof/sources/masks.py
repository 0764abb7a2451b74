"""Drawn masks of every format: NIfTI, DICOM Segmentation and RTSTRUCT become labels with names."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.errors import Finding, InvalidInput, NotReadable, refuse
from myoproof.sources import masks_contours, masks_segments, nifti

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage, DICOM Supplement 243."""

READERS = {
    SegmentationStorage: masks_segments.regions,
    LABEL_MAP: masks_segments.regions,
    RTStructureSetStorage: masks_contours.regions,
}
NIFTI = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
MUCH_SHARED = 0.25
"""Regions that share more than this of the smaller one are nested or doubled, not drawn side by side."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Labelled voxels, and what the file itself calls them.

    Parameters
    ----------
    labels : ndarray, shape (x, y, z), uint16
        0 = background.
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ mm.
    names : mapping of int to (site, side)
        Empty where the format names nothing (NIfTI): a label scheme must.
    findings : tuple of Finding
        What is remarkable.
    """

    labels: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]
    names: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def read_mask(path: Path, acquisition: Acquisition) -> Mask:
    """Read a mask that was drawn on an acquisition, whatever its format.

    Parameters
    ----------
    path : Path
        NIfTI; or DICOM Segmentation (binary, fractional, label map) or RTSTRUCT, or a folder that holds one
        such file. A voxel belongs to a contour where its centre lies inside by the
        even-odd rule, and to a fractional segment from one half on. Voxels that two regions claim go to the
        smaller one, and that is told.
    acquisition : Acquisition
        The scan that was drawn on: DICOM regions are placed on its grid. NIfTI masks keep their own.

    Returns
    -------
    Mask
        Labels are the file's numbers (NIfTI value, segment number, ROI number), also above 255.

    Raises
    ------
    NotReadable
        If the file is absent or of no such format.
    InvalidInput
        All faults together: another grid, near-miss names, regions that overlap widely.
    """
    path = _one_file(Path(path))
    if path.name.lower().endswith(NIFTI):
        labels, affine = nifti.read_mask(path)
        return Mask(labels, affine)
    dataset = _dicom(path)
    payload = acquisition.payload
    if not isinstance(payload, Volume | Echoes):
        raise InvalidInput(f"masks are drawn on images, not on {type(payload).__name__}", where=str(path))
    reader = READERS[dataset.SOPClassUID]
    voxels, names, findings = reader(dataset, payload.affine, payload.shape, where=str(path))
    labels, more = _one_label_each(voxels, names, payload.shape, str(path))
    return Mask(labels, payload.affine, names, (*findings, *more))


def _one_file(path: Path) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise NotReadable("there is no such file", where=str(path))
        return path
    files = [entry for entry in sorted(path.iterdir()) if entry.is_file() and not entry.name.startswith(".")]
    if len(files) != 1:
        raise InvalidInput(f"holds {len(files)} files, not one mask", where=str(path), mend="give the file")
    return files[0]


def _dicom(path: Path) -> pydicom.Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, NotImplementedError) as fault:
        raise NotReadable(
            f"is neither NIfTI nor DICOM ({type(fault).__name__})",
            where=str(path),
            mend="give a NIfTI mask, a DICOM SEG or an RTSTRUCT",
        ) from fault
    held = dataset.get("SOPClassUID", "")
    if held not in READERS:
        name = getattr(held, "name", "") or "an unknown object"
        raise InvalidInput(
            f"is {name}, not a segmentation", where=str(path), mend="give a DICOM SEG or an RTSTRUCT"
        )
    return dataset


def _one_label_each(
    voxels: Mapping[int, npt.NDArray[np.int64]],
    names: Mapping[int, tuple[str, str]],
    shape: tuple[int, int, int],
    where: str,
) -> tuple[npt.NDArray[np.uint16], list[Finding]]:
    labels = np.zeros(shape, dtype=np.uint16)
    flat = labels.reshape(-1)
    size = {number: held.size for number, held in voxels.items()}
    findings: list[Finding] = []
    too_high = [number for number in voxels if not 0 < number <= np.iinfo(np.uint16).max]
    if too_high:
        findings.append(Finding("error", "labels", f"region numbers {too_high} are not 1-65535", where))
    for number in sorted(set(voxels) - set(too_high), key=lambda one: (-size[one], one)):
        taken = flat[voxels[number]]
        for other, shared in zip(*np.unique(taken[taken > 0], return_counts=True), strict=True):
            pair = " and ".join(" ".join(filter(None, names[one])) for one in (int(other), number))
            much = shared > MUCH_SHARED * size[number]
            what = f"{pair} share {shared} voxels, given to the smaller region"
            if much:
                what = f"{pair} share {shared} voxels ({shared / size[number]:.0%} of the smaller region)"
            mend = "leave out regions that enclose others" if much else ""
            findings.append(Finding("error" if much else "warning", "overlap", what, where, mend))
        flat[voxels[number]] = number
    refuse(findings)
    return labels, findings
