"""The weights are those of their card, the card says what it must, probabilities are probabilities."""

import json
from importlib.resources import files

import numpy as np
import pytest

from myoproof.errors import NotReadable
from myoproof.measures.nerve import AREA_SD
from myoproof.segmentation import nerve_network as network
from myoproof.segmentation.nerve_frame import WIDTH, Box, Canvas

WEIGHTS = files("myoproof.segmentation") / "weights"


def canvas() -> Canvas:
    rng = np.random.default_rng(1)
    return Canvas(
        rng.integers(0, 255, (252, WIDTH), dtype=np.uint8), 100, Box(0, 200, 0, 384), (200, 384), 0.0
    )


def test_weights_are_small() -> None:
    assert len((WEIGHTS / "nerve.onnx").read_bytes()) < 5_000_000


def test_the_card_tells_origin_split_numbers_and_limits() -> None:
    card = json.loads((WEIGHTS / "nerve.json").read_text("utf-8"))
    for word in (
        "trained_on",
        "split",
        "held_out_images",
        "limits",
        "licence",
        "recipe",
        "use",
        "held_out",
        "schedule",
    ):
        assert card[word], word
    assert "CC BY 4.0" in card["licence"]
    assert "tmkand/usgra-seg" in card["licence"]
    held = card["held_out"]
    assert len(card["held_out_images"]) == held["images"]
    assert len(held["by_similarity"]) == 3
    assert held["copy_nearest_dice"] < held["nerve_dice"]


def test_other_weights_than_the_cards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network.session.cache_clear()
    monkeypatch.setitem(network.card(), "sha256", "0" * 64)
    with pytest.raises(NotReadable, match="do not match"):
        network.session(1)


@pytest.mark.parametrize("mirror", [False, True])
def test_probabilities_sum_to_one(mirror: bool) -> None:
    answers, deep = network.logits(network.session(1), canvas(), mirror=mirror)
    assert answers.shape == (1 + mirror, 3, 128, WIDTH)
    chance = network.probabilities(answers, 1.3)
    np.testing.assert_allclose(chance.sum(axis=0), 1, atol=1e-5)
    assert deep.shape == (len(network.card()["domain"]["deep"]["mean"]),)


def test_a_higher_temperature_is_less_sure() -> None:
    answers, _ = network.logits(network.session(1), canvas(), mirror=False)
    assert (
        network.probabilities(answers, 3.0).max(axis=0).mean()
        < network.probabilities(answers, 1.0).max(axis=0).mean()
    )


def test_the_measures_intervals_are_those_of_the_card() -> None:
    area = network.card()["held_out"]["area"]
    assert {name: tuple(area[name]["sd"]) for name in ("nerve", "vessel")} == AREA_SD
