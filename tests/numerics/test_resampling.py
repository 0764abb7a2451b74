"""Stability and prediction strength: same bytes at any thread count, never warm, known answers."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.cluster import adjusted_rand_index, partitions
from myoproof.numerics.kmeans import stream_key
from myoproof.numerics.resampling import Resampling, prediction_strength, stability


def blobs(distance: float, seed: int = 1, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = np.arange(n) % 2
    return rng.standard_normal((n, 5)) + distance * classes[:, np.newaxis], classes


def reference(x: np.ndarray, counts: tuple[int, ...] = (2, 3)) -> np.ndarray:
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    labels = np.empty((len(counts), len(x)), np.int32)
    partitions(z, np.array(counts), 20, stream_key(np.random.default_rng(0)), labels)
    return labels


def test_same_bytes_at_one_and_two_threads() -> None:
    x, _ = blobs(1.0)
    x[np.random.default_rng(3).random(x.shape) < 0.05] = np.nan
    labels = reference(np.nan_to_num(x))
    found = [
        stability(x, labels, rng=np.random.default_rng(5), how=Resampling(60), threads=threads)
        for threads in (1, 2)
    ]
    for name in ("agreement", "inertia", "labels"):
        assert getattr(found[0], name).tobytes() == getattr(found[1], name).tobytes()
    strength = [
        prediction_strength(x, (2, 3), rng=np.random.default_rng(6), n_splits=12, threads=threads)
        for threads in (1, 2)
    ]
    assert strength[0].tobytes() == strength[1].tobytes()


def test_separate_classes_are_stable_and_predictable() -> None:
    x, _ = blobs(6.0)
    found = stability(x, reference(x), rng=np.random.default_rng(1), how=Resampling(40))
    np.testing.assert_array_equal(found.agreement[:, 0], 1.0)
    strength = prediction_strength(x, (2, 3), rng=np.random.default_rng(1), n_splits=10).mean(axis=0)
    assert strength[0] == 1.0
    assert strength[1] < 0.9


def test_each_resample_holds_the_asked_share_and_scores_its_own_partition() -> None:
    x, _ = blobs(1.0)
    labels = reference(x)
    found = stability(x, labels, rng=np.random.default_rng(2), how=Resampling(30, 0.8, 2))
    drawn = found.labels >= 0
    np.testing.assert_array_equal(drawn.sum(axis=2), 96)
    for r in range(30):
        for q in range(2):
            mine = drawn[r, q]
            again = adjusted_rand_index(found.labels[r, q, mine], labels[q, mine])
            assert again == pytest.approx(found.agreement[r, q], abs=1e-12)


def test_the_reference_partition_cannot_warm_a_start() -> None:
    """Another reference changes the agreement alone: the partitions and their sums of squares are the same."""
    x, _ = blobs(0.5)
    labels = reference(x, (4,))
    shuffled = np.random.default_rng(8).permutation(labels, axis=1)
    one, two = (
        stability(x, which, rng=np.random.default_rng(7), how=Resampling(25)) for which in (labels, shuffled)
    )
    assert one.labels.tobytes() == two.labels.tobytes()
    assert one.inertia.tobytes() == two.inertia.tobytes()
    assert not np.array_equal(one.agreement, two.agreement)


def test_every_subject_is_drawn_equally_often() -> None:
    x, _ = blobs(0.0, n=50)
    found = stability(x, reference(x, (2,)), rng=np.random.default_rng(3), how=Resampling(3000))
    share = (found.labels[:, 0] >= 0).mean(axis=0)
    assert share.mean() == pytest.approx(0.8)
    assert np.abs(share - 0.8).max() < 4.5 * np.sqrt(0.16 / 3000)


def test_progress_ends_at_one() -> None:
    told: list[float] = []
    x, _ = blobs(1.0)
    stability(x, reference(x), rng=np.random.default_rng(1), how=Resampling(60), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_resamples_smaller_than_the_clusters_are_refused() -> None:
    x, _ = blobs(1.0, n=6)
    with pytest.raises(InvalidInput):
        stability(x, np.array([[0, 1, 2, 3, 4, 4]]), rng=np.random.default_rng(1))
    with pytest.raises(InvalidInput):
        prediction_strength(x, (5,), rng=np.random.default_rng(1))
