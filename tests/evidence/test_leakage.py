"""The leak audit: silent on a clean analysis, loud on a planted leak."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.evidence.leakage import check
from myoproof.numerics.folds import folds

LABELS = np.tile([0, 1], 30)


def nearest_mean(values: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator) -> float:
    """Cross-validated accuracy of the nearest class mean."""
    hits = []
    for fold in folds(np.arange(len(labels)), rng=rng, strata=labels):
        means = [values[fold.train][labels[fold.train] == k].mean(axis=0) for k in (0, 1)]
        away = [((values[fold.test] - mean) ** 2).sum(axis=1) for mean in means]
        hits.append(((away[1] < away[0]) == labels[fold.test]).mean())
    return float(np.mean(hits))


def test_clean_analysis_scores_chance() -> None:
    values = np.random.default_rng(0).normal(size=(60, 5))
    rows = check(
        lambda y, g: nearest_mean(values, y, rng=g), LABELS, rng=np.random.default_rng(1), repeats=300
    )
    assert rows["value"].iloc[0] == pytest.approx(0.5, abs=0.02)
    assert rows["verdict"].iloc[0] in ("pass", "inconclusive")


def test_selection_before_the_split_is_caught() -> None:
    values = np.random.default_rng(0).normal(size=(60, 300))

    def leaky(labels: np.ndarray, rng: np.random.Generator) -> float:
        gap = np.abs(values[labels == 1].mean(axis=0) - values[labels == 0].mean(axis=0))
        return nearest_mean(values[:, np.argsort(gap)[-10:]], labels, rng=rng)

    row = check(leaky, LABELS, rng=np.random.default_rng(1), repeats=30).iloc[0]
    assert row["verdict"] == "fail"
    assert row["low"] > 0.6


def test_same_seed_same_row_and_too_little_is_refused() -> None:
    def noise(labels: np.ndarray, rng: np.random.Generator) -> float:
        return float(0.5 + 0.01 * rng.standard_normal())

    one, two = (check(noise, LABELS, rng=np.random.default_rng(3), repeats=20) for _ in range(2))
    assert one.equals(two)
    with pytest.raises(InvalidInput, match="too little"):
        check(noise, LABELS, rng=np.random.default_rng(3), repeats=5)
    with pytest.raises(InvalidInput, match="not finite"):
        check(lambda *_: float("nan"), LABELS, rng=np.random.default_rng(3), repeats=20)
