"""Readers' masks: labels by meaning, one label by its only meaning, and masks that do not fit refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.sources.ultrasound_makers import bare, save

from myoproof.core.acquisition import Picture
from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources.ultrasound_masks import read

NAMES = {2: ("vastus_lateralis", "left"), 1: ("subcutaneous_fat", "left")}


@pytest.fixture
def picture() -> Picture:
    return Picture(bare()[None, ..., None], None)


def test_labels_are_read_and_others_left_out(picture: Picture, tmp_path: Path) -> None:
    labels = np.zeros((384, 512), np.uint8)
    labels[10:30], labels[40:200], labels[300:310] = 1, 2, 7
    found = read(save(labels, tmp_path / "m.png"), picture, NAMES, rater="anna")
    assert found.rater == "anna"
    assert np.array_equal(np.unique(found.labels), [0, 1, 2])
    assert (found.labels == 2).sum() == 160 * 512


@pytest.mark.parametrize("ink", [1, 2, 255])
def test_a_mask_of_one_label_is_the_muscle(picture: Picture, tmp_path: Path, ink: int) -> None:
    labels = np.zeros((384, 512), np.uint8)
    labels[40:200] = ink
    found = read(save(labels, tmp_path / "m.png"), picture, NAMES, rater="anna")
    assert np.array_equal(found.labels[0] == 2, labels > 0)


def test_a_palette_mask_keeps_its_numbers(picture: Picture, tmp_path: Path) -> None:
    labels = np.zeros((384, 512), np.uint8)
    labels[10:30], labels[40:200] = 1, 2
    image = Image.new("P", labels.shape[::-1])
    image.putdata(labels.ravel().tolist())
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "m.png")
    assert np.array_equal(read(tmp_path / "m.png", picture, NAMES, rater="a").labels[0], labels)


def test_masks_that_do_not_fit_are_refused(picture: Picture, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="differ in size"):
        read(save(np.ones((10, 10), np.uint8), tmp_path / "m.png"), picture, NAMES, rater="a")
    with pytest.raises(InvalidInput, match="no mask"):
        read(save(bare(), tmp_path / "n.png"), picture, NAMES, rater="a")
    (tmp_path / "o.png").write_bytes(b"no picture")
    with pytest.raises(NotReadable, match="mask"):
        read(tmp_path / "o.png", picture, NAMES, rater="a")
