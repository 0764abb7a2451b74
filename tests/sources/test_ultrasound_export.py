"""Pictures for others: nothing but tissue is left, and files that may still show a name are named."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.sources.ultrasound_makers import bare, photographed, save, simulated

from myoproof.core.acquisition import Picture
from myoproof.delivery.ultrasound_files import write
from myoproof.errors import InvalidInput
from myoproof.sources.ultrasound import reading
from myoproof.sources.ultrasound_export import ON_TISSUE, blacked_out, not_clean


@pytest.mark.parametrize("device", ["device-a", "device-b", "device-d"])
def test_text_around_the_tissue_is_gone(device: str, tmp_path: Path) -> None:
    acquisition = simulated(device, screen=True)
    write(acquisition, tmp_path / "a.png")
    found = reading(tmp_path / "a.png")
    out = blacked_out(found.acquisition.payload)
    assert not out.pixels[0, ..., 0][~acquisition.payload.tissue].any()
    kept = out.tissue & acquisition.payload.tissue
    assert kept.sum() > 0.95 * acquisition.payload.tissue.sum()
    assert np.array_equal(out.pixels[0, ..., 0][kept], acquisition.payload.pixels[0, ..., 0][kept])
    assert not_clean(found) == ""


def test_text_on_the_tissue_is_black_and_its_file_is_named(tmp_path: Path) -> None:
    image = bare().copy()
    cv2.putText(image, "ERIKA M.", (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    found = reading(save(image, tmp_path / "a.png"))
    out = blacked_out(found.acquisition.payload).pixels[0, ..., 0]
    assert (out[(image == 255) & (bare() < 200)] > 0).mean() < 0.1
    assert not_clean(found) == ON_TISSUE


def test_photos_and_dual_images_are_named(tmp_path: Path) -> None:
    photo = save(photographed(simulated(seed=3, screen=True).payload.pixels[0, ..., 0]), tmp_path / "a.png")
    assert "photo" in not_clean(reading(photo))
    both = save(np.hstack([bare(1), bare(2)]), tmp_path / "b.png")
    assert "several images" in not_clean(reading(both))


def test_a_picture_nobody_looked_at_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not known"):
        blacked_out(Picture(bare()[None, ..., None], None))
