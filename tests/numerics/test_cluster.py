"""Silhouette and adjusted Rand index against published values, scikit-learn and their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score, silhouette_score

from myoproof.errors import InvalidInput
from myoproof.numerics.cluster import adjusted_rand_index, silhouette
from myoproof.numerics.kmeans import kmeans

# iris, best of 50 starts, R 4.2.2: cluster::silhouette on raw and on scale()d columns.
RAW = {2: 0.681046, 3: 0.552819, 4: 0.498051, 5: 0.488749}
SCALED = {2: 0.581750, 3: 0.459948, 4: 0.383851, 5: 0.341947}


@pytest.mark.parametrize(("k", "width"), RAW.items())
def test_iris_silhouette_raw(k: int, width: float) -> None:
    x = load_iris().data
    assert silhouette(x, kmeans(x, k, rng=np.random.default_rng(1), n_starts=50).labels) == pytest.approx(
        width, abs=1e-6
    )


@pytest.mark.parametrize(("k", "width"), SCALED.items())
def test_iris_silhouette_scaled(k: int, width: float) -> None:
    x = load_iris().data
    z = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    found = kmeans(z, k, rng=np.random.default_rng(1), n_starts=500)  # k = 4 has near optima within 3e-6
    assert silhouette(z, found.labels) == pytest.approx(width, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_silhouette_agrees_with_scikit_learn(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x, labels = rng.standard_normal((30, 4)), np.r_[np.arange(k), rng.integers(0, k, 30 - k)]
    assert silhouette(x, labels) == pytest.approx(silhouette_score(x, labels), abs=1e-12)


def test_a_cluster_of_one_counts_zero() -> None:
    assert silhouette([[0.0], [1.0], [5.0]], [0, 0, 1]) == pytest.approx((0.8 + 0.75) / 3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40))
def test_rand_index_agrees_with_scikit_learn_and_is_symmetric(pairs: list[tuple[int, int]]) -> None:
    a, b = zip(*pairs, strict=True)
    assert adjusted_rand_index(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    assert adjusted_rand_index(a, b) == pytest.approx(adjusted_rand_index(b, a), abs=1e-12)


def test_rand_index_of_renamed_labels_is_one() -> None:
    assert adjusted_rand_index(["x", "y", "y", "z"], [2, 0, 0, 1]) == 1.0


def test_one_cluster_or_unequal_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput):
        silhouette([[0.0], [1.0]], [0, 0])
    with pytest.raises(InvalidInput):
        adjusted_rand_index([0, 1], [0, 1, 1])
