"""What is turned, cut, moved or lit otherwise is told from what the network learnt."""

import numpy as np
import pytest

from myoproof.segmentation import nerve_domain, nerve_network
from myoproof.segmentation.nerve_frame import find_box, make_canvas

LIMITS = {
    "middle": 0.466,
    "most_off_middle": 0.045,
    "most_off_centre": 0.08,
    "most_rest": 0.45,
    "brightest_dark": 8.0,
    "strongest_seam": 6.0,
    "least_deep": 0.38,
    "most_deep": 1.6,
}


def tissue() -> np.ndarray:
    """Smooth speckle that grows darker with depth, in the frame of the training images."""
    rng = np.random.default_rng(5)
    fine = rng.rayleigh(1.0, (240, 267))
    grown = np.kron(fine, np.ones((2, 2)))
    smooth = (grown[:-2, :-2] + grown[2:, 2:] + grown[1:-1, 1:-1]) / 3
    image = np.zeros((512, 534), np.uint8)
    part = np.clip(smooth * np.linspace(90, 40, smooth.shape[0])[:, None], 6, 255)
    image[: part.shape[0], : part.shape[1]] = part.astype(np.uint8)
    return image


def told(image: np.ndarray) -> str:
    return "; ".join(nerve_domain.frame_doubts(image, make_canvas(image), LIMITS))


def test_a_frame_like_those_learnt_is_not_doubted() -> None:
    assert told(tissue()) == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda image: np.roll(image, image.shape[1] // 4, axis=1), "seam"),
        (lambda image: np.roll(image, 120, axis=0), "middle"),
        (lambda image: np.ascontiguousarray(image[::-1]), "middle"),
        (lambda image: np.pad(image, ((0, 0), (120, 0)))[:, :534], "off centre"),
        (lambda image: 255 - image, "dark"),
        (lambda image: np.pad(image[:150], ((0, 362), (0, 0))), "deep as wide"),
    ],
)
def test_odd_frames_are_told(change, word: str) -> None:
    assert word in told(change(tissue()))


def test_a_seam_is_told_from_speckle() -> None:
    image = tissue()
    box, _ = find_box(image)
    assert nerve_domain.seam(image, box) < 3
    cut = np.roll(image, 100, axis=1)
    assert nerve_domain.seam(cut, find_box(cut)[0]) > LIMITS["strongest_seam"]


def test_the_look_of_a_mirror_image_is_the_same() -> None:
    image = tissue()[:, :532]
    own, other = (
        nerve_domain.look(make_canvas(one)) for one in (image, np.ascontiguousarray(image[:, ::-1]))
    )
    np.testing.assert_allclose(own, other, rtol=0.02, atol=0.02)


def test_distance_is_one_for_the_cloud_itself_and_grows_outwards() -> None:
    rng = np.random.default_rng(2)
    cloud = rng.normal(0, [3.0, 1.0, 0.2, 0.2], (4000, 4))
    model = {"mean": np.zeros(4), "scale": np.ones(4), "axes": np.eye(4)[:2], "spread": [3.0, 1.0]}
    model["rest"] = float(np.sqrt((cloud[:, 2:] ** 2).sum(axis=1).mean() / 4))
    squares = [nerve_domain.distance(one, model) ** 2 for one in cloud]
    assert np.mean(squares) == pytest.approx(1, abs=0.05)
    assert nerve_domain.distance(np.array([12.0, 0, 0, 0]), model) > 1.9
    assert nerve_domain.distance(np.array([0, 0, 2.0, 0]), model) > 4


def test_the_cards_limits_are_all_there() -> None:
    domain = nerve_network.card()["domain"]
    assert set(domain["frame"]) == set(LIMITS)
    assert len(nerve_domain.look(make_canvas(tissue()))) == len(domain["look"]["mean"])
    assert all(domain[part]["most"] > 1 for part in ("look", "deep"))
