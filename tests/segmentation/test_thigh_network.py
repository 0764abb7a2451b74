"""The weights are those of their card, the card says what it must, probabilities are probabilities."""

import json
from importlib.resources import files

import numpy as np
import pytest

from myoproof.errors import NotReadable
from myoproof.segmentation import thigh_network as network
from myoproof.segmentation.thigh_patches import SIZE

WEIGHTS = files("myoproof.segmentation") / "weights"


def _told(share):
    assert 0 <= share <= 1


def test_weights_are_small():
    assert len((WEIGHTS / "thigh.onnx").read_bytes()) < 5_000_000


def test_the_card_tells_origin_limits_and_accuracy():
    card = json.loads((WEIGHTS / "thigh.json").read_text("utf-8"))
    for word in (
        "trained_on",
        "people_held_out",
        "never_used",
        "limits",
        "licence",
        "recipe",
        "use",
        "held_out",
    ):
        assert card[word], word
    assert set(card["held_out"]["dice_by_muscle"]) == {
        "SA",
        "RF",
        "VL",
        "VI",
        "VM",
        "AM",
        "GR",
        "BL",
        "ST",
        "SM",
        "BB",
    }
    assert 0.5 < card["temperature"] < 2


def test_other_weights_than_the_cards_are_refused(monkeypatch):
    monkeypatch.setitem(network.card(), "sha256", "0" * 64)
    with pytest.raises(NotReadable, match="do not match"):
        network.session(1)


@pytest.mark.parametrize("moves", [1, 3])
def test_probabilities_sum_to_one(moves):
    images = np.random.default_rng(1).random((3, 2, SIZE, SIZE), dtype=np.float32)
    found = network.probabilities(network.session(1), images, moves=moves, tell=_told)
    assert found.shape == (3, 12, SIZE, SIZE)
    assert found.min() >= 0
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-4)


def test_an_empty_patch_is_background():
    empty = np.zeros((1, 2, SIZE, SIZE), dtype=np.float32)
    found = network.probabilities(network.session(1), empty, moves=1, tell=_told)
    assert np.all(found.argmax(axis=1) == 0)


def _hip():
    """A slice above the thigh, roughly: buttock, muscles before the hip joint, femur's head and hip bone."""
    side, front = np.meshgrid(*[2.0 * np.arange(SIZE) - SIZE + 1] * 2, indexing="ij")
    body, inside = np.hypot(side / 92, front / 88) < 1, np.hypot(side / 78, front / 74) < 1
    image = np.stack([body.astype(np.float32), np.zeros_like(body, dtype=np.float32)])
    ovals = (  # middle, half axes (mm; lateral and front positive), fat, water
        (10, -45, 60, 28, 0.1, 0.8), (50, 20, 13, 26, 0.05, 0.8), (-20, 40, 20, 20, 0.05, 0.85),
        (15, 55, 12, 12, 0.05, 0.8), (-40, -5, 24, 14, 0.05, 0.8), (25, 5, 26, 26, 0.1, 0.02),
        (25, 5, 23, 23, 0.95, 0.05), (-45, -40, 18, 18, 0.1, 0.02), (-45, -40, 15, 15, 0.95, 0.05),
    )  # fmt: skip
    for across, deep, wide, tall, fat, water in ovals:
        here = (np.hypot((side - across) / wide, (front - deep) / tall) < 1) & inside
        image[:, here] = np.array([[fat], [water]])
    return image[None]


def test_above_the_thigh_there_is_nothing_to_find():
    """Buttock, iliopsoas and tensor are no thigh muscles of the eleven; the first weights named 30 cm2 of them."""
    found = network.probabilities(network.session(1), _hip(), moves=4, tell=_told)
    muscle_mm2 = 4.0 * np.count_nonzero(found.argmax(axis=1))
    assert muscle_mm2 < 500
