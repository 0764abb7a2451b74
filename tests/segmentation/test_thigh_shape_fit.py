"""A thigh's pose and shape recovered from labels, on a whole thigh and on a part of it."""

import numpy as np
import pytest

from myoproof.segmentation import thigh_shape as shape
from myoproof.segmentation import thigh_shape_fit as fitting

SIZE = 112


def _leg(pose, weights, heights_mm):
    """Labels of a thigh drawn from the atlas, one-hot, slightly unsure."""
    model = shape.atlas()
    blank = np.zeros((len(heights_mm), 12, SIZE, SIZE), np.float32)
    leg = fitting.Evidence(blank, blank[:, :2], heights_mm, np.zeros((len(heights_mm), 2)))
    rows, columns = (part.ravel() for part in np.indices((SIZE, SIZE)))
    labels = np.stack(
        [
            shape.distances(model, places, pose, weights).argmin(axis=1).reshape(SIZE, SIZE)
            for places in fitting.places_of(leg, rows, columns)
        ]
    )
    return fitting.Evidence(sure(labels), leg.images, heights_mm, leg.centres_mm), labels


def sure(labels):
    """Probabilities of a network that is nearly sure of these labels."""
    return np.stack([np.where(labels == k, 0.9, 0.1 / 11) for k in range(12)], axis=1).astype(np.float32)


def _fit(leg, trust=1.0):
    model = shape.atlas()
    target = fitting.target_of(leg, np.full(leg.chance[:, 0].shape, trust, np.float32))
    return fitting.fit(model, target, fitting.search(model, target)[0])


@pytest.mark.parametrize(("up", "slices"), [(-40.0, 6), (35.0, 6), (0.0, 13)])
def test_the_pose_is_recovered_on_a_part_of_a_thigh(up, slices):
    rng = np.random.default_rng(slices)
    pose = np.zeros(len(shape.POSE))
    pose[[0, 2, 5, 8, 11]] = (up, 6.0, -5.0, 0.10, 0.15)
    leg, _ = _leg(pose, 0.7 * rng.standard_normal(shape.atlas().modes), np.arange(slices) * 24.0)
    found = _fit(leg)
    assert found.pose[0] == pytest.approx(up, abs=15.0)
    assert found.pose[[2, 5]] == pytest.approx(pose[[2, 5]], abs=5.0)
    assert found.pose[8] == pytest.approx(0.10, abs=0.06)
    assert found.pose[11] == pytest.approx(0.15, abs=0.08)


def test_more_steps_do_not_make_it_worse():
    leg, _ = _leg(np.zeros(len(shape.POSE)), np.zeros(shape.atlas().modes), np.arange(8) * 24.0)
    model = shape.atlas()
    target = fitting.target_of(leg, np.ones(leg.chance[:, 0].shape, np.float32))
    start = fitting.search(model, target)[-1]
    costs = [fitting.fit(model, target, start, rounds=rounds).cost for rounds in (1, 3, 8)]
    assert costs == sorted(costs, reverse=True)


def test_thinned_targets_count_as_much_as_whole_ones():
    leg, _ = _leg(np.zeros(len(shape.POSE)), np.zeros(shape.atlas().modes), np.arange(12) * 24.0)
    target = fitting.target_of(leg, np.ones(leg.chance[:, 0].shape, np.float32))
    few = fitting.thinned(target, 4)
    assert np.unique(few.slices).size == 4
    assert few.weight.sum() == pytest.approx(target.weight.sum(), rel=0.2)


def test_background_in_fat_may_be_muscle():
    chance = np.full((12, 1, 2), 0.001, np.float32)
    chance[0] = 1 - 0.011
    out = fitting.tempered_chance(
        chance, np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    )
    assert np.allclose(out.sum(axis=0), 1.0)
    assert out[0, 0, 0] == pytest.approx(0.989, abs=1e-3)
    assert out[0, 0, 1] < 0.2
