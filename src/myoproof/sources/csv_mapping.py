"""Plain tables with a mapping file become one cohort, also measurements of a vendor's software."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from myoproof.errors import NotReadable
from myoproof.sources.csv_mapping_cells import Open, cells_of_long, cells_of_value, make_tables, people_of
from myoproof.sources.csv_mapping_model import TableMap, read_mapping, word_faults
from myoproof.sources.csv_mapping_rows import finish
from myoproof.sources.sheets import Sheet, look
from myoproof.sources.stage import Stage, load, name_people, named

Told = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A table of a mapping with the sheet it is read from."""

    spec: TableMap
    sheet: Sheet


def read(
    stage: Stage, source: Path, *, mapping: Path, progress: Told = lambda _what, _share: None
) -> tuple[str, ...]:
    """Bring plain tables onto the stage.

    Parameters
    ----------
    stage : Stage
        An open stage, empty.
    source : Path
        The folder of the tables, or the one table.
    mapping : Path
        The mapping file (see ``docs/import.md``).
    progress : callable
        Told what is done, and the share of the whole.

    Returns
    -------
    tuple of str
        Digests of the files read.

    Raises
    ------
    NotReadable
        If the mapping or a table is no readable text.
    InvalidInput
        If the mapping has unknown keys.
    """
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    found = []
    for spec in read_mapping(mapping).table:
        path = folder / spec.file if spec.file or source.is_dir() else source
        if not path.is_file():
            raise NotReadable("no such table", where=str(path), mend=f"the mapping {mapping} names it")
        found.append(Source(spec, look(path, stage.scratch)))
    return bring(stage, found, progress=progress)


def bring(
    stage: Stage,
    tables: Sequence[Source],
    *,
    before: Callable[[Stage, Sequence[Open]], None] = lambda _stage, _opened: None,
    progress: Told = lambda _what, _share: None,
) -> tuple[str, ...]:
    """Bring mapped sheets onto the stage: what REDCap, BIDS and plain tables have in common.

    Parameters
    ----------
    stage : Stage
        An open stage.
    tables : sequence of Source
        What is read.
    before : callable
        What an importer does with the loaded tables before rows are made of them.
    progress : callable
        Told what is done.
    """
    make_tables(stage)
    opened: list[Open] = []
    for number, table in enumerate(tables):
        progress(f"reading {table.sheet.name}", 0.4 * number / len(tables))
        opened.append(_open(stage, number, table))
    name_people(stage)
    before(stage, opened)
    for number, one in enumerate(opened):
        progress(f"rows of {one.file}", 0.4 + 0.2 * number / len(opened))
        people_of(stage, one)
        for value in one.spec.measure:
            cells_of_value(stage, one, value)
        if one.spec.long is not None:
            cells_of_long(stage, one, one.spec.long)
    progress("one cohort", 0.65)
    finish(stage, opened)
    return tuple(sorted({table.sheet.digest for table in tables}))


def _open(stage: Stage, number: int, table: Source) -> Open:
    """Load the columns that are mapped; those that are not there are told."""
    spec, sheet = table.spec, table.sheet
    held = {name.lower(): name for name in reversed(sheet.columns)}
    for finding in word_faults(spec):
        stage.hit_once(finding.category, sheet.name, f"{finding.message} {finding.mend}".strip())
    subject = spec.subject.lower()
    wanted = {name.lower() for name in spec.columns}
    if subject not in held:
        others = sorted(wanted - set(held) - {subject})
        raise NotReadable(
            f"has no column {spec.subject!r} of the subject's number"
            + (f", nor {', '.join(map(repr, others))}" if others else ""),
            where=sheet.name,
            mend=f"its columns: {', '.join(sheet.columns)}",
        )
    for name in sorted(wanted - set(held)):
        close = difflib.get_close_matches(name, held, n=1)
        stage.hit_once(
            "column_missing", sheet.name, name + (f", did you mean {held[close[0]]}?" if close else "")
        )
    names, taken = [], set()
    for column in sheet.columns:
        own = column.lower()
        ours = "subject_text" if own == subject else (f"x_{own}" if own in wanted else "")
        names.append("" if ours in taken else ours)
        taken.add(ours)
    raw = f"sheet{number}"
    load(stage, sheet, raw, names)
    for own in sorted((wanted | {subject}) - {subject} - (wanted & set(held))):
        stage.run(f"ALTER TABLE {raw} ADD COLUMN {named(f'x_{own}')} VARCHAR")
    if subject in wanted:
        stage.run(f"ALTER TABLE {raw} ADD COLUMN {named(f'x_{subject}')} VARCHAR")
        stage.run(f"UPDATE {raw} SET {named(f'x_{subject}')} = subject_text")
    return Open(spec, sheet.name, raw, frozenset(wanted & set(held)))
