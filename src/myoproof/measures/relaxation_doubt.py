"""How far water T2 would move if what a whole scan shares were otherwise: fat, field, saturation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myoproof.measures.relaxation_maps import Scan, at_places
from myoproof.measures.relaxation_params import Params
from myoproof.numerics.water_t2 import Known, fit
from myoproof.numerics.water_t2_b1 import aliases
from myoproof.numerics.water_t2_dictionary import B1_RANGE, Dictionary, build

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

MOST_VOXELS = 400
"""Voxels of a muscle that are fitted again, evenly spread."""
SHARE_STEP, FIELD_STEP, SIGNAL_STEP = 0.01, 0.02, 0.05
"""Steps of fat share, transmit field and relative signal of fat."""
FAT_STEP_S = 0.005


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Change of a muscle's water T2 (ms) per unit of each shared quantity.

    Parameters
    ----------
    fat_t2 : float
        Per second of fat's T2.
    fat_share : float
        Per unit of the fat share that was told; 0 where none was.
    field : float
        Per unit of the transmit field; 0 where it was free in each voxel.
    fat_signal : float
        Per relative change of fat's signal over water's.
    alias : float
        Change (ms) if the fitted transmit field were the other one that gives nearly the same echoes.
    """

    fat_t2: float
    fat_share: float
    field: float
    fat_signal: float
    alias: float


def sensitivities(scan: Scan, groups: Mapping[int, npt.NDArray[np.intp]]) -> dict[int, Sensitivity]:
    """Fit some voxels of each muscle again with every shared quantity moved.

    Parameters
    ----------
    scan : Scan
        The fitted scan.
    groups : mapping of region number to ndarray of int
        Positions, among the fitted voxels, of those that count in each muscle.

    Returns
    -------
    dict of int to Sensitivity
        Differences of water-weighted means over the same voxels.
    """
    chosen = {key: rows[:: max(1, rows.size // MOST_VOXELS)] for key, rows in groups.items() if rows.size}
    if not chosen:
        return {}
    rows = np.concatenate(list(chosen.values()))
    ends = np.cumsum([part.size for part in chosen.values()])
    values = scan.echoes.values[..., scan.train.skip :]
    samples = np.ascontiguousarray(values.reshape(-1, values.shape[3])[scan.places[rows]])
    known = _of_rows(scan.known, rows, scan.places.size)
    fatter = build(replace(scan.train, t2_fat_s=scan.train.t2_fat_s + FAT_STEP_S))
    changed: dict[str, tuple[Dictionary, Known, float]] = {
        "fat_t2": (fatter, known, FAT_STEP_S),
        "fat_signal": (
            scan.dictionary,
            replace(known, fat_signal=known.fat_signal * (1.0 + SIGNAL_STEP)),
            SIGNAL_STEP,
        ),
    }
    if scan.fat_known:
        share = np.asarray(known.fat_share, dtype=np.float32) + np.float32(SHARE_STEP)
        changed["fat_share"] = (scan.dictionary, replace(known, fat_share=share), SHARE_STEP)
    if np.any(scan.field_sd > 0):
        field = np.asarray(known.b1, dtype=np.float32)
        step = np.where(field + FIELD_STEP < B1_RANGE[1], FIELD_STEP, -FIELD_STEP).astype(np.float32)
        changed["field"] = (scan.dictionary, replace(known, b1=field + step), FIELD_STEP)
    if np.any(scan.field_sd > 0) and not scan.field_given:
        other = aliases(scan.dictionary, known.b1)
        changed["alias"] = (scan.dictionary, replace(known, b1=other), 1.0)
    water = np.clip(1.0 - scan.fitted.fat_share[rows], 0.0, 1.0)
    before = scan.fitted.t2_s[rows]
    found: dict[str, Floats] = {}
    for name, (dictionary, moved, size) in changed.items():
        after = fit(samples, dictionary, noise_sd=scan.noise_sd, known=moved).t2_s
        found[name] = np.array(
            [
                1e3 * _mean(part, other, weight) / size
                for part, other, weight in zip(
                    *(np.split(values, ends[:-1]) for values in (after, before, water)), strict=True
                )
            ]
        )
    empty = np.zeros(len(chosen))
    columns = [found.get(name, empty) for name in Sensitivity.__slots__]
    return {key: Sensitivity(*(float(c[i]) for c in columns)) for i, key in enumerate(chosen)}


def shared_variance(of: Sensitivity, scan: Scan, field_sd: float, params: Params) -> float:
    """Variance (ms2) of a muscle's water T2 from what a scan shares."""
    return float(
        (of.fat_t2 * scan.fat_t2_sd_s) ** 2
        + (of.fat_share * params.fat_fraction_doubt) ** 2
        + (of.field * field_sd) ** 2
        + (of.fat_signal * scan.fat_signal_sd) ** 2
        + params.alias_share * of.alias**2
    )


def _mean(after: Floats32, before: Floats32, water: Floats32) -> float:
    held = np.isfinite(after) & np.isfinite(before)
    total = float(water[held].sum())
    return float((water[held] * (after - before)[held]).sum()) / total if total > 0 else 0.0


def _of_rows(known: Known, rows: npt.NDArray[np.intp], n: int) -> Known:
    return at_places(known, rows, (n,))
