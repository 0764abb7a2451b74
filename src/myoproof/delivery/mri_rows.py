"""Rows of a muscle scan as a page says them: a line a muscle and side, and flags gathered into sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from myoproof.delivery.overlay import SHORT
from myoproof.delivery.page import records
from myoproof.delivery.wording import DASH, number, sentence_case, series
from myoproof.vocabulary.lookup import label, words

PREFERRED = ("multiecho", "dixon", "size", "relaxation")
"""Of two methods that give one measure, the page shows the first."""
RANKS = {"ok": 0, "warn": 1, "fail": 2}
SIDES = ("left", "right", "", "midline", "both")
GRAVE = frozenset(
    {"fat_water_swap_suspected", "low_snr", "metal_suspected", "motion_suspected", "slice_missing"}
)
"""Flags that may spoil a row by themselves; beside one of them the other flags are no graver than else."""
NOTES = frozenset({"mask_propagated", "sides_split_by_geometry"})
"""Flags that say how something was done and speak against nothing."""
SHOWN = 6
"""More sites than this are counted, not named."""


UNSEEN = "not_imaged"


@dataclass(frozen=True, slots=True)
class Measured:
    """How one measure is printed: where it stands, scale and unit for people, and decimals."""

    head: str
    measure: str
    at: str
    scale: float
    unit: str
    decimals: int


COLUMNS = (
    Measured("Fat fraction", "fat_fraction", "", 100.0, "%", 1),
    Measured("Volume", "volume", "", 1.0, "mL", 1),
    Measured("Largest area", "cross_sectional_area", "maximum", 0.01, "cm\u00b2", 1),
    Measured("Remaining volume", "functional_remaining_volume", "", 1.0, "mL", 1),
    Measured("Remaining area", "functional_remaining_area", "maximum", 0.01, "cm\u00b2", 1),
    Measured("Water T2", "water_t2", "", 1.0, "ms", 1),
    Measured("R2*", "r2star", "", 1.0, "1/s", 0),
    Measured("Change of volume", "volume_change", "", 100.0, "%", 1),
    Measured("Change of fat fraction", "fat_fraction_change", "", 100.0, "points", 1),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, its interval, and why it is absent; in the unit of its column."""

    text: str
    bounds: str = ""
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, slots=True)
class Line:
    """One region of one side."""

    site: str
    name: str
    side: str
    cells: tuple[Cell, ...]
    quality: str
    remarks: str


@dataclass(frozen=True, slots=True)
class Lines:
    """A table of regions: the columns that say anything, its lines, and the flags that all of them bear."""

    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    common: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know before the numbers: how grave, what, and where."""

    quality: str
    text: str
    where: str


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the methods themselves: no sensitivity rows, no radiomics."""
    plain = ~table["method"].str.contains(":") & (table["method"] != "radiomics")
    return table[plain & ~table["at"].str.startswith("slice:")]


def muscle_lines(table: pd.DataFrame, *, muscles: bool = True) -> Lines:
    """A line a muscle and side; with ``muscles`` false, the other regions.

    Parameters
    ----------
    table : DataFrame
        Rows of a scan.
    muscles : bool
        Which kind of site.
    """
    rows = main_rows(table)
    rows = rows[rows["site"].map(is_muscle).astype(bool) == muscles]
    best: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
    for row in sorted(records(rows), key=lambda row: _rank(row["method"])):
        best.setdefault((row["site"], row["side"], row["measure"], row["at"]), row)
    asked = {(column.measure, column.at) for column in COLUMNS}
    places = dict.fromkeys((key[0], key[1]) for key in best if key[2:] in asked)
    singles = {site for site, side in places if side != "both"}
    common = common_flags(rows)
    order = {site: place for place, site in enumerate(dict.fromkeys(site for site, _ in places))}
    lines = [
        _line(site, side, best, common)
        for site, side in sorted(places, key=lambda key: (order[key[0]], SIDES.index(key[1])))
        if side != "both" or site not in singles
    ]
    asked_for = [muscles or not column.measure.startswith("functional") for column in COLUMNS]
    filled = [
        wanted and any(line.cells[place].text != DASH for line in lines)
        for place, wanted in enumerate(asked_for)
    ]
    heads = tuple(
        f"{column.head} ({column.unit})" for column, full in zip(COLUMNS, filled, strict=True) if full
    )
    return Lines(heads, tuple(_kept(line, filled) for line in lines), common)


def further(table: pd.DataFrame) -> list[tuple[str, str, str, Cell]]:
    """Measures that the tables of regions have no column for: measure, site, side and value."""
    asked = {(column.measure, column.at) for column in COLUMNS}
    rows = main_rows(table)
    rows = rows[rows["measure"] != "fat_fraction_signal"]
    return [
        (
            sentence_case(label("measures", row["measure"])) + (f", {row['at']}" if row["at"] else ""),
            label("sites", row["site"]),
            row["side"],
            _cell(row, _plain(row["measure"])),
        )
        for row in records(rows)
        if (row["measure"], row["at"]) not in asked
    ]


def remarks(table: pd.DataFrame) -> list[Remark]:
    """Flags and reasons of absence, gravest first: a sentence each, and where it holds."""
    rows = main_rows(table)
    muscles = rows[rows["site"].map(is_muscle).astype(bool)]
    rows = muscles if len(muscles) else rows
    rows = rows[rows["side"] != "both"] if (rows["side"] != "both").any() else rows
    places = list(dict.fromkeys(zip(rows["site"], rows["side"], strict=True)))
    unseen = rows[rows["absent"] == UNSEEN]["measure"]
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    grave: dict[tuple[str, str], int] = {}
    for row in records(rows):
        told = [("flags", flag) for flag in row["flags"].split(";") if flag not in ("", "simulated")]
        told += [("absent", row["absent"])] if row["absent"] else []
        for key in told:
            found.setdefault(key, []).append((row["site"], row["side"]))
            grave[key] = min(grave.get(key, 2), _gravity(key, row["quality"]))
    words_of = {rank: word for word, rank in RANKS.items()}
    ordered = sorted(found, key=lambda key: (-grave[key], key))
    return [
        _unseen(unseen)
        if key == ("absent", UNSEEN)
        else Remark(words_of[grave[key]], sentence_case(label(*key)), _where(found[key], places))
        for key in ordered
        if not (key == ("flags", "empty_label") and ("absent", "empty_label") in found)
    ]


def worst(table: pd.DataFrame) -> str:
    """The worst quality among the rows of muscles; ``fail`` where none has a value."""
    rows = main_rows(table)
    rows = rows[rows["site"].map(is_muscle).astype(bool)]
    held = rows[rows["absent"] == ""]
    if held.empty:
        return "fail"
    return max(map(str, held["quality"].unique()), key=lambda word: RANKS[word])


def common_flags(rows: pd.DataFrame) -> frozenset[str]:
    """Flags that every region with a value bears; they are said once."""
    held = rows[(rows["absent"] == "") & (rows["side"] != "both")]
    sets: dict[tuple[str, str], frozenset[str]] = {}
    for row in records(held):
        place = (row["site"], row["side"])
        sets[place] = sets.get(place, frozenset()) | frozenset(filter(None, row["flags"].split(";")))
    return frozenset.intersection(*sets.values()) if sets else frozenset()


def _gravity(key: tuple[str, str], quality: str) -> int:
    """A flag is as grave as the mildest row that bears it, and as it can be; absence is a warning."""
    if key[0] == "absent" or key[1] in NOTES:
        return int(key[1] not in NOTES)
    return min(RANKS[quality], 2 if key[1] in GRAVE else 1)


def _unseen(measures: pd.Series) -> Remark:
    """What a visit cannot give for want of images, said once."""
    told = series([label("measures", name) for name in measures.drop_duplicates()])
    return Remark("ok", f"Not measured, since {label('absent', UNSEEN)}", told)


def _where(held: Sequence[tuple[str, str]], places: Sequence[tuple[str, str]]) -> str:
    distinct = list(dict.fromkeys(held))
    if len(distinct) == len(places) and len(places) > 1:
        return "all regions"
    if len(distinct) > SHOWN:
        return f"{len(distinct)} of {len(places)} regions"
    return series([f"{label('sites', site)} {side}".strip() for site, side in distinct])


def _line(
    site: str, side: str, best: Mapping[tuple[str, str, str, str], Mapping[str, Any]], common: frozenset[str]
) -> Line:
    rows = [best.get((site, side, column.measure, column.at)) for column in COLUMNS]
    cells = tuple(
        Cell(DASH) if row is None else _cell(row, column) for row, column in zip(rows, COLUMNS, strict=True)
    )
    held = [row for row in rows if row is not None]
    flags = {flag for row in held for flag in row["flags"].split(";") if flag} - common - {"simulated"}
    quality = max((row["quality"] for row in held), key=lambda word: RANKS[word])
    absent = {row["absent"] for row in held if row["absent"]} - {UNSEEN}
    told = [SHORT.get(flag, label("flags", flag)) for flag in sorted(flags - absent)]
    told = [label("absent", reason) for reason in sorted(absent)] + told
    return Line(site, sentence_case(label("sites", site)), side, cells, quality, "; ".join(told))


def _cell(row: Mapping[str, Any], column: Measured) -> Cell:
    if np.isnan(row["value"]):
        return Cell(DASH)
    value, low, high = (column.scale * row[name] for name in ("value", "low", "high"))
    text = number(value, column.decimals)
    if np.isnan(low) or np.isnan(high):
        return Cell(text, "", value)
    bounds = f"{number(low, column.decimals)} to {number(high, column.decimals)}"
    return Cell(text, bounds, value, low, high)


def _plain(measure: str) -> Measured:
    unit = words("measures").get(measure, {}).get("unit", "")
    return Measured("", measure, "", 1.0, unit, 3 if unit == "1" else 1)


def _kept(line: Line, filled: Iterable[bool]) -> Line:
    cells = tuple(cell for cell, full in zip(line.cells, filled, strict=True) if full)
    return Line(line.site, line.name, line.side, cells, line.quality, line.remarks)


def _rank(method: str) -> int:
    return PREFERRED.index(method) if method in PREFERRED else len(PREFERRED)


def is_muscle(site: str) -> bool:
    """Whether a site is a muscle; one that the vocabulary does not know counts as such."""
    known = words("sites").get(site)
    return known is None or known["kind"] == "muscle"
