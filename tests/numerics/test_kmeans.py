"""k-means: published within sums of squares, convergence, streams, permutations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from myoproof.errors import InvalidInput
from myoproof.numerics.kmeans import first_appearance, kmeans

# iris, R 4.2.2 kmeans(iris[, 1:4], k, nstart = 50)$tot.withinss
IRIS = {2: 152.347952, 3: 78.851441, 4: 57.228473, 5: 46.446182}


@pytest.mark.parametrize(("k", "within"), IRIS.items())
def test_iris_within_sum_of_squares(k: int, within: float) -> None:
    found = kmeans(load_iris().data, k, rng=np.random.default_rng(1), n_starts=50)
    assert found.inertia == pytest.approx(within, abs=1e-6)


def test_result_is_a_fixed_point_of_lloyd() -> None:
    x = np.random.default_rng(2).standard_normal((300, 7))
    found = kmeans(x, 4, rng=np.random.default_rng(3), n_starts=1)
    distances = ((x[:, np.newaxis] - found.centres) ** 2).sum(axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), found.labels)
    means = [x[found.labels == c].mean(axis=0) for c in range(4)]
    np.testing.assert_allclose(found.centres, means, atol=1e-12)
    assert distances.min(axis=1).sum() == pytest.approx(found.inertia, rel=1e-9)


def test_same_seed_same_bytes_and_input_unchanged() -> None:
    x = np.random.default_rng(4).standard_normal((120, 5))
    before = x.tobytes()
    one, two = (kmeans(x, 3, rng=np.random.default_rng(9)) for _ in range(2))
    assert one.labels.tobytes() == two.labels.tobytes()
    assert one.centres.tobytes() == two.centres.tobytes()
    assert x.tobytes() == before


def test_single_starts_differ_so_that_no_start_is_warm() -> None:
    x = np.random.default_rng(5).standard_normal((200, 10))
    inertia = {kmeans(x, 5, rng=np.random.default_rng(seed), n_starts=1).inertia for seed in range(20)}
    assert len(inertia) > 10


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(-50, 50))
def test_moving_the_origin_changes_nothing(seed: int, k: int, shift: float) -> None:
    x = np.random.default_rng(seed).standard_normal((40, 3))
    one = kmeans(x, k, rng=np.random.default_rng(seed))
    two = kmeans(x + shift, k, rng=np.random.default_rng(seed))
    assert one.inertia == pytest.approx(two.inertia, rel=1e-6, abs=1e-9)


def test_as_many_clusters_as_points_leave_nothing_within() -> None:
    x = np.arange(6.0).reshape(6, 1)
    assert kmeans(x, 6, rng=np.random.default_rng(1), n_starts=50).inertia == pytest.approx(0.0, abs=1e-12)


def test_equal_points_do_not_break_it() -> None:
    found = kmeans(np.zeros((10, 2)), 3, rng=np.random.default_rng(1))
    assert found.inertia == 0.0


@pytest.mark.parametrize("x", [np.zeros((2, 2)), np.array([[np.nan], [1.0], [2.0]])])
def test_too_few_points_or_missing_values_are_refused(x: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        kmeans(x, 3, rng=np.random.default_rng(1))


def test_first_appearance_keeps_the_partition() -> None:
    labels = np.array([3, 1, 3, 0, 1])
    assert first_appearance(labels).tolist() == [0, 1, 0, 2, 1]
