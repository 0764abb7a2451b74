"""Images of a scanner: swaps where they were asked for, noise as declared, phases that fat and water agree on."""

import numpy as np
import pytest

from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_images import Swap, phase_images, scanner_images
from myoproof.phantoms.multiecho_physics import Physics

SMALL = MultiechoParams(ThighParams(n_slices=3, voxel_mm=3.0, matrix=(64, 60), gap_mm=20.0))


@pytest.fixture(scope="module")
def scan() -> MultiechoPhantom:
    return thighs(rng=np.random.default_rng(3), params=SMALL)


def test_swaps_exchange_the_images_where_asked_and_nowhere_else(scan: MultiechoPhantom) -> None:
    plain = scanner_images(scan, rng=np.random.default_rng(1))
    swapped = scanner_images(scan, rng=np.random.default_rng(1), swaps=(Swap("left", (1,)),))
    middle = plain.swapped.shape[0] // 2
    assert not plain.swapped.any()
    assert swapped.swapped[:middle, :, 1].all()
    assert swapped.swapped.sum() == middle * plain.swapped.shape[1]
    one, two = plain.acquisition.payload.channels, swapped.acquisition.payload.channels
    np.testing.assert_array_equal(one["fat"][:middle, :, 1], two["water"][:middle, :, 1])
    np.testing.assert_array_equal(one["fat"][middle:], two["fat"][middle:])
    np.testing.assert_array_equal(one["water"][:, :, 0], two["water"][:, :, 0])


def test_patches_have_the_share_asked_for(scan: MultiechoPhantom) -> None:
    found = scanner_images(scan, rng=np.random.default_rng(1), swaps=(Swap("both", None, 0.25),)).swapped
    assert found.mean() == pytest.approx(0.25, abs=0.01)


def test_air_holds_rayleigh_noise_of_the_declared_snr(scan: MultiechoPhantom) -> None:
    image = scanner_images(scan, rng=np.random.default_rng(1), snr=40.0).acquisition.payload.channels["fat"]
    assert image[:3, :3].mean() == pytest.approx(1000 / 40 * np.sqrt(np.pi / 2), rel=0.15)


def test_in_phase_is_the_sum_and_opposed_phase_the_difference(scan: MultiechoPhantom) -> None:
    times = Physics(echo_times_s=(0.00115, 0.0023))
    images = phase_images(scan, times, rng=np.random.default_rng(1), snr=1e5).payload.channels
    lean = np.nan_to_num(scan.maps.signal_fraction, nan=1.0) < 0.05
    fat = np.nan_to_num(scan.maps.signal_fraction, nan=0.0) > 0.9
    half = (np.nan_to_num(scan.maps.signal_fraction) > 0.4) & (np.nan_to_num(scan.maps.signal_fraction) < 0.6)
    total = scan.maps.fat + scan.maps.water
    assert np.median(images["opposed_phase"][half] / total[half]) < 0.25
    assert np.median(images["in_phase"][half] / total[half]) > 0.8
    for mask in (lean, fat):
        assert np.median(images["opposed_phase"][mask] / total[mask]) > 0.65
