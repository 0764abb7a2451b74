"""The nerve segmenter: what it gives back, what it says of foreign images, and how it tidies."""

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Form, Picture
from myoproof.core.provenance import digest_arrays
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.phantoms.bmode import Simulated, frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation import nerve
from myoproof.segmentation.nerve_frame import Box


@pytest.fixture(scope="module")
def scan() -> Simulated:
    params = BmodeParams(view="nerve", site="median_wrist", shape=(240, 256))
    return frame(rng=np.random.default_rng(4), params=params)


@pytest.fixture(scope="module")
def found(scan: Simulated) -> nerve.Found:
    return nerve.find(scan.acquisition, params=nerve.Params(site="median_wrist", side="left"))


def test_the_mask_lies_on_the_image(scan: Simulated, found: nerve.Found) -> None:
    segmentation = found.segmentation
    assert segmentation.labels.shape == scan.segmentation.labels.shape
    assert segmentation.names == {1: ("median_wrist", "left"), 2: ("vessel", "")}
    assert segmentation.rater == nerve.RATER
    assert set(np.unique(segmentation.labels)) <= {0, 1, 2}
    assert found.certainty.shape == segmentation.labels.shape
    assert 0 <= found.certainty.min() <= found.certainty.max() <= 1.0001


def test_same_image_same_mask_and_input_unchanged(scan: Simulated, found: nerve.Found) -> None:
    picture = scan.acquisition.payload
    assert isinstance(picture, Picture)
    before = digest_arrays(picture.pixels)
    again = nerve.segment(scan.acquisition)
    np.testing.assert_array_equal(again.labels, found.segmentation.labels)
    assert digest_arrays(picture.pixels) == before


def test_an_inverted_image_is_outside_and_nobody_vouches_for_it(scan: Simulated) -> None:
    picture = scan.acquisition.payload
    assert isinstance(picture, Picture)
    turned = Acquisition("s", "m00", "1", "ultrasound", Picture(255 - picture.pixels, None))
    said = nerve.find(turned)
    assert said.outside
    assert said.strangeness > 1
    assert set(said.segmentation.confidence.values()) <= {0.0}
    with pytest.raises(OutOfDomain, match="not like the images"):
        nerve.segment(turned, params=nerve.Params(refuse=True))


def test_a_black_image_is_said_to_hold_no_tissue() -> None:
    black = Acquisition("s", "m00", "1", "ultrasound", Picture(np.zeros((1, 200, 200, 1), np.uint8), None))
    said = nerve.find(black)
    assert "no tissue" in said.outside
    assert not said.segmentation.labels.any()
    assert said.segmentation.confidence == {}


def test_no_picture_is_refused() -> None:
    with pytest.raises(InvalidInput, match="pictures"):
        nerve.segment(Acquisition("s", "m00", "1", "clinical", Form({})))


def test_tidied_fills_holes_and_takes_out_specks() -> None:
    labels = np.zeros((200, 200), np.uint16)
    labels[50:100, 50:100] = nerve.NERVE
    labels[70:74, 70:74] = 0
    labels[150:153, 150:153] = nerve.NERVE
    labels[60:90, 120:150] = nerve.VESSEL
    tidy = nerve.tidied(labels, Box(0, 200, 0, 200))
    assert (tidy == nerve.NERVE).sum() == 50 * 50
    assert (tidy == nerve.VESSEL).sum() == 30 * 30


def test_a_vessel_within_a_nerves_outline_stays_a_vessel() -> None:
    labels = np.zeros((200, 200), np.uint16)
    labels[50:130, 50:130] = nerve.NERVE
    labels[70:90, 70:90] = nerve.VESSEL
    tidy = nerve.tidied(labels, Box(0, 200, 0, 200))
    np.testing.assert_array_equal(tidy, labels)


def test_expected_dice_of_a_sure_answer_is_that_of_the_line() -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[10:20, 10:20] = nerve.NERVE
    chance = np.stack([labels == 0, labels == 1, labels == 2]).astype(np.float32)
    assert nerve.expected_dice(chance, labels, (0.8, 0.1)) == {nerve.NERVE: pytest.approx(0.9)}
    half = 0.5 * chance + np.float32(1 / 6)
    assert nerve.expected_dice(half, labels, (1.0, 0.0))[nerve.NERVE] < 0.5
