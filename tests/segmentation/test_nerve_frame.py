"""The tissue is found, brought to one width, and answers come back to the pixels they belong to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.errors import OutOfDomain
from myoproof.segmentation.nerve_frame import STEP, WIDTH, find_box, make_canvas, network_input, restored


def picture(top: int, left: int, high: int, wide: int, shape: tuple[int, int] = (300, 320)) -> np.ndarray:
    rng = np.random.default_rng(3)
    out = np.zeros(shape, np.uint8)
    out[top : top + high, left : left + wide] = rng.integers(30, 200, (high, wide))
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(100, 200), st.integers(100, 220))
def test_the_box_is_where_the_tissue_is(top: int, left: int, high: int, wide: int) -> None:
    box, rest = find_box(picture(top, left, high, wide))
    assert (box.top, box.bottom, box.left, box.right) == (top, top + high, left, left + wide)
    assert rest == 0.0


def test_a_mark_beside_the_tissue_is_not_tissue() -> None:
    image = picture(40, 80, 200, 200)
    image[5:20, 5:20] = 255
    box, rest = find_box(image)
    assert (box.left, box.top) == (80, 40)
    assert 0 < rest < 0.02


@pytest.mark.parametrize("image", [np.zeros((200, 200), np.uint8), picture(0, 0, 20, 20)])
def test_an_image_without_tissue_is_refused(image: np.ndarray) -> None:
    with pytest.raises(OutOfDomain, match="no tissue"):
        make_canvas(image)


def test_the_network_is_shown_whole_steps_and_told_what_is_inside() -> None:
    canvas = make_canvas(picture(20, 40, 200, 240))
    shown = network_input(canvas)
    assert shown.shape[2] % STEP == 0
    assert shown.shape[3] == WIDTH
    assert shown[0, 1].sum() == canvas.rows * WIDTH
    assert np.all(np.diff(shown[0, 2, : canvas.rows, 0]) > 0)


def test_what_is_found_comes_back_to_its_place() -> None:
    image = picture(30, 50, 180, 200)
    yy, xx = np.mgrid[: image.shape[0], : image.shape[1]]
    disc = (yy - 120) ** 2 + (xx - 150) ** 2 < 40**2
    image[disc] = 255
    canvas = make_canvas(image)
    bright = (canvas.grey > 230).astype(np.float32)
    maps = np.stack([1 - bright, bright])
    found = restored(maps, canvas)[1] > 0.5
    assert found.shape == image.shape
    assert 2 * (found & disc).sum() / (found.sum() + disc.sum()) > 0.97
