"""Prespecification: a result is held against the one before it; what moved is told, amended with a reason."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.result import Result, load_result
from myoproof.core.study import Study
from myoproof.core.table import write_table
from myoproof.errors import InvalidInput, NotReadable

AMENDMENTS = "amendments.json"
CHANGES = "changed.csv"
SAME = 1e-9
"""Relative difference up to which a number is the same on another machine."""
SHOWN = 5
"""Differences that a message names; the file has all."""
KEYS = {
    "estimates": ["analysis", "term", "group", "day", "method"],
    "predictions": ["subject", "target", "candidate", "day"],
}
COLUMNS = ["table", "row", "column", "before", "now"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The result that a folder holds, and how it came to be amended.

    Parameters
    ----------
    folder : Path
        Where it is.
    result : Result
        The answer that stands.
    amendments : list of dict
        What was changed after an answer, when and why; the first answer has none.
    """

    folder: Path
    result: Result
    amendments: list[dict[str, Any]]


def earlier(folder: Path) -> Earlier | None:
    """The finished result in a folder; None where there is none.

    Raises
    ------
    NotReadable
        If the folder holds a damaged result.
    """
    if not (folder / "result.json").is_file():
        return None
    return Earlier(folder, load_result(folder), read_log(folder))


def refuse_other_question(before: Earlier | None, study: Study, *, amend: str) -> None:
    """Refuse a study that was changed after its answer, unless it is amended with a reason.

    Raises
    ------
    InvalidInput
        Naming what was changed in the study.
    """
    if before is None or amend or before.result.study.digest == study.digest:
        return
    changed = [f"{key}: {old} -> {new}" for key, old, new in _questions(before.result.study, study)]
    raise InvalidInput(
        f"the study was changed after its answer ({'; '.join(changed[:SHOWN])})",
        where=str(before.folder),
        mend='give another --out, or --amend "why"; the report then shows the amendment',
    )


def refuse_moved_numbers(before: Earlier | None, result: Result, *, amend: str) -> None:
    """Refuse an answer to the same question whose numbers moved, unless it is amended with a reason.

    The whole difference is written to ``changed.csv`` beside the answer that stands.

    Raises
    ------
    InvalidInput
        With the first numbers that moved.
    """
    if before is None or before.result.study.digest != result.study.digest:
        return
    moved = changes(before.result, result)
    if moved.empty or amend:
        return
    write_table(moved, before.folder / CHANGES)
    lines = [
        f"{row['row']} {row['column']} {row['before']} -> {row['now']}" for _, row in moved[:SHOWN].iterrows()
    ]
    raise InvalidInput(
        f"{len(moved)} numbers moved since the answer that stands: {'; '.join(lines)}",
        where=str(before.folder),
        mend=f"see {CHANGES} there: other rows or another version? Keep both with another --out, "
        'or replace the answer with --amend "why"',
    )


def amended(before: Earlier | None, result: Result, *, reason: str) -> list[dict[str, Any]]:
    """The log of amendments with this one, if anything changed; the log as it was, if nothing did."""
    if before is None:
        return []
    moved = len(changes(before.result, result))
    questions = [list(change) for change in _questions(before.result.study, result.study)]
    if not moved and not questions:
        return before.amendments
    entry = {
        "date": datetime.now(UTC).date().isoformat(),
        "reason": reason,
        "study_before": before.result.study.digest,
        "study_now": result.study.digest,
        "study_changes": questions,
        "numbers_changed": moved,
    }
    return [*before.amendments, entry]


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The amendments of a result folder; none where the first answer stands.

    Raises
    ------
    NotReadable
        If the log is damaged.
    """
    log = folder / AMENDMENTS
    if not log.is_file():
        return []
    try:
        kept: list[dict[str, Any]] = json.loads(log.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotReadable(f"the log of amendments is damaged ({error})", where=str(log)) from error
    return kept


def write_log(log: list[dict[str, Any]], folder: Path) -> None:
    """Write the amendments into a result folder; an unamended answer has no such file.

    Raises
    ------
    NotWritable
        If the file cannot be written.
    """
    if log:
        with atomic_path(folder / AMENDMENTS) as temporary:
            temporary.write_text(json.dumps(log, indent=2) + "\n", encoding="utf-8")


def changes(before: Result, now: Result) -> pd.DataFrame:
    """Every cell in which two results differ.

    Numbers differ where they are farther apart than 1e-9 of their size.

    Returns
    -------
    DataFrame
        Columns ``table``, ``row`` (its key), ``column``, ``before``, ``now``; a row that only one result has
        is one line with the column "row".
    """
    parts = [
        pd.DataFrame(list(_moved(name, getattr(before, name), getattr(now, name))), columns=COLUMNS)
        for name in KEYS
    ]
    return pd.concat(parts, ignore_index=True)


def _moved(table: str, before: pd.DataFrame, now: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str]]:
    old, new = _keyed(before, KEYS[table]), _keyed(now, KEYS[table])
    for key in old.index.difference(new.index, sort=False):
        yield table, key, "row", "present", "absent"
    for key in new.index.difference(old.index, sort=False):
        yield table, key, "row", "absent", "present"
    both = old.index.intersection(new.index, sort=False)
    old, new = old.loc[both], new.loc[both]
    for column in old.columns.intersection(new.columns, sort=False):
        for place in np.flatnonzero(_differ(old[column], new[column])):
            was, moved = str(old[column].iloc[place]), str(new[column].iloc[place])
            yield table, str(both.to_numpy()[place]), column, was, moved


def _keyed(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows under one text each; rows of one key are counted."""
    parts = [[_text(value) for value in frame[key]] for key in keys]
    name = pd.Series(["/".join(part) for part in zip(*parts, strict=True)], index=frame.index, dtype=object)
    again = name.groupby(name).cumcount()
    unique = name.where(again == 0, name + "#" + (again + 1).astype(str))
    return frame.drop(columns=keys).set_axis(pd.Index(unique, dtype=object), axis=0)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.9g}"
    return str(value)


def _differ(old: pd.Series, new: pd.Series) -> Any:
    if old.dtype.kind != "f":
        return (old.to_numpy() != new.to_numpy()).astype(bool)
    return ~np.isclose(old.to_numpy(), new.to_numpy(), rtol=SAME, atol=1e-12, equal_nan=True)


def _questions(before: Study, now: Study) -> Iterator[tuple[str, str, str]]:
    """Keys of two studies that differ, down to single parameters."""
    old, new = _flat(before.model_dump()), _flat(now.model_dump())
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield key, str(old.get(key, "nothing")), str(new.get(key, "nothing"))


def _flat(content: object, prefix: str = "") -> dict[str, object]:
    if isinstance(content, dict) and content:
        return {k: v for name, part in content.items() for k, v in _flat(part, f"{prefix}{name}.").items()}
    if isinstance(content, list) and any(isinstance(part, dict) for part in content):
        return {k: v for i, part in enumerate(content) for k, v in _flat(part, f"{prefix}{i + 1}.").items()}
    return {prefix.rstrip("."): content}
