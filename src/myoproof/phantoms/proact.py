"""A simulated registry export in the shape of PRO-ACT, with every trap of import planted at known counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.phantoms.people import DAYS_PER_MONTH, People, draw_people, lost_points
from myoproof.phantoms.proact_plants import Planted, plant
from myoproof.phantoms.proact_tests import laboratory, strength

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ITEMS = (
    "Q1_Speech", "Q2_Salivation", "Q3_Swallowing", "Q4_Handwriting", "Q5a_Cutting_without_Gastrostomy",
    "Q6_Dressing_and_Hygiene", "Q7_Turning_in_Bed", "Q8_Walking", "Q9_Climbing_Stairs", "R_1_Dyspnea",
    "R_2_Orthopnea", "R_3_Respiratory_Insufficiency",
)  # fmt: skip
"""The twelve items of ALSFRS-R under the export's names, in the order of the scale."""
FORMS = (
    "ALSFRS", "ALSHISTORY", "DEMOGRAPHICS", "DEATHDATA", "FVC", "SVC", "VITALSIGNS", "HANDGRIPSTRENGTH",
    "MUSCLESTRENGTH", "LABS", "RILUZOLE", "TREATMENT", "ELESCORIAL", "CONMEDS", "ADVERSEEVENTS",
    "Neurofilament",
)  # fmt: skip
VISIT_EVERY_DAYS = 61
JITTER_DAYS = 7
BULBAR_WEIGHT, OTHER_WEIGHT = 2.0, 1.0
"""How much faster the region of onset loses its points."""
RESPIRATORY_WEIGHTS = (0.5, 0.5, 0.15)
"""Breathing is lost late, ventilation later still."""


@dataclass(frozen=True, slots=True)
class ProactParams:
    """Size and shape of the export.

    Parameters
    ----------
    patients, visits : int
        How many patients, and visits of each.
    each : int
        Patients a trap is planted in; 0 gives a clean export.
    forms : tuple of str
        Which forms are written.
    """

    patients: int = 300
    visits: int = 6
    each: int = 3
    forms: tuple[str, ...] = FORMS


@dataclass(frozen=True, slots=True)
class Export:
    """A simulated export.

    Parameters
    ----------
    forms : mapping
        Form -> its rows, as text and numbers.
    planted : mapping
        Rule of import -> (rows, patients) it must count; a rule that is not named must count none.
    items : ndarray of int64, shape (patients, visits, 12)
        The true items, before anything was planted.
    days : ndarray of int64, shape (patients, visits)
        Days since enrolment.
    identifiers : ndarray of int64, shape (patients,)
        The registry's numbers.
    touched : frozenset of int
        Numbers of patients in whom something was planted.
    """

    forms: Mapping[str, pd.DataFrame]
    planted: Mapping[str, tuple[int, int]]
    items: Integers = field(repr=False)
    days: Integers = field(repr=False)
    identifiers: Integers = field(repr=False)
    touched: frozenset[int] = field(repr=False)


def export(*, rng: np.random.Generator, params: ProactParams = ProactParams()) -> Export:
    """Simulate an export.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : ProactParams
        Size and shape.

    Returns
    -------
    Export
        Patients lose points of ALSFRS-R at a decelerating rate, faster in the region of onset, with vital
        capacity, strength and weight in step. Nothing of it comes from a real patient.

    Raises
    ------
    ValueError
        If there are too few patients to plant every trap in patients of its own.
    """
    n, visits = params.patients, params.visits
    people = draw_people(n, rng=rng)
    identifiers = np.sort(rng.choice(90 * max(n, 1000), size=n, replace=False)) + 1000
    days = VISIT_EVERY_DAYS * np.arange(visits) + rng.integers(-JITTER_DAYS, JITTER_DAYS + 1, (n, visits))
    days[:, 0] = 0
    onset = np.minimum(people.onset_day, -90).astype(np.int64)
    months = (days - onset[:, None]) / DAYS_PER_MONTH
    items = _items(people, months, rng=rng)
    forms = {"ALSFRS": _alsfrs(identifiers, days, items)}
    forms |= _persons(people, identifiers, onset, days, rng=rng)
    forms |= _body(people, identifiers, days, items, rng=rng)
    last = days[:, -1]
    if set(params.forms) & {"HANDGRIPSTRENGTH", "MUSCLESTRENGTH"}:
        forms |= strength(identifiers, days, rng=rng)
    if set(params.forms) & {"LABS", "CONMEDS", "ADVERSEEVENTS", "Neurofilament"}:
        forms |= laboratory(identifiers, last, rng=rng)
    forms = {name: forms[name] for name in params.forms}
    planted = plant(forms, identifiers, params.each) if params.each else Planted(forms, {}, frozenset())
    counts = {**_plain_counts(planted.forms, n), **planted.counts}
    return Export(planted.forms, counts, items, days, identifiers, planted.touched)


def write(exported: Export, folder: Path, *, prefix: str = "PROACT_", mark: bool = False) -> list[Path]:
    """Write an export as CSV files.

    Parameters
    ----------
    exported : Export
        As :func:`export` gave it.
    folder : Path
        Where to.
    prefix : str
        ``PROACT_`` as in releases to 2025, ``F_PROACT_`` as in later ones.
    mark : bool
        A byte order mark at the start, as in the releases.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    paths = []
    for name, frame in exported.forms.items():
        path = folder / f"{prefix}{name}.csv"
        with atomic_path(path) as temporary:
            frame.to_csv(
                temporary, index=False, encoding="utf-8-sig" if mark else "utf-8", lineterminator="\n"
            )
        paths.append(path)
    return paths


def _items(people: People, months: Floats, *, rng: np.random.Generator) -> Integers:
    """Whole items 0 to 4, shape (n, visits, 12), that share the points lost."""
    lost = lost_points(people, months)
    weights = np.full((len(lost), 12), OTHER_WEIGHT)
    weights[:, :3] = np.where(people.bulbar[:, None], BULBAR_WEIGHT, OTHER_WEIGHT)
    weights[:, 9:] = RESPIRATORY_WEIGHTS
    weights = weights * rng.uniform(0.5, 1.5, weights.shape)
    weights /= weights.sum(axis=1, keepdims=True)
    gone = np.floor(lost[:, :, None] * weights[:, None, :] + rng.random((len(lost), 1, 12)))
    return np.asarray(np.clip(4 - gone, 0, 4), dtype=np.int64)


def _alsfrs(identifiers: Integers, days: Integers, items: Integers) -> pd.DataFrame:
    visits = days.shape[1]
    flat = items.reshape(-1, 12)
    blank = np.full(len(flat), None, dtype=object)
    columns: dict[str, object] = {"subject_id": np.repeat(identifiers, visits)}
    for place, name in enumerate(ITEMS[:9]):
        columns[name] = flat[:, place]
        if name.startswith("Q5a"):
            columns["Q5b_Cutting_with_Gastrostomy"] = blank
    columns |= {"Q10_Respiratory": blank, "ALSFRS_Delta": days.ravel(), "ALSFRS_Total": blank}
    columns["ALSFRS_R_Total"] = flat.sum(axis=1)
    for place, name in enumerate(ITEMS[9:]):
        columns[name] = flat[:, 9 + place]
    columns["Mode_of_Administration"] = "In person"
    return pd.DataFrame(columns)


def _persons(
    people: People, identifiers: Integers, onset: Integers, days: Integers, *, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    n = len(identifiers)
    blank = np.full(n, None, dtype=object)
    age = np.round(people.age_years).astype(np.int64)
    demographics: dict[str, object] = {
        "Demographics_Delta": 0,
        "Age": age,
        "Sex": np.where(people.male, "Male", "Female"),
    }
    history: dict[str, object] = {
        "Subject_ALS_History_Delta": 0,
        "Symptom": "Weakness",
        "Site_of_Onset": np.where(people.bulbar, "Onset: Bulbar", "Onset: Limb"),
        "Site_of_Onset___Bulbar": blank,
        "Site_of_Onset___Limb": blank,
        "Onset_Delta": onset,
        "Diagnosis_Delta": (onset * rng.uniform(0.2, 0.8, n)).astype(np.int64),
    }
    died = rng.random(n) < 0.4
    day = days[:, -1] + rng.integers(10, 400, n)
    death: dict[str, object] = {
        "Subject_Died": np.where(died, "Yes", "No"),
        "Death_Days": np.where(died, day.astype(object), np.array(None)),
    }
    made: dict[str, dict[str, object]] = {
        "DEMOGRAPHICS": demographics,
        "ALSHISTORY": history,
        "DEATHDATA": death,
        "RILUZOLE": {"Subject_used_Riluzole": np.where(rng.random(n) < 0.6, "Yes", "No")},
        "TREATMENT": {
            "Study_Arm": np.where(rng.random(n) < 0.5, "Active", "Placebo"),
            "Treatment_Group_Delta": 0,
        },
        "ELESCORIAL": {"el_escorial": np.where(rng.random(n) < 0.3, "Definite", "Probable"), "delta_days": 0},
    }
    return {
        name: pd.DataFrame(dict([("subject_id", identifiers), *columns.items()]))
        for name, columns in made.items()
    }


def _body(
    people: People, identifiers: Integers, days: Integers, items: Integers, *, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    n, visits = days.shape
    height = np.where(people.male, 176, 163) + rng.integers(-12, 13, n)
    weight = people.body_mass_index * (height / 100) ** 2
    left = items.sum(axis=2) / 48
    share = np.clip(100 * (0.25 + 0.75 * left) + rng.normal(0, 4, (n, visits)), 15, 130)
    normal = np.round(np.where(people.male, 4.6, 3.4) + 0.02 * (height - 170), 2)
    litres = share / 100 * normal[:, None]
    who = np.repeat(identifiers, visits)
    flat = days.ravel()
    capacity = {
        "subject_id": who,
        "Subject_Liters_Trial_1": np.round(litres, 2).ravel(),
        "Subject_Liters_Trial_2": np.round(litres * 0.97, 2).ravel(),
        "pct_of_Normal_Trial_1": np.round(share, 1).ravel(),
    }
    forced = {**capacity, "subject_normal": np.repeat(normal, visits), "Forced_Vital_Capacity_Delta": flat,
              "Forced_Vital_Capacity_Units": "Liters"}  # fmt: skip
    spelt = {"Subject_Liters_Trial_2": "Subject_Liters__Trial_2_"}
    slow = {spelt.get(name, name): values for name, values in capacity.items()}
    slow |= {"Subject_Normal": np.repeat(normal, visits), "Slow_vital_Capacity_Delta": flat,
             "Slow_Vital_Capacity_Units": "Liters"}  # fmt: skip
    tall = np.full((n, visits), None, dtype=object)
    tall[:, 0] = height
    unit = np.full((n, visits), None, dtype=object)
    unit[:, 0] = "Centimeters"
    vitals = {
        "subject_id": who,
        "Vital_Signs_Delta": flat,
        "Weight": np.round(weight[:, None] * (0.85 + 0.15 * left), 1).ravel(),
        "Weight_Units": "Kilograms",
        "Height": tall.ravel(),
        "Height_Units": unit.ravel(),
        "Blood_Pressure_Systolic": rng.integers(100, 160, n * visits),
        "Blood_Pressure_Diastolic": rng.integers(60, 95, n * visits),
        "Pulse": rng.integers(55, 100, n * visits),
        "Respiratory_Rate": rng.integers(12, 22, n * visits),
    }
    return {"FVC": pd.DataFrame(forced), "SVC": pd.DataFrame(slow), "VITALSIGNS": pd.DataFrame(vitals)}


def _plain_counts(forms: Mapping[str, pd.DataFrame], n: int) -> dict[str, tuple[int, int]]:
    """What an export without planted traps makes the rules count: the things that are always so."""
    counts = {"trial_unknown": (1, 0)}
    if "ALSHISTORY" in forms:
        counts["entered_late"] = (n, n)
    missing = {"ALSFRS", "ALSHISTORY", "DEMOGRAPHICS", "DEATHDATA", "FVC", "SVC", "VITALSIGNS"} - set(forms)
    absent = {"DEATHDATA": "vital_status_unknown", "RILUZOLE": "riluzole_unknown", "TREATMENT": "arm_unknown",
              "DEMOGRAPHICS": "age_missing"}  # fmt: skip
    counts |= {rule: (n, n) for form, rule in absent.items() if form not in forms}
    if missing:
        counts["form_missing"] = (len(missing), 0)
    capacity = sum(len(forms[name]) for name in ("FVC", "SVC") if name in forms)
    if capacity:
        counts["reference_equation_unknown"] = (capacity, n)
    pounds = [forms[name] for name in ("HANDGRIPSTRENGTH", "MUSCLESTRENGTH") if name in forms]
    if pounds:
        who = pd.concat([frame["subject_id"] for frame in pounds])
        counts["strength_in_pounds"] = (len(who), who.nunique())
    return counts
