"""The rows of a Dixon scan: readings, sensitivity to the border, absences, and the flags of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from myoproof.measures.dixon_flags import NOISE_FLOOR_SHIFT, quality
from myoproof.measures.dixon_intervals import FRACTIONS, Readings, interval, plain_values, read_out
from myoproof.measures.dixon_params import Params
from myoproof.measures.dixon_regions import Regions
from myoproof.measures.dixon_sums import AREA, VALID, MuscleSums, Scan

WHOLE = (
    ("fat_fraction", ""),
    ("fat_fraction_signal", ""),
    ("volume", ""),
    ("functional_remaining_volume", ""),
    ("cross_sectional_area", "maximum"),
    ("functional_remaining_area", "maximum"),
)
"""Readings that every muscle has a row for, present or absent."""
SIZES = frozenset({"volume", "cross_sectional_area"})
"""Measures that no signal enters."""
CORRECTED = "floor_corrected"
"""Appended to the method where the noise floor was taken off the value."""
SLICE_SUMS = frozenset({"volume", "functional_remaining_volume"})
"""Measures that slices apart make uncertain."""

Row = dict[str, Any]
SliceFlags = Mapping[int, Mapping[int, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Warnings:
    """What may mislead.

    Parameters
    ----------
    edges : mapping of region number to slice to flags
        Truncation.
    swapped : mapping of region number to slices
        Suspected swaps of fat and water.
    gap, sides : frozenset of str
        Flags of the scan: slices apart; how sides were found.
    doubted : mapping of region number to slices
        Where many voxels are of low confidence.
    signal : frozenset of str
        Flags of the scan that concern every measure of signal.
    """

    edges: SliceFlags
    swapped: Mapping[int, frozenset[int]]
    gap: frozenset[str]
    sides: frozenset[str]
    doubted: Mapping[int, frozenset[int]] = field(default_factory=dict)
    signal: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Muscle:
    """The regions of one block of rows, and whether the block is a union of sides."""

    site: str
    side: str
    numbers: tuple[int, ...]
    union: bool
    complete: bool


def all_rows(
    regions: Regions,
    sums: Mapping[int, MuscleSums],
    scan: Scan,
    warnings: Warnings,
    *,
    params: Params,
    start: Row,
) -> list[Row]:
    """All rows of a scan.

    Parameters
    ----------
    regions : Regions
        Muscles, in the order of the rows.
    sums : mapping of region number to MuscleSums
        Of every muscle that the mask holds.
    scan : Scan
        Grid and noise.
    warnings : Warnings
        What may mislead.
    params : Params
        Level, border model, and whether unions of sides get rows.
    start : dict
        Columns that all rows share.

    Returns
    -------
    list of dict
        Rows of the measurement table.
    """
    rows: list[Row] = []
    for muscle in _muscles(regions, params):
        own = {**start, "site": muscle.site, "side": muscle.side}
        if not muscle.numbers:
            rows += [
                {**own, "measure": name, "at": at, "absent": "empty_label", "flags": "empty_label"}
                for name, at in WHOLE
            ]
            continue
        parts = [sums[number] for number in muscle.numbers]
        readings = read_out(parts, scan, params)
        main = [
            _row(own, readings, place, _flags(muscle, readings, place, parts, warnings), params)
            for place in range(len(readings.names))
        ]
        rows += [*main, *_floor_corrected(readings, main, params), *_sensitivity(own, parts, scan, main)]
    return rows


def _muscles(regions: Regions, params: Params) -> Iterator[_Muscle]:
    by_site: dict[str, list[int]] = {}
    for item in regions.items:
        numbers = (item.index,) if item.index else ()
        yield _Muscle(item.site, item.side, numbers, union=False, complete=True)
        if item.side in ("left", "right", ""):
            by_site.setdefault(item.site, []).append(item.index)
    if params.side_by_side:
        for site, found in by_site.items():
            held = tuple(number for number in found if number)
            yield _Muscle(site, "both", held, union=True, complete=all(found))


def _row(own: Row, readings: Readings, place: int, flags: frozenset[str], params: Params) -> Row:
    name, at = readings.names[place]
    row = {**own, "measure": name, "at": at, "flags": ";".join(sorted(flags)), "quality": quality(flags)}
    value = float(readings.value[place])
    if np.isnan(value):
        return {**row, "absent": "no_signal"}
    low, high = interval(readings, place, value)
    return {**row, "value": value, "low": low, "high": high, "level": params.level}


def _floor_corrected(readings: Readings, main: Sequence[Row], params: Params) -> list[Row]:
    """The fat fractions of the whole muscle less what the noise floor adds, with their intervals."""
    rows = []
    for place, (name, at) in enumerate(readings.names):
        if name not in FRACTIONS or at or "value" not in main[place]:
            continue
        value = float(np.clip(main[place]["value"] - readings.floor_shift[place], 0.0, 1.0))
        low, high = interval(readings, place, value)
        kept = frozenset(filter(None, main[place]["flags"].split(";"))) - {"noise_floor"}
        row = {**main[place], "method": f"{main[place]['method']}:{CORRECTED}"}
        row |= {"flags": ";".join(sorted(kept)), "quality": quality(kept)}
        rows.append({**row, "value": value, "low": low, "high": high, "level": params.level})
    return rows


def _flags(
    muscle: _Muscle, readings: Readings, place: int, parts: Sequence[MuscleSums], warnings: Warnings
) -> frozenset[str]:
    name, at = readings.names[place]
    slices = _slices(at, parts)
    flags = set() if muscle.complete else {"empty_label"}
    flags |= set() if muscle.union else warnings.sides
    for number in muscle.numbers:
        for level in slices & set(warnings.edges[number]):
            flags |= warnings.edges[number][level]
        if name not in SIZES and slices & warnings.swapped[number]:
            flags.add("fat_water_swap_suspected")
        if name not in SIZES and slices & warnings.doubted.get(number, frozenset()):
            flags.add("low_confidence")
    if at.startswith("slice:"):
        flags.discard("muscle_cut_by_stack_end")
    if name in SLICE_SUMS:
        flags |= warnings.gap
    if name not in SIZES:
        flags |= warnings.signal | _excluded(parts, slices)
    if name in FRACTIONS and abs(readings.floor_shift[place]) > NOISE_FLOOR_SHIFT:
        flags.add("noise_floor")
    return frozenset(flags)


def _slices(at: str, parts: Sequence[MuscleSums]) -> set[int]:
    area = np.sum([part.drawn[:, AREA] for part in parts], axis=0)
    if at.startswith("slice:"):
        return {int(at.removeprefix("slice:"))}
    if at == "maximum":
        return {int(np.argmax(area))}
    return {int(level) for level in np.flatnonzero(area)}


def _excluded(parts: Sequence[MuscleSums], slices: set[int]) -> set[str]:
    flags = set()
    for part in parts:
        missing = part.drawn[:, AREA] > part.drawn[:, VALID]
        if any(missing[level] for level in slices):
            flags |= {"negative_values_excluded"} if part.negative else set()
            flags |= {"zero_signal_excluded"} if part.zero else set()
    return flags


def _sensitivity(own: Row, parts: Sequence[MuscleSums], scan: Scan, main: Sequence[Row]) -> list[Row]:
    """Rows with the region one in-plane voxel smaller and larger; they carry the flags of the main rows."""
    flags = {row["measure"]: row for row in main if row["at"] == ""}
    rows = []
    for word in ("eroded", "dilated"):
        sums = np.sum([getattr(part, word) for part in parts], axis=0)
        for name, value in plain_values(sums, scan).items():
            row = {**own, "measure": name, "at": "", "method": f"{own['method']}:{word}"}
            row |= {key: flags[name][key] for key in ("flags", "quality")}
            rows.append(
                {**row, "absent": "insufficient_data"} if np.isnan(value) else {**row, "value": value}
            )
    return rows
