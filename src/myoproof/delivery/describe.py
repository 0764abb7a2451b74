"""The description of a cohort as page, figures and tables: Table 1, then who, when and what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.atomic import atomic_folder
from myoproof.core.result import estimates_frame
from myoproof.delivery.describe_figures import (
    balance_drawing,
    differences_drawing,
    missing_drawing,
    named,
    visits_drawing,
)
from myoproof.delivery.describe_values import raincloud_drawing, spaghetti_drawing
from myoproof.delivery.figures import Drawing
from myoproof.delivery.flow import flow_drawing
from myoproof.delivery.naming import reason, term_scale, word
from myoproof.delivery.page import Grid, Part, Section, Statement, arranged, records, text_column
from myoproof.delivery.report import Report, render
from myoproof.delivery.wording import DASH, number, percent, series, size
from myoproof.errors import NotWritable

KEY = "describe"
ALL = "all"
Parts = list[Part | tuple[str, Drawing | None]]
HELD = {"report.html", "figures", "tables"}


@dataclass(frozen=True, slots=True)
class Description:
    """What the page shows.

    Parameters
    ----------
    by : str
        What the groups are.
    table_one, patterns, visits : DataFrame
        Of :mod:`myoproof.studies.describe`.
    flow : sequence of (step, n, reason)
        Subjects step by step.
    balance : mapping of str to (DataFrame, dict)
        ``centre`` and ``device``: counts, and their association with the groups.
    values : DataFrame
        Subjects by features at the visit.
    groups : Series
        Group of each subject.
    courses : mapping of str to DataFrame
        Feature -> subject, session, day, value, group.
    window_days : float
        Window of the visits.
    simulated : bool
        Whether any row is simulated.
    """

    by: str
    table_one: pd.DataFrame
    patterns: pd.DataFrame
    visits: pd.DataFrame
    flow: Sequence[tuple[str, int, str]]
    balance: Mapping[str, tuple[pd.DataFrame, dict[str, float]]]
    values: pd.DataFrame
    groups: pd.Series
    courses: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    window_days: float = 30.0
    simulated: bool = False


def write(description: Description, folder: Path, *, title: str = "Description of the cohort") -> Path:
    """Write the page with its figures as SVG and its tables as CSV.

    Parameters
    ----------
    description : Description
        What it shows.
    folder : Path
        Gets ``report.html``, ``figures/*.svg``, ``tables/*.csv``; replaced whole if an earlier description.
    title : str
        Heading.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    NotWritable
        If the folder holds something else, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and {entry.name for entry in folder.iterdir()} <= HELD):
        raise NotWritable("holds something else", where=str(folder), mend="choose an empty folder")
    sections = compose(description)
    text = render(Report(title, description.simulated, ()), sections)
    with atomic_folder(folder) as temporary:
        (temporary / "report.html").write_text(text, encoding="utf-8")
        for room in ("figures", "tables"):
            (temporary / room).mkdir()
        for section in sections:
            for drawing in section.drawings:
                (temporary / "figures" / f"{drawing.key}.svg").write_text(drawing.svg + "\n", "utf-8")
            for grid in section.grids:
                (temporary / "tables" / f"{grid.key}.csv").write_text(grid.csv, encoding="utf-8")
    return folder / "report.html"


def compose(description: Description) -> list[Section]:
    """The sections: Table 1, who took part, what is missing, when and where, and the measures.

    Parameters
    ----------
    description : Description
        What is shown.
    """
    d, sim = description, description.simulated
    n = len(d.groups)
    flow = estimates_frame(
        {"analysis": "flow", "term": step, "group": why, "value": k, "n_subjects": k}
        for step, k, why in d.flow
    )
    first: Parts = [
        _statement(d),
        table_grid(d.table_one, d.groups, d.by),
        ("differences", differences_drawing(d.table_one, key=KEY, by=d.by, simulated=sim)),
    ]
    who: Parts = [("flow", flow_drawing(flow, key=KEY, simulated=sim)), _flow_grid(d.flow)]
    holes: Parts = [
        ("missing values", missing_drawing(d.patterns, key=KEY, n=n, simulated=sim)),
        *([] if d.patterns.shape[1] <= 3 else [_pattern_grid(d.patterns)]),
    ]
    when: Parts = [
        ("visits", visits_drawing(d.visits, key=KEY, window_days=d.window_days, simulated=sim)),
        *([_visit_grid(d.visits)] if len(d.visits) else []),
    ]
    for place, (counts, found) in d.balance.items():
        drawn = balance_drawing(counts, found, key=KEY, place=place, by=d.by, simulated=sim)
        when += [(f"balance over {word(place)}s", drawn)]
        when += [_balance_grid(counts, place)] if len(counts) else []
    sections = [
        Section("table-one", "Table 1", arranged(first)),
        Section("flow", "Who took part", arranged(who)),
        Section("missing", "What is missing", arranged(holes)),
        Section("visits", "When and where", arranged(when)),
    ]
    clouds = [
        (named(str(name)), raincloud_drawing(d.values[name], d.groups, key=_key("cloud", k), simulated=sim))
        for k, name in enumerate(d.values)
    ]
    courses = [
        (
            f"course of {named(name)}",
            spaghetti_drawing(rows, term=name, key=_key("course", k), simulated=sim),
        )
        for k, (name, rows) in enumerate(d.courses.items())
    ]
    if clouds or courses:
        sections.append(Section("measures", "Measures", arranged([*clouds, *courses])))
    return sections


def _key(what: str, k: int) -> str:
    return f"{KEY}-{what}-{k + 1}"


def _statement(d: Description) -> Statement:
    names = sorted(set(d.groups) - {""})
    sizes = series([f"{name} {size(int((d.groups == name).sum()))}" for name in names])
    table = d.table_one.dropna(subset=["difference"])
    table = table[np.isfinite(table["difference"])].sort_values("difference", ascending=False, kind="stable")
    told = f"By {word(d.by)}: {sizes}."
    if len(table):
        top = table.iloc[0]
        gap = number(float(top["difference"]), 2)
        told += f" Largest difference between groups: {named(top['variable'])}, {gap} SD."
    return Statement(f"{len(d.groups)} subjects", told)


def table_grid(table: pd.DataFrame, groups: pd.Series, by: str) -> Grid:
    """Table 1 as printed: mean (SD) and median [quartiles] of numbers, n (%) of words, missing, difference.

    Parameters
    ----------
    table : DataFrame
        Long form, of :func:`myoproof.studies.describe.table_one`.
    groups : Series
        Group of each subject, for the heads.
    by : str
        What the groups are.
    """
    names = [name for name in dict.fromkeys(table["group"]) if name != ALL]
    indexed = {(row["variable"], row["level"], row["group"]): row for row in records(table)}
    lines: list[list[str]] = []
    for variable, levels in table.groupby("variable", sort=False)["level"].unique().items():
        rows = [[indexed[variable, level, name] for name in (ALL, *names)] for level in levels]
        lines += _lines(str(variable), [str(level) for level in levels], rows)
    heads = ["", f"All, {size(len(groups))}"]
    heads += [f"{name}, {size(int((groups == name).sum()))}" for name in names]
    heads += ["Missing", "Standardised difference"]
    columns = tuple(text_column(head, [line[k] for line in lines]) for k, head in enumerate(heads))
    return Grid(f"{KEY}-table-one", f"Table 1. Characteristics by {word(by)}", columns, table)


def _lines(variable: str, levels: list[str], rows: list[list[dict[str, Any]]]) -> list[list[str]]:
    """Printed lines of one variable: a line a level, or mean and median of numbers."""
    unit = term_scale(variable)[1] if "/" in variable else {"age_years": "years"}.get(variable, "")
    head = named(variable) + (f", {unit}" if unit else "")
    gap = float(rows[0][0]["difference"])
    tail = [f"{int(rows[0][0]['missing'])}", number(gap, 2) if not np.isnan(gap) else ""]
    if levels == [""]:
        pairs = [_number_cells(row, variable) for row in rows[0]]
        return [
            [f"{head}, mean (SD)", *(mean for mean, _ in pairs), *tail],
            [f"{head}, median [quartiles]", *(median for _, median in pairs), "", ""],
        ]
    return [
        [f"{head}: {level}", *(_count_cell(row) for row in line), *(tail if not k else ["", ""])]
        for k, (level, line) in enumerate(zip(levels, rows, strict=True))
    ]


def _count_cell(row: Mapping[str, Any]) -> str:
    return f"{int(row['count'])} ({percent(row['share'])})" if row["n"] else DASH


def _number_cells(row: Mapping[str, Any], variable: str) -> tuple[str, str]:
    if not row["n"]:
        return DASH, DASH
    factor = term_scale(variable)[0]
    values = [factor * float(row[name]) for name in ("mean", "sd", "median", "q1", "q3")]
    places = 0 if abs(values[0]) >= 1000 else 1 if abs(values[0]) >= 10 else 2
    mean, sd, median, q1, q3 = (number(value, places) for value in values)
    return f"{mean} ({sd})", f"{median} [{q1} to {q3}]"


def _flow_grid(flow: Sequence[tuple[str, int, str]]) -> Grid:
    told = [(step, n, reason(why) if why else "") for step, n, why in flow]
    rows = pd.DataFrame(told, columns=["step", "n", "reason"])
    return _plain("flow", "Subjects step by step", rows)


def _pattern_grid(patterns: pd.DataFrame) -> Grid:
    return _plain("patterns", "Patterns of missing values", patterns)


def _visit_grid(visits: pd.DataFrame) -> Grid:
    rows = visits.groupby("session", as_index=False).agg(
        subjects=("subject", "nunique"),
        first_day=("day", "min"),
        median_day=("day", "median"),
        last_day=("day", "max"),
        on_time=("on_time", _share),
    )
    return _plain("visits", "Visits", rows)


def _share(known: pd.Series) -> float:
    held = known.dropna().astype(bool)
    return float(held.mean()) if len(held) else np.nan


def _balance_grid(counts: pd.DataFrame, place: str) -> Grid:
    table = counts.pivot_table(index=place, columns="group", values="n", fill_value=0).reset_index()
    return _plain(f"balance-{place}", f"Groups by {word(place)}", table.rename_axis(columns=None))


def _plain(key: str, title: str, rows: pd.DataFrame) -> Grid:
    columns = []
    for name, own in rows.items():
        numeric = own.dtype.kind in "fi"
        texts = [number(float(v), None if own.dtype.kind == "f" else 0) if numeric else str(v) for v in own]
        columns.append(text_column(named(str(name)), texts))
    return Grid(f"{KEY}-{key}", title, tuple(columns), rows, folded=len(rows) > 12)
