"""T1-corrected rows of scanner-made images: only where the protocol is known, right, and rightly doubted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.measures import dixon
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_images import scanner_images
from myoproof.phantoms.multiecho_physics import Physics

THIGH = ThighParams(n_slices=2, voxel_mm=2.0, matrix=(92, 84), gap_mm=30.0)
KEY = ["site", "side", "measure", "at"]


@pytest.fixture(scope="module")
def scan() -> MultiechoPhantom:
    physics = Physics(flip_angle_deg=10.0, echo_times_s=(0.001,))
    return thighs(rng=np.random.default_rng(8), params=MultiechoParams(THIGH, physics=physics))


@pytest.fixture(scope="module")
def rows(scan: MultiechoPhantom) -> pd.DataFrame:
    images = scanner_images(scan, rng=np.random.default_rng(1), snr=200.0)
    return dixon.measure(images.acquisition, scan.exact)


def error(rows: pd.DataFrame, scan: MultiechoPhantom, method: str) -> pd.Series:
    both = rows[(rows["method"] == method) & (rows["at"] == "")].merge(
        scan.truth, on=KEY, suffixes=("", "_true")
    )
    both = both[both["measure"] == "fat_fraction"]
    return both["value"] - both["value_true"]


def test_corrected_rows_are_near_the_truth_and_plain_ones_are_not(rows, scan) -> None:
    assert error(rows, scan, "dixon").mean() > 0.08
    assert error(rows, scan, "dixon:t1_corrected").abs().mean() < 0.02


def test_their_interval_carries_t1_and_b1(rows) -> None:
    fat = rows[(rows["measure"] == "fat_fraction") & (rows["at"] == "")].set_index(["site", "side"])
    width = {
        method: (fat[fat["method"] == method]["high"] - fat[fat["method"] == method]["low"])
        for method in ("dixon", "dixon:t1_corrected")
    }
    mid = fat[fat["method"] == "dixon:t1_corrected"]["value"].between(0.25, 0.75)
    assert mid.any()
    assert (width["dixon:t1_corrected"][mid] > width["dixon"][mid] + 0.04).all()


def test_only_whole_fat_fractions_are_corrected(rows) -> None:
    own = rows[rows["method"] == "dixon:t1_corrected"]
    assert set(own["measure"]) == {"fat_fraction", "fat_fraction_signal"}
    assert set(own["at"]) == {""}


@pytest.mark.parametrize("missing", ["repetition_time_s", "flip_angle_deg", "field_strength_t"])
def test_without_one_setting_there_are_no_such_rows_and_the_others_stay(rows, scan, missing: str) -> None:
    images = scanner_images(scan, rng=np.random.default_rng(1), snr=200.0).acquisition
    known = {name: value for name, value in images.settings.items() if name != missing}
    plain = dixon.measure(replace(images, settings=known), scan.exact)
    assert "dixon:t1_corrected" not in set(plain["method"])
    rest = rows[rows["method"] != "dixon:t1_corrected"].reset_index(drop=True)
    pd.testing.assert_frame_equal(plain, rest)
