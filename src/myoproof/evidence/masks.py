"""Agreement of two masks region by region: Dice, HD95 and mean surface distance as evidence rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.evidence import evidence_frame
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.numerics.masks import dice, hausdorff_95, mean_surface_distance

METHOD = "mask_agreement"
METHOD_VERSION = 1


def check(
    segmentation: Segmentation, reference: Segmentation, *, spacing_mm: tuple[float, ...] | None = None
) -> pd.DataFrame:
    """Hold one segmentation of a scan against another, region by region.

    Parameters
    ----------
    segmentation, reference : Segmentation
        On one grid. Regions meet by (site, side).
    spacing_mm : tuple of float, optional
        Voxel spacing; None takes that of the affine (for pictures: pixels).

    Returns
    -------
    DataFrame
        Evidence rows of kind ``agreement``: ``dice`` (1 is identity), ``hausdorff_95`` and
        ``mean_surface_distance`` (mm, or pixels) of each region, named in ``population``, and their means. A
        region that only one of the two holds has Dice 0 and no distance.

    Raises
    ------
    InvalidInput
        If the grids differ or no region is named in both.
    """
    if segmentation.labels.shape != reference.labels.shape:
        raise InvalidInput(
            f"masks of {segmentation.labels.shape} and {reference.labels.shape} voxels",
            mend="bring both to the grid of the scan",
        )
    ours, theirs = _regions(segmentation), _regions(reference)
    if not set(ours) & set(theirs):
        raise InvalidInput(
            "no region is named in both masks", mend=f"one has {_named(ours)}; the other {_named(theirs)}"
        )
    spacing = spacing_mm or tuple(np.linalg.norm(segmentation.affine[:3, :3], axis=0).tolist())
    rows = list(_rows(ours, theirs, spacing))
    frame = pd.DataFrame(rows)
    means = frame.groupby("metric", sort=False)["value"].mean()
    about = f"{segmentation.rater or 'mask'}"
    base = {"about": about, "kind": "agreement", "reference": f"rater {reference.rater or 'reference'}"}
    every = [
        {"metric": metric, "value": value, "population": "mean of regions"} for metric, value in means.items()
    ]
    return evidence_frame([{**base, **row, "n": 1} for row in [*rows, *every]])


def _regions(segmentation: Segmentation) -> dict[tuple[str, str], npt.NDArray[np.bool_]]:
    return {place: segmentation.labels == label for label, place in segmentation.names.items()}


def _rows(
    ours: dict[tuple[str, str], npt.NDArray[np.bool_]],
    theirs: dict[tuple[str, str], npt.NDArray[np.bool_]],
    spacing: tuple[float, ...],
) -> Iterator[dict[str, Any]]:
    for place in sorted(set(ours) | set(theirs)):
        name = " ".join(part for part in place if part)
        one, other = ours.get(place), theirs.get(place)
        if one is None or other is None:
            yield {"metric": "dice", "value": 0.0, "population": f"{name} (in one mask only)"}
            continue
        if not one.any() and not other.any():
            continue
        yield {"metric": "dice", "value": dice(one, other), "population": name}
        yield {"metric": "hausdorff_95", "value": hausdorff_95(one, other, spacing), "population": name}
        yield {
            "metric": "mean_surface_distance",
            "value": mean_surface_distance(one, other, spacing),
            "population": name,
        }


def _named(regions: dict[tuple[str, str], npt.NDArray[np.bool_]]) -> str:
    return ", ".join(sorted({site for site, _ in regions}))
