"""Repeated-measures ANOVA: O'Brien and Kaiser's data, statsmodels, and what two visits must give."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.anova import AnovaRM

from myoproof.numerics.anova import repeated_measures, sphericity, t_from_partial_eta2
from myoproof.numerics.longitudinal import mean_contrast

REFERENCE = tomllib.loads(
    (Path(__file__).parents[1] / "reference" / "change_and_agreement.toml").read_text(encoding="utf-8")
)


def test_phase_of_obrien_and_kaiser() -> None:
    found = repeated_measures(REFERENCE["data"]["obk_long"]["phase"])
    values = {
        "f": found.f,
        "df_visit_gg": found.epsilon_gg * found.df_visit,
        "df_error_gg": found.epsilon_gg * found.df_error,
        "partial_eta2": found.partial_eta2,
        "p_gg": found.p_gg,
    }
    for name, answer in REFERENCE["rm_anova"].items():
        assert values[name] == pytest.approx(answer["value"], abs=answer["tolerance"]), name


def test_statsmodels_agrees_without_correction() -> None:
    phase = np.array(REFERENCE["data"]["obk_long"]["phase"])
    n, k = phase.shape
    long = pd.DataFrame(
        {"y": phase.ravel(), "who": np.repeat(np.arange(n), k), "visit": np.tile(np.arange(k), n)}
    )
    table = AnovaRM(long, "y", "who", within=["visit"]).fit().anova_table.iloc[0]
    found = repeated_measures(phase)
    assert (found.f, found.p) == pytest.approx((table["F Value"], table["Pr > F"]), rel=1e-9)


def test_the_implied_responsiveness_of_the_published_effect() -> None:
    t = t_from_partial_eta2(0.54, 16)
    for name, value in (("t", t), ("srm", t / np.sqrt(17))):
        answer = REFERENCE["implied"][name]
        assert value == pytest.approx(answer["value"], abs=answer["tolerance"])


VISITS = arrays(np.float64, (12, 3), elements=st.integers(-30, 30).map(float)).filter(
    lambda y: (
        (y - y.mean(axis=1, keepdims=True)).std() > 0.1 and np.linalg.matrix_rank(y - y.mean(axis=0)) > 2
    )
)


@given(VISITS)
@settings(deadline=None)
def test_two_visits_are_the_paired_t(y: np.ndarray) -> None:
    pair = y[:, :2]
    if np.ptp(pair[:, 1] - pair[:, 0]) == 0:
        return
    t = mean_contrast(pair[:, 1] - pair[:, 0])
    found = repeated_measures(pair)
    assert found.f == pytest.approx(t.statistic**2, rel=1e-6, abs=1e-9)
    assert found.p_gg == pytest.approx(t.p, rel=1e-6)
    assert t_from_partial_eta2(found.partial_eta2, 11) == pytest.approx(abs(t.statistic), rel=1e-6, abs=1e-9)


@given(VISITS, st.floats(-100, 100), st.floats(0.1, 10))
@settings(deadline=None)
def test_subject_offsets_and_scale_change_nothing(y: np.ndarray, offset: float, scale: float) -> None:
    before = repeated_measures(y)
    after = repeated_measures(scale * (y + offset * np.arange(12.0)[:, None]))
    assert after.f == pytest.approx(before.f, rel=1e-5, abs=1e-7)
    assert after.partial_eta2 == pytest.approx(before.partial_eta2, rel=1e-5, abs=1e-9)


@given(VISITS)
@settings(deadline=None)
def test_epsilons_lie_between_their_bounds(y: np.ndarray) -> None:
    gg, hf = sphericity(y)
    assert 0.5 - 1e-9 <= gg <= hf <= 1.0


def test_corrected_p_holds_its_level_where_sphericity_fails() -> None:
    rng = np.random.default_rng(5)
    mix = np.linalg.cholesky(np.array([[1.0, 0.9, 0.2], [0.9, 1.0, 0.3], [0.2, 0.3, 4.0]]))
    found = [repeated_measures(rng.standard_normal((17, 3)) @ mix.T) for _ in range(3000)]
    assert 0.035 <= np.mean([f.p_gg <= 0.05 for f in found]) <= 0.06
    assert np.mean([f.p <= 0.05 for f in found]) > 0.06


@pytest.mark.parametrize("bad", [np.ones((3, 3)), np.ones((5, 1)), np.full((6, 2), np.nan)])
def test_tables_that_cannot_be_analysed_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"visits|finite"):
        repeated_measures(bad)


def test_no_spread_gives_no_f() -> None:
    assert np.isnan(repeated_measures(np.ones((6, 3))).partial_eta2)
    assert np.isnan(repeated_measures(np.tile([1.0, 2.0, 3.0], (6, 1))).f)
