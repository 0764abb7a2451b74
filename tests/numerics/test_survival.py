"""Survival against R survival 3.5-3 (R 4.2.2) on the data sets that lifelines ships, and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_gbsg2, load_lung, load_rossi

from myoproof.numerics.survival import concordance, cox, kaplan_meier, log_rank, uno_concordance


@pytest.fixture(scope="module")
def lung() -> pd.DataFrame:
    return load_lung()


@pytest.fixture(scope="module")
def gbsg2() -> tuple[pd.DataFrame, pd.DataFrame]:
    data = load_gbsg2()
    columns = {
        "horTh": data["horTh"] == "yes",
        "age": data["age"],
        "menostat": data["menostat"] == "Post",
        "tsize": data["tsize"],
        "grade2": data["tgrade"] == "II",
        "grade3": data["tgrade"] == "III",
        "pnodes": data["pnodes"],
        "progrec": data["progrec"],
        "estrec": data["estrec"],
    }
    return data, pd.DataFrame(columns).astype(float)


def test_kaplan_meier_of_lung_by_sex(lung: pd.DataFrame) -> None:
    medians = [
        kaplan_meier(part["time"], part["status"]).median for _, part in lung.groupby("sex", sort=True)
    ]
    assert medians == [(270, 212, 310), (426, 348, 550)]


def test_log_rank_of_lung(lung: pd.DataFrame) -> None:
    assert log_rank(lung["time"], lung["status"], lung["sex"])[0] == pytest.approx(10.32674, abs=5e-6)


def test_cox_of_lung(lung: pd.DataFrame) -> None:
    whole = lung.dropna(subset=["ph.ecog"])
    fit = cox(whole["time"], whole["status"], whole[["age", "sex", "ph.ecog"]])
    np.testing.assert_allclose(fit.coefficients, [0.01106676, -0.55261240, 0.46372848], atol=5e-9)
    np.testing.assert_allclose(fit.se, [0.00926741, 0.16773905, 0.11357727], atol=5e-9)
    assert fit.concordance == pytest.approx(0.63713549, abs=5e-9)
    assert (fit.n_subjects, fit.n_events) == (227, 164)


def test_cox_of_rossi() -> None:
    rossi = load_rossi()
    fit = cox(rossi["week"], rossi["arrest"], rossi[["fin", "age", "race", "wexp", "mar", "paro", "prio"]])
    expected = [-0.37942217, -0.05743774, 0.31389979, -0.14979570, -0.43370388, -0.08487108, 0.09149708]
    np.testing.assert_allclose(fit.coefficients, expected, atol=5e-9)
    assert fit.se[0] == pytest.approx(0.19137948, abs=5e-9)
    assert fit.concordance == pytest.approx(0.64032925, abs=5e-9)
    assert fit.log_likelihood == pytest.approx(-658.747659, abs=5e-7)
    assert fit.null_log_likelihood < fit.log_likelihood


def test_gbsg2(gbsg2: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    data, x = gbsg2
    fit = cox(data["time"], data["cens"], x)
    named = dict(zip(x.columns, fit.coefficients, strict=True))
    assert named["horTh"] == pytest.approx(-0.34627843, abs=5e-9)
    assert named["pnodes"] == pytest.approx(0.04878860, abs=5e-9)
    assert fit.concordance == pytest.approx(0.69185103, abs=5e-9)
    risk = x.to_numpy() @ fit.coefficients
    assert uno_concordance(data["time"], data["cens"], risk) == pytest.approx(0.676923705, abs=5e-9)
    curve = kaplan_meier(data["time"], data["cens"])
    np.testing.assert_allclose(curve.at([365, 730, 1095]), [0.915558, 0.746231, 0.642620], atol=5e-7)


def test_late_entry_by_hand() -> None:
    """Two events; at each the risk set holds only who had entered: L = b - log(e^b + 1) - log(e^b + 1)."""
    fit = cox([2, 4, 5, 1.5], [1, 1, 0, 0], [[1], [0], [1], [1]], entry=[0, 1, 3, 0])
    assert fit.coefficients[0] == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=4, max_size=25))
@settings(deadline=None, max_examples=25)
def test_survival_falls_from_one_and_its_interval_holds_it(rows: list[tuple[int, bool]]) -> None:
    times, events = zip(*rows, strict=True)
    if not any(events):
        return
    curve = kaplan_meier(times, events)
    assert (np.diff(np.concatenate([[1.0], curve.survival])) < 0).all()
    known = np.isfinite(curve.low)
    assert (curve.low <= curve.survival + 1e-12)[known].all()
    assert (curve.survival <= curve.high + 1e-12)[known].all()
    assert curve.at(0.5) == 1.0


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_concordance_turns_with_the_sign_and_uno_equals_harrell_without_censoring(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times, risk = rng.exponential(size=30), rng.normal(size=30)
    seen = rng.random(30) < 0.7
    seen[np.argmin(times)] = True
    forward = concordance(times, seen, risk)
    assert forward + concordance(times, seen, -risk) == pytest.approx(1)
    everyone = np.ones(30, dtype=bool)
    assert uno_concordance(times, everyone, risk) == concordance(times, everyone, risk)


def test_uno_corrects_what_censoring_does_to_harrell() -> None:
    rng = np.random.default_rng(5)
    risk = rng.normal(size=20_000)
    times = rng.exponential(np.exp(-risk))
    horizon = 1.0
    truth = concordance(np.minimum(times, horizon)[:4000], (times <= horizon)[:4000], risk[:4000])
    leaving = np.minimum(rng.exponential(0.7, 20_000), horizon)
    seen, until = times <= leaving, np.minimum(times, leaving)
    uno = uno_concordance(until[:4000], seen[:4000], risk[:4000])
    assert abs(uno - truth) < 0.015


@pytest.mark.parametrize(
    ("covariates", "what"),
    [
        ([[1], [1], [1], [1], [1], [1]], "constant"),
        ([[1, 2], [2, 4], [3, 6], [4, 8], [5, 10], [6, 12]], "not independent"),
        ([[np.nan], [1], [2], [3], [4], [5]], "not finite"),
        ([[1], [1], [1], [0], [0], [0]], "runs away"),
    ],
)
def test_covariates_that_cannot_be_fitted_are_named(covariates: list[list[float]], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        cox([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], covariates)


@pytest.mark.parametrize(
    ("times", "events", "what"),
    [
        ([1, 2], [0, 0], "no events"),
        ([1, np.inf], [1, 0], "not finite"),
        ([-1, 2], [1, 0], "negative"),
        ([1, 2, 3], [1, 0], "differ in length"),
    ],
)
def test_times_that_make_no_sense_are_named(times: list[float], events: list[int], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        kaplan_meier(times, events)


def test_one_group_has_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="two groups"):
        log_rank([1, 2, 3], [1, 1, 0], ["a", "a", "a"])
