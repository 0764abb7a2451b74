"""The relaxation phantom: echoes, companions and truth belong together; the same seed, the same bytes."""

import numpy as np
import pytest

from myoproof.core.provenance import digest_arrays
from myoproof.phantoms.relaxation import Phantom, RelaxationParams, thigh

SMALL = RelaxationParams(n_slices=2, voxel_mm=2.5, matrix=(88, 80))


@pytest.fixture(scope="module")
def scan() -> Phantom:
    return thigh(rng=np.random.default_rng(11), params=SMALL)


def test_the_same_seed_gives_the_same_bytes(scan: Phantom) -> None:
    again = thigh(rng=np.random.default_rng(11), params=SMALL)
    for one, other in ((scan.acquisition, again.acquisition), (scan.dixon, again.dixon)):
        arrays = [
            [a.payload.values] if hasattr(a.payload, "values") else list(a.payload.channels.values())
            for a in (one, other)
        ]
        assert digest_arrays(*arrays[0]) == digest_arrays(*arrays[1])


def test_grids_cover_the_same_leg(scan: Phantom) -> None:
    echoes, dixon = scan.acquisition.payload, scan.dixon.payload
    assert echoes.values.dtype == np.float32
    assert echoes.values.shape == (88, 80, 2, 17)
    assert dixon.shape == (132, 120, 2)
    corner = [grid.affine @ [-0.5, -0.5, 0, 1] for grid in (echoes, dixon)]
    np.testing.assert_allclose(corner[0][:2], corner[1][:2])
    assert scan.exact.labels.shape == echoes.shape
    first = echoes.values[..., 0] > 0.3 * echoes.values.max()
    assert first[scan.exact.labels > 0].mean() > 0.8


def test_truth_has_every_muscle_and_its_slices(scan: Phantom) -> None:
    whole = scan.truth[scan.truth["at"] == ""]
    assert set(whole["measure"]) == {"water_t2", "b1"}
    water = whole[whole["measure"] == "water_t2"]["value"].dropna()
    assert water.between(28, 75).all()
    assert len(water) >= 8
    assert scan.truth["at"].str.startswith("slice:").any()


def test_noise_is_what_was_asked_for() -> None:
    quiet = thigh(rng=np.random.default_rng(2), params=RelaxationParams(snr=1e6, **_grid()))
    loud = thigh(rng=np.random.default_rng(2), params=RelaxationParams(snr=20.0, **_grid()))
    clean, noisy = (p.acquisition.payload.values[..., 0] for p in (quiet, loud))
    bright = clean > 300
    expected = 1000 * (1 - np.exp(-(3.0 - 0.175) / 1.42)) / 20
    assert np.std((noisy - clean)[bright]) == pytest.approx(expected, rel=0.1)


def test_sides_are_mirrored() -> None:
    left, right = (
        thigh(rng=np.random.default_rng(4), params=RelaxationParams(snr=1e9, side=side, **_grid()))
        for side in ("left", "right")
    )
    np.testing.assert_allclose(
        left.acquisition.payload.values[::-1], right.acquisition.payload.values, rtol=1e-3, atol=1e-2
    )
    assert {side for _, side in left.exact.names.values()} == {"left"}


def _grid() -> dict[str, object]:
    return {"n_slices": 1, "voxel_mm": 3.0, "matrix": (72, 66)}
