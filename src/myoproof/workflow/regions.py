"""Regions drawn on a scan: a mask of any format, named by a label scheme or by itself."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.provenance import digest_bytes
from myoproof.core.segmentation import Segmentation
from myoproof.errors import Finding
from myoproof.segmentation import drawn
from myoproof.sources import bids_nifti, masks

USUAL_SCHEME = "huashan11"
"""What the numbers of a NIfTI mask mean where nobody says."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Regions on a scan, the digests of what they were made from, and what is remarkable."""

    segmentation: Segmentation
    inputs: tuple[str, ...]
    findings: tuple[Finding, ...]


def read(
    path: Path, acquisition: Acquisition, *, labels: str = "", rater: str = "drawn", any_grid: bool = False
) -> Regions:
    """Read the mask that was drawn on a scan.

    Parameters
    ----------
    path : Path
        NIfTI, DICOM Segmentation or RTSTRUCT.
    acquisition : Acquisition
        The scan; images or echoes.
    labels : str
        A label scheme or a CSV. "" takes the names of the file; where it has none (NIfTI), ``huashan11``.
    rater : str
        Who drew.
    any_grid : bool
        Whether a NIfTI mask may lie on a grid of its own.

    Raises
    ------
    NotReadable, InvalidInput, UnknownName
        If the mask cannot be read, does not fit the scan, or a label has no name.
    """
    mask = masks.read_mask(path, acquisition)
    scheme = drawn.read_scheme(labels) if labels else dict(mask.names) or drawn.read_scheme(USUAL_SCHEME)
    segmentation = drawn.segment(
        _carrier(acquisition, mask, any_grid), mask.labels, mask.affine, scheme, rater=rater
    )
    named = digest_bytes(json.dumps(sorted(scheme.items())).encode())
    return Regions(segmentation, (bids_nifti.digest([path]), named), mask.findings)


def _carrier(acquisition: Acquisition, mask: masks.Mask, any_grid: bool) -> Acquisition:
    """The scan as a volume for :func:`drawn.segment`, which looks at its grid alone."""
    payload = acquisition.payload
    if any_grid:
        return replace(acquisition, payload=Volume({"mask": mask.labels.astype(np.float32)}, mask.affine))
    if isinstance(payload, Echoes):
        first = np.abs(payload.values[..., 0]).astype(np.float32)
        return replace(acquisition, payload=Volume({"image": first}, payload.affine))
    return acquisition
