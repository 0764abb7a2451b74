"""The transverse finder on simulated pictures: outlines found, deeper muscle down to bone, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.core.acquisition import Form, Picture
from myoproof.errors import InvalidInput
from myoproof.numerics.bone_surface import bone_surface
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation.muscle_us_transverse import DEEPER, MUSCLE, Params, segment


@pytest.mark.parametrize(
    ("site", "seed"), [("biceps_brachii", 1), ("rectus_femoris", 2), ("tibialis_anterior", 3)]
)
def test_an_outline_is_right_or_refused(site: str, seed: int) -> None:
    scan = frame(rng=np.random.default_rng(seed), params=BmodeParams(view="transverse", site=site))
    found = segment(scan.acquisition, site=site, side="right")
    mine, truth = found.labels[0] == MUSCLE, scan.segmentation.labels[0] == 2
    if found.confidence[MUSCLE] < Params().threshold:
        assert not mine.any()
    else:
        assert 2 * (mine & truth).sum() / (mine.sum() + truth.sum()) > 0.9
    assert (DEEPER in found.names) == (site != "tibialis_anterior")


def test_most_of_several_are_found() -> None:
    overlap = []
    for seed in range(6):
        params = BmodeParams(view="transverse", site="biceps_brachii")
        scan = frame(rng=np.random.default_rng(100 + seed), params=params)
        mine = segment(scan.acquisition, site="biceps_brachii").labels[0]
        for label in (MUSCLE, DEEPER):
            truth = scan.segmentation.labels[0] == label
            overlap.append(2 * ((mine == label) & truth).sum() / ((mine == label).sum() + truth.sum()))
    assert np.median(overlap) > 0.9


def test_an_image_without_muscle_is_refused() -> None:
    scan = frame(rng=np.random.default_rng(0), params=BmodeParams(view="transverse", site="biceps_brachii"))
    picture = scan.acquisition.payload
    assert isinstance(picture, Picture)
    noise = np.random.default_rng(1).integers(0, 120, picture.pixels.shape, dtype=np.uint8)
    for pixels in (noise, np.full_like(picture.pixels, 60), np.zeros_like(picture.pixels)):
        found = segment(
            replace(scan.acquisition, payload=replace(picture, pixels=pixels)), site="biceps_brachii"
        )
        assert not found.labels.any()
        assert found.confidence[MUSCLE] < Params().threshold


def test_other_views_and_payloads_are_refused() -> None:
    scan = frame(rng=np.random.default_rng(0), params=BmodeParams(shape=(96, 128)))
    with pytest.raises(InvalidInput, match="transverse"):
        segment(scan.acquisition, site="biceps_brachii", view="longitudinal")
    with pytest.raises(InvalidInput, match="picture"):
        segment(replace(scan.acquisition, payload=Form({})), site="biceps_brachii")


def test_a_bone_is_a_bright_line_with_a_shadow() -> None:
    image = np.full((240, 200), 0.3, dtype=np.float32)
    image[150:156, 60:140] = 1.0
    image[156:, 60:140] = 0.0
    surface = bone_surface(image, np.full(200, 20.0))
    assert np.isnan(surface[:50]).all()
    assert np.nanmedian(surface) == pytest.approx(149.5, abs=1.5)
    assert np.isnan(bone_surface(np.full((240, 200), 0.3, dtype=np.float32), np.full(200, 20.0))).all()
