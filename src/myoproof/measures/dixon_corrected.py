"""Rows of a Dixon scan after a correction: fat and water exchanged back, or T1 weighting taken off."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from myoproof.core.acquisition import Volume
from myoproof.measures.dixon_params import Params
from myoproof.measures.dixon_regions import Regions
from myoproof.measures.dixon_rows import SIZES, Row
from myoproof.measures.dixon_sums import MuscleSums
from myoproof.measures.dixon_swaps import Swaps, exchanged
from myoproof.measures.multiecho_settings import protocol_of, relaxation_of
from myoproof.numerics.t1_weighting import fat_over_water, ratio_interval

SWAP_CORRECTED: Final = "swap_corrected"
T1_CORRECTED: Final = "t1_corrected"
"""Appended to the method."""
FRACTIONS: Final = ("fat_fraction", "fat_fraction_signal")
SUMS = Callable[[Volume], dict[int, MuscleSums]]
ROWS = Callable[[Mapping[int, MuscleSums], Volume], list[Row]]


def swap_rows(volume: Volume, regions: Regions, swaps: Swaps, sums: SUMS, rows: ROWS) -> list[Row]:
    """Rows that a swap concerns, after it was undone.

    Parameters
    ----------
    volume : Volume
        As the scanner gave it.
    regions : Regions
        Muscles.
    swaps : Swaps
        Where fat and water are exchanged.
    sums : callable
        Sums of all muscles in a volume.
    rows : callable
        Rows of sums.

    Returns
    -------
    list of dict
        Method ``...:swap_corrected``; none where no swap was found.
    """
    if not swaps.numbers:
        return []
    mended = exchanged(volume, swaps.found)
    levels: dict[str, set[str]] = {}
    for item in regions.items:
        places = {f"slice:{level}" for level in swaps.numbers.get(item.index, ())}
        for side in (item.side, "both") if places else ():
            levels.setdefault(side, set()).update(places, {"", "maximum"})
    found = []
    for row in rows(sums(mended), mended):
        concerned = row["at"] in levels.get(row["side"], ()) and row["measure"] not in SIZES
        if ":" in row["method"] or not concerned or "value" not in row:
            continue
        flags = {*filter(None, row["flags"].split(";"))} | {"fat_water_swap_corrected"}
        kept = {"flags": ";".join(sorted(flags)), "method": f"{row['method']}:{SWAP_CORRECTED}"}
        found.append({**row, **kept, "quality": "fail" if row["quality"] == "fail" else "warn"})
    return found


def t1_rows(
    volume: Volume, settings: Mapping[str, float], params: Params, sums: SUMS, rows: ROWS
) -> list[Row]:
    """Fat fractions of whole muscles less T1 weighting, where the protocol is known.

    Parameters
    ----------
    volume : Volume
        Fat and water.
    settings : mapping
        ``repetition_time_s``, ``flip_angle_deg``, ``field_strength_t`` of a spoiled gradient echo.
    params : Params
        Level.
    sums, rows : callable
        As in :func:`swap_rows`.

    Returns
    -------
    list of dict
        Method ``...:t1_corrected``; the interval carries what is not known of T1 and B1. None where
        a setting is missing.
    """
    protocol, relaxation = protocol_of(settings), relaxation_of(settings)
    if protocol is None or relaxation is None:
        return []
    ratio = float(fat_over_water(protocol, relaxation))
    plain, low, high = (
        sums(_scaled(volume, 1.0 / times))
        for times in (ratio, *ratio_interval(protocol, relaxation, level=params.level))
    )
    doubted = {
        number: replace(own, shifted=((low[number].drawn, high[number].drawn),))
        for number, own in plain.items()
    }
    found = []
    for row in rows(doubted, _scaled(volume, 1.0 / ratio)):
        if ":" not in row["method"] and row["measure"] in FRACTIONS and not row["at"] and "value" in row:
            found.append({**row, "method": f"{row['method']}:{T1_CORRECTED}"})
    return found


def _scaled(volume: Volume, factor: float) -> Volume:
    fat = np.asarray(volume.channels["fat"] * np.float32(factor))
    return Volume({**volume.channels, "fat": fat}, volume.affine)
