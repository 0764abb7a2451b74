"""The joint model against R JM 1.5-2 (version 4.2.2 of R), its own gradient, and simulated truth."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.joint_data import aids, pbc2, simulated
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from myoproof.errors import InvalidInput
from myoproof.numerics.joint import fit_joint
from myoproof.numerics.joint_design import block_of, checked, entry_block, interval_of, knots_of
from myoproof.numerics.joint_likelihood import evaluate, factor_of, nodes_around, triangle_of
from myoproof.numerics.joint_start import fit_mixed, moments
from myoproof.numerics.joint_types import JointForm, Repeated, Survival, intercept_and_slope

ALPHA = -0.5
AS_JM = {"knots_from": "follow_up", "recentred": 0}
"""R JM places its knots at quantiles of all times and its nodes where the mixed model alone puts them."""


# ---------------------------------------------------------------- the likelihood


def test_the_gradient_is_that_of_the_value() -> None:
    rows, survival = simulated(1, 40, late=True, alpha=ALPHA)
    x = np.random.default_rng(2).normal(size=(survival.times.size, 1))
    form = JointForm(association="both", n_knots=2)
    rows, survival = checked(rows, replace(survival, covariates=x, names=("x",)), form)
    knots = knots_of(survival, form)
    for block in (block_of(rows, survival, form, knots), entry_block(survival, form, knots)):
        assert block is not None
        n = len(block.events)
        nodes = nodes_around(np.zeros((n, 2)), np.tile(np.diag([1.0, 0.3]), (n, 1, 1)), 4)
        start = np.concatenate(
            [
                [0.1, -0.7, -0.9],
                triangle_of(np.array([[1, 0.1], [0.1, 0.3]])),
                [0.2, -0.4, 0.1],
                [-2, -1.5, -1],
            ]
        )
        found = evaluate(start, block, nodes)
        for place in range(start.size):
            move = np.eye(start.size)[place] * 1e-5
            rise = evaluate(start + move, block, nodes).value - evaluate(start - move, block, nodes).value
            assert found.gradient[place] == pytest.approx(rise / 2e-5, rel=1e-5, abs=1e-5)


def test_without_association_the_likelihood_falls_apart_into_its_two_models() -> None:
    rows, survival = simulated(3, 60, alpha=ALPHA)
    form = JointForm(n_knots=1)
    rows, survival = checked(rows, survival, form)
    knots = knots_of(survival, form)
    block = block_of(rows, survival, form, knots)
    naive = fit_mixed(block.sums)
    rates = np.log([0.1, 0.2])
    at = np.concatenate(
        [naive.fixed, [np.log(naive.residual_sd)], triangle_of(naive.random_covariance), [0.0], rates]
    )
    found = evaluate(at, block, nodes_around(naive.means, naive.covariances, 5))
    spent = np.stack([np.minimum(survival.times, knots[0]), np.maximum(survival.times - knots[0], 0)])
    pieces = interval_of(survival.times[survival.events], knots)
    events = rates[pieces].sum() - np.exp(rates) @ spent.sum(axis=1)
    assert found.value == pytest.approx(naive.log_likelihood + events, abs=1e-8)


def test_the_mixed_model_is_the_multivariate_normal() -> None:
    rows, survival = simulated(4, 30, alpha=ALPHA)
    design = intercept_and_slope(rows.times, rows.subjects)
    fit = fit_mixed(moments(rows.values, design, design, rows.subjects, survival.times.size))
    total = 0.0
    for subject in range(survival.times.size):
        z = design[rows.subjects == subject]
        spread = z @ fit.random_covariance @ z.T + fit.residual_sd**2 * np.eye(len(z))
        total += stats.multivariate_normal(z @ fit.fixed, spread).logpdf(
            rows.values[rows.subjects == subject]
        )
    assert fit.log_likelihood == pytest.approx(total, abs=1e-8)


@given(st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6))
def test_factor_and_triangle_undo_each_other(triangle: list[float]) -> None:
    factor = factor_of(np.array(triangle), 3)
    np.testing.assert_allclose(triangle_of(factor @ factor.T), triangle, atol=1e-7)


# ---------------------------------------------------------------- R JM


@pytest.mark.real_data
def test_aids_agrees_with_r_jm() -> None:
    rows, survival, form = aids()
    fit = fit_joint(rows, survival, replace(form, **AS_JM))
    assert fit.convergence == "converged"
    assert fit.association["value"].value == pytest.approx(-0.28750, rel=0.01)
    assert fit.association["value"].se == pytest.approx(0.03587, rel=0.05)
    assert fit.log_likelihood == pytest.approx(-4328.2613, abs=0.5)
    assert fit.survival["ddI"].value == pytest.approx(0.33483, abs=0.02 * 0.15648)
    assert fit.survival["ddI"].se == pytest.approx(0.15648, rel=0.05)
    told = {name: found.value for name, found in fit.longitudinal.items()}
    assert told == pytest.approx({"intercept": 7.22033, "time": -0.19174, "time:ddI": 0.01159}, rel=0.01)
    assert fit.residual_sd.value == pytest.approx(1.73766, rel=0.001)
    assert fit.naive.fixed[1] == pytest.approx(-0.16345, rel=0.001)


@pytest.mark.real_data
def test_pbc2_agrees_with_r_jm() -> None:
    rows, survival, form = pbc2()
    fit = fit_joint(rows, survival, replace(form, **AS_JM))
    assert fit.association["value"].value == pytest.approx(1.24339, rel=0.01)
    assert fit.association["value"].se == pytest.approx(0.08675, rel=0.05)
    assert fit.log_likelihood == pytest.approx(-1966.5291, abs=0.5)
    assert fit.longitudinal["time"].value == pytest.approx(0.18928, rel=0.01)
    assert fit.survival["drug"].value == pytest.approx(-0.00206, abs=0.05 * 0.16524)
    assert fit.survival["drug"].se == pytest.approx(0.16524, rel=0.05)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("case", [aids, pbc2])
def test_denser_quadrature_hardly_moves_the_answer(
    case: Callable[[], tuple[Repeated, Survival, JointForm]],
) -> None:
    rows, survival, form = case()
    plain = fit_joint(rows, survival, replace(form, recentred=2))
    dense = fit_joint(rows, survival, replace(form, hermite=9, kronrod=15, recentred=1))
    assert plain.association["value"].value == pytest.approx(dense.association["value"].value, rel=1e-3)
    assert plain.association["value"].se == pytest.approx(dense.association["value"].se, rel=5e-3)
    assert plain.log_likelihood == pytest.approx(dense.log_likelihood, abs=0.05)


# ---------------------------------------------------------------- simulated truth


@pytest.mark.slow
def test_the_truth_is_recovered_where_the_naive_slope_is_not() -> None:
    fits = [fit_joint(*simulated(seed, 300, alpha=ALPHA), JointForm(n_knots=1)) for seed in range(20, 30)]
    found = np.array([[fit.association["value"].value, fit.longitudinal["time"].value] for fit in fits])
    spread = found.std(axis=0, ddof=1) / np.sqrt(len(fits))
    assert (np.abs(found.mean(axis=0) - [-0.5, -0.8]) < 3.5 * spread).all()
    covered = [fit.association["value"].low < -0.5 < fit.association["value"].high for fit in fits]
    assert sum(covered) >= 8
    naive = np.array([fit.naive.fixed[1] for fit in fits])
    assert naive.mean() > -0.8 + 2 * spread[1]


@pytest.mark.slow
def test_late_entry_is_allowed_for_and_would_else_mislead() -> None:
    right, wrong = [], []
    for seed in range(40, 46):
        rows, survival = simulated(seed, 350, late=True, alpha=ALPHA)
        right.append(fit_joint(rows, survival, JointForm(n_knots=1)).longitudinal["intercept"].value)
        ignoring = Survival(survival.times, survival.events)
        wrong.append(fit_joint(rows, ignoring, JointForm(n_knots=1)).longitudinal["intercept"].value)
    spread = np.std(right, ddof=1) / np.sqrt(len(right))
    assert abs(np.mean(right)) < 3.5 * spread
    assert np.mean(wrong) > np.mean(right) + 0.05


# ---------------------------------------------------------------- properties


@pytest.mark.parametrize(("scale", "shift"), [(0.05, 3.0), (40.0, -5.0)])
def test_units_of_the_value_change_the_association_alone(scale: float, shift: float) -> None:
    rows, survival = simulated(5, 80, alpha=ALPHA)
    form = JointForm(n_knots=0, recentred=0)
    plain = fit_joint(rows, survival, form)
    moved = fit_joint(replace(rows, values=scale * rows.values + shift), survival, form)
    assert moved.association["value"].value * scale == pytest.approx(
        plain.association["value"].value, rel=1e-3
    )
    assert moved.longitudinal["time"].value == pytest.approx(
        scale * plain.longitudinal["time"].value, rel=1e-3
    )
    less = rows.values.size * np.log(scale)
    assert moved.log_likelihood == pytest.approx(plain.log_likelihood - less, abs=1e-3)


def test_order_of_the_rows_is_irrelevant() -> None:
    rows, survival = simulated(6, 60, alpha=ALPHA)
    order = np.random.default_rng(0).permutation(rows.values.size)
    mixed = Repeated(rows.values[order], rows.times[order], rows.subjects[order])
    form = JointForm(n_knots=0, recentred=0)
    one, other = fit_joint(rows, survival, form), fit_joint(mixed, survival, form)
    assert one.association["value"].value == pytest.approx(other.association["value"].value, rel=1e-5)


def test_a_slope_that_does_not_vary_is_named() -> None:
    rng = np.random.default_rng(1)
    who, when = np.repeat(np.arange(80), 4), np.tile([0.0, 0.1, 0.2, 0.3], 80)
    level = rng.normal(size=80)
    rows = Repeated(level[who] + when + rng.normal(0, 0.3, 320), when, who)
    survival = Survival(0.3 + rng.exponential(np.exp(-level)), np.ones(80, dtype=bool))
    assert fit_joint(rows, survival, JointForm(n_knots=1)).convergence == "singular_random_effects"


# ---------------------------------------------------------------- bad input


def case(**changes: object) -> tuple[Repeated, Survival, JointForm]:
    rows, survival = simulated(8, 40, alpha=ALPHA)
    parts: dict[str, object] = {"rows": rows, "survival": survival, "form": JointForm(n_knots=1), **changes}
    return parts["rows"], parts["survival"], parts["form"]  # type: ignore[return-value]


def bad_inputs() -> list[tuple[str, tuple[Repeated, Survival, JointForm]]]:
    rows, survival, _ = case()
    none = np.zeros(survival.times.size, dtype=bool)
    tied = np.where(survival.events, 2.0, survival.times + 3)
    early = rows.times < 1.9
    few = Repeated(rows.values[early], rows.times[early], rows.subjects[early])
    gone = rows.subjects != 3
    without = Repeated(rows.values[gone], rows.times[gone], rows.subjects[gone])
    once = np.unique(rows.subjects, return_index=True)[1]
    first = Repeated(rows.values[once], rows.times[once], rows.subjects[once])
    constant = np.ones((survival.times.size, 1))

    def twice(times: np.ndarray, subjects: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(times), times, 2 * times], axis=1)

    late = replace(survival, entry=survival.times + 1)
    after = replace(rows, times=np.where(np.arange(rows.times.size) == 0, 99.0, rows.times))
    seen = replace(survival, events=np.ones_like(survival.events))
    return [
        ("no events", case(survival=replace(survival, events=none))),
        ("at one time", case(rows=few, survival=replace(survival, times=tied))),
        ("without measurements", case(rows=without)),
        ("not measured twice|measured twice", case(rows=first)),
        ("after the event", case(rows=after, survival=seen)),
        ("constant or not independent", case(survival=replace(survival, covariates=constant, names=("x",)))),
        ("not independent", case(form=JointForm(fixed=twice, fixed_names=("a", "b", "c")))),
        ("not finite", case(rows=replace(rows, values=np.where(rows.times == 0, np.nan, rows.values)))),
        ("ends at or before its start", case(survival=late)),
        ("holds no event", case(form=JointForm(knots=(50.0,)))),
        ("all values are equal", case(rows=replace(rows, values=np.ones_like(rows.values)))),
        ("differ in length", case(rows=replace(rows, times=rows.times[1:]))),
        ("2 columns for 3 names", case(form=JointForm(fixed_names=("a", "b", "c")))),
    ]


@pytest.mark.parametrize("place", range(13))
def test_what_cannot_be_fitted_is_named(place: int) -> None:
    what, (rows, survival, form) = bad_inputs()[place]
    with pytest.raises(InvalidInput, match=what):
        fit_joint(rows, survival, form)


def test_all_faults_are_told_together() -> None:
    rows, survival, form = case()
    broken = replace(survival, events=np.zeros_like(survival.events), entry=survival.times + 1)
    with pytest.raises(InvalidInput, match=r"2 faults(.|\n)*no events"):
        fit_joint(rows, broken, form)


def test_inputs_stay_as_they_are() -> None:
    rows, survival, form = case()
    before = rows.values.copy(), rows.times.copy(), survival.times.copy()
    fit_joint(rows, survival, replace(form, recentred=0))
    for kept, now in zip(before, (rows.values, rows.times, survival.times), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_a_slope_that_does_not_vary_is_named_and_nothing_breaks() -> None:
    rng = np.random.default_rng(2)
    who, when = np.repeat(np.arange(80), 4), np.tile([0.0, 0.1, 0.2, 0.3], 80)
    level = rng.normal(size=80)
    end = 0.3 + rng.exponential(np.exp(-level))
    rows = Repeated(level[who] + rng.normal(0, 0.3, 320), when, who)
    fit = fit_joint(rows, Survival(end, np.ones(80, bool)), JointForm(n_knots=1))
    assert fit.convergence in {"converged", "singular_random_effects"}
    assert fit.association["value"].value == pytest.approx(1.0, abs=0.5)
