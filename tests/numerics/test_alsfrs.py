"""ALSFRS-R: totals, stages by their published rules, and what missing items leave open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.alsfrs import (
    ITEMS,
    affected_regions,
    kings,
    mitos,
    progression_rate,
    subscores,
    ten_item_total,
    total,
)

NO = np.array([False])


def visit(**scores: float) -> np.ndarray:
    items = np.full((1, 12), 4.0)
    for name, score in scores.items():
        items[0, ITEMS.index(name)] = score
    return items


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_subscores_add_up(scores: list[int]) -> None:
    items = np.array([scores], dtype=np.float64)
    assert sum(float(values[0]) for values in subscores(items).values()) == total(items)[0] == sum(scores)
    assert ten_item_total(items, np.array([2.0]))[0] == sum(scores[:9]) + 2
    stage = kings(items, NO)[0]
    assert stage in (1, 2, 3, 4)
    assert 0 <= mitos(items)[0] <= mitos(items, communication="or")[0] <= 4
    assert kings(items, np.array([True]))[0] == 4


def test_a_missing_item_leaves_the_total_open() -> None:
    items = visit(speech=np.nan)
    assert np.isnan(total(items))
    assert np.isnan(subscores(items)["bulbar"])
    assert subscores(items)["respiratory"] == 12


# Balendra 2014: regions bulbar (1-3), upper limb (4, 5), lower limb (8); 4 by breathing or gastrostomy.
@pytest.mark.parametrize(
    ("scores", "stage"),
    [
        ({}, 1),
        ({"salivation": 3}, 1),
        ({"climbing": 0, "dressing": 0, "turning": 0}, 1),
        ({"handwriting": 3, "walking": 2}, 2),
        ({"speech": 3, "cutting": 3, "walking": 3}, 3),
        ({"dyspnea": 0}, 4),
        ({"dyspnea": 1}, 1),
        ({"respiratory_insufficiency": 3}, 4),
        ({"orthopnea": 0}, 1),
        ({"dyspnea": 0, "speech": np.nan}, 4),
        ({"walking": np.nan}, np.nan),
        ({"speech": 2, "salivation": np.nan}, 1),
        ({"respiratory_insufficiency": np.nan}, np.nan),
    ],
)
def test_kings_stage(scores: dict[str, float], stage: float) -> None:
    np.testing.assert_equal(kings(visit(**scores), NO), [stage])


def test_no_region_is_stage_one_or_nought_by_choice() -> None:
    assert affected_regions(visit()) == 0
    assert kings(visit(), NO, without_region=0) == 0
    assert kings(visit(speech=3), NO, without_region=0) == 1


# Chio 2015: walking or self-care, swallowing, communication, breathing.
@pytest.mark.parametrize(
    ("scores", "both", "either"),
    [
        ({}, 0, 0),
        ({"walking": 1}, 1, 1),
        ({"dressing": 1, "walking": 0}, 1, 1),
        ({"swallowing": 1}, 1, 1),
        ({"speech": 1}, 0, 1),
        ({"handwriting": 0}, 0, 1),
        ({"speech": 1, "handwriting": 1}, 1, 1),
        ({"dyspnea": 1}, 1, 1),
        ({"respiratory_insufficiency": 2}, 1, 1),
        ({"respiratory_insufficiency": 3}, 0, 0),
        (dict.fromkeys(ITEMS, 0), 4, 4),
        ({"speech": np.nan}, 0, np.nan),
        ({"speech": np.nan, "handwriting": 1}, np.nan, 1),
        ({"walking": np.nan, "dressing": 1}, 1, 1),
    ],
)
def test_mitos_stage(scores: dict[str, float], both: float, either: float) -> None:
    np.testing.assert_equal(mitos(visit(**scores)), [both])
    np.testing.assert_equal(mitos(visit(**scores), communication="or"), [either])


def test_the_rate_does_not_explode() -> None:
    rate = progression_rate(np.array([36.0, 47.0, 30.0, 40.0]), np.array([12.0, 0.5, np.nan, 10.0]))
    np.testing.assert_equal(rate, [1.0, np.nan, np.nan, 0.8])
    with pytest.raises(ValueError, match="communication"):
        mitos(visit(), communication="xor")
