"""Rows of a relaxation scan: water T2 with its interval, transmit field, mono-exponential T2, flags."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.measures.dixon_regions import Region, Regions
from myoproof.measures.relaxation_doubt import Sensitivity, shared_variance
from myoproof.measures.relaxation_maps import Scan
from myoproof.measures.relaxation_params import Params
from myoproof.measures.relaxation_sums import (
    COUNTED,
    FIELD_SD,
    NOISE,
    SQUARED,
    USED,
    VOXELS,
    WATER,
    WEIGHTED,
    MuscleSums,
)

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]

MONO = "mono_exponential"
FEW_ECHOES = 8
FEWEST_ECHOES = 4
"""Fewer used echoes are flagged; with fewer than four nothing is told (proposals)."""
LOW_SNR = 15.0
"""Median proton density of a muscle over the noise SD below which rows are flagged (proposal)."""
CHECKED_FIELD = (0.6, 1.25)
"""Transmit fields in which the method was checked on simulations."""
EXCLUDED = 0.1
"""A larger share of the muscle's water left out is flagged."""
LEAST_SPREAD_MS = 1.0
"""Voxels that were left out may differ from the others by this at least (proposal)."""
WARNING = frozenset(
    {
        "low_snr",
        "few_echoes",
        "fat_dominated",
        "fat_fraction_unknown",
        "transmit_field_unusual",
        "field_of_view_truncated",
    }
)
"""Flags that make a row's quality ``warn``. A mean over the slices that were scanned is what T2 stacks are
for: ``muscle_cut_by_stack_end`` is told, and warns of nothing."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rows are made of.

    Parameters
    ----------
    scan : Scan
        The fitted scan.
    sums : mapping of region number to MuscleSums
        Of every muscle that the mask holds.
    doubts : mapping of region number to Sensitivity
        Of every muscle with voxels that count.
    mono_ms : mapping of region number to ndarray, shape (1 + slice,)
        Mono-exponential T2 of the whole muscle and of each slice.
    other_field : ndarray, shape (b1,), float32
        The field that gives nearly the same echoes, for each node of the dictionary.
    edges : mapping of region number to slice to flags
        Truncation.
    shared : frozenset of str
        Flags of all rows.
    """

    scan: Scan
    sums: Mapping[int, MuscleSums]
    doubts: Mapping[int, Sensitivity]
    mono_ms: Mapping[int, Floats]
    other_field: npt.NDArray[np.float32]
    edges: Mapping[int, Mapping[int, frozenset[str]]]
    shared: frozenset[str]


def all_rows(regions: Regions, found: Findings, params: Params, start: Row) -> Iterator[Row]:
    """Rows of every muscle: whole first, then each slice that holds it."""
    for item in regions.items:
        own = {**start, "site": item.site, "side": item.side}
        if not item.index:
            for name in ("water_t2", "b1"):
                yield {**own, "measure": name, "at": "", "absent": "empty_label", "flags": "empty_label"}
            continue
        sums = found.sums[item.index]
        present = np.flatnonzero(sums.drawn[:, VOXELS] > 0)
        yield from _part(own, item, present, "", found, params)
        for level in present:
            yield from _part(own, item, np.array([level]), f"slice:{level}", found, params)


def _part(
    own: Row, item: Region, levels: npt.NDArray[np.intp], at: str, found: Findings, params: Params
) -> Iterator[Row]:
    sums = found.sums[item.index]
    place = 0 if at == "" else 1 + int(levels[0])
    flags = _flags(item, levels, at, place, found)
    absent = _absence(sums, levels, place, found, params)
    head = {**own, "at": at, "flags": ";".join(sorted(flags)), "quality": _quality(flags)}
    value, half = water_t2(item.index, levels, found, params)
    row = {**head, "measure": "water_t2"}
    if absent or not np.isfinite(value):
        yield {**row, "absent": absent or "insufficient_data"}
    else:
        yield {
            **row, "value": value, "low": max(value - half[0], 0.0), "high": value + half[1],
            "level": params.level,
        }  # fmt: skip
    if np.isfinite(sums.b1[place]):
        sd = float(sums.drawn[levels, FIELD_SD].sum() / sums.drawn[levels, VOXELS].sum())
        middle, z = float(sums.b1[place]), _z(params)
        other = middle
        if not found.scan.field_given:
            other = float(np.interp(middle, found.scan.dictionary.b1, found.other_field))
        ends = sorted((middle, other))
        bounds = {"low": max(ends[0] - z * sd, 0.0), "high": ends[1] + z * sd, "level": params.level}
        yield {**head, "measure": "b1", "value": middle, **(bounds if sd > 0 else {})}
    else:
        yield {**head, "measure": "b1", "absent": "no_signal"}
    mono = float(found.mono_ms[item.index][place])
    row = {**head, "measure": "muscle_t2", "method": f"{own['method']}:{MONO}"}
    yield {**row, "value": mono} if np.isfinite(mono) else {**row, "absent": "no_signal"}


def water_t2(
    number: int, levels: npt.NDArray[np.intp], found: Findings, params: Params
) -> tuple[float, tuple[float, float]]:
    """Water T2 (ms) of a muscle in some slices, and the half widths of its interval below and above.

    Variances of voxel noise, border roughness, rim, skew, voxels left out and shared doubts add; the range
    over the border's common offset is squared and added on either side.
    """
    sums = found.sums[number]
    total = sums.border.base[levels].sum(axis=0)
    value = _ratio(total)
    if not np.isfinite(value) or number not in found.doubts:
        return float("nan"), (0.0, 0.0)
    used = total[USED]
    noise = float(sums.noise[levels].sum()) / used**2
    gradient = np.zeros(total.size)
    gradient[WEIGHTED], gradient[USED] = 1.0 / used, -value / used
    factor = params.roughness_sd_mm**2 * params.roughness_length_mm
    rough = factor * float(np.einsum("i,sij,j->", gradient, sums.border.border[levels], gradient))
    spread = max(total[SQUARED] / used - value**2 - total[NOISE] / used, LEAST_SPREAD_MS**2)
    drawn = sums.drawn[levels].sum(axis=0)
    left_out = (1.0 - drawn[COUNTED] / max(drawn[WATER], 1e-12)) ** 2 * spread
    field_sd = float(drawn[FIELD_SD] / drawn[VOXELS])
    shared = shared_variance(found.doubts[number], found.scan, field_sd, params)
    as_drawn = _ratio(sums.drawn[levels].sum(axis=0))
    rim = (params.rim_share_sd * (as_drawn - value)) ** 2 if np.isfinite(as_drawn) else 0.0
    skew = (params.skew_share * total[NOISE] / used / value) ** 2
    variance = _z(params) ** 2 * (noise + max(rough, 0.0) + left_out + shared + rim + skew)
    ways = np.array([_ratio(moved[levels].sum(axis=0)) for moved in sums.border.moved])
    down = value - np.nanmin([*ways, value])
    up = np.nanmax([*ways, value]) - value
    return value, (float(np.sqrt(variance + down**2)), float(np.sqrt(variance + up**2)))


def _ratio(total: Floats) -> float:
    return float(total[WEIGHTED] / total[USED]) if total[USED] > 0 else float("nan")


def _z(params: Params) -> float:
    return float(stats.norm.ppf(0.5 + params.level / 2))


def _absence(
    sums: MuscleSums, levels: npt.NDArray[np.intp], place: int, found: Findings, params: Params
) -> str:
    """Why there is no water T2; "" where there is one."""
    total = sums.drawn[levels].sum(axis=0)
    if not np.isfinite(sums.share[place]) or total[WATER] <= 0:
        return "no_signal"
    if _n_echo(found.scan) < FEWEST_ECHOES:
        return "insufficient_data"
    counted = total[COUNTED] / total[WATER]
    if counted >= params.least_usable:
        return ""
    return "fat_dominated" if sums.share[place] > params.largest_share / 2 else "failed_quality"


def _flags(
    item: Region, levels: npt.NDArray[np.intp], at: str, place: int, found: Findings
) -> frozenset[str]:
    sums, flags = found.sums[item.index], set(found.shared)
    for level in levels:
        flags |= found.edges[item.index].get(int(level), frozenset())
    if at:
        flags.discard("muscle_cut_by_stack_end")
    if _n_echo(found.scan) < FEW_ECHOES:
        flags.add("few_echoes")
    if sums.snr[place] < LOW_SNR:
        flags.add("low_snr")
    if not CHECKED_FIELD[0] <= sums.b1[place] <= CHECKED_FIELD[1] and np.isfinite(sums.b1[place]):
        flags.add("transmit_field_unusual")
    total = sums.drawn[levels].sum(axis=0)
    if total[WATER] > 0 and total[COUNTED] < (1.0 - EXCLUDED) * total[WATER]:
        flags.add("fat_dominated" if sums.snr[place] >= LOW_SNR else "low_snr")
    return frozenset(flags)


def _n_echo(scan: Scan) -> int:
    return scan.train.n_echo - scan.train.skip


def _quality(flags: frozenset[str]) -> str:
    return "warn" if flags & WARNING else "ok"
