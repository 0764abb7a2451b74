"""The multi-echo phantom: same seed same bytes, its physics by other means, its truth by counting."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.core.table import validate
from myoproof.phantoms import multiecho_constants as const
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_physics import Physics, fat_dephasing, fat_spectrum, steady_state

THIGH = ThighParams(n_slices=2, voxel_mm=2.5, matrix=(80, 72), gap_mm=30.0)
SMALL = MultiechoParams(THIGH)
QUIET = Physics(snr=1e6, repetition_time_s=0.0)


def made(physics: Physics, seed: int = 3, **other) -> MultiechoPhantom:
    return thighs(rng=np.random.default_rng(seed), params=replace(SMALL, physics=physics, **other))


@pytest.fixture(scope="module")
def quiet() -> MultiechoPhantom:
    return made(QUIET)


def test_same_seed_same_bytes_another_seed_another_person() -> None:
    one, two, other = (made(Physics(), seed) for seed in (5, 5, 6))
    assert one.acquisition.payload.values.tobytes() == two.acquisition.payload.values.tobytes()
    assert one.truth.equals(two.truth)
    assert one.acquisition.payload.values.tobytes() != other.acquisition.payload.values.tobytes()


def test_another_protocol_is_the_same_person() -> None:
    one, two = made(Physics(snr=20.0)), made(Physics(snr=80.0, flip_angle_deg=12.0))
    assert one.truth.equals(two.truth)
    np.testing.assert_array_equal(one.segmentation.labels, two.segmentation.labels)


def test_air_holds_complex_noise_of_the_declared_snr() -> None:
    scan = made(Physics(snr=40.0))
    air = scan.acquisition.payload.values[:3, :3].ravel()
    for part in (air.real, air.imag):
        assert part.std() == pytest.approx(1000 / 40, rel=0.15)


def test_muscle_has_the_declared_signal(quiet: MultiechoPhantom) -> None:
    """Fat-free muscle of reference signal 1000 under a receive field of mean about 1."""
    lean = np.nan_to_num(quiet.maps.pdff, nan=1.0) < 0.12
    total = (quiet.maps.water + quiet.maps.fat)[lean]
    assert 600 < np.median(total) < 1400


def test_magnitude_decays_and_phase_turns_as_the_maps_say(quiet: MultiechoPhantom) -> None:
    """Where water and fat are in phase again (2.3 ms apart at 3 T) what is left is decay and field."""
    water = np.nan_to_num(quiet.maps.signal_fraction, nan=1.0) < 0.08
    values = quiet.acquisition.payload.values[water]
    times = quiet.acquisition.payload.echo_times_s
    rate = np.log(np.abs(values[:, 0]) / np.abs(values[:, -1])) / (times[-1] - times[0])
    assert np.median(np.abs(rate - quiet.maps.r2star[water])) < 12.0
    turn = np.angle(values[:, 1] / values[:, 0]) / (2 * np.pi * (times[1] - times[0]))
    assert np.median(np.abs(turn - quiet.maps.field_hz[water])) < 12.0


def test_the_other_sign_of_precession_is_the_conjugate(quiet: MultiechoPhantom) -> None:
    other = made(replace(QUIET, precession_sign=-1))
    one, two = (scan.acquisition.payload.values for scan in (quiet, other))
    np.testing.assert_allclose(two, one.conj(), atol=0.02)
    assert other.acquisition.settings["precession_sign"] == -1.0


def test_bipolar_phase_alternates(quiet: MultiechoPhantom) -> None:
    other = made(replace(QUIET, bipolar_rad=(0.3, 0.0)))
    body = np.abs(quiet.acquisition.payload.values[..., 0]) > 300
    turn = np.angle(other.acquisition.payload.values[body] / quiet.acquisition.payload.values[body])
    np.testing.assert_allclose(np.median(turn, axis=0), [-0.3, 0.3, -0.3, 0.3, -0.3, 0.3], atol=1e-3)


def test_coils_combined_are_the_combined_scan(quiet: MultiechoPhantom) -> None:
    many = made(replace(QUIET, n_coils=4))
    assert many.coil_values is not None
    assert many.coil_values.shape == (*quiet.acquisition.payload.shape, 4, 6)
    np.testing.assert_allclose(many.acquisition.payload.values, quiet.acquisition.payload.values, atol=0.05)
    root = np.sqrt((np.abs(many.coil_values) ** 2).sum(axis=3))
    np.testing.assert_allclose(root, np.abs(quiet.acquisition.payload.values), atol=0.05)


def test_field_keeps_to_its_limit() -> None:
    for limit in (80.0, 300.0):
        scan = made(Physics(field_hz=limit))
        inside = scan.maps.pdff == scan.maps.pdff
        assert np.abs(scan.maps.field_hz[inside]).max() <= 1.1 * limit
        assert np.abs(scan.maps.field_hz[inside]).max() > 0.7 * limit


def test_decay_keeps_to_its_range() -> None:
    scan = made(Physics(r2star_per_s=(20.0, 200.0)))
    rows = scan.truth[scan.truth["measure"] == "r2star"]["value"]
    assert rows.between(20.0, 200.0).all()
    assert rows.max() > 120
    assert rows.min() < 50


def test_t1_weighting_brightens_fat_as_the_steady_state_says() -> None:
    physics = Physics(flip_angle_deg=10.0)
    scan = made(physics)
    ratio = steady_state(physics.t1_fat_s, 1.0, physics) / steady_state(physics.t1_water_s, 1.0, physics)
    mixed = (scan.exact.labels > 0) & (scan.maps.pdff > 0.2) & (scan.maps.pdff < 0.8)
    true, shown = scan.maps.pdff[mixed], scan.maps.signal_fraction[mixed]
    np.testing.assert_allclose(shown, true * ratio / (1 - true + true * ratio), atol=2e-3)


def test_truth_is_what_the_true_voxels_say(quiet: MultiechoPhantom) -> None:
    rows = validate(quiet.truth)
    assert set(rows["modality"]) == {"multiecho"}
    assert set(rows["side"]) == {"left", "right", "both"}
    whole = rows[(rows["at"] == "") & (rows["side"] == "right")].pivot(
        index="site", columns="measure", values="value"
    )
    half = slice(quiet.maps.pdff.shape[0] // 2, None)
    for label, (site, _) in quiet.exact.names.items():
        mask = quiet.exact.labels[half] == label
        assert quiet.maps.pdff[half][mask].mean() == pytest.approx(whole.loc[site, "fat_fraction"], abs=0.05)
        assert quiet.maps.r2star[half][mask].mean() == pytest.approx(whole.loc[site, "r2star"], abs=9)


def test_one_leg_has_its_side_in_the_names() -> None:
    scan = made(Physics(), sides=("right",))
    assert {side for _, side in scan.segmentation.names.values()} == {"right"}
    assert set(scan.truth["side"]) == {"right"}
    assert scan.acquisition.payload.shape[0] == THIGH.matrix[0]


@pytest.mark.parametrize("bonds", [None, 1.92, 2.8])
def test_fat_spectrum_is_mostly_methylene_and_adds_up(bonds: float | None) -> None:
    shift, share = fat_spectrum(bonds)
    assert share.sum() == pytest.approx(1.0)
    assert 0.55 < share[np.abs(shift + 3.4) < 0.05].sum() < 0.72


def test_fat_cancels_water_in_opposed_phase() -> None:
    turn = fat_dephasing(Physics(echo_times_s=(0.0, 0.00115, 0.0023)))
    assert turn[0] == pytest.approx(1.0)
    assert turn[1].real < -0.6
    assert abs(turn[2]) > 0.7
    assert turn[2].real > 0.6


def test_no_repetition_time_means_no_weighting() -> None:
    assert (steady_state([0.3, 1.4], 1.0, QUIET) == 1.0).all()
    assert "repetition_time_s" not in made(QUIET).acquisition.settings
    assert const.REFERENCE_SIGNAL == 1000.0
