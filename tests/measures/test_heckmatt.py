"""Suggested Heckmatt grades: what z and bone say, and when nothing is said."""

import numpy as np
import pandas as pd
import pytest

from myoproof.core.table import from_rows
from myoproof.measures.heckmatt import Params, derive

PLAIN = Params()


def graded(
    z: float | None, bone: float | None = None, *, params: Params = PLAIN, **more: object
) -> pd.Series:
    start = {"subject": "s", "site": "biceps_brachii", "side": "left", "modality": "ultrasound"}
    rows = [{**start, "measure": "echogenicity", "method": "echogenicity:whole", "value": 80.0}]
    if z is not None:
        rows.append(
            {**start, "measure": "echogenicity_z", "method": "zscore:echogenicity:whole", "value": z, **more}
        )
    if bone is not None:
        rows.append({**start, "measure": "bone_echo", "method": "echogenicity:whole", "value": bone})
    made = derive(from_rows(rows), params=params)
    assert len(made) == 1
    return made.iloc[0]


@pytest.mark.parametrize(
    ("z", "bone", "grade"),
    [
        (0.5, 100, 1),
        (0.5, 5, 1),
        (3, 100, 2),
        (3, 40, 3),
        (8, 100, 2),
        (3, 5, 4),
        (3, None, 2),
        (5, None, 3),
        (7, None, 4),
    ],
)
def test_grades(z: float, bone: float | None, grade: int) -> None:
    own = graded(z, bone)
    assert own["value"] == grade
    assert own["flags"] == "informational"


def test_the_interval_of_z_is_that_of_the_grade() -> None:
    own = graded(3.0, low=1.0, high=4.5, level=0.95)
    assert (own["low"], own["value"], own["high"]) == (1, 2, 3)


def test_without_a_norm_nothing_is_suggested_unless_a_limit_in_grey_is_given() -> None:
    assert graded(None)["absent"] == "no_norm"
    assert graded(np.nan, absent="unknown_device")["absent"] == "unknown_device"
    limit = Params(grey_raised=75.0)
    assert graded(None, 40, params=limit)["value"] == 3
    assert graded(None, params=limit)["absent"] == "not_imaged"
    assert graded(None, params=Params(grey_raised=85.0))["value"] == 1
