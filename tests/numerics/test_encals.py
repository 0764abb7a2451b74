"""ENCALS against reference vectors to the digits printed in public scripts, and its limits."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.numerics.encals import ENCALS, KNOTS, TRICALS, Patient, linear_predictor, months_until, survival

# Median survival (months) of the five risk groups of Westeneng 2018 and the predictors that give them.
MEDIANS = {-1.93: 17.7, -3.20: 25.3, -4.08: 32.2, -5.15: 43.7, -7.38: 91.0}


def test_median_survival_of_the_published_groups() -> None:
    got = months_until(np.array(list(MEDIANS)))
    np.testing.assert_allclose(got, list(MEDIANS.values()), atol=0.05)


def test_the_two_worked_examples() -> None:
    limb = linear_predictor(Patient(58.0, 10.9, 0.6, 0.96))
    assert float(limb) == pytest.approx(-4.483, abs=5e-4)
    assert [round(float(months_until(limb, left)), 1) for left in (0.75, 0.5, 0.25)] == [26.6, 36.0, 49.9]
    np.testing.assert_allclose(survival(limb, [12, 24, 36, 60]), [0.979, 0.813, 0.501, 0.157], atol=5e-4)
    bulbar = linear_predictor(Patient(68.0, 6.0, 1.5, 0.80, bulbar=1, definite=1))
    assert float(bulbar) == pytest.approx(-2.250, abs=5e-4)
    assert float(months_until(bulbar)) == pytest.approx(19.4, abs=0.05)


def test_the_formula_term_by_term_to_fifteen_digits() -> None:
    """Written out as the public script has it, in plain Python floats."""
    age, delay, slope, percent = 47.0, 22.3, 1.37, 71.0
    tails = (1.0, 0.0, 1.0, 1.0)
    expected = (
        -1.83665700485301 * (slope + 0.1) ** -0.5
        - 2.37341404599814 * ((delay / 10) ** -0.5 + float(np.log(delay / 10)))
        - 0.266972062796289 * (age / 100) ** -2
        + 0.476853332498141 * ((percent / 100) ** -1 + (percent / 100) ** -0.5)
        + 0.268874087566745 * tails[0]
        + 0.232783007891563 * tails[1]
        + 0.388313226407 * tails[2]
        + 0.256078493763062 * tails[3]
    )
    got = float(linear_predictor(Patient(age, delay, slope, percent / 100, *tails)))
    assert got == pytest.approx(expected, rel=1e-15, abs=2e-15)
    lighter = linear_predictor(Patient(age, delay, slope, percent / 100, *tails), TRICALS)
    assert float(lighter) != got
    assert linear_predictor(Patient(age, delay, slope, 0.71, c9orf72=np.nan), TRICALS) == pytest.approx(
        float(linear_predictor(Patient(age, delay, slope, 0.71), TRICALS))
    )


def test_the_spline_has_the_reference_shares() -> None:
    first, *inner, last = KNOTS
    shares = [(last - knot) / (last - first) for knot in inner]
    np.testing.assert_allclose(shares, [0.481323, 0.390507], atol=5e-7)


@given(st.floats(-12, 2), st.floats(0.01, 500), st.floats(1.001, 3))
def test_survival_falls_and_quantiles_invert_it(predictor: float, months: float, longer: float) -> None:
    now, later = survival(predictor, [months, months * longer])
    assert 0 <= later <= now <= 1
    for left in (0.9, 0.5, 0.1):
        assert float(survival(predictor, months_until(predictor, left))) == pytest.approx(left, abs=1e-9)


def test_outside_its_domain_there_is_no_answer() -> None:
    odd = [
        Patient(0, 10, 1, 1),
        Patient(50, -1, 1, 1),
        Patient(50, 10, -0.2, 1),
        Patient(50, 10, 1, 0),
        Patient(50, 10, np.nan, 1),
    ]
    assert all(np.isnan(linear_predictor(one)) for one in odd)
    assert np.isnan(months_until(np.nan))
    assert np.isnan(linear_predictor(Patient(50, 10, 1, 1, dementia=np.nan)))
    assert survival(-4.0, 0.0) == 1.0


def test_a_hundred_thousand_patients_take_less_than_a_second_of_processor() -> None:
    rng = np.random.default_rng(0)
    n = 100_000
    patient = Patient(
        rng.uniform(30, 80, n), rng.uniform(2, 40, n), rng.uniform(0.1, 2, n), rng.uniform(0.4, 1.2, n)
    )
    start = time.thread_time()
    predictor = linear_predictor(patient, ENCALS)
    survival(predictor, 36.0)
    months_until(predictor)
    assert time.thread_time() - start < 1.0
