"""Expected standard deviations of water T2: the bound, and weights that do not follow a voxel's own noise."""

import numpy as np
import pytest

from myoproof.numerics.water_t2 import Known, cramer_rao, fit
from myoproof.numerics.water_t2_dictionary import Train, build, signals
from myoproof.numerics.water_t2_expected import expected_sd

TRAIN = Train(echo_spacing_s=0.010, n_echo=17)
DICTIONARY = build(TRAIN)


def noisy(t2_s: float, b1: float, share: float, n: int) -> np.ndarray:
    water = signals(TRAIN, [t2_s], [b1], t1_s=TRAIN.t1_water_s)[0, 0]
    fat = signals(TRAIN, [TRAIN.t2_fat_s], [b1], t1_s=TRAIN.t1_fat_s)[0, 0]
    noise = np.random.default_rng(3).standard_normal((2, n, 17))
    return np.hypot(50.0 * ((1.0 - share) * water + share * fat) + noise[0], noise[1]).astype(np.float32)


@pytest.mark.parametrize(("t2_s", "b1", "share"), [(0.038, 0.9, 0.0), (0.030, 1.1, 0.3), (0.060, 0.7, 0.5)])
def test_at_the_true_t2_it_is_the_cramer_rao_bound(t2_s: float, b1: float, share: float) -> None:
    known = Known(fat_share=share, fat_share_sd=0.0, b1=b1, b1_sd=0.0)
    bound = cramer_rao(TRAIN, t2_s=t2_s, b1=b1, fat_share=share, snr=50.0, known=known)["t2_s"]
    values = noisy(t2_s, b1, share, 400)
    found = expected_sd(values, DICTIONARY, noise_sd=1.0, known=known, t2_s=t2_s, fat_share=share)
    assert float(np.median(found)) == pytest.approx(bound, rel=0.03)


def test_weights_at_a_shared_t2_do_not_pull_the_mean_down() -> None:
    """Beside half fat, weights from each voxel's own SD read water too short; from the expected SD they do not."""
    known = Known(fat_share=0.5, fat_share_sd=0.0, b1=0.8, b1_sd=0.0)
    values = noisy(0.050, 0.8, 0.5, 6000)
    found = fit(values, DICTIONARY, noise_sd=1.0, known=known)
    middle = float(np.median(found.t2_s))
    shared = expected_sd(values, DICTIONARY, noise_sd=1.0, known=known, t2_s=middle, fat_share=0.5)

    def mean_ms(sd: np.ndarray) -> float:
        weight = np.where(sd > 0, 1.0 / (1.0 + (1e3 * sd / 6.0) ** 2), 0.0)
        return 1e3 * float((weight * found.t2_s).sum() / weight.sum())

    assert mean_ms(shared) == pytest.approx(50.0, abs=0.6)
    assert mean_ms(found.t2_sd_s) < mean_ms(shared) - 0.2


def test_voxels_without_sense_have_none() -> None:
    values = noisy(0.038, 1.0, 0.0, 3)
    values[1, 2] = np.nan
    known = Known(fat_share_sd=0.0, b1_sd=0.0)
    found = expected_sd(values, DICTIONARY, noise_sd=1.0, known=known, t2_s=0.038, fat_share=0.0)
    assert np.isfinite(found[[0, 2]]).all()
    assert np.isnan(found[1])
