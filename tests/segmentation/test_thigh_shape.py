"""The shape of thighs: its atlas, and what a pose does to it."""

from importlib.resources import files

import numpy as np
import pytest

from myoproof.segmentation import thigh_shape as shape

SA, RF, VL, VI, VM, AM, GR, BL, ST, SM, BB = range(1, 12)


def _grid(height_mm):
    steps = np.arange(-90.0, 91.0, 3.0)
    across, deep = (part.ravel() for part in np.meshgrid(steps, steps, indexing="ij"))
    return shape.Places(across, deep, np.full(across.size, height_mm))


def _labels(height_mm, pose=None, weights=None):
    model, places = shape.atlas(), _grid(height_mm)
    pose = np.zeros(len(shape.POSE)) if pose is None else pose
    weights = np.zeros(model.modes) if weights is None else weights
    return places, shape.distances(model, places, pose, weights).argmin(axis=1)


def test_it_is_small():
    weights = files("myoproof.segmentation") / "weights" / "thigh_shape.npz"
    assert len(weights.read_bytes()) < 1_500_000


def test_muscles_lie_where_anatomy_has_them():
    places, labels = _labels(0.0)
    middle = {k: np.array([places.across_mm[labels == k].mean(), places.deep_mm[labels == k].mean()])
              for k in (RF, VL, VI, VM, AM, GR, BL, ST)}  # fmt: skip
    assert middle[VL][0] > middle[VI][0] > middle[GR][0]
    assert middle[RF][1] > middle[VI][1] > middle[ST][1]
    assert middle[AM][1] < middle[VM][1]
    assert middle[BL][0] > middle[ST][0]


def test_muscles_end_where_anatomy_ends_them():
    heights = np.arange(-170.0, 171.0, 20.0)
    area = np.array([np.bincount(_labels(height)[1], minlength=12) for height in heights])
    centre = (area * heights[:, None]).sum(axis=0) / area.sum(axis=0)
    assert centre[BB] < centre[BL]
    assert centre[VM] < centre[VL]
    assert centre[SM] < centre[AM]
    assert centre[RF] > centre[VM]


@pytest.mark.parametrize("number", range(len(shape.POSE)))
def test_the_slope_by_each_pose_parameter_is_that_of_the_distances(number):
    rng = np.random.default_rng(3)
    model = shape.atlas()
    places = shape.Places(*rng.uniform(-60, 60, (2, 400)), rng.uniform(-120, 120, 400))
    pose = 0.5 * shape.POSE_SD * rng.standard_normal(len(shape.POSE))
    weights = rng.standard_normal(model.modes)
    step = 0.02 * shape.POSE_SD[number] * np.eye(len(shape.POSE))[number]
    above, below = (shape.distances(model, places, pose + sign * step, weights) for sign in (1, -1))
    found = shape.sampled(model, places, pose, weights).by_pose[..., number]
    measured = (above - below) / (2 * step[number])
    assert np.corrcoef(found.ravel(), measured.ravel())[0, 1] > 0.93
    assert np.std(found) == pytest.approx(np.std(measured), rel=0.15)


def test_a_mode_changes_the_distances_as_it_says():
    rng = np.random.default_rng(4)
    model, places = shape.atlas(), _grid(20.0)
    pose, weights = np.zeros(len(shape.POSE)), rng.standard_normal(model.modes)
    whole = shape.sampled(model, places, pose, weights)
    mean = shape.distances(model, places, pose, 0 * weights)
    assert np.allclose(whole.distance, mean + whole.modes @ weights, atol=1e-3)


def test_the_axis_of_a_leg_is_a_parabola():
    heights = np.arange(8) * 24.0
    centres = np.stack([0.1 * heights - 2e-4 * heights**2, 3.0 + 0 * heights], axis=1)
    assert np.allclose(shape.smoothed_axis(heights, centres), centres, atol=1e-6)
    wobbling = centres + np.where(np.arange(8) % 2, 4.0, -4.0)[:, None]
    assert np.abs(shape.smoothed_axis(heights, wobbling) - centres).max() < 4.0
