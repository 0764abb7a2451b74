"""Asymmetry: its sign, its bounds, its interval against simulated errors."""

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.table import from_rows
from myoproof.errors import InvalidInput
from myoproof.measures import asymmetry
from myoproof.registry import REGISTRY, load, load_module
from myoproof.vocabulary.lookup import words


def sides(measure: str, left: dict, right: dict, at: str = "") -> pd.DataFrame:
    start = {"subject": "s", "site": "soleus", "measure": measure, "method": "dixon", "at": at}
    return from_rows([{**start, "side": "left", **left}, {**start, "side": "right", **right}])


def known(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half, "level": 0.95}


@given(st.floats(1, 1e4), st.floats(1, 1e4))
@settings(max_examples=10, deadline=None)
def test_exchanged_sides_change_the_sign_and_sizes_stay_within_two(left, right) -> None:
    ours = asymmetry.derive(sides("volume", {"value": left}, {"value": right}))["value"].iloc[0]
    theirs = asymmetry.derive(sides("volume", {"value": right}, {"value": left}))["value"].iloc[0]
    assert ours == pytest.approx(-theirs)
    assert -2 <= ours <= 2
    scaled = asymmetry.derive(sides("volume", {"value": 3 * left}, {"value": 3 * right}))["value"].iloc[0]
    assert scaled == pytest.approx(ours)


def test_the_interval_is_that_of_simulated_independent_errors() -> None:
    row = asymmetry.derive(sides("volume", known(120.0, 6.0), known(100.0, 4.0))).iloc[0]
    rng = np.random.default_rng(0)
    left, right = 120 + rng.normal(size=200_000) * 6 / 1.96, 100 + rng.normal(size=200_000) * 4 / 1.96
    low, high = np.quantile(2 * (left - right) / (left + right), [0.025, 0.975])
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.002)
    fat = asymmetry.derive(sides("fat_fraction", known(0.2, 0.03), known(0.1, 0.04))).iloc[0]
    assert fat["value"] == pytest.approx(0.1)
    assert (fat["low"], fat["high"]) == pytest.approx((0.05, 0.15))
    assert fat["measure"] == "fat_fraction_asymmetry"
    assert fat["method"] == "asymmetry:dixon"
    assert fat["side"] == "both"


def test_one_absent_side_makes_an_absent_row_and_flags_are_joined() -> None:
    left = {"value": 1.0, "flags": "noise_floor", "quality": "warn"}
    gone = asymmetry.derive(sides("volume", left, {"absent": "empty_label", "flags": "empty_label"}))
    assert gone["absent"].tolist() == ["empty_label"]
    assert gone["flags"].tolist() == ["empty_label;noise_floor"]
    assert gone["quality"].tolist() == ["warn"]
    nothing = asymmetry.derive(sides("volume", {"value": 0.0}, {"value": 0.0}))
    assert nothing["absent"].tolist() == ["not_defined"]


def test_slices_and_other_measures_are_left_out_unless_asked_for() -> None:
    rows = sides("volume", {"value": 1.0}, {"value": 2.0}, at="slice:3")
    assert len(asymmetry.derive(rows)) == 0
    assert len(asymmetry.derive(rows, params=asymmetry.Params(slices=True))) == 1
    assert len(asymmetry.derive(sides("thickness", {"value": 1.0}, {"value": 2.0}))) == 0


@pytest.mark.parametrize("name", list(REGISTRY["derivations"]))
def test_every_derivation_fits_its_contract_and_leaves_its_rows_alone(name) -> None:
    parameters = inspect.signature(load("derivations", name)).parameters
    assert list(parameters) == ["rows", "cohort", "params"]
    assert parameters["params"].kind is inspect.Parameter.KEYWORD_ONLY
    module = load_module("derivations", name)
    assert isinstance(module.METHOD, str)
    assert isinstance(module.METHOD_VERSION, int)
    rows = pd.concat(
        [
            sides("volume", known(9.0, 1.0), known(8.0, 1.0)),
            sides("fat_fraction", known(0.2, 0.1), known(0.3, 0.1)),
        ],
        ignore_index=True,
    )
    before = rows.copy()
    if name == "zscore":
        with pytest.raises(InvalidInput, match="need norms and a cohort"):
            load("derivations", name)(rows)
        pd.testing.assert_frame_equal(rows, before)
        return
    found = load("derivations", name)(rows)
    pd.testing.assert_frame_equal(rows, before)
    none = {"clinical", "heckmatt"}
    assert len(found) == (0 if name in none else 2), "no clinical scores or grey levels among volumes"
    assert found["value"].notna().all()
    assert set(found["measure"]) <= set(words("measures"))
    assert len(load("derivations", name)(rows.iloc[:0])) == 0
