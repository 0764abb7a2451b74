"""Areas under the ROC curve: against scikit-learn, DeLong's variance against resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from myoproof.errors import InvalidInput
from myoproof.numerics.roc import area, area_difference


@given(st.integers(0, 10_000), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_area_is_that_of_scikit_learn_with_ties(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    ill = np.r_[True, False, rng.random(40) < 0.4]
    scores = rng.integers(0, levels, 42).astype(float)
    assert area(scores, ill).value == pytest.approx(roc_auc_score(ill, scores))


def test_standard_errors_are_those_of_resampling() -> None:
    rng = np.random.default_rng(0)
    ones, differences = [], []
    for _ in range(600):
        ill = np.arange(80) < 35
        base = rng.normal(size=80) + 0.9 * ill
        other = base + rng.normal(size=80)
        made = area(base, ill)
        ones.append((made.value, made.se))
        gap = area_difference(base, other, ill)
        differences.append((gap.value, gap.se))
    for found in (np.array(ones), np.array(differences)):
        assert np.mean(found[:, 1]) == pytest.approx(np.std(found[:, 0], ddof=1), rel=0.1)


def test_a_difference_is_antisymmetric_and_zero_with_itself() -> None:
    rng = np.random.default_rng(1)
    ill = rng.random(50) < 0.5
    one, other = rng.normal(size=(2, 50))
    assert area_difference(one, one, ill).value == 0
    assert area_difference(one, other, ill).value == pytest.approx(-area_difference(other, one, ill).value)


def test_perfect_scores_and_single_groups() -> None:
    ill = np.array([False, False, True, True])
    assert area(np.arange(4.0), ill).value == 1
    with pytest.raises(InvalidInput, match="0 ill and 4 well"):
        area(np.arange(4.0), np.zeros(4, bool))
