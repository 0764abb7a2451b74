"""NIfTI: fat and water images to one Acquisition, and drawn masks to labels."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.provenance import digest_files
from myoproof.errors import Finding, NotReadable, refuse
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm

UNREADABLE = (OSError, EOFError, ValueError, zlib.error, struct.error, ImageFileError, HeaderDataError)
"""What nibabel raises for absent, truncated and foreign files."""

MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 1e-3, "unknown": 1.0}
"""NIfTI length unit -> millimetres."""


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    values: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]
    oriented: bool


def read(
    fat: Path,
    water: Path,
    *,
    subject: str = "",
    session: str = "",
    run: str = "",
    day: float = 0.0,
    centre: str = "",
) -> Acquisition:
    """Read the fat and the water image of one Dixon scan.

    Parameters
    ----------
    fat, water : Path
        NIfTI-1 or NIfTI-2, ``.nii``, ``.nii.gz`` or ``.hdr``/``.img``; magnitudes in any unit, with the
        scaling of their headers. A fourth dimension of length one is dropped.
    subject, session, run : str
        Pseudonym, visit and repetition.
    day : float
        Days since the subject's baseline.
    centre : str
        Where the scan was made.

    Returns
    -------
    Acquisition
        Modality ``dixon`` with a Volume of the channels ``fat`` and ``water``.

    Raises
    ------
    NotReadable
        If a file is absent, truncated or no NIfTI; both files are named where both fail.
    InvalidInput
        All faults together: 4-D files, complex or colour values, no orientation, different shapes, grids
        that differ by more than 0.001 mm, one file given twice.

    References
    ----------
    NIfTI-1 data format, https://nifti.nimh.nih.gov/nifti-1: sform before qform, codes 0 mean unknown.
    """
    paths = {"fat": Path(fat), "water": Path(water)}
    images = _load_all(paths)
    refuse([finding for image in images.values() for finding in _faults(image)])
    digests = {name: _digest(path) for name, path in paths.items()}
    refuse(_disagreements(images["fat"], images["water"], same_file=len(set(digests.values())) == 1))
    channels = {name: np.ascontiguousarray(_three(image), dtype=np.float32) for name, image in images.items()}
    return Acquisition(
        subject=subject,
        session=session,
        run=run,
        modality="dixon",
        payload=Volume(channels=channels, affine=images["fat"].affine),
        day=day,
        centre=centre,
        digest=_digest(paths["fat"], paths["water"]),
    )


def read_image(path: Path, *, subject: str = "", session: str = "", run: str = "") -> Acquisition:
    """Read one image of a single contrast.

    Parameters
    ----------
    path : Path
        NIfTI, 3-D.
    subject, session, run : str
        Pseudonym, visit and repetition.

    Returns
    -------
    Acquisition
        Modality ``muscle_mri`` with a Volume of the channel ``image``.

    Raises
    ------
    NotReadable, InvalidInput
        As :func:`read`.
    """
    image = _load_all({"image": Path(path)})["image"]
    refuse(_faults(image))
    values = np.ascontiguousarray(_three(image), dtype=np.float32)
    volume = Volume({"image": values}, image.affine)
    return Acquisition(subject, session, run, "muscle_mri", volume, digest=_digest(Path(path)))


def read_mask(path: Path) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float64]]:
    """Read a drawn label mask.

    Parameters
    ----------
    path : Path
        NIfTI of whole numbers 0-65535, 0 = background; integers or integer-valued floats.

    Returns
    -------
    labels : ndarray, shape (x, y, z), uint16
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ millimetres.

    Raises
    ------
    NotReadable
        If the file is absent, truncated or no NIfTI.
    InvalidInput
        If the values are not whole numbers 0-65535, or the file is 4-D or has no orientation.
    """
    image = _load_all({"mask": Path(path)})["mask"]
    refuse(_faults(image))
    refuse(_label_faults(image))
    return np.ascontiguousarray(_three(image)).astype(np.uint16), image.affine


def _load_all(paths: dict[str, Path]) -> dict[str, _Image]:
    images: dict[str, _Image] = {}
    failures: list[NotReadable] = []
    for role, path in paths.items():
        try:
            images[role] = _load(path)
        except NotReadable as failure:
            failures.append(failure)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise NotReadable(
            f"{len(failures)} files{''.join(f'{chr(10)}  - {failure}' for failure in failures)}"
        )
    return images


def _load(path: Path) -> _Image:
    if not path.is_file():
        raise NotReadable("there is no such file", where=str(path))
    try:
        image = nib.load(path)
        values = np.asanyarray(image.dataobj)
        header = image.header
        codes = (int(header["sform_code"]), int(header["qform_code"]))
        scale = MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
        affine = np.array(image.affine, dtype=np.float64)
    except (*UNREADABLE, KeyError) as fault:
        reason = f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else 'no detail'}"
        raise NotReadable(
            f"not a readable NIfTI image ({reason})", where=str(path), mend="copy or convert the file again"
        ) from fault
    affine[:3] *= scale
    return _Image(name=str(path), values=values, affine=affine, oriented=any(codes))


def _three(image: _Image) -> npt.NDArray[Any]:
    return image.values.reshape(image.values.shape[:3])


def _faults(image: _Image) -> list[Finding]:
    findings: list[Finding] = []
    shape = image.values.shape
    if len(shape) < 3 or any(length != 1 for length in shape[3:]):
        findings.append(
            Finding(
                "error",
                "dimensions",
                f"holds {len(shape)} dimensions {shape}, not 3",
                image.name,
                "give one 3-D volume per file",
            )
        )
    if image.values.size == 0:
        findings.append(Finding("error", "empty", "holds no voxel", image.name))
    if image.values.dtype.kind not in "iufb":
        findings.append(
            Finding(
                "error", "values", f"holds {image.values.dtype} values", image.name, "give magnitude images"
            )
        )
    elif image.values.dtype.kind == "f" and image.values.size and not np.isfinite(image.values).any():
        findings.append(Finding("error", "values", "holds no finite value", image.name))
    if not image.oriented:
        findings.append(
            Finding(
                "error",
                "orientation",
                "states no orientation (sform and qform codes are 0), so left and right cannot be told",
                image.name,
                "convert it again from DICOM, or set the form codes",
            )
        )
    elif not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        findings.append(
            Finding("error", "orientation", "states an affine that cannot be inverted", image.name)
        )
    return findings


def _disagreements(fat: _Image, water: _Image, *, same_file: bool) -> list[Finding]:
    where = f"{fat.name} and {water.name}"
    if same_file:
        return [Finding("error", "same file", "fat and water are the same image", where)]
    shapes = _three(fat).shape, _three(water).shape
    findings = []
    if shapes[0] != shapes[1]:
        findings.append(
            Finding(
                "error",
                "shape",
                f"fat has shape {shapes[0]} but water {shapes[1]}",
                where,
                "give the two images of one scan",
            )
        )
    apart = displacement_mm(fat.affine, water.affine, fat.values.shape[:3])
    if apart > GRID_TOLERANCE_MM:
        findings.append(
            Finding(
                "error",
                "grid",
                f"the grids of fat and water differ by up to {apart:.4g} mm",
                where,
                "resample one onto the other, or give the two images of one scan",
            )
        )
    return findings


def _label_faults(image: _Image) -> list[Finding]:
    values = image.values
    mend = "is this an image rather than a mask? the order is fat, water, segmentation"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return [Finding("error", "labels", "the mask holds values that are not finite", image.name, mend)]
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        example = values[values != np.round(values)].flat[0]
        return [
            Finding("error", "labels", f"the mask holds {example:.6g}, not whole numbers", image.name, mend)
        ]
    if values.size and (values.min() < 0 or values.max() > np.iinfo(np.uint16).max):
        found = f"the mask holds labels from {values.min():.0f} to {values.max():.0f}, not 0-65535"
        return [Finding("error", "labels", found, image.name, mend)]
    return []


def _digest(*paths: Path) -> str:
    parts: list[Path] = []
    for path in paths:
        parts.append(path)
        partner = path.with_suffix({".hdr": ".img", ".img": ".hdr"}.get(path.suffix, path.suffix))
        if partner != path and partner.is_file():
            parts.append(partner)
    return digest_files(*parts)
