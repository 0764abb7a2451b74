"""The mixed model for repeated measures against R's gls and lmer, its derivatives, and models it must refuse."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.numerics.mmrm import Mmrm, fit_mmrm
from myoproof.numerics.mmrm_inference import estimate, infer, joint_test
from myoproof.numerics.mmrm_kenward import adjustment
from myoproof.numerics.mmrm_layout import Observations, arrange, independent_columns
from myoproof.numerics.mmrm_likelihood import evaluate, slopes
from myoproof.numerics.mmrm_structures import Name, structure

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = tomllib.loads((FOLDER / "mmrm.toml").read_text(encoding="utf-8"))
SLEEP = tomllib.loads((FOLDER / "change_and_agreement.toml").read_text(encoding="utf-8"))
Floats = npt.NDArray[np.float64]
ALL: tuple[Name, ...] = ("UN", "CS", "CSH", "AR1", "ARH1", "TOEP", "TOEPH", "ANTE", "SP_EXP", "SP_GAU")


def simulated() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "mmrm_simulated.csv")


def observations(frame: pd.DataFrame, **changes: Any) -> Observations:
    """Columns intercept, visits 2-4, arm at visits 1-4, baseline, sex."""
    visit = frame["visit"].to_numpy() - 1
    active = (frame["arm"] == "active").to_numpy(dtype=np.float64)
    steps = np.eye(4)[visit]
    rest = [frame["baseline"].to_numpy(), (frame["sex"] == "female").to_numpy(dtype=np.float64)]
    design = np.column_stack([np.ones(len(frame)), steps[:, 1:], steps * active[:, None], *rest])
    times = frame[["visit"]].to_numpy(dtype=np.float64)
    rows = Observations(
        frame["value"].to_numpy(), design, frame["subject"].to_numpy(), visit, coordinates=times
    )
    return replace(rows, **changes)


@pytest.mark.parametrize("name", REFERENCE["gls"])
def test_against_gls(name: Name) -> None:
    rows, answer = observations(simulated()), REFERENCE["gls"][name]
    fit = fit_mmrm(rows, structure_name=name)
    assert fit.converged
    assert fit.deviance == pytest.approx(answer["reml_deviance"], rel=1e-9)
    np.testing.assert_allclose(fit.beta, answer["beta"], atol=5e-5)
    np.testing.assert_allclose(fit.se, answer["se"], rtol=2e-5)
    full = fit_mmrm(rows, structure_name=name, method="ml")
    assert full.deviance == pytest.approx(answer["ml_deviance"], rel=1e-9)


@pytest.mark.parametrize("name", ["CS", "SLOPE"])
def test_degrees_of_freedom_against_lmertest_and_pbkrtest(name: Name) -> None:
    frame, answer = simulated(), REFERENCE["lmer"][name]
    rows = observations(frame)
    if name == "SLOPE":
        active = (frame["arm"] == "active").to_numpy(dtype=np.float64)
        visit = frame["visit"].to_numpy(dtype=np.float64)
        columns = [np.ones(len(frame)), visit, visit * active, rows.design[:, -2], rows.design[:, -1]]
        rows = replace(rows, design=np.column_stack(columns))
    fit = fit_mmrm(rows, structure_name=name)
    assert fit.deviance == pytest.approx(answer["reml_deviance"], rel=1e-9)
    unit = np.eye(fit.beta.size)
    plain = [estimate(infer(fit), row) for row in unit]
    np.testing.assert_allclose([one.value for one in plain], answer["beta"], atol=2e-5)
    np.testing.assert_allclose([one.se for one in plain], answer["se"], rtol=2e-5)
    np.testing.assert_allclose([one.df for one in plain], answer["satterthwaite_df"], rtol=2e-4)
    adjusted = infer(fit, "kenward_roger", expected=True)
    kenward = [estimate(adjusted, row) for row in unit]
    np.testing.assert_allclose([one.se for one in kenward], answer["kr_se"], rtol=2e-5)
    np.testing.assert_allclose([one.df for one in kenward], answer["kr_df"], rtol=2e-5)


def test_joint_tests_against_pbkrtest_and_lmertest() -> None:
    fit = fit_mmrm(observations(simulated()), structure_name="CS")
    rows = np.eye(10)[4:8]
    answer = REFERENCE["lmer"]["CS"]
    kenward = joint_test(infer(fit, "kenward_roger", expected=True), rows)
    found = [kenward.statistic, kenward.denominator_df, kenward.p]
    np.testing.assert_allclose(found, answer["kr_f4"], rtol=1e-4)
    plain = joint_test(infer(fit), rows)
    found = [plain.statistic, plain.denominator_df, plain.p]
    np.testing.assert_allclose(found, answer["satterthwaite_f4"], rtol=1e-4)
    doubled = joint_test(infer(fit), np.vstack([rows, rows]))
    assert doubled.numerator_df == 4
    assert doubled.statistic == pytest.approx(plain.statistic)


def test_sleepstudy_by_kenward_and_roger() -> None:
    reaction = np.array(SLEEP["data"]["sleepstudy"]["reaction_ms"], dtype=np.float64)
    subject, day = np.divmod(np.arange(180), 10)
    design = np.column_stack([np.ones(180), day])
    rows = Observations(reaction.ravel(), design, subject, day, coordinates=day[:, None].astype(np.float64))
    fit = fit_mmrm(rows, structure_name="SLOPE")
    np.testing.assert_allclose(fit.beta, [251.40510485, 10.46728596], rtol=1e-8)
    np.testing.assert_allclose(fit.theta, REFERENCE["lmer"]["sleepstudy"]["theta"], rtol=1e-4)
    assert fit.deviance == pytest.approx(2 * 871.8141360, rel=1e-9)
    slope = estimate(infer(fit, "kenward_roger", expected=True), np.array([0.0, 1.0]))
    assert slope.df == pytest.approx(17.0, abs=1e-3)
    assert slope.p == pytest.approx(3.26381e-06, rel=1e-5)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("reml", [True, False])
def test_derivatives_are_those_of_the_deviance(name: Name, reml: bool) -> None:
    rows = observations(simulated())
    groups = None if name.startswith("SP") else simulated()["arm"].to_numpy()
    layout = arrange(replace(rows, groups=groups, coordinates=rows.coordinates if groups is None else None))
    shape = structure(name, layout.n_visits)
    theta = np.tile(shape.start(layout.variances, 2.0), layout.n_groups) * 1.1 + 0.02
    point = evaluate(theta, layout, shape, reml=reml)
    assert point is not None
    exact = slopes(point, layout, reml=reml)
    gradient, hessian = np.empty(theta.size), np.empty((theta.size, theta.size))
    for place in range(theta.size):
        step = np.zeros(theta.size)
        step[place] = 1e-5
        ahead, behind = (evaluate(theta + sign * step, layout, shape, reml=reml) for sign in (1, -1))
        assert ahead is not None
        assert behind is not None
        gradient[place] = (ahead.deviance - behind.deviance) / 2e-5
        hessian[place] = slopes(ahead, layout, reml=reml).gradient
        hessian[place] = (hessian[place] - slopes(behind, layout, reml=reml).gradient) / 2e-5
    np.testing.assert_allclose(exact.gradient, gradient, atol=1e-4)
    np.testing.assert_allclose(exact.observed, hessian, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["UN", "CS", "TOEP"])
def test_linear_structures_need_no_second_derivatives(name: Name) -> None:
    fit = fit_mmrm(observations(simulated()), structure_name=name)
    np.testing.assert_array_equal(adjustment(fit).covariance, adjustment(fit, second_order=False).covariance)


def test_two_groups_apart_are_two_fits() -> None:
    frame = simulated()
    active = (frame["arm"] == "active").to_numpy()
    own = np.eye(4)[frame["visit"].to_numpy() - 1]
    design = np.column_stack([own * active[:, None], own * ~active[:, None]])
    rows = observations(frame, design=design, groups=frame["arm"].to_numpy(), coordinates=None)
    both = fit_mmrm(rows, structure_name="UN")
    parts = []
    for chosen in (active, ~active):
        part = frame[chosen]
        parts.append(fit_mmrm(observations(part, design=own[chosen], coordinates=None)))
    assert both.deviance == pytest.approx(parts[0].deviance + parts[1].deviance, rel=1e-9)
    np.testing.assert_allclose(both.beta, np.concatenate([part.beta for part in parts]), atol=1e-5)
    np.testing.assert_allclose(both.matrices[0], parts[0].matrices[0], rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 1e4), st.floats(-1e3, 1e3), st.integers(0, 10_000))
def test_units_and_order_do_not_matter(scale: float, shift: float, seed: int) -> None:
    frame = simulated()
    rows = observations(frame)
    plain = fit_mmrm(rows, structure_name="ARH1")
    order = np.random.default_rng(seed).permutation(len(frame))
    moved = observations(frame.iloc[order])
    other = fit_mmrm(replace(moved, values=moved.values * scale + shift), structure_name="ARH1")
    expected = plain.beta * scale
    expected[0] += shift
    np.testing.assert_allclose(other.beta, expected, rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(other.se, plain.se * scale, rtol=1e-4)
    row = np.eye(10)[7]
    assert estimate(infer(other), row).p == pytest.approx(estimate(infer(plain), row).p, rel=1e-3)


def test_held_parameters_are_kept() -> None:
    rows = observations(simulated())
    free = fit_mmrm(rows, structure_name="TOEPH")
    held = fit_mmrm(rows, structure_name="TOEPH", theta=free.theta)
    np.testing.assert_allclose(held.beta, free.beta)
    assert held.deviance == pytest.approx(free.deviance)
    other = fit_mmrm(rows, structure_name="TOEPH", theta=free.theta * np.array([1.2] * 4 + [1.0] * 3))
    assert other.deviance > free.deviance


def test_weights_of_two_are_rows_of_half_the_variance() -> None:
    frame = simulated()
    rows = observations(frame, coordinates=None)
    weighted = fit_mmrm(replace(rows, weights=np.full(len(frame), 2.0)), structure_name="CS")
    plain = fit_mmrm(rows, structure_name="CS")
    np.testing.assert_allclose(weighted.theta, 2 * plain.theta, rtol=1e-6)
    np.testing.assert_allclose(weighted.se, plain.se, rtol=1e-6)
    assert weighted.deviance == pytest.approx(plain.deviance, rel=1e-9)


def test_aliased_columns_are_left_out_and_their_combinations_refused() -> None:
    frame = simulated()
    rows = observations(frame)
    doubled = np.column_stack([rows.design, 1.0 - rows.design[:, -1], np.zeros(len(frame))])
    fit = fit_mmrm(replace(rows, design=doubled))
    assert fit.kept.tolist() == list(range(10))
    plain = fit_mmrm(rows)
    assert fit.deviance == pytest.approx(plain.deviance, rel=1e-10)
    alone = np.zeros(12)
    alone[9] = 1.0
    assert not estimate(infer(fit), alone).estimable
    alone[10] = -1.0
    assert estimate(infer(fit), alone).value == pytest.approx(plain.beta[9], abs=1e-6)
    level = np.zeros(12)
    level[0], level[10] = 1.0, 1.0
    assert estimate(infer(fit), level).value == pytest.approx(plain.beta[0], abs=1e-6)


def failing(change: str) -> Mmrm:
    frame = simulated()
    if change == "twin":
        third = frame[frame["visit"] == 3].set_index("subject")["value"]
        twins = frame["subject"].map(third)
        frame["value"] = frame["value"].where(frame["visit"] != 4, twins)
        frame = frame[frame["value"].notna()]
    if change == "apart":
        late = frame["subject"] > "S30"
        frame = frame[(frame["visit"] < 3) ^ late]
    if change == "few":
        frame = frame.head(5)
    if change == "flat":
        frame = frame.assign(value=frame["visit"] * 2.0)
    return fit_mmrm(observations(frame.reset_index(drop=True)))


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ("twin", "singular_covariance"),
        ("apart", "visits_never_together"),
        ("few", "too_few_rows"),
        ("flat", "no_spread"),
    ],
)
def test_bad_data_are_a_named_failure(change: str, failure: str) -> None:
    fit = failing(change)
    assert fit.failure == failure
    assert fit.explained
    with pytest.raises(ValueError, match=failure):
        infer(fit)


def test_nearly_equal_visits_are_still_fitted() -> None:
    """A muscle's volume: visits correlate with 0.999."""
    rng = np.random.default_rng(8)
    person = rng.normal(0, 500, 40)
    values = person[:, None] + np.cumsum(rng.normal(-40, 15, (40, 5)), axis=1)
    who, visit = np.nonzero(rng.random((40, 5)) < 0.9)
    fit = fit_mmrm(Observations(values[who, visit], np.eye(5)[visit], who, visit))
    assert fit.converged, fit.explained
    change = estimate(infer(fit), np.array([-1.0, 0, 0, 0, 1.0]))
    assert change.se < 20


@pytest.mark.parametrize("seed", range(12))
def test_tiny_samples_fit_or_say_why(seed: int) -> None:
    rng = np.random.default_rng(seed)
    who, visit = np.nonzero(rng.random((7, 4)) < 0.75)
    values = rng.normal(0, 3, 7)[who] + rng.normal(size=who.size)
    design = np.column_stack([np.eye(4)[visit], np.eye(4)[visit] * (who % 2)[:, None]]).astype(np.float64)
    fit = fit_mmrm(Observations(values, design, who, visit))
    assert fit.converged == (not fit.failure)
    if fit.converged:
        assert np.isfinite(infer(fit, "kenward_roger").covariance).all()
    else:
        assert fit.explained


def test_bad_input_is_refused() -> None:
    rows = observations(simulated())
    broken = rows.values.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        fit_mmrm(replace(rows, values=broken))
    with pytest.raises(ValueError, match="two rows at one visit"):
        fit_mmrm(replace(rows, visits=np.zeros(rows.values.size, dtype=np.intp)))
    with pytest.raises(ValueError, match="two groups"):
        fit_mmrm(replace(rows, groups=rows.visits > 1, coordinates=None))
    with pytest.raises(ValueError, match="coordinates"):
        fit_mmrm(replace(rows, coordinates=None), structure_name="SP_EXP")
    with pytest.raises(ValueError, match="REML"):
        infer(fit_mmrm(rows, structure_name="CS", method="ml"), "kenward_roger")


def test_independent_columns_leave_out_sums() -> None:
    design = np.random.default_rng(4).normal(size=(30, 3))
    joined = np.column_stack([design, design @ [1.0, -2.0, 0.5], np.zeros(30), design[:, :1] * 1e6])
    assert independent_columns(joined).tolist() == [0, 1, 2]
