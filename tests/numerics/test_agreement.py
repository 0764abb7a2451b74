"""Limits of agreement: Bland and Altman's meters, exact and clustered intervals on simulated truth."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myoproof.numerics.agreement import (
    limits_interval_approximate,
    limits_of_agreement,
    minimal_detectable_change,
    repeatability_coefficient,
    standard_error_of_measurement,
    within_subject_sd,
)
from myoproof.numerics.clustered import cluster_jackknife, clustered_share
from myoproof.numerics.longitudinal import mean_contrast

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)
DIFFERENCES = arrays(np.float64, st.integers(4, 24), elements=st.integers(-30, 30).map(float))


def test_peak_flow_meters() -> None:
    data = REFERENCE["data"]["bland_altman"]
    found = limits_of_agreement(np.subtract(data["large"], data["mini"]))
    values = {
        "bias": found.bias.value,
        "sd": found.sd,
        "bias_low": found.bias.low,
        "bias_high": found.bias.high,
        "limit_half_width": limits_interval_approximate(found.sd, 17),
    }
    for name, answer in REFERENCE["bland_altman"].items():
        assert values[name] == pytest.approx(answer["value"], abs=answer["tolerance"]), name


def test_minimal_detectable_change() -> None:
    answer = REFERENCE["mdc95"]["bmd"]
    assert minimal_detectable_change(0.23) == pytest.approx(answer["value"], abs=answer["tolerance"])
    assert standard_error_of_measurement(2.0, 0.99) == pytest.approx(0.2)
    assert standard_error_of_measurement(2.0, 1.0000001) == 0.0


@given(DIFFERENCES, st.integers(-100, 100))
@settings(deadline=None)
def test_a_shift_changes_the_bias_only(differences: np.ndarray, shift: int) -> None:
    subjects = np.arange(differences.size) // 2
    before, after = (limits_of_agreement(d, subjects) for d in (differences, differences + shift))
    assert after.bias.value - before.bias.value == pytest.approx(shift, abs=1e-9)
    assert (after.sd, after.within_sd) == pytest.approx((before.sd, before.within_sd), abs=1e-9)
    assert after.upper.high - before.upper.high == pytest.approx(shift, abs=1e-6)


@given(DIFFERENCES)
@settings(deadline=None)
def test_the_order_of_rows_is_irrelevant(differences: np.ndarray) -> None:
    subjects = np.array([f"s{i // 2}" for i in range(differences.size)])
    order = np.random.default_rng(0).permutation(differences.size)
    before, after = (
        limits_of_agreement(d, s) for d, s in ((differences, subjects), (differences[order], subjects[order]))
    )
    assert after.bias == pytest.approx(before.bias) or after.bias.value == pytest.approx(before.bias.value)
    assert after.upper.high == pytest.approx(before.upper.high)


def test_one_row_a_subject_is_the_textbook() -> None:
    d = np.random.default_rng(1).normal(2, 3, 20)
    found = limits_of_agreement(d)
    t = mean_contrast(d)
    assert (found.bias.low, found.bias.high) == pytest.approx((t.low, t.high))
    assert found.upper.value == pytest.approx(d.mean() + 1.96 * d.std(ddof=1))
    assert found.within_sd == 0.0


def test_variance_components_are_recovered() -> None:
    rng = np.random.default_rng(2)
    subjects = np.repeat(np.arange(3000), 4)
    d = rng.normal(0, 2, 3000)[subjects] + rng.normal(0, 1, 12_000)
    found = limits_of_agreement(d, subjects)
    assert found.between_sd == pytest.approx(2.0, abs=0.1)
    assert found.within_sd == pytest.approx(1.0, abs=0.03)
    assert found.sd == pytest.approx(np.sqrt(5), abs=0.1)


@pytest.mark.parametrize("repeats", [1, 4])
def test_intervals_of_the_limits_cover(repeats: int) -> None:
    """15 subjects; between SD 2, within SD 1: the true upper limit is 1.96 sqrt(5)."""
    rng = np.random.default_rng(repeats)
    subjects = np.repeat(np.arange(15), repeats)
    truth, bias, upper = 1.96 * np.sqrt(5.0), 0, 0
    for _ in range(1500):
        d = rng.normal(0, 2, 15)[subjects] + rng.normal(0, 1, subjects.size)
        found = limits_of_agreement(d, subjects)
        bias += found.bias.low <= 0 <= found.bias.high
        upper += found.upper.low <= truth <= found.upper.high
    assert bias / 1500 == pytest.approx(0.95, abs=0.018)
    assert upper / 1500 == pytest.approx(0.95, abs=0.022)


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(ValueError, match="two subjects"):
        limits_of_agreement([1.0, 2.0], ["a", "a"])
    with pytest.raises(ValueError, match="clusters"):
        limits_of_agreement([1.0, 2.0], ["a"])


def test_repeatability_of_pairs() -> None:
    rng = np.random.default_rng(3)
    pairs = rng.normal(0, 1.5, (20_000, 2))
    within = within_subject_sd(pairs[:, 0] - pairs[:, 1])
    assert within == pytest.approx(1.5, abs=0.03)
    beyond = np.abs(pairs[:, 0] - pairs[:, 1]) > repeatability_coefficient(within)
    assert beyond.mean() == pytest.approx(0.05, abs=0.006)


def test_jackknife_of_a_mean_is_the_t_interval() -> None:
    x = np.random.default_rng(4).normal(0, 1, 12)
    found = cluster_jackknife(lambda mask: float(x[mask].mean()), np.arange(12))
    t = mean_contrast(x)
    assert (found.low, found.high) == pytest.approx((t.low, t.high))


def test_jackknife_gives_no_interval_where_it_cannot() -> None:
    assert np.isnan(cluster_jackknife(lambda _: 1.0, [0, 1]).low)
    assert np.isnan(cluster_jackknife(lambda _: 0.0, [0, 1, 2], scale="log").low)


def test_clustered_share_covers_where_rows_of_a_subject_go_together() -> None:
    rng = np.random.default_rng(5)
    subjects = np.repeat(np.arange(40), 11)
    covered = 0
    for _ in range(1000):
        chance = rng.beta(9, 1, 40)
        found = clustered_share(rng.random(subjects.size) < chance[subjects], subjects)
        covered += found.low <= 0.9 <= found.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.025)


def test_a_full_share_counts_subjects() -> None:
    many = clustered_share(np.ones(110, dtype=bool), np.repeat(np.arange(10), 11))
    assert many.low == pytest.approx(clustered_share(np.ones(10, dtype=bool), np.arange(10)).low)
    assert many.high == pytest.approx(1.0)
