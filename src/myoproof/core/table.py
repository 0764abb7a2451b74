"""The measurement table: its columns, its laws, and how it is read and written."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NewType

import numpy as np
import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.errors import Finding, NotReadable, refuse
from myoproof.vocabulary.lookup import near, words

Table = NewType("Table", pd.DataFrame)
"""A frame that passed :func:`validate`."""

KEY = ("subject", "session", "run", "modality", "site", "side", "at", "measure", "method", "rater")
NUMBERS = ("value", "low", "high", "level")
DEFAULTS: dict[str, Any] = {
    "value": np.nan,
    "unit": "",
    "low": np.nan,
    "high": np.nan,
    "level": np.nan,
    "quality": "ok",
    "flags": "",
    "absent": "",
    "method_version": 1,
    "provenance": "",
}
COLUMNS = (*KEY, *DEFAULTS)
QUALITIES = ("ok", "warn", "fail")
SHOWN = 5
"""How many rows of one fault a message lists."""


def from_rows(rows: Iterable[Mapping[str, Any]] | pd.DataFrame, *, where: str = "") -> Table:
    """The table of some rows: absent columns filled, columns ordered, laws checked.

    Parameters
    ----------
    rows : iterable of mappings, or DataFrame
        Measurement rows; key columns default to "", the unit to the vocabulary's.
    where : str
        The file or step they came from, for messages.

    Returns
    -------
    Table
        In the order given.

    Raises
    ------
    InvalidInput
        Naming every fault together (see :func:`validate`).

    Examples
    --------
    >>> row = {"subject": "s1", "measure": "volume", "site": "thigh", "side": "left", "value": 812.0}
    >>> from_rows([row])[["value", "unit", "quality"]].to_dict("records")
    [{'value': 812.0, 'unit': 'mL', 'quality': 'ok'}]
    """
    frame = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    for column in KEY:
        if column not in frame:
            frame[column] = ""
        frame[column] = text_column(frame[column])
    if "unit" not in frame:
        known = {name: row["unit"] for name, row in words("measures").items()}
        frame["unit"] = frame["measure"].map(known).fillna("")
    for column, default in DEFAULTS.items():
        if column not in frame:
            frame[column] = default
        elif isinstance(default, str):
            frame[column] = text_column(frame[column]).replace("", default)
    for column in NUMBERS:
        frame[column] = number_column(frame[column], column, where)
    frame["method_version"] = frame["method_version"].fillna(1).astype(np.int64)
    frame = frame[[*COLUMNS, *(name for name in frame if name not in COLUMNS)]].reset_index(drop=True)
    return validate(frame, where=where)


def validate(frame: pd.DataFrame, *, where: str = "") -> Table:
    """Check the laws of the table, all at once.

    Columns are complete and known; key columns are never null; a key occurs once; measure, side, modality,
    flags and reasons are words of the vocabulary; the unit is the vocabulary's (or, for lengths and areas in
    images without a scale, its ``unit_uncalibrated``); ``absent`` is filled exactly
    where the value is empty; the value lies in its range; ``low <= high``.

    Raises
    ------
    InvalidInput
        Listing every law broken, with the first rows concerned (counted from 1, the header apart).
    """
    findings = _column_findings(frame)
    refuse(findings, where=where)
    findings = [*_word_findings(frame), *_value_findings(frame), *_key_findings(frame)]
    refuse(findings, where=where)
    return Table(frame)


def read_table(path: Path) -> Table:
    """Read measurement rows from a CSV or Parquet file.

    Raises
    ------
    NotReadable
        If the file is absent or cannot be parsed.
    InvalidInput
        If its rows break a law of the table.
    """
    return from_rows(read_frame(Path(path)), where=str(path))


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write rows atomically as CSV or Parquet, by the suffix.

    Raises
    ------
    NotWritable
        If the file cannot be written; an earlier file stays as it was.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            encoded = table.astype(dict.fromkeys(table.select_dtypes("object").columns, "category"))
            encoded.to_parquet(temporary, index=False)
        else:
            table.to_csv(temporary, index=False, lineterminator="\n")


def read_frame(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file as it stands; empty text is "", empty numbers are NaN.

    Raises
    ------
    NotReadable
        If the file is absent or cannot be parsed.
    """
    path = Path(path)
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            plain = {name: frame[name].astype(object) for name in frame.select_dtypes("category").columns}
            return frame.assign(**plain)
        frame = pd.read_csv(
            path, encoding="utf-8-sig", keep_default_na=False, na_values=[""], dtype=_text_types(path)
        )
    except FileNotFoundError as error:
        raise NotReadable("no such file", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise NotReadable("is not UTF-8 text", where=str(path), mend="save it as CSV UTF-8") from error
    except (OSError, ValueError) as error:
        raise NotReadable(f"cannot be read as a table ({error})", where=str(path)) from error
    if len(frame.columns) == 1 and ";" in str(frame.columns[0]):
        mend = "save it with commas, and points in numbers"
        raise NotReadable("its columns are separated by semicolons", where=str(path), mend=mend)
    return frame


def wide(table: pd.DataFrame, *, index: tuple[str, ...] = ("subject", "session")) -> pd.DataFrame:
    """One row per index, one column per measurement, named by the parts of the key that vary.

    Parameters
    ----------
    table : DataFrame
        Measurement rows.
    index : tuple of str
        Key columns that make a row.

    Returns
    -------
    DataFrame
        Columns like ``fat_fraction_vastus_lateralis_left``, sorted.

    Examples
    --------
    >>> rows = [{"subject": "s1", "session": "m00", "measure": "volume", "site": s, "value": v}
    ...         for s, v in (("thigh", 812.0), ("calf", 401.0))]
    >>> wide(from_rows(rows)).to_dict("records")
    [{'subject': 's1', 'session': 'm00', 'volume_calf': 401.0, 'volume_thigh': 812.0}]
    """
    named = table.assign(column=column_names(table, index))
    pivot = named.pivot(index=list(index), columns="column", values="value")
    return pivot.sort_index(axis=1).reset_index().rename_axis(columns=None)


def column_names(table: pd.DataFrame, index: tuple[str, ...]) -> pd.Series:
    """A wide column's name for each row: measure, site, side, at, and what else varies in the table."""
    parts = ["measure", "site", "side", "at"]
    parts += [c for c in KEY if c not in parts and c not in index and table[c].nunique() > 1]
    joined = ["_".join(part for part in texts if part) for texts in key_texts(table, parts)]
    return pd.Series(
        [re.sub(r"[^0-9A-Za-z]+", "_", text) for text in joined], index=table.index, dtype=object
    )


def is_simulated(rows: pd.DataFrame) -> bool:
    """Whether any row carries the flag ``simulated``."""
    return any("simulated" in flags.split(";") for flags in rows["flags"].unique())


def text_column(column: pd.Series) -> pd.Series:
    """A column as plain text, null as ""."""
    return column.astype(object).where(column.notna(), "").astype(str).astype(object)


def number_column(column: pd.Series, name: str, where: str) -> pd.Series:
    """A column as float64.

    Raises
    ------
    InvalidInput
        Naming the rows whose text is no number.
    """
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    bad = numbers.isna() & column.notna() & (column.astype(str).str.strip() != "")
    if bad.any():
        texts = ", ".join(repr(text) for text in column[bad].unique()[:SHOWN])
        finding = Finding(
            "error", "number", f"{name} holds {texts}{_rows(bad)}", mend="write numbers with a point"
        )
        refuse([finding], where=where)
    return numbers


def _text_types(path: Path) -> dict[Hashable, type[str]]:
    header = pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns
    text = {*KEY, "unit", "quality", "flags", "absent", "provenance"}
    return {name: str for name in header if name in text}


def _rows(mask: pd.Series) -> str:
    rows = np.flatnonzero(mask.to_numpy()) + 1
    shown = ", ".join(str(row) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f" (row {shown}{more})"


def _column_findings(frame: pd.DataFrame) -> list[Finding]:
    missing = [name for name in COLUMNS if name not in frame]
    unknown = [name for name in frame if name not in COLUMNS]
    lost = [Finding("error", "column", f"column {name!r} is missing") for name in missing]
    open_names = {name: None for name in COLUMNS}
    odd = [
        Finding("error", "column", f"column {name!r} is not known", mend=near(str(name), open_names))
        for name in unknown
    ]
    return lost + odd


def _word_findings(frame: pd.DataFrame) -> list[Finding]:
    findings = []
    vocabularies = {"measure": "measures", "side": "sides", "modality": "modalities", "absent": "absent"}
    for column, vocabulary in vocabularies.items():
        known = words(vocabulary)
        empty_allowed = column != "measure"
        for value in frame[column].unique():
            if value in known or (value == "" and empty_allowed):
                continue
            mask = frame[column] == value
            findings.append(
                Finding(
                    "error",
                    "word",
                    f"{column} {value!r} is not in the vocabulary{_rows(mask)}",
                    mend=near(value, known),
                )
            )
    for flag in sorted({flag for text in frame["flags"].unique() for flag in text.split(";") if flag}):
        if flag not in words("flags"):
            findings.append(
                Finding("error", "word", f"flag {flag!r} is not known", mend=near(flag, words("flags")))
            )
    bad = ~frame["quality"].isin(QUALITIES)
    if bad.any():
        findings.append(Finding("error", "word", f"quality must be ok, warn or fail{_rows(bad)}"))
    return findings


def _value_findings(frame: pd.DataFrame) -> list[Finding]:
    findings = []
    measures = words("measures")
    unit = frame["measure"].map({name: row["unit"] for name, row in measures.items()})
    pixels = frame["measure"].map({name: row["unit_uncalibrated"] or None for name, row in measures.items()})
    value = frame["value"].to_numpy()
    wrong = (frame["unit"] != unit) & unit.notna() & (frame["unit"] != pixels)
    for measure, rows in frame[wrong].groupby("measure"):
        got = ", ".join(repr(text) for text in sorted(set(rows["unit"])))
        message = f"wrong unit for {measure}: {got}{_rows(wrong & (frame['measure'] == measure))}"
        mend = f"convert the values to {measures[str(measure)]['unit']!r}"
        findings.append(Finding("error", "unit", message, mend=mend))
    empty = np.isnan(value)
    reason = frame["absent"] != ""
    for mask, message, mend in (
        (empty & ~reason, "the value is empty without a reason", "fill the column absent"),
        (~empty & reason, "a reason for absence stands beside a value", "empty one of the two"),
        (np.isinf(value), "the value is infinite", "leave it empty with a reason"),
        (frame["low"] > frame["high"], "low is above high", "exchange them"),
        (
            _out_of_range(frame),
            "the value lies outside the measure's range",
            "check unit and scale (fractions are 0-1)",
        ),
    ):
        series = pd.Series(mask, index=frame.index)
        if series.any():
            findings.append(Finding("error", "value", message + _rows(series), mend=mend))
    return findings


def _out_of_range(frame: pd.DataFrame) -> pd.Series:
    bounds = {
        name: (float(row["low"] or -np.inf), float(row["high"] or np.inf))
        for name, row in words("measures").items()
    }
    low = frame["measure"].map({name: pair[0] for name, pair in bounds.items()}).fillna(-np.inf)
    high = frame["measure"].map({name: pair[1] for name, pair in bounds.items()}).fillna(np.inf)
    return (frame["value"] < low) | (frame["value"] > high)


def _key_findings(frame: pd.DataFrame) -> list[Finding]:
    twice = frame.duplicated(list(KEY), keep=False)
    if not twice.any():
        return []
    key = "/".join(part for part in key_texts(frame[twice], KEY)[0] if part)
    return [
        Finding(
            "error", "key", f"a key occurs twice{_rows(twice)}, for example {key}", mend="keep one row a key"
        )
    ]


def key_texts(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The values of some text columns, a tuple a row."""
    return [tuple(str(part) for part in row) for row in frame[list(columns)].itertuples(index=False)]
