"""The claim: shapes without classes, devices, early stopping; the full rates stand in the evidence table."""

import numpy as np
import pytest

from myoproof.phantoms.ultrasound_model import SHAPES, Draw, UltrasoundParams, draw
from myoproof.studies.phenotypes_claim import decide
from myoproof.studies.phenotypes_features import Levelled, Parameters, level_out

QUICK = Parameters(null_replicates=39, null_starts=3)


def drawn(seed: int, **params: object) -> Draw:
    return draw(rng=np.random.default_rng(seed), params=UltrasoundParams(**params))  # type: ignore[arg-type]


def levelled(cohort: Draw, *, by_device: bool = True) -> Levelled:
    device = np.array([f"device-{code}" if by_device else "" for code in cohort.device], dtype=object)
    return level_out(cohort.analysed, device)


def test_stopping_early_makes_the_same_claim_and_asks_fewer_nulls() -> None:
    data = levelled(drawn(5, preset="continuum", shape="gamma"))
    full = decide(data, QUICK, rng=np.random.default_rng(3))
    early = decide(data, QUICK, rng=np.random.default_rng(3), stop_early=True)
    assert full.subtypes == early.subtypes == 0
    assert len(early.excesses) == 1 < len(full.excesses)
    assert early.excesses["unimodal_factor"].p_value == full.excesses["unimodal_factor"].p_value


def test_a_strong_device_shift_makes_no_subtypes_once_levelled() -> None:
    cohort = drawn(6, preset="continuum", shape="gaussian")
    raw = cohort.analysed.copy()
    echo = [name.startswith("echogenicity") for name in cohort.feature_names[: raw.shape[1]]]
    raw[:, echo] += 60.0 * (cohort.device == 1)[:, np.newaxis]
    device = np.array([str(code) for code in cohort.device], dtype=object)
    claims = [
        decide(level_out(raw, groups), QUICK, rng=np.random.default_rng(1)).subtypes
        for groups in (device, np.full(len(raw), "", dtype=object))
    ]
    assert claims[0] == 0
    assert claims[1] > 0, "left alone, the machine would be called a subtype"


def test_levelling_carries_floor_and_ceiling_to_the_scale_of_the_values() -> None:
    cohort = drawn(7, preset="continuum", shape="ceiling")
    data = levelled(cohort)
    with np.errstate(invalid="ignore"):
        ends = np.isclose(data.values, data.lower) | np.isclose(data.values, data.upper)
    raw = cohort.analysed
    expected = (raw == np.nanmin(raw, axis=0)) | (raw == np.nanmax(raw, axis=0))
    np.testing.assert_array_equal(ends, expected)
    assert ends.mean() > 0.2


def test_levelling_leaves_no_mean_difference_between_devices() -> None:
    cohort = drawn(8)
    data = levelled(cohort)
    for code in np.unique(cohort.device):
        np.testing.assert_allclose(np.nanmean(data.values[cohort.device == code], axis=0), 0, atol=1e-12)


def test_small_devices_are_levelled_together() -> None:
    x = np.random.default_rng(1).standard_normal((40, 3))
    groups = np.array(["a"] * 25 + [f"one-{i}" for i in range(15)], dtype=object)
    together = np.array(["a"] * 25 + ["b"] * 15, dtype=object)
    np.testing.assert_allclose(level_out(x, groups).values, level_out(x, together).values)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_a_continuum_is_called_subtypes_often(shape: str) -> None:
    claims = [
        decide(
            levelled(drawn(700 + seed, preset="continuum", shape=shape)),
            QUICK,
            rng=np.random.default_rng(seed),
            stop_early=True,
        ).subtypes
        for seed in range(20)
    ]
    assert sum(claim > 0 for claim in claims) <= 4  # P(more | rate 0.05) = 0.003


@pytest.mark.slow
def test_two_classes_three_sd_apart_are_claimed() -> None:
    claims = [
        decide(levelled(drawn(800 + seed)), QUICK, rng=np.random.default_rng(seed), stop_early=True).subtypes
        for seed in range(20)
    ]
    assert sum(claim == 2 for claim in claims) >= 12  # P(fewer | power 0.8) = 0.01
