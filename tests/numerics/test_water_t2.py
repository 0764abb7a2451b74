"""Water T2 fits against isochromat trains, the Cramer-Rao bound and what is known beforehand."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.errors import InvalidInput
from myoproof.numerics.water_t2 import Fitted, Known, cramer_rao, fit
from myoproof.numerics.water_t2_dictionary import Dictionary, Train, build, signals
from myoproof.numerics.water_t2_mono import mono_exponential
from myoproof.phantoms.relaxation_bloch import Sequence, echoes

TRAIN = Train(echo_spacing_s=0.010, n_echo=17)
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return build(TRAIN)


def clean(t2_s: float, b1: float, share: float, train: Train = TRAIN) -> Floats:
    water = signals(train, [t2_s], [b1], t1_s=train.t1_water_s)[0, 0]
    fat = signals(train, [train.t2_fat_s], [b1], t1_s=train.t1_fat_s)[0, 0]
    return np.asarray((1 - share) * water + share * fat)


def noisy(amplitude: Floats, n: int, seed: int) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal((2, n, amplitude.size))
    return np.hypot(amplitude + noise[0], noise[1]).astype(np.float32)


def test_signals_equal_the_isochromat_oracle() -> None:
    """Two formulations that share no code: phase graphs with spinors, rotated isochromats with matrices."""
    fields, times = np.array([0.6, 0.85, 1.0, 1.2]), np.array([0.025, 0.038, 0.080])
    oracle = echoes(times, TRAIN.t1_water_s, fields, Sequence())
    ours = signals(TRAIN, times, fields, t1_s=TRAIN.t1_water_s)
    assert np.abs(ours.transpose(1, 0, 2) - oracle).max() < 3e-4


@given(st.floats(0.018, 0.15), st.floats(0.45, 1.35))
@settings(max_examples=20, deadline=None)
def test_expansions_leave_no_grid_error(t2_s: float, b1: float) -> None:
    told = Known(fat_share=0.0, fat_share_sd=0.0, b1=b1, b1_sd=0.0)
    values = 100 * signals(TRAIN, [t2_s], [b1], t1_s=TRAIN.t1_water_s)[0].astype(np.float32)
    found = fit(values, DICTIONARY, noise_sd=0.0, known=told)
    assert found.t2_s[0] == pytest.approx(t2_s, rel=5e-4)


DICTIONARY = build(TRAIN)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("b1", [0.7, 0.9, 1.15])
def test_noise_free_voxels_are_recovered_where_fat_is_known(
    dictionary: Dictionary, share: float, b1: float
) -> None:
    values = (1000 * clean(0.041, b1, share)).astype(np.float32)[None]
    found = fit(
        values, dictionary, noise_sd=0.0, known=Known(fat_share=share, fat_share_sd=0.0, b1=b1, b1_sd=0.0)
    )
    assert 1e3 * found.t2_s[0] == pytest.approx(41.0, abs=0.02)
    assert found.density[0] == pytest.approx(1000.0, rel=1e-3)
    free = fit(values, dictionary, noise_sd=0.0, known=Known(b1=b1, b1_sd=0.0))
    assert free.fat_share[0] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("t2_ms", "b1", "share"), [(38.0, 0.85, 0.1), (30.0, 1.1, 0.3), (60.0, 0.7, 0.0)])
def test_voxels_reach_the_bound_without_bias(
    dictionary: Dictionary, t2_ms: float, b1: float, share: float
) -> None:
    told = Known(fat_share=share, fat_share_sd=0.0, b1=b1, b1_sd=0.0)
    bound = 1e3 * cramer_rao(TRAIN, t2_s=t2_ms / 1e3, b1=b1, fat_share=share, snr=50.0, known=told)["t2_s"]
    found = fit(noisy(50 * clean(t2_ms / 1e3, b1, share), 3000, 1), dictionary, noise_sd=1.0, known=told)
    error = 1e3 * found.t2_s - t2_ms
    assert abs(error.mean()) < 0.5
    assert error.std() < 1.15 * bound
    assert 1e3 * np.median(found.t2_sd_s) == pytest.approx(bound, rel=0.05)


def test_half_fat_does_not_spread_voxels_beyond_the_bound(dictionary: Dictionary) -> None:
    """At T2 60 ms, field 0.6 and half fat 2 % of voxels once ended at a second peak near 15 ms (ratio 1.19)."""
    told = Known(fat_share=0.5, fat_share_sd=0.0, b1=0.6, b1_sd=0.0)
    bound = 1e3 * cramer_rao(TRAIN, t2_s=0.060, b1=0.6, fat_share=0.5, snr=50.0, known=told)["t2_s"]
    found = fit(noisy(50 * clean(0.060, 0.6, 0.5), 6000, 6), dictionary, noise_sd=1.0, known=told)
    error = 1e3 * found.t2_s - 60.0
    assert error.std() < 1.13 * bound
    assert abs(error.mean()) < 0.8


def test_a_dixon_fat_share_with_its_sd_lies_between_knowing_and_not(dictionary: Dictionary) -> None:
    values = noisy(50 * clean(0.038, 0.9, 0.2), 1500, 2)
    spreads = []
    for sd in (0.0, 0.02, np.inf):
        told = 0.2 + (sd if np.isfinite(sd) else 0.0) * np.random.default_rng(3).standard_normal(1500)
        known = Known(fat_share=told, fat_share_sd=sd, b1=0.9, b1_sd=0.0)
        spreads.append(float(np.std(fit(values, dictionary, noise_sd=1.0, known=known).t2_s)))
    assert spreads[0] < spreads[1] < spreads[2]


def test_bounds_are_those_of_the_published_order() -> None:
    """Knowing fat and field from elsewhere makes T2 several times as precise (information adds)."""
    point = {"t2_s": 0.038, "b1": 0.85, "fat_share": 0.1, "snr": 50.0}
    free = cramer_rao(TRAIN, **point)
    fat = cramer_rao(TRAIN, **point, known=Known(fat_share_sd=0.0))
    both = cramer_rao(TRAIN, **point, known=Known(fat_share_sd=0.0, b1_sd=0.0))
    assert both["t2_s"] < fat["t2_s"] < free["t2_s"]
    assert both["b1"] == 0.0
    assert both["fat_share"] == 0.0
    again = cramer_rao(TRAIN, **{**point, "snr": 500.0}, known=Known(fat_share_sd=0.0, b1_sd=0.0))
    assert again["t2_s"] == pytest.approx(both["t2_s"] / 10, rel=0.02), "far above the floor, 1 / SNR"


def test_threads_scale_and_order_do_not_matter(dictionary: Dictionary) -> None:
    values = noisy(50 * clean(0.036, 0.95, 0.1), 400, 4)
    known = Known(fat_share=0.1, fat_share_sd=0.02)
    one = fit(values, dictionary, noise_sd=1.0, known=known)
    two = fit(values, dictionary, noise_sd=1.0, known=known, threads=2)
    np.testing.assert_array_equal(one.t2_s, two.t2_s)
    scaled = fit(8 * values, dictionary, noise_sd=8.0, known=known)
    np.testing.assert_allclose(scaled.t2_s, one.t2_s, rtol=1e-4)
    np.testing.assert_allclose(scaled.density, 8 * one.density, rtol=1e-4)
    back = fit(values[::-1], dictionary, noise_sd=1.0, known=known)
    np.testing.assert_array_equal(back.t2_s[::-1], one.t2_s)


def test_skipped_echoes_and_given_angles_are_fitted_as_they_are() -> None:
    angles = tuple(np.linspace(180.0, 120.0, 12))
    train = Train(echo_spacing_s=0.011, n_echo=12, skip=1, refocusing_deg=angles)
    values = (500 * clean(0.045, 0.9, 0.15, train)).astype(np.float32)[None]
    assert values.shape == (1, 11)
    known = Known(fat_share=0.15, fat_share_sd=0.0, b1=0.9, b1_sd=0.0)
    found = fit(values, build(train), noise_sd=0.0, known=known)
    assert 1e3 * found.t2_s[0] == pytest.approx(45.0, abs=0.05)
    with pytest.raises(InvalidInput, match="refocusing angles"):
        build(replace(train, n_echo=13))


def test_voxels_without_sense_are_nan_and_wrong_shapes_are_refused(dictionary: Dictionary) -> None:
    values = np.ones((3, 17), dtype=np.float32)
    values[1, 3] = np.nan
    values[2] = 0.0
    found: Fitted = fit(values, dictionary, noise_sd=0.1)
    assert np.isfinite(found.t2_s[0])
    assert np.isnan(found.t2_s[1:]).all()
    with pytest.raises(InvalidInput, match="echoes"):
        fit(values[:, :5], dictionary, noise_sd=0.1)
    with pytest.raises(InvalidInput, match="known"):
        fit(values, dictionary, noise_sd=0.1, known=Known(fat_share=np.zeros(7)))


def test_one_exponential_reads_fat_as_oedema() -> None:
    """Water of 38 ms beside a little fat reads far too long: why it stands under its own name."""
    times = 0.010 * np.arange(1, 18)
    read = [
        float(mono_exponential(clean(0.038, 1.0, share).astype(np.float32)[None], times)[0])
        for share in (0.0, 0.05, 0.10, 0.30)
    ]
    assert read == sorted(read)
    assert read[3] > 1.3 * read[0]
    assert np.isnan(mono_exponential(np.ones((1, 17), dtype=np.float32), times)[0]), "nothing decays"
