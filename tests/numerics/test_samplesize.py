"""Sample size: R's power.t.test, published trials, and statsmodels as a second opinion."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import TTestIndPower

from myoproof.numerics.anova import t_from_partial_eta2
from myoproof.numerics.samplesize import power_two_sample, size_for_slowing, two_sample_size

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)["sample_size"]
CASES = {
    "bmd_srm_104_effect_50": (1.04, 0.5),
    "als_srm_105_effect_50": (t_from_partial_eta2(0.54, 16) / math.sqrt(17), 0.5),
    "als_srm_105_effect_30": (1.05, 0.3),
}


@pytest.mark.parametrize("name", CASES)
def test_published_sample_sizes(name: str) -> None:
    answer = REFERENCE[name]
    assert size_for_slowing(*CASES[name]) == pytest.approx(answer["value"], abs=answer["tolerance"])


def test_the_published_59_is_rounded_and_60_reach_the_power() -> None:
    assert math.ceil(size_for_slowing(1.04, 0.5)) == 60
    assert power_two_sample(60, 0.52) > 0.8 > power_two_sample(59, 0.52)


@given(st.floats(0.05, 3.0), st.sampled_from([0.8, 0.9]), st.sampled_from([0.05, 0.01]))
@settings(deadline=None, max_examples=40)
def test_the_size_reaches_exactly_the_power(delta: float, power: float, alpha: float) -> None:
    n = two_sample_size(delta, power=power, alpha=alpha)
    if n > 2:
        assert power_two_sample(n, delta, alpha=alpha) == pytest.approx(power, abs=1e-6)
    assert two_sample_size(-delta, power=power, alpha=alpha) == pytest.approx(n)


@pytest.mark.parametrize("delta", [0.2, 0.52, 1.0])
def test_statsmodels_agrees(delta: float) -> None:
    other = TTestIndPower().solve_power(effect_size=delta, power=0.8, alpha=0.05)
    assert two_sample_size(delta) == pytest.approx(other, rel=1e-4)


def test_a_measure_that_does_not_worsen_needs_endless_patients() -> None:
    assert size_for_slowing(0.0, 0.5) == math.inf
    assert size_for_slowing(-1.0, 0.5) == math.inf
    assert math.isnan(size_for_slowing(math.nan, 0.5))
    assert size_for_slowing(1e-6, 0.25) > 1e9


@pytest.mark.parametrize(("delta", "power"), [(0.0, 0.8), (math.nan, 0.8), (0.5, 0.04), (0.5, 1.0)])
def test_questions_without_an_answer_are_refused(delta: float, power: float) -> None:
    with pytest.raises(ValueError, match=r"difference|alpha"):
        two_sample_size(delta, power=power)


def test_simulated_trials_have_the_power() -> None:
    rng = np.random.default_rng(59)
    n, trials = 59, 4000
    treated = rng.normal(1.04 * 0.5, 1, (trials, n))
    untreated = rng.normal(1.04, 1, (trials, n))
    difference = untreated.mean(axis=1) - treated.mean(axis=1)
    pooled = np.sqrt((treated.var(axis=1, ddof=1) + untreated.var(axis=1, ddof=1)) / n)
    assert np.mean(np.abs(difference / pooled) > 1.9806) == pytest.approx(0.80, abs=0.02)
