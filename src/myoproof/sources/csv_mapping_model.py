"""The mapping file of plain tables: which column of which file is what, in TOML, checked strictly."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from myoproof.core.study import parse_strict
from myoproof.errors import Finding, NotReadable
from myoproof.sources.tables import IDENTITY
from myoproof.vocabulary.lookup import near, words

SUBJECT_COLUMNS = (
    "sex", "age_years", "diagnosis", "genotype", "onset_day", "onset_site", "centre", "arm", "analysis_sets",
)  # fmt: skip
"""Columns of the subjects table that a mapping may fill."""


class Strict(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Cell(Strict):
    """A column and what its values stand for.

    Parameters
    ----------
    column : str
        As in the file's header; case does not matter.
    values : dict
        Text -> text that it stands for; others are told as unknown.
    """

    column: str
    values: dict[str, str] = Field(default_factory=dict)


class Value(Strict):
    """A column of numbers that becomes rows of one measure.

    Parameters
    ----------
    column, measure : str
        Where from, and the word of the vocabulary.
    unit, unit_column : str
        The unit, or the column that tells it; left out, the measure's own. ``MRC`` reads grades such as 4+.
    site, side, at, method, modality, rater : str
        The rest of the row's key.
    values : dict
        Text -> number, for labels in place of numbers.
    """

    column: str
    measure: str
    unit: str = ""
    unit_column: str = ""
    site: str = ""
    side: str = ""
    at: str = ""
    method: str = "recorded"
    modality: str = "clinical"
    rater: str = ""
    values: dict[str, float] = Field(default_factory=dict)


class Long(Strict):
    """A table with one measurement a row, as software of vendors writes it.

    Parameters
    ----------
    measure, value : str
        Columns of the name and of the number.
    measures : dict
        Name in the file -> word of the vocabulary; other names are not imported, and told.
    site, side, unit : str
        Columns, "" where there is none.
    sites, sides : dict
        Name in the file -> word.
    method, modality, rater : str
        What computed the number: the software and its version, for example ``springbok@3``.
    """

    measure: str
    value: str
    measures: dict[str, str]
    site: str = ""
    sites: dict[str, str] = Field(default_factory=dict)
    side: str = ""
    sides: dict[str, str] = Field(default_factory=dict)
    unit: str = ""
    method: str
    modality: str = "clinical"
    rater: str = ""


class Death(Strict):
    """What a table says about death.

    Parameters
    ----------
    died : Cell
        Yes and no; ``values`` turns its texts into ``yes`` and ``no``.
    day, date : str
        Column of the day since baseline, or of the date.
    """

    died: Cell
    day: str = ""
    date: str = ""


class TableMap(Strict):
    """One table.

    Parameters
    ----------
    file : str
        File name within the folder; of REDCap, the instrument.
    subject : str
        Column of the subject's number.
    session, day, date : str
        Columns of the visit's name, the day since baseline, the date. Of dates only days since the subject's
        first date (or ``baseline``) are kept.
    date_format : str
        As in strptime.
    baseline : str
        Column of the date that is day 0.
    where : dict
        Column -> text a row must hold.
    subjects, covariates : dict
        Our column -> theirs, or a column with values.
    dates : dict
        ``onset_day``, ``diagnosis_day`` or another covariate ending in ``_day`` -> column of a date.
    measure : list
        Columns of numbers.
    long : Long
        One measurement a row.
    death : Death
        Vital status.
    also : list
        Further columns that an importer looks at.
    """

    file: str = ""
    subject: str = ""
    session: str = ""
    day: str = ""
    date: str = ""
    date_format: str = "%Y-%m-%d"
    baseline: str = ""
    where: dict[str, str] = Field(default_factory=dict)
    subjects: dict[str, str | Cell] = Field(default_factory=dict)
    covariates: dict[str, str | Cell] = Field(default_factory=dict)
    dates: dict[str, str] = Field(default_factory=dict)
    measure: list[Value] = Field(default_factory=list)
    long: Long | None = None
    death: Death | None = None
    also: list[str] = Field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """Every column of the file that is named."""
        cells = [*self.subjects.values(), *self.covariates.values()]
        found = [cell if isinstance(cell, str) else cell.column for cell in cells]
        found += [
            self.session,
            self.day,
            self.date,
            self.baseline,
            *self.where,
            *self.dates.values(),
            *self.also,
        ]
        found += [text for one in self.measure for text in (one.column, one.unit_column)]
        if self.long is not None:
            found += [self.long.measure, self.long.value, self.long.site, self.long.side, self.long.unit]
        if self.death is not None:
            found += [self.death.died.column, self.death.day, self.death.date]
        return list(dict.fromkeys(text for text in found if text))


class Mapping(Strict):
    """A mapping file: one ``[[table]]`` a file."""

    table: list[TableMap]


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises
    ------
    NotReadable
        If it is absent or no TOML.
    InvalidInput
        Naming every unknown key and wrong type together.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadable(f"cannot be read ({error})", where=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise NotReadable(f"not valid TOML ({error})", where=str(path)) from error
    return parse_strict(Mapping, content, where=str(path))


def word_faults(table: TableMap) -> list[Finding]:
    """Words of a table that are in no vocabulary, and columns that hold a person's identity."""
    asked = [("measures", one.measure) for one in table.measure]
    asked += [("sides", one.side) for one in table.measure] + [
        ("modalities", one.modality) for one in table.measure
    ]
    if table.long is not None:
        asked += [("measures", word) for word in table.long.measures.values()]
        asked += [("sides", word) for word in table.long.sides.values()]
        asked.append(("modalities", table.long.modality))
    found = [
        Finding("error", "word_unknown", f"{kind[:-1]} {word!r}", mend=near(word, words(kind)))
        for kind, word in dict.fromkeys(asked)
        if word not in words(kind)
    ]
    open_names = dict.fromkeys(SUBJECT_COLUMNS)
    found += [
        Finding("error", "word_unknown", f"subjects column {name!r}", mend=near(name, open_names))
        for name in table.subjects
        if name not in SUBJECT_COLUMNS
    ]
    cells = {**table.subjects, **table.covariates}
    for name, cell in cells.items():
        column = cell if isinstance(cell, str) else cell.column
        if IDENTITY.search(column) or IDENTITY.search(name):
            found.append(Finding("error", "identity_column", column))
    return found
