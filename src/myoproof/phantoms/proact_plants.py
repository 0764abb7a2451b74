"""The traps of import planted in a simulated export, each in patients of its own, with its count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]
DATED = {
    "ALSFRS": "ALSFRS_Delta",
    "FVC": "Forced_Vital_Capacity_Delta",
    "SVC": "Slow_vital_Capacity_Delta",
    "VITALSIGNS": "Vital_Signs_Delta",
    "HANDGRIPSTRENGTH": "MS_Delta",
    "MUSCLESTRENGTH": "MS_Delta",
}
Q5A, Q5B = "Q5a_Cutting_without_Gastrostomy", "Q5b_Cutting_with_Gastrostomy"
REVISED = ("R_1_Dyspnea", "R_2_Orthopnea", "R_3_Respiratory_Insufficiency")
FIRST_NINE = (
    "Q1_Speech", "Q2_Salivation", "Q3_Swallowing", "Q4_Handwriting", Q5A, "Q6_Dressing_and_Hygiene",
    "Q7_Turning_in_Bed", "Q8_Walking", "Q9_Climbing_Stairs",
)  # fmt: skip


@dataclass(slots=True)
class Field:
    """An export while traps are being planted.

    Parameters
    ----------
    forms : dict
        Form -> rows; changed in place, on copies.
    free : list of int
        Numbers of patients in whom nothing was planted yet.
    each : int
        Patients a trap.
    counts : dict
        Rule -> [rows, patients].
    """

    forms: dict[str, pd.DataFrame]
    free: list[int]
    each: int
    counts: dict[str, list[int]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)

    def take(self) -> list[int]:
        """Patients for one trap."""
        if len(self.free) < self.each:
            raise ValueError("too few patients to plant every trap in patients of its own")
        own = [self.free.pop() for _ in range(self.each)]
        self.touched |= set(own)
        return own

    def count(self, rule: str, rows: int, patients: int) -> None:
        """Enter what a rule must count."""
        held = self.counts.setdefault(rule, [0, 0])
        held[0] += rows
        held[1] += patients

    def rows(self, form: str, who: list[int], place: int | None = None) -> pd.Index:
        """Rows of some patients: all, or the one at a place in each patient's rows."""
        frame = self.forms[form]
        own = frame[frame["subject_id"].isin(who)]
        if place is None:
            return own.index
        picked = own.groupby("subject_id", sort=False).nth(place)
        return picked.index

    def set(self, form: str, rows: pd.Index, column: str, value: Any) -> None:
        """Write a value, or one a row."""
        frame = self.forms[form]
        frame[column] = frame[column].astype(object)
        frame.loc[rows, column] = value

    def append(self, form: str, rows: pd.DataFrame) -> None:
        """Put rows at the end of a form."""
        self.forms[form] = pd.concat(
            [self.forms[form].astype(object), rows.astype(object)], ignore_index=True
        )


@dataclass(frozen=True, slots=True)
class Planted:
    """Forms with traps, what the rules must count, and who was touched."""

    forms: Mapping[str, pd.DataFrame]
    counts: Mapping[str, tuple[int, int]]
    touched: frozenset[int]


def plant(forms: Mapping[str, pd.DataFrame], identifiers: Integers, each: int) -> Planted:
    """Plant every trap.

    Parameters
    ----------
    forms : mapping
        A clean export with all forms.
    identifiers : ndarray
        The registry's numbers; traps are planted in the first of them.
    each : int
        Patients a trap.

    Raises
    ------
    ValueError
        If there are too few patients.
    """
    ground = Field(
        {name: frame.copy() for name, frame in forms.items()}, list(map(int, identifiers[::-1])), each
    )
    for act in (_scale, _visits, _deaths, _history, _capacity, _body, _tests, _persons, _inputs):
        act(ground)
    _always(ground, len(identifiers))
    counts = {rule: (held[0], held[1]) for rule, held in ground.counts.items()}
    return Planted(ground.forms, counts, frozenset(ground.touched))


def _scale(ground: Field) -> None:
    m, visits = ground.each, ground.forms["ALSFRS"].groupby("subject_id").size().iloc[0]
    for rule in ("ten_item_scale", "both_scales"):
        who = ground.take()
        rows = ground.rows("ALSFRS", who)
        frame = ground.forms["ALSFRS"]
        ground.set("ALSFRS", rows, "Q10_Respiratory", 3)
        ground.set(
            "ALSFRS", rows, "ALSFRS_Total", frame.loc[rows, list(FIRST_NINE)].astype(int).sum(axis=1) + 3
        )
        if rule == "ten_item_scale":
            for column in (*REVISED, "ALSFRS_R_Total"):
                ground.set("ALSFRS", rows, column, None)
        ground.count(rule, m * visits, m)
    for rule, place in (("cutting_twice", 1), ("cutting_gastrostomy", -1)):
        rows = ground.rows("ALSFRS", ground.take(), place)
        ground.set("ALSFRS", rows, Q5B, ground.forms["ALSFRS"].loc[rows, Q5A])
        if rule == "cutting_gastrostomy":
            ground.set("ALSFRS", rows, Q5A, None)
        ground.count(rule, m, m)
    rows = ground.rows("ALSFRS", ground.take(), 2)
    ground.set("ALSFRS", rows, "ALSFRS_R_Total", ground.forms["ALSFRS"].loc[rows, "ALSFRS_R_Total"] + 2)
    ground.count("total_differs", m, m)


def _visits(ground: Field) -> None:
    m = ground.each
    ground.append("ALSFRS", ground.forms["ALSFRS"].loc[ground.rows("ALSFRS", ground.take(), 1)])
    ground.count("visit_repeated", m, m)
    other = ground.forms["ALSFRS"].loc[ground.rows("ALSFRS", ground.take(), 1)].copy()
    other["Q1_Speech"] = [0 if value else 4 for value in other["Q1_Speech"]]
    ground.append("ALSFRS", other)
    ground.count("visit_conflicting", m, m)
    ground.set("ALSFRS", ground.rows("ALSFRS", ground.take(), 0), "ALSFRS_Delta", -14)
    ground.count("before_enrolment", m, m)
    for rule, text in (("day_missing", None), ("day_impossible", "9999999")):
        ground.set("ALSFRS", ground.rows("ALSFRS", ground.take(), 2), "ALSFRS_Delta", text)
        ground.count(rule, m, m)


def _deaths(ground: Field) -> None:
    m = ground.each
    death = ground.forms["DEATHDATA"]
    ground.forms["DEATHDATA"] = death.drop(index=ground.rows("DEATHDATA", ground.take())).reset_index(
        drop=True
    )
    ground.count("vital_status_unknown", m, m)
    rows = ground.rows("DEATHDATA", ground.take())
    ground.set("DEATHDATA", rows, "Subject_Died", "Yes")
    ground.set("DEATHDATA", rows, "Death_Days", None)
    ground.count("death_day_missing", m, m)
    ground.append("DEATHDATA", ground.forms["DEATHDATA"].loc[ground.rows("DEATHDATA", ground.take())])
    ground.count("death_repeated", m, m)
    rows = ground.rows("DEATHDATA", ground.take())
    ground.set("DEATHDATA", rows, "Subject_Died", "Yes")
    ground.set("DEATHDATA", rows, "Death_Days", 4000)
    ground.append("DEATHDATA", ground.forms["DEATHDATA"].loc[rows].assign(Subject_Died="No", Death_Days=None))
    ground.count("death_conflicting", 2 * m, m)
    who = ground.take()
    rows = ground.rows("DEATHDATA", who)
    ground.set("DEATHDATA", rows, "Subject_Died", "Yes")
    last = ground.forms["ALSFRS"][ground.forms["ALSFRS"]["subject_id"].isin(who)].groupby("subject_id")[
        "ALSFRS_Delta"
    ]
    ground.set("DEATHDATA", rows, "Death_Days", list(last.max().loc[who] - 1))
    after = 0
    for form, column in DATED.items():
        frame = ground.forms[form]
        ends = frame["subject_id"].map(dict(zip(who, last.max().loc[who] - 1, strict=True)))
        after += int((pd.to_numeric(frame[column], errors="coerce") > ends.astype(float)).sum())
    ground.count("assessment_after_death", after, m)
    who = ground.take()
    rows = ground.rows("DEATHDATA", who)
    ground.set("DEATHDATA", rows, "Subject_Died", "No")
    ground.set("DEATHDATA", rows, "Death_Days", None)
    ground.append("LABS", ground.forms["LABS"].loc[ground.rows("LABS", who, 0)].assign(Laboratory_Delta=5000))
    ground.append(
        "CONMEDS", ground.forms["CONMEDS"].loc[ground.rows("CONMEDS", who)].assign(Start_Delta=1_000_000)
    )
    ground.count("late_record", 2 * m, m)


def _history(ground: Field) -> None:
    m = ground.each
    again = ground.forms["ALSHISTORY"].loc[ground.rows("ALSHISTORY", ground.take())]
    ground.append(
        "ALSHISTORY",
        again.assign(Symptom="Atrophy", Site_of_Onset=None, Onset_Delta=None, Diagnosis_Delta=None),
    )
    ground.count("history_rows", m, m)
    rows = ground.rows("ALSHISTORY", ground.take())
    ground.set("ALSHISTORY", rows, "Site_of_Onset", "Onset: Limb")
    ground.set("ALSHISTORY", rows, "Site_of_Onset___Bulbar", 1)
    ground.count("onset_site_conflicting", m, m)
    for rule, onset, diagnosis in (
        ("onset_after_diagnosis", -100, -200),
        ("onset_after_enrolment", 40, -5),
        ("diagnosis_after_enrolment", -300, 20),
        ("onset_too_recent", -10, -5),
    ):
        rows = ground.rows("ALSHISTORY", ground.take())
        ground.set("ALSHISTORY", rows, "Onset_Delta", onset)
        ground.set("ALSHISTORY", rows, "Diagnosis_Delta", diagnosis)
        ground.count(rule, m, m)


def _capacity(ground: Field) -> None:
    m = ground.each
    percent = "pct_of_Normal_Trial_1"
    for rule, columns in (
        ("percent_from_litres", (percent,)),
        ("percent_unknown", (percent, "subject_normal")),
        ("capacity_unit_missing", ("Forced_Vital_Capacity_Units",)),
    ):
        rows = ground.rows("FVC", ground.take(), 0)
        for column in columns:
            ground.set("FVC", rows, column, None)
        ground.count(rule, m, m)
    frame = ground.forms["FVC"]
    ground.forms["FVC"] = frame.drop(index=ground.rows("FVC", ground.take())).reset_index(drop=True)
    ground.count("slow_only", m, m)
    for one in ground.take():
        first, second = ground.rows("FVC", [one])[:2]
        order = list(range(len(ground.forms["FVC"])))
        order[first], order[second] = order[second], order[first]
        ground.forms["FVC"] = ground.forms["FVC"].iloc[order].reset_index(drop=True)
    ground.count("file_order", m, m)


def _body(ground: Field) -> None:
    m = ground.each
    acts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("weight_impossible", {"Weight": 7.5}),
        ("height_in_inches", {"Height": 66}),
        ("height_impossible", {"Height": 20}),
        ("units_mixed", {"Weight": 160, "Weight_Units": "Pounds"}),
        ("units_mixed", {"Height": 66, "Height_Units": "Inches"}),
        ("unit_missing", {"Weight_Units": None}),
        ("unit_unknown", {"Weight_Units": "parsec"}),
        ("value_out_of_range", {"Pulse": 900}),
    )
    for rule, cells in acts:
        rows = ground.rows("VITALSIGNS", ground.take(), 0)
        for column, value in cells.items():
            ground.set("VITALSIGNS", rows, column, value)
        ground.count(rule, m, m)
    ground.count("units_mixed", m, m)  # a unit that is not known is another unit too


def _tests(ground: Field) -> None:
    m = ground.each
    for rule, column, value in (
        ("laboratory_bound", "Test_Result", "< 20"),
        ("laboratory_text", "Test_Result", "clear"),
        ("laboratory_unread", "Test_Name", "Urine Colour"),
    ):
        ground.set("LABS", ground.rows("LABS", ground.take(), 0), column, value)
        ground.count(rule, m, m)
    ground.set("HANDGRIPSTRENGTH", ground.rows("HANDGRIPSTRENGTH", ground.take(), 0), "Test_trial", None)
    ground.count("strength_trial_missing", m, m)
    ground.set(
        "MUSCLESTRENGTH", ground.rows("MUSCLESTRENGTH", ground.take(), 0), "Test_Location", "JAW JOINT"
    )
    ground.count("strength_unread", m, m)
    ground.count("strength_in_pounds", -m, 0)


def _persons(ground: Field) -> None:
    m = ground.each
    for rule, form in (("riluzole_unknown", "RILUZOLE"), ("arm_unknown", "TREATMENT")):
        frame = ground.forms[form]
        ground.forms[form] = frame.drop(index=ground.rows(form, ground.take())).reset_index(drop=True)
        ground.count(rule, m, m)
    for rule, column, value in (
        ("age_missing", "Age", None),
        ("value_out_of_range", "Age", 430),
        ("value_unknown", "Sex", "X"),
    ):
        ground.set("DEMOGRAPHICS", ground.rows("DEMOGRAPHICS", ground.take()), column, value)
        ground.count(rule, m, m)
    ground.append(
        "DEMOGRAPHICS", ground.forms["DEMOGRAPHICS"].loc[ground.rows("DEMOGRAPHICS", ground.take())]
    )
    ground.count("subject_repeated", m, m)
    again = ground.forms["DEMOGRAPHICS"].loc[ground.rows("DEMOGRAPHICS", ground.take())]
    ground.append(
        "DEMOGRAPHICS", again.assign(Sex=["Male" if sex == "Female" else "Female" for sex in again["Sex"]])
    )
    ground.count("subject_conflicting", m, m)


def _inputs(ground: Field) -> None:
    m = ground.each
    rows = ground.rows("ALSFRS", ground.take(), 1)
    ground.set("ALSFRS", rows, "Q1_Speech", 7)
    ground.count("item_out_of_range", m, m)
    nobody = ground.forms["ALSFRS"].loc[ground.rows("ALSFRS", ground.take(), 1)]
    ground.append("ALSFRS", nobody.assign(subject_id=None))
    ground.count("subject_missing", m, 0)
    mean = pd.to_numeric(ground.forms["ALSFRS"]["ALSFRS_R_Total"]).groupby(
        ground.forms["ALSFRS"]["subject_id"]
    )
    ground.forms["ALSFRS"] = ground.forms["ALSFRS"].assign(
        mean_ALSFRS_R_Total=mean.transform("mean").round(2)
    )
    ground.count("follow_up_column", 1, 0)


def _always(ground: Field, n: int) -> None:
    """What the plants changed in the counts of things that are always so."""
    m = ground.each
    ground.count("entered_late", n - 3 * m, n - 3 * m)
    frames = [ground.forms[name] for name in ("FVC", "SVC")]
    ended = ground.forms["DEATHDATA"]
    days = (
        pd.to_numeric(ended["Death_Days"])
        .where(ended["Subject_Died"] == "Yes")
        .groupby(ended["subject_id"])
        .agg(lambda group: group.iloc[0] if group.nunique(dropna=False) == 1 else np.nan)
    )
    told = 0
    for frame, column in zip(
        frames, ("Forced_Vital_Capacity_Delta", "Slow_vital_Capacity_Delta"), strict=True
    ):
        end = frame["subject_id"].map(days).fillna(np.inf).astype(float)
        told += int((frame["pct_of_Normal_Trial_1"].notna() & (frame[column].astype(float) <= end)).sum())
    ground.count("reference_equation_unknown", told, n)
    pounds = 0
    who: set[int] = set()
    for name in ("HANDGRIPSTRENGTH", "MUSCLESTRENGTH"):
        frame = ground.forms[name]
        end = frame["subject_id"].map(days).fillna(np.inf).astype(float)
        kept = frame[frame["MS_Delta"].astype(float) <= end]
        pounds += len(kept)
        who |= set(kept["subject_id"])
    ground.count("strength_in_pounds", pounds, len(who))
