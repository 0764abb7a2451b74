"""The transmit field from the echoes: recovered where it is smooth, its double told."""

import numpy as np
import pytest

from myoproof.numerics.water_t2 import Known
from myoproof.numerics.water_t2_b1 import aliases, local_field
from myoproof.numerics.water_t2_dictionary import Dictionary, Train, build, signals

TRAIN = Train(echo_spacing_s=0.010, n_echo=17)


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return build(TRAIN)


@pytest.mark.parametrize(("low", "high"), [(0.68, 0.86)])
def test_a_smooth_field_is_found(dictionary: Dictionary, low: float, high: float) -> None:
    truth = np.broadcast_to(np.linspace(low, high, 40)[:, None, None], (40, 40, 1))
    fields = np.linspace(low, high, 40)
    water = signals(TRAIN, [0.036], fields, t1_s=TRAIN.t1_water_s)[0]
    clean = 60.0 * np.broadcast_to(water[:, None, None, :], (40, 40, 1, 17))
    noise = np.random.default_rng(5).standard_normal((2, *clean.shape))
    values = np.hypot(clean + noise[0], noise[1]).astype(np.float32)
    mask = np.ones((40, 40, 1), dtype=bool)
    mask[:, :4] = False
    known = Known(fat_share=0.0, fat_share_sd=0.0)
    found = local_field(values, mask, dictionary, spacing_mm=(3.0, 3.0, 8.0), noise_sd=1.0, known=known)
    other = aliases(dictionary, found.b1)
    off = np.minimum(np.abs(found.b1 - truth), np.abs(other - truth))
    assert off.mean() < 0.02, "the field or the other one with nearly the same echoes"
    assert np.isfinite(found.b1).all()
    assert np.all(found.b1_sd > 0)


def test_fields_on_either_side_of_the_middle_are_each_others_double(dictionary: Dictionary) -> None:
    other = aliases(dictionary, [0.80, 0.85])
    assert np.all((other > 1.05) & (other < 1.25))
    np.testing.assert_allclose(aliases(dictionary, other), [0.80, 0.85], atol=0.05)
    assert aliases(dictionary, [0.5])[0] == pytest.approx(0.5), "too far off to have one"


def test_nothing_to_ask_gives_the_nominal_field_without_certainty(dictionary: Dictionary) -> None:
    values = np.ones((4, 4, 1, 17), dtype=np.float32)
    found = local_field(values, np.zeros((4, 4, 1), dtype=bool), dictionary, spacing_mm=(1, 1, 1), noise_sd=1)
    assert np.all(found.b1 == 1.0)
    assert np.all(np.isinf(found.b1_sd))


@pytest.mark.parametrize(("t2_s", "b1"), [(0.025, 1.2), (0.038, 0.6)])
def test_half_fat_draws_the_field_off_by_less_than_0_02(
    dictionary: Dictionary, t2_s: float, b1: float
) -> None:
    """Fitted voxel by voxel, 3,600 voxels of half fat read 0.74 where the field is 1.2 (T2 then off by 3 ms)."""
    water = signals(TRAIN, [t2_s], [b1], t1_s=TRAIN.t1_water_s)[0, 0]
    fat = signals(TRAIN, [TRAIN.t2_fat_s], [b1], t1_s=TRAIN.t1_fat_s)[0, 0]
    noise = np.random.default_rng(8).standard_normal((2, 40, 40, 1, 17))
    values = np.hypot(25.0 * (water + fat) + noise[0], noise[1]).astype(np.float32)
    known = Known(fat_share=0.5, fat_share_sd=0.0)
    mask = np.ones((40, 40, 1), dtype=bool)
    found = local_field(values, mask, dictionary, spacing_mm=(3.0, 3.0, 8.0), noise_sd=1.0, known=known)
    assert abs(float(found.b1.mean()) - b1) < 0.02
