"""A joint model of repeated measurements and time to an event, by maximum likelihood."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from myoproof.numerics.joint_design import block_of, checked, entry_block, knots_of
from myoproof.numerics.joint_likelihood import (
    Block,
    Evaluation,
    Nodes,
    Parts,
    evaluate,
    nodes_around,
    triangle_of,
)
from myoproof.numerics.joint_start import fit_mixed
from myoproof.numerics.joint_types import (
    Convergence,
    Estimate,
    Floats,
    JointFit,
    JointForm,
    MixedModel,
    Repeated,
    Survival,
)

FEWEST_ENTRY_NODES = 9
"""Nodes a random effect for survival to entry, where no measurement narrows the random effects."""
LARGEST_DECREMENT = 1e-4
"""The fit stands when one more Newton step would gain less than half of this in log-likelihood."""
ROUGH, SHARP = 1e-2, 1e-5
"""Gradients at which the first and the later searches stop, in units of the standard errors."""
SINGULAR = 1e-4
"""A random effect with less than this share of its SD left, given the others, is a function of them."""


@dataclass(frozen=True, slots=True)
class _Problem:
    """Subjects, their survival to entry, and the nodes of both."""

    block: Block
    nodes: Nodes
    entry: Block | None
    entry_nodes: Nodes | None


def fit_joint(
    rows: Repeated, survival: Survival, form: JointForm | None = None, *, level: float = 0.95
) -> JointFit:
    """Fit a linear mixed model and a relative-risk model that share random effects.

    The hazard is h(t) = xi(t) exp(w'gamma + alpha m(t)), with m the subject's true trajectory (or its slope,
    or both), and xi constant between knots. Random effects are integrated by Gauss-Hermite, the cumulative
    hazard by Gauss-Kronrod within each interval.

    Parameters
    ----------
    rows : Repeated
        Measurements; each subject at least once, none after its event.
    survival : Survival
        Times, events, covariates, and entry under left truncation: the likelihood is then divided by the
        chance of being free of the event at entry.
    form : JointForm, optional
        Designs, association, knots and quadrature; random intercept and slope where absent.
    level : float
        Level of the Wald intervals, 0-1.

    Returns
    -------
    JointFit
        With ``convergence`` named. Time and values keep their units.

    Raises
    ------
    InvalidInput
        Naming every fault: no events, all events at one time, subjects without measurements, rows after
        the event, singular designs, intervals without event.

    References
    ----------
    Wulfsohn and Tsiatis, Biometrics 1997;53:330. Henderson, Diggle and Dobson, Biostatistics 2000;1:465.
    Rizopoulos, Comput Stat Data Anal 2012;56:491 (pseudo-adaptive rule). Delayed entry: Crowther et al.,
    Stat Med 2016;35:1193. Checked against R JM 1.5-2 on its data sets aids and pbc2.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> who, when = np.repeat(np.arange(80), 4), np.tile([0.0, 0.1, 0.2, 0.3], 80)
    >>> level, slope = rng.normal(size=80), rng.normal(0, 0.5, size=80)
    >>> end = 0.3 + rng.exponential(np.exp(-level))
    >>> rows = Repeated(level[who] + slope[who] * when + rng.normal(0, 0.1, 320), when, who)
    >>> fit = fit_joint(rows, Survival(end, np.ones(80, bool)), JointForm(n_knots=1))
    >>> fit.convergence, fit.association["value"].value > 0.0
    ('converged', True)
    """
    form = form or JointForm()
    rows, survival = checked(rows, survival, form)
    knots = knots_of(survival, form)
    block = block_of(rows, survival, form, knots)
    naive = fit_mixed(block.sums)
    entry = entry_block(survival, form, knots)
    problem = _placed(block, entry, form, naive.means, naive.covariances, naive.random_covariance)
    at = _start(block, naive, knots, survival)
    at = _climb(problem, at, ROUGH, _round(_information(problem, at)))
    turn = _round(_information(problem, at))
    at = _climb(problem, at, SHARP, turn)
    for _ in range(form.recentred):
        problem = _recentred(problem, _evaluate(problem, at), at, form)
        at = _climb(problem, at, SHARP, turn)
    return _fit(problem, at, naive, replace(form, knots=tuple(knots)), survival.names, level)


def _placed(
    block: Block, entry: Block | None, form: JointForm, means: Floats, covariances: Floats, prior: Floats
) -> _Problem:
    """Nodes where the mixed model sees the random effects; at entry, their distribution in the population."""
    floor = 1e-10 * np.diag(np.maximum(np.diag(prior), 1e-12))
    nodes = nodes_around(means, covariances + floor, form.hermite)
    if entry is None:
        return _Problem(block, nodes, None, None)
    n = len(entry.events)
    spread = np.broadcast_to(prior + floor, (n, *prior.shape))
    count = max(form.hermite, FEWEST_ENTRY_NODES)
    return _Problem(block, nodes, entry, nodes_around(np.zeros((n, len(prior))), spread, count))


def _recentred(problem: _Problem, here: Evaluation, at: Floats, form: JointForm) -> _Problem:
    """Nodes moved to the joint posterior of each subject."""
    nodes = nodes_around(here.means, here.covariances, form.hermite)
    if problem.entry is None or problem.entry_nodes is None:
        return _Problem(problem.block, nodes, None, None)
    free = evaluate(at, problem.entry, problem.entry_nodes)
    count = max(form.hermite, FEWEST_ENTRY_NODES)
    return _Problem(problem.block, nodes, problem.entry, nodes_around(free.means, free.covariances, count))


def _evaluate(problem: _Problem, at: Floats) -> Evaluation:
    found = evaluate(at, problem.block, problem.nodes)
    if problem.entry is None or problem.entry_nodes is None:
        return found
    free = evaluate(at, problem.entry, problem.entry_nodes)
    return Evaluation(
        found.value - free.value, found.gradient - free.gradient, found.means, found.covariances
    )


def _start(block: Block, naive: MixedModel, knots: Floats, survival: Survival) -> Floats:
    """The mixed model alone, and a hazard of events over exposure that depends on nothing."""
    pieces = knots.size + 1
    assert survival.entry is not None
    edges = np.concatenate([[0.0], knots, [np.inf]])
    spent = np.clip(survival.times[:, None], edges[:-1], edges[1:]) - np.clip(
        survival.entry[:, None], edges[:-1], edges[1:]
    )
    events = np.bincount(block.pieces, weights=block.events, minlength=pieces)
    prior = naive.random_covariance
    size = np.diag(np.maximum(np.diag(prior), 1e-8 * max(float(np.trace(prior)), naive.residual_sd**2)))
    return np.concatenate(
        [
            naive.fixed,
            [math.log(naive.residual_sd)],
            triangle_of(prior + 1e-4 * size),
            np.zeros(block.covariates.shape[1] + block.fixed_end.shape[1]),
            np.log(events / np.maximum(spent.sum(axis=0), 1e-300)),
        ]
    )


def _climb(problem: _Problem, start: Floats, tolerance: float, turn: Floats) -> Floats:
    """Maximise by BFGS in coordinates in which the surface is about round."""

    def loss(z: Floats) -> tuple[float, Floats]:
        found = _evaluate(problem, start + turn @ z)
        return -found.value, -(turn.T @ found.gradient)

    found = optimize.minimize(
        loss, np.zeros(start.size), jac=True, method="BFGS", options={"gtol": tolerance, "maxiter": 200}
    )
    return np.asarray(start + turn @ found.x, dtype=np.float64)


def _round(information: Floats) -> Floats:
    """Square root of the inverse information, its eigenvalues made positive."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-8))
    values, vectors = np.linalg.eigh(information * scale[:, None] * scale)
    return np.asarray(scale[:, None] * vectors / np.sqrt(np.maximum(np.abs(values), 1e-6)))


def _information(problem: _Problem, at: Floats, step: float = 1e-4) -> Floats:
    """Observed information: central differences of the exact gradient."""
    columns = []
    for place in range(at.size):
        move = np.zeros(at.size)
        move[place] = step * max(1.0, abs(at[place]))
        ahead, behind = _evaluate(problem, at + move).gradient, _evaluate(problem, at - move).gradient
        columns.append((behind - ahead) / (2 * move[place]))
    rough: Floats = np.array(columns, dtype=np.float64)
    return np.asarray((rough + rough.T) / 2, dtype=np.float64)


def _convergence(information: Floats, gradient: Floats, parts: Parts) -> tuple[Convergence, float, Floats]:
    """How the search ended, its Newton decrement, and the covariance of the parameters."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    scaled = information * scale[:, None] * scale
    covariance = np.linalg.pinv(scaled, hermitian=True) * scale[:, None] * scale
    decrement = float(gradient @ covariance @ gradient)
    whole = np.sqrt((parts.factor**2).sum(axis=1))
    if (np.diag(parts.factor) < SINGULAR * whole).any() or whole.min() < 1e-8 * math.exp(parts.log_sd):
        return "singular_random_effects", decrement, covariance
    if np.linalg.eigvalsh(scaled)[0] <= 1e-10:
        return "information_not_positive", decrement, covariance
    if not abs(decrement) < LARGEST_DECREMENT:
        return "gradient_not_zero", decrement, covariance
    return "converged", decrement, covariance


def _fit(
    problem: _Problem, at: Floats, naive: MixedModel, form: JointForm, names: Sequence[str], level: float
) -> JointFit:
    here = _evaluate(problem, at)
    sizes = problem.block.sizes
    parts = sizes.split(at)
    convergence, decrement, covariance = _convergence(_information(problem, at), here.gradient, parts)
    se = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    wald = _wald(level)
    triangle = sizes.random * (sizes.random + 1) // 2
    first_gamma = sizes.fixed + 1 + triangle
    first_alpha = first_gamma + sizes.covariates
    sd, sd_se = math.exp(parts.log_sd), math.exp(parts.log_sd) * float(se[sizes.fixed])
    terms = ("value", "slope") if form.association == "both" else (form.association,)
    return JointFit(
        longitudinal=_named(form.fixed_names, at, se, wald),
        survival=_named(names, at[first_gamma:], se[first_gamma:], wald),
        association=_named(terms, at[first_alpha:], se[first_alpha:], wald),
        residual_sd=wald(sd, sd_se),
        random_covariance=parts.factor @ parts.factor.T,
        knots=np.array(form.knots or ()),
        log_hazard=parts.log_hazard,
        log_likelihood=here.value,
        convergence=convergence,
        decrement=decrement,
        parameters=at,
        covariance=covariance,
        means=here.means,
        covariances=here.covariances,
        naive=naive,
        n_subjects=len(problem.block.events),
        n_rows=int(problem.block.sums.rows.sum()),
        n_events=int(problem.block.events.sum()),
    )


def _wald(level: float) -> Callable[[float, float], Estimate]:
    reach = float(stats.norm.ppf((1 + level) / 2))

    def wald(value: float, se: float) -> Estimate:
        p = 2 * float(stats.norm.sf(abs(value) / se)) if se > 0 else math.nan
        return Estimate(value, se, value - reach * se, value + reach * se, p)

    return wald


def _named(
    names: Sequence[str], values: Floats, se: Floats, wald: Callable[[float, float], Estimate]
) -> dict[str, Estimate]:
    return {name: wald(float(values[i]), float(se[i])) for i, name in enumerate(names)}
