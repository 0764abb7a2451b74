"""Scan quality: what is put into a simulated scan is found there, and a good scan bears no flag."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Form, Volume
from myoproof.errors import InvalidInput
from myoproof.measures import dixon, mri_quality
from myoproof.numerics.limbs import body
from myoproof.phantoms.dixon import Phantom, ThighParams, thigh

PARAMS = ThighParams(n_slices=3, voxel_mm=1.5, matrix=(144, 130))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return thigh(rng=np.random.default_rng(3), params=PARAMS)


def changed(acquisition: Acquisition, change: object) -> Acquisition:
    volume = acquisition.payload
    assert isinstance(volume, Volume)
    channels = {name: change(values).astype(np.float32) for name, values in volume.channels.items()}  # type: ignore[operator]
    return replace(acquisition, payload=Volume(channels, volume.affine))


def with_void(acquisition: Acquisition, radius_mm: float, level: int = 1) -> Acquisition:
    volume = acquisition.payload
    assert isinstance(volume, Volume)
    tissue = body(volume.channels["fat"] + volume.channels["water"])[:, :, level]
    depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(tissue))
    x, y = np.unravel_index(int(depth.argmax()), depth.shape)
    across, down = np.ogrid[: tissue.shape[0], : tissue.shape[1]]
    hole = np.hypot(across - x, down - y) * volume.spacing_mm[0] < radius_mm

    def punched(values: np.ndarray) -> np.ndarray:
        out = values.copy()
        out[:, :, level][hole] = 0
        return out

    return changed(acquisition, punched)


def test_a_good_scan_bears_no_flag(phantom: Phantom) -> None:
    found = mri_quality.assess(phantom.acquisition)
    assert found.snr > 30
    assert found.worst_ghost < 0.005
    assert found.voids == ()
    assert mri_quality.findings(found) == []
    rows = dixon.measure(phantom.acquisition, phantom.segmentation)
    assert mri_quality.mark(rows, found).equals(rows)


@pytest.mark.parametrize(("snr", "grade"), [(10.0, "warn"), (3.0, "fail")])
def test_weak_signal_flags_every_row(snr: float, grade: str) -> None:
    noisy = thigh(rng=np.random.default_rng(3), params=replace(PARAMS, water_snr=snr))
    found = mri_quality.assess(noisy.acquisition)
    rows = mri_quality.mark(dixon.measure(noisy.acquisition, noisy.segmentation), found)
    assert rows["flags"].str.contains("low_snr").all()
    assert (rows["quality"] == grade).sum() > len(rows) / 2
    assert {one.category for one in mri_quality.findings(found)} >= {"signal"}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("share", "grade"), [(0.06, "warn"), (0.25, "fail")])
def test_ghosts_are_found_along_either_axis(phantom: Phantom, axis: int, share: float, grade: str) -> None:
    def ghosted(values: np.ndarray) -> np.ndarray:
        return values + share * np.roll(values, values.shape[axis] // 2, axis=axis)

    found = mri_quality.assess(changed(phantom.acquisition, ghosted))
    assert 0.5 * share < found.worst_ghost < 1.1 * share
    rows = mri_quality.mark(dixon.measure(phantom.acquisition, phantom.segmentation), found)
    assert rows["flags"].str.contains("motion_suspected").all()
    assert (rows["quality"] == grade).any()


@pytest.mark.parametrize("radius_mm", [10.0, 18.0])
def test_a_void_fails_its_slice_and_the_muscles_in_it_alone(phantom: Phantom, radius_mm: float) -> None:
    spoilt = with_void(phantom.acquisition, radius_mm)
    found = mri_quality.assess(spoilt)
    assert found.voids == (1,)
    rows = mri_quality.mark(dixon.measure(phantom.acquisition, phantom.segmentation), found)
    struck = rows["flags"].str.contains("metal_suspected")
    assert struck[rows["at"] == "slice:1"].all()
    assert not struck[rows["at"] == "slice:0"].any()
    assert (rows.loc[struck, "quality"] == "fail").all()


def test_cortical_bone_and_vessels_are_no_metal(phantom: Phantom) -> None:
    assert mri_quality.assess(with_void(phantom.acquisition, 5.0)).voids == ()


def test_a_masked_background_says_nothing_of_ghosts(phantom: Phantom) -> None:
    def masked(values: np.ndarray) -> np.ndarray:
        return np.where(values > 0.2 * values.max(), values, 0)

    assert np.isnan(mri_quality.assess(changed(phantom.acquisition, masked)).worst_ghost)


def test_an_empty_scan_is_assessed_without_error(phantom: Phantom) -> None:
    found = mri_quality.assess(changed(phantom.acquisition, np.zeros_like))
    assert found.voids == ()
    assert np.isnan(found.worst_ghost)


def test_other_payloads_are_refused(phantom: Phantom) -> None:
    with pytest.raises(InvalidInput, match="fat and water"):
        mri_quality.assess(replace(phantom.acquisition, payload=Form({})))
