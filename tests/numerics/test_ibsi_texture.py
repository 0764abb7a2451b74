"""Texture features: what turns, flips and relabelling of an image do to them, and where they are not defined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.numerics.ibsi_texture import (
    AGGREGATIONS,
    WHOLE,
    cooccurrence_features,
    dependence_features,
    run_features,
    tone_features,
    zone_features,
)

N = 4
images = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, N + 1, size=(6, 5, 4)).astype(np.int32)
)


def everything(levels: np.ndarray, aggregation: str, whole: str) -> dict[str, float]:
    return (
        cooccurrence_features(levels, N, aggregation)
        | run_features(levels, N, aggregation)
        | zone_features(levels, levels > 0, N, whole)
        | tone_features(levels, N, whole)
        | dependence_features(levels, N, whole)
    )


@given(images, st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
@settings(max_examples=20, deadline=None)
def test_in_space_no_turn_or_flip_of_the_image_changes_anything(levels, order, flips) -> None:
    turned = levels.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    for aggregation in ("3d_merged", "3d_averaged"):
        ours = everything(levels, aggregation, "3d")
        assert everything(turned, aggregation, "3d") == pytest.approx(ours, nan_ok=True)


@given(images)
@settings(max_examples=20, deadline=None)
def test_in_slices_a_turn_within_the_slice_changes_nothing(levels) -> None:
    for aggregation in ("2d_averaged", "2d_slice_merged", "2_5d_direction_merged", "2_5d_merged"):
        whole = "2_5d" if aggregation.startswith("2_5d") else "2d"
        ours = everything(levels, aggregation, whole)
        assert everything(levels.swapaxes(0, 1), aggregation, whole) == pytest.approx(ours, nan_ok=True)


@given(images)
@settings(max_examples=20, deadline=None)
def test_levels_in_reverse_order_keep_what_counts_differences(levels) -> None:
    reverse = np.where(levels > 0, N + 1 - levels, 0).astype(np.int32)
    ours, theirs = everything(levels, "3d_merged", "3d"), everything(reverse, "3d_merged", "3d")
    same = ("contrast", "entropy", "non_uniformity", "variance", "percentage", "correlation", "energy")
    for name, value in ours.items():
        if name.endswith(same) and "autocorrelation" not in name and not name.startswith("ngtdm"):
            assert theirs[name] == pytest.approx(value, nan_ok=True), name
    assert theirs["glcm_cluster_shade"] == pytest.approx(-ours["glcm_cluster_shade"])
    assert theirs["ngtdm_coarseness"] == pytest.approx(ours["ngtdm_coarseness"])


def test_a_region_of_one_level_is_uniform() -> None:
    found = everything(np.ones((4, 4, 3), dtype=np.int32), "3d_merged", "3d")
    assert found["glcm_joint_entropy"] == 0.0
    assert found["glcm_correlation"] == 1.0
    assert found["glcm_information_correlation_1"] == 0.0
    assert found["ngtdm_coarseness"] == 1e6
    assert found["ngtdm_busyness"] == found["ngtdm_strength"] == found["ngtdm_contrast"] == 0.0
    assert found["glszm_zone_percentage"] == pytest.approx(1 / 48)


def test_slices_without_voxels_have_no_say_and_lonely_voxels_no_neighbours() -> None:
    levels = np.zeros((4, 4, 3), dtype=np.int32)
    levels[:, :, 1] = np.random.default_rng(0).integers(1, N + 1, (4, 4))
    own = everything(levels[:, :, 1:2], "2d_averaged", "2d")
    assert everything(levels, "2d_averaged", "2d") == pytest.approx(own)
    alone = np.zeros((3, 3, 3), dtype=np.int32)
    alone[1, 1, 1] = 2
    for aggregation in AGGREGATIONS:
        assert np.isnan(list(cooccurrence_features(alone, N, aggregation).values())).all()
    for whole in WHOLE:
        assert np.isnan(list(tone_features(alone, N, whole).values())).all()
        assert dependence_features(alone, N, whole)["ngldm_dependence_count_percentage"] == 1.0
