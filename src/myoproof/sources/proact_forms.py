"""The forms of a PRO-ACT export: their files in either style of name, their columns under any spelling."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from myoproof.errors import NotReadable
from myoproof.sources.sheets import Sheet, look
from myoproof.sources.stage import Stage, load

FILE = re.compile(r"^(?:F_)?PROACT_(.+)\.(?:csv|txt|tsv)$", re.IGNORECASE)
"""``PROACT_ALSFRS.csv`` of releases to 2025, ``F_PROACT_ALSFRS.csv`` of later ones."""
FOLLOW_UP = re.compile(
    r"(^|_)(mean|slope|last|max|min|median|n_?visits?|num_?visits|number_of_visits|follow_?up_days)(_|$)",
    re.IGNORECASE,
)
"""Columns that others derived from the whole follow-up."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Parameters
    ----------
    name : str
        As in the file name, letters only, lower case.
    columns : mapping
        Our name -> spellings, lower case, letters and digits only.
    needed : tuple of str
        Columns without which the form says nothing.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...] = ()


ITEMS = ("q1", "q2", "q3", "q4", "q5a", "q5b", "q6", "q7", "q8", "q9", "q10", "r1", "r2", "r3")
_CAPACITY = {
    "l1": ("subjectliterstrial1",),
    "l2": ("subjectliterstrial2",),
    "l3": ("subjectliterstrial3",),
    "p1": ("pctofnormaltrial1",),
    "p2": ("pctofnormaltrial2",),
    "p3": ("pctofnormaltrial3",),
    "normal": ("subjectnormal",),
}
_STRENGTH = {
    "test": ("testname",),
    "location": ("testlocation",),
    "laterality": ("testlaterality",),
    "trial": ("testtrial",),
    "result": ("testresult",),
    "unit": ("testunit",),
    "day_text": ("msdelta", "handgripdelta"),
}
_TEST = {
    "test": ("testname",),
    "result": ("testresult",),
    "unit": ("testunit",),
    "day_text": ("laboratorydelta",),
}

FORMS: Mapping[str, Form] = MappingProxyType(
    {
        form.name: form
        for form in (
            Form(
                "alsfrs",
                {
                    "q1": ("q1speech",),
                    "q2": ("q2salivation",),
                    "q3": ("q3swallowing",),
                    "q4": ("q4handwriting",),
                    "q5a": ("q5acuttingwithoutgastrostomy", "q5acutting", "q5cutting"),
                    "q5b": ("q5bcuttingwithgastrostomy", "q5bcutting"),
                    "q6": ("q6dressingandhygiene",),
                    "q7": ("q7turninginbed",),
                    "q8": ("q8walking",),
                    "q9": ("q9climbingstairs",),
                    "q10": ("q10respiratory",),
                    "r1": ("r1dyspnea", "r1dyspnoea"),
                    "r2": ("r2orthopnea", "r2orthopnoea"),
                    "r3": ("r3respiratoryinsufficiency",),
                    "total": ("alsfrstotal",),
                    "r_total": ("alsfrsrtotal",),
                    "day_text": ("alsfrsdelta",),
                },
                ("q1", "q2", "q3", "q4", "q6", "q7", "q8", "q9", "day_text"),
            ),
            Form(
                "alshistory",
                {
                    "site": ("siteofonset",),
                    "site_bulbar": ("siteofonsetbulbar",),
                    "site_limb": ("siteofonsetlimb",),
                    "site_limb_and_bulbar": ("siteofonsetlimbandbulbar",),
                    "site_other": ("siteofonsetother",),
                    "site_spinal": ("siteofonsetspine",),
                    "onset": ("onsetdelta",),
                    "diagnosis": ("diagnosisdelta",),
                },
            ),
            Form("demographics", {"age": ("age",), "sex": ("sex", "gender")}, ("age", "sex")),
            Form("deathdata", {"died": ("subjectdied",), "death": ("deathdays", "deathday")}, ("died",)),
            Form(
                "fvc",
                {
                    **_CAPACITY,
                    "unit": ("forcedvitalcapacityunits",),
                    "day_text": ("forcedvitalcapacitydelta",),
                },
                ("l1", "day_text"),
            ),
            Form(
                "svc",
                {**_CAPACITY, "unit": ("slowvitalcapacityunits",), "day_text": ("slowvitalcapacitydelta",)},
                ("l1", "day_text"),
            ),
            Form(
                "vitalsigns",
                {
                    "weight": ("weight",),
                    "weight_unit": ("weightunits", "weightunit"),
                    "height": ("height",),
                    "height_unit": ("heightunits", "heightunit"),
                    "systolic": ("bloodpressuresystolic", "systolicbloodpressure"),
                    "diastolic": ("bloodpressurediastolic", "diastolicbloodpressure"),
                    "pulse": ("pulse",),
                    "breaths": ("respiratoryrate",),
                    "temperature": ("temperature",),
                    "temperature_unit": ("temperatureunits", "temperatureunit"),
                    "day_text": ("vitalsignsdelta",),
                },
                ("weight", "day_text"),
            ),
            Form("handgripstrength", _STRENGTH, ("result", "day_text")),
            Form("musclestrength", _STRENGTH, ("result", "location", "day_text")),
            Form("labs", _TEST, ("test", "result", "day_text")),
            Form(
                "neurofilament",
                {
                    "test": ("matrix",),
                    "result": ("result",),
                    "unit": ("unit", "units"),
                    "day_text": ("collectiondelta",),
                },
                ("test", "result", "day_text"),
            ),
            Form("riluzole", {"used": ("subjectusedriluzole",)}, ("used",)),
            Form("treatment", {"arm": ("studyarm",)}, ("arm",)),
            Form("elescorial", {"criteria": ("elescorial",)}, ("criteria",)),
            Form("familyhistory", {}),
            Form("conmeds", {"day_text": ("startdelta",)}, ("day_text",)),
            Form("adverseevents", {"day_text": ("startdatedelta",)}, ("day_text",)),
        )
    }
)
MAIN = ("alsfrs", "alshistory", "demographics", "deathdata", "fvc", "svc", "vitalsigns")
"""Forms whose absence is told."""


def files(folder: Path) -> dict[str, Path]:
    """The form files of an export, looked for in the folder and one level below.

    Raises
    ------
    NotReadable
        If the folder holds no form, or a form twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotReadable("no such folder", where=str(folder))
    found: dict[str, Path] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        matched = FILE.match(path.name)
        if not matched or not path.is_file():
            continue
        name = plain(matched.group(1))
        if name not in FORMS:
            continue
        if name in found:
            raise NotReadable(
                f"holds the form {name} twice ({found[name].name}, {path.name})",
                where=str(folder),
                mend="give the folder of one release",
            )
        found[name] = path
    if not found:
        raise NotReadable(
            "holds no PRO-ACT form",
            where=str(folder),
            mend="files are named PROACT_ALSFRS.csv, F_PROACT_FVC.csv ...",
        )
    return found


def load_form(stage: Stage, name: str, path: Path) -> Sheet:
    """Read a form into ``NAME_raw`` under our column names; absent columns are null."""
    form = FORMS[name]
    sheet = look(path, stage.scratch)
    spelt = {spelling: ours for ours, spellings in form.columns.items() for spelling in spellings}
    spelt["subjectid"] = "subject_text"
    names: list[str] = []
    for column in sheet.columns:
        ours = spelt.get(plain(column), "")
        names.append("" if ours in names else ours)
        if not ours and FOLLOW_UP.search(column):
            stage.hit_once("follow_up_column", sheet.name, column)
    if "subject_text" not in names:
        raise NotReadable("has no column subject_id", where=str(path))
    load(stage, sheet, f"{name}_raw", names)
    for ours in form.columns:
        if ours not in names:
            stage.run(f"ALTER TABLE {name}_raw ADD COLUMN {ours} VARCHAR")
            if ours in form.needed:
                stage.hit_once("column_missing", sheet.name, FORMS[name].columns[ours][0])
    return sheet


def plain(text: str) -> str:
    """Letters and digits in lower case: how spellings are compared.

    Examples
    --------
    >>> plain("Subject_Liters__Trial_2_")
    'subjectliterstrial2'
    """
    return re.sub(r"[^a-z0-9]", "", text.lower())
