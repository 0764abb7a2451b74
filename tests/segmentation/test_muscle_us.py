"""The muscle finder on simulated pictures: found where there is one, refused where there is none."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from myoproof.core.acquisition import Acquisition, Form, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.phantoms.bmode import Simulated, frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation.muscle_us import MUSCLE, RATER, Params, card, looked_at, segment


@pytest.fixture(scope="module")
def linear() -> Simulated:
    return frame(rng=np.random.default_rng(3), params=BmodeParams(rises="right"))


def picture_of(pixels: npt.NDArray[np.uint8], **more: object) -> Acquisition:
    held = Picture(pixels if pixels.ndim == 4 else pixels[None, :, :, None], None, **more)  # type: ignore[arg-type]
    return Acquisition("s", "m00", "1", "ultrasound", held)


def pixels(simulated: Simulated) -> npt.NDArray[np.uint8]:
    payload = simulated.acquisition.payload
    assert isinstance(payload, Picture)
    return payload.pixels


def found(acquisition: Acquisition, **params: object) -> Segmentation:
    return segment(acquisition, site="vastus_lateralis", params=Params(**params))  # type: ignore[arg-type]


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize(
    ("device", "seed"), [("device-a", 1), ("device-b", 2), ("device-c", 5), ("device-d", 4)]
)
def test_the_muscle_of_every_device_is_found_or_refused_never_another(device: str, seed: int) -> None:
    simulated = frame(rng=np.random.default_rng(seed), params=BmodeParams(device=device))
    mine = found(simulated.acquisition)
    truth = simulated.segmentation.labels[0] == 2
    if mine.confidence[MUSCLE] >= Params().threshold:
        assert dice(mine.labels[0] == MUSCLE, truth) > 0.93
    else:
        assert not mine.labels.any()


def test_names_rater_and_confidence(linear: Simulated) -> None:
    mine = segment(linear.acquisition, site="vastus_lateralis", side="left")
    assert mine.rater == RATER
    assert mine.names == {1: ("subcutaneous_fat", "left"), 2: ("vastus_lateralis", "left")}
    assert set(mine.confidence) == {1, 2}
    assert Params().threshold <= mine.confidence[2] <= 1
    fat, muscle = (np.flatnonzero((mine.labels[0] == k).any(axis=1)) for k in (1, 2))
    assert fat.min() < muscle.min()
    assert fat.max() < muscle.max()


def test_a_mirrored_picture_gives_the_mirrored_muscle(linear: Simulated) -> None:
    there = found(picture_of(np.ascontiguousarray(pixels(linear)[:, :, ::-1])))
    here = found(picture_of(pixels(linear)))
    assert dice(here.labels[0] == 2, there.labels[0][:, ::-1] == 2) > 0.97


def test_grey_map_and_size_hardly_move_the_answer(linear: Simulated) -> None:
    grey = pixels(linear)[0, :, :, 0]
    here = found(picture_of(grey)).labels[0] == 2
    brighter = np.clip(255 * (grey / 255.0) ** 0.75, 0, 255).astype(np.uint8)
    assert dice(found(picture_of(brighter)).labels[0] == 2, here) > 0.96
    larger = np.repeat(np.repeat(grey, 2, axis=0), 2, axis=1)
    assert dice(found(picture_of(larger)).labels[0][::2, ::2] == 2, here) > 0.96


def test_text_in_the_tissue_that_is_masked_moves_no_edge(linear: Simulated) -> None:
    grey = pixels(linear)[0, :, :, 0].copy()
    here = found(picture_of(grey)).labels[0] == 2
    tissue = np.ones(grey.shape, bool)
    tissue[20:32, 60:120] = False
    grey[~tissue] = 255
    there = found(picture_of(grey, tissue=tissue)).labels[0] == 2
    assert dice(there, here) > 0.97


@pytest.mark.parametrize("kind", ["speckle", "turned", "black", "upside_down_half"])
def test_no_whole_muscle_is_refused(kind: str, linear: Simulated) -> None:
    grey = pixels(linear)[0, :, :, 0]
    image = {
        "speckle": lambda: pixels(frame(rng=np.random.default_rng(1), params=BmodeParams(view="reference"))),
        "turned": lambda: np.ascontiguousarray(np.rot90(grey)),
        "black": lambda: np.zeros_like(grey),
        "upside_down_half": lambda: np.ascontiguousarray(grey[: grey.shape[0] // 3][::-1]),
    }[kind]()
    mine = found(picture_of(image))
    assert mine.confidence[MUSCLE] < Params().threshold
    assert not mine.labels.any()


def test_frames_of_a_cine_are_labelled_as_asked(linear: Simulated) -> None:
    cine = np.repeat(pixels(linear), 5, axis=0)
    assert found(picture_of(cine)).labels.any(axis=(1, 2)).tolist() == [False, False, True, False, False]
    three = found(picture_of(cine), frames=3).labels.any(axis=(1, 2))
    assert np.flatnonzero(three).tolist() == looked_at(5, 3)


def test_the_picture_stays_as_it_was(linear: Simulated) -> None:
    before = pixels(linear).copy()
    found(linear.acquisition)
    assert np.array_equal(before, pixels(linear))


def test_what_is_no_picture_or_too_small_or_another_view(linear: Simulated) -> None:
    with pytest.raises(InvalidInput, match="picture"):
        segment(replace(linear.acquisition, payload=Form({})), site="vastus_lateralis")
    with pytest.raises(InvalidInput, match="longitudinal"):
        segment(linear.acquisition, site="vastus_lateralis", view="transverse")
    assert found(picture_of(np.full((20, 20), 80, np.uint8))).confidence[MUSCLE] == 0


def test_the_card_says_what_the_weights_were_made_from() -> None:
    assert {"names", "members", "mean", "sd", "inside", "made_from", "held_out"} <= set(card())
