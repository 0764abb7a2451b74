"""REDCap: an export of codes or labels, with events and repeating instruments, becomes one cohort."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from myoproof.sources.csv_mapping import Source, bring
from myoproof.sources.csv_mapping_cells import Open, own
from myoproof.sources.csv_mapping_model import Cell, TableMap, Value, read_mapping
from myoproof.sources.redcap_dictionary import CHOSEN, Field, read_dictionary
from myoproof.sources.sheets import Sheet, look
from myoproof.sources.stage import Stage, named, quoted

Told = Callable[[str, float], None]
REPEATS, INSTANCE, EVENT = "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_event_name"
OWN = (EVENT, REPEATS, INSTANCE, "redcap_data_access_group", "redcap_survey_identifier")
HEADS = {
    "Event Name": EVENT,
    "Repeat Instrument": REPEATS,
    "Repeat Instance": INSTANCE,
    "Data Access Group": "redcap_data_access_group",
    "Survey Identifier": "redcap_survey_identifier",
}
"""What an export of labels calls REDCap's own columns."""
BOX = {"0": 0.0, "1": 1.0, "unchecked": 0.0, "checked": 1.0}


def read(
    stage: Stage,
    source: Path,
    *,
    mapping: Path,
    dictionary: Path | None = None,
    progress: Told = lambda _what, _share: None,
) -> tuple[str, ...]:
    """Bring a REDCap export onto the stage.

    Parameters
    ----------
    stage : Stage
        An open stage, empty.
    source : Path
        The export, one CSV: raw codes or labels.
    mapping : Path
        The mapping file; ``file`` of a table names the repeating instrument, "" the rows that do not repeat.
        ``subject`` may be left out (the first column), ``session`` too (the event).
    dictionary : Path, optional
        The project's data dictionary: choices, limits and fields are held against it.
    progress : callable
        Told what is done, and the share of the whole.

    Returns
    -------
    tuple of str
        Digests of the files read.

    Raises
    ------
    NotReadable
        If a file is no readable text or no dictionary.
    InvalidInput
        If the mapping has unknown keys.
    """
    sheet = look(Path(source), stage.scratch)
    fields = read_dictionary(dictionary) if dictionary is not None else {}
    sheet = _named(stage, sheet, fields)
    if fields:
        _compared(stage, sheet, fields)
    tables = [
        Source(_filled(spec, sheet, fields), sheet if number == 0 else replace(sheet, faults=()))
        for number, spec in enumerate(read_mapping(mapping).table)
    ]

    def before(stage: Stage, opened: Sequence[Open]) -> None:
        for one in opened:
            _checked(stage, one, fields)

    digests = bring(stage, tables, before=before, progress=progress)
    if fields:
        stage.run(
            "UPDATE hits SET rule = 'dictionary_choice_unknown' WHERE rule = 'value_unknown' AND detail <>"
            " 'sex'"
        )
    return digests


def _named(stage: Stage, sheet: Sheet, fields: Mapping[str, Field]) -> Sheet:
    """The sheet under field names where its header holds labels."""
    labels = {field.label: field.name for field in fields.values() if field.label}
    labels |= {
        f"{field.label} (choice={label})": column
        for field in fields.values()
        if field.kind == "checkbox"
        for label, column in zip(field.choices.values(), field.columns, strict=True)
    }
    labels |= HEADS
    held = {column for field in fields.values() for column in field.columns} | set(OWN)
    turned = tuple(name if name in held else labels.get(name, name) for name in sheet.columns)
    if turned != sheet.columns:
        stage.hit_once("label_export", sheet.name, "header")
    return replace(sheet, columns=turned)


def _compared(stage: Stage, sheet: Sheet, fields: Mapping[str, Field]) -> None:
    """Fields and columns that the dictionary and the export do not share."""
    expected = {column for field in fields.values() for column in field.columns}
    complete = {f"{field.form}_complete" for field in fields.values()}
    for name in sorted(expected - set(sheet.columns)):
        stage.hit_once("dictionary_field_missing", sheet.name, name)
    for name in sheet.columns:
        if name not in expected and name not in complete and name not in OWN:
            stage.hit_once("dictionary_field_unknown", sheet.name, name)


def _filled(spec: TableMap, sheet: Sheet, fields: Mapping[str, Field]) -> TableMap:
    """The table's map with what REDCap says by itself: subject, event, instrument, and choices of fields."""
    where = dict(spec.where)
    if REPEATS in sheet.columns:
        where[REPEATS] = spec.file
    session = spec.session
    if not (session or spec.day or spec.date):
        session = INSTANCE if spec.file else EVENT
    complete = [name for name in sheet.columns if name.endswith("_complete")]
    return spec.model_copy(
        update={
            "subject": spec.subject or sheet.columns[0],
            "session": session if session in sheet.columns else spec.session,
            "where": where,
            "subjects": {name: _cell(cell, fields) for name, cell in spec.subjects.items()},
            "covariates": {name: _cell(cell, fields) for name, cell in spec.covariates.items()},
            "measure": [_value(value, fields) for value in spec.measure],
            "death": (
                spec.death.model_copy(update={"died": _cell(spec.death.died, fields)}) if spec.death else None
            ),
            "also": complete if not spec.file else [],
        }
    )


def _cell(cell: str | Cell, fields: Mapping[str, Field]) -> Cell:
    """A cell whose codes and labels mean the same; labels where the mapping says nothing."""
    own_cell = Cell(column=cell) if isinstance(cell, str) else cell
    if "___" in own_cell.column and not own_cell.values:
        return own_cell.model_copy(update={"values": {text: str(int(flag)) for text, flag in BOX.items()}})
    field = fields.get(own_cell.column)
    if field is None or field.kind not in CHOSEN:
        return own_cell
    given = {text.lower(): ours for text, ours in own_cell.values.items()}
    meant: dict[str, str] = {}
    for code, label in field.choices.items():
        ours = given.get(code.lower(), given.get(label.lower(), "" if given else label))
        if ours:
            meant |= {code: ours, label: ours}
    return own_cell.model_copy(update={"values": meant})


def _value(value: Value, fields: Mapping[str, Field]) -> Value:
    """A value whose labels stand for their codes."""
    if value.values:
        return value
    if "___" in value.column:
        return value.model_copy(update={"values": BOX})
    field = fields.get(value.column)
    if field is None or field.kind not in CHOSEN:
        return value
    numbers: dict[str, float] = {}
    for code, label in field.choices.items():
        if code.replace(".", "", 1).lstrip("-").isdigit():
            numbers |= {code: float(code), label: float(code)}
    return value.model_copy(update={"values": numbers})


def _checked(stage: Stage, one: Open, fields: Mapping[str, Field]) -> None:
    """Limits of the dictionary, labels in place of codes, forms that are not complete."""
    for name in one.spec.also:
        text = f"lower(trim({own(name)}))"
        stage.hit(
            "form_incomplete",
            one.file,
            f"SELECT row, subject, NULL AS day, {quoted(name)} AS detail "
            f"FROM ({one.base}) WHERE {text} IN ('0', '1', 'incomplete', 'unverified')",
        )
    for name in sorted(one.held & set(fields)):
        field, column = fields[name], own(name)
        if field.kind in CHOSEN:
            labels = ", ".join(quoted(label.lower()) for label in field.choices.values()) or "''"
            codes = ", ".join(quoted(code.lower()) for code in field.choices) or "''"
            asked = f"SELECT count(*) FROM {one.raw} WHERE lower(trim({column})) IN ({labels}) "
            if stage.number(f"{asked} AND lower(trim({column})) NOT IN ({codes})"):
                stage.hit_once("label_export", one.file, name)
        limits = [f"num({column}) < {field.low!r}"] if field.low is not None else []
        limits += [f"num({column}) > {field.high!r}"] if field.high is not None else []
        if limits:
            beyond = " OR ".join(limits)
            stage.hit(
                "dictionary_range",
                one.file,
                f"SELECT row, subject, NULL AS day, concat({quoted(name + ' ')}, "
                f"{column}) AS detail FROM ({one.base}) WHERE {beyond}",
            )
            stage.run(f"UPDATE {named(one.raw)} SET {column} = NULL WHERE {beyond}")
