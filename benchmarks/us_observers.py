"""The observers' sheets of the public muscle ultrasound sets, keys matched to images, typing errors kept."""

import os
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

ROOT = Path(os.environ.get("MYOPROOF_DATA", "../shared/data")) / "us_muscle"
SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
REFERENCE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
TUNING = ("S1", "S2", "S3", "S4", "S5")
"""Subjects of set 1 on whom constants were set; everybody else is test."""
COLUMNS = (
    "dataset", "image", "subject", "observer", "fascicle_angle", "aponeurosis_angle",
    "aponeurosis_angle_deep", "top", "bottom", "thickness",
)  # fmt: skip


def sheets(path: Path) -> dict[str, list[dict[str, str | float]]]:
    """Cells of every sheet of an xlsx file: a row is a mapping of column letter to value."""
    with zipfile.ZipFile(path) as file:
        words = []
        if "xl/sharedStrings.xml" in file.namelist():
            for item in ElementTree.fromstring(file.read("xl/sharedStrings.xml")).iter(f"{SPACE}si"):
                words.append("".join(t.text or "" for t in item.iter(f"{SPACE}t")))
        links = ElementTree.fromstring(file.read("xl/_rels/workbook.xml.rels"))
        targets = {link.attrib["Id"]: link.attrib["Target"].lstrip("/") for link in links}
        out = {}
        for sheet in ElementTree.fromstring(file.read("xl/workbook.xml")).iter(f"{SPACE}sheet"):
            target = targets[sheet.attrib[REFERENCE]]
            tree = ElementTree.fromstring(file.read(target if target.startswith("xl/") else f"xl/{target}"))
            rows = []
            for row in tree.iter(f"{SPACE}row"):
                cells: dict[str, str | float] = {}
                for cell in row.iter(f"{SPACE}c"):
                    value = cell.find(f"{SPACE}v")
                    if value is None or value.text is None:
                        continue
                    letter = re.sub(r"\d", "", cell.attrib["r"])
                    kind = cell.attrib.get("t", "n")
                    cells[letter] = (
                        words[int(value.text)]
                        if kind == "s"
                        else value.text
                        if kind != "n"
                        else float(value.text)
                    )
                rows.append(cells)
            out[sheet.attrib["name"]] = rows
        return out


def _number(cells: dict[str, str | float], letter: str | None) -> float:
    value = cells.get(letter or "", np.nan)
    return float(value) if isinstance(value, float) else np.nan


def _row(
    values: tuple[object, ...], cells: dict[str, str | float], letters: dict[str, str]
) -> dict[str, object]:
    numbers = {name: _number(cells, letters.get(name)) for name in COLUMNS[4:]}
    return dict(zip(COLUMNS[:4], values, strict=True)) | numbers


def set_one(root: Path = ROOT) -> list[dict[str, object]]:
    """Vastus lateralis: a sheet an observer; angle betha is the superficial aponeurosis's."""
    folder = root / "dataset 1"
    letters = {"fascicle_angle": "D", "aponeurosis_angle": "E", "top": "F", "bottom": "G", "thickness": "H"}
    rows = []
    for observer, cells_of in sheets(folder / "dataset1_for_manual_estimation.xlsx").items():
        for cells in cells_of[1:]:
            if not isinstance(cells.get("A"), float):
                continue
            person = f"S{int(float(cells['A']))}"
            image = folder / person / f"{person}_{cells['B']}20_step_{int(float(cells['C'])):03d}.png"
            if image.exists():
                rows.append(_row((1, image, person, observer), cells, letters))
    return rows


def set_three(root: Path = ROOT) -> list[dict[str, object]]:
    """Gastrocnemius medialis of one person: a file an observer, a sheet a trial."""
    folder = root / "dataset 3"
    rows = []
    for observer in ("obs1", "obs2", "obs3"):
        for trial, cells_of in sheets(folder / f"dataset3_for_manual_estimation_{observer}.xlsx").items():
            if not trial.startswith("p6_") or not cells_of:
                continue
            letters = _letters(cells_of[0])
            for cells in cells_of[1:]:
                name = cells.get("A")
                found = list(folder.glob(f"*/{trial}_{name}.jpg")) if isinstance(name, str) else []
                if found:
                    rows.append(_row((3, found[0], "p6", observer), cells, letters))
    return rows


def _letters(header: dict[str, str | float]) -> dict[str, str]:
    starts = {
        "Alpha": "fascicle_angle", "Beta": "aponeurosis_angle", "Gamma": "aponeurosis_angle_deep",
        "Height": "thickness", "Y1": "top", "Y2": "bottom",
    }  # fmt: skip
    return {
        name: letter
        for letter, text in header.items()
        for start, name in starts.items()
        if str(text).strip().startswith(start)
    }


def observers(root: Path = ROOT) -> pd.DataFrame:
    """One row per image and observer.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: angles in degrees, depths and thickness in px; NaN where an observer gave none.
    """
    return pd.DataFrame(set_one(root) + set_three(root), columns=list(COLUMNS))
