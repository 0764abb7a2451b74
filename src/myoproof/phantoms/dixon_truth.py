"""Truth of the Dixon phantom: the measured functionals on the noise-free fine grid, as rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from myoproof.core.table import Table, from_rows
from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon_tissue import FineSlice

Floats = npt.NDArray[np.float64]

METHOD: Final = "truth"
RATER: Final = "truth"
MM3_PER_ML: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the fine voxels of each muscle (rows) and slice (columns).

    Parameters
    ----------
    area_mm2 : ndarray, shape (11, slices)
        Cross-sectional area, mean over the thickness of the slice.
    voxels, ratio, fat, total : ndarray, shape (11, slices)
        Number of fine voxels; sums of F/(F+W), of F and of F+W over them.
    """

    area_mm2: Floats
    voxels: Floats
    ratio: Floats
    fat: Floats
    total: Floats


def sum_slices(slices: Iterable[tuple[Floats, ...]]) -> Sums:
    """Stack what :func:`sum_slice` gave for every slice."""
    return Sums(*(np.stack(columns, axis=1) for columns in zip(*slices, strict=True)))


def sum_slice(fine: FineSlice, coil: npt.NDArray[np.float32], fine_voxel_mm2: float) -> tuple[Floats, ...]:
    """The sums of one slice, in the order of :class:`Sums`.

    ``coil`` (fine x, fine y, 1) is the receive field: the measured images hold it, so does their truth.
    """
    n = len(const.MUSCLES) + 1
    where = np.nonzero((fine.tissue > 0) & (fine.tissue < n))
    label = fine.tissue[where]
    fat, water = fine.fat[where], fine.water[where]
    gain = coil[where[0], where[1], 0]
    weights = (fat / (fat + water), gain * fat, gain * (fat + water))
    voxels = np.bincount(label, minlength=n)[1:].astype(np.float64)
    sums = [np.bincount(label, weights=weight, minlength=n)[1:] for weight in weights]
    return (voxels * fine_voxel_mm2 / fine.tissue.shape[2], voxels, *sums)


def both_sides(first: Sums, second: Sums) -> Sums:
    """Sums over the union of two legs."""
    return Sums(*(getattr(first, name) + getattr(second, name) for name in Sums.__slots__))


def truth_rows(sides: Mapping[str, Sums], spacing_mm: float, key: Mapping[str, str]) -> Table:
    """True measurement rows.

    Parameters
    ----------
    sides : mapping of str to Sums
        "left", "right" or "both" -> sums.
    spacing_mm : float
        Between slice centres.
    key : mapping
        subject, session, run.

    Returns
    -------
    Table
        fat_fraction, fat_fraction_signal, volume, functional_remaining_volume of every muscle;
        cross_sectional_area and functional_remaining_area for each slice that holds it and at the maximum.
    """
    rows: list[dict[str, Any]] = []
    for side, sums in sides.items():
        for muscle, site in enumerate(const.MUSCLES):
            common = {
                **key,
                "modality": "dixon",
                "site": site,
                "side": side,
                "method": METHOD,
                "rater": RATER,
            }
            if sums.voxels[muscle].sum() > 0:
                values = _muscle_values(sums, muscle, spacing_mm)
                rows += [{**common, "measure": m, "at": at, "value": value} for m, at, value in values]
            else:
                rows += [
                    {**common, "measure": m, "at": "", "value": np.nan, "absent": "empty_label"}
                    for m in ("fat_fraction", "fat_fraction_signal", "volume", "functional_remaining_volume")
                ]
    return from_rows(rows, where="dixon phantom")


def _muscle_values(sums: Sums, muscle: int, spacing_mm: float) -> list[tuple[str, str, float]]:
    area = sums.area_mm2[muscle]
    held = np.flatnonzero(area > 0)
    fraction = sums.ratio[muscle] / np.maximum(sums.voxels[muscle], 1.0)
    remaining = area * (1 - fraction)
    largest = int(area.argmax())
    voxels = sums.voxels[muscle].sum()
    values = [
        ("fat_fraction", "", float(sums.ratio[muscle].sum() / voxels)),
        ("fat_fraction_signal", "", float(sums.fat[muscle].sum() / sums.total[muscle].sum())),
        ("volume", "", float(area.sum() * spacing_mm / MM3_PER_ML)),
        ("functional_remaining_volume", "", float(remaining.sum() * spacing_mm / MM3_PER_ML)),
        ("cross_sectional_area", "maximum", float(area[largest])),
        ("functional_remaining_area", "maximum", float(remaining[largest])),
    ]
    for k in held:
        values.append(("cross_sectional_area", f"slice:{k}", float(area[k])))
        values.append(("functional_remaining_area", f"slice:{k}", float(remaining[k])))
    return values
