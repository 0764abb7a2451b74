"""Patches of single thighs: where they lie, how bright they are, and the way back to the scan."""

import numpy as np
import pytest

from myoproof.core.acquisition import Volume
from myoproof.errors import InvalidInput
from myoproof.segmentation import thigh_patches as patch

AFFINE = np.diag([2.0, 2.0, 8.0, 1.0])


def _discs(centres, shape=(200, 100), radius_mm=60.0, levels=4):
    x, y = np.meshgrid(np.arange(shape[0]) * 2.0, np.arange(shape[1]) * 2.0, indexing="ij")
    image = np.zeros(shape)
    for cx, cy in centres:
        image[np.hypot(x - cx, y - cy) < radius_mm] = 100.0
    image = image[..., None].repeat(levels, axis=2).astype(np.float32)
    return Volume({"fat": image, "water": 0.5 * image}, AFFINE)


def test_two_thighs_and_their_middles():
    legs = patch.find_legs(patch.make_frame(_discs([(100.0, 96.0), (300.0, 104.0)])))
    assert [leg.side for leg in legs] == ["left", "right"]
    for leg, centre in zip(legs, [(50.0, 48.0), (150.0, 52.0)], strict=True):
        assert leg.levels.tolist() == [0, 1, 2, 3]
        assert np.abs(leg.centres - np.array(centre)).max() < 0.6


def test_touching_thighs_are_two():
    legs = patch.find_legs(patch.make_frame(_discs([(142.0, 100.0), (260.0, 100.0)])))
    assert [leg.side for leg in legs] == ["left", "right"]


def test_one_thigh_has_no_side():
    legs = patch.find_legs(patch.make_frame(_discs([(100.0, 96.0)], shape=(100, 100))))
    assert [leg.side for leg in legs] == [""]


def test_a_finger_is_no_thigh():
    assert not patch.find_legs(patch.make_frame(_discs([(100.0, 96.0)], shape=(100, 100), radius_mm=12.0)))


def test_patches_are_centred_and_over_one_scale():
    frame = patch.make_frame(_discs([(100.0, 96.0), (300.0, 104.0)]))
    for leg in patch.find_legs(frame):
        images = patch.patches(frame, leg, mirrored=False)
        assert images.shape == (4, 2, patch.SIZE, patch.SIZE)
        assert images[:, 0].max() == pytest.approx(1.0, abs=1e-3)
        assert images[:, 1].max() == pytest.approx(0.5, abs=1e-3)
        middle = np.array(np.nonzero(images[0, 0] > 0.5)).mean(axis=1)
        assert middle == pytest.approx((patch.SIZE - 1) / 2, abs=0.6)


def test_a_mirrored_patch_is_the_patch_mirrored():
    frame = patch.make_frame(_discs([(100.0, 96.0), (300.0, 104.0)]))
    leg = patch.find_legs(frame)[0]
    plain, mirrored = (patch.patches(frame, leg, mirrored=way) for way in (False, True))
    assert np.array_equal(mirrored, plain[:, :, ::-1])


def test_there_and_back():
    """A patch put back by its window's weights gives the scan, up to interpolation at the rim."""
    frame = patch.make_frame(_discs([(100.0, 96.0), (300.0, 104.0)]))
    leg = patch.find_legs(frame)[1]
    images = patch.patches(frame, leg, mirrored=False)
    for number, (rows, columns), (down, across) in patch.windows(frame, leg):
        back = down @ images[number, 0] @ across.T
        scan = frame.channels[0, rows, columns, leg.levels[number]] / 100.0
        assert np.abs(back - scan).mean() < 0.03


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_any_order_of_axes_is_turned_and_restored(order):
    volume = _discs([(100.0, 96.0), (300.0, 104.0)])
    turned = {k: np.ascontiguousarray(v.transpose(order)) for k, v in volume.channels.items()}
    affine = volume.affine[:, [*order, 3]]
    frame = patch.make_frame(Volume(turned, affine))
    assert np.array_equal(frame.channels[0], volume.channels["fat"])
    assert np.array_equal(frame.restored(frame.channels[0]), turned["fat"])


def test_values_that_are_no_numbers_count_as_none():
    volume = _discs([(100.0, 96.0)], shape=(100, 100))
    fat = volume.channels["fat"].copy()
    fat[3:6, 3:6] = np.nan
    frame = patch.make_frame(Volume({"fat": fat, "water": volume.channels["water"]}, AFFINE))
    assert np.isfinite(frame.channels).all()


def test_neither_fat_and_water_nor_an_image():
    zero = np.zeros((4, 4, 2), np.float32)
    with pytest.raises(InvalidInput, match="fat and water"):
        patch.make_frame(Volume({"fat": zero, "r2star": zero}, AFFINE))
