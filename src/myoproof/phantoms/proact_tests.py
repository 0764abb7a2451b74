"""Simulated strength and laboratory forms, and what trials record beside them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]
TRIALS = 2
LABORATORY = (("Creatinine", "umol/L", 40, 90), ("ALT(SGPT)", "IU/L", 10, 60), ("Albumin", "g/L", 35, 50))
"""Test, unit as the export writes it, lowest and highest simulated value."""


def strength(identifiers: Integers, days: Integers, *, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Grip of both hands and wrist extension of the right, two trials each, at the first and the last visit.

    Parameters
    ----------
    identifiers : ndarray, shape (n,)
        The registry's numbers.
    days : ndarray, shape (n, visits)
        Days since enrolment.
    rng : Generator
        The only source of randomness.
    """
    n = len(identifiers)
    when = days[:, [0, -1]] if days.shape[1] > 1 else days
    made = {}
    for name, sides in (("HANDGRIPSTRENGTH", ("Left", "Right")), ("MUSCLESTRENGTH", ("Right",))):
        shape = (n, when.shape[1], len(sides), TRIALS)
        grip = name == "HANDGRIPSTRENGTH"
        made[name] = pd.DataFrame(
            {
                "subject_id": np.broadcast_to(identifiers[:, None, None, None], shape).ravel(),
                "Test_Name": "Grip Strength" if grip else "Isometric Muscle Strength, Extension",
                "Test_Location": (
                    "HAND" if grip else np.resize(["WRIST JOINT", "WRISTJOINT"], int(np.prod(shape)))
                ),
                "Test_Laterality": np.broadcast_to(np.array(sides)[None, None, :, None], shape).ravel(),
                "Test_trial": np.broadcast_to(np.arange(1, TRIALS + 1), shape).ravel().astype(object),
                "Test_Result": np.round(rng.uniform(5, 90, shape), 1).ravel(),
                "Test_Unit": "Pounds",
                "MS_Delta": np.broadcast_to(when[:, :, None, None], shape).ravel(),
            }
        )
    return made


def laboratory(identifiers: Integers, last: Integers, *, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Three blood tests at enrolment, neurofilament, a drug and an adverse event a patient.

    Parameters
    ----------
    identifiers, last : ndarray, shape (n,)
        The registry's numbers, and the day of the last assessment.
    rng : Generator
        The only source of randomness.
    """
    n, tests = len(identifiers), len(LABORATORY)
    names, units = [test[0] for test in LABORATORY], [test[1] for test in LABORATORY]
    lows, highs = [test[2] for test in LABORATORY], [test[3] for test in LABORATORY]
    results = np.round(rng.uniform(lows, highs, (n, tests)), 1)
    labs = {
        "subject_id": np.repeat(identifiers, tests),
        "Laboratory_Delta": 0,
        "Test_Name": np.tile(names, n),
        "Test_Result": results.ravel().astype(str).astype(object),
        "Test_Unit": np.tile(units, n),
    }
    early = np.minimum(last, 10)
    chain = {"subject_id": identifiers, "Matrix": "SERUM", "Result": np.round(rng.lognormal(4, 0.6, n), 1)}
    return {
        "LABS": pd.DataFrame(labs),
        "Neurofilament": pd.DataFrame({**chain, "Collection_Delta": 0}),
        "CONMEDS": pd.DataFrame(
            {"subject_id": identifiers, "Medication_Coded": "BACLOFEN", "Start_Delta": 0, "Stop_Delta": early}
        ),
        "ADVERSEEVENTS": pd.DataFrame({"subject_id": identifiers, "Start_Date_Delta": early}),
    }
