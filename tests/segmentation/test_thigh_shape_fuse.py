"""Network and shape joined: an erased muscle comes back, what is no thigh is left alone."""

import numpy as np
import pytest

from myoproof.phantoms import dixon
from myoproof.segmentation import thigh_shape_fuse as fusing
from myoproof.segmentation.thigh_patches import find_legs, make_frame, patches
from myoproof.segmentation.thigh_shape_fit import Evidence

BICEPS, VASTUS = 8, 3


@pytest.fixture(scope="module")
def legs():
    """Both thighs of a simulated scan of another make than the atlas: evidence of a sure network, true labels."""
    params = dixon.ThighParams(pattern="dystrophy", voxel_mm=2.0, matrix=(120, 96), n_slices=9, gap_mm=16.0)
    pair = dixon.bilateral(rng=np.random.default_rng(4), params=params)
    frame = make_frame(pair.acquisition.payload)
    truth = make_frame(_labels_as_image(pair)).channels[0].round().astype(int)
    out = []
    for leg in find_legs(frame):
        mirrored = leg.side == "left"
        images = patches(frame, leg, mirrored=mirrored)
        labels = np.stack(
            [_window(truth[:, :, level], leg, number, frame) for number, level in enumerate(leg.levels)]
        )
        labels = labels[:, ::-1] if mirrored else labels
        centres = leg.centres * frame.spacing_mm[:2] * (-1.0 if mirrored else 1.0, 1.0)
        out.append((Evidence(_sure(labels), images, leg.levels * frame.spacing_mm[2], centres), labels))
    return out


def _labels_as_image(pair):
    volume = pair.acquisition.payload
    return type(volume)({"image": pair.exact.labels.astype(np.float32)}, volume.affine)


def _window(level, leg, number, frame):
    """Labels at the pixels of a patch."""
    places = [
        np.round(leg.centres[number][axis] + (np.arange(112) - 55.5) * 2.0 / frame.spacing_mm[axis]).astype(
            int
        )
        for axis in (0, 1)
    ]
    inside = [(own >= 0) & (own < size) for own, size in zip(places, level.shape, strict=True)]
    rows, columns = (np.clip(own, 0, size - 1) for own, size in zip(places, level.shape, strict=True))
    own = leg.mask[:, :, leg.levels[number]] * level
    return own[np.ix_(rows, columns)] * np.outer(*inside)


def _sure(labels):
    return np.stack([np.where(labels == k, 0.9, 0.1 / 11) for k in range(12)], axis=1).astype(np.float32)


def _dice(found, truth, label):
    return 2 * ((found == label) & (truth == label)).sum() / ((found == label).sum() + (truth == label).sum())


def _with(leg, chance, fat_where):
    images = leg.images.copy()
    images[:, 0][fat_where], images[:, 1][fat_where] = 0.95, 0.05
    return Evidence(chance, images, leg.heights_mm, leg.centres_mm)


def test_a_muscle_that_the_network_missed_in_fat_comes_back(legs):
    leg, truth = legs[0]
    erased = _sure(np.where(truth == BICEPS, 0, truth))
    blind = _with(leg, erased, truth == BICEPS)
    fused = fusing.fuse([blind])[0]
    assert fused.used
    assert _dice(erased.argmax(axis=1), truth, BICEPS) == 0
    assert _dice(fused.chance.argmax(axis=1), truth, BICEPS) > 0.3


def test_in_lean_tissue_the_network_is_believed(legs):
    leg, truth = legs[1]
    lean = _with(leg, leg.chance, np.zeros(truth.shape, bool))
    lean.images[:, 0], lean.images[:, 1] = 0.05, 0.9
    fused = fusing.fuse([lean])[0]
    assert np.mean(fused.chance.argmax(axis=1) == truth) > 0.995


def test_probabilities_stay_probabilities_and_inputs_as_they_are(legs):
    leg, _ = legs[0]
    before = leg.chance.copy()
    fused = fusing.fuse([leg])[0].chance
    assert np.array_equal(leg.chance, before)
    assert np.allclose(fused.sum(axis=1), 1.0, atol=1e-4)
    assert fused.min() >= 0


def test_the_same_again(legs):
    both = [leg for leg, _ in legs]
    first, second = fusing.fuse(both), fusing.fuse(both)
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.chance, other.chance)
    assert abs(first[0].fit.pose[0] - first[1].fit.pose[0]) < 25.0


def test_what_is_no_thigh_keeps_what_the_network_said(legs):
    leg, truth = legs[0]
    rng = np.random.default_rng(0)
    scattered = np.where(truth > 0, rng.permuted(truth.reshape(-1)).reshape(truth.shape), 0)
    foreign = Evidence(_sure(scattered), leg.images, leg.heights_mm, leg.centres_mm)
    fused = fusing.fuse([foreign])[0]
    assert not fused.used
    assert fused.agreement < 0.3
    assert fused.chance is foreign.chance


def test_two_slices_do_not_tell_where_they_lie(legs):
    leg, _ = legs[0]
    two = Evidence(leg.chance[:2], leg.images[:2], leg.heights_mm[:2], leg.centres_mm[:2])
    fused = fusing.fuse([two])[0]
    assert not fused.used
    assert fused.chance is two.chance


def test_one_contrast_does_not_tell_lean_from_fat(legs):
    leg, _ = legs[0]
    same = np.repeat(leg.images[:, :1], 2, axis=1)
    assert np.all(fusing.fattiness(same, fusing.Shares()) == 0.5)
    fatty = fusing.fattiness(leg.images, fusing.Shares())
    assert fatty.min() == 0
    assert fatty.max() == 1
