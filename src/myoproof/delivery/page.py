"""What a page is made of: sections, tables that sort, notes; values that the template only prints."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd

from myoproof.delivery.figures import Drawing
from myoproof.delivery.wording import (
    DASH,
    decimals_for,
    number,
    p_cell,
    series,
)

FIGURE_SPACE = "\u2007"
PUNCTUATION_SPACE = "\u2008"
LONG = 32
"""Characters above which a text column is given more room."""
PLAIN = " !$()*+,-./:;=?@_~^|{}[]<>'"
"""Signs that stand for themselves in a ``data:`` address; what HTML needs escaped, the template escapes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Parameters
    ----------
    text : str
        What is printed.
    sort : float or str
        What the column is ordered by; NaN goes last.
    badge : str
        Verdict whose mark stands before the text; "" for none.
    """

    text: str
    sort: float | str
    badge: str = ""

    @property
    def key(self) -> str:
        """The sort value as an attribute; empty where absent."""
        if isinstance(self.sort, float):
            return "" if math.isnan(self.sort) else f"{self.sort:.12g}"
        return self.sort


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    label : str
        Head.
    numeric : bool
        Whether it aligns and sorts as numbers.
    cells : tuple of Cell
        Top to bottom.
    """

    label: str
    numeric: bool
    cells: tuple[Cell, ...]

    @property
    def kind(self) -> str:
        """``number``, ``wide`` for sentences that need room, or nothing special."""
        if self.numeric:
            return "number"
        return "wide" if any(len(cell.text) > LONG for cell in self.cells) else ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of the report.

    Parameters
    ----------
    key : str
        Unique in the report; file name of its CSV.
    title : str
        Caption.
    columns : tuple of Column
        What is printed.
    rows : DataFrame
        The stored rows behind it, for the CSV: fractions stay fractions.
    folded : bool
        Whether it opens on request only.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    folded: bool = False

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns that say anything."""
        return tuple(c for c in self.columns if any(cell.text not in ("", DASH) for cell in c.cells))

    @property
    def kinds(self) -> list[str]:
        """The kind of every shown column."""
        return [column.kind for column in self.shown]

    @property
    def lines(self) -> list[tuple[Cell, ...]]:
        """The cells, line by line."""
        return list(zip(*(column.cells for column in self.shown), strict=True))

    @property
    def csv(self) -> str:
        """The stored rows as CSV text."""
        return csv_text(self.rows)

    @property
    def csv_uri(self) -> str:
        """The stored rows as a ``data:`` address that a browser saves."""
        return "data:text/csv;charset=utf-8," + quote(self.csv, safe=PLAIN)


@dataclass(frozen=True, slots=True)
class Statement:
    """One finding in words.

    Parameters
    ----------
    lead : str
        The finding in a few words.
    text : str
        Its numbers, intervals and n.
    leading : bool
        Whether it stands in the summary as well.
    """

    lead: str
    text: str
    leading: bool = True

    def __str__(self) -> str:
        return f"{self.lead}. {self.text}"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Parameters
    ----------
    key : str
        Anchor.
    title : str
        Heading.
    parts : tuple of Part
        Findings, figures, tables and plain notes, in reading order; the findings also make the summary.
    question : str
        What was asked; "" where nothing was.
    """

    key: str
    title: str
    parts: tuple["Part", ...] = ()
    question: str = ""

    @property
    def statements(self) -> list[Statement]:
        """Its findings, in order."""
        return [part for part in self.parts if isinstance(part, Statement)]

    @property
    def drawings(self) -> list[Drawing]:
        """Its figures, in order."""
        return [part for part in self.parts if isinstance(part, Drawing)]

    @property
    def grids(self) -> list[Grid]:
        """Its tables, in order."""
        return [part for part in self.parts if isinstance(part, Grid)]


Part = Statement | Drawing | Grid | str


def csv_text(rows: pd.DataFrame) -> str:
    """Rows as CSV, columns without any content left out, floats as Python writes them.

    Parameters
    ----------
    rows : DataFrame
        Stored rows.
    """
    filled = [name for name in rows if not (rows[name].isna() | (rows[name].astype(str) == "")).all()]
    return rows[filled].to_csv(index=False, lineterminator="\n")


def text_column(label: str, values: Sequence[str]) -> Column:
    """A column of words, sorted as text.

    Parameters
    ----------
    label : str
        Head.
    values : sequence of str
        Printed as they are.
    """
    return Column(label, False, tuple(Cell(value, value.lower()) for value in values))


def verdict_column(label: str, values: Sequence[str]) -> Column:
    """A column of verdicts, each with a mark that does not rest on colour.

    Parameters
    ----------
    label : str
        Head.
    values : sequence of str
        "pass", "fail", "inconclusive" or "".
    """
    return Column(label, False, tuple(Cell(value or DASH, value, badge=value) for value in values))


def number_column(label: str, values: Sequence[float], *, decimals: int | None = None) -> Column:
    """A column of numbers, aligned at the decimal sign.

    Parameters
    ----------
    label : str
        Head, with the unit where there is one.
    values : sequence of float
        As shown; NaN prints as an en dash and sorts last.
    decimals : int, optional
        For all values; chosen value by value when absent.
    """
    return formatted_column(label, values, lambda value: number(value, decimals))


def p_column(label: str, values: Sequence[float]) -> Column:
    """A column of probabilities in 0-1; as :func:`number_column`."""
    return formatted_column(label, values, p_cell)


def count_column(label: str, values: Sequence[float]) -> Column:
    """A column of whole numbers; as :func:`number_column`."""
    return number_column(label, values, decimals=0)


def interval_column(
    label: str,
    values: Sequence[float],
    bounds: Sequence[tuple[float, float]],
    *,
    decimals: int | None = None,
) -> Column:
    """A column of estimates with intervals, ``1.05 (0.71 to 1.49)``, sorted by estimate.

    Parameters
    ----------
    label : str
        Head, with the unit.
    values : sequence of float
        Estimates, as shown.
    bounds : sequence of (float, float)
        Lower and upper bounds.
    decimals : int, optional
        For all values; chosen row by row when absent.
    """
    shown = []
    for value, (low, high) in zip(values, bounds, strict=True):
        whole = float(value).is_integer() and math.isnan(low)
        places = decimals if decimals is not None else 0 if whole else decimals_for(value, low, high)
        tail = (
            ""
            if math.isnan(low) or math.isnan(high)
            else f" ({number(low, places)} to {number(high, places)})"
        )
        shown.append(number(value, places) + tail)
    plain = [text.split(" (")[0] for text in shown]
    heads = plain if any("(" in text for text in shown) else align(plain)
    cells = [
        Cell(head + text.removeprefix(text.split(" (")[0]), float(value))
        for head, text, value in zip(heads, shown, values, strict=True)
    ]
    return Column(label, True, tuple(cells))


def formatted_column(label: str, values: Sequence[float], form: Callable[[float], str]) -> Column:
    """A numeric column in a form of its own.

    Parameters
    ----------
    label : str
        Head.
    values : sequence of float
        What it sorts by.
    form : callable
        Value -> text.
    """
    texts = align([form(value) for value in values])
    return Column(label, True, tuple(Cell(text, float(v)) for text, v in zip(texts, values, strict=True)))


def align(texts: Sequence[str]) -> list[str]:
    """Numbers padded with digit-wide spaces so that right alignment lines up their decimal signs.

    Parameters
    ----------
    texts : sequence of str
        Printed numbers.

    Examples
    --------
    >>> [len(text) for text in align(["1.05", "12", "0.345"])]
    [5, 6, 5]
    """
    tails = [len(text) - text.index(".") - 1 if "." in text else -1 for text in texts]
    longest = max((tail for tail in tails if tail > 0), default=0)
    padded = []
    for text, tail in zip(texts, tails, strict=True):
        if not longest or not any(sign.isdigit() for sign in text):
            padded.append(text)
        elif tail < 0:
            padded.append(text + PUNCTUATION_SPACE + FIGURE_SPACE * longest)
        else:
            padded.append(text + FIGURE_SPACE * (longest - tail))
    return padded


def pick(rows: pd.DataFrame, **equal: Any) -> pd.DataFrame:
    """The rows whose columns equal what is asked, in stored order.

    Parameters
    ----------
    rows : DataFrame
        Estimate or prediction rows.
    **equal
        Column -> value, or a list of values.
    """
    keep = pd.Series(True, index=rows.index)
    for column, wanted in equal.items():
        keep &= rows[column].isin(wanted if isinstance(wanted, list | tuple) else [wanted])
    return rows[keep]


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings, in stored order.

    Parameters
    ----------
    rows : DataFrame
        Any rows.
    """
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def first(rows: pd.DataFrame, **equal: Any) -> Mapping[str, Any] | None:
    """The first row that matches, as a mapping; None when there is none.

    Parameters
    ----------
    rows : DataFrame
        Estimate or prediction rows.
    **equal
        As for :func:`pick`.
    """
    found = pick(rows, **equal)
    return None if found.empty else records(found.head(1))[0]


def arranged(parts: Sequence[Part | tuple[str, Drawing | None]]) -> tuple[Part, ...]:
    """Parts in order; a named figure that could not be drawn is told of in a note at the end.

    Parameters
    ----------
    parts : sequence of Part or (name, Drawing or None)
        What a section has to show.
    """
    kept: list[Part] = []
    missing = []
    for part in parts:
        if not isinstance(part, tuple):
            kept.append(part)
        elif part[1] is None:
            missing.append(part[0])
        else:
            kept.append(part[1])
    if missing:
        kept.append(f"No figure, because the result holds no usable rows for it: {series(missing)}.")
    return tuple(kept)
