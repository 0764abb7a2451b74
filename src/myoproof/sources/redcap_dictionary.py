"""The data dictionary of a REDCap project: fields, choices, limits; and what an export should hold by it."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from myoproof.errors import NotReadable
from myoproof.sources.proact_forms import plain

COLUMNS = {
    "name": "variablefieldname",
    "form": "formname",
    "kind": "fieldtype",
    "label": "fieldlabel",
    "choices": "choicescalculationsorsliderlabels",
    "low": "textvalidationmin",
    "high": "textvalidationmax",
}
"""Ours -> the dictionary's header, letters only, lower case."""
CHOSEN = ("radio", "dropdown", "yesno", "truefalse")


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Parameters
    ----------
    name, form, kind, label : str
        As the dictionary has them.
    choices : dict
        Code -> label.
    low, high : float or None
        Limits of a number.
    """

    name: str
    form: str
    kind: str
    label: str
    choices: dict[str, str]
    low: float | None
    high: float | None

    @property
    def columns(self) -> list[str]:
        """Its columns in an export; a checkbox has one a choice, ``field___1``, and ``field____1`` for -1."""
        if self.kind == "descriptive":
            return []
        if self.kind != "checkbox":
            return [self.name]
        return [f"{self.name}___{code.replace('-', '_').lower()}" for code in self.choices]


def read_dictionary(path: Path) -> dict[str, Field]:
    """The fields of a data dictionary by name.

    Raises
    ------
    NotReadable
        If it is no data dictionary.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadable(f"cannot be read ({error})", where=str(path)) from error
    reader = csv.DictReader(io.StringIO(text))
    heads = {plain(name): name for name in reader.fieldnames or []}
    # The dictionary's headers carry explanations: "Text Validation Min", "Variable / Field Name".
    if COLUMNS["name"] not in heads or COLUMNS["kind"] not in heads:
        raise NotReadable(
            "is no REDCap data dictionary",
            where=str(path),
            mend="download it from the project's codebook page",
        )
    found = {}
    for row in reader:
        cells = {ours: (row.get(heads.get(theirs, ""), "") or "").strip() for ours, theirs in COLUMNS.items()}
        choices = _choices(cells["kind"], cells["choices"])
        limits = [_number(cells[name]) for name in ("low", "high")]
        found[cells["name"]] = Field(
            cells["name"], cells["form"], cells["kind"], cells["label"], choices, limits[0], limits[1]
        )
    return found


def _choices(kind: str, text: str) -> dict[str, str]:
    if kind == "yesno":
        return {"1": "Yes", "0": "No"}
    if kind == "truefalse":
        return {"1": "True", "0": "False"}
    if kind not in (*CHOSEN, "checkbox"):
        return {}
    pairs = (part.partition(",") for part in text.split("|") if part.strip())
    return {code.strip(): label.strip() for code, _, label in pairs}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
