"""Masks written as images: the pixels are the labels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from myoproof.delivery.label_image import write
from myoproof.errors import InvalidInput, NotWritable


def test_pixels_are_labels_in_one_band_of_eight_bits(tmp_path: Path) -> None:
    labels = np.random.default_rng(1).integers(0, 3, (40, 50)).astype(np.uint16)
    write(labels, tmp_path / "new" / "mask.png")
    back = cv2.imread(str(tmp_path / "new" / "mask.png"), cv2.IMREAD_UNCHANGED)
    assert (back.dtype, back.shape) == (np.uint8, (40, 50))
    np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize("labels", [np.full((4, 4), 256, np.uint16), np.zeros((1, 4, 4), np.uint16)])
def test_what_does_not_fit_is_refused(labels: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        write(labels, tmp_path / "mask.png")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotWritable):
        write(np.zeros((4, 4), np.uint16), tmp_path / "file" / "mask.png")
