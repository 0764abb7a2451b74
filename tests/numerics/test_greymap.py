"""Inverse grey maps: exact at the targets, refused outside, intervals by simulation."""

import numpy as np
import pytest

from myoproof.numerics.greymap import GreyMap, to_db

TARGETS = GreyMap(
    np.array([30.0, 70.0, 130.0]),
    np.array([1.0, 0.8, 1.2]),
    np.array([-12.0, 0.0, 12.0]),
    np.array([0.3, 0.1, 0.3]),
)


@pytest.mark.parametrize(
    ("grey", "db"), [(30.0, -12.0), (70.0, 0.0), (130.0, 12.0), (50.0, -6.0), (100.0, 6.0)]
)
def test_linear_between_targets(grey: float, db: float) -> None:
    assert to_db(TARGETS, grey)[0] == pytest.approx(db)


@pytest.mark.parametrize("grey", [29.9, 130.1])
def test_nothing_is_extrapolated(grey: float) -> None:
    assert all(np.isnan(to_db(TARGETS, grey)))


def test_interval_is_that_of_simulated_errors() -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    grey = TARGETS.grey + rng.normal(size=(n, 3)) * TARGETS.grey_se
    db = TARGETS.db + rng.normal(size=(n, 3)) * TARGETS.db_sd
    seen = 95 + rng.normal(size=n) * 2.0 / 1.959964
    made = [np.interp(one, g, d) for one, g, d in zip(seen, grey, db, strict=True)]
    value, low, high = to_db(TARGETS, 95.0, 2.0)
    assert value == pytest.approx(np.mean(made), abs=0.01)
    assert (high - low) / 2 / 1.959964 == pytest.approx(np.std(made), rel=0.02)
