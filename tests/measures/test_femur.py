"""Heights along the femur: where slices lie, what lies between them, and what cannot be told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures import femur

N = 9


def cone(flip: bool = False) -> tuple[Acquisition, Segmentation]:
    """A muscle whose radius grows by 1 mm a slice of 20 mm; slices from z = 100 mm, upwards or downwards."""
    x, y = np.meshgrid(np.arange(80) - 39.5, np.arange(80) - 39.5, indexing="ij")
    far = np.hypot(x, y)
    muscle = np.stack([far < 10 + k for k in range(N)], axis=2)
    muscle[:, :, :2] = False
    signal = np.where(far < 36, 1000.0, 0.0)[:, :, None] * np.ones(N)
    fraction = np.where(muscle, 0.2, 0.9)
    affine = np.diag([1.0, 1.0, 20.0, 1.0])
    affine[2, 3] = 100.0
    if flip:
        affine = np.diag([1.0, 1.0, -20.0, 1.0])
        affine[2, 3] = 100.0 + 20.0 * (N - 1)
        muscle, fraction = muscle[:, :, ::-1], fraction[:, :, ::-1]
    volume = Volume(
        {
            "fat": (signal * fraction).astype(np.float32),
            "water": (signal * (1 - fraction)).astype(np.float32),
        },
        affine,
    )
    regions = Segmentation(muscle.astype(np.uint16), affine, {1: ("soleus", "left")}, "r")
    return Acquisition("s", "m00", "", "dixon", volume), regions


def params(*positions: float) -> femur.Params:
    return femur.Params(femur_distal_mm=80.0, femur_proximal_mm=280.0, positions=positions)


def area(rows: pd.DataFrame, at: str) -> pd.Series:
    found = rows[
        (rows["at"] == at) & (rows["measure"] == "cross_sectional_area") & (rows["method"] == "dixon")
    ]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("flip", [False, True])
def test_a_slice_that_lies_at_a_position_is_taken_and_others_are_interpolated(flip) -> None:
    rows = femur.measure(*cone(flip), params=params(0.5, 0.55))
    here, above = (np.hypot(*np.indices((80, 80)) - 39.5) < radius for radius in (14, 15))
    assert area(rows, "femur:0.50")["value"] == pytest.approx(here.sum())  # z = 180 mm, slice 4
    assert area(rows, "femur:0.55")["value"] == pytest.approx((here.sum() + above.sum()) / 2)
    row = area(rows, "femur:0.55")
    assert row["low"] < row["value"] < row["high"]
    fat = rows[(rows["measure"] == "fat_fraction") & (rows["at"] == "femur:0.50")]
    assert fat["value"].iloc[0] == pytest.approx(0.2, abs=0.01)


def test_beyond_the_stack_and_beyond_the_muscle_are_told_apart() -> None:
    rows = femur.measure(*cone(), params=params(0.0, 0.15, 0.95, 1.0))
    assert area(rows, "femur:0.00")["absent"] == "out_of_domain"  # z = 80 mm, below the first slice
    assert area(rows, "femur:0.15")["absent"] == "empty_label"  # between slices that do not hold it
    assert area(rows, "femur:0.95")["absent"] == "out_of_domain" or area(rows, "femur:0.95")["value"] > 0
    assert area(rows, "femur:1.00")["absent"] == "out_of_domain"


def test_rows_that_were_measured_before_are_used() -> None:
    acquisition, regions = cone()
    own = pd.DataFrame(
        [{"subject": "s", "site": "soleus", "side": "left", "measure": "fat_fraction", "method": "other",
          "at": f"slice:{k}", "value": 0.1 * k, "low": 0.1 * k, "high": 0.1 * k + 0.05, "level": 0.95,
          "flags": "", "quality": "ok", "absent": "", "session": "", "run": "", "modality": "", "rater": "",
          "method_version": 3, "provenance": "p"} for k in range(N)]
    )  # fmt: skip
    rows = femur.measure(acquisition, regions, context=own, params=params(0.45))
    assert rows["method"].tolist() == ["other"]
    assert rows["value"].iloc[0] == pytest.approx(0.35)
    assert rows["high"].iloc[0] == pytest.approx(0.40)
    assert rows["method_version"].iloc[0] == 3


def test_heights_follow_the_affine() -> None:
    acquisition, _ = cone()
    turned = replace(acquisition.payload, affine=np.array(
        [[0, 0, 20.0, 0], [0, 1.0, 0, 0], [1.0, 0, 0, 7.0], [0, 0, 0, 1.0]]))  # fmt: skip
    assert femur.slice_heights_mm(turned) == pytest.approx(np.full(N, 39.5 + 7.0))


def test_unknown_or_exchanged_ends_and_odd_positions_are_refused() -> None:
    scan = cone()
    with pytest.raises(InvalidInput, match="not known; give femur_distal_mm"):
        femur.measure(*scan)
    with pytest.raises(InvalidInput, match="is not below"):
        femur.measure(*scan, params=femur.Params(280.0, 80.0))
    with pytest.raises(InvalidInput, match="no shares"):
        femur.measure(*scan, params=params(50.0))
    with pytest.raises(InvalidInput, match="table of rows"):
        femur.measure(*scan, context=3, params=params(0.5))
